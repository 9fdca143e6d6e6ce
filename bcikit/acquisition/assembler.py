"""Assembler: makes chunks with health from what a driver delivers. Every live source uses it."""

import itertools
from dataclasses import dataclass
from operator import sub

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.clock_model import ClockModel
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.watchdog import STALLED_AFTER
from bcikit.signal import Chunk, Event, Flag, Health, StreamInfo

FOREIGN_CLOCK = 10.0
"""Stamps further than this from the host's clock, in seconds, belong to another clock (or were made by `time.time`)."""

GAP_WITHOUT_COUNTER = 0.1
"""Seconds a stamp must jump ahead, in a stream without counter and with jitter, before samples count as lost."""

CLOCK_STEP = 0.02
"""Seconds a stamp may go back by jitter where stamps are made when a block is sent (H-DRIFT)."""

CLOCK_STEP_AT_FIRST = 0.15
"""The same, before the jitter is known."""

AHEAD = 1.0
"""Seconds a stamp may lie after the arrival of its sample, more than those before did, before a clock was set."""

AHEAD_ON_ARRIVAL = 0.05
"""The same where stamps are made on this host when samples arrive: a step of the wall clock by less than a second."""

_SMALL = 32


@dataclass(slots=True)
class Tally:
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


class Assembler:
    """Turns blocks from a driver into chunks.

    It counts what is missing (packet counter, else times), drops packets that came twice, maps stamps to smooth host
    times, marks bad samples, and splits a block where samples are missing, so that a chunk never spans a gap.

    Parameters
    ----------
    info : StreamInfo
        What the stream is; `info.sfreq` must be above 0.
    counter : PacketCounter or None
        Follows the packet counter of the device, if it has one.
    stamped_on_arrival : bool
        True where the driver stamps samples on this host when they arrive (BrainFlow): such stamps never go back.
    dejitter : bool
        Give smooth times instead of the stamps.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        counter: PacketCounter | None = None,
        stamped_on_arrival: bool = False,
        dejitter: bool = True,
        stalled: float = STALLED_AFTER,
    ) -> None:
        self.info = info
        self.counter = counter
        self.clock = ClockModel(info.sfreq)
        self.tally = Tally()
        self.events: list[Event] = []
        self.foreign_clock = False
        self._stamped_on_arrival = stamped_on_arrival
        self._ahead = AHEAD_ON_ARRIVAL if stamped_on_arrival else AHEAD
        self._lead = 0.0
        self._dejitter = dejitter
        self._stalled = stalled
        self._period = 1.0 / info.sfreq
        self._check = SampleCheck(info)
        self._next = 0
        self._shift = 0.0
        self._last_stamp: float | None = None
        self._last_arrival = 0.0
        self._flags = Flag.START
        self._grid = _GridWatch(self._period)

    @property
    def next_sample(self) -> int:
        """Index the next sample will have if none is lost."""
        return self._next

    def new_segment(self) -> None:
        """Say that the link was lost: the next block starts a new segment, the gap counted from the times."""
        self._flags |= Flag.RECONNECTED
        self.tally.segments += 1
        if self.counter is not None:
            self.counter.reset()

    def add(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        arrival: float,
        *,
        packets: NDArray[np.float64] | None = None,
        overflow: bool = False,
    ) -> list[Chunk]:
        """Return a block as chunks.

        Parameters
        ----------
        data : ndarray of float64, shape (n, n_channels)
            In the unit of `info`; it is kept, not copied.
        stamps : ndarray of float64, shape (n,)
            Stamps of the driver, mapped to the host's clock as well as the driver can.
        arrival : float
            Time on the host's clock at which the block was in hand.
        packets : ndarray, shape (n,), or None
            Packet counter of each sample.
        overflow : bool
            The driver's buffer was full: samples before this block may be gone.
        """
        if stamps.shape[0] == 0:
            return []
        if overflow:
            self._flags |= Flag.OVERFLOW
            self.tally.overflows += 1
            self._tell("stream/overflow", arrival)
        if self._last_stamp is not None and arrival - self._last_arrival > self._stalled:
            self._flags |= Flag.STALLED
        plain = self._is_plain(stamps, arrival)
        if not plain:
            stamps = self._to_host(stamps, arrival)
        lost: NDArray[np.int64] | None = None
        by_time = True
        if self._flags & Flag.RECONNECTED:
            lost = self._across_segments(stamps)
        elif self.counter is not None and packets is not None:
            count = self.counter.count(packets, stamps)
            if count.keep is not None:
                data, stamps = np.ascontiguousarray(data[count.keep]), stamps[count.keep]
                self.tally.repeated += count.repeated
                self.tally.reordered += count.reordered
                if count.reordered:
                    self._flags |= Flag.REORDERED
            by_time = count.from_times
            lost = count.lost if count.lost.any() else None
        elif not plain:
            lost = self._missing_by_time(stamps)
        if self._flags & Flag.RECONNECTED and self.counter is not None and packets is not None:
            self.counter.count(packets, stamps)
        if stamps.shape[0] == 0:
            return []
        self._last_arrival = arrival
        chunks = self._cut(data, stamps, lost, arrival, late=Flag.LATE_COUNT if by_time else Flag.NONE)
        self._last_stamp = float(stamps[-1])
        self._lead = max(0.0, self._last_stamp - arrival)
        return chunks

    def _cut(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        lost: NDArray[np.int64] | None,
        arrival: float,
        *,
        late: Flag,
    ) -> list[Chunk]:
        if lost is None:
            return [self._chunk(data, stamps, 0, arrival, late)]
        edges = [int(edge) for edge in np.flatnonzero(lost)]
        if not edges or edges[0] != 0:
            edges = [0, *edges]
        edges.append(stamps.shape[0])
        return [
            self._chunk(data[start:stop], stamps[start:stop], int(lost[start]), arrival, late)
            for start, stop in itertools.pairwise(edges)
        ]

    def _chunk(
        self, data: NDArray[np.float64], stamps: NDArray[np.float64], lost: int, arrival: float, late: Flag
    ) -> Chunk:
        flags, self._flags = self._flags, Flag.NONE
        n = data.shape[0]
        if lost:
            flags |= Flag.GAP | late
            self._next += lost
            self.tally.lost += lost
            self.tally.gaps += 1
        first = self._next
        self._next = first + n
        self.tally.samples += n
        if flags & (Flag.GAP | Flag.RECONNECTED | Flag.STALLED):
            self._check.reset()
            self._follow_pause(first, stamps)
        times = self.clock.update(first, stamps) if self._dejitter else self._raw_times(first, stamps)
        mask = self._check.mask(data)
        if mask is not None:
            self.tally.bad_samples += int(np.count_nonzero(mask))
        if lost:
            self._tell("stream/gap", float(times[0]), sample=first, value=lost)
        return Chunk(data, times, first, Health(lost, mask, arrival - float(times[-1]), flags))

    def _raw_times(self, first: int, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        self.clock.update(first, stamps)
        return self.clock.raw(stamps)

    def _is_plain(self, stamps: NDArray[np.float64], arrival: float) -> bool:
        """Tell in few passes whether the times of a block are as they should be, which they nearly always are."""
        last = self._last_stamp
        if last is None or self._shift or self._flags & Flag.RECONNECTED:
            return False
        if float(stamps[-1]) - arrival > self._lead + self._ahead:
            return False
        low, high = _step_range(last, stamps)
        if low < (0.0 if self._stamped_on_arrival else -CLOCK_STEP):
            return False
        if self.counter is None:
            if high > 1.5 * self._period and high > self._period + self._grid.tolerance(self.clock):
                return False
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
        else:
            # Against the line: a block that was sent late is followed by a step back, and no clock was set.
            behind = stamps - (self.clock.predict(self._next) + self.clock.k(stamps.shape[0]) * self._period)
            floor = CLOCK_STEP if self.clock.settled else CLOCK_STEP_AT_FIRST
            wrong = (steps < -CLOCK_STEP) & (behind < -max(floor, 6.0 * self.clock.jitter))
        # Stamps far ahead of the arrival of the very sample they are for cannot be a loss: the clock was set.
        ahead = stamps - arrival > self._lead + max(self._ahead, 6.0 * self.clock.jitter)
        if not ahead.any() and not wrong.any():
            return stamps
        stamps = stamps.copy()
        wrong |= (steps > self._ahead) & ahead
        for row in np.flatnonzero(wrong):
            before = float(stamps[row - 1]) if row else self._last_stamp
            last_of_block = row == stamps.shape[0] - 1
            paused = arrival - self._last_arrival if row == 0 else 0.0
            expected = max(
                before + self._period, min(before + paused, arrival) if last_of_block or row == 0 else before
            )
            step = float(stamps[row]) - expected
            stamps[row:] -= step
            self._shift -= step
            self.tally.clock_steps += 1
            self._flags |= Flag.CLOCK
            self._tell("stream/clock", expected, value=step)
            self.clock.restart(clock_reset=True)
        return stamps

    def _across_segments(self, stamps: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the gap of a lost link from the times."""
        lost = np.zeros(stamps.shape[0], dtype=np.int64)
        if self._last_stamp is not None:
            lost[0] = max(0, round((float(stamps[0]) - self._last_stamp) * self.info.sfreq) - 1)
        self.clock.restart()
        self._grid.reset()
        return lost

    def _missing_by_time(self, stamps: NDArray[np.float64]) -> NDArray[np.int64] | None:
        """Count what is missing in a stream without counter, or return None where nothing is."""
        if self._last_stamp is None or not self.clock.ready:
            self._grid.see(*_first_steps(stamps, self._period))
            return None
        steps = np.diff(stamps, prepend=self._last_stamp)
        tolerance = self._grid.tolerance(self.clock)
        longest = float(steps.max())
        if longest <= self._period + tolerance:
            self._grid.see(stamps.shape[0], float(steps.min()), longest)
            return None
        lost = np.zeros(stamps.shape[0], dtype=np.int64)
        added = 0
        for row in np.flatnonzero(steps > self._period + tolerance):
            # Against the line, not the neighbour: a block that came late and is followed by a rush has lost nothing.
            index = self._next + int(row) + added
            behind = (float(stamps[row]) - self.clock.predict(index)) * self.info.sfreq
            by_step = steps[row] * self.info.sfreq - 1.0
            missing = round(min(behind, by_step) if not self._grid.exact else by_step)
            if missing > 0:
                lost[row] = missing
                added += missing
        return lost if added else None

    def _follow_pause(self, first: int, stamps: NDArray[np.float64]) -> None:
        """Start a new line where time went on but the samples did not: a device that paused without losing any."""
        if self.clock.ready:
            off = float(stamps[0]) - self.clock.predict(first)
            if abs(off) > max(0.05, 6.0 * self.clock.jitter):
                self.clock.restart()

    def _tell(self, name: str, time: float, *, sample: int | None = None, value: float | None = None) -> None:
        self.events.append(Event(name=name, time=time, sample=sample, value=value, source="acquisition"))


def _step_range(last: float, stamps: NDArray[np.float64]) -> tuple[float, float]:
    """Return the shortest and the longest step from one stamp to the next, `last` before the first."""
    if stamps.shape[0] > _SMALL:
        steps = np.diff(stamps, prepend=last)
        return float(steps.min()), float(steps.max())
    # For a handful of numbers Python is faster than three calls of numpy with cold caches.
    values = stamps.tolist()
    listed = list(map(sub, values, [last, *values]))
    return min(listed), max(listed)


def _first_steps(stamps: NDArray[np.float64], period: float) -> tuple[int, float, float]:
    """Return number, shortest and longest step of a block that follows nothing."""
    if stamps.shape[0] == 1:
        return 1, period, period
    return stamps.shape[0], *_step_range(float(stamps[0]), stamps[1:])


class _GridWatch:
    """Learns whether stamps lie on an exact grid: then a single missing sample shows in the times."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._needed = round(1.0 / period)
        self.reset()

    def reset(self) -> None:
        self._seen = 0
        self._worst = 0.0

    def see(self, n: int, shortest: float, longest: float) -> None:
        """Take note of the shortest and the longest step in a block of `n` samples."""
        self._worst = max(self._worst, longest - self._period, self._period - shortest)
        self._seen += n

    @property
    def exact(self) -> bool:
        return self._seen >= self._needed and self._worst < 0.25 * self._period

    def tolerance(self, clock: ClockModel) -> float:
        """Return the seconds a step may exceed the period without a loss."""
        if self.exact:
            return 0.6 * self._period
        return max(GAP_WITHOUT_COUNTER, 1.5 * self._period, 10.0 * clock.jitter)
