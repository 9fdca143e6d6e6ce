"""Puts times on samples: the nearest sample of what was received, lost samples counted."""

import math
from collections import deque

import numpy as np

from bcikit.signal import Chunk


class SamplePlacer:
    """Remembers the times of the newest chunks and tells which sample is nearest to a time.

    The error is at most half a sample of the corrected time, for any time within the memory.

    Parameters
    ----------
    sfreq : float
        Nominal sampling rate in Hz.
    memory : float
        Seconds that are remembered.
    """

    def __init__(self, sfreq: float, *, memory: float = 30.0) -> None:
        self._sfreq = sfreq
        self._memory = memory
        self._chunks: deque[Chunk] = deque()

    def feed(self, chunk: Chunk) -> None:
        """Take note of a chunk."""
        if chunk.n_times == 0:
            return
        chunks = self._chunks
        chunks.append(Chunk(np.empty((0, 0)), chunk.times, chunk.first_sample))
        oldest = float(chunk.times[-1]) - self._memory
        while len(chunks) > 1 and chunks[1].times[0] < oldest:
            chunks.popleft()

    @property
    def newest(self) -> float:
        """Time of the newest sample; minus infinity before the first."""
        return float(self._chunks[-1].times[-1]) if self._chunks else float("-inf")

    def place(self, time: float) -> int | None:
        """Return the index of the sample nearest to `time`, or None while that sample is still to come."""
        if not self._chunks or time > self.newest:
            return None
        after: Chunk | None = None
        for chunk in reversed(self._chunks):
            times = chunk.times
            if time >= times[0]:
                row = int(np.searchsorted(times, time))
                if row < times.shape[0]:
                    if row and time - times[row - 1] < times[row] - time:
                        row -= 1
                    return chunk.first_sample + row
                return self._between(chunk, after, time)
            after = chunk
        first = self._chunks[0]
        return first.first_sample - round((float(first.times[0]) - time) * self._sfreq)

    @staticmethod
    def _between(before: Chunk, after: Chunk | None, time: float) -> int:
        """Return the index for a time between two chunks; lost samples lie there."""
        last = before.first_sample + before.times.shape[0] - 1
        if after is None:
            return last
        span = float(after.times[0] - before.times[-1])
        share = 0.0 if span <= 0 else (time - float(before.times[-1])) / span
        return last + round(share * (after.first_sample - last))


def placed_within(uncertainty: float, sfreq: float) -> float:
    """Return the seconds within which a marker lies of the sample it is placed on, for 95 % of markers.

    The nearest sample is off by up to half a period, evenly spread; the times of the samples err by a normal error of
    which `uncertainty` is twice the standard deviation. The half-width of the sum of both (JCGM 100:2008, G.2; the
    rectangular part alone gives 0.95 of the half period).

    Parameters
    ----------
    uncertainty : float
        Expanded uncertainty (k = 2) of the times, seconds.
    sfreq : float
        Sampling rate in Hz.
    """
    half = 0.5 / sfreq
    sigma = 0.5 * uncertainty
    if not math.isfinite(sigma):
        return math.inf
    if sigma < 1e-3 * half:
        return 0.95 * half

    def mass(width: float) -> float:
        """Return the probability that the sum is within +- `width`: the mean over the half period of a normal one."""
        a, b = (width + half) / sigma, (width - half) / sigma
        return 2.0 * sigma / (2.0 * half) * (_integral(a) - _integral(b)) - 1.0

    low, high = 0.0, half + 6.0 * sigma
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mass(middle) < 0.95 else (low, middle)
    return high


def _integral(z: float) -> float:
    """Return the integral of the normal distribution function up to `z`: ``z Phi(z) + phi(z)``."""
    return z * 0.5 * math.erfc(-z / math.sqrt(2.0)) + math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
