"""Numbers behind the panels: spectra, band powers, averages around events. Pure numpy, no Qt."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, tuple[float, float]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
"""Bands as IFCN names them, in Hz; gamma ends below the mains."""


def without_lost(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the samples without the rows that were lost on the way; a channel may still hold NaN of its own.

    What is infinite is no number, either, and NaN here.
    """
    numbers = np.where(np.isinf(data), np.nan, data)
    return numbers[~np.isnan(numbers).all(axis=1)]


def spectrum(
    data: NDArray[np.float64], sfreq: float, *, seconds: float = 2.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the power density of the newest samples (Welch 1967: Hann windows, half overlapping, mean removed).

    Parameters
    ----------
    data : ndarray, shape (n_times, n_channels)
        In microvolts.
    sfreq : float
        Hz.
    seconds : float
        Length of a window.

    Returns
    -------
    frequencies : ndarray of float64, shape (n_freqs,)
    density : ndarray of float64, shape (n_freqs, n_channels)
        In uV²/Hz, NaN for a channel without a whole window; empty where there are fewer than 8 samples.
    """
    values = without_lost(data)
    n = min(values.shape[0], round(seconds * sfreq))
    if n < 8:
        return np.empty(0), np.empty((0, data.shape[1]))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    scale = 2.0 / (sfreq * (window**2).sum())
    total = np.zeros((n // 2 + 1, values.shape[1]))
    counts = np.zeros(values.shape[1])
    for start in range(values.shape[0] - n, -1, -(n // 2)):
        part = values[start : start + n]
        whole = np.isfinite(part).all(axis=0)
        power = np.abs(np.fft.rfft((part - part.mean(axis=0)) * window[:, None], axis=0)) ** 2
        total[:, whole] += power[:, whole]
        counts += whole
    density: NDArray[np.float64] = total * scale / np.where(counts > 0, counts, np.nan)
    density[0] /= 2
    return np.fft.rfftfreq(n, 1 / sfreq).astype(np.float64), density


def band_powers(
    frequencies: NDArray[np.float64], density: NDArray[np.float64], bands: dict[str, tuple[float, float]] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return the power in each band, in uV², shape ``(n_channels,)``; bands above the spectrum are left out."""
    if frequencies.size < 2:
        return {}
    step = frequencies[1] - frequencies[0]
    powers = {}
    for name, (low, high) in (bands or BANDS).items():
        lines = (frequencies >= low) & (frequencies < high)
        if lines.any() and frequencies[-1] >= high:
            powers[name] = density[lines].sum(axis=0) * step
    return powers


@dataclass
class Average:
    """Running mean of the epochs of one class."""

    count: int = 0
    mean: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    def add(self, epoch: NDArray[np.float64]) -> None:
        """Take one epoch, shape ``(n_times, n_channels)``."""
        self.count += 1
        self.mean = epoch.copy() if self.count == 1 else self.mean + (epoch - self.mean) / self.count


class EventAverages:
    """Averages around events, growing as epochs become complete.

    Keeps the averaged signal (evoked response) and the averaged band power over time (event-related
    desynchronisation) of each class. Epochs with lost samples, or above a peak-to-peak limit, are counted and left out.

    Parameters
    ----------
    sfreq : float
        Hz.
    tmin, tmax : float
        Epoch around the event, in seconds.
    baseline : (float, float)
        Part of the epoch that counts as rest.
    band : (float, float) or None
        Band of the desynchronisation, in Hz; None to keep no band power.
    reject_uv : float
        Largest peak-to-peak of any channel; epochs above are left out. 0 switches it off.

    Attributes
    ----------
    after : int
        Samples of an epoch from its event on.
    """

    def __init__(
        self,
        sfreq: float,
        *,
        tmin: float = -1.0,
        tmax: float = 3.0,
        baseline: tuple[float, float] = (-1.0, 0.0),
        band: tuple[float, float] | None = (8.0, 30.0),
        reject_uv: float = 0.0,
    ) -> None:
        self.sfreq, self.tmin, self.tmax = sfreq, tmin, tmax
        self.baseline, self.band, self.reject_uv = baseline, band, reject_uv
        self.signal: dict[str, Average] = {}
        self.power: dict[str, Average] = {}
        self.rejected = 0
        self._pending: list[tuple[int, str]] = []
        self._before = round(-tmin * sfreq)
        self.after = round(tmax * sfreq)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds of each sample of an epoch, the event at 0."""
        return (np.arange(-self._before, self.after)) / self.sfreq

    def event(self, sample: int, name: str) -> None:
        """Take note of an event; its epoch is added once its end has arrived."""
        self._pending.append((sample, name))

    def collect(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """Return the epochs that are complete as ``(first, stop, name)``; what is no longer kept counts as rejected."""
        due = [(s, n) for s, n in self._pending if s + self.after <= end]
        self._pending = [(s, n) for s, n in self._pending if s + self.after > end]
        complete = []
        for sample, name in due:
            first = sample - self._before
            if first < start:
                self.rejected += 1
            else:
                complete.append((first, sample + self.after, name))
        return complete

    def add(self, values: NDArray[np.float64], name: str) -> bool:
        """Take one epoch, shape ``(n_times, n_channels)``; False if it was left out."""
        good = bool(np.isfinite(values).all()) and values.shape[0] == self._before + self.after
        if good and self.reject_uv:
            good = float(np.ptp(values, axis=0).max()) <= self.reject_uv
        if not good:
            self.rejected += 1
            return False
        rest = self._rest()
        self.signal.setdefault(name, Average()).add(values - values[rest].mean(axis=0))
        if self.band is not None:
            self.power.setdefault(name, Average()).add(self._band_envelope(values, self.band))
        return True

    def _rest(self) -> NDArray[np.bool_]:
        times = self.times
        return (times >= self.baseline[0]) & (times < self.baseline[1])

    def _band_envelope(self, values: NDArray[np.float64], band: tuple[float, float]) -> NDArray[np.float64]:
        """Return the power in the band over time: the analytic signal by the Fourier transform (Gabor 1946)."""
        n = values.shape[0]
        lines = np.fft.fft(values - values.mean(axis=0), axis=0)
        frequencies = np.fft.fftfreq(n, 1 / self.sfreq)
        lines[~((frequencies >= band[0]) & (frequencies <= band[1]))] = 0
        envelope = np.abs(2 * np.fft.ifft(lines, axis=0)) ** 2 / 2
        width = max(1, round(0.25 * self.sfreq))
        # A moving mean from running sums; beyond the ends of the epoch there is nothing.
        sums = np.concatenate((np.zeros((1, envelope.shape[1])), np.cumsum(envelope, axis=0)))
        last = np.arange(n) + (width - 1) // 2 + 1
        smooth: NDArray[np.float64] = (sums[np.minimum(last, n)] - sums[np.maximum(last - width, 0)]) / width
        return smooth

    def change(self, name: str) -> NDArray[np.float64]:
        """Return the band power relative to rest in percent, shape ``(n_times, n_channels)``.

        Negative is desynchronisation: ``100 * (P - P_rest) / P_rest`` (Pfurtscheller and Lopes da Silva 1999).
        """
        power = self.power[name].mean
        rest = power[self._rest()].mean(axis=0)
        return 100.0 * (power - rest) / np.where(rest > 0, rest, np.nan)
