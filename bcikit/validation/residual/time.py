"""What is left of time: stamps about their line, markers about their pulses."""

import numpy as np
from numpy.typing import NDArray

from bcikit.validation.residual.found import Found, finding
from bcikit.validation.takes import Take
from bcikit.validation.timebase import correlation_time, fit_line, rising

EARLY_S = 0.05
"""A marker that is constantly further from its pulse than this moves every epoch."""


FINEST_GRID_S = 3e-4
"""Clocks that count microseconds are fine; one that counts milliseconds is not."""

DRIFT_S = 0.005
"""By how much the delay of markers may drift within a recording."""


def stamps(take: Take) -> Found:
    """Look at time stamps: a coarse grid, and jitter that comes in bursts."""
    found: Found = []
    steps = np.diff(take.times)
    period = 1 / take.info.sfreq
    equal = float(np.mean(steps <= 0))
    if equal > 0.05:
        grid = float(np.median(steps[steps > 0])) if np.any(steps > 0) else 0.0
        found.append(finding("stamp_grid", "Step of the grid that time stamps lie on", 1e3 * grid, "ms"))
        return found
    found += _grid(steps)
    back = steps < -1e-4
    if back.any():
        label = f"Largest step back of a time stamp, of {int(back.sum())}"
        found.append(finding("stamps_back", label, -1e3 * float(steps.min()), "ms"))
    _, _, residual, _ = fit_line(take.samples, take.times)
    found += _sways(residual, take.info.sfreq)
    size = round(take.info.sfreq)
    blocks = residual[: len(residual) // size * size].reshape(-1, size)
    if len(blocks) >= 10:
        reach = np.abs(blocks - np.median(blocks, axis=1, keepdims=True)).max(axis=1)
        usual = float(np.median(reach))
        if reach.max() > max(6 * usual, 2.5 * period, 0.01):
            found.append(
                finding("jitter_bursts", "Largest excursion of the stamps in a second", 1e3 * reach.max(), "ms")
            )
    return found


def _grid(steps: NDArray[np.float64]) -> Found:
    """Return a grid that stamps lie on though each sample has its own: few steps, all of them multiples of one."""
    sizes, counts = np.unique(np.round(steps, 6), return_counts=True)
    if not 2 <= len(sizes) <= 8 or len(steps) - counts.max() < 5:
        return []
    grid = float(np.diff(sizes).min())
    share = (sizes - sizes[0]) / grid
    if grid < FINEST_GRID_S or np.abs(share - np.round(share)).max() > 0.02:
        return []
    return [finding("stamp_grid", "Step of the grid that time stamps lie on", 1e3 * grid, "ms")]


def triggers(take: Take) -> Found:
    """Look at markers against the pulses that were sent: all of them, once each, in one place."""
    found: Found = []
    edges = rising(take.data[:, take.driven], take.samples)
    markers = np.sort(np.array([event.time for event in take.events]))
    if len(edges) < 10 or len(markers) < 2:
        return found
    period, origin, residual, _ = fit_line(take.samples, take.times)
    at = origin + period * edges
    between = 1 / take.stimulus.frequency
    inside = markers[(markers > at[0] - 0.45 * between) & (markers < at[-1] + 0.45 * between)]
    twice = int(np.count_nonzero(np.diff(inside) < 0.4 * between))
    if twice > 1:
        found.append(finding("trigger_doubles", "Markers that came twice", twice, "1"))
    near = np.abs(inside[None, :] - at[:, None]).min(axis=1) if len(inside) else np.full(len(at), np.inf)
    missing = int(np.count_nonzero(near > 0.45 * between))
    short = len(at) - (len(inside) - twice)
    if max(missing, short) > max(2, 0.01 * len(at)):
        found.append(finding("trigger_missing", "Pulses without a marker", max(missing, short), "1"))
    delays = at - inside[np.argmin(np.abs(inside[None, :] - at[:, None]), axis=1)] if len(inside) else np.zeros(0)
    close = np.abs(delays) < 0.45 * between
    found += _drifts(at[: len(delays)][close], delays[close], residual)
    delays = np.sort(delays[close])
    if len(delays) > 20:
        middle = float(np.median(delays))
        if abs(middle) > EARLY_S:
            found.append(finding("trigger_offset", "Pulses after their markers, all of them", 1e3 * middle, "ms"))
        found += _two_places(delays)
    return found


def _drifts(at: NDArray[np.float64], delays: NDArray[np.float64], residual: NDArray[np.float64]) -> Found:
    """Look for a delay of markers that grows or falls: each epoch is cut a little further off than the one before."""
    if len(delays) < 20:
        return []
    slope, level = np.polyfit(at - at[0], delays, 1)
    scatter = float(np.std(delays - level - slope * (at - at[0])))
    # From end to end a slope of n values is known to sqrt(12 / n) of their scatter; the line of the stamps errs, too.
    u_line = float(np.std(residual)) * np.sqrt(12 * correlation_time(residual) / len(residual))
    u = np.hypot(scatter * np.sqrt(12 / len(delays)), u_line)
    whole = float(slope * (at[-1] - at[0]))
    if abs(whole) <= max(DRIFT_S, 6 * float(u)):
        return []
    minutes = (at[-1] - at[0]) / 60
    return [finding("trigger_drift", "Drift of the delay of markers", 1e3 * whole / minutes, "ms/min")]


def _sways(residual: NDArray[np.float64], sfreq: float) -> Found:
    """Look for a leap of the stamps that stays, and for one frequency at which they sway."""
    size = max(1, round(0.1 * sfreq))
    if len(residual) < 120 * size:
        return []
    means = residual[: len(residual) // size * size].reshape(-1, size).mean(axis=1)
    middles = np.median(means[: len(means) // 10 * 10].reshape(-1, 10), axis=1)
    leaps = middles[2:] - middles[:-2]
    usual = 1.4826 * float(np.median(np.abs(leaps - np.median(leaps))))
    off = np.abs(leaps - np.median(leaps))
    if off.max() > max(10 * usual, 0.02):
        return [finding("stamp_leap", "Leap of the time stamps that stays", 1e3 * float(off.max()), "ms")]
    window = np.hanning(len(means))
    spectrum = np.abs(np.fft.rfft((means - means.mean()) * window)) * 2 / window.sum()
    from scipy.ndimage import median_filter

    around = median_filter(spectrum, size=min(41, len(spectrum) // 4 * 2 + 1), mode="nearest")
    hz = np.fft.rfftfreq(len(means), size / sfreq)
    over = np.where(hz > 0.08, spectrum / np.maximum(around, 1e-12), 0.0)
    at = int(np.argmax(over))
    if over[at] > 7 and spectrum[at] > 3e-4:
        label = f"Sway of the time stamps at {hz[at]:.3g} Hz, peak"
        return [finding("stamp_wander", label, 1e3 * float(spectrum[at]), "ms")]
    return []


def _two_places(delays: NDArray[np.float64]) -> Found:
    """Return whether delays lie in two groups (Ashman's D above 4 at the best cut)."""
    best = 0.0
    for cut in range(len(delays) // 10, len(delays) - len(delays) // 10):
        a, b = delays[:cut], delays[cut:]
        spread = np.hypot(a.std(), b.std()) + 1e-4
        best = max(best, float(np.sqrt(2) * (b.mean() - a.mean()) / spread))
    label = "Delays of markers lie in two groups: their distance in spreads (Ashman's D)"
    return [finding("trigger_bimodal", label, best, "1")] if best > 4.5 else []
