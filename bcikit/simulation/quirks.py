"""Faults of a simulated amplifier that no data sheet names, each with a size: what a bench has to find by itself.

``dut:quirk=hysteresis:10`` plants one, ``dut:quirk=dead-zone:3,stamp-leap:0.5`` two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, Event, check_choice
from bcikit.simulation import quirk_effects as do
from bcikit.simulation.quirk_effects import QuirkBlock, QuirkMemory, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One kind of fault.

    Attributes
    ----------
    text : str
        What it does; the size is in its unit.
    sizes : tuple of float
        A small, a middle and a large one, for benchmarks.
    found : tuple of str
        Tests and findings ("V-THD", "hysteresis"), any of which names it rightly.
    data, stamps, world, marks, ohms : callable or None
        Changes samples ``(block, size, memory)``, time stamps ``(times, index, sfreq, size)``, where the device is in
        the time of the world ``(index, sfreq, size)`` in samples, markers ``(k, event, size)``, readings of impedance.
    """

    text: str
    sizes: tuple[float, float, float]
    found: tuple[str, ...]
    data: Callable[[QuirkBlock, float, QuirkMemory], Values] | None = None
    stamps: Callable[[Values, NDArray[np.int64], float, float], Values] | None = None
    world: Callable[[Values, float, float], Values] | None = None
    marks: Callable[[int, Event, float], list[Event]] | None = None
    ohms: Callable[[Values, float], Values] | None = None


_Q = Quirk
QUIRKS: dict[str, Quirk] = {
    "coarse": _Q(text="codes in steps of so many uV", sizes=(0.36, 0.715, 91.5), found=("code_step", "flat", "V-NOISE"),
                 data=lambda b, s, _: np.round(b.data / s) * s),
    "stuck-bit": _Q(text="a bit of the converter, counted from the lowest, is always 0", sizes=(2, 5, 9),
                    found=("code_bits", "code_step", "residual_noise", "small_distortion"), data=do.stuck),
    "bit-flips": _Q(text="one sample in so many has its tenth bit flipped", sizes=(2500, 1000, 100),
                    found=("spikes", "not_gaussian"), data=do.flips),
    "wrap": _Q(text="overflow at this share of full scale", sizes=(0.75, 0.5, 0.2),
               found=("V-LIN", "V-THD"), data=do.wrap),
    "clip-one-side": _Q(text="positive values stop at this share of full scale", sizes=(0.7, 0.5, 0.2),
                        found=("V-THD", "V-LIN"), data=lambda b, s, _: np.minimum(b.data, s * b.full_scale)),
    "dc-offset": _Q(text="direct voltage, mV", sizes=(6, 20, 100), found=("dc_offset",),
                    data=lambda b, s, _: b.data + 1e3 * s),
    "dc-drift": _Q(text="drift of the direct voltage, uV a minute", sizes=(40, 100, 500), found=("dc_drift",),
                   data=lambda b, s, _: b.data + (s / 60 * b.index / b.sfreq)[:, None]),
    "popcorn": _Q(text="steps of the baseline of one channel, uV", sizes=(2, 10, 50), found=("step",), data=do.popcorn),
    "clicks": _Q(text="one sample in ten seconds is off, uV", sizes=(2, 20, 200), found=("spikes", "not_gaussian"),
                 data=do.clicks),
    "tone": _Q(text="a line at 17.3 Hz, uV peak", sizes=(0.1, 0.5, 5), found=("noise_line", "V-NOISE"),
               data=lambda b, s, _: b.data + (s * np.sin(2 * np.pi * 17.3 * b.index / b.sfreq))[:, None]),
    "servo": _Q(text="a servo that swings at 0.15 Hz, uV peak", sizes=(0.5, 2, 20), found=("noise_line", "V-NOISE"),
                data=lambda b, s, _: b.data + (s * np.sin(2 * np.pi * 0.15 * b.index / b.sfreq))[:, None]),
    "no-numbers": _Q(text="one sample in so many of the first channel is no number", sizes=(5000, 2500, 500),
                     found=("no_numbers",),
                     data=lambda b, s, _: do.column(b, 0, np.where(do.one_in(b, s), np.nan, b.data[:, 0]))),
    "toggle": _Q(text="every second sample is higher, uV", sizes=(0.1, 0.5, 5), found=("noise_line", "V-NOISE"),
                 data=lambda b, s, _: b.data + (s * (b.index % 2))[:, None]),
    "comb-bursts": _Q(text="bursts of 50 Hz and its harmonic, uV peak", sizes=(0.5, 3, 20),
                      found=("noise_bursts", "not_gaussian", "V-NOISE"), data=do.bursts),
    "loud-and-soft": _Q(text="noise that grows and fades, uV", sizes=(0.3, 0.6, 3),
                        found=("noise_bursts", "not_gaussian", "V-NOISE"), data=do.modulated),
    "notch-45": _Q(text="a notch at 45 Hz nobody speaks of, its Q", sizes=(30, 10, 3),
                   found=("hidden_filter", "V-FLAT", "V-FREQ"), data=do.notch(45.0)),
    "notch-60": _Q(text="a notch at 60 Hz nobody speaks of, its Q", sizes=(30, 10, 3),
                   found=("hidden_filter", "V-FLAT", "V-FREQ"), data=do.notch(60.0)),
    "ringing": _Q(text="a resonance at 33 Hz, its share", sizes=(0.1, 0.3, 1.5),
                  found=("hidden_filter", "V-FLAT", "V-FREQ"), data=do.ring),
    "echo": _Q(text="the signal again 32 ms later, its share", sizes=(0.05, 0.1, 0.4),
               found=("hidden_filter", "V-FLAT", "V-FREQ"),
               data=lambda b, s, m: b.data + s * do.shift(b, m, round(0.032 * b.sfreq))),
    "made-up-samples": _Q(text="share of its neighbours in every second sample", sizes=(0.5, 0.8, 1.0),
                          found=("hidden_filter", "unexplained_line", "bridged", "noise_parity"), data=do.halved),
    "bridged": _Q(text="nine samples in so many lie on a straight line", sizes=(1000, 400, 100),
                  found=("bridged",), data=do.bridge),
    "repeats": _Q(text="one sample in so many repeats the one before", sizes=(500, 100, 20), found=("repeated",),
                  data=do.repeat),
    "zeros": _Q(text="one sample in so many is 0", sizes=(1000, 250, 50), found=("spikes", "zeros", "residual_noise"),
                data=lambda b, s, _: np.where(do.one_in(b, s)[:, None], 0.0, b.data)),
    "block-twice": _Q(text="ten samples in so many come twice", sizes=(2000, 500, 100),
                      found=("repeated", "residual_noise", "phase_slips"), data=do.blocks),
    "swapped-samples": _Q(text="two samples in so many change places", sizes=(1000, 250, 50),
                          found=("residual_noise", "spikes"), data=do.swaps),
    "vanishing": _Q(text="one sample in so many is gone and the counter does not know", sizes=(2000, 500, 100),
                    found=("phase_slips", "clock_disagrees"), world=lambda i, _r, s: i + np.floor(i / s)),
    "clock-wander": _Q(text="sampling instants sway at 0.5 Hz, ms", sizes=(0.3, 1.0, 5.0),
                       found=("phase_unsteady", "phase_slips"),
                       world=lambda i, r, s: i + 1e-3 * s * r * np.sin(2 * np.pi * 0.5 * i / r)),
    "late-channel": _Q(text="the last channel is so many samples late", sizes=(1, 2, 5), found=("V-SKEW",),
                       data=lambda b, s, m: do.column(b, -1, do.shift(b, m, int(s))[:, -1])),
    "warm-up": _Q(text="gain changes, % a minute", sizes=(0.5, 2, 10),
                  found=("amplitude_unsteady", "gain_unsteady", "V-GAIN", "V-REP"),
                  data=lambda b, s, _: b.data * (1 + s / 6000 * b.index / b.sfreq)[:, None]),
    "gain-step": _Q(text="gain is higher from the 90th second on, %", sizes=(0.5, 2, 10),
                    found=("amplitude_unsteady", "gain_unsteady", "V-GAIN", "V-REP"),
                    data=lambda b, s, _: b.data * np.where(do.since(b, 90.0), 1 + s / 100, 1.0)[:, None]),
    "droop": _Q(text="every group of eight samples falls by this share", sizes=(0.005, 0.02, 0.1),
                found=("unexplained_line", "residual_noise", "V-GAIN"),
                data=lambda b, s, _: b.data * (1 - s * (b.index % 8) / 7)[:, None]),
    "dead-zone": _Q(text="nothing below so many uV", sizes=(1, 3, 20),
                    found=("flat", "small_distortion", "gain_by_level", "code_step", "zeros"), data=do.dead),
    "crossover": _Q(text="a jump at zero, uV", sizes=(1, 5, 20),
                    found=("small_distortion", "gain_by_level", "not_gaussian", "V-NOISE"), data=do.crossover),
    "hysteresis": _Q(text="play, uV", sizes=(1, 10, 50),
                     found=("small_distortion", "gain_by_level", "repeated", "flat"), data=do.hysteresis),
    "slew-limit": _Q(text="fastest change, mV/s", sizes=(50, 10, 2),
                     found=("V-THD", "V-LIN", "V-FREQ", "small_distortion"),
                     data=lambda b, s, m: do.slew(b, 1e3 * s, m)),
    "agc": _Q(text="gain falls with the size of the signal, share", sizes=(0.03, 0.1, 0.5),
              found=("gain_by_level", "amplitude_unsteady", "V-GAIN", "V-LIN"), data=do.agc),
    "slope-bends": _Q(text="fast signals bend it, share", sizes=(0.005, 0.02, 0.1), found=("V-IMD", "V-THD"),
                      data=do.imd),
    "common-average": _Q(text="the mean of all channels is taken off, share", sizes=(0.5, 0.8, 1.0),
                         found=("hidden_reference", "shared_noise", "V-XTALK"),
                         data=lambda b, s, _: b.data - s * b.data.mean(axis=1, keepdims=True)),
    "hidden-reference": _Q(text="the first channel is taken off all others, share", sizes=(0.05, 0.3, 1.0),
                           found=("hidden_reference", "shared_noise", "V-XTALK"),
                           data=lambda b, s, _: b.data - s * b.data[:, :1] * (np.arange(b.data.shape[1]) > 0)),
    "leak": _Q(text="one sample in so many of the first channel stands in the second", sizes=(500, 100, 20),
               found=("spikes", "not_gaussian", "residual_noise"), data=do.leak),
    "crossed-wires": _Q(text="pairs of channels change places", sizes=(1, 1, 1), found=("channel_map",),
                        data=lambda b, _s, _m: b.data[:, [1, 0, *range(2, b.data.shape[1])]]
                        if b.data.shape[1] > 1 else b.data),
    "upside-down": _Q(text="channels, counted from the last, are upside down", sizes=(1, 2, 99),
                      found=("polarity",),
                      data=lambda b, s, _: b.data * np.where(np.arange(b.data.shape[1])[::-1] < s, -1.0, 1.0)),
    "turns-over": _Q(text="the last channel is upside down from this second on", sizes=(80, 60, 30),
                     found=("polarity", "phase_slips"),
                     data=lambda b, s, _: do.column(b, -1, b.data[:, -1] * np.where(do.since(b, s), -1.0, 1.0))),
    "wrong-unit": _Q(text="values are multiplied by this: a unit that is not the one declared",
                     sizes=(1e-3, 1e3, 1e-6), found=("unit_scale", "V-GAIN"), data=lambda b, s, _: b.data * s),
    "stamp-bursts": _Q(text="stamps late for 0.1 s every ten seconds, ms", sizes=(30, 60, 300),
                       found=("jitter_bursts", "V-JIT"),
                       stamps=lambda x, i, r, s: x + 1e-3 * s * (np.mod(i / r, 10.0) < 0.1)),
    "stamp-grid": _Q(text="stamps on a grid, ms", sizes=(1, 15.6, 100), found=("stamp_grid",),
                     stamps=lambda x, _i, _r, s: np.floor(x / (1e-3 * s)) * 1e-3 * s),
    "stamp-leap": _Q(text="stamps leap at the 20th second of each minute, s", sizes=(0.05, 0.5, 5),
                     found=("stamp_leap", "jitter_bursts"),
                     stamps=lambda x, i, r, s: x + s * np.floor(i / r / 60 + 40 / 60)),
    "stamp-wander": _Q(text="stamps sway at 0.2 Hz, ms", sizes=(1, 4, 30), found=("stamp_wander", "V-JIT"),
                       stamps=lambda x, i, r, s: x + 1e-3 * s * np.sin(2 * np.pi * 0.2 * i / r)),
    "stamps-back": _Q(text="one stamp in 1000 is earlier, ms", sizes=(20, 100, 1000), found=("stamps_back",),
                      stamps=lambda x, i, _r, s: x - 1e-3 * s * (i % 1000 == 500)),
    "marks-lost": _Q(text="share of markers that never come", sizes=(0.05, 0.2, 0.5), found=("trigger_missing",),
                     marks=do.lost),
    "marks-twice": _Q(text="share of markers that come twice", sizes=(0.1, 0.5, 1.0), found=("trigger_doubles",),
                      marks=do.double),
    "marks-two-places": _Q(text="a third of the markers is later, ms", sizes=(20, 30, 80),
                           found=("trigger_bimodal", "V-TRIG"), marks=do.bimodal),
    "marks-early": _Q(text="all markers are early, ms", sizes=(60, 120, 200), found=("trigger_offset",),
                      marks=do.early),
    "marks-drift": _Q(text="markers drift away from their pulses, ms a minute", sizes=(10, 30, 100),
                      found=("trigger_drift", "trigger_offset", "V-TRIG"), marks=do.drifting),
    "ohms-one": _Q(text="the last channel reads so many times its impedance", sizes=(1.2, 1.5, 5),
                   found=("impedance_channel",),
                   ohms=lambda ohms, s: ohms * np.where(np.arange(len(ohms)) < len(ohms) - 1, 1.0, s)),
    "ohms-swapped": _Q(text="pairs of channels whose impedances change places", sizes=(1, 1, 2), found=("V-IMAP",),
                       ohms=do.swapped),
}  # fmt: skip
"""All quirks by name."""


def parse_quirks(text: str) -> tuple[tuple[Quirk, float], ...]:
    """Return what ``name:size,name:size`` asks for.

    Raises
    ------
    ArgumentError
        If a name is unknown or a size is no number.
    """
    chosen = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, size = word.partition(":")
        check_choice("quirk", name, QUIRKS)
        try:
            value = float(size) if size else QUIRKS[name].sizes[1]
        except ValueError:
            raise ArgumentError(f"The size of quirk {name} is {size!r}; it must be a number.") from None
        chosen.append((QUIRKS[name], value))
    return tuple(chosen)
