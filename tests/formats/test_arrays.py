"""MATLAB files and NumPy archives by a mapping: competition layouts, usual names, a file beside."""

import numpy as np
import pytest
from scipy.io import savemat

from bcikit import read_recording
from bcikit.signal import ArgumentError, ConfigError

RNG = np.random.default_rng(0)
CNT = RNG.integers(-900, 900, (3000, 3)).astype(np.int16)


def competition(path):
    """Write a file as data set 1 of the BCI Competition IV is published: counts of 0.1 uV, 1-based positions."""
    clab = np.array([["C3", "Cz", "C4"]], dtype=object)
    classes = np.array([["left", "foot"]], dtype=object)
    savemat(path, {"cnt": CNT, "mrk": {"pos": np.array([[101, 901, 1701]]), "y": np.array([[-1, 1, -1]])},
                   "nfo": {"fs": 100, "clab": clab, "classes": classes}})  # fmt: skip
    return path


def test_a_competition_file_by_a_map(tmp_path):
    recording = read_recording(
        competition(tmp_path / "a.mat"),
        map="data=cnt rate=nfo.fs channels=nfo.clab events=mrk.pos codes=mrk.y scale=0.1",
    )
    assert recording.info.ch_names == ("C3", "Cz", "C4")
    assert recording.info.sfreq == 100
    np.testing.assert_allclose(recording.data, CNT * 0.1)
    assert [(event.name, event.sample) for event in recording.events] == [("-1", 100), ("1", 900), ("-1", 1700)]


def test_a_map_beside_the_file_and_usual_names(tmp_path):
    file = competition(tmp_path / "a.mat")
    with pytest.raises(ArgumentError, match="unit"):
        read_recording(file)
    assert read_recording(file, unit="uV").info.ch_names == ("C3", "Cz", "C4")
    (tmp_path / "map.toml").write_text(
        'data = "cnt"\nrate = "nfo.fs"\nscale = 0.1\nevents = "mrk.pos"\ncodes = "mrk.y"\nchannels = ["a", "b", "c"]\n'
    )
    recording = read_recording(file)
    assert recording.info.ch_names == ("a", "b", "c")
    np.testing.assert_allclose(recording.data, CNT * 0.1)
    (tmp_path / "map.toml").write_text('data = "cnt"\nwings = 2\n')
    with pytest.raises(ConfigError, match="wings is unknown"):
        read_recording(file)


def test_what_is_in_a_file_is_listed_where_nothing_is_known(tmp_path):
    savemat(tmp_path / "a.mat", {"foo": CNT, "bar": {"baz": 3}})
    with pytest.raises(ArgumentError, match=r"foo \(3000x3\).*bar\.baz"):
        read_recording(tmp_path / "a.mat")


def test_classes_as_a_matrix_and_a_channel_of_codes(tmp_path):
    codes = np.zeros(3000)
    codes[100:150], codes[900:950] = 2, 1
    savemat(
        tmp_path / "a.mat",
        {"x": CNT.T, "fs": 100.0, "pos": [[101, 901]], "y": np.array([[0, 1], [1, 0]]), "stim": codes},
    )
    recording = read_recording(tmp_path / "a.mat", map="data=x rate=fs events=pos codes=y names=left,right unit=uV")
    assert [(event.name, event.sample) for event in recording.events] == [("right", 100), ("left", 900)]
    recording = read_recording(tmp_path / "a.mat", map="data=x rate=fs codes_channel=stim unit=mV")
    assert [(event.name, event.sample) for event in recording.events] == [("2", 100), ("1", 900)]
    assert recording.data[0, 0] == CNT[0, 0] * 1e3


def test_numpy_archives(tmp_path):
    np.savez(tmp_path / "a.npz", data=CNT, sfreq=250.0, ch_names=["C3", "Cz", "C4"], events=[[10, 0, 1], [500, 0, 2]])
    recording = read_recording(tmp_path / "a.npz", unit="uV")
    assert [(event.name, event.value, event.sample) for event in recording.events] == [("1", 1, 10), ("2", 2, 500)]
    assert recording.info.ch_names == ("C3", "Cz", "C4")
    np.testing.assert_array_equal(recording.data, CNT)


def test_matlab_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["X"] = CNT.T.astype(float)
        file["fs"] = 200.0
    raw = bytearray((tmp_path / "a.mat").read_bytes())
    head = b"MATLAB 7.3 MAT-file, Platform: x, Created by: test HDF5 schema 1.00 ."
    raw[: len(head)] = head
    raw[124:128] = b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(raw)
    recording = read_recording(tmp_path / "a.mat", unit="uV")
    assert recording.info.sfreq == 200
    np.testing.assert_array_equal(recording.data, CNT)
