"""Samples that stay in their file until they are asked for: what a recording of hours has instead of an array."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 4_000_000
"""Bytes of samples that are read at once: large enough for the disk, small beside any memory."""

Reader = Callable[[int, int, "list[int] | None"], NDArray[Any]]
"""Numbers of rows `start` to `stop` (and of some columns), shape (n_columns, n_rows): as files and MNE have them."""


class LazyRows:
    """A matrix, shape (n_times, n_channels), that is read when it is indexed.

    It takes what a reader does with samples: rows by slice or mask, columns by number, list or slice, a factor for
    each column, and `numpy.asarray`, which reads everything.

    Parameters
    ----------
    read : callable
        Gives rows of the file.
    shape : (int, int)
        Rows and columns.
    scale, offset : ndarray, shape (n_channels,), or None
        Of each column: ``sample = number * scale + offset``.
    block : int
        Bytes that are read at once.
    dtype : dtype
        float64; of what is no sample (a mask), its own, and then there is neither scale nor offset.
    """

    ndim = 2

    def __init__(
        self,
        read: Reader,
        shape: tuple[int, int],
        scale: NDArray[np.float64] | None = None,
        offset: NDArray[np.float64] | None = None,
        *,
        block: int = BLOCK_BYTES,
        dtype: Any = np.float64,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self._read = read
        self.shape = shape
        self._block = block
        self._scale = np.ones(shape[1]) if scale is None else scale
        self._offset = np.zeros(shape[1]) if offset is None else offset

    def __len__(self) -> int:
        return self.shape[0]

    def __mul__(self, scale: Any) -> "LazyRows":
        """Return the same rows with each column multiplied."""
        factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), (self.shape[1],))
        return LazyRows(self._read, self.shape, self._scale * factor, self._offset * factor, block=self._block)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        listed = np.arange(self.shape[1])[columns]
        picked = [int(listed)] if np.ndim(listed) == 0 else [int(column) for column in listed]
        if not isinstance(rows, slice) or (rows.step or 1) != 1:
            found = self._rows(0, self.shape[0], picked)[rows]
        else:
            start, stop, _ = rows.indices(self.shape[0])
            found = self._rows(start, max(start, stop), picked)
        return found[:, 0] if np.ndim(listed) == 0 else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy's call
        found = self._rows(0, self.shape[0], list(range(self.shape[1])))
        return found if dtype is None else found.astype(dtype, copy=False)

    def _rows(self, start: int, stop: int, columns: list[int]) -> NDArray[Any]:
        out = np.empty((stop - start, len(columns)), dtype=self.dtype)
        wanted = None if columns == list(range(self.shape[1])) else columns
        scale, offset = self._scale[columns], self._offset[columns]
        shifted = bool(offset.any())
        step = max(1, self._block // (8 * max(1, len(columns))))
        for begin in range(start, stop, step):
            end = min(stop, begin + step)
            # A file has its channels one after the other, a chunk has them side by side.
            part = out[begin - start : end - start]
            part[...] = self._read(begin, end, wanted).T
            if self.dtype == np.float64:
                part *= scale
            if shifted:
                part += offset
        return out


class LazyWindow:
    """Rows of a `LazyRows` in order, a piece at a time: many short slices cost one look into the file.

    Parameters
    ----------
    rows : LazyRows
        The samples.
    least : int
        Rows of the longest slice that will be asked for.
    """

    def __init__(self, rows: LazyRows, least: int) -> None:
        self._rows = rows
        self._size = max(least, 4 * BLOCK_BYTES // (8 * max(1, rows.shape[1])))
        self._first = 0
        self._held = np.empty((0, rows.shape[1]))

    def __getitem__(self, key: slice) -> NDArray[np.float64]:
        start, stop, _ = key.indices(self._rows.shape[0])
        if start < self._first or stop > self._first + self._held.shape[0]:
            self._first = start
            self._held = self._rows[start : max(stop, start + self._size)]
        return self._held[start - self._first : stop - self._first]
