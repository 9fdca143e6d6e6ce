"""Positions by name are MNE's, in the coordinates that `StreamInfo.positions` speaks of: the head's."""

import edfio
import mne
import numpy as np
import pytest

from bcikit.acquisition import read_recording
from bcikit.acquisition.montage import montage_name, montage_positions
from bcikit.processing import with_montage
from bcikit.signal import StreamInfo

NAMES = ("Fc5.", "C3..", "Cz..", "O1..", "X9")


def placed_by_mne(names: tuple[str, ...], montage: str) -> np.ndarray:
    info = mne.create_info(list(names), 100.0, "eeg", verbose="ERROR")
    info.set_montage(montage_name(montage), match_case=False, on_missing="ignore", verbose="ERROR")
    return np.array([channel["loc"][:3] for channel in info["chs"]])


@pytest.mark.parametrize("montage", ["standard_1005", "standard_1020", "colin27_1005", "easycap-M1", "biosemi64"])
def test_positions_are_those_that_mne_sets(montage):
    names = ("FC5", "C3", "Cz", "O1", "X9")
    found = np.array(montage_positions(names, montage))
    np.testing.assert_allclose(found, placed_by_mne(names, montage), atol=1e-6, equal_nan=True)


def test_a_file_without_positions_has_those_of_the_head(tmp_path):
    signals = [edfio.EdfSignal(np.arange(200.0), 100.0, label=name, physical_dimension="uV") for name in NAMES]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    info = read_recording(tmp_path / "a.edf").info
    assert info.ch_names == ("FC5", "C3", "Cz", "O1", "X9")
    want = placed_by_mne(info.ch_names, "standard_1005")
    np.testing.assert_allclose(info.positions_array(), want, atol=1e-6, equal_nan=True)
    # Given to MNE they are where MNE itself would have put them.
    there = read_recording(tmp_path / "a.edf").to_mne().get_montage().get_positions()
    assert there["coord_frame"] == "head"
    np.testing.assert_allclose([there["ch_pos"][name] for name in info.ch_names[:4]], want[:4], atol=1e-6)
    by_step = with_montage(StreamInfo(name="a", sfreq=100.0, ch_names=NAMES)).positions_array()
    np.testing.assert_array_equal(by_step, info.positions_array())
