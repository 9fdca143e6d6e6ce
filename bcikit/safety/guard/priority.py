"""The guard's place in the queue for the processor: before everything else on the computer, where that is allowed."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

from bcikit.signal.disk import windows_api

NICE = -10
"""Where there is no real time: before ordinary programs."""

HIGH_PRIORITY_CLASS = 0x80
"""The same for Windows."""

AUTOGROUP = Path("/proc/self/autogroup")


def first_in_line() -> str:
    """Ask for the processor before other programs; return what was given.

    Returns
    -------
    str
        "real-time": as soon as it wants to run, it runs (a process that stands in a loop is held to 95 % of a core by
        the kernel). "raised": before ordinary programs. "ordinary": neither is allowed here, and the deadline of the
        heartbeat leaves the scheduler some room.

    Notes
    -----
    Linux shares the processor between sessions first (sched(7), autogroup), and the guard has a session of its own: its
    nice value alone is compared with nobody's, the one of its group counts.
    """
    if sys.platform == "win32":
        # Allowed to everybody there; what is above it is not.
        api = windows_api()
        api.GetCurrentProcess.restype = ctypes.c_void_p
        raised = api.SetPriorityClass(ctypes.c_void_p(api.GetCurrentProcess()), HIGH_PRIORITY_CLASS)
        return "raised" if raised else "ordinary"
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
            return "real-time"
    with contextlib.suppress(OSError):
        # Not os.nice, which counts from where its engine is.
        os.setpriority(os.PRIO_PROCESS, 0, min(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        with contextlib.suppress(OSError):
            AUTOGROUP.write_text(str(NICE), encoding="ascii")
        return "raised"
    return "ordinary"
