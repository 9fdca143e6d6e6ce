"""What makers of devices and readers of recordings look at: clock, trends, scope, spans, jumps, the bar."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.acquisition import open_source
from bcikit.signal.messages import Electrode, LinkHealth, Quality
from bcikit.ui.reader import StreamReader
from bcikit.ui.theme import DARK, Theme
from bcikit.viewer.clock import allan_deviation, time_errors
from bcikit.viewer.engine_panels import LinkPanel
from bcikit.viewer.folder import show_file
from bcikit.viewer.maker_panels import DevicePanel, ScopePanel, TrendPanel, crossings
from bcikit.viewer.panel import View
from bcikit.viewer.plot import log_ticks
from bcikit.viewer.scale_bar import round_down
from bcikit.viewer.selection_panel import SelectionPanel
from bcikit.viewer.window import ViewerWindow

NAMES = ("F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz")


def until(true: Callable[[], object], *, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.01)


def test_the_allan_deviation_of_white_phase_noise_is_the_known_one() -> None:
    rng = np.random.default_rng(1)
    seconds = np.arange(20_000) * 0.1
    taus, found = allan_deviation(seconds, 1e-3 * rng.standard_normal(seconds.size))
    # Riley 2008: sigma_y(tau) = sqrt(3) sigma_x / tau.
    np.testing.assert_allclose(found[:12], np.sqrt(3) * 1e-3 / taus[:12], rtol=0.1)


def test_a_rate_that_is_off_is_no_time_error() -> None:
    arrivals = [(10 + n * 0.1, 25 * n) for n in range(100)]  # 250 Hz as stated
    slow = [(10 + n * 0.1002, 25 * n) for n in range(100)]
    for rows in (arrivals, slow):
        _, errors = time_errors(rows, 250.0)
        assert np.abs(errors).max() < 1e-9
    assert time_errors(arrivals[:5], 250.0)[0].size == 0


@given(st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=2, max_size=60), st.booleans())
def test_a_trigger_is_where_the_signal_comes_to_the_level(values: list[float], rising: bool) -> None:
    data = np.array(values)
    found = crossings(data, 1.0, rising=rising)
    for at in found:
        before, here = data[at - 1], data[at]
        assert before < 1.0 <= here if rising else before > 1.0 >= here
    assert found.size == sum((a < 1.0 <= b) if rising else (a > 1.0 >= b) for a, b in itertools.pairwise(values))


@pytest.fixture
def live(qtbot, dark: Theme) -> Iterator[ViewerWindow]:
    reader = StreamReader(lambda: open_source("brainflow:synthetic"))
    reader.start()
    window = ViewerWindow(dark, raw=reader, preset="device", use_saved=False, source="brainflow:synthetic")
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    yield window
    window.close()


@pytest.mark.realtime
def test_a_maker_sees_counts_clock_trends_and_a_triggered_sweep(live: ViewerWindow) -> None:
    device, scope, trends = live.panels["device"], live.panels["scope"], live.panels["trends"]
    assert isinstance(device, DevicePanel)
    assert isinstance(scope, ScopePanel)
    assert isinstance(trends, TrendPanel)
    for key in ("device", "clock", "scope"):
        live.show_panel(key)
    until(lambda: len(scope.table()) > 1 and len(live.panels["clock"].table()) > 1)

    def counts() -> dict[object, object]:
        return {row[0]: row[1] for row in device.table()[1:]}

    # The source is asked once a second, and the panel shows what it said last.
    until(lambda: int(str(counts().get("samples", 0))) > 250)
    assert str(counts()["rate stated"]) == "250 Hz"
    scope.channel.setCurrentText("C3")
    # BrainFlow's second channel is a sine of 10 Hz: a sweep begins where it rises through the level.
    until(lambda: scope.text.text().startswith(("9.", "10.")))
    sweep = np.array(scope.table()[1:], dtype=float)
    at = int(np.argmin(np.abs(sweep[:, 0])))
    assert sweep[at - 1, 1] < 0 <= sweep[at, 1]
    live.show_panel("trends")
    until(lambda: len(trends.table()) > 3)
    assert "battery %" in trends.table()[0]
    assert not np.isnan(float(str(trends.table()[-1][1])))


def test_what_an_engine_says_of_its_device_reaches_the_panels(qtbot, dark: Theme) -> None:
    window = ViewerWindow(dark, preset="device", use_saved=False)
    qtbot.addWidget(window)
    window.show()
    window.take_message(LinkHealth(device={"samples": 500, "lost": 3, "battery": 71.0, "impedances": {"C3": 12_000.0}}))
    window.take_message(Quality(channels={"C3": Electrode(level="GOOD", impedance=12_000.0)}))
    window._look()
    assert window.view.device["lost"] == 3
    panel = window.panels["trends"]
    panel.refresh(window.view)
    assert panel.table()[-1][-1] == 12_000.0
    assert window.view.status.quality["C3"].impedance == 12_000.0


@pytest.fixture
def still(qtbot, dark: Theme, tmp_path: Path) -> Iterator[ViewerWindow]:
    """A file that MNE wrote: rest, then 30 s of alpha; annotations at 10, 25 and 50 s."""
    rng = np.random.default_rng(3)
    times = np.arange(60 * 200) / 200
    data = rng.standard_normal((len(NAMES), times.size)) * 10
    data[:, times >= 30] += 40 * np.sin(2 * np.pi * 10 * times[times >= 30])
    raw = mne.io.RawArray(data * 1e-6, mne.create_info(list(NAMES), 200.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([10.0, 25.0, 50.0], 0.0, ["one", "two", "three"]))
    path = tmp_path / "rest.edf"
    mne.export.export_raw(path, raw, verbose="ERROR")
    window = ViewerWindow(dark, source=f"file:{path}", preset="research", use_saved=False)
    qtbot.addWidget(window)
    window.resize(1366, 768)
    window.show()
    show_file(window, path)
    qtbot.waitExposed(window)
    yield window
    window.close()


def test_two_spans_of_a_recording_are_compared(still: ViewerWindow) -> None:
    panel, traces = still.panels["selection"], still.current_traces()
    assert isinstance(panel, SelectionPanel)
    assert traces is not None
    still.show_panel("selection")
    traces.toggle("cursors")
    traces.canvas.cursors = [2000, 5000]
    until(lambda: len(panel.table()) > 1)
    QTest.mouseClick(panel.keep_button, Qt.MouseButton.LeftButton)
    traces.canvas.cursors = [7000, 11000]
    until(lambda: len(panel.table()) > 1 and panel.table()[1][3] not in ("", 0.0))
    change = {str(row[0]): float(str(row[3])) for row in panel.table()[1:]}
    # 40 uV of 10 Hz are 800 uV^2; white noise of 10 uV at 200 Hz is 1 uV^2/Hz, 5 in the band.
    assert change["alpha"] == pytest.approx(10 * np.log10(805 / 5), abs=1.0)
    assert abs(change["beta"]) < 1.0
    kept = float(str(panel.table()[3][2]))
    assert kept == pytest.approx(5.0, rel=0.2)
    QTest.mouseClick(panel.forget_button, Qt.MouseButton.LeftButton)
    until(lambda: panel.table()[1][3] == "")


def test_keys_jump_from_marker_to_marker(still: ViewerWindow) -> None:
    traces = still.current_traces()
    assert traces is not None
    said: list[str] = []
    traces.readout.connect(said.append)
    traces.look_at(0.0)
    for key, where in (
        (Qt.Key.Key_Period, "one: 10.000"),
        (Qt.Key.Key_Period, "two: 25.000"),
        (Qt.Key.Key_Period, "three: 50.000"),
        (Qt.Key.Key_Period, "No further marker"),
        (Qt.Key.Key_Comma, "two: 25.000"),
    ):
        QTest.keyClick(still, key)
        assert said[-1].startswith(where)
    middle = traces.canvas.frozen_end - traces.canvas.window_samples // 2
    assert middle == 25 * 200


@pytest.mark.parametrize(
    ("value", "nice"), [(90.0, 50.0), (100.0, 100.0), (0.9, 0.5), (4.7, 2.0), (0.0, 0.0), (1e6, 1e6)]
)
def test_the_bar_is_a_round_number(value: float, nice: float) -> None:
    assert round_down(value) == nice


def test_the_calibration_bar_is_as_long_as_it_says(still: ViewerWindow, dark: Theme) -> None:
    traces = still.current_traces()
    assert traces is not None
    canvas = traces.canvas
    canvas.shown = [0, 1]
    canvas.marks = []
    canvas.redraw()
    QApplication.processEvents()
    image = canvas.grab().toImage()
    scale = image.height() / canvas.height()
    x = round((canvas.width() - 14) * scale)
    column = [image.pixelColor(x, y).name() == dark.text for y in range(image.height())]
    longest = max(len(run) for run in "".join("#" if hit else "." for hit in column).split("."))
    lane = canvas.height() / 2
    worth = round_down(0.9 * canvas.lane_uv["eeg"])
    assert longest == pytest.approx(worth / canvas.lane_uv["eeg"] * lane * scale, abs=2.5)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.1, 5.0, ["0.1", "0.2", "0.5", "1", "2", "5"]), (1e-8, 1e-3, ["1e-08", "1e-05", "0.001"])],
)
def test_numbers_of_a_logarithmic_axis_do_not_lie_on_each_other(low, high, shown):
    (ticks,) = log_ticks(low, high)
    assert set(shown) <= {text for _, text in ticks}
    places = np.array([place for place, _ in ticks])
    assert np.diff(places).min() > 0.25
    assert places.min() <= np.log10(low) + 1e-9
    assert places.max() >= np.log10(high) - 1e-9


def test_jitter_of_rounding_does_not_fill_its_panel(qtbot) -> None:
    panel = LinkPanel(DARK)
    qtbot.addWidget(panel)
    view = View()
    view.links.extend([(0.0, 0.0, 1e-13), (0.4, 0.0, 4e-13)])
    panel.refresh(view)
    box = panel.plot.getPlotItem().getViewBox()
    box.updateAutoRange()
    (left, right), (low, high) = box.viewRange()
    assert high - low >= 0.1 - 1e-9
    assert right - left >= 1.0 - 1e-9
