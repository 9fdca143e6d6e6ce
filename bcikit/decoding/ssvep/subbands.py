"""Sub-bands of a window, made of nothing but the window itself, so that the same is possible live."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, check_choice

Array = NDArray[np.float64]

METHODS = ("fft", "iir", "none")


def default_bands(frequencies: Sequence[float], *, sfreq: float, n_bands: int) -> tuple[tuple[float, float], ...]:
    """Return bands that start below the first, second, ... harmonic of the lowest frequency and all end together.

    Band k begins 1 to 2 Hz below k times the lowest frequency (design M3 of Chen et al. 2015, J Neural Eng 12(4)) and
    ends at 88 Hz or 0.9 of Nyquist; bands without room are left out.
    """
    low = min(frequencies)
    high = min(88.0, 0.45 * sfreq)
    starts = [max(1.0, low * k - 2.0) for k in range(1, n_bands + 1)]
    return tuple((start, high) for start in starts if start < high - 4.0)


def fit_weights(n_bands: int) -> Array:
    """Return the weight of each sub-band, ``k^-1.25 + 0.25`` (Chen et al. 2015)."""
    return np.arange(1, n_bands + 1, dtype=np.float64) ** -1.25 + 0.25


class SubBands:
    """Splits windows into sub-bands.

    Parameters
    ----------
    bands : sequence of (float, float)
        Edges in Hz.
    sfreq : float
        Sampling rate in Hz.
    method : {"fft", "iir", "none"}
        "fft": the bins of the window's discrete Fourier transform, without delay and without a transient at the start;
        the straight line through the window is taken out before. "iir": causal Chebyshev I filters (order 4, ripple
        0.5 dB) that start in the window, as in the papers. "none": the window itself, once.
    """

    def __init__(self, bands: Sequence[tuple[float, float]], *, sfreq: float, method: str = "fft") -> None:
        check_choice("subband method", method, METHODS)
        for low, high in bands:
            if not 0 <= low < high <= sfreq / 2:
                raise ArgumentError(f"band {low:g}-{high:g} Hz must lie within 0 and {sfreq / 2:g} Hz.")
        self.method = method
        self.bands = tuple(bands) if method != "none" else ((0.0, sfreq / 2),)
        self.sfreq = sfreq
        if method == "iir":
            from scipy.signal import cheby1

            self._sections = [cheby1(4, 0.5, band, "bandpass", fs=sfreq, output="sos") for band in self.bands]

    def __len__(self) -> int:
        return len(self.bands)

    def __call__(self, X: Array) -> Array:
        """Return ``(n_epochs, n_bands, n_channels, n_times)``, zero mean."""
        if self.method == "fft":
            n_times = X.shape[-1]
            spectrum = np.fft.rfft(remove_line(X), axis=-1)
            frequencies = np.fft.rfftfreq(n_times, 1.0 / self.sfreq)
            masks = np.stack([(frequencies >= low) & (frequencies <= high) for low, high in self.bands])
            masks[:, 0] = False
            return np.fft.irfft(spectrum[:, None] * masks[:, None], n_times, axis=-1)
        if self.method == "iir":
            from scipy.signal import sosfilt

            start = X - X[..., :1]
            parts = np.stack([sosfilt(sections, start, axis=-1) for sections in self._sections], axis=1)
        else:
            parts = X[:, None]
        return parts - parts.mean(axis=-1, keepdims=True)


def remove_line(X: Array) -> Array:
    """Return windows without mean and without the straight line that fits each channel best."""
    n_times = X.shape[-1]
    centred = X - X.mean(axis=-1, keepdims=True)
    ramp = np.arange(n_times) - (n_times - 1) / 2
    return centred - (centred @ ramp / (ramp @ ramp))[..., None] * ramp
