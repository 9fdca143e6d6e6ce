"""Endless random signals whose values do not depend on how they are cut into pieces."""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import check_range


class Pink:
    """Gaussian noise with a power of one over frequency to the `exponent`, any number of independent columns.

    A cascade of first-order sections with poles and zeros at equal distances on a logarithmic axis; within 0.5 dB
    of the straight line between 0.3 Hz and a third of the sampling rate, flat below 0.1 Hz, so that it stays finite.

    Parameters
    ----------
    n_columns : int
        Independent signals.
    sfreq : float
        Samples a second.
    exponent : float
        Slope of the power: 0 is white, 1 pink, 2 brown.
    rng : numpy.random.Generator
        Its own generator: nobody else may draw from it.
    """

    def __init__(self, n_columns: int, sfreq: float, *, exponent: float, rng: np.random.Generator) -> None:
        self.n_columns = n_columns
        self._rng = rng
        self._sos = _pink_sections(sfreq, check_range("exponent", exponent, low=0.0, high=2.0))
        self._zi = np.zeros((len(self._sos), 2, n_columns))
        self.draw(round(12 * sfreq))

    def draw(self, n_times: int) -> NDArray[np.float64]:
        """Return the next values, shape ``(n_times, n_columns)``, of unit variance between 1 and 40 Hz."""
        from scipy.signal import sosfilt

        white = self._rng.standard_normal((n_times, self.n_columns))
        if not len(self._sos):
            return white
        out, self._zi = sosfilt(self._sos, white, axis=0, zi=self._zi)
        return out


def _pink_sections(sfreq: float, exponent: float) -> NDArray[np.float64]:
    """Return the sections, scaled so that the output has unit variance between 1 and 40 Hz."""
    from scipy.signal import bilinear_zpk, sosfreqz, zpk2sos

    low, high, per_octave = 0.1, 0.9 * sfreq / 2, 1.0
    count = int(np.ceil(np.log2(high / low) * per_octave))
    step = (high / low) ** (1 / count)
    poles = low * step ** np.arange(count)
    zeros = poles * step ** (exponent / 2)
    warp = 2 * sfreq * np.tan(np.pi * np.minimum(poles, 0.49 * sfreq) / sfreq)
    warped_zeros = 2 * sfreq * np.tan(np.pi * np.minimum(zeros, 0.49 * sfreq) / sfreq)
    z, p, k = bilinear_zpk(-warped_zeros, -warp, 1.0, sfreq)
    sos = np.asarray(zpk2sos(z, p, k))
    frequencies = np.arange(0.25, sfreq / 2, 0.25)
    _, response = sosfreqz(sos, worN=frequencies, fs=sfreq)
    band = (frequencies >= 1) & (frequencies <= 40)
    power = 2 * np.sum(np.abs(response[band]) ** 2) * 0.25 / sfreq
    sos[0, :3] /= np.sqrt(power)
    return sos


class Rhythms:
    """Noisy oscillators: each a resonance driven by noise, with its own frequency and width.

    The fast model of a cortical rhythm: the linear part of a neural mass around its working point. The amplitude
    waxes and wanes over about one over `width` seconds.

    Parameters
    ----------
    frequencies, widths : sequence of float
        Centre and full width at half power in Hz, one a column.
    sfreq : float
        Samples a second.
    rng : numpy.random.Generator
        Its own generator.
    """

    def __init__(
        self, frequencies: NDArray[np.float64], widths: NDArray[np.float64], sfreq: float, *, rng: np.random.Generator
    ) -> None:
        self.frequencies = np.asarray(frequencies, dtype=np.float64)
        self._rng = rng
        # A complex first-order resonance: z[t+1] = r exp(i w) z[t] + noise; its real part is the rhythm.
        radius = np.exp(-np.pi * np.asarray(widths) / sfreq)
        self._poles = radius * np.exp(2j * np.pi * self.frequencies / sfreq)
        self._scale = np.sqrt(1 - radius**2)
        start = rng.standard_normal((2, len(self._poles)))
        self._state: NDArray[np.complex128] = start[0] + 1j * start[1]

    def draw(self, n_times: int) -> NDArray[np.float64]:
        """Return the next values, shape ``(n_times, n_rhythms)``, each of unit variance."""
        from scipy.signal import lfilter

        count = len(self._poles)
        noise = self._rng.standard_normal((n_times, 2 * count)).view(np.complex128) * self._scale
        out = np.empty((n_times, count))
        state = self._state
        for column, pole in enumerate(self._poles):
            values, _ = lfilter([1.0], [1.0, -pole], noise[:, column], zi=[pole * state[column]])
            out[:, column] = values.real
            state[column] = values[-1]
        return out
