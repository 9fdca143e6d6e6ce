"""What the stamps of a file say: the true rate, which samples are missing, and when the others were taken.

A stamp is the time at which somebody noticed a sample: never much too early, often too late, many at once. So what
counts is how late stamps are against an even grid (`late` below), and of that the lower envelope: a link that stalls is
late and catches up, however slowly, and the envelope stays; samples that were lost raise it for ever.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.blocks import SIZE, blocks, some_rows, step_blocks
from bcikit.signal import SourceError

GAP = 0.1
"""Seconds by which a stamp must be late to count as a gap, where stamps are no even grid."""

BAND = 0.005
"""A true rate within this share of the nominal one is the nominal one on a real clock; beyond it they contradict."""

BUNCHED = 0.25
"""Steps shorter than this share of a period are no sampling: the stamps were made when a block arrived."""

BACK = 0.25
"""Seconds by which stamps must go back, and stay back, to count as a clock that was set."""

LARGEST_STAMP = 1e13
"""Seconds that no clock says, whatever its beginning: 300,000 years."""

MOST_SAMPLES = 1e11
"""Samples that no recording has, lost ones counted: a month at 40 kHz."""

_REACH = 60.0
"""Seconds in which a link that held samples back must have caught up."""

_LOW = 10.0
"""Percentile that stands for the lower envelope of lateness."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """What the stamps of a stream came to.

    Attributes
    ----------
    samples : ndarray of int64, shape (n_times,)
        Index of each sample, lost ones counted.
    times : ndarray of float64, shape (n_times,)
        Seconds, smooth between losses, strictly rising.
    rate : float
        Samples a second that the stamps say, in Hz.
    uncertainty : float
        Half the width of what the rate may be as well, as a share of it.
    jitter : float
        Spread of the lateness of stamps, seconds.
    unknown : int
        Stamps that were no number or stood alone, and were put between their neighbours.
    back : int
        How often the clock was set back and the stamps were moved on.
    unexplained : int
        Samples that the span holds room for, without a gap at which they could be missing.
    still : bool
        Whether all stamps are one: then the times are counted, and nothing is known of them.
    together : float
        How many samples come with one stamp, where stamps come in blocks; else 1.
    """

    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    rate: float
    uncertainty: float = 0.0
    jitter: float = 0.0
    unknown: int = 0
    back: int = 0
    unexplained: int = 0
    still: bool = False
    together: float = 1.0

    @property
    def lost(self) -> int:
        """Samples missing between the first and the last."""
        n = self.samples.shape[0]
        return 0 if n == 0 else int(self.samples[-1] - self.samples[0]) + 1 - n

    @property
    def gaps(self) -> int:
        """Number of places at which samples are missing."""
        return int(np.count_nonzero(np.diff(self.samples) > 1))

    def contradicts(self, nominal: float) -> bool:
        """Return whether the rate that was found cannot be the nominal one."""
        return abs(self.rate / nominal - 1.0) > max(BAND, self.uncertainty)


def on_grid(stamps: NDArray[np.float64], nominal: float = 0.0) -> Grid:
    """Return rate, indices and times of samples from their stamps.

    Parameters
    ----------
    stamps : ndarray, shape (n_times,)
        Seconds, in the order of arrival, with the jitter of whoever made them.
    nominal : float
        Rate in Hz that is stated; 0 where none is.

    Raises
    ------
    SourceError
        If there are too few stamps, or they do not rise, so that no rate can be had.
    """
    stamps = np.asarray(stamps, dtype=np.float64)
    n = stamps.shape[0]
    if n and not max(-float(stamps.min()), float(stamps.max())) < LARGEST_STAMP:
        stamps = np.where(np.abs(stamps) < LARGEST_STAMP, stamps, np.nan)
        if not np.isfinite(stamps).any():
            raise SourceError(f"none of its times is a number below {LARGEST_STAMP:g} s. State the unit of the times.")
    stamps, unknown = _known(stamps)
    if n < 3 or stamps[-1] == stamps[0]:
        if nominal <= 0 or not n:
            raise SourceError("its times do not rise, so the sampling rate is unknown. State it: sfreq=256.")
        index = np.arange(n, dtype=np.int64)
        times = stamps[0] + index / nominal
        return Grid(samples=index, times=times, rate=nominal, uncertainty=1.0, unknown=unknown, still=n > 2)
    even = _even_step(stamps)
    period = even or _first_period(stamps, nominal)
    stamps, back = _forward(stamps, period)
    span = float(stamps[-1] - stamps[0])
    if period > 0 and not max(span, float(stamps.max() - stamps.min())) / period < MOST_SAMPLES:
        raise SourceError(
            f"its times span {span:g} s in steps of {period:g} s: most of its samples would be lost ones."
        )
    if period <= 0 or stamps[-1] <= stamps[0]:
        raise SourceError("its times do not rise, so the sampling rate is unknown. State it: sfreq=256.")
    lost: dict[int, int] = {}
    ends = _block_ends(stamps, period)
    for _ in range(3):
        lost = _losses(stamps, period, even=even > 0)
        fresh = _period(stamps, lost, period, ends)
        if abs(fresh / period - 1.0) < 1e-6:
            break
        period = fresh
    samples = np.arange(n, dtype=np.int64)
    missing = 0
    for start, stop in itertools.pairwise([*lost, n]):
        missing += lost[start]
        samples[start:stop] += missing
    some = some_rows(n)
    late = stamps[some] - period * samples[some]
    jitter = float(np.subtract(*np.percentile(late - _trend(late), [95, 5])))
    # What stays, once the indices are counted, is that the envelope at the end is later than at the beginning.
    reach = max(1, min(n // 4, round(10.0 / period)))
    after, before = (_low(stamps[part] - period * samples[part]) for part in (slice(-reach, None), slice(reach)))
    rest = (after - before) / period
    return Grid(
        samples=samples,
        times=_times(stamps, lost, period, ends),
        rate=1.0 / period,
        uncertainty=min(1.0, 2.0 * (jitter + 0.5 * period) / span),
        jitter=jitter,
        unknown=unknown,
        back=back,
        unexplained=max(0, round(rest)) if rest > max(1.0, 0.003 * n, 2.0 * jitter / period) else 0,
        together=1.0 if ends is None else n / ends.shape[0],
    )


def _block_ends(stamps: NDArray[np.float64], period: float) -> NDArray[np.int64] | None:
    """Return the rows of the last samples of blocks that have one stamp each; None where samples have their own."""
    some = some_rows(stamps.shape[0] - 1)
    if float(np.mean(np.abs(stamps[some + 1] - stamps[some]) >= BUNCHED * period)) >= 0.5:
        return None
    found = [start + np.flatnonzero(steps >= BUNCHED * period) for start, steps in step_blocks(stamps)]
    return np.concatenate([*found, [stamps.shape[0] - 1]]).astype(np.int64)


def _known(stamps: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return stamps without those that are no number or stand alone, far from both neighbours, and how many these were.

    They are put on the line between their neighbours.
    """
    if all(float(np.abs(steps).max()) <= 1.0 for _, steps in step_blocks(stamps)):
        # Nothing is far from anything (which no number would be, either).
        return stamps, 0
    bad = ~np.isfinite(stamps)
    good = np.flatnonzero(~bad)
    if good.size >= 5:
        kept = stamps[good]
        steps = np.abs(np.diff(kept))
        limit = max(1.0, 20.0 * float(np.percentile(steps, 90)))
        # Alone is what is far from both sides while these are near each other.
        alone = (steps[:-1] > limit) & (steps[1:] > limit) & (np.abs(kept[2:] - kept[:-2]) < limit)
        bad[good[1:-1][alone]] = True
        if steps[0] > limit and steps[1] < limit and kept[0] > kept[1]:
            bad[good[0]] = True
        if steps[-1] > limit and steps[-2] < limit and kept[-1] < kept[-2]:
            bad[good[-1]] = True
    count = int(np.count_nonzero(bad))
    if not count or count >= stamps.shape[0] - 1:
        return stamps if not count else np.nan_to_num(stamps), count
    index = np.arange(stamps.shape[0], dtype=np.float64)
    filled = stamps.copy()
    filled[bad] = np.interp(index[bad], index[~bad], stamps[~bad])
    usual = float(np.median(np.diff(stamps[~bad])))
    first, last = int(np.flatnonzero(~bad)[0]), int(np.flatnonzero(~bad)[-1])
    filled[:first] = stamps[first] - usual * (first - index[:first])
    filled[last + 1 :] = stamps[last] + usual * (index[last + 1 :] - last)
    return filled, count


def _even_step(stamps: NDArray[np.float64]) -> float:
    """Return the period of stamps whose steps are all whole multiples of one; 0 where they are not."""
    some = some_rows(stamps.shape[0] - 1)
    usual = float(np.median(stamps[some + 1] - stamps[some]))
    if usual <= 0:
        return 0.0
    total = count = 0.0
    backward = 0
    for _, steps in step_blocks(stamps):
        if 0.75 * usual < float(steps.min()) and float(steps.max()) < 1.25 * usual:
            total, count = total + float(steps.sum()), count + steps.size
            continue
        forward = steps[steps > -0.5 * usual]
        backward += steps.size - forward.size
        short = forward[forward < 10.5 * usual]
        times = np.maximum(1.0, np.rint(short / usual))
        if np.any(np.abs(short - times * usual) > 0.25 * usual):
            return 0.0
        total, count = total + float(short.sum()), count + float(times.sum())
    return 0.0 if backward > 0.02 * (stamps.shape[0] - 1) or not count else total / count


def _first_period(stamps: NDArray[np.float64], nominal: float) -> float:
    """Return a first guess of the period: the nominal one unless the stamps say clearly otherwise."""
    n = stamps.shape[0]
    span = float(stamps.max() - stamps.min())
    guess = 1.0 / nominal if nominal > 0 else span / (n - 1)
    size = max(1, n // 64, min(n // 8, round(0.5 * n / max(span, 1e-9))))
    if n // size < 4:
        return guess
    ramp = guess * np.arange(size)
    where, low = [], []
    for start in range(0, n // size * size, size):
        late = stamps[start : start + size] - ramp
        where.append(start + int(np.argmin(late)))
        low.append(float(late.min()) - guess * start)
    slopes = np.diff(low) / np.maximum(1, np.diff(where))
    middle = float(np.median(slopes))
    doubt = 1.5 * float(np.median(np.abs(slopes - middle))) / np.sqrt(slopes.size)
    return guess + middle if abs(middle) > max(0.01 * guess, 3.0 * doubt) or nominal <= 0 else guess


def _forward(stamps: NDArray[np.float64], period: float) -> tuple[NDArray[np.float64], int]:
    """Return stamps whose clock was never set back, and how often it was: stamps that go back and stay back."""
    if period <= 0:
        return stamps, 0
    rows = np.concatenate([start + 1 + np.flatnonzero(steps < -BACK) for start, steps in step_blocks(stamps)])
    if not rows.size:
        return stamps, 0
    moved, count = stamps.copy(), 0
    reach = max(2, round(10.0 / period))
    late = moved - period * np.arange(moved.shape[0])
    for row in rows.tolist():
        before, after = late[max(0, row - reach) : row], late[row : row + reach]
        fall = float(np.median(before) - np.median(after))
        if fall > 0.6 * float(late[row - 1] - late[row]):
            moved[row:] += fall
            late[row:] += fall
            count += 1
    return moved, count


def _low(late: NDArray[np.float64]) -> float:
    return float(np.percentile(late, _LOW))


def _trend(late: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slow part of the lateness: its median over a hundred stretches."""
    size = max(1, late.shape[0] // 100)
    edges = np.arange(0, late.shape[0], size)
    middle = np.array([np.median(late[start : start + size]) for start in edges])
    return np.interp(np.arange(late.shape[0]), edges + 0.5 * size, middle)


def _losses(stamps: NDArray[np.float64], period: float, *, even: bool) -> dict[int, int]:
    """Return how many samples are missing before which rows."""
    n = stamps.shape[0]

    def late(start: int, stop: int) -> NDArray[np.float64]:
        return stamps[start:stop] - period * np.arange(start, stop)

    def above(limit: float) -> NDArray[np.int64]:
        return np.concatenate([start + 1 + np.flatnonzero(steps > limit) for start, steps in step_blocks(stamps)])

    if even:
        # Stamps on a grid: a step says how many are missing, unless the ones that follow catch it up.
        found = {}
        for row in above(1.6 * period).tolist():
            shift = float(np.median(late(row, min(n, row + 9))) - np.median(late(max(0, row - 9), row)))
            one = round(float(stamps[row] - stamps[row - 1]) / period - 1.0)
            found[row] = one if shift > 0.5 * one * period else max(0, round(shift / period))
        return {row: count for row, count in found.items() if count}
    # A step that comes with every burst is none.
    some = some_rows(n - 1)
    usual_steps = stamps[some + 1] - stamps[some]
    usual = float(np.percentile(usual_steps, 99))
    tolerance = max(GAP, 1.5 * period, 1.3 * usual if np.mean(usual_steps > 0.5 * usual) > 2e-3 else 0.0)
    rows = above(tolerance)
    size = max(1, min(n // 8 or 1, round(2.0 / period)))
    far = max(size, round(_REACH / period))
    edge = 0
    lost: dict[int, int] = {}
    for position, row in enumerate(rows.tolist()):
        following = int(rows[position + 1]) if position + 1 < rows.size else n
        before = _envelope(late(max(edge, row - far), row), size, from_end=True)
        # What comes after the next gap can only be later: it never hides a link that caught up.
        after = _envelope(late(row, min(n, max(following, row + far))), size, from_end=False)
        # It caught up in less than a window, just before samples were lost: a window over both would not show it.
        after = min(after, _low(late(row, following)))
        late_by = after - before
        step = float(stamps[row] - stamps[row - 1])
        if late_by > 0.6 * min(tolerance, step) and late_by > 0.2 * step and round(late_by / period) > 0:
            lost[row] = round(late_by / period)
            edge = row
    return _balanced(lost, stamps, period)


def _envelope(late: NDArray[np.float64], size: int, *, from_end: bool) -> float:
    """Return the lowest level of a stretch: of windows of `size`, the one that is least late."""
    n = late.shape[0]
    if n <= size:
        return _low(late)
    starts = range(n - size, -1, -size) if from_end else range(0, n - size + 1, size)
    return min(_low(late[start : start + size]) for start in starts)


def _balanced(lost: dict[int, int], stamps: NDArray[np.float64], period: float) -> dict[int, int]:
    """Return losses that the whole span has room for; where they are too many, the smallest are none."""
    n = stamps.shape[0]
    reach = max(1, min(n // 4, round(10.0 / period)))
    begin, end = stamps[:reach] - period * np.arange(reach), stamps[-reach:] - period * np.arange(n - reach, n)
    room = (_low(end) - _low(begin)) / period
    slack = max(2.0, 0.002 * n)
    for row in sorted(lost, key=lambda row: (lost[row], row)):
        excess = float(sum(lost.values())) - room
        if excess <= slack:
            break
        lost[row] -= min(lost[row], round(excess))
    return {row: count for row, count in sorted(lost.items()) if count}


def _period(stamps: NDArray[np.float64], lost: dict[int, int], period: float, ends: NDArray[np.int64] | None) -> float:
    """Return the period by a line through all stretches without a loss, each with its own beginning."""
    n = stamps.shape[0]
    edges = [0, *lost, n]
    size = max(1, round(1.0 / period))
    top = bottom = 0.0
    for start, stop in itertools.pairwise(edges):
        if ends is None:
            index, middle = _middles(stamps[start:stop], size)
        else:
            index = ends[(ends >= start) & (ends < stop)].astype(np.float64)
            middle = stamps[index.astype(np.int64)]
        if index.size < 2:
            continue
        x, y = index - index.mean(), middle - middle.mean()
        keep = np.ones(x.size, dtype=bool)
        for _ in range(3):
            slope = float(x[keep] @ y[keep] / max(x[keep] @ x[keep], 1e-12))
            rest = y - slope * x
            rest = np.abs(rest - np.median(rest[keep]))
            fresh = rest <= 4.0 * max(float(np.median(rest[keep])), 1e-9)
            if fresh.sum() < 0.5 * fresh.size or np.array_equal(fresh, keep):
                break
            keep = fresh
        x, y = x[keep] - x[keep].mean(), y[keep] - y[keep].mean()
        top, bottom = top + float(x @ y), bottom + float(x @ x)
    if bottom <= 0 or n * period < 2.0:
        return period if n * period < 2.0 else float((stamps[-1] - stamps[0]) / (n - 1 + sum(lost.values())))
    return top / bottom


def _middles(stamps: NDArray[np.float64], size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle index and stamp of each block."""
    n_blocks = stamps.shape[0] // size
    if n_blocks < 2:
        index = np.arange(stamps.shape[0], dtype=np.float64)
        return index, stamps
    cut = stamps[: n_blocks * size].reshape(n_blocks, size)
    middle = [np.median(cut[start:stop], axis=1) for start, stop in blocks(n_blocks, max(1, SIZE // size))]
    return size * np.arange(n_blocks) + 0.5 * (size - 1), np.concatenate(middle)


def _times(
    stamps: NDArray[np.float64], lost: dict[int, int], period: float, ends: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Return smooth times: in each stretch a line of the common period, where most of its stamps are.

    Where a block has one stamp, that is when its last sample arrived (as with LSL's ``push_chunk``), and never early:
    the line is where those of the last samples are that came soonest.
    """
    n = stamps.shape[0]
    times = np.empty(n)
    edges = [0, *lost, n]
    least = -np.inf
    for start, stop in itertools.pairwise(edges):
        if ends is None:
            some = some_rows(stop - start)
            first = float(np.median(stamps[start:stop][some] - some * period))
        else:
            last = ends[(ends >= start) & (ends < stop)]
            last = last if last.size else np.array([stop - 1])
            first = _low(stamps[last] - (last - start) * period)
        line = times[start:stop]
        for begin, end in blocks(stop - start):
            line[begin:end] = first + period * np.arange(begin, end)
        # Two lines may overlap by their jitter; times never go back.
        if first < least:
            np.maximum(line, least + 0.5 * period * np.arange(stop - start), out=line)
        least = float(line[-1]) + 0.5 * period
    return times
