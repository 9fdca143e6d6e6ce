"""A session is opened again: what was noted as it stands now, and the ways to its alarms and decisions."""

from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest
from PySide6.QtGui import QAction
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.recording import SessionWriter, read_session
from bcikit.signal import Chunk, Decision, StreamInfo, Verdict
from bcikit.ui.theme import Theme
from bcikit.viewer.annotations import Annotation, beside
from bcikit.viewer.folder import show_folder
from bcikit.viewer.window import ViewerWindow

FIRST = Annotation(time=12.0, duration=1.0, kind="blink", text="one", key="k1")
SECOND = Annotation(time=14.0, kind="movement", text="never was", key="k2", channel="C3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A minute in which a note was edited, one deleted, an alarm came twice and the decision changed twice."""
    info = StreamInfo(name="s", sfreq=100.0, ch_names=("C3", "C4"))
    rng = np.random.default_rng(0)
    path = tmp_path / "s"
    with SessionWriter(path, info=info) as writer:
        for start in range(0, 6000, 100):
            times = 10.0 + np.arange(start, start + 100) / 100
            writer.chunk(Chunk(rng.standard_normal((100, 2)) * 10, times, start), float(times[-1]))
        edited = replace(FIRST, text="two", duration=2.0)
        for change, item in (("added", FIRST), ("added", SECOND), ("edited", edited), ("deleted", SECOND)):
            event = item.event()
            writer.event(replace(event, data={**event.data, "change": change}))
        for number in range(100):
            time = 10.0 + 0.6 * number
            likely = 0.9 if 20 <= time < 40 else 0.2
            writer.decision(
                Decision(time=time, sample=round(100 * (time - 10)), classes=("left", "right"),
                         probabilities=(likely, 1 - likely), label="left" if likely > 0.5 else "right")
            )  # fmt: skip
            writer.verdict(Verdict(time=time, sample=0, allowed=True, reasons=(), state="ACTIVE"))
        for since, active in ((25.0, True), (25.0, False), (45.0, True)):
            what = {"rule": "H-LOSS", "level": "CAUTION", "what": "samples are lost", "since": since, "active": active}
            writer.alarm({**what, "channels": [], "value": 0.1, "limit": 0.01})
    return path


@pytest.fixture
def window(qtbot, dark: Theme, folder: Path):
    made = ViewerWindow(dark, source=str(folder), use_saved=False, preset="research")
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    show_folder(made, folder)
    yield made
    made.close()


def test_what_was_edited_or_deleted_is_so_when_it_is_read_by_us_and_by_mne(folder: Path, tmp_path: Path) -> None:
    session = read_session(folder)
    # The log keeps each step; what stands is the last.
    assert len(session.events) == 4
    assert [(event.value, event.duration) for event in session.standing] == [("two", 2.0)]
    told = CliRunner().invoke(app, ["export", str(folder), "--edf", str(tmp_path / "s.edf"), "--keep", "all"])
    assert told.exit_code == 0, told.output
    found = mne.read_annotations(tmp_path / "s.edf")
    notes = [(float(onset), float(duration)) for onset, duration, text in
             zip(found.onset, found.duration, found.description, strict=True) if "blink" in text]  # fmt: skip
    assert notes == [(2.0, 2.0)]
    assert not [text for text in found.description if "movement" in text]


def test_what_was_noted_is_in_the_list_and_stays_as_it_is_left(
    window: ViewerWindow, folder: Path, dark: Theme, qtbot
) -> None:
    assert [(item.text, item.kind, item.duration) for item in window.marking.items] == [("two", "blink", 2.0)]
    assert [mark.text for mark in window.traces["raw"].canvas.marks if mark.own] == ["blink: two"]
    window.marking.items.delete("k1")
    again = ViewerWindow(dark, source=str(folder), use_saved=False)
    qtbot.addWidget(again)
    show_folder(again, folder)
    assert list(again.marking.items) == []
    again.close()


def test_two_folders_whose_names_have_a_dot_keep_their_own_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "visit.1", tmp_path / "visit.2"]
    for made in folders:
        made.mkdir()
    assert [beside(made).name for made in folders] == ["visit.1_annotations.tsv", "visit.2_annotations.tsv"]
    monkeypatch.chdir(folders[0])
    assert beside(".") == beside(folders[0].resolve())


def test_keys_go_from_alarm_to_alarm_and_from_decision_to_decision(window: ViewerWindow) -> None:
    panel = window.traces["raw"]
    panel.window_choice.setCurrentText("2 s")
    actions = {action.text(): action for action in window.findChildren(QAction)}

    def middle(words: str) -> float:
        actions[words].trigger()
        history = panel.canvas.history
        return round(history.time_at(panel.back_bar.value() - panel.canvas.window_samples // 2), 1)

    panel.look_at(10.0)
    assert [middle("Next alarm") for _ in range(3)] == [25.0, 45.0, 45.0]
    assert "No further" in window.statusBar().currentMessage()
    assert middle("Last alarm") == 25.0
    assert "H-LOSS: samples are lost" in window.statusBar().currentMessage()
    panel.look_at(12.0)
    assert [middle("Next change of the decision") for _ in range(2)] == [20.2, 40.0]
    assert "right 80%" in window.statusBar().currentMessage()
    assert middle("Last change of the decision") == 20.2
    assert "left 90%" in window.statusBar().currentMessage()
    # An alarm is a marker, too, once each time it was raised.
    assert [mark.text for mark in panel.canvas.marks].count("H-LOSS") == 2
