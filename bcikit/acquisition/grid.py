"""Brings a stream onto the grid of another: band-limited interpolation at given times; levels are held."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Bad, Chunk, StreamInfo, check_int

_KEEP = 4.0
"""Seconds of samples that are kept."""


class GridResampler:
    """Gives the values of a stream at the times of another stream.

    A Lanczos kernel over the samples around each time; where the other grid is coarser, the kernel is wider, so that
    nothing aliases. A value for which a sample under the kernel is lost or bad is marked.

    Levels (triggers) are no waves: between two of them lies nothing that anybody sent. They have the newest value at or
    before each time; one that came and went since the time before is given once, so that a pulse shorter than a step of
    the grid is not lost. Over lost samples, and while the stream is late, the last level stays, and is marked.

    Parameters
    ----------
    info : StreamInfo
        The stream that is resampled.
    sfreq : float
        Rate of the other grid in Hz.
    levels : sequence of int
        Columns that are levels, beside those of type "stim".
    lobes : int
        Half width of the kernel in samples of the coarser grid; its transition band is about ``1 / lobes`` of Nyquist.
    """

    def __init__(self, info: StreamInfo, sfreq: float, *, levels: Sequence[int] = (), lobes: int = 8) -> None:
        self.info = info
        self._levels = sorted({*info.indices(ch_type="stim"), *levels})
        self._step = 1.0 / sfreq
        self._until = float("-inf")
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
            filled = np.zeros((lost, self.info.n_channels))
            filled[:, self._levels] = self._data[-1, self._levels]
            pieces.append((filled, hole, between))
        mask = chunk.health.mask
        bad = np.zeros(chunk.data.shape, np.uint8) if mask is None else mask
        pieces.append((np.where(np.isfinite(chunk.data), chunk.data, 0.0), bad, chunk.times))
        self._data, self._bad, self._times = (
            np.concatenate(parts)[-self._length :] for parts in zip(*pieces, strict=True)
        )
        self._first = chunk.end_sample - self._times.shape[0]

    def at(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
        """Return values ``(n, n_channels)`` and `Bad` bits at `times`; None where all are good.

        Times without samples around them give 0 (levels their last one) and `Bad.FILLED`. Times go on from one call
        to the next.
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
        if self._levels and length and n:
            self._hold(times, values, bad)
        return values, bad if bad.any() else None

    def _hold(self, times: NDArray[np.float64], values: NDArray[np.float64], bad: NDArray[np.uint8]) -> None:
        """Put the levels at `times` in their columns."""
        # A grid that was itself interrupted does not bring up what came in its gap.
        before = np.maximum(np.concatenate([[self._until], times[:-1]]), times - 1.5 * self._step)
        self._until = float(times[-1])
        # The same moment on both clocks is the same sample.
        slack = 1e-3 / self.info.sfreq
        newest = np.searchsorted(self._times, times + slack, side="right") - 1
        since = np.searchsorted(self._times, before + slack, side="right") - 1
        unknown = (newest < 0) | (times > self._times[-1] + 1.0 / self.info.sfreq)
        newest, since = np.maximum(newest, 0), np.maximum(since, 0)
        for column in self._levels:
            level = self._data[:, column]
            taken = newest.copy()
            for row in np.flatnonzero((newest - since > 1) & (level[newest] == level[since])):
                between = level[since[row] + 1 : newest[row]]
                passed = np.flatnonzero(between != level[newest[row]])
                if passed.size:
                    taken[row] = since[row] + 1 + passed[-1]
            values[:, column] = level[taken]
            bad[:, column] = np.where(unknown, int(Bad.FILLED), self._bad[taken, column])
