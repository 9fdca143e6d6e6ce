"""Sessions outside the simulation: what the operator brings decides, and a replay decides the same."""

import datetime
import hashlib
from pathlib import Path
from typing import Any

import pytest

from bcikit.recording import read_session
from bcikit.safety import SafetySystem
from bcikit.safety.arming import ArmRequest
from bcikit.safety.consent import Consent, Screening
from bcikit.session import Engine, Listener, shipped_config
from bcikit.session.repeat import replay
from bcikit.signal import ConfigError
from bcikit.signal.messages import Happened, Message, ModelChosen, Raw, StateChanged

ANSWERS: dict[str, Any] = {
    "age": 40,
    "epilepsy": False,
    "prior_seizure": False,
    "photoparoxysmal_response": False,
    "migraine_with_photic_trigger": False,
    "alcohol": False,
    "sleep_h": 8.0,
}


def consent(*scopes: Any, screening: Screening | None = None, subject: str = "P-001") -> Consent:
    return Consent(
        subject=subject,
        version="1",
        text_sha256=hashlib.sha256(b"text").hexdigest(),
        language="en",
        scopes=scopes,
        signer="participant",
        signed=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        screening_sha256="" if screening is None else screening.sha256(),
    )


class Therapist(Listener):
    """Tests the stop key once, then arms and starts whenever the session waits."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.state = ""
        self.states: list[str] = []
        self.refused: list[str] = []
        self.flickers: list[str] = []
        self.last = 0.0
        self.run = False
        self.tested = False
        self.learned = False

    def take(self, message: Message) -> None:
        if isinstance(message, Raw):
            self.on_chunk(message.chunk, message.time)
        elif isinstance(message, StateChanged):
            self.on_state(message.state, message.time)
        elif isinstance(message, ModelChosen):
            self.on_model(message.model)
        elif isinstance(message, Happened):
            self.on_event(message.event)

    def on_chunk(self, raw, now: float) -> None:
        if now - self.last < 1.0 or self.state != "STANDBY":
            return
        self.last = now
        assert self.engine is not None
        orders = ["arm", "start"] if self.run else [] if self.learned else ["start"]
        if not self.tested:
            self.tested = True
            orders = ["teststop"]
        for do in orders:
            self.engine.control.put({"do": do, "who": "T-01", "reason": "test of the stop key"})

    def on_state(self, state: str, time: float) -> None:
        self.state = state
        self.states.append(state)

    def on_model(self, model: Any) -> None:
        self.learned = True

    def on_event(self, event) -> None:
        if event.name == "operator/refused":
            self.refused.append(event.data["reason"])
        if event.name in ("stimulus/flicker", "stimulus/refused"):
            self.flickers.append(event.name)
        if event.name == "block/start":
            self.run = event.data["kind"] == "feedback"


@pytest.fixture
def attend(tmp_path: Path, short_config):
    def run(request: ArmRequest | None, *, limit: float = 0.0, name: str = "", **gate: Any):
        config = short_config() if not name else shipped_config(name, seed=1)
        changes = {
            "gate": {**config.gate, "profile": "vr", **gate},
            "session": config.session.model_copy(update={"subject": "P-001"}),
            "recording": config.recording.model_copy(update={"folder": str(tmp_path / "session"), "enabled": True}),
        }
        therapist = Therapist()
        engine = Engine(
            config.model_copy(update=changes), operator="T-01", request=request, listeners=[therapist], limit=limit
        )
        therapist.engine = engine
        return engine.run().values, therapist

    return run


def brings(record: Consent | None, screening: Screening | None = None) -> ArmRequest:
    return ArmRequest(operator="T-01", subject="P-001", consent=record, screening=screening)


@pytest.mark.slow
def test_with_consent_it_runs_and_a_replay_repeats_every_verdict(attend, tmp_path: Path) -> None:
    values, therapist = attend(brings(consent("acquire", "vr")))
    assert values["complete"]
    assert values["gate"]["allowed"] > 0
    assert therapist.refused == []
    assert "ACTIVE" in therapist.states
    assert any(verdict.allowed for verdict in read_session(tmp_path / "session").verdicts)
    found = replay(tmp_path / "session")
    assert found.identical, found.difference
    assert found.n_verdicts > 0


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (None, "no consent record"),
        (consent("acquire"), "does not cover vr"),
        (consent("acquire", "vr").withdraw(datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)), "withdrawn"),
        (consent("acquire", "vr", subject="P-002"), "'P-002'"),
    ],
)
def test_without_it_nothing_begins(attend, tmp_path: Path, record: Consent | None, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        attend(brings(record), limit=30.0)
    assert caught.value.problems[0].startswith("arming.consent: ")
    assert not (tmp_path / "session").exists()


def test_a_request_is_read_as_it_was_written() -> None:
    screening = Screening(**ANSWERS, override_by="Dr. A", override_reason="seen")
    request = ArmRequest(
        operator="T-01",
        subject="P-001",
        consent=consent("acquire", "stimulate", screening=screening),
        screening=screening,
        idle_activations=0,
        idle_s=300.0,
        stop_tested=True,
    )
    assert ArmRequest.from_record(request.to_record()) == request


def test_the_system_of_a_replay_knows_the_stimulus(attend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Screening(**ANSWERS)
    record = consent("acquire", "vr", "stimulate", screening=answers)
    attend(brings(record, answers), name="ssvep-menu", limit=10.0)
    seen: list[str] = []
    before = SafetySystem.__init__

    def note(self: SafetySystem, *arguments: Any, **options: Any) -> None:
        seen.append(options["stimulus"])
        before(self, *arguments, **options)

    monkeypatch.setattr(SafetySystem, "__init__", note)
    assert replay(tmp_path / "session").identical
    assert seen == ["RESTRICTED"]
