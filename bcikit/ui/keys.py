"""Keys that mean the same everywhere: the space bar stops, Return presses."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QPlainTextEdit, QTextEdit, QWidget


class SpaceStops(QObject):
    """Makes the space bar stop from everywhere but a text field, and Return press what has the focus.

    Parameters
    ----------
    stop : callable
        Called when the space bar is pressed.
    parent : QWidget
        The window whose keys are seen.
    active : callable, optional
        Returns whether the space bar means STOP now; always, if left out.
    """

    def __init__(
        self, stop: Callable[[], object], parent: QWidget, *, active: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__(parent)
        self._stop, self._window, self._active = stop, parent, active

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """See key presses before anything else does."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and isinstance(watched, QWidget):
            if watched.window() is not self._window:
                return False
            if (
                event.key() == Qt.Key.Key_Space
                and self._active()
                and not isinstance(watched, QLineEdit | QTextEdit | QPlainTextEdit)
            ):
                if not event.isAutoRepeat():
                    self._stop()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(watched, QAbstractButton):
                watched.click()
                return True
        return False
