"""Records a source into a session folder: what `bcikit record` and `bcikit.record` do."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bcikit.acquisition import Source, StreamStatus, TimeTrust, open_source
from bcikit.acquisition.registry import check_apart
from bcikit.acquisition.source import taken
from bcikit.recording.writer import SessionWriter
from bcikit.signal import Address, ArgumentError, BciError, Chunk, Event, HostClock, SourceError
from bcikit.signal.shown import Shown

PULL_SECONDS = 0.5
"""Longest wait for a chunk; who stops it waits so long at most."""

LEAP_SECONDS = 0.5
"""More than this beyond a sample's period no stamp of a running stream goes on from one to the next."""

FOREIGN_SECONDS = 10.0
"""Stamps further from their arrival than this are of another clock: no link and no block takes so long."""

LATE_SECONDS = 1.0
"""A stream that was silent for less may still give what is missing of a duration."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recorded(Shown):
    """What a recording came to.

    Attributes
    ----------
    path : Path
        The session folder.
    samples : int
        Samples that were written.
    how : str
        "complete" or "stopped".
    status : StreamStatus
        Of the source at the end.
    doubts : tuple of str
        Why times must not be believed; empty where they may.
    notes : tuple of str
        What was found out and mapped, such as the clock of another program.
    failed : tuple of str
        Further streams that were lost on the way, and why.
    """

    path: Path
    samples: int
    how: str
    status: StreamStatus
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        status = self.status
        parts = [f"{self.samples} samples in {self.path}, {status.lost} lost"]
        if status.rate and status.drift_uncertainty_ppm < float("inf"):
            drift = f"{status.drift_ppm:+.0f} +- {status.drift_uncertainty_ppm:.0f} ppm"
            parts.append(f"{status.rate:.3f} Hz ({drift})")
        if status.bad_samples:
            parts.append(f"{status.bad_samples} bad values")
        if status.reconnects:
            parts.append(f"{status.reconnects} reconnects")
        rows = {"doubts": "; ".join(self.doubts), "notes": "; ".join(self.notes), "failed": "; ".join(self.failed)}
        return "; ".join(parts), rows


def record(
    source: str | Address | Source,
    out: str | Path,
    *,
    duration: float | None = None,
    also: Sequence[str | Address | Source] = (),
    stop: threading.Event | None = None,
    progress: Callable[[StreamStatus], None] | None = None,
) -> Recorded:
    """Record a source into a session folder (XDF and JSON lines), whole at every moment.

    Parameters
    ----------
    source : str, Address or Source
        An address as `bcikit.open_source` takes it, or an open source that was not started; it is closed at the end.
    out : str or Path
        Session folder to make.
    duration : float, optional
        Seconds of signal; of wall time where a live source gives nothing. Until `stop` or the end if left out.
    also : sequence
        Further sources, recorded beside the first. One that is lost for good is written down and left out.
    stop : threading.Event, optional
        Set by whoever wants it to end; the folder is whole then, too.
    progress : callable, optional
        Told the status of the source about twice a second.

    Returns
    -------
    Recorded
        With the doubts about its times, which are kept in the folder's header, too.

    Raises
    ------
    SourceError
        If the source cannot be opened or is lost for good; what came before is kept.
    RecordingError
        If the folder cannot be written.
    """
    with ExitStack() as stack:
        opened = stack.enter_context(contextlib.closing(_open(source)))
        others = [stack.enter_context(contextlib.closing(_open(other))) for other in also]
        _check_apart([(source, opened), *zip(also, others, strict=True)])
        extra = {_unique(other.info.name, others[:at], opened): other for at, other in enumerate(others)}
        names = [other if isinstance(other, str) else str(other) for other in also]
        config = {"source": source if isinstance(source, str) else str(source), "also": names, "duration": duration}
        infos = {name: other.info for name, other in extra.items()}
        writer = stack.enter_context(SessionWriter(out, info=opened.info, config=config, extra=infos))
        for stream in (*others, opened):
            stream.start()
        loop = _Loop(opened, extra, writer, duration, stop or threading.Event(), progress)
        status, how = loop.run()
        # Whoever stops before the first sample knows that nothing came.
        known = writer.n_samples or how == "complete"
        doubts = loop.trust.doubts(status, samples=writer.n_samples) if known else []
        doubts += loop.doubts("", opened)
        for name, (trust, count) in loop.others.items() if known else ():
            found = [] if name in loop.gone else trust.doubts(extra[name].status(), samples=count)
            found += loop.doubts(name, extra[name])
            doubts += [text if text.startswith(f"{name}: ") else f"{name}: {text}" for text in found]
            loop.trust.notes += [f"{name}: {text}" for text in trust.notes]
        writer.close(how, timing=loop.trust.header(status, doubts))
    return Recorded(
        path=Path(out),
        samples=writer.n_samples,
        how=how,
        status=status,
        doubts=tuple(doubts),
        notes=tuple(loop.trust.notes),
        failed=tuple(loop.failed),
    )


def _open(source: str | Address | Source) -> Source:
    return source if isinstance(source, Source) else open_source(source)


def _check_apart(devices: Sequence[tuple[str | Address | Source, Source]]) -> None:
    """Refuse one device twice."""
    known = [(Address.parse(name) if isinstance(name, str) else name, opened) for name, opened in devices]
    for (first, source), (second, other) in itertools.combinations(known, 2):
        if source is other:
            raise ArgumentError(f"also has {other.info.name!r} a second time; give each source once.")
        if isinstance(first, Address) and isinstance(second, Address):
            check_apart(first, source, second, other, what="also")


def _unique(name: str, before: Sequence[Source], first: Source) -> str:
    """Return a name that no other stream of the session has."""
    taken = [other.info.name for other in before]
    return name if name not in taken and name != first.info.name else f"{name}-{len(before) + 2}"


@dataclass
class _Counts:
    """What was written of a source."""

    period: float
    samples: int = 0
    lost: int = 0
    gaps: int = 0
    bad: int = 0
    back: int = 0
    newest: float = float("-inf")
    nearest: float = float("inf")
    leaps: int = 0
    end: int = -1

    def see(self, chunk: Chunk, arrival: float) -> None:
        """Count a chunk, times that go back, and how near to its arrival its newest sample lies."""
        health = chunk.health
        self.samples += chunk.n_times
        self.lost += health.lost
        self.gaps += health.lost > 0
        self.bad += 0 if health.mask is None else int(np.count_nonzero(health.mask))
        first = float(chunk.times[0])
        self.back += first <= self.newest
        self.leaps += chunk.first_sample == self.end and first - self.newest > self.period + LEAP_SECONDS
        self.newest, self.end = float(chunk.times[-1]), chunk.end_sample
        self.nearest = min(self.nearest, abs(arrival - self.newest))

    def doubts(self, name: str, *, live: bool) -> list[str]:
        """Return what is in doubt of the times of a source that watches nothing itself."""
        found = []
        if self.back:
            found.append(f"{name}: its times go back {self.back} times.")
        if self.leaps:
            found.append(f"{name}: its times leap on {self.leaps} times where no sample is missing.")
        if live and FOREIGN_SECONDS < self.nearest < float("inf"):
            found.append(
                f"{name}: its times are {self.nearest:.4g} s and more away from when its samples come: they are not of "
                "LSL's clock."
            )
        return found


class _Loop:
    """Writes what comes until the time is over, the source ends, or somebody stops it."""

    def __init__(
        self,
        source: Source,
        extra: dict[str, Source],
        writer: SessionWriter,
        duration: float | None,
        stop: threading.Event,
        progress: Callable[[StreamStatus], None] | None,
    ) -> None:
        self._source, self._extra, self._writer = source, extra, writer
        self._duration, self._stop, self._progress = duration, stop, progress
        self.trust = TimeTrust()
        self.others = {name: (TimeTrust(), 0) for name in extra}
        self.failed: list[str] = []
        self.gone: set[str] = set()
        self._counts = {name: _Counts(1.0 / one.info.sfreq) for name, one in {"": source, **extra}.items()}

    def run(self) -> tuple[StreamStatus, str]:
        """Return the status of the source at the end, and how it ended."""
        try:
            self._write_all()
        except BciError:
            self._write_events()
            self._writer.close("failed")
            raise
        status = self._status()
        # Markers that wait for their sample are given when the source stops.
        self._source.stop()
        self._write_events()
        return status, "stopped" if self._stop.is_set() else "complete"

    def _write_all(self) -> None:
        now, source, writer, duration = HostClock().now, self._source, self._writer, self._duration
        first: float | None = None
        began = shown = came = now()
        while not source.ended and not self._stop.is_set():
            chunk = taken(source, PULL_SECONDS)
            arrival = now()
            self._write_events()
            self._write_others()
            if chunk is None:
                writer.silence(arrival)
                # Where nothing comes, the duration is wall time; a block that is late just then is waited for.
                if duration is not None and source.live and arrival >= max(began + duration, came + LATE_SECONDS):
                    break
            else:
                came = arrival
                if first is None:
                    first, began = float(chunk.times[0]), arrival
                due = chunk.n_times if duration is None else int((chunk.times < first + duration).sum())
                if due:
                    self._write(chunk.slice(0, due), arrival)
                if due < chunk.n_times:
                    break
            if self._progress is not None and arrival - shown > PULL_SECONDS:
                shown = arrival
                self._progress(self._status())
        self._write_events()
        self._write_others()

    def _status(self) -> StreamStatus:
        """Return what the source says of itself, with what was written where it counts nothing."""
        status, counts = self._source.status(), self._counts[""]
        return replace(
            status,
            samples=status.samples or counts.samples,
            lost=max(status.lost, counts.lost),
            gaps=max(status.gaps, counts.gaps),
            bad_samples=max(status.bad_samples, counts.bad),
        )

    def doubts(self, name: str, source: Source) -> list[str]:
        """Return what is in doubt of the times of a source that watches nothing itself; the first has no name."""
        return [] if source.status().samples else self._counts[name].doubts(source.info.name, live=source.live)

    def _write(self, chunk: Chunk, arrival: float, *, stream: str = "") -> None:
        self._writer.chunk(chunk, arrival, stream=stream)
        self._counts[stream].see(chunk, arrival)

    def _write_events(self) -> None:
        events = self._source.pull_events()
        self.trust.see(events)
        for event in events:
            self._writer.event(event)

    def _write_others(self) -> None:
        """Write what came from the other streams, and what happened to them under their name."""
        now = HostClock().now
        for name, other in list(self._extra.items()):
            if name in self.gone:
                continue
            fault = None
            trust, count = self.others[name]
            try:
                while not other.ended and (chunk := taken(other, 0.0)) is not None:
                    self._write(chunk, now(), stream=name)
                    count += chunk.n_times
                    if not other.live and chunk.times[-1] > now():
                        break
            except SourceError as error:
                fault = error
            self.others[name] = (trust, count)
            events = other.pull_events()
            trust.see(events)
            for event in events:
                self._writer.event(replace(event, sample=None, source=f"{name}/{event.source}"))
            if fault is not None:
                self.gone.add(name)
                self._writer.event(Event(name="stream/failed", time=now(), source=name, data={"error": str(fault)}))
                self.failed.append(f"{name}: {fault} The other streams go on.")
