"""What the probabilities of decoders are worth, in a line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bcikit.decoding.evaluation.run import SplitResult, TaskResult
    from bcikit.decoding.scores import Scores


def _hardest(found: "dict[str, SplitResult]") -> str:
    """Return the hardest split that was computed."""
    order = ("cross-subject", "cross-session", "leave-run-out")
    return next((name for name in order if name in found), next(iter(found)))


def _error_of(scores: "Sequence[Scores]") -> str:
    """Return the calibration error of all decisions together, and what a perfect decoder would have."""
    from bcikit.decoding.metrics import ece, ece_of_perfect
    from bcikit.decoding.scores import together

    _, truth, probabilities = together(scores)
    perfect, limit = ece_of_perfect(probabilities)
    return (
        f"{ece(truth, probabilities):.3f} over all {len(truth)} decisions ({perfect:.3f} if perfect, by chance "
        f"up to {limit:.3f})"
    )


def sureness(found: "dict[str, SplitResult]") -> str:
    """Return what a decoder's probabilities are worth under the hardest split that was computed."""
    import numpy as np

    from bcikit.decoding.metrics import coverage
    from bcikit.decoding.scores import together

    split = _hardest(found)
    scores = found[split].scores
    worst = max(scores, key=lambda score: score.ece - score.ece_expected[0])
    _, truth, probabilities = together(scores)
    rows = coverage(truth, probabilities)
    shares = np.array([row["coverage"] for row in rows])
    kept = [rows[int(np.abs(shares - share).argmin())] for share in (1.0, 0.75, 0.5)]
    sure = ", ".join(f"of the surest {row['coverage']:.0%} {row['accuracy']:.0%}" for row in kept[1:])
    return (
        f"{split}: of all decisions {kept[0]['accuracy']:.0%} are right, {sure}; calibration error "
        f"{_error_of(scores)}, at worst {worst.ece:.3f} ({worst.ece_expected[0]:.2f} if perfect)"
    )


def sureness_of_all(results: "Sequence[TaskResult]") -> list[str]:
    """Return, of more than one task, a line for each decoder: what its probabilities are worth over all of them."""
    held: dict[str, list[Scores]] = {}
    for result in results:
        for decoder, found in result.results.items():
            held.setdefault(decoder, []).extend(found[_hardest(found)].scores)
    if len(results) < 2:
        return []
    tasks = f"All {len(results)} tasks"
    return [f"{tasks}, {decoder}: calibration error {_error_of(scores)}" for decoder, scores in held.items()]
