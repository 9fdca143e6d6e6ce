"""Stamps and places of the samples of one stream, from many chunks at once."""

import itertools
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.xdf_chunks import WINDOW, let_go
from bcikit.signal import SourceError

_STAMPED, _FIRST_STAMPED, _BARE, _MIXED = range(4)
"""Chunks in which all samples have a stamp, only the first, none, some."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where the values of each sample lie, in stretches of even steps.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        First sample of each stretch.
    places : ndarray of int64, shape (n,)
        Byte at which the values of that sample begin.
    steps : ndarray of int64, shape (n,)
        Bytes from one sample of the stretch to the next.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    steps: NDArray[np.int64]

    @classmethod
    def of(cls, places: NDArray[np.int64]) -> Self:
        """Return the stretches of places that are listed one by one."""
        steps = np.diff(places)
        rows = [0]
        at = 0
        while at < steps.shape[0]:
            other = np.flatnonzero(steps[at:] != steps[at])
            at = at + int(other[0]) + 1 if other.size else steps.shape[0] + 1
            if at <= steps.shape[0]:
                rows.append(at)
        first = np.array(rows, dtype=np.int64)
        return cls(rows=first, places=places[first], steps=np.append(steps, 0)[first])

    def between(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield first row, row behind the last, place of the first and step of each stretch of some rows."""
        at = max(0, int(np.searchsorted(self.rows, start, side="right")) - 1)
        while start < stop and at < self.rows.shape[0]:
            end = min(stop, int(self.rows[at + 1])) if at + 1 < self.rows.shape[0] else stop
            step = int(self.steps[at])
            if end > start:
                yield start, end, int(self.places[at]) + (start - int(self.rows[at])) * step, step
            start, at = end, at + 1


class StreamInChunks:
    """All samples of a stream of numbers.

    Parameters
    ----------
    file : file
        Opened for reading.
    stream : Any
        What pyxdf keeps of it: the period, the bytes of a sample, the newest stamp.
    counts, firsts, ends : ndarray of int64, shape (n_chunks,)
        Samples of each chunk, where the first of them begins, and where the chunk ends.
    mixed : callable
        Reads so many samples of which some have a stamp: gives stamps and places.

    Attributes
    ----------
    stamps : ndarray of float64, shape (n_times,)
        Where a sample has none, the one before and a period.
    places : Places
        Where the values lie.

    Raises
    ------
    SourceError
        If a chunk is not as long as its samples.
    """

    def __init__(
        self, file: Any, stream: Any, counts: NDArray[np.int64], firsts: NDArray[np.int64], ends: NDArray[np.int64],
        mixed: Callable[[Any, Any, int], Any],
    ) -> None:  # fmt: skip
        self._file, self._stream, self._mixed = file, stream, mixed
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            kinds = self._kinds(counts, ends - firsts)
            self.stamps = np.empty(int(counts.sum()))
            found: list[tuple[Any, Any, Any]] = []
            # Chunks of one kind, number of samples and distance are taken together, a window of the file at a time.
            pitch = np.diff(firsts, append=0)
            same = (np.diff(kinds) == 0) & (np.diff(counts) == 0) & (kinds[:-1] == _STAMPED)
            same[1:] &= (pitch[1:-1] == pitch[:-2]) | ~same[:-1]
            same &= firsts[1:] // WINDOW == firsts[:-1] // WINDOW
            edges = [0, *(np.flatnonzero(~same) + 1).tolist(), counts.shape[0]]
            row = done = 0
            for begin, end in itertools.pairwise(edges):
                if begin < end and counts[begin]:
                    row += self._run(mapped, row, int(kinds[begin]), counts[begin:end], firsts[begin:end], found)
                    if firsts[begin] - done >= WINDOW:
                        done = let_go(mapped, done, int(firsts[begin]))
        rows, places, steps = (np.concatenate(part).astype(np.int64) for part in zip(*found, strict=True))
        self.places = Places(rows=rows, places=places, steps=steps)

    def _kinds(self, counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        bare = counts * (1 + self._stream.samplebytes)
        if np.any((counts < 0) | (sizes < bare) | (sizes > bare + 8 * counts)):
            raise SourceError("a chunk is not as long as its samples.")
        kinds = np.full(counts.shape, _MIXED)
        kinds[sizes == bare] = _BARE
        kinds[sizes == bare + 8] = _FIRST_STAMPED
        kinds[sizes == bare + 8 * counts] = _STAMPED
        return kinds

    def _run(self, mapped: Any, row: int, kind: int, counts: Any, firsts: Any, found: list[Any]) -> int:
        """Take chunks that are alike; return how many samples they hold."""
        stream, n = self._stream, int(counts[0])
        size, first = stream.samplebytes, int(firsts[0])
        total = int(counts.sum())
        out = self.stamps[row : row + total]
        if kind == _STAMPED:
            pitch = int(firsts[1] - firsts[0]) if firsts.shape[0] > 1 else 0
            out.reshape(-1, n)[...] = np.ndarray((firsts.shape[0], n), "<f8", mapped, first + 1, (pitch, size + 9))
            found.append((row + n * np.arange(firsts.shape[0]), firsts + 9, np.full(firsts.shape, size + 9)))
        elif kind == _MIXED or (kind == _FIRST_STAMPED and mapped[first] == 0):
            self._file.seek(first)
            out[:], places = self._mixed(self._file, stream, n)
            listed = Places.of(places)
            found.append((row + listed.rows, listed.places, listed.steps))
        else:
            out[0] = (
                stream.last_timestamp + stream.tdiff if kind == _BARE else np.ndarray((1,), "<f8", mapped, first + 1)[0]
            )
            out[1:] = stream.tdiff
            np.add.accumulate(out, out=out)
            place = first + (1 if kind == _BARE else 9)
            rows, places = ([row, row + 1], [place, place + size + 1]) if n > 1 else ([row], [place])
            found.append((rows, places, [size + 1] * len(rows)))
        stream.last_timestamp = float(out[-1])
        return total
