"""The simulated user as a source: exact by its seed, the same in any chunks, answers to cues."""

import numpy as np
import pytest

from bcikit.acquisition import Interactive, open_source
from bcikit.signal import ArgumentError, Event, SourceError, StreamEndedError


def test_same_seed_same_signal_whatever_the_chunks(simulate):
    one = simulate("sim:motor-imagery?seed=3&duration=7&chunk=10")
    other = simulate("sim:motor-imagery?seed=3&duration=7&chunk=61")
    np.testing.assert_allclose(one.data, other.data, atol=1e-9)
    assert one.n_times == 7 * 250
    np.testing.assert_array_equal(one.samples, np.arange(1750))


def test_another_seed_is_another_signal(simulate):
    one = simulate("sim:motor-imagery?seed=3&duration=2")
    other = simulate("sim:motor-imagery?seed=4&duration=2")
    assert abs(np.corrcoef(one.data[:, 8], other.data[:, 8])[0, 1]) < 0.5


def test_chunks_keep_the_contract():
    with open_source("sim:motor-imagery?channels=8&duration=1&sfreq=500") as source:
        assert isinstance(source, Interactive)
        assert not source.live
        total = 0
        for chunk in source:
            chunk.check()
            assert chunk.first_sample == total
            assert np.isfinite(chunk.data).all()
            total += chunk.n_times
        assert total == 500
        assert source.ended
        with pytest.raises(StreamEndedError, match="is over"):
            source.pull()


def test_a_cue_makes_the_other_hand_area_fall_silent():
    """ERD over C3 while the right hand is imagined, in the mu band, against the same seconds without a cue."""
    from scipy.signal import butter, sosfiltfilt

    def power(*, cued: bool) -> np.ndarray:
        address = "sim:motor-imagery?seed=1&ability=1&inattention=0&confusion=0&blink_per_min=0&channels=C3,C4,Cz"
        with open_source(address) as source:
            data = []
            for step in range(25 * 25):
                if cued and step % 250 == 50:
                    source.on_event(Event(name="cue/right_hand", time=0.0, sample=step * 10))
                if cued and step % 250 == 150:
                    source.on_event(Event(name="trial/end", time=0.0, sample=step * 10))
                data.append(source.pull().data)
        band = sosfiltfilt(butter(4, [8, 14], "band", fs=250, output="sos"), np.concatenate(data), axis=0)
        during = [band[cue + 250 : cue + 1000] for cue in range(500, 6250 - 1000, 2500)]
        return np.mean([np.square(piece).mean(axis=0) for piece in during], axis=0)

    with_cue, without = power(cued=True), power(cued=False)
    assert with_cue[0] < 0.5 * without[0]
    assert with_cue[1] > 0.8 * without[1]


def test_own_schedule_reports_balanced_cues_and_ends(simulate):
    recording = simulate("sim:motor-imagery?schedule=1&trials=6&seed=2&classes=left_hand,feet")
    cues = [event.name for event in recording.events if event.name.startswith("cue/")]
    assert sorted(cues) == ["cue/feet"] * 3 + ["cue/left_hand"] * 3
    assert all(event.sample is not None and event.sample < recording.n_times for event in recording.events)


@pytest.mark.parametrize("option", ["trials=6", "classes=feet,rest", "seconds=2"])
def test_what_counts_for_the_own_schedule_alone_is_refused_without_it(option):
    with pytest.raises(ArgumentError, match="add schedule=1"):
        open_source(f"sim:motor-imagery?{option}")


def test_a_default_user_is_decodable(simulate):
    from mne.decoding import CSP
    from scipy.signal import butter, sosfilt
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    scores = []
    for seed in (1, 2):
        recording = simulate(f"sim:motor-imagery?schedule=1&trials=40&seed={seed}")
        band = sosfilt(butter(4, [8, 30], "band", fs=250, output="sos"), recording.data, axis=0)
        cues = [event for event in recording.events if event.name.startswith("cue/")]
        X = np.array([band[event.sample + 125 : event.sample + 875].T for event in cues])
        y = np.array([event.name for event in cues])
        model = make_pipeline(CSP(4), LinearDiscriminantAnalysis())
        scores.append(cross_val_score(model, X, y, cv=StratifiedKFold(5)).mean())
    assert np.mean(scores) > 0.85


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sim:motor-imagry", "motor-imagery"),
        ("sim:motor-imagery?abilty=1", "ability"),
        ("sim:motor-imagery?ability=2", "ability"),
        ("sim:motor-imagery?channels=C3,XX", "XX"),
        ("sim:motor-imagery?schedule=1&classes=left_hand,foot", "feet"),
    ],
)
def test_bad_addresses_are_one_clear_error(address, says):
    with pytest.raises(ArgumentError, match=says):
        open_source(address)


def test_pull_before_start_is_an_error():
    with pytest.raises(SourceError, match="not started"):
        open_source("sim:motor-imagery").pull()
