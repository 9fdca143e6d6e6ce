"""What the arrival of blocks tells of a device's clock. Pure numpy, no Qt."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRID = 0.1
"""Seconds of the grid on which times are compared: blocks come at their own times."""


def time_errors(arrivals: Sequence[tuple[float, int]], sfreq: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when blocks came, and how much later than a clock of the device's mean rate says.

    Parameters
    ----------
    arrivals : sequence of (seconds, sample)
        When a block came, and the index after its newest sample.
    sfreq : float
        Nominal rate in Hz.

    Returns
    -------
    seconds, errors : ndarray of float64, shape (n,)
        From the first block on; in seconds, of mean 0 and without the slope that is the error of the rate. Empty where
        fewer than 16 blocks came.
    """
    if len(arrivals) < 16 or sfreq <= 0:
        return np.empty(0), np.empty(0)
    rows = np.array(arrivals, dtype=np.float64)
    seconds = rows[:, 0] - rows[0, 0]
    errors = seconds - (rows[:, 1] - rows[0, 1]) / sfreq
    slope, level = np.polyfit(seconds, errors, 1) if np.ptp(seconds) > 0 else (0.0, errors.mean())
    return seconds, errors - slope * seconds - level


def allan_deviation(
    seconds: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the overlapping Allan deviation of a clock from its time errors.

    ``sigma(m tau0)^2 = sum (x[i + 2m] - 2 x[i + m] + x[i])^2 / (2 (m tau0)^2 (N - 2m))`` (Riley, NIST Special
    Publication 1065, 2008, equation 10), on a grid of 0.1 s to which the errors are interpolated.

    Parameters
    ----------
    seconds, errors : ndarray, shape (n,)
        Of `time_errors`.

    Returns
    -------
    taus, deviations : ndarray of float64
        Seconds, and the deviation of the relative frequency; empty where there are less than 2 s.
    """
    if seconds.size < 16 or seconds[-1] < 20 * GRID:
        return np.empty(0), np.empty(0)
    grid = np.arange(0.0, seconds[-1], GRID)
    x = np.interp(grid, seconds, errors)
    largest = x.size // 4
    steps = np.unique(np.geomspace(1, largest, 24).astype(int))
    found = [float(np.mean((x[2 * m :] - 2 * x[m:-m] + x[: -2 * m]) ** 2)) for m in steps]
    taus = steps * GRID
    deviations: NDArray[np.float64] = np.sqrt(np.array(found) / 2) / taus
    return taus, deviations
