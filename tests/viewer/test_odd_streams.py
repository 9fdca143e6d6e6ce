"""Streams and files as nobody would make them: each is shown or refused in words, and none harms the window."""

import time
from pathlib import Path

import mne
import numpy as np
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from bcikit.signal import Chunk, Recording, StreamInfo
from bcikit.ui.application import dress
from bcikit.ui.theme import Theme
from bcikit.viewer.annotations import Annotation, beside, read_tsv
from bcikit.viewer.beside import BesideDock
from bcikit.viewer.export import save_view
from bcikit.viewer.folder import show_file
from bcikit.viewer.menus import keys_dialog, save_dialog
from bcikit.viewer.still import StillHistory
from bcikit.viewer.trace_panel import TracePanel
from bcikit.viewer.window import ViewerWindow


@pytest.fixture
def window(qtbot, dark: Theme, tmp_path: Path):
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    made = ViewerWindow(dark, use_saved=False, preset="device", settings=settings)
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    yield made
    made.close()


def use(window: ViewerWindow, tmp_path: Path) -> None:
    """Do with the traces what one does with traces."""
    panel = window.traces["raw"]
    for what in ("freeze", "cursors", "cursors", "freeze", "sweep", "sweep", "annotate", "annotate"):
        panel.toggle(what)
    for key in ("spectrum", "scope", "selection", "headmap", "device"):
        window.show_panel(key)
        window._due.clear()
        window.tick()
    panel.step_window(1)
    panel.step_scale(-1)
    panel.jump(1)
    window.grab()
    save_view(panel, tmp_path / "odd.svg")
    assert keys_dialog(window) is not None
    save_dialog(window)


ODD = {
    "one channel": StreamInfo(name="one", sfreq=250.0, ch_names=("Cz",)),
    "no rate": StreamInfo(name="markers", sfreq=0.0, ch_names=("a", "b"), ch_types=("misc", "misc"), unit=""),
    "slow": StreamInfo(name="slow", sfreq=0.1, ch_names=("t",), ch_types=("misc",), unit="degC"),
    "long names": StreamInfo(name="n" * 200, sfreq=250.0, ch_names=tuple("c" * 200 + str(n) for n in range(4))),
    "no unit": StreamInfo(name="raw", sfreq=250.0, ch_names=("C3", "C4"), unit=""),
    "markup": StreamInfo(name="<b>x</b>", sfreq=250.0, ch_names=("<i>C3</i>", "C4&<br>")),
    "other writing": StreamInfo(name="脑电", sfreq=250.0, ch_names=("左", "右", "é\u200bx")),
    "no eeg": StreamInfo(name="imu", sfreq=50.0, ch_names=("x", "y", "z"), ch_types=("misc",) * 3, unit="m/s2"),
}


@pytest.mark.parametrize("what", list(ODD))
def test_an_odd_stream_is_shown_and_used(window: ViewerWindow, tmp_path: Path, what: str) -> None:
    info = ODD[what]
    window.add_stream("raw", info)
    rng, rate = np.random.default_rng(0), info.sfreq or 1.0
    for number in range(20):
        at = np.arange(number * 10, number * 10 + 10)
        data = rng.standard_normal((10, info.n_channels)) * 20
        if number == 3:
            data[:] = np.nan
        if number == 4:
            data[:] = np.inf
        window.take_chunk("raw", Chunk(data, at / rate, int(at[0])))
    use(window, tmp_path)
    assert window.traces["raw"].canvas.history.end == 200


def test_a_window_without_any_stream_can_be_used(window: ViewerWindow, tmp_path: Path) -> None:
    for action in ("alarm", "decision"):
        window.jump(action, 1)
    window.next_stream()
    window._due.clear()
    window.tick()
    assert window.table() is not None
    save_view(window, tmp_path / "empty.svg")
    save_dialog(window)
    window.marking.ask(0.0, 0.0, "")
    assert window.marking.dialog is not None
    window.marking.dialog.accept()
    assert len(window.marking.items) == 1


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_recording_of_hardly_anything_is_shown(qtbot, dark: Theme, tmp_path: Path, n: int) -> None:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
    made = Recording.from_arrays(info, np.zeros((n, 2)))
    panel = TracePanel(info, dark, history=StillHistory(made))
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.show()
    for window in ("0.5 s", "7200 s", "10 s"):
        panel.window_choice.setCurrentText(window)
    panel.toggle("cursors")
    panel.look_back(-1)
    panel.annotate_now()
    head, rows, block = panel.samples()
    assert head[0] == "sample"
    assert rows == n
    assert block(0, rows).shape == (n, 4)
    panel.grab()
    save_view(panel, tmp_path / "x.svg")


def test_annotations_of_no_length_at_both_ends_and_beyond_are_kept_as_they_are(
    window: ViewerWindow, tmp_path: Path
) -> None:
    raw = mne.io.RawArray(np.zeros((2, 1000)), mne.create_info(["C3", "C4"], 100.0, "eeg"), verbose="ERROR")
    path = tmp_path / "ends.edf"
    mne.export.export_raw(path, raw, verbose="ERROR")
    show_file(window, path)
    start = window.marking.start
    for onset in (0.0, 9.99, 10.0, -5.0, 1e6):
        window.marking.items.add(Annotation(time=start + onset, text=f"at {onset}"))
    kept = [(round(item.time, 3), item.duration) for item in read_tsv(beside(path), start=0.0)]
    assert kept == [(-5.0, 0.0), (0.0, 0.0), (9.99, 0.0), (10.0, 0.0), (1e6, 0.0)]
    panel = window.traces["raw"]
    for by in (1, 1, 1, -1, -1, -1):
        panel.jump(by)
    window.marking._go(start + 1e6)
    window.grab()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1280, 800), (1366, 768)])
def test_further_traces_do_not_make_a_low_window_taller(
    window: ViewerWindow, size: tuple[int, int], language: str
) -> None:
    dress(QApplication.instance(), "dark", language)
    window.resize(*size)
    for preset in ("research", "device", "clinic"):
        window.arrange(preset)
        # All at once, as files that are dropped on the window.
        for address in ("sim:motor-imagery?live=1", "file:/no/such.edf", "file:/nor/this.edf"):
            window.add_beside(address)
        wait = time.monotonic() + 60
        while window.beside[next(iter(window.beside))].panel is None and time.monotonic() < wait:
            window.tick()
            QApplication.processEvents()
        QApplication.processEvents()
        assert (window.width(), window.height()) == size
        for dock in window.findChildren(BesideDock):
            dock.close()
        assert window.beside == {}
