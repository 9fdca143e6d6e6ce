"""Corrections of the catalogue: a mistyped code, two entries of one person, a score; each leaves an audit record."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import select

from bcikit.recording.audit_trail import append_entry
from bcikit.recording.catalogue import CODE, Catalogue, check_free, day_of, find_subject
from bcikit.recording.header import read_header
from bcikit.recording.tables_sql import FORMER, ModelEntry, OutcomeRow, SessionEntry, Subject
from bcikit.safety.words import says_something
from bcikit.signal import ArgumentError, RecordingError, check_range


def rename_subject(catalogue: Catalogue, code: str, new: str, *, reason: str) -> Subject:
    """Correct the code of a person; the folders keep their names, and the old code is remembered for them.

    Parameters
    ----------
    catalogue : Catalogue
        Where the person is entered.
    code, new : str
        The wrong code and the right one.
    reason : str
        Why, for the audit trail; it must not name the person.

    Raises
    ------
    ArgumentError
        If the new code is none, or is that of another person, or the reason is blank or holds a code.
    """
    _check_reason(reason, code, new)
    if not CODE.fullmatch(new):
        raise ArgumentError(f"new is {new!r}; allowed: up to 64 letters, digits, '-' and '_' (a code, no name).")
    with catalogue.writing() as connection:
        row = find_subject(connection, code)
        if connection.scalar(select(Subject).where(Subject.code == new)) is not None:
            raise ArgumentError(f"{new} is entered already; join the two entries where they are one person.")
        check_free(connection, new, owner=code)
        row.code = new
        former = [one for one in row.data.get(FORMER, []) if one != new]
        row.data = {**row.data, FORMER: [*former, code]}
        append_entry(connection, catalogue.who, "rename subject", row, {"reason": reason})
    return row


def join_subjects(catalogue: Catalogue, keep: str, other: str, *, reason: str) -> Subject:
    """Put what is entered under `other` to `keep`: two entries were one person.

    What only `other` has (the allocation in a trial, a plan) goes over; where both have it, that of `keep` stays. An
    answer of the screening that forbids something is never lost, and the newest consent is the one that counts. All
    that `other` had is kept beside it under "joined", too.

    Raises
    ------
    ArgumentError
        If one of them is not entered, both are the same, or years of birth differ: then they are no one person.
    """
    _check_reason(reason, keep, other)
    if keep == other:
        raise ArgumentError(f"{keep} cannot be joined with itself.")
    with catalogue.writing() as connection:
        row, gone = find_subject(connection, keep), find_subject(connection, other)
        if row.birth_year and gone.birth_year and row.birth_year != gone.birth_year:
            raise ArgumentError(
                f"{keep} was born in {row.birth_year}, {other} in {gone.birth_year}: they are two persons. "
                "Correct the year first if one of them is wrong."
            )
        for session in connection.scalars(select(SessionEntry).where(SessionEntry.subject_id == gone.id)):
            session.subject_id = row.id
        for model in connection.scalars(select(ModelEntry).where(ModelEntry.subject_id == gone.id)):
            model.subject_id = row.id
        for outcome in connection.scalars(select(OutcomeRow).where(OutcomeRow.subject_id == gone.id)):
            outcome.subject_id = row.id
        former = [*row.data.get(FORMER, []), *gone.data.get(FORMER, []), other]
        joined = [*row.data.get("joined", []), {key: value for key, value in gone.data.items() if key != FORMER}]
        row.data = {**_together(row.data, gone.data), FORMER: former, "joined": joined}
        row.birth_year = row.birth_year or gone.birth_year
        row.affected_side, row.hand = row.affected_side or gone.affected_side, row.hand or gone.hand
        connection.flush()
        connection.delete(gone)
        append_entry(connection, catalogue.who, "join subjects", row, {"reason": reason})
    return row


def _together(keep: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is on file of one person who was entered twice."""
    found = {key: value for key, value in other.items() if key not in (FORMER, "joined")} | dict(keep)
    theirs = other.get("screening") or {}
    forbids = {name: one for name, one in theirs.items() if isinstance(one, Mapping) and one.get("answer") is True}
    if theirs:
        found["screening"] = {**theirs, **(keep.get("screening") or {}), **forbids}
    if other.get("consents"):
        both = [*other["consents"], *(keep.get("consents") or [])]
        found["consents"] = sorted(both, key=_signed)
    return found


def _signed(consent: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(consent.get("signed", ""))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def follow_moved(catalogue: Catalogue, folder: Path) -> int:
    """Enter where sessions and models lie now, after the folder that holds them was moved or brought back elsewhere.

    What is not where it is entered and lies below `folder` under the same name is the same: of a session folder its
    start must be the one that is entered, too.

    Returns
    -------
    int
        How many entries were changed.
    """
    known = catalogue.sessions()
    taken = {session.path for session in known}
    moved: dict[str, str] = {}
    for session in known:
        here = moved_to(session.path, folder)
        if here is not None and str(here.resolve()) not in taken and _started(here) == session.started:
            moved[session.path] = str(here.resolve())
    for model in catalogue.models():
        here = moved_to(model.path, folder, parts=2)
        if here is not None and here.is_file():
            moved[model.path] = str(here.resolve())
    if not moved:
        return 0
    with catalogue.writing() as connection:
        rows: list[SessionEntry | ModelEntry] = [
            *connection.scalars(select(SessionEntry).where(SessionEntry.path.in_(moved))),
            *connection.scalars(select(ModelEntry).where(ModelEntry.path.in_(moved))),
        ]
        for row in rows:
            row.path = moved[row.path]
            what = "follow moved session" if isinstance(row, SessionEntry) else "follow moved model"
            owner = connection.get_one(Subject, row.subject_id)
            append_entry(connection, catalogue.who, what, owner, {"paradigm": row.paradigm})
    return len(moved)


def moved_to(path: str, folder: Path, *, parts: int = 1) -> Path | None:
    """Return where a folder, or a file in one (`parts` = 2), lies below another; None if not gone or not there."""
    if not path or not is_gone(path):
        return None
    here = folder.joinpath(*PurePath(path).parts[-parts:])
    return here if here.exists() else None


def is_gone(path: str) -> bool:
    """Return whether nothing is there; what cannot be looked at, on a disk of no answer, is not called gone."""
    try:
        return not Path(path).exists()
    except OSError:
        return False


def _started(folder: Path) -> str:
    try:
        return str(read_header(folder).get("started", ""))
    except (RecordingError, OSError):
        return ""


def correct_outcome(
    catalogue: Catalogue,
    number: int,
    *,
    reason: str,
    value: float | None = None,
    measured: str | None = None,
    remove: bool = False,
) -> None:
    """Correct or remove a score; the audit trail keeps what it was.

    Parameters
    ----------
    number : int
        `OutcomeRow.id`.
    reason : str
        Why.
    value : float or None
        The right score; left alone if None.
    measured : str or None
        The right day, ISO 8601; left alone if None.
    remove : bool
        Take it out.

    Raises
    ------
    ArgumentError
        If there is no such score, the day is none, the score no finite number, or the reason is blank or holds a code
        of the person.
    """
    measured = None if measured is None else day_of(measured)
    with catalogue.writing() as connection:
        row = connection.get(OutcomeRow, number)
        if row is None:
            raise ArgumentError(f"There is no score {number} in the catalogue.")
        owner = connection.get(Subject, row.subject_id)
        if owner is None:
            raise RecordingError(f"Score {number} belongs to nobody.")
        _check_reason(reason, owner.code, *owner.data.get(FORMER, ()))
        before: Mapping[str, Any] = {"scale": row.scale, "value": row.value, "measured": row.measured}
        if remove:
            connection.delete(row)
        else:
            row.value = row.value if value is None else check_range("value", value)
            row.measured = row.measured if measured is None else measured
        after = None if remove else {"value": row.value, "measured": row.measured}
        detail = {"before": dict(before), "after": after, "reason": reason}
        append_entry(connection, catalogue.who, "correct outcome", owner, detail)


def _check_reason(reason: str, *codes: str) -> None:
    if not says_something(reason):
        raise ArgumentError("reason must say why the entry is corrected.")
    if any(code.lower() in reason.lower() for code in codes):
        raise ArgumentError("reason must not name the person: it stays in the audit trail.")
