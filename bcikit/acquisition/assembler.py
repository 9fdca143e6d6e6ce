"""Assembler: makes chunks with health from what a driver delivers. Every live source uses it."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.clock_model import Stamps
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.hold import Hold
from bcikit.acquisition.losses import Loss, LossEvidence, weigh
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.stamp_reader import StampReader
from bcikit.acquisition.watchdog import STALLED_AFTER
from bcikit.signal import Chunk, Flag, Health, SourceError, StreamInfo

TRUSTED = 0.01
"""Seconds (or two and a half samples) to which a packet counter and the times must agree for both to be believed."""

RATE_TOLERANCE = 0.01
"""Share by which a device's rate may differ from what it states: quartzes keep 100 ppm, RC oscillators about 1 %."""


class Assembler(StampReader):
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

    Attributes
    ----------
    asked : float
        When the device was last asked to stream, seconds on the host's clock: what comes was taken after that.
    dropped : list of int or None
        Of all rows that `add` was given, counted from the first, those that are in no chunk (packets that came twice
        or late), for who sets it to a list and takes them out.
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
        super().__init__(info, counted=counter is not None, stamped_on_arrival=stamped_on_arrival)
        self.counter = counter
        self.asked = -math.inf
        self.dropped: list[int] | None = None
        self._decided = 0
        self._dejitter = dejitter
        self._stalled = stalled
        self._check = SampleCheck(info, full_scale=full_scale)
        self._rate_tolerance = rate_tolerance
        self._hold: Hold | None = None
        self._early: list[Chunk] = []
        self._goes_on = False
        self._known_to = 0.0

    @property
    def dated_by(self) -> str:
        """How times are made: "counter", "sender" or "arrival"."""
        if self.clock.made is Stamps.ARRIVAL and self.counter is not None:
            return "counter"
        return str(self.clock.made)

    @property
    def uncertainty(self) -> float:
        """Expanded uncertainty (k = 2) of the time of the newest sample, seconds; infinite before the first."""
        return self.clock.uncertainty(self._next) + self._shift_doubt

    @property
    def seeming_rate(self) -> float | None:
        """Rate that samples seem to come at, Hz, where that is not the stated one but nobody can be sure yet."""
        return self.clock.wrong_rate(self._rate_tolerance, sure=False)

    @property
    def empty(self) -> bool:
        """True where nothing is held back."""
        return self._hold is None and not self._early

    def follow(self, counter: PacketCounter) -> None:
        """Say how the packet counter of the device runs, once that is known."""
        self.counter, self._counted = counter, True

    def set_full_scale(self, full_scale: NDArray[np.float64]) -> None:
        """Say that the gains of the device changed: largest absolute value of each channel."""
        self._check = SampleCheck(self.info, full_scale=full_scale)

    def new_segment(self) -> None:
        """Say that the link was lost: the next block starts a new segment, and what is missing is counted."""
        while self._hold is not None:
            # What is held came over the link that is gone, and is not weighed with what the next one brings.
            self._early += self._let_go(self._hold.newest)
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
        stamps = self._numbers(stamps, arrival)
        plain = self._is_plain(stamps, arrival)
        if not plain:
            stamps = self._to_host(stamps, arrival)
            self._see_kind(stamps)
        self._last_arrival = arrival
        self._see_delay(stamps, arrival)
        if self._hold is not None:
            self._last_stamp = float(stamps[-1])
            self._hold.add(data, stamps, packets, arrival)
            return self.overdue(arrival)
        return [*self._take_early(), *self._sort(data, stamps, packets, arrival, plain=plain)]

    def overdue(self, now: float) -> list[Chunk]:
        """Return what was held back and can be let go; call it where nothing comes."""
        early = self._take_early()
        if self._hold is None or not self._hold.over(now, still_late=self._is_still_late()):
            return early
        return early + self._let_go(now)

    def _take_early(self) -> list[Chunk]:
        early, self._early = self._early, []
        return early

    def _is_still_late(self) -> bool:
        """Return whether what is held is the very next of the device, and late: then a link still catches up.

        A device that paused looks alike; it shows by staying late.
        """
        hold = self._hold
        if hold is None or hold.flags & Flag.RECONNECTED or hold.restarted or self.counter is None:
            return False
        if self.clock.made is not Stamps.ARRIVAL or not self.clock.settled or hold.packets[0] is None:
            return False
        if self.counter.missing_before(float(hold.packets[0][0])) != 0:
            return False
        return hold.least - self.clock.predict(self._next) > self._trust()

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
        rows = stamps.shape[0]
        keep: NDArray[np.int64] | None = None
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
        self._decide(rows if doubt is None else doubt, keep)
        chunks: list[Chunk] = []
        if stamps.shape[0]:
            chunks = self._cut(data, stamps, lost, arrival, late=Flag.LATE_COUNT if by_time else Flag.NONE)
            self._last_stamp = float(stamps[-1])
            self._lead = max(0.0, self._last_stamp - arrival)
            self._check_rate()
        if doubt is not None and rest is not None:
            chunks += self._hold_back(*rest, arrival, restarted=restarted)
        return chunks

    def _decide(self, rows: int, keep: NDArray[np.int64] | None) -> None:
        """Take note which of the next rows are given."""
        if self.dropped is not None and keep is not None:
            self.dropped += (self._decided + np.setdiff1d(np.arange(rows), keep)).tolist()
        self._decided += rows

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
        keep: NDArray[np.int64] | None = None
        decided = stamps.shape[0]
        inner = np.zeros(stamps.shape[0], dtype=np.int64)
        if self.counter is not None and packets is not None:
            missing = None if hold.restarted else self.counter.missing_before(float(packets[0]))
            self.counter.reset()
            count = self.counter.count(packets, stamps, guess=self.clock.made is not Stamps.ARRIVAL)
            self.tally.repeated += count.repeated
            self.tally.reordered += count.reordered
            if count.doubt is not None:
                decided = count.doubt
                rest = (data[decided:], stamps[decided:], packets[decided:], count.restarted)
            inner, keep = count.lost, count.keep
            if keep is not None:
                data, stamps = np.ascontiguousarray(data[keep]), stamps[keep]
        self._decide(decided, keep)
        index = np.arange(stamps.shape[0]) + np.cumsum(inner)
        loss = Loss(lost=0, anew=True) if fresh else self._weigh(hold, missing, index, stamps)
        self._goes_on |= loss.goes_on
        if loss.anew:
            self.clock.restart()
            self.clock.backlog = max(0.0, float(stamps[0]) - self.asked) if self.asked > -math.inf else 0.0
            self._grid.reset()
        elif loss.by_time and loss.doubt:
            self.clock.doubt(loss.doubt * self._period)
        self._flags |= hold.flags
        first = self._next + loss.lost
        for start, stop in itertools.pairwise([0, *np.flatnonzero(inner[1:] > 0) + 1, stamps.shape[0]]):
            self.clock.take(first + int(index[start]), stamps[start:stop])
        inner[0] += loss.lost
        late = Flag.LATE_COUNT if loss.by_time else Flag.NONE
        self._known_to = loss.doubt * self._period
        chunks = self._cut(data, stamps, inner if inner.any() else None, now, late=late, taken=True)
        self._known_to = 0.0
        if rest is not None:
            chunks += self._hold_back(*rest[:3], now, restarted=rest[3])
        else:
            self._last_stamp = float(stamps[-1])
            self._lead = max(0.0, self._last_stamp - now)
        return chunks

    def _weigh(self, hold: Hold, missing: int | None, index: NDArray[np.int64], stamps: NDArray[np.float64]) -> Loss:
        """Return what is missing before held samples, which are counted from the first in `index`."""
        lost_link = bool(hold.flags & Flag.RECONNECTED)
        if not self.clock.ready:
            return Loss(lost=missing or 0, anew=lost_link)
        on_arrival = self.clock.made is Stamps.ARRIVAL
        if not lost_link and not hold.calm and on_arrival:
            # The link still catches up, so it stood still: the line goes on as if nothing had been.
            return Loss(lost=missing or 0, by_time=missing is None)
        return weigh(self._evidence(hold, missing, float(self.clock.lateness(self._next, index, stamps).min())))

    def _evidence(self, hold: Hold, missing: int | None, late: float) -> LossEvidence:
        lost_link = bool(hold.flags & Flag.RECONNECTED)
        first, counter = hold.packets[0], self.counter
        return LossEvidence(
            late=late * self.info.sfreq,
            trust=self._trust() * self.info.sfreq,
            missing=missing,
            lap=math.inf if counter is None else counter.lap,
            lost_link=lost_link,
            begins=counter is not None and first is not None and counter.begins(float(first[0])),
            goes_on=self._goes_on,
            on_arrival=self.clock.made is Stamps.ARRIVAL,
            asked=(self.asked - self.clock.predict(self._next)) * self.info.sfreq if lost_link else -math.inf,
        )

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
            self._tell("stream/gap", float(times[0]), sample=first, value=lost, uncertainty=self._known_to)
        return Chunk(data, times, first, Health(lost, mask, arrival - float(times[-1]), flags))

    def _check_rate(self) -> None:
        rate = self.clock.wrong_rate(self._rate_tolerance)
        if rate is not None:
            raise SourceError(
                f"{self.info.name!r} states {self.info.sfreq:g} Hz and gives {rate:.4g} samples a second: every filter "
                f"and every time would be wrong. If that is the device's rate, say so: option 'sfreq={rate:.4g}' of "
                "the address. If not, set the device, or mend the link."
            )
