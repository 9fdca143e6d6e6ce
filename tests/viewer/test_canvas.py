"""The trace canvas: live and drawn anew are the same, filters of the picture, keys, memory that does not grow."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from bcikit.signal import Chunk, StreamInfo
from bcikit.ui.theme import Theme
from bcikit.viewer.canvas import TraceCanvas
from bcikit.viewer.code import code_of
from bcikit.viewer.display import BANDS, DisplayFilter, bands_for
from bcikit.viewer.history import History
from bcikit.viewer.trace_panel import SCALES, TracePanel


def test_live_picture_equals_the_picture_drawn_anew(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    canvas = TraceCanvas(info, dark, History(info))
    qtbot.addWidget(canvas)
    canvas.resize(600, 400)
    canvas.remove_offset = False
    for chunk in chunks(14):
        canvas.append(chunk)
    live = canvas.grab().toImage()
    canvas.redraw()
    anew = canvas.grab().toImage()
    differing = sum(
        live.pixel(x, y) != anew.pixel(x, y) for x in range(4, live.width(), 7) for y in range(0, live.height(), 5)
    )
    assert differing == 0


def test_frozen_picture_does_not_move_while_samples_come(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    panel.resize(800, 500)
    panel.show()
    made = chunks(12)
    for chunk in made[:80]:
        panel.append(chunk)
    QTest.mouseClick(panel.freeze_button, Qt.MouseButton.LeftButton)
    before = panel.canvas.grab().toImage()
    for chunk in made[80:]:
        panel.append(chunk)
    assert panel.canvas.grab().toImage() == before
    panel.look_back(-0.5)
    assert panel.canvas.grab().toImage() != before
    QTest.mouseClick(panel.freeze_button, Qt.MouseButton.LeftButton)
    assert panel.canvas.frozen_end is None


def test_the_readout_is_the_recorded_number(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    panel.show()
    made = chunks(10)
    for chunk in made:
        panel.append(chunk)
    said: list[str] = []
    panel.readout.connect(said.append)
    panel.band.setCurrentText("8-30 Hz")
    where = QPoint(panel.canvas.width() // 3, panel.canvas.height() // 2)
    QTest.mouseClick(panel.canvas, Qt.MouseButton.LeftButton, pos=where)
    sample, channel = panel.canvas.sample_at(where.x()), panel.canvas.channel_at(where.y())
    recorded = np.concatenate([chunk.data for chunk in made])[sample, channel]
    assert said == [f"{info.ch_names[channel]}: {recorded:.2f} uV at sample {sample}"]


def test_display_filter_says_that_it_is_one(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    panel = TracePanel(info, dark, kind="pipeline")
    qtbot.addWidget(panel)
    assert panel.source_label.text() == "PIPELINE: as the decoder sees it"
    panel.band.setCurrentText("8-30 Hz")
    panel.notch.setCurrentText("50 Hz")
    assert "DISPLAY filter 8-30 Hz, notch 50 Hz (this picture only)" in panel.source_label.text()
    for chunk in chunks(3):
        panel.append(chunk)
    # What is kept is not filtered.
    kept = panel.canvas.history.get(0, 10)
    np.testing.assert_array_equal(kept, chunks(3)[0].data[:10])


def test_display_filters_above_nyquist_are_not_offered() -> None:
    assert "15-95 Hz" not in bands_for(160)
    assert set(bands_for(1000)) == set(BANDS)


def test_a_notch_that_the_rate_does_not_allow_is_neither_offered_nor_said(qtbot, dark: Theme) -> None:
    info = StreamInfo(name="Daisy", sfreq=125.0, ch_names=("C3", "C4"))
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    assert [panel.notch.itemText(row) for row in range(panel.notch.count())] == ["off", "50 Hz"]
    panel.band.setCurrentText("1-40 Hz")
    panel.canvas.filter = DisplayFilter(info, band="1-40 Hz", notch=60.0)
    panel._show_source()
    assert "DISPLAY filter 1-40 Hz (this picture only)" in panel.source_label.text()
    assert "Notch" not in code_of(panel, "lsl:name=Daisy")
    panel.notch.setCurrentText("50 Hz")
    assert "1-40 Hz, notch 50 Hz" in panel.source_label.text()
    assert "Notch(freq=50.0)" in code_of(panel, "lsl:name=Daisy")


def test_display_filter_of_a_piece_equals_the_live_one(info: StreamInfo, chunks: Callable[..., list[Chunk]]) -> None:
    live, once = DisplayFilter(info, band="8-30 Hz"), DisplayFilter(info, band="8-30 Hz")
    made = chunks(4)
    pieces = np.concatenate([live.process(chunk) for chunk in made])
    whole = once.window(np.concatenate([chunk.data for chunk in made]).astype(np.float64), 0)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_keys_change_scale_window_and_cursors(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.show()
    for chunk in chunks(12):
        panel.append(chunk)
    panel.step_scale(1)
    assert panel.canvas.lane_uv["eeg"] == SCALES[SCALES.index(100) + 1]
    panel.step_window(-1)
    assert panel.canvas.seconds == 5
    panel.toggle("cursors")
    a, b = panel.canvas.cursors
    QTest.keyClick(panel.canvas, Qt.Key.Key_Right)
    QTest.keyClick(panel.canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert panel.canvas.cursors == [a + 1, b - 1]
    panel.toggle("cursors")
    QTest.keyClick(panel.canvas, Qt.Key.Key_Left)
    assert panel.canvas.frozen_end is not None


def test_bad_channels_are_dimmed_and_labelled(qtbot, dark: Theme, info: StreamInfo, chunks) -> None:
    panel = TracePanel(info, dark)
    qtbot.addWidget(panel)
    panel.resize(600, 400)
    for chunk in chunks(2):
        panel.append(chunk)
    panel.set_levels({"C3": "BAD", "Cz": "WARN"})
    assert panel.canvas.dimmed == {info.ch_names.index("C3")}

    def letters() -> dict[str, tuple[str, str]]:
        return {name: panel._glyph(trace) for trace, name in enumerate(panel.canvas.montage.labels)}

    assert {name: said for name, said in letters().items() if said[0]} == {"C3": ("■", "BAD"), "Cz": ("▲", "WARN")}
    # A difference is as bad as the worse of its two; by hand goes before what is measured.
    panel.montage_choice.setCurrentText("longitudinal bipolar")
    panel.toggle_bad("P4")
    said = letters()
    assert said["F3-C3"] == said["C3-P3"] == ("■", "BAD")
    assert said["Fz-Cz"] == said["Cz-Pz"] == ("▲", "WARN")
    assert said["C4-P4"] == ("✕", "BAD")
    assert said["F4-C4"] == ("", "")


def test_memory_is_flat_over_an_hour_of_samples(qtbot, dark: Theme, info: StreamInfo) -> None:
    history = History(info, seconds=60, budget=2**20)
    canvas = TraceCanvas(info, dark, history)
    qtbot.addWidget(canvas)
    size = history._ring._rows.nbytes
    data = np.zeros((2500, info.n_channels))
    for start in range(0, 3600 * 250, 2500):
        canvas.append(Chunk(data, np.arange(start, start + 2500) / 250.0, start))
    assert history._ring._rows.nbytes == size <= 2**20
    assert canvas.picture[0].low.shape[1] < 5000
    assert len(canvas.marks) == 0
