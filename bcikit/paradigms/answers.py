"""Answers of decoders as paradigms read and give them."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.signal import Decision


def probability_of(decision: Decision, name: str) -> float | None:
    """Return the probability of one class, None if the decision has none."""
    if not decision.probabilities or name not in decision.classes:
        return None
    return float(decision.probabilities[decision.classes.index(name)])


def together(
    decision: Decision,
    probabilities: Mapping[str, float],
    label: str | None,
    *,
    reason: str = "gathering-evidence",
    data: Mapping[str, Any] | None = None,
) -> Decision:
    """Return a decision at the same sample over other classes: what all evidence so far says."""
    return Decision(
        time=decision.time,
        sample=decision.sample,
        classes=tuple(probabilities),
        probabilities=tuple(float(p) for p in probabilities.values()),
        label=label,
        reason=None if label is not None else decision.reason or reason,
        age=decision.age,
        data={**decision.data, **(data or {})},
    )


def best(names: Sequence[str], probabilities: Mapping[str, float]) -> str:
    """Return the likeliest name; the first where several are."""
    return max(names, key=lambda name: probabilities[name])
