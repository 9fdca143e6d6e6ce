"""Reading of the XDF files that a session writes, whole or cut off, and bit for bit.

`bcikit.acquisition` reads anybody's XDF with pyxdf. This reader is for our own sessions: it tells where a cut-off file
is still whole, and it decodes a chunk of samples at once instead of sample by sample.
"""

import mmap
import struct
from array import array
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.xdf_chunks import WINDOW, let_go
from bcikit.acquisition.xdf_runs import Places
from bcikit.acquisition.xdf_samples import SamplesInFile
from bcikit.recording.xdf import (
    CLOCK_OFFSET,
    DTYPES,
    FILE_HEADER,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    sample_dtype,
)
from bcikit.signal import RecordingError
from bcikit.signal.lazy import LazyRows

_WITH_STREAM = frozenset({STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER})
_TAGS = frozenset(range(FILE_HEADER, STREAM_FOOTER + 1))


@dataclass(frozen=True, slots=True)
class XdfChunk:
    """One whole chunk of a file.

    Attributes
    ----------
    tag : int
        What it is: `SAMPLES`, `STREAM_HEADER`, ...
    stream : int or None
        Number of the stream, for the tags that have one.
    content : memoryview
        What follows the tag and the stream number.
    start, end : int
        Where the chunk lies in the file, in bytes.
    """

    tag: int
    stream: int | None
    content: memoryview
    start: int
    end: int


@dataclass(slots=True)
class WrittenStream:
    """One stream of a file.

    Attributes
    ----------
    number : int
        Number in the file.
    name, kind, channel_format : str
        As in the header.
    sfreq : float
        Nominal rate in Hz.
    labels : list of str
        Channel names.
    times : ndarray of float64, shape (n_times,)
        Time stamps as they were written.
    values : ndarray or LazyRows, shape (n_times, n_channels), or list of str
        Samples; `LazyRows` where they were left in the file, strings where the format is "string".
    sizes : list of int
        Samples in each chunk of the file.
    footer : bool
        Whether the stream was closed.
    """

    number: int
    name: str
    kind: str
    channel_format: str
    sfreq: float
    labels: list[str]
    times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    values: Any = None
    sizes: list[int] = field(default_factory=list)
    footer: bool = False


def walk(raw: memoryview, start: int = 0) -> Iterator[XdfChunk]:
    """Yield the chunks of a file from `start` on until it ends or stops making sense."""
    if start == 0 and bytes(raw[:4]) != MAGIC:
        return
    position = start or 4
    while position < len(raw):
        parsed = _length(raw, position)
        if parsed is None:
            return
        size, body = parsed
        end = body + size
        if size < 2 or end > len(raw):
            return
        (tag,) = struct.unpack_from("<H", raw, body)
        if tag not in _TAGS:
            return
        stream = None
        content = body + 2
        if tag in _WITH_STREAM:
            if size < 6:
                return
            (stream,) = struct.unpack_from("<I", raw, content)
            content += 4
        yield XdfChunk(tag, stream, raw[content:end], position, end)
        position = end


def _length(raw: memoryview, position: int) -> tuple[int, int] | None:
    """Return a variable-length number and where it ends, or None if it is not whole."""
    if position >= len(raw):
        return None
    code = {1: "<B", 4: "<I", 8: "<Q"}.get(raw[position])
    if code is None or position + 1 + raw[position] > len(raw):
        return None
    return struct.unpack_from(code, raw, position + 1)[0], position + 1 + raw[position]


def parse_header(chunk: XdfChunk) -> WrittenStream:
    """Return the stream that a header chunk announces.

    Raises
    ------
    RecordingError
        If the header is no XML or lacks a field.
    """
    try:
        root = fromstring(bytes(chunk.content))  # noqa: S314 - our own file; expat here resolves no external entity
        text = {key: root.findtext(key) or "" for key in ("name", "type", "channel_format", "nominal_srate")}
        labels = [channel.findtext("label") or "" for channel in root.iterfind("desc/channels/channel")]
        count = int(root.findtext("channel_count") or "")
        sfreq = float(text["nominal_srate"])
    except (ParseError, ValueError) as error:
        raise RecordingError(f"The header of an XDF stream cannot be read: {error}") from error
    labels = labels if len(labels) == count else [str(index) for index in range(count)]
    return WrittenStream(chunk.stream or 0, text["name"], text["type"], text["channel_format"], sfreq, labels)


def decode_samples(stream: WrittenStream, content: memoryview) -> tuple[NDArray[np.float64], Any]:
    """Return times and values of one chunk of samples.

    Raises
    ------
    RecordingError
        If the content is not what the header of the stream announces.
    """
    parsed = _length(content, 0)
    if parsed is None:
        raise RecordingError(f"A chunk of samples of the stream {stream.name!r} is damaged.")
    count, position = parsed
    if stream.channel_format == "string":
        return _decode_texts(stream, content, count, position)
    dtype = sample_dtype(stream.channel_format, len(stream.labels))
    if len(content) - position != count * dtype.itemsize:
        raise RecordingError(
            f"A chunk of {count} samples of the stream {stream.name!r} has {len(content) - position} bytes; "
            f"it must have {count * dtype.itemsize}, each sample with its own time stamp."
        )
    rows = np.frombuffer(content, dtype=dtype, offset=position, count=count)
    return rows["time"], rows["values"]


def _decode_texts(
    stream: WrittenStream, content: memoryview, count: int, position: int
) -> tuple[NDArray[np.float64], list[str]]:
    if count > len(content):
        raise RecordingError(
            f"A chunk of the stream {stream.name!r} claims {count} texts and holds {len(content)} bytes."
        )
    times = np.empty(count)
    texts: list[str] = []
    for index in range(count):
        parsed = _length(content, position + 9)
        if parsed is None or parsed[0] > len(content) - parsed[1]:
            raise RecordingError(f"A text of the stream {stream.name!r} is damaged.")
        (times[index],) = struct.unpack_from("<d", content, position + 1)
        size, start = parsed
        texts.append(bytes(content[start : start + size]).decode(errors="replace"))
        position = start + size
    return times, texts


def read_xdf(
    path: str | Path, *, check: Callable[[memoryview], None] | None = None, left: Collection[int] = ()
) -> dict[int, WrittenStream]:
    """Return the streams of a file, by number; of a file that was cut off, all that is whole.

    Parameters
    ----------
    path : str or Path
        The file.
    check : callable, optional
        Is shown the bytes of the file before anything is read from them; raises where they are not as they must be.
    left : collection of int
        Numbers of the streams of numbers whose samples stay in the file until they are asked for.

    Raises
    ------
    RecordingError
        If the file is no XDF or a stream in it is damaged.
    """
    with Path(path).open("rb") as file:
        if file.read(4) != MAGIC:
            raise RecordingError(f"{path} is no XDF file.")
        # Mapped, so that an hour of many channels is in memory once: as the arrays made below.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    raw = memoryview(mapped)
    if check is not None:
        check(raw)
    streams: dict[int, WrittenStream] = {}
    times: dict[int, array[float]] = {}
    values: dict[int, list[Any]] = {}
    done = 0
    for chunk in walk(raw):
        number = chunk.stream
        if number is None:
            continue
        if chunk.tag == STREAM_HEADER:
            streams[number] = parse_header(chunk)
            times[number], values[number] = array("d"), []
        elif chunk.tag == SAMPLES and number in streams:
            stamps, samples = decode_samples(streams[number], chunk.content)
            streams[number].sizes.append(len(stamps))
            times[number].frombytes(stamps.tobytes())
            # A copy where much stays in the file: looking back at rows strewn over it would fetch all of it again.
            values[number].append(chunk.end if number in left else samples.copy() if left else samples)
        elif chunk.tag == STREAM_FOOTER and number in streams:
            streams[number].footer = True
        if left and chunk.end - done >= WINDOW:
            done = let_go(mapped, done, chunk.end)
    for number, stream in streams.items():
        stream.times = np.array(times[number])
        if number in left:
            stream.values = _left_in_file(Path(path), stream, np.array(values[number], dtype=np.int64))
        elif stream.channel_format == "string":
            stream.values = [text for texts in values[number] for text in texts]
        else:
            empty = np.empty((0, len(stream.labels)), dtype=DTYPES[stream.channel_format])
            stream.values = np.concatenate([empty, *values[number]])
    return streams


def _left_in_file(path: Path, stream: WrittenStream, ends: NDArray[np.int64]) -> LazyRows:
    """Return the samples of a stream whose chunks end at these bytes; each sample has its stamp before it."""
    layout = sample_dtype(stream.channel_format, len(stream.labels))
    sizes = np.array(stream.sizes, dtype=np.int64)
    first = ends - sizes * layout.itemsize + layout.fields["values"][1]  # type: ignore[index]
    places = Places(rows=np.cumsum(sizes) - sizes, places=first, steps=np.full(sizes.shape, layout.itemsize))
    values = layout["values"].base
    return SamplesInFile(path, places, int(sizes.sum()), values, len(stream.labels)).rows(np.ones(len(stream.labels)))
