"""What the stamps of a file say: which samples are missing, and when the others were taken."""

import itertools

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.assembler import GAP_WITHOUT_COUNTER

_LINE_SECONDS = 10.0
"""Length of a stretch from which its own rate is taken; a shorter one has the nominal rate."""


def on_grid(stamps: NDArray[np.float64], sfreq: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the index of each sample, lost ones counted, and its time, smooth between the losses.

    Time that passed without samples is a loss if the stamps stay late by it; a link that held samples back catches up.

    Parameters
    ----------
    stamps : ndarray, shape (n_times,)
        Seconds, in the order of arrival, with the jitter of whoever made them.
    sfreq : float
        Nominal rate in Hz.
    """
    n = stamps.shape[0]
    period = 1.0 / sfreq
    steps = np.diff(stamps)
    tolerance = 0.6 * period if _is_grid(steps) else max(GAP_WITHOUT_COUNTER, 1.5 * period)
    rows = np.flatnonzero(steps - period > tolerance) + 1
    lost = np.zeros(n, dtype=np.int64)
    # Once with the nominal rate, then with the rate that follows.
    for _ in range(2 if rows.size else 0):
        lost[rows] = _missing(stamps, rows, period, 0.6 * tolerance)
        kept = steps[lost[1:] == 0]
        period = float(kept.mean()) if kept.size > sfreq else period
    samples = np.arange(n, dtype=np.int64) + np.cumsum(lost)
    edges = [0, *np.flatnonzero((lost > 0) | (np.diff(stamps, prepend=stamps[:1]) < -tolerance)).tolist(), n]
    times = np.empty(n)
    for start, stop in itertools.pairwise(edges):
        x = np.arange(stop - start) - 0.5 * (stop - start - 1)
        y = stamps[start:stop]
        slope = float(x @ y / (x @ x)) if stop - start > _LINE_SECONDS * sfreq else period
        times[start:stop] = y.mean() + slope * x
    # Two lines may overlap by their jitter; times never go back.
    ramp = 0.5 * period * np.arange(n)
    return samples, np.maximum.accumulate(times - ramp) + ramp


def _is_grid(steps: NDArray[np.float64]) -> bool:
    """Return whether all short steps are whole multiples of one period: then a single missing sample shows."""
    if not steps.size:
        return False
    usual = float(np.median(steps))
    short = steps[steps < 10.5 * usual]
    return bool(np.all(np.abs(short - np.maximum(1.0, np.rint(short / usual)) * usual) < 0.25 * usual))


def _missing(stamps: NDArray[np.float64], rows: NDArray[np.intp], period: float, least: float) -> list[int]:
    """Return how many samples are missing before each row: by how much the stamps stay later than before it.

    What is later by less than `least` seconds is jitter.
    """
    late = stamps - period * np.arange(stamps.shape[0])
    edges = [0, *rows.tolist(), stamps.shape[0]]
    found = []
    for before, row, after in zip(edges, edges[1:], edges[2:], strict=False):
        # Long enough for a link that held samples back to catch up.
        window = max(1, round(max(1.0, 3.0 * float(stamps[row] - stamps[row - 1])) / period))
        step = np.median(late[row : min(after, row + window)]) - np.median(late[max(before, row - window) : row])
        found.append(round(float(step) / period) if step > least else 0)
    return found
