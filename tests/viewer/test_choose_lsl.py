"""Two EEG streams of another process, one of them without a unit: chosen on the start page, shown, recorded."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from bcikit.viewer.annotations import Annotation
from bcikit.viewer.beside import BesideDock
from bcikit.viewer.choose import StartPage
from bcikit.viewer.start import Viewer, parse
from bcikit.viewer.window import ViewerWindow

SENDER = """
import sys, time, math, pylsl
name, unit = sys.argv[1:]
outlets = []
for which, said in (("one", "microvolts"), ("two", unit)):
    info = pylsl.StreamInfo(f"{name}-{which}", "EEG", 2, 250, "float32", f"{name}-{which}")
    channels = info.desc().append_child("channels")
    for label in ("C3", "C4"):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", "EEG")
        if said:
            channel.append_child_value("unit", said)
    outlets.append(pylsl.StreamOutlet(info))
print("up", flush=True)
begin, sent = time.monotonic(), 0
while time.monotonic() - begin < 150:
    due = int((time.monotonic() - begin) * 250)
    for number in range(sent, due):
        for outlet in outlets:
            outlet.push_sample([0.02 * math.sin(number / 10), 0.01])
    sent = due
    time.sleep(0.02)
"""


def wait_for(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.02)


@pytest.fixture
def streams() -> Iterator[str]:
    name = f"choose-{uuid.uuid4().hex[:6]}"
    process = subprocess.Popen([sys.executable, "-c", SENDER, name, ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"up" in process.stdout.readline()
    yield name
    process.kill()
    process.wait(10)
    process.stdout.close()


@pytest.mark.slow
def test_a_stream_without_a_unit_is_chosen_shown_and_recorded(qtbot, streams: str, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    viewer = Viewer(parse(["--language", "en", "--theme", "dark"]), application, settings)
    qtbot.addWidget(viewer.window)
    viewer.window.show()
    page = viewer.window.centralWidget()
    assert isinstance(page, StartPage)

    def row_of(name: str) -> int:
        texts = [page.now.item(row).text() for row in range(page.now.count())]
        return next((row for row, text in enumerate(texts) if name in text), -1)

    def look() -> bool:
        if page.again.isEnabled() and row_of(f"{streams}-two") < 0:
            page.search()
        return row_of(f"{streams}-one") >= 0 and row_of(f"{streams}-two") >= 0

    wait_for(look)
    page.unit.setCurrentText("mV")
    page.now.setCurrentRow(row_of(f"{streams}-two"))
    page.open_button.click()
    window = viewer.window
    assert isinstance(window, ViewerWindow)
    qtbot.addWidget(window)
    wait_for(lambda: "raw" in window.traces)
    window.recording.folder = tmp_path
    window.recording.begin()
    tap = window.recording.tap
    assert tap is not None
    wait_for(lambda: tap.n_samples > 300)
    window.marking.items.add(Annotation(time=window.traces["raw"].canvas.history.end_time, text="here"))
    wait_for(lambda: tap.n_samples > 500)
    window.recording.stop()
    window.close()
    found, _ = pyxdf.load_xdf(str(next(tap.folder.glob("*.xdf"))), dejitter_timestamps=False)
    (eeg,) = [stream for stream in found if stream["info"]["type"][0] == "EEG"]
    # 0.02 mV are 20 uV: the unit that was chosen is what was recorded.
    assert eeg["time_series"][:, 0].max() == pytest.approx(20.0, rel=0.05)
    assert eeg["time_series"].shape[0] == tap.n_samples
    markers = [
        str(cell) for stream in found if stream["info"]["type"][0] == "Markers" for (cell,) in stream["time_series"]
    ]
    assert any("here" in cell for cell in markers)


@pytest.mark.slow
def test_what_cannot_be_opened_leads_to_the_start_page_with_its_reason(qtbot, streams: str, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    options = parse(["--source", f"lsl:name={streams}-two", "--language", "en", "--theme", "dark"])
    viewer = Viewer(options, application, settings)
    window = viewer.window
    assert isinstance(window, ViewerWindow)
    qtbot.addWidget(window)
    window.show()
    wait_for(lambda: "unit" in window.trouble)
    assert window.choose_button.isVisible()
    window.choose_button.click()
    page = viewer.window.centralWidget()
    qtbot.addWidget(viewer.window)
    assert isinstance(page, StartPage)
    assert "unit" in page.why.text()


@pytest.mark.slow
def test_streams_are_dropped_onto_the_window_each_into_a_dock_of_its_own(qtbot, dark, streams: str, tmp_path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    addresses = [f"lsl:name={streams}-one", f"lsl:name={streams}-two&unit=mV"]
    page = StartPage(dark, settings, look=lambda: [(address, "LSL stream", "EEG") for address in addresses])
    qtbot.addWidget(page)
    page.show()
    wait_for(lambda: page.now.count() == 2)
    window = ViewerWindow(dark, use_saved=False, preset="device")
    qtbot.addWidget(window)
    window.show()
    for row in range(2):
        dropped = page.now.mimeData([page.now.item(row)])
        come = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton,
                               Qt.KeyboardModifier.NoModifier)  # fmt: skip
        window.dragEnterEvent(come)
        assert come.isAccepted()
        window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, dropped, Qt.MouseButton.LeftButton,
                                    Qt.KeyboardModifier.NoModifier))  # fmt: skip
    sides = list(window.beside.values())
    assert [side.address for side in sides] == addresses

    def panels() -> list:
        window.tick()
        return [side.panel for side in sides if side.panel is not None and side.panel.canvas.history.end > 500]

    wait_for(lambda: len(panels()) == 2)
    one, two = (panel.canvas.history for panel in panels())
    # One clock: what both streams sent at a time stands at that time in both.
    at = min(one.end_time, two.end_time) - 0.5
    parts = [history.get(history.sample_at(at) - 100, history.sample_at(at))[:, 0] for history in (one, two)]
    assert parts[0].size == parts[1].size == 100
    assert np.abs(np.corrcoef(parts[0] * 1e3, parts[1])[0, 1]) > 0.9
    docks = {dock.objectName(): dock for dock in window.findChildren(BesideDock)}
    assert set(docks) == set(window.beside)
    # Another arrangement puts none of them away; a closed one is read no longer.
    window.arrange("clinic")
    assert all(dock.isVisible() for dock in docks.values())
    reader = sides[0]._reader
    docks[next(iter(window.beside))].close()
    assert [side.address for side in window.beside.values()] == addresses[1:]
    assert reader is not None
    wait_for(lambda: not reader.is_alive())
    nothing = QMimeData()
    nothing.setText("just a sentence: no address")
    refused = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, nothing, Qt.MouseButton.LeftButton,
                              Qt.KeyboardModifier.NoModifier)  # fmt: skip
    refused.ignore()
    window.dragEnterEvent(refused)
    assert not refused.isAccepted()
    window.close()
