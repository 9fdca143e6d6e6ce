"""Serial line: one line of JSON a message, for microcontrollers. Never for a stimulator: that belongs to the guard."""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from bcikit.outputs.base import Output
from bcikit.outputs.envelope import Sealer
from bcikit.outputs.reached import Reached
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import Command, MissingDependencyError, SourceError, check_int

_ASK_SECONDS = 1.0
"""How often a device that is gone is asked whether it is back."""


class SerialOutput(Output):
    r"""Writes short lines: ``{"seq":7,"do":"close","value":0.8,"ttl_ms":500}\n``.

    A microcontroller needs no more: it acts on a ``seq`` that grows, lets go after ``ttl_ms`` and on ``"do":"safe"``,
    which comes first and with which numbers begin anew. News are not sent. A line that does not fit into the driver's
    buffer is dropped, not waited for. A device that is gone (unplugged, switched off) is said and closes the gate; its
    port is not opened again within the session.

    Parameters
    ----------
    port : str
        "/dev/ttyUSB0", "COM3".
    baudrate : int
        Bits a second.
    """

    scheme: ClassVar[str] = "serial"
    body: ClassVar[str] = "port"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"baudrate": int}

    def __init__(self, port: str = "", *, baudrate: int = 115200) -> None:
        try:
            import serial
        except ImportError:
            raise MissingDependencyError("serial", "outputs", "A serial output") from None
        check_int("baudrate", baudrate, low=300, high=4_000_000)
        self._error: type[Exception] = serial.SerialException
        try:
            self._line: Any = serial.Serial(port or None, baudrate, timeout=0, write_timeout=0)
        except (serial.SerialException, ValueError) as error:
            raise SourceError(f"serial: the port {port!r} cannot be opened: {error}") from None
        self.port = port
        self._sealer = Sealer()
        self._sent = 0
        self._failed = 0
        self._torn = False
        self._reached = Reached(f"serial:{port}", Severity.DEGRADE)
        self._ask_at = 0.0
        self.safe("opened")

    def send(self, command: Command) -> None:
        """Write a command."""
        self._safe = False
        sealed = self._sealer.command(command)
        self._write({key: sealed[key] for key in ("seq", "ttl_ms", "value")} | {"do": command.name})

    def inform(self, message: Mapping[str, Any]) -> None:
        """Say nothing: a microcontroller has no screen."""

    def safe(self, reason: str = "") -> None:
        """Write the order to let go."""
        self._safe = True
        self._write({"seq": self._sealer.safe(reason)["seq"], "do": "safe"})

    def _write(self, message: dict[str, Any]) -> None:
        if self._line is None:
            return
        # What is left of a line that did not fit is ended first: else it would spoil this one, too.
        text = b"\n" * self._torn + json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            # Not by pyserial on POSIX: where the buffer is full, its write without a timeout tries for ever.
            nowait = partial(os.write, self._line.fileno()) if hasattr(self._line, "fileno") else self._line.write
            written = nowait(text)
        except (OSError, self._error) as error:
            self._failed += 1
            self._reached.failed(error)
            return
        self._reached.reached()
        whole = written is None or written == len(text)
        self._torn = not whole and (self._torn or written > 0)
        self._sent += whole
        self._failed += not whole

    def trouble(self) -> Reading | None:
        """Return that the device is gone, as long as it is; asked once a second by the order to let go."""
        if self._reached.problem and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK_SECONDS
            self.safe("not reached")
        return self._reached.trouble()

    def close(self) -> None:
        """Write "safe" and close the line."""
        if self._line is not None:
            self.safe("closed")
            self._line.close()
            self._line = None

    def state(self) -> dict[str, Any]:
        """Return the port and how often it failed."""
        counts = {"port": self.port, "sent": self._sent, "failed": self._failed, "safe": self._safe}
        return {**counts, **self._reached.state()}
