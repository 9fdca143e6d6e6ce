"""Samples of XDF files: chunks are taken apart at once, and those of long recordings stay in the file.

pyxdf reads a sample at a time. All else of it (headers, clock offsets and resets, damaged chunks) is used as it is;
only its reader of a chunk of samples stands aside while one file is loaded.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal.lazy import LazyRows

_ONE_AT_A_TIME = threading.Lock()

_LAZY = ("float32", "double64", "int16", "int32", "int8")
"""Formats whose numbers a double holds exactly: they may stay in the file."""

_STAMP = 9
"""Bytes before the values of a sample that has a stamp: how long it is, and the stamp."""


class SamplesInFile:
    """The samples of one stream, known by where each lies; what needs them as an array gets one.

    Parameters
    ----------
    path : Path
        The file.
    places : ndarray of int64, shape (n_times,)
        Byte at which the values of each sample begin.
    dtype : dtype
        Of a value.
    n_channels : int
        Values of a sample.
    """

    def __init__(self, path: Path, places: NDArray[np.int64], dtype: np.dtype[Any], n_channels: int) -> None:
        self._path, self._places, self.dtype, self._n = path, places, dtype, n_channels

    def rows(self, scale: NDArray[np.float64]) -> LazyRows:
        """Return the samples as float64, each channel multiplied."""
        return LazyRows(self._read, (self._places.shape[0], self._n), scale)

    def _read(self, start: int, stop: int, columns: list[int] | None) -> NDArray[Any]:
        out = np.empty((self._n if columns is None else len(columns), stop - start), dtype=self.dtype)
        places = self._places[start:stop]
        size = self._n * self.dtype.itemsize
        edges = [0, *(np.flatnonzero(np.diff(places) != size + _STAMP) + 1).tolist(), places.shape[0]]
        with self._path.open("rb", buffering=0) as file:
            for begin, end in itertools.pairwise(edges):
                if begin == end:
                    continue
                file.seek(int(places[begin]))
                raw = file.read((end - begin - 1) * (size + _STAMP) + size)
                shape, steps = (end - begin, self._n), (size + _STAMP, self.dtype.itemsize)
                values = np.ndarray(shape, self.dtype, raw, strides=steps)
                out[:, begin:end] = values.T if columns is None else values[:, columns].T
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy's call
        found = np.ascontiguousarray(self._read(0, self._places.shape[0], None).T)
        return found if dtype is None else found.astype(dtype, copy=False)


def load(path: Path, *, lazy: bool, **options: Any) -> list[Any]:
    """Return what `pyxdf.load_xdf` returns of a file; with `lazy`, where the samples of signals lie instead of these.

    The series of such a stream is a `SamplesInFile`.
    """
    from pyxdf import pyxdf

    left: set[int] = set()
    lazy = lazy and path.suffix.lower() == ".xdf"
    with _ONE_AT_A_TIME, _reading(pyxdf, left if lazy else None):
        streams, _ = pyxdf.load_xdf(str(path), **options)
    for stream in streams:
        info = stream["info"]
        series = stream["time_series"]
        if _may_stay(info["channel_format"][0], int(info["channel_count"][0])) and left and len(series):
            dtype = pyxdf.StreamData(stream).dtype_le
            places = np.ascontiguousarray(series[:, 0])
            stream["time_series"] = SamplesInFile(path, places, dtype, int(info["channel_count"][0]))
    return list(streams)


def _may_stay(text: str, n_channels: int) -> bool:
    # A single channel may be markers, and is small.
    return text in _LAZY and n_channels > 1


@contextlib.contextmanager
def _reading(pyxdf: Any, left: set[int] | None) -> Iterator[None]:
    usual = pyxdf._read_chunk3
    pyxdf._read_chunk3 = _reader(pyxdf, usual, left)
    try:
        yield
    finally:
        pyxdf._read_chunk3 = usual


def _reader(pyxdf: Any, usual: Callable[[Any, Any], Any], left: set[int] | None) -> Callable[[Any, Any], Any]:
    """Return a reader of chunks whose samples all have a stamp; `usual` reads the others.

    With `left`, the values of a stream of several channels are the places at which they lie.
    """

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
                left.add(id(stream))  # type: ignore[union-attr]
                return n, stamps, first + _STAMP + size * np.arange(n, dtype=np.int64)[:, None]
        file.seek(begin)
        n, stamps, values = usual(file, stream)
        if not stays:
            return n, stamps, values
        left.add(id(stream))  # type: ignore[union-attr]
        return n, stamps, _places(file, begin, n, stream)[:, None]

    return read


def _places(file: Any, begin: int, n: int, stream: Any) -> NDArray[np.int64]:
    """Return where the values of the samples of a chunk lie of which not all have a stamp."""
    end = file.tell()
    file.seek(begin)
    places = np.empty(n, dtype=np.int64)
    width = file.read(1)[0]
    at = begin + 1 + width
    for sample in range(n):
        file.seek(at)
        at += 1 + (_STAMP - 1 if file.read(1) != b"\x00" else 0)
        places[sample] = at
        at += stream.samplebytes
    file.seek(end)
    return places
