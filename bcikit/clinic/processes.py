"""Whether a process is there, and still the same one."""

import os
from pathlib import Path


def process_mark(pid: int) -> str:
    """Return what tells a process from a later one of its number: boot and start; "" where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        begun = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
    return f"{boot} {begun}"


def process_is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OSError):
        return False
    status = Path(f"/proc/{pid}/stat")
    # A child that ended and was not waited for yet runs no more.
    return not (status.is_file() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z")
