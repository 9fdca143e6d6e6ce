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
        # The sigmoid 5 / (1 + exp(0.56 (6 - v))) is 2.5 (1 + tanh(0.28 (v - 6))); what does not change is added first.
        size = 2.5 * self._gains * np.array([[1.0], [108.0], [1.0]])
        base = np.repeat(np.broadcast_to(size, (1, 3, count)), steps, axis=0)
        base[:, 1] += self._gains[1] * self._rng.uniform(120.0, 320.0, (steps, count))
        slopes = 0.28 * self._couplings
        y, speed = self._state[0].copy(), self._state[1].copy()
        inner, away, scratch = np.empty((3, count)), np.empty((3, count)), np.empty((3, count))
        for step in range(steps):
            np.subtract(y[1], y[2], out=inner[0])
            inner[0] *= 0.28
            np.multiply(slopes, y[0], out=inner[1:])
            inner -= 1.68
            np.tanh(inner, out=inner)
            inner *= size
            inner += base[step]
            np.subtract(y, inner, out=away)
            np.multiply(self._m00, away, out=y)
            y += inner
            np.multiply(self._m01, speed, out=scratch)
            y += scratch
            speed *= self._m11
            away *= self._m10
            speed += away
            np.subtract(y[1], y[2], out=out[step])
        self._state = np.stack([y, speed])
        return out


_NATURAL = 9.7
"""Hz at which a mass with the standard parameters and this input goes around."""
