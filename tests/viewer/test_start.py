"""From one thing that is looked at to the next: what cannot be opened, looks, what is dropped, what is recorded."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mne
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog
from typer.testing import CliRunner

from bcikit.acquisition import open_source
from bcikit.cli.app import app
from bcikit.recording import Session, read_session
from bcikit.session.channel import ChannelServer
from bcikit.signal import Chunk, Recording, StreamInfo
from bcikit.signal.messages import Raw, StateChanged, Streams
from bcikit.ui import theme as themes
from bcikit.ui import words
from bcikit.ui.reader import StreamReader
from bcikit.ui.theme import Theme
from bcikit.viewer import choose, start
from bcikit.viewer.annotations import Annotation, annotation_of, read_tsv
from bcikit.viewer.choose import StartPage, dropped
from bcikit.viewer.folder import show_file
from bcikit.viewer.menus import beside_dialog, copy_bad, copy_code, save_annotations
from bcikit.viewer.start import Viewer, parse
from bcikit.viewer.still import StillHistory
from bcikit.viewer.window import ViewerWindow

NAMES = ["C3", "Cz", "C4"]


@pytest.fixture(scope="module")
def edf(tmp_path_factory) -> Path:
    tmp_path = tmp_path_factory.mktemp("file")
    data = np.random.default_rng(3).standard_normal((3, 4000)) * 1e-5
    raw = mne.io.RawArray(data, mne.create_info(NAMES, 200.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([5.0], [2.0], ["task"]))
    mne.export.export_raw(tmp_path / "one.edf", raw, verbose="ERROR")
    return tmp_path / "one.edf"


@pytest.fixture
def viewer(qtbot, settings: QSettings, monkeypatch):
    """Return a function that opens the viewer as its program does; nothing is looked for in a network."""
    monkeypatch.setattr(StartPage, "search", lambda _: None)
    made: list[Viewer] = []

    def make(*words: str) -> Viewer:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        made.append(Viewer(parse(["--language", "en", "--theme", "dark", *words]), application, settings))
        return made[-1]

    yield make
    for one in made:
        one._close_source()
        if one._stops is not None:
            QApplication.instance().removeEventFilter(one._stops)
        one.window.close()
        one.window.deleteLater()


def page_of(viewer: Viewer) -> StartPage:
    page = viewer.window.centralWidget()
    assert isinstance(page, StartPage)
    return page


def test_without_a_source_it_begins_with_the_start_page_and_opens_what_is_chosen(viewer, settings, edf: Path) -> None:
    one = viewer()
    page_of(one).chosen.emit(f"file:{edf}")
    assert isinstance(one.window, ViewerWindow)
    assert one.window.traces["raw"].info.ch_names == tuple(NAMES)
    assert str(edf) in one.window.windowTitle()
    assert settings.value("recent") == [f"file:{edf}"]
    one.window.look_wanted.emit("dark", "")
    assert one.window.traces["raw"].info.ch_names == tuple(NAMES), "in another look it is the same thing"
    one.choose()
    assert page_of(one).lately.item(0).text() == f"file:{edf}"


@pytest.mark.parametrize(
    ("address", "why"), [("", ""), ("no address", "no address"), ("session:x", "is not one that runs here")]
)
def test_what_cannot_be_opened_leads_back_with_its_reason(viewer, tmp_path, monkeypatch, address, why) -> None:
    monkeypatch.setenv("BCIKIT_RUNNING", str(tmp_path))
    one = viewer()
    one.open(address)
    assert why in page_of(one).why.text()


def test_a_new_look_is_kept(viewer, settings) -> None:
    one = viewer()
    before = one.window
    one._change_look("light", "zh")
    assert one.window is not before
    page_of(one)
    assert (settings.value("theme"), settings.value("language")) == ("light", "zh")


def test_a_new_look_or_language_goes_on_with_what_was_chosen(viewer, edf: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('traces = ["C3-Cz", "C4-Cz"]', encoding="utf-8")
    one = viewer("--source", f"file:{edf}")
    panel = one.window.traces["raw"]
    panel.load_montage(own)
    panel.toggle_bad("C4")
    panel.montage_choice.setCurrentText("average")
    panel.band.setCurrentText("1-40 Hz")
    panel.notch.setCurrentText("50 Hz")
    panel.scale_choice.setCurrentText("20 µV")
    panel.window_choice.setCurrentText("5 s")
    panel.toggle("cursors")
    panel.look_at(panel.canvas.history.time_at(2000))
    panel.move_cursor(0, 7)
    before = panel.canvas
    middle, cursors = before.frozen_end, list(before.cursors)
    first, matrix = one.window, before.montage.matrix
    first.add_beside(f"file:{edf}").panel.toggle_bad("Cz")
    one._change_look("light", "zh")
    assert one.window is not first
    panel = one.window.traces["raw"]
    canvas = panel.canvas
    assert panel.bad == {"C4"}
    assert [side.panel.bad for side in one.window.beside.values()] == [{"Cz"}]
    assert (canvas.filter.band, canvas.filter.notch) == ("1-40 Hz", 50.0)
    assert (canvas.montage.name, panel.montage_choice.currentText()) == ("average", words.tr("average"))
    np.testing.assert_array_equal(canvas.montage.matrix, matrix)
    assert canvas.dimmed == {2}
    assert (canvas.lane_uv, panel.scale_choice.currentText()) == ({"eeg": 20.0}, "20 µV")
    assert (canvas.seconds, canvas.frozen_end, canvas.cursors) == (5.0, middle, cursors)
    panel.montage_choice.setCurrentText("mine")
    assert canvas.montage.labels == ("C3-Cz", "C4-Cz")
    copy_bad(one.window)
    assert '["C3", "Cz"]' in QApplication.clipboard().text()


@pytest.mark.parametrize("name", ["no-such-folder/a.png", "a.nothing"])
def test_a_picture_that_cannot_be_saved_is_no_success(name: str, qapp, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(start, "QSettings", lambda *_: QSettings(str(tmp_path / "l.ini"), QSettings.Format.IniFormat))
    monkeypatch.setattr(QApplication, "exec", lambda *_: [qapp.processEvents() for _ in range(20)] and 0)
    assert start.main(["--screenshot", str(tmp_path / name), "--after", "0"]) == 2
    assert "No picture was saved" in capsys.readouterr().err
    assert start.main(["--screenshot", str(tmp_path / "a.png"), "--after", "0"]) == 0
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize("size", ["big", "1280", "0x0", "-5x800", "1280x"])
def test_a_size_that_is_none_is_said(size: str, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        parse([f"--size={size}"])
    assert error.value.code == 2
    assert "allowed: width and height in pixels, as 1280x800" in capsys.readouterr().err


def test_a_session_window_without_a_session_says_how_to_join_one(capsys, monkeypatch) -> None:
    monkeypatch.setattr(start, "prepare", QApplication.instance)
    assert start.main(["--session"]) == 2
    assert "to join one: bcikit view session:NAME" in capsys.readouterr().err


# ---- what is dropped, and what a dialog chooses ----------------------------------------------------------------------
def data_of(*paths: Path, text: str = "") -> QMimeData:
    data = QMimeData()
    if paths:
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    if text:
        data.setText(text)
    return data


class Drop:
    """What a page asks of a drop; events of Qt that no window sent are nobody's, and end the program by chance."""

    def __init__(self, data: QMimeData) -> None:
        self.data, self.accepted = data, False

    def mimeData(self) -> QMimeData:
        return self.data

    def acceptProposedAction(self) -> None:
        self.accepted = True


def test_files_folders_and_addresses_can_be_dropped_and_nothing_else(edf: Path, tmp_path: Path) -> None:
    assert dropped(Drop(data_of(edf, tmp_path, tmp_path / "gone"))) == [f"file:{edf}", str(tmp_path)]
    lines = f"lsl:name=x\n{edf}\nhello\n{tmp_path}\nhttp://x\n"
    assert dropped(Drop(data_of(text=lines))) == ["lsl:name=x", f"file:{edf}", str(tmp_path)]
    assert dropped(Drop(QMimeData())) == []


def test_the_start_page_takes_what_is_dropped_or_chosen_in_a_dialog(
    qtbot, dark: Theme, settings: QSettings, edf: Path, monkeypatch
) -> None:
    page = StartPage(dark, settings, look=list)
    qtbot.addWidget(page)
    chosen: list[str] = []
    page.chosen.connect(chosen.append)
    data = data_of(edf)
    come = Drop(data)
    page.dragEnterEvent(come)
    assert come.accepted
    page.dropEvent(Drop(data))
    for name in ("", str(edf)):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, name=name: (name, ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, name=name: name and str(edf.parent))
        page._file()
        page._folder()
    assert chosen == [f"file:{edf}", f"file:{edf}", str(edf.parent)]
    page._add(page.now, ("lsl:name=x", "LSL stream", "EEG"))
    assert page.now.mimeData([page.now.item(page.now.count() - 1)]).text() == "lsl:name=x"


def test_what_is_reachable_is_named_in_words(monkeypatch) -> None:
    device = SimpleNamespace(address="brainflow:cyton", what="serial port", detail="FTDI")
    monkeypatch.setattr("bcikit.acquisition.reachable_devices", lambda **_: [device])
    monkeypatch.setattr(choose, "running", lambda: [SimpleNamespace(name="7-1", title="a run")])
    assert choose.reachable() == [
        ("session:7-1", "session that runs", "a run"),
        ("brainflow:cyton", "serial port", "FTDI"),
    ]


def test_the_details_of_devices_are_in_the_language_of_the_window(qapp, monkeypatch) -> None:
    from bcikit.acquisition import devices

    board = devices._simulated()
    details = ["EEG, EEG, 8 channels, irregular, host", "unknown device", *(one.detail for one in board)]
    made = [devices.Device(address="lsl:name=x", what="LSL stream", detail=detail) for detail in details]
    monkeypatch.setattr("bcikit.acquisition.reachable_devices", lambda **_: made)
    monkeypatch.setattr(choose, "running", list)
    words.install(qapp, "zh")
    try:
        said = [row[2] for row in choose.reachable()]
    finally:
        words.install(qapp, "en")
    assert said[0] == "EEG, EEG, 8 通道, 不定采样, host"
    assert not [text for text in said[1:] if not re.search("[\u4e00-\u9fff]", text)]


@pytest.fixture(scope="module")
def shown(qapp, edf: Path):
    """A window on a file, made once: it costs more than a second."""
    store = QSettings(str(edf.with_suffix(".ini")), QSettings.Format.IniFormat)
    window = ViewerWindow(themes.DARK, source=f"file:{edf}", preset="device", use_saved=False, settings=store)
    window.resize(1280, 800)
    show_file(window, edf)
    window.show()
    yield window
    window.close()


def test_a_file_is_added_beside_by_a_drop_and_by_the_dialog(shown: ViewerWindow, edf: Path, monkeypatch) -> None:
    monkeypatch.setattr(StartPage, "search", lambda _: None)
    shown.dropEvent(Drop(data_of(edf)))
    dialog = beside_dialog(shown)
    page = dialog.findChild(StartPage)
    page.chosen.emit("file:/no/such/file.edf")
    assert dialog.result() == QDialog.DialogCode.Accepted
    whole, missing = shown.beside.values()
    assert whole.panel.info.ch_names == tuple(NAMES)
    assert [mark.text for mark in whole.panel.canvas.marks] == ["task"]
    assert missing.panel is None
    assert "file.edf" in missing.label.text()


# ---- the menus -------------------------------------------------------------------------------------------------------
def test_code_and_setting_without_bad_channels_are_in_the_clipboard(shown: ViewerWindow, edf: Path) -> None:
    clipboard = QApplication.clipboard()
    copy_code(shown)
    assert edf.name in clipboard.text()
    compile(clipboard.text(), "copied", "exec")
    shown.current_traces().toggle_bad("Cz")
    copy_bad(shown)
    assert clipboard.text() == '[source]\nchannels = ["C3", "C4"]\n'


def test_annotations_are_saved_where_a_person_says_or_why_not_is_said(
    shown: ViewerWindow, tmp_path: Path, monkeypatch
) -> None:
    shown.marking.items.add(Annotation(time=shown.marking.start + 1.0, duration=0.5, kind="note", text="here"))
    said = shown.statusBar().currentMessage
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    before = said()
    save_annotations(shown)
    assert said() == before
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "a.tsv"), ""))
    save_annotations(shown)
    assert "a.tsv" in said()
    (item,) = [item for item in read_tsv(tmp_path / "a.tsv", start=shown.marking.start) if item.text == "here"]
    assert item.time == pytest.approx(shown.marking.start + 1.0)
    save_annotations(shown, str(tmp_path / "no" / "a.tsv"))
    assert "No such file" in said()


def test_an_arrangement_is_saved_only_where_it_can_be_kept(shown: ViewerWindow, qtbot, dark: Theme) -> None:
    shown.save_layout()
    assert "saved" in shown.statusBar().currentMessage()
    bare = ViewerWindow(dark, use_saved=False)
    qtbot.addWidget(bare)
    bare.restore_layout()
    assert bare.statusBar().currentMessage() == "No arrangement is saved"
    copy_code(bare)
    assert bare.statusBar().currentMessage() == "There are no traces yet"


def test_the_wheel_scales_and_with_ctrl_changes_the_window(shown: ViewerWindow) -> None:
    panel = shown.current_traces()

    def turn(by: int, keys: Qt.KeyboardModifier) -> None:
        panel.wheelEvent(QWheelEvent(QPointF(50, 50), QPointF(50, 50), QPoint(), QPoint(0, by),
                                     Qt.MouseButton.NoButton, keys, Qt.ScrollPhase.NoScrollPhase, False))  # fmt: skip

    lane, width = panel.canvas.lane_uv["eeg"], panel.canvas.window_samples
    turn(-120, Qt.KeyboardModifier.NoModifier)
    assert panel.canvas.lane_uv["eeg"] != lane
    turn(120, Qt.KeyboardModifier.NoModifier)
    assert panel.canvas.lane_uv["eeg"] == lane
    turn(-120, Qt.KeyboardModifier.ControlModifier)
    assert panel.canvas.window_samples > width


def test_a_montage_of_a_file_is_offered_from_then_on_and_a_wrong_one_is_said(
    shown: ViewerWindow, tmp_path: Path, monkeypatch
) -> None:
    panel = shown.current_traces()
    good = tmp_path / "mine.toml"
    good.write_text('name = "mine"\ntraces = ["C3-Cz", "C4-Cz"]\n')
    (tmp_path / "wrong.toml").write_text('name = "wrong"\ntraces = ["Oz-Pz"]\n')
    told: list[str] = []
    panel.readout.connect(told.append)

    def choose_file(path: str) -> None:
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (path, ""))
        panel.montage_choice.setCurrentIndex(panel.montage_choice.count() - 1)

    choose_file("")
    before = panel.montage_choice.currentText()
    choose_file(str(tmp_path / "wrong.toml"))
    assert panel.montage_choice.currentText() == before
    assert told
    choose_file(str(good))
    assert list(panel.canvas.montage.labels) == ["C3-Cz", "C4-Cz"]
    assert panel.montage_choice.currentText() == "mine"


@pytest.fixture
def live(qtbot, dark: Theme, info: StreamInfo) -> tuple[StreamReader, ViewerWindow]:
    """Return a window over a live stream, which is never started: the test hands over what would come."""
    reader = StreamReader(lambda: open_source("sim:motor-imagery"))
    reader.info = info
    window = ViewerWindow(dark, raw=reader, source="lsl:name=test", use_saved=False)
    qtbot.addWidget(window)
    return reader, window


# ---- record ----------------------------------------------------------------------------------------------------------
def test_the_button_records_what_is_looked_at_and_says_where(
    qtbot, live: tuple[StreamReader, ViewerWindow], dark: Theme, chunks: Callable[..., list[Chunk]], tmp_path: Path
) -> None:
    reader, window = live
    recorder = window.recording
    recorder.folder = tmp_path / "recordings"
    (tmp_path / "recordings").write_text("in the way")
    recorder.toggle()
    assert recorder.tap is None, "a file is in the way, which is said"
    assert window.statusBar().currentMessage()
    (tmp_path / "recordings").unlink()
    recorder.toggle()
    for chunk in chunks(4):
        reader._keep(chunk)
    assert (recorder.tap.fault, recorder.tap.n_samples) == ("", 1000)
    recorder.refresh()
    assert "1000 samples, 0 lost" in recorder.text.text()
    recorder.toggle()
    assert recorder.tap is None
    assert str(recorder.last) in recorder.text.text()
    session = read_session(recorder.last)
    assert isinstance(session.recording, Recording)
    assert session.recording.n_times == 1000
    bare = ViewerWindow(dark, use_saved=False)
    qtbot.addWidget(bare)
    bare.recording.toggle()
    assert bare.statusBar().currentMessage() == "There is no stream to record"


def test_a_recording_has_the_annotations_that_reach_into_its_time_and_the_list_tells_of_the_others(
    qtbot, live: tuple[StreamReader, ViewerWindow], dark: Theme, chunks: Callable[..., list[Chunk]], tmp_path: Path
) -> None:
    reader, window = live
    items, state = window.marking.items, window.marking.panel.state
    over = items.add(Annotation(time=40.0, duration=3.0, kind="movement"))
    span = items.add(Annotation(time=99.0, duration=1.5, text="eyes closed", channel="C3"))
    assert "this window only" in state.text()
    stream = iter(chunks(8))
    told = {}
    for name in ("one", "two"):
        window.recording.folder = tmp_path / name
        window.recording.toggle()
        assert str(tmp_path / name) in state.text()
        for _ in range(20):
            reader._keep(next(stream))
        inside = items.add(Annotation(time=101.0 if name == "one" else 103.0, kind="blink"))
        assert f"in this window only: {1 if name == 'one' else 3} from before" in state.text()
        items.edit(replace(over, text=name))
        if name == "one":
            items.edit(replace(span, text="eyes shut"))
        else:
            items.edit(replace(inside, time=90.0))
            items.edit(replace(inside, duration=0.5))
            said, old = state.text(), window
            window = ViewerWindow(dark, raw=reader, source="lsl:name=test", use_saved=False)
            qtbot.addWidget(window)
            window.take_over(old)
            assert window.marking.panel.state.text() == said
            items = window.marking.items
        window.recording.toggle()
        told[name] = [annotation_of(event) for event in read_session(window.recording.last).recording.events]
        files = ("--edf", str(tmp_path / f"{name}.edf"), "--bids", str(tmp_path / f"{name}-bids"))
        written = CliRunner().invoke(app, ["export", str(window.recording.last), *files, "--keep", "texts"])
        assert written.exit_code == 0, written.output
    blinks = {item.time: item for item in items if item.kind == "blink"}
    assert told["one"] == [replace(span, time=100.0, duration=0.5, text="eyes shut"), blinks[101.0]]
    assert told["two"] == [replace(blinks[103.0], duration=0.5)]
    assert len(items) == 4


def test_annotations_of_what_goes_on_are_saved_in_seconds_from_its_first_sample(
    qtbot, live: tuple[StreamReader, ViewerWindow], info: StreamInfo, dark: Theme, chunks: Callable[..., list[Chunk]],
    tmp_path: Path,
) -> None:  # fmt: skip
    reader, window = live

    def saved(shown: ViewerWindow) -> list[float]:
        save_annotations(shown, str(tmp_path / "live.tsv"))
        save_annotations(shown, str(tmp_path / "live-annot.fif"))
        told = [item.time for item in read_tsv(tmp_path / "live.tsv", start=0.0)]
        assert mne.read_annotations(tmp_path / "live-annot.fif").onset.tolist() == pytest.approx(told)
        listed = [row[0] for row in shown.marking.panel.table()[1:]]
        assert listed == [f"{onset:.3f} s" for onset in told]
        return told

    window.marking.items.add(Annotation(time=103.5, kind="blink"))
    window.add_stream("raw", info)
    # Opened a second after the stream began: its sample 0 was at 100 s.
    for chunk in chunks(2, start=250):
        window.take_chunk("raw", chunk)
    assert saved(window) == [3.5]
    window.recording.folder = tmp_path
    window.recording.toggle()
    for chunk in chunks(2, start=750):
        reader._keep(chunk)
        window.take_chunk("raw", chunk)
    window.recording.refresh()
    assert saved(window) == [0.5], "as in the recording, whose first sample was at 103 s"
    again = ViewerWindow(dark, raw=reader, source="lsl:name=test", use_saved=False)
    qtbot.addWidget(again)
    again.take_over(window)
    again.take_chunk("raw", chunks(1, start=1250)[0])
    assert saved(again) == [0.5]
    again.recording.toggle()
    assert saved(again) == [3.5]


def test_a_session_folder_is_shown_beside_with_its_events(shown: ViewerWindow, tmp_path: Path, monkeypatch) -> None:
    from bcikit.viewer import beside

    history = StillHistory(shown.current_traces().canvas.history.recording)
    monkeypatch.setattr(beside, "read_session", lambda _: Session.from_recording(history.recording))
    side = beside.SideStream(str(tmp_path), shown.theme)
    assert side.panel.info.ch_names == tuple(NAMES)
    assert [mark.text for mark in side.panel.canvas.marks] == ["task"]
    side.halt()


# ---- what is left ----------------------------------------------------------------------------------------------------
def test_what_is_recorded_is_sealed_and_what_is_beside_is_given_back_when_something_else_is_opened(
    viewer, info: StreamInfo, chunks: Callable[..., list[Chunk]], tmp_path: Path, edf: Path, monkeypatch
) -> None:
    halted: list[object] = []
    reader = StreamReader(lambda: open_source("sim:motor-imagery"))
    reader.info = info
    one = viewer("--source", f"file:{edf}")
    window = one.window
    window._readers["raw"] = reader
    monkeypatch.setattr(reader, "halt", lambda: halted.append(reader))
    window.recording.folder = tmp_path
    window.recording.toggle()
    folder = window.recording.tap.folder
    for chunk in chunks(1):
        reader._keep(chunk)
    window.beside["beside-1"] = SimpleNamespace(halt=lambda: halted.append("beside"), tick=lambda: None, address="")
    window.choose_wanted.emit()
    assert halted == ["beside", reader]
    assert read_session(folder).status == "complete"


def test_another_session_of_that_name_gets_a_window_of_its_own(viewer, monkeypatch) -> None:
    """Traces, marks, notes and averages of one person never stand beside those of the next."""
    servers = [ChannelServer()]
    monkeypatch.setattr(start, "find_running", lambda _: SimpleNamespace(ticket=servers[-1].ticket("window")))
    one = viewer("--source", "session:")
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
    at = {"sample": 0}

    def speak() -> None:
        first = at["sample"]
        at["sample"] += 5
        servers[-1].touch()
        servers[-1].say(Raw(chunk=Chunk(np.full((5, 2), len(servers)), np.arange(5) / 250, first), time=0.0))
        one.window.tick()

    def wait_for(true: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end
            speak()
            QApplication.processEvents()
            time.sleep(0.01)

    def shown() -> int:
        panel = one.window.traces.get("raw")
        return 0 if panel is None else panel.canvas.history.end

    servers[0].say(Streams(raw=info.to_dict()))
    wait_for(lambda: shown() > 20)
    first = one.window
    servers[0].say(StateChanged(state="FINISHED"))
    wait_for(lambda: first.view.status.finished)
    servers.append(ChannelServer())
    servers[1].say(Streams(raw=info.to_dict()))
    servers[0].close()
    wait_for(lambda: one.window is not first and shown() > 20)
    history = one.window.traces["raw"].canvas.history
    assert set(np.unique(history.get(0, history.end))) == {2.0}
    assert not one.window.view.status.finished
    servers[1].close()
