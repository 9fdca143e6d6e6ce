"""EDF, BDF, BrainVision, FIF, EEGLAB, BCI2000: units and gaps as stated, both kinds of events, five sentences."""

import gzip
import os
import shutil

import mne
import numpy as np
import pytest
from scipy.io import savemat

from bcikit import open_source, read_recording
from bcikit.acquisition import formats
from bcikit.acquisition.file import FileSource
from bcikit.decoding import epochs
from bcikit.recording import record
from bcikit.signal import (
    ArgumentError,
    BciError,
    DoubtWarning,
    Event,
    MissingDependencyError,
    Recording,
    SourceError,
    StreamInfo,
)
from tests.formats.writers import bci2000, brainvision, edf

mne.set_log_level("ERROR")
RNG = np.random.default_rng(0)
D = RNG.integers(-300, 300, 1000)


@pytest.mark.parametrize(
    "unit", ["μV".encode(), "µV".encode(), "µV".encode("cp437"), "μV".encode("gbk"), b"uVolt", b"microV"]
)
def test_microvolts_in_any_code_page(tmp_path, unit):
    recording = read_recording(edf(tmp_path / "a.edf", [("Cz", unit, D)]))
    assert recording.info.ch_types == ("eeg",)
    np.testing.assert_allclose(recording.data[:, 0], D, rtol=1e-9)


def test_a_unit_nobody_knows_is_asked_for_and_can_be_told(tmp_path):
    file = edf(tmp_path / "a.edf", [("Cz", "zorks", D)])
    with pytest.raises(ArgumentError, match="zorks"):
        read_recording(file)
    np.testing.assert_allclose(read_recording(file, unit="mV").data[:, 0], 1e3 * D, rtol=1e-9)


@pytest.mark.parametrize(("encoding", "word"), [("latin-1", "Öffnen größer"), ("gbk", "左手想象"), ("utf-8", "ручка")])
def test_annotations_in_any_encoding(tmp_path, encoding, word):
    file = edf(tmp_path / "a.edf", [("Cz", "uV", D)], annotations=[(0.5, word.encode(encoding))])
    assert [(e.name, e.sample) for e in read_recording(file).events] == [(word, 50)]
    assert [e.name for e in read_recording(file, encoding=encoding).events] == [word]


def test_annotations_only_is_a_sentence(tmp_path):
    file = edf(tmp_path / "a.edf", [], records=3, annotations=[(0.5, b"Sleep stage W")])
    with pytest.raises(SourceError, match="1 annotations and no signals"):
        read_recording(file)


def test_suffixes_do_not_decide(tmp_path):
    file = edf(tmp_path / "a.edf", [("Cz", "uV", D)], kind="EDF+D", onsets=[0, 1, 2, 3, 10, 11, 12, 13, 14, 15],
               annotations=[(1.5, b"a"), (14.5, b"b")])  # fmt: skip
    want = read_recording(file)
    assert (want.n_times, want.lost) == (1000, 600)
    for name in ("A.EDF", "a.bin", "recording"):
        shutil.copy(file, tmp_path / name)
        found = read_recording(tmp_path / name)
        np.testing.assert_array_equal(found.data, want.data)
        np.testing.assert_array_equal(found.samples, want.samples)
        assert [(e.name, e.sample) for e in found.events] == [("a", 150), ("b", 1450)]


def test_annotations_and_triggers_are_both_read(tmp_path):
    status = np.zeros(1000, int)
    status[100:110], status[300:310] = 1, 2
    file = edf(
        tmp_path / "a.bdf", [("Cz", "uV", D), ("Status", "Boolean", status)], bdf=True, annotations=[(0.5, b"go")]
    )
    recording = read_recording(file)
    assert sorted(e.name for e in recording.events) == ["go", "trigger/1", "trigger/2"]
    assert recording.info.ch_types == ("eeg", "stim")


def test_biosemi_bits_and_a_resting_level(tmp_path):
    status = np.full(1000, 254)
    for row in (200, 500, 800):
        status[row : row + 30] = 255
    status[40:140] |= 1 << 16
    status |= 0x1C0000
    file = edf(tmp_path / "a.bdf", [("Cz", "uV", D), ("Status", "Boolean", status)], bdf=True)
    # A new epoch begins at 40: a seam, which counts as one lost sample.
    with pytest.warns(DoubtWarning, match="1 times a new epoch begins"):
        recording = read_recording(file)
    assert [(e.name, e.sample) for e in recording.events] == [("trigger/255", k + 1) for k in (200, 500, 800)]
    assert [e.value for e in read_recording(file, trigger_mask=1, accept="status").events] == [1, 1, 1]


def played(address):
    """Return name and sample of every event that a source gives."""
    found = []
    with open_source(address) as source:
        while not source.ended:
            source.pull()
            found += [(event.name, event.sample) for event in source.pull_events()]
    return found


def test_a_trigger_channel_that_the_reader_decodes_gives_each_code_once(tmp_path):
    level = np.full(1000, 256)
    level[500:510], level[700:710] = 257, 258
    file = edf(tmp_path / "t.edf", [("Cz", "uV", D), ("TRIG", "", level)])
    plain, masked = [("trigger/257", 500), ("trigger/258", 700)], [("trigger/1", 500), ("trigger/2", 700)]
    assert played(f"file:{file}") == played(f"file:{file}?trigger=trig") == plain
    assert played(f"file:{file}?trigger_mask=255") == played(f"file:{file}?trigger=TRIG&trigger_mask=0xFF") == masked
    other = edf(tmp_path / "other.edf", [("Pz", "uV", D)])
    assert played(f"file:{file}?trigger=TRIG&join=file:{other}") == plain
    # Beside the first device, an event has its time and no sample.
    names = [name for name, _ in played(f"file:{other}?trigger=TRIG&join=file:{file}")]
    assert names == ["trigger/257", "trigger/258"]


def test_codes_of_a_session_are_masked_as_the_address_says(tmp_path):
    level = np.zeros(1000)
    level[500:510], level[700:710] = 257, 258
    info = StreamInfo(name="amp", sfreq=100.0, ch_names=("Cz", "TRIG"), ch_types=("eeg", "stim"))
    data = np.column_stack([RNG.normal(0, 20, 1000), level])
    pulses = [
        Event(name=f"trigger/{code}", time=row / 100, sample=row, value=code, source="TRIG")
        for row, code in ((500, 257), (700, 258))
    ]
    # What only bears the name of the channel is none of its codes.
    other = Event(name="note", time=2.0, sample=200, source="TRIG")
    for name, events in (("codes", [*pulses, other]), ("none", [other])):
        record(FileSource(Recording.from_arrays(info, data, events=tuple(events))), tmp_path / name)
        address = f"file:{tmp_path / name}?accept=amplitude,rate&trigger=trig"
        assert played(address) == [("note", 200), ("trigger/257", 500), ("trigger/258", 700)]
        assert played(f"{address}&trigger_mask=255") == [("note", 200), ("trigger/1", 500), ("trigger/2", 700)]


def test_a_mask_for_the_codes_of_a_second_device_is_said_there(tmp_path):
    level = np.full(1000, 256)
    level[500:510] = 257
    file = edf(tmp_path / "t.edf", [("Cz", "uV", D), ("TRIG", "", level)])
    other = edf(tmp_path / "other.edf", [("Pz", "uV", D)])
    with pytest.raises(ArgumentError, match="Say it in the address of that: join="):
        open_source(f"file:{other}?trigger=TRIG&trigger_mask=255&join=file:{file}")
    names = [name for name, _ in played(f"file:{other}?trigger=TRIG&join=file:{file}?trigger_mask=255")]
    assert names == ["trigger/1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("trigger_mask=zz", "trigger_mask is 'zz'; it must be a whole number"),
        ("trigger=TRIG&trigger_mask=zz", "trigger_mask is 'zz'; it must be a whole number"),
        ("trigger=TRIG&debounce=0.01", "the codes of 'TRIG' are read with the file"),
        ("debounce=0.01", "changes nothing without trigger="),
    ],
)
def test_an_option_of_triggers_that_cannot_be_followed_is_refused(tmp_path, options, words):
    level = np.full(1000, 256)
    level[500:510] = 257
    file = edf(tmp_path / "t.edf", [("Cz", "uV", D), ("TRIG", "", level)])
    with pytest.raises(ArgumentError, match=words):
        open_source(f"file:{file}?{options}")


def test_what_a_biosemi_amplifier_says_of_itself_is_a_doubt(tmp_path):
    status = np.full(1000, 0x9C0000)
    status[200:300] &= ~(1 << 20)
    status[400:410] &= ~(1 << 20)
    status[600:] |= 1 << 22
    status[:5] |= 1 << 16
    file = edf(tmp_path / "a.bdf", [("Cz", "uV", D), ("Status", "Boolean", status)], bdf=True)
    with pytest.warns(DoubtWarning) as said:
        recording = read_recording(file)
    assert "CMS was out of range (bit 20 of the status) in 2 stretches, 1.1 s in all, first at 2 s" in str(
        said[0].message
    )
    assert "battery was low (bit 22 of the status) in one stretch, 4 s in all, first at 6 s" in str(said[1].message)
    assert [note.count for note in recording.notes if note.code == "status"] == [110, 400]
    bad = np.flatnonzero(np.asarray(recording.mask)[:, 0])
    assert bad.tolist() == [*range(200, 300), *range(400, 410)]
    assert not np.asarray(recording.mask)[:, 1].any()
    assert recording.lost == 0
    # What no ActiveTwo wrote says nothing of one.
    plain = edf(tmp_path / "b.bdf", [("Cz", "uV", D), ("Status", "Boolean", status & 0x1FFFF)], bdf=True)
    assert read_recording(plain).mask is None


def fif(path, data, *, stims=(), annotations=None, bads=(), first=0, unit=1e-6):
    info = mne.create_info(["C3", "C4", *[name for name, _ in stims]], 250.0, ["eeg"] * 2 + ["stim"] * len(stims))
    raw = mne.io.RawArray(np.vstack([data * unit, *[codes for _, codes in stims]]), info, first_samp=first)
    if annotations is not None:
        raw.set_annotations(annotations)
    raw.info["bads"] = list(bads)
    raw.save(path, overwrite=True)
    return path


def test_the_trigger_channel_that_has_codes(tmp_path):
    codes = np.zeros((1, 2500))
    codes[0, 500:510] = 1
    file = fif(tmp_path / "a_raw.fif", RNG.normal(0, 20, (2, 2500)), stims=[("STI001", 0 * codes), ("STI 014", codes)],
               annotations=mne.Annotations([3.0], [0.5], ["BAD_blink"]))  # fmt: skip
    assert sorted(e.name for e in read_recording(file).events) == ["BAD_blink", "trigger/1"]


def test_what_a_person_marked_is_left_out_of_training(tmp_path):
    marks = mne.Annotations([2.0, 4.0, 6.0, 4.2], [0, 0, 0, 0.3], ["a", "b", "a", "BAD_move"])
    recording = read_recording(
        fif(tmp_path / "a_raw.fif", RNG.normal(0, 20, (2, 2500)), annotations=marks, bads=["C4"])
    )
    assert recording.info.bads == ("C4",)
    trials = epochs(recording, events={"a": "a", "b": "b"}, tmin=0.0, tmax=1.0)
    assert trials.y.tolist() == ["a", "a"]
    assert trials.ch_names == ("C3",)
    assert trials.bads == ("C4",)
    assert "marked BAD_move" in trials.dropped[0]


@pytest.mark.parametrize("first", [0, 1000])
def test_onsets_of_a_cropped_file_are_mne_s(tmp_path, first):
    raw = mne.io.RawArray(RNG.normal(0, 2e-5, (2, 5000)), mne.create_info(["C3", "C4"], 250.0, "eeg"), first_samp=first)
    raw.set_annotations(mne.Annotations([8.0, 12.0], [0, 0], ["a", "b"]))
    raw.crop(4.0, 16.0).save(tmp_path / "a_raw.fif", overwrite=True)
    again = mne.io.read_raw_fif(tmp_path / "a_raw.fif")
    want, _ = mne.events_from_annotations(again)
    found = [event.sample for event in read_recording(tmp_path / "a_raw.fif").events]
    assert found == (want[:, 0] - again.first_samp).tolist()


def test_volts_that_are_none_are_a_doubt_and_can_be_decided(tmp_path):
    file = fif(tmp_path / "a_raw.fif", RNG.normal(0, 20, (2, 500)), unit=1.0)
    with pytest.warns(DoubtWarning, match="unit is wrong"):
        assert read_recording(file).data.std() > 1e6
    told = read_recording(file, unit="uV")
    assert 15 < told.data.std() < 25
    assert not any(note.doubt for note in told.notes)
    assert not any(note.doubt for note in read_recording(file, accept=["amplitude"]).notes)


def test_pauses_a_format_states_are_gaps(tmp_path):
    data = RNG.integers(-300, 300, (3000, 2))
    file = brainvision(tmp_path / "bv", "a", [("Cz", "0.1", "µV"), ("C3", "0.1", "µV")], data, markers=(
        "New Segment,,1,1,0,20200101120000000000", "Stimulus,S  1,400,1,0",
        "New Segment,,1501,1,0,20200101120106000000", "Stimulus,S  2,1601,1,0",
    ))  # fmt: skip
    recording = read_recording(file)
    assert recording.lost == 15000
    at = {event.value: event.sample for event in recording.events}
    assert at[1] == 399
    assert at[2] == 1600 + 15000
    values = RNG.normal(0, 20, (2, 2500))
    values[:, 1000:1500] = 0
    recording = read_recording(
        fif(tmp_path / "s_raw.fif", values, annotations=mne.Annotations([4.0, 7.0], [2.0, 0], ["BAD_ACQ_SKIP", "x"]))
    )
    assert (recording.lost, recording.n_times) == (500, 2000)
    assert [(event.name, event.sample) for event in recording.events] == [("x", 1750)]


@pytest.mark.parametrize(("kind", "other", "name"), [("boundary", "left", "left"), (-99.0, 2.0, "2.0"), (-99, 2, "2")])
@pytest.mark.parametrize(("length", "lost"), [(15000.0, 15000), (float("nan"), 1), (0.0, 1)])
def test_eeglab_boundaries_are_gaps(tmp_path, length, lost, kind, other, name):
    events = np.array(
        [(kind, 1251.5, length), (other, 1301.0, 0.0)],
        dtype=[("type", object), ("latency", object), ("duration", object)],
    )
    data = RNG.normal(0, 10, (2, 2500)).astype("f4")
    savemat(tmp_path / "a.set", {"EEG": {
        "setname": "x", "nbchan": 2.0, "trials": 1.0, "pnts": 2500.0, "srate": 250.0, "xmin": 0.0, "xmax": 2499 / 250,
        "data": data, "icawinv": [], "icasphere": [], "icaweights": [], "icaact": [], "epoch": [], "event": events,
        "chanlocs": np.array([("C3",), ("C4",)], dtype=[("labels", object)]),
    }}, appendmat=False)  # fmt: skip
    recording = read_recording(tmp_path / "a.set")
    assert recording.lost == lost
    assert [(event.name, event.sample) for event in recording.events] == [(name, 1300 + lost)]
    np.testing.assert_allclose(recording.data, data.T, rtol=1e-6)


def test_brainvision_units_are_those_of_the_header(tmp_path):
    channels = [
        ("C3", "0.1", "µV"),
        ("VEOG", "0.5", "µV"),
        ("GSR", "0.1", "µS"),
        ("Temp", "0.1", "°C"),
        ("X", "2", "mV"),
    ]
    data = np.full((500, 5), 4)
    recording = read_recording(brainvision(tmp_path, "a", channels, data, coordinates=["1,-45,0", *["0,0,0"] * 4]))
    assert recording.data[0].tolist() == [0.4, 2.0, 0.4, 0.4, 8000.0]
    assert recording.info.ch_types == ("eeg", "eog", "gsr", "temperature", "bio")
    for wrong in ("a.eeg", "a.vmrk"):
        with pytest.raises(SourceError, match=r"a\.vhdr"):
            read_recording(tmp_path / wrong)


def test_bci2000_has_gain_offset_and_states(tmp_path):
    counts = RNG.integers(-900, 900, (1024, 2))
    code = np.zeros(1024, int)
    code[300:320], code[600:620] = 1, 2
    recording = read_recording(bci2000(tmp_path / "a.dat", counts, code))
    np.testing.assert_allclose(recording.data, (counts - 50) * 0.02)
    assert [(e.name, e.value, e.sample) for e in recording.events] == [
        ("StimulusCode/1", 1, 300), ("StimulusCode/2", 2, 600),
    ]  # fmt: skip
    assert read_recording(bci2000(tmp_path / "b.dat", counts, code, gain="20nV", offset="0")).data[
        0, 0
    ] == pytest.approx(counts[0, 0] * 0.02)


def test_names_of_clinical_systems(tmp_path):
    recording = read_recording(edf(tmp_path / "a.edf", [(f"EEG {n}-Ref", "uV", D) for n in ("C3", "Cz", "C4")]))
    assert recording.info.ch_names == ("C3", "Cz", "C4")
    assert recording.info.positions is not None
    assert recording.info.reference == "Ref"


def test_a_missing_package_is_named_with_its_way(tmp_path, monkeypatch):
    (tmp_path / "a.cnt").write_bytes(b"RIFF" + bytes(60))
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "antio" else object())
    with pytest.raises(MissingDependencyError, match="antio"):
        read_recording(tmp_path / "a.cnt")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mat", b"MATLAB 5.0 MAT-file" + bytes(200), "MATLAB|binary"),
        ("a.cnt", bytes(100), "binary"),
        ("a.zip", b"PK\x03\x04" + bytes(50), "unpack"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        ("a.eeg", bytes(100), "vhdr"),
        ("a.fdt", bytes(100), r"\.set"),
    ],
)
def test_what_is_not_read_says_what_it_is_and_what_to_do(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words):
        read_recording(tmp_path / name)


def test_our_own_fault_is_called_so(tmp_path, monkeypatch):
    import bcikit.acquisition.read_edf as reader

    monkeypatch.setattr(reader, "in_microvolts", None)
    with pytest.raises(BciError, match="fault of bcikit"):
        read_recording(edf(tmp_path / "a.edf", [("Cz", "uV", D)]))


def test_options_that_mean_nothing_for_a_format_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="stream means nothing"):
        read_recording(edf(tmp_path / "a.edf", [("Cz", "uV", D)]), stream="x")


@pytest.mark.parametrize(
    ("text", "encoding", "doubt"),
    [
        ("日本", "shift-jis", True),
        ("Привет", "cp1251", True),
        ("Öffnen", "latin-1", False),
        ("naïve été", "latin-1", False),
    ],
)
def test_an_encoding_that_is_guessed_and_makes_no_words_is_a_doubt(tmp_path, text, encoding, doubt):
    path = edf(
        tmp_path / "a.edf", [("C3", "uV", np.arange(500) % 90)], rate=250, annotations=[(1.0, text.encode(encoding))]
    )
    found = [note for note in read_recording(path).notes if note.code == "encoding"]
    assert [note.doubt for note in found] == [doubt]
    told = read_recording(path, encoding=encoding)
    assert [event.name for event in told.events] == [text]
    assert not any(note.doubt for note in told.notes if note.code == "encoding")


def test_a_greek_letter_of_micro_is_an_eeg_channel(tmp_path):
    data = np.random.default_rng(0).integers(-300, 300, (2500, 2))
    for unit in ("μV", "µV", "uV"):
        recording = read_recording(brainvision(tmp_path, "a", [("C3", "0.1", unit), ("C4", "0.1", unit)], data))
        assert recording.info.ch_types == ("eeg", "eeg")
        np.testing.assert_allclose(recording.data, 0.1 * data)


def test_what_no_reader_knows_is_said_to_be_unknown(tmp_path):
    for name, content, word in (
        ("a.bin", bytes(range(256)), "a binary file of no format"),
        ("a.json", b'{"a": 1}', "no format"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=word):
            read_recording(tmp_path / name)
    (tmp_path / "a.cnt").write_bytes(b"Version 3.0" + bytes(1000))
    with pytest.raises(SourceError, match="Neuroscan") as caught:
        read_recording(tmp_path / "a.cnt")
    assert "site-packages" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "page", "word", "options"),
    [
        ("latin-1", "ANSI", "Münze", {}), ("utf-16", "UTF-16", "Münze", {}),
        ("gbk", "ANSI", "左手", {"encoding": "gbk"}),
        ("cp1251", "ANSI", "левый", {"encoding": "cp1251"}), ("utf-8", "UTF-8", "左手", {}),
    ],
)  # fmt: skip
def test_brainvision_texts_in_any_encoding(tmp_path, encoding, page, word, options):
    markers = ["New Segment,,1,1,0,20240101100000000000", f"Comment,{word},500,1,0", "Stimulus,S  7,900,1,0"]
    unit = "µV" if encoding in ("latin-1", "utf-16", "utf-8") else "uV"
    path = brainvision(tmp_path, "v", [("C3", "0.5", unit)], np.arange(2000)[:, None] % 300, markers=markers)
    for one in (path, path.with_suffix(".vmrk")):
        text = one.read_text(encoding="utf-8").replace("Codepage=UTF-8", f"Codepage={page}")
        one.write_bytes(text.encode(encoding))
    recording = read_recording(path, **options)
    named = {str(event.value): event.sample for event in recording.events}
    assert named[word] == 499
    assert named["7"] == 899
    np.testing.assert_allclose(recording.data[:4, 0], [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(np.asarray(read_recording(path, lazy=True, **options).data), recording.data)
    assert any(note.code == "encoding" for note in recording.notes) == (encoding != "utf-8")


def test_records_that_the_header_does_not_count(tmp_path):
    path = tmp_path / "a.edf"
    edf(path, [("C3", "uV", RNG.integers(-300, 300, 1000))])
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 77)
    recording = read_recording(path)
    assert recording.n_times == 1000
    assert "77 bytes" in next(note.text for note in recording.notes if note.code == "records")
    path.write_bytes(whole + b"\0" * 477)
    with pytest.warns(DoubtWarning, match="states 10 records and 12 are there"):
        assert read_recording(path).n_times == 1200
    assert read_recording(path, accept=["records"]).n_times == 1200
    path.write_bytes(whole[:236] + b"-1      " + whole[244:])
    assert any("did not come to its end" in note.text for note in read_recording(path).notes)


def test_channels_of_one_name_are_said(tmp_path):
    path = tmp_path / "a.edf"
    edf(path, [(label, "uV", RNG.integers(-300, 300, 1000)) for label in ("C3", "C3", "C4")])
    assert "C3 (2)" in next(note.text for note in read_recording(path).notes if note.code == "names")


def test_what_is_packed_is_a_pipe_or_holds_epochs_is_said(tmp_path):
    edf(tmp_path / "a.edf", [("C3", "uV", RNG.integers(-300, 300, 1000))])
    packed = tmp_path / "a.edf.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.edf").read_bytes()))
    with pytest.raises(SourceError, match=r"packed \(gzip\); unpack it"):
        read_recording(packed)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "b.edf")
        with pytest.raises(SourceError, match="a pipe"):
            read_recording(tmp_path / "b.edf")
    shared = {"srate": 250.0, "nbchan": 1, "xmin": 0.0, "xmax": 3.996, "chanlocs": [], "event": [], "epoch": []}
    savemat(
        tmp_path / "e.set", {"EEG": shared | {"data": np.zeros((1, 250, 4)), "pnts": 250, "trials": 4}}, appendmat=False
    )
    with pytest.raises(SourceError, match="holds epochs"):
        read_recording(tmp_path / "e.set")
    savemat(tmp_path / "f.set", {"EEG": shared | {"data": "f.fdt", "pnts": 1000, "trials": 1}}, appendmat=False)
    with pytest.raises(SourceError, match=r"one file of several.*f\.fdt.*side by side"):
        read_recording(tmp_path / "f.set")


def test_runs_in_cells_are_listed_and_read(tmp_path):
    runs = [
        {"X": RNG.normal(0, 20, (1000, 3)), "trial": [[101], [501]], "y": [[1], [2]], "fs": 250.0} for _ in range(2)
    ]
    cells = np.empty((1, 2), dtype=object)
    cells[0, :] = runs
    savemat(tmp_path / "a.mat", {"data": cells})
    with pytest.raises(ArgumentError, match=r"data\.1\.X .1000x3."):
        read_recording(tmp_path / "a.mat")
    place = "data=data.1.X rate=data.1.fs unit=uV events=data.1.trial codes=data.1.y names=left,right"
    recording = read_recording(tmp_path / "a.mat", map=place)
    np.testing.assert_allclose(recording.data, runs[1]["X"])
    assert [(event.name, event.sample) for event in recording.events] == [("left", 100), ("right", 500)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"SamplingRate= 256 256", b"SamplingRate= 0   256", "says no sampling rate; say it: .*sfreq=256"),
        (b"SamplingRate= 256 256", b"SamplingRate= abc 256", "is damaged: its header has 'abc' where a number must be"),
        (b"SourceChGain= 2 0.02", b"SourceChGain= 2 gain", "is damaged: its header has 'gain' where a number must be"),
    ],
)
def test_a_bci2000_header_that_makes_no_numbers_is_refused(tmp_path, old, new, said):
    file = bci2000(tmp_path / "a.dat", RNG.integers(-900, 900, (100, 2)), np.zeros(100, int))
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(SourceError, match=said):
        read_recording(file)


def test_bci2000_names_by_their_labels_and_states_that_are_not_there(tmp_path):
    code = np.zeros(400, int)
    code[100:110] = 3
    file = bci2000(tmp_path / "a.dat", RNG.integers(-900, 900, (400, 2)), code)
    raw = file.read_bytes()
    grown = raw.replace(b"ChannelNames= 2 C3 C4", b"ChannelNames= { a b } F3 F4")
    grown = grown.replace(b"StimulusCode 8 0 1 0", b"StimulusCode 8 0 1 0\r\nFar 8 0 9 0")
    first, rest = grown.split(b"\r\n", 1)
    words = first.split()
    words[words.index(b"HeaderLen=") + 1] = b"%d" % (len(grown) - 400 * 6)
    file.write_bytes(b" ".join(words).ljust(len(first)) + b"\r\n" + rest)
    recording = read_recording(file)
    assert recording.info.ch_names == ("F3", "F4")
    assert [(event.name, event.sample) for event in recording.events] == [("StimulusCode/3", 100)]
