"""What is left when everything a sound device does is taken off: it must be white, Gaussian, whole and on time.

The other tests measure what they were told to look for. This one looks at every recording of the run for what none of
them explains. What it finds is UNEXPLAINED, with a number and a name; it is never a PASS.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.validation.results import Judgement, Measurement
from bcikit.validation.sinefit import sine_fit
from bcikit.validation.takes import Context, Take
from bcikit.validation.timebase import fit_line, rising

OFFSET_UV = 5000.0
"""Direct voltage with shorted inputs that nothing explains: ten times the offset of common converters."""

DRIFT_UV_MIN = 20.0
"""Drift with shorted inputs, microvolts a minute."""

EARLY_S = 0.05
"""A marker that is constantly further from its pulse than this moves every epoch."""

Found = list[Measurement]


def _found(quantity: str, label: str, value: float, unit: str, channel: str = "") -> Measurement:
    return Measurement(
        quantity=quantity, label=label, value=float(value), unit=unit, channel=channel, judgement=Judgement.UNEXPLAINED
    )


def unexplained(takes: list[Take], context: Context) -> tuple[Found, dict[str, Any]]:
    """Return what is not explained in the recordings of a run, each UNEXPLAINED; a single PASS where all is."""
    del context
    found: Found = []
    curves: dict[str, Any] = {}
    for take in takes:
        if len(take.samples) < 2 * take.info.sfreq or not take.signals:
            continue
        kind = take.stimulus.kind
        if kind == "short" and not take.stimulus.after:
            found += _noise(take, curves)
        elif kind == "sine" and not take.stimulus.offset_uv and take.stimulus.frequency == 10.0:
            found += _sine(take)
        elif kind == "open":
            found += _stamps(take)
        elif kind == "pulses":
            found += _triggers(take)
    found += _map(takes)
    # The same finding in several recordings is one.
    unique: dict[tuple[str, str], Measurement] = {}
    for item in found:
        key = (item.quantity, item.channel)
        if key not in unique or abs(item.value) > abs(unique[key].value):
            unique[key] = item
    if unique:
        return list(unique.values()), curves
    label = f"Findings that nothing explains, in {len(takes)} recordings"
    nothing = Measurement(
        quantity="unexplained", label=label, value=0.0, unit="1", uncertainty=0.0, judgement=Judgement.PASS
    )
    return [nothing], curves


def _names(take: Take) -> list[str]:
    return [take.info.ch_names[column] for column in take.signals]


def _noise(take: Take, curves: dict[str, Any]) -> Found:
    """Look at shorted inputs: offset, drift, steps, colour, holes in the band, codes, bursts, what channels share."""
    found: Found = []
    data, sfreq, names = take.filled(), take.info.sfreq, _names(take)
    n = len(data)
    t = np.arange(n) / sfreq
    for column, name in enumerate(names):
        x = data[:, column]
        if abs(x.mean()) > OFFSET_UV:
            found.append(_found("dc_offset", "Direct voltage with shorted inputs", x.mean() / 1e3, "mV", name))
        slope, level = np.polyfit(t, x, 1)
        flat = x - level - slope * t
        sd = max(float(np.std(np.diff(flat))) / np.sqrt(2), 1e-9)
        if abs(slope) * 60 > DRIFT_UV_MIN and abs(slope) * t[-1] > 6 * sd:
            found.append(_found("dc_drift", "Drift with shorted inputs", 60 * slope, "uV/min", name))
        found += _steps(flat, sd, sfreq, name)
        found += _codes(x, sd, name)
        found += _bursts(flat, name)
    found += _colour(data, sfreq, names, curves)
    found += _shared(data, names)
    same = np.all(data[1:] == data[:-1], axis=1)
    if data.shape[1] > 1 and same.mean() > 0.002 and np.ptp(data) > 0:
        found.append(_found("repeated", "Samples that repeat the one before, on all channels", 100 * same.mean(), "%"))
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
    return [_found("step", "Step of the baseline with shorted inputs", worst, "uV", name)] if worst > 9 * usual else []


def _codes(x: NDArray[np.float64], sd: float, name: str) -> Found:
    """Hold the resolution against the noise: the smallest step between two values that occur."""
    values = np.unique(x)
    if len(values) < 2:
        return [_found("flat", "Different values in the whole recording", len(values), "1", name)]
    step = float(np.diff(values).min())
    return (
        [_found("code_step", "Smallest step of the converter, coarser than its noise", step, "uV", name)]
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
    limit = max(0.7, 8 * np.sqrt(24 / len(d)))
    return [_found("not_gaussian", "Excess kurtosis of the noise", excess, "1", name)] if abs(excess) > limit else []


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
            found.append(_found("low_frequency_noise", label, rise, "1", name))
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
            found.append(_found("hidden_filter", label, float(bins[deepest]), "1"))
    return found


def _shared(data: NDArray[np.float64], names: list[str]) -> Found:
    """Look for what shorted channels have in common: a reference that was taken off, or put on, leaves it."""
    if data.shape[1] < 3:
        return []
    r = np.asarray(np.corrcoef(np.diff(data, axis=0).T))
    off = r[np.triu_indices(data.shape[1], 1)]
    mean = float(np.nanmean(off))
    limit = 7 / np.sqrt(len(data) * len(off)) + 0.02
    if abs(mean) > limit:
        label = "Mean correlation between shorted channels (a hidden reference or shared noise)"
        return [_found("shared_noise", label, mean, "1", f"{len(names)} channels")]
    return []


def _sine(take: Take) -> Found:
    """Look at a driven sine: phase that jumps, and what is left beside it and its harmonics."""
    found: Found = []
    sfreq, f = take.info.sfreq, take.stimulus.frequency
    column = take.signals[take.stimulus.channel or 0]
    x = take.data[:, column]
    fit = sine_fit(x[:, None], take.clock, f)
    if fit.amplitude[0] < 100 * max(fit.residual[0], 1e-9) / np.sqrt(len(x)):
        return []
    # Phase of each period, against the mean frequency: a sample that is gone or doubled is a step of it.
    size = round(2 * sfreq / f)
    count = len(x) // size
    wave = np.exp(-2j * np.pi * fit.frequency * take.clock[: count * size]).reshape(count, size)
    centred = x[: count * size].reshape(count, size)
    phase = np.unwrap(np.angle(np.sum((centred - centred.mean(axis=1, keepdims=True)) * wave, axis=1)))
    steps = np.diff(phase)
    jumps = np.abs(steps - np.median(steps))
    one = 2 * np.pi * f / sfreq
    noise = 1.4826 * float(np.median(jumps)) + 1e-6
    lost = jumps > max(0.4 * one, 8 * noise)
    if np.any(lost):
        total = float(np.sum(jumps[lost]) / one)
        found.append(_found("phase_slips", "Samples by which the phase of a sine jumps", total, "samples"))
    elif noise < 0.05 * one:
        found += _lines(_beside(x, take.clock, fit.frequency, sfreq / 2), take, column, float(fit.amplitude[0]))
    return found


def _beside(x: NDArray[np.float64], t: NDArray[np.float64], f: float, limit: float) -> NDArray[np.float64]:
    """Return what a sine and its harmonics leave."""
    columns = [np.ones_like(t), t - t.mean()]
    for order in range(1, int(limit / f) + 1):
        columns += [np.cos(2 * np.pi * order * f * t), np.sin(2 * np.pi * order * f * t)]
    design = np.column_stack(columns)
    return np.asarray(x - design @ np.linalg.lstsq(design, x, rcond=None)[0])


def _lines(rest: NDArray[np.float64], take: Take, column: int, size: float) -> Found:
    """Return the largest line that is left beside a sine and its harmonics, if it stands out."""
    window = np.hanning(len(rest))
    spectrum = np.abs(np.fft.rfft(rest * window)) * 2 / window.sum()
    hz = np.fft.rfftfreq(len(rest), 1 / take.info.sfreq)
    mains = take.info.line_freq or 50.0
    usable = (hz > 1.0) & (np.abs(np.mod(hz + mains / 2, mains) - mains / 2) > 1.0)
    floor = float(np.median(spectrum[usable]))
    at = int(np.argmax(np.where(usable, spectrum, 0)))
    if spectrum[at] > 12 * floor and spectrum[at] > 1e-4 * size:
        label = f"Line at {hz[at]:.4g} Hz beside a sine of {take.stimulus.frequency:g} Hz, no harmonic of it"
        return [_found("unexplained_line", label, spectrum[at], "uV", take.info.ch_names[column])]
    return []


def _stamps(take: Take) -> Found:
    """Look at time stamps: a coarse grid, and jitter that comes in bursts."""
    found: Found = []
    steps = np.diff(take.times)
    period = 1 / take.info.sfreq
    equal = float(np.mean(steps <= 0))
    if equal > 0.05:
        grid = float(np.median(steps[steps > 0])) if np.any(steps > 0) else 0.0
        found.append(_found("stamp_grid", "Step of the grid that time stamps lie on", 1e3 * grid, "ms"))
        return found
    _, _, residual, _ = fit_line(take.samples, take.times)
    size = round(take.info.sfreq)
    blocks = residual[: len(residual) // size * size].reshape(-1, size)
    if len(blocks) >= 10:
        reach = np.abs(blocks - np.median(blocks, axis=1, keepdims=True)).max(axis=1)
        usual = float(np.median(reach))
        if reach.max() > max(6 * usual, 2.5 * period, 0.01):
            found.append(
                _found("jitter_bursts", "Largest excursion of the stamps in a second", 1e3 * reach.max(), "ms")
            )
    return found


def _triggers(take: Take) -> Found:
    """Look at markers against the pulses that were sent: all of them, once each, in one place."""
    found: Found = []
    column = take.stimulus.channel if take.stimulus.channel is not None else take.signals[0]
    edges = rising(take.data[:, column], take.samples)
    markers = np.sort(np.array([event.time for event in take.events]))
    if len(edges) < 10 or len(markers) < 2:
        return found
    period, origin, _, _ = fit_line(take.samples, take.times)
    at = origin + period * edges
    between = 1 / take.stimulus.frequency
    inside = markers[(markers > at[0] - 0.45 * between) & (markers < at[-1] + 0.45 * between)]
    twice = int(np.count_nonzero(np.diff(inside) < 0.4 * between))
    if twice > 1:
        found.append(_found("trigger_doubles", "Markers that came twice", twice, "1"))
    near = np.abs(inside[None, :] - at[:, None]).min(axis=1) if len(inside) else np.full(len(at), np.inf)
    missing = int(np.count_nonzero(near > 0.45 * between))
    short = len(at) - (len(inside) - twice)
    if max(missing, short) > max(2, 0.01 * len(at)):
        found.append(_found("trigger_missing", "Pulses without a marker", max(missing, short), "1"))
    delays = at - inside[np.argmin(np.abs(inside[None, :] - at[:, None]), axis=1)] if len(inside) else np.zeros(0)
    delays = np.sort(delays[np.abs(delays) < 0.45 * between])
    if len(delays) > 20:
        middle = float(np.median(delays))
        if abs(middle) > EARLY_S:
            found.append(_found("trigger_offset", "Pulses after their markers, all of them", 1e3 * middle, "ms"))
        found += _two_places(delays)
    return found


def _two_places(delays: NDArray[np.float64]) -> Found:
    """Return whether delays lie in two groups (Ashman's D above 4 at the best cut)."""
    best = 0.0
    for cut in range(len(delays) // 10, len(delays) - len(delays) // 10):
        a, b = delays[:cut], delays[cut:]
        spread = np.hypot(a.std(), b.std()) + 1e-4
        best = max(best, float(np.sqrt(2) * (b.mean() - a.mean()) / spread))
    label = "Delays of markers lie in two groups: their distance in spreads (Ashman's D)"
    return [_found("trigger_bimodal", label, best, "1")] if best > 4.5 else []


def _map(takes: list[Take]) -> Found:
    """Look at channels that were driven alone: the right one, the right way up, and no trace of a common reference."""
    alone = [t for t in takes if t.stimulus.kind == "sine" and t.stimulus.channel is not None and not t.stimulus.after]
    alone = [t for t in alone if t.stimulus.amplitude_uv <= 2000.0]
    found: Found = []
    traces = []
    for take in alone:
        names, driven = _names(take), take.stimulus.channel or 0
        fit = sine_fit(take.data[:, take.signals], take.clock, take.stimulus.frequency)
        loudest = int(np.argmax(fit.amplitude))
        if loudest != driven:
            label = f"Driven was {names[driven]}; the signal is on {names[loudest]}"
            found.append(_found("channel_map", label, loudest + 1, "1", names[driven]))
            continue
        turned = np.cos(fit.phase - fit.phase[driven]) * fit.amplitude / fit.amplitude[driven]
        traces.append(np.median(np.delete(turned, driven)) if len(names) > 2 else 0.0)
    if len(traces) > 1 and np.median(traces) < -0.3 / (len(traces) + 1):
        label = "Share of a driven channel that all others show, upside down (a common average reference)"
        found.append(_found("hidden_reference", label, float(np.median(traces)), "1"))
    for take in takes:
        sine = take.stimulus
        if sine.kind != "sine" or sine.channel is not None or sine.frequency != 10.0 or sine.offset_uv:
            continue
        fit = sine_fit(take.data[:, take.signals], take.clock, take.stimulus.frequency)
        loud = (fit.amplitude > 0.2 * np.median(fit.amplitude)) & (fit.amplitude > 20 * fit.u_amplitude)
        if not loud.any():
            continue
        middle = np.angle(np.mean(np.exp(1j * fit.phase[loud])))
        turned = np.cos(fit.phase - middle) < -0.5
        for column in np.flatnonzero(turned & loud):
            found.append(_found("polarity", "Upside down against the other channels", -1.0, "1", _names(take)[column]))
    return found
