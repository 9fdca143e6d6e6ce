"""The lower envelope of stamps that are made on arrival: links only delay, so the earliest are nearest the truth."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BIN_SECONDS = 0.5
"""Samples of so many seconds give one point: the one that was least late."""

_FIRST_SPREAD = 0.002
"""Seconds by which the earliest arrivals of two bins may differ, before it is known."""

_AGREE = 0.0004
"""Seconds below which the earliest arrivals do not agree on any machine."""

_UNDER = 0.02
"""Share of the least late samples that the line lies above."""

_FLOOR = 0.0008
"""Seconds that even the earliest arrival waits somewhere: in a bridge, and for a driver's thread on a busy machine."""

_GATE = 8.0
"""A bin whose earliest arrival is late by so many spreads says nothing of the clock: the link stood still."""

_PLATEAU = 4
"""Bins in a row that are late alike before it is the clock, not the link, that changed."""

_EVEN = 0.04
"""Seconds by which stamps must run away, in all, before it is the rate of the device and not the link."""

_LEAST = 2.0
"""Seconds of the host's clock over which samples must come to show a rate."""

_MEDIAN = math.log(2.0)
"""Median of an exponential distribution, as a share of its mean."""

_STEADY = 40
"""Half seconds over which a rate shows even if the link stands still now and then."""

_WIDE_RATE = 0.01
"""How far the rate of an oscillator that is no quartz may be from its nominal value."""

_RATE_KNOWN = 8
"""Half seconds on the line after which its slope is believed."""

_SHOWN = 20
"""Half seconds on the line after which it is the link that chokes, not the rate that is another, for half a minute."""

_BREAK = 4.0
"""Half seconds without a sample over which no rate is measured."""

_KEPT_RATE = 300e-6
"""How far a rate may be from its nominal value before the data say so: the prior of the slope."""


@dataclass(slots=True)
class _Bin:
    x: float
    late: float
    second: float = math.inf
    valid: bool = True
    on_time: bool = True


class LatenessEnvelope:
    """A line under the lateness of samples over their index: ``lateness = level + slope * (x - x0)``.

    Lateness is the stamp less ``x * period``. A link can only delay: in each half second the least late sample is
    nearest to the truth, and what is later than the others of its kind (a stall, and what it held back) is left out.
    The line goes through the least late samples of the last `window` seconds; one below it pulls it down at once.

    Parameters
    ----------
    period : float
        Nominal period in seconds.
    window : float
        Seconds of samples the line is drawn through.
    before : LatenessEnvelope or None
        The line that ends: of the same device on the same machine, so rate and spread of the arrivals stay.

    Attributes
    ----------
    length : int
        Half seconds that were seen.
    """

    def __init__(self, period: float, *, window: float = 60.0, before: "LatenessEnvelope | None" = None) -> None:
        self._size = max(1, round(_BIN_SECONDS / period))
        self._bins: deque[_Bin] = deque(maxlen=max(8, round(window / _BIN_SECONDS)))
        self._kept, self._wide = _KEPT_RATE * period, _WIDE_RATE * period
        self._usual: float = 0.0 if before is None else before.rate * period
        self._shown: bool = before is not None and before.has_shown(0)
        self._period = period
        self.x0 = self.level = 0.0
        self.slope = self._usual
        self.spread: float = _FIRST_SPREAD if before is None else max(_FIRST_SPREAD, before.spread)
        self.doubt = 0.0
        self.empty = True
        self.length = 0
        self.closed: list[tuple[float, float]] = []
        self._now = _Bin(0.0, math.inf)
        self._end = 0.0
        self._slope_error = self._kept
        # Seconds a sample by which the slope may be wrong before the data say what it is, and from where on.
        self._unknown = self._kept if self._shown else self._wide
        self._first = 0.0
        self._newest = (0.0, 0.0)
        self._wait = self._late = 0.0

    def at(self, x: float) -> float:
        """Return the lateness of the line at index `x`."""
        return self.level + self.slope * (x - self.x0)

    def add(self, first: float, late: NDArray[np.float64]) -> None:
        """Take the lateness of consecutive samples from index `first` on."""
        n = late.shape[0]
        self._newest = (first + n - 1, float(late[-1]))
        at = 0
        while at < n:
            if self.empty:
                self.x0 = self._first = first
                self.level, self.empty = float(late[0]), False
                self._end = first + self._size
            stop = min(n, max(at + 1, math.ceil(self._end - first)))
            part = late[at:stop] if stop - at < n else late
            row = int(part.argmin())
            lowest, x = float(part[row]), first + at + row
            if lowest < self._now.late:
                self._now = _Bin(x, lowest, second=self._now.late)
                self._lower(x, lowest)
            elif lowest < self._now.second:
                self._now.second = lowest
            at = stop
            if first + at >= self._end:
                self._close()
                self._end = first + at + self._size

    def _lower(self, x: float, late: float) -> None:
        """Pull the line down where a sample came earlier than it says: it cannot have come before it was taken."""
        below = self.at(x) - late
        if below > (0.0 if len(self._bins) < 3 else 2.0 * self.spread):
            self.level -= below
            if below > max(0.005, _GATE * self.spread):
                # All that came before was late: it says nothing.
                for item in self._bins:
                    item.valid = item.late - self.at(item.x) < max(0.005, _GATE * self.spread)

    def _close(self) -> None:
        """End a bin and draw the line anew."""
        late, x = self._now.late, self._now.x
        if late == math.inf:
            return
        # Until its rate is known, a device may run away from the line as fast as its rate may be wrong.
        last = next((item.x for item in reversed(self._bins) if item.valid), x)
        known = sum(item.valid for item in self._bins) >= _RATE_KNOWN
        gate = max(0.003, _GATE * self.spread) + (3.0 * self._slope_error if known else self._wide) * (x - last)
        above = late - self.at(x)
        on_time = len(self._bins) < 2 or above < gate
        self._bins.append(_Bin(x, late, second=self._now.second, valid=on_time, on_time=on_time))
        if self._bins[-1].valid:
            self.closed.append((x, late))
            self.doubt = 0.0
        self.length += 1
        self._now = _Bin(0.0, math.inf)
        self._follow_plateau(gate)
        self._fit()
        tail = list(self._bins)[-_PLATEAU:]
        # As long as nothing is on the line, it may be the line that is wrong.
        alone = len(tail) == _PLATEAU and not any(item.valid for item in tail)
        self._late = max(0.0, min(item.late - self.at(item.x) for item in tail)) if alone else 0.0

    def _follow_plateau(self, gate: float) -> None:
        """Believe late bins once they are late alike: the device paused, or its clock was set."""
        tail = list(self._bins)[-_PLATEAU:]
        if len(tail) < _PLATEAU or any(item.valid for item in tail):
            return
        above = [item.late - self.at(item.x) for item in tail]
        if max(above) - min(above) > gate or above[-1] < above[0] - 0.3 * gate:
            return
        for item in self._bins:
            item.valid = False
        for item in tail:
            item.valid = True
        self.doubt = 0.0

    def _fit(self) -> None:
        points = [(item.x, item.late) for item in self._bins if item.valid]
        if len(points) < 2:
            return
        table = np.array(points)
        x, y = table[:, 0], table[:, 1]
        mean_x, mean_y = float(x.mean()), float(y.mean())
        dx = x - mean_x
        sxx = float(dx @ dx)
        free = float(dx @ (y - mean_y)) / sxx
        sigma, kept = max(self.spread, _AGREE), self._kept
        if len(points) >= _PLATEAU:
            own = max(_AGREE, _deviation(y - mean_y - free * dx))
            if abs(free - self._usual) > max(5.0 * own / math.sqrt(sxx), 3.0 * kept):
                # No quartz: an oscillator that is off by up to a hundredth, evenly so.
                sigma, kept = own, self._wide
        prior = (sigma / kept) ** 2
        slope = (free * sxx + self._usual * prior) / (sxx + prior)
        rest = y - mean_y - slope * dx
        # Waits of the earliest arrivals are one-sided, too: the line is under nearly all of them. Not under all: the
        # mapping of the stamps to the host's clock errs by some microseconds on both sides.
        self.x0, self.slope = mean_x, slope
        self.level = mean_y + float(np.quantile(rest, _UNDER))
        if len(points) >= 4:
            self.spread = max(_AGREE, _deviation(rest))
        self._slope_error = sigma / math.sqrt(sxx + prior)
        self._unknown = 0.0 if self._shown or len(points) >= _RATE_KNOWN else abs(free - slope)
        self._first = float(x[0])
        gaps = [item.second - item.late for item in self._bins if item.valid and item.second < math.inf]
        self._wait = float(np.median(gaps)) / _MEDIAN / len(gaps) if gaps else 0.0

    def uncertainty(self, x: float) -> float:
        """Return the expanded uncertainty (k = 2) of the line at index `x`, seconds.

        The earliest arrivals are late, too: by about as much as they differ (`spread`), and where few blocks come in
        half a second, by about as much as the second is later than the first (of m exponential waits of mean s, the
        least is s / m and the next s / (m - 1) more: H. A. David, Order Statistics); of the least of n half seconds it
        is the n-th part, by the same law. With it come the slope, and the wait of a driver's thread (`_FLOOR`). Before
        the rate of the device is known, the line is drawn towards its nominal one: what samples may have run away by
        is added. A delay of the link that is the same for all samples cannot be seen. Where everything has been late
        for two seconds, the line or the link is wrong, and nobody knows which: that is in it.
        """
        slope = self._slope_error * max(0.0, x - self.x0)
        unknown = self._unknown * max(0.0, x - self._first)
        if self._unknown and not self._shown:
            unknown = max(unknown, self._newest[1] - self.at(self._newest[0]))
        return 2.0 * math.hypot(self.spread, self._wait, slope, _FLOOR, 0.5 * unknown) + max(self.doubt, self._late)

    @property
    def rate(self) -> float:
        """Share of the period by which the device's own is longer, as far as that is known."""
        known = sum(item.valid for item in self._bins) >= _RATE_KNOWN
        return (self.slope if known else self._usual) / self._period

    def has_shown(self, bins: int) -> bool:
        """Return whether the rate was seen for long before the newest `bins` half seconds: no oscillator leaves it."""
        known = list(self._bins)[: len(self._bins) - bins]
        return self._shown or sum(item.valid for item in known) >= _SHOWN

    @property
    def fallen(self) -> float:
        """Seconds by which samples come less late now than the first did, at the nominal rate."""
        return -self._bins[-1].late if self._bins else 0.0

    def pace(self, bins: int) -> float | None:
        """Return the mean slope over the newest `bins` half seconds, as a share of the period; None where it is uneven.

        Nothing is left out and there is no prior: it tells whether the device's rate is what it should be. A link that
        chokes for a moment is late, but not evenly so.
        """
        if len(self._bins) < bins:
            return None
        tail = list(self._bins)[-bins:]
        table = np.array([(item.x, item.late) for item in tail])
        if float(np.diff(table[:, 0]).max()) > _BREAK * self._size:
            # How late one end is of a long loss says nothing of the rate at the other.
            return None
        dx = table[:, 0] - table[:, 0].mean()
        late = table[:, 1] - table[:, 1].mean()
        slope = float(dx @ late / (dx @ dx))
        off = float(np.abs(late - slope * dx).max())
        if float(np.ptp(dx)) * (self._period + slope) < _LEAST:
            # All at once: what lay in a buffer while nobody looked.
            return None
        if slope < 0 and not all(item.on_time for item in tail):
            # A link that catches up comes down to the line; a device that is fast goes on below it.
            return None
        return slope / self._period if abs(slope) * float(np.ptp(dx)) > max(6.0 * off, _EVEN) else None

    def steady_pace(self) -> float | None:
        """Return the slope that most half seconds of the last twenty seconds and more have, as a share of the period.

        Unlike `pace`, it looks past those in which the link stood still: it is the median of the slopes between any two
        (H. Theil, P. K. Sen), and None where fewer than two thirds lie on it.
        """
        if len(self._bins) < _STEADY:
            return None
        table = np.array([(item.x, item.late) for item in self._bins])
        one, other = np.triu_indices(table.shape[0], 1)
        slope = float(np.median((table[other, 1] - table[one, 1]) / (table[other, 0] - table[one, 0])))
        rest = table[:, 1] - slope * table[:, 0]
        near = np.abs(rest - np.median(rest)) < _EVEN
        if np.count_nonzero(near) < 2 * near.size / 3 or abs(slope) * float(np.ptp(table[:, 0])) < 3.0 * _EVEN:
            return None
        return slope / self._period


def _deviation(rest: NDArray[np.float64]) -> float:
    """Return the standard deviation of residuals by their median deviation, which strays do not move."""
    return 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
