"""Import: a file of another program becomes a session folder."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bcikit.acquisition.naming import printable_name
from bcikit.acquisition.samples import SampleCheck
from bcikit.recording.layout import HEADER, SIGNALS
from bcikit.recording.session import Session, read_session
from bcikit.recording.writer import SessionWriter
from bcikit.signal import Chunk, Note, Recording, RecordingError

Progress = Callable[[float], None]
"""Takes the share that is done, 0 to 1."""

CHUNK_SECONDS = 0.1
"""Length of the chunks of an imported session."""


def import_recording(
    recording: Recording,
    folder: str | Path,
    *,
    source: str = "",
    extra: Mapping[str, Recording] | None = None,
    progress: Progress | None = None,
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
    progress : callable or None
        Called now and then with the share that is written.

    Returns
    -------
    Session
        The session, read back.
    """
    _write(recording, Path(folder), source=source, extra=dict(extra or {}), progress=progress)
    return read_session(folder)


def _write(
    recording: Recording, folder: Path, *, source: str, extra: dict[str, Recording], progress: Progress | None
) -> None:
    if recording.n_times == 0:
        raise RecordingError(f"{source or recording.info.name} has no samples to import.")
    events = sorted(recording.events, key=lambda event: event.time)
    config = {"import": {"source": printable_name(source), "notes": [note.to_dict() for note in recording.notes]}}
    infos = {name: one.info for name, one in extra.items()}
    total = sum(one.n_times for one in (recording, *extra.values()))
    written = told = 0
    with SessionWriter(folder, info=recording.info, config=config, extra=infos) as writer:
        pieces = heapq.merge(
            *(_pieces(one, name) for name, one in [("", recording), *extra.items()]), key=lambda piece: piece[0]
        )
        for arrival, name, chunk in pieces:
            writer.chunk(chunk, arrival, stream=name)
            while not name and events and events[0].time <= arrival:
                writer.event(events.pop(0))
            written += chunk.n_times
            if progress is not None and written - told >= total / 100:
                told = written
                progress(written / total)
        for event in events:
            writer.event(event)
        writer.close("imported")


def _pieces(recording: Recording, name: str) -> Iterator[tuple[float, str, Chunk]]:
    sfreq = recording.info.sfreq
    # Samples that are still in their file were not looked at yet.
    check = SampleCheck(recording.info) if recording.lazy else None
    for chunk in recording.chunks(max(1, round(CHUNK_SECONDS * sfreq)) if sfreq > 0 else 256):
        if check is not None:
            chunk.health.mask = check.added(chunk.data, chunk.health.mask)
        yield float(chunk.times[-1]), name, chunk


def convert_file(
    path: str | Path, folder: str | Path, *, progress: Progress | None = None, **options: Any
) -> tuple[Recording, tuple[str, ...]]:
    """Write a file of any known format as a session folder, all its streams, a piece at a time.

    What `import_file` does, but the session is not read back: a recording of hours is never in memory as a whole.

    Parameters
    ----------
    path, folder, **options
        As `import_file` takes them.
    progress : callable or None
        Called now and then with the share that is written.

    Returns
    -------
    Recording
        What was read; its samples may still be in the file.
    tuple of str
        Names of the streams beside it.
    """
    from bcikit.acquisition.file import read_streams, split_address

    path, values = split_address(path, **options)
    if path.name == SIGNALS and (path.parent / HEADER).is_file():
        # The signals of a session of our own: it knows by itself whether they are as they were written.
        read_session(path.parent)
    recording, extra = read_streams(path, lazy=True, **values)
    _write(recording, Path(folder), source=path.name, extra=extra, progress=progress)
    return recording, tuple(sorted(extra))


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
    convert_file(path, folder, **options)
    return read_session(folder)


def notes_of(session: Session) -> tuple[Note, ...]:
    """Return what the reader of an imported session found, changed, left out, or could not decide."""
    kept = session.config.get("import", {})
    return tuple(Note(**values) for values in (kept.get("notes", ()) if isinstance(kept, dict) else ()))
