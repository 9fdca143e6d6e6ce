"""A window of `safety.py` in a process of its own: the real program, and a key pressed when standard input says so.

`python safety_window.py viewer|clinic|patient`: "press" posts the space bar to what has the keyboard and prints when;
each time the veil over old values is painted, and taken away, that is printed, too. Times are of `time.monotonic`.
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QInputDevice, QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from bcikit.ui.veil import Veil


def say(what: str, **more: Any) -> None:
    """Write a line with its time."""
    sys.stdout.write(json.dumps({"what": what, "t": time.monotonic(), **more}) + "\n")
    sys.stdout.flush()


_open: list[QWidget] = []


def find(name: str) -> None:
    """Say when the window is open, in its own thread."""
    focused = QApplication.focusWidget()
    found = [one for one in QApplication.topLevelWidgets() if one.isVisible() and type(one).__name__ == name]
    if found:
        _open[:] = [focused or found[0]]
        # The keyboard that Qt invents where the platform names none belongs to the thread that first asks for it.
        QInputDevice.primaryKeyboard()
        say("open")
    else:
        QTimer.singleShot(50, lambda: find(name))


def when_open(name: str) -> None:
    """Look for the window as soon as the program's loop runs."""
    execute = QApplication.exec

    def running(*_: Any) -> int:
        QTimer.singleShot(50, lambda: find(name))
        return int(execute())

    QApplication.exec = running  # type: ignore[method-assign, assignment]


def press() -> None:
    """Post the space bar as the window system does, into the queue of the window's own loop."""
    say("pressed")
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        event = QKeyEvent(kind, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ")
        QApplication.postEvent(_open[0], event)


def obey() -> None:
    """Do what standard input says, until it ends."""
    for line in sys.stdin:
        if line.strip() == "press":
            press()
    os._exit(0)


def watch_veils() -> None:
    """Say when a veil was painted, and when it is gone again."""
    painted = Veil.paintEvent
    said = Veil.say
    shown: set[int] = set()

    def paint(self: Veil, event: Any) -> None:
        painted(self, event)
        if self.text and id(self) not in shown:
            shown.add(id(self))
            say("stale", why=self.text)

    def tell(self: Veil, why: str) -> None:
        if not why and id(self) in shown:
            shown.discard(id(self))
            say("fresh")
        said(self, why)

    Veil.paintEvent = paint  # type: ignore[method-assign]
    Veil.say = tell  # type: ignore[method-assign]


def clinic() -> int:
    """Run the clinic on a session that goes on already, as after its window was closed and opened."""
    import bcikit.clinic.start as start
    from bcikit.signal.processes import process_mark

    folder = Path(tempfile.mkdtemp(prefix="bcikit-bench-clinic-"))
    handshake = folder / "run-bench.json"
    lines = {
        "pid": int(os.environ["BENCH_PID"]),
        "mark": process_mark(int(os.environ["BENCH_PID"])),
        "control": {"BCIKIT_SESSION": os.environ["BENCH_TICKET"]},
        "folder": "",
    }
    handshake.write_text(json.dumps(lines), encoding="utf-8")

    def attach() -> None:
        windows = [one for one in QApplication.topLevelWidgets() if type(one).__name__ == "ClinicWindow"]
        (window,) = windows
        window.visit.operator = "bench"  # type: ignore[attr-defined]
        assert window.desk.runner.attach(str(handshake))  # type: ignore[attr-defined]
        window.show_step("session")  # type: ignore[attr-defined]

    QTimer.singleShot(0, attach)
    return start.main(["--data", str(folder), "--language", "en"])


def main() -> int:
    """Run the window that is asked for."""
    kind = sys.argv[1]
    names = {"viewer": "ViewerWindow", "clinic": "ClinicWindow", "patient": "PatientWindow"}
    watch_veils()
    when_open(names[kind])
    threading.Thread(target=obey, daemon=True).start()
    if kind == "viewer":
        from bcikit.viewer.start import main as viewer

        return viewer(["--session", "--language", "en"])
    if kind == "clinic":
        return clinic()
    import bcikit.presentation.__main__ as patient

    sys.argv = ["patient", "--place", "window"]
    return patient.main()


if __name__ == "__main__":
    sys.exit(main())
