"""What stands around the traces: their names on the left, the seconds below."""

import math
from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.canvas import TraceCanvas
from bcikit.viewer.still import StillHistory


class Gutter(QWidget):
    """The names of the traces on their left, with the quality of each electrode as shape and letter."""

    clicked = Signal(int)

    def __init__(self, canvas: TraceCanvas, theme: Theme, glyph: Callable[[int], tuple[str, str]]) -> None:
        super().__init__()
        self._canvas, self._theme, self._glyph = canvas, theme, glyph
        self._drawn: tuple[object, ...] = ()
        self._picture = QPixmap()
        self.setFixedWidth(96)
        self.setToolTip(tr("Click a name to mark the channel bad, and again to take it back"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell whose name was clicked."""
        self.clicked.emit(self._canvas.channel_at(event.position().y()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw the names; anew only where they have changed, because whoever scrolls asks for them with every frame."""
        names = [self._canvas.montage.labels[trace] for trace in self._canvas.shown]
        glyphs = [self._glyph(trace) for trace in self._canvas.shown]
        ratio = self.devicePixelRatioF()
        key = (tuple(names), tuple(glyphs), self.width(), self.height(), ratio)
        if self._drawn != key:
            self._drawn = key
            self._picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(Qt.GlobalColor.transparent)
            drawing = QPainter(self._picture)
            self._draw(drawing, names, glyphs)
            drawing.end()
        painter = QPainter(self)
        if self._canvas.as_lines:
            self._draw(painter, names, glyphs)
        else:
            painter.drawPixmap(QPoint(0, 0), self._picture)
        painter.end()

    def _draw(self, painter: QPainter, names: list[str], glyphs: list[tuple[str, str]]) -> None:
        lane = self.height() / max(1, len(names))
        font = self.font()
        font.setPixelSize(int(max(7, min(13, lane * 0.95))))
        painter.setFont(font)
        height = painter.fontMetrics().ascent()
        taken: list[float] = []
        # Where there is no room for all names, those of the bad electrodes come first.
        for row in sorted(range(len(names)), key=lambda row: {"BAD": 0, "WARN": 1}.get(glyphs[row][1], 2)):
            (shape, level), name = glyphs[row], names[row]
            # The first and the last name are whole, too.
            middle = min(max((row + 0.5) * lane, 8.0), max(8.0, self.height() - 8.0))
            if any(abs(middle - other) < height for other in taken):
                continue
            taken.append(middle)
            box = QRect(2, round(middle) - 8, self.width() - 8, 16)
            painter.setPen(QColor(self._theme.level(level) if level in ("BAD", "WARN") else self._theme.text))
            text = f"{shape} {name}" if shape else name
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


class TimeAxis(QWidget):
    """The seconds below the traces and the scale on the left."""

    def __init__(self, canvas: TraceCanvas, theme: Theme) -> None:
        super().__init__()
        self._canvas, self._theme = canvas, theme
        self.setFixedHeight(20)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw ticks: seconds before the right end of the picture, or of a recording since its beginning."""
        painter = QPainter(self)
        painter.setPen(QColor(self._theme.dim))
        width, seconds = self._canvas.width(), self._canvas.seconds
        left = self.width() - width
        step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600) if seconds / s <= 12), 1200)
        if isinstance(self._canvas.history, StillHistory):
            self._paint_course(painter, self._canvas.history, left, step)
            painter.end()
            return
        count = int(seconds / step + 1e-6)
        for tick in range(count + 1):
            x = left + width - tick * step / seconds * width
            if self._canvas.sweep and self._canvas.frozen_end is None:
                x, text = left + tick * step / seconds * width, f"{tick * step:g}"
            else:
                text = f"-{tick * step:g}" if tick else "0 s"
            painter.drawLine(round(x), 0, round(x), 4)
            span = QRect(round(x) - 30, 4, 60, 16)
            if span.right() > self.width():
                span.moveRight(self.width())
            painter.drawText(span, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()

    def _paint_course(self, painter: QPainter, history: StillHistory, left: int, step: float) -> None:
        seconds = self._canvas.seconds
        end = (self._canvas.frozen_end or history.end) / history.rate
        tick = math.ceil((end - seconds) / step) * step
        while tick <= end + 1e-9:
            if tick >= 0 and self._canvas.x_of_time(tick) < self._canvas.width() + 1:
                x = round(left + self._canvas.x_of_time(tick))
                painter.drawLine(x, 0, x, 4)
                minutes, rest = divmod(tick, 60)
                text = f"{int(minutes)}:{rest:04.1f}" if step < 1 else f"{int(minutes)}:{round(rest):02d}"
                span = QRect(x - 30, 4, 60, 16)
                if span.right() > self.width():
                    span.moveRight(self.width())
                painter.drawText(span, Qt.AlignmentFlag.AlignCenter, text)
            tick += step
