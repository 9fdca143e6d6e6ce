"""Ctrl-C, or a polite end of the process, ends what runs between two chunks: nothing is cut off in a write."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_KINDS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""SIGBREAK is what Windows sends for Ctrl-Break, and when the console is closed."""


@contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first such signal; the second one does what it always does.

    Parameters
    ----------
    stop : callable
        Asks what runs to end; called in the main thread, between two instructions.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = [getattr(signal, name) for name in _KINDS if hasattr(signal, name)]
    # What whoever started the process has it ignore stays so: nohup.
    before = {kind: signal.getsignal(kind) for kind in kinds if signal.getsignal(kind) is not signal.SIG_IGN}

    def handle(kind: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop()
        signal.signal(kind, before[kind])

    for kind in before:
        signal.signal(kind, handle)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
