"""Follower: hands the windows of known classes and of rest to a model that learns, on the sample clock."""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Protocol

from bcikit.processing import Window
from bcikit.signal import ArgumentError, Event

REST = ("phase/fixation", "phase/rest", "phase/baseline", "phase/eyes-open")
"""Phases in which nothing is asked for and the eyes are open: what re-centring on rest looks at."""


class Learner(Protocol):
    """What learns: `bcikit.decoding.AdaptiveModel`."""

    def learn(self, window: Window, label: str | None = None) -> bool:
        """Learn a window of the task."""

    def rest(self, window: Window) -> bool:
        """Take a window of rest."""


class Follower:
    """Collects what there is to learn from the events of a session and hands it on when its samples are there.

    A window is learned after every decision on samples up to its end and before any later one, whatever the chunks
    were: so a replay learns the same, and a decision never knows its own answer.

    Parameters
    ----------
    learner : Learner
        What learns.
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
        learner: Learner,
        *,
        labels: Mapping[str, str],
        tmax: float,
        n_times: int,
        sfreq: float,
        window: Callable[[int, int], Window],
    ) -> None:
        self._learner = learner
        self._labels = dict(labels)
        self._after = round(tmax * sfreq)
        self._n_times = n_times
        self._sfreq = sfreq
        self._window = window
        self._due: list[tuple[int, int, str | None, object]] = []
        self._count = 0

    def on_event(self, event: Event) -> None:
        """Take an event of the paradigm or of the source, with its sample in the stream."""
        if event.sample is None:
            return
        trial = event.data.get("trial")
        label = self._labels.get(event.name)
        if label is not None:
            self._add(event.sample + self._after, label, trial)
        elif event.name in REST:
            for stop in rest_stops(event, n_times=self._n_times, sfreq=self._sfreq):
                self._add(stop, None, trial)
        elif event.name == "trial/end" and event.data.get("interrupted"):
            # What a stop cut off is no example of anything.
            self._due = sorted(item for item in self._due if item[3] != trial)

    def before(self, stop: int) -> None:
        """Learn what ends before sample `stop`, exclusive as the ends of windows are."""
        while self._due and self._due[0][0] < stop:
            self._learn(*heappop(self._due))

    def upto(self, stop: int) -> None:
        """Learn what ends at sample `stop` or before."""
        self.before(stop + 1)

    def _add(self, stop: int, label: str | None, trial: object) -> None:
        self._count += 1
        heappush(self._due, (stop, self._count, label, trial))

    def _learn(self, stop: int, _: int, label: str | None, trial: object) -> None:  # noqa: ARG002
        try:
            window = self._window(stop, self._n_times)
        except ArgumentError:
            # The stream began, or had a gap, within the window.
            return
        if label is None:
            self._learner.rest(window)
        else:
            self._learner.learn(window, label)


def rest_stops(event: Event, *, n_times: int, sfreq: float) -> list[int]:
    """Return the ends of the windows, side by side, that lie within a phase of rest, the last at its end."""
    if event.name not in REST or event.sample is None:
        return []
    stop = event.sample + round(event.duration * sfreq)
    return [stop - k * n_times for k in range((stop - event.sample) // n_times)][::-1]
