"""Random actions on the viewer: no warning, no error, no growth. BCIKIT_MONKEY sets how many."""

import mmap
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMainWindow

from bcikit.paradigms import make_paradigm
from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Scene
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.presentation.qt.view import SceneView
from bcikit.presentation.qt.window import PatientWindow
from bcikit.presentation.rehearsal import rehearse
from bcikit.signal import Chunk, Decision, Event, StreamInfo, Verdict
from bcikit.signal.messages import Alarmed, Decided, Happened, Message, Snapshot, StateChanged
from bcikit.ui.theme import Theme
from bcikit.viewer.annotations import Annotation
from bcikit.viewer.choose import StartPage
from bcikit.viewer.folder import show_file
from bcikit.viewer.window import ViewerWindow
from tests.presentation.test_qt import Silent
from tests.presentation.test_scene import SHORT
from tests.viewer.monkey import Monkey, no_questions_of_the_system, play

SECONDS = 7200
"""Ten thousand actions take some minutes a window, on a machine that does other things more."""


class ViewerMonkey(Monkey):
    """A monkey to whom samples and messages come."""

    def __init__(self, window: ViewerWindow, seed: int) -> None:
        super().__init__(window, seed, left_alone=("Close",))
        self.viewer = window
        self.rng = np.random.default_rng(seed)
        self.sample = {kind: panel.canvas.history.end for kind, panel in window.traces.items()}
        self.time = 100.0
        self.does += [self.click, self.feed, self.feed, self.say, self.mark]

    def may(self, text: str) -> bool:
        """A panel may be closed, the window not."""
        return text.replace("&", "") != "Close"

    def click(self) -> None:
        """Click or drag on the traces, their names or the overview."""
        panel = self.viewer.current_traces()
        if panel is None:
            return
        widget = self.dice.choice([w for w in (panel.canvas, panel.gutter, panel.overview) if w is not None])
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=self.place(widget))
        b = self.place(widget)
        QTest.mouseMove(widget, b)
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=b)

    def feed(self) -> None:
        """Let samples come: whole, lost, NaN, flat, with an offset, or in a gap."""
        for kind, panel in self.viewer.traces.items():
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
            self.viewer.take_chunk(kind, Chunk(data, times, self.sample[kind]))
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
        self.viewer.take_message(self.dice.choice(said))

    def mark(self) -> None:
        """Annotate, and take some away again."""
        items = list(self.viewer.marking.items)
        if len(items) > 20:
            self.viewer.marking.items.delete(self.dice.choice(items).key)
        else:
            self.viewer.marking.items.add(Annotation(time=self.time, duration=self.dice.random(), text="x"))

    def tick(self) -> None:
        """Let time go on."""
        self.viewer._due.clear()
        self.viewer.tick()
        super().tick()


def play_viewer(window: ViewerWindow, seed: int) -> None:
    stops = SpaceStops(window.stop, window)
    QApplication.instance().installEventFilter(stops)
    # What the first filter and the first look at a panel load stays: it is no growth.
    for panel in window.traces.values():
        panel.band.setCurrentIndex(1)
        panel.band.setCurrentIndex(0)
    for key in window.panels:
        window.show_panel(key)
        QApplication.processEvents()
    try:
        play(ViewerMonkey(window, seed))
        # What is kept has a longest length, whatever was done.
        assert all(len(panel.canvas.marks) <= 2100 for panel in window.traces.values())
    finally:
        QApplication.instance().removeEventFilter(stops)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_monkey_at_a_live_window(qtbot, dark: Theme, tmp_path: Path, monkeypatch, seed: int) -> None:
    no_questions_of_the_system(monkeypatch)
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    window = ViewerWindow(dark, settings=settings, use_saved=False, preset="research")
    qtbot.addWidget(window)
    names = ("Fp1", "F3", "F7", "Fz", "C3", "Cz", "C4", "A1", "A2", "EOG")
    info = StreamInfo(name="x", sfreq=250.0, ch_names=names, ch_types=("eeg",) * 9 + ("eog",))
    window.resize(1280, 800)
    window.show()
    for kind in ("raw", "pipeline"):
        window.add_stream(kind, info)
    play_viewer(window, seed)
    window.close()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.data
def test_a_monkey_at_a_recording(qtbot, dark: Theme, data_dir: Path, tmp_path: Path, monkeypatch) -> None:
    no_questions_of_the_system(monkeypatch)
    # A link: what is annotated is kept beside it, and not in the folder of the recordings.
    file = tmp_path / "S001R14.edf"
    file.symlink_to(data_dir / "eegmmidb" / "S001R14.edf")
    window = ViewerWindow(dark, source=f"file:{file}", use_saved=False, preset="device")
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    show_file(window, file)
    play_viewer(window, 3)
    window.close()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_a_monkey_at_the_start_page(qtbot, dark: Theme, tmp_path: Path, monkeypatch) -> None:
    no_questions_of_the_system(monkeypatch)
    rows = [("lsl:source_id=a", "LSL stream", "one"), ("lsl:source_id=" + "b" * 200, "LSL stream", "two " * 60)]
    page = StartPage(dark, QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat), look=lambda: list(rows))
    qtbot.addWidget(page)
    page.show()
    chosen: list[str] = []
    page.chosen.connect(chosen.append)
    play(Monkey(page, 4))
    assert chosen


class PatientMonkey(Monkey):
    """A monkey to whom scenes, cues and flashes come."""

    def __init__(self, window: PatientWindow, scenes: list[Scene], seed: int) -> None:
        super().__init__(window, seed)
        self.scene, self.scenes, self.time = window.scene, scenes, 1.0
        self.does += [self.show, self.show, self.show, self.place_window]

    def show(self) -> None:
        """Have something shown, or nothing."""
        scene = self.dice.choice((None, self.dice.choice(self.scenes)))
        event = Event(
            name=self.dice.choice(("cue/left_hand", "phase/rest", "stimulus/flash")),
            time=self.time,
            sample=round(self.time * 250),
            duration=0.1,
            data={"items": ["A"]},
        )
        self.time += 0.1
        shown = None if scene is None else scene.to_dict()
        self.scene.take({"type": "show", "event": event.to_dict(), "scene": shown})
        self.scene.blank(blanked=self.dice.random() < 0.2)

    def place_window(self) -> None:
        """Put it somewhere else."""
        self.window.place(self.dice.choice(("window", "second", "full", "beside")))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_a_monkey_at_the_persons_screen(qtbot, monkeypatch) -> None:
    no_questions_of_the_system(monkeypatch)
    names = ("motor-imagery", "p300-speller", "driving-vigilance", "ssvep-menu")
    scenes = [scene for name in names for _, scene in rehearse(make_paradigm({"base": name, **SHORT.get(name, {})}))]
    view = SceneView(refresh=Refresh(60.0), sounds=Silent())
    window = PatientWindow(view)
    qtbot.addWidget(window)
    window.show()
    play(PatientMonkey(window, scenes, 5))
    window.close()


@pytest.mark.parametrize("what", ["handles", "threads", "objects", "megabytes", "dialogs"])
def test_what_a_window_keeps_of_every_click_is_found(qtbot, dark: Theme, what: str) -> None:
    kept: list[Any] = []
    over = threading.Event()

    class Leaking(QMainWindow):
        def leak(self) -> None:
            if what == "handles":
                kept.append(os.open(os.devnull, os.O_RDONLY))
            elif what == "threads":
                kept.append(threading.Thread(target=over.wait, daemon=True))
                kept[-1].start()
            elif what == "objects":
                QObject(self)
            elif what == "dialogs":
                QDialog(self)
            else:
                # Of the system, not of what this process has let go of: that would not show.
                kept.append(mmap.mmap(-1, 2**19))
                kept[-1].write(b"x" * 2**19)

    window = Leaking()
    qtbot.addWidget(window)
    window.show()
    monkey = Monkey(window, 1)
    monkey.does = [monkey.tick]
    play(monkey, 30)
    monkey.does = [window.leak]
    try:
        with pytest.raises(AssertionError, match=what if what != "dialogs" else "objects"):
            play(monkey, 400)
    finally:
        over.set()
        for handle in kept:
            if isinstance(handle, int):
                os.close(handle)
