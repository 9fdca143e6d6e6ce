"""Controls that a keyboard reaches and a screen reader can name, made in one line."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QPushButton


def button(
    text: str,
    pressed: Callable[[], object],
    *,
    checkable: bool = False,
    hint: str = "",
    primary: bool = False,
    name: str = "",
) -> QPushButton:
    """Return a push button; Return presses it, too, because the space bar stops.

    Parameters
    ----------
    text : str
        What it says; also its accessible name unless `name` is given.
    pressed : callable
        Called without arguments.
    hint : str
        Tool tip and accessible description.
    """
    made = QPushButton(text)
    made.setCheckable(checkable)
    made.setAutoDefault(True)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.setAccessibleName(name or text)
    if hint:
        made.setToolTip(hint)
        made.setAccessibleDescription(hint)
    if primary:
        made.setProperty("primary", "true")
    made.clicked.connect(lambda _checked=False: pressed())
    return made


def choice(name: str, items: Sequence[str], chosen: Callable[[str], object], *, start: str = "") -> QComboBox:
    """Return a combination box with an accessible name; `chosen` is called with the text."""
    made = QComboBox()
    made.addItems(list(items))
    made.setAccessibleName(name)
    made.setToolTip(name)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    if start in items:
        made.setCurrentText(start)
    made.currentTextChanged.connect(chosen)
    return made
