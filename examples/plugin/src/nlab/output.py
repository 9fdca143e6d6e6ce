"""An output: writes what is switched on into a text file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from bcikit.outputs import Latch, Output
from bcikit.signal import Command


class Logbook(Output):
    """``logbook:FILE``: a line a command, and one when it lets go.

    Parameters
    ----------
    path : str
        File to append to.
    """

    scheme: ClassVar[str] = "logbook"
    actuator: ClassVar[bool] = False
    body: ClassVar[str] = "path"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {}

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed in close()
        self._latch = Latch()

    def send(self, command: Command) -> None:
        """Write a line."""
        if self._latch.take(command):
            self._write(f"{command.sequence} {command.name} {command.value}")

    def safe(self, reason: str = "") -> None:
        """Write that it lets go."""
        if self._latch.command is not None:
            self._write(f"off {reason}")
        self._latch.release()

    def tick(self, now: float) -> None:
        """Let go of what expired."""
        if self._latch.expire(now):
            self._write("off expired")

    def state(self) -> dict[str, Any]:
        """Return what is on."""
        command = self._latch.command
        return {"safe": command is None, "lamp": None if command is None else command.value}

    def close(self) -> None:
        """Let go and close the file."""
        self.safe("closed")
        self._file.close()

    def _write(self, line: str) -> None:
        if not self._file.closed:
            self._file.write(line + "\n")
            self._file.flush()
