"""The state machine: every way that leads somewhere, and no other."""

import itertools

import pytest

from bcikit.safety.machine import BY_HUMAN, LATCHED, ROUTES, State, StateMachine
from bcikit.signal import SafetyError

# To each state the shortest way by allowed steps; a person takes them all.
WAYS = {
    State.OFFLINE: (),
    State.SELFTEST: ("SELFTEST",),
    State.STANDBY: ("SELFTEST", "STANDBY"),
    State.CALIBRATING: ("SELFTEST", "STANDBY", "CALIBRATING"),
    State.ARMED: ("SELFTEST", "STANDBY", "ARMED"),
    State.ACTIVE: ("SELFTEST", "STANDBY", "ARMED", "ACTIVE"),
    State.DEGRADED: ("SELFTEST", "STANDBY", "ARMED", "ACTIVE", "DEGRADED"),
    State.SAFE_STOP: ("SAFE_STOP",),
    State.ESTOP: ("ESTOP",),
    State.FATAL: ("FATAL",),
}


def at(state, **options):
    machine = StateMachine(**options)
    for step in WAYS[state]:
        machine.go(State(step), 0.0, actor="test", human=True)
    return machine


def test_there_is_a_way_to_every_state_and_latched_are_those_of_a_person():
    assert set(WAYS) == set(State) == set(ROUTES)
    assert {source for source, _ in BY_HUMAN} == LATCHED - {State.FATAL}


@pytest.mark.requirement("SAF-081")
@pytest.mark.parametrize(("source", "target"), list(itertools.product(State, State)))
def test_only_the_routes_lead_on(source, target):
    machine = at(source)
    strong = target in (State.ESTOP, State.FATAL)
    allowed = source is not State.FATAL if strong else target in ROUTES[source]
    assert machine.can(target) is allowed
    if source is target:
        assert machine.go(target, 1.0, actor="test") is True
        assert machine.since == 0.0
    elif not allowed:
        with pytest.raises(SafetyError, match=f"{source} cannot become {target}"):
            machine.go(target, 1.0, actor="test", human=True)
        assert machine.state is source
    elif (source, target) in BY_HUMAN:
        with pytest.raises(SafetyError, match=f"{source} is latched"):
            machine.go(target, 1.0, actor="test")
        assert machine.state is source
        assert machine.go(target, 1.0, actor="test", human=True) is True
        assert machine.state is target
    else:
        assert machine.go(target, 1.0, actor="test") is True
        assert (machine.state, machine.since) == (target, 1.0)


def test_a_change_is_logged_before_it_takes_effect_and_told_after():
    seen = []
    machine = StateMachine(log=lambda step: seen.append(("log", machine.state, step)))
    machine.listen(lambda step: seen.append(("told", machine.state, step)))
    machine.go(State.SELFTEST, 2.0, actor="Ann", rule="R", reason="why")
    machine.go(State.STANDBY, 3.0, actor="Bob")
    (log, before, step), (told, after, same), (_, _, second), _ = seen
    assert (log, before, told, after) == ("log", State.OFFLINE, "told", State.SELFTEST)
    assert same is step
    assert (step.sequence, step.time, step.source, step.target) == (1, 2.0, State.OFFLINE, State.SELFTEST)
    assert (step.actor, step.rule, step.reason) == ("Ann", "R", "why")
    assert (second.sequence, second.rule, second.reason) == (2, "", "")


@pytest.mark.requirement("SAF-081")
def test_a_change_that_cannot_be_logged_is_fatal():
    def log(step):
        if step.target is State.STANDBY:
            raise OSError("disk full")

    told = []
    machine = StateMachine(log=log)
    machine.listen(told.append)
    assert machine.go(State.SELFTEST, 1.0, actor="Ann") is True
    assert machine.go(State.STANDBY, 2.0, actor="Ann", rule="R", reason="why") is False
    assert (machine.state, machine.since) == (State.FATAL, 2.0)
    step = told[-1]
    assert (step.sequence, step.time, step.source, step.target) == (2, 2.0, State.SELFTEST, State.FATAL)
    assert (step.actor, step.rule, step.reason) == ("audit", "A-AUDIT", "STANDBY not entered: disk full")


def test_the_seconds_in_each_state():
    machine = StateMachine()
    assert (machine.state, machine.since, machine.time_in_states(0.0)) == (State.OFFLINE, 0.0, {})
    for now, state in ((1.0, "SELFTEST"), (3.0, "SAFE_STOP"), (6.0, "STANDBY"), (10.0, "SELFTEST")):
        machine.go(State(state), now, actor="test", human=True)
    assert machine.time_in_states(15.0) == {"OFFLINE": 1.0, "SELFTEST": 7.0, "STANDBY": 4.0, "SAFE_STOP": 3.0}
    assert machine.time_in_states(9.0) == {"OFFLINE": 1.0, "SELFTEST": 2.0, "STANDBY": 4.0, "SAFE_STOP": 3.0}
    assert machine.seconds[State.SELFTEST] == 2.0, "asking changes nothing"
    machine.go(State.STANDBY, 9.0, actor="test")
    assert machine.seconds[State.SELFTEST] == 2.0, "a clock that goes back takes nothing away"
