from dataclasses import replace

import numpy as np
import pytest

from bcikit.decoding import epochs, join
from bcikit.processing import Lowpass, Pipeline
from bcikit.signal import ArgumentError, Bad, DataError, DoubtWarning, Event, Recording, StreamInfo

CUES = {"cue/left": "left", "cue/right": "right"}


def test_epochs_hold_the_samples_after_each_cue(recording):
    cut = epochs(recording, events=CUES, tmin=0.5, tmax=2.5)
    assert cut.X.shape == (11, 3, 200)
    assert cut.ch_names == ("C3", "Cz", "C4")
    np.testing.assert_array_equal(cut.X[2, 1], 1e4 + 1000 + 100 + 50 + np.arange(200.0))
    assert cut.counts() == {"left": 5, "right": 6}
    assert cut.y[0] == "right"


def test_two_events_of_one_moment_are_one_trial():
    noise = np.random.default_rng(0).normal(size=(3000, 1))
    events = tuple(
        event
        for sample in range(500, 2500, 500)
        for event in (
            Event(name="left", time=sample / 250, sample=sample),
            Event(name="trigger/1", time=(sample + 1) / 250, sample=sample + 1, value=1),
        )
    )
    both = Recording.from_arrays(StreamInfo(name="a", sfreq=250.0, ch_names=("Cz",)), noise, events=events)
    found = epochs(both, events={"left": "left", "1": "left"}, tmin=0.0, tmax=1.0)
    assert found.samples.tolist() == [500, 1000, 1500, 2000]
    assert len(found.dropped) == 4
    assert "the same trial again" in found.dropped[0]
    with pytest.warns(DoubtWarning, match="4 trials are of two classes at one sample"):
        epochs(both, events={"left": "left", "1": "right"}, tmin=0.0, tmax=1.0)


def test_what_a_session_calls_practice_or_cut_off_is_no_example(recording):
    """As in the session itself, whoever learns from its folder later leaves both out, and says so."""
    events = [
        replace(event, data={"trial": number, **({"practice": True} if number == 0 else {})}, source="paradigm")
        for number, event in enumerate(recording.events)
    ]
    events.append(Event(name="trial/end", time=17.0, sample=1700, data={"trial": 3, "interrupted": True}))
    events.append(Event(name="trial/end", time=22.0, sample=2200, data={"trial": 4}))
    cut = epochs(replace(recording, events=tuple(events)), events=CUES, tmin=0.5, tmax=2.5)
    assert cut.counts() == {"left": 4, "right": 5}
    assert [text.split(": ")[1:] for text in cut.dropped] == [
        ["cue/right at 1.000 s", "a practice trial"],
        ["cue/left at 16.000 s", "the trial was cut off"],
    ]


def test_what_filters_delay_is_said_and_not_hidden():
    impulse = np.zeros((2000, 1))
    impulse[575] = 1000.0
    info = StreamInfo(name="a", sfreq=250.0, ch_names=("Cz",))
    raw = Recording.from_arrays(info, impulse, events=(Event(name="cue", time=2.0, sample=500),))
    late = epochs(Pipeline([Lowpass(10.0)]).apply(raw), events=["cue"], tmin=0.0, tmax=1.0)
    plain = epochs(raw, events=["cue"], tmin=0.0, tmax=1.0)
    assert plain.delay == 0.0
    assert "ms, by the filters before" in late.shown()[1]["delay"]
    # What happened 300 ms after the event is seen later by just that, up to the skew of the filter's response.
    assert late.X[0, 0].argmax() / 250 - late.delay == pytest.approx(0.3, abs=0.005)
    assert join([plain, late]).delay == late.delay


def test_trials_of_several_references_are_doubted_and_have_none(recording):
    at_cz, at_a1, unknown = (
        replace(recording, info=recording.info.replace(reference=text)) for text in ("Cz", "A1", "")
    )
    cut = {"events": CUES, "tmin": 0.0, "tmax": 1.0}
    assert epochs([at_cz, replace(at_cz, info=recording.info.replace(reference="CZ "))], **cut).info.reference
    assert epochs([at_cz, unknown], **cut).reference == ""
    with pytest.warns(DoubtWarning, match=r"different references \(A1, Cz\)"):
        assert epochs([at_cz, at_a1], **cut).reference == ""
    with pytest.warns(DoubtWarning, match=r"different references \(A1, Cz\)"):
        assert join([epochs(at_cz, **cut), epochs(at_a1, **cut)]).reference == ""


def test_channels_are_matched_by_name_whatever_the_order(recording):
    other = recording.pick([2, 0, 3, 1])
    cut = epochs([recording, other], events=CUES, tmin=0, tmax=1)
    np.testing.assert_array_equal(cut.X[:11], cut.X[11:])
    assert set(cut.groups) == {0, 1}


def test_a_missing_channel_and_another_rate_are_errors(recording):
    with pytest.raises(ArgumentError, match="Oz"):
        epochs(recording, events=CUES, tmin=0, tmax=1, channels=["Oz"])
    slow = replace(recording, info=recording.info.replace(sfreq=50.0))
    with pytest.raises(DataError, match="50 Hz"):
        epochs([recording, slow], events=CUES, tmin=0, tmax=1)


def test_windows_over_a_gap_the_end_or_bad_samples_are_dropped_and_listed(recording):
    keep = np.ones(recording.n_times, bool)
    keep[1150:1160] = False
    mask = np.zeros(recording.data.shape, np.uint8)
    mask[600:610, 0] = Bad.RAILED
    mask[1600:1700, 0] = Bad.ARTEFACT
    holed = replace(
        recording,
        data=recording.data[keep],
        times=recording.times[keep],
        samples=recording.samples[keep],
        mask=mask[keep],
    )
    cut = epochs(holed, events=CUES, tmin=0, tmax=9.5)
    reasons = " ".join(cut.dropped)
    assert "lost" in reasons
    assert "bad" in reasons
    assert "leaves the recording" in reasons
    # 1600 is an artefact only, which does not make a sample untrue.
    assert 1600 in cut.samples
    assert 600 not in cut.samples
    assert 600 in epochs(holed, events=CUES, tmin=0, tmax=1, max_bad=0.2).samples


def test_nan_that_no_mask_declares_is_dropped(recording):
    recording.data[120, 0] = np.nan
    cut = epochs(recording, events=CUES, tmin=0, tmax=1)
    assert len(cut) == 10
    assert "NaN" in cut.dropped[0]


def test_no_matching_event_names_what_there_is(recording):
    with pytest.raises(DataError, match="cue/left, cue/right"):
        epochs(recording, events={"T1": "left"}, tmin=0, tmax=1)


def test_events_are_found_by_value_and_by_time(recording):
    events = (Event(name="marker", value=7, time=2.0),)
    cut = epochs(replace(recording, events=events), events={"7": "a"}, tmin=0, tmax=1)
    assert cut.samples.tolist() == [200]


def test_an_empty_window_is_refused(recording):
    with pytest.raises(ArgumentError, match="tmax"):
        epochs(recording, events=CUES, tmin=1, tmax=1)


def test_join_keeps_groups_apart_or_sets_them(recording):
    one = epochs(recording, events=CUES, tmin=0, tmax=1)
    other = one.pick(["C4", "Cz", "C3"])
    both = join([one, other])
    assert len(set(both.groups)) == 2
    np.testing.assert_array_equal(both.X[:11], both.X[11:])
    assert set(join([one, other], groups=[5, 5]).groups) == {5}
    with pytest.raises(DataError, match="lengths"):
        join([one, epochs(recording, events=CUES, tmin=0, tmax=2)])


def test_fingerprint_follows_data_and_labels(trials):
    assert trials.fingerprint() == replace(trials, X=trials.X.copy()).fingerprint()
    assert trials.fingerprint() != replace(trials, y=trials.y[::-1]).fingerprint()
    assert trials.fingerprint() != replace(trials, X=trials.X + 1e-9).fingerprint()


def test_what_is_no_recording_is_said_with_the_way(recording):
    with pytest.raises(ArgumentError, match=r"not str; bcikit\.read_recording reads a file"):
        epochs("recording.edf", events=["a"], tmin=0, tmax=1)
    with pytest.raises(ArgumentError, match="groups has 1 numbers for 2 recordings"):
        epochs([recording, recording], events=["a"], tmin=0, tmax=1, groups=[1])
