"""Tests of the band: what comes from above it, what two tones make, and whether it has holes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.validation.amplitude import DB, own_gains, toward_nothing
from bcikit.validation.extremes import PASSBAND, amplitude, calmed, extreme_share
from bcikit.validation.results import Measurement
from bcikit.validation.sinefit import sine_fit, solve_normal
from bcikit.validation.takes import Context, Take

Result = tuple[list[Measurement], dict[str, Any]]


def aliasing(takes: list[Take], context: Context) -> Result:
    """Size at the input of what a tone above half the sampling rate becomes, over the tone."""
    take = next(take for take in takes if take.stimulus.channel is None)
    gains, _ = own_gains(takes)
    image = abs(take.stimulus.frequency - round(take.stimulus.frequency / take.info.sfreq) * take.info.sfreq)
    fit = sine_fit(take.data[:, take.signals], take.clock, image)
    size, spread = calmed(amplitude(fit.amplitude, fit.u_amplitude) / gains, fit.u_amplitude / gains)
    ratio = 20 * np.log10(size / take.stimulus.amplitude_uv)
    worst = int(np.argmax(ratio))
    # The generator told the gains, too: its own error is in neither.
    del context
    u = DB * float(spread[worst] / size[worst])
    measurement = Measurement(
        quantity="alias",
        label=f"Tone of {take.stimulus.frequency:g} Hz, seen at {fit.frequency:.4g} Hz, worst channel",
        value=float(ratio[worst]),
        unit="dB",
        uncertainty=toward_nothing(u),
        channel=take.info.ch_names[take.signals[worst]],
    )
    return [measurement], {}


def _tones(t: NDArray[np.float64], frequencies: list[float]) -> NDArray[np.float64]:
    angles = 2 * np.pi * np.outer(t, frequencies)
    return np.column_stack([np.ones_like(t), np.cos(angles), np.sin(angles)])


def solve_tones(
    data: NDArray[np.float64], t: NDArray[np.float64], frequencies: list[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit sines of known ratios together; one scale of all frequencies (the device's clock) is fitted, too.

    Returns
    -------
    amplitude : ndarray, shape (n_frequencies, n_channels)
        Peaks.
    u : ndarray, shape (n_channels,)
        Standard uncertainty of each.
    left : ndarray, shape (n_times, n_channels)
        What is left.
    """
    t = t - t.mean()
    scale, nudge = 1.0, 1e-7

    # The strong ones tell the clock. All of them: one that is left out is no noise to the slopes, which grow with time.
    first = solve_normal(_tones(t, frequencies), data)
    size = np.hypot(first[1 : len(frequencies) + 1], first[len(frequencies) + 1 :]).max(axis=1)
    lead = [f for f, strong in zip(frequencies, size > 0.003 * size.max(), strict=True) if strong]

    def residual(at: float) -> NDArray[np.float64]:
        design = _tones(t, [at * f for f in lead])
        return np.asarray(data - design @ solve_normal(design, data))

    for _ in range(4):
        left = residual(scale)
        slope = (residual(scale + nudge) - left) / nudge
        power = float(np.sum(slope * slope))
        step = -float(np.sum(slope * left)) / power if power else 0.0
        scale += float(np.clip(step, -1e-3, 1e-3))
        if abs(step) < 1e-9:
            break
    design = _tones(t, [scale * f for f in frequencies])
    solution = solve_normal(design, data)
    left = data - design @ solution
    sd = np.sqrt(np.square(left).sum(axis=0) / max(1, len(t) - design.shape[1]))
    n = len(frequencies)
    return np.hypot(solution[1 : n + 1], solution[n + 1 :]), sd * np.sqrt(2 / len(t)), left


def intermodulation(takes: list[Take], context: Context) -> Result:
    """Products of second and third order of two tones, over the two together."""
    del context
    take = takes[0]
    f, g = take.stimulus.frequency, take.stimulus.second
    products = sorted({abs(g - f), f + g, abs(2 * f - g), abs(2 * g - f)})
    products = [p for p in products if 0 < p < 0.48 * take.info.sfreq]
    size, u, _ = solve_tones(take.data[:, take.signals], take.clock, [f, g, *products])
    rest = size[2:]
    floor = len(products) * u**2
    power = np.maximum(np.sum(rest**2 - 2 * u**2, axis=0), floor)
    together = size[0] + size[1]
    ratio = 10 * np.log10(power / together**2)
    worst = int(np.argmax(ratio))
    spread = DB * float(np.sqrt(np.sum((rest[:, worst] * u[worst]) ** 2) + floor[worst] ** 2) / power[worst])
    names = [take.info.ch_names[column] for column in take.signals]
    measurement = Measurement(
        quantity="imd",
        label=f"Intermodulation of {f:g} and {g:g} Hz at {2e-3 * take.stimulus.amplitude_uv:.4g} mV, worst channel",
        value=float(ratio[worst]),
        unit="dB",
        uncertainty=2 * spread,
        channel=names[worst],
    )
    return [measurement], {}


def harmonics_of(take: Take) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the odd harmonics of a square wave over those of an ideal one, against that at 5 Hz.

    Returns
    -------
    hz : ndarray, shape (n,)
    relative, u : ndarray, shape (n, n_channels)
        Share, and its standard uncertainty.
    """
    f = take.stimulus.frequency
    orders = np.arange(1, int(0.4 * take.info.sfreq / f) + 1)
    size, u, _ = solve_tones(take.data[:, take.signals], take.clock, [float(k * f) for k in orders])
    odd = orders % 2 == 1
    ideal = 4 / np.pi * take.stimulus.amplitude_uv / orders[odd]
    hz = orders[odd] * f
    share, spread = size[odd] / ideal[:, None], u / ideal[:, None]
    reference = share[int(np.argmin(np.abs(hz - 5.0)))]
    if np.any(reference <= 0):
        raise DataError("The square wave is not there: nothing at 5 Hz.")
    return hz, share / reference, spread / reference


def _without_luck(
    hz: NDArray[np.float64], relative: NDArray[np.float64], u: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by which response the smallest or largest harmonic is chosen: a smooth curve, except at holes and humps.

    The smallest of many noisy values would be the one with the worst luck. What stands out of the curve is no luck.
    """
    mean = relative.mean(axis=1)
    spread = np.sqrt(np.mean(u**2, axis=1) / relative.shape[1])
    at = 2 * hz / hz.max() - 1
    curve = np.polynomial.chebyshev.chebfit(at, mean, min(5, len(hz) // 3), w=1 / np.maximum(spread, 1e-9))
    smooth = np.polynomial.chebyshev.chebval(at, curve)
    return np.asarray(np.where(np.abs(mean - smooth) > np.maximum(4 * spread, 0.02), mean, smooth))


def flatness(takes: list[Take], context: Context) -> Result:
    """Smallest and largest response over all odd harmonics of a square wave, against that at 5 Hz."""
    del context
    take = takes[0]
    hz, relative, u = harmonics_of(take)
    top = min(PASSBAND, 0.4 * take.info.sfreq)
    inside = (hz >= 1.0) & (hz <= top)
    chosen = _without_luck(hz[inside], relative[inside], u[inside])
    names = [take.info.ch_names[column] for column in take.signals]
    measurements = []
    for quantity, word, pick in (("flat_min", "Smallest", np.argmin), ("flat_max", "Largest", np.argmax)):
        row = int(pick(chosen))
        words = f"{word} response of {int(inside.sum())} harmonics up to {top:g} Hz (at {hz[inside][row]:g} Hz)"
        measurements.append(
            extreme_share(
                relative[inside][row], u[inside][row], names, pick, quantity=quantity, label=words,
                whole=top >= PASSBAND,
            )
        )  # fmt: skip
    decibels = 20 * np.log10(np.maximum(relative, 1e-6))
    return measurements, {"response": {"hz": hz.tolist(), "db": decibels.T.tolist(), "names": names}}
