"""What a packet counter tells: how many samples are missing, repeated or out of order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, check_int, check_range

REORDER_LIMIT = 64
"""A counter that goes back by at most this many packets, without time having passed, is a packet out of order."""


LARGEST_COUNT = 2.0**53
"""Beyond it, floating-point numbers do not count any more."""

_FIT = 1.5
"""Samples to which the times must fit whole laps of a counter that goes on as if nothing had happened."""

_FIRST = 3
"""Values of a counter, in steps from 0, at which a stream may have been started: its first packet may be lost."""

_FORGET = 0.999
"""By how much the longest pause without a loss is forgotten from one block to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What the counter says of a block of samples.

    Attributes
    ----------
    lost : ndarray of int64, shape (n_kept,)
        Samples missing before each sample that is kept.
    keep : ndarray of int64, shape (n_kept,), or None
        Rows to keep, in order; None where all rows stay as they are.
    repeated : int
        Packets that came twice and were dropped.
    reordered : int
        Packets that came out of order.
    from_times : bool
        True if a loss was too long for the counter alone and its wraps were counted from the times.
    doubt : int or None
        First row, of those that were given, that the counter cannot place: nothing from it on was counted.
    restarted : bool
        The doubt is that the counter began anew.
    """

    lost: NDArray[np.int64]
    keep: NDArray[np.int64] | None = None
    repeated: int = 0
    reordered: int = 0
    from_times: bool = False
    doubt: int | None = None
    restarted: bool = False


class PacketCounter:
    """Follows a counter that wraps, with one state for the whole stream.

    Parameters
    ----------
    modulus : int
        The counter runs from `first` to ``first + modulus - 1`` and wraps.
    sfreq : float
        Samples a second, to tell from the times how often the counter wrapped in a long loss.
    step : int
        How much the counter grows from one packet to the next.
    samples_per_packet : int
        Samples that share one value of the counter.

    Notes
    -----
    A counter with modulus ``M`` cannot tell a loss of ``m`` from one of ``m + k M``. The number of wraps ``k`` is
    taken from the time that passed: ``k = round((dt * sfreq - d) / M)`` with ``d`` the step that was seen. Where the
    counter goes on as if nothing had happened (``d = 1``), a pause without loss is far likelier (1 in M losses ends
    there by chance), so wraps are believed only if the times fit them to one and a half samples, and only if the pause
    is twice as long as those that were seen without a loss: stamps made on arrival in bursts have pauses all the time.
    """

    def __init__(self, modulus: int, sfreq: float, *, step: int = 1, samples_per_packet: int = 1) -> None:
        self.modulus = check_int("modulus", modulus, low=4)
        self.sfreq = check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
        self.step = check_int("step", step, low=1)
        self.samples_per_packet = check_int("samples_per_packet", samples_per_packet, low=1)
        if self.modulus % self.step:
            raise ArgumentError(f"step is {step}; it must divide the modulus {modulus}.")
        self._last: float | None = None
        self._last_time = 0.0
        self._in_packet = 0
        self._pause = 1.0
        self._behind: float | None = None

    @property
    def lap(self) -> float:
        """Samples after which the counter has the same value again."""
        return self.modulus * self.samples_per_packet / self.step

    def missing_before(self, value: float) -> int | None:
        """Return how many samples are missing before a packet, less whole laps; None where nothing came before."""
        if self._last is None or not np.isfinite(value):
            return None
        delta = (value - self._last) % self.modulus
        seen = round(delta * self.samples_per_packet / self.step)
        rest = max(0, self.samples_per_packet - self._in_packet)
        return int((seen - self.samples_per_packet + rest) % round(self.lap))

    def begins(self, value: float) -> bool:
        """Return whether a value is one of the first after a start: devices count from 0, or from their first step."""
        return bool(np.isfinite(value)) and value < _FIRST * self.step

    def reset(self) -> None:
        """Forget the last packet: the next one begins a new segment."""
        self._last = self._behind = None

    def count(self, packets: NDArray[np.float64], times: NDArray[np.float64], *, guess: bool = True) -> Count:
        """Return what is missing before each sample of a block.

        Parameters
        ----------
        packets, times : ndarray, shape (n,)
            The counter and the time in seconds of each sample, in the order of arrival.
        guess : bool
            Where the counter cannot tell alone, take the times as they are; False stops there (`Count.doubt`).
        """
        n = packets.shape[0]
        if n and not float(np.abs(packets).max()) < LARGEST_COUNT:
            packets = self._filled(packets)
        if self._last is None and n:
            self._last = float(packets[0]) - self.step
            self._last_time = float(times[0]) - 1.0 / self.sfreq
            self._in_packet = self.samples_per_packet
        self._pause = max(1.0, _FORGET * self._pause)
        if self.samples_per_packet == 1 and n:
            delta = np.empty(n)
            delta[0] = packets[0] - self._last
            np.subtract(packets[1:], packets[:-1], out=delta[1:])
            span = self.modulus - self.step
            if not ((delta != self.step) & (delta != -span)).any():
                time_step = np.diff(times, prepend=self._last_time)
                # A whole wrap lost looks like no loss: only the clock can tell.
                longest = float(time_step.max()) * self.sfreq
                if longest < (0.75 * self.lap if guess else self._doubtful):
                    self._pause = max(longest, self._pause)
                    self._last, self._last_time = float(packets[-1]), float(times[-1])
                    return Count(lost=np.zeros(n, dtype=np.int64))
        return self._walk(packets, times, guess=guess)

    def _filled(self, packets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a block in which a count that is no number is the one that was due."""
        packets = packets.copy()
        before = 0.0 if self._last is None else self._last
        for row, value in enumerate(packets.tolist()):
            if not abs(value) < LARGEST_COUNT:
                packets[row] = (before + self.step) % self.modulus
            before = float(packets[row])
        return packets

    @property
    def _doubtful(self) -> float:
        """Samples' worth of time without a sample after which a lap may have been lost."""
        return max(0.5 * self.lap, 1.5 * self._pause, 0.1 * self.sfreq)

    def _walk(self, packets: NDArray[np.float64], times: NDArray[np.float64], *, guess: bool) -> Count:
        """Go through a block sample by sample: the rare case in which something is wrong."""
        lost: list[int] = []
        keep: list[int] = []
        repeated = reordered = 0
        from_times = False
        doubt: int | None = None
        restarted = False
        for row in range(packets.shape[0]):
            value, time = float(packets[row]), float(times[row])
            assert self._last is not None
            delta = (value - self._last) % self.modulus
            elapsed = max(0.0, time - self._last_time) * self.sfreq
            if not guess and elapsed > self._doubtful:
                doubt = row
                break
            if not guess and self._is_reordered(delta, elapsed) and self._goes_on(packets, row):
                doubt, restarted = row, True
                break
            if not np.isfinite(value):
                missing = 0
            elif delta == 0 and self._in_packet < self.samples_per_packet and elapsed < self.modulus / 2:
                self._in_packet += 1
                missing = 0
            elif delta == 0 and elapsed < self.modulus / 2:
                repeated += 1
                continue
            elif self._is_reordered(delta, elapsed):
                reordered += 1
                self._behind = value
                continue
            else:
                missing, wrapped = self._missing(delta, elapsed)
                from_times |= wrapped
                self._in_packet = 1
                if not missing:
                    self._pause = max(elapsed, self._pause)
            if np.isfinite(value):
                self._last = value
                self._behind = None
            self._last_time = time
            keep.append(row)
            lost.append(missing)
        whole = packets.shape[0] if doubt is None else doubt
        rows = None if len(keep) == whole == packets.shape[0] else np.array(keep, dtype=np.int64)
        return Count(
            lost=np.array(lost, dtype=np.int64),
            keep=rows,
            repeated=repeated,
            reordered=reordered,
            from_times=from_times,
            doubt=doubt,
            restarted=restarted,
        )

    def _goes_on(self, packets: NDArray[np.float64], row: int) -> bool:
        """Return whether a counter that went back goes on from there: a device that started anew, no stray packet."""
        value = float(packets[row])
        after = row + 1 < packets.shape[0] and (float(packets[row + 1]) - value) % self.modulus == self.step
        before = self._behind is not None and (value - self._behind) % self.modulus == self.step
        return after or before

    def _is_reordered(self, delta: float, elapsed: float) -> bool:
        back = self.modulus - delta
        return delta > self.modulus / 2 and back <= min(REORDER_LIMIT, self.modulus // 4) and elapsed < 0.5 * delta

    def _missing(self, delta: float, elapsed: float) -> tuple[int, bool]:
        """Return samples missing for a step of the counter, and whether the times had to say how often it wrapped."""
        per_step = self.samples_per_packet / self.step
        seen = delta * per_step
        lap = self.modulus * per_step
        # Of the time that passed, so much may be a pause as there are without a loss.
        slack = self._pause - self.samples_per_packet
        wraps = max(0, round((elapsed - seen) / lap))
        if wraps and slack > lap / 4:
            wraps = 0 if delta in (0, self.step) else max(0, round((elapsed - 2.0 * slack - seen) / lap))
        elif wraps:
            off = abs(seen + wraps * lap - elapsed)
            if delta in (0, self.step):
                wraps = 0 if off > _FIT or elapsed - seen <= 2.0 * slack else wraps
            elif off > lap / 4:
                wraps = 0
        # What is missing of the packet before, where a packet holds several samples.
        rest = self.samples_per_packet - self._in_packet
        missing = round(seen + wraps * lap) - self.samples_per_packet + max(0, rest)
        return max(0, missing), wraps > 0
