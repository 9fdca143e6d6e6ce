"""Where the chunks of an XDF file lie: it is walked once, by the lengths that the chunks state."""

import mmap
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import SourceError

HEADER, SAMPLES, CLOCK, FOOTER = 2, 3, 4, 6
"""Tags of chunks that belong to a stream."""

_HEAD = {1: struct.Struct("<BHI"), 4: struct.Struct("<IHI"), 8: struct.Struct("<QHI")}
"""Length, tag and number of the stream behind the byte that says how long the length is."""


_COUNT = {1: struct.Struct("<B"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
"""The number of samples behind the byte that says how long it is."""

WINDOW = 1 << 23
"""Bytes of a mapped file that are looked at before their memory is given back."""


_KEPT: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("kept of XDF files", default=None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunks:
    """The chunks of a file in order.

    Attributes
    ----------
    tags : ndarray of int64, shape (n_chunks,)
        What each is.
    streams : ndarray of int64, shape (n_chunks,)
        Number of the stream, of the chunks that belong to one.
    starts : ndarray of int64, shape (n_chunks,)
        Byte at which each begins, its length included.
    bodies : ndarray of int64, shape (n_chunks,)
        Byte behind the number of the stream.
    counts : ndarray of int64, shape (n_chunks,)
        Samples of those that hold samples; -1 where that cannot be read.
    firsts : ndarray of int64, shape (n_chunks,)
        Byte at which the first of these begins.
    ends : ndarray of int64, shape (n_chunks,)
        Byte behind each.
    """

    tags: NDArray[np.int64]
    streams: NDArray[np.int64]
    starts: NDArray[np.int64]
    bodies: NDArray[np.int64]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    ends: NDArray[np.int64]


class CutOffError(SourceError):
    """A file that ends within a chunk."""


def chunks_of(path: Path) -> Chunks:
    """Return where the chunks of a file lie.

    Raises
    ------
    CutOffError
        If it ends within one: which.
    SourceError
        If something else lies where a chunk should begin.
    """
    key = ("chunks", str(path))
    held = kept()
    if key not in held:
        held[key] = _walked(path, path.stat().st_size)
    found: Chunks = held[key]
    return found


@contextmanager
def loaded_once() -> Iterator[None]:
    """Go through each file once in the block, however often it is asked for."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept() -> dict[tuple[str, str], Any]:
    """Return what is kept of files: their streams beside their chunks; a new dictionary outside of `loaded_once`."""
    found = _KEPT.get()
    return {} if found is None else found


def let_go(mapped: mmap.mmap, start: int, stop: int) -> int:
    """Give back the memory of a stretch of a mapped file that was looked at; return where the next one begins."""
    start, stop = start // mmap.PAGESIZE * mmap.PAGESIZE, stop // mmap.PAGESIZE * mmap.PAGESIZE
    # Windows takes the pages of a mapped file back by itself.
    if sys.platform != "win32" and stop > start and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)
    return stop


def _walked(path: Path, size: int) -> Chunks:
    found: list[int] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
        at, done = 4, 0
        while at < size:
            head = _HEAD.get(bytes_[at])
            if head is None:
                raise SourceError(f"{path} is damaged at byte {at}: no chunk begins there.")
            width = head.size - 6
            if at + 1 + width > size:
                raise CutOffError(f"it ends within the chunk that begins at byte {at} of {size}")
            if at + 1 + head.size <= size:
                length, tag, stream = head.unpack_from(bytes_, at + 1)
            else:
                length, tag, stream = int.from_bytes(bytes_[at + 1 : at + 1 + width], "little"), 0, 0
            end = at + 1 + width + length
            if end > size:
                raise CutOffError(f"it ends within the chunk that begins at byte {at} of {size}")
            body = first = at + 1 + head.size
            count = -1
            number = _COUNT.get(bytes_[first]) if tag == SAMPLES and first < end else None
            if number is not None and first + number.size < end:
                count = number.unpack_from(bytes_, first + 1)[0]
                first += 1 + number.size
            found += (tag, stream, at, body, count, first, end)
            at = end
            if at - done >= WINDOW:
                done = let_go(bytes_, done, at)
    table = np.array(found, dtype=np.int64).reshape(-1, 7).T
    return Chunks(
        tags=table[0], streams=table[1], starts=table[2], bodies=table[3], counts=table[4], firsts=table[5],
        ends=table[6],
    )  # fmt: skip
