"""The viewer on recordings: first picture and scrolling of two hours, beside MNE's browser (Qt backend)."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from table import Row

CHANNELS, RATE = 64, 160.0


def two_hours(*, quick: bool) -> np.ndarray:
    """Return noise, shape (n_times, n_channels), in microvolts; a quarter of an hour where it must be quick."""
    n = int((900 if quick else 7200) * RATE)
    return np.random.default_rng(0).standard_normal((n, CHANNELS)) * 20


def frame_rate(step: Callable[[int], None], frames: int) -> float:
    """Return frames a second, by the median frame."""
    took = []
    for number in range(frames):
        begin = time.perf_counter()
        step(number)
        took.append(time.perf_counter() - begin)
    return 1.0 / float(np.median(took))


def ours(data: np.ndarray, frames: int) -> tuple[float, float, dict[str, float]]:
    """Return seconds to the first picture, frames a second of scrolling, and those of other windows."""
    from PySide6.QtWidgets import QApplication

    from bcikit.signal import Recording, StreamInfo
    from bcikit.ui.theme import DARK
    from bcikit.viewer.still import StillHistory
    from bcikit.viewer.trace_panel import TracePanel

    info = StreamInfo(name="x", sfreq=RATE, ch_names=tuple(f"E{n}" for n in range(CHANNELS)))
    begin = time.perf_counter()
    panel = TracePanel(info, DARK, history=StillHistory(Recording.from_arrays(info, data)))
    panel.resize(1600, 900)
    panel.show()
    QApplication.processEvents()
    panel.canvas.repaint()
    first = time.perf_counter() - begin
    assert panel.overview is not None
    # Its power is measured in a thread; the scrolling is measured without it.
    end = time.monotonic() + 120
    while panel.overview.course is None and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.05)
    found = {}
    for window in ("10 s", "60 s", "900 s"):
        panel.window_choice.setCurrentText(window)

        def step(number: int) -> None:
            bar = panel.back_bar
            bar.setValue(bar.minimum() + round((number * 2 * RATE) % max(1, bar.maximum() - bar.minimum())))
            QApplication.processEvents()
            panel.canvas.repaint()

        found[window] = frame_rate(step, frames)
    panel.close()
    return first, found["10 s"], found


def theirs(data: np.ndarray, frames: int) -> tuple[float, float] | None:
    """Return the same of `mne.io.Raw.plot`, or None where its Qt browser is missing."""
    if find_spec("mne_qt_browser") is None:
        return None
    import mne
    from PySide6.QtWidgets import QApplication

    raw = mne.io.RawArray(data.T * 1e-6, mne.create_info(CHANNELS, RATE, "eeg"), verbose="ERROR")
    with mne.viz.use_browser_backend("qt"):
        begin = time.perf_counter()
        browser = raw.plot(
            n_channels=CHANNELS, duration=10.0, block=False, show=True, precompute=False, verbose="ERROR"
        )
        QApplication.processEvents()
        first = time.perf_counter() - begin
        browser.resize(1600, 900)

        def step(number: int) -> None:
            browser.mne.plt.setXRange(2.0 * number, 2.0 * number + 10.0, padding=0)
            QApplication.processEvents()

        rate = frame_rate(step, frames)
        browser.close()
    return first, rate


def longest_frame_of_export(data: np.ndarray, ending: str) -> tuple[float, int]:
    """Return the longest frame of a recording that is scrolled while all of it is written as a table, and the frames.

    The picture, the table's thread and the process that makes text of numbers are those of the window.
    """
    from PySide6.QtWidgets import QApplication

    from bcikit.signal import Recording, StreamInfo
    from bcikit.ui.theme import DARK
    from bcikit.viewer.background import TableWriter
    from bcikit.viewer.still import StillHistory
    from bcikit.viewer.trace_panel import TracePanel

    info = StreamInfo(name="x", sfreq=RATE, ch_names=tuple(f"E{n}" for n in range(CHANNELS)))
    panel = TracePanel(info, DARK, history=StillHistory(Recording.from_arrays(info, data)))
    panel.resize(1600, 900)
    panel.show()
    panel.window_choice.setCurrentText("7200 s")
    table = panel.samples()
    panel.window_choice.setCurrentText("10 s")
    assert panel.overview is not None
    end = time.monotonic() + 120
    while panel.overview.course is None and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.05)
    over: list[str] = []
    took = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        writer = TableWriter(path, *table)
        writer.finished.connect(over.append)
        writer.start()
        while not over:
            begin = time.perf_counter()
            panel.back_bar.setValue(panel.back_bar.minimum() + round(len(took) * 0.1 * RATE))
            QApplication.processEvents()
            took.append(time.perf_counter() - begin)
            time.sleep(max(0.0, 1 / 60 - took[-1]))
        assert over == [""], over
        assert path.stat().st_size > data.size, "the table is not there"
    panel.close()
    return max(took), len(took)


def still_rows(*, quick: bool) -> list[Row]:
    """Return the lines of the table."""
    data, frames = two_hours(quick=quick), 40 if quick else 150
    first, rate, all_rates = ours(data, frames)
    peer = theirs(data, frames)
    hours = "15 min" if quick else "2 h"
    rows = [
        Row(f"frames a second, {hours} x 64 ch, window {window}", f"{fps:.0f}", "-", fps, ">= 30", fps >= 30)
        for window, fps in all_rates.items()
    ]
    if peer is not None:
        faster, share = rate / peer[1], first / peer[0]
        rows += [
            Row("scroll against MNE's browser", f"{rate:.0f} fps", f"{peer[1]:.0f} fps", faster, ">= 3", faster >= 3),
            Row("first picture against MNE's", f"{first:.2f} s", f"{peer[0]:.2f} s", share, "<= 0.5", share <= 0.5),
        ]
    part = data[: int((60 if quick else 300) * RATE)]
    for ending in (".csv", ".parquet"):
        # The quietest of three: another job on the core adds to each, the table to all alike.
        longest, frames = min(longest_frame_of_export(part, ending) for _ in range(3))
        what = f"longest of {frames} frames while {len(part)} rows are exported in the background ({ending})"
        rows.append(Row(what, f"{1e3 * longest:.0f} ms", "-", longest, "<= 50 ms", longest <= 0.05))
    return rows
