"""Frames: what a screen that refreshes R times a second can show, and the luminance of each frame."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, check_choice, check_range

Mode = Literal["sampled-sinusoid", "frame-period"]
MODES = ("sampled-sinusoid", "frame-period")

TOLERANCE = 0.002
"""Largest relative deviation at which "8.57" still means 60/7."""


LOST_BITS = 0.01
"""Share by which a code may be faster than the screen: "60 Hz" screens run from 59.9, and skip a bit now and then."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Refresh rate of a screen.

    Attributes
    ----------
    rate : float
        Frames a second; measured, where it can be: "60 Hz" screens run from 59.9 to 60.1.
    """

    rate: float

    def __post_init__(self) -> None:
        check_range("refresh rate", self.rate, low=20.0, high=1000.0, unit="Hz")


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Whether a frequency can be shown.

    Attributes
    ----------
    possible : bool
        True if it can.
    shown : float
        The frequency that is shown, in Hz.
    reason : str
        Why not, and what could be instead.
    """

    possible: bool
    shown: float
    reason: str = ""


def feasibility(frequency: float, refresh: Refresh, mode: Mode = "sampled-sinusoid") -> Feasibility:
    """Say whether a screen can show a frequency.

    A sampled sinusoid (JFPM; Manyakov 2013, Chen 2015) shows any frequency below a third of the refresh rate well,
    and aliases above half of it. Whole frame periods show only ``R / n``.

    Parameters
    ----------
    frequency : float
        Hz.
    refresh : Refresh
        Of the screen.
    mode : "sampled-sinusoid" or "frame-period"
        How luminance follows time.
    """
    check_choice("mode", mode, MODES)
    check_range("frequency", frequency, low=0.0, low_open=True, unit="Hz")
    if mode == "sampled-sinusoid":
        if frequency > refresh.rate / 2 * (1 + 1e-9):
            return Feasibility(
                possible=False,
                shown=frequency,
                reason=f"above half of the refresh rate ({refresh.rate:g} Hz), it would show as "
                f"{abs(refresh.rate - frequency):g} Hz",
            )
        return Feasibility(possible=True, shown=frequency)
    frames = max(2, round(refresh.rate / frequency))
    shown = refresh.rate / frames
    if abs(shown - frequency) <= TOLERANCE * frequency:
        return Feasibility(possible=True, shown=shown)
    near = sorted({refresh.rate / n for n in (frames - 1, frames, frames + 1) if n >= 2})
    options = ", ".join(f"{value:.3g}" for value in near)
    return Feasibility(
        possible=False,
        shown=shown,
        reason=f"no whole number of frames at {refresh.rate:g} Hz; nearest: {options} Hz, or use a sampled sinusoid",
    )


def luminance(
    frame: NDArray[np.int64] | int,
    frequency: float,
    refresh: Refresh,
    *,
    phase: float = 0.0,
    depth: float = 0.6,
    mode: Mode = "sampled-sinusoid",
) -> NDArray[np.float64]:
    """Return the relative luminance (0 to 1) of frames counted from the onset.

    ``L(n) = (1 + d sin(2 pi f n / R + phi)) / 2``; whole frame periods show the sign of the sine, with the first half
    of each period bright.

    Parameters
    ----------
    frame : int or ndarray of int
        Frame number since onset.
    frequency, phase, depth : float
        Hz, radians, 0 to 1.
    refresh : Refresh
        Of the screen.
    mode : "sampled-sinusoid" or "frame-period"
        As in `feasibility`.

    Raises
    ------
    ArgumentError
        If the screen cannot show the frequency.
    """
    found = feasibility(frequency, refresh, mode)
    if not found.possible:
        raise ArgumentError(f"frequency {frequency:g} Hz: {found.reason}.")
    check_range("depth", depth, low=0.0, high=1.0)
    number = np.asarray(frame, dtype=np.float64)
    if mode == "sampled-sinusoid":
        wave = np.sin(2.0 * math.pi * found.shown * number / refresh.rate + phase)
    else:
        period = round(refresh.rate / found.shown)
        shift = phase / (2.0 * math.pi) * period
        wave = np.where((number + shift) % period < period / 2, 1.0, -1.0)
    return (1.0 + depth * wave) / 2.0


def code_luminance(frame: int, code: str, rate: float, refresh: Refresh, *, depth: float = 1.0) -> float:
    """Return the relative luminance (0 to 1) of a frame counted from the onset of a code.

    ``L(n) = (1 + d b) / 2`` with b = 1 for the bits "1" and -1 for "0"; frame n shows bit ``floor(n rate / R)``, and
    the code begins again at its end.

    Parameters
    ----------
    frame : int
        Frame number since onset.
    code : str
        Bits.
    rate : float
        Bits a second.
    refresh : Refresh
        Of the screen.
    depth : float
        0 to 1.
    """
    bit = code[math.floor(frame * rate / refresh.rate + 1e-6) % len(code)]
    return (1.0 + depth * (1.0 if bit == "1" else -1.0)) / 2.0


def fits(target: Mapping[str, Any], refresh: Refresh) -> bool:
    """Return whether a screen can show a target of ``stimulus/flicker``: every bit of its code, or its frequency."""
    if target.get("code"):
        return float(target["rate"]) <= refresh.rate * (1 + LOST_BITS)
    return 2 * float(target["frequency"]) <= refresh.rate * (1 + 1e-9)


def target_luminance(frame: int, target: Mapping[str, Any], refresh: Refresh, *, depth: float) -> float:
    """Return the luminance of a target of ``stimulus/flicker``: of its code, or of its frequency.

    A target with ``mode`` "frame-period" has whole frames a period, as many as come nearest to its frequency.
    """
    if target.get("code"):
        return code_luminance(frame, str(target["code"]), float(target["rate"]), refresh, depth=depth)
    if target.get("mode") == "frame-period":
        period = max(2, round(refresh.rate / float(target["frequency"])))
        shift = float(target["phase"]) / (2.0 * math.pi) * period
        return (1.0 + depth * (1.0 if (frame + shift) % period < period / 2 else -1.0)) / 2.0
    return float(luminance(frame, float(target["frequency"]), refresh, phase=float(target["phase"]), depth=depth))


def measured_frequency(times: NDArray[np.float64], levels: NDArray[np.float64]) -> float:
    """Return the frequency of a flicker from what was really shown, in Hz.

    The phase of the strongest line of the spectrum is fitted over time by least squares, as exact as the times are.

    Parameters
    ----------
    times : ndarray, shape (n,)
        When each frame was shown, in seconds.
    levels : ndarray, shape (n,)
        Its luminance.

    Raises
    ------
    ArgumentError
        If there are fewer than 16 frames.
    """
    if len(times) < 16:
        raise ArgumentError(f"{len(times)} frames are too few to measure a frequency; show at least 16.")
    t = times - times[0]
    x = levels - levels.mean()
    span = t[-1] * len(t) / (len(t) - 1)
    step = 1.0 / (8.0 * span)
    top = 0.5 * (len(t) - 1) / t[-1]
    grid = np.arange(step, top + step, step)

    def strength(f: float) -> float:
        return float(abs(np.sum(x * np.hanning(len(t)) * np.exp(-2j * math.pi * f * t))))

    power = np.abs(np.exp(-2j * math.pi * np.outer(grid, t)) @ (x * np.hanning(len(t))))
    guess = float(grid[int(np.argmax(power))])
    low, high = guess - step, guess + step
    # Golden section: the line is smooth and has one top between its neighbours on the grid.
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if strength(a) > strength(b) else (a, high)
    return (low + high) / 2.0
