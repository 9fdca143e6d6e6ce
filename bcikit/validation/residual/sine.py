"""What is left of a driven sine or square: no jumps, no swaying, no lines, no more noise than without it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.validation.band import harmonics_of
from bcikit.validation.residual.found import Found, finding
from bcikit.validation.sinefit import sine_fit, solve_normal
from bcikit.validation.takes import Take

SMALL_UV = 5000.0
"""Up to this peak a sine is far from full scale: what bends it is no overload, and V-THD does not look there."""

LOUDER = 1.25
"""Share by which what a sine leaves may exceed the noise with shorted inputs."""

PURITY = 2e-4
"""Of the amplitude: what the generator itself may leave."""

SWAY_S = 1e-4
"""Seconds by which sampling instants may sway unseen."""


def driven(take: Take, floor: NDArray[np.float64] | None, curves: dict[str, Any]) -> Found:
    """Look at a sine on each channel that was driven, and at what the others show meanwhile."""
    found: Found = []
    f, t = take.stimulus.frequency, take.clock
    data = take.data[:, take.signals]
    own = list(range(data.shape[1])) if take.stimulus.channel is None else [take.stimulus.channel]
    fit = sine_fit(data[:, own], t, f)
    design = _design(t, fit.frequency, take.info.sfreq / 2)
    solution = solve_normal(design, data)
    left = data - design @ solution
    u = left.std(axis=0) * np.sqrt(2 / len(t))
    for place, column in enumerate(own):
        size = float(fit.amplitude[place])
        if size < max(30 * u[column], 1e-9):
            continue
        name = take.info.ch_names[take.signals[column]]
        # The sine alone, without what V-THD measures.
        alone = left[:, column] + design[:, 2:4] @ solution[2:4, column]
        sigma = float(u[column] / np.sqrt(2 / len(t))) if floor is None else float(floor[column])
        moves = _moves(alone, t, fit.frequency, take.info.sfreq, sigma, size, name)
        found += moves
        if not any(item.quantity == "phase_slips" for item in moves):
            found += _lines(left[:, column], take, size, name)
            found += _loud(left[:, column], floor, column, PURITY * size, name)
        harmonics = np.hypot(solution[4::2, column], solution[5::2, column])[:9]
        bent = float(np.sqrt(np.sum(harmonics**2)))
        if size < SMALL_UV and bent > max(2e-3 * size, 10 * u[column] * np.sqrt(len(harmonics))):
            label = f"Harmonics of a sine of {size:.3g} uV, far below full scale"
            found.append(finding("small_distortion", label, 100 * bent / size, "%", name))
        if column == own[0] and f == 10.0:
            curves.setdefault("left", {"seconds": t[:500].tolist(), "uv": left[:500, column].tolist(), "name": name})
    for column in sorted(set(range(data.shape[1])) - set(own)):
        found += _loud(left[:, column], floor, column, 0.1 * PURITY * float(fit.amplitude[0]),
                       take.info.ch_names[take.signals[column]])  # fmt: skip
    return found


def _design(t: NDArray[np.float64], f: float, limit: float) -> NDArray[np.float64]:
    """Return direct part, slope, and cosine and sine of a frequency and its harmonics."""
    columns = [np.ones_like(t), t - t.mean()]
    for order in range(1, min(20, int(0.999 * limit / f)) + 1):
        columns += [np.cos(2 * np.pi * order * f * t), np.sin(2 * np.pi * order * f * t)]
    return np.column_stack(columns)


def _moves(
    x: NDArray[np.float64], t: NDArray[np.float64], f: float, sfreq: float, sigma: float, size: float, name: str
) -> Found:
    """Follow amplitude and phase over blocks of two periods, against the mean frequency."""
    m = max(round(2 * sfreq / f), 16)
    count = len(x) // m
    if count < 5:
        return []
    # Rows of lost samples are not there, so each block is fitted to its own times.
    angle = 2 * np.pi * f * t[: count * m].reshape(count, m)
    design = np.stack([np.cos(angle), np.sin(angle), np.ones_like(angle)], axis=2)
    normal = np.swapaxes(design, 1, 2) @ design
    right = np.swapaxes(design, 1, 2) @ x[: count * m].reshape(count, m, 1)
    a, b, _ = np.moveaxis(np.linalg.solve(normal, right)[..., 0], 1, 0)
    found: Found = []
    phase = np.unwrap(np.angle(a - 1j * b))
    steps = np.diff(phase)
    jumps = np.abs(steps - np.median(steps))
    one = 2 * np.pi * f / sfreq
    usual = 1.4826 * float(np.median(jumps)) + 1e-6
    spread = sigma * np.sqrt(2 / m) / size
    # A sample that is gone or doubled is a step of the phase.
    gone = jumps > max(0.4 * one, 8 * usual, 8 * spread)
    if gone.any() and gone.sum() < 0.5 * len(jumps):
        total = float(np.sum(jumps[gone]) / one)
        return [finding("phase_slips", "Samples by which the phase of a sine jumps", total, "samples", name)]
    sway = float(np.std(phase - np.polyval(np.polyfit(np.arange(count), phase, 1), np.arange(count))))
    if sway > max(4 * spread, 2 * np.pi * f * SWAY_S):
        label = "Sampling instants sway against the generator, standard deviation"
        found.append(finding("phase_unsteady", label, 1e3 * sway / (2 * np.pi * f), "ms", name))
    envelope = np.hypot(a, b) / size - 1
    if np.std(envelope) > max(4 * spread, 1e-3) or np.ptp(envelope) > max(12 * spread, 4e-3):
        label = "Amplitude of a steady sine, from its smallest to its largest"
        found.append(finding("amplitude_unsteady", label, 100 * float(np.ptp(envelope)), "%", name))
    return found


def _loud(rest: NDArray[np.float64], floor: NDArray[np.float64] | None, column: int, least: float, name: str) -> Found:
    """Hold what is left against the noise with shorted inputs: its size, and single samples that stick out."""
    found: Found = []
    d = np.diff(rest)
    middle = 1.4826 * float(np.median(np.abs(d - np.median(d))))
    if middle > 0 and np.abs(d).max() > max(9 * middle, 2 * least):
        found.append(finding("spikes", "Largest single step beside a sine", float(np.abs(d).max()), "uV", name))
    if floor is None:
        return found
    size, quiet = float(np.std(d)) / np.sqrt(2), float(floor[column])
    allowed = max(LOUDER, 1 + 8 / np.sqrt(len(d)))
    if size > allowed * quiet and np.sqrt(size**2 - quiet**2) > least:
        label = "Noise beside a sine over that of shorted inputs"
        found.append(finding("residual_noise", label, size / max(quiet, 1e-9), "1", name))
    return found


def _lines(rest: NDArray[np.float64], take: Take, size: float, name: str) -> Found:
    """Return the largest line that is left beside a sine and its harmonics, if it stands out."""
    window = np.hanning(len(rest))
    spectrum = np.abs(np.fft.rfft(rest * window)) * 2 / window.sum()
    hz = np.fft.rfftfreq(len(rest), 1 / take.info.sfreq)
    mains = take.info.line_freq or 50.0
    usable = (hz > 1.0) & (np.abs(np.mod(hz + mains / 2, mains) - mains / 2) > 1.0)
    if not usable.any():
        return []
    floor = float(np.median(spectrum[usable]))
    at = int(np.argmax(np.where(usable, spectrum, 0)))
    if spectrum[at] > 12 * floor and spectrum[at] > 1e-4 * size:
        label = f"Line at {hz[at]:.4g} Hz beside a sine of {take.stimulus.frequency:g} Hz, no harmonic of it"
        return [finding("unexplained_line", label, spectrum[at], "uV", name)]
    return []


PASSBAND = 0.6
"""Share of the response at 5 Hz down to which a smooth curve is asked for."""


def square(take: Take, floor: NDArray[np.float64] | None) -> Found:
    """Look for holes and humps between the harmonics of a square wave: a smooth curve explains a sound device."""
    del floor
    try:
        hz, relative, u = harmonics_of(take)
    except DataError:
        return []
    passed = hz[relative.mean(axis=1) > PASSBAND]
    # A device that falls off at the end of its band is V-FREQ's to judge; no polynomial follows it down.
    inside = (hz >= 5.0) & (hz <= min(0.3 * take.info.sfreq, passed.max(initial=0.0)))
    if inside.sum() < 12:
        return []
    mean = np.maximum(relative[inside].mean(axis=1), 1e-4)
    spread = np.sqrt(np.mean(u[inside] ** 2, axis=1) / u.shape[1]) / np.maximum(mean, 0.05)
    x = hz[inside] / hz[inside].max() * 2 - 1
    logs = np.log(mean)
    keep = np.ones(len(x), dtype=bool)
    for _ in range(3):
        # What sticks out must not draw the curve to itself.
        curve = np.polynomial.chebyshev.chebfit(x[keep], logs[keep], 6, w=1 / spread[keep])
        off = logs - np.polynomial.chebyshev.chebval(x, curve)
        keep = np.abs(off) < np.maximum(3 * spread, 0.01)
        if keep.sum() < 0.7 * len(x):
            keep = np.ones(len(x), dtype=bool)
    worst = int(np.argmax(np.abs(off) / np.maximum(spread, 0.003)))
    if np.abs(off[worst]) > max(7 * spread[worst], 0.02):
        at = hz[inside][worst]
        label = f"Response at {at:g} Hz against a smooth curve through the others (a filter that is not stated)"
        return [finding("hidden_filter", label, 100 * float(np.exp(off[worst])), "%")]
    return []
