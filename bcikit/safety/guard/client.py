"""GuardClient: the engine's end of the line to the guard."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

from bcikit.safety.guard.protocol import BEAT_S, MAX_BYTES, authentic, pack, role_key
from bcikit.signal import SafetyError
from bcikit.signal.documents import json_of
from bcikit.signal.processes import on_its_own


class GuardError(SafetyError):
    """The guard cannot be started or does not answer."""


class GuardSilentError(GuardError):
    """The guard is there, or may be, and says nothing: nobody knows what its driver does."""


class GuardClient:
    """Talks to a guard: commands, heartbeat, stop.

    A thread sends the heartbeat, but only as long as the engine says `alive` often enough: an engine that hangs in a
    decoder stops its own heart.

    Parameters
    ----------
    port : int
        UDP port of the guard on loopback.
    key : bytes
        Of that role: whoever started the guard has them all (`role_key`).
    role : str
        "engine", "dead-man", "operator" (stops), "observer" (asks for the state).
    progress_s : float
        Longest time between two calls of `alive` (or `send`) after which the heartbeat pauses.
    """

    def __init__(self, port: int, key: bytes, *, role: str = "engine", progress_s: float = 0.5) -> None:
        self.port = port
        self.key = key
        self._role = role
        self._progress_s = progress_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        # Larger than that of any sender before it: a window that was started anew is heard at once.
        self._sequence = time.monotonic_ns()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._alive_at = time.monotonic()
        self._closing = threading.Event()
        self._beating: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def launch(
        cls,
        driver: str = "sim-hand",
        *,
        dead_man: bool = False,
        log: str | os.PathLike[str] | None = None,
        progress_s: float = 0.5,
        timeout: float = 10.0,
    ) -> Self:
        """Start a guard process and connect to it.

        Parameters
        ----------
        driver : str
            "sim-hand", "sim-fes" or "serial-fes:PORT".
        dead_man : bool
            Whether the guard wants a dead-man switch held.
        log : path or None
            File for one JSON line a trip.

        Raises
        ------
        GuardError
            If it does not start.
        """
        command = [sys.executable, "-m", "bcikit.safety.guard", "--driver", driver]
        command += ["--dead-man"] if dead_man else []
        command += ["--log", os.fspath(log)] if log is not None else []
        key = secrets.token_bytes(32)
        # A session of its own: Ctrl-C in the terminal ends the engine, and the guard sees that and goes safe.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **on_its_own()
        )
        try:
            port = _read_port(process, key, timeout)
        except BaseException:
            process.kill()
            process.wait(timeout=5.0)
            _close_pipes(process)
            raise
        client = cls(port, key, progress_s=progress_s)
        client._process = process
        return client

    @property
    def pid(self) -> int | None:
        """Process id of a guard that `launch` started."""
        return None if self._process is None else self._process.pid

    def role_key(self, role: str) -> bytes:
        """Return the key of a role, to be handed to a program that may speak for it and for no other.

        Raises
        ------
        GuardError
            If this is not the engine, whose key leads to the others.
        """
        if self._role not in (role, "engine"):
            raise GuardError(f"Who has the key of {self._role!r} has not that of {role!r}.")
        return self.key if role == self._role else role_key(self.key, role)

    def arm(self) -> None:
        """Leave the safe state and start the heartbeat.

        Raises
        ------
        GuardError
            If the guard refuses, or the heart cannot begin; the message says why.
        """
        self.alive()
        # Before anything moves: an engine whose heart does not beat is not to be trusted with the next 115 ms either.
        if self._beating is None:
            beating = threading.Thread(target=self._beat, name="guard heartbeat", daemon=True)
            try:
                beating.start()
            except (RuntimeError, MemoryError) as error:
                raise GuardError(f"The heartbeat to the guard cannot begin: {error}.") from None
            self._beating = beating
        answer = self._ask("arm")
        if not answer["armed"]:
            raise GuardError(f"The guard is not armed: {answer['trip']}.")

    def alive(self) -> None:
        """Say that the engine's loop goes round."""
        self._alive_at = time.monotonic()

    def send(
        self, name: str, value: float | str | None = None, *, ttl: float = 0.25, data: dict[str, Any] | None = None
    ) -> None:
        """Send a command that lives for `ttl` seconds."""
        self.alive()
        self._send({"do": "command", "name": name, "value": value, "ttl": ttl, "data": data or {}})

    def hold(self, *, held: bool) -> None:
        """Say whether the dead-man switch is held; renew it at least every 40 ms.

        Whoever reads the switch in the engine's process says so in the role of the switch: the engine has no say in it.
        """
        self._send({"do": "dead-man", "held": held}, role="dead-man" if self._role == "engine" else self._role)

    def safe(self, reason: str, *, latch: bool = False) -> None:
        """Go safe at once and stay there; with `latch`, and for a person's roles always, until a person undoes it."""
        self._send({"do": "safe", "reason": reason, "latch": latch})

    def release(self, who: str, reason: str) -> None:
        """Hand on that a person undid a stop, so that the guard can be armed again.

        Raises
        ------
        GuardError
            If the guard does not take it.
        """
        answer = self._ask("release", who=who, reason=reason)
        if answer["latched"]:
            raise GuardError(f"The guard stays as it is: {answer['trip']}.")

    def state(self) -> dict[str, Any]:
        """Return the guard's state.

        Raises
        ------
        GuardError
            If it does not answer within half a second.
        """
        return self._ask("state")

    def close(self) -> None:
        """Go safe, end the guard that `launch` started, and close. May be called twice."""
        self._closing.set()
        if self._beating is not None:
            self._beating.join(timeout=1.0)
        if self._process is not None:
            # If it is gone already, it went safe before.
            with contextlib.suppress(OSError, GuardError):
                self._send({"do": "quit"})
            self._reap()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reap(self) -> None:
        assert self._process is not None
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=2.0)
        _close_pipes(self._process)

    def _beat(self) -> None:
        # Twice as often as the guard expects: one late wake-up must not stop a session.
        while not self._closing.wait(BEAT_S / 2):
            if time.monotonic() - self._alive_at <= self._progress_s:
                try:
                    self._send({"do": "beat"})
                except (OSError, GuardError):
                    return

    def _send(self, message: dict[str, Any], *, role: str = "") -> int:
        key = self.role_key(role or self._role)
        with self._lock:
            sequence = self._sequence
            self._sequence += 1
            whole = {"v": 1, "from": role or self._role, "seq": sequence, "t": time.monotonic(), **message}
            try:
                self._socket.send(pack(whole, key))
            except ConnectionRefusedError:
                # The answer to an earlier datagram: nobody listens any more.
                raise GuardError("The guard is gone.") from None
        return sequence

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        with self._asking:
            for _ in range(2):
                sequence = self._send({"do": do, **more})
                limit = time.monotonic() + 0.5
                while (left := limit - time.monotonic()) > 0:
                    self._socket.settimeout(left)
                    try:
                        datagram = self._socket.recv(MAX_BYTES)
                    except TimeoutError:
                        break
                    except ConnectionError:
                        raise GuardError("The guard is gone.") from None
                    finally:
                        self._socket.settimeout(None)
                    if authentic(datagram, self.key):
                        answer: dict[str, Any] = json_of(datagram[65:])
                        if answer.get("answer") == sequence:
                            return answer
        raise GuardSilentError("The guard does not answer.")


def _read_port(process: subprocess.Popen[bytes], key: bytes, timeout: float) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(key.hex().encode() + b"\n")
    process.stdin.flush()
    line: list[bytes] = []
    reader = threading.Thread(target=lambda: line.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(timeout)
    try:
        return int(json_of(line[0])["port"])
    except (IndexError, ValueError, KeyError):
        raise GuardError("The guard did not start; its message is on standard error.") from None


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()
