"""Import: every known format becomes a session, and what was exported comes back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquisition import read_recording
from bcikit.recording import (
    Session,
    export_bids,
    export_edf,
    export_fif,
    import_file,
    import_recording,
    read_session,
)
from bcikit.signal import Event, Note, Recording, RecordingError, StreamInfo

FILES = [
    ("formats/brainvision/test.vhdr", None),
    ("formats/edf/mne_test.bdf", None),
    ("formats/edf/short_psg.edf", None),
    ("formats/edf/test_subsecond.edf", None),
    ("formats/gdf/openvibe_ssvep.gdf", None),
    ("formats/openbci/OpenBCI_GUI-v5-blinks-jawClench-alpha.txt", None),
    ("formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt", None),
    ("formats/xdf/minimal.xdf", "uV"),
    ("formats/xdf/clock_resets.xdf", "uV"),
    ("formats/xdf/ssvep_example.xdf", None),
    ("muse/p300/session-1_run-1.csv", None),
    ("eegmmidb/S001R14.edf", None),
]


@pytest.mark.data
@pytest.mark.parametrize(("name", "unit"), FILES)
def test_a_file_of_each_format_becomes_the_same_session(
    data_dir: Path, tmp_path: Path, name: str, unit: str | None
) -> None:
    original = read_recording(data_dir / name, unit=unit)
    session = import_file(data_dir / name, tmp_path / "s", unit=unit)
    read = session.recording
    assert session.status == "imported"
    assert read.info.ch_names == original.info.ch_names
    assert read.info.sfreq == original.info.sfreq
    np.testing.assert_array_equal(read.data, original.data)
    np.testing.assert_array_equal(read.times, original.times)
    np.testing.assert_array_equal(read.samples, original.samples)
    assert [event.to_dict() for event in read.events] == [event.to_dict() for event in original.events]
    if original.mask is not None:
        np.testing.assert_array_equal(read.mask, original.mask)


@pytest.fixture
def session() -> Session:
    """Return 997 samples without gaps, with events, in units of 1/1024 uV."""
    rng = np.random.default_rng(5)
    info = StreamInfo(
        name="x", sfreq=160.0, ch_names=("FC5", "Cz", "VEOG"), ch_types=("eeg", "eeg", "eog"), line_freq=60.0
    )
    data = np.round(rng.normal(scale=50.0, size=(997, 3)) * 1024) / 1024
    events = tuple(
        Event(name=name, time=sample / 160.0, sample=sample, duration=0.5, source="paradigm")
        for sample, name in ((16, "cue/left"), (320, "cue/right"))
    )
    return Session.from_recording(Recording.from_arrays(info, data, events=events))


@pytest.mark.parametrize(("name", "tolerance"), [("x.edf", 0.004), ("x.bdf", 2e-5), ("x_eeg.fif", 1e-12)])
def test_what_was_exported_is_imported_again(session: Session, tmp_path: Path, name: str, tolerance: float) -> None:
    (export_fif if name.endswith("fif") else export_edf)(session, tmp_path / name)
    back = import_file(tmp_path / name, tmp_path / "back").recording
    original = session.recording
    assert back.info.ch_names == original.info.ch_names
    assert back.info.sfreq == original.info.sfreq
    np.testing.assert_allclose(back.data[: original.n_times], original.data, rtol=0, atol=tolerance)
    found = [(event.name, event.sample, event.duration) for event in back.events if event.name.startswith("cue")]
    assert found == [("cue/left", 16, 0.5), ("cue/right", 320, 0.5)]


@pytest.mark.parametrize("kind", ["brainvision", "edf", "bdf"])
def test_what_was_exported_to_bids_is_imported_again(session: Session, tmp_path: Path, kind: str) -> None:
    path = export_bids(session, tmp_path / "bids", format=kind)
    back = import_file(path, tmp_path / "back").recording
    tolerance = {"brainvision": 1e-4, "edf": 0.004, "bdf": 2e-5}[kind]
    np.testing.assert_allclose(back.data[:997], session.recording.data, rtol=0, atol=tolerance)
    if kind == "brainvision":
        # These samples need 18 bits at most, and single precision has 24.
        np.testing.assert_allclose(back.data, session.recording.data, rtol=1e-15, atol=1e-12)
    names = [event.name for event in back.events]
    assert sum(name.endswith("cue/left") for name in names) == 1


@pytest.mark.parametrize("name", ["x.edf", "x.bdf", "x_eeg.fif", "bids"])
def test_lost_samples_of_an_export_are_lost_again_and_padding_is_gone(
    session: Session, tmp_path: Path, name: str
) -> None:
    whole = session.recording
    kept = np.r_[0:300, 340:700, 701:997]
    before = replace(whole, data=whole.data[kept], times=whole.times[kept], samples=whole.samples[kept])
    gappy = Session.from_recording(before)
    path = tmp_path / name
    if name == "bids":
        path = export_bids(gappy, path)
    else:
        (export_fif if name.endswith(".fif") else export_edf)(gappy, path)
    after = read_recording(path)
    np.testing.assert_array_equal(after.samples, before.samples)
    np.testing.assert_allclose(after.data, before.data, atol=0.004)
    assert [event.sample for event in after.events] == [event.sample for event in before.events]


def test_an_empty_recording_is_refused(tmp_path: Path, info: StreamInfo) -> None:
    empty = Recording.from_chunks(info, [])
    with pytest.raises(RecordingError, match="no samples"):
        import_recording(empty, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_gaps_survive_an_import(session_dir: Path, tmp_path: Path) -> None:
    original = read_session(session_dir).recording
    read = import_recording(original, tmp_path / "again").recording
    np.testing.assert_array_equal(read.samples, original.samples)
    np.testing.assert_array_equal(read.data, original.data)
    assert read.lost == original.lost == 7


NOTES = (
    "3 annotations", "its header states 15 records and 20 are there, all of which are taken",
    "7 samples lost in 2 gaps (segments)",
    "says that it is continuous, and the times of its records jump, which cannot be: taken as interrupted",
)  # fmt: skip


def test_the_words_of_our_own_notes_identify_nobody_and_names_in_them_do(session: Session, tmp_path: Path) -> None:
    recording = replace(session.recording, notes=tuple(Note(code="annotations", text=text) for text in NOTES))
    plain = import_recording(recording, tmp_path / "plain")
    for kind in ("brainvision", "edf", "bdf"):
        export_bids(plain, tmp_path / kind, format=kind)
    export_edf(plain, tmp_path / "a.edf")
    export_fif(plain, tmp_path / "a_raw.fif")
    texts = (
        "markers from Hoffmann.vmrk",
        "1 of 2 events outside ('hoffmann')",
        "of #2 (1 channel, source id hoffmann)",
    )
    for number, text in enumerate(texts):
        recording = replace(session.recording, notes=(Note(code="events", text=text),))
        named = import_recording(recording, tmp_path / f"named{number}")
        name = "Hoffmann.vmrk" if "vmrk" in text else "hoffmann"
        with pytest.raises(RecordingError, match="which identifies"):
            export_edf(named, tmp_path / f"{name}.edf")
