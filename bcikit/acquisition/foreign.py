"""Whose clock stamps were made by: found out by holding them against the arrival of what they belong to."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.unix_clock import UnixClock

OLDEST = 60.0
"""Seconds before its arrival that a stamp may lie and still be of the host's clock: a buffer was full."""

NEWEST = 5.0
"""Seconds after its arrival that a stamp may lie: a sender that announces what it will do."""

SOONEST = 0.5
"""The same for samples: none is taken after it came. Some senders count a block on from when its first was there."""

BEHIND = 1.0
"""Seconds by which even the quickest samples come after their stamps before the stamps are in doubt."""

_FIRST = 2.0
"""Seconds of samples after which that is looked at."""

_UNITS = (("seconds", 1.0), ("milliseconds", 1e-3), ("microseconds", 1e-6), ("nanoseconds", 1e-9))

_UNIX_UNCERTAINTY = 0.001
"""Seconds to which UNIX time of this machine is known on LSL's clock: it is measured each second, to a tenth of a
millisecond on a busy machine, and an operating system slews its wall clock by 500 ppm at most (adjtime)."""


@dataclass(frozen=True, slots=True)
class ClockOf:
    """Whose clock stamps are of.

    Attributes
    ----------
    name : str
        "host" (LSL's clock, after its correction), "unix", or "arrival": no clock that can be told.
    unit : str
        In what the stamps count.
    factor : float
        Seconds a unit.
    """

    name: str
    unit: str = "seconds"
    factor: float = 1.0

    @property
    def words(self) -> str:
        """Say it to a person."""
        if self.name == "unix":
            return f"stamps are UNIX time in {self.unit} and are mapped to this host's clock"
        if self.name == "arrival":
            return "stamps are of no clock that this host knows; the times of arrival are used instead"
        return "stamps are of LSL's clock"


HOST = ClockOf("host")
ARRIVAL = ClockOf("arrival")


def plausible(times: NDArray[np.float64], arrivals: NDArray[np.float64], newest: float = NEWEST) -> NDArray[np.bool_]:
    """Return which times can be those of what arrived then, and lie at most `newest` seconds after it."""
    with np.errstate(invalid="ignore"):
        late = arrivals - times
        return np.asarray((late > -newest) & (late < OLDEST))


def clock_of(
    stamps: NDArray[np.float64],
    correction: float,
    arrivals: NDArray[np.float64],
    unix: UnixClock,
    newest: float = NEWEST,
) -> ClockOf:
    """Return whose clock made stamps: the first under which most of them are plausible.

    Parameters
    ----------
    stamps, arrivals : ndarray, shape (n,)
        As they were sent, and when each arrived on the host's clock.
    correction : float
        What LSL adds to bring the sender's clock to this host's.
    unix : UnixClock
        Maps UNIX time.
    newest : float
        Seconds after its arrival that a stamp may lie.
    """
    if plausible(stamps + correction, arrivals, newest).mean() > 0.5:
        return HOST
    for unit, factor in _UNITS:
        if plausible(stamps * factor + unix.offset, arrivals, newest).mean() > 0.5:
            return ClockOf("unix", unit, factor)
    return ARRIVAL


class StampMap:
    """Brings the stamps of a stream of samples to the host's clock, whoever made them.

    Stamps that are plausible and rise go through at once. Others are kept until it shows what they are: a block of
    garbage before good stamps, UNIX time, a stamp for each block, or nothing that can be used: stamps that fall, or
    stand still while blocks come.

    Parameters
    ----------
    period : float
        Seconds a sample.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._unix = UnixClock()
        self.clock: ClockOf | None = None
        self._kept: list[tuple[NDArray[np.float64], float]] = []
        self._began: float | None = None
        self._behind = math.inf

    def behind(self, times: NDArray[np.float64], arrival: float) -> float | None:
        """Return by how many seconds all samples of the first while come after their stamps, where that is too long.

        It is said once: a link that needs so long is as bad for a decision as a clock that is wrong.
        """
        if self._began is None:
            self._began = arrival
        elif self._began == math.inf:
            return None
        self._behind = min(self._behind, arrival - float(times.max()))
        if arrival - self._began < _FIRST:
            return None
        self._began = math.inf
        return self._behind if self._behind > BEHIND else None

    @property
    def uncertainty(self) -> float:
        """What the mapping adds to the uncertainty of a time, seconds."""
        return _UNIX_UNCERTAINTY if self.clock is not None and self.clock.name == "unix" else 0.0

    def map(
        self, stamps: NDArray[np.float64], correction: float, arrival: float
    ) -> list[tuple[NDArray[np.float64], float]]:
        """Return the times of this block and of the blocks that waited for it, each with its arrival, in order."""
        if self.clock is None:
            arrivals = np.full(stamps.shape[0], arrival)
            rising = stamps.shape[0] > 1 and float(stamps[-1]) > float(stamps[0])
            if not self._kept and rising and plausible(stamps + correction, arrivals, SOONEST).all():
                self.clock = HOST
            else:
                self._kept.append((stamps.copy(), arrival))
                if len(self._kept) < 4 or arrival - self._kept[0][1] < 0.3:
                    return []
                blocks = [kept for kept, _ in self._kept[1:]]
                every = np.concatenate(blocks)
                when = np.concatenate([np.full(kept.shape[0], at) for kept, at in self._kept[1:]])
                self.clock = clock_of(every, correction, when, self._unix, SOONEST)
                if _stand_or_fall(blocks):
                    self.clock = ARRIVAL
                kept, self._kept = self._kept, []
                return self._mend([(self._times(block, correction, at), at) for block, at in kept])
        return [(self._times(stamps, correction, arrival), arrival)]

    def _times(self, stamps: NDArray[np.float64], correction: float, arrival: float) -> NDArray[np.float64]:
        clock = self.clock
        assert clock is not None
        if clock.name == "arrival":
            return np.full(stamps.shape[0], arrival)
        if clock.name == "unix":
            return np.asarray(stamps * clock.factor + self._unix.refresh())
        return np.asarray(stamps + correction)

    def _mend(self, blocks: list[tuple[NDArray[np.float64], float]]) -> list[tuple[NDArray[np.float64], float]]:
        """Date what has no plausible stamp by the samples that have one: the first block of some senders is garbage."""
        times = np.concatenate([block for block, _ in blocks])
        arrivals = np.concatenate([np.full(block.shape[0], at) for block, at in blocks])
        good = np.flatnonzero(plausible(times, arrivals))
        if good.size and good.size < times.size:
            row = np.arange(times.size)
            nearest = good[np.clip(np.searchsorted(good, row), 0, good.size - 1)]
            bad = ~np.isin(row, good)
            times[bad] = times[nearest[bad]] + (row[bad] - nearest[bad]) * self._period
        edges = np.cumsum([block.shape[0] for block, _ in blocks])[:-1]
        return [(part, at) for part, (_, at) in zip(np.split(times, edges), blocks, strict=True)]


def _stand_or_fall(blocks: list[NDArray[np.float64]]) -> bool:
    """Return whether stamps tell no time: they fall, or stay the same from one block to the next."""
    steps = np.diff(np.concatenate(blocks))
    still = sum(float(one[-1]) == float(other[0]) for one, other in itertools.pairwise(blocks))
    return bool(np.mean(steps < 0) > 0.5) or still > 0.5 * (len(blocks) - 1)


class MarkerClock:
    """Dates markers, one at a time: by their stamp where it can be theirs, by UNIX time, or by their arrival."""

    def __init__(self) -> None:
        self._unix = UnixClock()
        self.clock: ClockOf | None = None

    def date(self, stamp: float, correction: float, arrival: float, *, waited: float) -> tuple[float, float]:
        """Return the time of a marker and its uncertainty, both in seconds.

        Parameters
        ----------
        stamp, correction : float
            As it was sent, and what LSL adds to it.
        arrival, waited : float
            When it was taken, and how long before that nobody looked.
        """
        self._unix.refresh()
        one, at = np.array([stamp]), np.array([arrival])
        clock = clock_of(one, correction, at, self._unix) if math.isfinite(stamp) else ARRIVAL
        if clock.factor == 1.0 and stamp % 1.0 == 0.0:
            # Whole seconds: when it came says more.
            clock = ARRIVAL
        self.clock = clock
        if clock.name == "arrival":
            return arrival, waited
        time, known_to = stamp + correction, 0.0
        if clock.name == "unix":
            time, known_to = stamp * clock.factor + self._unix.offset, _UNIX_UNCERTAINTY
        # A text needs no second to come, and nobody knows that far ahead: the stamp or the link is wrong.
        late = arrival - time - waited if arrival > time else time - arrival
        return time, known_to if late <= BEHIND else abs(arrival - time)
