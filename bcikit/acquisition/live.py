"""What live sources share: the queue of chunks, the watchdog, and getting a lost link back."""

import math
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.source import Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse, Watchdog
from bcikit.signal import (
    Chunk,
    Event,
    HostClock,
    SourceError,
    StreamChangedError,
    StreamEndedError,
    StreamInfo,
    StreamLostError,
)

_NAP = 0.02
"""Seconds between two looks at a reconnecting thread; nothing is measured by it."""


_LET_GO = 10.0
"""Seconds that a stop waits for a try to open the link again; after that it goes on, and the link is closed later."""

_FIRST_WAIT = 0.1
"""Seconds of the first wait in a pull: a pulse that changes meanwhile is noticed at most this late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """How a lost link is had back.

    Attributes
    ----------
    give_up : float
        Seconds after which it is given up; 0 means at once.
    first, longest : float
        Seconds between the first two tries, and at most; the wait doubles from one to the next.
    patience : float
        Seconds that a link which counts as lost, but of which nobody said that it is gone, has left to come back by
        itself, where a driver must let go of it to open it again: that throws away what is on its way, and costs a
        board some seconds. A quarter of `give_up` at most.
    """

    give_up: float = 60.0
    patience: float = 2.0
    first: float = 0.5
    longest: float = 8.0


class LiveSource(Source):
    """A source whose samples arrive at their own pace.

    A subclass opens its device (setting `info`), and says how to receive a block and how to open the link again.

    Parameters
    ----------
    info : StreamInfo
        What the stream is.
    assembler : Assembler
        Makes the chunks.
    watchdog : Watchdog
        Limits of the age of the newest sample.
    reconnect : Reconnect
        What to do about a lost link.
    """

    live = True

    _exclusive = False
    """True where the driver has one link at a time, which opening again takes away."""

    def __init__(
        self,
        info: StreamInfo,
        assembler: Assembler,
        *,
        watchdog: Watchdog | None = None,
        reconnect: Reconnect | None = None,
    ) -> None:
        self.info = info
        self._assembler = assembler
        self._watchdog = watchdog or Watchdog()
        self._reconnect = reconnect or Reconnect()
        self._now = HostClock().now
        self._ready: deque[Chunk] = deque()
        self._events: list[Event] = []
        self._pulse = Pulse.WAITING
        self._link_lost = False
        self._lost_at: float | None = None
        self._next_try = 0.0
        self._wait = self._reconnect.first
        self._attempt: Attempt | None = None
        self._reconnects = 0
        self._running = False
        self._arrival = 0.0
        self._fed_at = 0.0
        self._pause = 0.0
        self._reopened = False
        self._refused = ""
        self._asked_at = -math.inf

    @abstractmethod
    def _receive(self, timeout: float) -> list[Chunk]:
        """Return what came, waiting at most `timeout` seconds, and set `_arrival`.

        Where the driver says that the link is gone, set `_link_lost` and return at once.
        """

    @abstractmethod
    def _reopen(self) -> object:
        """Open the link again, in a thread of its own; return what `_adopt` needs.

        Raises
        ------
        StreamChangedError
            If what came back is another stream.
        SourceError
            If it is not back yet.
        """

    @abstractmethod
    def _adopt(self, link: object) -> None:
        """Use the link that `_reopen` opened."""

    def _discard(self, link: object) -> None:
        """Close a link that `_reopen` opened but that is not wanted any more."""

    def _begin(self) -> None:
        """Take note that the stream was started; what comes after a stop is a new segment."""
        if self._assembler.tally.samples or not self._assembler.empty:
            self._assembler.new_segment()
        self._assembler.asked = self._asked_at
        self._ready.clear()
        self._link_lost, self._lost_at, self._pulse = False, None, Pulse.WAITING
        self._fed_at, self._pause, self._reopened = self._arrival, 0.0, False
        self._running = True
        self._watchdog.start(self._now())

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next chunk; see `Source.pull`."""
        if self._ready:
            return self._ready.popleft()
        if self._running and self.ended:
            raise StreamEndedError(self.info.name)
        if not self._running:
            raise SourceError(f"{self.info.name!r} is not running: call start() first, or use it in a 'with' block.")
        end = time.monotonic() + timeout
        step = min(timeout, _FIRST_WAIT)
        while True:
            closed = self._link_lost or (self._exclusive and self._attempt is not None)
            chunks = [] if closed else self._receive(step)
            if self._arrival > self._fed_at:
                self._feed(self._arrival)
            if not chunks:
                chunks = self._overdue()
            if chunks:
                if self._lost_at is None:
                    # What was held back of a link that is gone does not end its loss.
                    self._alive(chunks[0])
                if len(chunks) > 1:
                    self._ready.extend(chunks[1:])
                if self._assembler.events:
                    self._events.extend(self._assembler.events)
                    self._assembler.events.clear()
                return chunks[0]
            now = self._now()
            self._watch(now)
            left = end - time.monotonic()
            if self._lost_at is not None:
                self._get_back(now)
                if left > 0:
                    time.sleep(min(_NAP, left))
            if left <= 0:
                return None
            step = min(left, self._watchdog.until_change(now))

    def _overdue(self) -> list[Chunk]:
        """Return what was held back after a pause and can be given now."""
        return self._assembler.overdue(self._now())

    def _feed(self, arrival: float) -> None:
        """Take note that samples came: only that shows that a link is there."""
        self._fed_at = arrival
        self._pause = max(self._pause, self._watchdog.feed(arrival))
        self._link_lost, self._lost_at = False, None
        if self._reopened:
            self._reopened = False
            self._reconnects += 1
            self._tell("stream/reconnected", arrival, value=self._reconnects)

    def _alive(self, chunk: Chunk) -> None:
        if self._pulse in (Pulse.LATE, Pulse.STALLED, Pulse.LOST):
            self._tell("stream/resumed", self._fed_at, sample=chunk.first_sample, value=self._pause)
        self._pulse, self._pause = Pulse.ALIVE, 0.0

    def _watch(self, now: float) -> None:
        """Say when the stream becomes late, stalled, lost; each once."""
        pulse = Pulse.LOST if self._link_lost else self._watchdog.pulse(now)
        if self._lost_at is not None:
            # A link that was opened again and gives nothing is lost all the while.
            pulse = Pulse.LOST
        if pulse is self._pulse or (pulse is Pulse.ALIVE and self._pulse is not Pulse.WAITING):
            # Samples that are held back after a pause end it only when they are given.
            return
        if pulse in (Pulse.LATE, Pulse.STALLED, Pulse.LOST):
            self._tell(f"stream/{pulse}", now, value=self._watchdog.age(now))
        self._pulse = pulse
        if pulse is Pulse.LOST and self._lost_at is None:
            self._lost_at = now
            self._wait = self._reconnect.first
            waits = self._exclusive and not self._link_lost
            self._next_try = now + (min(self._reconnect.patience, 0.25 * self._reconnect.give_up) if waits else 0.0)

    def _get_back(self, now: float) -> None:
        """Try to open the link again, without holding up `pull`."""
        assert self._lost_at is not None
        attempt = self._attempt
        if attempt is not None:
            if not attempt.done.is_set():
                self._check_given_up(now)
                return
            self._attempt = None
            if attempt.link is not None:
                self._adopt(attempt.link)
                self._refused = ""
                if not self._reopened:
                    self._assembler.new_segment()
                self._assembler.asked = self._asked_at
                # Open means nothing until a sample came: until then the time to give up goes on, and the waits grow.
                self._reopened, self._link_lost = True, False
                self._next_try = now + max(self._wait, self._watchdog.lost)
                self._wait = min(2 * self._wait, self._reconnect.longest)
                return
            if isinstance(attempt.error, StreamChangedError) or not isinstance(attempt.error, SourceError):
                assert attempt.error is not None
                raise attempt.error
            self._refused = str(attempt.error)
            self._next_try = now + self._wait
            self._wait = min(2 * self._wait, self._reconnect.longest)
        self._check_given_up(now)
        if now >= self._next_try:
            self._attempt = Attempt(self._reopen, self._discard)

    def _check_given_up(self, now: float) -> None:
        assert self._lost_at is not None
        if now - self._lost_at >= self._reconnect.give_up:
            waited = self._watchdog.age(now)
            self._running = False
            back = f"no way back ({self._refused.rstrip('.')})" if self._refused else "no way back"
            opened = "it opens and gives nothing" if self._reopened else back
            raise StreamLostError(
                f"{self.info.name!r} ({self.info.source_id or self.info.device or 'no id'}) is gone: no sample for "
                f"{waited:.1f} s and {opened}. Check that the device is on, in range and its program runs."
            )

    def _tell(self, name: str, time: float, *, sample: int | None = None, value: float | None = None) -> None:
        self._events.append(Event(name=name, time=time, sample=sample, value=value, source="acquisition"))

    def pull_events(self) -> list[Event]:
        """Return markers, and what happened to the stream ("stream/gap", "stream/stalled"), since the last call."""
        events, self._events = self._events, []
        return events

    def status(self) -> StreamStatus:
        """Return the health of the stream up to now."""
        tally = self._assembler.tally
        clock = self._assembler.clock.state()
        now = self._now()
        pulse = self._pulse if self._lost_at is not None or not self._running else self._watchdog.pulse(now)
        return StreamStatus(
            name=self.info.name,
            pulse=pulse,
            age=self._watchdog.age(now),
            samples=tally.samples,
            lost=tally.lost,
            gaps=tally.gaps,
            repeated=tally.repeated,
            reordered=tally.reordered,
            bad_samples=tally.bad_samples,
            clock_steps=tally.clock_steps,
            overflows=tally.overflows,
            reconnects=self._reconnects,
            rate=clock.rate,
            drift_ppm=clock.drift_ppm,
            drift_uncertainty_ppm=clock.drift_uncertainty_ppm,
            jitter=clock.jitter,
            stamps=self._assembler.dated_by,
            time_uncertainty=self._assembler.uncertainty,
            seeming_rate=self._assembler.seeming_rate,
        )

    def stop(self) -> None:
        """Stop streaming."""
        self._running = False
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.done.wait(_LET_GO)
            attempt.give_up()


class Attempt:
    """One try to open a link again, in its own thread: drivers may block for seconds.

    Parameters
    ----------
    reopen : callable
        Returns the link, or raises.
    discard : callable
        Closes a link that nobody will take.
    """

    def __init__(self, reopen: Callable[[], object], discard: Callable[[object], None]) -> None:
        self.link: object | None = None
        self.error: Exception | None = None
        self.done = threading.Event()
        self._reopen, self._discard = reopen, discard
        self._given_up = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="bcikit-reconnect", daemon=True).start()

    def _run(self) -> None:
        try:
            link: object | None = self._reopen()
            with self._lock:
                if not self._given_up:
                    self.link, link = link, None
            if link is not None:
                self._discard(link)
        except Exception as error:  # noqa: BLE001  handed to the thread that pulls
            self.error = error
        finally:
            self.done.set()

    def give_up(self) -> None:
        """Close the link, also one that is opened only later: nobody will take it."""
        with self._lock:
            self._given_up = True
            link, self.link = self.link, None
        if link is not None:
            self._discard(link)


def changed(before: StreamInfo, after: StreamInfo) -> list[str]:
    """Return in words what differs between two descriptions so that one must not be mapped onto the other."""
    found = []
    if after.n_channels != before.n_channels:
        found.append(f"number of channels ({before.n_channels}, now {after.n_channels})")
    elif after.ch_names != before.ch_names:
        pairs = [f"{a} is now {b}" for a, b in zip(before.ch_names, after.ch_names, strict=True) if a != b]
        found.append(f"set of channel names ({', '.join(pairs[:4])})")
    if after.sfreq != before.sfreq:
        found.append(f"sampling rate ({before.sfreq:g} Hz, now {after.sfreq:g} Hz)")
    return found
