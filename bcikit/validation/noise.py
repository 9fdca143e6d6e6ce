"""Tests of noise and of what electrodes, cables and batteries add."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.simulation.stimulus import phantom_wave
from bcikit.validation.amplitude import own_gains
from bcikit.validation.extremes import calmed
from bcikit.validation.results import Measurement
from bcikit.validation.takes import Context, Take
from bcikit.validation.timebase import fit_line

Result = tuple[list[Measurement], dict[str, Any]]
BAND = (0.5, 70.0)
"""Hz, where noise is counted."""
LINES = 100.0
"""Hz, up to which a single line is looked for."""


def band_rms(
    data: NDArray[np.float64], sfreq: float, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the rms between two frequencies, its standard uncertainty, and the band-limited signal.

    Parseval over the whole record, the mean and slope removed. The uncertainty counts each line of the spectrum
    as exponentially distributed, so coloured noise has fewer degrees of freedom than white.

    Parameters
    ----------
    data : ndarray, shape (n_times, n_channels)
        A regular grid.
    """
    n = len(data)
    t = np.linspace(-1, 1, n)
    trend = np.column_stack([np.ones(n), t])
    flat = data - trend @ np.linalg.lstsq(trend, data, rcond=None)[0]
    spectrum = np.fft.rfft(flat, axis=0)
    frequencies = np.fft.rfftfreq(n, 1 / sfreq)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    lines = 2 * np.abs(spectrum) ** 2 / n**2
    power = lines.sum(axis=0)
    rms = np.sqrt(power)
    u = rms * np.sqrt(np.square(lines).sum(axis=0) / 2) / np.maximum(power, 1e-300) / 2
    return rms, u, np.fft.irfft(spectrum, n, axis=0)


def input_noise(takes: list[Take], context: Context) -> Result:
    """Rms, peak to peak, density and largest line of the noise with shorted inputs."""
    del context
    take = takes[0]
    sfreq = take.info.sfreq
    data = take.filled()
    low, high = BAND[0], min(BAND[1], 0.45 * sfreq)
    rms, u, band = band_rms(data, sfreq, low, high)
    names = [take.info.ch_names[column] for column in take.signals]
    calm, u_calm = calmed(rms, u)
    worst = int(np.argmax(calm))
    block = round(10 * sfreq)
    blocks = band[: len(band) // block * block].reshape(-1, block, band.shape[1])
    peaks = np.ptp(blocks, axis=1) if len(blocks) else np.ptp(band, axis=0)[None]
    median = np.median(peaks, axis=0)
    loud = int(np.argmax(median))
    u_pp = 1.2533 * peaks[:, loud].std(ddof=1) / np.sqrt(len(peaks)) if len(peaks) > 1 else np.nan
    top = min(LINES, sfreq / 2)
    rms_lines, _, wide = band_rms(data, sfreq, low, top)
    # Without the last, which at half the rate counts once.
    spectrum = np.abs(np.fft.rfft(wide, axis=0))[:-1] * 2 / len(wide)
    line, channel = np.unravel_index(np.argmax(spectrum), spectrum.shape)
    tone, at = 2 * float(spectrum[line, channel]), line * sfreq / len(wide)
    from scipy.signal import welch

    frequencies, density = welch(data, sfreq, nperseg=min(len(data), round(8 * sfreq)), axis=0)
    white = (frequencies > 20) & (frequencies < high)
    floor = np.sqrt(np.median(density[white], axis=0)) * 1e3 if white.any() else np.full(len(names), np.nan)
    measurements = [
        Measurement(
            quantity="noise_rms",
            label=f"Noise, {low:g} to {high:g} Hz, rms, worst channel",
            value=float(calm[worst]),
            unit="uV",
            uncertainty=2 * float(u_calm[worst]),
            channel=names[worst],
        ),
        Measurement(
            quantity="noise_pp",
            label="Peak to peak in 10 s, median of the blocks, worst channel",
            value=float(median[loud]),
            unit="uV",
            uncertainty=2 * float(u_pp),
            channel=names[loud],
        ),
        Measurement(
            quantity="noise_tone",
            label=f"Largest single line from {low:g} to {top:g} Hz (at {at:.4g} Hz), peak to peak",
            value=tone,
            unit="uV",
            uncertainty=4 * 2 * float(rms_lines[channel]) / np.sqrt(len(wide)),
            channel=names[channel],
            whole=top >= LINES,
        ),
        Measurement(
            quantity="noise_density", label="Density of the white part", value=float(np.max(floor)), unit="nV/√Hz"
        ),
    ]
    use = (frequencies > 0) & (frequencies <= sfreq / 2)
    curve = {"hz": frequencies[use].tolist(), "nv": (1e3 * np.sqrt(density[use])).T.tolist(), "names": names}
    return measurements, {"noise": curve}


def impedance(takes: list[Take], context: Context) -> Result:
    """Error of the impedance check: what it reads over the true resistance."""
    ratios, applied = [], []
    for take in takes:
        if take.impedances is None:
            raise DataError("The device gave no impedance reading.")
        applied.append(take.stimulus.ohms)
        ratios.append(np.asarray(take.impedances) / take.stimulus.ohms)
    ratio = np.array(ratios)
    mean = ratio.mean(axis=1)
    repeat = ratio.std(axis=1, ddof=1) if ratio.shape[1] > 1 else np.full(len(ratio), np.nan)
    spread = np.nan_to_num(repeat) / np.sqrt(ratio.shape[1])
    own = np.hypot(context.instruments.resistor * mean, spread)
    # Each resistor errs by itself, so the worst of seven would be the worst resistor.
    mean, own = calmed(mean, own)
    worst = int(np.argmax(np.abs(mean - 1)))
    u = own[worst]
    measurements = [
        Measurement(
            quantity="impedance_error",
            label=f"Error of the impedance check, worst resistor ({applied[worst]:g} ohm)",
            value=100 * float(mean[worst] - 1),
            unit="%",
            uncertainty=200 * float(u),
            budget=(
                ("resistor", 100 * float(np.sqrt(max(u**2 - spread[worst] ** 2, 0.0)))),
                ("scatter of the channels", 100 * float(min(spread[worst], u))),
            ),
        ),
        Measurement(
            quantity="impedance_spread",
            label="Spread between channels, standard deviation",
            value=100 * float(np.nanmax(repeat)) if np.isfinite(repeat).any() else 0.0,
            unit="%",
        ),
    ]
    return measurements, {"impedance": {"ohms": applied, "ratio": ratio.tolist()}}


def electrode_drift(takes: list[Take], context: Context) -> Result:
    """Slope of an electrode pair at the input, and what is below 0.5 Hz."""
    take = next(take for take in takes if take.stimulus.kind == "electrodes")
    gains, u_gains = own_gains(takes)
    data = take.filled()
    sfreq = take.info.sfreq
    # Means of a second: the slope needs no more, and their scatter tells its uncertainty.
    n = len(data) // round(sfreq)
    means = data[: n * round(sfreq)].reshape(n, round(sfreq), -1).mean(axis=1)
    # Seconds of the host: those of the device are off by its clock.
    period, _, _, u_period = fit_line(take.samples, take.times)
    minutes = (np.arange(n) + 0.5) * round(sfreq) * period / 60
    x = minutes - minutes.mean()
    slopes = x @ (means - means.mean(axis=0)) / (x @ x)
    left = means - means.mean(axis=0) - np.outer(x, slopes)
    scatter = left.std(axis=0, ddof=2) / np.sqrt(x @ x)
    if len(gains) == len(slopes):
        # What is reported is at the input: the gain of the device is known from its own test, and its error with it.
        scatter = np.hypot(scatter, slopes * u_gains) / gains
        slopes = slopes / gains
    slopes, scatter = calmed(slopes, scatter)
    worst = int(np.argmax(np.abs(slopes)))
    # What all channels share is not calmed: the generator that told the gains, and the time, which is the host's.
    shared = [context.instruments.amplitude, context.instruments.timebase, u_period]
    u = float(np.hypot(scatter[worst], slopes[worst] * np.linalg.norm(shared)))
    rms, u_rms, _ = band_rms(data, sfreq, 0.01, 0.5)
    measurements = [
        Measurement(
            quantity="drift",
            label="Drift, worst channel",
            value=float(abs(slopes[worst])),
            unit="uV/min",
            uncertainty=2 * u,
            channel=take.info.ch_names[take.signals[worst]],
            budget=(
                ("noise of the slope, and of the gains", float(scatter[worst])),
                ("generator and divider of the gains", float(abs(slopes[worst])) * context.instruments.amplitude),
                ("time base of the host", float(abs(slopes[worst])) * context.instruments.timebase),
                ("clock of the device, by its stamps", float(abs(slopes[worst])) * u_period),
            ),
        ),
        Measurement(
            quantity="drift_rms",
            label="0.01 to 0.5 Hz after the line was taken off, rms",
            value=float(rms.max()),
            unit="uV",
            uncertainty=2 * float(u_rms[np.argmax(rms)]),
        ),
    ]
    return measurements, {"drift": {"minutes": minutes.tolist(), "uv": (means - means[0]).T.tolist()}}


def phantom(takes: list[Take], context: Context) -> Result:
    """Correlation, from 1 to 20 Hz, with the waveform that was played, at the delay where it is largest."""
    del context
    take = takes[0]
    data = take.filled()
    sfreq = take.info.sfreq
    _, _, band = band_rms(data, sfreq, 1.0, 20.0)
    _, _, template = band_rms(phantom_wave(np.arange(len(data)) / sfreq)[:, None], sfreq, 1.0, 20.0)
    size = 1 << int(np.ceil(np.log2(2 * len(data))))
    cross = np.fft.irfft(np.fft.rfft(band, size, axis=0) * np.conj(np.fft.rfft(template, size, axis=0)), size, axis=0)
    lag = int(np.argmax(cross[: round(2 * sfreq)].sum(axis=1)))
    n = len(data) - lag
    values = [float(np.corrcoef(column[lag:], template[:n, 0])[0, 1]) for column in band.T]
    worst = int(np.argmin(values))
    r = values[worst]
    # Fisher's z; 19 Hz of band give 38 independent values a second.
    u = 2 * (1 - r * r) / np.sqrt(max(38 * n / sfreq - 3, 1))
    measurement = Measurement(
        quantity="phantom_r",
        label=f"Correlation with what was played (delay {1e3 * lag / sfreq:.0f} ms), worst channel",
        value=r,
        unit="1",
        uncertainty=float(u),
        channel=take.info.ch_names[take.signals[worst]],
    )
    shown = slice(lag, lag + round(3 * sfreq))
    scale = float(np.std(band[:, worst]) / np.std(template))
    curve = {
        "seconds": (np.arange(round(3 * sfreq)) / sfreq).tolist(),
        "measured": band[shown, worst].tolist(),
        "played": (scale * template[: round(3 * sfreq), 0]).tolist(),
    }
    return [measurement], {"phantom": curve}


def motion(takes: list[Take], context: Context) -> Result:
    """Largest peak to peak within a second, from 0.5 to 70 Hz, while the cable is tapped."""
    del context
    take = takes[0]
    sfreq = take.info.sfreq
    _, _, band = band_rms(take.filled(), sfreq, 0.5, min(70.0, 0.45 * sfreq))
    block = round(sfreq)
    peaks = np.ptp(band[: len(band) // block * block].reshape(-1, block, band.shape[1]), axis=1)
    worst = int(np.argmax(peaks.max(axis=0)))
    measurement = Measurement(
        quantity="motion_pp",
        label="Peak to peak in a second, worst channel",
        value=float(peaks[:, worst].max()),
        unit="uV",
        channel=take.info.ch_names[take.signals[worst]],
    )
    return [measurement], {}


def biological(takes: list[Take], context: Context) -> Result:
    """Power of 8 to 12 Hz with closed eyes over that with open eyes, at the electrode where it is largest."""
    del context
    powers = {}
    for take in takes:
        data = take.filled()
        n = len(data) // 4
        # Quarters tell how much it scatters.
        powers[take.stimulus.kind] = np.array(
            [band_rms(data[i * n : (i + 1) * n], take.info.sfreq, 8.0, 12.0)[0] ** 2 for i in range(4)]
        )
    closed, opened = powers["eyes-closed"], powers["eyes-open"]
    ratio = closed.mean(axis=0) / opened.mean(axis=0)
    best = int(np.argmax(ratio))
    relative = [v[:, best].std(ddof=1) / v[:, best].mean() / 2 for v in (closed, opened)]
    take = takes[0]
    measurement = Measurement(
        quantity="alpha_ratio",
        label="Alpha with closed over open eyes, best electrode",
        value=float(ratio[best]),
        unit="1",
        uncertainty=2 * float(ratio[best] * np.hypot(*relative)),
        channel=take.info.ch_names[take.signals[best]],
    )
    return [measurement], {}


def battery(takes: list[Take], context: Context) -> Result:
    """Noise and gain after two hours on battery against the start."""
    shorted = sorted((take for take in takes if take.stimulus.kind == "short"), key=lambda take: take.stimulus.after)
    sines = sorted((take for take in takes if take.stimulus.kind == "sine"), key=lambda take: take.stimulus.after)
    high = min(BAND[1], 0.45 * shorted[0].info.sfreq)
    (before, u_before, _), (after, u_after, _) = (
        band_rms(take.filled(), take.info.sfreq, BAND[0], high) for take in (shorted[0], shorted[-1])
    )
    change = 100 * (np.sqrt(np.mean(after**2)) / np.sqrt(np.mean(before**2)) - 1)
    # Of a sum of powers, of which the loudest channel has the most.
    parts = [np.sqrt(np.sum((rms * u) ** 2)) / np.sum(rms**2) for rms, u in ((before, u_before), (after, u_after))]
    u = 100 * np.hypot(*parts) * (1 + change / 100)
    first, _ = own_gains([sines[0]])
    last, spread = own_gains([sines[-1]])
    del context
    measurements = [
        Measurement(
            quantity="noise_change",
            label=f"Noise after {shorted[-1].stimulus.after / 3600:g} h, change",
            value=float(change),
            unit="%",
            uncertainty=2 * float(u),
        ),
        Measurement(
            quantity="gain_change",
            label="Gain, change",
            value=100 * float(last[0] / first[0] - 1),
            unit="%",
            uncertainty=200 * 1.42 * float(spread[0]),
        ),
    ]
    return measurements, {}
