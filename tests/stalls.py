"""How long the machine kept this process, and those it started, waiting: what a bound in real time does not answer for.

A claim like "safe within 150 ms" is about the product. On a machine that is busy with other things, its threads stand
in a queue for a processor meanwhile; Linux counts that for each of them, and how long the host of a virtual machine
took its processors away. A test adds that to its bound, which stays as tight on a quiet machine as it is stated.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path


class Stalls:
    """Counts from the moment in which it is made; processes that are there by then or by the end are counted."""

    def __init__(self) -> None:
        self._processes = set(_family())
        self._before = dict(self._waits())
        self._taken = _taken()

    @property
    def seconds(self) -> float:
        """Seconds that threads stood in the queue for a processor since then, all together; 0 where nobody counts."""
        self._processes.update(_family())
        queued = sum(max(0.0, now - self._before.get(task, 0.0)) for task, now in self._waits())
        return queued + _taken() - self._taken

    def _waits(self) -> Iterator[tuple[str, float]]:
        for process in self._processes:
            for task in Path("/proc", str(process), "task").glob("*/schedstat"):
                # A thread that has ended meanwhile waits for nothing.
                with suppress(OSError):
                    yield str(task), int(task.read_text().split()[1]) / 1e9


def heart_missed(reason: str) -> bool:
    """Return whether a guard went safe because a busy machine gave the heart, or the guard itself, no turn."""
    return "no heartbeat" in reason or " ms old" in reason


def _family() -> list[int]:
    import psutil

    return [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]


def _taken() -> float:
    import psutil

    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def wait_for(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true, and fail where it is not for so long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
