"""Every signal that would end or halt the guard becomes a request to end, so that the device is put to zero first."""

import signal
import sys
from types import FrameType

_HARMLESS = frozenset({"SIGCHLD", "SIGCLD", "SIGURG", "SIGWINCH", "SIGCONT", "SIGINFO"})
"""What the system ignores by itself; SIGPIPE is an error of the write that caused it."""


class Endings:
    """Holds back every signal of this thread and says whether one is waiting.

    A held-back signal waits, instead of running a handler in the middle of a driver's call. A fault of the process
    itself (SIGSEGV and its like) cannot be held back and ends it; there, as with SIGKILL, the device's own watchdog
    is what remains. SIGTSTP and its like would halt the guard with a command in force, so they end it, too.
    """

    def __init__(self) -> None:
        self._number = 0
        self._watched: frozenset[int] = frozenset()
        if sys.platform == "win32":
            for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
                signal.signal(getattr(signal, name), self._take)
        else:
            harmless = {getattr(signal, name) for name in _HARMLESS if hasattr(signal, name)}
            unstoppable = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}
            self._watched = frozenset(signal.valid_signals()) - harmless - unstoppable
            signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)

    def asked(self) -> int:
        """Return the number of a signal that asks to end; 0 if none came."""
        if sys.platform != "win32" and not self._number:
            waiting = signal.sigpending() & self._watched
            self._number = min(waiting, default=0)
        return int(self._number)

    def _take(self, number: int, _: FrameType | None) -> None:
        self._number = number
