"""The twin: one simulated user as an endless signal that answers to what happens."""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Command, Decision, Event, Verdict
from bcikit.simulation.body import Body
from bcikit.simulation.brain import Brain
from bcikit.simulation.imagery import CLASSES, Effort, Imagery
from bcikit.simulation.leadfield import Head
from bcikit.simulation.person import Person
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Waves
from bcikit.simulation.truth import Truth

LONGEST_EFFORT = 12.0
"""Seconds after which a user stops imagining when nobody says that the trial is over."""

_ENDS = ("trial/end", "phase/rest", "phase/break", "phase/pause", "phase/end", "phase/iti", "session/end")


class Twin:
    """A simulated user.

    The same seed and the same events give the same signal, however it is cut into pieces, as long as an event is
    told before the signal has passed it by more than the time a person needs to react (0.2 s).

    Parameters
    ----------
    head : Head
        Where the electrodes are.
    settings : TwinSettings
        The user.
    sfreq : float
        Hz.
    seed : int
        Makes the run exact.
    """

    def __init__(self, head: Head, settings: TwinSettings, sfreq: float, *, seed: int = 0) -> None:
        self.head = head
        self.settings = settings
        self.sfreq = sfreq
        self.seed = seed
        self.truth = Truth()
        self.sample = 0
        """Index of the next sample."""
        brain, body, person = np.random.SeedSequence(seed).spawn(3)
        self.brain = Brain(head, settings, sfreq, seed=brain)
        self.body = Body(head, settings, sfreq, seed=body, truth=self.truth)
        self.person = Person(settings, sfreq, seed=person, truth=self.truth)
        self.imagery = Imagery(self.brain.names, settings, sfreq)
        self.waves = Waves()
        self._effort: Effort | None = None
        self._block = round(sfreq)
        self._begin = 0
        self._still = np.empty((0, len(head.ch_names)))
        self._rhythms = np.empty((0, len(self.brain.names)))

    def generate(self, n_times: int) -> NDArray[np.float64]:
        """Return the next samples in microvolts, shape ``(n_times, n_channels)``."""
        out = np.empty((n_times, len(self.head.ch_names)))
        done = 0
        while done < n_times:
            at = self.sample - self._begin
            if at >= len(self._still):
                self._next_block()
                at = 0
            count = min(n_times - done, len(self._still) - at)
            piece = out[done : done + count]
            gains = self.imagery.render(self.sample, count)
            np.matmul(self._rhythms[at : at + count] * gains, self.brain.shapes, out=piece)
            piece += self._still[at : at + count]
            self.waves.render(self.sample, piece)
            self.sample += count
            done += count
        return out

    def _next_block(self) -> None:
        self._begin = self.sample
        background, self._rhythms = self.brain.draw(self._block)
        self._still = background + self.body.draw(self.sample, self._block, self.waves)

    def on_event(self, event: Event) -> None:
        """Take notice of a cue, a phase or a stimulus, as a person would."""
        sample = self.sample if event.sample is None else event.sample
        kind, _, what = event.name.partition("/")
        if kind == "cue" and what in CLASSES:
            self._effort = self.person.effort(what, sample, length=round(LONGEST_EFFORT * self.sfreq))
            if self._effort is not None and self._effort.done != "rest":
                self.imagery.plan(self._effort)
        elif event.name in _ENDS and self._effort is not None:
            if sample < self._effort.stop:
                # Stopping takes a person as long as an answer does.
                self.imagery.end(self._effort, max(sample + round(0.25 * self.sfreq), self._effort.start))
            self._effort = None

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Take notice of feedback."""
        if self._effort is not None and decision.label is not None and verdict.allowed:
            self.person.feedback(right=decision.label == self._effort.wanted)

    def on_command(self, command: Command) -> None:
        """Take notice of what moved."""
