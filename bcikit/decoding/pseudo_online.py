"""A recording decided as if it were live: the same pipeline, the same windows, and rest that must stay quiet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.metrics import confusion, itr, nmcc
from bcikit.decoding.model import Model
from bcikit.processing import Pipeline, Regrid, WindowBuffer
from bcikit.signal import DataError, Decision, Event, Recording, check_int, check_range, label_of

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
    """

    decisions: list[Decision]
    truth: NDArray[np.str_]
    decided: NDArray[np.str_]
    idle_minutes: float
    false_activations: int
    first_correct: list[float | None]

    @property
    def nmcc(self) -> float:
        """Normalised Matthews correlation over all windows, idle a class of its own."""
        return nmcc(self.truth, self.decided)

    @property
    def false_activations_per_minute(self) -> float:
        """False activations a minute of rest; NaN where the recording has none."""
        return self.false_activations / self.idle_minutes if self.idle_minutes else float("nan")

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
            "time_to_first_right_decision": mean_time,
            "itr": itr(len(found) / len(self.first_correct), n_active, mean_time)
            if mean_time and n_active > 1
            else 0.0,
            "classes": classes,
            "confusion": confusion(self.truth, self.decided, classes).tolist(),
        }


def pseudo_online(
    model: Model,
    recording: Recording,
    *,
    events: Mapping[str, str],
    seconds: float,
    step: float = 0.1,
    idle_classes: tuple[str, ...] = (),
    chunk_size: int = 32,
) -> PseudoOnline:
    """Run a model over a whole recording through the code that runs live.

    Carrara and Papadopoulo 2023 (arXiv 2308.11656), with the idle windows kept. Windows that begin before an event and
    end within its trial belong to neither class and are not counted.

    Parameters
    ----------
    model : Model
        Trained on other recordings; its sheet says filters and window.
    recording : Recording
        Unfiltered.
    events : mapping of str to str
        Event to class; a class of `idle_classes` counts as idle.
    seconds : float
        How long a class is asked for after its event.
    step : float
        Seconds between windows.
    idle_classes : tuple of str
        Classes that mean rest.
    chunk_size : int
        Samples a chunk; it changes nothing.
    """
    check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
    pipeline = Pipeline.from_config([dict(one) for one in model.sheet.filters])
    info = pipeline.configure(recording.info)
    model.attach(info)
    hop = check_int("samples a step", max(1, round(step * info.sfreq)), low=1)
    grid = Regrid.of(pipeline, recording.info, info)
    placed = [grid.event(event) for event in recording.events]
    trials = _trials(placed, info.sfreq, events, seconds, idle_classes)
    buffer = WindowBuffer(info.n_channels, info.sfreq, model.sheet.n_times / info.sfreq + 10.0)
    rows: list[tuple[Decision, str]] = []
    due: int | None = None
    for piece in recording.chunks(chunk_size):
        chunk = pipeline.process(piece)
        buffer.append(chunk)
        due = chunk.first_sample + model.sheet.n_times if due is None else due
        while due <= buffer.stop_sample:
            truth = _truth(due, model.sheet.n_times, trials)
            if truth is not None and due - model.sheet.n_times >= buffer.first_sample:
                rows.append((model.decide(buffer.get(due, model.sheet.n_times)), truth))
            due += hop
    if not rows:
        raise DataError("The recording is shorter than one window.")
    return _summary(rows, trials, hop / info.sfreq, info.sfreq)


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
    rows: list[tuple[Decision, str]], trials: list[tuple[int, int, str]], step: float, sfreq: float
) -> PseudoOnline:
    truth = np.array([label for _, label in rows])
    decided = np.array([decision.label or IDLE for decision, _ in rows])
    false = 0
    before = IDLE
    for asked, label in zip(truth, decided, strict=True):
        if asked == IDLE and label not in (IDLE, before):
            false += 1
        before = label
    first: list[float | None] = []
    for start, last, label in trials:
        if label == IDLE:
            continue
        times = [
            (decision.sample + 1 - start) / sfreq
            for decision, _ in rows
            if decision.label == label and start < decision.sample < last
        ]
        first.append(min(times) if times else None)
    return PseudoOnline(
        decisions=[decision for decision, _ in rows],
        truth=truth,
        decided=decided,
        idle_minutes=float(np.count_nonzero(truth == IDLE)) * step / 60.0,
        false_activations=false,
        first_correct=first,
    )
