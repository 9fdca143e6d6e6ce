"""MATLAB files and NumPy archives by a mapping: competition layouts, usual names, a file beside."""

import numpy as np
import pytest
from scipy.io import savemat

from bcikit import read_recording
from bcikit.signal import ArgumentError, BciError, ConfigError, DoubtWarning

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


@pytest.fixture
def told(tmp_path):
    """Read a file of arrays by a map."""

    def read(values, mapping, **options):
        savemat(tmp_path / "a.mat", {"x": CNT, "fs": 100.0, **values})
        return read_recording(tmp_path / "a.mat", map=f"data=x rate=fs unit=uV {mapping}", **options)

    return read


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("events=pos codes=mrk.typo", r"has nothing at 'mrk.typo'; it holds .*pos \(1x2\)"),
        ("events=typo", "has nothing at 'typo'"),
        ("codes_channel=typo", "has nothing at 'typo'"),
        ("events=pos names=typo", "has nothing at 'typo'"),
        ("events=word", "word holds no numbers"),
        ("events=pos codes=three", "pos has 2 events, three 3 codes"),
        ("data=word", "word is no matrix of samples"),
        ("rate=zero", "says no sampling rate at 'zero'; say it: sfreq=250"),
        ("rate=typo", "says no sampling rate at 'typo'"),
        ("loud", "map has 'loud'; each part must be like"),
    ],
)
def test_a_place_that_is_not_there_is_never_taken_for_another(told, mapping, said):
    values = {"pos": [101, 901], "word": "left", "three": [1, 2, 1], "zero": 0.0}
    with pytest.raises(BciError, match=said):
        told(values, mapping)


def test_names_that_do_not_fit_the_channels_are_a_doubt(told):
    for mapping in ("channels=C3,C4", "channels=labels", "channels=typo"):
        recording = told({"labels": np.array(["C3", "C4"], dtype=object)}, mapping)
        assert recording.info.ch_names == ("Ch1", "Ch2", "Ch3")
        (doubt,) = [note.text for note in recording.notes if note.doubt]
        assert "for 3 channels" in doubt
    assert told({"x": CNT[:, :1]}, "channels=Cz").info.ch_names == ("Cz",)


def test_trials_without_a_class_or_a_position_are_no_events(told):
    recording = told({"pos": [101.0, np.nan, 1701.0], "y": [[np.nan, 1, 2]]}, "events=pos codes=y names=left,right")
    assert [(event.name, event.sample) for event in recording.events] == [("right", 1700)]
    assert [note.text for note in recording.notes if note.doubt] == ["1 events of pos have no position; left out"]


@pytest.mark.parametrize("row", [[100, 0, 2], [100, 2], [0, 0, 1]])
def test_a_table_of_one_event_is_no_list_of_places(told, row):
    with pytest.raises(ArgumentError, match=r"does not rise.*events=PLACES codes=CODES"):
        told({"pos": row}, "events=pos")
    assert [event.sample for event in told({"pos": [101], "y": [2]}, "events=pos codes=y").events] == [100]


def test_a_row_of_three_places_is_in_doubt_without_codes(told):
    values = {"pos": [101, 501, 901], "y": [1, 2, 1]}
    with pytest.warns(DoubtWarning, match="one row of three"):
        recording = told(values, "events=pos")
    assert [event.sample for event in recording.events] == [100, 500, 900]
    for mapping, decided in (("events=pos", ("events",)), ("events=pos codes=y", ())):
        assert not any(note.doubt for note in told(values, mapping, accept=decided).notes)


@pytest.mark.parametrize(
    ("codes", "names", "found"),
    [
        ([0, 1, 0], "left,right", ["left", "right", "left"]),
        ([1, 2, 1], "left,right", ["left", "right", "left"]),
        ([1, 1, 1], "left,right", ["left", "left", "left"]),
        ([0, 1, 2], "left,right", ["0", "left", "right"]),
        ([-1, 1, -1], "left,foot", ["left", "foot", "left"]),
        ([769, 770, 769], "left,right", ["left", "right", "left"]),
        ([1, 2, 7], "left,right", ["left", "right", "7"]),
        ([2, 3, 2], "left,right", ["right", "3", "right"]),
        ([770, 770, 770], "left,right", ["770", "770", "770"]),
        ([0, 1, 0], "0=left,1=right", ["left", "right", "left"]),
        ([1, 1, 1], "0=left,1=right", ["right", "right", "right"]),
        ([2, 1, 2], "2=left", ["left", "1", "left"]),
    ],
)
def test_names_are_those_of_the_codes_that_are_there(told, codes, names, found):
    recording = told({"pos": [101, 901, 1701], "y": codes}, f"events=pos codes=y names={names}")
    assert [event.name for event in recording.events] == found
    assert [event.value for event in recording.events] == codes
    doubts = [note.text for note in recording.notes if note.doubt]
    assert bool(doubts) == (not set(codes) <= {1, 2} and "=" not in names)
    if doubts:
        assert all(way in doubts[0] for way in ("names=", "accept=events"))
        again = told({"y": codes, "pos": [101, 901, 1701]}, f"events=pos codes=y names={names}", accept=("events",))
        assert not any(note.doubt for note in again.notes)


def test_runs_of_other_codes_agree_by_the_names_of_the_codes(told):
    for codes in ([769, 770], [768, 770], [770, 770]):
        recording = told({"pos": [101, 901], "y": codes}, "events=pos codes=y names=768=foot,769=left,770=right")
        assert [event.name for event in recording.events][-1] == "right"
        assert not any(note.doubt for note in recording.notes)
    with pytest.raises(ArgumentError, match="name every code"):
        told({"pos": [101, 901], "y": [1, 2]}, "events=pos codes=y names=1=left,right")


def test_a_class_that_a_matrix_says_of_no_trial_is_none(told):
    classes = np.array([[1, 0, 0, np.nan], [0, 0, 1, np.nan]])
    for matrix in (classes, classes.T):
        recording = told({"pos": [101, 501, 901, 1701], "y": matrix}, "events=pos codes=y names=left,right")
        assert [(event.name, event.sample) for event in recording.events] == [("left", 100), ("right", 900)]
        assert "2 events of pos have no class; left out" in [note.text for note in recording.notes]


def test_a_table_of_events_has_a_row_each(told, tmp_path):
    with pytest.warns(DoubtWarning, match="pos has two columns, taken for place and code; accept=events"):
        recording = told({"pos": [[101, 1], [301, 2], [501, 1]]}, "events=pos")
    assert [(event.value, event.sample) for event in recording.events] == [(1, 100), (2, 300), (1, 500)]
    recording = told({"pos": [[101, 1], [301, 2]], "y": [3, 4]}, "events=pos codes=y")
    assert [(event.value, event.sample) for event in recording.events] == [(3, 100), (4, 300)]
    # MATLAB has no lists: three places are a matrix of one row.
    recording = told({"pos": [101, 301, 501]}, "events=pos")
    assert [(event.value, event.sample) for event in recording.events] == [(1, 100), (1, 300), (1, 500)]
    np.savez(tmp_path / "a.npz", data=CNT, sfreq=250.0, events=[[10, 0, 7]])
    recording = read_recording(tmp_path / "a.npz", unit="uV")
    assert [(event.value, event.sample) for event in recording.events] == [(7, 10)]
    recording = told({"pos": [[101, 0, 1], [301, 0, 2]]}, "events=pos first=1")
    assert [(event.value, event.sample) for event in recording.events] == [(1, 100), (2, 300)]
    for wrong in (np.ones((2, 5)), np.ones((4, 4))):
        with pytest.raises(ArgumentError, match=r"pos is . x .; events are a list of places"):
            told({"pos": wrong}, "events=pos")


def test_places_that_may_be_seconds_are_in_doubt(told, tmp_path):
    with pytest.warns(DoubtWarning, match=r"2 places of pos are no whole numbers \(6\.5\): are they seconds\?"):
        told({"pos": [2.0, 6.5, 10.25]}, "events=pos first=0")
    # A seam lies between two samples (counted from 1); the sum of steps of a tenth is off by its last digits.
    recording = told({"pos": [100.5, 901.0 - 1e-10]}, "events=pos", accept=("events",))
    assert [event.sample for event in recording.events] == [100, 900]
    assert not any(note.doubt for note in told({"pos": [101.0, 901.0 - 1e-10]}, "events=pos").notes)
    np.savez(tmp_path / "a.npz", data=CNT, sfreq=250.0, onsets=[2.0, 6.0], codes=[1, 2])
    with pytest.warns(DoubtWarning, match="onsets may be samples or seconds, so no events are read"):
        assert not read_recording(tmp_path / "a.npz", unit="uV").events
    recording = read_recording(tmp_path / "a.npz", map="data=data rate=sfreq unit=uV events=onsets codes=codes")
    assert [event.sample for event in recording.events] == [2, 6]


def test_names_of_events_in_cells_and_a_rate_that_is_said(told, tmp_path):
    words = np.array([["left", "foot"]], dtype=object)
    recording = told({"pos": [101, 901], "words": words}, "events=pos codes=words")
    assert [event.name for event in recording.events] == ["left", "foot"]
    np.savez(tmp_path / "a.npz", data=CNT, events=[10, 500], event_codes=np.array([b"go", b"stop"]))
    recording = read_recording(tmp_path / "a.npz", unit="uV", sfreq=500)
    assert recording.info.sfreq == 500
    assert [(event.name, event.sample) for event in recording.events] == [("go", 10), ("stop", 500)]


def test_structures_cells_and_texts_of_matlab_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")

    def text(place, name, word):
        place[name] = np.array([[ord(letter)] for letter in word], dtype=np.uint16)
        place[name].attrs["MATLAB_class"] = np.bytes_("char")
        return place[name].ref

    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        group = file.create_group("run")
        group["eeg"], group["fs"] = CNT.T, [[100.0]]
        refs = [text(file, f"#refs#/{word}", word) for word in ("C3", "Cz", "C4")]
        group.create_dataset("labels", data=np.array([refs], dtype=h5py.ref_dtype))
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with (tmp_path / "a.mat").open("r+b") as raw:
        raw.write(head)
    recording = read_recording(tmp_path / "a.mat", map="data=run.eeg rate=run.fs channels=run.labels unit=uV")
    assert recording.info.ch_names == ("C3", "Cz", "C4")
    np.testing.assert_array_equal(recording.data, CNT)
