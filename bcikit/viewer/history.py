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
        affordable = budget // ((info.n_channels + 1) * 16)
        self.length = int(max(16, min(seconds * self.rate, affordable)))
        self._ring = Ring(self.length, info.n_channels)
        # No rate is quite the stated one: minutes back, a time that is counted from now would be another one.
        self._stamps = Ring(self.length, 1)
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
                self._stamps.clear()
            else:
                self._ring.append(np.full((gap, self.info.n_channels), np.nan))
                until = float(chunk.times[0]) if chunk.n_times else self.end_time + (gap + 1) / self.rate
                self._stamps.append(np.linspace(self.end_time, until, gap + 2)[1:-1, None])
            self.lost += max(0, gap)
        self._ring.append(chunk.data)
        self._stamps.append(chunk.times[:, None])
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

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples ``start`` to ``stop`` as a view; clipped to what is kept."""
        stop = min(stop, self.end)
        start = max(start, self.start)
        if stop <= start:
            return np.empty(0)
        return np.asarray(self._stamps.newest(stop - start, back=self.end - stop), dtype=np.float64)[:, 0]

    def sample_at(self, time: float) -> int:
        """Return the index of the sample nearest to a time of the stream's clock."""
        times = self.times(self.start, self.end)
        if not times.size:
            return self.end - 1 - round((self.end_time - time) * self.rate)
        nearest = index_near(times, time)
        # Beyond the ends, the rate goes on.
        return self.start + nearest + round((time - float(times[nearest])) * self.rate)

    def time_at(self, sample: int) -> float:
        """Return the time of a sample on the stream's clock."""
        near = min(max(sample, self.start), self.end - 1)
        times = self.times(near, near + 1)
        known, at = (float(times[0]), near) if times.size else (self.end_time, self.end - 1)
        return known + (sample - at) / self.rate


def index_near(times: NDArray[np.float64], time: float) -> int:
    """Return the index of the time nearest to another one; there must be one, and they must ascend."""
    at = int(np.searchsorted(times, time))
    if at == 0 or at == times.size:
        return min(at, times.size - 1)
    return at - 1 if time - times[at - 1] <= times[at] - time else at
