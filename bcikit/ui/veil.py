"""A veil over a window whose session is silent: every value grey, and why in large type; STOP stays uncovered."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from bcikit.ui.theme import Theme
from bcikit.ui.words import tr


class Veil(QWidget):
    """Covers a widget while what it shows is old. Clicks go through it.

    Parameters
    ----------
    over : QWidget
        What is covered.
    theme : Theme
        Colours.
    keep : sequence of QWidget
        What stays uncovered: STOP.
    """

    def __init__(self, over: QWidget, theme: Theme, *, keep: Sequence[QWidget] = ()) -> None:
        super().__init__(over)
        self._over = over
        self._theme, self._keep = theme, tuple(keep)
        self.text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(tr("Silent session"))
        over.installEventFilter(self)
        self.hide()

    def say(self, why: str) -> None:
        """Cover everything and say why; "" uncovers."""
        if why != self.text:
            self.text = why
            self.setAccessibleDescription(why)
            self.update()
        if bool(why) != self.isVisibleTo(self._over):
            self.setVisible(bool(why))
        if why:
            self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of what is covered."""
        if event.type() == QEvent.Type.Resize and self.text:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        over = self._over
        self.setGeometry(over.rect())
        self.raise_()
        seen = QRegion(self.rect())
        for widget in self._keep:
            if widget.isVisible():
                seen -= QRegion(QRect(widget.mapTo(over, widget.rect().topLeft()), widget.size()))
        self.setMask(seen)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Grey everything, and say why in the middle."""
        painter = QPainter(self)
        grey = QColor(self._theme.window)
        grey.setAlpha(200)
        painter.fillRect(self.rect(), grey)
        font = painter.font()
        font.setPixelSize(max(22, min(44, self.width() // 26)))
        font.setBold(True)
        painter.setFont(font)
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        room = self.rect().adjusted(40, 0, -40, 0)
        text = f"■ {tr('NO NEW VALUES')}\n{self.text}"
        box = painter.fontMetrics().boundingRect(room, flags, text).adjusted(-24, -16, 24, 16)
        painter.fillRect(box, QColor(self._theme.panel))
        painter.setPen(QColor(self._theme.bad))
        painter.drawRect(box)
        painter.drawText(box, flags, text)
        painter.end()
