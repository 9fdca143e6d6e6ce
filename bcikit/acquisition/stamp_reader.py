"""What the stamps of a stream say: whether they are plain, of whose clock, how they arise, and what is missing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.clock_model import ClockModel, Stamps
from bcikit.acquisition.grid_watch import GridWatch, first_steps, step_range
from bcikit.acquisition.stamps import BUNCHED, LARGEST_STAMP
from bcikit.signal import Event, Flag, StreamInfo

FOREIGN_CLOCK = 10.0
"""Stamps further than this from the host's clock, in seconds, belong to another clock (or were made by `time.time`)."""

GAP_WITHOUT_COUNTER = 0.1
"""Seconds a stamp must jump ahead, in a stream without counter and with jitter, before samples may be lost."""

_FORGET = 0.999
"""By how much the longest pause without a loss is forgotten from one block to the next."""

_ENOUGH = 12
"""Steps between stamps after which the way they arise is looked at."""

CLOCK_STEP = 0.02
"""Seconds a stamp may go back by jitter where stamps are made when a block is sent (H-DRIFT)."""

CLOCK_STEP_AT_FIRST = 0.15
"""The same, before the jitter is known."""

AHEAD = 1.0
"""Seconds a stamp may lie after the arrival of its sample, more than those before did, before a clock was set."""

QUICKER = 0.25
"""Share of a step of the stamps by which their samples must come sooner than any before: then a clock was set, and
nothing is lost, as a link only delays."""

_SOONER = 0.005
"""Seconds that this is at least: the quickest arrivals of a second differ by less."""

_PAUSED = 0.1
"""Seconds without a sample, where a clock is set, that are a pause and not the lateness of one block."""

_DELAY_SECONDS = 1.0
"""Seconds of samples of which the quickest says how long the link takes."""

_UNDONE_SECONDS = 2.5
"""Seconds within which a step back to where a clock was is the end of the step before; offsets are a second old."""

_MAPPED_TO = 0.001
"""Seconds to which stamps of a clock that was set are known at best, as the delay of a link is."""

AHEAD_ON_ARRIVAL = 0.05
"""The same where stamps are made on this host when samples arrive: a step of the wall clock by less than a second."""


@dataclass(slots=True)
class StreamTally:
    """What happened to a stream so far."""

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    repeated: int = 0
    reordered: int = 0
    clock_steps: int = 0
    overflows: int = 0
    segments: int = 1
    bad_samples: int = 0


class StampReader:
    """Brings stamps to the host's clock and finds what is missing by them; the assembler does the rest.

    Parameters
    ----------
    info : StreamInfo
        What the stream is; `info.sfreq` must be above 0.
    counted : bool
        True where a packet counter says what is missing.
    stamped_on_arrival : bool
        True where the driver stamps samples on this host when they arrive.
    """

    def __init__(self, info: StreamInfo, *, counted: bool, stamped_on_arrival: bool) -> None:
        self.info = info
        self.clock = ClockModel(info.sfreq, made=Stamps.ARRIVAL if stamped_on_arrival else Stamps.SENDER)
        self.tally = StreamTally()
        self.events: list[Event] = []
        self.foreign_clock = False
        self._counted = counted
        self._stamped_on_arrival = stamped_on_arrival
        self._ahead = AHEAD_ON_ARRIVAL if stamped_on_arrival else AHEAD
        self._lead = 0.0
        self._period = 1.0 / info.sfreq
        self._next = 0
        self._shift = 0.0
        self._last_stamp: float | None = None
        self._last_arrival = 0.0
        self._flags = Flag.START
        self._grid = GridWatch(self._period)
        self._usual = self._period
        self._steps = self._bunched = 0
        self._quickest = [math.inf, math.inf]
        self._quickest_since = -math.inf
        self._shift_doubt = 0.0
        self._last_step = (0.0, -math.inf)

    @property
    def shift(self) -> float | None:
        """Seconds from the clock of the stamps to the host's, as of the newest one; None before the first."""
        return None if self._last_stamp is None else self._shift

    def _numbers(self, stamps: NDArray[np.float64], arrival: float) -> NDArray[np.float64]:
        """Return stamps that are numbers: what a sender's clock cannot have said is dated by its neighbours."""
        # Worded so that NaN is none; one pass where all is well.
        if float(np.abs(stamps).max()) < LARGEST_STAMP:
            return stamps
        good = np.flatnonzero(np.abs(stamps) < LARGEST_STAMP)
        index = np.arange(stamps.shape[0])
        self._tell("stream/stamps", arrival, value="no-number")
        if good.size:
            between = np.interp(index, good, stamps[good])
            # Before the first and behind the last that is a number, by the period.
            return np.asarray(between + (index - np.clip(index, good[0], good[-1])) * self._period)
        before = (
            arrival - self._period * stamps.shape[0] if self._last_stamp is None else self._last_stamp - self._shift
        )
        return np.asarray(before + self._period * (index + 1), dtype=np.float64)

    def _see_kind(self, stamps: NDArray[np.float64]) -> None:
        """Find out whether stamps that should be a sender's are made when blocks arrive: they come in bunches."""
        if self.clock.made is Stamps.ARRIVAL or self._steps >= _ENOUGH * 50 or stamps.shape[0] < 2:
            return
        steps = np.diff(stamps)
        self._steps += steps.shape[0]
        self._bunched += int(np.count_nonzero(np.abs(steps) < BUNCHED * self._period))
        if self._steps >= min(_ENOUGH, stamps.shape[0] - 1) and self._bunched > 0.5 * self._steps:
            self.clock.learn(Stamps.ARRIVAL)
            self._tell("stream/stamps", float(stamps[-1]), value="arrival")

    def _is_plain(self, stamps: NDArray[np.float64], arrival: float) -> bool:
        """Tell in few passes whether the times of a block are as they should be, which they nearly always are."""
        last = self._last_stamp
        if last is None or self._shift or self._flags & Flag.RECONNECTED:
            return False
        if float(stamps[-1]) - arrival > self._lead + self._ahead:
            return False
        low, high = step_range(last, stamps)
        if low < (0.0 if self._stamped_on_arrival else -CLOCK_STEP):
            return False
        if not self._stamped_on_arrival and high > self._period + CLOCK_STEP:
            in_bunches = self.clock.made is Stamps.ARRIVAL
            if not in_bunches or min(self._quickest) - arrival + float(stamps[-1]) > CLOCK_STEP:
                return False
        if self._steps < _ENOUGH and not self._stamped_on_arrival and self.clock.made is not Stamps.ARRIVAL:
            return False
        if not self._counted:
            if high > 1.5 * self._period and high > self._period + self._tolerance():
                return False
            self._usual = max(high, _FORGET * self._usual)
            self._grid.see(stamps.shape[0], low, high)
        return True

    def _to_host(self, stamps: NDArray[np.float64], arrival: float) -> NDArray[np.float64]:
        """Bring stamps of a clock that is not the host's, went back, or jumped, onto the host's clock."""
        if self._last_stamp is None:
            if abs(float(stamps[-1]) - arrival) > FOREIGN_CLOCK:
                self.foreign_clock = True
                self._shift = arrival - float(stamps[-1])
                self._tell("stream/foreign-clock", arrival, value=-self._shift)
            return stamps + self._shift if self._shift else stamps
        if self._shift:
            stamps = stamps + self._shift
        steps = np.diff(stamps, prepend=self._last_stamp)
        if self._stamped_on_arrival or not self.clock.ready:
            wrong = steps < (0.0 if self._stamped_on_arrival else -CLOCK_STEP)
        elif self.clock.made is Stamps.ARRIVAL:
            # A block that is sent later is stamped later.
            wrong = steps < -CLOCK_STEP
        else:
            # Against the line: a block that was sent late is followed by a step back, and no clock was set.
            behind = stamps - (self.clock.predict(self._next) + self.clock.k(stamps.shape[0]) * self._period)
            floor = CLOCK_STEP if self.clock.settled else CLOCK_STEP_AT_FIRST
            wrong = (steps < -CLOCK_STEP) & (behind < -max(floor, 6.0 * self.clock.jitter))
        # Stamps far ahead of the arrival of the very sample they are for cannot be a loss: the clock was set.
        ahead = stamps - arrival > self._lead + max(self._ahead, 6.0 * self.clock.jitter)
        wrong |= self._set_forward(stamps, steps, arrival)
        if not ahead.any() and not wrong.any():
            return stamps
        stamps = stamps.copy()
        wrong |= (steps > self._ahead) & ahead
        for row in np.flatnonzero(wrong):
            before = float(stamps[row - 1]) if row else self._last_stamp
            expected = self._expected(before, int(row), stamps, arrival)
            step = float(stamps[row]) - expected
            stamps[row:] -= step
            self._shift -= step
            self.tally.clock_steps += not self._undone(step, expected)
            self._flags |= Flag.CLOCK
            self._tell("stream/clock", expected, value=step)
            self.clock.restart(clock_reset=True)
        return stamps

    def _undone(self, step: float, at: float) -> bool:
        """Tell whether a step ends the one before: the offset to a wall clock that was set is measured anew."""
        before, since = self._last_step
        undone = at - since < _UNDONE_SECONDS and abs(before + step) < 0.5 * abs(before)
        self._last_step = (0.0, -math.inf) if undone else (step, at)
        return undone

    def _set_forward(
        self, stamps: NDArray[np.float64], steps: NDArray[np.float64], arrival: float
    ) -> NDArray[np.bool_]:
        """Return at which stamp the clock of a sender was set forward: its samples then come sooner than any can."""
        wrong = np.zeros(stamps.shape[0], dtype=bool)
        quickest = min(self._quickest)
        if self._stamped_on_arrival or not self.clock.ready or quickest == math.inf:
            return wrong
        off = float(stamps[-1]) - self.clock.predict(self._next + stamps.shape[0] - 1)
        sooner = quickest - (arrival - float(stamps[-1]))
        if self.clock.made is Stamps.ARRIVAL:
            found = sooner > CLOCK_STEP
        else:
            found = off > max(CLOCK_STEP, 6.0 * self.clock.jitter) and sooner > max(_SOONER, QUICKER * off)
        if found:
            wrong[int(steps.argmax())] = True
        return wrong

    def _expected(self, before: float, row: int, stamps: NDArray[np.float64], arrival: float) -> float:
        """Return what a stamp would be, had the clock not been set: `before` is the stamp of the sample before."""
        n = stamps.shape[0]
        quickest = min(self._quickest)
        if self._stamped_on_arrival or quickest == math.inf:
            # From the newest sample of the block before to the first of this one.
            paused = arrival - self._last_arrival - (n - 1) * self._period if row == 0 else 0.0
            return max(before + self._period, min(before + paused, arrival) if row in (0, n - 1) else before)
        if self.clock.made is Stamps.ARRIVAL:
            # A stamp is that of a block, not of a sample: this block was as quick as others.
            self._shift_doubt += max(_MAPPED_TO, self.clock.uncertainty(self._next))
            return arrival - quickest - float(stamps[-1] - stamps[row])
        # Later than if nothing was lost: by the lateness of this block, or by a pause while the clock was set.
        later = arrival - quickest - (n - 1 - row) * self._period - (before + self._period)
        self._shift_doubt += max(_MAPPED_TO, abs(later) if later < _PAUSED else min(later, _PAUSED))
        return before + self._period + (later if later >= _PAUSED else 0.0)

    def _see_delay(self, stamps: NDArray[np.float64], arrival: float) -> None:
        """Take note of how soon the newest sample of a block was there; the quickest of a second or two is kept."""
        if arrival - self._quickest_since > _DELAY_SECONDS:
            self._quickest, self._quickest_since = [math.inf, self._quickest[0]], arrival
        self._quickest[0] = min(self._quickest[0], arrival - float(stamps[-1]))

    def _tolerance(self) -> float:
        """Return the seconds a step may exceed the period before samples may be lost."""
        if self.clock.made is Stamps.ARRIVAL:
            return max(GAP_WITHOUT_COUNTER, 1.5 * self._period, 1.8 * self._usual)
        if self._grid.exact:
            return 0.6 * self._period
        return max(GAP_WITHOUT_COUNTER, 1.5 * self._period, 10.0 * self.clock.jitter)

    def _missing_by_time(self, stamps: NDArray[np.float64]) -> tuple[NDArray[np.int64] | None, int | None]:
        """Return what is missing before each sample of a stream without counter, and the first one in doubt.

        On an exact grid the steps tell; elsewhere a pause is looked at once it shows whether the link catches up.
        """
        if self._last_stamp is None or not self.clock.ready:
            self._grid.see(*first_steps(stamps, self._period))
            return None, None
        steps = np.diff(stamps, prepend=self._last_stamp)
        tolerance = self._tolerance()
        longest = float(steps.max())
        if longest <= self._period + tolerance:
            self._grid.see(stamps.shape[0], float(steps.min()), longest)
            self._usual = max(longest, _FORGET * self._usual)
            return None, None
        if self._grid.exact:
            # Stamps that went back before they went on are no grid: what looks like a loss is the way back.
            self._grid.see(stamps.shape[0], float(steps.min()), self._period)
            tolerance = self._tolerance()
        rows = np.flatnonzero(steps > self._period + tolerance)
        if not rows.size:
            return None, None
        if not self._grid.exact or self.clock.made is Stamps.ARRIVAL:
            return None, int(rows[0])
        lost = np.zeros(stamps.shape[0], dtype=np.int64)
        lost[rows] = np.maximum(0, np.rint(steps[rows] * self.info.sfreq - 1.0)).astype(np.int64)
        return (lost, None) if lost.any() else (None, None)

    def _tell(
        self,
        name: str,
        time: float,
        *,
        sample: int | None = None,
        value: float | str | None = None,
        uncertainty: float = 0.0,
    ) -> None:
        data = {"uncertainty": uncertainty} if uncertainty else {}
        self.events.append(Event(name=name, time=time, sample=sample, value=value, source="acquisition", data=data))
