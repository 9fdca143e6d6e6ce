"""What runs a session for the clinic window: the engine in a process of its own, which outlives the window."""

import contextlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bcikit.recording.result import RESULT, read_result
from bcikit.session.config import SessionConfig
from bcikit.session.earlier import OWN
from bcikit.session.ticket import Ticket
from bcikit.signal import BciError, RecordingError
from bcikit.signal.documents import json_of, read_json
from bcikit.signal.messages import Happened, Message, Sent, Snapshot, record, to_json
from bcikit.signal.processes import end_process, is_process_id, on_its_own, process_is_alive, process_mark
from bcikit.ui.session_link import SessionLink

LAST_WORDS_SECONDS = 3.0
"""An engine that is gone has cut its line; where a child of it holds that open, it is not waited for longer."""


@dataclass(frozen=True)
class SessionJob:
    """A session to run.

    Attributes
    ----------
    config : SessionConfig
        With the folder to record into.
    operator : str
        Who arms it.
    subject : str
        Pseudonymous code.
    consent, screening : dict
        What is shown to the safety room when it is armed.
    stop_tested : bool
        Whether the stop key was pressed and stopped an engine in this visit.
    idle : dict
        Idle test of this visit: ``activations`` and ``seconds``; empty where there was none.
    """

    config: SessionConfig
    operator: str
    subject: str
    consent: dict[str, Any] = field(default_factory=dict)
    screening: dict[str, Any] = field(default_factory=dict)
    stop_tested: bool = False
    idle: dict[str, Any] = field(default_factory=dict)


class SessionRunner(Protocol):
    """Runs one session at a time and tells what happens in it."""

    @property
    def running(self) -> bool:
        """True from the start until the result was polled."""

    @property
    def handshake(self) -> str:
        """What `attach` needs to find the running session again."""

    def start(self, job: SessionJob) -> None:
        """Start a session; raises `BciError` if that is refused at once."""

    def attach(self, handshake: str) -> bool:
        """Take up a session that goes on without a window; False if it is over."""

    def poll(self) -> list[dict[str, Any]]:
        """Return messages since the last call.

        They are those of the engine (see `bcikit.ui.status`), and at the end one of type "result" (with
        ``values`` and ``folder``) or "failed" (with ``error`` and ``folder``). What a window that joins is told of what
        was before has ``past`` set to True.
        """

    def send(self, what: str, **details: Any) -> int:
        """Give an order; returns a number to ask `heard` for."""

    def heard(self, ticket: int) -> str | None:
        """Return "" where the engine has the order, why it has it not, or None while that is not known."""

    @property
    def age(self) -> float | None:
        """Seconds since the engine said anything; None before its first word."""

    @property
    def waited(self) -> float:
        """Seconds since it was started or taken up."""

    def detach(self) -> None:
        """Leave the session to itself: the window goes, the session stays."""


class EngineRunner:
    """Runs the engine in a process of its own.

    Parameters
    ----------
    folder : Path
        Where jobs and handshakes are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._handshake: Path | None = None
        self._session: dict[str, Any] = {}
        self.link: SessionLink | None = None
        self._since = time.monotonic()
        self._gone_since: float | None = None

    @property
    def running(self) -> bool:
        """True from the start until the result was polled."""
        return self._handshake is not None

    @property
    def handshake(self) -> str:
        """Path of the handshake file."""
        return "" if self._handshake is None else str(self._handshake)

    def start(self, job: SessionJob) -> None:
        """Start the engine's process."""
        if self.running:
            raise BciError("A session is running already.")
        self._folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(4)
        self._handshake = self._folder / f"run-{name}.json"
        work = self._folder / f"job-{name}.json"
        values = {
            "config": job.config.to_dict(),
            "operator": job.operator,
            "subject": job.subject,
            "consent": job.consent,
            "screening": job.screening,
            "stop_tested": job.stop_tested,
            "idle": job.idle,
            "handshake": str(self._handshake),
        }
        work.touch(mode=0o600)
        work.write_text(json.dumps(values), encoding="utf-8")
        self._session = {"folder": job.config.recording.folder}
        self._since = time.monotonic()
        command = [sys.executable, "-m", "bcikit.clinic.engine_process", str(work)]
        # In a session of its own, and with no line to the window's terminal: closing it does not end the therapy.
        with self._handshake.with_suffix(".log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **on_its_own()
            )
        self._pid = self._process.pid

    def attach(self, handshake: str) -> bool:
        """Take up a running engine by its handshake file."""
        path, before = Path(handshake), self._session
        try:
            session = read_handshake(path)
            pid = session["pid"] if _runs(session) else 0
            self._session = session
            self._connect()
        except (OSError, ValueError, BciError):
            self._session = before
            return False
        self._handshake, self._pid = path, pid
        self._since = time.monotonic()
        return True

    def _connect(self) -> None:
        ticket = Ticket.from_environment(self._session["control"])
        if ticket is None:
            raise BciError("The handshake of the engine holds no ticket.")
        self.link = SessionLink(ticket, signals=False).start()

    def poll(self) -> list[dict[str, Any]]:
        """Return what the engine said, and its result once it is over."""
        if self._handshake is None:
            return []
        if self.link is None and self._handshake.is_file():
            with contextlib.suppress(ValueError):
                self._session = read_handshake(self._handshake)
                self._connect()
        # Before its words are taken: none may come between them and its end.
        over = not self._alive() and not self._still_read()
        messages = []
        if self.link is not None:
            for message in self.link.take():
                messages += _as_dicts(message)
        if over:
            messages.append(self._ending())
            self._clear()
        return messages

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return process_is_alive(self._pid)

    def _still_read(self) -> bool:
        """Return whether last words of an engine that is gone may be on their way: its line is read to the end."""
        if self.link is None or not self.link.connected:
            return False
        now = time.monotonic()
        self._gone_since = now if self._gone_since is None else self._gone_since
        return now - self._gone_since < LAST_WORDS_SECONDS

    def _ending(self) -> dict[str, Any]:
        folder = str(self._session.get("folder", ""))
        if (Path(folder) / RESULT).is_file():
            try:
                return {"type": "result", "folder": folder, "values": read_result(Path(folder))}
            except RecordingError as damaged:
                return {"type": "failed", "folder": folder, "error": str(damaged)}
        assert self._handshake is not None
        trouble = self._handshake.with_suffix(".error")
        error = trouble.read_text(encoding="utf-8") if trouble.is_file() else "The engine ended without a result."
        return {"type": "failed", "folder": folder, "error": error}

    def send(self, what: str, **details: Any) -> int:
        """Give the engine an order."""
        # One that cannot be reached yet is told so, not forgotten.
        return -1 if self.link is None else self.link.orders.send(what, **details)

    def heard(self, ticket: int) -> str | None:
        """Return "" where the engine has the order, why it has it not, or None while that is not known."""
        return "The engine cannot be reached." if self.link is None else self.link.orders.heard(ticket)

    @property
    def age(self) -> float | None:
        """Seconds since the engine said anything; None before its first word."""
        return None if self.link is None or not self.link.joined else self.link.age

    @property
    def waited(self) -> float:
        """Seconds since it was started or taken up."""
        return time.monotonic() - self._since

    def _clear(self) -> None:
        self.detach()
        if self._handshake is not None:
            for suffix in (".json", ".error", ".log"):
                self._handshake.with_suffix(suffix).unlink(missing_ok=True)
        self._handshake, self._process, self._session, self._pid = None, None, {}, 0
        self._gone_since = None

    def detach(self) -> None:
        """Close the lines to the engine; it goes on."""
        if self.link is not None:
            self.link.halt()
        self.link = None

    def kill(self) -> None:
        """End the engine's process; for tests and for a session that cannot be stopped otherwise."""
        if self._alive() and self._pid:
            end_process(self._pid)
            for _ in range(100):
                if not self._alive():
                    break
                time.sleep(0.05)
            if self._alive():
                end_process(self._pid, hard=True)
        if self._process is not None:
            self._process.wait(10.0)
        self._clear()


def _as_dicts(message: Message) -> list[dict[str, Any]]:
    """Return a message as the pages take it: its JSON with its row beside; of a snapshot every part.

    Those parts are marked as "past": they are shown, and nothing is done because of them.
    """
    if isinstance(message, Snapshot):
        head: list[dict[str, Any]] = [{"type": "snapshot", "messages": []}]
        return head + [{**item, "past": True} for part in message.messages for item in _as_dicts(part)]
    if isinstance(message, Happened) and message.event.source not in OWN:
        # What a source or a page says under any name steers no page, and is counted by none.
        return []
    # Only these have a row of their own beside their JSON; of all others a row holds objects, not values.
    row = record(message) if isinstance(message, Happened | Sent) else {}
    return [{**json_of(to_json(message)), **row, "type": message.type}]


def running_handshake(path: Path) -> dict[str, Any] | None:
    """Return what an engine that runs said of itself; None where none runs, or it cannot be read."""
    try:
        values = read_handshake(path)
    except (OSError, ValueError):
        return None
    return values if _runs(values) else None


def _runs(handshake: Mapping[str, Any]) -> bool:
    """Return whether the engine of a handshake runs still.

    After a power cut the number may be that of any program, which is neither heard nor ended.
    """
    pid = handshake["pid"]
    return process_is_alive(pid) and handshake.get("mark", "") == process_mark(pid)


def read_handshake(path: Path) -> dict[str, Any]:
    """Return what an engine said of itself.

    Raises
    ------
    ValueError
        If it is not what engines write.
    """
    values = read_json(path)
    kinds = {"pid": int, "control": dict, "folder": str}
    wrong = [name for name, kind in kinds.items() if not isinstance(values, dict) or type(values.get(name)) is not kind]
    if (
        wrong
        or not is_process_id(values["pid"])
        or not all(isinstance(text, str) for text in values["control"].values())
    ):
        raise ValueError(f"{path} is no handshake of an engine: {', '.join(wrong) or 'pid'}.")
    return dict(values)
