"""Samples of XDF files: the chunks of a stream are taken apart together, and those of long recordings stay in the file.

pyxdf reads a sample at a time. All else of it (headers, clock offsets and resets, damaged chunks) is used as it is: it
is given the file without its samples, and asks for those of each stream once. Of a file that is not whole it reads all
itself, and only its reader of one chunk stands aside.
"""

import contextlib
import io
import itertools
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.xdf_chunks import HEADER, SAMPLES, Chunks, chunks_of
from bcikit.acquisition.xdf_runs import Places, StreamInChunks
from bcikit.signal import SourceError
from bcikit.signal.lazy import LazyRows

_ONE_AT_A_TIME = threading.Lock()

_LAZY = ("float32", "double64", "int16", "int32", "int8")
"""Formats whose numbers a double holds exactly: they may stay in the file."""

_STAMP = 9
"""Bytes before the values of a sample that has a stamp: how long it is, and the stamp."""

_ALL = b"\x00"
"""What stands in a chunk instead of the number of its samples where those of the whole stream are meant."""


class SamplesInFile:
    """The samples of one stream, known by where each lies; what needs them as an array gets one.

    Parameters
    ----------
    path : Path
        The file.
    places : Places
        Where the values of each sample begin.
    n_times : int
        Samples.
    dtype : dtype
        Of a value.
    n_channels : int
        Values of a sample.
    """

    def __init__(self, path: Path, places: Places, n_times: int, dtype: np.dtype[Any], n_channels: int) -> None:
        self._path, self._places, self._n_times = path, places, n_times
        self.dtype, self._n = dtype, n_channels

    def rows(self, scale: NDArray[np.float64]) -> LazyRows:
        """Return the samples as float64, each channel multiplied."""
        return LazyRows(self._read, (self._n_times, self._n), scale)

    def _read(self, start: int, stop: int, columns: list[int] | None) -> NDArray[Any]:
        out = np.empty((self._n if columns is None else len(columns), stop - start), dtype=self.dtype)
        size = self._n * self.dtype.itemsize
        with self._path.open("rb", buffering=0) as file:
            for begin, end, place, step in self._places.between(start, stop):
                file.seek(place)
                raw = file.read((end - begin - 1) * step + size)
                values = np.ndarray((end - begin, self._n), self.dtype, raw, strides=(step, self.dtype.itemsize))
                out[:, begin - start : end - start] = values.T if columns is None else values[:, columns].T
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy's call
        found = np.ascontiguousarray(self._read(0, self._n_times, None).T)
        return found if dtype is None else found.astype(dtype, copy=False)


def load(path: Path, *, lazy: bool, **options: Any) -> list[Any]:
    """Return what `pyxdf.load_xdf` returns of a file; with `lazy`, where the samples of signals lie instead of these.

    The series of such a stream is a `SamplesInFile`.
    """
    from pyxdf import pyxdf

    lazy = lazy and path.suffix.lower() == ".xdf"
    left: dict[int, Places] = {}
    streams = _loaded_whole(pyxdf, path, left, options) if lazy else None
    if streams is None:
        left.clear()
        with _ONE_AT_A_TIME, _reading(pyxdf, _reader(pyxdf, left if lazy else None)):
            streams, _ = pyxdf.load_xdf(str(path), **options)
    for stream in streams:
        info = stream["info"]
        series = stream["time_series"]
        n_channels = int(info["channel_count"][0])
        if lazy and _may_stay(info["channel_format"][0], n_channels) and len(series):
            places = left.get(info["stream_id"]) or Places.of(np.ascontiguousarray(series[:, 0]))
            dtype = pyxdf.StreamData(stream).dtype_le
            stream["time_series"] = SamplesInFile(path, places, len(series), dtype, n_channels)
    return list(streams)


def _may_stay(text: str, n_channels: int) -> bool:
    # A single channel may be markers, and is small.
    return text in _LAZY and n_channels > 1


@contextlib.contextmanager
def _reading(pyxdf: Any, reader: Callable[[Any, Any], Any]) -> Iterator[None]:
    usual = pyxdf._read_chunk3
    pyxdf._read_chunk3 = reader
    try:
        yield
    finally:
        pyxdf._read_chunk3 = usual


def _loaded_whole(pyxdf: Any, path: Path, left: dict[int, Places], options: dict[str, Any]) -> list[Any] | None:
    """Return the streams of a file of which every chunk is as it should be; None where one is not."""
    try:
        chunks = chunks_of(path)
    except SourceError:
        return None
    samples = chunks.tags == SAMPLES
    first = {int(stream): at for at, stream in reversed(list(enumerate(chunks.streams.tolist()))) if samples[at]}
    headers = np.flatnonzero(chunks.tags == HEADER)
    begun = dict(zip(chunks.streams[headers].tolist(), headers.tolist(), strict=True))
    if len(begun) != headers.size or any(begun.get(stream, at) >= at for stream, at in first.items()):
        return None
    odd: list[Exception] = []
    one = _reader(pyxdf, None)

    with path.open("rb") as file:

        def read(rest: Any, stream: Any) -> Any:
            number = struct.unpack("<I", rest.read(len(_ALL) + 4)[len(_ALL) :])[0]
            mine = samples & (chunks.streams == number)
            try:
                if not _may_stay(stream.fmt, stream.nchns):
                    return _joined(file, stream, chunks.bodies[mine], chunks.ends[mine], one)
                found = StreamInChunks(
                    file, stream, chunks.counts[mine], chunks.firsts[mine], chunks.ends[mine], _mixed
                )
                left[number] = found.places
                return found.stamps.shape[0], found.stamps, np.empty((found.stamps.shape[0], 0))
            except Exception as error:
                odd.append(error)
                raise

        with _ONE_AT_A_TIME, _reading(pyxdf, read):
            streams, _ = pyxdf.load_xdf(io.BytesIO(_without_samples(file, chunks, list(first))), **options)
    return None if odd else list(streams)


def _without_samples(file: Any, chunks: Chunks, streams: list[int]) -> bytes:
    """Return the bytes of a file whose samples are, for each stream, one chunk that stands for all."""
    parts = [b"XDF:"]
    for at in np.flatnonzero(chunks.tags != SAMPLES).tolist():
        file.seek(chunks.starts[at])
        parts.append(file.read(chunks.ends[at] - chunks.starts[at]))
    for stream in streams:
        body = struct.pack("<HI", SAMPLES, stream) + _ALL + struct.pack("<I", stream)
        parts.append(struct.pack("<BB", 1, len(body)) + body)
    return b"".join(parts)


def _joined(file: Any, stream: Any, bodies: Any, ends: Any, one: Callable[[Any, Any], Any]) -> Any:
    """Return the samples of all chunks of a stream."""
    parts = []
    for body, end in zip(bodies.tolist(), ends.tolist(), strict=True):
        file.seek(body)
        parts.append(one(file, stream))
        if file.tell() != end:
            raise SourceError(f"the chunk that ends at byte {end} is not as long as it says.")
    stamps = np.concatenate([part[1] for part in parts])
    values = [part[2] for part in parts]
    return stamps.shape[0], stamps, list(itertools.chain(*values)) if stream.fmt == "string" else np.concatenate(values)


def _reader(pyxdf: Any, left: dict[int, Places] | None) -> Callable[[Any, Any], Any]:
    """Return a reader of chunks whose samples all have a stamp; pyxdf's own reads the others.

    With `left`, the values of a stream of several channels are the places at which they lie.
    """
    usual = pyxdf._read_chunk3

    def read(file: Any, stream: Any) -> Any:
        if stream.fmt == "string":
            return usual(file, stream)
        begin = file.tell()
        n = pyxdf._read_varlen_int(file)
        size = _STAMP + stream.samplebytes
        first = file.tell()
        stays = left is not None and _may_stay(stream.fmt, stream.nchns)
        raw = file.read(n * size)
        if n and len(raw) == n * size:
            layout = [("long", "u1"), ("stamp", "<f8"), ("values", stream.dtype_le, (stream.nchns,))]
            rows = np.frombuffer(raw, dtype=layout)
            if (rows["long"] == _STAMP - 1).all():
                stamps = rows["stamp"].astype(np.float64)
                stream.last_timestamp = float(stamps[-1])
                if not stays:
                    return n, stamps, rows["values"].astype(stream.dtype)
                return n, stamps, first + _STAMP + size * np.arange(n, dtype=np.int64)[:, None]
        if stays:
            file.seek(first)
            stamps, places = _mixed(file, stream, n)
            return n, stamps, places[:, None]
        file.seek(begin)
        return usual(file, stream)

    return read


def _mixed(file: Any, stream: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the stamps of samples of which not all have one, and where their values lie."""
    stamps, places = np.empty(n), np.empty(n, dtype=np.int64)
    at = file.tell()
    for sample in range(n):
        if file.read(1) != b"\x00":
            stamps[sample] = struct.unpack("<d", file.read(_STAMP - 1))[0]
            at += _STAMP
        else:
            stamps[sample] = stream.last_timestamp + stream.tdiff
            at += 1
        stream.last_timestamp = stamps[sample]
        places[sample] = at
        at += stream.samplebytes
        file.seek(at)
    if n:
        file.seek(at - 1)
        if not file.read(1):
            raise EOFError("the file ends within a sample")
    return stamps, places
