"""Threads of a window at the end of the program: none may still be in LSL or a driver while that is unloaded."""

import atexit
import threading
from collections.abc import Callable

LEAVING_SECONDS = 10.0
"""A search or an opening is over by then; a thread that hangs does not keep the program for longer."""


def end_before_exit(thread: threading.Thread, halt: Callable[[], None] | None = None) -> Callable[[], None]:
    """Have the program wait at its end for a thread in foreign code; return what forgets it once it is done.

    A daemon thread is cut off wherever it is when the interpreter ends; inside LSL that aborts the program.

    Parameters
    ----------
    thread : threading.Thread
        The thread.
    halt : callable, optional
        Tells it to end.
    """

    def leave() -> None:
        if halt is not None:
            halt()
        if thread.is_alive():
            thread.join(LEAVING_SECONDS)

    atexit.register(leave)
    return lambda: atexit.unregister(leave)


def start_aside(work: Callable[[], None], name: str) -> threading.Thread:
    """Do something slow in a thread of its own that is over before the program is; return that thread."""

    def run() -> None:
        try:
            work()
        finally:
            forget()

    thread = threading.Thread(target=run, daemon=True, name=name)
    forget = end_before_exit(thread)
    thread.start()
    return thread
