"""Tables and sidecars of BIDS beside a recording: what they say, and what they say that cannot be."""

import json
import re

import numpy as np
import pytest
from edfio import Edf, EdfSignal
from typer.testing import CliRunner

from bcikit import read_recording
from bcikit.cli.app import app
from bcikit.recording import read_session
from bcikit.signal import DoubtWarning, SourceError
from tests.formats.writers import brainvision

NAME = "sub-01_task-rest"


@pytest.fixture
def bids(tmp_path):
    """Write a recording of two channels with what stands beside it, and return how it is read."""

    def make(**beside):
        (tmp_path / "dataset_description.json").write_text("{}")
        wave = np.random.default_rng(0).integers(-300, 300, 2560)
        signals = [
            EdfSignal(wave.astype(float), 256, label=name, physical_dimension=unit, physical_range=(-400, 400))
            for name, unit in (("C3", "uV"), ("AUX", ""))
        ]
        Edf(signals).write(tmp_path / f"{NAME}_eeg.edf")
        for suffix, text in beside.items():
            (tmp_path / f"{NAME}_{suffix}.{'json' if suffix == 'eeg' else 'tsv'}").write_text(text)
        return lambda: read_recording(tmp_path / f"{NAME}_eeg.edf")

    return make


def texts(recording):
    return [note.text for note in recording.notes]


def test_a_rate_that_the_sidecar_contradicts_is_a_doubt(bids):
    with pytest.warns(DoubtWarning, match="the sidecar says 512 Hz, the file 256 Hz"):
        bids(eeg=json.dumps({"SamplingFrequency": 512, "EEGReference": "Cz"}))()
    assert bids(eeg=json.dumps({"SamplingFrequency": 256, "EEGReference": "Cz"}))().info.reference == "Cz"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"eeg": "{not json"}, rf"{NAME}_eeg.json beside {NAME}_eeg.edf cannot be read"),
        ({"events": "onset\tduration\n1\udcff\t1\n"}, rf"{NAME}_events.tsv cannot be read as a table"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_named(bids, tmp_path, beside, said):
    read = bids(**dict.fromkeys(beside, ""))
    for suffix, text in beside.items():
        file = tmp_path / f"{NAME}_{suffix}.{'json' if suffix == 'eeg' else 'tsv'}"
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=said):
        read()


def test_a_channel_that_only_the_table_calls_a_voltage_becomes_microvolts(bids):
    table = "name\ttype\tunits\tstatus\nC3\tEEG\tuV\tbad\nAUX\tEOG\tmV\tgood\nPz\tEEG\tuV\tgood\n"
    plain = bids()()
    assert plain.info.ch_types == ("eeg", "misc")
    told = bids(channels=table)()
    assert told.info.ch_types == ("eeg", "eog")
    assert told.info.bads == ("C3",)
    np.testing.assert_allclose(told.data[:, 1], plain.data[:, 1] * 1000)
    assert f"{NAME}_channels.tsv lists channels that the file has not: Pz" in texts(told)


def test_a_voltage_without_a_unit_is_not_taken_for_microvolts(bids):
    said = rf"{NAME}_channels.tsv says no unit of 1 channels of which the file has none \(AUX: EOG\)"
    with pytest.warns(DoubtWarning, match=said):
        told = bids(channels="name\ttype\tunits\tstatus\nC3\tEEG\tuV\tgood\nAUX\tEOG\tn/a\tbad\n")()
    assert told.info.ch_types == ("eeg", "misc")
    assert told.info.bads == ("AUX",)
    assert doubts(told) == ["unit"]


def test_what_the_table_makes_a_voltage_is_imported(bids, tmp_path):
    bids(channels="name\ttype\tunits\nC3\tEEG\tuV\nAUX\tEOG\tmV\n")
    file = tmp_path / f"{NAME}_eeg.edf"
    whole = read_recording(file)
    result = CliRunner().invoke(app, ["import", str(file), "--out", str(tmp_path / "session")])
    assert result.exit_code == 0, result.output
    session = read_session(tmp_path / "session")
    assert session.info.ch_types == ("eeg", "eog")
    np.testing.assert_allclose(session.recording.data, whole.data)


def test_a_unit_that_the_table_contradicts_is_a_doubt(bids, tmp_path):
    table = "name\ttype\tunits\nC3\tEEG\tmV\nAUX\tMISC\tn/a\n"
    said = f"{NAME}_channels.tsv says another unit of 1 channels than the file (C3: mV, in the file uV), which is taken"
    with pytest.warns(DoubtWarning, match=re.escape(said)):
        found = bids(channels=table)()
    plain = bids(channels=table.replace("mV", "µV"))()
    np.testing.assert_array_equal(found.data, plain.data)
    read_recording(tmp_path / f"{NAME}_eeg.edf", accept="unit")


def test_events_without_an_onset_are_left_out_and_counted(bids):
    table = "onset\tduration\ttrial_type\tvalue\n1.0\t0.5\tgo\t7\nn/a\tn/a\tstop\t8\n"
    with pytest.warns(DoubtWarning, match=rf"1 events of {NAME}_events.tsv have no onset; left out"):
        recording = bids(events=table)()
    assert [(event.name, event.sample, event.value, event.duration) for event in recording.events] == [
        ("go", 256, 7, 0.5)
    ]


def doubts(recording):
    return [note.code for note in recording.notes if note.doubt]


def test_samples_that_contradict_onsets_are_a_doubt(bids):
    head = "onset\tduration\ttrial_type\tsample\n"
    for counted_from in (0, 1):
        right = bids(events=f"{head}2\t0\tgo\t{512 + counted_from}\n3.001\t0\tstop\t{768 + counted_from}\n")()
        assert not doubts(right)
    with pytest.warns(DoubtWarning, match=r"1 events of .* have another sample than their onset \(go: 1024, by its"):
        wrong = bids(events=f"{head}2\t0\tgo\t1024\n3\t0\tstop\tn/a\n")()
    assert [event.sample for event in wrong.events] == [512, 768]
    assert doubts(wrong) == ["events"]


def test_a_recording_that_is_shorter_than_its_sidecar_says_is_a_doubt(bids):
    with pytest.warns(DoubtWarning, match="the sidecar says 60 s, the file has 10 s"):
        bids(eeg=json.dumps({"RecordingDuration": 60}))()
    for whole in (10, 10.5, "n/a", 5):
        assert not doubts(bids(eeg=json.dumps({"RecordingDuration": whole}))())


def test_a_rate_that_only_the_table_of_channels_says_is_a_doubt(bids):
    table = "name\ttype\tunits\tsampling_frequency\nC3\tEEG\tuV\t{}\nAUX\tMISC\tn/a\t{}\n"
    with pytest.warns(DoubtWarning, match="says 512 Hz, the file 256 Hz"):
        bids(channels=table.format(512, 512))()
    # A channel that was slower is brought to the rate of the others.
    assert not doubts(bids(channels=table.format(256, 128))())
    assert not doubts(bids(channels=table.format("n/a", ""))())


@pytest.mark.parametrize(("said", "left"), [("EEG\tuV", 0), ("MISC\tn/a", 0), ("n/a\tuV", 1), ("EEG\tn/a", 1)])
def test_what_an_electrode_without_a_unit_is_the_table_decides(bids, tmp_path, said, left):
    bids(channels=f"name\ttype\tunits\nC3\tEEG\tuV\nCz\t{said}\n")
    wave = np.random.default_rng(0).integers(-300, 300, 2560).astype(float)
    signals = [
        EdfSignal(wave, 256, label=name, physical_dimension=unit, physical_range=(-400, 400))
        for name, unit in (("C3", "uV"), ("Cz", ""))
    ]
    file = tmp_path / f"{NAME}_eeg.edf"
    Edf(signals).write(file)
    recording = read_recording(file, accept=["unit"] if left else [])
    assert sum("named as EEG" in text for text in texts(recording)) == left
    assert recording.info.ch_types[1] == ("eeg" if said == "EEG\tuV" else "misc")
    assert not doubts(recording)


def test_onsets_behind_a_pause_are_moved_as_the_markers_of_the_file_are(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}")
    marks = [
        "New Segment,,1,1,0,20240101100000000000", "Stimulus,S  1,501,1,0",
        "New Segment,,1001,1,0,20240101100500000000", "Stimulus,S  2,1501,1,0",
    ]  # fmt: skip
    file = brainvision(
        tmp_path, f"{NAME}_eeg", [("C3", "0.1", "µV")], np.arange(2000)[:, None], rate=100, markers=marks
    )
    own = [event.sample for event in read_recording(file).events if event.name.startswith("Stimulus")]
    table = "onset\tduration\ttrial_type\tsample\n5\t0\tgo\t500\n15\t0\tstop\t1500\n"
    (tmp_path / f"{NAME}_events.tsv").write_text(table)
    (tmp_path / f"{NAME}_eeg.json").write_text(json.dumps({"RecordingDuration": 20}))
    recording = read_recording(file)
    # The second segment begins 300 s after the first, which has 10 s.
    assert [(event.name, event.sample, event.time) for event in recording.events] == [
        ("go", 500, 5.0), ("stop", 30500, 305.0),
    ]  # fmt: skip
    assert own == [500, 30500]
    assert not doubts(recording)
    (tmp_path / f"{NAME}_eeg.json").write_text(json.dumps({"RecordingDuration": 60}))
    with pytest.warns(DoubtWarning, match="the sidecar says 60 s, the file has 20 s"):
        read_recording(file)
