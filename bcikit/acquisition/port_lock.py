"""A lock on a device's port: two programs that read one serial port take each other's bytes, and neither notices."""

import contextlib
import os
import tempfile
from pathlib import Path

from bcikit.signal import SourceError


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
        self.port = os.path.realpath(port)
        self._handle: int | None = None
        try:
            import fcntl
        except ImportError:
            # Windows opens a serial port for one program only.
            return
        _refuse_open(self.port)
        name = self.port.strip("/").replace("/", "-")
        path = Path(tempfile.gettempdir()) / f"bcikit-port-{name}.lock"
        with contextlib.suppress(PermissionError):
            # Made by another user: their lock cannot be looked at, only what /proc tells.
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(handle, 64).decode(errors="replace").strip()
                os.close(handle)
                raise SourceError(
                    f"{port} is in use by bcikit already (process {holder or 'unknown'}): two readers of one port take "
                    "each other's data. Stop the other one first."
                ) from None
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            self._handle = handle

    def release(self) -> None:
        """Give the port back. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


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
