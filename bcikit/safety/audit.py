"""The audit log: JSON lines, append-only, chained by hashes, so that tampering shows."""

import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bcikit.safety.anchor import Anchor, Anchors
from bcikit.safety.levels import Level
from bcikit.signal import RecordingError, SafetyError
from bcikit.signal.disk import sync
from bcikit.signal.documents import json_of

FILE_NAME = "audit.jsonl"
HEAD_NAME = "audit.head"
_START = "0" * 64
ANCHOR_EVERY = 100
"""Records between two anchors; those of WARNING and above, and the end, have one of their own."""


def _canonical(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    # What is half a character (a name from a broken file name, say) becomes its JSON escape, and is read back as that.
    return text.encode("utf-8", "backslashreplace")


def _digest(previous: str, record: dict[str, Any], key: bytes | None) -> str:
    message = previous.encode() + _canonical(record)
    if key is not None:
        return hmac.new(key, message, hashlib.sha256).hexdigest()
    return hashlib.sha256(message).hexdigest()


class AuditLog:
    """Append-only log of who did what, when, from which state to which, and why.

    Each record carries the hash of the one before; a second small file holds the newest sequence number and hash, so
    that a line removed from the end shows, too. Records of WARNING and above are on the disk when `write` returns.
    A log that was removed, replaced, cut or continued by somebody else meanwhile is one that cannot be written.

    Parameters
    ----------
    folder : path
        Where `audit.jsonl` and `audit.head` are; made if needed. An existing log is continued if it is intact.
    session_id, subject : str
        Session and pseudonym, in each record.
    software, config_sha256 : str
        Version and hash of the configuration, in each record.
    key : bytes or None
        With a key the chain is an HMAC: only who has it can write a log that verifies.

    Raises
    ------
    SafetyError
        If the folder cannot be written, or an existing log is not intact.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        session_id: str = "",
        subject: str = "",
        software: str = "",
        config_sha256: str = "",
        key: bytes | None = None,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.session_id = session_id
        self.subject = subject
        self.software = software
        self.config_sha256 = config_sha256
        self._key = key
        self._previous = _START
        self._next = 0
        self._genesis = ""
        self._anchors = Anchors()
        path = self.folder / FILE_NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size:
                result = verify_audit(self.folder, key=key)
                if not result.intact:
                    raise SafetyError(f"{path} is not intact ({result.problem}); keep it and take another folder.")
                self._previous, self._next, self._genesis = result.head, result.n_records, result.genesis
            self._file = path.open("ab", buffering=0)
            self._size = os.fstat(self._file.fileno()).st_size
            self._head = (self.folder / HEAD_NAME).open("r+b" if (self.folder / HEAD_NAME).exists() else "w+b")
        except OSError as error:
            raise SafetyError(f"The audit log {path} cannot be written: {error.strerror or error}.") from error

    @property
    def head(self) -> str:
        """Hash of the newest record: the anchor that a report prints."""
        return self._previous

    def write(
        self,
        event: str,
        *,
        now: float,
        actor: str,
        level: Level = Level.INFO,
        from_state: str = "",
        to_state: str = "",
        rule_id: str = "",
        value: object = "",
        limit: object = "",
        action: str = "",
        reason: str = "",
    ) -> int:
        """Append one record and return its sequence number.

        Parameters
        ----------
        event : str
            What happened: "transition", "refused", "command", "acknowledged", "alarm".
        now : float
            Seconds on the engine's clock.

        Raises
        ------
        SafetyError
            If it cannot be written; nothing that depends on the record may happen then.
        """
        record: dict[str, Any] = {
            "seq": self._next,
            "t_utc": datetime.fromtimestamp(time.time(), tz=UTC).isoformat(timespec="microseconds"),
            "t_mono": now,
            "session_id": self.session_id,
            "subject": self.subject,
            "actor": actor,
            "event": event,
            "level": level.name,
            "from_state": from_state,
            "to_state": to_state,
            "rule_id": rule_id,
            "value": value,
            "limit": limit,
            "action": action,
            "reason": reason,
            "software": self.software,
            "config_sha256": self.config_sha256,
            "prev_hash": self._previous,
        }
        # What is hashed is what a reader will parse, whatever type `value` had; JSON has no NaN and no infinity.
        record = json.loads(_canonical(record), parse_constant=str)
        digest = _digest(self._previous, record, self._key)
        record["hash"] = digest
        line = _canonical(record) + b"\n"
        try:
            self._check_place()
            if self._file.write(line) != len(line):
                raise OSError("short write")
            self._size += len(line)
            if level >= Level.WARNING:
                sync(self._file.fileno())
            self._head.seek(0)
            self._head.write(f"{self._next:012d} {digest}\n".encode())
            self._head.flush()
        except (OSError, ValueError) as error:
            raise SafetyError(f"The audit log in {self.folder} cannot be written: {error}.") from error
        self._previous = digest
        self._next += 1
        if self._next == 1:
            self._genesis = digest
        if level >= Level.WARNING or self._next % ANCHOR_EVERY == 1:
            self._keep_anchor()
        return int(record["seq"])

    def _keep_anchor(self) -> None:
        if self._next:
            self._anchors.keep(str(self.folder), Anchor(self._genesis, self._previous, self._next))

    def _check_place(self) -> None:
        """Refuse to write where nobody will find it: a log that was moved, replaced, cut or written by another."""
        here, there = os.fstat(self._file.fileno()), (self.folder / FILE_NAME).stat()
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise OSError(f"{FILE_NAME} was replaced by another file")
        if here.st_size != self._size:
            raise OSError(f"{FILE_NAME} has {here.st_size} bytes, not the {self._size} that were written")

    def close(self) -> None:
        """Put everything on the disk and close; may be called twice.

        Raises
        ------
        SafetyError
            If the disk did not take it; the files are closed all the same.
        """
        failed: OSError | None = None
        if not self._file.closed:
            self._keep_anchor()
        for stream in (self._file, self._head):
            if stream.closed:
                continue
            try:
                stream.flush()
                sync(stream.fileno())
            except OSError as error:
                failed = error
            finally:
                stream.close()
        if failed is not None:
            raise SafetyError(f"The audit log in {self.folder} may not be complete: {failed}.") from failed


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What `verify_audit` found.

    Attributes
    ----------
    intact : bool
        Whether every record is as it was written.
    n_records : int
        Records that are.
    record : int or None
        Sequence number of the first that is not.
    problem : str
        What is wrong with it.
    head : str
        Hash of the newest intact record.
    genesis : str
        Hash of the first record; empty if there is none.
    anchored : bool
        Whether an anchor of this log, outside its folder, was found on this computer and agrees.
    """

    intact: bool
    n_records: int
    record: int | None = None
    problem: str = ""
    head: str = _START
    genesis: str = ""
    anchored: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "intact": self.intact,
            "n_records": self.n_records,
            "record": self.record,
            "problem": self.problem,
            "head": self.head,
            "anchored": self.anchored,
        }


def _record_problem(line: bytes, expected: int, previous: str, key: bytes | None) -> tuple[str, str]:
    """Return what is wrong with a line, or an empty text, and its hash."""
    try:
        record = json_of(line)
        claimed = record.pop("hash")
        sequence = record["seq"]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return f"record {expected}: the line is not a whole record (changed or cut)", ""
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not isinstance(claimed, str):
        return f"record {expected}: the line is not a whole record (changed or cut)", ""
    if sequence != expected and record.get("prev_hash") != previous:
        return f"record {expected} is missing: the next one is {sequence}", ""
    if not hmac.compare_digest(_digest(previous, record, key).encode(), claimed.encode(errors="replace")):
        # The first record of a log that is whole fits no hash of a wrong key.
        key_too = ", or written with a key" if key is None else ", or the key is another one"
        return f"record {expected}: its content does not match its hash (changed{'' if expected else key_too})", ""
    if _canonical({**record, "hash": claimed}) != line.rstrip(b"\n"):
        return f"record {expected}: the line is not written as it was (changed)", ""
    return "", claimed


def verify_audit(folder: str | os.PathLike[str], *, key: bytes | None = None) -> AuditResult:
    """Check every record of the audit log in `folder`, and the whole of it against its anchor.

    Parameters
    ----------
    folder : path
        A folder with `audit.jsonl`, such as a session folder.
    key : bytes or None
        The key the log was written with.

    Returns
    -------
    AuditResult
        The first record that was changed, removed or added is named; a log that was replaced as a whole is, too, on
        the computer that wrote it.

    Raises
    ------
    RecordingError
        If there is no log.
    """
    place = Path(folder).resolve()
    path = place / FILE_NAME
    anchors = Anchors()
    try:
        content = path.read_bytes()
    except OSError as error:
        if anchors.find(str(place)) is not None:
            problem = f"{FILE_NAME} is gone: a log was written here and was removed"
            return AuditResult(intact=False, n_records=0, record=0, problem=problem)
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}.") from error
    lines = content.split(b"\n")
    last = lines.pop()
    result = _verify_lines(lines, key)
    if result.intact and last:
        # The newline is part of the record: a cut line that happens to parse was not written like this.
        problem = f"record {len(lines)}: the line is not a whole record (changed or cut)"
        return replace(result, intact=False, record=len(lines), problem=problem)
    if result.intact:
        result = _check_head(place / HEAD_NAME, lines, result)
    return _check_anchor(anchors.find(str(place), result.genesis), lines, result) if result.intact else result


def _check_anchor(anchor: Anchor | None, lines: list[bytes], result: AuditResult) -> AuditResult:
    """Compare with the anchor: the log may have grown since, and is otherwise the same."""
    if anchor is None:
        return result
    if anchor.genesis != result.genesis:
        problem = "record 0: this is another log than the one that was written here (replaced as a whole)"
        return replace(result, intact=False, record=0, problem=problem)
    if anchor.count > result.n_records:
        problem = f"record {result.n_records} is missing: the log had {anchor.count} records"
        return replace(result, intact=False, record=result.n_records, problem=problem)
    if json_of(lines[anchor.count - 1])["hash"] != anchor.head:
        problem = f"record {anchor.count - 1} is not the one that was written (changed with all that follow)"
        return replace(result, intact=False, record=anchor.count - 1, problem=problem)
    return replace(result, anchored=True)


def _verify_lines(lines: list[bytes], key: bytes | None) -> AuditResult:
    result = AuditResult(intact=True, n_records=0)
    for number, line in enumerate(lines):
        problem, claimed = _record_problem(line, number, result.head, key)
        if problem:
            return replace(result, intact=False, record=number, problem=problem)
        result = replace(result, n_records=number + 1, head=claimed, genesis=result.genesis or claimed)
    return result


def _check_head(path: Path, lines: list[bytes], result: AuditResult) -> AuditResult:
    """Compare with the head file: it may be one record behind after a crash, never ahead."""
    count = result.n_records
    try:
        text = path.read_text("ascii", errors="replace").split()
        sequence, digest = int(text[0]), text[1]
        if sequence < 0:
            raise ValueError(sequence)
    except (OSError, ValueError, IndexError):
        problem = f"{path.name} is missing or damaged: records may have been removed after record {count - 1}"
        return replace(result, intact=False, n_records=count, record=count, problem=problem)
    if sequence >= count:
        problem = f"record {count} is missing: the log ends before record {sequence}, which was written"
        return replace(result, intact=False, n_records=count, record=count, problem=problem)
    if json_of(lines[sequence])["hash"] != digest or count - sequence > 2:
        problem = f"record {sequence}: {path.name} names another hash or another end (changed)"
        return replace(result, intact=False, n_records=sequence, record=sequence, problem=problem)
    return result
