"""The person: pays attention or not, learns, tires, gives up; decides what is really done after a cue."""

import numpy as np

from bcikit.simulation.imagery import Effort
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.truth import Truth


class Person:
    """Will and skill of one user.

    Skill grows along a power law of practice (Newell and Rosenbloom 1981), faster where feedback is good: practice
    counts a trial, one with feedback that was let through counts more. Vigilance falls with time on task.

    Parameters
    ----------
    settings : TwinSettings
        The user.
    sfreq : float
        Hz.
    seed : numpy.random.SeedSequence
        Everything random comes from it.
    truth : Truth
        Takes each effort, lapse and refusal.
    """

    def __init__(self, settings: TwinSettings, sfreq: float, *, seed: np.random.SeedSequence, truth: Truth) -> None:
        self._settings = settings
        self._sfreq = sfreq
        self._rng = np.random.default_rng(seed)
        self._truth = truth
        self.practice = settings.practised
        """Trials done so far, weighted by how good their feedback was."""
        self.refused = False
        self._trial_begin = 0

    @property
    def ability(self) -> float:
        """Ability now, with what was learned."""
        s = self._settings
        missing = 1.0 - s.ability
        return 1.0 - missing * (1.0 + self.practice / 20.0) ** (-2.0 * s.learning)

    def vigilance(self, sample: int) -> float:
        """Return how awake the user is at a sample, 1 to 0."""
        hours = sample / self._sfreq / 3600.0
        return float(np.clip(1.0 - self._settings.fatigue * hours, 0.0, 1.0))

    def effort(self, wanted: str, cue: int, *, length: int) -> Effort | None:
        """Return what the user does after a cue at sample `cue` for at most `length` samples; None for nothing."""
        s, rng = self._settings, self._rng
        draws = rng.uniform(size=3)
        onset = rng.lognormal(np.log(s.onset_s), 0.2)
        spread = rng.normal(0.0, 0.1)
        minutes = max(0, cue - self._trial_begin) / self._sfreq / 60
        self._trial_begin = cue
        if not self.refused and draws[0] < 1 - (1 - s.refusal) ** minutes:
            self.refused = True
            self._truth.add(cue, "refusal")
        vigilance = self.vigilance(cue)
        if self.refused or draws[1] < s.inattention + 0.4 * (1 - vigilance):
            self._truth.add(cue, "lapse", wanted=wanted)
            return None
        done = wanted
        if draws[2] < s.confusion and wanted in ("left_hand", "right_hand"):
            done = "left_hand" if wanted == "right_hand" else "right_hand"
        strength = float(np.clip(self.ability * (1.0 + spread) * (0.5 + 0.5 * vigilance), 0.0, 1.0))
        start = cue + round(max(0.2, onset) * self._sfreq)
        effort = Effort(wanted, done, strength, start, cue + length)
        self.practice += 1.0
        self._truth.add(start, "imagery", wanted=wanted, done=done, strength=strength, stop=effort.stop)
        return effort

    def feedback(self, *, right: bool) -> None:
        """Learn from one piece of feedback: success teaches more than failure."""
        self.practice += 0.1 if right else 0.0
