"""Status: what the engine says becomes the newest state; the words tell why nothing moves."""

import json

import pytest

from bcikit.safety.rules import RULES
from bcikit.session.memory import Memory
from bcikit.signal import Decision, Event, Verdict
from bcikit.signal.messages import Decided, Happened, Snapshot, StateChanged, parse
from bcikit.ui.rules import STATES, rule_text, why_nothing_moves
from bcikit.ui.status import UNHEARD, Status


def decided(
    time: float, reasons: tuple[str, ...] = (), *, state: str = "ACTIVE", latency: float | None = None
) -> Decided:
    return Decided(
        decision=Decision(time=time, sample=0, classes=("a", "b"), probabilities=(0.7, 0.3), label="a"),
        verdict=Verdict(time=time, sample=0, allowed=not reasons, reasons=reasons, state=state),
        latency=latency,
    )


def test_messages_become_the_newest_state() -> None:
    status = Status()
    for message in (
        {"type": "state", "state": "ACTIVE", "time": 1.0},
        decided(2.0, ("A-QUAL", "A-CONF"), latency=0.01),
        decided(2.5),
        {
            "type": "quality",
            "channels": {
                "C3": {"level": "BAD", "rules": ["Q-FLAT"]},
                "C4": {"level": "WARN", "rules": ["Q-LINE"]},
                "Cz": {"level": "GOOD"},
            },
        },
        {"type": "health", "time": 3.0, "lost": 1, "received": 99},
        {"type": "output", "state": {"closure": 0.5}},
        {"type": "alarm", "rule": "H-STALL", "level": "WARNING", "what": "no new samples", "since": 2.0},
        {"type": "event", "event": {"name": "cue/left", "time": 1.5}},
    ):
        parsed = message if isinstance(message, Decided) else parse(json.dumps(message))
        assert status.take(parsed) == parsed.type
    assert status.state == "ACTIVE"
    assert status.confidence() == 0.7
    assert status.refusals == {"A-QUAL": 1, "A-CONF": 1}
    assert status.allowed == 1
    worst = status.worst_electrode()
    assert worst is not None
    assert (worst[0], worst[1].rules) == ("C3", ("Q-FLAT",))
    assert status.loss_percent() == pytest.approx(1.0)
    assert status.output == {"closure": 0.5}
    assert status.total_latency_ms() == pytest.approx(10.0)
    assert [alarm.rule for alarm in status.alarm_list()] == ["H-STALL"]
    assert status.phase == "cue/left"
    assert status.n_events == 1


@pytest.mark.parametrize("text", ['{"type": "of a newer session", "x": 1}', '{"no": "type"}'])
def test_what_is_not_known_changes_nothing(text: str) -> None:
    status = Status()
    status.take(parse(text))
    assert (status.state, status.events, status.alarms, status.quality) == ("", Status().events, {}, {})


def test_a_snapshot_voids_what_an_earlier_session_said() -> None:
    status = Status()
    status.take(StateChanged(state="ACTIVE", time=1.0))
    status.take(decided(2.0))
    status.take({"type": "quality", "channels": {"C3": {"level": "GOOD"}}})
    status.take({"type": "alarm", "rule": "H-STALL", "level": "WARNING", "since": 2.0})
    status.take({"type": "output", "state": {"closure": 0.5}})
    status.take(Snapshot(messages=(StateChanged(state="STANDBY", time=9.0),)))
    assert status.state == "STANDBY"
    assert (status.quality, status.alarms, status.output, status.decision, status.health) == ({}, {}, {}, {}, {})
    assert not status.trail
    assert status.confidence() is None


@pytest.mark.parametrize("now", ["SAFE_STOP", "STANDBY", "FINISHED"])
def test_who_joins_late_knows_the_state_of_now_and_not_that_of_the_last_verdict(now: str) -> None:
    live, late, memory = Status(), Status(), Memory()
    for message in (StateChanged(state="ACTIVE", time=1.0), decided(2.0), StateChanged(state=now, time=3.0)):
        live.take(message)
        memory.take(message)
    late.take(memory.snapshot(4.0))
    assert (late.state, late.decision) == (live.state, live.decision)
    assert late.state == now


def test_a_session_that_is_not_heard_may_move_something() -> None:
    status = Status(state=UNHEARD, session=True)
    why, advice = why_nothing_moves(status)
    assert why == "Not heard"
    assert "press STOP" in advice
    status.take(Snapshot(messages=()))
    assert status.state == UNHEARD


def test_alarms_are_sorted_active_worst_newest_first() -> None:
    status = Status()
    for rule, level, since, active in (
        ("A", "INFO", 1, True), ("B", "WARNING", 2, True), ("C", "WARNING", 3, True), ("D", "WARNING", 4, False),
    ):  # fmt: skip
        status.take({"type": "alarm", "rule": rule, "level": level, "since": since, "active": active})
    assert [alarm.rule for alarm in status.alarm_list()] == ["C", "B", "A", "D"]


def test_the_reason_for_standing_still_is_said(dark) -> None:
    status = Status()
    status.take({"type": "state", "state": "ACTIVE"})
    status.take(decided(1.0, ("A-CONF",)))
    why, advice = why_nothing_moves(status)
    assert why == f"{RULES['A-CONF'].what} (A-CONF)"
    assert advice == RULES["A-CONF"].do
    status.take(decided(1.0))
    assert why_nothing_moves(status) == ("", "")
    status.take(decided(1.0, ("A-STATE", "H-STALL"), state="SAFE_STOP"))
    why, advice = why_nothing_moves(status)
    assert "Stopped, safe" in why
    assert advice == RULES["H-STALL"].do


def test_every_state_of_the_safety_machine_has_words() -> None:
    from bcikit.safety import State

    assert {str(state) for state in State} <= set(STATES)
    assert rule_text("X-UNKNOWN") == ("X-UNKNOWN", "")


def test_long_sessions_do_not_grow() -> None:
    status = Status()
    for number in range(5000):
        status.take(Happened(event=Event(name="marker", time=float(number))))
        status.take(decided(float(number), latency=0.001))
    assert len(status.events) == 2000
    assert len(status.trail) == 600
    assert len(status.latency) == 600
    assert status.n_events == 5000
