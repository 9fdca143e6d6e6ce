"""Neural masses of Jansen and Rit: the slower, nonlinear model of a cortical rhythm."""

import numpy as np
from numpy.typing import NDArray

STEP = 0.002
"""Seconds of one step of the integration."""


class JansenRit:
    """Independent neural masses, each with its own frequency.

    The model of Jansen and Rit (1995) with its standard parameters: A = 3.25 mV, B = 22 mV, a = 100 /s, b = 50 /s,
    C = 135, a sigmoid of 5 /s, 6 mV and 0.56 /mV, and an input of 120 to 320 pulses a second. With these it goes
    around its limit cycle at 10 Hz; time constants that are scaled move the frequency. It stands where `Rhythms`
    stands, gives waves with sharp troughs, and costs some ten times as much.

    Parameters
    ----------
    frequencies : ndarray, shape (n,)
        Hz.
    sfreq : float
        Samples a second.
    rng : numpy.random.Generator
        Its own generator.
    """

    def __init__(self, frequencies: NDArray[np.float64], sfreq: float, *, rng: np.random.Generator) -> None:
        self.frequencies = np.asarray(frequencies, dtype=np.float64)
        self._rng = rng
        self._sfreq = sfreq
        scale = self.frequencies / _NATURAL
        # Each synapse is y'' = G k u - 2 k y' - k^2 y, which is integrated exactly for an input that is held for a
        # step: away from its goal G u / k it decays by a matrix. Gains that grow with the rates keep the goals.
        rates = np.stack([100.0 * scale, 100.0 * scale, 50.0 * scale])
        decay = np.exp(-rates * STEP)
        self._m00, self._m01 = decay * (1 + rates * STEP), decay * STEP
        self._m10, self._m11 = -decay * rates**2 * STEP, decay * (1 - rates * STEP)
        self._gains = np.array([[3.25 / 100.0], [3.25 / 100.0], [22.0 / 50.0 * 33.75]])
        self._couplings = np.array([[135.0], [33.75]])
        self._state = np.zeros((2, 3, len(scale)))
        self._time = 0.0
        self._next = 0.0
        self._last = np.zeros(len(scale))
        self._value = np.zeros(len(scale))
        warm = self._integrate(round(4.0 / STEP))
        self._mean, self._spread = warm[500:].mean(axis=0), warm[500:].std(axis=0) + 1e-9

    def draw(self, n_times: int) -> NDArray[np.float64]:
        """Return the next values, shape ``(n_times, n)``, of about unit variance."""
        wanted = self._next + np.arange(n_times) / self._sfreq
        self._next += n_times / self._sfreq
        steps = int(np.ceil((wanted[-1] - self._time) / STEP - 1e-9))
        begin = self._time
        values = np.vstack([self._value, self._integrate(max(steps, 0))])
        grid = begin + STEP * np.arange(len(values))
        self._time = float(grid[-1])
        # Linear between steps: the rhythms are slow against two milliseconds.
        at = np.clip((wanted - begin) / STEP, 0, len(values) - 1)
        low = np.minimum(at.astype(int), len(values) - 2) if len(values) > 1 else np.zeros(n_times, dtype=int)
        share = (at - low)[:, None]
        high = np.minimum(low + 1, len(values) - 1)
        out = values[low] * (1 - share) + values[high] * share
        self._value = values[-1]
        return (out - self._mean) / self._spread

    def _integrate(self, steps: int) -> NDArray[np.float64]:
        """Return the potential of the pyramidal cells after each step, shape ``(steps, n)``."""
        count = self._state.shape[2]
        out = np.empty((steps, count))
        drive = self._rng.uniform(120.0, 320.0, (steps, count))
        y = self._state
        inner = np.empty((3, count))
        for step in range(steps):
            inner[0] = y[0, 1] - y[0, 2]
            np.multiply(self._couplings, y[0, 0], out=inner[1:])
            rate = 5.0 / (1.0 + np.exp(0.56 * (6.0 - inner)))
            rate[1] = drive[step] + 108.0 * rate[1]
            goal = self._gains * rate
            away = y[0] - goal
            y = np.stack([goal + self._m00 * away + self._m01 * y[1], self._m10 * away + self._m11 * y[1]])
            out[step] = y[0, 1] - y[0, 2]
        self._state = y
        return out


_NATURAL = 9.7
"""Hz at which a mass with the standard parameters and this input goes around."""
