"""What the decoders live on, channel by channel, for maps."""

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.evaluation.task import Task
from bcikit.decoding.trials import Epochs

Array = NDArray[np.float64]


def patterns(task: Task, trials: Epochs) -> tuple[dict[str, Array], str]:
    """Return named values a channel and their unit.

    Motor imagery: the strongest patterns of common spatial patterns (Haufe et al. 2014). P300: difference of the mean
    responses at four times. SSVEP: power at each target when it is looked at, against the others, in decibels.
    """
    if task.paradigm == "motor-imagery":
        return _imagery(trials)
    if task.paradigm == "ssvep":
        return _ssvep(trials, dict(task.params["frequencies"]))
    return _erp(trials)


def _imagery(trials: Epochs) -> tuple[dict[str, Array], str]:
    from bcikit.decoding.riemann import CspLda

    count = min(4, trials.X.shape[1])
    found = CspLda(n_filters=count).fit(trials.X, trials.y).patterns_
    return {f"CSP {i + 1}": row / np.abs(row).max() for i, row in enumerate(found)}, "relative"


def _erp(trials: Epochs) -> tuple[dict[str, Array], str]:
    second, first = trials.classes[-1], trials.classes[0]
    difference = trials.X[trials.y == second].mean(axis=0) - trials.X[trials.y == first].mean(axis=0)
    times = np.linspace(0.15, 0.9, 4) * (trials.tmax - trials.tmin)
    width = max(1, round(0.025 * trials.sfreq))
    values = {}
    for time in times:
        centre = round(time * trials.sfreq)
        piece = difference[:, max(0, centre - width) : centre + width]
        values[f"{1e3 * (time + trials.tmin):.0f} ms"] = piece.mean(axis=1)
    return values, f"{second} - {first}, uV"


def _ssvep(trials: Epochs, frequencies: dict[str, float]) -> tuple[dict[str, Array], str]:
    time = np.arange(trials.n_times) / trials.sfreq
    window = np.hanning(trials.n_times)
    values = {}
    for label, frequency in frequencies.items():
        power = np.abs((trials.X * window) @ np.exp(-2j * np.pi * frequency * time)) ** 2
        here, others = power[trials.y == label], power[trials.y != label]
        if len(here) and len(others):
            values[label] = 10.0 * np.log10(here.mean(axis=0) / others.mean(axis=0))
    return values, "dB over the other classes"
