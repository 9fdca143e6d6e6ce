"""What of a damaged signal file is whole: found by its checksums, and behind a damaged place by its own structure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcikit.recording.checksums import Part
from bcikit.recording.layout import CHUNK_COLUMNS, MARKERS, Track
from bcikit.recording.xdf import BOUNDARY_MARK, FILE_HEADER, SAMPLES, STREAM_FOOTER, STREAM_HEADER, encode_samples
from bcikit.recording.xdf_reader import WrittenStream, XdfChunk, decode_samples, parse_header, walk
from bcikit.signal import Flag, RecordingError

_FIRST, _COUNT, _LOST, _FLAGS, _, _MASKED, _ = range(len(CHUNK_COLUMNS))
Times = NDArray[np.float64]


@dataclass(slots=True)
class Salvage:
    """What is kept of a signal file, ready to be written.

    Attributes
    ----------
    kept : list of bytes-like
        In order, without the headers and footers of the streams.
    counts : dict of int to int
        Samples of each XDF stream.
    spans : dict of int to pair of float
        First and last time of each.
    gaps : list of (int, int)
        Bytes of the old file that are not kept, from and to, the end of a cut-off file included.
    lost : dict of str to int
        Samples of each track that are missing because of damage.
    headers, footers : int
        How many of each were found.
    """

    kept: list[memoryview | bytes] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    spans: dict[int, tuple[float, float]] = field(default_factory=dict)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    headers: int = 0
    footers: int = 0


def salvage(
    data: bytes, tracks: Mapping[str, Track], streams: Mapping[int, WrittenStream], parts: list[Part]
) -> Salvage:
    """Return what of a file can be kept.

    Parameters
    ----------
    data : bytes
        The file.
    tracks : mapping of str to Track
        Of the session.
    streams : mapping of int to XdfStream
        What its headers say, as the session's own description gives them; those in the file may be damaged.
    parts : list of Part
        Checksums; without any, only the structure of the file can be looked at.
    """
    found = Salvage()
    raw = memoryview(data)
    builder = _Builder(found, raw, tracks, streams)
    position = 0
    for piece, start in _pieces(data, raw, parts):
        if start != position:
            builder.damage(position, start)
        position = start
        for chunk in piece:
            if isinstance(chunk, tuple):
                builder.damage(*chunk)
                position = chunk[1]
            else:
                builder.take(chunk)
                position = chunk.end
    builder.finish(position, len(raw))
    return found


Piece = Iterator[XdfChunk | tuple[int, int]]


def _pieces(data: bytes, raw: memoryview, parts: list[Part]) -> Iterator[tuple[Piece, int]]:
    """Yield runs of chunks and where each begins: the checked parts, then what has no checksum."""
    end = 0
    indexed = max((part.stop for part in parts), default=0)
    shift = len(raw) - indexed
    for part in parts:
        # Where it belongs, behind the one before, or moved by what was cut out or put in.
        for start in dict.fromkeys((part.start, end, part.start + shift)):
            if start >= end and part.fits(raw, start):
                end = start + part.stop - part.start
                yield iter(walk(raw[:end], start)), start
                break
    # Damaged parts at the end: what has no checksum begins behind them.
    end = max(end, min(indexed, len(raw)))
    if end < len(raw):
        yield _walk_on(data, raw, end), end


def _walk_on(data: bytes, raw: memoryview, start: int) -> Piece:
    """Yield chunks from `start` on; behind a damaged place, those from where chunks follow each other again."""
    position = start
    while position < len(raw):
        for chunk in walk(raw, position):
            yield chunk
            position = chunk.end
        if position >= len(raw):
            return
        again = _next_start(data, raw, position + 1)
        if again is None:
            return
        yield position, again
        position = again


def _next_start(data: bytes, raw: memoryview, start: int) -> int | None:
    """Return where chunks follow each other again, without a break up to the next boundary or the end of the file."""
    mark = data.find(BOUNDARY_MARK, start)
    # Length of length, length and two bytes of the tag stand before the mark.
    boundary = mark - 4 if mark >= 0 else len(raw)
    end = mark + len(BOUNDARY_MARK) if mark >= 0 else len(raw)
    if boundary > start:
        window = np.frombuffer(raw[start:boundary], dtype=np.uint8)
        for candidate in np.flatnonzero((window == 1) | (window == 4)):
            position = start + int(candidate)
            chunks = list(walk(raw[:end], position))
            last = chunks[-1] if chunks else None
            if last is not None and last.end == end and (mark < 0 or last.start == boundary):
                return position
    return boundary if mark >= 0 and boundary >= start else None


class _Builder:
    """Puts chunks together: samples and masks count once the row of their chunk has come and fits them."""

    def __init__(
        self, found: Salvage, raw: memoryview, tracks: Mapping[str, Track], streams: Mapping[int, WrittenStream]
    ) -> None:
        self._found = found
        self._raw = raw
        self._streams = dict(streams)
        self._rows = {track.numbers.chunks: track for track in tracks.values()}
        self._owner = {
            number: track for track in tracks.values() for number in (track.numbers.signal, track.numbers.mask)
        }
        self._pending: list[tuple[XdfChunk, Times]] = []
        self._next: dict[str, int] = {}

    def damage(self, start: int, stop: int) -> None:
        """Take note of bytes that cannot be kept; what waits for its row waits in vain."""
        if self._pending:
            start = min(start, self._pending[0][0].start)
            self._pending.clear()
        self._found.gaps.append((start, stop))

    def take(self, chunk: XdfChunk) -> None:
        """Take the next whole chunk."""
        number = chunk.stream
        if chunk.tag == STREAM_HEADER:
            self._found.headers += 1
        elif chunk.tag == STREAM_FOOTER:
            self._found.footers += 1
        elif chunk.tag == SAMPLES and number in self._streams:
            self._samples(number, chunk)
        elif chunk.tag != FILE_HEADER and not self._pending:
            self._found.kept.append(self._bytes(chunk))

    def _samples(self, number: int, chunk: XdfChunk) -> None:
        try:
            times, values = decode_samples(self._streams[number], chunk.content)
        except (RecordingError, ValueError, IndexError, OverflowError, MemoryError):
            self.damage(chunk.start, chunk.end)
            return
        if number in self._owner:
            self._pending.append((chunk, np.array(times)))
        elif number in self._rows:
            self._row(self._rows[number], chunk, np.array(times), np.array(values))
        elif number == MARKERS:
            self._found.kept.append(self._bytes(chunk))
            self._count(number, np.array(times))

    def _row(self, track: Track, chunk: XdfChunk, times: Times, values: Times) -> None:
        waiting, self._pending = self._pending, []
        sizes = {item.stream: len(stamps) for item, stamps in waiting}
        row = values[0].copy() if len(values) == 1 else np.full(len(CHUNK_COLUMNS), np.nan)
        count = row[_COUNT]
        whole = bool(np.isfinite(row).all()) and sizes.get(track.numbers.signal, 0) == count
        whole = whole and sizes.get(track.numbers.mask, 0) == (count if row[_MASKED] else 0)
        if not whole:
            start = waiting[0][0].start if waiting else chunk.start
            self._found.gaps.append((start, chunk.end))
            return
        missing = 0
        if track.name in self._next and self._found.gaps:
            missing = int(max(0.0, row[_FIRST] - self._next[track.name] - row[_LOST]))
        self._next[track.name] = int(row[_FIRST] + count)
        self._found.kept += [self._bytes(item) for item, _ in waiting]
        for item, stamps in waiting:
            self._count(item.stream or 0, stamps)
        if missing:
            row[_LOST] += missing
            row[_FLAGS] = int(row[_FLAGS]) | int(Flag.GAP)
            self._found.lost[track.name] = self._found.lost.get(track.name, 0) + missing
            self._found.kept.append(encode_samples(track.numbers.chunks, times, row[None]))
        else:
            self._found.kept.append(self._bytes(chunk))
        self._count(track.numbers.chunks, times)

    def _bytes(self, chunk: XdfChunk) -> memoryview:
        return self._raw[chunk.start : chunk.end]

    def _count(self, number: int, times: Times) -> None:
        if len(times):
            first = self._found.spans.get(number, (float(times[0]), 0.0))[0]
            self._found.spans[number] = (first, float(times[-1]))
            self._found.counts[number] = self._found.counts.get(number, 0) + len(times)

    def finish(self, position: int, size: int) -> None:
        """Take note of what is left over at the end."""
        if self._pending:
            position = self._pending[0][0].start
            self._pending.clear()
        if position < size:
            self._found.gaps.append((position, size))


def described_streams(encoded: bytes) -> dict[int, WrittenStream]:
    """Return the streams that encoded headers announce, by number."""
    chunks = walk(memoryview(encoded))
    return {chunk.stream or 0: parse_header(chunk) for chunk in chunks if chunk.tag == STREAM_HEADER}
