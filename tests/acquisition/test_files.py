"""Files of real devices and programs, each to the same Recording; damaged ones to one clear error."""

import dataclasses
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from bcikit import open_source, read_recording
from bcikit.acquisition import formats
from bcikit.acquisition.gdf_header import gdf_units
from bcikit.recording import import_recording, xdf
from bcikit.signal import ArgumentError, BciError, Event, Recording, SourceError, StreamInfo

pytestmark = pytest.mark.filterwarnings("error", "ignore::bcikit.signal.DoubtWarning")

MUSE = "timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker\n"


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "options", "sfreq", "shape", "n_events", "first_names"),
    [
        ("formats/brainvision/test.vhdr", {}, 1000, (7900, 32), 13, ("Fp1", "Fp2")),
        ("formats/edf/mne_test.bdf", {}, 512, (3072, 139), 18, ("A1", "A2")),
        ("formats/edf/short_psg.edf", {}, 100, (30000, 7), 0, ("EEG Fpz-Cz", "EEG Pz-Oz")),
        ("formats/edf/test_utf8.edf", {}, 128, (89344, 1), 5, ("Fp1",)),
        ("formats/gdf/openvibe_ssvep.gdf", {}, 256, (57024, 8), 97, ("Oz", "O1")),
        ("formats/openbci/OpenBCI_GUI-v5-blinks-jawClench-alpha.txt", {}, 250, (22490, 8), 0, ("EXG0", "EXG1")),
        ("formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt", {}, 250, (22490, 8), 0, ("EXG0", "EXG1")),
        ("formats/xdf/minimal.xdf", {"unit": "uV"}, 10, (9, 3), 9, ("Ch1", "Ch2")),
        ("formats/xdf/ssvep_example.xdf", {}, 300, (33002, 8), 258, ("S2", "F4")),
        ("formats/xdf/clock_resets.xdf", {"unit": "uV"}, 93, (27815, 8), 175, ("Ch1", "Ch2")),
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
    with pytest.raises(ArgumentError, match=r"board=.*cyton"):
        read_recording(file)
    with pytest.raises(SourceError, match="32 columns; a cyton writes 24"):
        read_recording(file, board="cyton")
    recording = read_recording(file, board="synthetic")
    np.testing.assert_allclose(recording.data, table.rows[:, 1:17], atol=1e-6)
    assert recording.lost == 10
    assert [(event.name, event.sample) for event in recording.events] == [("7", 100)]


def test_muse_table_with_a_pause(tmp_path):
    index = np.r_[0:200, 456:500]
    rows = [f"{1.5e9 + i / 256:.4f},{i},1,2,3,4,{1 if i == 460 else 0}" for i in index]
    file = tmp_path / "muse.csv"
    file.write_text(MUSE + "\n".join(rows) + "\n")
    recording = read_recording(file)
    assert recording.info.sfreq == 256
    assert recording.lost == pytest.approx(256, abs=1)
    assert recording.events[0].sample == pytest.approx(460, abs=1)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_table_with_a_held_back_row_a_lost_one_and_times_in_any_unit(tmp_path, scale):
    index = np.r_[0:300, 301:600]
    rows = [f"{(1.6e9 + i / 250) * scale:.{6 if scale < 1e6 else 0}f},{i},1,2" for i in index]
    file = tmp_path / "table.csv"
    file.write_text("time,C3,C3,C4\n" + "\n".join(rows) + "\n")
    recording = read_recording(file, unit="uV")
    assert recording.info.sfreq == 250
    assert recording.info.ch_names == ("C3", "C3-2", "C4")
    np.testing.assert_array_equal(recording.samples, index)


def test_table_in_latin_1(tmp_path):
    file = tmp_path / "table.csv"
    text = "time;Größe;C4\n" + "\n".join(f"{i / 100};{i};1" for i in range(50)) + "\n"
    file.write_bytes(text.encode("latin-1"))
    recording = read_recording(file, unit="uV")
    assert recording.info.ch_names == ("Größe", "C4")
    assert recording.data[3].tolist() == [3.0, 1.0]


@pytest.mark.data
@pytest.mark.parametrize("name", ["ssvep/run-1.csv", "n170/run-1.csv", "p300/session-1_run-1.csv"])
def test_marker_column_of_a_muse_table_is_events_not_a_channel(data_dir, name):
    recording = read_recording(data_dir / "muse" / name)
    assert recording.info.ch_names == ("TP9", "AF7", "AF8", "TP10", "Right AUX")
    assert recording.info.ch_types == ("eeg", "eeg", "eeg", "eeg", "misc")
    assert {event.value for event in recording.events} == {1, 2}
    lines = (data_dir / "muse" / name).read_text().splitlines()[1:]
    marked = [row for row, line in enumerate(lines) if float(line.rsplit(",", 1)[1])]
    rows = np.searchsorted(recording.samples, [event.sample for event in recording.events])
    assert rows.tolist() == marked


def test_every_marker_column_is_read_and_no_unit_scales_it(tmp_path):
    file = tmp_path / "two.csv"
    rows = [f"{i / 100},{i},{5 if i == 30 else 0},{7 if i == 20 else 0}" for i in range(50)]
    file.write_text("time,C3,Marker0,Marker1\n" + "\n".join(rows) + "\n")
    recording = read_recording(file, unit="mV")
    assert recording.info.ch_names == ("C3",)
    assert [(event.value, event.sample, event.source) for event in recording.events] == [
        (7, 20, "Marker1"),
        (5, 30, "Marker0"),
    ]


def test_table_with_decimal_commas(tmp_path):
    file = tmp_path / "komma.csv"
    rows = [f"{i / 100};{i}.5;-{i}.25".replace(".", ",") for i in range(50)]
    file.write_text("time;C3;C4\n" + "\n".join(rows) + "\n")
    recording = read_recording(file, unit="uV")
    assert recording.info.sfreq == 100
    assert recording.data[3].tolist() == [3.5, -3.25]


def test_other_tables_must_state_their_unit(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("time,C3,C4\n" + "\n".join(f"{i / 100},{i},{-i}" for i in range(50)) + "\n")
    with pytest.raises(ArgumentError, match="unit"):
        read_recording(file)
    assert read_recording(file, unit="mV").data[3, 0] == pytest.approx(3000)
    assert read_recording(file, unit="mV").info.sfreq == 100


def edf(path, seconds=10, labels=("C3", "C4"), units=("uV", "uV"), onsets=None):
    """Write an EDF of noise through MNE-independent bytes, so that it can be cut; EDF+D where `onsets` are given.

    Digital is physical value, so that what was written is known.
    """
    labels, units, lengths = list(labels), list(units), [100] * len(labels)
    kind = ""
    if onsets is not None:
        labels, units, lengths, kind = [*labels, "EDF Annotations"], [*units, ""], [*lengths, 20], "EDF+D"
    n = len(labels)
    head = f"{'0':<8}{'X X X X':<80}{'Startdate X X X X':<80}{'01.01.20':<8}{'00.00.00':<8}"
    head += f"{256 * (n + 1):<8}{kind:<44}{seconds:<8}{'1':<8}{n:<4}"
    fields = [(16, labels), (80, [""] * n), (8, units), (8, ["-32768"] * n), (8, ["32767"] * n), (8, ["-32768"] * n),
              (8, ["32767"] * n), (80, [""] * n), (8, lengths), (32, [""] * n)]  # fmt: skip
    head += "".join(f"{value:<{width}}" for width, values in fields for value in values)
    samples = np.random.default_rng(0).integers(-3000, 3000, (seconds, 100 * len(lengths[:2]))).astype("<i2")
    records = [row.tobytes() for row in samples]
    if onsets is not None:
        records = [
            record + f"+{onset:g}\x14\x14\x00+{onset + 0.5:g}\x14T{number}\x14".encode().ljust(40, b"\0")
            for number, (record, onset) in enumerate(zip(records, onsets, strict=True))
        ]
    path.write_bytes(head.encode("ascii") + b"".join(records))
    return path


def written(seconds=10):
    """Return what `edf` writes into two channels."""
    samples = np.random.default_rng(0).integers(-3000, 3000, (seconds, 200))
    return samples.reshape(seconds, 2, 100).transpose(0, 2, 1).reshape(-1, 2)


@pytest.mark.parametrize(
    ("unit", "factor"), [("uV", 1.0), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3), ("UV", 1.0), ("volts", 1e6)]
)
def test_edf_is_microvolts_whatever_unit_it_states(tmp_path, unit, factor):
    recording = read_recording(edf(tmp_path / "x.edf", units=(unit, unit)))
    np.testing.assert_allclose(recording.data, written() * factor, rtol=1e-9)
    assert recording.info.ch_types == ("eeg", "eeg")


def test_edf_channel_that_is_no_voltage_keeps_its_unit(tmp_path):
    recording = read_recording(edf(tmp_path / "x.edf", labels=("EOG left", "Temp rectal"), units=("mV", "DegC")))
    np.testing.assert_allclose(recording.data, written() * [1e3, 1.0], rtol=1e-9)
    assert recording.info.ch_types == ("eog", "temperature")
    recording = read_recording(edf(tmp_path / "y.edf", labels=("Cz", "Event"), units=("uV", "")))
    np.testing.assert_allclose(recording.data, written(), rtol=1e-9)
    assert recording.info.ch_types == ("eeg", "misc")


def test_edf_without_any_unit_is_refused_and_can_be_told(tmp_path):
    file = edf(tmp_path / "x.edf", units=("", ""))
    with pytest.raises(ArgumentError, match=r"x\.edf states no unit.*unit=uV"):
        read_recording(file)
    np.testing.assert_allclose(read_recording(file, unit="mV").data, written() * 1e3, rtol=1e-9)


@pytest.mark.data
@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("V", 1e6), ("nV", 1e-3), ("degC", None), ("", None)])
def test_gdf_is_microvolts_whatever_unit_it_states(data_dir, tmp_path, unit, factor):
    raw = bytearray((data_dir / "formats/gdf/openvibe_ssvep.gdf").read_bytes())
    plain = read_recording(data_dir / "formats/gdf/openvibe_ssvep.gdf")
    at = 256 + 96 * 8
    assert raw[at : at + 2] == b"uV"
    raw[at : at + 8] = unit.encode().ljust(8)
    file = tmp_path / "x.gdf"
    file.write_bytes(raw)
    recording = read_recording(file)
    np.testing.assert_allclose(recording.data, plain.data * ([factor or 1.0] + [1.0] * 7))
    assert recording.info.ch_types[0] == ("misc" if factor is None else "eeg")
    assert recording.info.ch_types[1:] == ("eeg",) * 7


def test_units_of_gdf_2_are_codes(tmp_path):
    labels, codes = ("C3", "C4", "Temp", "X"), (4275, 4276, 6048, 0)
    head = b"GDF 2.20".ljust(252) + struct.pack("<HH", 4, 0)
    signals = b"".join(label.encode().ljust(16, b"\0") for label in labels) + bytes(86 * 4) + struct.pack("<4H", *codes)
    (tmp_path / "x.gdf").write_bytes(head + signals + bytes(2000))
    found, known = gdf_units(tmp_path / "x.gdf")
    assert found == [("C3", "uV"), ("C4", "nV"), ("Temp", "other"), ("X", "")]
    assert known == {"uV": 1.0, "mV": 1e3}


def test_interrupted_edf_counts_the_time_between_its_records(tmp_path):
    onsets = np.array([0, 1, 2, 5, 6, 7.5, 8.5, 9.5, 10.5, 100])
    recording = read_recording(edf(tmp_path / "d.edf", onsets=onsets + 0.25))
    assert recording.info.ch_names == ("C3", "C4")
    np.testing.assert_allclose(recording.data, written(), rtol=1e-12)
    starts = recording.samples[::100]
    assert starts.tolist() == [round(onset * 100) for onset in onsets]
    np.testing.assert_allclose(recording.times[::100], onsets)
    assert recording.lost == 10100 - 1000
    assert [(event.name, event.sample) for event in recording.events] == [
        (f"T{number}", round(onset * 100) + 50) for number, onset in enumerate(onsets)
    ]


def test_interrupted_edf_that_goes_back_in_time_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"d\.edf is damaged"):
        read_recording(edf(tmp_path / "d.edf", seconds=3, onsets=[0, 1, 0.5]))


def foreign_xdf(path, stamps, *, rate=250.0, labels=("C3", "Cz", "C4", "Pz"), info=None, markers=()):
    """Write an XDF as a recorder of LSL streams does: the stamps as they came."""
    values = np.arange(len(stamps))[:, None] + 1000.0 * np.arange(len(labels))
    parts = [
        xdf.encode_file_header(),
        xdf.encode_stream_header(
            1, name="amp", kind="EEG", channel_format="double64", labels=labels, sfreq=rate,
            info=info or StreamInfo(name="amp", sfreq=rate, ch_names=tuple(f"c{i}" for i in range(len(labels)))),
        ),
        xdf.encode_stream_header(2, name="m", kind="Markers", channel_format="string", labels=["m"]),
        xdf.encode_samples(1, np.asarray(stamps), values),
    ]  # fmt: skip
    if markers:
        parts.append(xdf.encode_texts(2, [time for time, _ in markers], [text for _, text in markers]))
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("jitter", [0.0, 0.004])
def test_xdf_loss_of_half_a_second_is_counted_and_moves_no_marker(tmp_path, jitter):
    index = np.r_[0:2500, 2625:6000]
    stamps = 500.0 + index / 250 + np.random.default_rng(2).uniform(0, jitter, index.shape[0])
    markers = [(500.0 + k / 250, f"m{k}") for k in (1000, 2490, 2640, 5000)]
    recording = read_recording(foreign_xdf(tmp_path / "x.xdf", stamps, markers=markers))
    assert recording.lost == pytest.approx(125, abs=1)
    assert recording.samples[2500] - recording.samples[2499] == pytest.approx(126, abs=1)
    np.testing.assert_allclose(recording.times, 500.0 + index / 250 + jitter / 2, atol=0.002)
    placed = [recording.samples[0] + event.sample for event in recording.events]
    np.testing.assert_allclose(placed, [1000, 2490, 2640, 5000], atol=1)


def test_xdf_that_came_late_has_lost_nothing(tmp_path):
    index = np.arange(5000)
    stamps = 500.0 + index / 250
    # A link that held back 0.3 s of samples and then gave them at once, stamped on arrival.
    held = (index >= 2000) & (index < 2075)
    stamps[held] = 500.0 + 2075 / 250
    recording = read_recording(foreign_xdf(tmp_path / "x.xdf", stamps))
    assert recording.lost == 0
    np.testing.assert_allclose(recording.times, 500.0 + index / 250, atol=0.02)


def test_xdf_keeps_positions_reference_and_device(tmp_path):
    info = StreamInfo(
        name="amp", sfreq=250.0, ch_names=("A", "B"), ch_types=("eeg", "eog"), reference="M1", device="Acme 2",
        positions=((0.01, 0.02, 0.03), (float("nan"),) * 3),
    )  # fmt: skip
    stamps = np.arange(500) / 250
    recording = read_recording(foreign_xdf(tmp_path / "x.xdf", stamps, labels=info.ch_names, info=info))
    assert recording.info.reference == "M1"
    assert recording.info.device == "Acme 2"
    np.testing.assert_allclose(recording.info.positions_array()[0], [0.01, 0.02, 0.03])
    assert np.isnan(recording.info.positions_array()[1]).all()


def test_channels_of_the_same_name_get_numbers_that_are_free(tmp_path):
    labels = ("C3", "C3-3", "C3", "", "Ch4")
    recording = read_recording(foreign_xdf(tmp_path / "x.xdf", np.arange(500) / 250, labels=labels))
    names = recording.info.ch_names
    assert names[0] == "C3"
    assert names[1] == "C3-3"
    assert names[4] == "Ch4"
    assert len(set(names)) == 5


def test_signals_of_a_session_are_a_plain_xdf(tmp_path):
    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("C3", "C4"))
    data = np.random.default_rng(4).normal(0, 10, (1000, 2))
    whole = Recording.from_arrays(
        info, data, start=77.0, events=(Event(name="cue/left", time=78.0, sample=250, source="paradigm"),)
    )
    import_recording(whole, tmp_path / "s")
    read = read_recording(tmp_path / "s" / "signals.xdf")
    np.testing.assert_array_equal(read.data, data)
    assert [event.name for event in read.events] == ["cue/left"]
    assert read.events[0].sample == 250


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


@pytest.mark.parametrize("cut", [3, 40, 4000])
def test_table_that_was_cut_off_can_be_read_in_part(tmp_path, cut):
    file = tmp_path / "muse.csv"
    rows = [f"{1.5e9 + i / 256:.4f},{i}.25,1,2,3,4,{1 if i == 60 else 0}" for i in range(400)]
    whole = MUSE + "\n".join(rows) + "\n"
    kept = whole.encode()[: -cut if whole[-cut - 1] != "\n" else -cut - 1]
    file.write_bytes(kept)
    with pytest.raises(SourceError, match=r"truncated.*partial=true"):
        read_recording(file)
    recording = read_recording(file, partial=True)
    assert recording.n_times == kept.count(b"\n") - 1
    assert recording.data[-1, 0] == recording.n_times - 1 + 0.25


@pytest.mark.data
@pytest.mark.parametrize(("cut", "message"), [(1, "ends within a sample"), (64 * 1000, "there is a marker at")])
def test_truncated_brainvision(data_dir, tmp_path, cut, message):
    for file in (data_dir / "formats" / "brainvision").iterdir():
        raw = file.read_bytes()
        (tmp_path / file.name).write_bytes(raw[:-cut] if file.suffix == ".eeg" else raw)
    with pytest.raises(SourceError, match=message):
        read_recording(tmp_path / "test.vhdr")
    with warnings.catch_warnings():
        # MNE says that it leaves out the markers behind the end.
        warnings.simplefilter("ignore", RuntimeWarning)
        assert read_recording(tmp_path / "test.vhdr", partial=True).n_times == 7900 - (cut + 63) // 64


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
        ("line.txt", bytes(range(128, 256)) * 4, "no text file"),
        ("late.csv", b"time,C3,C4\n" + b"1,2,3\n" * 20_000 + b"\xff\xfe\n", "unit|damaged"),
        ("binary.txt", bytes(range(256)) * 4, "cannot be read|no text file"),
        (
            "head.txt",
            b"%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n",
            "no samples",
        ),
        (
            "title.txt",
            b"%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\nSample Index, EXG Channel 0\n",
            "no samples|damaged",
        ),
        ("zero.txt", b"%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 0 Hz\n", "sampling rate"),
        ("muse.csv", MUSE.encode() + b"1.0,1,2,3,4,5,0\n1.1,1,2\n", "damaged or truncated"),
        ("raw.fif", bytes(2000), "cannot be read"),
        ("head.vhdr", b"Brain Vision Data Exchange Header File Version 1.0\n", "cannot be read"),
        (
            "odd.vhdr",
            b"Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=odd.eeg\n",
            "cannot",
        ),
        ("twisted.vhdr", b"Brain Vision Data Exchange Header File Version 1.0\n[Channel Infos]\nCh1{O2\n", "cannot"),
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
@pytest.mark.parametrize(("name", "breaks"), [("ssvep_example", []), ("clock_resets", [12875]), ("minimal", [])])
def test_real_xdf_has_lost_what_its_stamps_say(data_dir, caplog, name, breaks):
    recording = read_recording(data_dir / "formats" / "xdf" / f"{name}.xdf", unit="uV")
    assert np.flatnonzero(np.diff(recording.samples) > 1).tolist() == breaks
    pace = np.diff(recording.times)[np.diff(recording.samples) == 1]
    assert np.ptp(pace) < 0.1 * pace.mean()
    assert not caplog.records


@pytest.mark.data
def test_xdf_without_a_unit_or_a_stream_of_that_name(data_dir):
    file = data_dir / "formats/xdf/minimal.xdf"
    with pytest.raises(ArgumentError, match=r"unit=uV"):
        read_recording(file)
    with pytest.raises(SourceError, match="no stream of samples named 'other'"):
        read_recording(file, stream="other", unit="uV")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("/home/me/bcikit/.venv/lib/python3.11/site-packages/mne/io/edf/edf.py", "cannot be read: it is damaged"),
        (str(Path(formats.__file__).parent / "read_mne.py"), "fault of bcikit"),
    ],
)
def test_whose_fault_it_is_does_not_depend_on_what_the_checkout_is_called(tmp_path, monkeypatch, where, says):
    file = tmp_path / "short.gdf"
    file.write_bytes(b"GDF 2.20" + bytes(300))

    def fails(*_: object) -> None:
        exec(compile("'text' & 1", where, "exec"))

    one = dataclasses.replace(formats.format_of(file), read=fails)
    monkeypatch.setattr(formats, "format_of", lambda _: one)
    with pytest.raises(BciError, match=says):
        read_recording(file)


def test_a_file_that_one_may_not_read_is_not_called_damaged(tmp_path, monkeypatch):
    file = tmp_path / "x.csv"
    file.write_text("time,C3\n0,1\n")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("bcikit.acquisition.read_table.read_table", refused)
    with pytest.raises(SourceError, match=r"x\.csv may not be read by you"):
        read_recording(file)
