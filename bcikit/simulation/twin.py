"""The twin: one simulated user as an endless signal that answers to what happens."""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Command, Decision, Event, Verdict
from bcikit.simulation.body import Body
from bcikit.simulation.brain import Brain
from bcikit.simulation.change import Mixing, session_shift
from bcikit.simulation.evoked import Evoked
from bcikit.simulation.imagery import CLASSES, Effort, Imagery
from bcikit.simulation.incidents import Incident, Incidents
from bcikit.simulation.leadfield import Head
from bcikit.simulation.limbs import Limbs
from bcikit.simulation.person import Person
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Waves
from bcikit.simulation.truth import Truth

LONGEST_EFFORT = 12.0
"""Seconds after which a user stops imagining when nobody says that the trial is over."""

_ENDS = frozenset(
    {"trial/end", "phase/rest", "phase/break", "phase/pause", "phase/end", "phase/iti", "block/end", "paradigm/end"}
)
_SAME = {
    "left_fist": "left_hand",
    "right_fist": "right_hand",
    "both_feet": "feet",
    "foot": "feet",
    "both_fists": "both_hands",
    "fists": "both_hands",
    "hands": "both_hands",
    "idle": "rest",
}
"""Other words for what can be imagined."""


class Twin:
    """A simulated user.

    The same seed and the same events give the same signal, however it is cut into pieces, as long as an event is
    told before the signal has passed it by more than the time a person needs to react (0.1 s for what is seen, 0.2 s
    for what is done).

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
    session_seed : int
        Which session: 0 is the first; with the setting `session` above 0 others differ in cap and rhythms.
    incidents : tuple of Incident
        What goes wrong, and when.
    masses : bool
        Neural masses instead of oscillators.
    limbs : tuple of str
        Limbs with an EMG channel each, words of what can be attempted; they come after the electrodes of the head.
    """

    def __init__(
        self,
        head: Head,
        settings: TwinSettings,
        sfreq: float,
        *,
        seed: int = 0,
        session_seed: int = 0,
        incidents: tuple[Incident, ...] = (),
        masses: bool = False,
        limbs: tuple[str, ...] = (),
    ) -> None:
        self.head = head
        self.settings = settings
        self.sfreq = sfreq
        self.seed = seed
        self.truth = Truth()
        self.truth.add(0, "user", seed=seed, session_seed=session_seed, sfreq=sfreq, **settings.to_dict())
        self.sample = 0
        """Index of the next sample."""
        # The seed of a user and the number of a session: the user stays, the noise is new.
        brain, body, person, evoked, mixing, odd, limb = np.random.SeedSequence((seed, session_seed)).spawn(7)
        shift = session_shift(settings.session, session_seed)
        self.brain = Brain(head, settings, sfreq, seed=brain, shift=shift, masses=masses)
        self.body = Body(head, settings, sfreq, seed=body, truth=self.truth)
        self.person = Person(settings, sfreq, seed=person, truth=self.truth)
        self.imagery = Imagery(self.brain.names, settings, sfreq)
        self.limbs = Limbs(limbs, settings, sfreq, seed=limb)
        self.waves = Waves()
        self._late = Waves()
        self.evoked = Evoked(head, settings, sfreq, seed=evoked, waves=self._late, truth=self.truth)
        self.incidents = Incidents(incidents, head, sfreq, mains=settings.mains_hz, seed=odd, truth=self.truth)
        self._mixing = Mixing(
            head, rate=settings.drift, session=settings.session, seed=mixing, session_seed=session_seed
        )
        self._matrix: NDArray[np.float64] | None = None
        self._effort: Effort | None = None
        self._closed = False
        self._training = False
        self._state = np.ones(len(self.brain.names))
        self._block = round(sfreq)
        self._begin = 0
        self._still = np.empty((0, len(head.ch_names)))
        self._rhythms = np.empty((0, len(self.brain.names)))
        self._tone = np.empty((0, len(limbs)))

    def generate(self, n_times: int) -> NDArray[np.float64]:
        """Return the next samples in microvolts, shape ``(n_times, n_channels)``."""
        n_head = len(self.head.ch_names)
        out = np.empty((n_times, n_head + len(self.limbs.names)))
        done = 0
        while done < n_times:
            at = self.sample - self._begin
            if at >= len(self._still):
                self._next_block()
                at = 0
            count = min(n_times - done, len(self._still) - at)
            self._piece(at, out[done : done + count, :n_head])
            if self.limbs.names:
                out[done : done + count, n_head:] = self._tone[at : at + count]
                self.limbs.render(self.sample, out[done : done + count, n_head:])
            self.sample += count
            done += count
        return out

    def _piece(self, at: int, piece: NDArray[np.float64]) -> None:
        """Fill one piece within a block: brain, evoked waves, the turn of the patterns, body, incidents."""
        count = len(piece)
        gains = self.imagery.render(self.sample, count)
        np.matmul(self._rhythms[at : at + count] * gains, self.brain.shapes, out=piece)
        self._late.render(self.sample, piece)
        if self._matrix is not None:
            piece[:] = piece @ self._matrix.T
        piece += self._still[at : at + count]
        self.waves.render(self.sample, piece)
        self.incidents.apply(self.sample, piece)

    def _next_block(self) -> None:
        self._begin = self.sample
        vigilance = self.person.vigilance(self.sample)
        self._levels(vigilance)
        self.body.drowse(1 - vigilance, eyes_closed=self._closed)
        background, self._rhythms = self.brain.draw(self._block)
        self._rhythms *= self._state
        self._matrix = None if self._mixing.still else self._mixing.at(self.sample / self.sfreq / 60)
        if self._matrix is not None:
            background = background @ self._matrix.T
        if self.limbs.names:
            self._tone = self.limbs.draw(self._block)
        self._still = background + self.body.draw(self.sample, self._block, self.waves)

    def _levels(self, vigilance: float) -> None:
        """Move the rhythms towards what eyes and vigilance ask for, within about a second."""
        s = self.settings
        goal = np.ones(len(self._state))
        drowsy = 1 - vigilance
        trained = 0.35 * self.person.ability if self._training else 0.0
        for index, name in enumerate(self.brain.names):
            band = name.partition("/")[0]
            if band == "alpha":
                # Closed eyes raise alpha; a drowsy person has more of it with open eyes and less with closed ones.
                goal[index] = (s.eyes_closed_gain * (1 - 0.4 * drowsy)) if self._closed else 1 + 0.9 * drowsy
                goal[index] *= 1 + trained
            elif band == "mu":
                goal[index] = (1 + 0.15 * (s.eyes_closed_gain - 1) * self._closed) * (1 + 0.5 * trained)
            elif band == "theta":
                goal[index] = 1 + 1.4 * drowsy
            elif band == "beta":
                goal[index] = 1 - 0.3 * drowsy
        self._state += 0.7 * (goal - self._state)

    def on_event(self, event: Event) -> None:
        """Take notice of a cue, a phase or a stimulus, as a person would."""
        sample = self.sample if event.sample is None else event.sample
        kind, _, what = event.name.partition("/")
        what = _SAME.get(what, what)
        if kind == "cue" and what in CLASSES:
            self._start(what, sample)
        elif event.name in _ENDS:
            self._end(sample)
        if kind == "phase":
            self._phase(what.replace("_", "-"), sample)
        elif kind in ("stimulus", "feedback", "movement"):
            self.evoked.on_event(event, sample, vigilance=self.person.vigilance(sample))
            if event.name == "feedback/reward":
                self.person.feedback(right=True)
        elif event.name == "response/pedal":
            self.body.press(sample, self.waves)

    def _start(self, what: str, sample: int) -> None:
        self._end(sample)
        self._effort = self.person.effort(what, sample, length=round(LONGEST_EFFORT * self.sfreq))
        if self._effort is not None and self._effort.done != "rest":
            self.imagery.plan(self._effort)
            if self.limbs.names:
                self.limbs.attempt(self._effort)

    def _end(self, sample: int) -> None:
        effort, self._effort = self._effort, None
        if effort is not None and effort.done != "rest" and sample < effort.stop:
            # Stopping takes a person as long as an answer does.
            stop = max(sample + round(0.25 * self.sfreq), effort.start)
            self.imagery.end(effort, stop)
            self.limbs.end(stop)

    def _phase(self, what: str, sample: int) -> None:
        closed = what == "eyes-closed"
        if closed != self._closed:
            self._closed = closed
            self.truth.add(sample, "eyes", closed=closed)
        self._training = what == "training"

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Take notice of feedback."""
        if self._effort is not None and decision.label is not None and verdict.allowed:
            self.person.feedback(right=decision.label == self._effort.wanted)

    def on_command(self, command: Command) -> None:
        """Take notice of what moved."""
