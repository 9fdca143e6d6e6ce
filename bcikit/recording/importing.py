"""Import: a file of another program becomes a session folder."""

import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bcikit.acquisition.naming import printable_name
from bcikit.recording.layout import HEADER, SIGNALS
from bcikit.recording.session import Session, read_session
from bcikit.recording.writer import SessionWriter
from bcikit.signal import Chunk, Note, Recording, RecordingError

CHUNK_SECONDS = 0.1
"""Length of the chunks of an imported session."""


def import_recording(
    recording: Recording, folder: str | Path, *, source: str = "", extra: Mapping[str, Recording] | None = None
) -> Session:
    """Write a recording as a session folder.

    Parameters
    ----------
    recording : Recording
        What `bcikit.acquisition.read_recording` returns for any format.
    folder : str or Path
        Folder to make.
    source : str
        Where it comes from, for the header.
    extra : mapping of str to Recording
        Streams beside it, on the same clock.

    Returns
    -------
    Session
        The session, read back.
    """
    if recording.n_times == 0:
        raise RecordingError(f"{source or recording.info.name} has no samples to import.")
    extra = dict(extra or {})
    events = sorted(recording.events, key=lambda event: event.time)
    config = {"import": {"source": printable_name(source), "notes": [note.to_dict() for note in recording.notes]}}
    infos = {name: one.info for name, one in extra.items()}
    with SessionWriter(folder, info=recording.info, config=config, extra=infos) as writer:
        pieces = heapq.merge(
            *(_pieces(one, name) for name, one in [("", recording), *extra.items()]), key=lambda piece: piece[0]
        )
        for arrival, name, chunk in pieces:
            writer.chunk(chunk, arrival, stream=name)
            while not name and events and events[0].time <= arrival:
                writer.event(events.pop(0))
        for event in events:
            writer.event(event)
        writer.close("imported")
    return read_session(folder)


def _pieces(recording: Recording, name: str) -> Iterator[tuple[float, str, Chunk]]:
    sfreq = recording.info.sfreq
    for chunk in recording.chunks(max(1, round(CHUNK_SECONDS * sfreq)) if sfreq > 0 else 256):
        yield float(chunk.times[-1]), name, chunk


def import_file(path: str | Path, folder: str | Path, **options: Any) -> Session:
    """Read a file of any known format and write it as a session folder, all its streams.

    Parameters
    ----------
    path : str or Path
        OpenBCI GUI text, BrainFlow or Muse CSV, XDF, EDF, BDF, BrainVision, GDF, FIF, ...; options may stand behind
        it: ``recording.edf?partial=true``.
    folder : str or Path
        Folder to make.
    **options
        For `bcikit.acquisition.read_recording`: unit, stream, board, sfreq, encoding, names, partial, ...

    Returns
    -------
    Session
        The session, read back; `notes_of` says what was found, changed, left out, or is in doubt.
    """
    from bcikit.acquisition.file import read_streams, split_address

    path, values = split_address(path, **options)
    if path.name == SIGNALS and (path.parent / HEADER).is_file():
        # The signals of a session of our own: it knows by itself whether they are as they were written.
        read_session(path.parent)
    recording, extra = read_streams(path, **values)
    return import_recording(recording, folder, source=path.name, extra=extra)


def notes_of(session: Session) -> tuple[Note, ...]:
    """Return what the reader of an imported session found, changed, left out, or could not decide."""
    kept = session.config.get("import", {})
    return tuple(Note(**values) for values in (kept.get("notes", ()) if isinstance(kept, dict) else ()))
