"""Marks of MNE objects stay at their samples through a step, cropped or not."""

import mne
import numpy as np
import pytest

from bcikit.processing import Bandpass, Resample


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
