"""STOP from every window, whether it was received, and what is shown while the engine says nothing."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import protocols
from bcikit.clinic.current import CurrentCard
from bcikit.clinic.headsets import stop_box_of
from bcikit.clinic.runner import EngineRunner, SessionJob
from bcikit.clinic.stop_line import StopLine
from bcikit.clinic.visit import Visit
from bcikit.signal import BciError
from bcikit.testing import SimulatedStopBox

Clinic = Callable[..., Any]


def training(clinic: Clinic, *, step: float) -> Any:
    person = clinic(step=10.0)
    person.as_far_as_protocol()
    person.protocol()
    person.calibrate()
    person.runner.step = step
    person.click(person.page.screen_button)
    person.click(person.page.start)
    person.run(lambda: person.page.status.state == "ACTIVE")
    return person


def test_space_and_escape_stop_from_every_window_and_every_field(clinic: Clinic) -> None:
    person = training(clinic, step=0.1)
    page, patient = person.page, person.window.desk.patient
    presses = [
        (patient, Qt.Key.Key_Space),
        (patient.scene, Qt.Key.Key_Space),
        (patient, Qt.Key.Key_Escape),
        (page, Qt.Key.Key_Space),
        (page.start, Qt.Key.Key_Space),
        (page.note, Qt.Key.Key_Escape),
        (person.window, Qt.Key.Key_Space),
    ]
    for number, (widget, key) in enumerate(presses, start=1):
        QTest.keyClick(widget, key)
        assert [order["do"] for order in person.runner.orders].count("stop") == number, (widget, key)
    # A note has spaces.
    person.type(page.note, "sits well")
    assert [order["do"] for order in person.runner.orders].count("stop") == len(presses)
    assert page.note.text() == "sits well"


def test_the_patients_window_does_not_take_the_keyboard_for_good(clinic: Clinic) -> None:
    person = training(clinic, step=0.1)
    assert person.window.desk.patient.isVisible()
    assert QApplication.activeWindow() in (person.window, None)
    QTest.keyClick(QApplication.focusWidget() or person.window, Qt.Key.Key_Space)
    assert person.runner.orders[-1]["do"] == "stop"


def test_a_stop_that_was_received_and_one_that_was_not_are_told(clinic: Clinic) -> None:
    person = training(clinic, step=0.1)
    page = person.page
    person.click(page.stop)
    page.refresh()
    assert page.stop_line.text().startswith("● STOP was received")
    person.run(lambda: page.status.state == "SAFE_STOP")
    person.acknowledge("patient coughed")
    order = person.runner.orders[-1]
    assert (order["do"], order["reason"], order["who"]) == ("acknowledge", "patient coughed", "T-01")
    person.run(lambda: page.status.state == "STANDBY")
    person.window.tick()
    assert not page.stop_line.isVisible()
    person.click(page.start)
    person.run(lambda: page.status.state == "ACTIVE")
    person.runner.deaf = True
    person.click(page.stop)
    page.refresh()
    assert page.stop_line.text().startswith("■ STOP WAS NOT RECEIVED. Press the hardware switch")


def test_a_stop_in_a_pause_is_told_and_not_said_of_what_moves_again(dark: Any) -> None:
    line = StopLine(dark)

    class Hears:
        def heard(self, _ticket: int) -> str:
            return ""

    runner: Any = Hears()
    line.sent(1)
    line.follow(runner, "STANDBY")
    assert line.text().startswith("● STOP was received"), "the engine has it, its state follows"
    line.follow(runner, "SAFE_STOP")
    assert not line.isHidden()
    # Acknowledged and begun again between two looks.
    line.follow(runner, "CALIBRATING")
    assert line.isHidden()
    line.follow(runner, "ACTIVE")
    assert line.isHidden()


def test_an_acknowledgement_without_words_is_none(clinic: Clinic) -> None:
    person = training(clinic, step=0.1)
    page = person.page
    person.click(page.stop)
    person.run(lambda: page.status.state == "SAFE_STOP")
    person.click(page.acknowledge)
    for text in ("", "   ", "\u200b\u2060"):
        page.reason.text.setText(text)
        person.click(page.reason.do)
    assert [order["do"] for order in person.runner.orders].count("acknowledge") == 0


def test_a_silent_engine_is_veiled_after_a_second(clinic: Clinic) -> None:
    person = training(clinic, step=0.1)
    page, runner = person.page, person.runner
    page.refresh()
    assert not page.veil.isVisible()
    runner.age = 1.2
    page.refresh()
    assert page.veil.isVisible()
    runner.age = 63.0
    page.refresh()
    assert page.veil.text == "Nothing was heard of the engine for 63 s"
    runner.age = 0.1
    page.refresh()
    assert not page.veil.isVisible()


def test_a_headset_that_opens_slowly_is_waited_for_and_nothing_old_is_shown(clinic: Clinic) -> None:
    person = training(clinic, step=20.0)
    person.run(lambda: not person.runner.running)
    page = person.page
    assert page.status.state == "FINISHED"
    page.visit.parts.clear()
    person.click(page.start)
    assert page.status.state == ""
    assert page.status.quality == {}
    person.runner.age, person.runner.waited = None, 40.2
    page.refresh()
    assert page.message.text() == "Waiting for the headset: 40 s. A wireless one may need a minute."
    assert not page.veil.isVisible()


def fes_visit(**more: Any) -> Visit:
    values: dict[str, Any] = {
        "subject": "P-1",
        "operator": "T-01",
        "device": "lsl:source_id=headset",
        "protocol": "motor-imagery-fes",
        "consent": {"subject": "P-1", "scopes": ["acquire", "store", "fes"]},
    }
    return Visit(**{**values, **more})


def test_current_goes_through_a_guard_with_the_profile_that_asks_for_everything(tmp_path: Path) -> None:
    with pytest.raises(BciError, match="comfortable current"):
        protocols.build(fes_visit(), folder=str(tmp_path / "s"), settings={}, phase="session")
    visit = fes_visit(current={"port": "serial-fes:/dev/ttyUSB0", "amplitude_ma": 12.0})
    config = protocols.build(visit, folder=str(tmp_path / "s"), settings={"assist.amplitude_ma": 12.0}, phase="session")
    assert config.gate["profile"] == "fes"
    assert config.outputs[0].address.startswith("guard:serial-fes:/dev/ttyUSB0?dead_man=1&log=")
    assert config.paradigm.settings["assist"]["amplitude_ma"] == 12.0
    from bcikit.safety import GateSettings

    gate = GateSettings.model_validate(config.gate)
    assert gate.dead_man
    assert gate.idle_max_per_min == 1.0
    assert gate.scopes == ("acquire", "fes")


@pytest.mark.parametrize("protocol", list(protocols.protocol_names()))
def test_only_the_simulated_patient_runs_on_a_simulation(tmp_path: Path, protocol: str) -> None:
    simulated = Visit(subject="SIMULATED", simulated=True, operator="T", device="sim:motor-imagery", protocol=protocol)
    assert (
        protocols.build(simulated, folder=str(tmp_path), settings={}, phase="session").gate["profile"] == "simulation"
    )
    current = {"port": "sim-fes", "amplitude_ma": 10.0}
    real = Visit(subject="P-1", operator="T", device="lsl:name=x", protocol=protocol, current=current)
    assert protocols.build(real, folder=str(tmp_path), settings={}, phase="session").gate["profile"] in ("vr", "fes")
    real.device = "sim:motor-imagery"
    with pytest.raises(BciError, match="simulation"):
        protocols.build(real, folder=str(tmp_path), settings={}, phase="session")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo terminal is needed")
@pytest.mark.timeout(90)
def test_the_comfortable_current_is_found_from_nothing_and_ends_when_the_hand_lets_go(clinic: Clinic) -> None:
    pytest.importorskip("serial")
    from bcikit.safety.guard.serial_fes import SimulatedStimulator

    person = clinic()
    person.patient()
    person.agree()
    device = SimulatedStimulator()
    card = CurrentCard(person.window.desk)
    person.qtbot.addWidget(card)
    card.show()
    try:
        card.port.setText(f"serial-fes:{device.port}")
        card.connect_stimulator()
        assert card.hold.isEnabled(), card.state.text()
        assert device.current_ma == 0.0

        def press() -> None:
            # A machine that stands still for a moment lets the switch go; then it is pressed again.
            for _ in range(30):
                card._rest_until = 0.0
                QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
                end = time.monotonic() + 0.9
                while not 0.0 < card.amplitude <= device.current_ma and time.monotonic() < end:
                    QApplication.processEvents()
                    time.sleep(0.002)
                if 0.0 < card.amplitude <= device.current_ma:
                    return
                QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
            raise AssertionError(card.state.text())

        for wanted in (1.0, 2.0):
            press()
            assert 0.0 < device.current_ma <= card.amplitude
            QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
            person.qtbot.waitUntil(lambda: device.current_ma == 0.0, timeout=20_000)
            assert card.amplitude >= wanted
        # The guard that owns the stimulator is killed in the middle: the device goes to zero by itself.
        press()
        os.kill(card._guard.pid, signal.SIGKILL)
        person.qtbot.waitUntil(lambda: device.current_ma == 0.0, timeout=20_000)
        QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
        card.disconnect_stimulator()
        card._keep()
        assert person.window.visit.current["amplitude_ma"] == card.amplitude
        assert person.catalogue.subject("P-017").data["fes"]["by"] == "T-01"
    finally:
        card.disconnect_stimulator()
        device.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform == "win32", reason="a process is frozen otherwise there")
def test_a_frozen_engine_is_seen_as_silent_and_a_stop_reaches_a_living_one(tmp_path: Path) -> None:
    visit = Visit(
        subject="SIMULATED",
        simulated=True,
        operator="T-01",
        device="sim:motor-imagery?live=1",
        protocol="eyes-open-closed",
    )
    config = protocols.build(visit, folder=str(tmp_path / "s"), settings={}, phase="session")
    runner = EngineRunner(tmp_path / "runs")
    runner.start(SessionJob(config=config, operator="T-01", subject="SIMULATED"))
    states: list[str] = []

    def until(what: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, states
            states.extend(str(m["state"]) for m in runner.poll() if m["type"] == "state")
            time.sleep(0.01)

    try:
        until(lambda: bool(states) and runner.age is not None and runner.age < 0.5, 120)
        pid = runner._pid
        os.kill(pid, signal.SIGSTOP)
        until(lambda: (runner.age or 0.0) > 1.0, 20)
        ticket = runner.send("stop", reason="STOP key", who="T-01")
        until(lambda: bool(runner.heard(ticket)), 20)
        os.kill(pid, signal.SIGCONT)
        until(lambda: runner.age is not None and runner.age < 0.5, 60)
        tickets = [runner.send("stop", reason="STOP key", who="T-01")]

        def reached() -> bool:
            # An engine that has just woken up may answer too late on a busy machine: then a person presses again.
            if runner.heard(tickets[-1]):
                tickets.append(runner.send("stop", reason="STOP key", who="T-01"))
            return runner.heard(tickets[-1]) == ""

        until(reached, 60)
        until(lambda: "SAFE_STOP" in states, 60)
    finally:
        with_pid = runner._pid
        if with_pid:
            os.kill(with_pid, signal.SIGCONT)
        runner.kill()


def test_the_stop_box_is_a_field_of_the_device_page_and_part_of_every_session(clinic: Clinic) -> None:
    person = clinic(step=10.0)
    person.patient("P-017", "1961")
    person.agree()
    page = person.page
    page.stop_box.setText("serial:")
    person.headset()
    assert person.step == "device"
    assert "needs its port" in page.message.text()
    page.stop_box.setText("gpio:17")
    person.on()
    assert person.window.visit.stop_box == "gpio:17"
    person.electrodes()
    person.protocol()
    person.click(person.page.start)
    assert person.runner._run.job.config.arming.stop_box == "gpio:17"
    # The next patient finds it there.
    assert stop_box_of(person.window.desk.data) == "gpio:17"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.requirement("SAF-140")
def test_a_pressed_and_a_lost_box_stop_a_session_of_the_clinic(tmp_path: Path) -> None:
    with SimulatedStopBox() as box:
        visit = Visit(
            subject="SIMULATED", simulated=True, operator="T-01", device="sim:motor-imagery?live=1",
            protocol="eyes-open-closed", stop_box=box.address,
        )  # fmt: skip
        config = protocols.build(visit, folder=str(tmp_path / "s"), settings={}, phase="session")
        runner = EngineRunner(tmp_path / "runs")
        runner.start(SessionJob(config=config, operator="T-01", subject="SIMULATED"))
        states: list[str] = []

        def until(*wanted: str) -> None:
            end = time.monotonic() + 120
            while not (states and states[-1] in wanted):
                assert time.monotonic() < end, states
                states.extend(str(m["state"]) for m in runner.poll() if m["type"] == "state")
                time.sleep(0.01)

        try:
            until("ACTIVE", "CALIBRATING", "STANDBY", "DEGRADED")
            box.press()
            until("ESTOP")
        finally:
            runner.kill()
