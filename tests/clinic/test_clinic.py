"""The clinic window by mouse and keyboard: ten minutes of training from the patient to the PDF, with everything that
goes wrong on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import protocols
from bcikit.clinic.verdict import judge
from bcikit.clinic.visit import STEPS, Visit
from bcikit.ui.theme import Theme

HEADSET = "lsl:source_id=headset-1"


@pytest.mark.slow
def test_ten_minutes_from_patient_to_pdf_with_a_pulled_cable_and_a_killed_window(
    clinic: Callable[..., Any], scripted_runner: Any
) -> None:
    person = clinic()
    person.as_far_as_protocol()
    person.protocol()
    person.calibrate()

    page, runner = person.page, person.window.desk.runner
    person.click(page.screen_button)
    person.click(page.start)
    person.run(lambda: page.trials >= 5)
    assert page.status.state == "ACTIVE"
    person.type(page.note, "sits well")
    QTest.keyClick(page.note, Qt.Key.Key_Return)
    person.click(page.pause)
    trials = page.trials
    for _ in range(20):
        person.window.tick()
    assert page.trials == trials
    person.click(page.pause)

    # The cable comes out: everything stops, and the page says what to do.
    runner.pull_cable()
    person.run(lambda: page.status.state == "SAFE_STOP")
    assert "no new samples" in page.state.text()
    assert "Check the device, its battery and its link." in page.state.text()
    runner.mend_cable()
    person.acknowledge("cable was out, patient is well")
    person.run(lambda: page.status.state == "STANDBY")
    person.click(page.start)
    person.run(lambda: page.status.state == "ACTIVE")

    # The window is killed: nothing of it is told to close.
    person.run(lambda: page.trials >= 20)
    QApplication.instance().removeEventFilter(person.stops)
    page.close_patient()
    person.window.hide()
    handshake = runner.handshake

    again = clinic()
    page, runner = again.page, again.window.desk.runner
    assert again.step == "session"
    assert runner.handshake == handshake
    assert page.message.text() == "● The session went on while this window was closed."
    again.run(lambda: page.status.state == "ACTIVE")
    # The space bar stops; after that it goes on.
    page.setFocus()
    again.space()
    again.run(lambda: page.status.state == "SAFE_STOP")
    again.acknowledge("patient needed a rest")
    again.run(lambda: page.status.state == "STANDBY")
    again.click(page.start)
    again.run(lambda: not runner.running)
    assert page.message.text() == "● The session is complete."

    again.on()
    page = again.page
    page.scale.setCurrentText("FMA-UE")
    again.number(page.value, "42")
    again.click(page.add)
    again.click(page.pdf_button)
    again.click(page.html_button)
    pdf, html = page.saved
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_size > 3000
    text = html.read_text(encoding="utf-8")
    for wanted in ("P-017", "T-01", "sits well", "FMA-UE", "of 60 trials right", "the decoder is not sure enough"):
        assert wanted in text
    entries = again.window.desk.catalogue.sessions("P-017")
    assert len(entries) == 1
    # 60 trials of ten seconds each: ten minutes on the sample clock, and what the interruptions took.
    assert entries[0].seconds >= 600
    assert entries[0].results["n_trials"] == 60
    again.on()
    assert again.step == "patient"
    assert again.page.history.rowCount() == 0


def test_each_step_says_what_is_missing(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.on()
    assert "Enter your own code first" in person.page.message.text()
    person.page.operator.setText("\u200b \u2060")  # pasted: no key types it
    person.on()
    assert "Enter your own code first" in person.page.message.text()
    person.type(person.page.operator, "T-01")
    person.on()
    assert "Choose a patient" in person.page.message.text()
    person.add("Max Mustermann")
    assert "is no code" in person.page.message.text()
    person.add("P-1", "")
    assert "year of birth" in person.page.message.text()
    person.add("P-1", "1861")
    assert "1861 is no year of birth" in person.page.message.text()
    person.add("P-1", "1961")
    person.add("p-1", "1971")
    assert "P-1 is entered already" in person.page.message.text()
    person.choose("P-1")
    person.confirm("1971")
    assert person.step == "patient"
    assert "not the year of birth on file for P-1" in person.page.message.text()
    person.confirm("1961")
    person.on()
    assert "Say that it is signed" in person.page.message.text()
    person.answer(person.page.signed, True)
    person.on()
    assert "Not asked yet: Measure the EEG" in person.page.message.text()
    person.agree()
    person.on()
    assert person.page.message.text().endswith("Choose a device first.")
    person.qtbot.waitUntil(lambda: person.page.devices.rowCount() > 0, timeout=60_000)
    person.row(person.page.devices, 0)
    person.on()
    assert person.page.message.text().endswith("Test the device first.")
    person.headset()
    person.page._timer.stop()
    person.page.show_quality({})
    person.on()
    assert person.step == "electrodes"
    person.electrodes()
    person.on()
    assert person.step == "calibration"
    person.on()
    assert "Calibrate first" in person.page.message.text()
    person.click(person.page.back_button)
    assert person.step == "protocol"


def test_a_crash_leads_back_to_where_one_was(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.patient()
    person.agree()
    person.headset()
    person.window.hide()
    again = clinic()
    assert again.step == "electrodes"
    assert again.page.message.text() == "▲ Welcome back: this is where you were, with P-017."
    assert again.window.header.code.text() == "P-017"
    assert again.window.visit.consent["subject"] == "P-017"


def test_a_session_that_was_cut_off_goes_on_with_the_rest(clinic: Callable[..., Any]) -> None:
    person = clinic(step=5.0)
    person.as_far_as_protocol()
    person.protocol()
    person.calibrate()
    page = person.page
    person.click(page.start)
    person.run(lambda: page.trials >= 24)
    person.click(page.finish)
    person.click(page.sure.yes)
    person.run(lambda: not person.window.desk.runner.running)
    assert "cut off" in page.message.text()
    assert page.start.text() == "Go on"
    left = page.remaining()
    assert left["feedback_runs"] * left["trials_per_run"] == 36
    person.click(page.start)
    person.run(lambda: not person.window.desk.runner.running)
    assert page.trials == 60
    person.on()
    assert len(person.window.visit.parts) == 2
    assert "60 trials" in person.page.view.toPlainText()


def test_the_rest_of_a_session_is_never_fewer_than_was_planned_and_what_is_more_is_said(
    clinic: Callable[..., Any],
) -> None:
    person = clinic(step=5.0)
    person.as_far_as_protocol()
    person.protocol()
    person.window.show_step("session")
    page = person.page
    person.click(page.start)
    person.run(lambda: page.trials >= 14)
    person.runner.send("finish")
    person.run(lambda: not person.runner.running)
    assert page.message.text().endswith("The rest is 48 trials, 60 in all were planned: runs are alike.")
    person.train()
    assert page.trials == 62
    assert page.message.text() == "● The session is complete. 62 trials; 60 were planned."


def test_the_plan_of_a_patient_is_filled_in(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.as_far_as_protocol()
    person.number(person.page.fields["trials_per_run"], "12")
    person.pick(person.page.pair, 1)
    person.click(person.page.save_plan)
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.as_far_as_protocol()
    assert person.page.fields["trials_per_run"].value() == 12
    assert person.page.settings()["classes"] == ["right_hand", "feet"]
    # The limits hold, whatever is typed.
    person.number(person.page.fields["trials_per_run"], "90")
    person.on()
    assert person.step == "protocol"
    assert "Trials a run: 90 is refused; allowed: 10 to 40." in person.page.message.text()
    person.number(person.page.fields["trials_per_run"], "40")
    person.on()
    assert person.step == "calibration"


def test_a_current_beyond_the_limits_is_refused_with_the_reason(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.as_far_as_protocol()
    person.pick(person.page.protocol, 2)
    person.number(person.page.fields["assist.amplitude_ma"], "90")
    assert any(text.startswith("Current: 90 is refused; allowed: 1 to") for text in person.page.refused())
    person.on()
    assert person.step == "protocol"
    person.number(person.page.fields["assist.amplitude_ma"], "15")
    assert person.page.refused() == []


def test_stimulation_needs_consent(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.as_far_as_protocol(no=("fes",))
    person.pick(person.page.protocol, 2)
    person.on()
    assert person.page.message.text() == "■ Electrical current is not allowed today: not agreed to."


def test_an_orthosis_needs_consent_and_all_that_is_asked_of_what_touches_a_patient(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.as_far_as_protocol(no=("robot",))
    page = person.page
    person.pick(page.protocol, 1)
    assert page.orthosis.isVisible()
    person.type(page.orthosis, "sim-hand")
    person.on()
    assert page.message.text() == "■ A device that moves the hand is not allowed today: not agreed to."
    assert person.window.visit.orthosis == ""
    person.type(page.orthosis, "")
    person.on()
    assert person.step == "calibration", "with the picture of a hand it may be trained"
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.as_far_as_protocol("Q-2", "1971")
    page = person.page
    person.pick(page.protocol, 1)
    assert page.orthosis.text() == ""
    person.type(page.orthosis, "sim-hand")
    person.on()
    visit = person.window.visit
    folder = str(person.window.desk.data / "x")
    config = protocols.build(visit, folder=folder, settings=visit.settings, phase="session")
    assert config.gate["profile"] == "robot"
    assert config.outputs[0].address.startswith("guard:sim-hand?dead_man=1")
    person.window.show_step("session")
    assert person.page.difficulty.minimum() == round(100 * visit.settings["threshold"]), "never easier than tested"
    assert person.page.checks_card.isVisible()
    assert person.page.checks.missing == [
        "the idle test",
        "the test of the stop key",
        "the dead-man switch: hold the button",
    ]
    assert person.catalogue.subject("Q-2").data["orthosis"] == "sim-hand"
    assert "orthosis" not in person.catalogue.subject("P-017").data


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_every_control_has_a_name_and_is_reached_by_the_keyboard(
    clinic: Callable[..., Any], controls: Any, tab_order: Any, step: str
) -> None:
    person = clinic()
    person.patient()
    person.window.visit.device = HEADSET
    person.window.show_step(step)
    if step == "electrodes":
        person.page.leave()
    QApplication.processEvents()
    found = controls(person.window)
    assert found
    assert [w for w in found if not w.accessibleName()] == []
    reached = tab_order(person.window)
    assert [(type(w).__name__, w.accessibleName()) for w in found if w not in reached] == []


def test_the_state_on_disk_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state = Visit(step="session", subject="P-1", notes=["a"])
    state.save(path)
    assert Visit.load(path) == state
    for text in ("", "{", "[]", '{"step": "nowhere"}', '{"step": "session", "unknown": 1}'):
        path.write_text(text, encoding="utf-8")
        assert Visit.load(path).subject == ""


@pytest.mark.parametrize(
    ("accuracy", "n", "chance", "advice"),
    [(0.95, 40, 0.63, "good"), (0.72, 12, 0.75, "more"), (0.65, 40, 0.63, "more"), (0.52, 80, 0.6, "other"),
     (0.52, 20, 0.68, "more"), (0.0, 0, 0.0, "more")],
)  # fmt: skip
def test_the_verdict_knows_of_chance(dark: Theme, accuracy: float, n: int, chance: float, advice: str) -> None:
    verdict = judge({"accuracy": accuracy, "n_trials": n, "chance_upper": chance}, n_classes=2)
    assert verdict.advice == advice
    assert verdict.low <= verdict.accuracy <= verdict.high
    assert verdict.text()


def test_letters_are_as_large_as_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from bcikit.cli import clinic as command
    from bcikit.cli.app import app

    seen: list[Any] = []

    def run(words: list[str], **options: Any) -> Any:
        seen.append((words, options["env"].get("QT_SCALE_FACTOR")))
        return type("Done", (), {"returncode": 0})

    monkeypatch.delenv("QT_SCALE_FACTOR", raising=False)
    monkeypatch.setattr(command.subprocess, "run", run)
    assert CliRunner().invoke(app, ["clinic", "--scale", "1.5", "--data", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(app, ["clinic", "--data", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(app, ["clinic", "--scale", "9"]).exit_code == 2
    assert [scale for _, scale in seen] == ["1.5", None]
