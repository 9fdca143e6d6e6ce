"""What outlives its moment: a question, a difficulty, a model, a visit, a sealed number, the place of a folder."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from bcikit.clinic import arms
from bcikit.clinic.history import history_rows, result_words
from bcikit.clinic.moved import follow, follow_visit
from bcikit.clinic.orphans import visit_of_engine
from bcikit.clinic.privacy import RUNS, STATE_FILE
from bcikit.clinic.protocols import profile_of
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report_data import report_data, trend_of
from bcikit.clinic.strays import enter_strays
from bcikit.clinic.therapy import done_so_far
from bcikit.clinic.visit import Training, Visit
from bcikit.recording import Catalogue, SessionWriter
from bcikit.signal import StreamInfo
from bcikit.signal.processes import process_mark

Clinic = Callable[..., Any]
SEALED = "Sealed: the trial is blinded."


def short(person: Any, *, protocol: int | None = None) -> None:
    """Choose a protocol with as few trials as there may be, and stand before its training."""
    page = person.page
    if protocol is not None:
        person.pick(page.protocol, protocol)
    person.number(page.fields["runs" if protocol else "feedback_runs"], "1")
    person.number(page.fields["trials_per_run"], "10")
    person.on()
    assert person.step == "calibration", page.message.text()
    person.window.show_step("session")


def test_a_question_asked_before_the_engine_began_ends_nothing_under_it(clinic: Clinic) -> None:
    person = clinic()
    person.as_far_as_protocol()
    short(person)
    person.click(person.window.anew)
    assert person.window.question.isVisible()
    person.click(person.page.start)
    person.window.tick()
    assert not person.window.question.isVisible()
    person.window.question._do()
    assert (person.window.visit.subject, person.step, person.runner.running) == ("P-017", "session", True)
    # Nor is one about the part before still there in the next.
    person.click(person.page.finish)
    person.run(lambda: not person.runner.running)
    assert not person.page.sure.isVisible()


def test_the_difficulty_that_the_window_shows_is_the_one_the_engine_gets(clinic: Clinic) -> None:
    person = clinic()
    person.as_far_as_protocol()
    short(person, protocol=1)
    person.page.difficulty.setValue(80)

    def threshold() -> float:
        return float(person.runner._run.job.config.paradigm.settings["threshold"])

    person.click(person.page.start)
    assert threshold() == pytest.approx(0.8), "set before the start"
    person.page.difficulty.setValue(85)
    person.click(person.page.finish)
    person.click(person.page.sure.yes)
    person.run(lambda: not person.runner.running)
    person.click(person.page.start)
    assert threshold() == pytest.approx(0.85), "set in the part that was cut off"
    person.window._resume()
    assert person.page.difficulty.value() == 85, "shown by a window that comes back"
    # Other numbers on the page of the protocol are a new beginning.
    person.click(person.page.finish)
    person.click(person.page.sure.yes)
    person.run(lambda: not person.runner.running)
    person.window.show_step("protocol")
    person.number(person.page.fields["threshold"], "0.75")
    person.on()
    person.window.show_step("session")
    assert person.page.difficulty.value() == 75


def test_a_model_of_another_day_is_for_its_movements_and_can_be_left(clinic: Clinic, tmp_path: Path) -> None:
    person = clinic()
    person.patient()
    model = tmp_path / "model.skops"
    model.write_bytes(b"model")
    scores = {"accuracy": 0.9, "n_trials": 40, "classes": ["left_hand", "right_hand"]}
    person.catalogue.add_model("P-017", model, paradigm="motor-imagery", scores=scores)
    person.agree()
    person.headset()
    person.electrodes()
    page = person.page
    person.click(page.use_model)
    person.on()
    assert person.step == "session"
    # "It does not hold: finish early and calibrate" has a way.
    person.click(person.page.back_button)
    person.click(page.calibrate)
    person.on()
    assert person.step == "calibration"
    person.click(person.page.back_button)
    person.click(page.use_model)
    person.pick(page.pair, 1)
    person.on()
    assert "of other movements" in page.message.text()
    assert (person.window.visit.model, person.window.visit.model_note) == ("", "")
    person.on()
    assert person.step == "calibration"
    person.click(person.page.back_button)
    person.pick(page.pair, 0)
    person.click(page.use_model)
    person.pick(page.protocol, 1)
    person.on()
    assert person.window.visit.model == ""


def test_a_visit_of_another_day_measures_nobody(clinic: Clinic) -> None:
    person = clinic()
    person.as_far_as_protocol()
    short(person)
    visit = person.window.visit
    visit.started = (datetime.now().astimezone() - timedelta(hours=13)).isoformat(timespec="seconds")
    person.click(person.page.start)
    assert not person.runner.running
    assert "End the visit and begin another one" in person.page.message.text()
    person.window.keep()
    again = clinic()
    assert "End the visit and begin another one" in again.page.message.text()
    # Over midnight it is the same visit.
    visit.started = (datetime.now().astimezone() - timedelta(hours=2)).isoformat(timespec="seconds")
    person.click(person.page.start)
    assert person.runner.running


def test_the_history_calls_nothing_right_or_wrong_that_is_neither() -> None:
    numbers = {"moved": 1, "moved_right": 1, "rewards": 7}
    assert result_words(numbers, "neurofeedback-smr") == "7 rewards"
    assert result_words({"moved": 1, "moved_right": 1}, "neurofeedback-alpha") == "–", "entered without them"
    for recorded in ("eyes-open-closed", "resting-state", "driving-vigilance"):
        assert result_words({"moved": 0, "moved_right": 0}, recorded) == "–"
    assert result_words(numbers, "p300-speller") == "1 moved, 1 right"
    assert result_words(numbers, "one of before") == "1 moved, 1 right"


def test_history_and_old_reports_of_a_sealed_allocation_say_nothing_that_opens_it(
    clinic: Clinic, tmp_path: Path
) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    person = clinic()
    person.as_far_as_protocol()
    short(person, protocol=1)
    person.train()
    folder = Path(person.window.visit.parts[0])
    catalogue = person.catalogue
    assert history_rows(catalogue, "P-017")[0].cells[2] != SEALED, "nothing is drawn yet"
    drawn = arms.allocate(tmp_path, catalogue, "P-017", by="T-01")
    catalogue.update_subject("P-017", merge={"trial": {**drawn, "drawn": "2999-01-01T00:00:00+00:00"}})
    assert history_rows(catalogue, "P-017")[0].cells[2] != SEALED, "what was before the draw tells nothing of it"
    earlier = {**drawn, "drawn": "2020-01-01T00:00:00+00:00"}
    catalogue.update_subject("P-017", merge={"trial": earlier})
    assert history_rows(catalogue, "P-017")[0].cells[2] == SEALED
    # A power cut left no record beside the training: the person's own entry decides.
    (folder / "training.json").unlink()
    found = report_data(catalogue, TrainingRecord.load(folder, subject="P-017", protocol="action-observation"))
    assert arms.is_blind(found.record.trial)
    assert found.trend == []
    opened = {**earlier, "unblinded": {"by": "T-01", "reason": "asked", "at": "2026-01-01T00:00:00+00:00"}}
    catalogue.update_subject("P-017", merge={"trial": opened})
    assert history_rows(catalogue, "P-017")[0].cells[2] != SEALED
    person.window.visit.trial = {**earlier}
    found = report_data(catalogue, TrainingRecord.of_visit(person.window.visit))
    assert not arms.is_blind(found.record.trial), "what was opened since is open"


def test_two_protocols_of_one_visit_are_two_trainings(clinic: Clinic, tmp_path: Path) -> None:
    person = clinic()
    person.as_far_as_protocol()
    short(person)
    visit = person.window.visit

    def train(trials: int, note: str) -> list[str]:
        page = person.page
        assert page.start.text() == "Start"
        assert page.trials == 0
        person.click(page.start)
        person.run(lambda: page.trials >= trials)
        person.type(page.note, note)
        QTest.keyClick(page.note, Qt.Key.Key_Return)
        person.runner.send("finish")
        person.run(lambda: not person.runner.running)
        return list(visit.parts)

    first = train(4, "of the first")
    moved = visit.first_movement
    assert moved
    person.window.show_step("protocol")
    short(person, protocol=1)
    assert (visit.calibrations, visit.parts, visit.notes, visit.first_movement) == ([], [], [], "")
    assert visit.recorded, "the visit is not over"
    second = train(6, "of the second")
    person.on()
    for protocol, folders, trials, note in (
        ("motor-imagery", first, 4, "of the first"),
        ("action-observation", second, 6, "of the second"),
    ):
        (folder,) = folders
        record = TrainingRecord.load(Path(folder))
        assert (record.protocol, record.parts, record.notes) == (protocol, folders, [note])
        assert report_data(person.catalogue, record).total.trials == trials
    assert person.page.record().parts == second
    # What was begun with the first is gone on with, also by a window that was opened anew, in a folder that was moved.
    kept = Visit.load(tmp_path / STATE_FILE)
    assert kept.others == visit.others
    (other,) = kept.others.values()
    other.parts = ["/gone/" + Path(first[0]).name]
    follow_visit(kept, tmp_path)
    assert other.parts == first
    person.window.show_step("protocol")
    short(person, protocol=0)
    assert (visit.parts, visit.notes, visit.first_movement) == (first, ["of the first"], moved)
    assert (person.page.start.text(), person.page.trials) == ("Go on", 4)
    # So are other movements; other numbers are not.
    person.window.show_step("protocol")
    person.pick(person.page.pair, 1)
    short(person)
    assert (visit.parts, person.page.start.text()) == ([], "Start")
    assert TrainingRecord.of_visit(visit).hand == "right_hand, feet"
    third = train(5, "of the third")
    assert TrainingRecord.load(Path(first[0])).hand == "left_hand, right_hand"
    person.window.show_step("protocol")
    person.number(person.page.fields["between_runs"], "20")
    short(person)
    assert (visit.parts, person.page.start.text(), person.page.trials) == (third, "Go on", 5)


def test_a_folder_that_was_moved_counts_nothing_twice_and_its_reports_are_whole(clinic: Clinic, tmp_path: Path) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    person = clinic()
    person.as_far_as_protocol()
    short(person)
    person.train()
    person.on()
    old = tmp_path / "model" / "model.skops"
    old.parent.mkdir()
    old.write_bytes(b"model")
    person.catalogue.add_model("P-017", old, paradigm="motor-imagery")
    arms.allocate(tmp_path, person.catalogue, "P-017", by="T-01")
    visit = Visit(parts=list(person.window.visit.parts), model=str(old))
    person.leave()
    data = tmp_path.with_name(tmp_path.name + "-restored")
    shutil.copytree(tmp_path, data)
    with Catalogue(f"sqlite:///{data / 'catalogue.sqlite'}", who="test") as catalogue:
        assert enter_strays(catalogue, data) == [], "a copy beside what was copied is no second training"
    shutil.rmtree(data)
    shutil.move(tmp_path, data)
    with Catalogue(f"sqlite:///{data / 'catalogue.sqlite'}", who="test") as catalogue:
        follow(catalogue, data)
        assert enter_strays(catalogue, data) == []
        (entry,) = catalogue.sessions("P-017")
        assert Path(entry.path).parent == data.resolve()
        assert [Path(one.path) for one in catalogue.models()] == [data.resolve() / "model" / "model.skops"]
        found = report_data(catalogue, TrainingRecord.load(Path(entry.path)))
        assert (found.record.subject, found.total.trials) == ("P-017", 10)
        assert arms.arm_of(catalogue.subject("P-017").data["trial"]) in ("contingent", "sham")
        assert [one.action for one in catalogue.audit()].count("follow moved session") == 1
        follow_visit(visit, data)
        assert Path(visit.parts[0]).is_dir()
        assert Path(visit.model).is_file()
    data.rename(tmp_path)


def test_the_report_of_a_folder_that_is_gone_is_not_one_of_no_trials(clinic: Clinic) -> None:
    person = clinic()
    person.as_far_as_protocol()
    short(person)
    person.train()
    shutil.rmtree(person.window.visit.parts[0])
    person.window.show_step("patient")
    person.choose("P-017")
    person.click(person.page.open_report)
    assert "is not there" in person.page.message.text()
    assert not hasattr(person.window, "old_report")


@pytest.mark.parametrize("state", ["", "no JSON", "older", "another"])
def test_an_engine_that_runs_is_taken_up_whatever_became_of_the_note_of_it(
    clinic: Clinic, tmp_path: Path, state: str
) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    person = clinic()
    person.as_far_as_protocol()
    older = (tmp_path / STATE_FILE).read_bytes()
    short(person)
    before = person.window.visit
    before.trial = arms.allocate(tmp_path, person.catalogue, "P-017", by="T-01")
    person.click(person.page.start)
    person.window.tick()
    folder = before.parts[0]
    before.notes, before.stop_tested = ["sits well"], True
    noted = TrainingRecord.of_visit(before)
    noted.save()
    assert (noted.birth_year, noted.device, bool(noted.scopes)) == (1961, "headset", True)
    # As the engine writes it, with the window gone.
    handshake = tmp_path / RUNS / "run-1.json"
    handshake.parent.mkdir()
    control = {"pid": os.getpid(), "mark": process_mark(os.getpid()), "control": {}, "folder": folder}
    handshake.write_text(json.dumps(control))
    sessions = person.runner.SESSIONS
    sessions[str(handshake)] = sessions.pop(person.runner.handshake)
    person.runner.detach()
    person.leave()
    if state == "another":
        Visit(subject="Q-2", operator="T-02", step="consent").save(tmp_path / STATE_FILE)
    else:
        (tmp_path / STATE_FILE).write_bytes(older if state == "older" else state.encode())
    again = clinic()
    visit = again.window.visit
    assert (again.runner.running, again.step, visit.subject) == (True, "session", "P-017")
    assert (visit.parts, visit.protocol) == ([folder], "motor-imagery")
    assert again.page.message.text() == "● The session went on while this window was closed."
    again.click(again.page.stop)
    assert again.runner.orders[-1]["do"] == "stop"
    handshake.unlink()
    # It is as blind as it was, and what is noted of the training becomes no poorer.
    assert visit.trial == before.trial
    assert not again.page.bars_card.isVisible()
    TrainingRecord.of_visit(visit).save()
    assert TrainingRecord.load(Path(folder)) == replace(noted, reopened=1)


def test_an_engine_of_which_nothing_is_noted_yet_belongs_to_the_visit_that_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "P-017-20260105-090000-session"
    settings = {"trials_per_run": 6, "arm": "sham", "blind": True, "yoked_delays": [1.0]}
    config = {
        "session": {"operator": "T-01"},
        "source": {"address": "lsl:name=x"},
        "paradigm": {"name": "paradigm:action-observation", "settings": settings},
        "outputs": [{"address": "hand:"}, {"address": "guard:sim-hand?dead_man=1&log=x.jsonl"}],
    }
    SessionWriter(folder, info=StreamInfo(name="x", sfreq=250.0, ch_names=("C3",)), config=config, versions={}).close()
    (tmp_path / RUNS).mkdir()
    control = {"pid": os.getpid(), "mark": process_mark(os.getpid()), "control": {}, "folder": str(folder)}
    (tmp_path / RUNS / "run-1.json").write_text(json.dumps(control))
    began = "2026-01-05T08:30:00+00:00"
    kept = Visit(subject="P-017", started=began, protocol="action-observation", consent={"scopes": ["acquire"]})
    found = visit_of_engine(tmp_path, kept)
    assert found is kept
    assert (found.started, found.parts, found.consent) == (began, [str(folder)], {"scopes": ["acquire"]})
    assert found.settings == {"trials_per_run": 6}, "the arm is nobody's to read"
    assert (found.orthosis, profile_of(found)) == ("sim-hand", "robot"), (
        "the checks before arming are those of a device"
    )
    kept = Visit(subject="P-017", started=began, protocol="action-observation", settings={"runs": 2})
    taken = visit_of_engine(tmp_path, kept)
    assert taken is not None
    assert taken.settings == {"runs": 2}
    # Another training of that visit is put aside, not gone on with.
    eyes: dict[str, Any] = {"protocol": "eyes-open-closed", "parts": ["/d/A1"], "notes": ["of the eyes"]}
    kept = Visit(subject="P-017", started=began, difficulty=0.9, model="/d/m", settings={"phases": []}, **eyes)
    taken = visit_of_engine(tmp_path, kept)
    assert taken is kept
    assert (taken.protocol, taken.parts, taken.notes) == ("action-observation", [str(folder)], [])
    assert taken.others == {"eyes-open-closed": Training(parts=["/d/A1"], notes=["of the eyes"])}
    assert (taken.difficulty, taken.model) == (0.0, "")
    kept = Visit(subject="P-017", started=began, protocol="action-observation", parts=["/d/B1"])
    taken = visit_of_engine(tmp_path, kept)
    assert taken is not None
    assert (taken.parts, taken.others) == (["/d/B1", str(folder)], {})
    other = visit_of_engine(tmp_path, Visit(subject="Q-2", started=began))
    assert other is not None
    assert (other.subject, other.started != began, bool(other.started)) == ("P-017", True, True)
    # The model of another day is followed as such in the next part, too; what is said of a model is said of no other.
    # Before the engine is armed only its configuration tells that the model is followed.
    models = (("Model of 3 January", "", ""), ("", "Model of 3 January", ""), ("", "", "rest"))
    for note, before, recentre in models:
        config["decoder"] = {"model": "/d/today", "recentre": recentre}
        shutil.rmtree(folder)
        SessionWriter(
            folder, info=StreamInfo(name="x", sfreq=250.0, ch_names=("C3",)), config=config, versions={}
        ).close()
        TrainingRecord(subject="P-017", started=began, model=note, parts=[str(folder)]).save()
        kept = Visit(subject="P-017", started=began, protocol="action-observation")
        kept.take_model("/d/before" if before else "", note=before)
        taken = visit_of_engine(tmp_path, kept)
        assert taken is kept
        assert (taken.model, taken.model_note, taken.recentre) == ("/d/today", note, bool(note or recentre))


def test_a_note_of_the_last_visit_that_cannot_be_read_is_said(clinic: Clinic, tmp_path: Path) -> None:
    assert clinic().page.message.text() == ""
    (tmp_path / STATE_FILE).write_text("{")
    assert "cannot be read any more" in clinic().page.message.text()


def test_a_catalogue_that_was_lost_is_no_clinic_without_patients(clinic: Clinic, tmp_path: Path) -> None:
    for name in ("P-017-20261130-101500-session", "SIMULATED-20261130-101500-session", "device-checks"):
        (tmp_path / name).mkdir()
    person = clinic()
    assert person.page.message.text().startswith("▲ The catalogue holds nobody, but recordings of P-017 lie here.")
    person.type(person.page.operator, "T-01")
    person.add()
    assert "catalogue holds nobody" not in clinic().page.message.text()


def test_a_training_in_two_parts_is_one_session_of_the_plan(clinic: Clinic) -> None:
    person = clinic()
    person.as_far_as_protocol()
    person.click(person.page.save_plan)
    short(person)
    person.click(person.page.start)
    person.run(lambda: person.page.trials >= 4)
    person.click(person.page.finish)
    person.click(person.page.sure.yes)
    person.run(lambda: not person.runner.running)
    person.train()
    assert len(person.catalogue.sessions("P-017")) == 2
    (done,) = done_so_far(person.catalogue, "P-017")
    assert done["trials"] == sum(one.results["n_trials"] for one in person.catalogue.sessions("P-017")) >= 10
    trend = trend_of(person.catalogue, "P-017", "motor-imagery")
    right = sum(one.results["n_correct"] for one in person.catalogue.sessions("P-017"))
    assert trend == [(done["day"], pytest.approx(100 * right / done["trials"]))]
    # The same where a power cut ended a part: it is entered later, from what lies beside it.
    first = person.catalogue.sessions("P-017")[0]
    with person.catalogue.writing() as connection:
        connection.delete(connection.get_one(type(first), first.id))
    assert len(enter_strays(person.catalogue, person.window.desk.data)) == 1
    assert len(person.catalogue.sessions("P-017")) == 2
    assert len(done_so_far(person.catalogue, "P-017")) == 1
    person.window.show_step("patient")
    assert person.page.people.item(0, 2).text() == "1"


def test_a_consent_of_before_answers_nothing_that_it_did_not_ask(clinic: Clinic) -> None:
    person = clinic()
    person.patient()
    person.agree()
    (consent,) = person.catalogue.subject("P-017").data["consents"]
    assert "hospital" in consent["scopes"]
    older = {**consent, "scopes": [name for name in consent["scopes"] if name != "hospital"]}
    person.catalogue.update_subject("P-017", merge={"consents": [older]})
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.patient()
    page = person.page
    assert (page.scopes["share"].answer, page.scopes["hospital"].answer) == (True, None)
    person.on()
    assert person.step == "consent"
    assert "Not asked yet: Send to the hospital under the code." in page.message.text()
    person.answer(page.scopes["hospital"], yes=False)
    assert page.signed.answer is None, "another agreement is another signature"
    person.agree(no=("hospital",))
    assert person.step == "device"
    assert TrainingRecord.of_visit(person.window.visit).scopes == older["scopes"]
