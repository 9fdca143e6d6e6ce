"""Garbage is looked for between events: in the middle of a call of Qt it would wait for a lock that Qt holds."""

import subprocess
import sys

import pytest

pytest.importorskip("PySide6")

PROGRAM = """
import gc
import weakref

from bcikit.ui.application import prepare

application = prepare()
from PySide6.QtCore import QElapsedTimer, QObject
from PySide6.QtWidgets import QGraphicsView, QWidget


class View(QGraphicsView):
    # As those of pyqtgraph: what Qt calls while it holds its lock is looked up in Python, which makes objects.
    def __getattribute__(self, name):
        if name == "disconnectNotify":
            made = [[] for _ in range(5_000)]
        return super().__getattribute__(name)


def old_window():
    window = QWidget()
    window.itself = window
    for _ in range(1_000):
        QObject(window).objectNameChanged.connect(window.setWindowTitle)
    return weakref.ref(window)


view, slot = View(), lambda *_: None
view.rubberBandChanged.connect(slot)
gc.collect()
gc.set_threshold(1_000_000, 10, 10)
window = old_window()
gc.set_threshold(4_000, 10, 10)
view.rubberBandChanged.disconnect(slot)
print("disconnected", "gone" if window() is None else "there")

gc.set_threshold(700, 10, 10)
passed = QElapsedTimer()
passed.start()
while window() is not None and passed.elapsed() < 60_000:
    application.processEvents()
print("processed", "gone" if window() is None else "there")
"""


@pytest.mark.timeout(150)
def test_an_old_window_is_deleted_between_events(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.split("\n")[:2] == ["disconnected there", "processed gone"], ran.stderr
    assert ran.returncode == 0
