"""The virtual hand of the windows: the hand that a person sees, how far it is closed, and why it does not move."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.presentation.colours import SKIN, SKIN_EDGE
from bcikit.presentation.qt.hand import Skin, draw_hand
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr

PALE_SKIN = "#e8b894"
"""On a light background."""


class HandView(QWidget):
    """A hand that closes.

    Parameters
    ----------
    theme : Theme
        Colours.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._closure = 0.0
        self._text = ""
        self._held = False
        self.setMinimumSize(120, 140)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.show_state(0.0)

    @property
    def closure(self) -> float:
        """How far the hand is closed, 0 (open) to 1."""
        return self._closure

    def show_state(self, closure: float, *, text: str = "", held: bool = False) -> None:
        """Show how far the hand is closed.

        Parameters
        ----------
        closure : float
            0 (open) to 1 (closed).
        text : str
            A line below the hand: why it does not move.
        held : bool
            The gate holds it: the outline becomes that of a warning.
        """
        closure = min(1.0, max(0.0, closure))
        if (closure, text, held) == (self._closure, self._text, self._held) and self.accessibleName():
            return
        self._closure, self._text, self._held = closure, text, held
        self.setAccessibleName(tr("Virtual hand, {percent} % closed").format(percent=round(100 * closure)))
        self.setAccessibleDescription(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw the hand."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        footer = 42.0
        area = QRectF(self.rect()).adjusted(6, 6, -6, -footer)
        dark = self._theme.name == "dark"
        edge = self._theme.warn if self._held else SKIN_EDGE
        draw_hand(painter, area, self._closure, skin=Skin(fill=SKIN if dark else PALE_SKIN, edge=edge))
        self._draw_footer(painter, footer)
        painter.end()

    def _draw_footer(self, painter: QPainter, height: float) -> None:
        left, right = 14.0, self.width() - 14.0
        top = self.height() - height
        bar = QRectF(left, top, right - left, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.line))
        painter.drawRoundedRect(bar, 4, 4)
        painter.setBrush(QColor(self._theme.warn if self._held else self._theme.accent))
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * self._closure, bar.height()), 4, 4)
        painter.setPen(QColor(self._theme.warn if self._held and self._text else self._theme.text))
        text = self._text or tr("{percent} % closed").format(percent=round(100 * self._closure))
        painter.drawText(
            QRectF(4, top + 10, self.width() - 8, height - 10),
            int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap),
            text,
        )
