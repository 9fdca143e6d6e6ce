"""Status: what the engine says becomes the newest state; the words tell why nothing moves."""

import json

import pytest

from bcikit.safety.rules import RULES
from bcikit.ui.rules import STATES, rule_text, why_nothing_moves
from bcikit.ui.status import Status


def test_messages_become_the_newest_state() -> None:
    status = Status()
    for message in (
        {"type": "state", "state": "ACTIVE", "time": 1.0},
        {
            "type": "decision",
            "time": 2.0,
            "classes": ["a", "b"],
            "probabilities": [0.7, 0.3],
            "label": "a",
            "latency": 0.01,
        },
        {"type": "verdict", "time": 2.0, "allowed": False, "reasons": ["A-QUAL", "A-CONF"], "state": "ACTIVE"},
        {"type": "verdict", "time": 2.5, "allowed": True, "reasons": [], "state": "ACTIVE"},
        {
            "type": "quality",
            "channels": {"C3": ["BAD", ["Q-FLAT"]], "C4": {"level": "WARN", "rules": ["Q-LINE"]}, "Cz": "GOOD"},
        },
        {"type": "health", "time": 3.0, "lost": 1, "received": 99},
        {"type": "output", "state": {"closure": 0.5}},
        {"type": "alarm", "rule": "H-STALL", "level": "WARNING", "what": "no new samples", "since": 2.0},
        {"type": "event", "name": "cue/left", "time": 1.5},
    ):
        assert status.take_text(json.dumps(message)) == message["type"]
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


@pytest.mark.parametrize("text", ["", "no json", "[1]", '"text"', '{"type": "unknown"}', '{"no": "type"}', "null"])
def test_what_cannot_be_understood_changes_nothing(text: str) -> None:
    status = Status()
    status.take_text(text)
    assert status == Status()


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
    status.take({"type": "verdict", "allowed": False, "reasons": ["A-CONF"], "state": "ACTIVE"})
    why, advice = why_nothing_moves(status)
    assert why == f"{RULES['A-CONF'].what} (A-CONF)"
    assert advice == RULES["A-CONF"].do
    status.take({"type": "verdict", "allowed": True, "reasons": [], "state": "ACTIVE"})
    assert why_nothing_moves(status) == ("", "")
    status.take({"type": "verdict", "allowed": False, "reasons": ["A-STATE", "H-STALL"], "state": "SAFE_STOP"})
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
        status.take({"type": "event", "name": "marker", "time": number})
        status.take({"type": "decision", "time": number, "classes": ["a"], "probabilities": [1.0], "latency": 0.001})
    assert len(status.events) == 2000
    assert len(status.trail) == 600
    assert len(status.latency) == 600
    assert status.n_events == 5000
