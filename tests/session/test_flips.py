"""What was really shown, and when, decides what windows, labels and safety go by."""

from types import SimpleNamespace

import numpy as np
import pytest

import bcikit.session.engine
from bcikit.paradigms import make_paradigm
from bcikit.recording import read_session
from bcikit.safety import Severity
from bcikit.session.config import OutputSection
from bcikit.session.engine import Engine
from bcikit.session.flips import Flips, SampleTimes
from bcikit.session.following import Follower
from bcikit.session.retrain import model_from_runs
from bcikit.session.training import load_runs
from bcikit.signal import ArgumentError, Chunk, Event

CUES = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}


@pytest.fixture
def flips():
    return Flips(make_paradigm("ssvep-menu"), 250.0, 500.0)


def hello(refresh):
    return {"type": "hello", "client": "qt", "refresh": refresh}


def flip(name, sample, late):
    return {"type": "flip", "name": name, "sample": sample, "time": 10.0, "shown": 10.0 + late}


def test_without_a_screen_the_plan_counts(flips):
    events = [Event(name="label/up", time=1.0, sample=500, data={"locked": 500})]
    assert flips.moved(events) == events
    assert flips.summary() is None


def test_epochs_are_cut_at_flips_and_what_was_not_shown_is_left_out(flips):
    flips.take(hello(60.0))
    flips.take(flip("stimulus/flicker", 1000, 0.112))
    flips.take(flip("cue/up", 400, 0.104))
    events = [
        Event(name="cue/up", time=0.8, sample=400, source="paradigm"),
        Event(name="label/up", time=2.1, sample=1050, data={"locked": 1000}, source="paradigm"),
        Event(name="label/down", time=6.1, sample=3050, data={"locked": 3000}, source="paradigm"),
        Event(name="trial/end", time=7.0, sample=3500, source="paradigm"),
        # A cue of another program, which this screen knows nothing of.
        Event(name="cue/down", time=8.0, sample=4000, source="lsl"),
    ]
    moved = flips.moved(events)
    # Samples of the source (500 Hz); the delay of 25 samples of the filtered signal (250 Hz) was planned already.
    assert [(event.name, event.sample) for event in moved] == [
        ("cue/up", 452),
        ("label/up", 1056),
        ("trial/end", 3500),
        ("cue/down", 4000),
    ]
    assert moved[1].time == pytest.approx(2.1 + 0.012)
    assert flips.shift(1000) == 28
    assert flips.shift(3000) is None
    assert flips.n_unseen == 1
    assert flips.summary()["delay_s"] == pytest.approx(0.108)


def test_nobody_responds_to_a_flicker_that_was_refused(flips):
    events = [
        Event(name="stimulus/flicker", time=1.0, sample=500, source="paradigm"),
        Event(name="label/up", time=1.1, sample=550, data={"locked": 500}, source="paradigm"),
        Event(name="stimulus/refused", time=5.0, sample=2500, source="paradigm"),
        Event(name="label/down", time=5.1, sample=2550, data={"locked": 2500}, source="paradigm"),
    ]
    for event in events:
        flips.plan(event, scene=False)
    assert (flips.shift(500), flips.shift(2500)) == (0, None)
    assert [event.name for event in flips.moved(events)] == ["stimulus/flicker", "label/up", "stimulus/refused"]
    assert flips.doubts()[0].startswith("1 times nothing flickered")
    # A screen that shows mid-grey in its place says so, and has shown no flicker.
    flips.take(hello(60.0))
    for name, sample in (("stimulus/flicker", 500), ("stimulus/refused", 2500)):
        flips.take(flip(name, sample, 0.1))
    assert (flips.shift(500), flips.shift(2500)) == (25, None)
    assert [event.name for event in flips.moved(events)] == ["stimulus/flicker", "label/up", "stimulus/refused"]


@pytest.mark.parametrize(("refresh", "fits"), [(60.0, True), (59.94, True), (22.0, False)])
def test_a_frequency_that_the_measured_refresh_does_not_allow_is_refused(flips, refresh, fits):
    found = flips.take(hello(refresh))
    assert (found is None) is fits
    assert (flips.unfit == "") is fits
    if not fits:
        assert found[0] is Severity.DEGRADE
        assert "12 Hz" in found[1]


def test_dropped_frames_are_counted_and_told_to_safety(flips):
    times = np.arange(60) / 60.0
    assert flips.take({"type": "frames", "refresh": 60.0, "times": times.tolist()}) is None
    torn = np.delete(1.0 + np.arange(60) / 60.0, [10, 11, 30, 31])
    found = flips.take({"type": "frames", "refresh": 60.0, "times": torn.tolist()})
    assert flips.dropped == 4
    assert found[0] is Severity.DEGRADE
    assert "dropped" in found[1]


def test_frames_of_another_display_are_judged_by_its_rate(flips):
    def told(rate, start):
        times = [start + number / rate for number in range(30)]
        return flips.take({"type": "frames", "refresh": rate, "times": times})

    assert told(60.0, 10.0) is None
    assert told(144.0, 10.0 + 30 / 60) is None


def test_a_marker_lies_on_the_sample_that_was_taken_at_its_time():
    places = SampleTimes(250.0)
    for start in range(0, 2500, 10):
        # A source whose clock is a little fast.
        times = 100.0 + np.arange(start, start + 10) / 250.1
        places.add(Chunk(np.zeros((10, 1)), times, start))
    for sample in (0, 3, 1234, 2499):
        time = 100.0 + (sample + 0.3) / 250.1
        assert places.marker({"name": "trial", "t": time}).sample == sample
    later = places.marker(
        {"name": "trial", "t": 100.0 + 2600 / 250.1, "value": 3, "client": "page", "uncertainty": 0.001}
    )
    assert later.sample == pytest.approx(2600, abs=1)
    assert later.data == {"client": "page", "uncertainty": 0.001}
    assert (later.value, later.source) == (3, "page")


def test_what_is_learned_lies_where_a_screen_showed_it() -> None:
    asked: list[tuple[int, int]] = []

    def window(stop: int, n_times: int) -> None:
        asked.append((stop, n_times))
        raise ArgumentError("Nothing there.")

    model = SimpleNamespace(familiarity=lambda: None)
    follower = Follower(model, labels={"cue/a": "a"}, tmax=1.0, n_times=50, sfreq=100.0, window=window)
    for sample, shift in ((100, 0), (300, 12), (500, None), (700, -3)):
        follower.on_event(Event(name="cue/a", time=0.0, sample=sample), lambda shift=shift: shift)
    follower.upto(200)
    assert asked == [(200, 50)]
    # Shown later: its last samples come later, too.
    follower.upto(411)
    assert asked == [(200, 50)]
    follower.upto(1000)
    assert asked == [(200, 50), (412, 50), (797, 50)]


def test_a_screen_that_the_plan_does_not_wait_for_is_told_and_changes_nothing():
    flips = Flips(make_paradigm("p300-speller"), 250.0, 250.0)
    severity, found, limit = flips.take({**hello(60.0), "delay": 0.1})
    assert severity is Severity.WARN
    assert "display_delay" in found
    assert "0.15" in limit
    assert not flips.active
    # Labels go by the plan as decisions do, whatever it shows; those of a refused flicker go.
    flips.take(flip("stimulus/flash", 1000, 0.12))
    events = [
        Event(name="label/target", time=1.0, sample=250, data={"locked": 250}, source="paradigm"),
        Event(name="label/target", time=4.0, sample=1000, data={"locked": 1000}, source="paradigm"),
        Event(name="stimulus/refused", time=8.0, sample=2000, source="paradigm"),
        Event(name="label/target", time=8.0, sample=2000, data={"locked": 2000}, source="paradigm"),
    ]
    assert flips.shift(1000) == flips.shift(250) == 0
    assert flips.moved(events) == events[:3]
    waits = Flips(make_paradigm({"base": "p300-speller", "display_delay": 0.16}), 250.0, 250.0)
    assert waits.take({**hello(60.0), "delay": 0.1}) is None
    assert waits.active


def test_a_warning_is_logged_with_its_flip_and_its_sound(flips):
    flips.take(hello(60.0))
    flips.plan(Event(name="advice/drowsy", time=1.0, sample=250), scene=True)
    assert flips.n_not_shown == 1
    about = {"client": "qt", "name": "advice/drowsy", "sample": 250, "time": 1.0}
    flips.take({"type": "sounded", **about, "shown": 1.14, "audible": True})
    flips.take({"type": "flip", **about, "shown": 1.125})
    warning = flips.summary()["warnings"]
    assert warning == [
        {"name": "advice/drowsy", "sample": 250, "painted_s": pytest.approx(0.125), "sounded_s": pytest.approx(0.14)}
    ]
    assert flips.doubts() == []


def test_what_was_not_seen_and_not_heard_is_said_in_the_end(flips):
    flips.take(hello(60.0))
    for sample in range(5):
        flips.plan(Event(name="phase/eyes-closed", time=1.0, sample=sample), scene=True)
    about = {"client": "page", "name": "stimulus/tone", "sample": 9, "time": 1.0, "shown": 1.1}
    flips.take({"type": "sounded", **about, "audible": False, "why": "aplay: no such device"})
    unseen, unheard = flips.doubts()
    assert unseen.startswith("5 cues, stimuli, phases or warnings were not shown")
    assert unheard == "1 of 1 sounds were not heard: aplay: no such device."
    assert flips.summary()["sounds"] == {"heard": 0, "not_heard": 1, "why": "aplay: no such device"}


def test_results_are_flips_so_that_an_error_potential_is_looked_for_when_it_was_seen(flips):
    flips.take(hello(60.0))
    flips.take(flip("feedback/result", 400, 0.12))
    assert flips.shift(400) == 30


def test_of_two_pages_the_first_counts_and_that_there_are_two_is_said(flips):
    flips.take(hello(60.0))
    for sample in range(0, 500, 100):
        flips.take(flip("cue/up", sample, 0.12))
        # The other page is behind another window; or it was loaded again, and shows the newest scene once more.
        flips.take(flip("cue/up", sample, 3.0))
    assert {flips.shift(sample) for sample in range(0, 500, 100)} == {30}
    assert flips.summary()["shown_twice"] == 5
    assert "second page" in flips.doubts()[0]


def test_a_page_that_is_loaded_again_in_the_middle_closes_the_gate_for_a_moment(flips):
    page = {"type": "hello", "client": "page", "refresh": 60.0}
    assert flips.take({**page, "first": True}) is None
    # A rate that is found more exactly is no new page.
    assert flips.take({**page, "refresh": 59.95, "first": False}) is None
    severity, found, _ = flips.take({**page, "first": True})
    assert severity is Severity.DEGRADE
    assert found == "page: a screen came in the middle of the session"


def test_what_a_folder_is_trained_on_later_is_what_its_session_learned_from(short_config, monkeypatch):
    """The windows of both begin when a screen showed the cue."""
    learned = []
    trains = bcikit.session.engine.fit_model

    def watched(*args, **options):
        learned.append(trains(*args, **options))
        return learned[-1]

    monkeypatch.setattr(bcikit.session.engine, "fit_model", watched)
    config = short_config(outputs=[OutputSection(address="frames:")])
    paradigm = config.paradigm.model_copy(update={"settings": {**config.paradigm.settings, "instructions": 0.0}})
    config = config.model_copy(update={"paradigm": paradigm})
    values = Engine(config).run().values
    assert values["presentation"]["delay_s"] == pytest.approx(0.1, abs=0.02)
    folder = config.recording.folder
    trials = learned[0][1]
    files = config.calibration.model_copy(update={"files": [folder], "events": CUES})
    config = config.model_copy(update={"calibration": files})
    again = load_runs(config)
    _, offline = model_from_runs(config, again)
    # Those of the feedback that came after are there, too.
    assert len(offline.y) > len(trials.y) > 0
    np.testing.assert_array_equal(offline.y[: len(trials.y)], trials.y)
    np.testing.assert_allclose(offline.X[: len(trials.y)], trials.X, atol=1e-9)


def test_a_screen_that_nothing_waited_for_moves_nothing_for_who_reads_the_session(short_config):
    """Its decoder was trained by the plan: so is the next one, and averages are of the same samples."""
    config = short_config(outputs=[OutputSection(address="frames:")])
    settings = {**config.paradigm.settings, "instructions": 0.0, "display_delay": 0.0, "feedback_runs": 0}
    config = config.model_copy(update={"paradigm": config.paradigm.model_copy(update={"settings": settings})})
    values = Engine(config).run().values
    assert values["presentation"] is None
    session = read_session(config.recording.folder)
    told = [line for line in session.records["inputs"] if line["kind"] == "screen"]
    assert {line["type"] for line in told} >= {"hello", "flip"}
    planned = [event.sample for event in session.events if event.name.startswith("cue/")]
    assert len(planned) == 10
    assert [event.sample for event in session.recording.events if event.name.startswith("cue/")] == planned
    assert (session.placed.n_moved, session.placed.n_unseen) == (0, 0)
