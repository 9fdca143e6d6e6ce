"""Evidence: windows add up until it is worth more to decide than to wait."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import ArgumentError, Decision, check_range

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """When to decide.

    Attributes
    ----------
    confidence : float
        Nothing is decided below this posterior probability.
    min_seconds, max_seconds : float
        Earliest and latest time of a decision; at the latest a decision below `confidence` becomes none.
    error_cost : float
        Cost of a wrong decision.
    time_cost : float
        Cost of a second of waiting, in the same unit; 0 waits for `confidence` only.
    """

    confidence: float = 0.9
    min_seconds: float = 0.0
    max_seconds: float = 10.0
    error_cost: float = 1.0
    time_cost: float = 0.0

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, low=0.0, high=1.0)
        check_range("min_seconds", self.min_seconds, low=0.0, unit="s")
        check_range("max_seconds", self.max_seconds, low=self.min_seconds, low_open=True, unit="s")
        check_range("error_cost", self.error_cost, low=0.0, low_open=True)
        check_range("time_cost", self.time_cost, low=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """State of an accumulation after a window.

    Attributes
    ----------
    posterior : tuple of float
        Probability of each class given all windows and the prior.
    seconds : float
        Signal used so far.
    label : str or None
        The decision; None while waiting, and where none was made.
    done : bool
        True once the accumulation has ended.
    reason : str
        "waiting", "too-early", "confident", "not-worth-waiting", "timeout", "no-evidence".
    """

    posterior: tuple[float, ...]
    seconds: float
    label: str | None
    done: bool
    reason: str
    data: dict[str, Any] = field(default_factory=dict)


class Accumulator:
    """Bayesian accumulation of calibrated window probabilities, one for every paradigm.

    Each window adds its log-likelihood, ``log p(class | window) - log training share``, times the share of its
    samples that no earlier window had: the same samples must not count twice. The accumulation ends

    * when the posterior of the best class reaches `Stopping.confidence` and one more window like the ones so far would
      lower the expected cost of an error by less than the time costs (with no cost of time: at once),
    * at `Stopping.max_seconds`, or with the last window, with a decision if the confidence is reached, else with none.

    The gain of waiting is estimated from the mean growth of the log-odds in this very trial.

    Parameters
    ----------
    classes : sequence of str
        Classes in the order of the probabilities.
    stopping : Stopping
        When to decide.
    prior : array, shape (n_classes,), optional
        Probability before the first window: a language model, a habit; uniform if left out.
    training_share : array, shape (n_classes,), optional
        Share of each class in the decoder's training; uniform if left out.
    idle : str, optional
        Class that means "nothing is wanted"; it ends an accumulation without a label.
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        stopping: Stopping | None = None,
        prior: ArrayLike | None = None,
        training_share: ArrayLike | None = None,
        idle: str | None = None,
    ) -> None:
        self.classes = tuple(classes)
        if len(self.classes) < 2:
            raise ArgumentError("An accumulator needs at least two classes.")
        if idle is not None and idle not in self.classes:
            raise ArgumentError(f"idle is {idle!r}; allowed: {', '.join(self.classes)}.")
        self.stopping = stopping or Stopping()
        self.idle = idle
        self._offset = np.log(self._distribution("training_share", training_share))
        self.reset(prior)

    def _distribution(self, name: str, values: ArrayLike | None) -> Array:
        n = len(self.classes)
        found = np.full(n, 1.0 / n) if values is None else np.asarray(values, dtype=np.float64)
        if found.shape != (n,) or not (found > 0).all() or not np.isfinite(found).all():
            raise ArgumentError(f"{name} must hold {n} positive numbers.")
        return found / found.sum()

    def reset(self, prior: ArrayLike | None = None) -> None:
        """Begin the next trial."""
        self._log = np.log(self._distribution("prior", prior))
        self.seconds = 0.0

    @property
    def posterior(self) -> Array:
        """Probability of each class, shape ``(n_classes,)``."""
        values = np.exp(self._log - self._log.max())
        return values / values.sum()

    def add(
        self, probabilities: Sequence[float], *, seconds: float, new_seconds: float | None = None, last: bool = False
    ) -> Evidence:
        """Take the probabilities of a window.

        Parameters
        ----------
        probabilities : sequence of float
            Calibrated, one a class; empty for a window that could not be decided: then only time passes.
        seconds : float
            Length of the window.
        new_seconds : float, optional
            Seconds of it that no earlier window had; all if left out.
        last : bool
            There will be no other: what is sure enough is decided, whatever waiting would be worth.
        """
        check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
        fresh = seconds if new_seconds is None else check_range("new_seconds", new_seconds, low=0.0, unit="s")
        fresh = min(fresh, seconds)
        self.seconds += fresh
        if len(probabilities):
            if len(probabilities) != len(self.classes):
                raise ArgumentError(f"{len(probabilities)} probabilities for {len(self.classes)} classes.")
            values = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-6, 1.0)
            self._log = self._log + (fresh / seconds) * (np.log(values) - self._offset)
        return judge(
            self.classes,
            self.posterior.tolist(),
            self.stopping,
            seconds=self.seconds,
            step=fresh,
            idle=self.idle,
            last=last,
        )

    def add_decision(
        self, decision: Decision, *, seconds: float, new_seconds: float | None = None, last: bool = False
    ) -> Evidence:
        """Take a decision of a model; one without probabilities lets time pass only."""
        return self.add(decision.probabilities, seconds=seconds, new_seconds=new_seconds, last=last)


def judge(
    classes: Sequence[str],
    posterior: Sequence[float],
    stopping: Stopping,
    *,
    seconds: float,
    step: float,
    idle: str | None = None,
    last: bool = False,
) -> Evidence:
    """Return whether to decide now: the one rule, for whatever made the posterior.

    Parameters
    ----------
    classes : sequence of str
        Choices.
    posterior : sequence of float
        Probability of each given everything so far.
    stopping : Stopping
        The rule.
    seconds : float
        Signal used, or time waited, so far.
    step : float
        Seconds until the next window.
    idle : str, optional
        Class that ends it without a label.
    last : bool
        The trial ends here, as at `Stopping.max_seconds`.
    """
    best = max(range(len(classes)), key=posterior.__getitem__)
    p = float(posterior[best])
    found = tuple(float(value) for value in posterior)
    gain = _gain(p, len(classes), stopping, seconds=seconds, step=step)
    label = None if classes[best] == idle else classes[best]
    data = {"expected_gain": gain}

    def state(*, done: bool, reason: str, label: str | None = None) -> Evidence:
        return Evidence(posterior=found, seconds=seconds, label=label, done=done, reason=reason, data=data)

    if seconds < stopping.min_seconds - 1e-9:
        return state(done=False, reason="too-early")
    if p >= stopping.confidence and gain <= stopping.time_cost * step:
        reason = "not-worth-waiting" if stopping.time_cost > 0 else "confident"
        return state(done=True, reason=reason, label=label)
    if last or seconds >= stopping.max_seconds - 1e-9:
        sure = p >= stopping.confidence
        return state(done=True, reason="timeout" if sure else "no-evidence", label=label if sure else None)
    return state(done=False, reason="waiting")


def _gain(p: float, n_classes: int, stopping: Stopping, *, seconds: float, step: float) -> float:
    """Return by how much one more window like the ones so far would lower the expected cost of an error."""
    if stopping.time_cost == 0.0 or seconds <= 0.0:
        return 0.0
    odds = float(np.log(p) - np.log(max(1.0 - p, 1e-12)))
    uniform = -float(np.log(max(n_classes - 1, 1)))
    rate = max(0.0, (odds - uniform) / seconds)
    later = 1.0 / (1.0 + np.exp(-(odds + rate * step)))
    return float(stopping.error_cost * max(0.0, later - p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """Rule of a switch that is always on.

    Attributes
    ----------
    confidence : float
        Probability of a wanted state from which the switch acts.
    idle_seconds, active_seconds : float
        Mean time that a person stays in no wanted state, and in one.
    weight : float
        Share of a window's log-probability that counts as new: windows overlap, and say the same twice.
    rearm : float
        Probability of wanting nothing from which the switch may act again.
    refractory : float
        Seconds after an action in which there is no other.
    """

    confidence: float = 0.9
    idle_seconds: float = 10.0
    active_seconds: float = 3.5
    weight: float = 0.8
    rearm: float = 0.5
    refractory: float = 2.0

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, low=0.5, high=1.0, high_open=True)
        check_range("idle_seconds", self.idle_seconds, low=0.0, low_open=True, unit="s")
        check_range("active_seconds", self.active_seconds, low=0.0, low_open=True, unit="s")
        check_range("weight", self.weight, low=0.0, high=1.0, low_open=True)
        check_range("rearm", self.rearm, low=0.0, high=1.0)
        check_range("refractory", self.refractory, low=0.0, unit="s")


class SwitchEvidence:
    """Follows what a person wants, window by window, without a beginning or an end.

    A hidden Markov model of the states "nothing wanted" and one a class, entered from it and left to it only (Rabiner
    1989, Proc IEEE 77(2), forward variable): states last, so that a single window is not believed. The switch acts once
    when a wanted state is likely enough, and again only after nothing was wanted.

    Parameters
    ----------
    classes : sequence of str
        In the order of the probabilities.
    idle : str
        The class of wanting nothing.
    rule : Switching
        The rule.
    """

    def __init__(self, classes: Sequence[str], *, idle: str, rule: Switching | None = None) -> None:
        self.classes = tuple(classes)
        if idle not in self.classes or len(self.classes) < 2:
            raise ArgumentError(f"idle is {idle!r}; allowed: {', '.join(self.classes)}.")
        self.rule = rule or Switching()
        self._idle = self.classes.index(idle)
        self.reset()

    def reset(self) -> None:
        """Begin with nothing wanted."""
        self.posterior = np.eye(len(self.classes))[self._idle]
        self._armed = True
        self._since = float("inf")

    @property
    def armed(self) -> bool:
        """False from an action until nothing was wanted."""
        return self._armed

    def add(self, probabilities: Sequence[float], *, seconds: float) -> str | None:
        """Take the probabilities of a window, `seconds` after the one before; return what is switched now, or None.

        A window without probabilities lets time pass: what was likely fades.
        """
        check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
        self._since += seconds
        self.posterior = self.posterior @ self._transition(seconds)
        if len(probabilities):
            if len(probabilities) != len(self.classes):
                raise ArgumentError(f"{len(probabilities)} probabilities for {len(self.classes)} classes.")
            likelihood = np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-6) ** self.rule.weight
            self.posterior = self.posterior * likelihood
            self.posterior = self.posterior / self.posterior.sum()
        best = int(self.posterior.argmax())
        if not self._armed:
            self._armed = self.posterior[self._idle] >= self.rule.rearm and self._since >= self.rule.refractory
        elif best != self._idle and self.posterior[best] >= self.rule.confidence and len(probabilities):
            self._armed, self._since = False, 0.0
            return self.classes[best]
        return None

    def _transition(self, seconds: float) -> Array:
        n = len(self.classes)
        stay_idle = float(np.exp(-seconds / self.rule.idle_seconds))
        stay = float(np.exp(-seconds / self.rule.active_seconds))
        matrix = np.zeros((n, n))
        for state in range(n):
            if state == self._idle:
                matrix[state] = (1.0 - stay_idle) / (n - 1)
                matrix[state, state] = stay_idle
            else:
                matrix[state, state] = stay
                matrix[state, self._idle] = 1.0 - stay
        return matrix


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
