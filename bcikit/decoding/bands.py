"""Band powers of a window."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Bands = Mapping[str, tuple[float, float]]
"""Name to edges in Hz; the upper one does not belong to the band."""


def band_powers(data: NDArray[np.float64], sfreq: float, bands: Bands) -> dict[str, float]:
    """Return the mean power of each band over channels, in uV^2, by one Hann-windowed periodogram a channel.

    Parameters
    ----------
    data : ndarray, shape (n_channels, n_times)
        Microvolts.
    sfreq : float
        Hz.
    bands : mapping of str to (float, float)
        Edges in Hz; the upper one does not belong to the band.
    """
    n_times = data.shape[1]
    taper = np.hanning(n_times)
    spectrum = np.fft.rfft((data - data.mean(axis=1, keepdims=True)) * taper, axis=1)
    power = 2.0 * np.abs(spectrum) ** 2 / (sfreq * np.sum(taper**2))
    step = sfreq / n_times
    frequencies = np.arange(power.shape[1]) * step
    return {
        name: float(power[:, (frequencies >= low) & (frequencies < high)].sum(axis=1).mean() * step)
        for name, (low, high) in bands.items()
    }
