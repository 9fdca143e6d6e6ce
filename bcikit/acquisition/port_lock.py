"""A lock on a device's port: two programs that read one serial port take each other's bytes, and neither notices."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from bcikit.signal import SourceError
from bcikit.signal.disk import lock


class PortLock:
    """Holds a port for one source of one process, until it is released or the process ends.

    Parameters
    ----------
    port : str
        The port as the driver is told it ("/dev/ttyUSB0"); links are followed.

    Raises
    ------
    SourceError
        If another source, in this process or another, holds it, or another program has it open.
    """

    def __init__(self, port: str) -> None:
        self.port = _one_name(port)
        self._handle: int | None = None
        # Windows opens a serial port for one program only.
        if sys.platform != "win32":
            self._take(port)

    def _take(self, port: str) -> None:
        _refuse_open(self.port)
        name = self.port.strip("/").replace("/", "-")
        path = Path(tempfile.gettempdir()) / f"bcikit-port-{name}.lock"
        with contextlib.suppress(PermissionError):
            # Made by another user: their lock cannot be looked at, only what /proc tells.
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if lock(handle) is False:
                holder = os.read(handle, 64).decode(errors="replace").strip()
                os.close(handle)
                raise SourceError(
                    f"{port} is in use by bcikit already (process {holder or 'unknown'}): two readers of one port take "
                    "each other's data. Stop the other one first."
                )
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            self._handle = handle

    def release(self) -> None:
        """Give the port back. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _one_name(port: str) -> str:
    """Return a port by one name: links are followed, and of the two that macOS has for it, the calling one is taken."""
    path = os.path.realpath(port)
    return f"/dev/cu.{rest}" if (rest := path.removeprefix("/dev/tty.")) != path else path


def _refuse_open(port: str) -> None:
    """Refuse a port that another program has open, as far as Linux tells."""
    if not port.startswith("/dev/tty"):
        return
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(process.name) != os.getpid() and any(
                os.path.realpath(item) == port for item in process.glob("fd/*")
            ):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                raise SourceError(
                    f"{port} is open in another program ({name}, process {process.name}): two readers of one port take "
                    "each other's data. Close it first."
                )
