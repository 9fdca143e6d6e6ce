"""History: what was shown, kept for looking back, for spectra and for averages; its memory never grows."""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Chunk, Ring, StreamInfo

BUDGET = 192 * 2**20
"""Largest size of a history in bytes."""


class History:
    """The newest samples of one stream, addressed by sample index.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    seconds : float
        Wanted length; less where `BUDGET` does not allow it.
    budget : int
        Bytes allowed.
    """

    def __init__(self, info: StreamInfo, *, seconds: float = 300.0, budget: int = BUDGET) -> None:
        self.info = info
        self.rate = info.sfreq or 1.0
        # Float64, so that a readout is the recorded number under any offset; the mirrored ring holds each row twice.
        affordable = budget // max(1, info.n_channels * 16)
        self.length = int(max(16, min(seconds * self.rate, affordable)))
        self._ring = Ring(self.length, info.n_channels)
        self.end = 0
        self.end_time = 0.0
        self.lost = 0

    @property
    def now(self) -> int:
        """Index after the sample that the panels take for the newest one."""
        return self.end

    @property
    def start(self) -> int:
        """Index of the oldest sample kept."""
        return self.end - len(self._ring)

    def append(self, chunk: Chunk) -> int:
        """Keep a chunk and return the index of its first sample; lost samples become NaN."""
        first = chunk.first_sample
        if len(self._ring) and first != self.end:
            gap = first - self.end
            if gap < 0 or gap >= self.length:
                self._ring.clear()
            else:
                self._ring.append(np.full((gap, self.info.n_channels), np.nan))
            self.lost += max(0, gap)
        self._ring.append(chunk.data)
        self.end = chunk.end_sample
        if chunk.n_times:
            self.end_time = float(chunk.times[-1])
        return first

    def get(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return samples ``start`` to ``stop`` as a view ``(n, n_channels)``; clipped to what is kept."""
        stop = min(stop, self.end)
        start = max(start, self.start)
        if stop <= start:
            return np.empty((0, self.info.n_channels))
        return np.asarray(self._ring.newest(stop - start, back=self.end - stop), dtype=np.float64)

    def newest(self, seconds: float) -> NDArray[np.float64]:
        """Return the newest samples, at most `seconds` of them, as a view ``(n, n_channels)``."""
        return self.get(self.end - round(seconds * self.rate), self.end)

    def sample_at(self, time: float) -> int:
        """Return the index of the sample nearest to a time of the stream's clock."""
        return self.end - 1 - round((self.end_time - time) * self.rate)

    def time_at(self, sample: int) -> float:
        """Return the time of a sample on the stream's clock."""
        return self.end_time - (self.end - 1 - sample) / self.rate
