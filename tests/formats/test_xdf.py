"""XDF: the stream that is meant, all others beside it, and one balance of samples, losses, rate and span."""

import json

import numpy as np
import pytest
import pyxdf

from bcikit import read_recording
from bcikit.acquisition.stamps import on_grid
from bcikit.decoding import epochs
from bcikit.recording import import_file, notes_of
from bcikit.signal import ArgumentError, DoubtWarning, SourceError
from tests.formats.writers import Xdf

RNG = np.random.default_rng(0)
AB = {"labels": ("C3", "C4"), "units": ("uV", "uV"), "types": ("EEG", "EEG")}


def noise(n: int, channels: int = 2) -> np.ndarray:
    return RNG.normal(0, 20, (n, channels)).astype("f4")


def stalls(n: int, fs: float, *, every: float = 12.0, late: float = 0.4, over: float = 4.0) -> np.ndarray:
    """Return stamps of a link that stalls and catches up over seconds; nothing is lost."""
    true = np.arange(n) / fs
    delay = np.zeros(n)
    for start in np.arange(6, n / fs - 6, every):
        held = (true >= start) & (true < start + over)
        delay[held] = np.maximum(delay[held], late * (1 - (true[held] - start) / over))
    return np.maximum.accumulate(1000 + true + delay) + RNG.normal(0, 2e-4, n)


def test_a_link_that_stalls_and_catches_up_loses_no_trial(tmp_path):
    n = 250 * 240
    markers = np.arange(4.0, 230, 6)
    words = [("left", "right")[k % 2] for k in range(len(markers))]
    file = Xdf().stream("EEG", "EEG", 250, stalls(n, 250), noise(n), **AB)
    file.stream("Markers", "Markers", 0, 1000 + markers, words, fmt="string")
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    assert recording.lost == 0
    trials = epochs(recording, events={"left": "left", "right": "right"}, tmin=0.0, tmax=4.0)
    assert len(trials) == len(markers)
    assert not trials.dropped


@pytest.mark.parametrize("burst", [1, 8, 25, 100, 250])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_losses_are_the_planted_ones_whatever_bursts_and_jitter(burst, jitter):
    index = np.r_[0:5000, 6280:11000, 13000:30000]
    true = index / 250
    arrived = np.repeat(true[: len(true) // burst * burst].reshape(-1, burst)[:, -1], burst)
    arrived = np.concatenate([arrived, np.full(len(true) - len(arrived), true[-1])])
    arrived = np.maximum.accumulate(
        arrived + np.repeat(RNG.exponential(jitter, -(-len(arrived) // burst)), burst)[: len(arrived)]
    )
    grid = on_grid(500.0 + arrived, 250.0)
    # A loss within a burst is told by the burst: half of one is what can be known; of each gap, its ends by the jitter.
    assert abs(grid.lost - 3280) <= 2 + burst + 2 * 250 * jitter
    assert 2 <= grid.gaps <= 3
    error = np.abs(grid.times - 500.0 - true - np.median(grid.times - 500.0 - true))
    # The burst that spans a gap has one stamp for samples of both sides.
    assert np.count_nonzero(error > 0.02 + 0.5 * burst / 250) <= 2 * burst


@pytest.mark.parametrize("burst", [2, 12, 100])
@pytest.mark.parametrize("jitter", [0.0, 0.003])
def test_a_block_with_one_stamp_ends_where_it_is_stamped(tmp_path, burst, jitter):
    true = 500.0 + np.arange(6000) / 250
    arrived = np.maximum.accumulate(true[burst - 1 :: burst] + RNG.exponential(jitter, 6000 // burst))
    stamps = np.repeat(arrived, burst)
    marks = [503.0, 517.0]
    file = Xdf().stream("EEG", "EEG", 250, stamps, noise(6000), **AB)
    recording = read_recording(
        file.stream("M", "Markers", 0, marks, ["a", "b"], fmt="string").write(tmp_path / "a.xdf")
    )
    assert np.abs(recording.times - true).max() < 0.003
    assert [event.sample for event in recording.events] == pytest.approx([750, 4250], abs=1)
    note = next(note for note in recording.notes if note.code == "times")
    assert "the arrival of the last of them" in note.text


@pytest.mark.parametrize("apart", [48, 56, 120, 400])
def test_a_link_that_stalls_just_before_samples_are_lost_loses_those_alone(apart):
    # The stall is caught up within 38 samples: fewer than a window, of which the rest lies behind the loss.
    true = np.r_[0:5000, 6280:11000] / 250
    late = np.zeros(len(true))
    late[5000 - apart] = 0.15  # what follows cannot overtake it
    arrived = np.maximum.accumulate(true + late + RNG.exponential(0.002, len(true)))
    grid = on_grid(500.0 + arrived, 250.0)
    assert np.flatnonzero(np.diff(grid.samples) > 1).tolist() == [4999]
    assert abs(grid.lost - 1280) <= 2


@pytest.mark.parametrize("real", [240.0, 249.0, 251.5])
@pytest.mark.parametrize("seconds", [9, 40])
def test_markers_lie_where_they_happened_whatever_the_rate_really_was(tmp_path, real, seconds):
    stamps = 100 + np.arange(int(seconds * real)) / real
    marks = [100.5, 100 + seconds - 0.5]
    file = Xdf().stream("EEG", "EEG", 250, stamps, noise(len(stamps)), **AB)
    recording = read_recording(
        file.stream("M", "Markers", 0, marks, ["a", "b"], fmt="string").write(tmp_path / "a.xdf")
    )
    for event, mark in zip(recording.events, marks, strict=True):
        assert abs(event.sample - int(np.argmin(np.abs(stamps - mark)))) <= 1
    if abs(real - 250) > 1.25:
        assert recording.info.sfreq == real
        assert any(note.doubt and "says 250 Hz" in note.text for note in recording.notes)
    else:
        assert recording.info.sfreq == 250


def test_half_the_nominal_rate_is_no_loss(tmp_path):
    file = Xdf().stream("EEG", "EEG", 500, 100 + np.arange(2500) / 250, noise(2500), **AB).write(tmp_path / "a.xdf")
    with pytest.warns(DoubtWarning, match="says 500 Hz, its stamps say 250 Hz"):
        recording = read_recording(file)
    assert (recording.lost, recording.info.sfreq) == (0, 250)
    assert not any(note.doubt for note in read_recording(file, sfreq=250.0).notes)


def test_times_equal_pyxdf_where_nothing_is_lost(tmp_path):
    # A block's stamp is that of its last sample here, and of its middle in pyxdf.
    for stamps, early in ((stalls(30000, 250), 0.0), (500 + np.floor(np.arange(30000) / 100) * 100 / 250, 49.5 / 250)):
        file = Xdf().stream("EEG", "EEG", 250, stamps, noise(30000), **AB).write(tmp_path / "a.xdf")
        streams, _ = pyxdf.load_xdf(str(file))
        mine = read_recording(file)
        # pyxdf's line goes through the mean of late stamps, ours through the most of them.
        assert np.abs(mine.times + early - streams[0]["time_stamps"]).max() < 0.1
        np.testing.assert_array_equal(mine.data, streams[0]["time_series"])


def test_two_streams_of_one_name_are_told_apart(tmp_path):
    file = Xdf()
    for k in range(2):
        file.stream("EEG", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500) + 500 * k, source_id=f"amp{k}", **AB)
    path = file.write(tmp_path / "a.xdf")
    for wanted in (None, "EEG"):
        with pytest.raises(SourceError, match=r"2 streams that may be meant.*amp0.*amp1"):
            read_recording(path, stream=wanted)
    for wanted in ("amp1", "#2", "2"):
        assert read_recording(path, stream=wanted).data.mean() > 400


def test_the_signal_is_the_eeg_never_what_stands_beside_it(tmp_path):
    acc = ("Muse", "ACC", 52, 100 + np.arange(520) / 52, noise(520, 3))
    file = Xdf().stream(*acc).stream("Muse", "EEG", 0, 100 + np.arange(2500) / 250, noise(2500), **AB)
    path = file.write(tmp_path / "a.xdf")
    with pytest.warns(DoubtWarning, match="takes 250 Hz"):
        recording = read_recording(path)
    assert (recording.info.ch_names, recording.info.sfreq) == (("C3", "C4"), 250)
    assert not any(note.doubt for note in read_recording(path, sfreq=250.0, stream="Muse").notes)
    ecg = Xdf().stream("strap ACC", "ACC", 200, 100 + np.arange(2000) / 200, noise(2000, 3))
    ecg.stream("strap ECG", "ECG", 130, 100 + np.arange(1300) / 130, noise(1300, 1), labels=("ECG",), units=("uV",))
    recording = read_recording(ecg.write(tmp_path / "b.xdf"))
    assert recording.info.name == "strap ECG"
    assert any("strap ACC" in note.text for note in recording.notes)


def test_numbers_of_several_channels_are_no_events_and_come_in_beside(tmp_path):
    file = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), **AB)
    file.stream("Gaze", "Gaze", 0, 100 + np.cumsum(RNG.uniform(0.005, 0.03, 300)), noise(300, 3))
    file.stream("ACC", "Accelerometer", 50, 100 + np.arange(500) / 50, noise(500, 3))
    path = file.write(tmp_path / "a.xdf")
    assert read_recording(path).events == ()
    session = import_file(path, tmp_path / "s")
    assert set(session.extra) == {"Gaze", "ACC"}
    assert sum(chunk.n_times for chunk in session.extra["Gaze"].chunks) == 300


def test_what_is_in_doubt_of_a_stream_beside_the_main_one_is_told_on_import(tmp_path, command_line):
    file = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), **AB)
    file.stream("Slow", "EEG", 250, 100 + np.arange(1280) / 128, noise(1280), **AB)
    file.stream("Still", "Accelerometer", 50, np.full(500, 100.0), noise(500, 3))
    file.stream("Bare", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), labels=("O1", "O2"))
    path = file.write(tmp_path / "a.xdf")
    done = command_line("import", f"{path}?stream=%231", "--out", str(tmp_path / "s"), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    first, second = sorted(told["doubts"])
    assert first.startswith("Slow: ")
    assert "128" in first
    assert second.startswith("Still: ")
    (bare,) = [note for note in told["notes"] if note["text"].startswith("Bare: O1, O2: no unit is stated")]
    assert not bare["doubt"]
    with pytest.warns(DoubtWarning, match=r"a\.xdf: Slow: "):
        session = import_file(path, tmp_path / "t", stream="#1", accept="clock")
    assert [note.text[:6] for note in notes_of(session) if note.doubt] == ["Slow: "]


@pytest.mark.parametrize(
    ("fmt", "rate", "values", "want"),
    [
        ("string", 10, ["left", "right", "left"], ["left", "right", "left"]),
        ("string", 0, [["a", "1"], ["b", ""], ["", ""]], ["a 1", "b"]),
        ("string", 0, ["1", "1_1", "2"], ["1", "1_1", "2"]),
        ("string", 0, ["01", "1.0", "1e25"], ["01", "1.0", "1e25"]),
        ("int32", 0, [[1, 5], [2, 0], [1, 5]], ["1 5", "2 0", "1 5"]),
        ("int64", 0, [[20261130130512123], [2], [1]], ["20261130130512123", "2", "1"]),
        ("double64", 0, [[1e25], [2], [1]], [str(int(1e25)), "2", "1"]),
        ("int32", 0, [[1], [2], [1]], ["1", "2", "1"]),
        ("float32", 0, [[1], [2.5], [3]], ["1", "2.5", "3"]),
    ],
)
def test_markers_of_every_format(tmp_path, fmt, rate, values, want):
    file = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), **AB)
    file.stream("M", "Markers", rate, [101, 103, 105], values, fmt=fmt)
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    # No number so long that a session of it could not be read.
    assert all(isinstance(event.value, str) or abs(event.value) <= 2**53 for event in recording.events)
    assert [event.name for event in recording.events] == want
    assert [event.sample for event in recording.events] == [250, 750, 1250][: len(want)]


def test_a_sampled_trigger_is_codes_not_one_event_a_sample(tmp_path):
    codes = np.zeros((2500, 1))
    codes[256:260], codes[512:700] = 1, 2
    stamps = 100 + np.arange(2500) / 250
    file = (
        Xdf()
        .stream("EEG", "EEG", 250, stamps, noise(2500), **AB)
        .stream("Box", "Markers", 250, stamps, codes, fmt="int32")
    )
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    assert [(event.name, event.sample) for event in recording.events] == [("1", 256), ("2", 512)]


def test_a_stream_of_triggers_that_tells_nothing_leaves_the_rest_to_be_read(tmp_path):
    stamps = 100 + np.arange(2500) / 250
    file = (
        Xdf()
        .stream("EEG", "EEG", 250, stamps, noise(2500), **AB)
        .stream("Empty", "Triggers", 500, [], np.zeros((0, 1)), fmt="int32")
        .stream("M", "Markers", 0, [101.0], ["left"], fmt="string")
    )
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    assert (recording.n_times, [event.name for event in recording.events]) == (2500, ["left"])
    assert not [note for note in recording.notes if note.doubt]
    file.stream("Back", "Triggers", 500, stamps[:100][::-1], np.ones((100, 1)), fmt="int32")
    with pytest.warns(DoubtWarning, match="'Back'.*was left out"):
        recording = read_recording(file.write(tmp_path / "b.xdf"))
    assert (recording.n_times, [event.name for event in recording.events]) == (2500, ["left"])


def test_markers_on_another_clock_are_not_placed_and_it_is_said(tmp_path):
    file = Xdf().stream("EEG", "EEG", 256, 1.7e9 + np.arange(2560) / 256, noise(2560), **AB)
    path = file.stream("M", "Markers", 0, [1001, 1002], ["left", "right"], fmt="string").write(tmp_path / "a.xdf")
    with pytest.warns(DoubtWarning, match="another clock"):
        recording = read_recording(path)
    assert [event.sample for event in recording.events] == [None, None]


def test_unit_fills_in_only_what_is_missing(tmp_path):
    values = np.c_[RNG.normal(0, 20e-6, (2500, 2)), np.full(2500, 7.0)]
    file = Xdf().stream(
        "EEG", "EEG", 250, 100 + np.arange(2500) / 250, values, labels=("C3", "C4", "X"), units=("V", "V", ""),
        types=("EEG",) * 3,
    )  # fmt: skip
    path = file.write(tmp_path / "a.xdf")
    with pytest.raises(ArgumentError, match="unit"):
        read_recording(path)
    recording = read_recording(path, unit="uV")
    assert 15 < recording.data[:, 0].std() < 25
    np.testing.assert_allclose(recording.data[:, 2], 7.0)


@pytest.mark.parametrize(("name", "unit"), [("obci_eeg1", ""), ("OpenMuse_EEG", "n/a"), ("obci_eeg1", "Unknown")])
def test_senders_that_are_known_need_no_unit_and_it_is_said(tmp_path, name, unit):
    units = {"units": (unit,) * 2} if unit else {}
    file = Xdf().stream(name, "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), labels=("a", "b"), **units)
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    assert any("known of" in note.text for note in recording.notes if note.code == "unit")


def test_a_word_for_no_unit_is_none_and_a_unit_that_is_no_voltage_is_refused(tmp_path):
    def told(unit):
        file = Xdf().stream(
            "amp", "EEG", 250, 100 + np.arange(2500) / 250, noise(2500), units=(unit,) * 2, labels=("a", "b")
        )
        return file.write(tmp_path / "a.xdf")

    with pytest.raises(ArgumentError, match=r"states no unit.*unit=uV"):
        read_recording(told("none"))
    assert read_recording(told("none"), unit="mV").data.std() > 1e3
    with pytest.raises(ArgumentError, match="states the unit 'counts'"):
        read_recording(told("counts"), unit="uV")


def test_only_markers_is_one_clear_error(tmp_path):
    file = Xdf().stream("M", "Markers", 0, [1.0], ["a"], fmt="string").write(tmp_path / "a.xdf")
    with pytest.raises(SourceError, match=r"no stream of samples with data.*'M'"):
        read_recording(file)


def test_whole_numbers_that_a_double_cannot_hold_are_said(tmp_path):
    values = [[2**53 + 1, 1], [2**53 + 3, 2]] * 500
    file = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(1000) / 250, np.array(values), fmt="int64", **AB)
    with pytest.warns(DoubtWarning, match="2\\^53"):
        read_recording(file.write(tmp_path / "a.xdf"), accept=["amplitude"])


def test_stamps_that_stand_still_are_a_doubt(tmp_path):
    for first in (0.0, 100.0):
        file = Xdf().stream("EEG", "EEG", 250, np.full(500, first), noise(500), labels=("C3", "C4"), units=("uV", "uV"))
        recording = read_recording(file.write(tmp_path / "still.xdf"))
        assert (recording.n_times, recording.lost) == (500, 0)
        assert [note.code for note in recording.notes if note.doubt] == ["clock"]
        taken = read_recording(tmp_path / "still.xdf", accept=["clock"])
        assert not [note for note in taken.notes if note.doubt]


@pytest.mark.parametrize(("label", "kind"), [("TRIGGER", ""), ("TRIG", "TRIG"), ("T", "Trigger"), ("Trigger", "EEG")])
def test_a_trigger_channel_within_the_eeg_has_codes(tmp_path, label, kind):
    codes = np.zeros(1000)
    codes[300:310], codes[600:650] = 3, 7
    values = np.column_stack([np.random.default_rng(0).normal(0, 20, (1000, 2)), codes])
    file = Xdf().stream(
        "eeg", "EEG", 250, 100 + np.arange(1000) / 250, values, fmt="double64", labels=("C3", "C4", label),
        types=("EEG", "EEG", kind), units=("uV", "uV", "" if kind != "EEG" else "uV"),
    )  # fmt: skip
    # A program that reads the trigger itself may send what it was as markers too.
    file.stream("m", "Markers", 0, [101.2, 101.2], ["trigger/3", "go"], fmt="string")
    recording = read_recording(file.write(tmp_path / "a.xdf"))
    assert recording.info.ch_types == ("eeg", "eeg", "stim")
    np.testing.assert_array_equal(recording.data, values)
    found = sorted((event.name, event.sample) for event in recording.events)
    assert found == [("go", 300), ("trigger/3", 300), ("trigger/7", 600)]
    assert [note.count for note in recording.notes if note.code == "triggers"] == [2]
