"""Erasing the files of a person: what is theirs for certain, and nothing else."""

import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bcikit.recording.header import read_header
from bcikit.recording.layout import HEADER, RESCUED
from bcikit.signal import RecordingError

GUARD_LOG = "-guard.jsonl"
"""What the clinic calls the log of a guard, behind the name of the session folder that it lies beside."""

ANNOTATIONS = "_annotations.tsv"
"""What the viewer calls the annotations that it keeps beside a session folder or a file, behind its name."""


def beside(folder: Path) -> list[Path]:
    """Return what lies beside a session folder and belongs to it: the guard's log, annotations, what was rescued."""
    if not folder.parent.is_dir():
        return []
    names, rescued = (f"{folder.name}{GUARD_LOG}", f"{folder.name}{ANNOTATIONS}"), f"{folder.name}{RESCUED}"
    found = [path for path in folder.parent.iterdir() if path.name in names or path.name.startswith(rescued)]
    return sorted(path for path in found if _kind(path) != "other")


def remove_session(folder: Path, codes: Collection[str], others: Collection[str]) -> bool | None:
    """Remove a session folder and what is `beside` it; True if it went, False if there was none, None if some stays.

    It stays where it is a link, where its header names another person, and where another session lies in it that is not
    this person's. What was rescued goes by the same rules, also where the folder is gone: that is when there is some.

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
    near = [*beside(folder), *_rescued_elsewhere(folder, codes)]
    if kind == "nothing" and not near:
        return False
    if kind not in ("folder", "nothing") or str(folder) in others:
        return None
    if kind == "folder" and not ((folder / HEADER).is_file() and _all_of(folder, codes, others)):
        return None
    going = [path for path in near if _kind(path) == "file" or _all_of(path, codes, others)]
    for path in [folder, *going] if kind == "folder" else going:
        if _kind(path) == "folder":
            shutil.rmtree(path)
        else:
            path.unlink()
    return True if len(going) == len(near) else None


def _rescued_elsewhere(folder: Path, codes: Collection[str]) -> list[Path]:
    """Return what was rescued where the drive of a session folder was gone, too, if it names the person."""
    place = Path(tempfile.gettempdir())
    if place == folder.parent or not place.is_dir():
        return []
    found = [path for path in place.iterdir() if path.name.startswith(f"{folder.name}{RESCUED}")]
    # Folders of one name come from anywhere there: what names nobody may be anybody's.
    return sorted(path for path in found if _kind(path) == "folder" and _person_of(path) in codes)


def _all_of(folder: Path, codes: Collection[str], others: Collection[str]) -> bool:
    """Return whether every session in a folder may be erased with a person, and none is entered for another."""
    if any(Path(other).is_relative_to(folder) for other in others):
        return False
    return all(_person_of(header.parent) in ("", *codes) for header in folder.rglob(HEADER))


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


def names_another(folder: Path, codes: Collection[str]) -> bool:
    """Return whether the header of a session names a person who has none of these codes."""
    return _person_of(folder) not in (None, "", *codes)


def _person_of(folder: Path) -> str | None:
    """Return whom the header of a session names, "" if nobody; None if it cannot be read, or there is none."""
    try:
        return subject_of(read_header(folder))
    except RecordingError:
        return None
