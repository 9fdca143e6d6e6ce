"""Slow work of a window: it comes back into the window's own thread, or to nobody where the window is gone."""

import gc
import threading
import weakref

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from shiboken6 import delete, isValid

from bcikit.ui.aside import _JOBS, in_background


@pytest.fixture(autouse=True)
def nothing_asked_before(qtbot):
    """What windows of tests before these asked for is over; where they are gone, the next one who asks gives it up."""
    qtbot.waitUntil(lambda: all(job.over and not isValid(job.timer) for job in _JOBS), timeout=60_000)


def test_result_and_error_come_in_the_windows_own_thread(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    got = []

    def fails():
        raise OSError("no such headset")

    def then(result, error):
        got.append((result, str(error), threading.current_thread() is threading.main_thread()))

    in_background(owner, lambda: threading.current_thread() is threading.main_thread(), then)
    qtbot.waitUntil(lambda: len(got) == 1, timeout=60_000)
    in_background(owner, fails, then)
    qtbot.waitUntil(lambda: len(got) == 2, timeout=60_000)
    assert got == [(False, "None", True), (None, "no such headset", True)]
    assert not _JOBS


def test_what_a_deleted_window_asked_for_comes_to_nobody_and_is_given_up_in_this_thread(qtbot):
    """The thread must not be the last to hold a widget: it would be deleted there."""
    ended_in = []

    class Page(QObject):
        def search(self):
            waiting.wait(60.0)
            return "found"

    got, waiting = [], threading.Event()
    owner = QObject()
    page = Page()
    weakref.finalize(page, lambda: ended_in.append(threading.current_thread()))
    in_background(owner, page.search, lambda *came: got.append(came))
    (job,) = _JOBS
    delete(owner)
    del page
    waiting.set()
    qtbot.waitUntil(lambda thread=job.thread: not thread.is_alive(), timeout=60_000)
    assert not ended_in
    del job
    other = QObject()
    in_background(other, lambda: None, lambda *came: got.append(came))
    qtbot.waitUntil(lambda: len(got) == 1, timeout=60_000)
    gc.collect(0)
    assert got == [(None, None)]
    assert ended_in == [threading.main_thread()]
