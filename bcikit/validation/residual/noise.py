"""What is left with shorted inputs: it must be white, Gaussian, steady, whole, and each channel for itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.validation.residual.found import Found, finding, names_of
from bcikit.validation.takes import Take

OFFSET_UV = 5000.0
"""Direct voltage with shorted inputs that nothing explains: ten times the offset of common converters."""

DRIFT_UV_MIN = 20.0
"""Drift with shorted inputs, microvolts a minute."""

QUIETEST_UV = 0.02
"""Noise, rms over the whole band, below which no amplifier is: the unit is another one."""

MAINS_UV = 0.25
"""Peak of mains that a bench picks up by itself."""


def shorted(take: Take, curves: dict[str, Any]) -> Found:
    """Look at shorted inputs: offset, drift, steps, colour, holes in the band, codes, bursts, what channels share."""
    found: Found = []
    data, sfreq, names = take.filled(), take.info.sfreq, names_of(take)
    n = len(data)
    t = np.arange(n) / sfreq
    for column, name in enumerate(names):
        x = data[:, column]
        if abs(x.mean()) > OFFSET_UV:
            found.append(finding("dc_offset", "Direct voltage with shorted inputs", x.mean() / 1e3, "mV", name))
        slope, level = np.polyfit(t, x, 1)
        flat = x - level - slope * t
        sd = max(float(np.std(np.diff(flat))) / np.sqrt(2), 1e-9)
        if abs(slope) * 60 > DRIFT_UV_MIN and abs(slope) * t[-1] > 6 * sd:
            found.append(finding("dc_drift", "Drift with shorted inputs", 60 * slope, "uV/min", name))
        found += _steps(flat, sd, sfreq, name)
        found += _codes(x, sd, name)
        found += _bursts(flat, name)
    found += _colour(data, sfreq, names, curves)
    found += _shared(data, names)
    found += _lines(data, take)
    found += _steady(data, sfreq, names)
    return found + whole(take)


def whole(take: Take) -> Found:
    """Look for samples that are no samples: repeated, zero, on a straight line, or much too quiet."""
    found: Found = []
    data = take.data[:, take.signals]
    n, width = data.shape
    sd = np.maximum(np.std(np.diff(data, axis=0), axis=0) / np.sqrt(2), 1e-12)
    if np.ptp(data) == 0:
        return found
    if sd.max() < QUIETEST_UV:
        found.append(finding("unit_scale", "Noise below that of any amplifier: is the unit right?", sd.max(), "uV"))
    steps = np.array([np.diff(np.unique(column)).min(initial=np.inf) for column in data.T])
    steps = np.where(np.isfinite(steps), steps, 0.0)
    # By chance channels repeat, or are zero, each for itself; what they do together more often is no chance.
    alone = np.clip(steps / sd, 1e-6, 1.0)
    for name, label, hit, usual in (
        ("repeated", "Samples that repeat the one before, on all channels", data[1:] == data[:-1], 3.5),
        ("zeros", "Samples that are zero on all channels", data == 0, 2.5),
    ):
        together = int(np.count_nonzero(np.all(hit, axis=1)))
        chance = n * float(np.prod(hit.mean(axis=0)) if width > 1 else alone[0] / usual)
        if together > chance + 6 * np.sqrt(chance) + 3:
            found.append(finding(name, label, 100 * together / n, "%"))
    # On a straight line to within a code: by chance alone so long a run comes once in a million recordings.
    line = np.abs(np.diff(data, 2, axis=0)) <= 1.01 * steps
    straight = np.all(line, axis=1)
    p = float(np.clip(np.prod(line.mean(axis=0)), 1e-9, 0.99))
    needed = max(3, int(np.ceil(np.log(1e-6 / n) / np.log(p))))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], straight.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    if len(runs) and runs.max() >= needed:
        total = int(np.sum(runs[runs >= needed] + 2))
        found.append(finding("bridged", "Samples that lie on straight lines, on all channels", 100 * total / n, "%"))
    return found


def _lines(data: NDArray[np.float64], take: Take) -> Found:
    """Look for lines in the spectrum, each against the median around it."""
    from scipy.ndimage import median_filter

    found: Found = []
    n = len(data)
    window = np.hanning(n)[:, None]
    trend = np.column_stack([np.ones(n), np.linspace(-1, 1, n)])
    flat = data - trend @ np.linalg.lstsq(trend, data, rcond=None)[0]
    spectrum = np.abs(np.fft.rfft(flat * window, axis=0)) * 2 / window.sum()
    hz = np.fft.rfftfreq(n, 1 / take.info.sfreq)
    # From two periods on (a servo that swings is slow); below 1 Hz as far above as 1/f noise of that corner may be.
    slow = np.where(
        hz > 1.5 / n * take.info.sfreq, np.sqrt(1 + np.where(hz > 1.0, 0.0, 1 / np.maximum(hz, 1e-3))), np.inf
    )
    mains = take.info.line_freq or 50.0
    on_mains = np.abs(np.mod(hz + mains / 2, mains) - mains / 2) < 1.0
    size = min(101, len(hz) // 4 * 2 + 1)
    for column, name in enumerate(names_of(take)):
        around = median_filter(spectrum[:, column], size=size, mode="reflect")
        over = spectrum[:, column] / np.maximum(around, 1e-12) / slow
        over[on_mains & (spectrum[:, column] < MAINS_UV)] = 0.0
        at = int(np.argmax(over))
        # Rayleigh: six medians of one bin are exceeded by exp(-25).
        if over[at] > 6.5:
            label = f"Line at {hz[at]:.4g} Hz with shorted inputs, peak"
            found.append(finding("noise_line", label, spectrum[at, column], "uV", name))
    return found


def _steady(data: NDArray[np.float64], sfreq: float, names: list[str]) -> Found:
    """Hold the power of each stretch against the median: noise that comes in bursts; and even against odd samples."""
    found: Found = []
    power = np.diff(data, axis=0) ** 2
    for seconds in (0.25, 1.0):
        size = round(seconds * sfreq)
        blocks = power[: len(power) // size * size].reshape(-1, size, data.shape[1]).mean(axis=1)
        if len(blocks) < 8:
            continue
        ratio = blocks / np.maximum(np.median(blocks, axis=0), 1e-300)
        row, column = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        # Differences of white noise: the variance of their mean square is 3 / n.
        if ratio[row, column] > 1 + 9 * np.sqrt(3 / size):
            label = f"Power of the noise in the loudest {seconds:g} s over the usual"
            found.append(finding("noise_bursts", label, ratio[row, column], "1", names[int(column)]))
            break
    even, odd = data[2::2] - data[2::2].mean(axis=0), data[1::2] - data[1::2].mean(axis=0)
    unlike = np.abs(np.log(np.maximum(even.var(axis=0), 1e-300) / np.maximum(odd.var(axis=0), 1e-300)))
    worst = int(np.argmax(unlike))
    if unlike[worst] > max(0.25, 8 * np.sqrt(8 / len(data))):
        label = "Noise of even over odd samples (every second is made up)"
        found.append(finding("noise_parity", label, float(np.exp(unlike[worst])), "1", names[worst]))
    return found


def _steps(x: NDArray[np.float64], sd: float, sfreq: float, name: str) -> Found:
    """Look for steps of the baseline (popcorn noise): means of half a second that jump and stay."""
    size = max(4, round(0.5 * sfreq))
    blocks = x[: len(x) // size * size].reshape(-1, size)
    means = np.median(blocks, axis=1)
    if len(means) < 6:
        return []
    jumps = np.abs(means[2:] - means[:-2])
    usual = max(1.4826 * float(np.median(jumps)), sd / np.sqrt(size))
    worst = float(jumps.max())
    return [finding("step", "Step of the baseline with shorted inputs", worst, "uV", name)] if worst > 9 * usual else []


def _codes(x: NDArray[np.float64], sd: float, name: str) -> Found:
    """Hold the resolution against the noise: the smallest step between two values that occur."""
    values = np.unique(x)
    if len(values) < 2:
        return [finding("flat", "Different values in the whole recording", len(values), "1", name)]
    step = float(np.diff(values).min())
    return (
        [finding("code_step", "Smallest step of the converter, coarser than its noise", step, "uV", name)]
        if (step > 0.7 * sd or len(values) < 12)
        else []
    )


def _bursts(x: NDArray[np.float64], name: str) -> Found:
    """Return the excess kurtosis of the differences, where it stands out: 0 for Gaussian noise, whatever its colour."""
    d = np.diff(x)
    d = d - d.mean()
    power = float(np.mean(d**2))
    if power <= 0:
        return []
    excess = float(np.mean(d**4)) / power**2 - 3
    middle = 1.4826 * float(np.median(np.abs(d)))
    if middle > 0 and np.abs(d).max() > 8.5 * middle:
        return [finding("spikes", "Largest single step with shorted inputs", float(np.abs(d).max()), "uV", name)]
    limit = max(0.7, 8 * np.sqrt(24 / len(d)))
    return [finding("not_gaussian", "Excess kurtosis of the noise", excess, "1", name)] if abs(excess) > limit else []


def _colour(data: NDArray[np.float64], sfreq: float, names: list[str], curves: dict[str, Any]) -> Found:
    """Hold the density at the low end, and holes in the band, against the median density."""
    found: Found = []
    n = len(data)
    t = np.linspace(-1, 1, n)
    trend = np.column_stack([np.ones(n), t])
    flat = data - trend @ np.linalg.lstsq(trend, data, rcond=None)[0]
    power = np.abs(np.fft.rfft(flat * np.hanning(n)[:, None], axis=0)) ** 2
    hz = np.fft.rfftfreq(n, 1 / sfreq)
    white = np.median(power[(hz > 15) & (hz < 0.45 * sfreq)], axis=0) / np.log(2)
    relative = power / np.maximum(white, 1e-300)
    low = (hz > 0.3) & (hz < 2.0)
    for column, name in enumerate(names):
        rise = float(np.mean(relative[low, column]))
        # Lines of a window overlap, so about two thirds of them are independent.
        if rise > max(2.0, 1 + 7 / np.sqrt(0.66 * max(1, int(low.sum())))):
            label = "Density from 0.3 to 2 Hz over that of the white part (1/f noise)"
            found.append(finding("low_frequency_noise", label, rise, "1", name))
    together = relative.mean(axis=1)
    centres = np.arange(2.0, 0.42 * sfreq, 1.0)
    bins = np.array([np.mean(together[(hz >= c - 0.75) & (hz < c + 0.75)]) for c in centres])
    curves["residual"] = {"hz": centres.tolist(), "relative": bins.tolist()}
    if len(bins) > 8:
        lines = 1.5 * n / sfreq * data.shape[1] * 0.66
        deepest = int(np.argmin(bins))
        # A hole has edges: a device that falls off at the end of its band is V-FREQ's to judge.
        inside = 3 < deepest < len(bins) - 6 and bins[deepest + 4 : deepest + 7].mean() > 0.7
        if inside and bins[deepest] < min(0.45, 1 - 6 / np.sqrt(lines)):
            label = (
                f"Hole in the noise at {centres[deepest]:.0f} Hz (a filter that is not stated), density over the median"
            )
            found.append(finding("hidden_filter", label, float(bins[deepest]), "1"))
    return found


def _shared(data: NDArray[np.float64], names: list[str]) -> Found:
    """Look for what shorted channels have in common: a reference that was taken off, or put on, leaves it."""
    moving = np.ptp(data, axis=0) > 0
    if moving.sum() < 2:
        return []
    names = [name for name, kept in zip(names, moving, strict=True) if kept]
    r = np.asarray(np.corrcoef(np.diff(data[:, moving], axis=0).T))
    pairs = np.triu_indices(len(names), 1)
    off = r[pairs]
    most = int(np.argmax(np.abs(off)))
    if abs(off[most]) > 9 / np.sqrt(len(data)) + 0.05:
        label = "Correlation of the noise of two shorted channels (a hidden reference, a copy, or shared noise)"
        pair = f"{names[pairs[0][most]]} and {names[pairs[1][most]]}"
        return [finding("shared_noise", label, float(off[most]), "1", pair)]
    mean = float(np.nanmean(off))
    limit = 7 / np.sqrt(len(data) * len(off)) + 0.02
    if abs(mean) > limit:
        label = "Mean correlation between shorted channels (a hidden reference or shared noise)"
        return [finding("shared_noise", label, mean, "1", f"{len(names)} channels")]
    return []
