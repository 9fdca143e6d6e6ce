"""Numbers on the screen are those in the recording: a session is written, opened in a window, and read off it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from scipy import signal

from bcikit.recording import SessionWriter, read_session
from bcikit.signal import Chunk, Decision, Event, Health, Recording, StreamInfo, Verdict
from bcikit.ui.theme import Theme
from bcikit.viewer.analysis import BANDS
from bcikit.viewer.folder import show_folder
from bcikit.viewer.history import History
from bcikit.viewer.menus import save_dialog
from bcikit.viewer.still import StillHistory
from bcikit.viewer.trace_panel import TracePanel
from bcikit.viewer.window import ViewerWindow

RATE, NAMES = 250.0, ("C3", "Cz", "C4", "Pz", "Fz", "Oz")
LOST_AT, LOST = 1500, 20
N_CHUNKS = 200


def signal_of(sample: np.ndarray) -> np.ndarray:
    """Return a 10 Hz rhythm of 20 uV and a 21 Hz one of 6 uV on the offsets that electrodes have: up to 300 mV."""
    offsets = np.array([0.0, 187523.4371, -299871.1234, 12.5, 4000.0, -1e5])
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((N_CHUNKS * 25 + LOST, len(NAMES)))[sample]
    t = sample / RATE
    return offsets + (20 * np.sin(2 * np.pi * 10 * t) + 6 * np.sin(2 * np.pi * 21 * t))[:, None] + noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    info = StreamInfo(name="rec", sfreq=RATE, ch_names=NAMES)
    path = tmp_path / "session"
    writer = SessionWriter(path, info=info, config={}, versions={})
    sample = 0
    for number in range(N_CHUNKS):
        lost = LOST if sample == LOST_AT else 0
        sample += lost
        at = np.arange(sample, sample + 25)
        writer.chunk(Chunk(signal_of(at), 1000.0 + at / RATE, sample, Health(lost=lost)), 1000.0 + at[-1] / RATE)
        sample += 25
        if number % 20 == 19:
            p = 0.5 + number / 500
            classes = ("left", "right")
            time = 1000.0 + (sample - 1) / RATE
            at_end = {"time": time, "sample": sample - 1}
            writer.decision(
                Decision(**at_end, classes=classes, probabilities=(p, 1 - p), label="left", data={"threshold": 0.7})
            )
            refused = () if number > 100 else ("A-CONF",)
            label = None if refused else "left"
            writer.verdict(Verdict(**at_end, allowed=not refused, label=label, reasons=refused, state="ACTIVE"))
            writer.event(Event(name=f"cue/{classes[number // 20 % 2]}", time=time, sample=sample - 1))
    writer.close("complete")
    return path


@pytest.fixture
def window(qtbot, dark: Theme, folder: Path) -> ViewerWindow:
    made = ViewerWindow(dark, preset="research")
    qtbot.addWidget(made)
    made.resize(1600, 900)
    show_folder(made, folder)
    made.show()
    return made


def recorded(folder: Path) -> np.ndarray:
    """Return what is in the recording by sample index, NaN where samples were lost."""
    session = read_session(folder)
    data = np.full((session.chunks[-1].end_sample, len(NAMES)), np.nan)
    for chunk in session.chunks:
        data[chunk.first_sample : chunk.end_sample] = chunk.data
    return data


def test_cursors_and_clicks_read_off_the_recorded_samples(window: ViewerWindow, folder: Path) -> None:
    data, panel = recorded(folder), window.traces["raw"]
    said: list[str] = []
    panel.readout.connect(said.append)
    for band in ("off", "8-30 Hz"):
        panel.band.setCurrentText(band)
        for x in range(20, panel.canvas.width() - 20, 97):
            said.clear()
            where = QPoint(x, panel.canvas.height() * (x % 5 + 1) // 6)
            QTest.mouseClick(panel.canvas, Qt.MouseButton.LeftButton, pos=where)
            sample, channel = panel.canvas.sample_at(x), panel.canvas.channel_at(where.y())
            assert said == [f"{NAMES[channel]}: {data[sample, channel]:.2f} uV at sample {sample}"]
    panel.toggle("cursors")
    for a, b in ((3000, 3057), (4999, 2600)):
        panel.canvas.cursors = [a, b]
        panel.canvas.view_changed.emit()
        first, second = data[a, 0], data[b, 0]
        seconds = (b - a) / RATE
        assert said[-1] == (
            f"A→B {seconds * 1e3:.1f} ms ({1 / abs(seconds):.2f} Hz)   "
            f"C3: A {first:.2f}, B {second:.2f}, Δ {second - first:.2f} uV"
        )


def test_any_view_is_saved_as_numbers(qtbot, window: ViewerWindow, folder: Path, tmp_path: Path) -> None:
    data, panel = recorded(folder), window.traces["raw"]
    for key in window.docks:
        window.show_panel(key)
        window.panels[key].refresh(window.view)
    dialog = save_dialog(window)
    qtbot.addWidget(dialog)
    # One dialog for every view: it stays when one is saved.
    dialog.finished.disconnect(dialog.deleteLater)
    for index in range(dialog.view.count()):
        dialog.view.setCurrentIndex(index)
        dialog.kind.setCurrentText("csv")
        dialog.path.setText(str(tmp_path / f"{index}.csv"))
        dialog._save()
        qtbot.waitUntil(lambda: dialog.writer is None, timeout=60_000)
        saved = (tmp_path / f"{index}.csv").is_file()
        # A recording tells nothing of the engine's latency or of the device's clock, and there are no cursors.
        empty = dialog.view.currentText() in ("Latency", "Selected span", "Device", "Clock")
        assert saved != empty, (dialog.view.currentText(), dialog.problem.text())
    at = dialog.view.findText("Traces")
    rows = list(csv.reader((tmp_path / f"{at}.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["sample", "time s", *(f"{name} uV" for name in NAMES)]
    numbers = np.array(rows[1:], dtype=float)
    assert len(numbers) == panel.canvas.window_samples
    np.testing.assert_array_equal(numbers[:, 2:], data[numbers[:, 0].astype(int)])
    np.testing.assert_allclose(numbers[:, 1], 1000.0 + numbers[:, 0] / RATE, atol=1e-6)


def test_history_keeps_every_bit(folder: Path) -> None:
    session = read_session(folder)
    history = History(session.info, seconds=60)
    for chunk in session.chunks:
        history.append(chunk)
    data = recorded(folder)
    np.testing.assert_array_equal(history.get(0, history.end), data)
    assert history.lost == LOST


def test_what_is_looked_back_at_has_its_own_times_whatever_the_rate_is(qtbot, dark: Theme, tmp_path: Path) -> None:
    # A clock that is off by 0.1 percent: five minutes back that is 0.3 s.
    info = StreamInfo(name="rec", sfreq=RATE, ch_names=NAMES)
    numbers = np.delete(np.arange(75_000), slice(40_000, 40_020))
    times = 1000.0 + numbers * 1.001 / RATE
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    history = panel.canvas.history
    for first in range(0, numbers.size, 500):
        at = slice(first, first + 500)
        panel.append(Chunk(signal_of(numbers[at] % 5000), times[at], int(numbers[first])))
    assert history.end - history.start == 75_000
    for sample in (0, 10, 39_999, 40_010, 40_020, 74_999):
        assert history.time_at(sample) == pytest.approx(1000.0 + sample * 1.001 / RATE, abs=1e-9)
        assert history.sample_at(1000.0 + sample * 1.001 / RATE) == sample
    # Beyond the ends, the rate that is stated goes on.
    assert history.time_at(75_250) - history.time_at(74_999) == pytest.approx(251 / RATE)
    assert history.sample_at(history.end_time + 1.0) == 74_999 + 250
    assert history.sample_at(999.0) == -250
    panel.look_at(1000.0 + 2000 * 1.001 / RATE)
    rows = np.array(panel.table()[1:], dtype=float)
    assert rows.shape[0] == 2500
    np.testing.assert_allclose(rows[:, 1], 1000.0 + rows[:, 0] * 1.001 / RATE, atol=1e-9)
    np.testing.assert_array_equal(panel.samples()[2](100, 200), rows[100:200])
    marked: list[float] = []
    panel.annotated.connect(lambda time, *_: marked.append(time))
    panel.annotate_now()
    assert marked == [pytest.approx(rows[-1, 1], abs=1e-9)]
    # What began anew has the times of its own.
    panel.append(Chunk(signal_of(np.arange(10)), 5000.0 + np.arange(10) / RATE, 0))
    assert (history.sample_at(5000.0), history.time_at(5)) == (0, pytest.approx(5000.02))
    assert [row[1] for row in panel.table()[1:]] == pytest.approx(5000.0 + np.arange(10) / RATE)


def test_a_recording_has_its_own_times_in_the_file_as_in_the_table(qtbot, dark: Theme) -> None:
    info = StreamInfo(name="rec", sfreq=RATE, ch_names=NAMES)
    numbers = np.delete(np.arange(2000), slice(700, 720))
    times = 1000.0 + numbers * 1.01 / RATE
    panel = TracePanel(
        info, dark, history=StillHistory(Recording(info=info, data=signal_of(numbers), times=times, samples=numbers))
    )
    qtbot.addWidget(panel)
    rows = np.array(panel.table()[1:], dtype=float)
    here = np.isin(rows[:, 0], numbers)
    np.testing.assert_allclose(rows[here, 1], 1000.0 + rows[here, 0] * 1.01 / RATE, atol=1e-9)
    np.testing.assert_array_equal(panel.samples()[2](0, rows.shape[0]), rows)


def at_its_end(window: ViewerWindow) -> None:
    """Go to the end of the recording: what panels say belongs to what is in view."""
    bar = window.traces["raw"].back_bar
    bar.setValue(bar.maximum())
    window._due.clear()
    window.tick()


def test_spectrum_and_band_powers_are_those_of_the_recording(window: ViewerWindow, folder: Path) -> None:
    at_its_end(window)
    data = recorded(folder)
    tail = data[-round(8 * RATE) :]
    f, expected = signal.welch(tail, RATE, window="hann", nperseg=500, noverlap=250, axis=0, detrend="constant")
    panel = window.panels["spectrum"]
    panel.refresh(window.view)
    table = panel.table()
    assert table[0] == ["Hz", *NAMES]
    numbers = np.array(table[1:], dtype=float)
    np.testing.assert_allclose(numbers[:, 0], f)
    np.testing.assert_allclose(numbers[1:-1, 1:], expected[1:-1], rtol=1e-6)
    shown_x, shown_y = panel._one.getData()
    assert shown_x[np.argmax(shown_y)] == 10.0
    column = NAMES.index(panel.channel.currentText())
    assert shown_y.max() == pytest.approx(10 * np.log10(expected[f == 10.0, column][0]))
    bands = window.panels["bands"]
    bands.refresh(window.view)
    tail = data[-round(4 * RATE) :]
    f, density = signal.welch(tail, RATE, window="hann", nperseg=500, noverlap=250, axis=0, detrend="constant")
    heights = dict(zip(BANDS, bands._bars.opts["height"], strict=True))
    column = NAMES.index(bands.channel.currentText())
    for name, (low, high) in BANDS.items():
        inside = (f >= low) & (f < high)
        assert heights[name] == pytest.approx(density[inside, column].sum() * f[1], rel=1e-6), name
    # Half the square of the amplitude, by the rhythm that was put in.
    assert heights["alpha"] == pytest.approx(200.0, rel=0.05)


def test_losses_posteriors_and_refusals_are_those_of_the_recording(window: ViewerWindow, folder: Path) -> None:
    session = read_session(folder)
    at_its_end(window)
    n = N_CHUNKS * 25
    assert window.strip.loss.accessibleName() == f"Loss: {100 * LOST / (n + LOST):.2f} %, doubtful"
    for key in ("link", "evidence", "decision", "safety"):
        window.panels[key].refresh(window.view)
    assert f"lost {LOST} of {n + LOST} samples" in window.panels["link"].text.text()
    rows = window.panels["evidence"].table()
    assert rows[0] == ["time", "left", "right"]
    assert rows[1:] == [[d.time, *d.probabilities] for d in session.decisions]
    curve = window.panels["evidence"]._curves[0]
    np.testing.assert_allclose(curve.getData()[1], [d.probabilities[0] for d in session.decisions])
    last = session.decisions[-1].probabilities
    assert window.panels["decision"].table()[1:] == [["left", last[0]], ["right", last[1]]]
    assert window.strip.confidence.accessibleName() == f"Confidence: {100 * max(last):.0f} %"
    refused = sum("A-CONF" in verdict.reasons for verdict in session.verdicts)
    assert [row[::2] for row in window.panels["safety"].table()[1:]] == [["A-CONF", str(refused)]]
    assert f"Let through: {len(session.verdicts) - refused}" in window.panels["safety"].why.text()


def test_averages_are_those_of_the_recording(window: ViewerWindow, folder: Path) -> None:
    session, data = read_session(folder), recorded(folder)
    panel = window.panels["erp"]
    panel.refresh(window.view)
    table = panel.table()
    numbers = np.array(table[1:], dtype=float)
    column = NAMES.index(panel.channel.currentText())
    for index, name in enumerate(table[0][1:], start=1):
        epochs = []
        for event in session.events:
            assert event.sample is not None
            epoch = data[event.sample - 50 : event.sample + 200, column]
            if event.name == f"cue/{name}" and len(epoch) == 250 and np.isfinite(epoch).all():
                epochs.append(epoch - epoch[:50].mean())
        assert len(epochs) >= 3
        np.testing.assert_allclose(numbers[:, index], np.mean(epochs, axis=0), atol=1e-8)


def test_a_dead_channel_takes_nothing_from_the_others(qtbot, dark: Theme) -> None:
    info = StreamInfo(name="rec", sfreq=RATE, ch_names=NAMES)
    window = ViewerWindow(dark, preset="research")
    qtbot.addWidget(window)
    window.show()
    window.add_stream("raw", info)
    data = signal_of(np.arange(2500))
    data[:, 1] = np.nan
    for first in range(0, 2500, 25):
        window.take_chunk("raw", Chunk(data[first : first + 25], (first + np.arange(25)) / RATE, first))
    for key in ("spectrum", "bands", "headmap", "spectrogram"):
        window.show_panel(key)
        window.panels[key].refresh(window.view)
        window.panels[key].grab()
    spectrum = np.array(window.panels["spectrum"].table()[1:], dtype=float)
    assert np.isnan(spectrum[:, 2]).all()
    assert np.isfinite(np.delete(spectrum, 2, axis=1)).all()
    table = {row[0]: row[1] for row in window.panels["headmap"].table()[1:]}
    assert table["C3"] == pytest.approx(10 * np.log10(200), abs=0.5)


def test_a_montage_reads_a_dead_channel_off_only_where_it_is_part_of_a_trace(qtbot, dark: Theme) -> None:
    info = StreamInfo(name="rec", sfreq=RATE, ch_names=NAMES)
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    data = signal_of(np.arange(500))
    data[100:, 5] = np.nan
    panel.append(Chunk(data, np.arange(500) / RATE, 0))
    panel.montage_choice.setCurrentText("longitudinal bipolar")
    assert panel.canvas.montage.labels == ("Fz-Cz", "Cz-Pz")
    expected = data[:, [4, 1]] - data[:, [1, 3]]
    _, n, block = panel.samples()
    assert n == 500
    for found in (np.array(panel.table()[1:], dtype=float), block(0, 500)):
        np.testing.assert_array_equal(found[:, 2:], expected)
    assert panel.value_at(400, 1) == expected[400, 1]
    panel.montage_choice.setCurrentText("average")
    rows = np.array(panel.table()[1:], dtype=float)[:, 2:]
    assert np.isfinite(rows[:100]).all()
    assert np.isnan(rows[100:]).all(), "a reference with a channel that is not there is none"
    panel.toggle_bad("Oz")
    rows = np.array(panel.table()[1:], dtype=float)[:, 2:]
    np.testing.assert_allclose(rows[:, :5], data[:, :5] - data[:, :5].mean(axis=1, keepdims=True), atol=1e-9)
    assert np.isnan(rows[100:, 5]).all()
