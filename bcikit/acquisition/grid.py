"""Brings a stream onto the grid of another: band-limited interpolation at given times."""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Bad, Chunk, StreamInfo, check_int

_KEEP = 4.0
"""Seconds of samples that are kept."""


class GridResampler:
    """Gives the values of a stream at the times of another stream.

    A Lanczos kernel over the samples around each time; where the other grid is coarser, the kernel is wider, so that
    nothing aliases. A value for which a sample under the kernel is lost or bad is marked.

    Parameters
    ----------
    info : StreamInfo
        The stream that is resampled.
    sfreq : float
        Rate of the other grid in Hz.
    lobes : int
        Half width of the kernel in samples of the coarser grid; its transition band is about ``1 / lobes`` of Nyquist.
    """

    def __init__(self, info: StreamInfo, sfreq: float, *, lobes: int = 8) -> None:
        self.info = info
        self.lobes = check_int("lobes", lobes, low=1)
        self._stretch = max(1.0, info.sfreq / sfreq)
        self._half = int(np.ceil(self.lobes * self._stretch))
        self._length = int(_KEEP * info.sfreq) + 4 * self._half
        self._data = np.zeros((0, info.n_channels))
        self._bad = np.zeros((0, info.n_channels), dtype=np.uint8)
        self._times = np.zeros(0)
        self._first = 0

    @property
    def ready_until(self) -> float:
        """Newest time that can be given; minus infinity before there are enough samples."""
        return float(self._times[-1 - self._half]) if self._times.shape[0] > 2 * self._half else float("-inf")

    def feed(self, chunk: Chunk) -> None:
        """Take a chunk; what is lost before it counts as bad samples at times in between."""
        lost = chunk.health.lost if self._times.shape[0] else 0
        if self._times.shape[0] == 0:
            self._first = chunk.first_sample
        if lost > self._length:
            self._data, self._bad, self._times = self._data[:0], self._bad[:0], self._times[:0]
            self._first, lost = chunk.first_sample, 0
        pieces = [(self._data, self._bad, self._times)]
        if lost:
            between = np.linspace(self._times[-1], chunk.times[0], lost + 2)[1:-1]
            hole = np.full((lost, self.info.n_channels), int(Bad.FILLED), dtype=np.uint8)
            pieces.append((np.zeros((lost, self.info.n_channels)), hole, between))
        mask = chunk.health.mask
        bad = np.zeros(chunk.data.shape, np.uint8) if mask is None else mask
        pieces.append((np.where(np.isfinite(chunk.data), chunk.data, 0.0), bad, chunk.times))
        self._data, self._bad, self._times = (
            np.concatenate(parts)[-self._length :] for parts in zip(*pieces, strict=True)
        )
        self._first = chunk.end_sample - self._times.shape[0]

    def at(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
        """Return values ``(n, n_channels)`` and `Bad` bits at `times`; None where all are good.

        Times without samples around them give 0 and `Bad.FILLED`.
        """
        n = times.shape[0]
        values = np.zeros((n, self.info.n_channels))
        bad = np.full((n, self.info.n_channels), int(Bad.FILLED), dtype=np.uint8)
        length = self._times.shape[0]
        if length > 2 * self._half:
            position = np.interp(times, self._times, np.arange(length), left=-1e9, right=1e9)
            base = np.floor(position)
            inside = (base >= self._half - 1) & (base < length - self._half)
            offsets = np.arange(1 - self._half, self._half + 1)
            rows = base[inside].astype(np.int64)[:, None] + offsets
            x = (position[inside][:, None] - rows) / self._stretch
            weights = np.where(np.abs(x) < self.lobes, np.sinc(x) * np.sinc(x / self.lobes), 0.0)
            weights /= weights.sum(axis=1, keepdims=True)
            values[inside] = np.einsum("nk,nkc->nc", weights, self._data[rows])
            bad[inside] = np.bitwise_or.reduce(self._bad[rows], axis=1)
        return values, bad if bad.any() else None
