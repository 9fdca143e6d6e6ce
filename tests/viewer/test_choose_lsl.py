"""Two EEG streams of another process, one of them without a unit: chosen on the start page, shown, recorded."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyxdf
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from bcikit.viewer.annotations import Annotation
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
