"""Keys that mean the same everywhere: the space bar stops, Return presses, and F12 stops while one writes, too."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

_CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


CHORDS = ((Qt.Key.Key_F12, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_Space, _CTRL_SHIFT))
"""Keys that stop from everywhere, text fields and dialogs included: no text and no input method has them."""


def is_chord(event: QKeyEvent) -> bool:
    """Return whether these keys stop even while somebody writes: F12, or Ctrl+Shift+Space."""
    own = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return any(event.key() == key and own == modifiers for key, modifiers in CHORDS)


def writes(widget: QWidget) -> bool:
    """Return whether a widget is one into which one writes: every key but the chords belongs to it."""
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    return isinstance(widget, QLineEdit | QTextEdit | QPlainTextEdit | QAbstractSpinBox)


class SpaceStops(QObject):
    """Makes the space bar stop from every window of the application, and Return press what has the focus.

    A text field needs the space bar for its words; from there, and from everywhere else, Escape stops, too, but where
    it closes a dialog; the chords (`is_chord`) stop from everywhere.

    Parameters
    ----------
    stop : callable
        Called when the space bar or Escape is pressed.
    parent : QWidget
        The window that owns this.
    active : callable, optional
        Returns whether these keys mean STOP now; always, if left out.
    """

    def __init__(
        self, stop: Callable[[], object], parent: QWidget, *, active: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__(parent)
        self._stop, self._active = stop, active

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """See key presses before anything else does."""
        # By class first: to ask for the type makes an enum, and all events of the application pass here.
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or not isinstance(watched, QWidget):
            return False
        # In a dialog or a list that is open, Escape closes it.
        over = watched.window().windowType() in (Qt.WindowType.Dialog, Qt.WindowType.Popup)
        stops = is_chord(event) or (event.key() == Qt.Key.Key_Space and not writes(watched))
        stops = stops or (event.key() == Qt.Key.Key_Escape and not over)
        if stops and self._active():
            if not event.isAutoRepeat():
                self._stop()
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(watched, QAbstractButton):
            watched.click()
            return True
        return False
