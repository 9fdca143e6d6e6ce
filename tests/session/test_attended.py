"""A session that a person attends: it stands still while nothing can come of it, and goes on where it was."""

from pathlib import Path
from typing import Any

import pytest

from bcikit.recording import read_session
from bcikit.session import Engine, Listener, shipped_config
from bcikit.session.config import SourceSection
from bcikit.session.repeat import replay
from bcikit.signal.messages import Happened, Message, Raw, StateChanged


class Therapist(Listener):
    """Arms when the session waits, and mends what stopped it once the cause is gone for long enough."""

    def __init__(self, *, arms: bool = True) -> None:
        self.engine: Engine | None = None
        self.arms = arms
        self.state = ""
        self.states: list[str] = []
        self.during_stop: list[str] = []
        self.ended: list[dict[str, Any]] = []
        self.run = False
        self.last = 0.0

    def order(self, do: str, **details: Any) -> None:
        assert self.engine is not None
        self.engine.control.put({"do": do, "who": "T-01", **details})

    def take(self, message: Message) -> None:
        if isinstance(message, Raw):
            self.on_chunk(message.chunk, message.time)
        elif isinstance(message, StateChanged):
            self.on_state(message.state, message.time)
        elif isinstance(message, Happened):
            self.on_event(message.event)

    def on_chunk(self, raw, now: float) -> None:
        if now - self.last < 1.0:
            return
        self.last = now
        if self.state == "SAFE_STOP":
            self.order("acknowledge", reason="cable back")
        elif self.state == "STANDBY" and self.run and self.arms:
            self.order("arm")
            self.order("start")

    def on_state(self, state: str, time: float) -> None:
        self.state = state
        self.states.append(state)

    def on_event(self, event) -> None:
        if self.state == "SAFE_STOP" and not event.name.startswith("operator/"):
            self.during_stop.append(event.name)
        if event.name == "trial/end":
            self.ended.append(event.data)
        if event.name == "block/start":
            self.run = event.data["kind"] == "feedback"


@pytest.fixture
def attended(short_config):
    def run(
        therapist: Therapist, *, address: str = "sim:motor-imagery?seed=1&chunk=40", limit: float = 0.0, **changes: Any
    ):
        engine = Engine(
            short_config(source=SourceSection(address=address), **changes),
            operator="T-01",
            listeners=[therapist],
            limit=limit,
        )
        therapist.engine = engine
        return engine.run().values

    return run


@pytest.mark.slow
def test_a_pulled_cable_costs_no_trial(attended, tmp_path: Path) -> None:
    therapist = Therapist()
    values = attended(therapist, address="sim:motor-imagery?seed=1&incidents=cable@100~4")
    assert values["complete"]
    assert "SAFE_STOP" in therapist.states
    assert [stop["rule"] for stop in values["safety"]["stops"]] == ["H-STALL"]
    # Nobody is asked to imagine anything while the session is stopped; the trial that was cut off is done again.
    assert therapist.during_stop == []
    assert [data["trial"] for data in therapist.ended if data.get("interrupted")] != []
    assert values["n_trials"] == 10
    assert values["n_undecided"] == 0
    labels = [row["class"] for row in values["trials"]]
    assert labels.count("left_hand") == labels.count("right_hand") == 5
    samples = [event.sample for event in read_session(tmp_path / "session").events if event.source == "paradigm"]
    assert samples == sorted(samples)
    assert replay(tmp_path / "session").identical


@pytest.mark.slow
def test_a_calibration_that_was_stopped_goes_on(attended, tmp_path: Path) -> None:
    class Stops(Therapist):
        stopped = False

        def on_event(self, event) -> None:
            super().on_event(event)
            if event.name.startswith("cue/") and len(self.ended) == 3 and not self.stopped:
                self.stopped = True
                self.order("stop", reason="patient asks")

        def on_chunk(self, raw, now: float) -> None:
            super().on_chunk(raw, now)
            if self.state == "STANDBY" and self.stopped and not self.run:
                self.order("start")

    therapist = Stops()
    values = attended(therapist)
    assert [data["trial"] for data in therapist.ended if data.get("interrupted")] == [3]
    # Ten trials to learn from, although eleven were begun.
    assert values["calibration"]["n_trials"] == 10
    assert values["n_trials"] == 10
    assert replay(tmp_path / "session").identical


def test_nobody_trains_while_nothing_is_armed(attended) -> None:
    therapist = Therapist(arms=False)
    values = attended(therapist, limit=140.0)
    # Calibration takes 110 s; then the first run waits for the therapist until the limit.
    assert values["n_trials"] == 0
    assert values["gate"]["allowed"] == 0
    assert therapist.state == "STANDBY"


def test_who_arms_before_it_has_learned_does_not_keep_it_from_learning() -> None:
    class Early(Therapist):
        refused = ""

        def on_chunk(self, raw, now: float) -> None:
            if self.state in ("", "STANDBY") and not self.last:
                self.last = now
                self.order("arm")
                self.order("start")

        def on_event(self, event) -> None:
            super().on_event(event)
            if event.name == "operator/refused":
                self.refused += str(event.data)

    therapist = Early()
    config = shipped_config("p300-speller", settings={"calibration_sequences": 5, "max_selections": 3})
    engine = Engine(config, operator="T-01", listeners=[therapist], limit=20.0)
    therapist.engine = engine
    engine.run()
    assert "nothing decides yet" in therapist.refused
    assert "CALIBRATING" in therapist.states
    assert "ARMED" not in therapist.states
