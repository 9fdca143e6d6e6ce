"""What both windows and the patient's show of a real engine that is late, frozen and killed, against its own log."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import runner as runner_module
from bcikit.clinic.people import simulated_patient
from bcikit.clinic.runner import EngineRunner
from bcikit.clinic.visit import Visit
from bcikit.clinic.window import ClinicWindow
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.recording import Catalogue
from bcikit.session.ticket import Ticket
from bcikit.ui.session_link import SessionLink
from bcikit.viewer.window import ViewerWindow
from tests.stalls import Stalls

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a process is frozen otherwise there"),
]
STOPS_WITHIN = 0.5
"""Seconds; on a quiet machine it is below 0.1, and a busy one must not fail for it."""


class Room:
    """The clinic's window with a real engine, and a viewer that joins late."""

    def __init__(self, window: ClinicWindow, runner: EngineRunner, dark: Any) -> None:
        self.window, self.runner, self._dark = window, runner, dark
        self.viewer: ViewerWindow | None = None

    @property
    def page(self) -> Any:
        return self.window.pages["session"]

    def until(self, what: Callable[[], bool], seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            state = (self.page.status.state, self.page.message.text(), self.runner.age)
            assert time.monotonic() < end, (state, self.viewer and self.viewer.why_silent())
            QTest.qWait(10)

    def join(self) -> ViewerWindow:
        """Open the viewer beside it."""
        values = json.loads(Path(self.runner.handshake).read_text(encoding="utf-8"))
        ticket = Ticket.from_environment(values["control"])
        assert ticket is not None
        link = SessionLink(ticket).start()
        self.viewer = ViewerWindow(self._dark, link=link, use_saved=False)
        self.viewer.show()
        return self.viewer

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The states that the engine wrote down."""
        path = Path(self.page.visit.parts[-1]) / "states.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


@pytest.fixture
def headset() -> Iterator[str]:
    """A headset in a process of its own, which goes on while the engine is frozen."""
    name = f"headset-{secrets.token_hex(4)}"
    script = str(Path(__file__).with_name("headset.py"))
    command = [sys.executable, script, name, "3"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield name
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def room(
    qtbot: Any,
    dark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    headset: str,
) -> Iterator[Room]:
    late = float(request.param)
    popen = subprocess.Popen

    def slow(command: list[str], **options: Any) -> Any:
        if "bcikit.clinic.engine_process" in command:
            script = str(Path(__file__).with_name("slow_engine.py"))
            command = [command[0], script, f"{late:g}", command[-1]]
        return popen(command, **options)

    monkeypatch.setattr(runner_module.subprocess, "Popen", slow)
    catalogue = Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test")
    runner = EngineRunner(tmp_path / "runs")
    window = ClinicWindow(dark, catalogue=catalogue, runner=runner, data=tmp_path)
    stops = SpaceStops(window.stop, window, active=window.space_stops)
    QApplication.instance().installEventFilter(stops)
    qtbot.addWidget(window)
    window.show()
    simulated_patient(catalogue)
    visit = Visit(
        subject="SIMULATED",
        simulated=True,
        operator="T-01",
        step="session",
        device=f"lsl:source_id={headset}",
        protocol="neurofeedback-smr",
        settings={"baseline": 30.0},
    )
    window._open(visit)
    one = Room(window, runner, dark)
    try:
        yield one
    finally:
        if runner._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(runner._pid, signal.SIGCONT)
        runner.kill()
        if one.viewer is not None:
            one.viewer.close()
            assert one.viewer.link is not None
            one.viewer.link.halt()
        QApplication.instance().removeEventFilter(stops)
        window.close()


def go_through(room: Room, *, late: float, frozen: float) -> None:
    """From a headset that is late to an engine that is killed."""
    page = room.page
    QTest.mouseClick(page.screen_button, Qt.MouseButton.LeftButton)
    began = time.monotonic()
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    # Waiting is said as waiting, with its seconds; nothing stands where nothing was heard.
    room.until(lambda: page.message.text().startswith("Waiting for the headset"), 60)
    assert page.status.state == ""
    room.until(lambda: page.status.state == "ACTIVE", late + 120)
    assert time.monotonic() - began >= late
    assert room.logged[-1]["state"] == "ACTIVE"
    # The viewer joins late and shows the same; so does the patient's window, which was there all the time.
    viewer = room.join()
    room.until(lambda: viewer.view.status.state == "ACTIVE" and not viewer.why_silent())
    assert page.patient is not None
    room.until(lambda: bool(page.patient.scene.words()), 60)
    # Frozen: within a second both windows say so; nothing that was known stands as new.
    os.kill(room.runner._pid, signal.SIGSTOP)
    at, waited = time.monotonic(), Stalls()
    room.until(lambda: page.veil.isVisible() and bool(viewer.why_silent()), 20)
    assert time.monotonic() - at < 4.0 + waited.seconds
    room.until(lambda: time.monotonic() - at >= frozen, frozen + 30)
    assert page.veil.isVisible()
    room.until(lambda: any(page.veil.text.endswith(f" {round(time.monotonic() - at) - k} s") for k in (0, 1)), 20)
    QTest.keyClick(page.patient, Qt.Key.Key_Space)
    room.until(lambda: page.stop_line.text().startswith("■ STOP WAS NOT RECEIVED"), 20)
    # It wakes: what is shown is what it wrote down, the order of a minute ago included.
    trials = page.trials
    os.kill(room.runner._pid, signal.SIGCONT)
    room.until(lambda: not page.veil.isVisible() and not viewer.why_silent(), 60)
    room.until(lambda: page.status.state == viewer.view.status.state == room.logged[-1]["state"] == "SAFE_STOP", 60)
    assert page.trials <= trials + 1, "the backlog is no training"
    # Acknowledged and stopped again, from the window of the patient: how long it takes until the gate has it.
    while page.status.state != "STANDBY":
        room.until(lambda: page.acknowledge.isEnabled() or page.status.state == "STANDBY", 60)
        if page.acknowledge.isEnabled():
            QTest.mouseClick(page.acknowledge, Qt.MouseButton.LeftButton)
            QTest.keyClicks(page.reason.text, "the machine slept")
            QTest.keyClick(page.reason.text, Qt.Key.Key_Return)
        QTest.qWait(500)
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    room.until(lambda: page.status.state == "ACTIVE" and viewer.view.status.state == "ACTIVE", 60)
    stops = len([one for one in room.logged if one["state"] == "SAFE_STOP"])
    pressed, waited = time.monotonic(), Stalls()
    QTest.keyClick(page.patient, Qt.Key.Key_Space)
    room.until(lambda: len([one for one in room.logged if one["state"] == "SAFE_STOP"]) > stops, 20)
    took = next(one for one in reversed(room.logged) if one["state"] == "SAFE_STOP")["time"] - pressed
    print(f"the gate was closed {1000 * took:.0f} ms after the space bar in the patient's window")
    assert took < STOPS_WITHIN + waited.seconds
    room.until(lambda: page.status.state == viewer.view.status.state == "SAFE_STOP", 20)
    # The state may be heard of before the answer to the order is.
    room.until(lambda: page.stop_line.text().startswith("● STOP was received"), 20)
    # Killed: the page says so, the viewer that nothing is heard; no state of before stands there.
    os.kill(room.runner._pid, signal.SIGKILL)
    room.until(lambda: not room.runner.running, 60)
    assert "The engine ended without a result" in page.message.text()
    room.until(lambda: bool(viewer.why_silent()), 10)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("room", [4.0], indirect=True)
def test_both_windows_show_what_a_late_and_frozen_engine_wrote_down(room: Room) -> None:
    go_through(room, late=4.0, frozen=5.0)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("room", [40.0], indirect=True)
def test_forty_seconds_late_and_frozen_for_a_minute(room: Room) -> None:
    go_through(room, late=40.0, frozen=60.0)
