"""The guard's own log: JSON lines of its trips, in a file that is new or was written by a guard."""

import os
import stat
from pathlib import Path
from typing import TextIO

from bcikit.signal.documents import json_of

SUFFIX = ".jsonl"
KEYS = frozenset({"time", "safe", "reason", "driver"})


class LogError(Exception):
    """The file is none that the guard may write to."""


def open_log(path: str | os.PathLike[str]) -> TextIO:
    """Open the log of a guard to append to it.

    Parameters
    ----------
    path : path
        Ends in ".jsonl"; a file that does not exist yet, or one whose first line a guard wrote. A session file comes
        from anybody, and what it names must not be any file of this computer.

    Raises
    ------
    LogError
        Saying why not.
    """
    place = Path(path)
    if place.suffix != SUFFIX:
        raise LogError(f"log is {str(place)!r}; the log of a guard ends in {SUFFIX!r}.")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(place, flags, 0o640)
    except OSError as error:
        raise LogError(
            f"log {str(place)!r} cannot be written: {error.strerror or error} (a link is refused)."
        ) from None
    file = os.fdopen(handle, "r+", encoding="utf-8", errors="replace", closefd=True)
    problem = _problem(handle)
    if problem:
        file.close()
        raise LogError(f"log {str(place)!r} {problem}; name a new file.")
    return file


def _problem(handle: int) -> str:
    what = os.fstat(handle)
    if not stat.S_ISREG(what.st_mode):
        return "is no file"
    if what.st_nlink > 1:
        return "is a second name of another file"
    if not what.st_size:
        return ""
    first = os.pread(handle, 65536, 0).partition(b"\n")[0] if hasattr(os, "pread") else b"{}"
    try:
        record = json_of(first)
    except (ValueError, RecursionError):
        record = None
    return "" if isinstance(record, dict) and set(record) == KEYS else "holds what no guard wrote"
