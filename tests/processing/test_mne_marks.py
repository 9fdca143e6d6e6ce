"""Marks of MNE objects stay at their samples through a step, cropped or not."""

import mne
import numpy as np
import pytest

from bcikit.processing import Bandpass, BandPower, Blinks, Pick, Resample


@pytest.mark.parametrize("first", [0, 700])
@pytest.mark.parametrize("date", [None, 1_600_000_000])
def test_annotations_of_a_raw_stay_where_they_are(first, date):
    rng = np.random.default_rng(0)
    info = mne.create_info(["C3", "C4"], 250.0, "eeg", verbose="ERROR")
    raw = mne.io.RawArray(rng.normal(0, 2e-5, (2, 5000)), info, first_samp=first, verbose="ERROR")
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations([8.0, 12.0], [0, 0], ["a", "b"]))
    raw = raw.crop(4.0, 16.0, verbose="ERROR")
    want = mne.events_from_annotations(raw, verbose="ERROR")[0][:, 0] - raw.first_samp
    for step in (Bandpass(l_freq=1, h_freq=40), Resample(sfreq=125.0)):
        made = step.apply(raw)
        factor = made.info["sfreq"] / 250.0
        found = mne.events_from_annotations(made, regexp="^[ab]$", verbose="ERROR")[0][:, 0] - made.first_samp
        np.testing.assert_array_equal(found, want * factor)


@pytest.mark.parametrize("window", [1.0, 4.0])
@pytest.mark.parametrize("first", [0, 700])
def test_annotations_of_features_stay_at_their_times(window, first):
    """The first row of features lies a window after the first sample."""
    info = mne.create_info(["C3", "C4"], 250.0, "eeg", verbose="ERROR")
    data = np.random.default_rng(0).normal(0, 1e-6, (2, 5000))
    data[:, 2500:2510] += 1e-2
    raw = mne.io.RawArray(data, info, first_samp=first, verbose="ERROR")
    marks = [0.0, 0.5, 0.0, 10.0], [0.2, 7.0, 20.0, 0.0], ["gone", "cut", "all", "burst"]
    raw.set_annotations(mne.Annotations(*marks, ch_names=[[], [], ["C3"], []]))
    made = BandPower(window=window, hop=0.1, bands={"all": [1, 100]}).apply(raw)
    lead = window - 1 / 250
    found = {mark["description"]: mark for mark in made.annotations}
    onsets = {name: mark["onset"] - made.first_time for name, mark in found.items()}
    assert onsets == pytest.approx({"cut": 0.0, "all": 0.0, "burst": 10.0 - lead})
    assert found["cut"]["duration"] == pytest.approx(7.5 - lead)
    # A window is blind at its edge, so that the burst is felt two rows later.
    power = made.get_data()[0]
    assert made.times[np.flatnonzero(power > 1e3 * power[0])[0]] == pytest.approx(onsets["burst"], abs=0.25)


def test_a_mark_of_a_channel_that_is_gone_goes_with_it():
    info = mne.create_info(["C3", "C4"], 250.0, "eeg", verbose="ERROR")
    raw = mne.io.RawArray(np.random.default_rng(0).normal(0, 1e-6, (2, 1000)), info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.0, 2.0], [0, 0], ["gone", "there"], ch_names=[["C3"], ["C4"]]))
    made = Pick(["C4"]).apply(raw)
    assert [(mark["description"], mark["ch_names"]) for mark in made.annotations] == [("there", ("C4",))]


def test_onsets_that_a_step_found_are_annotations():
    info = mne.create_info(["Fp1", "C4"], 250.0, "eeg", verbose="ERROR")
    data = np.random.default_rng(0).normal(0, 5e-6, (2, 2500))
    data[0, 1500:1575] += 2e-4 * np.hanning(75)
    raw = mne.io.RawArray(data, info, first_samp=700, verbose="ERROR")
    raw.set_annotations(mne.Annotations([4.0], [0], ["a"]))
    made = Blinks().apply(raw)
    onsets = {mark["description"]: mark["onset"] - made.first_time for mark in made.annotations}
    assert onsets.pop("a") == pytest.approx(4.0)
    assert onsets.pop("bad_bcikit") == pytest.approx(onsets["artefact/blinks"])
    assert 6.0 <= onsets["artefact/blinks"] <= 6.3
