"""Anticipatory braking: the readiness to brake seen before the foot moves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.erp import ErpLda
from bcikit.signal import ArgumentError, check_range

Array = NDArray[np.float64]


class BrakingDetector(ErpLda):
    """Sliding detector of the intention to brake.

    Haufe et al. 2011 (J Neural Eng 8(5)): amplitudes in short intervals of the newest second, each minus the mean of
    the first `baseline` seconds of the window, shrinkage LDA. Windows of the training end at the brake's onset or up to
    some hundred milliseconds before; the other class are windows of plain driving.

    Parameters
    ----------
    sfreq : float
        Hz.
    interval : float
        Seconds averaged into one feature a channel.
    baseline : float
        Seconds at the start of the window whose mean is subtracted; 0 for none.
    """

    def __init__(self, *, sfreq: float, interval: float = 0.1, baseline: float = 0.1) -> None:
        super().__init__(sfreq=sfreq, interval=interval)
        self.baseline = baseline

    def _pieces(self, data: Array) -> Array:
        check_range("baseline", self.baseline, low=0.0, unit="s")
        n = round(self.baseline * self.sfreq)
        if n >= data.shape[2]:
            raise ArgumentError(f"baseline is {self.baseline:g} s; the window has {data.shape[2] / self.sfreq:g} s.")
        return super()._pieces(data - data[:, :, :n].mean(axis=2, keepdims=True) if n else data)


def dwell(probabilities: ArrayLike, *, threshold: float, windows: int) -> NDArray[np.bool_]:
    """Return where a probability has stayed above a threshold for so many consecutive windows.

    A single window above the threshold happens by chance several times a minute of sliding windows.

    Parameters
    ----------
    probabilities : array, shape (n,)
        Of braking, window by window.
    threshold : float
        Level.
    windows : int
        Windows in a row.
    """
    check_range("windows", windows, low=1)
    above = np.asarray(probabilities) >= threshold
    run = 0
    result = np.zeros(len(above), dtype=bool)
    for index, high in enumerate(above):
        run = run + 1 if high else 0
        result[index] = run >= windows
    return result


def lead_times(detections: Sequence[float], onsets: Sequence[float], *, longest: float = 1.5) -> list[float | None]:
    """Return for each brake onset how many seconds before it the first detection within `longest` came, or None."""
    check_range("longest", longest, low=0.0, low_open=True, unit="s")
    times = np.sort(np.asarray(detections, dtype=np.float64))
    result: list[float | None] = []
    for onset in onsets:
        found = times[(times >= onset - longest) & (times <= onset)]
        result.append(float(onset - found[0]) if found.size else None)
    return result
