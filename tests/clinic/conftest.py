"""A person at the clinic's window, with mouse and keyboard; and sessions on the sample clock without an engine."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QWidget
from shiboken6 import isValid

from bcikit.acquisition import Device, open_source
from bcikit.clinic import page_device, page_electrodes
from bcikit.clinic.headsets import DeviceTest
from bcikit.clinic.runner import SessionJob
from bcikit.clinic.window import ClinicWindow
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.recording import Catalogue, SessionWriter
from bcikit.signal import Event, StreamInfo
from bcikit.signal.processes import end_process
from bcikit.ui.status import ElectrodeQuality

NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")
HEADSET = "lsl:source_id=headset-1"
OTHER = "lsl:source_id=headset-2"
SIM = "sim:motor-imagery"


class ScriptedRunner:
    """A session on the sample clock, without an engine: each poll goes on by `step` seconds of signal.

    It goes on in the same way after `attach`, as the engine's own process does when the window dies; `pull_cable` makes
    it stall, as the engine sees it.
    """

    SESSIONS: ClassVar[dict[str, "ScriptedRunner._Run"]] = {}

    class _Run:
        def __init__(self, job: SessionJob) -> None:
            self.job, self.second, self.state = job, 0.0, "STANDBY"
            self.trial, self.right, self.cable, self.paused, self.finish = 0, 0, True, False, False
            self.silent = 0.0
            self.begun: set[int] = set()
            config = job.config.to_dict()
            settings = config["paradigm"]["settings"]
            self.phase = config["session"]["name"]
            runs = (
                settings["calibration_runs"]
                if self.phase == "calibration"
                else settings.get("feedback_runs", settings.get("runs"))
            )
            self.trials = int(runs) * int(settings["trials_per_run"])
            self.folder = Path(config["recording"]["folder"])
            info = StreamInfo(name="sim", sfreq=250.0, ch_names=NAMES)
            self.writer = SessionWriter(self.folder, info=info, config=config, versions={})
            self.rng = np.random.default_rng(4)
            if self.phase == "calibration":
                self.state = "CALIBRATING"

    def __init__(self, *, step: float = 2.0) -> None:
        self.step = step
        self._key = ""
        self.orders: list[dict[str, Any]] = []
        self.age: float | None = 0.0
        self.waited = 0.0
        self.deaf = False

    TRIAL_SECONDS = 10.0

    @property
    def _run(self) -> "ScriptedRunner._Run":
        return self.SESSIONS[self._key]

    @property
    def running(self) -> bool:
        return bool(self._key)

    @property
    def handshake(self) -> str:
        return self._key

    def start(self, job: SessionJob) -> None:
        self._key = f"run-{next(_NUMBERS)}"
        self.SESSIONS[self._key] = self._Run(job)

    def attach(self, handshake: str) -> bool:
        if handshake not in self.SESSIONS:
            return False
        self._key = handshake
        return True

    def detach(self) -> None:
        self._key = ""

    def pull_cable(self) -> None:
        self._run.cable = False

    def mend_cable(self) -> None:
        self._run.cable = True

    def heard(self, ticket: int) -> str | None:
        return "The engine does not answer." if self.deaf else ""

    def send(self, what: str, **details: Any) -> int:
        if not self._key or self.deaf:
            return 1
        run = self._run
        self.orders.append({"do": what, **details})
        if what == "stop":
            run.state = "SAFE_STOP"
        elif what == "acknowledge" and run.cable:
            run.state = "STANDBY"
        elif what == "start" and run.state == "STANDBY":
            run.state = "ACTIVE"
        elif what in ("pause", "resume"):
            run.paused = what == "pause"
        elif what == "finish":
            run.finish = True
        return 1

    def poll(self) -> list[dict[str, Any]]:
        run = self._run
        run.second += self.step
        now = run.second
        said: list[dict[str, Any]] = []
        if not run.cable:
            run.silent += self.step
            run.state = "SAFE_STOP"
            said.append(
                {
                    "type": "verdict",
                    "time": now,
                    "allowed": False,
                    "reasons": ["A-STATE", "H-STALL"],
                    "state": run.state,
                }
            )
            said.append({"type": "health", "time": now, "lost": 0, "received": 1, "age": run.silent})
        elif run.state in ("ACTIVE", "CALIBRATING") and not run.paused:
            said += self._trials(run, now)
        said.insert(0, {"type": "state", "state": run.state, "time": now})
        said.append({"type": "quality", "time": now, "channels": {name: {"level": "GOOD"} for name in NAMES}})
        for message in said:
            if message["type"] == "event":
                run.writer.event(Event(name=message["name"], time=message["time"], data=message.get("data", {})))
            elif message["type"] == "command":
                run.writer.record("commands", message)
        over = run.trial >= run.trials or run.finish
        if over:
            said += self._ending(run, "finished" if run.trial >= run.trials else "finished by the operator")
        return as_engine_says(said)

    def _trials(self, run: "ScriptedRunner._Run", now: float) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = [
            {"type": "health", "time": now, "lost": 0, "received": round(now * 250), "age": 0.01}
        ]
        label = ("left_hand", "right_hand")[run.trial % 2]
        if run.trial not in run.begun:
            run.begun.add(run.trial)
            data = {"trial": run.trial, "class": label, "kind": "feedback"}
            begin = {"type": "event", "name": "trial/start", "time": run.trial * self.TRIAL_SECONDS, "data": data}
            said.append(begin)
        said.append({"type": "event", "name": f"cue/{label}", "time": now, "data": {"trial": run.trial}})
        if now < (run.trial + 1) * self.TRIAL_SECONDS:
            return said
        hit = bool(run.rng.random() < 0.85)
        number = run.trial
        run.trial += 1
        run.right += hit
        if run.phase == "session":
            said += [
                {
                    "type": "decision",
                    "time": now,
                    "classes": ["left_hand", "right_hand"],
                    "probabilities": [0.8, 0.2],
                    "label": label,
                    "latency": 0.004,
                },
                {
                    "type": "verdict",
                    "time": now,
                    "allowed": hit,
                    "reasons": [] if hit else ["A-CONF"],
                    "state": run.state,
                },
                {"type": "event", "name": "feedback/result", "time": now, "data": {"trial": number, "correct": hit}},
                {"type": "output", "time": now, "state": {"closure": 1.0 if hit else 0.0}},
            ]
            moved = {"type": "command", "time": now, "name": "close", "data": {"trial": number, "class": label}}
            said += [moved] if hit else []
        said.append({"type": "event", "name": "trial/end", "time": now, "data": {"trial": number}})
        return said

    def _ending(self, run: "ScriptedRunner._Run", ended: str) -> list[dict[str, Any]]:
        values: dict[str, Any] = {
            "ended": ended,
            "classes": ["left_hand", "right_hand"],
            "n_trials": run.trial,
            "n_correct": run.right,
            "online_accuracy": run.right / max(1, run.trial),
            "lost_samples": 0,
            "duration_s": run.second,
            "gate": {
                "n": run.trial,
                "allowed": run.right,
                "refused": run.trial - run.right,
                "reasons": {"A-CONF": run.trial - run.right},
            },
            "decoder": "csp-lda",
        }
        if run.phase == "calibration":
            values |= {"calibration": {"accuracy": 0.9, "n_trials": run.trial, "chance_upper": 0.62}, "n_trials": 0}
            (run.folder / "model.skops").write_bytes(b"model")
        (run.folder / "result.json").write_text(json.dumps(values), encoding="utf-8")
        run.writer.close("complete")
        del self.SESSIONS[self._key]
        self._key = ""
        return [
            {"type": "state", "state": "FINISHED", "time": run.second},
            {"type": "result", "values": values, "folder": str(run.folder)},
        ]


def as_engine_says(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as `EngineRunner.poll` gives the engine's messages: their JSON, with the row beside."""
    said: list[dict[str, Any]] = []
    decision: dict[str, Any] = {}
    for row in json.loads(json.dumps(rows)):
        kind, own = row["type"], {key: value for key, value in row.items() if key not in ("type", "latency")}
        if kind == "decision":
            decision = {"sample": 0, **own}
        elif kind == "verdict":
            before = decision or {"time": own["time"], "sample": 0, "classes": []}
            said.append({"type": "decision", "decision": before, "verdict": {"sample": 0, **own}, "latency": 0.004})
            decision = {}
        elif kind == "command":
            said.append({**row, "command": {"sequence": round(1000 * own["time"]), "ttl": 1.0, **own}})
        elif kind == "event":
            said.append({**row, "event": own})
        else:
            said.append(row)
    return said


_NUMBERS = itertools.count(os.getpid())


@pytest.fixture
def scripted_runner() -> Iterator[Callable[..., ScriptedRunner]]:
    yield ScriptedRunner
    for run in ScriptedRunner.SESSIONS.values():
        run.writer.close("failed")
    ScriptedRunner.SESSIONS.clear()


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
        return self.window.visit.step

    @property
    def runner(self) -> Any:
        return self.window.desk.runner

    @property
    def catalogue(self) -> Catalogue:
        return self.window.desk.catalogue

    def show(self, widget: QWidget) -> None:
        """Scroll to what does not fit."""
        QApplication.processEvents()
        if self.page.area.isAncestorOf(widget):
            self.page.area.ensureWidgetVisible(widget)
            QApplication.processEvents()

    def click(self, widget: QWidget) -> None:
        self.show(widget)
        assert widget.isVisible(), widget.accessibleName()
        assert widget.isEnabled(), widget.accessibleName()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def type(self, widget: QWidget, text: str) -> None:
        self.click(widget)
        QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClick(widget, Qt.Key.Key_Delete)
        QTest.keyClicks(widget, text)

    def number(self, box: QWidget, text: str) -> None:
        self.type(box, text)
        QTest.keyClick(box, Qt.Key.Key_Tab)

    def pick(self, box: QComboBox, row: int) -> None:
        self.show(box)
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Home)
        for _ in range(row):
            QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() == row

    def row(self, table: QAbstractItemView, row: int) -> None:
        self.show(table)
        table.scrollTo(table.model().index(row, 0))
        where = table.visualRect(table.model().index(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def space(self) -> None:
        QTest.keyClick(QApplication.focusWidget() or self.window, Qt.Key.Key_Space)

    def on(self) -> None:
        self.click(self.page.next_button)

    def leave(self) -> None:
        QApplication.instance().removeEventFilter(self.stops)
        self.window.close()

    # -- the steps of a visit -----------------------------------------------------------------------------------------

    def add(self, code: str = "P-017", year: str = "1961") -> None:
        self.type(self.page.code, code)
        self.type(self.page.year, year)
        self.click(self.page.add)

    def choose(self, code: str) -> None:
        table = self.page.people
        rows = [table.item(row, 0).text() for row in range(table.rowCount())]
        self.row(table, rows.index(code))
        assert self.page.chosen == code

    def confirm(self, year: str = "1961") -> None:
        self.on()
        self.type(self.page.sure_year, year)
        self.click(self.page.yes)

    def patient(self, code: str = "P-017", year: str = "1961") -> None:
        """A new patient, or one who is known, up to the consent."""
        self.type(self.page.operator, "T-01")
        if not any(person.code == code for person in self.catalogue.subjects(code)):
            self.add(code, year)
        self.choose(code)
        self.confirm(year)
        assert self.step == "consent"
        assert self.window.header.code.text() == code

    def simulated(self) -> None:
        """The simulated patient, up to the device."""
        self.type(self.page.operator, "T-01")
        self.click(self.page.simulated)
        assert self.step == "consent"
        self.on()

    def answer(self, one: Any, yes: bool) -> None:
        self.click(one.yes if yes else one.no)

    def agree(self, *, no: tuple[str, ...] = (), sick: tuple[str, ...] = (), sleep: str = "7.5") -> None:
        """Ask every question that is open, sign, and go on."""
        page = self.page
        for name, one in page.scopes.items():
            if one.answer is None or (name in no) is one.answer:
                self.answer(one, name not in no)
        for name, one in page.questions.items():
            if one.answer is None:
                self.answer(one, name in sick)
        self.number(page.sleep, sleep)
        if page.signed.answer is not True:
            self.answer(page.signed, True)
        self.on()

    def headset(self, address: str = HEADSET) -> None:
        page = self.page
        table = page.devices
        self.qtbot.waitUntil(lambda: page.look.isEnabled() and table.rowCount() > 0, timeout=60_000)
        rows = [table.item(row, 2).text() for row in range(table.rowCount())]
        self.row(table, rows.index(address))
        assert page.address.text() == address
        self.click(page.test)
        self.qtbot.waitUntil(lambda: page.test.isEnabled(), timeout=60_000)
        assert page.result.text().startswith("●")
        self.on()

    def simulated_headset(self) -> None:
        page = self.page
        self.click(page.test)
        self.qtbot.waitUntil(lambda: page.test.isEnabled(), timeout=60_000)
        self.on()

    def electrodes(self) -> None:
        page = self.page
        page._timer.stop()
        page.show_quality({name: ElectrodeQuality("GOOD") for name in NAMES})
        assert page.verdict.text() == "● Go"
        self.on()

    def as_far_as_protocol(self, code: str = "P-017", year: str = "1961", **consent: Any) -> None:
        self.patient(code, year)
        self.agree(**consent)
        self.headset()
        self.electrodes()
        assert self.step == "protocol"

    def protocol(self) -> None:
        page = self.page
        self.number(page.fields["calibration_runs"], "2")
        self.number(page.fields["feedback_runs"], "3")
        self.number(page.fields["trials_per_run"], "20")
        self.click(page.save_plan)
        self.on()

    def run(self, until: Callable[[], bool], *, most: int = 2000) -> None:
        for _ in range(most):
            if until():
                return
            self.window.tick()
        raise AssertionError("it did not come to that")

    def calibrate(self) -> None:
        page = self.page
        self.click(page.start)
        self.run(lambda: not self.runner.running)
        self.on()

    def acknowledge(self, reason: str) -> None:
        self.click(self.page.acknowledge)
        self.type(self.page.reason.text, reason)
        QTest.keyClick(self.page.reason.text, Qt.Key.Key_Return)

    def train(self) -> None:
        self.click(self.page.start)
        self.run(lambda: not self.runner.running)


TEST = DeviceTest(name="headset", serial="headset-1", channels=NAMES, nominal=250.0, rate=250.0, lost=0)


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(name="test", sfreq=250.0, ch_names=NAMES)


@pytest.fixture
def found() -> list[Device]:
    """What is reachable; a test may change it."""
    return [
        Device(address=HEADSET, what="LSL stream", detail="12 channels", content="EEG", n_channels=12, sfreq=250.0),
        Device(address=OTHER, what="LSL stream", detail="12 channels", content="EEG", n_channels=12, sfreq=250.0),
        Device(address="lsl:source_id=keys", what="LSL stream", detail="keys", content="EEG", n_channels=1, sfreq=0.0),
        Device(address="lsl:source_id=odd", what="LSL stream", detail="odd", content="EEG", n_channels=8, sfreq=0.0),
        Device(address="lsl:source_id=imu", what="LSL stream", detail="imu", content="ACC", n_channels=3, sfreq=50.0),
        Device(address="brainflow:synthetic", what="simulated board", detail="sines"),
    ]


@pytest.fixture(scope="session")
def empty_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalogue") / "empty.sqlite"
    Catalogue(f"sqlite:///{path}", who="test").close()
    return path


@pytest.fixture
def clinic(
    qtbot: Any,
    dark: Any,
    tmp_path: Path,
    scripted_runner: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    found: list[Device],
    empty_catalogue: Path,
) -> Iterator[Callable[..., Person]]:
    monkeypatch.setattr(page_device, "reachable_devices", lambda wait: list(found))
    monkeypatch.setattr(page_device, "try_device", lambda address: TEST)
    monkeypatch.setattr(page_electrodes, "open_source", lambda address: open_source(SIM))
    open_persons: list[Person] = []
    # As a program before left it: to make its tables takes a tenth of a second, which tests of the catalogue prove.
    shutil.copyfile(empty_catalogue, tmp_path / "catalogue.sqlite")

    def make(**options: Any) -> Person:
        catalogue = Catalogue(f"sqlite:///{tmp_path / 'catalogue.sqlite'}", who="test")
        window = ClinicWindow(dark, catalogue=catalogue, runner=scripted_runner(**options), data=tmp_path)
        person = Person(qtbot, window)
        open_persons.append(person)
        return person

    yield make
    for person in open_persons:
        person.leave()
        # Hundreds of widgets, which each later change of colours or language would ask.
        if isValid(person.window):
            person.window.deleteLater()


class Sitting:
    """A person at the window in a process of its own; what is told is kept as it comes."""

    def __init__(self, script: Path, *words: str, on_told: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.process = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True)
        self.told: dict[str, dict[str, Any]] = {}
        self.noise: list[str] = []
        self._on_told = on_told
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            if told["at"] == "qt":
                self.noise.append(told["text"])
            self.told[told["at"]] = told
            if self._on_told is not None:
                self._on_told(told)

    def until(self, what: str, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while what not in self.told:
            if self.process.poll() is not None:
                self.reader.join(10)
            if what not in self.told and (time.monotonic() > end or self.process.poll() is not None):
                raise AssertionError(f"{what!r} was not reached: {self.told}\n{self.noise}")
            time.sleep(0.02)
        return self.told[what]

    def end(self) -> None:
        if self.process.poll() is None:
            end_process(self.process.pid, hard=True)
        self.process.wait(10)
        self.reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def end_engines(data: Path) -> None:
    """Leave no engine of a clinic's folder behind."""
    for path in (data / "runs").glob("run-*.json"):
        pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
        end_process(pid, hard=True)


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Callable[..., Sitting]]:
    """Return a function that sits a person down at a script; at the end nobody and no engine is left."""
    sitting: list[Sitting] = []

    def make(script: Path, *words: str, on_told: Callable[[dict[str, Any]], None] | None = None) -> Sitting:
        sitting.append(Sitting(script, *words, on_told=on_told))
        return sitting[-1]

    try:
        yield make
    finally:
        for one in sitting:
            one.end()
        end_engines(tmp_path / "clinic")
