"""What the monitors measure on one window: one FFT for all channels, everything else follows from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Measures:
    """Numbers of one window, an entry a channel.

    Attributes
    ----------
    finite : ndarray of bool
        Whether every sample was a finite number.
    peak : ndarray
        Largest absolute sample, uV.
    mean : ndarray
        Mean, uV.
    std : ndarray
        Standard deviation after removing the straight line, uV.
    step : ndarray
        Largest absolute difference of neighbouring samples, uV.
    amplitude : ndarray
        0.7413 times the interquartile range (PREP), uV.
    power : ndarray, shape (n_channels, n_bins)
        Hann-windowed power a bin, scaled so that a sum over bins is a variance in uV².
    freqs : ndarray, shape (n_bins,)
        Hz.
    slow : ndarray, shape (n_channels, n_times)
        The window from 1 to 30 Hz, uV.
    cross : ndarray, shape (n_channels, n_channels)
        Covariance from 1 to 45 Hz, uV².
    window : ndarray, shape (n_channels, n_times)
        The window without its straight line, NaN replaced by zero, uV.
    """

    finite: NDArray[np.bool_]
    peak: Array
    mean: Array
    std: Array
    step: Array
    amplitude: Array
    power: Array
    freqs: Array
    slow: Array
    cross: Array
    window: Array

    def band(self, low: float, high: float) -> Array:
        """Return the variance between two frequencies in Hz, uV², an entry a channel."""
        first, stop = self.freqs.searchsorted(low), self.freqs.searchsorted(high, side="right")
        return np.asarray(self.power[:, first:stop].sum(axis=1))


def measure(window: Array, sfreq: float) -> Measures:
    """Measure one window.

    Parameters
    ----------
    window : ndarray of float64, shape (n_times, n_channels)
        Raw samples in microvolts; NaN and infinity are allowed.
    sfreq : float
        Hz.

    Notes
    -----
    The Hann window is applied in the frequency domain (each bin minus half the mean of its neighbours), so that one
    FFT serves the spectrum, the band-passed trace and the covariances.
    """
    x = np.ascontiguousarray(window.T)
    n = x.shape[1]
    total = x.sum(axis=1)
    finite = np.isfinite(total)
    if not finite.all():
        finite = np.isfinite(x).all(axis=1)
        x = np.where(np.isfinite(x), x, 0.0)
        total = x.sum(axis=1)
    peak = np.maximum(x.max(axis=1), -x.min(axis=1))
    step = np.abs(np.diff(x, axis=1)).max(axis=1) if n > 1 else np.zeros(x.shape[0])
    mean = total / n
    ramp = np.arange(n) - (n - 1) / 2
    slope = x @ (ramp / (ramp @ ramp))
    x = x - mean[:, None] - slope[:, None] * ramp
    variance = np.einsum("ij,ij->i", x, x) / n
    quarter = n // 8
    # Every second sample is enough for quartiles and halves the cost of finding them.
    part = np.partition(x[:, ::2], (quarter, x[:, ::2].shape[1] - 1 - quarter), axis=1)
    amplitude = 0.7413 * (part[:, -1 - quarter] - part[:, quarter])
    spectrum = np.fft.rfft(x, axis=1)
    freqs = np.fft.rfftfreq(n, 1.0 / sfreq).astype(np.float64)
    hann = 0.5 * spectrum
    hann[:, 1:-1] -= 0.25 * (spectrum[:, :-2] + spectrum[:, 2:])
    # 2/n² makes a one-sided spectrum sum to the variance; 8/3 undoes the loss of the Hann window.
    power = (hann.real**2 + hann.imag**2) * (2.0 / n**2 * 8.0 / 3.0)
    bins = (freqs >= 1.0) & (freqs <= 45.0)
    parts = np.concatenate([spectrum[:, bins].real, spectrum[:, bins].imag], axis=1)
    cross = parts @ parts.T * (2.0 / n**2)
    low = np.where((freqs >= 1.0) & (freqs <= 30.0), spectrum, 0.0)
    slow = np.fft.irfft(low, n, axis=1)
    return Measures(
        finite=finite,
        peak=peak,
        mean=mean,
        std=np.sqrt(variance),
        step=step,
        amplitude=amplitude,
        power=power,
        freqs=freqs,
        slow=slow,
        cross=cross,
        window=x,
    )


def robust_z(values: Array) -> Array:
    """Return the robust z of each value among all: distance from the median over 0.7413 times the IQR.

    With fewer than six values, or values that are all alike, there is nothing to stand out from: zeros.
    """
    if values.size < 6:
        return np.zeros(values.size)
    ordered = np.sort(values)
    # Straight lines between neighbours, as numpy.percentile draws them, in a fifth of its time for a few values.
    place = np.array([0.25, 0.5, 0.75]) * (values.size - 1)
    below = place.astype(np.intp)
    q1, middle, q3 = ordered[below] + (place - below) * (
        ordered[np.minimum(below + 1, values.size - 1)] - ordered[below]
    )
    scale = 0.7413 * (q3 - q1) if not np.isnan(ordered[-1]) else 0.0
    return (values - middle) / scale if scale > 0 else np.zeros(values.size)
