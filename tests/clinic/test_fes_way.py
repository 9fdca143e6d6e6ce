"""Current through the window: from the patient to an armed engine, with a stimulator and a headset of their own."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic import forms, protocols
from bcikit.clinic.runner import process_is_alive
from bcikit.clinic.times import now
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue, record
from bcikit.safety import verify_audit
from bcikit.session.retrain import model_from_files
from tests.stalls import Stalls

HERE = Path(__file__).parent
SEED = "3"
STOPS_WITHIN = 0.5
"""Seconds; measured on a quiet machine it is below 0.1, and a busy one must not fail for it."""
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a pseudo terminal is needed"),
]


class Stimulator:
    """The stimulator's process, and every change of its current as it was told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "stimulator.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = f"serial-fes:{self.process.stdout.readline().strip()}"
        self.told: list[tuple[float, float]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            at, current = line.split()
            self.told.append((float(at), float(current)))

    @property
    def current(self) -> float:
        return self.told[-1][1] if self.told else 0.0

    @property
    def most(self) -> float:
        return max((current for _, current in self.told), default=0.0)

    def wait(self, what: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.told[-5:]
            time.sleep(0.005)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Headset:
    """The headset's process: a person who sees what the window shows to the patient."""

    def __init__(self) -> None:
        self.source_id = f"headset-{secrets.token_hex(4)}"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "headset.py"), self.source_id, SEED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "up\n"

    def sees(self, told: dict[str, Any]) -> None:
        if told["at"] == "sees":
            assert self.process.stdin is not None
            with contextlib.suppress(BrokenPipeError, ValueError):
                self.process.stdin.write(told["name"] + "\n")
                self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an earlier visit of this person learned."""
    folder = tmp_path_factory.mktemp("earlier")
    address = f"sim:motor-imagery?seed={SEED}&ability=1&channels=8&schedule=1&classes=right_hand,rest&trials=30"
    record(address, folder / "calibration")
    visit = Visit(subject="P-1", operator="T-01", device="lsl:name=x", protocol="motor-imagery-fes")
    found, _ = model_from_files(protocols.training_config(visit, [str(folder / "calibration")]))
    found.save(folder / "model.skops")
    return folder / "model.skops"


@pytest.fixture
def data(tmp_path: Path, model: Path) -> Path:
    """Return the folder of a clinic that knows the patient and the model of an earlier visit."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    catalogue = Catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}")
    try:
        catalogue.add_subject("P-1", birth_year=1961, affected_side="right")
        catalogue.add_model(
            "P-1",
            model,
            decoder="csp-lda",
            paradigm="motor-imagery-fes",
            scores={"accuracy": 0.87, "n_trials": 30, "advice": "good", "classes": ["right_hand", "rest"]},
        )
    finally:
        catalogue.close()
    return folder


@pytest.fixture
def devices() -> Iterator[tuple[Headset, Stimulator]]:
    headset, stimulator = Headset(), Stimulator()
    try:
        yield headset, stimulator
    finally:
        headset.end()
        stimulator.end()


@pytest.fixture
def sit(data: Path, devices: tuple[Headset, Stimulator], sit_down: Callable[..., Any]) -> Callable[[str], Any]:
    headset, stimulator = devices
    words = [str(data), headset.source_id, stimulator.port]
    return lambda part: sit_down(HERE / "fes_person.py", part, *words, on_told=headset.sees)


def stopped_after(data: Path, pressed: float) -> float:
    """Return how long after a key was pressed the guard of the stimulator was safe, seconds."""
    lines = [json.loads(line) for path in data.glob("*-guard.jsonl") for line in path.read_text().splitlines()]
    safe = [float(line["safe"]) for line in lines if "STOP key" in line["reason"] and line["safe"] >= pressed]
    return min(safe) - pressed


def arm_and_let_go(data: Path, person: Any, stimulator: Stimulator, *, most: float) -> dict[str, Any]:
    """Follow a person to the first movement: what is missing hinders, letting go ends the current."""
    waited = Stalls()
    refused = person.until("no stop key", 60)
    assert (refused["state"], refused["text"]) == ("STANDBY", "▲ Not yet: the test of the stop key")
    refused = person.until("engine refuses", 30)
    assert refused["state"] == "STANDBY"
    assert "stop key" in refused["text"]
    assert "✓ Stop key: tested" in person.until("stop tested", 90)["text"]
    took = stopped_after(data, person.until("pressed", 60)["when"])
    assert took < STOPS_WITHIN + waited.seconds, "the space bar in the patient's window, until the guard was safe"
    refused = person.until("no switch", 60)
    assert (refused["state"], "when you hold the dead-man switch" in refused["text"]) == ("STANDBY", True)
    refused = person.until("engine refuses again", 30)
    assert refused["state"] == "STANDBY"
    assert "dead-man switch is not held" in refused["text"]
    before = stimulator.most
    person.until("armed", 60)
    person.until("moved", 300)
    stimulator.wait(lambda: len(stimulator.told) > 0 and stimulator.most > 0, 20)
    assert stimulator.most <= most, before
    released = person.until("let go", 20)["when"]
    stimulator.wait(lambda: stimulator.current == 0.0, 5)
    zero = stimulator.told[-1][0]
    assert person.until("stopped", 20)["state"] == "SAFE_STOP"
    holding = person.until("holding", 120)
    return {**holding, "reaction": zero - released}


def kill_while_current_flows(stimulator: Stimulator, pid: int, sitting: Any) -> float:
    """Kill a process in the middle of a train and return how long the current went on, seconds."""
    stimulator.wait(lambda: stimulator.current > 0.0, 300)
    os.kill(pid, signal.SIGKILL)
    at = time.monotonic()
    stimulator.wait(lambda: stimulator.current == 0.0, 10)
    went_on = stimulator.told[-1][0] - at
    count = len(stimulator.told)
    time.sleep(1.0)
    assert stimulator.told[count:] == [], "and it does not come back"
    assert stimulator.current == 0.0
    assert sitting.noise == []
    return went_on


def signed_visit(data: Path, model: Path, headset: Headset, stimulator: Stimulator) -> Visit:
    """Return a visit that a crash cut off before its training: everything was asked, tested and found."""
    from bcikit.clinic.headsets import DeviceTest

    names = ("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CP4", "Pz")
    address = f"lsl:source_id={headset.source_id}"
    visit = Visit(
        subject="P-1",
        step="session",
        operator="T-01",
        # A visit of another day measures nobody.
        started=now(),
        confirmed=now(),
        birth_year=1961,
        affected_side="right",
        device=address,
        electrodes=dict.fromkeys(names, "GOOD"),
        electrodes_for=address,
        protocol="motor-imagery-fes",
        settings={"movement": "right_hand", "assist.amplitude_ma": 3.0, "idle_share": 0.0},
        current={"port": stimulator.port, "amplitude_ma": 3.0, "by": "T-01"},
        model=str(model),
        model_note="Model of an earlier visit",
        recentre=True,
    )
    test = DeviceTest(name="Headset", serial=headset.source_id, channels=names, nominal=250.0, rate=250.0, lost=0)
    visit.tests = {address: test.to_dict()}
    answers: dict[str, bool | None] = dict.fromkeys(forms.question_names(), False)
    screening = forms.make_screening(visit, answers, sleep_h=7.0)
    agreed: dict[str, bool | None] = dict.fromkeys(forms.scope_names(), True)
    signed = "2026-01-05T09:01:00+00:00"
    consent = forms.make_consent(visit, agreed, signer="participant", signed=signed, screening=screening)
    visit.screening, visit.consent = screening.model_dump(mode="json"), consent.model_dump(mode="json")
    # Five minutes of rest are what takes long; the long test does them.
    visit.idle = {"activations": 0, "seconds": 300.0, "of": visit.decides}
    (data / "clinic-state.json").write_text(json.dumps(asdict(visit)), encoding="utf-8")
    return visit


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_visit_taken_up_before_its_training_arms_only_when_everything_is_there(
    data: Path, model: Path, devices: tuple[Headset, Stimulator], sit: Callable[[str], Any]
) -> None:
    headset, stimulator = devices
    signed_visit(data, model, headset, stimulator)
    person = sit("armed")
    person.until("session", 120)
    holding = arm_and_let_go(data, person, stimulator, most=3.0)
    engine = json.loads(Path(holding["handshake"]).read_text(encoding="utf-8"))
    # Neither the window nor the engine is there to end it: the guard and the device do.
    kill_while_current_flows(stimulator, engine["pid"], person)
    assert not process_is_alive(engine["pid"])


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_from_the_patient_to_current_and_no_current_without_window_or_engine(
    data: Path, devices: tuple[Headset, Stimulator], sit: Callable[[str], Any]
) -> None:
    _, stimulator = devices
    person = sit("all")
    assert person.until("forbidden", 180)["text"] == "● Nothing is forbidden."
    assert person.until("tested", 180)["text"].startswith("● ")
    refused = person.until("no current", 120)
    assert refused["step"] == "protocol"
    assert "find the patient's comfortable current first" in refused["text"]
    assert stimulator.told == []
    found = person.until("current", 240)["found"]
    assert (found["amplitude_ma"], found["by"], found["port"]) == (3.0, "T-01", stimulator.port)
    assert 0.0 < stimulator.most <= 3.0
    assert stimulator.current == 0.0
    person.until("session", 60)
    assert not person.until("idle runs", 180)["start"], "nothing is armed while the patient rests"
    idle = person.until("idle", 1000)
    assert idle["found"]["seconds"] >= 300
    assert "Idle test:" in idle["text"]
    holding = arm_and_let_go(data, person, stimulator, most=3.0)
    engine = json.loads(Path(holding["handshake"]).read_text(encoding="utf-8"))
    assert process_is_alive(engine["pid"])
    # The window is killed: its switch is let go with it, and the engine, which lives on, stops.
    kill_while_current_flows(stimulator, person.process.pid, person)
    states = Path(engine["folder"]) / "states.jsonl"
    stimulator.wait(lambda: states.read_text(encoding="utf-8").count("SAFE_STOP") >= 3, 20)
    assert verify_audit(Path(engine["folder"])).intact
