"""The live viewer, driven by keyboard and mouse: names, keys, STOP, arrangements, export."""

import csv
import errno
import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QWidget

from bcikit.presentation.qt.keys import SpaceStops
from bcikit.session.orders import checked_order
from bcikit.signal import ArgumentError, Chunk, Decision, RecordingError, StreamInfo, Verdict
from bcikit.signal.messages import Decided, Snapshot, parse
from bcikit.ui.orders import Orders
from bcikit.ui.theme import DARK, LIGHT, Theme
from bcikit.viewer.export import save_view
from bcikit.viewer.layout import PRESETS
from bcikit.viewer.menus import keys_dialog, save_dialog
from bcikit.viewer.window import ViewerWindow


class Client:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, order: dict[str, Any]) -> None:
        self.sent.append(order)

    def close(self) -> None:
        self.sent.append({"do": "closed"})


MESSAGES: tuple[dict[str, Any], ...] = (
    {"type": "state", "state": "ACTIVE", "time": 109.0},
    {"type": "event", "event": {"name": "cue/left", "time": 104.0}},
    {"type": "event", "event": {"name": "feedback/update", "time": 105.0}},
    {"type": "decision", "latency": 0.0042,
     "decision": {"time": 109.5, "sample": 0, "classes": ["left", "right"], "probabilities": [0.82, 0.18],
                  "label": "left", "data": {"evidence": {"left": 1.2}}},
     "verdict": {"time": 109.5, "sample": 0, "allowed": False, "reasons": ["A-QUAL"], "state": "ACTIVE"}},
    {"type": "quality", "channels": {"C3": {"level": "BAD", "rules": ["Q-RAIL"]},
                                     "Cz": {"level": "WARN", "rules": ["Q-LINE"]}, "C4": {"level": "GOOD"}}},
    {"type": "health", "time": 109.0, "lost": 2, "received": 4000},
    {"type": "alarm", "rule": "Q-MONT", "level": "CAUTION", "what": "too few", "since": 100.0, "value": 0.5,
     "limit": 0.75, "did": "held the output", "channels": ["C3"]},
    {"type": "output", "state": {"closure": 0.6}},
)  # fmt: skip


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def window(
    qtbot, dark: Theme, info: StreamInfo, chunks: Callable[..., list[Chunk]], settings: QSettings, client: Client
):
    made = ViewerWindow(dark, orders=Orders(client), settings=settings)
    qtbot.addWidget(made)
    stops = SpaceStops(made.stop, made)
    QApplication.instance().installEventFilter(stops)
    made.resize(1280, 800)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    for kind in ("raw", "pipeline"):
        made.add_stream(kind, info)
        for chunk in chunks(10):
            made.take_chunk(kind, chunk)
    for message in MESSAGES:
        made.take_message(parse(message))
    yield made
    QApplication.instance().removeEventFilter(stops)
    made.close()


def refresh_all(window: ViewerWindow) -> None:
    for key, panel in window.panels.items():
        window.show_panel(key)
        panel.refresh(window.view)
        panel.grab()


def test_a_first_time_user_finds_the_bad_electrode_the_reason_and_the_stop(window: ViewerWindow) -> None:
    window._due.clear()
    window.tick()
    assert window.strip.electrode.accessibleName() == "Worst electrode: C3 Q-RAIL, bad"
    assert "a needed channel is not good enough" in window.panels["hand"].hand.accessibleDescription()
    window.panels["decision"].refresh(window.view)
    assert window.panels["decision"].why.text() == "What to do: Mend the channels shown."
    assert window.strip.stop.isVisible()
    assert window.strip.stop.isEnabled()
    assert window.strip.stop.toolTip() == "Stop everything (space bar)"


@pytest.mark.slow
def test_space_stops_from_everywhere_but_a_text_field(qtbot, window: ViewerWindow, client: Client) -> None:
    panel = window.traces["pipeline"]
    for focus in (panel.canvas, panel.freeze_button, panel.window_choice, window.strip.stop):
        client.sent.clear()
        focus.setFocus()
        QTest.keyClick(focus, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: [o["do"] for o in client.sent] == ["stop"], timeout=60_000)
    client.sent.clear()
    window.show_panel("glossary")
    search = window.panels["glossary"].search
    search.setFocus()
    QTest.keyClicks(search, "evoked potential")
    assert client.sent == []
    assert search.text() == "evoked potential"
    assert window.panels["glossary"].table_view.rowCount() == 1


def test_return_presses_what_has_the_focus(window: ViewerWindow) -> None:
    button = window.traces["pipeline"].freeze_button
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Return)
    assert button.isChecked()


def test_a_click_on_stop_stops(qtbot, window: ViewerWindow, client: Client) -> None:
    QTest.mouseClick(window.strip.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: [o["do"] for o in client.sent] == ["stop"], timeout=60_000)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_control_has_a_name_and_is_reached_by_the_keyboard(
    window: ViewerWindow, controls: Callable[[QWidget], list[QWidget]], tab_order, preset: str
) -> None:
    window.arrange(preset)
    QApplication.processEvents()
    found = controls(window)
    nameless = [w for w in found if not w.accessibleName()]
    assert nameless == []
    reached = tab_order(window)
    missed = [(type(w).__name__, w.accessibleName()) for w in found if w not in reached]
    assert missed == []


def test_keys_act_on_the_traces(window: ViewerWindow) -> None:
    panel = window.current_traces()
    assert panel is window.traces["pipeline"]
    for key, check in (
        (Qt.Key.Key_F, lambda: panel.canvas.frozen_end is not None),
        (Qt.Key.Key_F, lambda: panel.canvas.frozen_end is None),
        (Qt.Key.Key_Plus, lambda: panel.canvas.lane_uv["eeg"] == 50),
        (Qt.Key.Key_Minus, lambda: panel.canvas.lane_uv["eeg"] == 100),
        (Qt.Key.Key_BracketRight, lambda: panel.canvas.seconds == 20),
        (Qt.Key.Key_BracketLeft, lambda: panel.canvas.seconds == 10),
        (Qt.Key.Key_C, lambda: len(panel.canvas.cursors) == 2),
        (Qt.Key.Key_W, lambda: panel.canvas.sweep),
        (Qt.Key.Key_PageUp, lambda: panel.canvas.frozen_end is not None),
    ):
        panel.canvas.setFocus()
        QTest.keyClick(panel.canvas, key)
        assert check(), key


def test_events_are_marked_but_not_those_that_come_all_the_time(window: ViewerWindow) -> None:
    assert [mark.text for mark in window.traces["raw"].canvas.marks] == ["left", "Q-MONT"]
    sample = window.traces["raw"].canvas.marks[0].sample
    assert sample == 4 * 250


def test_what_a_decoder_says_of_itself_is_marked_and_told_in_words(window: ViewerWindow) -> None:
    drift = {
        "type": "event",
        "event": {"name": "decoder/drift", "time": 110.2, "data": {"strange": 0.7, "windows": 10}},
    }
    window.take_message(parse(drift))
    assert "70% of the newest windows look unlike the training" in window.statusBar().currentMessage()
    window.take_message(
        parse({"type": "event", "event": {"name": "feedback/undo", "time": 110.4, "data": {"trial": 1}}})
    )
    marks = [mark.text for mark in window.traces["raw"].canvas.marks]
    assert marks[-2:] == ["signal unlike the training", "choice taken back"]


def test_a_click_annotates_here_and_in_the_recording(qtbot, window: ViewerWindow, client: Client) -> None:
    panel = window.traces["pipeline"]
    QTest.mouseClick(panel.annotate_button, Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.canvas, Qt.MouseButton.LeftButton)
    dialog = window.marking.dialog
    assert dialog is not None
    QTest.keyClicks(dialog.text, "blink after N")
    assert [o for o in client.sent if o["do"] == "stop"] == []
    dialog.kind.setCurrentText("artefact")
    dialog.accept()
    qtbot.waitUntil(lambda: any(o["do"] == "note" for o in client.sent), timeout=60_000)
    note = next(o for o in client.sent if o["do"] == "note")
    middle = panel.canvas.history.time_at(panel.canvas.sample_at(panel.canvas.rect().center().x()))
    assert note["time"] == pytest.approx(middle, abs=0.05)
    assert panel.canvas.marks[-1].own
    assert panel.canvas.marks[-1].text == "artefact: blink after N"
    assert (note["text"], note["kind"], note["duration"]) == ("blink after N", "artefact", 0.0)
    assert checked_order(note) == note


def test_every_panel_shows_something_and_has_a_table(window: ViewerWindow) -> None:
    refresh_all(window)
    for key, panel in window.panels.items():
        # No epoch is complete here, nothing is annotated or between cursors, and no device is read in this process.
        if key not in ("erd", "erp", "annotations", "selection", "device", "clock"):
            assert len(panel.table()) >= 2, key


def test_numbers_in_the_panels_are_those_of_the_messages(window: ViewerWindow) -> None:
    refresh_all(window)
    assert window.panels["decision"].table()[1:] == [["left", 0.82], ["right", 0.18]]
    assert window.panels["latency"].table()[1:] == [
        ["total", 4.2, 4.2, 4.2, 400.0],
    ]
    stages = {"filter": {"p50": 1.0, "p99": 30.0, "max": 50.0, "deadline": 40.0, "n": 9},
              "total": {"p50": 9.0, "p99": 11.0, "max": 12.0, "deadline": 400.0, "n": 9}}  # fmt: skip
    window.take_message(parse({"type": "stages", "time": 109.0, "stages": stages}))
    window.panels["latency"].refresh(window.view)
    assert window.panels["latency"].table()[1:] == [
        ["filter", 1.0, 30.0, 50.0, 40.0],
        ["total", 9.0, 11.0, 12.0, 400.0],
    ]
    said = window.panels["latency"].bars.accessibleDescription()
    assert said.startswith("filter: 99 % within 30.0 ms, deadline 40.0 ms;")
    assert window.panels["safety"].table()[1][0] == "A-QUAL"
    assert window.panels["alarms"].table()[1][2] == "0.5 / 0.75"
    assert "held the output" in window.panels["alarms"].table()[1]
    assert window.panels["quality"].table()[1] == ["C3", "BAD", "Q-RAIL", ""]
    assert "lost 2 of 4002" in window.panels["link"].text.text()


def test_posteriors_have_the_names_of_their_decisions_in_whatever_order_they_are(window: ViewerWindow) -> None:
    panel = window.panels["evidence"]

    def take(at: float, classes: tuple[str, ...], probabilities: tuple[float, ...], **data: Any) -> None:
        decision = Decision(time=at, sample=0, classes=classes, probabilities=probabilities, data=data)
        window.take_message(Decided(decision=decision, verdict=Verdict(time=at, sample=0, allowed=False)))
        panel.refresh(window.view)

    def legend() -> list[str]:
        return [label.text for _, label in panel.plot.getPlotItem().legend.items]

    def drawn() -> list[list[float]]:
        return [[] if x is None else x.tolist() for _, x in (curve.getData() for curve in panel._curves)]

    window.take_message(Snapshot())
    # A window of bad data has its classes as the model has them, and no probabilities.
    take(110.0, ("rest", "right_hand"), ())
    assert (panel.table(), legend()) == ([], [])
    take(111.0, ("right_hand", "rest"), (0.9, 0.1))
    take(112.0, ("rest", "right_hand"), (0.25, 0.75))
    take(113.0, ("rest", "right_hand"), ())
    assert panel.table() == [["time", "right_hand", "rest"], [111.0, 0.9, 0.1], [112.0, 0.75, 0.25]]
    assert (legend(), drawn()) == (["right_hand", "rest"], [[0.9, 0.75], [0.1, 0.25]])
    assert panel.evidence.text() == "Evidence: right_hand against rest, log odds +1.10"
    take(113.5, ("rest", "right_hand"), (), evidence=[0.5, -0.5])
    assert panel.evidence.text() == "Evidence: rest +0.50, right_hand -0.50"
    # Whether the choice was wrong is another question of two answers; a menu has three.
    take(114.0, ("error", "right"), (0.3, 0.7))
    assert panel.table() == [["time", "error", "right"], [114.0, 0.3, 0.7]]
    assert (legend(), drawn()) == (["error", "right"], [[0.3], [0.7]])
    take(115.0, ("a", "b", "c"), (0.2, 0.3, 0.5))
    assert (legend(), drawn()) == (["a", "b", "c"], [[0.2], [0.3], [0.5]])
    take(116.0, ("right_hand", "rest"), (0.6, 0.4))
    assert (legend(), drawn()) == (["right_hand", "rest"], [[0.9, 0.75, 0.6], [0.1, 0.25, 0.4], []])


def test_erp_grows_with_events(window: ViewerWindow, chunks) -> None:
    window.show_panel("erp")
    panel = window.panels["erp"]
    panel.refresh(window.view)
    assert panel.epochs.averages.signal["left"].count == 1
    window.take_message(parse({"type": "event", "event": {"name": "cue/left", "time": 110.5}}))
    for chunk in chunks(4, start=2500):
        window.take_chunk("pipeline", chunk)
    panel.refresh(window.view)
    assert panel.epochs.averages.signal["left"].count == 2
    assert "left: 2" in panel.count.text()


def test_views_are_saved_as_picture_drawing_and_table(window: ViewerWindow, tmp_path: Path) -> None:
    refresh_all(window)
    panel = window.panels["spectrum"]
    assert save_view(window, tmp_path / "a.png").stat().st_size > 10000
    assert b"<svg" in save_view(window.traces["raw"], tmp_path / "a.svg").read_bytes()
    text = save_view(panel, tmp_path / "a.csv", table=panel.table()).read_text(encoding="utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0][0] == "Hz"
    assert len(rows) > 100
    with pytest.raises(ArgumentError, match=r"\.png, \.svg, \.pdf, \.csv"):
        save_view(window, tmp_path / "a.gif")
    with pytest.raises(ArgumentError, match="no table"):
        save_view(window, tmp_path / "b.csv")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "csv"])
def test_a_full_disk_is_said_and_leaves_what_was_there(
    window: ViewerWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    # Qt says nothing of a full disk: half a picture was called saved.
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bcikit.signal.disk.sync", full)
    with pytest.raises(RecordingError, match="cannot be written: No space left"):
        save_view(window, path, table=[["Hz"], [1]])
    assert path.read_bytes() == b"before"


def test_the_save_dialog_works_by_keyboard_and_says_what_is_wrong(qtbot, window: ViewerWindow, tmp_path: Path) -> None:
    dialog = save_dialog(window)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.path.setText(str(tmp_path / "no" / "folder" / "x.png"))
    save = next(b for b in dialog.findChild(QDialogButtonBox).buttons() if "Save" in b.text())
    save.setFocus()
    QTest.keyClick(save, Qt.Key.Key_Return)
    assert "cannot be written" in dialog.problem.text()
    dialog.path.setText(str(tmp_path / "x.png"))
    QTest.keyClick(dialog.path, Qt.Key.Key_Return)
    assert (tmp_path / "x.png").is_file()
    assert dialog.saved == tmp_path / "x.png"


def test_keys_are_listed(qtbot, window: ViewerWindow) -> None:
    dialog = keys_dialog(window)
    qtbot.addWidget(dialog)
    from PySide6.QtWidgets import QTableWidget

    table = dialog.findChild(QTableWidget)
    keys = {table.item(row, 0).text() for row in range(table.rowCount())}
    assert {"Space", "F", "Ctrl+S", "F1", "F5"} <= keys


@pytest.mark.slow
def test_an_arrangement_is_kept(qtbot, window: ViewerWindow, settings: QSettings, dark: Theme) -> None:
    window.arrange("device")
    window.docks["link"].close()
    window.save_layout()
    again = ViewerWindow(dark, settings=settings)
    qtbot.addWidget(again)
    again.show()
    assert again.docks["link"].isHidden()
    assert not again.docks["latency"].isHidden()
    assert again.docks["erd"].isHidden()


def test_a_new_look_goes_on_with_the_same_samples(qtbot, window: ViewerWindow, settings: QSettings) -> None:
    light = ViewerWindow(LIGHT, settings=settings)
    qtbot.addWidget(light)
    light.take_over(window)
    assert light.view.status is window.view.status
    assert light.traces["raw"].canvas.history is window.traces["raw"].canvas.history
    assert [m.text for m in light.traces["raw"].canvas.marks] == ["left", "Q-MONT"]


def test_without_an_engine_it_watches_and_judges_by_itself(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    window = ViewerWindow(dark)
    qtbot.addWidget(window)
    window.show()
    window.add_stream("raw", info)
    assert not window.strip.stop.isEnabled()
    window.stop()
    assert "nothing to stop" in window.statusBar().currentMessage()
    window._arrived = 0.0
    for chunk in chunks(8) + chunks(4, start=2000, lost=100):
        window.take_chunk("raw", chunk)
    window._due.clear()
    window.tick()
    assert set(window.view.status.quality) == set(info.ch_names)
    assert window.view.loss_percent == pytest.approx(100 * 100 / 3100)
    assert window.strip.loss.accessibleName() == "Loss: 3.23 %, bad"


def test_electrodes_that_are_judged_no_longer_are_neither_good_nor_bad(
    qtbot, dark: Theme, info: StreamInfo, chunks
) -> None:
    window = ViewerWindow(dark)
    qtbot.addWidget(window)
    window.show()
    panel = window.add_stream("raw", info)
    window._arrived = 0.0

    def show(made: list[Chunk]) -> None:
        for chunk in made:
            chunk.data[:, 5] = 0.0
            window.take_chunk("raw", chunk)
        window._due.clear()
        window.tick()

    show(chunks(12))
    assert "C3" in window.strip.electrode.accessibleName()
    assert panel.canvas.dimmed == {5}
    # Of each 250 ms some are lost: no window is whole, and nothing is known of now.
    at = 3000
    for _ in range(40):
        show(chunks(0.2, start=at, lost=13))
        at += 63
    assert window.view.status.quality == {}
    assert window.strip.electrode.accessibleName() == "Worst electrode: –"
    assert panel.canvas.dimmed == frozenset()
    assert window.panels["quality"].table() == []


def test_finished_sessions_are_told_once(qtbot, window: ViewerWindow) -> None:
    told: list[int] = []
    window.ended.connect(lambda: told.append(1))
    window.take_message(parse('{"type": "state", "state": "FINISHED"}'))
    window.tick()
    window.tick()
    assert told == [1]


def test_contrast_of_text_is_readable() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in (DARK, LIGHT):
        for colour in (theme.text, theme.dim, theme.good, theme.warn, theme.bad, theme.accent):
            for ground in (theme.panel, theme.window):
                bright, low = sorted((luminance(colour), luminance(ground)), reverse=True)
                # WCAG 2.2, success criterion 1.4.3: 4.5 for text, 3 for large text.
                assert (bright + 0.05) / (low + 0.05) >= 4.5, (theme.name, colour, ground)


def test_averages_grow_while_nobody_looks_and_feedback_pushes_no_cue_out(window: ViewerWindow, chunks) -> None:
    window.docks["erp"].hide()
    window.docks["erd"].hide()
    for number in range(3000):
        event = {"name": "feedback/update", "time": 104.0 + number / 1000, "value": 0.5}
        message = {"type": "event", "event": event}
        window.take_message(parse(message))
    for chunk in chunks(4, start=2500):
        window.take_chunk("pipeline", chunk)
    assert not window.panels["erp"].isVisible()
    window._due.clear()
    window.tick()
    assert window.panels["erp"].epochs.averages.signal["left"].count == 1
    assert window.panels["erd"].epochs.averages.power["left"].count == 1
    assert window.panels["erp"].epochs.averages.power == {}
    assert [mark.text for mark in window.traces["raw"].canvas.marks] == ["left", "Q-MONT"]


@pytest.mark.slow
def test_drawing_keeps_nothing_behind(window: ViewerWindow, chunks) -> None:
    """What the window keeps has a longest length; what the plots keep must not grow with each refresh."""
    made = chunks(20, size=50, start=2500)

    def go_on(rounds: range) -> None:
        for n in rounds:
            at, p = 110.0 + n * 0.2, 0.5 + 0.4 * ((n * 7919) % 100) / 100
            decision = Decision(time=at, sample=0, classes=("left", "right"), probabilities=(p, 1 - p))
            window.take_message(Decided(decision=decision, verdict=Verdict(time=at, sample=0, allowed=True)))
            stages = {name: {"p50": p, "p99": 2 * p, "max": 3 * p, "deadline": 40.0} for name in ("filter", "total")}
            window.take_message(parse({"type": "stages", "time": at, "stages": stages}))
            for kind in ("raw", "pipeline"):
                window.take_chunk(kind, made[n])
            for panel in window.panels.values():
                panel.refresh(window.view)

    trail = window.view.status.trail
    trail.extend([(109.5 + n / 1e4, ("left", "right"), (0.5, 0.5), None) for n in range(600)])
    go_on(range(20))
    tracemalloc.start()
    try:
        pyqtgraph = [tracemalloc.Filter(True, "*pyqtgraph*")]
        go_on(range(20, 25))
        gc.collect()
        before = tracemalloc.take_snapshot().filter_traces(pyqtgraph)
        go_on(range(25, 85))
        gc.collect()
        after = tracemalloc.take_snapshot().filter_traces(pyqtgraph)
    finally:
        tracemalloc.stop()
    counts = {line.traceback[0]: line.count_diff for line in after.compare_to(before, "lineno")}
    # A picture of a symbol, a brush or a number of an axis: whatever is kept once a refresh is there 60 times.
    assert {line: count for line, count in counts.items() if count >= 60} == {}


def test_a_stop_that_is_over_waits_to_be_acknowledged(window: ViewerWindow) -> None:
    panel = window.panels["alarms"]
    stop = {"type": "alarm", "rule": "A-STOP", "level": "WARNING", "since": 105.0, "did": "stops all output"}
    window.take_message(parse({**stop, "active": False}))
    seen = {"type": "alarm", "rule": "Q-MONT", "level": "CAUTION", "active": False, "acknowledged": True}
    window.take_message(parse(seen))
    panel.refresh(window.view)
    row = panel.table()[1]
    assert row[0] == "■ stopped on request [A-STOP] – over, not acknowledged yet"
    assert row[3] == "stops all output"
    assert panel.none.text() == "▲ 1 over, to be acknowledged"
    window.take_message(parse({**stop, "active": False, "acknowledged": True}))
    panel.refresh(window.view)
    assert panel.none.text() == "● No active alarm"
