"""Import: a file of another program becomes a session folder."""

from pathlib import Path
from typing import Any

from bcikit.recording.layout import HEADER, SIGNALS
from bcikit.recording.session import Session, read_session
from bcikit.recording.writer import SessionWriter
from bcikit.signal import Recording, RecordingError

CHUNK_SECONDS = 0.1
"""Length of the chunks of an imported session."""


def import_recording(recording: Recording, folder: str | Path, *, source: str = "") -> Session:
    """Write a recording as a session folder.

    Parameters
    ----------
    recording : Recording
        What `bcikit.acquisition.read_recording` returns for any format.
    folder : str or Path
        Folder to make.
    source : str
        Where it comes from, for the header.

    Returns
    -------
    Session
        The session, read back.
    """
    if recording.n_times == 0:
        raise RecordingError(f"{source or recording.info.name} has no samples to import.")
    size = max(1, round(CHUNK_SECONDS * recording.info.sfreq)) if recording.info.sfreq > 0 else 256
    events = list(recording.events)
    with SessionWriter(folder, info=recording.info, config={"import": {"source": source}}) as writer:
        for chunk in recording.chunks(size):
            arrival = float(chunk.times[-1])
            writer.chunk(chunk, arrival)
            while events and events[0].time <= arrival:
                writer.event(events.pop(0))
        for event in events:
            writer.event(event)
        writer.close("imported")
    return read_session(folder)


def import_file(path: str | Path, folder: str | Path, **options: Any) -> Session:
    """Read a file of any known format and write it as a session folder.

    Parameters
    ----------
    path : str or Path
        OpenBCI GUI text, BrainFlow or Muse CSV, XDF, EDF, BDF, BrainVision, GDF, FIF, ...; options may stand behind
        it: ``recording.edf?partial=true``.
    folder : str or Path
        Folder to make.
    **options
        For `bcikit.acquisition.read_recording`: unit, stream, board, sfreq, names, partial.

    Returns
    -------
    Session
        The session, read back.
    """
    from bcikit.acquisition import read_address

    place = Path(str(path).partition("?")[0])
    if place.name == SIGNALS and (place.parent / HEADER).is_file():
        # The signals of a session of our own: it knows by itself whether they are as they were written.
        read_session(place.parent)
    return import_recording(read_address(path, **options), folder, source=Path(path).name)
