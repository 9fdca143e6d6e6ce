"""Trainings that nobody entered: the power went, the machine was killed. What was done counts."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from bcikit.clinic.counts import counts_of
from bcikit.clinic.people import SIMULATED, VISIT
from bcikit.clinic.record import NAMED, TrainingRecord
from bcikit.recording import Catalogue, read_session, recover
from bcikit.recording.header import read_header
from bcikit.recording.layout import RESCUED
from bcikit.recording.result import RESULT, read_result
from bcikit.recording.tables_sql import FORMER, Subject
from bcikit.session.desynchronisation import reactions
from bcikit.signal import BciError, RecordingError


def enter_strays(catalogue: Catalogue, data: Path, *, claimed: str = "") -> list[Path]:
    """Enter training folders of known patients that are not in the catalogue, and return them.

    A folder whose recording was cut off is recovered first, so that it can be read. What may be of somebody who had the
    code before (`strangers`) is left as it is.

    Parameters
    ----------
    catalogue : Catalogue
        Persons and sessions.
    data : Path
        Where the session folders are; no engine may be writing there.
    claimed : str
        Code of a patient of whom a person said that what is `claimable` is theirs.
    """
    entered = []
    for stray in _strays(catalogue, data):
        folder, header = stray.folder, stray.header
        with contextlib.suppress(BciError, OSError, ValueError):
            if not (stray.theirs or (stray.agrees and stray.owner.code == claimed)):
                continue
            if not (folder / RESULT).is_file() and header.get("status") not in ("complete", "failed"):
                recover(folder)
            results, seconds = results_of(folder)
            paradigm = header.get("config", {}).get("paradigm", {})
            catalogue.add_session(
                stray.owner.code,
                folder,
                paradigm=str(paradigm.get("name", "")).removeprefix("paradigm:"),
                results={
                    **results,
                    "source": str(header.get("config", {}).get("source", {}).get("address", "")),
                    VISIT: TrainingRecord.load(folder).started,
                },
                seconds=seconds,
            )
            entered.append(folder)
    return entered


def strangers(catalogue: Catalogue, data: Path) -> list[Path]:
    """Return training folders that bear the code of a patient and may be those of somebody who had it before."""
    return [stray.folder for stray in _not_theirs(catalogue, data)]


def claimable(catalogue: Catalogue, data: Path) -> dict[str, list[Path]]:
    """Return by patient which of the `strangers` have the patient's year of birth: a person may know whose they are.

    The catalogue may have been lost and its patients entered again, or be a backup of before they were entered.
    """
    found: dict[str, list[Path]] = {}
    for stray in _not_theirs(catalogue, data):
        if stray.agrees:
            found.setdefault(stray.owner.code, []).append(stray.folder)
    return found


def doubtful(catalogue: Catalogue, person: Subject, folders: Iterable[Path]) -> list[Path]:
    """Return which folders under a code of a person, entered or not, may be of somebody who had the code before.

    A calibration keeps no year of birth: it is theirs, too, where a training of theirs or a model of theirs is from it.
    """
    entered = [Path(one.path) for one in catalogue.sessions(person.code)]
    names, theirs, doubts = {path.name for path in entered}, list(entered), list[Path]()
    for folder in folders:
        with contextlib.suppress(BciError, OSError, ValueError):
            started, born = str(read_header(folder).get("started", "")), TrainingRecord.load(folder).birth_year
            certain = _rescued_from(folder) in names or _can_be_of(person, started, born)
            (theirs if certain else doubts).append(folder)
    # Those of what was learned.
    names = {Path(model.path).parent.name for model in catalogue.models(person.code)}
    names.update(Path(name).name for folder in theirs for name in TrainingRecord.load(folder).calibrations)
    return [folder for folder in doubts if _rescued_from(folder) not in names]


def _rescued_from(folder: Path) -> str:
    """Return the name of the folder that one was rescued from; its own where it was not."""
    return folder.name.split(RESCUED)[0]


def _not_theirs(catalogue: Catalogue, data: Path) -> list["_Stray"]:
    with contextlib.suppress(OSError):
        # A disk that is gone for a moment closes no page.
        return [stray for stray in _strays(catalogue, data) if not stray.theirs]
    return []


class _Stray(NamedTuple):
    """A training folder that is not entered, and who has its code now.

    `theirs`: it can be of nobody else; `agrees`: the year of birth that was recorded is the one on file.
    """

    folder: Path
    header: dict[str, Any]
    owner: Subject
    theirs: bool
    agrees: bool


def _strays(catalogue: Catalogue, data: Path) -> Iterator[_Stray]:
    sessions = catalogue.sessions()
    known = {entry.path for entry in sessions}
    # A copy of the folder beside the one that was entered is no second training.
    originals = {(Path(entry.path).name, entry.started) for entry in sessions}
    owners = {code: person for person in catalogue.subjects() for code in _codes(person.code, person.data)}
    for folder in sorted(path for path in data.iterdir() if path.is_dir() and str(path.resolve()) not in known):
        named = NAMED.fullmatch(folder.name)
        if named is not None and (named[1] == SIMULATED or named[2] == "calibration"):
            continue
        with contextlib.suppress(BciError, OSError, ValueError):
            header = read_header(folder)
            session = header.get("config", {}).get("session", {})
            code, started = str(session.get("subject", "")), str(header.get("started", ""))
            owner = owners.get(code)
            if owner is None or owner.code == SIMULATED or session.get("name") != "session":
                continue
            if (folder.name, started) not in originals:
                born = TrainingRecord.load(folder).birth_year
                agrees = born is not None and born == owner.birth_year
                yield _Stray(folder, header, owner, _can_be_of(owner, started, born), agrees)


def _can_be_of(person: Subject, started: str, born: int | None) -> bool:
    """Return whether a training under a code of a person is theirs: a code is free again once its person is erased."""
    if born is not None and person.birth_year not in (None, born):
        return False
    # The other one of two entries that were joined may be older than the one that was kept.
    return bool(person.data.get("joined")) or not _is_before(started, person.created)


def _is_before(one: str, other: str) -> bool:
    try:
        return datetime.fromisoformat(one) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def codes_of_nobody(catalogue: Catalogue, data: Path) -> list[str]:
    """Return the codes that recordings lie here of while the catalogue holds nobody: it may be lost, or another one."""
    if any(person.code != SIMULATED for person in catalogue.subjects()):
        return []
    named = (NAMED.fullmatch(path.name) for path in data.iterdir() if path.is_dir())
    return sorted({found[1] for found in named if found is not None} - {SIMULATED})


def results_of(folder: Path) -> tuple[dict[str, Any], float]:
    """Return the numbers of a training and its seconds: what the engine wrote, else what can be counted."""
    part = counts_of([str(folder)]).part
    counted = {
        "n_trials": part.answered,
        "n_correct": part.correct,
        "online_accuracy": part.correct / part.answered if part.answered else None,
        "moved": part.moved,
        "moved_right": part.moved_right,
        "rewards": part.rewards,
        "reactions": _reactions_of(folder),
        "ended": "cut off",
    }
    try:
        values = read_result(folder)
    except RecordingError:
        return counted, part.seconds
    keep = ("online_accuracy", "accuracy_interval", "chance_upper", "n_trials", "n_correct", "n_not_judged")
    found = {key: values.get(key) for key in (*keep, "lost_samples", "ended") if key in values}
    return {**counted, **found, "source": values.get("source", "")}, part.seconds


def _reactions_of(folder: Path) -> dict[str, Any]:
    """Return what the mu rhythm did, by hand; nothing where the signals cannot be read."""
    with contextlib.suppress(BciError, OSError, ValueError):
        recording = read_session(folder, lazy=True).recording
        return {hand: one._asdict() for hand, one in reactions(recording, recording.events).items()}
    return {}


def _codes(code: str, data: dict[str, Any]) -> list[str]:
    return [code, *data.get(FORMER, [])]
