"""The second visit: the model of another day, centred on the rest of today, checked and proposed again."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic import protocols
from bcikit.clinic.therapy import next_day
from bcikit.clinic.visit import Visit
from bcikit.decoding import Model
from bcikit.paradigms.plan import TherapyPlan
from bcikit.recording import record, recover
from bcikit.session.engine import AUTOMATIC, Engine
from bcikit.session.retrain import model_from_files

PAIR = ["left_hand", "right_hand"]
SIM = "sim:motor-imagery?seed=3&ability=1&channels=8"


def calibration(folder: Path, *, session: int) -> Path:
    """Record a calibration; the fixation of its trials stands for its rest."""
    record(f"{SIM}&session_seed={session}&schedule=1&classes=left_hand,right_hand&trials=20", folder)
    path = folder / "events.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["name"] == "phase/fixation":
            line |= {"name": "phase/eyes-open", "duration": 2.9}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    # What was edited is no longer what was written; from here on it counts as it is.
    assert recover(folder).changed == ("events.jsonl",)
    return folder


@pytest.fixture(scope="module")
def calibrations(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("earlier")
    return [calibration(folder / name, session=number) for number, name in enumerate(("first", "second"))]


@pytest.fixture(scope="module")
def model(calibrations: list[Path]) -> Path:
    found, trials = model_from_files(protocols.training_config(visit(), [str(calibrations[0])]))
    assert len(trials.y) == 20
    path = calibrations[0].parent / "model.skops"
    found.save(path)
    return path


def visit(**more: Any) -> Visit:
    values: dict[str, Any] = {
        "subject": "P-1",
        "operator": "T-01",
        "device": "lsl:source_id=headset",
        "settings": {"classes": PAIR},
    }
    return Visit(**{**values, **more})


def test_recording_more_adds_to_what_is_there(calibrations: list[Path]) -> None:
    config = protocols.training_config(visit(), [str(folder) for folder in calibrations])
    found, trials = model_from_files(config)
    assert len(trials.y) == 40
    assert "rest" in found.centres, "what it is centred by on another day"


def test_the_model_of_another_day_follows_rest_and_cues_but_where_current_flows(model: Path, tmp_path: Path) -> None:
    earlier = visit(model=str(model), model_note="of another day", recentre=True)
    config = protocols.build(earlier, folder=str(tmp_path), settings=earlier.settings, phase="session")
    assert (config.decoder.recentre, config.decoder.adapt) == ("rest", "labelled")
    assert config.paradigm.settings["eyes_open"] == protocols.REST_SECONDS
    fresh = visit(model=str(model))
    config = protocols.build(fresh, folder=str(tmp_path), settings=fresh.settings, phase="session")
    assert (config.decoder.recentre, config.decoder.adapt) == ("", "")
    assert config.paradigm.settings["eyes_open"] == 0.0
    earlier.protocol, earlier.settings = "motor-imagery-fes", {}
    earlier.current = {"port": "sim-fes", "amplitude_ma": 5.0}
    config = protocols.build(earlier, folder=str(tmp_path), settings={}, phase="session")
    assert (config.decoder.recentre, config.decoder.adapt) == ("rest", "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_session_with_the_model_of_another_day_is_centred_in_its_first_minute(model: Path, tmp_path: Path) -> None:
    patient = visit(simulated=True, device=f"{SIM}&session_seed=7", model=str(model), model_note="x", recentre=True)
    settings = {"classes": PAIR, "feedback_runs": 1, "trials_per_run": 6}
    folder = tmp_path / "session"
    config = protocols.build(patient, folder=str(folder), settings=settings, phase="session")
    Engine(config, operator=AUTOMATIC).run()
    values = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert values["n_trials"] == 6
    assert values["n_correct"] >= 4
    counts = values["adaptation"]
    assert counts["centred"] >= 15, "windows of 2.5 s in a minute of rest"
    assert counts["learned"] >= 6
    before, after = Model.load(model), Model.load(folder / "model.skops")
    assert before.sheet.classes == after.sheet.classes


def test_after_six_trials_it_is_said_whether_the_model_holds(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.patient()
    page = person.window.pages["session"]
    page.visit.model_note, page.visit.recentre = "Model of another day", True
    for trial in range(6):
        for name, data in (
            ("trial/start", {"trial": trial, "class": "left_hand"}),
            ("feedback/result", {"trial": trial, "correct": trial < 2}),
            ("trial/end", {"trial": trial}),
        ):
            row = {"name": name, "time": 10.0 * trial, "data": data}
            page.take({**row, "type": "event", "event": row})
    assert "2 of the first 6 trials right today" in page.message.text()
    assert "calibrate" in page.message.text()
    assert any("2 of the first 6" in note for note in page.visit.notes)


def test_the_next_session_is_proposed_within_the_plan() -> None:
    phase = {"weeks": 2, "sessions_per_week": 3, "paradigm": "motor-imagery"}
    start = date(2026, 11, 2)
    plan = TherapyPlan.model_validate({"title": "x", "start": start.isoformat(), "phases": [phase]})

    def day(*numbers: int, today: int) -> int | None:
        found = next_day(plan, [start + timedelta(days=n) for n in numbers], start + timedelta(days=today))
        return None if found is None else (found - start).days

    assert day(today=-30) == 0
    assert day(today=0) == 0
    assert day(0, today=0) == 2
    assert day(0, 2, 4, today=4) == 7, "a week has three"
    assert day(today=13) == 13
    assert day(13, today=13) is None, "the plan is over"
