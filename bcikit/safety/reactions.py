"""What follows from the readings: which state, how loud, all as functions without memory."""

from collections.abc import Iterable
from dataclasses import dataclass

from bcikit.safety.levels import Level, Reading, Severity
from bcikit.safety.machine import LATCHED, State
from bcikit.safety.rules import RULES
from bcikit.safety.settings import GateSettings

RUNNING = frozenset({State.CALIBRATING, State.ARMED, State.ACTIVE, State.DEGRADED})
"""States in which something may happen to a person, and which a fault therefore ends."""

STOPS = "stops all output"
"""What bcikit does because of a fault, in the words of the alarm list."""

_TO_STANDBY = frozenset({"H-BAT", "H-DISK", "P-TIME", "A-DOSE"})
_TO_DEGRADED = frozenset({"H-JIT", "H-MONO", "H-DRIFT", "Q-MONT", "ST-TIMING"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """The reading that asks most for each kind of reaction; None where there is none."""

    stop: Reading | None = None
    standby: Reading | None = None
    degrade: Reading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A change of state that the readings ask for."""

    target: State
    rule: str
    reason: str


def classify(readings: Iterable[Reading]) -> Reaction:
    """Sort readings by what they ask for."""
    stop = standby = degrade = None
    for reading in readings:
        if reading.severity is Severity.FAULT:
            if reading.rule in _TO_STANDBY:
                standby = reading
            elif reading.rule in _TO_DEGRADED:
                degrade = reading
            elif stop is None or stop.rule != "A-STOP":
                stop = reading
        elif reading.severity is Severity.DEGRADE:
            degrade = reading
    return Reaction(stop=stop, standby=standby, degrade=degrade)


def next_move(
    reaction: Reaction, state: State, settings: GateSettings, *, in_state_s: float, good_s: float
) -> Move | None:
    """Return the change of state that is due, if any.

    Parameters
    ----------
    in_state_s : float
        Seconds since the state was entered.
    good_s : float
        Seconds since anything last asked for a stop or for DEGRADED.
    """
    if reaction.stop is not None and reaction.stop.rule == "A-STOP" and state not in LATCHED:
        # A person stopped it elsewhere (at the guard itself): a stop is a stop in every state.
        return _move(State.SAFE_STOP, reaction.stop)
    if state not in RUNNING:
        return None
    if reaction.stop is not None:
        return _move(State.SAFE_STOP, reaction.stop)
    if reaction.standby is not None and state is not State.CALIBRATING:
        return _move(State.STANDBY, reaction.standby)
    if state is State.ACTIVE and reaction.degrade is not None:
        return _move(State.DEGRADED, reaction.degrade)
    if state is State.DEGRADED:
        if good_s >= settings.degraded_recover_s:
            return Move(target=State.ACTIVE, rule="", reason=f"good for {settings.degraded_recover_s:g} s")
        if in_state_s > settings.degraded_max_s:
            rule = reaction.degrade.rule if reaction.degrade is not None else "Q-MONT"
            return Move(
                target=State.SAFE_STOP, rule=rule, reason=f"degraded for more than {settings.degraded_max_s:g} s"
            )
    if state is State.ARMED and in_state_s > settings.armed_idle_s:
        return Move(target=State.STANDBY, rule="", reason=f"armed but unused for {settings.armed_idle_s:g} s")
    return None


def loudness(reading: Reading) -> tuple[Level, str]:
    """Return how loud the alarm of a reading is, and what bcikit does because of it."""
    if reading.severity is Severity.FAULT and reading.rule not in _TO_DEGRADED | _TO_STANDBY:
        return Level.WARNING, STOPS
    if reading.severity is Severity.FAULT and reading.rule in _TO_STANDBY:
        return Level.CAUTION, "ends the run"
    if reading.severity >= Severity.DEGRADE:
        return Level.CAUTION, "holds the output at rest"
    return (Level.ADVISORY if reading.rule.startswith(("P-", "Q-")) else Level.CAUTION), ""


def _move(target: State, reading: Reading) -> Move:
    limit = f" (limit {reading.limit})" if reading.limit != "" else ""
    return Move(target=target, rule=reading.rule, reason=f"{RULES[reading.rule].what}: {reading.value}{limit}")
