"""What every step does with samples that must not be believed: bridge them and mark what they affected."""

import math

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Bad, Chunk

UNUSABLE = int(Bad.NAN | Bad.RAILED)
"""Bits of samples whose value carries nothing; steps put the last good value of the channel in their place."""

DISTURBING = UNUSABLE | int(Bad.REPEATED | Bad.FILLED | Bad.AFFECTED)
"""Bits of samples that disturb whoever has a memory; what follows is marked until it has settled."""


def finite(data: NDArray[np.float64]) -> bool:
    """Return whether every value is finite."""
    # One pass of BLAS: a NaN or an infinity goes through to the sum of squares. Squares of finite values above 1e150
    # overflow, so that only a finite sum is an answer; `vdot`, unlike `dot`, does not warn of that.
    return math.isfinite(np.vdot(data, data)) or bool(np.isfinite(data).all())


def unusable(data: NDArray[np.float64], mask: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
    """Return which samples cannot be used: not finite, whether marked or not, or marked as railed."""
    bad = ~np.isfinite(data)
    if mask is not None:
        bad |= (mask & UNUSABLE) != 0
    return bad


def merge_mask(
    mask: NDArray[np.uint8] | None, where: NDArray[np.bool_] | None, bit: Bad, shape: tuple[int, ...]
) -> NDArray[np.uint8] | None:
    """Return a new mask that has `bit` set where asked; None if nothing is set."""
    if where is None or not where.any():
        return mask
    merged = np.zeros(shape, np.uint8) if mask is None else mask.copy()
    merged[where] |= np.uint8(bit)
    return merged


class LastGood:
    """Puts the last good value of a channel in place of what cannot be used.

    Attributes
    ----------
    last : ndarray, shape (n_channels,)
        Newest good value.
    known : ndarray of bool, shape (n_channels,)
        Whether there was one.
    """

    def __init__(self, n_channels: int) -> None:
        self.last = np.zeros(n_channels)
        self.known = np.zeros(n_channels, dtype=bool)
        self._columns = np.arange(n_channels)

    def reset(self) -> None:
        """Forget the values."""
        self.last[:] = 0.0
        self.known[:] = False

    def note(self, data: NDArray[np.float64]) -> None:
        """Remember the newest row of data that is good throughout."""
        self.last[:] = data[-1]
        self.known[:] = True

    def fill(self, data: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return a copy without bad values; before the first good value of a channel it is zero."""
        rows = np.where(bad, -1, np.arange(data.shape[0])[:, None])
        np.maximum.accumulate(rows, axis=0, out=rows)
        filled: NDArray[np.float64] = np.where(rows >= 0, data[rows, self._columns], self.last)
        self.last[:] = filled[-1]
        self.known |= rows[-1] >= 0
        return filled


class Settling:
    """Knows which samples of a channel a disturbance still affects.

    Parameters
    ----------
    n_channels : int
        Channels.
    length : int
        Samples after a disturbance that are affected, beside the disturbed one.
    """

    def __init__(self, n_channels: int, length: int) -> None:
        self.length = length
        self._until = np.zeros(n_channels, dtype=np.int64)
        self.active = False

    def disturb(self) -> None:
        """Take the next sample of every channel as disturbed: a start or a gap."""
        self._until[:] = self.length + 1
        self.active = True

    def clear(self) -> None:
        """Forget every disturbance."""
        self._until[:] = 0
        self.active = False

    def mark(self, n_times: int, disturbed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Return which of the next samples are affected, shape (n_times, n_channels)."""
        rows = np.arange(n_times, dtype=np.int64)[:, None]
        until = np.broadcast_to(self._until, (n_times, self._until.size))
        if disturbed is not None:
            reach = np.where(disturbed, rows + (self.length + 1), 0)
            np.maximum.accumulate(reach, axis=0, out=reach)
            until = np.maximum(reach, until)
        affected: NDArray[np.bool_] = rows < until
        self._until = np.maximum(until[-1] - n_times, 0)
        self.active = bool(self._until.any())
        return affected


class Continuity:
    """Tells whether a chunk continues the one before: by its flags and by its index.

    Attributes
    ----------
    expected : int or None
        Index that the next chunk has if nothing is lost; None before the first.
    """

    def __init__(self) -> None:
        self.expected: int | None = None

    def reset(self) -> None:
        """Forget the stream; the next chunk is a start."""
        self.expected = None

    def check(self, chunk: Chunk) -> int | None:
        """Return None where a stream starts, else how many samples are missing before the chunk.

        A chunk that is flagged as discontinuous without a known loss gives -1, and so does an index that goes back.
        """
        health = chunk.health
        expected = self.expected
        self.expected = chunk.first_sample + chunk.data.shape[0]
        if expected is None:
            return None
        lost = chunk.first_sample - expected
        if lost == 0 and not health.lost and not health.flags:
            return 0
        from bcikit.signal import Flag

        if health.flags & Flag.START:
            return None
        if lost > 0:
            return lost
        if lost < 0 or health.discontinuous:
            return -1
        return 0
