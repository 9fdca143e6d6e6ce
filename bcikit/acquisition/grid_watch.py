"""What the steps between stamps look like: an exact grid, on which a single missing sample shows, or not."""

from operator import sub

import numpy as np
from numpy.typing import NDArray

_SMALL = 32


def step_range(last: float, stamps: NDArray[np.float64]) -> tuple[float, float]:
    """Return the shortest and the longest step from one stamp to the next, `last` before the first."""
    if stamps.shape[0] > _SMALL:
        steps = np.diff(stamps, prepend=last)
        return float(steps.min()), float(steps.max())
    # For a handful of numbers Python is faster than three calls of numpy with cold caches.
    values = stamps.tolist()
    listed = list(map(sub, values, [last, *values]))
    return min(listed), max(listed)


def first_steps(stamps: NDArray[np.float64], period: float) -> tuple[int, float, float]:
    """Return number, shortest and longest step of a block that follows nothing."""
    if stamps.shape[0] == 1:
        return 1, period, period
    return stamps.shape[0], *step_range(float(stamps[0]), stamps[1:])


class GridWatch:
    """Learns whether stamps lie on an exact grid: then a single missing sample shows in the times."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._needed = round(1.0 / period)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._seen = 0
        self._worst = 0.0

    def see(self, n: int, shortest: float, longest: float) -> None:
        """Take note of the shortest and the longest step in a block of `n` samples."""
        # Where samples are missing, a step is a multiple of the period; where all are, it is another rate.
        whole = max(1, round(longest / self._period))
        self._worst = max(self._worst, abs(longest - whole * self._period), self._period - shortest)
        if abs(shortest - self._period) < 0.25 * self._period:
            self._seen += n

    @property
    def exact(self) -> bool:
        """True once a second of stamps lay on the grid."""
        return self._seen >= self._needed and self._worst < 0.25 * self._period
