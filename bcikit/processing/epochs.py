"""Epochs around events, cut from a running stream."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.window import Window, WindowBuffer
from bcikit.signal import ArgumentError, Chunk, Event, StreamInfo, check_range


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventEpoch:
    """The samples around one event.

    Attributes
    ----------
    event : Event
        What happened.
    window : Window
        The samples, with their health; finite throughout.
    """

    event: Event
    window: Window

    @property
    def data(self) -> NDArray[np.float64]:
        """The samples, shape (n_channels, n_times)."""
        return self.window.data


class EpochCutter:
    """Gives the epoch around each event once its last sample is there.

    What the steps before delayed is corrected for: an epoch is cut `info.delay` later than the event, so that it shows
    the brain at the event and not the filter's past. Gaps and bad samples are bridged and counted in the window (see
    `WindowBuffer`). An event whose epoch can no longer be had (too old, or lost in a restart) is dropped and counted.

    Parameters
    ----------
    info : StreamInfo
        The stream that is cut.
    tmin, tmax : float
        Begin and end around the event in seconds.
    names : tuple of str
        Events to cut around, by the beginning of their name ("cue" takes "cue/left"); all if empty.
    correct_delay : bool
        False to cut at the event's own sample.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        tmin: float,
        tmax: float,
        names: tuple[str, ...] = (),
        correct_delay: bool = True,
    ) -> None:
        check_range("tmin", tmin, low=-3600.0, high=3600.0, unit="s")
        check_range("tmax", tmax, low=tmin, low_open=True, high=3600.0, unit="s")
        if info.sfreq <= 0:
            raise ArgumentError(f"Epochs need a stream with a fixed sampling rate; {info.name!r} has none.")
        self.info = info
        self.names = names
        shift = info.delay if correct_delay else 0.0
        self._begin = round((tmin + shift) * info.sfreq)
        self.n_times = max(1, round((tmax - tmin) * info.sfreq))
        # Events may be told of a second late.
        reach = self.n_times / info.sfreq + max(0.0, -tmin) + 2.0
        self._buffer = WindowBuffer(info.n_channels, info.sfreq, reach)
        self._waiting: list[Event] = []
        self._seen = 0
        self.n_dropped = 0

    def add_event(self, event: Event) -> None:
        """Ask for the epoch around an event, which must know its sample.

        Raises
        ------
        ArgumentError
            If it does not.
        """
        if self.names and not event.name.startswith(self.names):
            return
        if event.sample is None:
            raise ArgumentError(
                f"The event {event.name!r} at {event.time:g} s has no sample; epochs are cut by samples."
            )
        self._waiting.append(event)

    def append(self, chunk: Chunk) -> list[EventEpoch]:
        """Take the next chunk and return the epochs that are complete, in the order of their events."""
        # A chunk longer than the buffer would push epochs out before they are looked at.
        step = max(1, round(self.info.sfreq))
        parts = [chunk.slice(start, min(start + step, chunk.n_times)) for start in range(0, chunk.n_times, step)]
        return [epoch for part in parts or [chunk] for epoch in self._take(part)]

    def _take(self, chunk: Chunk) -> list[EventEpoch]:
        if self._buffer.restarts(chunk):
            # What waited was told of in the indices of the stream that is over; what came since may be of the new one,
            # whose events come before its chunk.
            half = 0.5 / self.info.sfreq
            fresh = [
                event
                for event in self._waiting[self._seen :]
                if (event.sample or 0) >= chunk.first_sample and event.time >= chunk.times[0] - half
            ]
            self.n_dropped += len(self._waiting) - len(fresh)
            self._waiting = fresh
        self._buffer.append(chunk)
        ready: list[EventEpoch] = []
        still: list[Event] = []
        for event in self._waiting:
            start = (event.sample or 0) + self._begin
            stop = start + self.n_times
            if stop > self._buffer.stop_sample:
                still.append(event)
            elif start < self._buffer.first_sample:
                self.n_dropped += 1
            else:
                ready.append(EventEpoch(event=event, window=self._buffer.get(stop, self.n_times)))
        self._waiting = still
        self._seen = len(still)
        return ready
