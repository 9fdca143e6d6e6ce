"""Headers that say something else than what is usual: it is read as they say, asked for, or refused."""

import edfio
import mne
import numpy as np
import pytest
from scipy.io import savemat

from bcikit import read_recording
from bcikit.signal import ArgumentError, DoubtWarning, SourceError
from tests.formats.writers import Xdf, brainvision, edf

RNG = np.random.default_rng(0)
D = RNG.integers(-300, 300, 1000)
X = RNG.integers(-300, 300, (1000, 2))


def changed(path, *pairs, at=None):
    raw = path.read_bytes()
    for old, new in pairs:
        assert old in raw
        raw = raw.replace(old, new, 1)
    if at is not None:
        place, text = at
        raw = raw[:place] + text + raw[place + len(text) :]
    path.write_bytes(raw)
    return path


def doubts(path, **options):
    with pytest.warns(DoubtWarning):
        recording = read_recording(path, **options)
    return recording, [note.code for note in recording.notes if note.doubt]


def vhdr(tmp_path, *pairs, markers=()):
    file = brainvision(tmp_path, "a", [("C3", "0.1", "µV"), ("C4", "0.1", "")], X, markers=markers)
    return changed(file, *pairs)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"=INT_16", b"=INT_16\nUseBigEndianOrder=YES", "big-endian"),
        (b"DataFormat=", b"DataType=FREQUENCYDOMAIN\nDataFormat=", "a spectrum"),
        (b"=INT_16", b"=UINT_16", "of a kind that is not read .*UINT_16"),
    ],
)
def test_brainvision_that_is_no_usual_recording_is_refused(tmp_path, old, new, said):
    with pytest.raises(SourceError, match=said):
        read_recording(vhdr(tmp_path, (old, new)))
    for usual in (b"=INT_16\nUseBigEndianOrder=NO", b"=INT_16\nDataType=TIMEDOMAIN"):
        recording = read_recording(vhdr(tmp_path, (b"=INT_16", usual)))
        np.testing.assert_allclose(recording.data, X / 10)
        assert any("1 channels state no unit" in note.text for note in recording.notes)


def test_an_average_is_a_doubt(tmp_path):
    file = vhdr(tmp_path, (b"DataFormat=", b"Averaged=YES\nAveragedSegments=40\nDataFormat="))
    recording, codes = doubts(file)
    assert codes == ["averaged"]
    assert "average of 40 segments" in str(recording.notes)


@pytest.mark.parametrize(
    ("first", "second", "lost"),
    [
        ("20240101120000000000", "20240101120012000000", 2500),
        ("20240101120000000000", "20240101120002000000", 0),
        ("20240101120000000000", "", 1),
        ("", "", 1),
        # A segment that begins before the one before it ended.
        ("20240101120000000000", "20240101120001000000", 1),
    ],
)
def test_no_seam_between_segments_is_forgotten(tmp_path, first, second, lost):
    marks = [f"New Segment,,1,1,0,{first}".rstrip(","), f"New Segment,,501,1,0,{second}".rstrip(",")]
    recording = read_recording(vhdr(tmp_path, markers=marks))
    assert recording.lost == lost
    assert int(recording.samples[500]) == 500 + lost


@pytest.mark.parametrize("label", ["TRIG", "Trigger", "STI 014", "TTL1", "Markers"])
@pytest.mark.parametrize("unit", ["", "uV"])
def test_a_channel_that_is_named_as_trigger_has_codes_and_is_no_eeg(tmp_path, label, unit):
    codes = np.zeros(1000, int)
    codes[300:310], codes[600:650] = 3, 7
    recording = read_recording(edf(tmp_path / "a.edf", [("Cz", "uV", D), (label, unit, codes)]))
    assert recording.info.ch_types == ("eeg", "stim")
    assert [(e.value, e.sample) for e in recording.events] == [(3, 300), (7, 600)]


def test_a_trigger_channel_of_brainvision(tmp_path):
    data = np.zeros((1000, 2), int)
    data[:, 0], data[400:410, 1] = D, 5
    recording = read_recording(brainvision(tmp_path, "a", [("C3", "1", "µV"), ("TRIG", "1", "µV")], data))
    assert recording.info.ch_types == ("eeg", "stim")
    assert [(e.value, e.sample) for e in recording.events] == [(5, 400)]


@pytest.mark.parametrize("unit", ["", "zorks", "counts"])
def test_a_channel_named_as_eeg_that_is_not_taken_for_eeg_is_said(tmp_path, unit):
    file = edf(tmp_path / "a.edf", [("Cz", "uV", D), ("EEG C3-REF", unit, D), ("Light", "zorks", D)])
    recording, codes = doubts(file)
    assert (recording.info.ch_types, codes) == (("eeg", "misc", "misc"), ["unit"])
    accepted = read_recording(file, accept=["unit"])
    assert accepted.info.ch_types == ("eeg", "misc", "misc")
    if unit == "counts":
        return
    told = read_recording(file, unit="mV")
    assert told.info.ch_types == ("eeg", "eeg", "misc")
    np.testing.assert_allclose(told.data[:, :2], np.column_stack([D, 1e3 * D]))


def test_a_unit_is_as_long_as_edf_has_room_for(tmp_path):
    file = edf(tmp_path / "a.edf", [("C3", "MicroVolts"[:8], D), ("C4", "MilliVolts"[:8], D)])
    recording = read_recording(file, accept=["amplitude"])
    assert recording.info.ch_types == ("eeg", "eeg")
    np.testing.assert_allclose(recording.data, np.column_stack([D, 1e3 * D]))


def test_records_without_a_length_have_no_rate(tmp_path):
    file = changed(edf(tmp_path / "a.edf", [("Cz", "uV", D)]), at=(244, b"0       "))
    with pytest.raises(SourceError, match="nobody can know its sampling rate"):
        read_recording(file)


def test_a_signal_without_a_range_is_a_doubt(tmp_path):
    # Fields of two signals: physical minimum and maximum stand behind 104 bytes of each.
    file = edf(tmp_path / "a.edf", [("C3", "uV", D), ("C4", "uV", D)])
    recording, codes = doubts(changed(file, at=(256 + 2 * 104 + 8, b"32767   ")))
    assert codes == ["scale"]
    assert "C4: minimum and maximum are equal" in str(recording.notes)
    comma = changed(edf(tmp_path / "b.edf", [("C3", "uV", D)]), at=(256 + 104, b"-32768,0"))
    np.testing.assert_allclose(read_recording(comma).data[:, 0], D)


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_records_that_jump_are_gaps_whatever_the_header_says(tmp_path, kind):
    onsets = [0, 1, 2, 3, 7, 8, 9, 10, 11, 12]
    file = edf(tmp_path / "a.edf", [("Cz", "uV", D)], kind=kind, onsets=onsets, annotations=[(8.5, b"go")])
    recording = read_recording(file, accept=["records"])
    assert recording.lost == 300
    assert recording.samples[[399, 400]].tolist() == [399, 700]
    if kind == "EDF+C":
        assert doubts(file)[1] == ["records"]
    # That it is event 850 is row 550.
    assert [(e.sample, int(np.searchsorted(recording.samples, e.sample))) for e in recording.events] == [(850, 550)]


def test_records_whose_times_go_back_in_a_continuous_file_are_a_doubt(tmp_path):
    file = edf(tmp_path / "a.edf", [("Cz", "uV", D)], onsets=[0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    recording, codes = doubts(file)
    assert (recording.lost, codes) == (0, ["records"])


def test_a_record_may_begin_between_two_samples(tmp_path):
    onsets = [0, 1, 2.005, 3.005, 4.025, 5.025, 6.025, 7.025, 8.025, 9.025]
    recording = read_recording(edf(tmp_path / "a.edf", [("Cz", "uV", D)], kind="EDF+D", onsets=onsets))
    assert recording.lost == 3
    assert (np.diff(recording.samples) >= 1).all()
    assert recording.times[400] == pytest.approx(4.025)


def test_options_behind_a_path_are_read_in_python_too(tmp_path):
    file = edf(tmp_path / "a.edf", [("Cz", "", D)])
    recording = read_recording(f"{file}?unit=mV&accept=amplitude")
    np.testing.assert_allclose(recording.data[:, 0], 1e3 * D)
    assert read_recording(f"{file}?unit=mV", unit="uV").data[:, 0].tolist() == pytest.approx(D.tolist())
    odd = tmp_path / "what?unit=mV.edf"
    odd.write_bytes(file.read_bytes())
    np.testing.assert_allclose(read_recording(str(odd), unit="uV").data[:, 0], D)


def test_codes_that_mne_wrote_as_volts_are_codes(tmp_path):
    data = np.zeros((1000, 2), int)
    data[:, 0], data[400:410, 1] = D, 5
    recording = read_recording(brainvision(tmp_path, "a", [("C3", "1", "µV"), ("STI 014", "1", "V")], data))
    assert [(e.value, e.sample) for e in recording.events] == [(5, 400)]
    micro = read_recording(brainvision(tmp_path, "b", [("C3", "1", "µV"), ("STI 014", "1000000", "µV")], data))
    assert [(e.value, e.sample) for e in micro.events] == [(5, 400)]
    assert "as volts" in str(micro.notes)


def eeglab(path, labels, chaninfo):
    places = np.array([(label,) for label in labels], dtype=[("labels", "O")])
    events = np.array([("left", 401.0)], dtype=[("type", "O"), ("latency", "O")])
    data = RNG.normal(0, 20, (len(labels), 1000))
    content = {
        "nbchan": len(labels), "trials": 1, "pnts": 1000, "srate": 250.0, "xmin": 0.0, "xmax": 4.0, "data": data,
        "chanlocs": places, "event": events, "epoch": np.zeros((0, 0)), "chaninfo": chaninfo,
        "icawinv": np.zeros((0, 0)),
    }  # fmt: skip
    savemat(path, {"EEG": content}, appendmat=False)
    return path


def test_channels_of_eeglab_are_what_they_are_called(tmp_path):
    file = eeglab(tmp_path / "a.set", ["C3", "VEOG", "ECG", "TRIG"], {"nosedir": "+X"})
    recording = read_recording(file, accept=["amplitude"])
    assert recording.info.ch_types == ("eeg", "eog", "ecg", "stim")
    with pytest.raises(SourceError, match=r"EEG\.chaninfo\.nosedir = "):
        read_recording(eeglab(tmp_path / "b.set", ["C3"], np.zeros((0, 0))))


def test_epochs_under_another_name_are_no_recording(tmp_path):
    raw = mne.io.RawArray(X.T * 1e-6, mne.create_info(["C3", "C4"], 250.0, "eeg"), verbose="ERROR")
    epochs = mne.make_fixed_length_epochs(raw, 1.0, preload=True, verbose="ERROR")
    epochs.save(tmp_path / "a-epo.fif", verbose="ERROR")
    file = (tmp_path / "a-epo.fif").rename(tmp_path / "subject.fif")
    with pytest.raises(SourceError, match="holds no recording"):
        read_recording(file)


def test_options_of_another_type_do_not_blame_the_file(tmp_path):
    status = np.zeros(1000, int)
    status[300:310] = 0x103
    file = edf(tmp_path / "a.bdf", [("Cz", "uV", D), ("Status", "Boolean", status)], bdf=True)
    assert [event.value for event in read_recording(file, trigger_mask="0xFF").events] == [3]
    with pytest.raises(ArgumentError, match=r"unit is 1e-06; it must be a text"):
        read_recording(file, unit=1e-6)
    xdf = Xdf()
    for name in ("A", "B"):
        xdf.stream(name, "EEG", 100, np.arange(1000) / 100, X, labels=("C3", "C4"), units=("uV", "uV"))
    assert read_recording(xdf.write(tmp_path / "a.xdf"), stream=2).info.name == "B"
    slow = edf(tmp_path / "b.edf", [("Cz", "uV", D)], onsets=[0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    assert not [note for note in read_recording(slow, accept="records").notes if note.doubt]


@pytest.mark.parametrize(("rate", "codes"), [(1, []), (2, [(3, 40), (7, 80)])])
def test_codes_are_not_made_by_interpolation(tmp_path, rate, codes):
    wave = RNG.normal(0, 20, 1000)
    levels = np.zeros(500 * rate)
    levels[20 * rate : 25 * rate], levels[40 * rate : 60 * rate] = 3, 7
    signals = [
        edfio.EdfSignal(wave, 100, label="Cz", physical_dimension="uV"),
        edfio.EdfSignal(levels, 50 * rate, label="TRIG", physical_range=(-32768, 32767)),
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    recording = read_recording(tmp_path / "a.edf")
    assert [(event.value, event.sample) for event in recording.events] == codes
    assert any("TRIG has fewer samples" in note.text for note in recording.notes) == (rate == 1)


@pytest.mark.parametrize(("kinds", "doubt"), [(["mag", "grad"], True), (["mag", "eeg"], False), (["hbo", "hbr"], True)])
def test_magnetic_and_optical_channels_are_said(tmp_path, kinds, doubt):
    raw = mne.io.RawArray(X.T * 1e-6, mne.create_info(["S1 hbo", "C4 hbr"], 250.0, kinds), verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    recording = read_recording(tmp_path / "a_raw.fif", accept=["channels"])
    assert recording.info.ch_types == tuple("eeg" if kind == "eeg" else "misc" for kind in kinds)
    assert any("another modality" in note.text for note in recording.notes)
    if doubt:
        assert doubts(tmp_path / "a_raw.fif")[1] == ["channels"]
