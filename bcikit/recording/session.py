"""Session: a session folder read back, exactly as it happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.recording.checksums import line_damage, signal_damage
from bcikit.recording.header import read_header
from bcikit.recording.jsonlines import read_lines
from bcikit.recording.lateness import Lateness, Placed
from bcikit.recording.layout import SIGNALS, Track, tracks_of
from bcikit.recording.stored import StoredChunks
from bcikit.recording.xdf_reader import WrittenStream, read_xdf
from bcikit.signal import Chunk, Decision, Event, Recording, RecordingError, StreamInfo, Verdict
from bcikit.signal.lazy import LazyRows
from bcikit.signal.rebuild import LARGEST_INT, short
from bcikit.signal.shown import Shown, counted


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadTrack:
    """One stream of a session.

    Attributes
    ----------
    info : StreamInfo
        What the stream is.
    chunks : sequence of Chunk
        Exactly as they came: data, times, boundaries and health, bit for bit.
    arrivals : ndarray of float64, shape (n_chunks,)
        When each arrived, seconds on the host clock.
    order : tuple of int
        Position of each among the chunks of all streams together.
    """

    info: StreamInfo
    chunks: Sequence[Chunk]
    arrivals: NDArray[np.float64]
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Session(Shown):
    """A session as it was recorded.

    Attributes
    ----------
    path : Path or None
        Its folder; None where it was made from a file of another format.
    header : mapping
        `session.json` as it is: status, times, device sheet and whatever was given at closing.
    info : StreamInfo
        The main stream.
    config : mapping
        The configuration it ran with.
    versions : mapping of str to str
        The programs that made it.
    status : str
        "recording" if it was never closed, else how it ended: "complete", "failed", "recovered", ...
    chunks : sequence of Chunk
        Chunks of the main stream, exactly as they came; each is read when it is asked for where the samples were left
        in their file.
    arrivals : ndarray of float64, shape (n_chunks,)
        When each arrived.
    order : tuple of int
        Position of each among the chunks of all streams together.
    events, decisions, verdicts : tuple
        In the order they were written.
    records : mapping of str to list of dict
        The lines of every JSON-lines file; "after_chunk" says how many chunks were written before.
    extra : mapping of str to ReadTrack
        The other streams.
    damage : str
        What differs from what was written, by the session's own checksums; empty if nothing does.
    """

    path: Path | None
    header: Mapping[str, Any]
    info: StreamInfo
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    status: str
    chunks: Sequence[Chunk]
    arrivals: NDArray[np.float64]
    order: tuple[int, ...]
    events: tuple[Event, ...] = ()
    decisions: tuple[Decision, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    records: Mapping[str, list[dict[str, Any]]]
    extra: Mapping[str, ReadTrack]
    damage: str = ""

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        chunks = self.chunks
        samples = chunks.n_times if isinstance(chunks, StoredChunks) else sum(chunk.n_times for chunk in chunks)
        line = f"{self.info.name!r}: {samples} samples of {self.info.n_channels} channels at {self.info.sfreq:g} Hz"
        return f"{line}, {self.status}", {
            "folder": "" if self.path is None else str(self.path),
            "events": counted(event.name for event in self.events),
            "decisions": str(len(self.decisions)),
            "damage": self.damage,
        }

    @property
    def recording(self) -> Recording:
        """The main stream as one `Recording`, its events in order of time, where a screen showed them (`placed`)."""
        events = self.placed.events
        if isinstance(self.chunks, StoredChunks):
            return self.chunks.recording(self.info, events)
        return Recording.from_chunks(self.info, [chunk for chunk in self.chunks if chunk.n_times], events=events)

    @property
    def placed(self) -> Placed:
        """The events that stand, where a screen showed them; without cues and labels that it has not shown.

        In `events` they are as they were logged: at the time for which they were planned.
        """
        return Lateness.of_inputs(self.records.get("inputs", ())).placed(self.standing, self.info.sfreq)

    @property
    def standing(self) -> tuple[Event, ...]:
        """The events without annotations that were edited or deleted later: a log is only ever added to."""
        last = {event.data["key"]: at for at, event in enumerate(self.events) if _is_version(event)}
        return tuple(
            event
            for at, event in enumerate(self.events)
            if not _is_version(event) or (last[event.data["key"]] == at and event.data["change"] != "deleted")
        )

    @property
    def silences(self) -> tuple[tuple[int, float], ...]:
        """When nothing came in time: number of chunks before, and the time."""
        return tuple(
            (int(line["after_chunk"]), float(line["time"]))
            for line in self.records.get("health", [])
            if line.get("kind") == "silence"
        )

    def after_chunk(self, kind: str) -> tuple[int, ...]:
        """Return for each line of ``<kind>.jsonl`` how many chunks (of all streams) were written before it."""
        return tuple(int(line["after_chunk"]) for line in self.records.get(kind, []))

    def pulls(self) -> Iterator[tuple[float, Chunk | None]]:
        """Yield what each pull gave, in order: the time, and the chunk, or None where nothing came in time."""
        silences = list(self.silences)
        for order, arrival, chunk in zip(self.order, self.arrivals, self.chunks, strict=True):
            while silences and silences[0][0] <= order:
                yield silences.pop(0)[1], None
            yield float(arrival), chunk
        for _, time in silences:
            yield time, None

    @classmethod
    def from_recording(cls, recording: Recording, *, chunk_size: int = 256) -> "Session":
        """Return a session around a recording of another format, so that it can be exported."""
        chunks = tuple(recording.chunks(chunk_size))
        return cls(
            path=None,
            header={},
            info=recording.info,
            config={},
            versions={},
            status="imported",
            chunks=chunks,
            arrivals=np.array([chunk.times[-1] for chunk in chunks]),
            order=tuple(range(len(chunks))),
            events=recording.events,
            records={},
            extra={},
        )


def _is_version(event: Event) -> bool:
    """Whether an event is one of several that say the same annotation: as it was added, edited, deleted."""
    return bool(event.data.get("key")) and "change" in event.data


def read_session(path: str | Path, *, damaged: bool = False, lazy: bool = False) -> Session:
    """Return a session; one that was cut off is read as far as it is whole.

    Parameters
    ----------
    path : str or Path
        The session folder.
    damaged : bool
        Whether signals and lines that are not as they were written are read all the same; `Session.damage` then says
        what is wrong with them.
    lazy : bool
        Leave the samples in their file until they are asked for, so that hours need little memory: `Session.recording`
        then has its data in `LazyRows`.

    Raises
    ------
    RecordingError
        If it is no session folder, or a file in it is damaged.
    """
    folder = Path(path)
    header = read_header(folder)
    infos = {name: StreamInfo.from_dict(values) for name, values in header.get("extra", {}).items()}
    tracks = tracks_of(StreamInfo.from_dict(header["info"]), infos)
    signals = folder / SIGNALS
    if not signals.is_file():
        raise RecordingError(f"{folder} has no {SIGNALS}; the signals of this session are gone.")
    damage = ""

    def check(raw: memoryview) -> None:
        nonlocal damage
        damage = signal_damage(folder, header, raw)
        if damage and not damaged:
            raise RecordingError(damage)

    numbers = [track.numbers for track in tracks.values()] if lazy else []
    streams = read_xdf(signals, check=check, left={number for one in numbers for number in (one.signal, one.mask)})
    read = {name: read_track(track, streams) for name, track in tracks.items()}
    records = {file.stem: read_lines(file) for file in sorted(folder.glob("*.jsonl"))}
    for kind, lines in records.items():
        _check_lines(folder, kind, lines)
    changed = line_damage(folder, header)
    if changed and not damaged:
        raise RecordingError(changed)
    damage = " ".join(filter(None, (damage, changed)))
    main = read.pop("")
    return Session(
        path=folder,
        header=header,
        info=main.info,
        config=header["config"],
        versions=header["versions"],
        status=header["status"],
        chunks=main.chunks,
        arrivals=main.arrivals,
        order=main.order,
        events=tuple(Event.from_dict(_bare(line)) for line in records.get("events", [])),
        decisions=tuple(Decision.from_dict(_bare(line)) for line in records.get("decisions", [])),
        verdicts=tuple(Verdict.from_dict(_bare(line)) for line in records.get("verdicts", [])),
        records=records,
        extra=read,
        damage=damage,
    )


_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "inputs": {"after_chunk": int, "kind": str},
    "health": {"after_chunk": int, "kind": str, "time": (int, float)},
}
"""What a replay takes from a line; the other kinds become objects, which check themselves."""


def _check_lines(folder: Path, kind: str, lines: list[dict[str, Any]]) -> None:
    for number, line in enumerate(lines, start=1):
        place = line.get("after_chunk", 0)
        wrong = [name for name, of in _NEEDED.get(kind, {}).items() if not isinstance(line.get(name), of)]
        if not abs(line["time"] if kind == "health" and not wrong else 0) < LARGEST_INT:
            wrong.append("time")
        if type(place) is not int or not 0 <= place < LARGEST_INT:
            wrong.append("after_chunk")
        if wrong:
            raise RecordingError(
                f"{folder / kind}.jsonl, line {number} is damaged: {wrong[0]} is {short(line.get(wrong[0]))}."
            )


def _bare(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "after_chunk"}


def read_track(track: Track, streams: Mapping[int, WrittenStream]) -> ReadTrack:
    """Return the chunks of one stream; samples without their row were not whole and do not count."""
    try:
        signal, table, masks = (
            streams[number] for number in (track.numbers.signal, track.numbers.chunks, track.numbers.mask)
        )
    except KeyError as error:
        raise RecordingError(f"{SIGNALS} lacks the stream number {error}; run: bcikit recover DIR") from None
    lazy = isinstance(signal.values, LazyRows)
    data = signal.values if lazy else np.ascontiguousarray(signal.values, dtype=np.float64)
    mask = masks.values if lazy else masks.values.astype(np.uint8)
    stored = StoredChunks(data, np.ascontiguousarray(signal.times), table.values, mask)
    return ReadTrack(
        info=track.info,
        chunks=stored if lazy else tuple(stored),
        arrivals=np.ascontiguousarray(table.times),
        order=tuple(table.values[:, -1].astype(int).tolist()),
    )
