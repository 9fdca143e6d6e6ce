"""`bcikit validate timing`: when a stimulus is really seen, beside the time its marker says.

With a photodiode over the patch in the lower left corner and its signal in a channel of a source, the offset and the
jitter between marker and light are measured, and stored as a correction. Without one, what the program itself can know
is measured: frames, dropped frames, and the distances between onsets.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bcikit.acquisition import Source, open_source
from bcikit.outputs.displays import keep_correction
from bcikit.presentation.timing import TimingResult, measure_timing
from bcikit.signal import DataError, Event, HostClock, MissingDependencyError, check_choice, check_int
from bcikit.validation.run import check_new

if TYPE_CHECKING:
    from bcikit.paradigms.scene import Scene
    from bcikit.presentation.qt.view import SceneView

SOA_SECONDS = 0.3
"""From one change of the patch to the next: less than two light flashes a second, which is no hazard to anybody."""

SOA_SD_LIMIT = 0.002
DROPPED_LIMIT = 0.01
JITTER_LIMIT = 0.010
"""Limits: onset asynchrony, dropped frames (ST-7 of the stimulus policy), and jitter of light for wireless devices."""

_PATIENCE = 10.0
"""Longest wait for stimuli that a busy computer shows late, in seconds."""

_LAG = 1.0
"""Seconds by which the light of the last stimulus may still be on its way when the wait is over."""


def validate_timing(
    out: Path,
    *,
    source: str = "",
    photodiode: str = "",
    screen: str = "window",
    n_stimuli: int = 100,
    as_json: bool = False,
) -> int:
    """Measure the timing of stimuli on this machine and write ``result.json`` (and ``timing.json``, the correction).

    Parameters
    ----------
    out : Path
        Folder to write to.
    source : str
        Address of the device that the photodiode is connected to; empty for none.
    photodiode : str
        Its channel.
    screen : "window" or "page"
        What shows the stimuli: the patient's window, or the page in a browser that somebody opens.
    n_stimuli : int
        Changes of the patch.
    as_json : bool
        Print JSON.

    Returns
    -------
    int
        0 if every limit is kept, 1 if not.

    Raises
    ------
    DataError
        If the photodiode sees no light, or its device falls silent.
    """
    check_int("n_stimuli", n_stimuli, low=20, high=10_000)
    check_choice("screen", screen, ("window", "page"))
    check_new(out)
    opened = open_source(source) if source else None
    try:
        columns = [] if opened is None else opened.info.index_of([photodiode], who="validate timing")
        frames, markers, samples, display = (_show if screen == "window" else _show_page)(n_stimuli, opened, columns)
    finally:
        if opened is not None:
            opened.close()
    light = None
    if opened is not None:
        times = np.concatenate([np.empty(0), *(part[0] for part in samples)])
        if not len(times) or times[-1] < max(markers, default=0.0) - _LAG:
            # What it saw before would stand for all: jitter of a few, or "not measured" without a fault.
            raise DataError(f"{opened.info.name} with the photodiode fell silent before the last stimulus was shown.")
        signal = np.concatenate([part[1] for part in samples])
        light = measure_timing(signal, times, np.asarray(markers))
    values = judge(frames, light)
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    if light is not None:
        light.save(out / "timing.json")
        # The next session on this display goes by it.
        about = {"uncertainty": light.uncertainty, "sd": light.sd}
        kept = keep_correction("qt" if screen == "window" else "page", display, light.offset, **about)
        values["kept_for"] = {"display": display, "file": str(kept)}
        (out / "result.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    _print(values, out, as_json=as_json)
    return 0 if all(row["result"] != "FAIL" for row in values["tests"]) else 1


def judge(frames: dict[str, Any], light: TimingResult | None) -> dict[str, Any]:
    """Return each quantity with its limit and PASS, FAIL or NOT MEASURED."""
    shown = frames["frames"] + frames["dropped"]
    rows = [
        _row("T-SOA", "onset asynchrony, standard deviation", frames["soa_sd"], SOA_SD_LIMIT, "s"),
        _row("T-DROP", "dropped frames", frames["dropped"] / shown if shown else None, DROPPED_LIMIT, ""),
        _row("T-JITTER", "light against marker, standard deviation", light.sd if light else None, JITTER_LIMIT, "s"),
        _row("T-OFFSET", "light against marker, median", light.offset if light else None, None, "s"),
    ]
    return {"tests": rows, "frames": frames, "correction_s": light.offset if light else None}


def _row(name: str, what: str, value: float | None, limit: float | None, unit: str) -> dict[str, Any]:
    if value is None:
        result = "NOT MEASURED"
    elif limit is None:
        result = "REPORTED"
    else:
        result = "PASS" if value <= limit else "FAIL"
    return {"id": name, "what": what, "value": value, "limit": limit, "unit": unit, "result": result}


def _show(
    n_stimuli: int, source: Source | None, columns: Sequence[int]
) -> tuple[dict[str, Any], list[float], list[tuple[Any, Any]], str]:
    """Show the stimuli; return the report on frames, when the patch became bright, the samples, and the display."""
    try:
        from PySide6.QtCore import QEventLoop, QTimer
        from PySide6.QtWidgets import QApplication
    except ImportError:
        raise MissingDependencyError("PySide6", "gui", "The stimulus window") from None
    from bcikit.paradigms.scene import Matrix, Scene
    from bcikit.presentation.presenter import Flip
    from bcikit.presentation.qt.collecting import collect_between_events
    from bcikit.presentation.qt.view import SceneView, display_name
    from bcikit.presentation.qt.window import PatientWindow

    application = QApplication.instance()
    if application is None:
        application = QApplication([])
        collect_between_events(application)
    markers: list[float] = []
    samples: list[tuple[Any, Any]] = []
    loop = QEventLoop()
    seen = 0
    newest = 0.0

    def on_flip(flip: Flip) -> None:
        nonlocal seen, newest
        if flip.event.name == "stimulus/flash":
            seen += 1
            newest = flip.shown
            if seen % 2:
                # The patch changes with every flash; it becomes bright with every second one, from the first on.
                markers.append(flip.shown)

    def pull() -> None:
        while source is not None and not source.ended and (chunk := source.pull(0.0)) is not None:
            samples.append((chunk.times.copy(), chunk.data[:, columns[0]].copy()))

    def look() -> None:
        pull()
        # What is late is waited for, and so is the light of the last one.
        now = HostClock().now()
        if now >= end and ((seen >= n_stimuli and now >= newest + 1.0) or now >= end + _PATIENCE):
            loop.quit()

    window = SceneView(patch=True, on_flip=on_flip)
    # Where a session shows it: a correction is that of its display.
    patient = PatientWindow(window)
    patient.place("second")
    scene = Scene(name="timing", elements=(Matrix(rows=(("+",),)),))
    _tell(window, Event(name="phase/flash", time=HostClock().now()), scene)
    if source is not None:
        source.start()
    begin = HostClock().now() + 1.0
    end = begin + 1.0 + n_stimuli * SOA_SECONDS
    for number in range(n_stimuli):
        data = {"items": ["+"], "target": None, "sequence": number, "index": 0}
        _tell(window, Event(name="stimulus/flash", time=begin + number * SOA_SECONDS, duration=0.1, data=data))
    puller = QTimer()
    puller.timeout.connect(look)
    puller.start(20)
    loop.exec()
    puller.stop()
    pull()
    report = window.state()
    display = display_name(window)
    patient.close()
    application.processEvents()
    return report, markers, samples, display


def _show_page(
    n_stimuli: int, source: Source | None, columns: Sequence[int]
) -> tuple[dict[str, Any], list[float], list[tuple[Any, Any]], str]:
    from bcikit.validation.page_timing import show_on_page

    samples: list[tuple[Any, Any]] = []

    def pull() -> None:
        while source is not None and not source.ended and (chunk := source.pull(0.0)) is not None:
            samples.append((chunk.times.copy(), chunk.data[:, columns[0]].copy()))

    if source is not None:
        source.start()
    report, markers, display = show_on_page(n_stimuli, SOA_SECONDS, pull=pull)
    return report, markers, samples, display


def _tell(window: "SceneView", event: Event, scene: "Scene | None" = None) -> None:
    """Show what a session would have shown."""
    window.take({"type": "show", "event": event.to_dict(), "scene": None if scene is None else scene.to_dict()})


def _print(values: dict[str, Any], out: Path, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if as_json:
        console.print_json(json.dumps(values))
        return
    table = Table(title="Timing of stimuli")
    for head in ("test", "what", "value", "limit", "result"):
        table.add_column(head)
    for row in values["tests"]:
        shown = ["-" if row[key] is None else f"{row[key]:.4g} {row['unit']}" for key in ("value", "limit")]
        table.add_row(row["id"], row["what"], *shown, row["result"])
    console.print(table)
    if values["correction_s"] is None:
        console.print("No photodiode: --source ADDRESS --photodiode CHANNEL measures when the light really comes.")
    console.print(f"Written to {out}/result.json", markup=False)
