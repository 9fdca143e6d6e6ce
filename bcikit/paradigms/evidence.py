"""Evidence of many windows: what a decision says together with those before it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.signal import Decision


def probability_of(decision: Decision, name: str) -> float | None:
    """Return the probability of one class, None if the decision has none."""
    if not decision.probabilities or name not in decision.classes:
        return None
    return float(decision.probabilities[decision.classes.index(name)])


class Smoother:
    """Exponentially smoothed probability of one class, as in MI-driven FES (Leeb 2013, Biasiucci 2018).

    ``s <- a s + (1 - a) p``, from `start`.

    Parameters
    ----------
    alpha : float
        Share of the past, 0 to below 1.
    start : float
        Where it begins at each trial.
    """

    def __init__(self, alpha: float, *, start: float = 0.5) -> None:
        self.alpha = alpha
        self.first = start
        self.value = start

    def reset(self) -> None:
        """Forget the evidence."""
        self.value = self.first

    def add(self, p: float) -> float:
        """Take one probability and return the smoothed one."""
        self.value = self.alpha * self.value + (1.0 - self.alpha) * p
        return self.value


class KofN:
    """True once k of the newest n answers were yes.

    Parameters
    ----------
    k, n : int
        ``1 <= k <= n``.
    """

    def __init__(self, k: int, n: int) -> None:
        self.k = k
        self.n = n
        self._recent: list[bool] = []

    def reset(self) -> None:
        """Forget the answers."""
        self._recent.clear()

    def add(self, *, yes: bool) -> bool:
        """Take one answer and say whether enough were yes."""
        self._recent.append(yes)
        del self._recent[: -self.n]
        return sum(self._recent) >= self.k


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
