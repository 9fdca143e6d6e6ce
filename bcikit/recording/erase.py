"""Erasing the files of a person: what is theirs for certain, and nothing else."""

import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from bcikit.recording.header import read_header
from bcikit.recording.layout import HEADER
from bcikit.signal import RecordingError


def remove_session(folder: Path, code: str, others: Collection[str]) -> bool | None:
    """Remove a session folder; True if it went, False if there was none, None if it stays.

    It stays where it is a link, where its header names another person, and where another session lies in it that is not
    this person's.

    Parameters
    ----------
    folder : Path
        As entered.
    code : str
        Whose.
    others : collection of str
        Paths that are entered for other persons.
    """
    kind = _kind(folder)
    if kind == "nothing":
        return False
    if kind != "folder" or str(folder) in others:
        return None
    if not (folder / HEADER).is_file():
        return None
    if not all(_may_be_of(header.parent, code) for header in folder.rglob(HEADER)):
        return None
    if any(Path(other).is_relative_to(folder) for other in others):
        return None
    shutil.rmtree(folder)
    return True


def remove_model(path: Path, code: str, others: Collection[str]) -> bool | None:  # noqa: ARG001
    """Remove a model file; True if it went, False if there was none, None if it stays: a folder or somebody else's."""
    kind = _kind(path)
    if kind == "nothing":
        return False
    if kind != "file" or str(path) in others or any(path.is_relative_to(other) for other in others):
        return None
    path.unlink()
    return True


def _kind(path: Path) -> str:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return "nothing"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def _may_be_of(folder: Path, code: str) -> bool:
    """Return whether a session may be erased with a person: its header names that person, or nobody."""
    try:
        config = read_header(folder).get("config")
    except RecordingError:
        return False
    session = config.get("session") if isinstance(config, dict) else None
    subject = session.get("subject") if isinstance(session, dict) else None
    return subject in (None, "", "anonymous", code)
