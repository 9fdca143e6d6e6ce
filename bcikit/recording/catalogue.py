"""The session catalogue: who was seen when, what came out, and who did what to it."""

import contextlib
import datetime
import getpass
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, String, cast, create_engine, func, make_url, or_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session as Connection
from sqlalchemy.orm import sessionmaker

from bcikit.recording.audit_trail import ERASED, append_entry, first_broken, first_unanchored, open_reasons, trail_ends
from bcikit.recording.erase import remove_model, remove_session, subject_of
from bcikit.recording.header import read_header
from bcikit.recording.schema import WRITING, bring_up_to_date, one_at_a_time, prepare_sqlite
from bcikit.recording.tables_sql import FORMER, AuditEntry, ModelEntry, OutcomeRow, RunRow, SessionEntry, Subject
from bcikit.safety.anchor import Anchors
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError, check_choice, check_int, check_range
from bcikit.signal.places import user_place

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a code of a person is made of."""


def default_url() -> str:
    """Return the address of the catalogue in the data folder of this user."""
    return f"sqlite:///{user_place('data') / 'catalogue.sqlite'}"


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a person; refuse what is no year of birth or no side: a patient is confirmed by them."""
    found = dict(fields)
    if found.get("birth_year") is not None:
        found["birth_year"] = check_int("birth_year", found["birth_year"], low=1900, high=datetime.date.today().year)
    for name in ("hand", "affected_side"):
        if name in found:
            check_choice(name, found[name], ("left", "right", "both", ""))
    return found


class Catalogue:
    """Subjects, sessions, runs, models and outcomes, and an audit trail of every change.

    Parameters
    ----------
    url : str or None
        SQLAlchemy's address of the database: ``sqlite:///file`` or ``postgresql+psycopg://user@host/name``; a file in
        the data folder where it is left out.
    who : str
        Who works with it, for the audit trail; the user of this computer where it is left out.

    Raises
    ------
    RecordingError
        If the database cannot be opened.
    MissingDependencyError
        If its driver is not installed.
    """

    def __init__(self, url: str | None = None, *, who: str = "") -> None:
        self.url = url or default_url()
        self.who = who or _user()
        self._secrets: list[str] = []
        try:
            parsed = make_url(self.url)
            self._secrets = _secrets_of(parsed)
            if self.url.startswith("sqlite:///"):
                Path(self.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(parsed)
            if self._engine.dialect.name == "sqlite":
                prepare_sqlite(self._engine)
            try:
                bring_up_to_date(self._engine)
            except BaseException:
                self._engine.dispose()
                raise
        except ModuleNotFoundError as error:
            raise MissingDependencyError(str(error.name), "postgres", f"The catalogue at {self.place}") from None
        except (SQLAlchemyError, OSError, ValueError) as error:
            raise RecordingError(f"The catalogue at {self.place} cannot be opened: {self._safe(error)}") from None
        self._connect = sessionmaker(self._engine, expire_on_commit=False)
        self._anchors = Anchors()

    @property
    def place(self) -> str:
        """Where the catalogue is, without what must not be shown."""
        try:
            return self._safe(make_url(self.url).render_as_string(hide_password=True))
        except (SQLAlchemyError, ValueError):
            return f"{self.url.partition(':')[0]}:..."

    def _safe(self, text: object) -> str:
        """Return a text without any password of the address."""
        shown = str(text)
        if not self._secrets and "@" in self.url and self.url in shown:
            shown = shown.replace(self.url, "...")
        for secret in self._secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
                shown = shown.replace(form, "***")
        return shown

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told(), self._connect.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that no other one that writes overlaps: numbers and the audit trail follow each other."""
        with self._told():
            with self._connect.begin() as connection:
                one_at_a_time(connection.connection(execution_options={WRITING: True}))
                yield connection
                connection.flush()
                ends = trail_ends(connection, self._anchors.find(self.place))
            # A trail that does not hold what its anchor says keeps that anchor: writing on must not hide it.
            if ends is not None:
                self._anchors.keep(self.place, ends)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise RecordingError(f"The catalogue has that already: {self._safe(error.orig)}") from None
        except SQLAlchemyError as error:
            raise RecordingError(f"The catalogue at {self.place} failed: {self._safe(error)}") from None

    # -- persons ------------------------------------------------------------------------------------------------------

    def add_subject(
        self,
        code: str,
        *,
        birth_year: int | None = None,
        hand: str = "",
        affected_side: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> Subject:
        """Enter a person.

        Parameters
        ----------
        code : str
            Letters, digits, "-", "_": a code, never a name.
        birth_year : int or None
            Year of birth.
        hand, affected_side : str
            "left", "right", "both" or empty.
        data : mapping or None
            Anything else, ready for JSON.

        Raises
        ------
        ArgumentError
            If the code is none, nobody alive was born in that year, or a side is none.
        """
        if not CODE.fullmatch(code):
            raise ArgumentError(f"code is {code!r}; allowed: up to 64 letters, digits, '-' and '_' (a code, no name).")
        known = _checked({"birth_year": birth_year, "hand": hand, "affected_side": affected_side})
        row = Subject(
            code=code,
            created=utc_now(),
            **known,
            data=dict(data or {}),
        )
        with self.writing() as connection:
            check_free(connection, code)
            connection.add(row)
            append_entry(connection, self.who, "add subject", row, {})
        return row

    def subject(self, code: str) -> Subject:
        """Return a person.

        Raises
        ------
        ArgumentError
            If the code is not in the catalogue.
        """
        with self._reading() as connection:
            return find_subject(connection, code)

    def subjects(self, search: str = "") -> list[Subject]:
        """Return all persons whose code holds `search`, in order of their codes."""
        with self._reading() as connection:
            wanted = select(Subject).where(Subject.code.icontains(search, autoescape=True)).order_by(Subject.code)
            return list(connection.scalars(wanted))

    def update_subject(self, code: str, *, merge: Mapping[str, Any] | None = None, **changes: Any) -> Subject:
        """Change what is known of a person: birth_year, hand, affected_side, data.

        Parameters
        ----------
        code : str
            Of the person.
        merge : mapping, optional
            Keys of `data` to set, all others as they are now: where two places work on one catalogue, what one of them
            read a while ago must not take back what the other wrote since.
        **changes
            Whole fields.

        Raises
        ------
        ArgumentError
            If a field is no such field, or cannot hold the value.
        """
        changes = _checked(changes)
        with self.writing() as connection:
            row = find_subject(connection, code)
            if merge:
                row.data = {**row.data, **merge}
            for name, value in changes.items():
                if name not in ("birth_year", "hand", "affected_side", "data"):
                    raise ArgumentError(f"{name!r} of a subject cannot be changed.")
                setattr(row, name, value)
            append_entry(connection, self.who, "update subject", row, {"fields": sorted([*changes, *(merge or ())])})
        return row

    # -- what was done ------------------------------------------------------------------------------------------------

    def add_session(
        self,
        subject: str,
        path: str | Path,
        *,
        paradigm: str = "",
        results: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        notes: str = "",
    ) -> SessionEntry:
        """Enter a session folder of a person; when it was and how it ended is read from its header.

        Raises
        ------
        ArgumentError
            If the header names another person.
        """
        folder = Path(path).resolve()
        header = read_header(folder)
        with self.writing() as connection:
            person = find_subject(connection, subject)
            named = subject_of(header)
            if named and named not in (person.code, *person.data.get(FORMER, [])):
                raise ArgumentError(
                    f"{folder} is a session of {named}, not of {person.code}; enter it for {named}, or correct the "
                    "code of the person."
                )
            row = SessionEntry(
                subject_id=person.id,
                path=str(folder),
                started=str(header["started"]),
                paradigm=paradigm or _paradigm_of(header),
                status=str(header["status"]),
                seconds=seconds,
                results=dict(results or {}),
                notes=notes,
            )
            connection.add(row)
            append_entry(connection, self.who, "add session", person, {"paradigm": row.paradigm})
        return row

    def sessions(self, subject: str = "", *, paradigm: str = "", search: str = "") -> list[SessionEntry]:
        """Return sessions in order of time: of one person, of one paradigm, with a text in path, notes or results."""
        wanted = select(SessionEntry).order_by(SessionEntry.started, SessionEntry.id)
        with self._reading() as connection:
            if subject:
                wanted = wanted.where(SessionEntry.subject_id == find_subject(connection, subject).id)
            if paradigm:
                wanted = wanted.where(SessionEntry.paradigm == paradigm)
            if search:
                columns = (SessionEntry.path, SessionEntry.notes, SessionEntry.paradigm, SessionEntry.status)
                texts = [column.icontains(search, autoescape=True) for column in columns]
                texts.append(cast(SessionEntry.results, String).icontains(search, autoescape=True))
                wanted = wanted.where(or_(*texts))
            return list(connection.scalars(wanted))

    def add_run(
        self, session: int, *, kind: str = "", number: int | None = None, results: Mapping[str, Any] | None = None
    ) -> RunRow:
        """Enter a run of a session; it gets the next number where none is given."""
        with self.writing() as connection:
            entry = connection.get(SessionEntry, session)
            if entry is None:
                raise ArgumentError(f"There is no session {session} in the catalogue.")
            if number is None:
                number = 1 + int(
                    connection.scalar(select(func.max(RunRow.number)).where(RunRow.session_id == session)) or 0
                )
            row = RunRow(session_id=session, number=number, kind=kind, results=dict(results or {}))
            connection.add(row)
            person = connection.get_one(Subject, entry.subject_id)
            append_entry(connection, self.who, "add run", person, {"number": number, "kind": kind})
        return row

    def runs(self, session: int) -> list[RunRow]:
        """Return the runs of a session, in order."""
        with self._reading() as connection:
            return list(connection.scalars(select(RunRow).where(RunRow.session_id == session).order_by(RunRow.number)))

    def add_model(
        self,
        subject: str,
        path: str | Path,
        *,
        decoder: str = "",
        paradigm: str = "",
        scores: Mapping[str, Any] | None = None,
    ) -> ModelEntry:
        """Enter a model file of a person; a folder is none."""
        if Path(path).is_dir():
            raise ArgumentError(f"{path} is a folder; enter the model file in it.")
        with self.writing() as connection:
            person = find_subject(connection, subject)
            row = ModelEntry(
                subject_id=person.id,
                path=str(Path(path).resolve()),
                created=utc_now(),
                decoder=decoder,
                paradigm=paradigm,
                scores=dict(scores or {}),
            )
            connection.add(row)
            append_entry(connection, self.who, "add model", person, {"decoder": decoder})
        return row

    def models(self, subject: str = "", *, paradigm: str = "") -> list[ModelEntry]:
        """Return the models of a person, or of all where none is named, the newest last."""
        wanted = select(ModelEntry)
        with self._reading() as connection:
            if subject:
                wanted = wanted.where(ModelEntry.subject_id == find_subject(connection, subject).id)
            if paradigm:
                wanted = wanted.where(ModelEntry.paradigm == paradigm)
            return list(connection.scalars(wanted.order_by(ModelEntry.created, ModelEntry.id)))

    def add_outcome(
        self,
        subject: str,
        scale: str,
        value: float,
        *,
        unit: str = "points",
        measured: str | datetime.date | None = None,
        session: int | None = None,
        notes: str = "",
    ) -> OutcomeRow:
        """Enter a clinical measure; it was taken today where `measured` is left out."""
        when = utc_now() if measured is None else day_of(str(measured))
        with self.writing() as connection:
            person = find_subject(connection, subject)
            row = OutcomeRow(
                subject_id=person.id,
                scale=scale,
                value=check_range("value", value),
                unit=unit,
                measured=when,
                session_id=session,
                notes=notes,
            )
            connection.add(row)
            append_entry(connection, self.who, "add outcome", person, {"scale": scale})
        return row

    def outcomes(self, subject: str, scale: str = "") -> list[OutcomeRow]:
        """Return the measures of a person in order of time, of one scale or of all."""
        with self._reading() as connection:
            wanted = select(OutcomeRow).where(OutcomeRow.subject_id == find_subject(connection, subject).id)
            if scale:
                wanted = wanted.where(OutcomeRow.scale == scale)
            return list(connection.scalars(wanted.order_by(OutcomeRow.measured, OutcomeRow.id)))

    def trend(self, subject: str, measure: str) -> list[tuple[str, float]]:
        """Return times and values of an outcome scale or, where none has that name, of a result of the sessions."""
        outcomes = self.outcomes(subject, measure)
        if outcomes:
            return [(row.measured, row.value) for row in outcomes]
        found = [(row.started, row.results.get(measure)) for row in self.sessions(subject)]
        return [(when, float(value)) for when, value in found if isinstance(value, int | float)]

    # -- right to be forgotten, and who did what ----------------------------------------------------------------------

    def erase_subject(
        self, code: str, *, reason: str, files: bool = False, within: Iterable[Path] = ()
    ) -> dict[str, int]:
        """Erase a person and everything entered of it; only the fact stays in the audit trail.

        Parameters
        ----------
        code : str
            Whose.
        reason : str
            Why, for the audit trail; it must not name the person.
        files : bool
            Whether the session folders and model files are removed, too. Models of other people that learned from this
            person are marked: they are used no more.
        within : iterable of Path
            Folders in which studies and models of many people are looked for, with `files`: what a study keeps of the
            person goes.

        Returns
        -------
        dict of str to int
            How many sessions, runs, models, outcomes and files went; "left" is there, and says how many, where
            something was entered that is not this person's for certain (a folder as a model, a folder with somebody
            else's session in it, a file that is entered for another person, too) and therefore stays. "marked" is
            there, and says how many models of many people learned from this person.
        """
        if not reason.strip():
            raise ArgumentError("reason must say why the person is erased.")
        with self.writing() as connection:
            row = find_subject(connection, code)
            codes = (code, *row.data.get(FORMER, []))
            if any(one.lower() in reason.lower() for one in codes):
                raise ArgumentError("reason must not name the person: it stays in the audit trail.")
            sessions = list(connection.scalars(select(SessionEntry).where(SessionEntry.subject_id == row.id)))
            models = list(connection.scalars(select(ModelEntry).where(ModelEntry.subject_id == row.id)))
            outcomes = list(connection.scalars(select(OutcomeRow).where(OutcomeRow.subject_id == row.id)))
            numbers = [session.id for session in sessions]
            runs = list(connection.scalars(select(RunRow).where(RunRow.session_id.in_(numbers))))
            counts = {
                "sessions": len(sessions),
                "runs": len(runs),
                "models": len(models),
                "outcomes": len(outcomes),
                "files": 0,
            }
            left = 0
            if files:
                others = set(connection.scalars(select(ModelEntry.path).where(ModelEntry.subject_id != row.id))) | set(
                    connection.scalars(select(SessionEntry.path).where(SessionEntry.subject_id != row.id))
                )
                for remove, entries in ((remove_session, sessions), (remove_model, models)):
                    for item in entries:
                        gone = remove(Path(item.path), codes, others)
                        counts["files"] += gone is True
                        left += gone is None
                from bcikit.recording.withdrawal import mark, withdraw_below

                counts["files"] += (derived := withdraw_below(within, codes))["files"]
                entered_models = set(connection.scalars(select(ModelEntry.path).where(ModelEntry.subject_id != row.id)))
                if marked := derived["models"] + sum(mark(Path(path), codes) for path in entered_models):
                    counts["marked"] = marked
            if left:
                # Not this person's, or not for certain: a person must look.
                counts["left"] = left
            append_entry(connection, self.who, ERASED, row, {"reason": reason, **counts})
            for group in (runs, outcomes, models, sessions, [row]):
                for entered in group:
                    connection.delete(entered)
                connection.flush()
        return counts

    def audit(self) -> list[AuditEntry]:
        """Return the audit trail, the oldest first; reasons of people who were erased cannot be read any more."""
        with self._reading() as connection:
            rows, people = _trail(connection), list(connection.scalars(select(Subject)))
        # Behind the transaction: what is opened for a reader must never be written.
        open_reasons(rows, people)
        return rows

    def verify_audit(self) -> int | None:
        """Return the number of the first entry that was changed or follows a removed one; None if all is whole.

        A trail that was replaced or removed as a whole shows, too, on a computer that wrote to it: its anchor is kept
        outside the database. The number is then that of the first entry that is not the one that was written.
        """
        with self._reading() as connection:
            rows = _trail(connection)
        broken = first_broken(rows)
        return broken if broken is not None else first_unanchored(rows, self._anchors.find(self.place))


def day_of(measured: str) -> str:
    """Return a day or time in the one form by which days are put in order; raises `ArgumentError` where it is none."""
    try:
        when = datetime.datetime.fromisoformat(measured)
    except ValueError:
        raise ArgumentError(f"measured is {measured!r}; it must be a date like 2026-05-31.") from None
    return when.isoformat() if when.time() != datetime.time() or when.tzinfo else when.date().isoformat()


def _trail(connection: Connection) -> list[AuditEntry]:
    return list(connection.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def find_subject(connection: Connection, code: str) -> Subject:
    """Return the row of a person; raises `ArgumentError` where the code is not entered."""
    row = connection.scalar(select(Subject).where(Subject.code == code))
    if row is None:
        raise ArgumentError(f"There is no subject {code!r} in the catalogue.")
    return row


def check_free(connection: Connection, code: str, *, owner: str = "") -> None:
    """Raise `ArgumentError` where a code would stand for two persons: folders and files are named by it.

    Codes that differ in their capitals alone are one on many disks; one that was somebody's before a correction still
    names that person's folders.

    Parameters
    ----------
    owner : str
        Who is renamed: may go back to a former code, and change the capitals.
    """
    for person in connection.scalars(select(Subject)):
        if person.code == owner:
            continue
        if person.code != code and person.code.lower() == code.lower():
            raise ArgumentError(f"{code} differs from {person.code}, which is entered already, in capitals alone.")
        if code.lower() in (str(former).lower() for former in person.data.get(FORMER, ())):
            raise ArgumentError(
                f"{code} was the code of {person.code} before it was corrected, and names its recordings; take another."
            )


def _paradigm_of(header: Mapping[str, Any]) -> str:
    paradigm = header.get("config", {}).get("paradigm", "")
    if isinstance(paradigm, Mapping):
        paradigm = paradigm.get("kind") or paradigm.get("name") or ""
    return str(paradigm)[:64]


def _secrets_of(url: URL) -> list[str]:
    """Return what of an address must not be shown."""
    found = [str(url.password)] if url.password else []
    for key, value in url.query.items():
        if "pass" in key.lower() or "secret" in key.lower() or "token" in key.lower():
            found += [value] if isinstance(value, str) else list(value)
    return [secret for secret in found if secret]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
