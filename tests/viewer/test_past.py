"""What a recording's window says belongs to the moment that it shows, on axes that are true."""

from pathlib import Path

import mne
import numpy as np
import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from bcikit.recording import SessionWriter
from bcikit.signal import Chunk, Decision, Event, Recording, StreamInfo, Verdict
from bcikit.ui.theme import DARK
from bcikit.viewer.annotations import Annotation
from bcikit.viewer.folder import show_file, show_folder
from bcikit.viewer.history import History
from bcikit.viewer.panel import View
from bcikit.viewer.signal_panels import SpectrogramPanel
from bcikit.viewer.still import StillHistory
from bcikit.viewer.trace_panel import TracePanel
from bcikit.viewer.window import ViewerWindow

INFO = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "Cz", "C4", "Pz"))


def signal(seconds: float = 100.0) -> np.ndarray:
    """Return noise with 10 Hz in the first half and 20 Hz in the second; C3 is flat in the first half."""
    at = np.arange(round(seconds * INFO.sfreq)) / INFO.sfreq
    data = np.random.default_rng(1).standard_normal((at.size, 4)) * 5
    data += np.where(at < seconds / 2, 40 * np.sin(2 * np.pi * 10 * at), 40 * np.sin(2 * np.pi * 20 * at))[:, None]
    data[at < seconds / 2, 0] = 0.0
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = signal()
    with SessionWriter(tmp_path / "s", info=INFO) as writer:
        writer.record("states", {"state": "STANDBY", "time": 0.5})
        for first in range(0, data.shape[0], 100):
            now = (first + 99) / 100
            writer.chunk(Chunk(data[first : first + 100], np.arange(first, first + 100) / 100, first), now)
            if first == 4000:
                writer.record("states", {"state": "ACTIVE", "time": now})
            label = "left" if first < 5000 else "right"
            sure = (0.9, 0.1) if first < 5000 else (0.2, 0.8)
            allowed = now > 40
            decision = Decision(time=now, sample=first + 99, classes=("left", "right"), probabilities=sure, label=label)
            writer.decision(decision)
            state = "ACTIVE" if allowed else "STANDBY"
            reasons = () if allowed else ("A-STATE",)
            writer.verdict(
                Verdict(time=now, sample=first + 99, allowed=allowed, label=label, reasons=reasons, state=state)
            )
    return tmp_path / "s"


@pytest.fixture
def window(qtbot):
    made = ViewerWindow(DARK, use_saved=False, preset="research")
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    yield made
    made.close()


def go(window: ViewerWindow, end: float) -> None:
    """Bring a time to the right edge of the view."""
    panel = window.current_traces()
    assert panel is not None
    panel.back_bar.setValue(round(end * INFO.sfreq))
    window._due.clear()
    window.tick()
    QApplication.processEvents()


def test_decision_state_refusals_and_electrodes_are_those_of_the_moment_in_view(
    window: ViewerWindow, folder: Path
) -> None:
    show_folder(window, folder)
    go(window, 10.0)
    status = window.view.status
    assert (status.decision["label"], status.state, status.allowed) == ("left", "STANDBY", 0)
    assert status.refusals["A-STATE"] == 10
    assert window.strip.confidence.accessibleName().endswith("90 %")
    assert status.quality["C3"].level == "BAD"
    window.panels["evidence"].refresh(window.view)
    assert len(window.panels["evidence"].table()) == 11
    go(window, 70.0)
    status = window.view.status
    assert (status.decision["label"], status.state) == ("right", "ACTIVE")
    assert status.quality["C3"].level != "BAD"
    assert window.strip.confidence.accessibleName().endswith("80 %")
    assert "STOP or the space bar" not in window.strip.state.toolTip(), "there is nothing to stop"
    go(window, 100.0)
    assert window.view.status.state == "FINISHED"
    go(window, 45.0)
    status = window.view.status
    assert (status.decision["label"], status.state, status.refusals["A-STATE"]) == ("left", "ACTIVE", 40)
    # Places to go to are those of the whole session.
    assert len(window.milestones.places["decision"]) == 3


def test_spectra_are_those_of_the_seconds_in_view(window: ViewerWindow, tmp_path: Path) -> None:
    raw = mne.io.RawArray(signal().T * 1e-6, mne.create_info(list(INFO.ch_names), INFO.sfreq, "eeg"), verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    show_file(window, tmp_path / "a_raw.fif")
    for end, peak in ((20.0, 10.0), (90.0, 20.0), (30.0, 10.0)):
        go(window, end)
        panel = window.panels["spectrum"]
        panel.refresh(window.view)
        rows = np.array(panel.table()[1:], dtype=float)
        assert rows[np.argmax(rows[:, 2]), 0] == peak


def feed(panel: SpectrogramPanel, history: History, data: np.ndarray, first: int = 0) -> None:
    times = np.arange(first, first + data.shape[0]) / history.rate
    history.append(Chunk(data, times, first))
    panel.refresh(View(raw=history))


def shown(panel: SpectrogramPanel) -> tuple[float, float]:
    """Return seconds and Hz of the strongest point of what is drawn, by the picture's own place."""
    grid, rect = panel._grid, panel._image.mapRectToParent(panel._image.boundingRect())
    row, column = np.unravel_index(np.nanargmax(grid), grid.shape)
    return (
        rect.left() + (column + 1) / grid.shape[1] * rect.width(),
        rect.top() + (row + 0.5) / grid.shape[0] * rect.height(),
    )


@pytest.mark.parametrize(("sfreq", "freq"), [(50.0, 12.0), (16.0, 4.0), (250.0, 30.0), (30000.0, 40.0)])
def test_the_spectrogram_of_any_rate_has_true_axes(qtbot, sfreq: float, freq: float) -> None:
    info = StreamInfo(name="x", sfreq=sfreq, ch_names=("Cz",))
    panel, history = SpectrogramPanel(DARK), History(info)
    qtbot.addWidget(panel)
    at = np.arange(round(20 * sfreq)) / sfreq
    # A burst that ends 10 s before the end.
    data = np.where((at > 8) & (at < 10), 100 * np.sin(2 * np.pi * freq * at), 0.0)[:, None]
    data += np.random.default_rng(0).standard_normal(data.shape) * 0.1
    feed(panel, history, data)
    seconds, hertz = shown(panel)
    assert hertz == pytest.approx(freq, abs=0.5)
    assert seconds == pytest.approx(-10.5, abs=0.8)


def test_a_gap_is_as_long_in_the_spectrogram_as_it_was(qtbot) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("Cz",))
    panel, history = SpectrogramPanel(DARK), History(info)
    qtbot.addWidget(panel)
    at = np.arange(1000) / 100
    feed(panel, history, 100 * np.sin(2 * np.pi * 20 * at)[:, None])
    quiet = np.random.default_rng(0).standard_normal((1000, 1))
    # Ten seconds were lost: the strong part ended 20 s before now.
    feed(panel, history, quiet, first=2000)
    seconds, hertz = shown(panel)
    assert hertz == pytest.approx(20.0, abs=0.5)
    assert seconds <= -19.5


# ---- where things are drawn ------------------------------------------------------------------------------------------
def still(qtbot, sfreq: float, seconds: float, data: np.ndarray | None = None) -> TracePanel:
    info = StreamInfo(name="x", sfreq=sfreq, ch_names=("Cz",))
    values = np.zeros((round(sfreq * seconds), 1)) if data is None else data
    history = StillHistory(Recording.from_arrays(info, values))
    panel = TracePanel(info, DARK, kind="raw", history=history)
    qtbot.addWidget(panel)
    panel.resize(900, 400)
    panel.show()
    return panel


def test_of_ten_thousand_events_those_in_view_are_drawn(qtbot) -> None:
    panel = still(qtbot, 250.0, 1000.0)
    for number in range(10_000):
        panel.add_mark(0.05 + number / 10, f"event {number}")
    panel.canvas.grab()
    canvas = panel.canvas
    accent = QColor(DARK.accent)
    for left in (0.0, 500.0):
        panel.back_bar.setValue(round((left + 10) * 250))
        image = canvas.grab().toImage()
        middle = image.height() * 3 // 4
        ground = QColor(image.pixel(round(canvas.x_of(round((left + 5.01) * 250))), middle))
        for at in (1.05, 5.05, 8.05):
            x = round(canvas.x_of(canvas.history.sample_at(left + at)))
            found = QColor(image.pixel(x, middle))
            assert found != ground
            assert abs(found.hue() - accent.hue()) < 12


@pytest.mark.parametrize("sfreq", [3.0, 20.0, 250.0])
def test_the_time_below_the_traces_is_that_of_the_samples(qtbot, sfreq: float) -> None:
    """The peak of a slow wave stands where the axis says, however far samples are apart, and a click finds it."""
    at = np.arange(round(60 * sfreq)) / sfreq
    peak = 2.0
    data = (40 * np.exp(-((at - peak) ** 2) / 0.5))[:, None]
    panel = still(qtbot, sfreq, 60.0, data)
    canvas = panel.canvas
    image = canvas.grab().toImage()
    trace = QColor(DARK.trace).rgb()
    rows, columns = np.nonzero(
        [[image.pixel(x, y) == trace for x in range(image.width())] for y in range(image.height() - 30)]
    )
    top = columns[rows == rows.min()].mean()
    assert top == pytest.approx(canvas.x_of_time(peak), abs=3)
    assert canvas.x_of_time(peak) == pytest.approx(canvas.x_of(round(peak * sfreq)), abs=1.5)
    assert canvas.sample_at(canvas.x_of(round(peak * sfreq)) + 1) == pytest.approx(peak * sfreq, abs=sfreq / 80 + 0.1)


def test_a_doubt_about_a_file_is_said_in_words(window: ViewerWindow, tmp_path: Path) -> None:
    raw = mne.io.RawArray(np.zeros((1, 900)), mne.create_info(["Cz"], 3.0, "eeg"), verbose="ERROR")
    raw.save(tmp_path / "slow_raw.fif", verbose="ERROR")
    show_file(window, tmp_path / "slow_raw.fif")
    assert "3 Hz is no rate" in window.statusBar().currentMessage()
    assert "Note(" not in window.statusBar().currentMessage()


def test_a_span_that_begins_before_the_view_and_ends_after_it_is_drawn(qtbot) -> None:
    panel = still(qtbot, 250.0, 100.0)
    before = QColor(panel.canvas.grab().toImage().pixel(300, 60))
    panel.show_annotations([Annotation(time=1.0, duration=90.0, kind="movement", text="", key="k")])
    panel.back_bar.setValue(50 * 250)
    assert QColor(panel.canvas.grab().toImage().pixel(300, 60)) != before


def test_what_is_no_voltage_is_not_read_off_in_microvolts(qtbot) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("Cz", "temp"), ch_types=("eeg", "temperature"))
    data = np.full((2000, 2), (5.0, 36.5))
    panel = TracePanel(info, DARK, kind="raw", history=StillHistory(Recording.from_arrays(info, data)))
    qtbot.addWidget(panel)
    said: list[str] = []
    panel.readout.connect(said.append)
    panel.canvas.clicked.emit(3, 1)
    panel.canvas.clicked.emit(3, 0)
    assert said == ["temp: 36.50 at sample 3", "Cz: 5.00 uV at sample 3"]
    assert panel.table()[0] == panel.samples()[0] == ["sample", "time s", "Cz uV", "temp"]
    panel.group_choice.setCurrentIndex(panel.group_choice.count() - 1)
    panel.canvas.shown = [1]
    panel.canvas.cursors = [10, 20]
    panel.canvas.view_changed.emit()
    assert said[-1].endswith("temp: A 36.50, B 36.50, Δ 0.00")


def test_averages_of_a_recording_are_of_all_its_events(window: ViewerWindow, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with SessionWriter(tmp_path / "s", info=INFO) as writer:
        for first in range(0, 140_000, 1000):
            data = rng.standard_normal((1000, 4))
            writer.chunk(Chunk(data, np.arange(first, first + 1000) / 100, first), (first + 999) / 100)
        for number in range(2600):
            sample = 100 + 50 * number
            data = {"target": number % 6 == 0} if number % 2 == 0 else {}
            writer.event(Event(name="stimulus/flash", time=sample / 100, sample=sample, data=data))
    show_folder(window, tmp_path / "s")
    panel = window.panels["erp"]
    panel.refresh(window.view)
    counts = {name: average.count for name, average in panel.epochs.averages.signal.items()}
    # What is attended to is not averaged with the rest.
    assert counts == {"flash": 1300, "flash, target": 434, "flash, no target": 866}
