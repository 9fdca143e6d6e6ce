"""A session folder as a recording among others: whatever takes a file takes it, with its own checksums and chunks."""

from dataclasses import replace
from pathlib import Path

from bcikit.acquisition.formats import FileHints, Format
from bcikit.recording.layout import HEADER, RECORDING
from bcikit.recording.session import read_session
from bcikit.signal import Note, Recording


def is_session(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a folder has no first bytes
    """Return whether a path is the folder of a session."""
    return path.is_dir() and (path / HEADER).is_file()


def read_folder(path: Path, reading: FileHints) -> Recording:
    """Return the main stream of a session; with `partial`, what is left of damaged signals, too.

    Raises
    ------
    RecordingError
        If its signals are gone, or not as they were written.
    """
    session = read_session(path, damaged=reading.partial)
    recording = session.recording
    notes = [Note(code="unit", text=f"{recording.info.unit} (by the session's own description)")]
    if session.status == RECORDING:
        text = f"it was never closed, so what came last may be missing. Close it: bcikit recover {path}"
        notes.append(Note(code="status", text=text, doubt=True))
    else:
        notes.append(Note(code="status", text=f"a session, {session.status}"))
    placed = session.placed
    if placed.n_moved:
        late = [float(event.data["late"]) for event in placed.events if "late" in event.data]
        mean = sum(late) / len(late)
        text = f"{placed.n_moved} stand where a screen showed them, {mean:.3f} s after their plan in the mean"
        notes.append(Note(code="events", text=text, count=placed.n_moved))
    if placed.n_unseen:
        text = f"{placed.unseen_words}; they are left out"
        notes.append(Note(code="events", text=text, count=placed.n_unseen, doubt=not placed.n_moved))
    if session.damage:
        notes.append(Note(code="damage", text=session.damage, doubt=True))
    if session.extra:
        names = ", ".join(sorted(session.extra))
        notes.append(Note(code="streams", text=f"recorded beside it: {names}", count=len(session.extra)))
    return replace(recording, notes=(*recording.notes, *notes))


SESSION = Format(name="session", title="session folder of bcikit", suffixes=(), probe=is_session, read=read_folder)
