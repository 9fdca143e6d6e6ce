"""What is averaged and marked stands when the screen showed it, and says "planned" where no screen told."""

import json
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import SessionWriter
from bcikit.session.memory import Memory
from bcikit.session.sinks import Publisher
from bcikit.signal import Chunk, Event, StreamInfo
from bcikit.signal.messages import Happened, Input, Message, Snapshot, parse, to_json
from bcikit.ui.theme import DARK
from bcikit.viewer.beside import SideStream
from bcikit.viewer.folder import show_folder
from bcikit.viewer.window import ViewerWindow

INFO = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "Cz", "C4", "Pz"))
LATE = 0.12
CUES = (500, 1000, 1500, 2000)
N = 3000


def chunks() -> list[Chunk]:
    """Return a signal with a peak 0.3 s after each cue was shown."""
    data = np.zeros((N, 4))
    for cue in CUES:
        data[cue + round((LATE + 0.3) * 250)] = 50.0
    return [Chunk(data[at : at + 50], np.arange(at, at + 50) / 250, at) for at in range(0, N, 50)]


def cue(sample: int, source: str = "paradigm") -> Event:
    return Event(name="cue/left", time=sample / 250, sample=sample, source=source)


def reports(sample: int) -> list[Input]:
    """Return what a screen says whose light comes 20 ms after the flip."""
    time = sample / 250
    return [
        Input(kind="screen", values={"type": "hello", "client": "s", "refresh": 60.0, "correction": 0.02}),
        Input(
            kind="screen",
            values={
                "type": "flip",
                "client": "s",
                "name": "cue/left",
                "sample": sample,
                "time": time,
                "shown": time + LATE - 0.02,
            },
        ),
    ]


@pytest.fixture
def window(qtbot):
    made = ViewerWindow(DARK, use_saved=False, preset="research")
    qtbot.addWidget(made)
    yield made
    made.close()


def peak(window: ViewerWindow) -> tuple[float, str]:
    """Return when the averaged response is largest, in s, and what is said of the epochs."""
    panel = window.panels["erp"]
    panel.collect(window.view)
    panel.refresh(window.view)
    rows = np.array(panel.table()[1:], dtype=float)
    return float(rows[np.argmax(rows[:, 1]), 0]), panel.count.text()


def marks(window: ViewerWindow) -> list[tuple[int, str]]:
    return [(mark.sample, mark.text) for mark in window.traces["raw"].canvas.marks]


def live(window: ViewerWindow, said: list[tuple[int, Message]]) -> None:
    """Show a live signal; each message comes with the chunk of its sample."""
    window.add_stream("raw", INFO)
    for chunk in chunks():
        window.take_chunk("raw", chunk)
        for at, message in said:
            if chunk.first_sample <= at < chunk.end_sample:
                window.take_message(message)
        window.panels["erp"].collect(window.view)


def over_the_channel(said: list[Message]) -> list[Message]:
    """Return what a window is told of what the session says."""

    class Channel:
        def __init__(self) -> None:
            self.memory, self.told = Memory(), []

        def say(self, message: Message) -> None:
            self.memory.take(message)
            self.told.append(parse(to_json(message)))

        def signals(self, *_: object) -> None:
            raise AssertionError

    channel = Channel()
    publisher = Publisher(channel, INFO, INFO, outputs=(), addresses=(), safety=None)
    for message in said:
        publisher.take(message)
    return [*channel.told, parse(json.loads(to_json(channel.memory.snapshot(1.0))))]


def test_a_live_window_moves_marker_and_response_to_the_flip(window) -> None:
    said = [Happened(event=cue(CUES[0])), *reports(CUES[0])]
    told = [message for message in over_the_channel(said) if isinstance(message, Happened | Input)]
    assert [type(message) for message in told] == [Happened, Input, Input], "windows are told the flips"
    live(
        window,
        [(at, m) for at in CUES for m in (Happened(event=cue(at)),)]
        + [(at + 50, m) for at in CUES for m in reports(at)],
    )
    when, text = peak(window)
    assert when == pytest.approx(0.3, abs=0.005)
    assert "planned" not in text
    assert marks(window) == [(at + round(LATE * 250), "left") for at in CUES]


def test_a_window_that_joins_late_or_again_knows_the_flips_and_averages_once(window) -> None:
    said = [m for at in CUES for m in (Happened(event=cue(at)), *reports(at))]
    *_, snapshot = over_the_channel(said)
    assert isinstance(snapshot, Snapshot)
    live(window, [(N - 50, snapshot)])
    when, text = peak(window)
    assert when == pytest.approx(0.3, abs=0.005)
    assert "left: 4" in text
    window.take_message(snapshot)
    assert "left: 4" in peak(window)[1]
    assert marks(window) == [(at + round(LATE * 250), "left") for at in CUES]


def test_without_a_screen_it_says_planned_but_not_of_a_marker_of_the_device(window) -> None:
    live(
        window,
        [(at, Happened(event=cue(at))) for at in CUES[:3]] + [(CUES[3], Happened(event=cue(CUES[3], "trigger")))],
    )
    when, text = peak(window)
    assert when == pytest.approx(0.3 + LATE, abs=0.005)
    assert text.endswith(": 3")
    assert "planned" in text
    assert [text for _, text in marks(window)] == ["left (planned)"] * 3 + ["left"]


def test_kinds_beyond_the_colours_are_told_apart_by_their_lines(window) -> None:
    said = [
        (at + number, Happened(event=Event(name=f"stimulus/{number}", time=at / 250, source="trigger")))
        for at in CUES
        for number in range(8)
    ]
    live(window, said)
    window.panels["erp"].refresh(window.view)
    pens = [curve.opts["pen"] for curve in window.panels["erp"]._curves.values()]
    assert len({(pen.color().name(), pen.style()) for pen in pens}) == 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with SessionWriter(tmp_path / "s", info=INFO) as writer:
        for chunk in chunks():
            writer.chunk(chunk, float(chunk.times[-1]))
        for at in CUES:
            writer.event(cue(at))
            for report in reports(at)[: 2 if at != CUES[-1] else 0]:
                writer.record("inputs", {"kind": report.kind, **report.values})
    return tmp_path / "s"


def test_a_recorded_session_stands_at_its_flips(window, folder: Path, qtbot) -> None:
    show_folder(window, folder)
    window.past.show()
    assert window.panels["erp"].epochs.update(window.view) is not None
    when, text = peak(window)
    assert when == pytest.approx(0.3, abs=0.005)
    assert text.endswith(": 1")
    wanted = [(at + round(LATE * 250), "left") for at in CUES[:3]] + [(CUES[3], "left (planned)")]
    assert marks(window) == wanted
    side = SideStream(str(folder), DARK)
    qtbot.addWidget(side)
    assert [mark.sample for mark in side.panel.canvas.marks] == [at for at, _ in wanted]
