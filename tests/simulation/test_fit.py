"""A twin fitted to a recording is like it, and says how much."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bcikit.acquisition import open_source, read_recording
from bcikit.signal import DataError, DoubtWarning, Event, Recording, StreamInfo
from bcikit.simulation.fit import features, fit_twin


def test_a_twin_of_a_twin_finds_its_settings_again(simulate):
    """Recovery: what was planted is measured, and the fitted user measures alike."""
    planted = "alpha_hz=9&alpha_uv=9&background_uv=9&exponent=1.1&blink_per_min=20&mains_uv=5&erd=0.7"
    recording = simulate(f"sim:motor-imagery?schedule=1&trials=16&seed=5&channels=32&chunk=250&{planted}")
    fit = fit_twin(recording, seed=9)
    assert fit.settings.alpha_hz == pytest.approx(9, abs=1.2)
    assert fit.settings.background_uv == pytest.approx(9, rel=0.25)
    assert fit.settings.exponent == pytest.approx(1.1, abs=0.25)
    assert fit.settings.mains_uv == pytest.approx(5, rel=0.3)
    assert fit.spectrum_r > 0.97
    assert fit.spectrum_db < 1.5
    json.dumps(fit.to_dict())
    # The address opens the same user.
    with open_source(fit.address(seed=9)) as source:
        assert source.twin.settings.exponent == pytest.approx(fit.settings.exponent, rel=1e-3)


def test_a_twin_of_a_person(data_dir):
    recording = read_recording(data_dir / "eegmmidb" / "S001R06.edf")
    fit = fit_twin(recording, cues={"T1": "both_hands", "T2": "feet"})
    assert fit.spectrum_r > 0.95
    assert fit.spectrum_db < 2
    differences = {name: difference for name, _, _, difference in fit.rows()}
    for name in ("background", "exponent", "alpha", "mu"):
        assert abs(differences[name]) < 0.2, (name, differences[name])


def test_features_say_what_they_cannot_know(simulate):
    found = features(simulate("sim:rest?seed=1&duration=30&channels=C3,C4"))
    assert np.isnan(found.blinks)
    assert np.isnan(found.erd)
    assert np.isnan(found.alpha)
    assert found.mu > 0


def test_too_short_a_recording_is_refused(simulate):
    with pytest.raises(DataError, match="30 s"):
        fit_twin(simulate("sim:rest?seed=1&duration=5"))


def test_a_twin_that_is_not_like_the_recording_is_a_doubt(simulate):
    recording = simulate("sim:rest?seed=1&duration=31&channels=Oz,C3,C4")
    rng = np.random.default_rng(0)
    # A rhythm that no person has: the twin cannot have it either.
    times = np.arange(recording.n_times)[:, None] / recording.info.sfreq
    strange = replace(recording, data=rng.normal(0, 5, recording.data.shape) + 80 * np.sin(2 * np.pi * 33 * times))
    with pytest.warns(DoubtWarning, match=r"is not like .*mean spectrum has r = .* dB"):
        fit = fit_twin(strange, rounds=1)
    assert fit.to_dict()["doubts"] == fit.doubts() != []


def _imagined(*, lost=0):
    """Return trials of 12 s whose mu rhythm falls by 95 % at each cue, without the samples from 500 to `lost`."""
    rng = np.random.default_rng(0)
    samples = np.arange(250 * 12 * 12)
    second = samples / 250 % 12
    size = np.where((second >= 4) & (second < 8), np.sqrt(0.05), 1.0)
    data = (10 * size * np.sin(2 * np.pi * 10 * samples / 250))[:, None] + rng.normal(0, 0.1, (len(samples), 2))
    events = [Event(name="cue/left_hand", time=12 * k + 4.0, sample=250 * (12 * k + 4)) for k in range(12)]
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
    keep = (samples < 500) | (samples >= lost)
    whole = Recording.from_arrays(info, data, events=tuple(events))
    return replace(whole, data=data[keep], times=whole.times[keep], samples=samples[keep])


@pytest.mark.parametrize("lost", [0, 1250])
def test_a_gap_leaves_the_desynchronisation_where_the_cues_are(lost):
    assert features(_imagined(lost=lost)).erd == pytest.approx(0.95, abs=0.02)


def test_single_samples_that_are_no_numbers_are_bridged_and_many_are_refused():
    recording = _imagined()
    wanted = features(recording)
    data = recording.data.copy()
    data[700, 0] = np.nan
    found = features(replace(recording, data=data))
    assert found.erd == pytest.approx(wanted.erd, abs=0.01)
    assert found.background == pytest.approx(wanted.background, rel=0.05)
    data[5000:6000, 1] = np.nan
    with pytest.raises(DataError, match=r"too many samples are no numbers in C4 \(2\.8%\); at most 1%"):
        features(replace(recording, data=data))
