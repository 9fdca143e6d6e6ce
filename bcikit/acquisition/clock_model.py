"""Clock model: what the stamps of a device mean on the host's clock, and how true its rate is."""

import enum
import math
from dataclasses import dataclass
from operator import mul

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.envelope import LatenessEnvelope
from bcikit.signal import check_range

_PRIOR_PPM = 300e-6
"""How far a sampling rate may be from its nominal value before the data say so: the prior of the slope."""

_PRIOR_JITTER = 0.005
"""Jitter in seconds assumed until it is measured; only the weight of the prior depends on it."""

_SETTLED_BLOCKS = 30
"""Blocks after which the jitter is believed."""

_LATE = 0.05
"""Seconds (or eight times the jitter) by which a whole block is late before it says nothing of the sender's clock."""

_LATE_SECONDS = 2.0
"""Seconds after which late blocks are believed: the sender's clock changed, not the link."""

_JITTER_SECONDS = 10.0
"""Time constant of the jitter of stamps that are made on arrival."""

_PACES = ((6, 0.05), (12, 0.02), (20, 0.0))
"""Half seconds of stamps on arrival that are looked at, and the share by which their rate must then be wrong."""

_AHEAD = 0.04
"""Seconds by which samples must come earlier than a link that had to catch up could bring them."""

_HINTS = ((20, 0.0), (16, 0.0), (12, 0.0), (8, 0.0), (6, 0.0))
"""The same where a recording ends and there will be no more: enough for a doubt."""

_RATE_SECONDS = 4.0
"""Seconds of stamps of a sender before its rate is believed to be wrong."""


class Stamps(enum.StrEnum):
    """How the stamps of a stream arise, which says how they err."""

    SENDER = "sender"
    """By the sender's clock: the errors are alike on both sides, and the line is their mean."""
    ARRIVAL = "arrival"
    """When a block arrives: never early, and late by whatever the link took, so the line is their lower envelope."""


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
    times, and one over all data since the last reset, for the rate that is reported. Blocks that are late as a whole
    (a link that stood still and then caught up) are dated by the line and do not bend it.

    Parameters
    ----------
    sfreq : float
        Nominal sampling rate in Hz.
    window : float
        Seconds after which a stamp counts ``1/e`` for the times (sender), or not at all (arrival).
    made : Stamps
        How the stamps arise.

    Attributes
    ----------
    backlog : float
        Seconds of samples that may have waited in the link when it was opened.
    """

    def __init__(self, sfreq: float, *, window: float = 60.0, made: Stamps = Stamps.SENDER) -> None:
        self.sfreq = check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
        self.window = check_range("window", window, low=1.0, unit="s")
        self.made = made
        self._period = 1.0 / self.sfreq
        self._ramp = np.arange(256, dtype=np.float64)
        self._nominal = self._ramp * self._period
        self.resets = 0
        self.backlog = 0.0
        self._last_time = self._last_raw = -math.inf
        self._envelope = LatenessEnvelope(self._period, window=self.window)
        self.restart()

    def restart(self, *, clock_reset: bool = False) -> None:
        """Forget the offset (a new segment, or the clock was set); times that were given out stay a lower bound."""
        prior = (_PRIOR_JITTER / (_PRIOR_PPM * self._period)) ** 2
        self._near = _Line(prior)
        self._all = _Line(prior)
        # What the earliest arrivals differ by is a matter of this machine, which stays the same.
        self._envelope = LatenessEnvelope(self._period, window=self.window, before=self._envelope)
        self._square = 0.0
        self._origin_index = 0
        self._origin_time = 0.0
        self._empty = True
        self._pace: dict[tuple[tuple[int, float], ...], tuple[int, float | None]] = {}
        self._total = 0
        self._late_for = 0.0
        self.resets += clock_reset

    def doubt(self, seconds: float) -> None:
        """Say that the line may be off by so much; it is believed again once a sample of half a second is on it."""
        self._envelope.doubt = max(seconds, self._envelope.doubt)

    def learn(self, made: Stamps) -> None:
        """Take note of how the stamps arise and begin anew if that was not known."""
        if made is not self.made:
            self.made = made
            self.restart()

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
        if self.made is Stamps.ARRIVAL:
            return self._total * self._period > _LATE_SECONDS
        return self._near.blocks > _SETTLED_BLOCKS

    @property
    def jitter(self) -> float:
        """Standard deviation of the stamps about the line, seconds."""
        return math.sqrt(self._square if self.made is Stamps.ARRIVAL else self._near.variance())

    def _line(self) -> tuple[float, float, float]:
        """Return an index relative to the origin, the lateness there, and the slope of the lateness."""
        if self.made is Stamps.ARRIVAL:
            return self._envelope.x0, self._envelope.level, self._envelope.slope
        mean_x, mean_y, slope, _ = self._near.solve()
        return mean_x, mean_y, slope

    def predict(self, index: int) -> float:
        """Return the time of sample `index` on the host's clock, seconds."""
        x = float(index - self._origin_index)
        x0, level, slope = self._line()
        return self._origin_time + x * self._period + level + slope * (x - x0)

    def lateness(self, first: int, index: NDArray[np.int64], stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how many seconds the stamps of samples ``first + index`` are later than the line."""
        _, _, slope = self._line()
        return np.asarray(stamps - self.predict(first) - index * (self._period + slope))

    def uncertainty(self, index: int) -> float:
        """Return the expanded uncertainty (k = 2) of the time of sample `index` about the line, seconds."""
        if self._empty:
            return math.inf
        if self.made is Stamps.ARRIVAL:
            return self._envelope.uncertainty(float(index - self._origin_index))
        blocks = max(1.0, self._near.blocks)
        jitter = self.jitter if self.settled else max(self.jitter, _PRIOR_JITTER / math.sqrt(blocks))
        # The line is drawn towards the nominal rate until the data say what it is.
        mean_x, _, slope, _ = self._near.solve()
        unknown = abs(self._near.solve(prior=False)[2] - slope) * max(0.0, index - self._origin_index - mean_x)
        return 2.0 * jitter / math.sqrt(min(blocks, _SETTLED_BLOCKS)) + unknown

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
        self.take(first, stamps)
        return self.times(first, stamps.shape[0])

    def take(self, first: int, stamps: NDArray[np.float64]) -> None:
        """Take the stamps of consecutive samples into the line; `times` gives their times."""
        n = stamps.shape[0]
        k = self.k(n)
        if self._empty:
            self._origin_index, self._origin_time, self._empty = first, float(stamps[0]), False
        x = float(first - self._origin_index)
        deviation = stamps - self._nominal[:n]
        deviation -= self._origin_time + x * self._period
        if self.made is Stamps.ARRIVAL:
            self._take_arrival(x, deviation)
        elif not self._is_late(x, deviation):
            block = _Block(k, deviation)
            self._near.add(x, block, math.exp(-n * self._period / self.window))
            self._all.add(x, block, 1.0)
        self._total += n

    def times(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the times of `n` samples from `first` on, later than every time given out before."""
        k = self.k(n)
        x0, level, slope = self._line()
        x = float(first - self._origin_index)
        start = self._origin_time + x * self._period + level + slope * (x - x0)
        times = k * (self._period + slope)
        times += start
        if start <= self._last_time + 0.5 * self._period:
            # The line moved back: go slower for a moment rather than back in time.
            floor = self._last_time + 0.5 * self._period * (k + 1.0)
            np.maximum(times, floor, out=times)
        self._last_time = float(times[-1])
        return times

    def _take_arrival(self, x: float, deviation: NDArray[np.float64]) -> None:
        envelope = self._envelope
        envelope.add(x, deviation)
        off = min(0.1, max(-0.1, float(deviation.mean()) - envelope.at(x + 0.5 * deviation.shape[0])))
        share = min(1.0, deviation.shape[0] * self._period / _JITTER_SECONDS)
        self._square += share * (off * off - self._square)
        for point, late in envelope.closed:
            self._all.add(point, _Block(self._ramp[:1], np.array([late])), 1.0)
        envelope.closed.clear()

    def _is_late(self, x: float, deviation: NDArray[np.float64]) -> bool:
        """Tell whether a block of a sender is late as a whole; what stays late is believed in the end."""
        if not self.settled:
            return False
        mean_x, mean_y, slope, _ = self._near.solve()
        late = float(deviation.min()) - mean_y - slope * (x - mean_x)
        if late < max(_LATE, 8.0 * self.jitter):
            self._late_for = 0.0
            return False
        self._late_for += deviation.shape[0] * self._period
        if self._late_for < _LATE_SECONDS:
            return True
        prior = self._near.prior
        self._near, self._all, self._late_for = _Line(prior), _Line(prior), 0.0
        return False

    def raw(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the stamps themselves, only kept from going back."""
        times = np.maximum.accumulate(np.maximum(stamps, self._last_raw))
        self._last_raw = float(times[-1])
        return times

    def wrong_rate(self, tolerance: float, *, sure: bool = True) -> float | None:
        """Return the rate that comes, in Hz, where it is not the nominal one; None where it is, or is not known yet.

        Parameters
        ----------
        tolerance : float
            Share of the nominal rate by which the real one may differ.
        sure : bool
            False takes what there is: enough for a doubt at the end of a short recording.
        """
        if self.made is Stamps.ARRIVAL:
            return self._wrong_pace(tolerance, _PACES if sure else _HINTS)
        state = self.state()
        # By the stamps: of half the rate, as many samples take twice as long.
        least_seconds = _RATE_SECONDS if sure else 0.25 * _RATE_SECONDS
        enough = self._near.blocks > 10 and state.seconds * self.sfreq > least_seconds * state.rate > 0
        if not enough or abs(state.drift_ppm) < 1e6 * tolerance:
            return None
        return state.rate if abs(state.drift_ppm) > 5.0 * state.drift_uncertainty_ppm else None

    def _wrong_pace(self, tolerance: float, paces: tuple[tuple[int, float], ...]) -> float | None:
        """Return the rate in Hz at which samples arrive evenly, where it is not the nominal one."""
        envelope = self._envelope
        if self._pace.get(paces, (-1, None))[0] == envelope.length:
            return self._pace[paces][1]
        looked_at = [(bins, least, envelope.pace(bins)) for bins, least in paces if not envelope.has_shown(bins)]
        looked_at.append((envelope.length, 0.0, envelope.steady_pace()))
        found = None
        for bins, least, slope in looked_at:
            if slope is not None and abs(slope) >= max(least, tolerance) and self._is_no_backlog(slope, bins):
                found = self.sfreq / (1.0 + slope)
                break
        self._pace[paces] = (envelope.length, found)
        return found

    def _is_no_backlog(self, slope: float, bins: int) -> bool:
        """Return whether samples cannot come early only because a link that was late catches up."""
        return slope > 0 or (bins > _PACES[0][0] and self._envelope.fallen >= self.backlog + _AHEAD)

    def state(self) -> ClockState:
        """Return rate, drift with uncertainty, and jitter."""
        line = self._all
        arrival = self.made is Stamps.ARRIVAL
        # The prior keeps the first seconds calm; what is reported must not be drawn towards the nominal rate.
        measured = line.blocks >= (8 if arrival else _SETTLED_BLOCKS)
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
            jitter=self.jitter if arrival else math.sqrt(variance),
            resets=self.resets,
            seconds=self._total * self._period,
        )
