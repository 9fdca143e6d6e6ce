"""Whether a process is there, and still the same one; and how one is begun that no closed terminal ends."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

from bcikit.signal.disk import windows_api

_QUERY, _WAIT = 0x1000, 0x0010_0000
"""PROCESS_QUERY_LIMITED_INFORMATION and SYNCHRONIZE."""

_TIMED_OUT = 0x102
_NO_SUCH_PROCESS = 87
"""What Windows answers where a process runs on, and where it has none of a number (ERROR_INVALID_PARAMETER)."""

_NEW_GROUP, _NO_WINDOW = 0x200, 0x0800_0000
"""CREATE_NEW_PROCESS_GROUP and CREATE_NO_WINDOW."""


class Alone(TypedDict, total=False):
    """Options of `subprocess.Popen`."""

    start_new_session: bool
    creationflags: int


def on_its_own() -> Alone:
    """Return the options of `subprocess.Popen` that keep Ctrl-C and a closed terminal or console from a child."""
    if sys.platform == "win32":
        return {"creationflags": _NEW_GROUP | _NO_WINDOW}
    return {"start_new_session": True}


def is_process_id(value: object) -> bool:
    """Return whether a value from a file may be the number of a process."""
    return type(value) is int and 0 < value < 1 << 31


def process_mark(pid: int) -> str:
    """Return what tells a process from a later one of its number: boot and start; "" where the system does not say."""
    if sys.platform == "win32":
        return _windows(pid)[1]
    if sys.platform == "darwin":
        return _begun_macos(pid)
    return _begun_linux(pid)


def _begun_linux(pid: int) -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        begun = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
    return f"{boot} {begun}"


def process_is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; one of another user does, too."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        # No signal 0 there: os.kill would send Ctrl-C to whoever shares a console with the process.
        return _windows(pid)[0]
    return _answers(pid)


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        # Gone meanwhile, or a system that does not say.
        return not Path("/proc/self/stat").is_file()
    # A child that ended and was not waited for yet runs no more.
    return state != "Z"


def end_process(pid: int, *, hard: bool = False) -> None:
    """Ask a process to end, or end it; Windows knows the second only. Nothing happens where it is gone already."""
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM) if hard else signal.SIGTERM)
    except OSError:
        if process_is_alive(pid):
            raise


def _begun_macos(pid: int) -> str:
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5.0, check=False, env={"LC_ALL": "C"})  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def _windows(pid: int) -> tuple[bool, str]:
    """Return whether a process runs on Windows, and when it was begun."""
    api = windows_api()
    api.OpenProcess.restype = ctypes.c_void_p
    handle = api.OpenProcess(_QUERY | _WAIT, 0, pid)
    if not handle:
        # One that may not be looked at is there.
        return ctypes.get_last_error() != _NO_SUCH_PROCESS, ""  # type: ignore[attr-defined,unused-ignore]
    try:
        runs = api.WaitForSingleObject(ctypes.c_void_p(handle), 0) == _TIMED_OUT
        times = [ctypes.c_uint64() for _ in range(4)]
        told = api.GetProcessTimes(ctypes.c_void_p(handle), *(ctypes.byref(when) for when in times))
        return runs, str(times[0].value) if told else ""
    finally:
        api.CloseHandle(ctypes.c_void_p(handle))
