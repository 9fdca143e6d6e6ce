"""Tests of the response over frequency and time, and of the device's own test signal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.validation.extremes import PASSBAND, calmed, extreme_share
from bcikit.validation.noise import band_rms
from bcikit.validation.results import Measurement
from bcikit.validation.sinefit import sine_fit
from bcikit.validation.takes import Context, Take

Result = tuple[list[Measurement], dict[str, Any]]


def frequency_response(takes: list[Take], context: Context) -> Result:
    """Amplitude at each frequency over that at 5 Hz, and the -3 dB point."""
    takes = sorted(takes, key=lambda take: take.stimulus.frequency)
    frequencies = np.array([take.stimulus.frequency for take in takes])
    fits = [sine_fit(take.data[:, take.signals], take.clock, take.stimulus.frequency) for take in takes]
    size = np.array([fit.amplitude for fit in fits])
    spread = np.array([fit.u_amplitude for fit in fits])
    reference = int(np.argmin(np.abs(frequencies - 5.0)))
    relative = size / size[reference]
    u = 2 * relative * np.sqrt((spread / size) ** 2 + (spread / size)[reference] ** 2)
    top = min(PASSBAND, 0.4 * takes[0].info.sfreq)
    inside = (frequencies >= 0.5) & (frequencies <= top + 1e-9)
    names = [takes[0].info.ch_names[column] for column in takes[0].signals]
    measurements = []
    for quantity, label, pick in (
        ("response_min", "Smallest", np.argmin),
        ("response_max", "Largest", np.argmax),
    ):
        row, _ = np.unravel_index(pick(relative[inside]), relative[inside].shape)
        words = f"{label} response from 0.5 to {top:g} Hz (at {frequencies[inside][row]:g} Hz) against 5 Hz"
        measurements.append(
            extreme_share(
                relative[inside][row], u[inside][row] / 2, names, pick, quantity=quantity, label=words,
                whole=top >= PASSBAND,
            )
        )  # fmt: skip
    decibels = 20 * np.log10(np.maximum(relative.mean(axis=1), 1e-6))
    measurements += _corner(frequencies, decibels)
    del context
    curve = {"hz": frequencies.tolist(), "db": (20 * np.log10(np.maximum(relative, 1e-6))).T.tolist(), "names": names}
    return measurements, {"response": curve}


def _corner(frequencies: NDArray[np.float64], decibels: NDArray[np.float64]) -> list[Measurement]:
    """Return the upper -3 dB point, if it was reached."""
    target = 20 * np.log10(np.sqrt(0.5))
    below = np.flatnonzero((decibels[1:] <= target) & (decibels[:-1] > target))
    if not len(below):
        label = f"-3 dB point: above {frequencies[-1]:g} Hz"
        # Of what gives nothing at all no point is known.
        above = float(frequencies[-1]) if np.isfinite(decibels).all() else float("nan")
        return [Measurement(quantity="bandwidth", label=label, value=float("nan"), unit="Hz", above=above)]
    from scipy.interpolate import PchipInterpolator

    at = int(below[-1])
    logs = np.log(frequencies)
    share = (target - decibels[at]) / (decibels[at + 1] - decibels[at])
    straight = float(np.exp(logs[at] + share * (logs[at + 1] - logs[at])))
    fine = np.linspace(logs[at], logs[at + 1], 400)
    smooth = PchipInterpolator(logs, decibels)(fine)
    curved = float(np.exp(fine[int(np.argmin(np.abs(smooth - target)))]))
    # The truth lies between frequencies: what the two ways of joining them differ by tells how sure it is.
    u = max(abs(straight - curved) / 4, 0.0024 * curved)
    return [Measurement(quantity="bandwidth", label="-3 dB point", value=curved, unit="Hz", uncertainty=u)]


def step_response(takes: list[Take], context: Context) -> Result:
    """Rise time, overshoot and sag of the mean period of a square wave."""
    del context
    take = takes[0]
    data = take.filled().mean(axis=1)
    sfreq, frequency = take.info.sfreq, take.stimulus.frequency
    period = round(sfreq / frequency)
    n = len(data) // period - 1
    if n < 3:
        raise DataError(f"{n} periods of the square wave are too few.")
    folded = data[period : period * (n + 1)].reshape(n, period).mean(axis=0)
    folded = np.roll(folded, period // 4 - int(np.argmax(np.diff(folded, prepend=folded[-1]))))
    low = float(np.median(folded[: period // 8]))
    plateau = folded[period // 4 + period // 10 : period // 4 + period // 2 - period // 20]
    high = float(np.median(plateau))
    swing = high - low
    edge = folded[period // 4 - 6 : period // 4 + 12]
    fine = np.interp(np.linspace(0, len(edge) - 1, 4000), np.arange(len(edge)), edge)
    over10 = int(np.argmax(fine > low + 0.1 * swing))
    over90 = int(np.argmax(fine > low + 0.9 * swing))
    step = (len(edge) - 1) / 3999 / sfreq
    sag = 100 * float((plateau[:5].mean() - plateau[-5:].mean()) / swing)
    values = [
        ("rise_time", "Rise time, 10 to 90 %", 1e3 * (over90 - over10) * step, "ms"),
        ("overshoot", "Overshoot", 100 * (float(folded.max()) - high) / swing, "%"),
        ("sag", "Sag of the plateau (a high-pass)", sag, "%"),
        ("swing", "Swing", swing, "uV"),
    ]
    measurements = [Measurement(quantity=q, label=label, value=float(v), unit=unit) for q, label, v, unit in values]
    return measurements, {"step": {"ms": (1e3 * np.arange(period) / sfreq).tolist(), "uv": folded.tolist()}}


def internal_signal(takes: list[Take], context: Context) -> Result:
    """Amplitude and period of the device's own test signal against what its maker says."""
    take = takes[0]
    if "frequency" in context.expected:
        return _known_sines(take, context)
    square = context.expected.get("square", [1875.0, 1.0])
    data = take.filled()
    frequency = square[1]
    # The other harmonics are taken out first: for the fit they would be noise that is not white.
    _, _, fundamental = band_rms(data, take.info.sfreq, 0.5 * frequency, 1.5 * frequency)
    middle = slice(round(take.info.sfreq), len(data) - round(take.info.sfreq))
    fit = sine_fit(fundamental[middle], np.arange(len(data))[middle] / take.info.sfreq, frequency)
    height, u_height = _plateaus(data, take.info.sfreq / fit.frequency)
    error, u_error = calmed(100 * (height / square[0] - 1), 100 * u_height / square[0])
    worst = int(np.argmax(np.abs(error)))
    measurements = [
        Measurement(
            quantity="test_amplitude",
            label="Internal test signal, error of the amplitude, worst channel",
            value=float(error[worst]),
            unit="%",
            uncertainty=2 * float(u_error[worst]),
            channel=take.info.ch_names[take.signals[worst]],
        ),
        Measurement(
            quantity="test_period",
            label="Error of its period",
            value=100 * (frequency / fit.frequency - 1),
            unit="%",
            # What the edges of the record leave in the band is seen only in part by the residual.
            uncertainty=200 * float(np.hypot(fit.u_frequency / frequency, 1e-4)),
            budget=(("fit", 100 * fit.u_frequency / frequency), ("ends of the band-limited record", 1e-2)),
        ),
    ]
    return measurements, {}


def _plateaus(data: NDArray[np.float64], period: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return half the distance between the plateaus of a square, and its standard uncertainty, of each channel.

    The last two thirds of each half period, where a filter has settled; what the thirds differ by is what it has not.
    """
    first = int(np.argmax(np.abs(np.diff(data[: int(2 * period), 0])))) + 1
    phase = np.mod((np.arange(len(data)) - first) / period, 0.5) * 2
    half = np.floor((np.arange(len(data)) - first) / (0.5 * period)).astype(int)
    usable = (half >= 0) & (half < half[-1])
    means = []
    for low, high in ((0.35, 0.65), (0.65, 0.95)):
        inside = usable & (phase > low) & (phase < high)
        count = np.bincount(half[inside])
        means.append(np.stack([np.bincount(half[inside], column[inside]) / count for column in data.T], axis=1))
    steps = [np.abs(np.diff(part, axis=0)) / 2 for part in means]
    both = (steps[0] + steps[1]) / 2
    height = both.mean(axis=0)
    # Two steps beside each other share a plateau, so their mean scatters more than that of independent ones.
    scatter = both.std(axis=0, ddof=1) * np.sqrt(2 / len(both))
    apart = steps[1].mean(axis=0) - steps[0].mean(axis=0)
    unsettled = np.maximum(0.0, apart**2 - 4 * scatter**2) / 3
    # Two parts in a million: steps of the converter, and what bends it.
    return height, np.sqrt(scatter**2 + unsettled + (2e-6 * height) ** 2)


def _known_sines(take: Take, context: Context) -> Result:
    """Compare a sine on each channel with what the device is documented to generate."""
    expected = {key: np.asarray(values, dtype=float) for key, values in context.expected.items()}
    signals = take.signals[: len(expected["frequency"])]
    if len(signals) < len(expected["frequency"]):
        raise DataError(f"The profile describes {len(expected['frequency'])} channels, the stream has {len(signals)}.")
    rows: dict[str, list[float]] = {"frequency": [], "rms": [], "dc": [], "u_frequency": [], "u_rms": [], "u_dc": []}
    for column, frequency in zip(signals, expected["frequency"], strict=True):
        fit = sine_fit(take.data[:, [column]], take.clock, float(frequency))
        rows["frequency"].append(fit.frequency)
        rows["rms"].append(float(fit.amplitude[0]) / np.sqrt(2))
        rows["dc"].append(float(fit.offset[0]))
        rows["u_frequency"].append(fit.u_frequency)
        rows["u_rms"].append(float(fit.u_amplitude[0]) / np.sqrt(2))
        rows["u_dc"].append(float(fit.residual[0]) / np.sqrt(len(take.data)))
    names = [take.info.ch_names[column] for column in signals]
    measurements = []
    for key, label, unit in (
        ("frequency", "Frequency of the sine", "%"),
        ("rms", "Rms of the sine", "%"),
        ("dc", "Direct part", "%"),
    ):
        measured = np.array(rows[key])
        error = 100 * (measured / expected[key] - 1)
        u = 200 * np.array(rows[f"u_{key}"]) / expected[key]
        for index, name in enumerate(names):
            measurements.append(
                Measurement(
                    quantity=f"known_{key}",
                    label=f"{label}: {measured[index]:.5g}, documented {expected[key][index]:g}",
                    value=float(error[index]),
                    unit=unit,
                    uncertainty=float(u[index]),
                    channel=name,
                )
            )
    curve = {key: list(map(float, rows[key])) for key in ("frequency", "rms", "dc")}
    return measurements, {"known": {"names": names, **curve, "expected": {k: v.tolist() for k, v in expected.items()}}}
