"""The audit trail of the catalogue: every entry carries the hash of the one before."""

import datetime
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Connection

from bcikit.recording.tables_sql import FORMER, AuditEntry, Subject
from bcikit.safety.anchor import Anchor

ERASED = "erase subject"
"""The act after which a person has no key."""

SEALED = "sealed"


def append_entry(connection: Connection, who: str, action: str, subject: Subject, detail: Mapping[str, Any]) -> None:
    """Add an entry in the transaction of the act that it tells of.

    Parameters
    ----------
    connection : sqlalchemy.orm.Session
        The transaction.
    who, action : str
        Who did what.
    subject : Subject
        To whom; only a hash of the code is kept, keyed by the person's own key.
    detail : mapping
        Ready for JSON; must not name the person. Why something was corrected ("reason") is what somebody typed, and may
        name anybody: it is kept under the person's own key, which is erased with the person.
    """
    connection.flush()
    last = connection.scalar(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))
    previous = "" if last is None else last.hash
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    row = AuditEntry(
        time=time,
        who=who,
        action=action,
        subject=trail_name(subject, previous, time),
        detail=dict(detail),
        previous=previous,
    )
    if action != ERASED and "reason" in detail:
        row.detail = {**detail, "reason": {SEALED: _under_key(subject, row, detail["reason"].encode()).hex()}}
    row.hash = digest(row)
    connection.add(row)


def open_reasons(rows: Iterable[AuditEntry], people: Sequence[Subject]) -> None:
    """Put the words of reasons in place of what is sealed, where the person is still there."""
    for row in rows:
        reason = row.detail.get("reason")
        if not isinstance(reason, dict):
            continue
        for person in people:
            codes = (person.code, *person.data.get(FORMER, ()))
            if any(
                hmac.compare_digest(trail_name(person, row.previous, row.time, code), row.subject) for code in codes
            ):
                words = _under_key(person, row, bytes.fromhex(reason[SEALED])).decode()
                row.detail = {**row.detail, "reason": words}


def _under_key(subject: Subject, row: AuditEntry, text: bytes) -> bytes:
    """Seal or open a text: HMAC-SHA-256 in counter mode, once for each entry."""
    key = bytes.fromhex(subject.trail_key)
    stream = b"".join(
        hmac.new(key, f"reason|{row.previous}|{row.time}|{block}".encode(), hashlib.sha256).digest()
        for block in range(-(-len(text) // hashlib.sha256().digest_size))
    )
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def trail_name(subject: Subject, previous: str, time: str, code: str = "") -> str:
    """Return what stands for a person in an entry: the same person does not have the same name twice."""
    text = f"{previous}|{time}|{code or subject.code}"
    return hmac.new(bytes.fromhex(subject.trail_key), text.encode(), hashlib.sha256).hexdigest()


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


def trail_ends(connection: Connection, before: Anchor | None) -> Anchor | None:
    """Return the anchor of the trail as it is in this transaction; None if it does not hold the anchor before."""
    first = connection.scalar(select(AuditEntry.hash).order_by(AuditEntry.id).limit(1)) or ""
    last = connection.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or ""
    count = int(connection.scalar(select(func.count(AuditEntry.id))) or 0)
    if before is not None and before.count:
        place = select(AuditEntry.hash).order_by(AuditEntry.id).offset(before.count - 1).limit(1)
        if first != before.genesis or connection.scalar(place) != before.head:
            return None
    return Anchor(first, last, count)


def first_unanchored(rows: Sequence[AuditEntry], anchor: Anchor | None) -> int | None:
    """Return the number of the first entry of a whole trail that its anchor does not know; None if it knows all."""
    if anchor is None or not anchor.count:
        return None
    if not rows or rows[0].hash != anchor.genesis:
        return rows[0].id if rows else 1
    if len(rows) < anchor.count:
        return rows[-1].id + 1
    newest = rows[anchor.count - 1]
    return None if newest.hash == anchor.head else newest.id
