"""A ring whose newest window is always one contiguous view."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bcikit.signal.checks import check_int
from bcikit.signal.errors import ArgumentError


class Ring:
    """Mirrored ring buffer: each row is written twice, so any newest window is one view.

    An append costs one or two copies of the rows, whatever the length; nothing is ever moved.

    Parameters
    ----------
    length : int
        Rows kept.
    n_columns : int
        Columns a row.
    dtype : dtype
        Type of the values.
    """

    def __init__(self, length: int, n_columns: int, dtype: DTypeLike = np.float64) -> None:
        self.length = check_int("length", length, low=1)
        self.n_columns = check_int("n_columns", n_columns, low=0)
        self._rows: NDArray[np.generic] = np.zeros((2 * self.length, self.n_columns), dtype=dtype)
        self._next = 0
        self.total = 0

    def append(self, rows: NDArray[np.generic]) -> None:
        """Append rows, shape ``(n, n_columns)``; of more than `length` only the newest stay."""
        n = rows.shape[0]
        self.total += n
        length = self.length
        if n >= length:
            self._rows[:length] = rows[n - length :]
            self._rows[length:] = rows[n - length :]
            self._next = 0
            return
        start = self._next
        stop = start + n
        buffer = self._rows
        if stop <= length:
            buffer[start:stop] = rows
            buffer[start + length : stop + length] = rows
        else:
            head = length - start
            buffer[start:length] = rows[:head]
            buffer[start + length :] = rows[:head]
            buffer[: stop - length] = rows[head:]
            buffer[length:stop] = rows[head:]
        self._next = stop % length

    def __len__(self) -> int:
        return min(self.total, self.length)

    def newest(self, n: int, *, back: int = 0) -> NDArray[np.generic]:
        """Return the newest `n` rows as a view, valid until the next append.

        Parameters
        ----------
        n : int
            Rows wanted.
        back : int
            Leave out this many of the very newest rows.

        Raises
        ------
        ArgumentError
            If fewer rows are there.
        """
        if n + back > len(self) or n < 0 or back < 0:
            raise ArgumentError(f"n={n} with back={back}: the ring holds {len(self)} of {self.length} rows.")
        stop = self._next + self.length - back
        view = self._rows[stop - n : stop]
        view.flags.writeable = False
        return view

    def clear(self) -> None:
        """Forget all rows."""
        self._next = 0
        self.total = 0
