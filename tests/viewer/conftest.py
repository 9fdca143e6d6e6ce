"""Fixtures of the viewer's tests: an application, a stream, a session on the sample clock without an engine."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)

from bcikit.clinic.runner import Job
from bcikit.recording import SessionWriter
from bcikit.signal import Chunk, Health, StreamInfo
from bcikit.ui import theme as themes
from bcikit.ui import words

NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")


@pytest.fixture
def dark(qapp: QApplication) -> Iterator[themes.Theme]:
    themes.apply(qapp, themes.DARK)
    words.install(qapp, "en")
    yield themes.DARK
    words.install(qapp, "en")


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(name="test", sfreq=250.0, ch_names=NAMES)


@pytest.fixture
def chunks(info: StreamInfo) -> Callable[..., list[Chunk]]:
    def make(seconds: float, *, size: int = 25, start: int = 0, lost: int = 0) -> list[Chunk]:
        rng = np.random.default_rng(start)
        made = []
        first = start + lost
        for begin in range(first, first + round(seconds * info.sfreq), size):
            at = np.arange(begin, begin + size)
            data = rng.standard_normal((size, info.n_channels)) * 8
            data += 20 * np.sin(2 * np.pi * 10 * at / info.sfreq)[:, None]
            health = Health(lost=lost if begin == first else 0)
            made.append(Chunk(np.ascontiguousarray(data), 100.0 + at / info.sfreq, begin, health))
        return made

    return make


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "viewer.ini"), QSettings.Format.IniFormat)


CONTROLS = (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QAbstractSpinBox,
    QAbstractSlider,
    QAbstractItemView,
    QTabBar,
    QPlainTextEdit,
    QTextEdit,
)


@pytest.fixture
def controls() -> Callable[[QWidget], list[QWidget]]:
    """Return what a person can use of a window: visible, enabled, and no inner part of a larger control."""

    def find(window: QWidget) -> list[QWidget]:
        found = []
        for widget in window.findChildren(QWidget):
            if not isinstance(widget, CONTROLS) or not widget.isVisibleTo(window) or not widget.isEnabled():
                continue
            if isinstance(widget, QHeaderView | QMenu) or widget.window() is not window:
                continue
            # Visible, but in a dock that lies behind another one.
            if not widget.visibleRegion().boundingRect().isValid():
                continue
            parent = widget.parentWidget()
            inner = isinstance(parent, QComboBox | QAbstractSpinBox | QTabBar | QLineEdit)
            scrolled = isinstance(widget, QScrollBar) and not widget.accessibleName()
            if inner or scrolled or widget.objectName() == "qt_menubar_ext_button":
                continue
            found.append(widget)
        return found

    return find


@pytest.fixture
def tab_order() -> Callable[[QWidget], set[QWidget]]:
    """Return every widget that the Tab key reaches in a window."""

    def walk(window: QWidget) -> set[QWidget]:
        reached: list[QWidget] = []
        for _ in range(400):
            focus = QApplication.focusWidget() or window
            QTest.keyClick(focus, Qt.Key.Key_Tab)
            now = QApplication.focusWidget()
            if now is None:
                continue
            if len(reached) > 3 and now is reached[0]:
                break
            reached.append(now)
        return set(reached)

    return walk


class ScriptedRunner:
    """A session on the sample clock, without an engine: each poll goes on by `step` seconds of signal.

    It goes on in the same way after `attach`, as the engine's own process does when the window dies; `pull_cable` makes
    it stall, as the engine sees it.
    """

    SESSIONS: ClassVar[dict[str, "ScriptedRunner._Run"]] = {}

    class _Run:
        def __init__(self, job: Job) -> None:
            self.job, self.second, self.state = job, 0.0, "STANDBY"
            self.trial, self.right, self.cable, self.paused, self.finish = 0, 0, True, False, False
            self.silent = 0.0
            config = job.config.to_dict()
            settings = config["paradigm"]["settings"]
            self.phase = config["session"]["name"]
            runs = settings["calibration_runs"] if self.phase == "calibration" else settings["feedback_runs"]
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

    def start(self, job: Job) -> None:
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

    def send(self, what: str, **details: Any) -> None:
        if not self._key:
            return
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
        over = run.trial >= run.trials or run.finish
        if over:
            said += self._ending(run, "finished" if run.trial >= run.trials else "finished by the operator")
        return as_engine_says(said)

    def _trials(self, run: "ScriptedRunner._Run", now: float) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = [
            {"type": "health", "time": now, "lost": 0, "received": round(now * 250), "age": 0.01}
        ]
        label = ("left_hand", "right_hand")[run.trial % 2]
        said.append({"type": "event", "name": f"cue/{label}", "time": now, "data": {"trial": run.trial}})
        if now < (run.trial + 1) * self.TRIAL_SECONDS:
            return said
        hit = bool(run.rng.random() < 0.85)
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
                {"type": "event", "name": "feedback/result", "time": now, "data": {"correct": hit}},
                {"type": "output", "time": now, "state": {"closure": 1.0 if hit else 0.0}},
            ]
            said += [{"type": "command", "time": now, "name": "close"}] if hit else []
        said.append({"type": "event", "name": "trial/end", "time": now, "data": {"trial": run.trial}})
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
            "gate": {"reasons": {"A-CONF": run.trial - run.right}},
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
