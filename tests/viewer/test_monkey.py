"""Random actions on the viewer: no warning, no error, no growth. BCIKIT_MONKEY sets how many."""

import gc
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QSettings, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QDialog, QMenu, QWidget

from bcikit.presentation.qt.keys import SpaceStops
from bcikit.signal import Chunk, Decision, Event, StreamInfo, Verdict
from bcikit.signal.messages import Alarmed, Decided, Happened, Message, Snapshot, StateChanged
from bcikit.ui.theme import Theme
from bcikit.viewer.annotations import Annotation
from bcikit.viewer.folder import show_file
from bcikit.viewer.window import ViewerWindow

ACTIONS = int(os.environ.get("BCIKIT_MONKEY", "300"))
KEYS = [Qt.Key(code) for code in (*range(0x30, 0x3A), *range(0x41, 0x5B))] + [
    Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Tab, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight,
    Qt.Key.Key_Delete, Qt.Key.Key_F5, Qt.Key.Key_F6, Qt.Key.Key_F7, Qt.Key.Key_F12,
]  # fmt: skip
LEFT_ALONE = (
    "Close",
    "Open",
    "Add a stream",
    "Save a view",
    "Save the",
    "dark",
    "light",
    "English",
    "中文",
    "Change between",
    "Detach",
    "A file",
    "A recorded",
    "Choose",
    "Keys",
)
"""Actions that leave the window, or wait for a person in a dialog of the system."""


def offered(actions: list[QAction]) -> list[QAction]:
    """Return every action that a menu, or a menu in it, offers."""
    found = []
    for action in actions:
        inner = action.menu()
        found += offered(inner.actions()) if isinstance(inner, QMenu) else [action]
    return found


class Monkey:
    """Does anything with a window, and sees that it stays alive."""

    def __init__(self, window: ViewerWindow, seed: int) -> None:
        self.window, self.dice = window, random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.sample = {kind: panel.canvas.history.end for kind, panel in window.traces.items()}
        self.time = 100.0

    def act(self) -> None:
        """Do one thing."""
        self.close_dialogs()
        self.dice.choice((self.key, self.click, self.press, self.choose, self.action, self.feed, self.say, self.mark,
                          self.resize, self.tick, self.feed, self.tick))()  # fmt: skip

    def close_dialogs(self) -> None:
        """Leave every dialog by one of its two doors."""
        for dialog in self.window.findChildren(QDialog):
            if dialog.isVisible():
                self.dice.choice((dialog.accept, dialog.reject))()
        popup = QApplication.activePopupWidget()
        if popup is not None:
            popup.close()

    def some(self, kind: type) -> QWidget | None:
        """Return one of the widgets of a kind that is in sight."""
        found = [w for w in self.window.findChildren(kind) if w.isVisible() and w.isEnabled()]
        return self.dice.choice(found) if found else None

    def key(self) -> None:
        """Press a key somewhere."""
        widget = QApplication.focusWidget() or self.window
        if widget.window() is self.window:
            QTest.keyClick(widget, self.dice.choice(KEYS))

    def click(self) -> None:
        """Click or drag on the traces, their names or the overview."""
        panel = self.window.current_traces()
        if panel is None:
            return
        widget = self.dice.choice([w for w in (panel.canvas, panel.gutter, panel.overview) if w is not None])
        a, b = (QPoint(self.dice.randrange(max(1, widget.width())), self.dice.randrange(max(1, widget.height())))
                for _ in range(2))  # fmt: skip
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=a)
        QTest.mouseMove(widget, b)
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=b)

    def press(self) -> None:
        """Press a button."""
        button = self.some(QAbstractButton)
        if isinstance(button, QAbstractButton) and not button.accessibleName().startswith(LEFT_ALONE):
            button.click()

    def choose(self) -> None:
        """Choose a line of a box."""
        box = self.some(QComboBox)
        if isinstance(box, QComboBox) and box.count():
            last = box.count() - ("from a file" in box.itemText(box.count() - 1))
            box.setCurrentIndex(self.dice.randrange(max(1, last)))

    def action(self) -> None:
        """Do what a menu offers."""
        actions = [a for a in offered(self.window.menuBar().actions()) if a.isEnabled() and a.text()]
        chosen = self.dice.choice(actions)
        if not chosen.text().replace("&", "").startswith(LEFT_ALONE):
            chosen.trigger()

    def feed(self) -> None:
        """Let samples come: whole, lost, NaN, flat, with an offset, or in a gap."""
        for kind, panel in self.window.traces.items():
            if panel.overview is not None:
                continue
            n = self.dice.randrange(1, 60)
            data = self.rng.standard_normal((n, panel.info.n_channels)) * 20
            how = self.dice.randrange(6)
            if how == 0:
                data[:, 0] = np.nan
            elif how == 1:
                data[:] = np.nan
            elif how == 2:
                data += 1e5
            elif how == 3:
                data[:] = 0.0
            elif how == 4:
                self.sample[kind] += self.dice.choice((5, 200, 100_000))
            times = self.time + np.arange(n) / (panel.info.sfreq or 1.0)
            self.window.take_chunk(kind, Chunk(data, times, self.sample[kind]))
            self.sample[kind] += n
        self.time += 0.2

    def say(self) -> None:
        """Let the session say something."""
        verdict = Verdict(
            time=self.time, sample=0, allowed=self.dice.random() < 0.5, reasons=("A-CONF",), state="ACTIVE"
        )
        p = self.dice.random()
        decision = Decision(time=self.time, sample=0, classes=("left", "right"), probabilities=(p, 1 - p), label="left")
        said: list[Message] = [
            Happened(event=Event(name=self.dice.choice(("cue/left", "cue/right", "phase/rest")), time=self.time)),
            Decided(decision=decision, verdict=verdict, latency=0.01),
            StateChanged(state=self.dice.choice(("ACTIVE", "STANDBY", "SAFE_STOP", "CALIBRATING", "")), time=self.time),
            Alarmed(rule="H-STALL", level="WARNING", since=self.time, active=self.dice.random() < 0.5),
            Snapshot(messages=()),
        ]
        self.window.take_message(self.dice.choice(said))

    def mark(self) -> None:
        """Annotate, and take some away again."""
        items = list(self.window.marking.items)
        if len(items) > 20:
            self.window.marking.items.delete(self.dice.choice(items).key)
        else:
            self.window.marking.items.add(Annotation(time=self.time, duration=self.dice.random(), text="x"))

    def resize(self) -> None:
        """Give the window another size."""
        self.window.resize(self.dice.randrange(700, 1500), self.dice.randrange(500, 1000))

    def tick(self) -> None:
        """Let time go on."""
        self.window._due.clear()
        self.window.tick()
        QApplication.processEvents()


def play(window: ViewerWindow, seed: int) -> None:
    stops = SpaceStops(window.stop, window)
    QApplication.instance().installEventFilter(stops)
    try:
        monkey = Monkey(window, seed)
        done = 0
        for done in range(ACTIONS):
            monkey.act()
            assert window.isVisible(), f"action {done} of seed {seed} closed the window"
        monkey.close_dialogs()
        # What is kept has a longest length, whatever was done.
        assert all(len(panel.canvas.marks) <= 2100 for panel in window.traces.values())
        # Without a loop that runs, Qt keeps what is to be deleted later.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        assert len(window.findChildren(QDialog)) < 50
    finally:
        QApplication.instance().removeEventFilter(stops)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_monkey_at_a_live_window(qtbot, dark: Theme, tmp_path: Path, seed: int) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    window = ViewerWindow(dark, settings=settings, use_saved=False, preset="research")
    qtbot.addWidget(window)
    names = ("Fp1", "F3", "F7", "Fz", "C3", "Cz", "C4", "A1", "A2", "EOG")
    info = StreamInfo(name="x", sfreq=250.0, ch_names=names, ch_types=("eeg",) * 9 + ("eog",))
    window.resize(1280, 800)
    window.show()
    for kind in ("raw", "pipeline"):
        window.add_stream(kind, info)
    play(window, seed)
    window.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.data
def test_a_monkey_at_a_recording(qtbot, dark: Theme, data_dir: Path, tmp_path: Path) -> None:
    # A link: what is annotated is kept beside it, and not in the folder of the recordings.
    file = tmp_path / "S001R14.edf"
    file.symlink_to(data_dir / "eegmmidb" / "S001R14.edf")
    window = ViewerWindow(dark, source=f"file:{file}", use_saved=False, preset="device")
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    show_file(window, file)
    play(window, 3)
    window.close()
