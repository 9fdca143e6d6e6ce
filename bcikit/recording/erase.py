"""Erasing the files of a person: what is theirs for certain, and nothing else."""

import shutil
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bcikit.recording.header import read_header
from bcikit.recording.layout import HEADER
from bcikit.signal import RecordingError

GUARD_LOG = "-guard.jsonl"
"""What the clinic calls the log of a guard, behind the name of the session folder that it lies beside."""


def beside(folder: Path) -> list[Path]:
    """Return what lies beside a session folder and belongs to it: the guard's log, and what was rescued of it."""
    if not folder.parent.is_dir():
        return []
    guard, rescued = f"{folder.name}{GUARD_LOG}", f"{folder.name}-rescued-"
    found = [path for path in folder.parent.iterdir() if path.name == guard or path.name.startswith(rescued)]
    return sorted(path for path in found if _kind(path) != "other")


def remove_session(folder: Path, codes: Collection[str], others: Collection[str]) -> bool | None:
    """Remove a session folder and what is `beside` it; True if it went, False if there was none, None if it stays.

    It stays where it is a link, where its header names another person, and where another session lies in it that is not
    this person's.

    Parameters
    ----------
    folder : Path
        As entered.
    codes : collection of str
        Whose: the code, and those it was before it was corrected, which headers of that time name.
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
    if not all(_may_be_of(header.parent, codes) for header in folder.rglob(HEADER)):
        return None
    if any(Path(other).is_relative_to(folder) for other in others):
        return None
    near = beside(folder)
    shutil.rmtree(folder)
    for path in near:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return True


def remove_model(path: Path, codes: Collection[str], others: Collection[str]) -> bool | None:  # noqa: ARG001
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


def subject_of(header: Mapping[str, Any]) -> str:
    """Return the code of the person that the header of a session names; empty where it names nobody."""
    config = header.get("config")
    session = config.get("session") if isinstance(config, Mapping) else None
    subject = session.get("subject") if isinstance(session, Mapping) else None
    return "" if subject in (None, "anonymous") else str(subject)


def _may_be_of(folder: Path, codes: Collection[str]) -> bool:
    """Return whether a session may be erased with a person: its header names that person, or nobody."""
    try:
        return subject_of(read_header(folder)) in ("", *codes)
    except RecordingError:
        return False
