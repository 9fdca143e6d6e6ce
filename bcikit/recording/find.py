"""Finds the session folder a person means."""

from pathlib import Path

from bcikit.recording.layout import HEADER
from bcikit.signal import RecordingError


def find_session(path: str | Path) -> Path:
    """Return `path` if it is a session folder, else the newest session folder in it.

    Raises
    ------
    RecordingError
        If there is none.
    """
    folder = Path(path)
    if (folder / HEADER).is_file():
        return folder
    inside = [header.parent for header in folder.glob(f"*/{HEADER}")] if folder.is_dir() else []
    if not inside:
        raise RecordingError(f"{folder} is no session folder and holds none ({HEADER} is missing).")
    return max(inside, key=lambda found: (found.stat().st_mtime, found.name))
