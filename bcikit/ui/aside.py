"""Slow work beside a window: a thread does it and touches nothing of Qt, a timer of the window asks what came of it.

A signal that is emitted in another thread may find its object while the window's own thread deletes it, and a widget
whose last user is another thread is deleted there: both end the program.
"""

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer
from shiboken6 import isValid

from bcikit.ui.leaving import start_aside

INTERVAL_MS = 20
"""Time between two looks whether the work is done."""


class _Job:
    """What was asked for, and what came of it."""

    __slots__ = ("came", "thread", "timer", "work")

    def __init__(self, timer: QTimer, work: Callable[[], Any]) -> None:
        self.timer = timer
        self.work = work
        self.came: list[tuple[Any, Exception | None]] = []
        self.thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        """True once nothing of it is in the thread any more, which must not be the last to hold a widget."""
        return bool(self.came) and self.thread is not None and not self.thread.is_alive()


_JOBS: set[_Job] = set()
"""Jobs are held here, so that they are given up in the window's thread."""


def in_background(owner: QObject, work: Callable[[], Any], then: Callable[[Any, Exception | None], object]) -> None:
    """Do something slow in a thread and hand its result, or its error, to `then` in the window's own thread.

    Parameters
    ----------
    owner : QObject
        Waits for it; once it is deleted, nobody does.
    work : callable
        Called in the thread; it must not touch Qt.
    then : callable
        Called with the result and None, or with None and the exception.
    """
    for old in [job for job in _JOBS if job.over and not isValid(job.timer)]:
        old.came.clear()
        _JOBS.discard(old)
    timer = QTimer(owner)
    job = _Job(timer, work)
    _JOBS.add(job)

    def look() -> None:
        if job.over:
            timer.stop()
            timer.deleteLater()
            _JOBS.discard(job)
            then(*job.came.pop())

    timer.timeout.connect(look)
    timer.start(INTERVAL_MS)
    job.thread = start_aside(lambda: _do(job), "bcikit-aside")


def _do(job: _Job) -> None:
    result, error = None, None
    try:
        result = job.work()
    except Exception as problem:  # noqa: BLE001 - the window shows it
        error = problem
    job.came.append((result, error))
