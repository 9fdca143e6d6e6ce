"""Long arrays a piece at a time: a recording of hours has millions of stamps, and each copy of them costs more."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 1 << 16
"""Values that are looked at together."""

ENOUGH = 200_000
"""Values by which the spread of all is told, where there are more."""


def blocks(n: int, size: int = SIZE) -> Iterator[tuple[int, int]]:
    """Yield the beginnings and ends of blocks of `size`."""
    return ((start, min(n, start + size)) for start in range(0, n, size))


def step_blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the steps from each value to the next, a block at a time, with the row of the first."""
    for start, stop in blocks(values.shape[0] - 1):
        yield start, np.diff(values[start : stop + 1])


def rises(values: NDArray[Any]) -> bool:
    """Return whether all values are finite and each is above the one before."""
    ends = values[[0, -1]] if values.shape[0] else values
    return bool(np.isfinite(ends).all()) and all(bool((step > 0).all()) for _, step in step_blocks(values))


def some_rows(n: int) -> NDArray[np.int64]:
    """Return rows that stand for all of `n`, spread so that no rhythm of bursts falls in with them."""
    if n <= ENOUGH:
        return np.arange(n, dtype=np.int64)
    place = np.arange(ENOUGH)
    return ((place + place * 0.6180339887498949 % 1.0) * (n / ENOUGH)).astype(np.int64)
