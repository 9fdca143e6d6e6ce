"""What is left between channels, levels and takes: the right one, the right way up, the right size, the same again."""

import numpy as np

from bcikit.validation.extremes import amplitude
from bcikit.validation.residual.found import Found, finding, names_of
from bcikit.validation.sinefit import sine_fit
from bcikit.validation.takes import Context, Take
from bcikit.validation.timebase import fit_line

LEVEL = 0.01
"""Share by which the gain may differ between levels and takes of one run before it is a finding."""

STEADY = 0.002
"""The same for levels of one size."""

OHMS = 0.1
"""Share by which the impedance of one channel may differ from the others with the same resistor."""

CLOCKS = 1e-4
"""By which the rate of the stamps and that of a generator's sine may differ: cheap generators are off by as much."""


def between_channels(takes: list[Take], context: Context) -> Found:
    """Look at what several channels, levels and recordings of a run must agree on."""
    return _map(takes) + _levels(takes) + _signs(takes) + _clocks(takes, context) + _ohms(takes)


def _ohms(takes: list[Take]) -> Found:
    """Hold the impedance that each channel reads against the others, which have the same resistors."""
    alike = [take for take in takes if take.stimulus.kind == "resistors" and take.stimulus.channel is None]
    read = [take.impedances for take in alike if take.impedances is not None]
    found: Found = []
    if not read:
        return found
    names = names_of(takes[0])
    ratio = np.array([row[: len(names)] / take.stimulus.ohms for row, take in zip(read, alike, strict=True)])
    for column in np.flatnonzero(~np.isfinite(ratio).all(axis=0)):
        found.append(finding("impedance_missing", "Impedance is no number", np.nan, "ohm", names[column]))
    sound = np.isfinite(ratio).all(axis=0)
    if sound.sum() < 3:
        return found
    middle = np.median(ratio[:, sound], axis=1, keepdims=True)
    off = np.median(ratio[:, sound] / np.maximum(middle, 1e-12), axis=0) - 1
    usual = 1.4826 * float(np.median(np.abs(off)))
    for place in np.flatnonzero(np.abs(off) > max(OHMS, 8 * usual)):
        name = names[int(np.flatnonzero(sound)[place])]
        found.append(finding("impedance_channel", "Impedance against the other channels", 100 * off[place], "%", name))
    return found


def _plain(take: Take) -> bool:
    """Return whether a take is a sine of 10 Hz without a direct voltage, fresh from the start."""
    sine = take.stimulus
    return sine.kind == "sine" and sine.frequency == 10.0 and not sine.offset_uv and not sine.after


def _levels(takes: list[Take]) -> Found:
    """Hold the gain at each level, and in each take, against the others; a wrong unit is a power of a thousand."""
    found: Found = []
    together = [take for take in takes if _plain(take) and take.stimulus.channel is None]
    rows, spread, applied = [], [], []
    for take in together:
        fit = sine_fit(take.data[:, take.signals], take.clock, 10.0)
        size = amplitude(fit.amplitude, fit.u_amplitude)
        rows.append(size / take.stimulus.amplitude_uv)
        spread.append(fit.u_amplitude / take.stimulus.amplitude_uv)
        applied.append(take.stimulus.amplitude_uv)
    names = names_of(together[0]) if together else []
    gains, u, level = np.array(rows), np.array(spread), np.array(applied)
    for column, name in enumerate(names if len(rows) > 1 else []):
        sure = u[:, column] < 0.01
        if sure.sum() < 2:
            continue
        middle = float(np.median(gains[sure, column]))
        off = np.abs(gains[:, column] / middle - 1)
        allowed = np.maximum(7 * u[:, column] / middle, np.where((level > 300) & (level < 20_000), STEADY, LEVEL))
        worst = int(np.argmax(off / allowed))
        if off[worst] > allowed[worst]:
            alike = np.isclose(level, level[worst], rtol=0.5)
            quantity = "gain_unsteady" if 300 < level[worst] < 20_000 and alike.sum() > 1 else "gain_by_level"
            label = f"Gain with a sine of {level[worst]:.4g} uV against the middle of the run"
            found.append(finding(quantity, label, 100 * (gains[worst, column] / middle - 1), "%", name))
    alone = [take for take in takes if _plain(take) and take.stimulus.channel is not None]
    for take in [*together, *alone]:
        if take.stimulus.amplitude_uv < 500:
            continue
        column = take.driven
        fit = sine_fit(take.data[:, [column]], take.clock, 10.0)
        tens = np.log10(max(float(fit.amplitude[0]), 1e-12) / take.stimulus.amplitude_uv)
        if abs(tens) > 2.5 and abs(tens - 3 * round(tens / 3)) < 0.1:
            label = "Values over what was applied: a power of a thousand, so the declared unit is wrong"
            found.append(finding("unit_scale", label, 10**tens, "1", take.info.ch_names[column]))
            break
    return found


def _signs(takes: list[Take]) -> Found:
    """Look at pulses and direct voltages, which have a sign of their own."""
    found: Found = []
    for take in takes:
        if take.stimulus.kind == "pulses":
            column = take.driven
            x = take.data[:, column]
            up, down = x.max() - np.median(x), np.median(x) - x.min()
            if down > 3 * up:
                found.append(finding("polarity", "Pulses come out upside down", -1.0, "1", take.info.ch_names[column]))
        if take.stimulus.kind == "sine" and abs(take.stimulus.offset_uv) > 10_000:
            rest = np.median(take.data[:, take.signals], axis=0) / take.stimulus.offset_uv
            for place in np.flatnonzero(rest < -0.2):
                label = "A direct voltage comes out upside down"
                found.append(finding("polarity", label, float(rest[place]), "1", names_of(take)[place]))
    return found


def _clocks(takes: list[Take], context: Context) -> Found:
    """Hold the rate that the stamps show against that which a generator's sine shows."""
    open_takes = [take for take in takes if take.stimulus.kind == "open"]
    sines = [take for take in takes if _plain(take) and take.stimulus.amplitude_uv > 500]
    if not open_takes or not sines:
        return []
    take = max(sines, key=lambda item: len(item.samples))
    column = take.driven
    fit = sine_fit(take.data[:, [column]], take.clock, 10.0)
    period, _, _, u = fit_line(open_takes[0].samples, open_takes[0].times)
    by_sine = take.stimulus.frequency / fit.frequency - 1
    by_stamps = 1 / (period * take.info.sfreq) - 1
    allowed = CLOCKS + 5 * float(np.hypot(u, fit.u_frequency / fit.frequency)) + 5 * context.instruments.frequency
    if abs(by_sine - by_stamps) > allowed:
        label = "Rate of the samples by a generator's sine against that by the time stamps"
        return [finding("clock_disagrees", label, 1e6 * (by_sine - by_stamps), "ppm")]
    return []


def _map(takes: list[Take]) -> Found:
    """Look at channels that were driven alone: the right one, the right way up, and no trace of a common reference."""
    alone = [t for t in takes if t.stimulus.kind == "sine" and t.stimulus.channel is not None and not t.stimulus.after]
    alone = [t for t in alone if t.stimulus.amplitude_uv <= 2000.0]
    found: Found = []
    traces = []
    for take in alone:
        names, driven = names_of(take), take.stimulus.channel or 0
        fit = sine_fit(take.data[:, take.signals], take.clock, take.stimulus.frequency)
        loudest = int(np.argmax(fit.amplitude))
        if loudest != driven:
            label = f"Driven was {names[driven]}; the signal is on {names[loudest]}"
            found.append(finding("channel_map", label, loudest + 1, "1", names[driven]))
            continue
        turned = np.cos(fit.phase - fit.phase[driven]) * fit.amplitude / fit.amplitude[driven]
        others = np.delete(turned, driven)
        traces.append(np.median(others) if len(names) > 2 else 0.0)
        if len(names) > 2 and others.max() < -0.02:
            label = f"Share of {names[driven]} that every other channel shows upside down (it is their reference)"
            found.append(finding("hidden_reference", label, float(np.median(others)), "1", names[driven]))
    if len(traces) > 1 and np.median(traces) < -0.3 / (len(traces) + 1):
        label = "Share of a driven channel that all others show, upside down (a common average reference)"
        found.append(finding("hidden_reference", label, float(np.median(traces)), "1"))
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
            found.append(
                finding("polarity", "Upside down against the other channels", -1.0, "1", names_of(take)[column])
            )
    return found
