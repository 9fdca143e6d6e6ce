"""Assembler: makes chunks with health from what a driver delivers. Every live source uses it."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.clock_model import ClockModel, Stamps
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.grid_watch import GridWatch, first_steps, step_range
from bcikit.acquisition.hold import Hold
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.watchdog import STALLED_AFTER
from bcikit.signal import Chunk, Event, Flag, Health, SourceError, StreamInfo

FOREIGN_CLOCK = 10.0
"""Stamps further than this from the host's clock, in seconds, belong to another clock (or were made by `time.time`)."""

GAP_WITHOUT_COUNTER = 0.1
"""Seconds a stamp must jump ahead, in a stream without counter and with jitter, before samples may be lost."""

TRUSTED = 0.01
"""Seconds (or two and a half samples) to which a packet counter and the times must agree for both to be believed."""

RATE_TOLERANCE = 0.01
"""Share by which a device's rate may differ from what it states: quartzes keep 100 ppm, RC oscillators about 1 %."""

_FORGET = 0.999
"""By how much the longest pause without a loss is forgotten from one block to the next."""

_BUNCHED = 0.25
"""Steps shorter than this share of a period are no sampling: the stamps were made when a block arrived."""

_ENOUGH = 12
"""Steps between stamps after which the way they arise is looked at."""

CLOCK_STEP = 0.02
"""Seconds a stamp may go back by jitter where stamps are made when a block is sent (H-DRIFT)."""

CLOCK_STEP_AT_FIRST = 0.15
"""The same, before the jitter is known."""

AHEAD = 1.0
"""Seconds a stamp may lie after the arrival of its sample, more than those before did, before a clock was set."""

AHEAD_ON_ARRIVAL = 0.05
"""The same where stamps are made on this host when samples arrive: a step of the wall clock by less than a second."""


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
        Where it is False, stamps that come in bunches show that they are made on arrival, too.
    rate_tolerance : float
        Share of the nominal rate by which the real one may differ; beyond it, `add` raises.
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
        rate_tolerance: float = RATE_TOLERANCE,
        full_scale: NDArray[np.float64] | None = None,
    ) -> None:
        self.info = info
        self.counter = counter
        self.clock = ClockModel(info.sfreq, made=Stamps.ARRIVAL if stamped_on_arrival else Stamps.SENDER)
        self.tally = Tally()
        self.events: list[Event] = []
        self.foreign_clock = False
        self._stamped_on_arrival = stamped_on_arrival
        self._ahead = AHEAD_ON_ARRIVAL if stamped_on_arrival else AHEAD
        self._lead = 0.0
        self._dejitter = dejitter
        self._stalled = stalled
        self._period = 1.0 / info.sfreq
        self._check = SampleCheck(info, full_scale=full_scale)
        self._rate_tolerance = rate_tolerance
        self._next = 0
        self._shift = 0.0
        self._last_stamp: float | None = None
        self._last_arrival = 0.0
        self._flags = Flag.START
        self._grid = GridWatch(self._period)
        self._usual = self._period
        self._steps = self._bunched = 0
        self._hold: Hold | None = None

    @property
    def next_sample(self) -> int:
        """Index the next sample will have if none is lost."""
        return self._next

    @property
    def dated_by(self) -> str:
        """How times are made: "counter", "sender" or "arrival"."""
        if self.clock.made is Stamps.ARRIVAL and self.counter is not None:
            return "counter"
        return str(self.clock.made)

    @property
    def uncertainty(self) -> float:
        """Expanded uncertainty (k = 2) of the time of the newest sample, seconds; infinite before the first."""
        return self.clock.uncertainty(self._next)

    @property
    def empty(self) -> bool:
        """True where nothing is held back."""
        return self._hold is None

    def set_full_scale(self, full_scale: NDArray[np.float64]) -> None:
        """Say that the gains of the device changed: largest absolute value of each channel."""
        self._check = SampleCheck(self.info, full_scale=full_scale)

    def new_segment(self) -> None:
        """Say that the link was lost: the next block starts a new segment, and what is missing is counted."""
        self._flags |= Flag.RECONNECTED
        self.tally.segments += 1

    def add(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        arrival: float,
        *,
        packets: NDArray[np.float64] | None = None,
        overflow: bool = False,
    ) -> list[Chunk]:
        """Return a block as chunks; after a pause, samples are held back until it shows what the pause was.

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

        Raises
        ------
        SourceError
            If samples come at another rate than the stream states.
        """
        if stamps.shape[0] == 0:
            return self.overdue(arrival)
        if overflow:
            self._flags |= Flag.OVERFLOW
            self.tally.overflows += 1
            self._tell("stream/overflow", arrival)
        if self._last_stamp is not None and arrival - self._last_arrival > self._stalled:
            self._flags |= Flag.STALLED
        plain = self._is_plain(stamps, arrival)
        if not plain:
            stamps = self._to_host(stamps, arrival)
            self._see_kind(stamps)
        self._last_arrival = arrival
        if self._hold is not None:
            self._last_stamp = float(stamps[-1])
            self._hold.add(data, stamps, packets, arrival)
            return self.overdue(arrival)
        return self._sort(data, stamps, packets, arrival, plain=plain)

    def overdue(self, now: float) -> list[Chunk]:
        """Return what was held back and can be let go; call it where nothing comes."""
        if self._hold is None or not self._hold.over(now):
            return []
        return self._let_go(now)

    def _sort(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        packets: NDArray[np.float64] | None,
        arrival: float,
        *,
        plain: bool,
    ) -> list[Chunk]:
        """Give chunks of what can be placed, and hold back what cannot yet."""
        by_arrival = self.clock.made is Stamps.ARRIVAL
        lost: NDArray[np.int64] | None = None
        by_time, doubt, restarted = True, None, False
        rest: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None] | None = None
        if self._flags & Flag.RECONNECTED or (by_arrival and self._last_stamp is None):
            return self._hold_back(data, stamps, packets, arrival, wait=by_arrival)
        if self.counter is not None and packets is not None:
            count = self.counter.count(packets, stamps, guess=not by_arrival)
            doubt, restarted, keep = count.doubt, count.restarted, count.keep
            lost = count.lost if count.lost.any() else None
            if lost is not None and by_arrival and self._is_impossible(stamps, lost, keep):
                # Samples that came before they were taken: the counter began anew at the first step.
                row = int(np.flatnonzero(lost)[0])
                keep = np.arange(lost.shape[0])[:row] if keep is None else keep[:row]
                doubt = row if count.keep is None else int(count.keep[row])
                restarted, lost = True, None
            self.tally.repeated += count.repeated
            self.tally.reordered += count.reordered
            if count.reordered:
                self._flags |= Flag.REORDERED
            by_time = count.from_times
            rest = None if doubt is None else (data[doubt:], stamps[doubt:], packets[doubt:])
            if keep is not None:
                data, stamps = np.ascontiguousarray(data[keep]), stamps[keep]
        elif not plain:
            lost, doubt = self._missing_by_time(stamps)
            rest = None if doubt is None else (data[doubt:], stamps[doubt:], None)
            if doubt is not None:
                data, stamps = data[:doubt], stamps[:doubt]
        chunks: list[Chunk] = []
        if stamps.shape[0]:
            chunks = self._cut(data, stamps, lost, arrival, late=Flag.LATE_COUNT if by_time else Flag.NONE)
            self._last_stamp = float(stamps[-1])
            self._lead = max(0.0, self._last_stamp - arrival)
            self._check_rate()
        if doubt is not None and rest is not None:
            chunks += self._hold_back(*rest, arrival, restarted=restarted)
        return chunks

    def _is_impossible(
        self, stamps: NDArray[np.float64], lost: NDArray[np.int64], keep: NDArray[np.int64] | None
    ) -> bool:
        """Return whether the counter says that samples arrived before they were taken."""
        if not self.clock.settled or not stamps.shape[0]:
            return False
        index = np.arange(lost.shape[0]) + np.cumsum(lost)
        late = self.clock.lateness(self._next, index, stamps if keep is None else stamps[keep])
        return float(late.min()) < -self._trust()

    def _trust(self) -> float:
        """Return the seconds to which counter and times must agree."""
        return max(TRUSTED, 2.5 * self._period, 2.0 * self.clock.uncertainty(self._next))

    def _hold_back(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        packets: NDArray[np.float64] | None,
        arrival: float,
        *,
        restarted: bool = False,
        wait: bool = True,
    ) -> list[Chunk]:
        flags, self._flags = self._flags, Flag.NONE
        self._hold = Hold(arrival, self._period, flags, restarted=restarted)
        self._hold.add(data, stamps, packets, arrival)
        self._last_stamp = float(stamps[-1])
        return [] if wait else self._let_go(arrival)

    def _let_go(self, now: float) -> list[Chunk]:
        """Give what was held: by now it shows how late it was, so what is missing can be counted."""
        assert self._hold is not None
        hold, self._hold = self._hold, None
        data, stamps, packets = hold.whole()
        fresh = bool(hold.flags & Flag.START)
        missing = None
        rest = None
        inner = np.zeros(stamps.shape[0], dtype=np.int64)
        if self.counter is not None and packets is not None:
            missing = None if hold.restarted else self.counter.missing_before(float(packets[0]))
            self.counter.reset()
            count = self.counter.count(packets, stamps, guess=self.clock.made is not Stamps.ARRIVAL)
            self.tally.repeated += count.repeated
            self.tally.reordered += count.reordered
            if count.doubt is not None:
                rest = (data[count.doubt :], stamps[count.doubt :], packets[count.doubt :], count.restarted)
            inner = count.lost
            if count.keep is not None:
                data, stamps = np.ascontiguousarray(data[count.keep]), stamps[count.keep]
        index = np.arange(stamps.shape[0]) + np.cumsum(inner)
        lost, by_time, again = (0, False, True) if fresh else self._judge(hold, missing, index, stamps)
        if again:
            self.clock.restart()
            self._grid.reset()
        self._flags |= hold.flags
        first = self._next + lost
        for start, stop in itertools.pairwise([0, *np.flatnonzero(inner[1:] > 0) + 1, stamps.shape[0]]):
            self.clock.take(first + int(index[start]), stamps[start:stop])
        inner[0] += lost
        late = Flag.LATE_COUNT if by_time else Flag.NONE
        chunks = self._cut(data, stamps, inner if inner.any() else None, now, late=late, taken=True)
        if rest is not None:
            chunks += self._hold_back(*rest[:3], now, restarted=rest[3])
        else:
            self._last_stamp = float(stamps[-1])
            self._lead = max(0.0, self._last_stamp - now)
        return chunks

    def _judge(
        self, hold: Hold, missing: int | None, index: NDArray[np.int64], stamps: NDArray[np.float64]
    ) -> tuple[int, bool, bool]:
        """Return what is missing before held samples, whether the times say so, and whether the line begins anew.

        Parameters
        ----------
        hold : Hold
            What was held.
        missing : int or None
            What the counter says, less whole laps.
        index, stamps : ndarray, shape (n,)
            The held samples, counted from the first, and their stamps.
        """
        segment = bool(hold.flags & Flag.RECONNECTED)
        if not self.clock.ready:
            return missing or 0, False, segment
        late = float(self.clock.lateness(self._next, index, stamps).min()) * self.info.sfreq
        trust = self._trust() * self.info.sfreq
        if missing is not None and self.counter is not None:
            laps = max(0, round((late - missing) / self.counter.lap))
            counted = missing + round(laps * self.counter.lap)
            off = late - counted
            if abs(off) <= min(trust, 0.25 * self.counter.lap):
                return counted, laps > 0, segment
            if not segment and missing == 0 and late > 0:
                # The very next packet, and what passed are no whole laps: the device paused.
                return 0, False, True
        if late <= trust and not segment:
            return 0, True, False
        return max(0, round(late)), True, segment or abs(late) > trust

    def _cut(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        lost: NDArray[np.int64] | None,
        arrival: float,
        *,
        late: Flag,
        taken: bool = False,
    ) -> list[Chunk]:
        if lost is None:
            return [self._chunk(data, stamps, 0, arrival, late, taken=taken)]
        edges = [int(edge) for edge in np.flatnonzero(lost)]
        if not edges or edges[0] != 0:
            edges = [0, *edges]
        edges.append(stamps.shape[0])
        return [
            self._chunk(data[start:stop], stamps[start:stop], int(lost[start]), arrival, late, taken=taken)
            for start, stop in itertools.pairwise(edges)
        ]

    def _chunk(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        lost: int,
        arrival: float,
        late: Flag,
        *,
        taken: bool,
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
        if not taken:
            self.clock.take(first, stamps)
        times = self.clock.times(first, n) if self._dejitter else self.clock.raw(stamps)
        mask = self._check.mask(data)
        if mask is not None:
            self.tally.bad_samples += int(np.count_nonzero(mask))
        if lost:
            self._tell("stream/gap", float(times[0]), sample=first, value=lost)
        return Chunk(data, times, first, Health(lost, mask, arrival - float(times[-1]), flags))

    def _check_rate(self) -> None:
        rate = self.clock.wrong_rate(self._rate_tolerance)
        if rate is not None:
            raise SourceError(
                f"{self.info.name!r} states {self.info.sfreq:g} Hz and gives {rate:.4g} samples a second: every filter "
                f"and every time would be wrong. If that is the device's rate, say so: option 'sfreq={rate:.0f}' of "
                "the address. If not, set the device, or mend the link."
            )

    def _see_kind(self, stamps: NDArray[np.float64]) -> None:
        """Find out whether stamps that should be a sender's are made when blocks arrive: they come in bunches."""
        if self.clock.made is Stamps.ARRIVAL or self._steps >= _ENOUGH * 50 or stamps.shape[0] < 2:
            return
        steps = np.diff(stamps)
        self._steps += steps.shape[0]
        self._bunched += int(np.count_nonzero(np.abs(steps) < _BUNCHED * self._period))
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
        if self._steps < _ENOUGH and not self._stamped_on_arrival and self.clock.made is not Stamps.ARRIVAL:
            return False
        if self.counter is None:
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
        rows = np.flatnonzero(steps > self._period + tolerance)
        if not self._grid.exact or self.clock.made is Stamps.ARRIVAL:
            return None, int(rows[0])
        lost = np.zeros(stamps.shape[0], dtype=np.int64)
        lost[rows] = np.maximum(0, np.rint(steps[rows] * self.info.sfreq - 1.0)).astype(np.int64)
        return (lost, None) if lost.any() else (None, None)

    def _tell(self, name: str, time: float, *, sample: int | None = None, value: float | str | None = None) -> None:
        self.events.append(Event(name=name, time=time, sample=sample, value=value, source="acquisition"))
