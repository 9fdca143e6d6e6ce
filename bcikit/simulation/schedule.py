"""Own schedules: what a recording of a simulated user contains where no engine gives the cues."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bcikit.signal import Event, check_choice
from bcikit.simulation.imagery import CLASSES

FREQUENCIES = (13.0, 17.0, 21.0)
"""Flicker of the SSVEP schedule in Hz, as in Kalunga et al. 2016."""

CODE_BITS = 63
"""Length of the m-sequence of the c-VEP schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlan:
    """What a schedule shall contain.

    Attributes
    ----------
    sfreq : float
        Hz.
    trials : int
        Trials of all classes together.
    seconds : float
        Length of imagery, flicker or closed eyes; 0 for what is usual.
    classes : tuple of str
        Imagined movements.
    rng : numpy.random.Generator
        Draws order and pauses.
    """

    sfreq: float
    trials: int
    seconds: float
    classes: tuple[str, ...]
    rng: np.random.Generator

    def event(self, name: str, second: float, *, duration: float = 0.0, **data: Any) -> Event:
        """Return an event at so many seconds from the start."""
        sample = round(second * self.sfreq)
        return Event(
            name=name, time=sample / self.sfreq, sample=sample, duration=duration, source="schedule", data=data
        )

    def order(self, kinds: tuple[Any, ...]) -> list[Any]:
        """Return each kind equally often, in random order."""
        order = [kinds[index % len(kinds)] for index in range(self.trials)]
        return [order[index] for index in self.rng.permutation(len(order))]


def schedule(task: str, plan: SchedulePlan) -> Iterator[Event]:
    """Return the events of a run of one task, in order of their samples.

    Raises
    ------
    ArgumentError
        If a class is not one that can be imagined.
    """
    for name in plan.classes:
        check_choice("class", name, CLASSES)
    return _MAKERS[task](plan)


def _imagery(plan: SchedulePlan) -> Iterator[Event]:
    """Graz timing: fixation, after two seconds the cue, then imagery, then a random pause."""
    second, length = 1.0, plan.seconds or 4.0
    for number, name in enumerate(plan.order(plan.classes)):
        yield plan.event("phase/fixation", second, trial=number)
        yield plan.event(f"cue/{name}", second + 2, trial=number)
        yield plan.event("trial/end", second + 2 + length, trial=number)
        second += 2 + length + plan.rng.uniform(2.0, 3.0)


def _ssvep(plan: SchedulePlan) -> Iterator[Event]:
    """Rest and three frequencies, five seconds each, three seconds between."""
    second, length = 1.0, plan.seconds or 5.0
    for number, frequency in enumerate(plan.order((0.0, *FREQUENCIES))):
        name = "rest" if frequency == 0 else f"{frequency:g}Hz"
        yield plan.event(f"target/{name}", second, trial=number)
        targets = [{"item": f"{f:g}Hz", "frequency": f} for f in FREQUENCIES]
        yield plan.event("stimulus/flicker", second, duration=length, frequency=frequency, depth=1.0, targets=targets)
        yield plan.event("trial/end", second + length, trial=number)
        second += length + 3


def _oddball(plan: SchedulePlan) -> Iterator[Event]:
    """Flashes of 175 ms from one to the next, one in six a target; a pause after every sixty."""
    second = 1.0
    for number in range(plan.trials):
        target = bool(plan.rng.uniform() < 1 / 6)
        yield plan.event("stimulus/flash", second, target=target)
        yield plan.event("label/target" if target else "label/nontarget", second, index=number)
        second += 0.175 if number % 60 != 59 else 3.0


def m_sequence() -> str:
    """Return the m-sequence of the primitive polynomial x^6 + x + 1 as a string of 63 bits."""
    state, bits = [1, 0, 0, 0, 0, 0], []
    for _ in range(CODE_BITS):
        bits.append(state[-1])
        state = [state[-1] ^ state[-2], *state[:-1]]
    return "".join(map(str, bits))


def _code(plan: SchedulePlan) -> Iterator[Event]:
    """One m-sequence at 60 frames a second; the attended target is a circular shift of it."""
    code = m_sequence()
    second, repeats = 1.0, max(1, round((plan.seconds or 2.1) * 60 / CODE_BITS))
    for number, lag in enumerate(plan.order((0, 16, 32, 48))):
        shifted = code[lag:] + code[:lag]
        yield plan.event(f"target/{lag}", second, trial=number)
        yield plan.event("stimulus/code", second, code=shifted, rate=60.0, repeats=repeats)
        second += repeats * CODE_BITS / 60 + 1.5


def _errors(plan: SchedulePlan) -> Iterator[Event]:
    """Feedback every two to three seconds, wrong one time in five."""
    second = 1.0
    for number in range(plan.trials):
        wrong = bool(plan.rng.uniform() < 0.2)
        yield plan.event("feedback/error" if wrong else "feedback/right", second, trial=number)
        second += plan.rng.uniform(2.0, 3.0)


def _movements(plan: SchedulePlan) -> Iterator[Event]:
    """Self-paced movements every five to eight seconds, told 1.5 s before so that readiness can build up."""
    second = 4.0
    for number in range(plan.trials):
        onset = round(second * plan.sfreq)
        yield plan.event("movement/planned", second - 1.5, trial=number, seconds=1.5)
        yield Event(
            name="movement/onset", time=onset / plan.sfreq, sample=onset, source="schedule", data={"trial": number}
        )
        second += plan.rng.uniform(5.0, 8.0)


def _eyes(plan: SchedulePlan) -> Iterator[Event]:
    """Open and closed eyes in turn."""
    second, length = 1.0, plan.seconds or 30.0
    for number in range(plan.trials):
        yield plan.event("phase/eyes-closed" if number % 2 else "phase/eyes-open", second)
        second += length
    yield plan.event("phase/eyes-open", second)


def _drive(plan: SchedulePlan) -> Iterator[Event]:
    """One long drive; a lane departure every five to ten seconds."""
    yield plan.event("phase/driving", 1.0)
    second = 6.0
    for number in range(plan.trials):
        yield plan.event("stimulus/departure", second, trial=number)
        second += plan.rng.uniform(5.0, 10.0)


_MAKERS: dict[str, Callable[[SchedulePlan], Iterator[Event]]] = {
    "motor-imagery": _imagery,
    "ssvep": _ssvep,
    "p300": _oddball,
    "cvep": _code,
    "errp": _errors,
    "readiness": _movements,
    "vigilance": _drive,
    "rest": _eyes,
}
