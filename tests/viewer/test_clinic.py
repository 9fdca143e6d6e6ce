"""The clinic window by mouse and keyboard: ten minutes of training from the patient to the PDF, with everything that
goes wrong on the way."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QWidget

from bcikit.acquisition import Device
from bcikit.clinic import pages_device
from bcikit.clinic.pages_device import DeviceTest
from bcikit.clinic.state import STEPS, ClinicState
from bcikit.clinic.verdict import judge
from bcikit.clinic.window import ClinicWindow
from bcikit.recording import Catalogue
from bcikit.signal import StreamInfo
from bcikit.ui.keys import SpaceStops
from bcikit.ui.status import Quality
from bcikit.ui.theme import Theme

DEVICE = "sim:motor-imagery"


class Person:
    """Uses a window as a person does: with mouse and keyboard."""

    def __init__(self, qtbot: Any, window: ClinicWindow) -> None:
        self.qtbot, self.window = qtbot, window
        self.stops = SpaceStops(window.stop, window, active=window.space_stops)
        QApplication.instance().installEventFilter(self.stops)
        window._timer.stop()  # the sample clock goes on when the test says so
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)

    @property
    def page(self) -> Any:
        return self.window.page

    @property
    def step(self) -> str:
        return self.window.desk.state.step

    def click(self, widget: QWidget) -> None:
        QApplication.processEvents()
        assert widget.isVisible(), widget.accessibleName()
        assert widget.isEnabled(), widget.accessibleName()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def type(self, widget: QWidget, text: str) -> None:
        self.click(widget)
        QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(widget, text)

    def number(self, box: QWidget, text: str) -> None:
        self.type(box, text)
        QTest.keyClick(box, Qt.Key.Key_Tab)

    def pick(self, box: QComboBox, row: int) -> None:
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Home)
        for _ in range(row):
            QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() == row

    def row(self, table: QAbstractItemView, row: int) -> None:
        where = table.visualRect(table.model().index(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def space(self) -> None:
        QTest.keyClick(QApplication.focusWidget() or self.window, Qt.Key.Key_Space)

    def on(self) -> None:
        self.click(self.page.next_button)

    def leave(self) -> None:
        QApplication.instance().removeEventFilter(self.stops)
        self.window.close()


@pytest.fixture
def clinic(
    qtbot,
    dark: Theme,
    tmp_path: Path,
    scripted_runner: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    info: StreamInfo,
) -> Iterator[Callable[..., Person]]:
    monkeypatch.setattr(
        pages_device,
        "reachable_devices",
        lambda wait: [Device(address=DEVICE, what="LSL stream", detail="12 channels")],
    )
    monkeypatch.setattr(pages_device, "try_device", lambda address: DeviceTest(info, 750, 0, 3.0))
    open_persons: list[Person] = []

    def make(**options: Any) -> Person:
        catalogue = Catalogue(f"sqlite:///{tmp_path / 'catalogue.sqlite'}", who="test")
        window = ClinicWindow(dark, catalogue=catalogue, runner=scripted_runner(**options), data=tmp_path)
        person = Person(qtbot, window)
        open_persons.append(person)
        return person

    yield make
    for person in open_persons:
        person.leave()


def to_patient(person: Person) -> None:
    person.type(person.page.operator, "T-01")
    person.type(person.page.code, "P-017")
    person.click(person.page.add)
    person.on()


def to_consent(person: Person) -> None:
    page = person.page
    person.number(page.age, "58")
    if not page.signed.isChecked():
        # A consent on file is shown as signed. No session runs, so the space bar ticks as everywhere.
        page.signed.setFocus()
        QTest.keyClick(page.signed, Qt.Key.Key_Space)
    assert page.signed.isChecked()
    person.on()


def to_device(person: Person) -> None:
    page = person.page
    person.qtbot.waitUntil(lambda: page.devices.rowCount() == 2, timeout=5000)
    person.row(page.devices, 1)
    assert page.address.text() == DEVICE
    person.click(page.test)
    person.qtbot.waitUntil(lambda: page.result.text().startswith("●"), timeout=5000)
    person.on()


def to_electrodes(person: Person, info: StreamInfo) -> None:
    page = person.page
    page._timer.stop()
    page.show_quality({name: Quality("BAD" if i < 4 else "GOOD", ("Q-FLAT",)) for i, name in enumerate(info.ch_names)})
    assert page.verdict.text() == "■ No go"
    assert "Fp1: channel does not change. Check the lead and the electrode." in page.advice.text()
    person.on()
    assert person.step == "electrodes"
    page.show_quality({name: Quality("BAD" if name == "C3" else "GOOD") for name in info.ch_names})
    assert page.verdict.text() == "■ No go", "one electrode, but the one over the hand"
    page.show_quality({name: Quality("GOOD") for name in info.ch_names})
    assert page.verdict.text() == "● Go"
    person.on()


def as_far_as_protocol(person: Person, info: StreamInfo) -> None:
    to_patient(person)
    to_consent(person)
    to_device(person)
    to_electrodes(person, info)


def to_protocol(person: Person) -> None:
    page = person.page
    person.number(page.fields["calibration_runs"], "2")
    person.number(page.fields["feedback_runs"], "3")
    person.number(page.fields["trials_per_run"], "20")
    assert page.length.text().startswith("60 movements to train")
    person.click(page.save_plan)
    person.on()


def run(person: Person, *, until: Callable[[], bool], most: int = 2000) -> None:
    for _ in range(most):
        if until():
            return
        person.window.tick()
    raise AssertionError("it did not come to that")


def to_calibration(person: Person) -> None:
    page = person.page
    person.click(page.start)
    run(person, until=lambda: not person.window.desk.runner.running)
    assert page.progress.value() == 40
    assert page.verdict.text().startswith("● Good enough.")
    person.on()


@pytest.mark.slow
def test_ten_minutes_from_patient_to_pdf_with_a_pulled_cable_and_a_killed_window(
    clinic: Callable[..., Person], info: StreamInfo, scripted_runner: Any
) -> None:
    person = clinic()
    as_far_as_protocol(person, info)
    to_protocol(person)
    to_calibration(person)

    page, runner = person.page, person.window.desk.runner
    person.click(page.screen_button)
    person.click(page.start)
    run(person, until=lambda: page.trials >= 5)
    assert page.status.state == "ACTIVE"
    assert page.patient.stage.phase in ("cue", "task")
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
    run(person, until=lambda: page.status.state == "SAFE_STOP")
    assert "no new samples" in page.state.text()
    assert "Check the device, its battery and its link." in page.state.text()
    assert page.patient.stage.phase == "stop"
    runner.mend_cable()
    person.click(page.acknowledge)
    run(person, until=lambda: page.status.state == "STANDBY")
    person.click(page.start)
    run(person, until=lambda: page.status.state == "ACTIVE")

    # The window is killed: nothing of it is told to close.
    run(person, until=lambda: page.trials >= 20)
    QApplication.instance().removeEventFilter(person.stops)
    page.close_patient()
    person.window.hide()
    handshake = runner.handshake

    again = clinic()
    page, runner = again.page, again.window.desk.runner
    assert again.step == "session"
    assert runner.handshake == handshake
    assert page.message.text() == "● The session went on while this window was closed."
    run(again, until=lambda: page.status.state == "ACTIVE")
    # The space bar stops; after that it goes on.
    page.setFocus()
    again.space()
    run(again, until=lambda: page.status.state == "SAFE_STOP")
    again.click(page.acknowledge)
    run(again, until=lambda: page.status.state == "STANDBY")
    again.click(page.start)
    run(again, until=lambda: not runner.running)
    assert page.message.text() == "● The session is complete."

    again.on()
    page = again.page
    again.type(page.scale, "FMA-UE")
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


def test_each_step_says_what_is_missing(clinic: Callable[..., Person], info: StreamInfo) -> None:
    person = clinic()
    person.on()
    assert "Enter your own code first" in person.page.message.text()
    person.type(person.page.operator, "T-01")
    person.on()
    assert "Choose a patient" in person.page.message.text()
    person.type(person.page.code, "Max Mustermann")
    person.click(person.page.add)
    assert "a code, no name" in person.page.message.text()
    person.type(person.page.code, "P-1")
    person.click(person.page.add)
    person.on()
    person.on()
    assert "Tick that it is signed" in person.page.message.text()
    to_consent(person)
    person.on()
    assert person.page.message.text().endswith("Test the device first.")
    to_device(person)
    person.page._timer.stop()
    person.page.show_quality({name: Quality("GOOD") for name in info.ch_names})
    person.on()
    person.on()
    assert person.step == "calibration"
    person.on()
    assert "Calibrate first" in person.page.message.text()
    person.click(person.page.back_button)
    assert person.step == "protocol"


def test_a_crash_leads_back_to_where_one_was(clinic: Callable[..., Person], info: StreamInfo) -> None:
    person = clinic()
    to_patient(person)
    to_consent(person)
    to_device(person)
    person.window.hide()
    again = clinic()
    assert again.step == "electrodes"
    assert again.page.message.text() == "● Welcome back: this is where you were."
    assert again.window.desk.state.consent["subject"] == "P-017"


def test_a_session_that_was_cut_off_goes_on_with_the_rest(clinic: Callable[..., Person], info: StreamInfo) -> None:
    person = clinic(step=5.0)
    as_far_as_protocol(person, info)
    to_protocol(person)
    to_calibration(person)
    page = person.page
    person.click(page.start)
    run(person, until=lambda: page.trials >= 24)
    person.click(page.finish)
    run(person, until=lambda: not person.window.desk.runner.running)
    assert "cut off" in page.message.text()
    assert page.start.text() == "Go on"
    left = page.remaining()
    assert left["feedback_runs"] * left["trials_per_run"] == 36
    person.click(page.start)
    run(person, until=lambda: not person.window.desk.runner.running)
    assert page.trials == 60
    person.on()
    assert len(person.window.desk.state.parts) == 2
    assert person.page.data().accuracy()[1] == 60


def test_the_plan_of_a_patient_is_filled_in(clinic: Callable[..., Person], info: StreamInfo) -> None:
    person = clinic()
    as_far_as_protocol(person, info)
    person.number(person.page.fields["trials_per_run"], "12")
    person.pick(person.page.pair, 1)
    person.click(person.page.save_plan)
    person.click(person.window.anew)
    person.row(person.page.people, 0)
    person.on()
    to_consent(person)
    to_device(person)
    to_electrodes(person, info)
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


def test_a_current_beyond_the_limits_is_refused_with_the_reason(
    clinic: Callable[..., Person], info: StreamInfo
) -> None:
    person = clinic()
    as_far_as_protocol(person, info)
    person.pick(person.page.protocol, 2)
    person.number(person.page.fields["assist.amplitude_ma"], "90")
    assert any(text.startswith("Current: 90 is refused; allowed: 1 to") for text in person.page.refused())
    person.on()
    assert person.step == "protocol"
    person.number(person.page.fields["assist.amplitude_ma"], "15")
    assert person.page.refused() == []


def test_stimulation_needs_consent(clinic: Callable[..., Person], info: StreamInfo) -> None:
    person = clinic()
    as_far_as_protocol(person, info)
    person.pick(person.page.protocol, 2)
    person.on()
    assert person.page.message.text() == "■ The patient has not agreed to electrical stimulation."


@pytest.mark.parametrize("step", STEPS)
def test_every_control_has_a_name_and_is_reached_by_the_keyboard(
    clinic: Callable[..., Person], controls: Any, tab_order: Any, step: str
) -> None:
    person = clinic()
    to_patient(person)
    person.window.desk.state.device = DEVICE
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
    state = ClinicState(step="session", subject="P-1", notes=["a"])
    state.save(path)
    assert ClinicState.load(path) == state
    for text in ("", "{", "[]", '{"step": "nowhere"}', '{"step": "session", "unknown": 1}'):
        path.write_text(text, encoding="utf-8")
        assert ClinicState.load(path).subject == ""


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


def test_the_patient_sees_cues_rest_and_stop_and_has_no_key(qtbot, dark: Theme) -> None:
    from bcikit.clinic.patient_window import PatientWindow

    window = PatientWindow()
    qtbot.addWidget(window)
    window.place()
    window.take({"type": "event", "name": "block/start", "data": {"kind": "feedback"}})
    window.take({"type": "event", "name": "phase/fixation"})
    assert window.stage.phase == "fixation"
    window.take({"type": "event", "name": "cue/left_hand"})
    assert window.stage.words == "Imagine moving your left hand"
    window.take({"type": "event", "name": "phase/imagery"})
    assert window.stage.phase == "cue"
    window.take({"type": "event", "name": "feedback/start"})
    assert window.stage.phase == "task"
    window.take({"type": "output", "state": {"closure": 1.0}})
    qtbot.waitUntil(lambda: window.hand.closure > 0.9, timeout=5000)
    window.take({"type": "state", "state": "SAFE_STOP"})
    assert window.stage.phase == "stop"
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible()
    qtbot.waitUntil(lambda: window.hand.closure < 0.1, timeout=5000)


def test_what_flickers_follows_the_frames(qtbot, dark: Theme) -> None:
    from bcikit.clinic.patient_window import Stage

    stage = Stage()
    qtbot.addWidget(stage)
    stage.resize(400, 300)
    stage.refresh_hz, stage.flicker, stage.phase = 60.0, (15.0,), "task"
    light = []
    for frame in range(8):
        stage.frames = frame
        light.append(stage.grab().toImage().pixelColor(150, 130).red())
    # 15 Hz at 60 frames a second: four frames a cycle.
    assert light[:4] == pytest.approx(light[4:], abs=1)
    assert max(light) > 250
    assert min(light) < 5
