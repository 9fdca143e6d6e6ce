"""Muscles of the limbs: surface EMG that answers to what is attempted, however little of it can be seen."""

import numpy as np
from numpy.typing import NDArray

from bcikit.simulation.body import muscle
from bcikit.simulation.imagery import Effort
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Waves

TONE_UV = 2.0
"""Rms of a muscle at rest with the noise of its electrodes."""

RISE_S = 0.15
"""Seconds until a contraction has its strength."""


class Limbs:
    """EMG of the muscles that move a limb, one bipolar channel each.

    Parameters
    ----------
    names : tuple of str
        The limbs, words of what can be attempted.
    settings : TwinSettings
        The user; ``attempt_uv`` says how strong.
    sfreq : float
        Hz.
    seed : numpy.random.SeedSequence
        Everything random comes from it.
    """

    def __init__(
        self, names: tuple[str, ...], settings: TwinSettings, sfreq: float, *, seed: np.random.SeedSequence
    ) -> None:
        self.names = names
        self._size = settings.attempt_uv
        self._sfreq = sfreq
        tone, bursts = seed.spawn(2)
        self._tone, self._bursts = np.random.default_rng(tone), np.random.default_rng(bursts)
        self._waves = Waves()

    def draw(self, n_times: int) -> NDArray[np.float64]:
        """Return the muscles at rest in the next samples, shape ``(n_times, n_limbs)``."""
        return TONE_UV * self._tone.standard_normal((n_times, len(self.names)))

    def attempt(self, effort: Effort) -> None:
        """Plan the contraction of one effort."""
        size = self._size * self._bursts.lognormal(0.0, 0.3)
        wave = size * muscle(effort.stop - effort.start, self._sfreq, self._bursts)
        wave *= np.minimum(1.0, np.arange(len(wave)) / (RISE_S * self._sfreq))
        limbs = ("left_hand", "right_hand") if effort.done == "both_hands" else (effort.done,)
        shape = np.array([float(name in limbs) for name in self.names])
        self._waves.add(effort.start, wave, shape, tag="attempt")

    def end(self, sample: int) -> None:
        """Let go at a sample."""
        self._waves.cut("attempt", sample)

    def render(self, first: int, out: NDArray[np.float64]) -> None:
        """Add what is contracted to the samples from `first` on, shape ``(n_times, n_limbs)``."""
        self._waves.render(first, out)
