"""What a session has for arming, looked at before it starts: whether it can ever come to act."""

from bcikit.safety import GateSettings
from bcikit.safety.arming import ArmRequest, person_problems
from bcikit.session.config import SessionConfig

_PEOPLE = frozenset({"vr", "fes", "robot", "vehicle-sim"})


def needed_idle_seconds(gate: GateSettings) -> float:
    """Return how long the idle test must last for these limits; 0 where none is asked for."""
    if gate.idle_max_per_min is None:
        return 0.0
    # One activation must be able to count: a rate of one in thirty minutes cannot be shown in five.
    return max(gate.idle_test_s, 60.0 / gate.idle_max_per_min if gate.idle_max_per_min > 0 else 0.0)


def idle_seconds(config: SessionConfig, gate: GateSettings) -> float:
    """Return how long the idle test of a session lasts: as its file says, else as the gate asks for; 0 for none."""
    stated = config.arming.idle_test
    return needed_idle_seconds(gate) if stated is None else stated


def arming_problems(
    config: SessionConfig, gate: GateSettings, request: ArmRequest, *, attended: bool, orders: bool, rests: bool
) -> list[str]:
    """Return everything for which this session could never act, by the keys of its file; empty if it can.

    Parameters
    ----------
    attended : bool
        Whether somebody runs it.
    orders : bool
        Whether there is anything by which they could order: a window, the clinic, a program.
    rests : bool
        Whether the paradigm decides on anything while the participant rests (`Paradigm.resting`).
    """
    if gate.profile not in _PEOPLE:
        if not attended or orders:
            return []
        return [
            "session.operator: somebody attends it, and without a window there is no way to arm or to stop it. "
            "Run it with a display, or leave out --operator."
        ]
    profile = f"gate.profile is {gate.profile!r}"
    if not attended:
        return [
            f"session.operator: {profile}; it needs an operator who arms it, with the participant's consent. "
            "Run it from the clinic window (bcikit clinic) or name who attends it (bcikit run --operator CODE), or "
            "take the profile 'simulation' for pictures only."
        ]
    problems = []
    if not orders:
        wanted = ["arms it"] + ["tests the stop key"] * gate.real + ["holds the dead-man switch"] * gate.dead_man
        problems.append(
            f"session.operator: {profile}; somebody {', '.join(wanted)}, and without a window there is no way to. "
            "Run it with a display, or from the clinic window (bcikit clinic)."
        )
    for rule, text in person_problems(request, gate).items():
        key = "arming.screening" if rule == "ST-DESIGN" else "arming.consent"
        problems.append(f"{key}: {text}.")
    # A screening names nobody: by the hash in the consent it is known to be of this person. What is RESTRICTED had it.
    answers = None if request.stimulus == "RESTRICTED" else request.screening
    if gate.profile == "fes" and answers and request.consent and request.consent.screening_sha256 != answers.sha256():
        problems.append(
            "arming.screening: the screening answers are not those the consent was given with. Take the two files of "
            "one visit of this person; a consent of other answers, or of none, must be given anew."
        )
    if gate.real and not config.recording.enabled:
        problems.append(f"recording.enabled is false: {profile}, which needs the audit log that is kept with it.")
    needed, planned = needed_idle_seconds(gate), idle_seconds(config, gate)
    if needed and request.idle_activations is None:
        if 0 < planned < needed:
            problems.append(f"arming.idle_test is {planned:g} s; {profile}, which needs {needed:g} s of rest.")
        if planned and not rests:
            problems.append(
                f"paradigm.name: {profile}, which needs an idle test, and this paradigm decides on nothing while "
                "nothing is shown."
            )
    return problems
