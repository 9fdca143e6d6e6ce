"""The audit trail of the catalogue: every entry carries the hash of the one before."""

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Connection

from bcikit.recording.tables_sql import AuditEntry


def append_entry(connection: Connection, who: str, action: str, code: str, detail: Mapping[str, Any]) -> None:
    """Add an entry in the transaction of the act that it tells of.

    Parameters
    ----------
    connection : sqlalchemy.orm.Session
        The transaction.
    who, action : str
        Who did what.
    code : str
        To which subject; only a salted hash of it is kept.
    detail : mapping
        Ready for JSON; must not name the person.
    """
    connection.flush()
    last = connection.scalar(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))
    previous = "" if last is None else last.hash
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    # The time and the entry before are the salt: the same code does not get the same hash twice.
    subject = hashlib.sha256(f"{previous}|{time}|{code}".encode()).hexdigest()
    row = AuditEntry(time=time, who=who, action=action, subject=subject, detail=dict(detail), previous=previous)
    row.hash = digest(row)
    connection.add(row)


def digest(row: AuditEntry) -> str:
    """Return the SHA-256 of an entry and the one before."""
    values = [row.time, row.who, row.action, row.subject, row.detail, row.previous]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def first_broken(rows: Iterable[AuditEntry]) -> int | None:
    """Return the number of the first entry that does not fit the one before or its own hash; None if all do."""
    previous = ""
    for row in rows:
        if row.previous != previous or row.hash != digest(row):
            return row.id
        previous = row.hash
    return None
