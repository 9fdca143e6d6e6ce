"""Tables and sidecars of BIDS beside a recording: what they say, and what they say that cannot be."""

import json

import numpy as np
import pytest
from edfio import Edf, EdfSignal

from bcikit import read_recording
from bcikit.signal import DoubtWarning, SourceError

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


def test_events_without_an_onset_are_left_out_and_counted(bids):
    table = "onset\tduration\ttrial_type\tvalue\n1.0\t0.5\tgo\t7\nn/a\tn/a\tstop\t8\n"
    with pytest.warns(DoubtWarning, match=rf"1 events of {NAME}_events.tsv have no onset; left out"):
        recording = bids(events=table)()
    assert [(event.name, event.sample, event.value, event.duration) for event in recording.events] == [
        ("go", 256, 7, 0.5)
    ]
