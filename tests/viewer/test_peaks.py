"""No peak is lost by drawing: a spike of one sample is found in the pixels of the window, at every zoom."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from bcikit.signal import Chunk, StreamInfo
from bcikit.ui.theme import DARK, Theme, rgb
from bcikit.viewer.canvas import SWEEP_GAP, Mark, TraceCanvas
from bcikit.viewer.history import History
from bcikit.viewer.trace_panel import SCALES, WINDOWS, TracePanel

RATE = 2000.0
WIDTHS = (201, 640, 997, 1280, 1600, 1919, 1920)


def pixels(widget: QWidget) -> NDArray[np.uint32]:
    """Return what a person sees, as ``(height, width)`` pixels of the screen."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.bytesPerLine() // 4)
    return rows[:, : image.width()] | np.uint32(0xFF000000)


def make_canvas(width: int, seconds: float, *, sweep: bool = False, lane_uv: float = 250.0) -> TraceCanvas:
    info = StreamInfo(name="fast", sfreq=RATE, ch_names=("Cz",))
    canvas = TraceCanvas(info, DARK, History(info))
    canvas.resize(width, 300)
    canvas.seconds, canvas.sweep, canvas.lane_uv["eeg"] = seconds, sweep, lane_uv
    canvas.remove_offset = False
    canvas.redraw()
    return canvas


def feed(canvas: TraceCanvas, data: NDArray[np.float64], *, first: int = 0, size: int = 40) -> None:
    for at in range(0, len(data), size):
        part = data[at : at + size]
        start = first + at
        canvas.append(Chunk(part, np.arange(start, start + len(part)) / RATE, start))


def spike_row(canvas: TraceCanvas, height: int, value: float = 100.0) -> int:
    """Return the row of pixels that the tip must reach."""
    return int(np.clip(height / 2 - value * height / canvas.lane_uv["eeg"], 0, height - 1))


def painted(image: NDArray[np.uint32], row: int, *, colour: int = rgb(DARK.trace)) -> NDArray[np.int64]:
    """Return the columns in which a row or its neighbour has the colour of a trace."""
    rows = image[max(0, row - 1) : row + 2]
    return np.flatnonzero((rows == colour).any(axis=0))


@pytest.mark.parametrize("sweep", [False, True], ids=["scroll", "sweep"])
@pytest.mark.parametrize("seconds", WINDOWS)
@pytest.mark.parametrize("width", [220, 1280, 1600, 1920])
def test_a_spike_is_on_the_screen_from_its_first_frame_to_its_last(
    qtbot, dark: Theme, seconds: float, width: int, *, sweep: bool
) -> None:
    canvas = make_canvas(width, seconds, sweep=sweep)
    qtbot.addWidget(canvas)
    window = canvas.window_samples
    feed(canvas, np.zeros((window // 3 + 17, 1)), size=4000)
    spike = canvas.history.end + 7
    data = np.zeros((40, 1))
    data[7] = 100.0
    feed(canvas, data, first=canvas.history.end)
    # Seven frames while it crosses the window; the last one just before it leaves, or the sweep comes to it.
    column = window / width
    last = spike + window - int((2 + SWEEP_GAP * sweep) * column) - 2
    for end in np.linspace(canvas.history.end, last, 7).astype(int):
        feed(canvas, np.zeros((end - canvas.history.end, 1)), first=canvas.history.end, size=997)
        image = pixels(canvas)
        found = painted(image, spike_row(canvas, image.shape[0]))
        x = canvas.x_of(spike)
        assert x is not None
        assert found.size, end
        assert abs(found - x).min() <= 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from(WIDTHS),
    seconds=st.sampled_from(WINDOWS),
    sweep=st.booleans(),
    scale=st.sampled_from([scale for scale in SCALES if scale <= 10000]),
    sign=st.sampled_from([1.0, -1.0]),
    share=st.floats(0.0, 1.0),
    size=st.integers(1, 400),
    before=st.booleans(),
    after=st.booleans(),
    redraw=st.booleans(),
)
@example(
    width=1920, seconds=60, sweep=True, scale=200, sign=1.0, share=1.0, size=40, before=True, after=True, redraw=True
)  # the newest sample of all, alone between lost ones
@example(
    width=1280, seconds=1, sweep=False, scale=200, sign=-1.0, share=0.0, size=1, before=False, after=False, redraw=False
)
def test_a_spike_anywhere_is_painted(
    qtbot, dark: Theme, width, seconds, sweep, scale, sign, share, size, before, after, redraw
) -> None:
    """Whatever column it falls into, beside gaps, at both ends of the window and right at the cursor of the sweep."""
    canvas = make_canvas(width, seconds, sweep=sweep, lane_uv=float(scale))
    qtbot.addWidget(canvas)
    window = canvas.window_samples
    total = window + 5 * size
    # Columns in view without the oldest, and in a sweep without those that the cursor covers.
    reach = window - int((2 + SWEEP_GAP * sweep) * window / width) - 2
    spike = total - 1 - int((1.0 - share) * reach)
    data = np.zeros((total, 1))
    if before:
        data[max(0, spike - 50) : spike] = np.nan
    if after:
        data[spike + 1 : spike + 51] = np.nan
    data[spike] = sign * 100.0
    head = total - 3 * size
    feed(canvas, data[:head], size=4000)
    canvas.grab()
    feed(canvas, data[head:], first=head, size=size)
    if redraw:
        canvas.redraw()
    image = pixels(canvas)
    found = painted(image, spike_row(canvas, image.shape[0], sign * 100.0))
    x = canvas.x_of(spike)
    assert x is not None
    assert found.size
    assert abs(found - x).min() <= 1


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_shows_what_has_a_pixel(qtbot, dark: Theme, scale: int) -> None:
    canvas = make_canvas(1600, 10.0, lane_uv=float(scale))
    qtbot.addWidget(canvas)
    data = np.zeros((20000, 1))
    data[13337] = 100.0
    feed(canvas, data, size=1000)
    image = pixels(canvas)
    height, x = image.shape[0], round(canvas.x_of(13337) or -1)
    length = (image[: height // 2, x - 1 : x + 2] == rgb(dark.trace)).any(axis=1).sum()
    wanted = min(height / 2, 100.0 / scale * height)
    assert abs(length - wanted) <= 1.01


def test_a_peak_under_a_marker_a_label_or_a_cursor_is_seen(qtbot, dark: Theme) -> None:
    canvas = make_canvas(1280, 10.0, lane_uv=110.0)
    qtbot.addWidget(canvas)
    plain = np.zeros((20000, 1))
    data = plain.copy()
    data[[9000, 13337]] = 50.0
    pictures = []
    for samples in (plain, data):
        canvas = make_canvas(1280, 10.0, lane_uv=110.0)
        qtbot.addWidget(canvas)
        feed(canvas, samples, size=1000)
        canvas.marks = [
            Mark(13337, "a stimulus", dark.accent),
            Mark(8990, "a long label over the other peak", dark.warn),
        ]
        canvas.cursors = [13337, 13338]
        pictures.append(pixels(canvas))
    without, with_peak = pictures
    row = spike_row(canvas, without.shape[0], 50.0)
    for sample in (9000, 13337):
        x = round(canvas.x_of(sample) or -1)
        differ = without[row : row + 60, x - 1 : x + 2] != with_peak[row : row + 60, x - 1 : x + 2]
        assert differ.any(axis=1).all(), sample


def test_a_bad_channel_does_not_hide_the_peak_of_a_good_one(qtbot, dark: Theme) -> None:
    info = StreamInfo(name="two", sfreq=RATE, ch_names=("Cz", "Pz"))
    canvas = TraceCanvas(info, dark, History(info))
    qtbot.addWidget(canvas)
    canvas.resize(1280, 400)
    canvas.remove_offset = False
    data = np.zeros((20000, 2))
    data[13337, 0] = -100.0
    data[:, 1] = 300.0 * (-1.0) ** np.arange(20000)
    canvas.dimmed = frozenset({1})
    feed(canvas, data, size=1000)
    image = pixels(canvas)
    x = round(canvas.x_of(13337) or -1)
    assert (image[100:290, x - 1 : x + 2] == rgb(dark.trace)).any(axis=1).sum() >= 185


def test_a_hidden_canvas_draws_nothing_and_shows_all_when_it_is_seen(qtbot, dark: Theme, monkeypatch) -> None:
    drawn: list[tuple[int, int]] = []
    original = TraceCanvas._draw

    def draw(self, columns, image, start, stop) -> None:
        drawn.append((start, stop))
        original(self, columns, image, start, stop)

    monkeypatch.setattr(TraceCanvas, "_draw", draw)
    canvas = make_canvas(1280, 10.0)
    qtbot.addWidget(canvas)
    data = np.zeros((60000, 1))
    data[50001] = 100.0
    feed(canvas, data)
    assert drawn == []
    image = pixels(canvas)
    assert len(drawn) == 1
    assert painted(image, spike_row(canvas, image.shape[0])).size


SCALED = """
import sys
import numpy as np
from PySide6.QtCore import QRect
from bcikit.ui.application import prepare
application = prepare()
sys.path.insert(0, {tests!r})
import test_peaks as t
from bcikit.ui.theme import DARK, rgb
from bcikit.viewer.trace_panel import TracePanel
missed = []
for width in (1280, 1353, 1920):
    info = t.StreamInfo(name="fast", sfreq=t.RATE, ch_names=("Cz",))
    panel = TracePanel(info, DARK)
    panel.resize(width, 520)
    panel.show()
    application.processEvents()
    canvas = panel.canvas
    canvas.remove_offset = False
    assert abs(canvas.devicePixelRatioF() - {ratio}) < 1e-6
    for seconds in (1, 10, 60):
        canvas.seconds = float(seconds)
        canvas.history._ring.clear()
        canvas.redraw()
        window = canvas.window_samples
        rng = np.random.default_rng(seconds)
        spikes = [window, 2 * window - 1, 2 * window - 2, *rng.integers(window, 2 * window, 25).tolist()]
        for spike in spikes:
            data = np.zeros((2 * window, 1))
            data[spike] = 40.0
            canvas.history._ring.clear()
            canvas.redraw()
            t.feed(canvas, data, size=window // 2)
            image = t.pixels(panel)
            ratio = {ratio}
            top, height = round(canvas.y() * ratio), canvas.height() * ratio
            row = top + round(height / 2 - 40.0 * height / 100.0)
            if not t.painted(image, row + 1).size:
                missed.append((width, seconds, spike, 2 * window))
print("MISSED", missed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.25, 1.5, 2.0])
def test_spikes_are_seen_on_screens_of_other_resolutions(ratio: float) -> None:
    script = SCALED.format(tests=str(Path(__file__).parent), ratio=ratio)
    environment = {**os.environ, "QT_SCALE_FACTOR": str(ratio), "QT_QPA_PLATFORM": "offscreen"}
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=110, env=environment, check=False
    )
    assert "MISSED []" in run.stdout, run.stdout[-500:] + run.stderr[-2000:]


def test_all_windows_and_scales_of_the_panel_are_tried_here(qtbot, dark: Theme) -> None:
    panel = TracePanel(StreamInfo(name="fast", sfreq=RATE, ch_names=("Cz",)), dark)
    qtbot.addWidget(panel)
    offered = [panel.window_choice.itemText(index) for index in range(panel.window_choice.count())]
    assert offered == [f"{seconds:g} s" for seconds in WINDOWS]
    assert panel.scale_choice.count() == len(SCALES)
