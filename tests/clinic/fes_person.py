"""A therapist who stimulates a patient, at the real window: ``python fes_person.py all|armed DATA SOURCE_ID PORT``.

Everything is done with mouse and keyboard; what is seen is printed, one JSON object a line (`clinic_person.tell`).
"""

import sys
import time
from pathlib import Path
from typing import Any

from clinic_person import Person, on_message, tell
from PySide6.QtCore import Qt, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from bcikit.ui.application import prepare

SHOTS = Path(sys.argv[5]) if len(sys.argv) > 5 else None


def shot(person: Person, name: str) -> None:
    if SHOTS is not None:
        person.window.grab().save(str(SHOTS / f"{name}.png"))


def answer(person: Person, one: Any, *, yes: bool) -> None:
    person.click(one.yes if yes else one.no)


def begin(person: Person) -> None:
    page = person.page
    person.type(page.operator, "T-01")
    rows = [page.people.item(row, 0).text() for row in range(page.people.rowCount())]
    person.row(page.people, rows.index("P-1"))
    person.click(page.next_button)
    person.type(page.sure_year, "1961")
    shot(person, "1-patient")
    person.click(page.yes)
    person.wait(lambda: person.window.visit.step == "consent", "consent")


def consent(person: Person) -> None:
    page = person.page
    for one in page.scopes.values():
        answer(person, one, yes=True)
    for one in page.questions.values():
        answer(person, one, yes=False)
    person.number(page.sleep, "7")
    answer(person, page.signed, yes=True)
    shot(person, "2-consent")
    tell("forbidden", text=page.forbids.text())
    person.on("device")


def device(person: Person, source_id: str) -> None:
    page = person.page
    person.wait(lambda: page.look.isEnabled(), "the search")
    address = f"lsl:source_id={source_id}"
    for _ in range(20):
        found = [page.devices.item(row, 2).text() for row in range(page.devices.rowCount())]
        if address in found:
            break
        person.click(page.look)
        person.wait(lambda: page.look.isEnabled(), "the search")
    tell("devices", found=found)
    person.row(page.devices, found.index(address))
    person.click(page.test)
    person.wait(page.test.isEnabled, "the test of the device")
    shot(person, "3-device")
    tell("tested", text=page.result.text())
    person.on("electrodes")
    page = person.page
    person.wait(lambda: page.verdict.text() == "● Go", "go")
    shot(person, "4-electrodes")
    person.on("protocol")


def refused(person: Person, what: str) -> None:
    person.click(person.page.next_button)
    QTest.qWait(50)
    tell(what, step=person.window.visit.step, text=person.page.message.text())


def current(person: Person, port: str) -> None:
    page = person.page
    person.press(page.protocol, Qt.Key.Key_Home)
    for _ in range(2):
        QTest.keyClick(page.protocol, Qt.Key.Key_Down)
    if page.use_model.isVisible():
        person.click(page.use_model)
    refused(person, "no current")
    card = page.current
    person.type(card.port, port)
    person.click(card.connect_button)
    for wanted in (1.0, 2.0, 3.0):
        while card.amplitude < wanted:
            person.wait(lambda: time.monotonic() >= card._rest_until, "the rest of the muscle")
            press(person, card.hold)
            QTest.qWait(900)
            QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
            QTest.qWait(50)
    person.click(card.comfortable)
    shot(person, "5-protocol")
    tell("current", found=person.window.visit.current, text=card.state.text())


def press(person: Person, widget: QWidget) -> None:
    person.wait(lambda: widget.isVisible() and widget.isEnabled(), widget.accessibleName())
    person.page.area.ensureWidgetVisible(widget)
    QTest.qWait(20)
    QTest.mousePress(widget, Qt.MouseButton.LeftButton)


def relay(person: Person) -> None:
    """Tell what the patient sees: the headset's process is the patient."""
    runner = person.window.desk.runner
    poll = runner.poll

    def told() -> list[dict[str, Any]]:
        messages = poll()
        for message in messages:
            if message.get("type") == "event":
                tell("sees", name=message["name"])
            elif message.get("type") == "state":
                tell("state", state=message["state"])
        return messages

    runner.poll = told


def arm(person: Person) -> None:
    """From Start to a movement; each condition that is missing is tried first."""
    page = person.page
    relay(person)
    person.click(page.start)
    person.wait(lambda: page.status.state != "", "a word of the engine")
    if not person.window.visit.idle:
        person.wait(lambda: "Idle test runs" in page.checks.lines.text(), "the idle test")
        tell("idle runs", start=page.start.isEnabled(), text=page.checks.lines.text())
        shot(person, "7-idle")
        end = time.monotonic() + 900
        while not person.window.visit.idle and time.monotonic() < end:
            QTest.qWait(100)
            if page.status.state == "SAFE_STOP":
                # The machine or the link stood still: the rest begins anew.
                acknowledge(person, "the link was slow")
    acknowledge(person, "the link was slow")
    tell("idle", found=person.window.visit.idle, text=page.checks.lines.text())
    # What is ordered before the stop key is tested is refused by the page, and by the engine, too.
    press(person, page.checks.hold)
    person.wait(page.start.isEnabled, "start")
    person.press(page.start, Qt.Key.Key_Return)
    QTest.qWait(300)
    tell("no stop key", text=page.message.text(), state=page.status.state)
    runner = person.window.desk.runner
    runner.send("arm", who="T-01")
    person.wait(lambda: "stop key" in page.message.text(), "the engine's own refusal")
    tell("engine refuses", text=page.message.text(), state=page.status.state)
    QTest.mouseRelease(page.checks.hold, Qt.MouseButton.LeftButton)
    person.click(page.checks.test)
    # The patient's own window has the keyboard.
    person.click(page.screen_button)
    tell("pressed", when=time.monotonic())
    QTest.keyClick(page.patient, Qt.Key.Key_Space)
    person.comes("SAFE_STOP")
    shot(person, "7-stop-test")
    acknowledge(person, "the stop key was tested")
    tell("stop tested", text=page.checks.lines.text())
    # Without the switch: the order stands, and nothing is armed.
    person.click(page.start)
    QTest.qWait(500)
    tell("no switch", text=page.message.text(), state=page.status.state)
    runner.send("arm", who="T-01")
    person.wait(lambda: "dead-man" in page.message.text(), "the engine's own refusal")
    QTest.qWait(200)
    tell("engine refuses again", text=page.message.text(), state=page.status.state)
    press(person, page.checks.hold)
    hold_on(person, lambda: page.status.state == "ACTIVE", "armed")
    tell("armed", text=page.checks.lines.text())
    shot(person, "7-armed")


def acknowledge(person: Person, reason: str) -> None:
    page = person.page
    while page.status.state != "STANDBY":
        person.wait(lambda: page.acknowledge.isEnabled() or page.status.state == "STANDBY", "acknowledge")
        if page.acknowledge.isEnabled():
            person.click(page.acknowledge)
            QTest.keyClicks(page.reason.text, reason)
            QTest.keyClick(page.reason.text, Qt.Key.Key_Return)
        QTest.qWait(400)


def hold_on(person: Person, until: Any, what: str) -> None:
    """Hold the switch until something happened; where the link or the machine stood still, arm again."""
    page = person.page

    def happened() -> bool:
        if page.status.state == "SAFE_STOP":
            tell("interrupted", text=page.state.text())
            QTest.mouseRelease(page.checks.hold, Qt.MouseButton.LeftButton)
            acknowledge(person, "the link was slow")
            person.click(page.start)
            press(person, page.checks.hold)
            person.wait(lambda: page.status.state != "STANDBY", "an answer to the order")
        return bool(until())

    for _ in range(5):
        try:
            person.wait(happened, what)
        except AssertionError as error:
            tell("still waits", text=str(error))
        else:
            return
    raise AssertionError(what)


def moves(person: Person) -> None:
    """Hold until something moved; let go and see it stop; hold again and wait to be killed."""
    page = person.page
    hold_on(person, lambda: page.status.state == "ACTIVE" and person.window.visit.first_movement, "a movement")
    tell("moved", when=time.monotonic())
    QTest.mouseRelease(page.checks.hold, Qt.MouseButton.LeftButton)
    tell("let go", when=time.monotonic())
    person.comes("SAFE_STOP")
    tell("stopped", state=page.status.state)
    acknowledge(person, "the patient wanted a rest")
    person.click(page.start)
    press(person, page.checks.hold)
    person.comes("ACTIVE")
    tell("holding", handshake=person.window.desk.runner.handshake)
    hold_on(person, lambda: False, "to be killed")


def main() -> None:
    part, data, source_id, port = sys.argv[1:5]
    prepare()
    qInstallMessageHandler(on_message)
    person = Person(Path(data))
    if part == "all":
        begin(person)
        consent(person)
        device(person, source_id)
        current(person, port)
        tell("ready", step=person.window.visit.step)
        if person.window.visit.step == "protocol":
            person.click(person.page.next_button)
    person.wait(lambda: person.window.visit.step == "session", "the session")
    shot(person, "6-session")
    tell("session")
    arm(person)
    moves(person)


if __name__ == "__main__":
    main()
