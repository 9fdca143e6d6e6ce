"""Whoever takes a session as a recording has its events where a screen showed them, not where they were planned."""

import numpy as np
import pytest

from bcikit import read_recording
from bcikit.acquisition.summary import summarise
from bcikit.recording import SessionWriter, read_session
from bcikit.recording.edf import export_edf
from bcikit.recording.lateness import Lateness
from bcikit.signal import Chunk, DoubtWarning, Event, StreamInfo

SFREQ = 200.0
ORIGIN = 100.0
LATE = {400: 0.11, 800: 0.13, 1200: 0.09}
"""By how much later than planned the screen shows what is planned at a sample, in s."""


def folder_of(path, *, shown=LATE, hello=True):
    """Return a session with cues at samples 400, 800, 1200 and 1600, and labels 32 samples after each."""
    rng = np.random.default_rng(0)
    info = StreamInfo(name="amp", sfreq=SFREQ, ch_names=("C3", "C4"), line_freq=50.0)
    with SessionWriter(path, info=info, config={}, versions={"bcikit": "test"}) as writer:
        if hello:
            told = {"type": "hello", "client": "qt", "refresh": 60.0, "correction": 0.01}
            writer.record("inputs", {"kind": "screen", **told})
        for first in range(0, 2000, 100):
            times = ORIGIN + np.arange(first, first + 100) / SFREQ
            writer.chunk(Chunk(rng.normal(scale=10.0, size=(100, 2)), times, first), float(times[-1]))
        for number, sample in enumerate((400, 800, 1200, 1600)):
            name, time = ("left", "right")[number % 2], ORIGIN + sample / SFREQ
            writer.event(Event(name=f"cue/{name}", time=time, sample=sample, source="paradigm"))
            data = {"locked": sample}
            writer.event(
                Event(name=f"label/{name}", time=time + 0.16, sample=sample + 32, source="paradigm", data=data)
            )
            writer.event(Event(name="phase/imagery", time=time, sample=sample, source="paradigm", duration=1.0))
            if sample in shown:
                flip = {"name": f"cue/{name}", "sample": sample, "time": time, "shown": time + shown[sample] - 0.01}
                writer.record("inputs", {"kind": "screen", "type": "flip", "client": "qt", **flip})
                # The page was loaded again, and shows the newest scene once more.
                again = {**flip, "shown": time + 1.0}
                writer.record("inputs", {"kind": "screen", "type": "flip", "client": "qt", **again})
    return path


def times_of(recording, prefix):
    return [round(event.time - ORIGIN, 6) for event in recording.events if event.name.startswith(prefix)]


def test_events_stand_where_they_were_shown_and_what_was_not_shown_is_left_out(tmp_path):
    folder = folder_of(tmp_path / "s")
    recording = read_recording(folder)
    assert times_of(recording, "cue/") == pytest.approx([2.11, 4.13, 6.09])
    # A label is locked to its cue, and was planned later already.
    assert times_of(recording, "label/") == pytest.approx([2.11, 4.13, 6.09])
    assert [event.sample for event in recording.events if event.name.startswith("cue/")] == [422, 826, 1218]
    # Nothing was told of the phases, and nobody has to respond to one.
    assert times_of(recording, "phase/") == [2.0, 4.0, 6.0, 8.0]
    # The log is as it was written.
    assert [event.sample for event in read_session(folder).events if event.name.startswith("cue/")] == list(
        range(400, 2000, 400)
    )
    told = [note.text for note in summarise(folder).notes if note.code == "events"]
    assert any("6 stand where a screen showed them, 0.110 s after their plan" in text for text in told)
    assert any("2 cues and labels of what no screen has shown; they are left out" in text for text in told)


def test_without_a_screen_the_plan_counts(tmp_path):
    recording = read_recording(folder_of(tmp_path / "s", shown={}, hello=False))
    assert times_of(recording, "cue/") == [2.0, 4.0, 6.0, 8.0]


def test_a_screen_that_has_shown_nothing_is_a_doubt(tmp_path):
    folder = folder_of(tmp_path / "s", shown={})
    with pytest.warns(DoubtWarning, match="8 cues and labels of what no screen has shown"):
        recording = read_recording(folder)
    assert times_of(recording, "cue/") == []


def test_an_export_has_the_times_of_the_screen(tmp_path):
    session = read_session(folder_of(tmp_path / "s"))
    with pytest.warns(DoubtWarning, match="2 cues and labels of what no screen has shown"):
        export_edf(session, tmp_path / "s.edf")
    from bcikit.acquisition import read_recording as read

    exported = read(tmp_path / "s.edf", accept=("rate", "clock", "amplitude", "events", "unit"))
    found = [(event.name, event.time - exported.times[0]) for event in exported.events if event.name.startswith("cue/")]
    assert [name for name, _ in found] == ["cue/left", "cue/right", "cue/left"]
    np.testing.assert_allclose([time for _, time in found], [2.11, 4.13, 6.09], atol=1e-3)


def test_what_says_more_of_a_flip_stands_with_it():
    said = [
        {"kind": "screen", "type": "hello", "client": "qt", "refresh": 60.0},
        {"kind": "screen", "type": "flip", "client": "qt", "name": "feedback/result", "sample": 400, "time": 2.0,
         "shown": 2.11},
        # Another one of the same moment, told later: a label and what has no flip go by the first.
        {"kind": "screen", "type": "flip", "client": "qt", "name": "cue/left", "sample": 400, "time": 2.0,
         "shown": 2.15},
    ]  # fmt: skip
    # The end of a session is no picture, and comes before the recording ends.
    said.append({**said[1], "name": "paradigm/end"})
    names = (
        "feedback/result", "feedback/error", "select/up", "cue/left", "label/error", "feedback/update", "paradigm/end",
    )  # fmt: skip
    events = [
        Event(name=name, time=2.0, sample=400, source="paradigm", data={"locked": 400} if name == "label/error" else {})
        for name in names
    ]
    placed = Lateness.of_inputs(said).placed(events, SFREQ)
    assert [event.sample for event in placed.events] == [422, 422, 422, 430, 422, 400, 400]
