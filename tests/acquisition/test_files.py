"""Files of real devices and programs, each to the same Recording; damaged ones to one clear error."""

import numpy as np
import pytest

from bcikit import open_source, read_recording
from bcikit.signal import ArgumentError, BciError, SourceError

pytestmark = pytest.mark.filterwarnings("error")

MUSE = "timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker\n"


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "options", "sfreq", "shape", "n_events", "first_names"),
    [
        ("formats/brainvision/test.vhdr", {}, 1000, (7900, 32), 13, ("Fp1", "Fp2")),
        ("formats/edf/mne_test.bdf", {}, 512, (3072, 139), 5, ("A1", "A2")),
        ("formats/edf/short_psg.edf", {}, 100, (30000, 7), 0, ("EEG Fpz-Cz", "EEG Pz-Oz")),
        ("formats/edf/test_utf8.edf", {}, 128, (89344, 1), 5, ("Fp1",)),
        ("formats/gdf/openvibe_ssvep.gdf", {}, 256, (57024, 8), 97, ("Oz", "O1")),
        ("formats/openbci/OpenBCI_GUI-v5-blinks-jawClench-alpha.txt", {}, 250, (22490, 8), 0, ("EXG0", "EXG1")),
        ("formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt", {}, 250, (22490, 8), 0, ("EXG0", "EXG1")),
        ("formats/xdf/minimal.xdf", {"unit": "uV"}, 10, (9, 3), 0, ("Ch1", "Ch2")),
        ("formats/xdf/ssvep_example.xdf", {}, 300, (33002, 8), 258, ("S2", "F4")),
        ("formats/xdf/clock_resets.xdf", {"unit": "uV"}, 100, (27815, 8), 175, ("Ch1", "Ch2")),
        ("muse/p300/session-1_run-1.csv", {}, 256, (30732, 5), 197, ("TP9", "AF7")),
        ("ssvep_exo/subject01/run-1_raw.fif", {}, 256, (57024, 8), 32, ("Oz", "O1")),
        ("eegmmidb/S001R14.edf", {}, 160, (20000, 64), 30, ("FC5", "FC3")),
    ],
)
def test_every_format(data_dir, file, options, sfreq, shape, n_events, first_names):
    recording = read_recording(data_dir / file, **options)
    assert recording.info.sfreq == sfreq
    assert recording.data.shape == shape
    assert len(recording.events) == n_events
    assert recording.info.ch_names[: len(first_names)] == first_names
    assert (np.diff(recording.times) > 0).all()
    assert (np.diff(recording.samples) >= 1).all()
    for event in recording.events:
        near = abs(np.searchsorted(recording.samples, event.sample) - np.searchsorted(recording.times, event.time))
        assert near <= 1


@pytest.mark.data
def test_values_are_microvolts(data_dir):
    import mne

    recording = read_recording(data_dir / "eegmmidb/S001R14.edf")
    raw = mne.io.read_raw(data_dir / "eegmmidb/S001R14.edf", preload=True, verbose="ERROR")
    np.testing.assert_allclose(recording.data, raw.get_data().T * 1e6)
    five = read_recording(data_dir / "formats/openbci/OpenBCI_GUI-v5-blinks-jawClench-alpha.txt")
    six = read_recording(data_dir / "formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt")
    assert five.data[0, 0] == 61379.36
    np.testing.assert_array_equal(five.data, six.data)


@pytest.mark.data
def test_names_and_positions(data_dir):
    file = data_dir / "eegmmidb/S001R14.edf"
    standard, as_is = read_recording(file), read_recording(file, names="file")
    assert as_is.info.ch_names[0] == "Fc5."
    assert as_is.info.positions is None
    place = standard.info.positions_array()[list(standard.info.ch_names).index("Cz")]
    assert abs(place[0]) < 0.005
    assert place[2] > 0.08


@pytest.mark.data
def test_a_file_as_a_source_gives_all_of_it(data_dir):
    address = f"file:{data_dir / 'eegmmidb/S001R14.edf'}"
    recording = read_recording(data_dir / "eegmmidb/S001R14.edf")
    with open_source(f"{address}?chunk=77") as source:
        chunks, events = [], []
        while not source.ended:
            chunk = source.pull()
            events += source.pull_events()
            if chunk is not None:
                assert all(event.sample < chunk.end_sample for event in events)
                chunks.append(chunk)
    np.testing.assert_array_equal(np.concatenate([chunk.data for chunk in chunks]), recording.data)
    assert [(event.name, event.sample) for event in events] == [(e.name, e.sample) for e in recording.events]


def test_openbci_losses_are_counted_from_the_sample_index(tmp_path):
    head = (
        "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
    )
    title = "Sample Index, EXG Channel 0, EXG Channel 1, Timestamp, Marker Channel, Timestamp (Formatted)\n"
    index = np.r_[0:300, 330:400]
    rows = [f"{i % 256}, {i}.5, -{i}.5, {1.6e9 + i / 250:.6f}, {3 if i == 340 else 0}, x" for i in index]
    file = tmp_path / "lost.txt"
    file.write_text(head + title + "\n".join(rows) + "\n")
    recording = read_recording(file)
    assert recording.lost == 30
    assert recording.samples[300] == 330
    assert [(event.name, event.sample) for event in recording.events] == [("3", 340)]


def test_brainflow_table_needs_its_board(playback, tmp_path):
    table = playback(300)
    table.rows[100, 31] = 7
    table.rows = np.delete(table.rows, slice(200, 210), axis=0)
    file = tmp_path / "table.csv"
    table.write(file)
    with pytest.raises(ArgumentError, match=r"board=cyton"):
        read_recording(file)
    with pytest.raises(SourceError, match="32 columns; a cyton writes 24"):
        read_recording(file, board="cyton")
    recording = read_recording(file, board="synthetic")
    np.testing.assert_allclose(recording.data, table.rows[:, 1:17], atol=1e-6)
    assert recording.lost == 10
    assert [(event.name, event.sample) for event in recording.events] == [("marker/7", 100)]


def test_muse_table_with_a_pause(tmp_path):
    index = np.r_[0:200, 456:500]
    rows = [f"{1.5e9 + i / 256:.4f},{i},1,2,3,4,{1 if i == 460 else 0}" for i in index]
    file = tmp_path / "muse.csv"
    file.write_text(MUSE + "\n".join(rows) + "\n")
    recording = read_recording(file)
    assert recording.info.sfreq == 256
    assert recording.lost == pytest.approx(256, abs=1)
    assert recording.events[0].sample == pytest.approx(460, abs=1)


def test_other_tables_must_state_their_unit(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("time,C3,C4\n" + "\n".join(f"{i / 100},{i},{-i}" for i in range(50)) + "\n")
    with pytest.raises(ArgumentError, match="unit"):
        read_recording(file)
    assert read_recording(file, unit="mV").data[3, 0] == pytest.approx(3000)
    assert read_recording(file, unit="mV").info.sfreq == 100


def edf(path, seconds=10):
    """Write an EDF of noise through MNE-independent bytes, so that it can be cut."""
    labels = ["C3", "C4"]
    head = f"{'0':<8}{'X':<80}{'X':<80}{'01.01.20':<8}{'00.00.00':<8}{256 * 3:<8}{'':<44}{seconds:<8}{'1':<8}{2:<4}"
    fields = [(16, labels), (80, [""] * 2), (8, ["uV"] * 2), (8, ["-1000"] * 2), (8, ["1000"] * 2), (8, ["-32768"] * 2),
              (8, ["32767"] * 2), (80, [""] * 2), (8, ["100"] * 2), (32, [""] * 2)]  # fmt: skip
    head += "".join(f"{value:<{width}}" for width, values in fields for value in values)
    samples = np.random.default_rng(0).integers(-3000, 3000, (seconds, 2, 100)).astype("<i2")
    path.write_bytes(head.encode("ascii") + samples.tobytes())
    return path


def test_truncated_edf_is_an_error_and_can_be_read_in_part(tmp_path):
    whole = edf(tmp_path / "whole.edf")
    assert read_recording(whole).n_times == 1000
    cut = tmp_path / "cut.edf"
    cut.write_bytes(whole.read_bytes()[:-900])
    with pytest.raises(SourceError, match="truncated: it holds 7 of 10 records"):
        read_recording(cut)
    assert 600 <= read_recording(cut, partial=True).n_times <= 800


@pytest.mark.data
def test_truncated_xdf(data_dir, tmp_path):
    cut = tmp_path / "cut.xdf"
    cut.write_bytes((data_dir / "formats/xdf/ssvep_example.xdf").read_bytes()[:500_000])
    with pytest.raises(SourceError, match="truncated"):
        read_recording(cut)
    assert 1000 < read_recording(cut, partial=True).n_times < 33002


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.edf", None, "no file"),
        ("empty.edf", b"", "is empty"),
        ("text.edf", b"this is no EDF file at all" * 30, "no EDF"),
        ("text.xdf", b"nothing of the kind", "no XDF"),
        ("broken.xdf", b"XDF:\x07abc", "damaged"),
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "cannot be read"),
        ("words.csv", b"once upon a time\nthere was\n", "no text file"),
        ("binary.txt", bytes(range(256)) * 4, "cannot be read|no text file"),
        ("zero.txt", b"%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 0 Hz\n", "sampling rate"),
        ("muse.csv", MUSE.encode() + b"1.0,1,2,3,4,5,0\n1.1,1,2\n", "damaged or truncated"),
        ("raw.fif", bytes(2000), "cannot be read"),
        ("head.vhdr", b"Brain Vision Data Exchange Header File Version 1.0\n", "cannot be read"),
        ("short.gdf", b"GDF 2.20" + bytes(300), "cannot be read"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path, name, content, message):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BciError, match=message) as caught:
        read_recording(file)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.data
def test_xdf_without_a_unit_or_a_stream_of_that_name(data_dir):
    file = data_dir / "formats/xdf/minimal.xdf"
    with pytest.raises(ArgumentError, match=r"unit=uV"):
        read_recording(file)
    with pytest.raises(SourceError, match="no stream of samples named 'other'"):
        read_recording(file, stream="other", unit="uV")
