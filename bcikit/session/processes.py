"""Whether a process is there, and still the same one."""

import os
from pathlib import Path


def is_process_id(value: object) -> bool:
    """Return whether a value from a file may be the number of a process."""
    return type(value) is int and 0 < value < 1 << 31


def process_mark(pid: int) -> str:
    """Return what tells a process from a later one of its number: boot and start; "" where the system does not say."""
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
