"""A session folder is a recording like any file: by its path, an address, `inspect`."""

import json
import warnings

import numpy as np
import pytest

from bcikit import open_source, read_recording
from bcikit.acquisition.summary import summarise
from bcikit.recording import SessionWriter, read_session
from bcikit.signal import Bad, Capabilities, Chunk, DoubtWarning, Health, RecordingError, SourceError, StreamInfo


def test_it_is_read_as_it_was_recorded(session_dir):
    own, read = read_session(session_dir).recording, read_recording(session_dir, accept=("amplitude", "rate"))
    np.testing.assert_array_equal(read.data, own.data)
    np.testing.assert_array_equal(read.samples, own.samples)
    np.testing.assert_array_equal(read.times, own.times)
    assert [event.name for event in read.events] == [event.name for event in own.events]
    with open_source(f"file:{session_dir}?accept=amplitude,rate") as source:
        assert sum(chunk.n_times for chunk in source) == own.n_times


def test_bad_samples_are_those_that_were_recorded(tmp_path):
    # Joined devices, the description with the full scale of the first alone: an ordinary offset of the second is none.
    scale = Capabilities(full_scale=1000.0)
    info = StreamInfo(name="A+B", sfreq=250.0, ch_names=("C3", "C4"), capabilities=scale)
    data = np.random.default_rng(0).normal([0.0, 5000.0], 20.0, (500, 2))
    mask = np.zeros(data.shape, np.uint8)
    mask[:3, 1] = int(Bad.FILLED)
    times = 100.0 + np.arange(500) / 250.0
    with SessionWriter(tmp_path / "joined", info=info, config={}) as writer:
        writer.chunk(Chunk(data, times, 0, Health(mask=mask)), times[-1])
    read = read_recording(tmp_path / "joined", accept=("amplitude", "rate"))
    np.testing.assert_array_equal(read.mask, mask)


def test_what_it_is_is_said(session_dir):
    summary = summarise(session_dir, accept=("amplitude", "rate"))
    assert summary.format == "session folder of bcikit"
    assert [note.text for note in summary.notes if note.code == "status"] == ["a session, complete"]
    with pytest.raises(SourceError, match="is a folder and no recording"):
        summarise(session_dir.parent)


def test_one_that_was_never_closed_is_in_doubt(session_dir):
    header = json.loads((session_dir / "session.json").read_text())
    (session_dir / "session.json").write_text(json.dumps({**header, "status": "recording"}))
    with pytest.warns(DoubtWarning, match="bcikit recover"):
        read_recording(session_dir, accept=("amplitude", "rate"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_recording(session_dir, accept=("amplitude", "rate", "status"))


def test_signals_that_were_changed_are_refused_or_in_doubt(session_dir):
    raw = bytearray((session_dir / "signals.xdf").read_bytes())
    raw[len(raw) // 2] ^= 1
    (session_dir / "signals.xdf").write_bytes(raw)
    with pytest.raises(RecordingError, match="damaged"):
        read_recording(session_dir, accept=("amplitude", "rate"))
