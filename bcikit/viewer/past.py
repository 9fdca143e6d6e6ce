"""What a recording was at when its newest sample in view was taken: decisions, state, alarms and electrodes of then."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bcikit.signal.messages import Message, StateChanged
from bcikit.ui.link import LinkMeter
from bcikit.ui.status import Status
from bcikit.viewer.panel import View
from bcikit.viewer.still import StillHistory

JUDGED_SECONDS = 20.0
"""The quality of the electrodes is that of the last seconds in view."""


class Past:
    """Lets a window say what belongs to the moment that it shows.

    Parameters
    ----------
    view : View
        What the panels show; its events stay those of the whole recording, around which averages are made.
    history : StillHistory
        The recording.
    said : iterable of (float, message)
        What the session said, and when, in seconds on the recording's clock; empty for a file.
    end : StateChanged or None
        What is said of a session at its very end.
    """

    def __init__(
        self,
        view: View,
        history: StillHistory,
        said: Iterable[tuple[float, Message]] = (),
        *,
        end: StateChanged | None = None,
    ) -> None:
        self._view, self._history, self._end = view, history, end
        self._said = sorted(said, key=lambda item: item[0])
        self._times = np.array([time for time, _ in self._said])
        self._events = view.status.events, view.status.n_events, view.status.late
        self._taken = 0
        self._now = -1

    def moved(self, view: View) -> "Past":
        """Return the same for another view, of a window that takes over."""
        return Past(view, self._history, self._said, end=self._end)

    def show(self) -> None:
        """Say what was so at the moment in view, if that is another one than before."""
        history, old = self._history, self._view.status
        if history.now == self._now:
            return
        at_end = history.now >= history.end
        time = history.time_at(history.now - 1)
        count = len(self._said) if at_end else int(np.searchsorted(self._times, time, side="right"))
        status = old
        if count < self._taken or old.finished or self._now < 0:
            status, self._taken = Status(session=self._end is not None), 0
        for _, message in self._said[self._taken : count]:
            status.take(message)
        self._taken, self._now = count, history.now
        if at_end and self._end is not None:
            status.take(self._end)
        status.time = time
        status.events, status.n_events, status.late = self._events
        status.revision = old.revision + 1
        self._view.status = status
        self._judge(time)

    def _judge(self, time: float) -> None:
        """Judge the electrodes, and the link, by the last seconds in view."""
        history, view = self._history, self._view
        recording, rate = history.recording, history.recording.info.sfreq
        meter = LinkMeter(recording.info)
        stop = int(np.searchsorted(history.kept, history.now))
        start = int(np.searchsorted(history.kept, history.now - round(JUDGED_SECONDS * history.rate)))
        if stop > start:
            part = replace(
                recording,
                data=recording.data[start:stop],
                times=recording.times[start:stop],
                samples=recording.samples[start:stop],
                mask=None if recording.mask is None else recording.mask[start:stop],
            )
            for chunk in part.chunks(max(1, round(rate))):
                meter.take(chunk)
        view.status.quality = meter.quality()
        view.links.append((time, view.loss_percent or 0.0, meter.jitter_ms()))
