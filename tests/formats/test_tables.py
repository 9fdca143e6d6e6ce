"""Tables of programs: columns by dialect, times by the stamps of the whole, units stated or refused."""

import datetime
import warnings

import numpy as np
import pytest

from bcikit import read_recording
from bcikit.acquisition.dialect import FOLDER_VARIABLE, known_dialects
from bcikit.signal import ArgumentError, BciError, DoubtWarning, SourceError
from tests.formats.writers import openbci, table

RNG = np.random.default_rng(0)
X = np.round(RNG.normal(0, 30, (1000, 8)), 2)
TITLES = (
    "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(8))
    + ", Accel Channel 0, Timestamp, Marker Channel, Timestamp (Formatted)\n"
)  # fmt: skip
OLD = "%OpenBCI Raw EEG Data\n{}%Sample Rate = 250.0 Hz\n%First Column = SampleIndex\n%Last Column = Timestamp \n"


def cells(i: int) -> str:
    return f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in X[i])


@pytest.mark.parametrize("count", ["%Number of channels = 8\n", "%\n"])
@pytest.mark.parametrize("milliseconds", [True, False])
def test_openbci_gui_2_to_4(tmp_path, count, milliseconds):
    rows = [
        f"{cells(i)}, 0.000, 0.000, 0.000, 16:54:{i // 250:02d}.{i % 250 * 4:03d}"
        + (f", {1554674040000 + 4 * i}" if milliseconds else "")
        for i in range(1000)
    ]
    recording = read_recording(openbci(tmp_path / "a.txt", rows, head=OLD.format(count)))
    np.testing.assert_array_equal(recording.data, X)
    assert recording.info.sfreq == 250
    assert recording.lost == 0


def test_openbci_with_decimal_commas(tmp_path):
    import re

    rows = [f"{cells(i)}, 0.040, {1.6e9 + i / 250:.6f}, {7.0 if i == 40 else 0.0}, x" for i in range(500)]
    rows = [re.sub(r"(?<=\d)\.(?=\d)", ",", row) for row in rows]
    recording = read_recording(openbci(tmp_path / "a.txt", rows, titles=TITLES))
    np.testing.assert_array_equal(recording.data, X[:500])
    assert [(event.name, event.sample) for event in recording.events] == [("7", 40)]


def test_openbci_first_row_counts_unless_it_was_never_measured(tmp_path):
    rows = [f"{cells(i)}, 0.0, {1600000000000 + 4 * i}, 12:00:00.000" for i in range(500)]
    assert read_recording(openbci(tmp_path / "a.txt", rows)).n_times == 500
    rows = [f"{cells(i)}, 0.0, {1.6e9 + i / 250:.6f}, 0.0, x" for i in range(500)]
    for zero in (", ".join(["0.0"] * 12) + ", x", ", ".join(["0.0"] * 10) + f", {1.6e9 - 0.004}, 0.0, x"):
        recording = read_recording(openbci(tmp_path / "b.txt", [zero, *rows], titles=TITLES))
        assert (recording.n_times, recording.lost) == (500, 0)
        np.testing.assert_array_equal(recording.data, X[:500])
        assert any("never measured" in note.text for note in recording.notes)


def test_mind_monitor(tmp_path):
    start = datetime.datetime(2017, 11, 20, 23, 59, 58)
    rows = []
    for i in range(1000):
        stamp = (start + datetime.timedelta(seconds=i / 256)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        rows.append(f"{stamp},0.5,{800 + X[i, 0]},801,802,803,900,0.4,1,97,")
        if i % 200 == 100:
            rows.append(f"{stamp}," + "," * 8 + ",/muse/elements/blink")
    titles = (
        "TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,AUX_RIGHT,Accelerometer_X,HeadBandOn,Battery,Elements"
    )
    recording = read_recording(table(tmp_path / "m.csv", titles, rows))
    assert recording.info.ch_names == ("TP9", "AF7", "AF8", "TP10", "AUX_RIGHT", "Accelerometer_X")
    assert recording.info.sfreq == 256
    assert (recording.n_times, recording.lost) == (1000, 0)
    np.testing.assert_allclose(recording.data[:, 0], 800 + X[:, 0])
    assert [(event.name, event.sample) for event in recording.events] == [
        ("/muse/elements/blink", k) for k in range(100, 1000, 200)
    ]


def test_a_column_without_a_title_is_said_and_can_be_mapped(tmp_path):
    rows = [f"{i / 256:.5f},1,2,3,{i % 7}" + ("" if i < 12 else f",{int(i % 100 == 50)}") for i in range(1000)]
    file = table(tmp_path / "a.csv", "timestamps,TP9,AF7,AF8,TP10", rows)
    with pytest.raises(SourceError, match="line 14 has 6 cells where there are 5 titles"):
        read_recording(file)


def test_map_names_columns_of_any_table(tmp_path):
    rows = [f"{4 * i};{i % 9},5;{i % 5};{3 if 100 <= i < 120 else 0}" for i in range(500)]
    file = table(tmp_path / "a.csv", "a;b;c;d", rows)
    with pytest.raises(SourceError, match="map="):
        read_recording(file)
    recording = read_recording(file, map="time=0[ms] eeg=1:2 marker=d names=C3,C4 unit=uV")
    assert recording.info.ch_names == ("C3", "C4")
    assert recording.info.sfreq == 250
    assert recording.data[3].tolist() == [3.5, 3.0]
    # A level that is held is one event.
    assert [(event.name, event.sample, event.source) for event in recording.events] == [("3", 100, "d")]
    plain = tmp_path / "plain.csv"
    plain.write_text("\n".join(f"{i % 9}.5,{i % 5},7,8" for i in range(500)))
    assert read_recording(plain, map="eeg=0:1 rate=250 unit=mV").data[3].tolist() == [3500.0, 3000.0]
    for wrong in ("eeg=9", "eeg", "eeg=a:b", "wings=1", "time=0", "eeg=0 names=a,b"):
        with pytest.raises(ArgumentError, match="map"):
            read_recording(plain, map=wrong)


def test_times_in_any_unit_or_one_question(tmp_path):
    for step, unit in ((4, "ms at 250"), (4000, "us at 250")):
        file = table(tmp_path / "a.csv", "time,C3,Cz", [f"{i * step},{i % 7},1" for i in range(1000)])
        with pytest.warns(DoubtWarning, match="taken for"):
            assert read_recording(file, unit="uV").info.sfreq == 250, unit
    file = table(tmp_path / "b.csv", "time,C3,Cz", [f"{i},{i % 7},1" for i in range(1000)])
    with pytest.raises(ArgumentError, match="samples or milliseconds"):
        read_recording(file, unit="uV")
    assert read_recording(file, unit="uV", time_unit="ms").info.sfreq == 1000
    assert read_recording(file, unit="uV", sfreq=250.0).times[-1] == pytest.approx(999 / 250)
    file = table(tmp_path / "c.csv", "time [ms],C3 [mV],Temp [degC]", [f"{i * 2},0.0{i % 7},36.5" for i in range(1000)])
    recording = read_recording(file)
    assert recording.info.sfreq == 500
    assert recording.info.ch_types == ("eeg", "misc")
    np.testing.assert_allclose(recording.data[3], [30.0, 36.5])


@pytest.mark.parametrize("back", [0.3, 1.0, 3600.0])
def test_a_clock_that_was_set_back_changes_no_rate(tmp_path, back):
    stamps = 1486223115.483 + np.arange(2000) / 256
    stamps[700:] -= back
    rows = [f"{t:.3f},1,2,3,{i % 9}" for i, t in enumerate(stamps)]
    recording = read_recording(table(tmp_path / "a.csv", "timestamps,TP9,AF7,AF8,TP10", rows))
    assert recording.info.sfreq == 256
    assert recording.lost == 0
    np.testing.assert_allclose(recording.times, np.arange(2000) / 256, atol=0.01)
    assert any("set back" in note.text for note in recording.notes)


def test_blocks_stamped_on_arrival_are_no_other_rate(tmp_path):
    n = 12 * 64 * 5
    stamps = 1.7e9 + np.arange(n) / 256 + np.repeat(RNG.uniform(0, 0.05, n // 12), 12)
    rows = [f"{t:.6f},1,2,3,{i % 9}" for i, t in enumerate(stamps)]
    recording = read_recording(table(tmp_path / "a.csv", "timestamps,TP9,AF7,AF8,TP10", rows))
    assert (recording.info.sfreq, recording.lost) == (256, 0)
    assert recording.times[-1] == pytest.approx((n - 1) / 256, abs=0.1)


@pytest.mark.parametrize("what", ["nan", "", "inf", "0", "1e15"])
def test_one_stamp_that_is_none_changes_nothing_else(tmp_path, what):
    rows = [f"{what if i == 300 else f'{i / 256:.6f}'},1,2,3,{i % 9}" for i in range(1000)]
    recording = read_recording(table(tmp_path / "a.csv", "timestamps,TP9,AF7,AF8,TP10", rows))
    np.testing.assert_allclose(recording.times, np.arange(1000) / 256, atol=1e-3)
    assert recording.lost == 0
    assert any(note.code == "repaired" and note.count == 1 for note in recording.notes)


def test_a_column_of_words_is_events(tmp_path):
    rows = [f"{i / 256:.6f},{i % 7},{i % 5},{'blink' if i in (100, 101, 300) else ''}" for i in range(512)]
    recording = read_recording(table(tmp_path / "a.csv", "timestamps,C3,C4,note", rows), unit="uV")
    assert recording.info.ch_names == ("C3", "C4")
    assert [(event.name, event.sample) for event in recording.events] == [("blink", 100), ("blink", 300)]


def test_columns_that_are_no_voltages_are_not_scaled(tmp_path):
    titles = "time,C3,EOG1,acc_x,gyro_y,battery,poorSignal,counter"
    rows = [f"{i / 250:.4f},{i % 7},1,0.5,2,97,0,{i}" for i in range(500)]
    recording = read_recording(table(tmp_path / "a.csv", titles, rows), unit="mV")
    assert recording.info.ch_types == ("eeg", "eog", "accel", "gyro", "misc", "misc")
    assert recording.data[1].tolist() == [1000.0, 1000.0, 0.5, 2.0, 97.0, 0.0]


def test_a_user_adds_a_dialect_without_code(tmp_path, monkeypatch):
    (tmp_path / "dialects").mkdir()
    (tmp_path / "dialects" / "mine.toml").write_text(
        'name = "My headset"\ncolumns = ["ts", "ch1"]\ntime = ["ts"]\ntime_unit = "us"\nsignal = ["ch[0-9]"]\n'
        'strip = "ch"\nscale = 0.5\nrate = 500\nmarkers = ["mark"]\nignore = ["bat"]\n'
    )
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "dialects"))
    assert known_dialects()[0].name == "My headset"
    rows = [f"{2000 * i},{i % 8},{i % 4},90,{5 if i == 77 else 0}" for i in range(800)]
    recording = read_recording(table(tmp_path / "a.csv", "ts,ch1,ch2,bat,mark", rows))
    assert recording.info.ch_names == ("1", "2")
    assert recording.info.sfreq == 500
    assert recording.data[3].tolist() == [1.5, 1.5]
    assert [(event.name, event.sample) for event in recording.events] == [("5", 77)]
    (tmp_path / "dialects" / "wrong.toml").write_text('name = "x"\n')
    with pytest.raises(BciError, match=r"wrong\.toml"):
        read_recording(tmp_path / "a.csv")


@pytest.mark.parametrize(("encoding", "title"), [("latin-1", "Größe"), ("gbk", "左手电极"), ("utf-16", "Größe")])
def test_titles_in_any_encoding(tmp_path, encoding, title):
    file = tmp_path / "a.csv"
    file.write_bytes(
        (f"time,{title},C4\n" + "\n".join(f"{i / 100},{i % 9},1" for i in range(300)) + "\n").encode(encoding)
    )
    assert read_recording(file, unit="uV").info.ch_names == (title, "C4")
    with pytest.raises(ArgumentError, match="encoding"):
        read_recording(file, unit="uV", encoding="klingon")


def test_every_cell_in_quotation_marks(tmp_path):
    values = RNG.normal(0, 20, (500, 2))
    rows = [f'"{i / 250:.6f}","{a:.3f}","{b:.3f}"' for i, (a, b) in enumerate(values)]
    recording = read_recording(table(tmp_path / "a.csv", '"timestamps","C3","C4"', rows), unit="uV")
    assert recording.info.sfreq == 250
    np.testing.assert_allclose(recording.data, values, atol=1e-3)


@pytest.mark.parametrize(
    ("titles", "rows", "options", "said"),
    [
        ("time,note", ["0,a", "1,b"], {}, "has no column of samples"),
        ("C3,Cz", ["1,2", "3,4"], {}, "without a column of times"),
        ("C3,Cz", ["1,2", "3,4"], {"map": "eeg=0:1"}, "has no column of times; say its rate: sfreq=250"),
        ("a,C3", ["0,1", "1,2"], {"map": "time=0[parsecs] eeg=1"}, "time_unit is 'parsecs'; allowed: .*date"),
        ("a,C3", ["0,1", "1,2"], {"map": "time=0[samples] eeg=1"}, "counts samples; say their rate: .*sfreq=250"),
        ("time,C3", ["0,1"], {}, "its times do not rise.*State it: sfreq=256"),
        ("time,C3", ["5,1", "5,2", "5,3"], {"time_unit": "s"}, "its times do not rise"),
        ("time,C3", ["10:00:00,1", "at noon,2"], {}, "'at noon' is no time bcikit can read"),
    ],
)
def test_a_table_whose_times_cannot_be_known_says_which_way_out(tmp_path, titles, rows, options, said):
    with pytest.raises(BciError, match=said):
        read_recording(table(tmp_path / "a.csv", titles, rows), unit="uV", **options)


def test_numbers_of_samples_and_times_of_day_over_midnight(tmp_path):
    file = table(tmp_path / "a.csv", "sample,C3", [f"{i},{i % 7}" for i in range(500)])
    recording = read_recording(file, unit="uV", map="time=0[samples] eeg=1 rate=200")
    np.testing.assert_allclose(recording.times, np.arange(500) / 200)
    start = datetime.datetime(2024, 1, 31, 23, 59, 58)
    stamps = [start + datetime.timedelta(milliseconds=4 * i) for i in range(1000)]
    rows = [f"{stamp:%H:%M:%S}.{stamp.microsecond // 1000:03d},{i % 7}" for i, stamp in enumerate(stamps)]
    rows[500] = f",{500 % 7}"
    recording = read_recording(table(tmp_path / "b.csv", "time,C3", rows), unit="uV")
    assert recording.info.sfreq == pytest.approx(250)
    assert recording.n_times == 1000
    np.testing.assert_allclose(recording.times, np.arange(1000) / 250, atol=1e-3)


def test_a_first_row_that_was_never_measured_is_left_out_of_a_table(tmp_path):
    rows = ["0,0,0"] + [f"{1.7e9 + i / 250:.4f},{i % 7},{i % 5}" for i in range(1, 1000)]
    recording = read_recording(table(tmp_path / "a.csv", "timestamps,C3,Cz", rows), unit="uV")
    assert recording.n_times == 999
    assert recording.info.sfreq == 250
    assert "a first row of zeros was never measured; left out" in [note.text for note in recording.notes]


def test_a_second_column_of_times_and_columns_of_texts(tmp_path):
    rows = [f"{i / 250:.4f},{i / 250:.4f},{i % 7},{'go' if i == 100 else ''}" for i in range(500)]
    file = table(tmp_path / "a.csv", "time,timestamp,C3,words", rows)
    assert read_recording(file, unit="uV").info.ch_names == ("C3",)
    assert read_recording(file, unit="uV", map="time=0[s] eeg=2 text=words").events[0].name == "go"
    for wrong in ("eeg=2 rate=fast", "eeg=2 rate=-5"):
        with pytest.raises(ArgumentError, match=r"it must be a number above 0"):
            read_recording(file, unit="uV", map=wrong)


def test_openbci_packets_that_came_twice_and_a_rate_that_is_not_the_stated_one(tmp_path):
    rows = [f"{cells(i)}, 0, {1.7e9 + i / 250:.6f}, 0, x" for i in range(1000)]
    rows.insert(501, rows[500])
    recording = read_recording(openbci(tmp_path / "a.txt", rows, titles=TITLES))
    assert recording.n_times == 1000
    assert any("1 packets that came twice and 0 out of order" in note.text for note in recording.notes)
    rows = [f"{i % 256}, " + ", ".join(["1.5"] * 8) + f", 0, {1.7e9 + i / 200:.6f}, 0, x" for i in range(2000)]
    with pytest.warns(DoubtWarning, match="says 250 Hz; counter and stamps say 200 Hz; sfreq=200 takes that"):
        read_recording(openbci(tmp_path / "b.txt", rows, titles=TITLES))


@pytest.mark.parametrize(
    ("board", "lost"),
    [
        ("CytonSerial", 10),
        ("CytonSerialDaisy", 5),
        ("CytonWifi", 10),
        ("CytonWifiDaisy", 10),
        ("GanglionWifi", 10),
        ("GanglionNative", 0),
    ],
)
def test_openbci_losses_are_counted_as_the_counter_of_the_board_runs(tmp_path, board, lost):
    rows = [f"{cells(i)}, 0, {1.7e9 + i / 250:.6f}, 0, x" for i in (*range(100), *range(110, 200))]
    head = f"%OpenBCI Raw EXG Data\n%Number of channels = 8\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$Board{board}\n"
    recording = read_recording(openbci(tmp_path / "a.txt", rows, titles=TITLES, head=head), accept=("rate",))
    assert recording.lost == lost


@pytest.mark.parametrize(
    ("count", "columns", "said"),
    [
        ("%Number of channels = 4\n", None, "the head says 4 channels, the titles name 8; the file is damaged"),
        ("%\n", 5, "the head says no number of channels, and its 5 columns do not tell"),
        ("%Number of channels = 16\n", 9, "is damaged: 9 columns for 16 channels"),
    ],
)
def test_openbci_whose_head_and_columns_do_not_agree(tmp_path, count, columns, said):
    titles = TITLES if columns is None else ""
    rows = [f"{cells(i)}, 0, {1.7e9 + i / 250:.6f}, 0, x" for i in range(300)]
    if columns is not None:
        rows = [", ".join([str(i % 256), *["1.5"] * (columns - 1)]) for i in range(300)]
    with pytest.raises(SourceError, match=said):
        read_recording(openbci(tmp_path / "a.txt", rows, titles=titles, head=OLD.format(count)))


def test_openbci_5_writes_a_first_row_of_zeros_of_another_length(tmp_path):
    rows = ["0, 0, 0, 0"] + [f"{cells(i)}, 0, 0, 0, {1.7e9 + i / 250:.6f}" for i in range(300)]
    recording = read_recording(openbci(tmp_path / "a.txt", rows))
    assert recording.n_times == 300
    np.testing.assert_allclose(recording.data[0], X[0])
    assert "a first row of zeros was never measured; left out" in [note.text for note in recording.notes]


EMOTIV = "title:rec,start timestamp:1700000000.0,headset type:INSIGHT2,sampling rate:eeg_128,version:2.2"


@pytest.mark.parametrize("about", [True, False])
@pytest.mark.parametrize("mark", [".", ","])
def test_emotiv_tables_have_a_line_above_their_titles_and_codes_as_they_were_sent(tmp_path, about, mark):
    data = 4100 + np.random.default_rng(0).normal(0, 20, (600, 2)).round(3)
    titles = "Timestamp,EEG.Counter,EEG.AF3,EEG.T7,MarkerIndex,MarkerType,MarkerValueInt,EEG.MarkerHardware"
    lines = [EMOTIV, titles] if about else [titles]
    for row, (one, two) in enumerate(data):
        marks = {300: "1,1,2", 500: "2,1,33"}.get(row, ",,")
        lines.append(f"{1.7e9 + row / 128:.6f},{row % 128},{one:.3f},{two:.3f},{marks},0")
    if mark == ",":
        # Titles have points in any country.
        rows = [line.replace(",", ";").replace(".", ",") for line in lines[about + 1 :]]
        lines = [line.replace(",", ";") for line in lines[: about + 1]] + rows
    text = "\n".join(lines)
    (tmp_path / "a.csv").write_text(text + "\n")
    recording = read_recording(tmp_path / "a.csv")
    assert recording.info.ch_names == ("AF3", "T7")
    np.testing.assert_allclose(recording.data, data)
    # The number of a marker is no code of a class.
    assert [(event.name, event.sample) for event in recording.events] == [("2", 300), ("33", 500)]


@pytest.mark.parametrize("header", ["time,C3,C4", "my recording\ntime,C3,C4"])
def test_titles_as_numpy_writes_them(tmp_path, header):
    data = np.random.default_rng(0).normal(0, 20, (600, 2))
    np.savetxt(tmp_path / "a.csv", np.column_stack([np.arange(600) / 250, data]), delimiter=",", header=header)
    recording = read_recording(tmp_path / "a.csv", unit="uV")
    assert recording.info.ch_names == ("C3", "C4")
    np.testing.assert_allclose(recording.data, data)


@pytest.mark.parametrize(("pause", "doubt"), [(3600.0, True), (3700.0, False), (60.0, False)])
def test_dates_that_jump_by_an_hour_are_a_doubt(tmp_path, pause, doubt):
    begin = datetime.datetime(2024, 3, 31, 1, 59, 59)
    rows = []
    for row in range(600):
        date = begin + datetime.timedelta(seconds=row / 250 + (pause if row >= 250 else 0.0))
        rows.append(f"{date.isoformat(sep=' ', timespec='milliseconds')},{row % 40 - 20},{row % 31 - 15}")
    file = table(tmp_path / "a.csv", "time,C3,C4", rows)
    recording = read_recording(file, unit="uV", accept=["clock"])
    assert recording.lost == pytest.approx(pause * 250, abs=2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read_recording(file, unit="uV")
    assert any("summer time" in str(one.message) for one in said) == doubt
