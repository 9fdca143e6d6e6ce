"""Clock model: what the stamps of a device mean on the host's clock, and how true its rate is."""

import math
from dataclasses import dataclass
from operator import mul

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import check_range

_PRIOR_PPM = 300e-6
"""How far a sampling rate may be from its nominal value before the data say so: the prior of the slope."""

_PRIOR_JITTER = 0.005
"""Jitter in seconds assumed until it is measured; only the weight of the prior depends on it."""

_SETTLED_BLOCKS = 30
"""Blocks after which the jitter is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """What is known of a stream's clock.

    Attributes
    ----------
    rate : float
        Effective sampling rate in Hz on the host's clock.
    drift_ppm : float
        Effective against nominal rate, parts in a million; positive is faster.
    drift_uncertainty_ppm : float
        Twice the standard error of `drift_ppm` (coverage about 95 %), infinite until there are data.
    jitter : float
        Standard deviation of the stamps about the fitted line, seconds.
    resets : int
        Times the clock went back or jumped.
    seconds : float
        Length of the stretch that was fitted, seconds.
    """

    rate: float
    drift_ppm: float
    drift_uncertainty_ppm: float
    jitter: float
    resets: int
    seconds: float


_SMALL = 32


class _Block:
    """Sums over ``n`` points at ``k = 0, 1, ..., n - 1``."""

    __slots__ = ("k", "kk", "ky", "n", "y", "yy")

    def __init__(self, k: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        n = k.shape[0]
        self.n = n
        self.k = n * (n - 1) / 2
        self.kk = (n - 1) * n * (2 * n - 1) / 6
        if n > _SMALL:
            self.y, self.ky, self.yy = float(y.sum()), float(k @ y), float(y @ y)
        else:
            # For a handful of numbers Python is faster than three calls of numpy with cold caches.
            values = y.tolist()
            self.y, self.ky, self.yy = sum(values), sum(map(mul, values, range(n))), sum(map(mul, values, values))


class _Line:
    """Weighted least squares of ``y = a + s x``, with forgetting and a prior on the slope."""

    def __init__(self, prior: float) -> None:
        self.prior = prior
        self.weight = self.x = self.y = self.xx = self.xy = self.yy = 0.0
        self.blocks = 0.0

    def add(self, first: float, block: "_Block", keep: float) -> None:
        """Take the points of a block at ``x = first, first + 1, ...``; what came before counts `keep` times."""
        n = block.n
        self.weight = self.weight * keep + n
        self.x = self.x * keep + n * first + block.k
        self.y = self.y * keep + block.y
        self.xx = self.xx * keep + n * first * first + 2 * first * block.k + block.kk
        self.xy = self.xy * keep + first * block.y + block.ky
        self.yy = self.yy * keep + block.yy
        self.blocks = self.blocks * keep + 1

    def solve(self, *, prior: bool = True) -> tuple[float, float, float, float]:
        """Return mean of x, value of the line there, slope (with or without the prior), centred sum of x squared."""
        if self.weight == 0:
            return 0.0, 0.0, 0.0, 0.0
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        sxx = max(0.0, self.xx - self.weight * mean_x * mean_x)
        sxy = self.xy - self.weight * mean_x * mean_y
        below = sxx + (self.prior if prior or not sxx else 0.0)
        return mean_x, mean_y, sxy / below, sxx

    def variance(self, *, prior: bool = True) -> float:
        """Return the variance of the residuals."""
        if self.weight < 3:
            return 0.0
        mean_x, mean_y, slope, sxx = self.solve(prior=prior)
        sxy = self.xy - self.weight * mean_x * mean_y
        syy = self.yy - self.weight * mean_y * mean_y
        return max(0.0, (syy - 2 * slope * sxy + slope * slope * sxx) / self.weight)


class ClockModel:
    """Fits the stamps of a stream by a line over the sample index and gives smooth times that never go back.

    The times of a block depend only on what came up to it (causal). Two lines are kept: one that forgets, for the
    times, and one over all data since the last reset, for the rate that is reported.

    Parameters
    ----------
    sfreq : float
        Nominal sampling rate in Hz.
    window : float
        Seconds after which a stamp counts ``1/e`` for the times.
    """

    def __init__(self, sfreq: float, *, window: float = 60.0) -> None:
        self.sfreq = check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
        self.window = check_range("window", window, low=1.0, unit="s")
        self._period = 1.0 / self.sfreq
        self._ramp = np.arange(256, dtype=np.float64)
        self._nominal = self._ramp * self._period
        self.resets = 0
        self._last_time = self._last_raw = -math.inf
        self.restart()

    def restart(self, *, clock_reset: bool = False) -> None:
        """Forget the offset (a new segment, or the clock was set); times that were given out stay a lower bound."""
        prior = (_PRIOR_JITTER / (_PRIOR_PPM * self._period)) ** 2
        self._near = _Line(prior)
        self._all = _Line(prior)
        self._origin_index = 0
        self._origin_time = 0.0
        self._empty = True
        self._total = 0
        self.resets += clock_reset

    def k(self, n: int) -> NDArray[np.float64]:
        """Return ``0, 1, ..., n - 1`` as float64 without making it each time."""
        if n > self._ramp.shape[0]:
            self._ramp = np.arange(2 * n, dtype=np.float64)
            self._nominal = self._ramp * self._period
        return self._ramp[:n]

    @property
    def ready(self) -> bool:
        """True once the model has seen a stamp since it was restarted."""
        return not self._empty

    @property
    def settled(self) -> bool:
        """True once there were enough blocks to know the jitter."""
        return self._near.blocks > _SETTLED_BLOCKS

    @property
    def jitter(self) -> float:
        """Standard deviation of the stamps about the line, seconds."""
        return math.sqrt(self._near.variance())

    def predict(self, index: int) -> float:
        """Return the time of sample `index` on the host's clock, seconds."""
        x = float(index - self._origin_index)
        mean_x, mean_y, slope, _ = self._near.solve()
        return self._origin_time + x * self._period + mean_y + slope * (x - mean_x)

    def index_at(self, time: float) -> float:
        """Return the (fractional) sample index at `time`; the inverse of `predict`."""
        mean_x, mean_y, slope, _ = self._near.solve()
        return self._origin_index + (time - self._origin_time - mean_y + slope * mean_x) / (self._period + slope)

    def update(self, first: int, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the stamps of consecutive samples and return their smooth times.

        Parameters
        ----------
        first : int
            Index of the first sample.
        stamps : ndarray, shape (n,)
            Seconds, on the host's clock but for what the line takes out.

        Returns
        -------
        ndarray of float64, shape (n,)
            Strictly increasing, and later than every time given out before.
        """
        n = stamps.shape[0]
        k = self.k(n)
        if self._empty:
            self._origin_index, self._origin_time, self._empty = first, float(stamps[0]), False
        x = float(first - self._origin_index)
        start = self._origin_time + x * self._period
        deviation = stamps - self._nominal[:n]
        deviation -= start
        keep = math.exp(-n * self._period / self.window)
        block = _Block(k, deviation)
        self._near.add(x, block, keep)
        self._all.add(x, block, 1.0)
        self._total += n
        mean_x, mean_y, slope, _ = self._near.solve()
        start += mean_y + slope * (x - mean_x)
        times = k * (self._period + slope)
        times += start
        if start <= self._last_time + 0.5 * self._period:
            # The line moved back: go slower for a moment rather than back in time.
            floor = self._last_time + 0.5 * self._period * (k + 1.0)
            np.maximum(times, floor, out=times)
        self._last_time = float(times[-1])
        return times

    def raw(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the stamps themselves, only kept from going back."""
        times = np.maximum.accumulate(np.maximum(stamps, self._last_raw))
        self._last_raw = float(times[-1])
        return times

    def state(self) -> ClockState:
        """Return rate, drift with uncertainty, and jitter."""
        line = self._all
        # The prior keeps the first seconds calm; what is reported must not be drawn towards the nominal rate.
        measured = line.blocks >= _SETTLED_BLOCKS
        _, _, slope, sxx = line.solve(prior=not measured)
        variance = line.variance(prior=not measured)
        uncertainty = math.inf
        if line.blocks >= 3 and sxx > 0:
            # The samples of one block share their jitter: a block counts as one point.
            per_block = max(1.0, line.weight / line.blocks)
            uncertainty = 2e6 * math.sqrt(variance * per_block / sxx) / self._period
        period = self._period + slope
        return ClockState(
            rate=1.0 / period,
            drift_ppm=1e6 * (self._period / period - 1.0),
            drift_uncertainty_ppm=uncertainty,
            jitter=math.sqrt(variance),
            resets=self.resets,
            seconds=self._total * self._period,
        )
