"""Flickering targets: their frequencies, what a screen can show, and the reference signals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, check_choice, check_int, check_range

Array = NDArray[np.float64]


def check_frequencies(
    frequencies: Mapping[str, float], *, sfreq: float, refresh: float | None = None, coding: str = "sampled"
) -> dict[str, float]:
    """Return the stimulus frequencies if they can be shown and measured.

    Parameters
    ----------
    frequencies : mapping of str to float
        Class to frequency in Hz.
    sfreq : float
        Sampling rate of the signal in Hz.
    refresh : float, optional
        Refresh rate in Hz of the screen that shows them; None for LEDs or an unknown screen.
    coding : {"sampled", "frames"}
        "sampled": brightness follows a sine frame by frame, so that any frequency below half the refresh rate can be
        shown (Chen et al. 2014). "frames": on and off for whole frames, so that only ``refresh / n`` exists.

    Raises
    ------
    ArgumentError
        If there are fewer than two, two are equal, or one is at or above Nyquist or not possible on the screen.
    """
    check_choice("coding", coding, ("frames", "sampled"))
    values = {
        str(label): check_range(f"frequency of {label}", value, low=0.0, low_open=True, unit="Hz")
        for label, value in frequencies.items()
    }
    if len(values) < 2:
        raise ArgumentError(f"frequencies has {len(values)} entries; an SSVEP decoder needs at least two.")
    if len(set(values.values())) < len(values):
        raise ArgumentError(f"frequencies has the same value twice: {values}.")
    for label, value in values.items():
        if value >= sfreq / 2:
            raise ArgumentError(
                f"frequency of {label} is {value:g} Hz; at {sfreq:g} Hz only frequencies below {sfreq / 2:g} Hz "
                "can be measured."
            )
        if refresh is None:
            continue
        if value >= refresh / 2:
            raise ArgumentError(
                f"frequency of {label} is {value:g} Hz; a {refresh:g} Hz screen shows less than {refresh / 2:g} Hz."
            )
        frames = refresh / value
        if coding == "frames" and abs(frames - round(frames)) > 1e-6:
            near = ", ".join(f"{refresh / n:g}" for n in (int(frames), int(frames) + 1))
            raise ArgumentError(
                f"frequency of {label} is {value:g} Hz, which is no whole number of frames at {refresh:g} Hz; "
                f"the nearest are {near} Hz."
            )
    return values


def references(frequency: float, *, sfreq: float, n_times: int, n_harmonics: int, phase: float = 0.0) -> Array:
    """Return sine and cosine of a frequency and its harmonics below Nyquist.

    Parameters
    ----------
    frequency : float
        Hz.
    sfreq : float
        Hz.
    n_times : int
        Samples.
    n_harmonics : int
        Harmonics, the fundamental included; those at or above Nyquist are left out.
    phase : float
        Phase of the stimulus in radians.

    Returns
    -------
    ndarray, shape (2 * harmonics, n_times)
    """
    check_int("n_harmonics", n_harmonics, low=1)
    time = np.arange(n_times) / sfreq
    orders = [h for h in range(1, n_harmonics + 1) if h * frequency < sfreq / 2]
    rows = []
    for order in orders:
        angle = order * (2 * np.pi * frequency * time + phase)
        rows += [np.sin(angle), np.cos(angle)]
    return np.stack(rows)


def reference_bases(frequencies: Mapping[str, float], *, sfreq: float, n_times: int, n_harmonics: int) -> list[Array]:
    """Return an orthonormal basis ``(n_times, 2 * harmonics)`` of the centred references of each frequency."""
    bases = []
    for frequency in frequencies.values():
        rows = references(frequency, sfreq=sfreq, n_times=n_times, n_harmonics=n_harmonics)
        rows = rows - rows.mean(axis=1, keepdims=True)
        bases.append(np.ascontiguousarray(np.linalg.qr(rows.T)[0]))
    return bases
