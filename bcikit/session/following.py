"""Follower: hands the windows of known classes and of rest to a model that learns, on the sample clock."""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np

from bcikit.decoding import AdaptiveModel, Model
from bcikit.processing import Window
from bcikit.signal import ArgumentError, Event

Shift = Callable[[], int | None]
"""Tells by how many samples a screen showed something later than planned; None if it did not."""

REST = ("phase/fixation", "phase/rest", "phase/baseline", "phase/eyes-open")
"""Phases in which nothing is asked for and the eyes are open: what re-centring on rest looks at."""


class Follower:
    """Collects what there is to learn from the events of a session and hands it on when its samples are there.

    Every window of the task is also held against those of the training: once many are strange, that is told.

    A window is learned after every decision on samples up to its end and before any later one, whatever the chunks
    were: so a replay learns the same, and a decision never knows its own answer.

    Parameters
    ----------
    model : Model or AdaptiveModel
        What decides; the second learns.
    labels : mapping of str to str
        Event to class.
    tmax : float
        Seconds from such an event to the end of its window.
    n_times : int
        Samples a window.
    sfreq : float
        Sampling rate in Hz.
    window : callable
        Returns the window that ends before a sample, with so many samples.
    """

    def __init__(
        self,
        model: Model | AdaptiveModel,
        *,
        labels: Mapping[str, str],
        tmax: float,
        n_times: int,
        sfreq: float,
        window: Callable[[int, int], Window],
    ) -> None:
        self._learner = model if isinstance(model, AdaptiveModel) else None
        self._model = model.model if isinstance(model, AdaptiveModel) else model
        self._familiar = self._model.familiarity()
        self._frozen: str | None = None
        self._news: list[tuple[str, int, dict[str, Any]]] = []
        self._labels = dict(labels)
        self._after = round(tmax * sfreq)
        self._n_times = n_times
        self._sfreq = sfreq
        self._window = window
        self._due: list[tuple[int, int, str | None, object, Shift | None]] = []
        self._count = 0

    def on_event(self, event: Event, shift: Shift | None = None) -> None:
        """Take an event of the paradigm or of the source, with its sample in the stream.

        Parameters
        ----------
        event : Event
            With its sample in the stream.
        shift : callable, optional
            Asked once the window is due: by how many samples it moves, as a screen showed the event so; None if it was
            not shown, and there is nothing to learn.
        """
        if event.sample is None:
            return
        trial = event.data.get("trial")
        label = self._labels.get(event.name)
        if label is not None:
            self._add(event.sample + self._after, label, trial, shift)
        elif event.name in REST:
            for stop in rest_stops(event, n_times=self._n_times, sfreq=self._sfreq):
                self._add(stop, None, trial, None)
        elif event.name == "trial/end" and event.data.get("interrupted"):
            # What a stop cut off is no example of anything.
            self._due = sorted(item for item in self._due if item[3] != trial)

    def before(self, stop: int) -> None:
        """Learn what ends before sample `stop`, exclusive as the ends of windows are."""
        while self._due and self._due[0][0] < stop:
            due, _, label, trial, shift = heappop(self._due)
            if shift is None:
                self._learn(due, label)
            elif (moved := shift()) is not None:
                # Later than planned: its last samples may not be there yet.
                self._add(due + moved, label, trial, None)

    def upto(self, stop: int) -> None:
        """Learn what ends at sample `stop` or before."""
        self.before(stop + 1)

    def cut(self, stop: int) -> None:
        """Let nothing be learned that ends after sample `stop`: what was announced for then does not come."""
        self._due = sorted(item for item in self._due if item[0] <= stop)

    def _add(self, stop: int, label: str | None, trial: object, shift: Shift | None) -> None:
        self._count += 1
        heappush(self._due, (stop, self._count, label, trial, shift))

    def _learn(self, stop: int, label: str | None) -> None:
        try:
            window = self._window(stop, self._n_times)
        except ArgumentError:
            # The stream began, or had a gap, within the window.
            return
        if label is not None:
            self._look(window, stop)
        if self._learner is None:
            return
        if label is None:
            self._learner.rest(window)
        else:
            self._learner.learn(window, label)
        if self._learner.frozen != self._frozen:
            self._frozen = self._learner.frozen
            self._news.append(("decoder/frozen", stop - 1, {"reason": self._frozen}))

    def _look(self, window: Window, stop: int) -> None:
        """Hold a window of the task against those of the training."""
        model = self._model if self._learner is None else self._learner.model
        if self._familiar is None or window.n_lost or not model.fits(window) or not np.isfinite(window.data).all():
            return
        if self._familiar.update(model.centred(model.pick(window))):
            name = "decoder/drift" if self._familiar.drifted else "decoder/familiar"
            about = {"strange": self._familiar.strange, "windows": self._familiar.recent}
            self._news.append((name, stop - 1, about))

    def news(self) -> list[tuple[str, int, dict[str, Any]]]:
        """Return what is to be told since the last call: name, sample and data of events."""
        told, self._news = self._news, []
        return told

    @property
    def strange(self) -> float | None:
        """Share of the newest windows of the task unlike those of the training; None where that is not known."""
        return None if self._familiar is None else self._familiar.strange


def rest_stops(event: Event, *, n_times: int, sfreq: float) -> list[int]:
    """Return the ends of the windows, side by side, that lie within a phase of rest, the last at its end."""
    if event.name not in REST or event.sample is None:
        return []
    stop = event.sample + round(event.duration * sfreq)
    return [stop - k * n_times for k in range((stop - event.sample) // n_times)][::-1]
