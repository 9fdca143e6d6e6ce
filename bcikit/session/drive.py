"""The driver: one loop hands a conductor what comes in, in order, be it live, faster than live, or recorded."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bcikit.acquisition import Source, StreamStatus, TimeTrust
from bcikit.acquisition.source import taken
from bcikit.acquisition.trust import UNKNOWN_CLOCKS
from bcikit.outputs import Output
from bcikit.recording import Session
from bcikit.session.channel import ChannelServer
from bcikit.session.conductor import Conductor
from bcikit.session.sinks import Publisher
from bcikit.session.stages import StageMeter
from bcikit.session.standstill import ATTENDED
from bcikit.session.training import Progress, no_progress
from bcikit.session.watch import SessionWatch, unknown_clock
from bcikit.signal import Chunk, HostClock, SourceError

PULL_SECONDS = 0.25
"""Longest wait for a chunk; a stall is seen at least this often."""

LOOK_SECONDS = 0.025
"""Longest wait between two looks whether somebody has ordered something, while no chunk comes."""

RUNNING = "Running"
"""What is going on while nothing else is."""

FINISHED = "finished"
BY_OPERATOR = "finished by the operator"
INTERRUPTED = "interrupted (Ctrl-C, or the process was asked to end)"

GIVE_UP_SECONDS = 30.0
"""A source that is silent for so long ends the session."""

GIVE_UP_ATTENDED_SECONDS = 300.0
"""The same where a person is there to plug the cable in again."""

ABANDONED_SECONDS = 3600.0
"""An attended session that stands still for so long without any order ends: whoever attended it is gone."""

LEFT_STOPPED_SECONDS = 60.0
"""A stopped session that nobody attends ends after so long of its own time unless somebody acknowledges."""

LATE_SECONDS = 2.0
"""Samples of a live source that arrive so late were taken while nobody was shown anything: an engine that stood still
(a computer that slept, a process that was stopped) finds them in the driver's buffer. A pull waits 0.25 s, and a link
that stalls for a moment delivers within its fault limit of 0.5 s; this is well above both."""


CAUGHT_UP_SECONDS = 0.3
"""A backlog is over when the newest sample is no more than this older than it usually is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A chunk, and when it arrived, in seconds on the host clock."""

    chunk: Chunk
    now: float
    stopwatch: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """What came from outside beside the samples: an order, a marker, a silence, a finding (`Conductor.take_input`)."""

    kind: str
    values: Mapping[str, Any]


class Feed(Protocol):
    """Gives what comes in, in order; it is asked for the next only when the conductor has done with the one before.

    Attributes
    ----------
    ended : str
        How it ended, once it has.
    """

    ended: str

    def __iter__(self) -> Iterator[Arrival | Outside]:
        """Yield what comes in."""


def drive(feed: Feed, conductor: Conductor) -> str:
    """Hand over what comes in until nothing comes any more; return how it ended."""
    with closing(iter(feed)) as inputs:  # type: ignore[type-var]  # generators close; so may any feed
        for item in inputs:
            if isinstance(item, Arrival):
                conductor.on_chunk(item.chunk, item.now, stopwatch=item.stopwatch)
            else:
                conductor.take_input(item.kind, item.values)
    return feed.ended


class SourceFeed:
    """What comes from a source while a session runs: chunks, markers, orders, silences, and what the machine reports.

    Parameters
    ----------
    source : Source
        Where chunks come from; started and closed here.
    conductor : Conductor
        Who gets them; it says when the paradigm is over.
    control : ChannelServer or None
        Orders from windows.
    attended : bool
        Whether a person runs the session.
    meter : StageMeter or None
        Of the stages.
    folder : Path or None
        Where the session is written.
    publisher : Publisher or None
        For windows in other processes.
    outputs : sequence of Output
        What moves.
    progress : callable
        Told about what is going on.
    limit : float
        Longest session in seconds of signal; 0 for none.
    ending : threading.Event or None
        Set by whoever wants it to end after the chunk that it is at.
    waiting : callable
        Called again and again while no chunk of a live source comes.
    """

    def __init__(
        self,
        source: Source,
        conductor: Conductor,
        *,
        control: ChannelServer | None = None,
        attended: bool = False,
        meter: StageMeter | None = None,
        folder: Path | None = None,
        publisher: Publisher | None = None,
        outputs: Sequence[Output] = (),
        progress: Progress = no_progress,
        limit: float = 0.0,
        ending: threading.Event | None = None,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._conductor = conductor
        self._control = control
        self._attended = attended
        self._meter = meter
        self._publisher = publisher
        self._outputs = list(outputs)
        self._progress = progress
        self._waiting = waiting
        self._limit = limit
        self._watch = SessionWatch(source, folder, outputs) if source.live else None
        self._clock = HostClock() if source.live else None
        self._begin: float | None = None
        self._silent = 0.0
        self._late_since: float | None = None
        self._came = time.monotonic()
        self._late = False
        self._usual_age = float("inf")
        self._heard = time.monotonic()
        self._stopped_since: float | None = None
        self._ending = ending or threading.Event()
        self.trust = TimeTrust()
        self.status: StreamStatus | None = None
        self.ended = ""

    def __iter__(self) -> Iterator[Arrival | Outside]:
        """Yield what comes in until the paradigm, the source or somebody ends it."""
        with self._source as source:
            yield from self._until_over(source)
            self.status = source.status()
            source.stop()
            # Markers wait for their sample; the last ones are given when the source stops.
            yield from self._markers()

    def doubts(self, n_samples: int) -> list[str]:
        """Return why the times of what came cannot be trusted, in words; empty where they can."""
        return [] if self.status is None else self.trust.doubts(self.status, samples=n_samples)

    def _until_over(self, source: Source) -> Iterator[Arrival | Outside]:
        while not self._over():
            yield from self._orders()
            if self._over():
                return
            began = time.monotonic()
            try:
                chunk = self._pull(source)
            except SourceError as error:
                if not source.ended:
                    self.ended = str(error)
                    return
                chunk = None
            waited = time.monotonic() - began if source.live else PULL_SECONDS
            yield from self._silence(waited) if chunk is None else self._arrival(chunk)

    def _pull(self, source: Source) -> Chunk | None:
        """Return the next chunk; None if none came in time, or somebody ordered something while none came."""
        if self._control is None or not source.live:
            return taken(source, PULL_SECONDS)
        until = time.monotonic() + PULL_SECONDS
        while True:
            chunk = taken(source, LOOK_SECONDS)
            if chunk is not None or source.ended or self._control.waiting.is_set() or time.monotonic() >= until:
                return chunk
            self._waiting()

    def _over(self) -> bool:
        if not self.ended and self._conductor.finished:
            self.ended = FINISHED
        return bool(self.ended)

    def _orders(self) -> Iterator[Outside]:
        for order in () if self._control is None else self._control.poll():
            self._heard = time.monotonic()
            yield Outside("order", order)
            if order["do"] == "finish":
                self.ended = BY_OPERATOR
        if not self.ended and self._ending.is_set():
            self.ended = INTERRUPTED
        if not (self._attended and self._conductor.stands_still):
            self._heard = time.monotonic()
        silent = time.monotonic() - self._heard
        if not self.ended and silent >= ABANDONED_SECONDS:
            self.ended = f"it stood still for {silent / 60:.0f} min and nobody came back"
        self._end_if_left_stopped()

    def _end_if_left_stopped(self) -> None:
        """End a session that nobody attends some time after its stop: nobody is there to undo that."""
        conductor = self._conductor
        rule = "" if self._attended else conductor.stopped_by
        if not rule:
            self._stopped_since = None
            return
        if self._stopped_since is None:
            self._stopped_since = conductor.now
        if not self.ended and conductor.now - self._stopped_since >= LEFT_STOPPED_SECONDS:
            self.ended = f"it was stopped ({rule}), nobody attends it, and nobody acknowledged the stop"

    def _silence(self, waited: float) -> Iterator[Outside]:
        if self._source.ended:
            self.ended = FINISHED if self._conductor.paradigm.open_ended else "the stream ended"
            return
        self._silent += waited
        now = self._conductor.now + PULL_SECONDS if self._clock is None else self._clock.now()
        yield Outside("silence", {"now": now})
        longest = GIVE_UP_ATTENDED_SECONDS if self._attended else GIVE_UP_SECONDS
        if self._silent >= longest:
            self.ended = f"nothing came from the source for {self._silent:.0f} s"

    def _markers(self) -> Iterator[Outside]:
        events = self._source.pull_events()
        self.trust.see(events)
        for event in events:
            yield Outside("event", event.to_dict())
            if event.name == "stream/foreign-clock" and event.data.get("clock") in UNKNOWN_CLOCKS:
                # Now, not in the report at the end: whoever sits at the screen can still mend the sender.
                yield Outside("finding", unknown_clock(str(event.data["clock"])))

    def _lateness(self, chunk: Chunk, now: float) -> float:
        """Return how late a chunk of a backlog is, in seconds; 0 if it is of now."""
        oldest, newest = now - float(chunk.times[0]), now - float(chunk.times[-1])
        came = time.monotonic()
        if came - self._came > LATE_SECONDS:
            # A link that froze may give what waited in bursts: silence between them is no time in which it came late.
            self._late_since = None
        self._came = came
        catching_up = self._late and newest > self._usual_age + CAUGHT_UP_SECONDS
        self._late = oldest > LATE_SECONDS or catching_up
        if not self._late:
            self._usual_age = min(self._usual_age, newest)
            self._late_since = None
            return 0.0
        # From the first late chunk on: a computer that slept for an hour has a backlog, and may catch up with it.
        self._late_since = time.monotonic() if self._late_since is None else self._late_since
        if time.monotonic() - self._late_since >= GIVE_UP_SECONDS:
            self.ended = (
                f"samples came {oldest:.0f} s late for {GIVE_UP_SECONDS:.0f} s: the source's clock is wrong, "
                "or this computer cannot keep up"
            )
        return oldest

    def _reported(self, message: Mapping[str, Any]) -> Outside:
        """Return what a page said; of a screen that nothing waits for it is said, so that it moves no event either."""
        delay = message.get("delay") if message["type"] == "hello" else None
        if delay is not None and self._conductor.flips.comes_too_late(delay):
            message = {**message, "too_late": True}
        return Outside("marker" if message["type"] == "marker" else "screen", message)

    def _arrival(self, chunk: Chunk) -> Iterator[Arrival | Outside]:
        self._silent = 0.0
        arrived = time.perf_counter()
        if self._meter is not None:
            self._meter.begin(arrived)
        if chunk.n_times == 0:
            yield from self._markers()
            return
        newest = float(chunk.times[-1])
        now = newest + chunk.health.age
        was_late = self._late
        late = 0.0 if self._clock is None else self._lateness(chunk, self._clock.now())
        if late or was_late:
            # Before the cues that came with it: whether anybody was shown what they are about.
            yield Outside("backlog", {"seconds": late} if late else {"seconds": 0.0, "sample": chunk.first_sample})
        yield from self._markers()
        yield Arrival(chunk, now, lambda: time.perf_counter() - arrived)
        if self._publisher is not None:
            self._publisher.flush(self._meter, self._source)
        if self._meter is not None:
            self._meter.lap("publish")
            self._meter.end(chunk)
        for output in self._outputs:
            for message in output.heard():
                yield self._reported(message)
        if self._watch is not None and not self._conductor.trained:
            for kind, values in self._watch.took(time.perf_counter() - arrived, newest):
                yield Outside(kind, values)
        self._begin = float(chunk.times[0]) if self._begin is None else self._begin
        passed = self._conductor.now - self._begin
        self._progress(RUNNING, round(passed), 0)
        if self._limit and passed >= self._limit:
            self.ended = FINISHED


class RecordedFeed:
    """What came in when a session was recorded: the same chunks and the same inputs between them, in the same order.

    Parameters
    ----------
    session : Session
        What was recorded.
    progress : callable
        Told about chunks done and chunks in all.
    """

    def __init__(self, session: Session, *, progress: Progress = no_progress) -> None:
        self._session = session
        self._progress = progress
        self.ended = ""

    def __iter__(self) -> Iterator[Arrival | Outside]:
        """Yield what came in."""
        session, total = self._session, len(self._session.chunks)
        pending = [record for record in session.records.get("inputs", []) if record["kind"] != ATTENDED]
        for index, (chunk, arrival) in enumerate(zip(session.chunks, session.arrivals, strict=True)):
            if index % 200 == 0:
                self._progress("Replaying", index, total)
            while pending and int(pending[0]["after_chunk"]) <= index:
                yield _outside(pending.pop(0))
            yield Arrival(chunk, float(arrival))
        for record in pending:
            yield _outside(record)
        self._progress("Replaying", total, total)
        self.ended = FINISHED


def _outside(record: Mapping[str, Any]) -> Outside:
    return Outside(record["kind"], {key: value for key, value in record.items() if key not in ("after_chunk", "kind")})
