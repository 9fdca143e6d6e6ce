"""The state machine: which states there are, which way leads from one to another, and who may take it."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from bcikit.signal import SafetyError


class State(enum.StrEnum):
    """Where a session stands; output is possible in ACTIVE only."""

    OFFLINE = "OFFLINE"
    SELFTEST = "SELFTEST"
    STANDBY = "STANDBY"
    CALIBRATING = "CALIBRATING"
    ARMED = "ARMED"
    ACTIVE = "ACTIVE"
    DEGRADED = "DEGRADED"
    SAFE_STOP = "SAFE_STOP"
    ESTOP = "ESTOP"
    FATAL = "FATAL"


LATCHED = frozenset({State.SAFE_STOP, State.ESTOP, State.FATAL})
"""States that no rule leaves by itself."""

ROUTES: dict[State, frozenset[State]] = {
    State.OFFLINE: frozenset({State.SELFTEST, State.SAFE_STOP}),
    State.SELFTEST: frozenset({State.STANDBY, State.SAFE_STOP}),
    State.STANDBY: frozenset({State.SELFTEST, State.CALIBRATING, State.ARMED, State.SAFE_STOP, State.OFFLINE}),
    State.CALIBRATING: frozenset({State.STANDBY, State.SAFE_STOP}),
    State.ARMED: frozenset({State.ACTIVE, State.STANDBY, State.SAFE_STOP}),
    State.ACTIVE: frozenset({State.DEGRADED, State.STANDBY, State.SAFE_STOP}),
    State.DEGRADED: frozenset({State.ACTIVE, State.STANDBY, State.SAFE_STOP}),
    State.SAFE_STOP: frozenset({State.STANDBY}),
    State.ESTOP: frozenset({State.SELFTEST}),
    State.FATAL: frozenset(),
}
"""By state, where a route leads; ESTOP and FATAL are reached from everywhere but FATAL. A stop (SAFE_STOP) is reached
from every state that is not a stronger one already."""

BY_HUMAN = frozenset({(State.SAFE_STOP, State.STANDBY), (State.ESTOP, State.SELFTEST)})
"""Steps that only a person may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of state, as it goes into the audit log."""

    sequence: int
    time: float
    source: State
    target: State
    actor: str
    rule: str
    reason: str


Listener = Callable[[Transition], None]


class StateMachine:
    """Holds the state; every change is logged before it takes effect.

    Parameters
    ----------
    log : callable or None
        Gets every `Transition` before it happens. If it raises, the state becomes FATAL instead.
    """

    def __init__(self, *, log: Listener | None = None) -> None:
        self._log = log
        self._listeners: list[Listener] = []
        self._sequence = 0
        self.state = State.OFFLINE
        self.since = 0.0
        self.seconds: dict[State, float] = dict.fromkeys(State, 0.0)

    def listen(self, listener: Listener) -> None:
        """Call `listener` after every change: outputs go safe by this, without waiting for the next decision."""
        self._listeners.append(listener)

    def can(self, target: State) -> bool:
        """Return whether a route leads to `target` from here."""
        if target in (State.ESTOP, State.FATAL):
            return self.state is not State.FATAL
        return target in ROUTES[self.state]

    def go(
        self, target: State, now: float, *, actor: str, rule: str = "", reason: str = "", human: bool = False
    ) -> bool:
        """Change the state.

        Parameters
        ----------
        target : State
            Where to go; the state itself changes nothing.
        now : float
            Seconds on the engine's clock.
        actor : str
            Who: an operator's name, or the component.
        rule, reason : str
            Why.
        human : bool
            True if a person asked; a latched state can be left only so.

        Returns
        -------
        bool
            Whether `target` was reached; False only if the change could not be logged and the state is FATAL now.

        Raises
        ------
        SafetyError
            If no route leads there, or a latched state would be left without a person.
        """
        if target is self.state:
            return True
        if not self.can(target):
            raise SafetyError(f"{self.state} cannot become {target}.")
        if (self.state, target) in BY_HUMAN and not human:
            raise SafetyError(f"{self.state} is latched: a person must acknowledge it.")
        self._sequence += 1
        step = Transition(
            sequence=self._sequence,
            time=now,
            source=self.state,
            target=target,
            actor=actor,
            rule=rule,
            reason=reason,
        )
        logged = True
        if self._log is not None:
            try:
                self._log(step)
            except Exception as error:  # noqa: BLE001 - whatever hinders the log, the way out is the safe state
                logged = False
                step = Transition(
                    sequence=self._sequence,
                    time=now,
                    source=self.state,
                    target=State.FATAL,
                    actor="audit",
                    rule="A-AUDIT",
                    reason=f"{target} not entered: {error}",
                )
        self.seconds[self.state] += max(0.0, now - self.since)
        self.state = step.target
        self.since = now
        for listener in self._listeners:
            listener(step)
        return logged

    def time_in_states(self, now: float) -> dict[str, float]:
        """Return the seconds spent in each state up to `now`."""
        totals = dict(self.seconds)
        totals[self.state] += max(0.0, now - self.since)
        return {state.value: seconds for state, seconds in totals.items() if seconds > 0}
