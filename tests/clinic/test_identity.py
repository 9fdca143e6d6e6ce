"""Nothing of one patient is ever shown, used or stored for another."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import people, protocols
from bcikit.clinic.lock import FolderLock
from bcikit.clinic.privacy import RUNS, STATE_FILE, withdraw
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.runner import EngineRunner, SessionJob, process_mark
from bcikit.clinic.strays import enter_strays, strangers
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue, SessionWriter
from bcikit.recording.corrections import join_subjects, rename_subject
from bcikit.session.ticket import Ticket
from bcikit.signal import ArgumentError, BciError, Chunk, StreamInfo
from bcikit.signal.processes import end_process
from bcikit.viewer.annotations import Annotation
from bcikit.viewer.folder import show_folder
from bcikit.viewer.window import ViewerWindow

Clinic = Callable[..., Any]


def shown(person: Any) -> list[str]:
    table = person.page.people
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def test_a_patient_added_while_another_is_selected_is_the_one_treated(clinic: Clinic) -> None:
    person = clinic()
    person.type(person.page.operator, "T-01")
    person.add("M-2", "1950")
    person.choose("M-2")
    # This one sorts before the selected one: rows move.
    person.add("A-1", "1961")
    assert person.page.chosen == "A-1"
    person.confirm("1961")
    assert person.window.visit.subject == "A-1"
    assert person.window.header.code.text() == "A-1"


def test_a_search_while_one_is_selected_selects_nobody_else(clinic: Clinic) -> None:
    person = clinic()
    person.type(person.page.operator, "T-01")
    for code in ("P-1", "P-2", "Q-3"):
        person.add(code)
    person.choose("P-1")
    person.type(person.page.search, "Q")
    assert shown(person) == ["Q-3"]
    assert person.page.chosen == ""
    person.on()
    assert "Choose a patient" in person.page.message.text()
    person.type(person.page.search, "P")
    person.choose("P-2")
    person.type(person.page.search, "2")
    assert person.page.chosen == "P-2", "who is still shown is still selected"
    person.confirm()
    assert person.window.visit.subject == "P-2"


def test_the_selection_that_changes_while_it_is_asked_takes_the_question_back(clinic: Clinic) -> None:
    person = clinic()
    person.type(person.page.operator, "T-01")
    person.add("P-1")
    person.add("P-2")
    person.choose("P-1")
    person.on()
    assert person.page.confirming.isVisible()
    person.choose("P-2")
    assert not person.page.confirming.isVisible()
    assert person.window.visit.subject == ""


def test_answers_of_one_patient_do_not_stand_there_for_the_next(clinic: Clinic) -> None:
    person = clinic()
    person.patient("P-1", "1950")
    person.agree(sick=("epilepsy", "implant", "skin"), no=("share",), sleep="4")
    assert person.window.visit.screening["epilepsy"] is True
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.patient("P-2", "1990")
    page = person.page
    assert {one.answer for one in (*page.questions.values(), *page.scopes.values(), page.signed)} == {None}
    assert page.sleep.value() is None
    person.agree()
    assert person.window.visit.screening["epilepsy"] is False
    # The first one again: what lasts is shown with its date, what ages is open, nothing is assumed.
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.patient("P-1", "1950")
    page = person.page
    assert page.questions["epilepsy"].answer is True
    assert page.questions["epilepsy"].since
    assert page.questions["implant"].answer is True
    assert page.questions["migraine_with_photic_trigger"].answer is False
    assert page.questions["skin"].answer is None
    assert page.questions["alcohol"].answer is None
    assert page.scopes["share"].answer is False
    assert page.sleep.value() is None
    assert "Epilepsy" in page.forbids.text()
    person.on()
    assert person.window.visit.screening["age"] >= 75
    assert person.window.visit.screening["skin"] is None


def test_a_device_and_its_test_belong_to_one_visit_and_one_device(clinic: Clinic) -> None:
    person = clinic()
    person.simulated()
    assert person.page.address.text().startswith("sim:")
    person.click(person.page.test)
    person.qtbot.waitUntil(lambda: person.page.test.isEnabled(), timeout=60_000)
    assert person.page.result.text().startswith("●")
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.patient("P-2")
    person.agree()
    page = person.page
    person.qtbot.waitUntil(lambda: page.look.isEnabled() and page.devices.rowCount() > 0, timeout=60_000)
    # Two headsets, no simulation, no markers, no motion sensor; nothing is chosen for the person.
    assert [page.devices.item(row, 2).text() for row in range(page.devices.rowCount())] == [
        "lsl:source_id=headset-1",
        "lsl:source_id=headset-2",
    ]
    assert page.address.text() == ""
    assert page.result.text() == "Not tested yet"
    person.row(page.devices, 0)
    person.click(page.test)
    person.qtbot.waitUntil(lambda: page.result.text().startswith("●"), timeout=60_000)
    person.row(page.devices, 1)
    assert page.result.text() == "Not tested yet"
    person.on()
    assert page.message.text().endswith("Test the device first.")


@pytest.mark.parametrize(
    "address", ["sim:motor-imagery", "brainflow:synthetic", "file:a.edf", "dut:x", "brainflow:playback_file?file=a"]
)
def test_no_simulation_measures_a_patient(clinic: Clinic, address: str) -> None:
    person = clinic()
    person.patient()
    person.agree()
    person.type(person.page.address, address)
    person.click(person.page.test)
    assert person.page.message.text().startswith("■ That is a")
    person.on()
    assert person.step == "device"


def test_the_headset_of_this_clinic_is_offered_only_where_it_is_there(clinic: Clinic, found: list[Any]) -> None:
    person = clinic()
    person.as_far_as_protocol()
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.patient("P-2")
    person.agree()
    page = person.page
    person.qtbot.waitUntil(lambda: page.address.text() != "", timeout=60_000)
    assert page.address.text() == "lsl:source_id=headset-1"
    assert "used here on" in page.devices.item(0, 1).text()
    assert page.result.text() == "Not tested yet", "the test of another visit is no test"
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    del found[0]
    person.patient("P-3")
    person.agree()
    person.qtbot.waitUntil(lambda: person.page.devices.rowCount() == 1, timeout=60_000)
    assert person.page.address.text() == ""


def test_a_visit_ends_only_with_a_yes_and_never_by_the_space_bar(clinic: Clinic) -> None:
    person = clinic()
    person.patient()
    person.agree()
    person.qtbot.waitUntil(lambda: person.page.look.isEnabled(), timeout=60_000)
    person.row(person.page.devices, 0)
    person.click(person.page.test)
    person.qtbot.waitUntil(lambda: person.page.test.isEnabled(), timeout=60_000)
    assert QApplication.focusWidget() is person.page.next_button
    person.click(person.window.anew)
    assert QApplication.focusWidget() is person.window.question.no
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert person.window.visit.subject == "P-017"
    assert not person.window.question.isVisible()


def test_the_simulated_patient_is_marked_and_has_no_history(clinic: Clinic, tmp_path: Path) -> None:
    person = clinic(step=10.0)
    person.simulated()
    person.simulated_headset()
    person.electrodes()
    person.protocol()
    person.calibrate()
    person.train()
    assert person.window.header.code.text() == "SIMULATED PATIENT"
    person.on()
    assert "SIMULATED" in person.page.view.toPlainText()
    assert person.catalogue.sessions("SIMULATED") == []
    assert person.catalogue.models("SIMULATED") == []
    person.on()
    assert "SIMULATED" not in shown(person)


def test_a_code_is_corrected_and_two_entries_are_joined_with_a_record(clinic: Clinic) -> None:
    person = clinic(step=10.0)
    person.as_far_as_protocol("P-71", "1961")
    person.protocol()
    person.calibrate()
    person.train()
    person.on()
    person.click(person.page.html_button)
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.choose("P-71")
    page = person.page
    person.click(page.corrections.rename)
    person.type(page.corrections.text, "P-17")
    person.click(page.corrections.apply)
    assert "reason must say why" in page.corrections.question.text()
    person.type(page.corrections.reason, "digits swapped")
    person.click(page.corrections.apply)
    assert shown(person) == ["P-17"]
    assert page.chosen == "P-17"
    assert page.history.rowCount() == 1
    assert "1 reports saved before still name P-71" in page.message.text()
    # The report of before the correction is of the person whose code was corrected.
    person.click(page.open_report)
    old = person.window.old_report
    assert "Patient P-17, born 1961, recorded as P-71" in " ".join(old.view.toPlainText().split())
    old.close()
    person.add("P-18", "1961")
    person.add("P-19", "1970")
    person.choose("P-18")
    person.click(page.corrections.join)
    person.type(page.corrections.text, "P-19")
    person.type(page.corrections.reason, "entered twice")
    person.click(page.corrections.apply)
    assert "they are two persons" in page.corrections.question.text()
    person.type(page.corrections.text, "P-17")
    person.click(page.corrections.apply)
    assert shown(person) == ["P-18", "P-19"]
    assert page.history.rowCount() == 1
    actions = [entry.action for entry in person.catalogue.audit()]
    assert actions.count("rename subject") == 1
    assert actions.count("join subjects") == 1
    assert person.catalogue.verify_audit() is None
    # Folders under the mistyped code go with the person, too.
    person.choose("P-18")
    person.click(page.corrections.withdraw)
    person.type(page.corrections.text, "P-18")
    person.click(page.corrections.apply)
    left = [path.name for path in person.window.desk.data.iterdir() if path.is_dir()]
    assert [name for name in left if name.startswith("P-")] == []


def test_a_patient_whose_consent_is_withdrawn_in_a_visit_is_gone_from_the_window(clinic: Clinic) -> None:
    person = clinic()
    person.patient()
    person.agree()
    person.click(person.page.back_button)
    person.click(person.page.back_button)
    page = person.page
    person.click(page.corrections.withdraw)
    person.type(page.corrections.text, "P-0")
    person.click(page.corrections.apply)
    assert "Nothing was erased" in page.corrections.question.text()
    person.type(page.corrections.text, "P-017")
    person.click(page.corrections.apply)
    QApplication.processEvents()
    assert person.window.visit.subject == ""
    assert person.window.header.code.text() == "No patient"
    assert shown(person) == []


def test_one_window_owns_a_folder(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    with pytest.raises(BciError, match=r"Another clinic window has the folder .* open \(process \d+"):
        FolderLock(tmp_path)
    first.release()
    FolderLock(tmp_path).release()


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(BciError, match="cannot be written to"):
        FolderLock(tmp_path / "missing")


def test_a_state_file_of_another_patient_never_comes_back_after_the_visit(clinic: Clinic, tmp_path: Path) -> None:
    person = clinic()
    person.patient("P-1")
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    text = (tmp_path / "clinic-state.json").read_text(encoding="utf-8")
    assert "P-1" not in text
    assert json.loads(text)["subject"] == ""


def test_the_age_that_bars_is_the_sure_one() -> None:
    import datetime

    this = datetime.date.today().year
    assert people.age_of(this - 18) == 17
    assert people.age_of(this - 19) == 18
    assert people.age_of(None) is None
    with pytest.raises(ArgumentError):
        people.check_year(this + 1)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("Ｐ－０１７", "P-017"), ("  P-017 \u00a0", "P-017"), ("\u200fP-017\u200e", "P-017"), ("P-\u2060017", "P-017")],
)
def test_a_code_is_the_one_that_was_meant_however_it_is_typed(clinic: Clinic, typed: str, meant: str) -> None:
    person = clinic()
    person.page.code.setText(typed)
    person.page.year.setText("１９６１")
    person.click(person.page.add)
    assert shown(person) == [meant]
    person.page.code.setText(typed.lower())
    person.page.year.setText("1961")
    person.click(person.page.add)
    assert "P-017 is entered already" in person.page.message.text()
    person.page.search.setText(typed)
    assert shown(person) == [meant]
    person.choose(meant)
    person.click(person.page.corrections.withdraw)
    person.page.corrections.text.setText(typed)
    person.click(person.page.corrections.apply)
    assert shown(person) == []


def test_a_code_never_stands_for_two_persons(clinic: Clinic) -> None:
    person = clinic()
    person.add("P-71", "1961")
    person.add("Q-1", "1970")
    card = person.page.corrections

    def correct(code: str, new: str) -> str:
        person.choose(code)
        person.click(card.rename)
        card.text.setText(new)
        card.reason.setText("digits swapped")
        person.click(card.apply)
        return str(card.question.text()) if card.asking.isVisible() else ""

    assert "differs from Q-1" in correct("P-71", "q-1")
    assert "simulated patient" in correct("P-71", "Simulated")
    assert "is no code" in correct("P-71", "P" * 40)
    assert correct("P-71", "P-17") == ""
    # Recordings under the old code are of the person who had it.
    person.add("p-71", "1999")
    assert "was the code of P-17" in person.page.message.text()
    assert "was the code of P-17" in correct("Q-1", "P-71")
    assert correct("P-17", "p-17") == "", "capitals may be corrected"
    assert correct("p-17", "P-71") == "", "and a correction taken back"
    assert shown(person) == ["P-71", "Q-1"]
    person.choose("P-71")
    person.click(card.join)
    card.text.setText("SIMULATED")
    card.reason.setText("try")
    person.click(card.apply)
    assert "simulated patient" in card.question.text()


def test_a_visit_whose_code_is_corrected_ends_though_something_was_measured(clinic: Clinic) -> None:
    person = clinic(step=10.0)
    person.as_far_as_protocol("P-71", "1961")
    person.protocol()
    person.calibrate()
    while person.step != "patient":
        person.click(person.page.back_button)
    assert person.window.visit.recorded
    page = person.page
    person.click(page.corrections.rename)
    person.type(page.corrections.text, "P-17")
    person.type(page.corrections.reason, "digits swapped")
    person.click(page.corrections.apply)
    QApplication.processEvents()
    assert person.window.visit.subject == ""
    assert not person.window.question.isVisible()
    assert shown(person) == ["P-17"]


@pytest.mark.parametrize("what", ["rename", "erase"])
def test_a_patient_who_is_corrected_or_erased_elsewhere_is_measured_no_more(clinic: Clinic, what: str) -> None:
    person = clinic(step=10.0)
    person.as_far_as_protocol("P-71", "1961")
    person.protocol()
    assert person.step == "calibration"
    elsewhere = Catalogue(person.catalogue.url, who="west")
    try:
        if what == "rename":
            rename_subject(elsewhere, "P-71", "P-17", reason="digits swapped")
        else:
            elsewhere.erase_subject("P-71", reason="consent withdrawn")
    finally:
        elsewhere.close()
    said = "P-71 is P-17 now" if what == "rename" else "in the catalogue no more"
    person.click(person.page.start)
    assert not person.runner.running
    assert said in person.page.message.text()
    person.click(person.page.back_button)
    assert (person.step, person.window.visit.subject) == ("patient", "")
    assert said in person.page.message.text()


def test_a_training_of_a_patient_renamed_meanwhile_is_entered_under_the_code_of_now(clinic: Clinic) -> None:
    person = clinic(step=10.0)
    person.as_far_as_protocol("P-71", "1961")
    person.protocol()
    person.calibrate()
    person.click(person.page.start)
    person.run(lambda: person.page.trials >= 3)
    rename_subject(person.catalogue, "P-71", "P-17", reason="digits swapped")
    # The window dies and comes back: what runs is kept in hand.
    QApplication.instance().removeEventFilter(person.stops)
    person.window.hide()
    again = clinic(step=10.0)
    assert again.step == "session"
    assert again.runner.running
    again.space()
    assert again.runner.orders[-1]["do"] == "stop"
    again.run(lambda: again.page.status.state == "SAFE_STOP")
    again.acknowledge("patient coughed")
    again.run(lambda: again.page.status.state == "STANDBY")
    again.click(again.page.start)
    again.run(lambda: not again.runner.running)
    assert "P-71 is P-17 now" in again.page.message.text()
    assert len(again.catalogue.sessions("P-17")) == 1


def test_a_number_of_a_process_that_is_another_program_now_is_no_engine(tmp_path: Path) -> None:
    values = {"pid": os.getpid(), "mark": "an earlier boot 1", "control": {}, "folder": str(tmp_path / "s")}
    path = tmp_path / "run-1.json"
    for damaged in ("", "{}", "[1]", json.dumps(values), json.dumps({**values, "pid": None})):
        path.write_text(damaged, encoding="utf-8")
        assert not EngineRunner(tmp_path).attach(str(path))
    control = Ticket(port=1, role="therapist", key=b"0" * 32).environment
    path.write_text(json.dumps({**values, "control": control}), encoding="utf-8")
    runner = EngineRunner(tmp_path)
    assert runner.attach(str(path)), "a power cut: the session is taken up to be ended"
    runner.kill()
    assert runner.attach(str(path)) is False
    path.write_text(json.dumps({**values, "control": control}), encoding="utf-8")
    assert runner.attach(str(path))
    (ended,) = runner.poll()
    assert ended["type"] == "failed"
    assert not runner.running
    assert process_mark(os.getpid()) != process_mark(1) or not process_mark(1)


@pytest.mark.requirement("SAF-136")
@pytest.mark.parametrize("when", ["before it began", pytest.param("while it ran", marks=pytest.mark.slow)])
def test_what_a_killed_engine_left_of_a_person_goes_with_them_and_nobody_else_s(tmp_path: Path, when: str) -> None:
    code = "CANARY77"
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        catalogue.add_subject(code)
    for person in (code, f"{code}8"):
        config = protocols.build(
            Visit(
                subject=person, simulated=True, operator="T-01", device="sim:motor-imagery?live=1",
                protocol="eyes-open-closed",
            ),
            folder=str(tmp_path / f"{person}-20240501-101500-session"), settings={}, phase="session",
        )  # fmt: skip
        runner = EngineRunner(tmp_path / RUNS)
        runner.start(SessionJob(config=config, operator="T-01", subject=person))
        if when == "while it ran":
            end = time.monotonic() + 60
            while not any(tmp_path.joinpath(RUNS).glob("run-*.json")) and runner._alive():
                assert time.monotonic() < end
                time.sleep(0.01)
        end_process(runner._pid, hard=True)
        assert runner._process is not None
        runner._process.wait(10)
    (tmp_path / STATE_FILE).with_suffix(".new").write_text(json.dumps({"subject": code}), encoding="utf-8")
    Visit(subject=f"{code}8").save(tmp_path / "other.json")

    def found(text: str) -> list[Path]:
        named = re.compile(rf"{text}(?!\d)".encode())
        return [path for path in tmp_path.rglob("*") if path.is_file() and named.search(path.read_bytes())]

    log = tmp_path / f"{code}-20260101-101010-session-guard.jsonl"
    log.write_text("{}\n", encoding="utf-8")
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        others = len(found(f"{code}8"))
        assert len(found(code)) >= 2
        assert withdraw(catalogue, tmp_path, code)[0] >= 2
    assert found(code) == []
    assert not log.exists(), "its name says who, and when"
    assert len(found(f"{code}8")) == others


def test_a_patient_who_is_entered_again_gets_the_recordings_where_somebody_says_so(
    clinic: Clinic, tmp_path: Path
) -> None:
    def trained(code: str, born: int) -> Path:
        folder = tmp_path / f"{code}-20260105-090000-session"
        session = {"subject": code, "name": "session"}
        config = {"session": session, "paradigm": {"name": "motor-imagery"}, "source": {"address": "lsl:name=x"}}
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        SessionWriter(folder, info=info, config=config, versions={}).close("complete")
        TrainingRecord(subject=code, birth_year=born, parts=[str(folder)]).save()
        header = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        header["started"] = "2026-01-05T09:00:00+00:00"
        (folder / "session.json").write_text(json.dumps(header), encoding="utf-8")
        return folder.resolve()

    # The catalogue was lost, and is a new one.
    theirs, others = trained("P-017", 1961), trained("P-018", 1940)
    person = clinic()
    page = person.page
    assert not page.claim.isVisible()
    person.add("P-017", "1961")
    assert page.claim.text() == "They are this patient's (1)"
    person.add("P-018", "1985")
    assert not page.claim.isVisible(), "another year of birth is another person"
    person.window.show_step("patient")
    assert "may be of somebody else" in page.message.text()
    assert person.catalogue.sessions() == []
    person.choose("P-017")
    person.click(page.claim)
    assert [(one.path, page.message.text()) for one in person.catalogue.sessions()] == [
        (str(theirs), "● 1 of 1 recordings are entered for P-017.")
    ]
    assert not page.claim.isVisible()
    assert page.history.rowCount() == 1
    assert strangers(person.catalogue, tmp_path) == [tmp_path / others.name]


def test_what_was_rescued_and_names_somebody_else_stays_and_is_named(tmp_path: Path) -> None:
    def recorded(name: str, code: str) -> Path:
        config = {"session": {"subject": code, "name": "session"}}
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        SessionWriter(tmp_path / name, info=info, config=config, versions={}).close("complete")
        return (tmp_path / name).resolve()

    first, second, third = (f"P-017-20260105-09000{number}-session" for number in (1, 2, 3))
    folder, other = recorded(first, "P-017"), recorded(f"{first}-rescued-x1", "P-099")
    # Of the second only what was rescued is there; the third is at another place.
    gone, rescued, away = (
        tmp_path / second,
        recorded(f"{second}-rescued-x2", "P-017"),
        recorded(f"disk/{third}", "P-017"),
    )
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        catalogue.add_subject("P-017")
        for path in (folder, recorded(second, "P-017"), away):
            catalogue.add_session("P-017", path, paradigm="motor-imagery")
        shutil.rmtree(gone)
        shutil.rmtree(tmp_path / "disk")
        _, stays = withdraw(catalogue, tmp_path, "P-017")
    assert not folder.exists()
    assert not rescued.exists()
    assert other.exists()
    assert stays == [str(away.resolve()), str(other)]


def test_annotations_that_were_made_in_the_viewer_go_with_the_patient(tmp_path: Path, dark: Any, qtbot: Any) -> None:
    def annotated(name: str, code: str) -> Path:
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        with SessionWriter(tmp_path / name, info=info, config={"session": {"subject": code}}) as writer:
            writer.chunk(Chunk(np.zeros((25, 2)), 100 + np.arange(25) / 250, 0), 100.1)
        window = ViewerWindow(dark, source=str(tmp_path / name), use_saved=False)
        qtbot.addWidget(window)
        show_folder(window, tmp_path / name)
        window.marking.items.add(Annotation(time=100.05, kind="seizure", text="told nobody"))
        window.close()
        return (tmp_path / name).resolve()

    entered, corrected, stray, moved = (f"P-01{5 + number}-20260105-09000{number}-session" for number in range(4))
    stray, moved = stray.replace("P-017", "P-015"), moved.replace("P-018", "P-015")
    other = annotated("P-0159-20260105-090000-session", "P-0159")
    draft = tmp_path / f".{entered}_annotations.tsv.1f.new"
    draft.write_text("onset\n", encoding="utf-8")
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        catalogue.add_subject("P-016")
        catalogue.add_session("P-016", annotated(corrected, "P-016"))
        rename_subject(catalogue, "P-016", "P-015", reason="a slip")
        for name in (entered, moved):
            catalogue.add_session("P-015", annotated(name, "P-015"))
        annotated(stray, "P-015")
        # Another disk has the folder; what was noted of it is here.
        shutil.rmtree(tmp_path / moved)
        _, stays = withdraw(catalogue, tmp_path, "P-015")
    assert [path.name for path in tmp_path.iterdir() if re.search(r"P-01[56]-", path.name)] == []
    assert stays == [str((tmp_path / moved).resolve())], "it is somewhere else, and must be erased there"
    assert other.with_name(f"{other.name}_annotations.tsv").is_file()


def test_a_withdrawal_takes_nothing_that_may_be_of_who_had_the_code_before(tmp_path: Path) -> None:
    def recorded(number: int, *, born: int | None = None, what: str = "session", day: str = "", made: str = "") -> Path:
        folder = tmp_path / f"P-017-20260105-09000{number}-{what}{made}"
        config = {"session": {"subject": "P-017", "name": what}}
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        SessionWriter(folder, info=info, config=config, versions={}).close("complete")
        if born is not None:
            learned = [str(path) for path in calibrations]
            TrainingRecord(subject="P-017", birth_year=born, parts=[str(folder)], calibrations=learned).save()
        header = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        header["started"] = day or header["started"]
        (folder / "session.json").write_text(json.dumps(header), encoding="utf-8")
        return folder

    before, calibrations = "2026-01-05T09:00:00+00:00", list[Path]()
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        catalogue.add_subject("P-017", birth_year=1985)
        catalogue.add_subject("P-099")
        calibrations.append(recorded(1, what="calibration", day=before))
        entered = recorded(2, born=1985, day=before)
        own = [*calibrations, entered, recorded(3, born=1985), recorded(4, what="calibration")]
        calibrations.clear()
        older = [
            recorded(5, born=1940),
            recorded(6, day=before),
            recorded(7, what="calibration", day=before),
            recorded(8, day=before, made="-rescued-x1"),
        ]
        log = tmp_path / f"{older[0].name}-guard.jsonl"
        log.write_text("{}\n", encoding="utf-8")
        both = recorded(9)
        catalogue.add_session("P-017", both, paradigm="motor-imagery")
        (both / "model.skops").write_bytes(b"model")
        beside_it = tmp_path / f"{both.name}-guard.jsonl"
        beside_it.write_text("{}\n", encoding="utf-8")
        catalogue.add_model("P-099", both / "model.skops", decoder="csp-lda", paradigm="motor-imagery")
        catalogue.add_session("P-017", entered, paradigm="motor-imagery")
        assert set(older[:2]) <= set(strangers(catalogue, tmp_path))
        count, stays = withdraw(catalogue, tmp_path, "P-017")
    assert [path for path in own if path.exists()] == []
    assert count == len(own)
    assert sorted(stays) == sorted(map(str, (*older, log, both, beside_it)))
    assert all(Path(path).exists() for path in stays)


def test_a_code_that_is_free_again_brings_nothing_of_who_had_it_before(clinic: Clinic, tmp_path: Path) -> None:
    def trained(number: int, born: int | None, started: str = "") -> Path:
        folder = tmp_path / f"P-017-20260105-09000{number}-session"
        session = {"subject": "P-017", "name": "session"}
        config = {"session": session, "paradigm": {"name": "motor-imagery"}, "source": {"address": "lsl:name=x"}}
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        SessionWriter(folder, info=info, config=config, versions={}).close("complete")
        if born is not None:
            TrainingRecord(subject="P-017", birth_year=born, parts=[str(folder)]).save()
        header = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        header["started"] = started or header["started"]
        (folder / "session.json").write_text(json.dumps(header), encoding="utf-8")
        return folder

    person = clinic()
    catalogue = person.catalogue
    catalogue.add_subject("P-017", birth_year=1940)
    entered = trained(1, 1940)
    catalogue.add_session("P-017", entered, paradigm="motor-imagery")
    # It lies at another place of the catalogue: erased here, it stays there.
    away = tmp_path.with_name(f"{tmp_path.name}-away")
    entered.rename(away)
    person.window.show_step("patient")
    person.choose("P-017")
    card = person.page.corrections
    person.click(card.withdraw)
    person.type(card.text, "P-017")
    person.click(card.apply)
    said = "so not erased (another place, a disk that is not connected); erase it there: "
    assert person.page.message.text().endswith(f"{said}{entered.resolve()}")
    # Months later somebody else has the code, and a window is opened at that place.
    catalogue.add_subject("P-017", birth_year=1985)
    away.rename(entered)
    cut_off, own = trained(2, None, "2026-01-05T09:00:00+00:00"), trained(3, 1985)
    again = clinic()
    assert [Path(one.path) for one in again.catalogue.sessions("P-017")] == [own.resolve()]
    assert again.page.message.text().endswith(f"Look at them: {entered}, {cut_off}")
    assert strangers(again.catalogue, tmp_path / "a disk that is gone") == []
    # Nor under another code; what was joined brings what is older than the entry that is kept.
    rename_subject(again.catalogue, "P-017", "P-018", reason="digits swapped")
    assert enter_strays(again.catalogue, tmp_path) == []
    again.catalogue.add_subject("P-19", birth_year=1985)
    join_subjects(again.catalogue, "P-018", "P-19", reason="one person")
    assert enter_strays(again.catalogue, tmp_path) == [cut_off]
