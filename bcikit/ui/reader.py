"""Readers: threads that take samples from a source, so that a slow source never holds the window."""

import threading
import time
from collections import deque
from collections.abc import Callable

from bcikit.acquisition import Source, StreamStatus
from bcikit.signal import Chunk, Event, HostClock, StreamInfo
from bcikit.ui.leaving import end_before_exit
from bcikit.ui.session_link import drain
from bcikit.ui.tap import Tap

FRAME = 0.016
"""Seconds between two looks at a live stream: one wake-up a frame is enough for a picture, and a window that wakes with
each sample would take the processor from the engine just when it decides."""


class StreamReader(threading.Thread):
    """Reads one source. What it meets is published, nothing is swallowed.

    Parameters
    ----------
    opener : callable
        Opens the source; it may wait for a stream to come, so it runs in the thread.
    patient : bool
        Try again for ever where the source is not there yet.
    keep : int
        Chunks kept while the window does not ask; the oldest go first, and the gap shows in the picture.

    Attributes
    ----------
    info : StreamInfo or None
        Known once the source is open.
    live : bool
        Whether the source goes at its own pace.
    tap : Tap or None
        Records what is read.
    fault : str
        Why it stopped; "" while it runs.
    status : StreamStatus or None
        What the source counts and measures, asked once a second.
    arrivals : deque of (seconds, sample)
        When blocks came, and the index of their newest sample: the last ten minutes or so.
    """

    def __init__(self, opener: Callable[[], Source], *, patient: bool = False, keep: int = 4096) -> None:
        super().__init__(daemon=True, name="bcikit-viewer-reader")
        self._opener, self._patient = opener, patient
        self._chunks: deque[Chunk] = deque(maxlen=keep)
        self._events: deque[Event] = deque(maxlen=keep)
        self._halt = threading.Event()
        self._clock = HostClock()
        self.info: StreamInfo | None = None
        self.live = True
        self.tap: Tap | None = None
        self.fault = ""
        self.ended = False
        self.status: StreamStatus | None = None
        self.arrivals: deque[tuple[float, int]] = deque(maxlen=20_000)
        self._asked = 0.0

    def run(self) -> None:
        """Open the source and read until told to stop."""
        # Opening may be a search of LSL that goes on after `halt`.
        forget = end_before_exit(self, self._halt.set)
        try:
            self._read()
        finally:
            forget()

    def _read(self) -> None:
        source = self._open()
        if source is None:
            return
        try:
            with source:
                self.live = source.live
                self.info = source.info
                if source.live:
                    self._follow(source)
                else:
                    self._pace(source)
            self.ended = True
        except Exception as error:  # noqa: BLE001 - the window shows it
            self.fault = str(error) or type(error).__name__

    def _follow(self, source: Source) -> None:
        """Take what came, once a frame."""
        while not self._halt.wait(FRAME) and not source.ended:
            self._take_all(source)
            self._take_events(source)
            self._measure(source)

    def _take_all(self, source: Source) -> None:
        """Take what has come, waiting a little for the first of it."""
        wait = 0.1
        while not self._halt.is_set() and not source.ended:
            chunk = source.pull(wait)
            if chunk is None:
                if wait and self.tap is not None:
                    self.tap.silence(self._clock.now())
                return
            if chunk.n_times:
                self._keep(chunk)
            wait = 0.0

    def _keep(self, chunk: Chunk) -> None:
        if self.tap is not None:
            self.tap.chunk(chunk, self._clock.now())
        self._chunks.append(chunk)
        self.arrivals.append((self._clock.now(), chunk.end_sample))

    def _take_events(self, source: Source) -> None:
        events = source.pull_events()
        if self.tap is not None:
            self.tap.events(events, source.status())
        self._events.extend(events)

    def _measure(self, source: Source) -> None:
        """Ask once a second what the source counts and measures."""
        now = time.monotonic()
        if now >= self._asked + 1.0:
            self._asked, self.status = now, source.status()

    def _pace(self, source: Source) -> None:
        """Hold back files and simulations, which come as fast as they are pulled, to a person's pace."""
        begin: float | None = None
        while not self._halt.is_set() and not source.ended:
            chunk = source.pull(0.1)
            if chunk is not None and chunk.n_times:
                last = float(chunk.times[-1])
                begin = time.monotonic() - last if begin is None else begin
                self._halt.wait(max(0.0, begin + last - time.monotonic()))
                self._keep(chunk)
            self._take_events(source)
            self._measure(source)

    def _open(self) -> Source | None:
        while not self._halt.is_set():
            try:
                source = self._opener()
                self.fault = ""
                return source
            except Exception as error:  # noqa: BLE001 - the window shows it
                self.fault = str(error) or type(error).__name__
                if not self._patient:
                    return None
        return None

    def take(self) -> list[Chunk]:
        """Return the chunks that came since the last call."""
        return drain(self._chunks)

    def take_events(self) -> list[Event]:
        """Return the events that came since the last call."""
        return drain(self._events)

    def halt(self) -> None:
        """Stop and wait for the thread a little."""
        self._halt.set()
        if self.is_alive():
            self.join(2.0)
