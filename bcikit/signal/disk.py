"""What a file needs to be whole and alone, on each system: put on the disk, put in the place of another, locked."""

import contextlib
import ctypes
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 2.0
"""How long a file on Windows may be held by whoever reads it, or by a virus scanner, before it cannot be replaced."""

_FAR = 0x7FFF_FFFF
"""Upper half of the place of the byte that is locked on Windows: no file ends there, and nobody reads it."""


def sync(handle: int) -> None:
    """Have the system put a file on the disk.

    On macOS `fsync` leaves the bytes in the drive's own memory; F_FULLFSYNC does not (fsync(2) there), but not every
    file system has it.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def put(fresh: Path, path: Path) -> None:
    """Put a file in the place of another: at any moment the old or the new one is there, whole.

    Raises
    ------
    OSError
        If it cannot be; on Windows also where another program has held the old one open for seconds.
    """
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            fresh.replace(path)
            break
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > limit:
                raise
            time.sleep(0.01)
    if sys.platform != "win32":
        # The name is the folder's; file systems that cannot say so have no such step.
        with contextlib.suppress(OSError):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file that is there as a whole or not at all, whenever the process is killed or the power goes.

    Parameters
    ----------
    path : Path
        A link of that name is replaced, not followed; its folder must be there.
    data : bytes
        All of it.
    private : bool
        For this user's eyes only, from its first moment on. Where a system has no such rights, those of the folder
        hold.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(fresh, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
        put(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def lock(handle: int) -> bool | None:
    """Lock an open file for this process, until it is closed or the process ends; False if another holds it.

    None where nobody can say: many network drives have no locks (ENOLCK, EOPNOTSUPP), and those that have want a file
    that is open for writing (EBADF; flock(2)).
    """
    if sys.platform == "win32":
        return _lock_windows(handle)
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


class _Overlapped(ctypes.Structure):
    """OVERLAPPED of the Windows API, of which a lock reads the place alone."""

    _fields_ = (
        ("internal", ctypes.c_size_t),
        ("internal_high", ctypes.c_size_t),
        ("offset", ctypes.c_uint32),
        ("offset_high", ctypes.c_uint32),
        ("event", ctypes.c_void_p),
    )


def windows_api() -> Any:
    """Return the functions of Windows itself."""
    return ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]


def _lock_windows(handle: int) -> bool:
    import msvcrt

    # A lock there keeps others from reading what is locked, so one byte is taken where no file ever is.
    exclusive_and_at_once = 3
    place = _Overlapped(offset_high=_FAR)
    of_system = msvcrt.get_osfhandle(handle)  # type: ignore[attr-defined,unused-ignore]
    return bool(
        windows_api().LockFileEx(ctypes.c_void_p(of_system), exclusive_and_at_once, 0, 1, 0, ctypes.byref(place))
    )
