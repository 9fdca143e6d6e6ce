"""The viewer as an everyday tool: open, see, mark, record, go back; what it writes is read by other programs."""

import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
import pyxdf
from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from bcikit.acquisition import open_source
from bcikit.presentation.qt.keys import SpaceStops
from bcikit.recording import read_session
from bcikit.signal import ArgumentError, Chunk, DataError, Event, Recording, StreamInfo
from bcikit.ui.orders import Orders
from bcikit.ui.reader import StreamReader
from bcikit.ui.theme import Theme, rgb
from bcikit.viewer.annotations import Annotation, Annotations, beside, read_tsv, write_tsv
from bcikit.viewer.choose import PERSON, StartPage, recent, remember
from bcikit.viewer.code import code_of
from bcikit.viewer.folder import show_file, show_folder
from bcikit.viewer.menus import carry_bad, save_annotations
from bcikit.viewer.montages import make_montage, names_of, read_montage
from bcikit.viewer.overview import band_course
from bcikit.viewer.start import still_path
from bcikit.viewer.still import StillHistory
from bcikit.viewer.window import ViewerWindow

NAMES = ("Fp1", "F7", "F3", "Fz", "T3", "C3", "Cz", "A1", "A2")


def wait_for(true: Callable[[], object], *, step: Callable[[], object] = lambda: None, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        step()
        QApplication.processEvents()
        time.sleep(0.01)


def recording(seconds: float = 60.0, sfreq: float = 200.0, names: tuple[str, ...] = NAMES) -> Recording:
    rng = np.random.default_rng(3)
    times = np.arange(round(seconds * sfreq)) / sfreq
    data = rng.standard_normal((times.size, len(names))) * 10
    data[times >= seconds / 2] += 40 * np.sin(2 * np.pi * 10 * times[times >= seconds / 2])[:, None]
    events = tuple(Event(name=f"cue/{n}", time=100.0 + n) for n in range(1, 10))
    info = StreamInfo(name="still", sfreq=sfreq, ch_names=names)
    return Recording.from_arrays(info, data, start=100.0, events=events)


@pytest.fixture
def store(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def edf(tmp_path: Path) -> Path:
    """A file that MNE wrote."""
    found = recording()
    raw = mne.io.RawArray(found.data.T * 1e-6, mne.create_info(list(NAMES), found.info.sfreq, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([5.0], [2.0], ["task"]))
    path = tmp_path / "one.edf"
    mne.export.export_raw(path, raw, verbose="ERROR")
    return path


@pytest.fixture
def shown(qtbot, dark: Theme, edf: Path):
    window = ViewerWindow(dark, source=f"file:{edf}", preset="device", use_saved=False)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    show_file(window, edf)
    qtbot.waitExposed(window)
    yield window
    window.close()


# ---- open and choose -------------------------------------------------------------------------------------------------
def test_the_start_page_lists_what_there_is_and_a_click_chooses(
    qtbot, dark: Theme, store: QSettings, edf: Path
) -> None:
    remember(store, f"file:{edf}")
    remember(store, "file:/no/such/file.edf")
    assert recent(store) == [f"file:{edf}"]
    # Nor is its name kept anywhere: it may be the code of a person who was erased.
    store.sync()
    assert "no/such/file" not in Path(store.fileName()).read_text(encoding="utf-8")
    rows = [("lsl:source_id=a", "LSL stream", "one, EEG"), ("lsl:source_id=b", "LSL stream", "two, EEG"),
            ("lsl:source_id=m", "LSL markers", "markers")]  # fmt: skip
    page = StartPage(dark, store, look=lambda: rows, why="there are two streams: say which by source_id")
    qtbot.addWidget(page)
    page.show()
    chosen: list[str] = []
    page.chosen.connect(chosen.append)
    wait_for(lambda: page.now.count() == 2)
    assert "source_id" in page.why.text()
    page.now.setCurrentRow(1)
    QTest.mouseClick(page.open_button, Qt.MouseButton.LeftButton)
    page.unit.setCurrentText("mV")
    page.now.itemActivated.emit(page.now.item(0))
    page.lately.setCurrentRow(0)
    assert page.now.selectedItems() == []
    QTest.mouseClick(page.open_button, Qt.MouseButton.LeftButton)
    assert chosen == ["lsl:source_id=b", "lsl:source_id=a&unit=mV", f"file:{edf}"]


def test_a_page_that_finds_nothing_or_fails_says_so(qtbot, dark: Theme, store: QSettings) -> None:
    def fails() -> list[tuple[str, str, str]]:
        raise OSError("no network")

    page = StartPage(dark, store, look=fails)
    qtbot.addWidget(page)
    wait_for(lambda: "no network" in page.search_label.text())
    QTest.mouseClick(page.open_button, Qt.MouseButton.LeftButton)
    assert page.why.text()


def test_a_path_needs_no_scheme(edf: Path) -> None:
    assert still_path(str(edf)) == edf
    assert still_path(f"file:{edf}") == edf
    assert still_path(f"file:{edf}?speed=1") is None
    assert still_path(PERSON) is None
    assert still_path("") is None


def test_without_a_display_it_says_so_and_ends(tmp_path: Path) -> None:
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {key: value for key, value in os.environ.items() if key not in gone}
    run = subprocess.run(
        [sys.executable, "-m", "bcikit", "view", PERSON],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert "no display" in run.stderr + run.stdout


# ---- annotate --------------------------------------------------------------------------------------------------------
def test_annotations_beside_a_file_are_read_back_by_mne_and_by_us(shown: ViewerWindow, edf: Path) -> None:
    panel = shown.traces["raw"]
    panel.annotate_button.click()
    middle = panel.canvas.rect().center()
    QTest.mousePress(panel.canvas, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(panel.canvas, middle + type(middle)(60, 0))
    QTest.mouseRelease(panel.canvas, Qt.MouseButton.LeftButton, pos=middle + type(middle)(60, 0))
    dialog = shown.marking.dialog
    assert dialog is not None
    QTest.keyClicks(dialog.text, "blink after N, with A and C")
    dialog.kind.setCurrentText("artefact")
    seconds = dialog.duration.value()
    assert seconds == pytest.approx(60 / panel.canvas.width() * panel.canvas.seconds, abs=0.1)
    dialog.accept()
    (kept,) = shown.marking.items
    assert kept.text == "blink after N, with A and C"
    table = beside(edf).read_text(encoding="utf-8").splitlines()
    assert table[0].split("\t")[:3] == ["onset", "duration", "trial_type"]
    assert float(table[1].split("\t")[0]) == pytest.approx(kept.time - shown.marking.start, abs=1e-5)
    save_annotations(shown, str(edf.with_name("one-annot.fif")))
    made = mne.read_annotations(edf.with_name("one-annot.fif"))
    raw = mne.io.read_raw_edf(edf, verbose="ERROR").set_annotations(made)
    assert raw.annotations.description[0] == "artefact: blink after N, with A and C"
    assert raw.annotations.onset[0] == pytest.approx(5.0, abs=0.1)
    assert raw.annotations.duration[0] == pytest.approx(seconds, abs=1e-3)
    # The list: edit, delete; the file follows.
    shown.marking.panel.list.selectRow(0)
    shown.marking.panel.edit_wanted.emit(kept.key)
    assert shown.marking.dialog is not None
    shown.marking.dialog.text.setText("a yawn")
    shown.marking.dialog.accept()
    assert [item.text for item in read_tsv(beside(edf), start=0.0)] == ["a yawn"]
    assert [mark.text for mark in panel.canvas.marks if mark.own] == ["artefact: a yawn"]
    shown.marking.panel.list.selectRow(0)
    QTest.keyClick(shown.marking.panel.list, Qt.Key.Key_Delete)
    shown.marking.panel.delete()
    assert read_tsv(beside(edf), start=0.0) == []
    assert [mark for mark in panel.canvas.marks if mark.own] == []


def test_annotations_are_there_again_when_the_file_is_opened_again(qtbot, dark: Theme, edf: Path) -> None:
    write_tsv(
        [Annotation(time=7.5, duration=1.0, kind="sleep", text="spindle", channel="C3", key="k")],
        beside(edf),
        start=0.0,
    )
    window = ViewerWindow(dark, source=f"file:{edf}", use_saved=False)
    qtbot.addWidget(window)
    window.resize(900, 600)
    show_file(window, edf)
    assert [(i.kind, i.text, i.channel) for i in window.marking.items] == [("sleep", "spindle", "C3")]
    assert window.marking.panel.table()[1][2:] == ["sleep", "spindle", "C3"]
    window.close()


@pytest.mark.parametrize("text", ["onset\tduration\nx\t0\n", "duration\n1\n"])
def test_a_table_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x_annotations.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        read_tsv(path, start=0.0)


def test_annotations_have_one_line_and_no_end_before_their_beginning() -> None:
    said: list[str] = []
    items = Annotations(lambda what, item: said.append(what))
    made = items.add(Annotation(time=1.0, text="two\tcells\nand lines", kind=" "))
    assert (made.text, made.kind) == ("two cells and lines", "note")
    with pytest.raises(ArgumentError, match="duration"):
        items.add(Annotation(time=1.0, duration=-1.0))
    with pytest.raises(ArgumentError):
        items.edit(Annotation(time=0.0, key="other"))
    items.delete("other")
    items.delete(made.key)
    assert said == ["added", "deleted"]


# ---- keys ------------------------------------------------------------------------------------------------------------
def test_stop_is_reached_while_one_writes_and_no_other_key_is_taken(qtbot, dark: Theme, edf: Path) -> None:
    sent: list[dict[str, Any]] = []

    class Client:
        def send(self, order: dict[str, Any]) -> None:
            sent.append(order)

        def close(self) -> None:
            pass

    window = ViewerWindow(dark, orders=Orders(Client()), use_saved=False)
    qtbot.addWidget(window)
    stops = SpaceStops(window.stop, window)
    QApplication.instance().installEventFilter(stops)
    try:
        window.show()
        window.marking.ask(1.0, 0.0, "")
        dialog = window.marking.dialog
        assert dialog is not None
        field = dialog.kind.lineEdit()
        for widget in (dialog.text, field):
            widget.clear()
            QTest.keyClicks(widget, "Nap 5 [+-] f c w")
            assert widget.text() == "Nap 5 [+-] f c w"
        assert sent == []
        QTest.keyClick(dialog.text, Qt.Key.Key_F12)
        wait_for(lambda: [o["do"] for o in sent] == ["stop"])
        both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        QTest.keyClick(dialog.duration, Qt.Key.Key_Space, both)
        wait_for(lambda: [o["do"] for o in sent] == ["stop", "stop"])
        dialog.reject()
    finally:
        QApplication.instance().removeEventFilter(stops)
        window.close()


# ---- record ----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_stream_that_is_looked_at_is_recorded_with_its_annotations(qtbot, dark: Theme, tmp_path: Path) -> None:
    address = "sim:motor-imagery?live=1&channels=C3,C4"
    reader = StreamReader(lambda: open_source(address))
    reader.start()
    window = ViewerWindow(dark, raw=reader, source=address, use_saved=False)
    qtbot.addWidget(window)
    window.recording.folder = tmp_path
    wait_for(lambda: window.recording.possible)
    window.recording.button.click()
    tap = window.recording.tap
    assert tap is not None
    wait_for(lambda: tap.n_samples > 400)
    end = window.traces["raw"].canvas.history
    at = end.time_at(end.end - 100)
    item = window.marking.items.add(Annotation(time=at, duration=0.2, kind="movement", text="scratched"))
    wait_for(lambda: tap.n_samples > 600)
    window.recording.refresh()
    assert "lost" in window.recording.text.text()
    window.recording.button.click()
    window.close()
    session = read_session(tap.folder)
    assert session.status == "complete"
    assert session.recording.n_times == tap.n_samples
    (event,) = [event for event in session.events if event.name == "annotation/movement"]
    assert (event.time, event.duration, event.value) == (item.time, 0.2, "scratched")
    streams, _ = pyxdf.load_xdf(str(next(tap.folder.glob("*.xdf"))), dejitter_timestamps=False)
    markers = [
        text for stream in streams if stream["info"]["type"][0] == "Markers" for (text,) in stream["time_series"]
    ]
    assert any("scratched" in text for text in markers)


# ---- montages and bad channels ---------------------------------------------------------------------------------------
def test_montages_are_what_they_say(tmp_path: Path) -> None:
    info = recording().info
    data = recording().data.astype(np.float32)
    assert names_of(info) == ["as recorded", "average", "linked ears", "longitudinal bipolar", "transverse bipolar"]
    average = make_montage(info, "average", bad=["Fp1"]).apply(data)
    np.testing.assert_allclose(average, data - data[:, 1:].mean(axis=1, keepdims=True), atol=1e-3)
    ears = make_montage(info, "linked ears").apply(data)
    np.testing.assert_allclose(ears, data - data[:, 7:9].mean(axis=1, keepdims=True), atol=1e-3)
    bipolar = make_montage(info, "longitudinal bipolar")
    # T3 is the old name of T7; P7, P3 and Pz are not there, so no chain reaches across them.
    assert bipolar.labels == ("Fp1-F7", "F7-T3", "Fp1-F3", "F3-C3", "Fz-Cz")
    np.testing.assert_allclose(bipolar.apply(data)[:, 3], data[:, 2] - data[:, 5], atol=1e-3)
    data[5, 2] = np.nan
    lost = np.isnan(bipolar.apply(data)[5])
    assert lost.tolist() == [False, False, True, True, False]
    own = tmp_path / "mine.toml"
    own.write_text('traces = ["C3-(A1+A2)/2", "Cz - Fz", "F7"]', encoding="utf-8")
    mine = read_montage(info, own)
    np.testing.assert_allclose(mine.apply(data)[0, 0], data[0, 5] - (data[0, 7] + data[0, 8]) / 2, atol=1e-3)
    for wrong in ('traces = ["X-Y"]', 'traces = "C3"', "traces = [", 'traces = ["C3-(A1+A2)/3"]'):
        own.write_text(wrong, encoding="utf-8")
        with pytest.raises(ArgumentError, match=r"mine.toml"):
            read_montage(info, own)


def test_a_laplacian_takes_the_nearest_that_are_good(data_dir: Path) -> None:
    from bcikit.acquisition import read_recording

    info = read_recording(data_dir / "eegmmidb" / "S001R14.edf").info
    cz = info.ch_names.index("Cz")
    row = make_montage(info, "Laplacian").matrix[cz]
    near = {info.ch_names[c] for c in np.flatnonzero(row) if c != cz}
    assert near == {"C1", "C2", "FCz", "CPz"}
    row = make_montage(info, "Laplacian", bad=["C1"]).matrix[cz]
    assert row[info.ch_names.index("C1")] == 0
    assert row.sum() == pytest.approx(0.0)


def test_a_click_on_a_name_marks_it_bad_and_back(shown: ViewerWindow) -> None:
    panel = shown.traces["raw"]
    panel.montage_choice.setCurrentText("average")
    before = panel.value_at(100, 3)
    lane = panel.gutter.height() / len(panel.canvas.shown)
    place = panel.gutter.rect().topLeft()
    place.setY(round(0.5 * lane))
    place.setX(50)
    QTest.mouseClick(panel.gutter, Qt.MouseButton.LeftButton, pos=place)
    assert panel.bad == {"Fp1"}
    assert 0 in panel.canvas.dimmed
    assert panel.value_at(100, 3) != before
    QTest.mouseClick(panel.gutter, Qt.MouseButton.LeftButton, pos=place)
    assert panel.bad == set()
    assert panel.value_at(100, 3) == before
    # A reference that is bad is none: the picture goes on as recorded, and says why.
    for montage, names in (("linked ears", ("A1", "A2")), ("average", NAMES)):
        panel.montage_choice.setCurrentText(montage)
        for name in names:
            panel.toggle_bad(name)
        assert panel.canvas.montage.name == panel.montage_choice.currentText() == "as recorded"
        assert "Bad by hand" in shown.statusBar().currentMessage()
        for name in names:
            panel.toggle_bad(name)
    # What stands alone is chosen by its group, what is a difference by both.
    panel.montage_choice.setCurrentText("longitudinal bipolar")
    assert len(panel.canvas.shown) == 5
    assert panel.table()[0][2:] == [f"{name} uV" for name in panel.canvas.montage.labels]
    panel.canvas.grab()


# ---- go back ---------------------------------------------------------------------------------------------------------
def test_a_recording_with_a_gap_keeps_its_times() -> None:
    found = recording(10.0)
    keep = np.r_[0:500, 700:2000]
    cut = Recording(info=found.info, data=found.data[keep], times=found.times[keep], samples=found.samples[keep] + 1000)
    still = StillHistory(cut)
    assert (still.start, still.end, still.lost) == (0, 2000, 200)
    assert np.isnan(still.get(500, 700)).all()
    np.testing.assert_array_equal(still.get(700, 720), found.data[700:720])
    for sample in (0, 499, 700, 1999):
        assert still.time_at(sample) == pytest.approx(found.times[sample])
        assert still.sample_at(found.times[sample]) == sample
    assert still.blocks(15) is None
    for room, length in ((16, 16), (255, 16), (256, 256), (10_000, 256)):
        block, low, high = still.blocks(room)
        assert block == length
        assert low.shape[0] == -(-2000 // block)
        whole = found.data[: 500 // block * block].reshape(-1, block, len(NAMES))
        np.testing.assert_allclose(low[: len(whole)], whole.min(axis=1), rtol=1e-6)
        np.testing.assert_allclose(high[: len(whole)], whole.max(axis=1), rtol=1e-6)
    assert np.isnan(still.blocks(16)[1][36]).all()
    assert not np.isnan(still.low).any()


def test_a_picture_that_is_moved_is_the_picture_that_is_drawn(qtbot, dark: Theme) -> None:
    from bcikit.viewer.trace_panel import TracePanel

    found = recording(120.0)
    panel = TracePanel(found.info, dark, history=StillHistory(found))
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.show()
    canvas = panel.canvas
    ends = (5000, 5003, 5400, 5390, 4100, 9000, 8999, 2000, 2300, 24000, 23990)
    for montage, band in (("as recorded", 0), ("average", 0), ("as recorded", 3)):
        panel.montage_choice.setCurrentText(montage)
        panel.band.setCurrentIndex(band)
        for end in ends:
            canvas.freeze(end)
            columns, image, _ = canvas.picture
            moved = (columns.low.copy(), columns.high.copy(), image.copy(), columns.newest)
            canvas.freeze(end, anew=True)
            columns, image, _ = canvas.picture
            assert moved[3] == columns.newest
            # The newest column is cut by the end of the picture where it is drawn at once.
            inside = np.arange(columns.n_columns) != columns.newest % columns.n_columns
            if band == 0:
                # A mean over channels is rounded otherwise in another number of rows, by some processors.
                np.testing.assert_allclose(moved[0][:, inside], columns.low[:, inside], rtol=1e-5, atol=1e-5)
                np.testing.assert_allclose(moved[1][:, inside], columns.high[:, inside], rtol=1e-5, atol=1e-5)
                different = (moved[2] != image).any(axis=0)
                # Its neighbour is joined to it.
                assert different.sum() <= 3, (end, np.flatnonzero(different))


def test_hours_are_moved_as_they_are_drawn(qtbot, dark: Theme) -> None:
    from bcikit.viewer.trace_panel import TracePanel

    found = recording(3600.0, 200.0, ("C3", "C4"))
    found.data[300_001, 1] = -5000.0
    found.data[310_000:330_000, 0] = np.nan
    panel = TracePanel(found.info, dark, history=StillHistory(found))
    qtbot.addWidget(panel)
    panel.resize(900, 400)
    panel.show()
    panel.window_choice.setCurrentText("900 s")
    canvas = panel.canvas
    for montage in ("as recorded", "average"):
        panel.montage_choice.setCurrentText(montage)
        for end in (320_000, 320_900, 300_200, 290_000, 305_000, 410_000, 400_000, 100_000, 720_000):
            canvas.freeze(end)
            moved = [part.copy() for part in (canvas.picture[0].low, canvas.picture[0].high, canvas.picture[1])]
            canvas.freeze(end, anew=True)
            columns, image, _ = canvas.picture
            inside = np.arange(columns.n_columns) != columns.newest % columns.n_columns
            np.testing.assert_array_equal(moved[0][:, inside], columns.low[:, inside])
            np.testing.assert_array_equal(moved[1][:, inside], columns.high[:, inside])
            assert (moved[2] != image).any(axis=0).sum() <= 3
            if end == 320_000 and montage == "as recorded":
                assert np.nanmin(columns.low[1]) == -5000.0
                assert np.isnan(columns.low[0]).any()


def test_the_overview_measures_the_power_of_the_band() -> None:
    course = band_course(StillHistory(recording(60.0)), points=60)
    assert np.nanmedian(course[40:]) > 20 * np.nanmedian(course[:20])


def test_hours_are_drawn_from_the_extremes_and_lose_no_peak(qtbot, dark: Theme) -> None:
    from bcikit.viewer.trace_panel import TracePanel

    found = recording(1800.0, 200.0, ("C3", "C4"))
    found.data[200_001, 0] = 5000.0
    panel = TracePanel(found.info, dark, history=StillHistory(found))
    qtbot.addWidget(panel)
    panel.resize(600, 500)
    panel.show()
    panel.window_choice.setCurrentText("1800 s")
    columns = panel.canvas.picture[0]
    assert columns.n_samples == 360_000
    assert np.nanmax(columns.high[0]) == 5000.0
    assert panel.overview is not None
    panel.overview.wanted.emit(100_000)
    panel.window_choice.setCurrentText("10 s")
    panel.overview.wanted.emit(200_001)
    assert abs(panel.canvas.frozen_end - 1000 - 200_001) <= 1
    assert panel.overview.view == (panel.canvas.frozen_end - 2000, panel.canvas.frozen_end)
    panel.grab()


@pytest.mark.data
def test_the_code_of_a_picture_makes_the_same_picture(qtbot, dark: Theme, data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "eegmmidb" / "S001R14.edf"
    window = ViewerWindow(dark, source=f"file:{path}", use_saved=False)
    qtbot.addWidget(window)
    window.resize(1000, 700)
    show_file(window, path)
    panel = window.traces["raw"]
    panel.montage_choice.setCurrentText("average")
    panel.look_at(60.0)
    panel.scale_choice.setCurrentText("500 µV")
    panel.toggle_bad("F7")
    panel.canvas.shown = [panel.info.ch_names.index(name) for name in ("Fp1", "F7", "C3", "Oz")]
    panel.canvas.redraw()
    # The axes alone, as large as the traces in the window, are compared dot by dot below.
    size = (panel.canvas.width(), panel.canvas.height())
    script = (
        code_of(panel, window.source)
        + f"""
np.save('drawn.npy', data)
figure.set_size_inches({size[0]} / 100, {size[1]} / 100)
axes.set_position([0, 0, 1, 1])
axes.set_axis_off()
figure.savefig('dots.png', dpi=100)
"""
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    drawn = np.load(tmp_path / "drawn.npy")
    table = np.array([row[2:] for row in panel.table()[1:]], dtype=float)
    np.testing.assert_allclose(drawn, table, atol=1e-3)
    assert (tmp_path / "traces.pdf").stat().st_size > 10_000
    theirs = courses(QImage(str(tmp_path / "dots.png")), lambda dots: dots < 253)
    canvas = panel.canvas
    canvas.marks = []
    columns, pixels, _ = canvas.picture
    turn = (columns.newest + 1) % columns.n_columns
    ours = courses(np.roll(pixels, -turn, axis=1), lambda dots: dots != (rgb(dark.panel) & 0xFF))
    for mine, other in zip(ours, theirs, strict=True):
        there = np.isfinite(mine) & np.isfinite(other)
        assert there.mean() > 0.95
        assert np.corrcoef(mine[there], other[there])[0, 1] > 0.9
        assert np.abs(mine[there] - other[there]).mean() < 3.0
    window.close()


def test_the_code_of_a_picture_with_lost_samples_draws_those_in_view(qtbot, dark: Theme, tmp_path: Path) -> None:
    from bcikit.recording import SessionWriter

    found = recording(30.0)
    # Half a minute is missing: 15 s were kept before it and 15 s after it.
    with SessionWriter(tmp_path / "s", info=found.info) as writer:
        for start, first in ((0, 0), (3000, 9000)):
            rows = slice(start, start + 3000)
            writer.chunk(Chunk(found.data[rows], 50.0 + np.arange(first, first + 3000) / 200, first), 200.0)
    window = ViewerWindow(dark, source=str(tmp_path / "s"), use_saved=False)
    qtbot.addWidget(window)
    show_folder(window, tmp_path / "s")
    panel = window.traces["raw"]
    scripts, shown = [], []
    for place, at in enumerate((109.0, 95.0, 80.0)):
        panel.look_at(at)
        shown.append(np.array([row[1:] for row in panel.table()[1:]], dtype=float))
        scripts.append(code_of(panel, window.source) + f"np.savez('{place}.npz', x=axes.get_xlim(), t=times, d=data)\n")
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(scripts)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    # All kept, the seam in the middle, and nothing but the gap.
    assert [np.isfinite(one[:, 1]).mean() for one in shown] == [1.0, 0.5, 0.0]
    for place, table in enumerate(shown):
        drawn = np.load(tmp_path / f"{place}.npz")
        np.testing.assert_allclose(drawn["d"], table[:, 1:], atol=1e-3)
        kept = np.isfinite(table[:, 1])
        np.testing.assert_allclose(drawn["t"][kept], table[kept, 0], atol=1e-6)
        assert drawn["x"] == pytest.approx([table[0, 0], table[0, 0] + 10.0])
    window.close()


def courses(picture: Any, drawn: Callable[[np.ndarray], np.ndarray], lanes: int = 4) -> list[np.ndarray]:
    """Return for each lane of a picture the middle of what is drawn in each column of dots, from the lane's middle."""
    if not isinstance(picture, np.ndarray):
        image = picture.convertToFormat(picture.Format.Format_RGB32)
        picture = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
    there = drawn(picture & 0xFF)
    found = []
    for part in np.array_split(there, lanes, axis=0):
        rows = np.arange(part.shape[0])[:, None] - part.shape[0] / 2
        with np.errstate(invalid="ignore"):
            found.append((rows * part).sum(axis=0) / np.where(part.any(axis=0), part.sum(axis=0), np.nan))
    return found


def test_bad_channels_are_carried_into_a_session_file(shown: ViewerWindow, tmp_path: Path) -> None:
    from bcikit.session.config import load_config

    panel = shown.traces["raw"]
    panel.toggle_bad("Fz")
    kept = [name for name in NAMES if name != "Fz"]
    head = "# mine\n[session]\nname = 'x' # [source]\n\n"
    tail = "\n[paradigm]\nname = 'motor-imagery'\n"
    for source in (
        "[source]\naddress = 'sim:motor-imagery'\n",
        "[source] # where\naddress = 'sim:motor-imagery'\nchannels = [\n  'Fz', # ]\n  'C3',\n]\n# end\n",
        "",
    ):
        path = tmp_path / "session.toml"
        path.write_text(head + source + tail, encoding="utf-8")
        carry_bad(shown, str(path))
        text = path.read_text(encoding="utf-8")
        read = tomllib.loads(text)
        assert read["source"]["channels"] == kept
        assert text.startswith("# mine")
        assert read["paradigm"] == {"name": "motor-imagery"}
        assert "without Fz" in shown.statusBar().currentMessage()
        if source:
            assert load_config(path).source.channels == kept
    for odd in ("source = {address = 'sim:motor-imagery'}\n", "source.address = 'x'\n", "[source\n"):
        path.write_text(odd, encoding="utf-8")
        carry_bad(shown, str(path))
        assert path.read_text(encoding="utf-8") == odd
        assert "without" not in shown.statusBar().currentMessage()


def test_a_session_folder_opens_with_its_events(qtbot, dark: Theme, tmp_path: Path) -> None:
    from bcikit.recording import SessionWriter

    found = recording(10.0)
    with SessionWriter(tmp_path / "s", info=found.info) as writer:
        for chunk in found.chunks(100):
            writer.chunk(chunk, float(chunk.times[-1]))
        for event in found.events:
            writer.event(event)
    window = ViewerWindow(dark, source=str(tmp_path / "s"), use_saved=False)
    qtbot.addWidget(window)
    show_folder(window, tmp_path / "s")
    panel = window.traces["raw"]
    assert panel.overview is not None
    assert len(panel.overview.marks) == 9
    assert json.dumps(window.view.status.state) == '"FINISHED"'
    window.close()


# ---- export ----------------------------------------------------------------------------------------------------------
def test_pictures_are_lines_and_of_any_size(shown: ViewerWindow, tmp_path: Path) -> None:
    from bcikit.viewer.export import save_view

    panel = shown.traces["raw"]
    drawing = save_view(panel, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert drawing.count("<polyline") >= len(NAMES)
    assert panel.montage_choice.currentText() in drawing
    shown.show_panel("spectrum")
    shown.show_panel("quality")
    # Neither arrows of boxes nor shades of buttons, of headers and of the strip below are dots.
    for view in (panel.canvas, panel, shown.panels["spectrum"], shown.panels["annotations"], shown):
        assert "<image" not in save_view(view, tmp_path / "b.svg").read_text(encoding="utf-8")
        page = save_view(view, tmp_path / "c.pdf").read_bytes()
        assert page.startswith(b"%PDF")
        assert b"/Subtype /Image" not in page
    save_view(panel, tmp_path / "d.png", width=3000)
    image = QImage(str(tmp_path / "d.png"))
    assert image.width() == 3000
    assert image.height() == round(panel.height() * 3000 / panel.width())
    assert not panel.canvas.as_lines


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_written_in_the_background_and_is_what_is_shown(
    qtbot, shown: ViewerWindow, tmp_path: Path, ending: str
) -> None:
    import pandas as pd

    from bcikit.viewer.menus import save_dialog

    panel = shown.traces["raw"]
    panel.montage_choice.setCurrentText("longitudinal bipolar")
    dialog = save_dialog(shown)
    qtbot.addWidget(dialog)
    dialog.view.setCurrentText("Traces")
    dialog.kind.setCurrentText(ending)
    path = tmp_path / f"samples.{ending}"
    dialog.path.setText(str(path))
    seen: list[int] = []
    dialog.progress.valueChanged.connect(seen.append)
    dialog._save()
    assert dialog.writer is not None
    wait_for(lambda: dialog.saved is not None)
    assert seen[-1] == 100
    table = pd.read_csv(path, encoding="utf-8-sig") if ending == "csv" else pd.read_parquet(path)
    rows = panel.table()
    assert list(table.columns) == rows[0]
    np.testing.assert_allclose(table.to_numpy(), np.array(rows[1:], dtype=float), atol=1e-9)
    assert [item.name for item in tmp_path.glob(".*.new")] == []


def test_a_table_that_cannot_be_written_says_why(qtbot, shown: ViewerWindow, tmp_path: Path) -> None:
    from bcikit.viewer.menus import save_dialog

    dialog = save_dialog(shown)
    qtbot.addWidget(dialog)
    dialog.view.setCurrentText("Traces")
    dialog.kind.setCurrentText("csv")
    dialog.path.setText(str(tmp_path / "no" / "folder" / "x.csv"))
    dialog._save()
    wait_for(lambda: dialog.problem.text() != "")
    assert dialog.saved is None


# ---- robust ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("channels", "sfreq"), [(256, 2000.0), (32, 30_000.0), (1, 1.0)])
def test_many_channels_and_high_rates_are_drawn_with_offsets_flat_and_nan(
    qtbot, dark: Theme, channels: int, sfreq: float
) -> None:
    from bcikit.signal import Chunk

    info = StreamInfo(name="wide", sfreq=sfreq, ch_names=tuple(f"E{n}" for n in range(channels)))
    window = ViewerWindow(dark, use_saved=False, preset="device")
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.add_stream("raw", info)
    n = max(1, round(0.1 * sfreq))
    data = np.random.default_rng(0).standard_normal((n, channels)) * 20 + 100_000.0
    if channels > 2:
        data[:, 1], data[:, 2] = 0.0, np.nan
    for step in range(5):
        window.take_chunk("raw", Chunk(data.copy(), np.arange(n) / sfreq + 0.1 * step, step * n))
        window.tick()
        window.grab()
    assert window.traces["raw"].canvas.history.end == 5 * n
    window.close()


def test_a_session_that_comes_back_with_other_channels_is_shown_as_it_is(qtbot, dark: Theme) -> None:
    from bcikit.session.channel import ChannelServer
    from bcikit.signal import Chunk
    from bcikit.signal.messages import Raw, Streams
    from bcikit.ui.session_link import SessionLink

    servers = [ChannelServer()]
    link = SessionLink(lambda: servers[-1].ticket("window")).start()
    window = ViewerWindow(dark, link=link, use_saved=False)
    qtbot.addWidget(window)
    window.show()
    for names in (("C3", "C4"), ("O1", "Oz", "O2")):
        server = servers[-1]
        info = StreamInfo(name="x", sfreq=250.0 * len(names), ch_names=names)
        server.say(Streams(raw=info.to_dict()))

        def speak(server: ChannelServer = server, width: int = len(names)) -> None:
            server.touch()
            server.say(Raw(chunk=Chunk(np.zeros((5, width)), np.arange(5) / 250, 0), time=0.0))
            window.tick()

        wait_for(lambda names=names: "raw" in window.traces and window.traces["raw"].info.ch_names == names, step=speak)
        wait_for(lambda: window.traces["raw"].canvas.history.end > 0, step=speak)
        wait_for(lambda: not window.veil.isVisible(), step=speak)
        servers.append(ChannelServer())
        server.close()
    window.close()
    servers[-1].close()


def test_dialogs_that_were_closed_are_gone(qtbot, dark: Theme, store: QSettings) -> None:
    from bcikit.viewer.menus import beside_dialog, keys_dialog, save_dialog

    window = ViewerWindow(dark, use_saved=False, settings=store)
    qtbot.addWidget(window)
    window.show()
    for make in (beside_dialog, keys_dialog, save_dialog):
        dialog = make(window)
        dialog.open()
        dialog.reject()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert window.findChildren(QDialog) == []
    window.close()


def test_panels_are_filled_on_a_computer_that_is_slower_than_its_stream(qtbot, dark: Theme, monkeypatch) -> None:
    window = ViewerWindow(dark, use_saved=False, preset="device")
    qtbot.addWidget(window)
    window.show()
    seen = {key: 0 for key, panel in window.panels.items() if panel.isVisible()}
    for key in seen:
        monkeypatch.setattr(window.panels[key], "refresh", lambda _, key=key: seen.update({key: seen[key] + 1}))
    monkeypatch.setattr(window, "_measure", lambda _: time.sleep(0.03))
    for _ in range(2 * len(seen)):
        window._due.pop("", None)
        window.tick()
    assert len(seen) > 3
    assert min(seen.values()) > 0
    window.close()


def test_two_questions_at_once_keep_each_its_own_answer(qtbot, dark):
    window = ViewerWindow(dark, use_saved=False, preset="research")
    qtbot.addWidget(window)
    window.marking.ask(1.0, 0.5, "")
    first = window.marking.dialog
    window.marking.ask(7.0, 0.1, "")
    second = window.marking.dialog
    assert first is not None
    assert second is not None
    first.accept()
    assert window.marking.dialog is second
    second.accept()
    assert [(item.time, item.duration) for item in window.marking.items] == [(1.0, 0.5), (7.0, 0.1)]
    assert window.marking.dialog is None
