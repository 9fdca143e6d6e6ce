"""Who is treated: entering a person, and making sure that the one in front of the window is the one on the screen."""

import datetime
import re
from collections.abc import Iterable
from typing import Any

from bcikit.clinic.names import code_of, written
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue
from bcikit.recording.tables_sql import FORMER, SessionEntry, Subject
from bcikit.session.config import SUBJECT_PATTERN
from bcikit.signal import ArgumentError
from bcikit.ui.words import tr

SIMULATED = "SIMULATED"
"""Code of the simulated patient, which every page, file and report says."""

VISIT = "visit"
"""Among the results of a session: when the visit began that it is a part of."""

OLDEST = 1900
"""Nobody who is treated was born before."""


def is_simulated(person: Subject) -> bool:
    """Return whether this entry is no person."""
    return person.code == SIMULATED or bool(person.data.get("simulated"))


def simulated_patient(catalogue: Catalogue) -> Subject:
    """Return the simulated patient; entered on the first call."""
    for person in catalogue.subjects(SIMULATED):
        if person.code == SIMULATED:
            return person
    return catalogue.add_subject(SIMULATED, affected_side="right", data={"simulated": True})


def add_person(catalogue: Catalogue, code: str, *, birth_year: int | None, affected_side: str = "") -> Subject:
    """Enter a person.

    Raises
    ------
    ArgumentError
        If the code is none or only differs in its capitals from one that is entered, or the year of birth is missing.
    """
    code = checked_code(code)
    twin = next((p.code for p in catalogue.subjects(code) if p.code.lower() == code.lower()), "")
    if twin:
        raise ArgumentError(tr("{code} is entered already. Choose it in the list.").format(code=twin))
    if birth_year is None:
        raise ArgumentError(tr("Enter the year of birth: it confirms at each visit that it is the right patient."))
    return catalogue.add_subject(code, birth_year=check_year(birth_year), affected_side=affected_side)


def checked_code(text: str) -> str:
    """Return the code that was typed for a person; raises `ArgumentError` where it is none, or nobody's."""
    code = code_of(text)
    if not re.fullmatch(SUBJECT_PATTERN, code):
        raise ArgumentError(
            tr("{code!r} is no code: up to 32 letters, digits, - and _, never a name.").format(code=code)
        )
    if code.lower() == SIMULATED.lower():
        raise ArgumentError(tr("This code belongs to the simulated patient."))
    return code


def whereabouts(catalogue: Catalogue, code: str) -> str:
    """Return why a code is nobody's any more, in words; "" while it is somebody's."""
    known = catalogue.subjects()
    if any(person.code == code for person in known):
        return ""
    now = next((person.code for person in known if code in person.data.get(FORMER, ())), "")
    if now:
        return tr("{code} is {new} now: its entry was corrected. The visit is over; begin that of {new}.").format(
            code=code, new=now
        )
    return tr("{code} is in the catalogue no more: its entry was erased. The visit is over.").format(code=code)


def data_of(catalogue: Catalogue, code: str) -> dict[str, Any]:
    """Return what is on file of a person; nothing where the code is nobody's any more."""
    return next((dict(person.data) for person in catalogue.subjects(code) if person.code == code), {})


def allocation_of(catalogue: Catalogue, visit: Visit) -> dict[str, Any]:
    """Return the allocation in a trial that a visit has, else the one on file of its patient, whose code may be new."""
    if visit.trial or visit.simulated or not visit.subject:
        return visit.trial
    codes = ((person, (person.code, *person.data.get(FORMER, ()))) for person in catalogue.subjects())
    return next((dict(person.data.get("trial") or {}) for person, known in codes if visit.subject in known), {})


def check_year(year: int) -> int:
    """Return a year of birth; raises `ArgumentError` where nobody alive was born in it."""
    this = datetime.date.today().year
    if not OLDEST <= year <= this:
        raise ArgumentError(
            tr("{year} is no year of birth; allowed: {low} to {high}.").format(year=year, low=OLDEST, high=this)
        )
    return year


def year_from(text: str) -> int | None:
    """Return a year that was typed; None for nothing, `ArgumentError` for what is no year."""
    text = written(text)
    if not text:
        return None
    if not re.fullmatch(r"\d{4}", text):
        raise ArgumentError(tr("{text!r} is no year; write it with four digits, such as 1961.").format(text=text))
    return check_year(int(text))


def confirm(catalogue: Catalogue, person: Subject, year: int | None) -> Subject:
    """Return the person again once the year of birth that the patient said is the one on file.

    A person entered before years were asked for gets the year that is said now.

    Raises
    ------
    ArgumentError
        If it is another year, or none was said.
    """
    if is_simulated(person):
        return person
    if year is None:
        raise ArgumentError(tr("Ask the patient for the year of birth, and enter it."))
    if person.birth_year is None:
        return catalogue.update_subject(person.code, birth_year=year)
    if year != person.birth_year:
        raise ArgumentError(
            tr("That is not the year of birth on file for {code}. Is it the right patient?").format(code=person.code)
        )
    return person


def age_of(birth_year: int | None) -> int | None:
    """Return the age that is sure from the year of birth alone: the birthday of this year may still come."""
    return None if birth_year is None else max(0, datetime.date.today().year - birth_year - 1)


def begin_visit(person: Subject, *, operator: str, when: str) -> Visit:
    """Return the visit of a person who was confirmed."""
    return Visit(
        subject=person.code,
        step="consent",
        operator=operator,
        started=when,
        confirmed=when,
        simulated=is_simulated(person),
        birth_year=person.birth_year,
        affected_side=person.affected_side,
        # Whoever drew it, here or at another place of the same catalogue: it holds for each training.
        trial={} if is_simulated(person) else dict(person.data.get("trial") or {}),
    )


def real_sessions(catalogue: Catalogue, code: str) -> list[SessionEntry]:
    """Return the sessions of a person that were measured on a person, in order of time.

    What a simulated source gave is no history of anybody, whoever entered it.
    """
    return [entry for entry in catalogue.sessions(code) if not is_simulation(entry.results)]


def trainings(entries: Iterable[SessionEntry]) -> list[list[SessionEntry]]:
    """Return sessions with the parts of one training together: what was cut off and gone on with is one session."""
    found: dict[tuple[str, str], list[SessionEntry]] = {}
    for entry in entries:
        visit = str(entry.results.get(VISIT) or "")
        found.setdefault((visit or f"alone {entry.id}", entry.paradigm), []).append(entry)
    return list(found.values())


def is_simulation(results: dict[str, Any]) -> bool:
    """Return whether the numbers of a session came from a simulation."""
    return bool(results.get("simulated")) or str(results.get("source", "")).startswith(("sim:", "dut:"))
