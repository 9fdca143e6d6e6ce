"""Numbers of a recording decided as if it were live: what was asked for, what was decided, and if rest was quiet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.metrics import confusion, itr, nmcc
from bcikit.signal import DataError, Decision, Event, label_of

IDLE = "idle"
"""What a window is called in which nothing was asked for, and what a decision without a label counts as."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PseudoOnline:
    """What a model would have done live.

    Attributes
    ----------
    decisions : list of Decision
        One a window.
    truth : ndarray of str, shape (n_windows,)
        Class asked for at the end of each window; `IDLE` between trials.
    decided : ndarray of str, shape (n_windows,)
        Label of each decision; `IDLE` where there was none.
    idle_minutes : float
        Time in which nothing was asked for.
    false_activations : int
        Times at which a label began while nothing was asked for.
    first_correct : list of (float or None)
        For each trial the seconds from its event to the first right decision; None if there was none.
    wrong : int
        Trials with a decision for another class than theirs.
    unready : int
        Trials in which nothing could act: since the last act it was never likely that nothing is wanted.
    evidence : float or None
        The most that was ever held of a class that is wanted, where evidence is followed.
    first : list of ((float, bool) or None), or None
        For each trial the seconds from its event to the first decision for a class, and whether that was right; None if
        there was none. The information transfer rate is that of these (an answer is what is decided first), and is not
        known where they are left out.
    """

    decisions: list[Decision]
    truth: NDArray[np.str_]
    decided: NDArray[np.str_]
    idle_minutes: float
    false_activations: int
    first_correct: list[float | None]
    wrong: int = 0
    unready: int = 0
    evidence: float | None = None
    first: list[tuple[float, bool] | None] | None = None

    @property
    def nmcc(self) -> float:
        """Normalised Matthews correlation over all windows, idle a class of its own."""
        return nmcc(self.truth, self.decided)

    @property
    def false_activations_per_minute(self) -> float:
        """False activations a minute of rest; NaN where the recording has none."""
        return self.false_activations / self.idle_minutes if self.idle_minutes else float("nan")

    def _itr(self, n_classes: int) -> float | None:
        if self.first is None:
            return None
        first = [one for one in self.first if one is not None]
        if not first or n_classes < 2:
            return 0.0
        return itr(sum(good for _, good in first) / len(self.first), n_classes, fmean(at for at, _ in first))

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        found = [value for value in self.first_correct if value is not None]
        classes = sorted({*self.truth.tolist(), *self.decided.tolist()})
        asked = self.truth != IDLE
        hits = float(np.mean(self.decided[asked] == self.truth[asked])) if asked.any() else 0.0
        n_active = len([c for c in classes if c != IDLE])
        mean_time = float(np.mean(found)) if found else None
        return {
            "n_windows": len(self.truth),
            "nmcc": self.nmcc,
            "window_accuracy": float(np.mean(self.truth == self.decided)),
            "window_sensitivity": hits,
            "false_activations_per_minute": self.false_activations_per_minute if self.idle_minutes else None,
            "idle_minutes": self.idle_minutes,
            "trials_with_a_right_decision": len(found) / len(self.first_correct) if self.first_correct else None,
            "trials_with_a_wrong_decision": self.wrong / len(self.first_correct) if self.first_correct else None,
            "time_to_first_right_decision": mean_time,
            "itr": self._itr(n_active),
            "classes": classes,
            "confusion": confusion(self.truth, self.decided, classes).tolist(),
        }


def summarise(
    decisions: Sequence[Decision],
    placed: Sequence[Event],
    *,
    events: Mapping[str, str],
    sfreq: float,
    seconds: float,
    n_times: int,
    step: float,
    idle_classes: tuple[str, ...] = (),
    acts: bool = False,
) -> PseudoOnline:
    """Return what decisions about all windows of a recording come to.

    Parameters
    ----------
    decisions : sequence of Decision
        One a window, each with the sample of its end.
    placed : sequence of Event
        Of the recording.
    events : mapping of str to str
        Event to class; a class of `idle_classes` counts as idle.
    sfreq : float
        Rate of the samples of decisions and events, in Hz.
    seconds : float
        How long a class is asked for after its event.
    n_times : int
        Length of a window in such samples.
    step : float
        Seconds between windows.
    idle_classes : tuple of str
        Classes that mean rest.
    acts : bool
        Labels are actions at a moment: one within a trial answers it, however much of its window the trial fills.

    Raises
    ------
    DataError
        If there is no event, or no window.
    """
    trials = _trials(placed, sfreq, events, seconds, idle_classes)
    pairs = ((decision, _truth(decision.sample + 1, n_times, trials)) for decision in decisions)
    rows = [(decision, truth) for decision, truth in pairs if truth is not None]
    if not rows:
        raise DataError("The recording is shorter than one window.")
    return _summary(rows, trials, step, sfreq, answers=decisions if acts else [decision for decision, _ in rows])


def _trials(
    placed: Sequence[Event], sfreq: float, events: Mapping[str, str], seconds: float, idle: tuple[str, ...]
) -> list[tuple[int, int, str]]:
    """Return first sample, stop sample and class of each trial."""
    result = []
    for event in placed:
        label = label_of(event, events)
        if label is not None and event.sample is not None:
            stop = event.sample + round(seconds * sfreq)
            result.append((event.sample, stop, IDLE if label in idle else label))
    if not result:
        raise DataError(f"The recording has none of the events {', '.join(events)}.")
    return result


def _truth(stop: int, n_times: int, trials: list[tuple[int, int, str]]) -> str | None:
    """Return the class of a window by its end; None where it is only partly within a trial."""
    start = stop - n_times
    for first, last, label in trials:
        if label == IDLE:
            continue
        if first <= start and stop <= last:
            return label
        if start < last and stop > first:
            return None
    return IDLE


def _summary(
    rows: list[tuple[Decision, str]],
    trials: list[tuple[int, int, str]],
    step: float,
    sfreq: float,
    *,
    answers: Sequence[Decision],
) -> PseudoOnline:
    truth = np.array([label for _, label in rows])
    decided = np.array([decision.label or IDLE for decision, _ in rows])
    false = 0
    before = IDLE
    for asked, label in zip(truth, decided, strict=True):
        if asked == IDLE and label not in (IDLE, before):
            false += 1
        before = label
    right: list[float | None] = []
    first: list[tuple[float, bool] | None] = []
    wrong = unready = 0
    for start, last, label in trials:
        if label == IDLE:
            continue
        within = [decision for decision in answers if decision.label is not None and start < decision.sample < last]
        times = [(decision.sample + 1 - start) / sfreq for decision in within if decision.label == label]
        right.append(min(times) if times else None)
        taken = min(within, key=lambda decision: decision.sample, default=None)
        first.append(None if taken is None else ((taken.sample + 1 - start) / sfreq, taken.label == label))
        wrong += any(decision.label != label for decision in within)
        during = [decision for decision in answers if start < decision.sample < last]
        unready += bool(during) and not any(decision.data.get("ready", True) for decision in during)
    return PseudoOnline(
        decisions=[decision for decision, _ in rows],
        truth=truth,
        decided=decided,
        idle_minutes=float(np.count_nonzero(truth == IDLE)) * step / 60.0,
        false_activations=false,
        first_correct=right,
        wrong=wrong,
        unready=unready,
        evidence=max((one for decision in answers if (one := decision.data.get("evidence")) is not None), default=None),
        first=first,
    )
