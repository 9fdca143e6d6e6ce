"""A file that only grows, and whose every append is whole or not there."""

import contextlib
import os
from pathlib import Path

from bcikit.signal.disk import lock, sync


class AppendFile:
    """Append-only file without a buffer in this process: what was appended survives the process.

    Parameters
    ----------
    path : Path
        A file that must not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o640)
        self.size = 0
        self._synced = 0

    def append(self, data: bytes) -> None:
        """Append all of `data` or nothing.

        Raises
        ------
        OSError
            If the system does not take it; the file is then as it was before.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError:
            # Cutting off works on a full disk, too.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Have the system put everything on the disk; does nothing where there is nothing new."""
        size = self.size
        if size != self._synced:
            sync(self._handle)
            self._synced = size

    @property
    def reachable(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        here = os.fstat(self._handle)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def copy_to(self, path: Path) -> None:
        """Copy the content, also of a file that was removed while it was open."""
        with path.open("wb") as target:
            # Appending is not disturbed: it always goes to the end.
            os.lseek(self._handle, 0, os.SEEK_SET)
            rest = self.size
            while rest and (block := os.read(self._handle, min(1 << 20, rest))):
                target.write(block)
                rest -= len(block)

    def lock(self) -> bool | None:
        """Keep other processes from recovering the file; False if another holds it, None where no locks are."""
        return lock(self._handle)

    def close(self) -> None:
        """Close; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
