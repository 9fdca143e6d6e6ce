"""The resting brain on the scalp: aperiodic background and rhythms, before anybody does anything."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.simulation.jansen_rit import JansenRit
from bcikit.simulation.leadfield import Head
from bcikit.simulation.noise import Pink, Rhythms
from bcikit.simulation.settings import TwinSettings


@dataclass(frozen=True, slots=True)
class RhythmSpec:
    """One rhythm: where it comes from, its frequency and its size.

    Attributes
    ----------
    name : str
        "mu/hand_left", "alpha/occipital", ...
    site : str
        One of `bcikit.simulation.leadfield.SITES`.
    frequency, width : float
        Hz.
    size : float
        Microvolts rms on the electrode that sees it best, of all electrodes of the 10-05 system.
    tilt : float
        Angle of the dipole in degrees.
    """

    name: str
    site: str
    frequency: float
    width: float
    size: float
    tilt: float = 0.0


def rhythm_specs(settings: TwinSettings, *, shift: float = 0.0) -> tuple[RhythmSpec, ...]:
    """Return the rhythms of a user; `shift` moves the frequencies by so many hertz (another day)."""
    s = settings
    mu = s.alpha_hz + 1.0 + shift
    beta = 2.1 * s.alpha_hz + shift
    alpha = s.alpha_hz + shift
    return (
        RhythmSpec("mu/hand_left", "hand_left", mu, 1.8, s.mu_uv, 25.0),
        RhythmSpec("mu/hand_right", "hand_right", mu + 0.1, 1.8, s.mu_uv, 25.0),
        RhythmSpec("beta/hand_left", "hand_left", beta, 5.0, s.beta_uv, 15.0),
        RhythmSpec("beta/hand_right", "hand_right", beta + 0.4, 5.0, s.beta_uv, 15.0),
        RhythmSpec("mu/feet", "feet", mu + 0.3, 1.8, 0.6 * s.mu_uv, 10.0),
        RhythmSpec("beta/feet", "feet", beta + 1.5, 5.0, 1.3 * s.beta_uv, 10.0),
        RhythmSpec("mu/tongue_left", "tongue_left", mu + 0.2, 2.0, 0.5 * s.mu_uv, 20.0),
        RhythmSpec("mu/tongue_right", "tongue_right", mu + 0.2, 2.0, 0.5 * s.mu_uv, 20.0),
        RhythmSpec("alpha/occipital", "occipital", alpha, 1.2, 0.7 * s.alpha_uv),
        RhythmSpec("alpha/occipital_left", "occipital_left", alpha - 0.2, 1.4, 0.6 * s.alpha_uv, 30.0),
        RhythmSpec("alpha/occipital_right", "occipital_right", alpha + 0.2, 1.4, 0.6 * s.alpha_uv, 30.0),
        RhythmSpec("alpha/parietal_left", "parietal_left", alpha - 0.3, 1.5, 0.4 * s.alpha_uv),
        RhythmSpec("alpha/parietal_right", "parietal_right", alpha + 0.3, 1.5, 0.4 * s.alpha_uv),
        RhythmSpec("theta/midfrontal", "midfrontal", 0.6 * s.alpha_hz, 2.0, s.theta_uv),
    )


class Brain:
    """Background and rhythms of one user, made block by block.

    Parameters
    ----------
    head : Head
        Where the electrodes are.
    settings : TwinSettings
        The user.
    sfreq : float
        Hz.
    seed : numpy.random.SeedSequence
        Everything random comes from it.
    shift : float
        Shift of the rhythms in Hz against the first session.
    masses : bool
        Make the rhythms below 14 Hz by neural masses of Jansen and Rit instead of oscillators.
    """

    def __init__(
        self,
        head: Head,
        settings: TwinSettings,
        sfreq: float,
        *,
        seed: np.random.SeedSequence,
        shift: float = 0.0,
        masses: bool = False,
    ) -> None:
        background, rhythms, slow = (np.random.default_rng(child) for child in seed.spawn(3))
        self.specs = rhythm_specs(settings, shift=shift)
        self.names = tuple(spec.name for spec in self.specs)
        nyquist = sfreq / 2
        self._pink = Pink(len(head.ch_names), sfreq, exponent=settings.exponent, rng=background)
        self._spatial = settings.background_uv * head.background().T
        frequencies = np.array([min(spec.frequency, 0.95 * nyquist) for spec in self.specs])
        self._rhythms = Rhythms(frequencies, np.array([spec.width for spec in self.specs]), sfreq, rng=rhythms)
        self._slow = np.flatnonzero((frequencies < 14.0) & (frequencies > 8.0)) if masses else np.empty(0, dtype=int)
        self._masses = JansenRit(frequencies[self._slow], sfreq, rng=slow) if len(self._slow) else None
        shapes = np.array([head.site(spec.site, tilt=spec.tilt) / head.best(spec.site) for spec in self.specs])
        self.shapes = shapes * np.array([spec.size for spec in self.specs])[:, None]
        """Microvolts rms of each rhythm on each channel, shape (n_rhythms, n_channels)."""

    def draw(self, n_times: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the next background ``(n_times, n_channels)`` in uV and rhythms ``(n_times, n_rhythms)``."""
        rhythms = self._rhythms.draw(n_times)
        if self._masses is not None:
            rhythms[:, self._slow] = self._masses.draw(n_times)
        return self._pink.draw(n_times) @ self._spatial, rhythms
