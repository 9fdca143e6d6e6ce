"""What the clinic keeps of a person, who may read it, and how all of it goes when the consent is withdrawn."""

import contextlib
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from bcikit.clinic.strays import doubtful
from bcikit.recording import Catalogue
from bcikit.recording.corrections import is_gone, moved_to
from bcikit.recording.erase import ANNOTATIONS, GUARD_LOG, beside, names_another
from bcikit.recording.layout import RESCUED
from bcikit.recording.tables_sql import FORMER
from bcikit.signal import BciError

STATE_FILE = "clinic-state.json"
"""The visit that goes on, in the clinic's data folder."""

RUNS = "runs"
"""Where engines find their jobs and leave their logs, below the clinic's data folder."""

BROUGHT = ("-consent.json", "-screening.json")
"""What the page of consent saves for a session file, behind the code of the person."""

_REASONS = ("consent withdrawn", "erased on request", "?")


def keep_private(folder: Path) -> None:
    """Make a folder that only this user may open; what lies in it needs no further care.

    Raises
    ------
    BciError
        If there can be no folder of that name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BciError(
            f"{folder} is no folder and none can be made: {error.strerror}; choose another with --data."
        ) from None
    if sys.platform != "win32":
        # It may be an older one, or lie on a disk that knows no rights.
        with contextlib.suppress(OSError):
            folder.chmod(0o700)


def folders_of(data: Path, codes: Iterable[str]) -> list[Path]:
    """Return the folders of every calibration and session under these codes, entered in the catalogue or not.

    And what lies beside them: logs of their guards, annotations, and what was rescued of them.
    """
    either = "|".join(re.escape(code) for code in codes)
    behind = rf"-\d+)?({re.escape(GUARD_LOG)}|{re.escape(ANNOTATIONS)}|{RESCUED}\w+)?"
    name = re.compile(rf"({either})-\d{{8}}-\d{{6}}-(calibration|session)({behind}")
    return sorted(path for path in data.iterdir() if not path.is_symlink() and name.fullmatch(path.name))


def withdraw(catalogue: Catalogue, data: Path, code: str) -> tuple[int, list[str]]:
    """Erase everything of a person; the audit trail keeps the fact.

    Parameters
    ----------
    catalogue : Catalogue
        Where the person is entered.
    data : Path
        Where the session folders are.
    code : str
        Pseudonymous code.

    Returns
    -------
    int, list of str
        How many folders and files went, and which stay: those that were entered and are not here (at another place of
        the catalogue, on a disk that is not connected), and those, with what lies beside them, that are not this
        person's alone or not for certain, as they may be of somebody who had the code before. A person must look.

    Raises
    ------
    BciError
        If the person is not in the catalogue.
    OSError
        If a folder cannot be removed.
    """
    # The audit trail may not name the person, and a code may be any letters.
    person = catalogue.subject(code)
    codes = [code, *person.data.get(FORMER, [])]
    reason = next(text for text in _REASONS if not any(one.lower() in text for one in codes))
    entered = [one.path for one in catalogue.sessions(code)] + [one.path for one in catalogue.models(code)]
    # Nothing tells of them any more once the entries are erased.
    near = {path: beside(Path(path)) for path in entered}
    away = [path for path in entered if is_gone(path) and not (moved_to(path, data) or moved_to(path, data, parts=2))]
    doubts = doubtful(catalogue, person, [path for path in folders_of(data, codes) if path.is_dir()])
    kept = {path for folder in doubts for path in (folder, *beside(folder))}
    gone = catalogue.erase_subject(code, reason=reason, files=True, within=(data,))["files"]
    named = folders_of(data, codes)
    # What was entered and is there still was left on purpose.
    for path in named:
        if str(path.resolve()) in entered:
            kept.update((path, *beside(path)))
    # Its name is that of the folder it was rescued from; whose it is, it says itself.
    theirs = [path for path in named if path in kept or (path.is_dir() and names_another(path, codes))]
    left = [path for path in named if path not in theirs]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    notes = notes_on(data, codes)
    for note in notes:
        note.unlink(missing_ok=True)
    # A folder of which what was rescued went is at no other place.
    away = [path for path in away if all(one.exists() for one in near[path] if RESCUED in one.name)]
    stay = [*entered, *(str(path) for found in near.values() for path in found), *map(str, theirs)]
    return gone + len(left) + len(notes), [*away, *dict.fromkeys(path for path in stay if not is_gone(path))]


def notes_on(data: Path, codes: Iterable[str]) -> list[Path]:
    """Return the notes beside the sessions that name a person: of engines that were killed, drafts, for session files.

    Who ends well takes them along; a power cut, or a window that was never opened again, leaves them.
    """
    codes = list(codes)
    either = "|".join(re.escape(code) for code in codes)
    # A code within another one, P1 in P12, is not this person.
    named = re.compile(rf"(?<![\w])({either})(?![\w])".encode(), re.IGNORECASE)
    brought = [data / f"{code}{end}" for code in codes for end in BROUGHT]
    kept = [*(data / RUNS).glob("*"), *data.glob("*.new"), data / STATE_FILE, *brought]
    # A draft of what lies beside a session has the code in its name alone.
    return sorted(
        path for path in kept if path.is_file() and any(map(named.search, (path.name.encode(), path.read_bytes())))
    )
