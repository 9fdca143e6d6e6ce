"""Motor imagery: which rhythm falls or rises, when, and how far, after a cue."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Levels

CLASSES = ("left_hand", "right_hand", "feet", "tongue", "both_hands", "rest")
"""What a user can be asked to imagine."""

# Change of amplitude at full ability and laterality: -1 is the whole `erd` of the settings, positive is a rise
# (the surround is idling when another limb is in use: Pfurtscheller and Lopes da Silva 1999, focal ERD, surround ERS).
_EFFECTS: dict[str, dict[str, float]] = {
    "left_hand": {"hand_right": -1.0, "hand_left": 0.15, "feet": 0.1},
    "right_hand": {"hand_left": -1.0, "hand_right": 0.15, "feet": 0.1},
    "feet": {"feet": -1.0, "hand_left": 0.35, "hand_right": 0.35},
    "tongue": {"tongue_left": -0.9, "tongue_right": -0.9, "hand_left": 0.25, "hand_right": 0.25},
    "both_hands": {"hand_left": -0.9, "hand_right": -0.9, "feet": 0.15},
    "rest": {},
}
_OTHER_SIDE = {"hand_left": "hand_right", "hand_right": "hand_left"}


@dataclass(frozen=True, slots=True)
class Effort:
    """One imagined movement, as it is done.

    Attributes
    ----------
    wanted, done : str
        What was asked for, and what the user imagines.
    strength : float
        Share of the full effect, 0 to about 1.
    start, stop : int
        Samples.
    """

    wanted: str
    done: str
    strength: float
    start: int
    stop: int


class Imagery:
    """Turns efforts into amplitudes of rhythms.

    Parameters
    ----------
    names : sequence of str
        The rhythms, "band/site".
    settings : TwinSettings
        The user.
    sfreq : float
        Hz.
    """

    def __init__(self, names: tuple[str, ...], settings: TwinSettings, sfreq: float) -> None:
        self._names = names
        self._settings = settings
        self._sfreq = sfreq
        self._levels = Levels(np.ones(len(names)), sfreq, lag=0.18)

    def plan(self, effort: Effort) -> None:
        """Plan the amplitudes of one effort: the fall, its end, and the rebound of beta after it."""
        self._levels.drop(effort.start)
        during = self.gains(effort.done, effort.strength)
        self._levels.plan(effort.start, during)
        self.end(effort, effort.stop)

    def end(self, effort: Effort, sample: int) -> None:
        """Let an effort end at `sample`, whatever was planned."""
        self._levels.drop(sample)
        rebound = np.ones(len(self._names))
        for index, name in enumerate(self._names):
            band, _, site = name.partition("/")
            if band == "beta" and _EFFECTS[effort.done].get(site, 0.0) < 0:
                rebound[index] += self._settings.rebound * effort.strength
        self._levels.plan(sample, self.gains("rest", 0.0))
        if effort.strength > 0:
            self._levels.plan(sample + round(0.5 * self._sfreq), rebound)
            self._levels.plan(sample + round(1.2 * self._sfreq), np.ones(len(self._names)))

    def gains(self, done: str, strength: float) -> NDArray[np.float64]:
        """Return the amplitude of each rhythm relative to rest, while `done` is imagined."""
        s = self._settings
        effects = dict(_EFFECTS[done])
        for site, other in _OTHER_SIDE.items():
            if done in ("left_hand", "right_hand") and _EFFECTS[done].get(site, 0.0) == -1.0:
                # Without laterality the near side falls as much as the far one.
                effects[other] = s.laterality * effects[other] - (1 - s.laterality)
        gains = np.ones(len(self._names))
        for index, name in enumerate(self._names):
            band, _, site = name.partition("/")
            change = effects.get(site, 0.0) if band in ("mu", "beta") else 0.0
            scale = 0.85 if band == "beta" else 1.0
            depth = s.erd if change < 0 else 1.0
            gains[index] = max(0.02, 1 + scale * depth * change * strength)
        return gains

    def render(self, first: int, n_times: int) -> NDArray[np.float64]:
        """Return the amplitudes of the next samples, shape ``(n_times, n_rhythms)``."""
        return self._levels.render(first, n_times)
