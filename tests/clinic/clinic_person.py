"""A person at the real clinic window, in a process of its own: ``python clinic_person.py first|second DATA ADDRESS``.

Everything is done with mouse and keyboard on the window that ``bcikit clinic`` opens; what the person sees is printed,
one JSON object a line. The first part ends in the middle of a session, where the process is killed.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from bcikit.clinic.start import Clinic
from bcikit.ui.application import prepare

PATIENCE = 400.0
"""Seconds until something that should happen counts as missing."""
IGNORED = ("This plugin does not support propagateSizeHints()",)
"""What the offscreen plugin says of every window."""


def tell(what: str, **details: Any) -> None:
    print(json.dumps({"at": what, **details}), flush=True)


def on_message(kind: QtMsgType, _context: object, text: str) -> None:
    if kind != QtMsgType.QtDebugMsg and text not in IGNORED:
        tell("qt", text=text)


class Person:
    """Mouse and keyboard."""

    def __init__(self, data: Path) -> None:
        settings = QSettings(str(data / "look.ini"), QSettings.Format.IniFormat)
        self.clinic = Clinic(QApplication.instance(), data, theme="light", language="en", settings=settings)
        self.window.resize(1280, 800)
        self.window.show()
        QTest.qWaitForWindowExposed(self.window)

    @property
    def window(self) -> Any:
        return self.clinic.window

    @property
    def page(self) -> Any:
        return self.window.page

    def wait(self, until: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            if time.monotonic() > end:
                seen = self.page.message.text()
                raise AssertionError(f"{what} did not come; on {self.page.accessibleName()!r} it says {seen!r}")
            QTest.qWait(20)

    def click(self, widget: QWidget) -> None:
        self.wait(lambda: widget.isVisible() and widget.isEnabled(), widget.accessibleName())
        if self.page.area.isAncestorOf(widget):
            self.page.area.ensureWidgetVisible(widget)
            QTest.qWait(20)
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def type(self, widget: QWidget, text: str) -> None:
        self.click(widget)
        QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClick(widget, Qt.Key.Key_Delete)
        QTest.keyClicks(widget, text)

    def number(self, box: QWidget, text: str) -> None:
        self.type(box, text)
        QTest.keyClick(box, Qt.Key.Key_Tab)

    def press(self, widget: QWidget, key: Qt.Key) -> None:
        widget.setFocus()
        QTest.keyClick(widget, key)

    def row(self, table: QAbstractItemView, row: int) -> None:
        where = table.visualRect(table.model().index(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def on(self, step: str) -> None:
        self.click(self.page.next_button)
        self.wait(lambda: self.window.visit.step == step, step)

    def comes(self, state: str) -> None:
        self.wait(lambda: self.page.status.state == state, state)


def prepare_session(person: Person, address: str) -> None:
    """From the patient to the calibration's verdict."""
    page = person.page
    person.type(page.operator, "T-01")
    person.click(page.simulated)
    tell("header", text=person.window.header.code.text())
    person.on("device")
    page = person.page
    tell("devices", found=[page.devices.item(row, 2).text() for row in range(page.devices.rowCount())])
    person.type(page.address, address)
    person.click(page.test)
    person.wait(lambda: page.test.isEnabled(), "the test of the device")
    tell("tested", text=page.result.text())
    person.on("electrodes")
    page = person.page
    person.wait(lambda: page.verdict.text() == "● Go", "go")
    tell("electrodes", levels=sorted({quality.level for quality in page.quality.values()}), n=len(page.quality))
    person.on("protocol")
    page = person.page
    for key, text in (("calibration_runs", "2"), ("feedback_runs", "3"), ("trials_per_run", "20")):
        person.number(page.fields[key], text)
    person.number(page.fields["between_runs"], "5")
    tell("protocol", text=page.length.text())
    person.on("calibration")
    page = person.page
    person.click(page.screen_button)
    person.click(page.start)
    person.comes("CALIBRATING")
    person.wait(lambda: not person.window.desk.runner.running, "the end of the calibration")
    tell("calibrated", text=page.verdict.text(), trials=page.trials)


def first(person: Person, address: str) -> None:
    """Until the middle of the session, and wait there to be killed."""
    prepare_session(person, address)
    person.on("session")
    page = person.page
    person.click(page.start)
    person.comes("ACTIVE")
    person.wait(lambda: page.trials >= 3, "trials")
    person.type(page.note, "sits well")
    QTest.keyClick(page.note, Qt.Key.Key_Return)
    person.click(page.pause)
    person.comes("STANDBY")
    before = page.trials
    QTest.qWait(1000)
    tell("paused", before=before, after=page.trials)
    person.click(page.pause)
    person.comes("ACTIVE")
    person.wait(lambda: page.trials >= 21, "the second run")
    tell("kill me", trials=page.trials, handshake=person.window.desk.runner.handshake)
    while True:
        QTest.qWait(100)


def second(person: Person, _address: str) -> None:
    """From where the first part was killed to the report on paper."""
    page = person.page
    tell("back", step=person.window.visit.step, text=page.message.text(), patient=page.patient is not None)
    person.wait(lambda: page.status.state != "", "a word of the engine")
    tell("caught up", trials=page.trials, answered=page.counts.total.answered, state=page.status.state)
    if page.status.state == "STANDBY":
        # A run ended meanwhile, and nobody was there to arm the next one.
        person.click(page.start)
    person.comes("ACTIVE")
    # The cable comes out; the page says why everything stopped, and what to do.
    person.comes("SAFE_STOP")
    person.wait(lambda: "no new samples" in page.state.text(), "the reason")
    tell("cable", text=page.state.text(), patient=page.patient is not None)
    go_on(person)
    # The space bar stops; after that it goes on.
    page.setFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    person.comes("SAFE_STOP")
    tell("space", text=page.state.text())
    go_on(person)
    person.wait(lambda: not person.window.desk.runner.running, "the end of the session")
    tell("over", text=page.message.text(), trials=page.trials, accuracy=page.accuracy.text())
    person.on("report")
    page = person.page
    person.click(page.pdf_button)
    person.click(page.html_button)
    tell("saved", files=[str(path) for path in page.saved], subject="SIMULATED")
    person.on("patient")
    person.window.close()
    tell("done")


def go_on(person: Person) -> None:
    """Acknowledge until the cause is gone for long enough, then go on."""
    page = person.page

    def acknowledged() -> bool:
        if page.acknowledge.isEnabled() and not page.reason.isVisible():
            QTest.mouseClick(page.acknowledge, Qt.MouseButton.LeftButton)
            QTest.keyClicks(page.reason.text, "cause mended, patient is well")
            QTest.keyClick(page.reason.text, Qt.Key.Key_Return)
            QTest.qWait(200)
        return bool(page.status.state == "STANDBY")

    person.wait(acknowledged, "standby")
    person.click(page.start)
    person.comes("ACTIVE")


if __name__ == "__main__":
    prepare()
    qInstallMessageHandler(on_message)
    part = {"first": first, "second": second}[sys.argv[1]]
    part(Person(Path(sys.argv[2])), sys.argv[3])
