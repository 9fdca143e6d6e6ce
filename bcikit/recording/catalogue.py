"""The session catalogue: who was seen when, what came out, and who did what to it."""

import contextlib
import datetime
import getpass
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, String, cast, create_engine, event, func, or_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session as Connection
from sqlalchemy.orm import sessionmaker

from bcikit.recording.audit_trail import append_entry, first_broken
from bcikit.recording.header import read_header
from bcikit.recording.tables_sql import AuditEntry, Base, ModelEntry, Outcome, Run, SessionEntry, Subject
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def default_url() -> str:
    """Return the address of the catalogue in the data folder of this user."""
    import platformdirs

    folder = Path(platformdirs.user_data_dir("bcikit", appauthor=False))
    return f"sqlite:///{folder / 'catalogue.sqlite'}"


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


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
        try:
            if self.url.startswith("sqlite:///"):
                Path(self.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(self.url)
            if self._engine.dialect.name == "sqlite":
                _prepare_sqlite(self._engine)
            Base.metadata.create_all(self._engine)
        except ModuleNotFoundError as error:
            raise MissingDependencyError(str(error.name), "postgres", f"The catalogue at {self.url}") from error
        except (SQLAlchemyError, OSError) as error:
            raise RecordingError(f"The catalogue at {self.url} cannot be opened: {error}") from error
        self._connect = sessionmaker(self._engine, expire_on_commit=False)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._connect.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise RecordingError(f"The catalogue has that already: {error.orig}") from error
        except SQLAlchemyError as error:
            raise RecordingError(f"The catalogue at {self.url} failed: {error}") from error

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
        """
        if not _CODE.fullmatch(code):
            raise ArgumentError(f"code is {code!r}; allowed: up to 64 letters, digits, '-' and '_' (a code, no name).")
        row = Subject(
            code=code,
            created=utc_now(),
            birth_year=birth_year,
            hand=hand,
            affected_side=affected_side,
            data=dict(data or {}),
        )
        with self._transaction() as connection:
            connection.add(row)
            append_entry(connection, self.who, "add subject", code, {})
        return row

    def subject(self, code: str) -> Subject:
        """Return a person.

        Raises
        ------
        ArgumentError
            If the code is not in the catalogue.
        """
        with self._transaction() as connection:
            return _find(connection, code)

    def subjects(self, search: str = "") -> list[Subject]:
        """Return all persons whose code holds `search`, in order of their codes."""
        with self._transaction() as connection:
            wanted = select(Subject).where(Subject.code.icontains(search, autoescape=True)).order_by(Subject.code)
            return list(connection.scalars(wanted))

    def update_subject(self, code: str, **changes: Any) -> Subject:
        """Change what is known of a person: birth_year, hand, affected_side, data."""
        with self._transaction() as connection:
            row = _find(connection, code)
            for name, value in changes.items():
                if name not in ("birth_year", "hand", "affected_side", "data"):
                    raise ArgumentError(f"{name!r} of a subject cannot be changed.")
                setattr(row, name, value)
            append_entry(connection, self.who, "update subject", code, {"fields": sorted(changes)})
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
        """Enter a session folder of a person; when it was and how it ended is read from its header."""
        folder = Path(path).resolve()
        header = read_header(folder)
        with self._transaction() as connection:
            row = SessionEntry(
                subject_id=_find(connection, subject).id,
                path=str(folder),
                started=str(header["started"]),
                paradigm=paradigm or _paradigm_of(header),
                status=str(header["status"]),
                seconds=seconds,
                results=dict(results or {}),
                notes=notes,
            )
            connection.add(row)
            append_entry(connection, self.who, "add session", subject, {"paradigm": row.paradigm})
        return row

    def sessions(self, subject: str = "", *, paradigm: str = "", search: str = "") -> list[SessionEntry]:
        """Return sessions in order of time: of one person, of one paradigm, with a text in path, notes or results."""
        wanted = select(SessionEntry).order_by(SessionEntry.started, SessionEntry.id)
        with self._transaction() as connection:
            if subject:
                wanted = wanted.where(SessionEntry.subject_id == _find(connection, subject).id)
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
    ) -> Run:
        """Enter a run of a session; it gets the next number where none is given."""
        with self._transaction() as connection:
            if connection.get(SessionEntry, session) is None:
                raise ArgumentError(f"There is no session {session} in the catalogue.")
            if number is None:
                number = 1 + int(connection.scalar(select(func.max(Run.number)).where(Run.session_id == session)) or 0)
            row = Run(session_id=session, number=number, kind=kind, results=dict(results or {}))
            connection.add(row)
        return row

    def runs(self, session: int) -> list[Run]:
        """Return the runs of a session, in order."""
        with self._transaction() as connection:
            return list(connection.scalars(select(Run).where(Run.session_id == session).order_by(Run.number)))

    def add_model(
        self,
        subject: str,
        path: str | Path,
        *,
        decoder: str = "",
        paradigm: str = "",
        scores: Mapping[str, Any] | None = None,
    ) -> ModelEntry:
        """Enter a model file of a person."""
        with self._transaction() as connection:
            row = ModelEntry(
                subject_id=_find(connection, subject).id,
                path=str(Path(path).resolve()),
                created=utc_now(),
                decoder=decoder,
                paradigm=paradigm,
                scores=dict(scores or {}),
            )
            connection.add(row)
            append_entry(connection, self.who, "add model", subject, {"decoder": decoder})
        return row

    def models(self, subject: str, *, paradigm: str = "") -> list[ModelEntry]:
        """Return the models of a person, the newest last."""
        with self._transaction() as connection:
            wanted = select(ModelEntry).where(ModelEntry.subject_id == _find(connection, subject).id)
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
    ) -> Outcome:
        """Enter a clinical measure; it was taken today where `measured` is left out."""
        when = utc_now() if measured is None else str(measured)
        try:
            datetime.datetime.fromisoformat(when)
        except ValueError:
            raise ArgumentError(f"measured is {when!r}; it must be a date like 2026-05-31.") from None
        with self._transaction() as connection:
            row = Outcome(
                subject_id=_find(connection, subject).id,
                scale=scale,
                value=float(value),
                unit=unit,
                measured=when,
                session_id=session,
                notes=notes,
            )
            connection.add(row)
            append_entry(connection, self.who, "add outcome", subject, {"scale": scale})
        return row

    def outcomes(self, subject: str, scale: str = "") -> list[Outcome]:
        """Return the measures of a person in order of time, of one scale or of all."""
        with self._transaction() as connection:
            wanted = select(Outcome).where(Outcome.subject_id == _find(connection, subject).id)
            if scale:
                wanted = wanted.where(Outcome.scale == scale)
            return list(connection.scalars(wanted.order_by(Outcome.measured, Outcome.id)))

    def trend(self, subject: str, measure: str) -> list[tuple[str, float]]:
        """Return times and values of an outcome scale or, where none has that name, of a result of the sessions."""
        outcomes = self.outcomes(subject, measure)
        if outcomes:
            return [(row.measured, row.value) for row in outcomes]
        found = [(row.started, row.results.get(measure)) for row in self.sessions(subject)]
        return [(when, float(value)) for when, value in found if isinstance(value, int | float)]

    # -- right to be forgotten, and who did what ----------------------------------------------------------------------

    def erase_subject(self, code: str, *, reason: str, files: bool = False) -> dict[str, int]:
        """Erase a person and everything entered of it; only the fact stays in the audit trail.

        Parameters
        ----------
        code : str
            Whose.
        reason : str
            Why, for the audit trail; it must not name the person.
        files : bool
            Whether the session folders and model files are removed, too.

        Returns
        -------
        dict of str to int
            How many sessions, runs, models, outcomes and files went.
        """
        if not reason.strip():
            raise ArgumentError("reason must say why the person is erased.")
        if code.lower() in reason.lower():
            raise ArgumentError("reason must not name the person: it stays in the audit trail.")
        with self._transaction() as connection:
            row = _find(connection, code)
            sessions = list(connection.scalars(select(SessionEntry).where(SessionEntry.subject_id == row.id)))
            models = list(connection.scalars(select(ModelEntry).where(ModelEntry.subject_id == row.id)))
            outcomes = list(connection.scalars(select(Outcome).where(Outcome.subject_id == row.id)))
            numbers = [session.id for session in sessions]
            runs = list(connection.scalars(select(Run).where(Run.session_id.in_(numbers))))
            paths = [Path(item.path) for item in sessions] + [Path(item.path) for item in models]
            counts = {
                "sessions": len(sessions),
                "runs": len(runs),
                "models": len(models),
                "outcomes": len(outcomes),
                "files": sum(_remove(path) for path in paths) if files else 0,
            }
            for group in (runs, outcomes, models, sessions, [row]):
                for item in group:
                    connection.delete(item)
                connection.flush()
            append_entry(connection, self.who, "erase subject", code, {"reason": reason, **counts})
        return counts

    def audit(self) -> list[AuditEntry]:
        """Return the audit trail, the oldest first."""
        with self._transaction() as connection:
            return list(connection.scalars(select(AuditEntry).order_by(AuditEntry.id)))

    def verify_audit(self) -> int | None:
        """Return the number of the first entry that was changed or follows a removed one; None if all is whole."""
        return first_broken(self.audit())


def _find(connection: Connection, code: str) -> Subject:
    row = connection.scalar(select(Subject).where(Subject.code == code))
    if row is None:
        raise ArgumentError(f"There is no subject {code!r} in the catalogue.")
    return row


def _paradigm_of(header: Mapping[str, Any]) -> str:
    paradigm = header.get("config", {}).get("paradigm", "")
    if isinstance(paradigm, Mapping):
        paradigm = paradigm.get("kind") or paradigm.get("name") or ""
    return str(paradigm)[:64]


def _remove(path: Path) -> bool:
    """Remove a session folder or a model file; return whether there was one."""
    if path.is_dir():
        shutil.rmtree(path)
        return True
    if path.is_file():
        path.unlink()
        return True
    return False


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is erased is overwritten, not only unlinked.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
