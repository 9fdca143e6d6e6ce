"""How well a decoder that knows nothing may do by luck."""

from collections.abc import Sequence

from bcikit.signal import check_int, check_range

CLEARLY = 1.2
"""By how much a class must be more frequent than one over the classes before always saying it is the better guess."""


def guessing(counts: Sequence[int]) -> float:
    """Return the probability with which the better guesser is right: among all classes, or always the commonest.

    Parameters
    ----------
    counts : sequence of int
        Trials of each class, of all that can be decided.
    """
    n, k = sum(counts), max(len(counts), 1)
    most = max(counts, default=0) / max(n, 1)
    return most if n >= 2 * k and most > CLEARLY / k else 1.0 / k


def guesser_bound(n_trials: int, chance: float, alpha: float = 0.05) -> float:
    """Return the accuracy that a guesser who is right with probability `chance` exceeds in `alpha` of all cases."""
    from scipy.stats import binom

    return float(binom.isf(alpha, n_trials, chance)) / n_trials


def balanced_bound(counts: Sequence[int], alpha: float = 0.05) -> float:
    """Return the balanced accuracy that chance exceeds with a probability of `alpha`, whatever the frequencies.

    The mean of as many shares as there are classes, each of a binomial with ``1 / n_classes``, taken for normal; of
    equally frequent classes it is the accuracy, and `chance_level` holds.
    """
    from scipy.stats import norm

    present = [count for count in counts if count]
    k = len(counts)
    if len(set(present)) == 1:
        return chance_level(sum(present), k, alpha)
    spread = sum((1.0 - 1.0 / k) / k / count for count in present) ** 0.5 / len(present)
    return min(1.0, 1.0 / k + float(norm.isf(alpha)) * spread)


def chance_level(n_trials: int, n_classes: int, alpha: float = 0.05) -> float:
    """Return the accuracy that chance exceeds with a probability of at most `alpha`.

    ``binom.isf(alpha, n_trials, 1 / n_classes) / n_trials`` (Combrisson and Jerbi 2015, J Neurosci Methods 250), for
    balanced classes and independent trials; where classes are not equally frequent, `guessing` and
    `guesser_bound`; for overlapping windows or adaptive decoders use `permutation_test`.

    Parameters
    ----------
    n_trials : int
        Trials decided.
    n_classes : int
        Classes.
    alpha : float
        Level of significance.

    Examples
    --------
    >>> round(chance_level(45, 2), 3)
    0.622
    """
    n, k, level = _check(n_trials, n_classes, alpha)
    return guesser_bound(n, 1.0 / k, level)


def chance_interval(n_trials: int, n_classes: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return the central interval in which chance stays with a probability of at least ``1 - alpha``.

    The lower bound matters as a check, too: a decoder clearly below chance has labels swapped or leaks.
    """
    from scipy.stats import binom

    n, k, level = _check(n_trials, n_classes, alpha)
    return float(binom.ppf(level / 2, n, 1.0 / k)) / n, float(binom.isf(level / 2, n, 1.0 / k)) / n


def accuracy_interval(n_correct: int, n_trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return Wilson's confidence interval of an accuracy (Wilson 1927)."""
    from scipy.stats import norm

    n = check_int("n_trials", n_trials, low=1)
    z = float(norm.isf(check_range("alpha", alpha, low=0, high=1, low_open=True, high_open=True) / 2))
    share = check_int("n_correct", n_correct, low=0, high=n) / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def _check(n_trials: int, n_classes: int, alpha: float) -> tuple[int, int, float]:
    return (
        check_int("n_trials", n_trials, low=1),
        check_int("n_classes", n_classes, low=2),
        check_range("alpha", alpha, low=0, high=1, low_open=True, high_open=True),
    )
