"""The loop of a session: pulls chunks and orders, and hands them to the conductor until it is over."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bcikit.acquisition import Source
from bcikit.outputs import Output
from bcikit.session.conductor import Conductor
from bcikit.session.control import ControlServer
from bcikit.session.sinks import Publisher
from bcikit.session.stages import StageMeter
from bcikit.session.training import Progress
from bcikit.session.watch import Watch
from bcikit.signal import Chunk, HostClock, SourceError

PULL_SECONDS = 0.25
"""Longest wait for a chunk; a stall is seen at least this often."""

FINISHED = "finished"
BY_OPERATOR = "finished by the operator"
INTERRUPTED = "interrupted (Ctrl-C, or the process was asked to end)"

GIVE_UP_SECONDS = 30.0
"""A source that is silent for so long ends the session."""

GIVE_UP_ATTENDED_SECONDS = 300.0
"""The same where a person is there to plug the cable in again."""

ABANDONED_SECONDS = 3600.0
"""An attended session that stands still for so long without any order ends: whoever attended it is gone."""


class Loop:
    """Runs a session that is put together.

    Parameters
    ----------
    source : Source
        Where chunks come from.
    conductor : Conductor
        Who gets them.
    control : ControlServer
        Orders from windows.
    attended : bool
        Whether a person runs the session.
    meter : StageMeter
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
    ending : threading.Event
        Set by whoever wants it to end after the chunk that it is at.
    """

    def __init__(
        self,
        source: Source,
        conductor: Conductor,
        *,
        control: ControlServer,
        attended: bool,
        meter: StageMeter,
        folder: Path | None,
        publisher: Publisher | None,
        outputs: Sequence[Output],
        progress: Progress,
        limit: float,
        ending: threading.Event,
    ) -> None:
        self._source = source
        self._conductor = conductor
        self._control = control
        self._attended = attended
        self._meter = meter
        self._publisher = publisher
        self._progress = progress
        self._limit = limit
        self._watch = Watch(conductor, folder, outputs) if source.live else None
        self._clock = HostClock() if source.live else None
        self._begin: float | None = None
        self._silent = 0.0
        self._heard = time.monotonic()
        self._ending = ending

    def run(self) -> str:
        """Pull until it is over; return how it ended."""
        with self._source as source:
            while not self._conductor.finished:
                ended = self._take_orders() or self._abandoned()
                if ended:
                    return ended
                try:
                    chunk = source.pull(PULL_SECONDS)
                except SourceError as error:
                    return str(error)
                ended = self._take_silence() if chunk is None else self._take(chunk)
                if ended:
                    return ended
        return FINISHED

    def _take_orders(self) -> str:
        orders = self._control.poll()
        for order in orders:
            self._heard = time.monotonic()
            self._conductor.on_order(order)
        if any(order["do"] == "finish" for order in orders):
            return BY_OPERATOR
        return INTERRUPTED if self._ending.is_set() else ""

    def _abandoned(self) -> str:
        if not (self._attended and self._conductor.stands_still):
            self._heard = time.monotonic()
        silent = time.monotonic() - self._heard
        return f"it stood still for {silent / 60:.0f} min and nobody came back" if silent >= ABANDONED_SECONDS else ""

    def _take_silence(self) -> str:
        if self._source.ended:
            return FINISHED if self._conductor.paradigm.open_ended else "the stream ended"
        self._silent += PULL_SECONDS
        self._conductor.on_silence(self._conductor.now + PULL_SECONDS if self._clock is None else self._clock.now())
        longest = GIVE_UP_ATTENDED_SECONDS if self._attended else GIVE_UP_SECONDS
        return f"nothing came from the source for {self._silent:.0f} s" if self._silent >= longest else ""

    def _take(self, chunk: Chunk) -> str:
        self._silent = 0.0
        arrived = time.perf_counter()
        self._meter.begin(arrived)
        for event in self._source.pull_events():
            self._conductor.on_source_event(event)
        if chunk.n_times == 0:
            return ""
        newest = float(chunk.times[-1])
        self._conductor.on_chunk(chunk, newest + chunk.health.age, stopwatch=lambda: time.perf_counter() - arrived)
        if self._publisher is not None:
            self._publisher.flush(self._meter)
            self._meter.lap("publish")
        self._meter.end(chunk)
        if self._watch is not None:
            self._watch.took(time.perf_counter() - arrived, newest)
        self._begin = float(chunk.times[0]) if self._begin is None else self._begin
        passed = self._conductor.now - self._begin
        self._progress("Running", round(passed), 0)
        return FINISHED if self._limit and passed >= self._limit else ""
