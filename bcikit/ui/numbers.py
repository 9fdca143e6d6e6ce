"""A field for a number: what is typed is what is meant, whatever the system's language.

Qt's own fields follow the locale of the system: on a German or French machine a typed ``31.5`` becomes 315. Here a
point and a comma both separate decimals, thousands are never grouped, and what is no number is said.
"""

import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit

from bcikit.ui.words import tr

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)")


def parse_number(text: str) -> float | None:
    """Return the number that a person typed; None where it is none or can be read in two ways.

    One point or one comma separates decimals; both, or one of them twice, is refused: it would be a guess.
    """
    text = text.strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


class NumberField(QLineEdit):
    """A number within limits, or nothing.

    Parameters
    ----------
    name : str
        Accessible name.
    low, high : float
        What is allowed; a value outside is kept as typed and told by `problem`, never bent silently.
    decimals : int
        Digits that are shown.
    step : float
        What the arrow keys add and take.
    unit : str
        Shown in the tool tip and in what is refused.
    empty : str
        Shown while nothing is typed.

    Signals
    -------
    changed
        Something else is typed.
    """

    changed = Signal()

    def __init__(
        self,
        name: str,
        *,
        low: float,
        high: float,
        decimals: int = 0,
        step: float = 1.0,
        unit: str = "",
        empty: str = "",
    ) -> None:
        super().__init__()
        self.name, self.low, self.high, self.decimals, self.step, self.unit = name, low, high, decimals, step, unit
        self.setAccessibleName(name)
        self.setPlaceholderText(empty)
        said = tr("{low:g} to {high:g}").format(low=low, high=high) + (f" {unit}" if unit else "")
        self.setAccessibleDescription(tr("allowed: {limits}").format(limits=said))
        self.setToolTip(self.accessibleDescription())
        self.limits = said
        self.textChanged.connect(lambda _: self.changed.emit())

    def value(self) -> float | None:
        """Return the number; None where nothing, or no number, is typed."""
        return parse_number(self.text())

    def set_value(self, value: float | None) -> None:
        """Show a number, or nothing."""
        self.setText("" if value is None else self._words(float(value)))

    def _words(self, value: float) -> str:
        text = f"{value:.{self.decimals}f}"
        return text.rstrip("0").rstrip(".") if self.decimals else text

    def problem(self) -> str:
        """Return why what is typed is refused; "" where it is not."""
        value = self.value()
        if value is None:
            words = tr("{name}: {text!r} is no number; write it like 31.5.")
            return words.format(name=self.name, text=self.text())
        if not self.low <= value <= self.high:
            return tr("{name}: {value:g} is refused; allowed: {limits}.").format(
                name=self.name, value=value, limits=self.limits
            )
        return ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step with the arrow keys, inside the limits."""
        by = {Qt.Key.Key_Up: self.step, Qt.Key.Key_Down: -self.step}.get(Qt.Key(event.key()))
        value = self.value()
        if by is None or value is None:
            super().keyPressEvent(event)
            return
        self.set_value(min(max(value + by, self.low), self.high))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page: a number is not changed by scrolling past it."""
        event.ignore()
