"""A profile that can touch a person comes to act by what the session itself measures; a replay measures the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bcikit.decoding import Model
from bcikit.recording import read_session
from bcikit.safety.arming import ArmRequest
from bcikit.safety.consent import Screening
from bcikit.session import Engine, Listener, shipped_config
from bcikit.session.config import ArmingSection
from bcikit.session.decoder_settings import StopSection
from bcikit.session.repeat import replay
from bcikit.signal import Decision, Event
from bcikit.signal.messages import Happened, Message, Raw, Sent, StateChanged
from tests.session.test_consent import ANSWERS, consent

OBEDIENT = "sim:motor-imagery?seed=1&channels=C3,Cz,C4&ability=1&confusion=0&inattention=0&erd=0.95&onset_s=0.3"
QUICK: dict[str, Any] = {
    "calibration_runs": 1,
    "runs": 1,
    "trials_per_run": 10,
    "idle_share": 0.2,
    "rest": 0.4,
    "prepare": 0.2,
    "attempt": 4.0,
    "pause": [3.1, 3.1],
    "window": 1.0,
    "k": 2,
    "n": 3,
    "threshold": 0.65,
    "assist": {"command": "close", "seconds": 1.0},
    "between_runs": 0.0,
}


class Operator(Listener):
    """Holds the dead-man switch, tests the stop key, arms and starts whenever the session waits for that."""

    def __init__(self, *, stop_in_rest: bool = False) -> None:
        self.engine: Engine | None = None
        self.state = ""
        self.states: list[str] = []
        self.refused: list[str] = []
        self.rests: list[dict[str, Any]] = []
        self.last = 0.0
        self.started = self.tested = False
        self.stop_in_rest = stop_in_rest
        self.commands = 0

    def order(self, do: str, **details: Any) -> None:
        assert self.engine is not None
        self.engine.control.put({"do": do, "who": "T-01", **details})

    def take(self, message: Message) -> None:
        match message:
            case Raw():
                self.look(message.time)
            case StateChanged():
                self.state = message.state
                self.states.append(message.state)
            case Happened():
                self.hear(message.event)
            case Sent():
                self.commands += 1

    def look(self, now: float) -> None:
        self.order("deadman", held=True)
        if now - self.last < 1.0:
            return
        self.last = now
        if self.state == "SAFE_STOP":
            self.order("acknowledge", reason="well")
        elif self.state == "STANDBY" and not self.tested:
            self.tested = True
            self.order("teststop")
        elif self.state == "STANDBY":
            for do in ["arm", "start"] if self.rests and self.rests[-1]["complete"] else ["start"]:
                self.order(do)

    def hear(self, event: Event) -> None:
        if event.name == "operator/refused":
            self.refused.append(event.data["reason"])
        if event.name == "idle-test/start" and self.stop_in_rest:
            self.stop_in_rest = False
            self.order("stop", reason="cough")
        if event.name == "idle-test/end":
            self.rests.append(dict(event.data))
            self.order("difficulty", value=0.6)


def run(folder: Path, operator: Operator, **gate: Any) -> dict[str, Any]:
    config = shipped_config("motor-imagery-fes", source=OBEDIENT, seed=1, settings=QUICK, subject="P-001")
    config = config.model_copy(
        update={
            "gate": {"profile": "fes", "k": 3, "n": 5, **gate},
            "recording": config.recording.model_copy(update={"folder": str(folder)}),
        }
    )
    body = dict.fromkeys(("implant", "pregnancy", "metal", "skin", "sensation"), False)
    answers = Screening(**ANSWERS, **body)
    record = consent("acquire", "fes", screening=answers)
    request = ArmRequest(operator="T-01", subject="P-001", consent=record, screening=answers)
    engine = operator.engine = Engine(config, operator="T-01", request=request, listeners=[operator])
    return engine.run().values


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_profile_for_stimulation_comes_to_act_by_its_idle_test(tmp_path: Path) -> None:
    operator = Operator(stop_in_rest=True)
    values = run(tmp_path / "s", operator)
    assert [rest["complete"] for rest in operator.rests] == [False, True], "a stop breaks it off; it is done again"
    assert any("idle test was made with a threshold of 0.65" in reason for reason in operator.refused)
    measured = values["idle_test"]
    assert measured["seconds"] >= 300.0
    assert measured["per_minute"] == pytest.approx(measured["activations"] * 60 / measured["seconds"], abs=1e-3)
    if measured["per_minute"] <= 1.0:
        assert "ACTIVE" in operator.states, operator.refused
        assert operator.commands > 0
    else:
        assert "ACTIVE" not in operator.states
        assert any("A-IDLE" in reason for reason in operator.refused)
    session = read_session(tmp_path / "s")
    armed = [event for event in session.events if event.name == "idle-test/end"]
    assert len(armed) == 2
    found = replay(tmp_path / "s")
    assert found.identical, found.difference


def hesitant(model: Model, window: Any, *, now: float | None = None) -> Decision:
    """Say the movement with 0.66, which the gate refuses in a single window."""
    return Decision(
        time=window.time, sample=window.stop_sample - 1, classes=("right_hand", "rest"),
        probabilities=(0.66, 0.34), label="right_hand",
    )  # fmt: skip


@pytest.mark.parametrize("older", [False, True])
def test_what_decides_in_a_run_decides_in_the_idle_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deciding_as: Callable[..., Any], *, older: bool
) -> None:
    """And what an older version recorded, which judged single windows, is replayed as it was decided."""
    monkeypatch.setattr(Model, "decide", hesitant)
    settings = {**QUICK, "idle_share": 0.0}
    config = shipped_config("motor-imagery-fes", source=f"{OBEDIENT}&chunk=40", seed=1, settings=settings)
    config = config.model_copy(
        update={
            "decoder": config.decoder.model_copy(update={"stop": StopSection(confidence=0.8)}),
            "arming": ArmingSection(idle_test=12.0),
            "recording": config.recording.model_copy(update={"folder": str(tmp_path / "s")}),
        }
    )
    with deciding_as(single_windows=older):
        values = Engine(config, limit=120.0).run().values
    assert values["idle_test"]["seconds"] == pytest.approx(12.0, abs=0.5)
    # Three attempts of four seconds, in each of which the evidence comes to 0.8.
    assert values["idle_test"]["activations"] == (0 if older else 3)
    found = replay(tmp_path / "s")
    assert found.identical, found.difference
    assert found.n_decisions > 60


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_idle_test_is_part_of_any_session_that_asks_for_it(short_config, tmp_path: Path) -> None:
    config = short_config(arming=ArmingSection(idle_test=20.0))
    seen: list[tuple[str, str]] = []

    class Watch(Listener):
        def take(self, message: Message) -> None:
            match message:
                case StateChanged():
                    seen.append(("state", message.state))
                case Happened() if message.event.name.startswith(("idle-test/", "trial/start")):
                    seen.append(("event", message.event.name))

    values = Engine(config, listeners=[Watch()]).run().values
    assert values["complete"]
    assert values["idle_test"]["seconds"] == pytest.approx(20.0, abs=0.5)
    assert values["n_trials"] == 10
    begin, end = seen.index(("event", "idle-test/start")), seen.index(("event", "idle-test/end"))
    assert ("event", "trial/start") not in seen[begin:end], "nobody is asked for anything in it"
    assert ("state", "ACTIVE") not in seen[:end], "nothing moves before it is over"
    decisions = read_session(tmp_path / "session").decisions
    assert len(decisions) > values["n_trials"] + 100
    assert replay(tmp_path / "session").identical
