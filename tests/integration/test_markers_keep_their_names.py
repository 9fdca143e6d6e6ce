"""What was recorded as left and right is left and right everywhere: live, in sessions, exports and evaluation."""

from pathlib import Path

import numpy as np
import pytest

from bcikit import read_recording
from bcikit.acquisition.marker_grammar import event_of
from bcikit.recording import (
    BidsLabels,
    SessionWriter,
    export_bids,
    export_edf,
    export_fif,
    import_file,
    import_recording,
    read_session,
)
from bcikit.signal import Event, Recording, StreamInfo, label_of

WORDS = ("left", "right", "1", "2", "cue/left", "T1")


def events() -> tuple[Event, ...]:
    """Return events as a live session makes them of what was sent."""
    return tuple(event_of(word, 1.0 + k, source="markers", sample=250 * (k + 1)) for k, word in enumerate(WORDS))


@pytest.fixture
def session(tmp_path: Path) -> Path:
    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("C3", "C4"))
    data = np.random.default_rng(0).normal(0, 20, (2500, 2))
    whole = Recording.from_arrays(info, data, events=events())
    with SessionWriter(tmp_path / "s", info=info) as writer:
        for chunk in whole.chunks(25):
            writer.chunk(chunk, float(chunk.times[-1]))
        for event in whole.events:
            writer.event(event)
    return tmp_path / "s"


def told(recording: Recording) -> list[tuple[str, int | None]]:
    return [(event.name, event.sample) for event in recording.events]


WANT = [(word, 250 * (k + 1)) for k, word in enumerate(WORDS)]


def test_in_the_session_and_its_xdf(session, tmp_path):
    assert told(read_session(session).recording) == WANT
    assert told(read_recording(session / "signals.xdf")) == WANT
    again = import_file(session / "signals.xdf", tmp_path / "again").recording
    assert told(again) == WANT
    once_more = import_recording(again, tmp_path / "twice").recording
    assert told(once_more) == WANT


@pytest.mark.parametrize("kind", ["brainvision", "edf", "bdf", "x.edf", "x.bdf", "x_raw.fif"])
def test_in_every_export_and_back(session, tmp_path, kind):
    data = read_session(session)
    if "." in kind:
        path = tmp_path / kind
        (export_fif if kind.endswith("fif") else export_edf)(data, path, lossy=True)
    else:
        path = export_bids(data, tmp_path / "bids", labels=BidsLabels(task="x"), format=kind)
    found = read_recording(path)
    assert told(found) == WANT
    again = import_file(path, tmp_path / "again").recording
    assert told(again) == WANT


def test_letters_beyond_latin_1_in_a_fif_of_mne(tmp_path):
    """MNE writes them as the references of XML, and gives them back so."""
    import mne

    words = ["左手", "Größe", "a:b;c", "&#35;"]
    raw = mne.io.RawArray(np.zeros((1, 1000)), mne.create_info(["C3"], 100.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([1, 2, 3, 4], 0.0, words))
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    assert [event.name for event in read_recording(tmp_path / "x_raw.fif").events] == words


def test_one_mapping_finds_them_all_wherever_they_come_from(session, tmp_path):
    mapping = {"left": "a", "1": "b"}
    path = export_bids(read_session(session), tmp_path / "bids", labels=BidsLabels(task="x"))
    for recording in (read_session(session).recording, read_recording(session / "signals.xdf"), read_recording(path)):
        assert [label_of(event, mapping) for event in recording.events][:3] == ["a", None, "b"]
