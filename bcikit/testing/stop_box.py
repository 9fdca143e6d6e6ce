"""A stop box on a pseudo terminal (POSIX) that speaks the protocol of `bcikit.safety.stop_box`."""

import contextlib
import os
import threading
import time
from types import TracebackType
from typing import Self

from bcikit.safety.guard.serial_fes import frame
from bcikit.safety.stop_box import PERIOD_S
from bcikit.signal.terminal import open_terminal


class SimulatedStopBox:
    """The other end of the line of a serial stop box.

    Attributes
    ----------
    port : str
        Name of the terminal.
    address : str
        What a session file names: ``[arming] stop_box = "serial:..."``.
    """

    def __init__(self) -> None:
        self._ours, self._theirs, self.port = open_terminal("the simulated stop box")
        self.address = f"serial:{self.port}"
        self._pressed = False
        self._silent = threading.Event()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._sequence = 0
        self._thread = threading.Thread(target=self._work, name="simulated stop box", daemon=True)
        self._thread.start()

    def press(self) -> float:
        """Press the button; returns when, by `time.monotonic`."""
        return self._put(pressed=True)

    def release(self) -> float:
        """Release it."""
        return self._put(pressed=False)

    def fall_silent(self) -> float:
        """Say nothing any more, as a box without power, or one that hangs; `release` and `press` end it."""
        self._silent.set()
        return time.monotonic()

    def unplug(self) -> float:
        """Take the line away; it cannot be put in again."""
        when = time.monotonic()
        self.close()
        return when

    def say(self, line: bytes) -> None:
        """Write anything, as a line that is damaged."""
        os.write(self._ours, line)

    def _put(self, *, pressed: bool) -> float:
        when = time.monotonic()
        self._pressed = pressed
        self._silent.clear()
        self._changed.set()
        return when

    def _work(self) -> None:
        while not self._closing.is_set():
            self._changed.clear()
            if not self._silent.is_set():
                self._sequence = (self._sequence + 1) % 256
                # Where nobody reads, a real line loses what is said.
                with contextlib.suppress(BlockingIOError):
                    os.write(self._ours, frame(f"{self._sequence},{'P' if self._pressed else 'R'}"))
            self._changed.wait(PERIOD_S)

    def close(self) -> None:
        """End the thread and give back the terminal; may be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._changed.set()
        self._thread.join(2.0)
        os.close(self._ours)
        os.close(self._theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
