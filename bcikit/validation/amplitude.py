"""Tests of size: gain, linearity, distortion, common mode, crosstalk, skew, offset range."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.validation.extremes import amplitude, calmed
from bcikit.validation.results import Measurement
from bcikit.validation.sinefit import SineFit, harmonics, sine_fit
from bcikit.validation.takes import Context, Take

Result = tuple[list[Measurement], dict[str, Any]]
DB = 20 / np.log(10)
"""Decibels for a small relative change of an amplitude."""


def _fit(take: Take) -> SineFit:
    return sine_fit(take.data[:, take.signals], take.clock, take.stimulus.frequency)


def _names(take: Take) -> list[str]:
    return [take.info.ch_names[column] for column in take.signals]


def own_gains(takes: list[Take]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gain and its standard uncertainty of each channel, from takes in which it was driven alone."""
    alone = sorted((take for take in takes if take.stimulus.channel is not None), key=lambda t: t.stimulus.channel or 0)
    gains, spread = [], []
    for take in alone:
        fit = _fit(take)
        channel = take.stimulus.channel or 0
        gains.append(fit.amplitude[channel] / take.stimulus.amplitude_uv)
        spread.append(fit.u_amplitude[channel] / take.stimulus.amplitude_uv)
    return np.array(gains), np.array(spread)


def gain(takes: list[Take], context: Context) -> Result:
    """Amplitude of the fitted sine over what was applied, each channel driven alone."""
    gains, noise = own_gains(takes)
    raw, raw_noise = gains, noise
    gains, noise = calmed(gains, noise)
    instrument = context.instruments.amplitude * gains.mean()
    names = _names(takes[0])
    far = int(np.argmax(np.abs(gains - 1)))
    spread = float(gains.max() - gains.min())
    u_spread = float(np.hypot(noise[np.argmax(gains)], noise[np.argmin(gains)]))
    measurements = [
        Measurement(
            quantity="gain",
            label="Gain, mean of the channels",
            value=float(gains.mean()),
            unit="1",
            uncertainty=2 * float(np.hypot(instrument, np.sqrt(np.mean(noise**2) / len(noise)))),
            budget=(
                ("generator and divider", float(instrument)),
                ("noise of the fits", float(np.sqrt(np.mean(noise**2) / len(noise)))),
            ),
        ),
        Measurement(
            quantity="gain_error",
            label="Gain error, worst channel",
            value=100 * float(gains[far] - 1),
            unit="%",
            uncertainty=200 * float(np.hypot(instrument, noise[far])),
            budget=(("generator and divider", 100 * float(instrument)), ("noise of the fit", 100 * float(noise[far]))),
            channel=names[far],
        ),
        Measurement(
            quantity="gain_match",
            label="Largest difference between two channels",
            value=100 * spread,
            unit="%",
            uncertainty=200 * u_spread,
        ),
    ]
    return measurements, {"gain": {"names": names, "gains": raw.tolist(), "uncertainty": (2 * raw_noise).tolist()}}


def linearity(takes: list[Take], context: Context) -> Result:
    """Deviation of the amplitude from the regression line of output on input, in per cent of full scale."""
    del context
    takes = sorted(takes, key=lambda take: take.stimulus.amplitude_uv)
    applied = np.array([take.stimulus.amplitude_uv for take in takes])
    fits = [_fit(take) for take in takes]
    measured = np.array([fit.amplitude for fit in fits])
    spread = np.array([fit.u_amplitude for fit in fits])
    scale = _full_scale(takes[0], applied.max() / 0.8)
    design = np.column_stack([applied, np.ones_like(applied)])
    line, *_ = np.linalg.lstsq(design, measured, rcond=None)
    deviation = 100 * (measured - design @ line) / scale
    step, channel = np.unravel_index(np.argmax(np.abs(deviation)), deviation.shape)
    measurement = Measurement(
        quantity="linearity",
        label=f"Largest deviation from the straight line (at {applied[step]:.4g} uV)",
        value=float(abs(deviation[step, channel])),
        unit="% FS",
        uncertainty=200 * float(spread[step, channel]) / scale,
        channel=_names(takes[0])[channel],
    )
    curve = {"applied": applied.tolist(), "deviation": deviation.tolist(), "names": _names(takes[0])}
    return [measurement], {"linearity": curve}


def distortion(takes: list[Take], context: Context) -> Result:
    """THD, SINAD, SFDR and ENOB from a fit of the sine with ten harmonics (IEEE Std 1057-2017), channel by channel."""
    takes = sorted(takes, key=lambda take: take.stimulus.channel or 0)
    fits = [_harmonics(take) for take in takes]
    names = _names(takes[0])
    thd = np.array([item[0] for item in fits])
    bad = int(np.argmax(thd))
    u = 2 * float(np.hypot(fits[bad][1], DB * context.instruments.amplitude))
    level = takes[0].stimulus.amplitude_uv
    label = f"Total harmonic distortion at {level / 1000:.4g} mV, worst channel"
    sinad = min(item[3] for item in fits)
    sfdr = min(item[2][0] - max(item[2][1:]) for item in fits)
    measurements = [
        Measurement(
            quantity="thd",
            label=label,
            value=float(thd[bad]),
            unit="dB",
            uncertainty=u,
            channel=names[bad],
            budget=(("noise of the fit", fits[bad][1]), ("generator", DB * context.instruments.amplitude)),
        ),
        _plain("sinad", "Signal to noise and distortion, worst channel", sinad, "dB"),
        _plain("sfdr", "Spurious-free range over ten harmonics, worst channel", sfdr, "dB"),
    ]
    scale = takes[0].info.capabilities.full_scale
    if scale:
        bits = (sinad - 1.76 + 20 * np.log10(scale / level)) / 6.02
        measurements.append(_plain("enob", "Effective number of bits, worst channel", bits, "bit"))
    orders = list(range(1, len(fits[bad][2]) + 1))
    return measurements, {"distortion": {"order": orders, "db": fits[bad][2], "name": names[bad]}}


def _harmonics(take: Take) -> tuple[float, float, list[float], float]:
    """Return THD and its standard uncertainty, the harmonics and SINAD of the driven channel, in decibels."""
    data = take.data[:, [take.driven]]
    fit = sine_fit(data, take.clock, take.stimulus.frequency)
    found, spread, _ = harmonics(data, take.clock, fit.frequency, count=10, limit=take.info.sfreq / 2)
    amplitude, u = found[:, 0], spread[:, 0]
    rest, u_rest = amplitude[1:], u[1:]
    # What noise alone adds to the square of an amplitude is taken off.
    floor = float(np.sum(u_rest**2))
    power = max(float(np.sum(rest**2 - 2 * u_rest**2)), floor)
    u_thd = DB * np.sqrt(np.sum((rest * u_rest) ** 2) + floor**2) / power
    shown = 20 * np.log10(np.maximum(amplitude, 1e-12) / amplitude[0])
    sinad = 20 * np.log10(amplitude[0] / np.sqrt(2) / fit.residual[0])
    return float(10 * np.log10(power / amplitude[0] ** 2)), float(u_thd), shown.tolist(), float(sinad)


def _plain(quantity: str, label: str, value: float, unit: str) -> Measurement:
    return Measurement(quantity=quantity, label=label, value=value, unit=unit)


def _full_scale(take: Take, fallback: float) -> float:
    scale = take.info.capabilities.full_scale
    return fallback if scale is None else scale


def common_mode(takes: list[Take], context: Context) -> Result:
    """20 log of the common-mode voltage over what it does at the input of each channel."""
    common = next(take for take in takes if take.stimulus.kind == "common")
    gains, _ = own_gains(takes)
    together = [take for take in takes if take.stimulus.kind == "sine" and take.stimulus.channel is None]
    fit = _fit(common)
    # Channels driven together hear each other, which the ratio of two frequencies does not see.
    size = {take.stimulus.frequency: _fit(take).amplitude for take in together}
    gains = gains * size[common.stimulus.frequency] / size[10.0]
    at_input = np.maximum(fit.amplitude, fit.u_amplitude) / gains
    ratio = 20 * np.log10(common.stimulus.amplitude_uv / at_input)
    worst = int(np.argmin(ratio))
    instruments = np.hypot(context.instruments.common, context.instruments.amplitude)
    u = DB * np.hypot(instruments, fit.u_amplitude[worst] / max(fit.amplitude[worst], 1e-12))
    measurement = Measurement(
        quantity="cmrr",
        label=f"Common-mode rejection at {common.stimulus.frequency:g} Hz, balanced, worst channel",
        value=float(ratio[worst]),
        unit="dB",
        uncertainty=2 * float(u),
        channel=_names(common)[worst],
        budget=(
            ("common-mode generator", DB * context.instruments.common),
            ("generator and divider of the gain", DB * context.instruments.amplitude),
            ("noise of the fit", DB * float(fit.u_amplitude[worst] / max(fit.amplitude[worst], 1e-12))),
        ),
    )
    return [measurement], {"cmrr": {"names": _names(common), "db": ratio.tolist()}}


def crosstalk(takes: list[Take], context: Context) -> Result:
    """Amplitude on each idle channel over that of the driven one; the matrix in decibels."""
    del context
    takes = sorted(takes, key=lambda take: take.stimulus.channel or 0)
    names = _names(takes[0])
    gains, u_gains = own_gains(takes)
    matrix = np.full((len(takes), len(names)), np.nan)
    spread = np.full_like(matrix, np.nan)
    for row, take in enumerate(takes):
        fit = _fit(take)
        driven = take.stimulus.channel or 0
        size = amplitude(fit.amplitude, fit.u_amplitude)
        # Both at the input: the ratio of two channels would hold their gains, which their own tests tell.
        matrix[row] = 20 * np.log10(size / gains / (fit.amplitude[driven] / gains[driven]))
        spread[row] = DB * np.hypot(fit.u_amplitude / size, u_gains.max())
        matrix[row, driven] = np.nan
    if len(names) < 2:
        return [], {}
    where = np.unravel_index(np.nanargmax(matrix), matrix.shape)
    row, column = int(where[0]), int(where[1])
    measurement = Measurement(
        quantity="crosstalk",
        label=f"Crosstalk, worst pair (from {names[row]})",
        value=float(matrix[row, column]),
        unit="dB",
        uncertainty=toward_nothing(float(spread[row, column])),
        channel=names[column],
    )
    shown = [[None if np.isnan(v) else float(v) for v in line] for line in matrix]
    return [measurement], {"crosstalk": {"names": names, "db": shown}}


def toward_nothing(u: float) -> float:
    """Return the expanded uncertainty in dB of the largest of many amplitudes, known to `u` dB each.

    Near the noise it may be nothing but the largest draw: its lower end goes down to a tenth.
    """
    share = u / DB
    wide = 2.0 if share < 1 / 6 else 2.5
    return float(-20 * np.log10(max(1.0 - wide * share, 0.1)))


def skew(takes: list[Take], context: Context) -> Result:
    """Phase differences of one sine on all channels, over 2 pi f."""
    take = takes[0]
    fit = _fit(take)
    # The generator's own frequency: the fitted one is in seconds of the device's clock, which may be off.
    turn = 2 * np.pi * take.stimulus.frequency
    relative = np.angle(np.exp(1j * (fit.phase - fit.phase[0]))) / turn
    relative, u_relative = calmed(relative, fit.u_phase / turn)
    early, late = int(np.argmin(relative)), int(np.argmax(relative))
    value = float(relative[late] - relative[early])
    u = float(np.hypot(np.hypot(u_relative[early], u_relative[late]), context.instruments.frequency * value))
    names = _names(take)
    pair = f"{names[early]} to {names[late]}"
    measurements = [
        Measurement(
            quantity="skew",
            label="Skew between channels",
            value=1e3 * value,
            unit="ms",
            uncertainty=2e3 * u,
            channel=pair,
            budget=(
                ("noise of the fit, earliest channel", 1e3 * float(u_relative[early])),
                ("noise of the fit, latest channel", 1e3 * float(u_relative[late])),
                ("frequency of the generator", 1e3 * context.instruments.frequency * abs(value)),
            ),
        ),
        Measurement(
            quantity="skew_samples",
            label="Skew in samples",
            value=value * take.info.sfreq,
            unit="samples",
            uncertainty=2 * u * take.info.sfreq,
            channel=pair,
        ),
    ]
    return measurements, {"skew": {"names": names, "ms": (1e3 * relative).tolist()}}


def offset_range(takes: list[Take], context: Context) -> Result:
    """Direct voltage up to which the gain stays within 10 % of that without one."""
    takes = sorted(takes, key=lambda take: take.stimulus.offset_uv)
    offsets = np.array([take.stimulus.offset_uv for take in takes]) / 1e3
    amplitudes = np.array([_fit(take).amplitude for take in takes])
    change = 100 * (amplitudes / amplitudes[int(np.argmin(np.abs(offsets)))] - 1)
    step = float(np.diff(offsets).min())
    reach = []
    for sign in (-1.0, 1.0):
        side = offsets * sign >= 0
        order = np.argsort(offsets[side] * sign)
        bad = np.abs(change[side][order]) > 10
        along = (offsets[side] * sign)[order]
        hit = np.flatnonzero(bad.any(axis=1))
        if not len(hit):
            reach.append(float(along[-1]))
            continue
        before, after = along[hit[0] - 1], along[hit[0]]
        worst = np.abs(change[side][order]).max(axis=1)
        share = (10 - worst[hit[0] - 1]) / max(worst[hit[0]] - worst[hit[0] - 1], 1e-12)
        reach.append(float(before + np.clip(share, 0, 1) * (after - before)))
    value = min(reach)
    # A rectangle as wide as a step, and the source's own error.
    u = float(np.hypot(step / np.sqrt(12), context.instruments.offset * value))
    measurement = Measurement(
        quantity="offset_range",
        label="Direct voltage with the gain within 10 %, both signs",
        value=value,
        unit="mV",
        uncertainty=2 * u,
        budget=(
            ("step between the direct voltages", float(step / np.sqrt(12))),
            ("source of the direct voltage", context.instruments.offset * value),
        ),
    )
    return [measurement], {"offset": {"mv": offsets.tolist(), "change": change.tolist(), "names": _names(takes[0])}}
