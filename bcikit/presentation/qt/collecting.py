"""Garbage is looked for between the events of a window, never in the middle of a call of Qt.

Qt holds a lock while it tells an object that a connection is gone, and PySide asks Python about it then. A search for
garbage that begins at that moment and finds an old window deletes it, and waits for that same lock for ever; one that
begins in another thread deletes the window there, where Qt allows nothing.
"""

import gc
import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QTimer

INTERVAL = 0.2
"""Seconds between two looks at how much has been made."""

FULL = 30.0
"""Seconds between two searches of everything, at least: one takes as long as several frames."""


def collect_between_events(application: QCoreApplication, clock: Callable[[], float] = time.monotonic) -> QTimer:
    """Leave the search for garbage to a timer of the application, until the application ends.

    Parameters
    ----------
    application : QCoreApplication
        Whose events are handled in this thread.
    clock : callable
        Seconds that pass.

    Returns
    -------
    QTimer
        That of the application.
    """
    full_at = clock()

    def look() -> None:
        nonlocal full_at
        counts, limits = gc.get_count(), gc.get_threshold()
        if counts[0] <= limits[0]:
            return
        oldest = 1 if counts[1] > limits[1] else 0
        if counts[2] > limits[2] and clock() - full_at >= FULL:
            oldest, full_at = 2, clock()
        gc.collect(oldest)

    timer = QTimer(application)
    timer.setInterval(round(1000 * INTERVAL))
    timer.timeout.connect(look)
    timer.start()
    application.aboutToQuit.connect(gc.enable)
    gc.disable()
    return timer
