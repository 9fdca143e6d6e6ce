"""The head seen from above: a map between electrodes, or the electrodes with their quality."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.signal import StreamInfo
from bcikit.ui.headmap import EQUATOR, Interpolation, colour_map, flat_positions
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr


class HeadWidget(QWidget):
    """Draws a head.

    Parameters
    ----------
    theme : Theme
        Colours.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._info: StreamInfo | None = None
        self._columns: list[int] = []
        self._places = np.empty((0, 2))
        self._spread: Interpolation | None = None
        self._picture: QImage | None = None
        self._pixels: NDArray[np.uint32] | None = None
        self._scale: tuple[float, float, str] | None = None
        self._diverging = False
        self._levels: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self.title = ""
        self.setMinimumSize(130, 130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def columns(self) -> list[int]:
        """Columns of the stream that lie on the head."""
        return self._columns

    def set_info(self, info: StreamInfo) -> None:
        """Take the stream whose electrodes are drawn."""
        if info is self._info:
            return
        self._info = info
        places = flat_positions(info)
        self._columns = [int(c) for c in np.flatnonzero(~np.isnan(places).any(axis=1))]
        self._places = places[self._columns]
        self._spread = Interpolation(self._places) if len(self._columns) >= 4 else None

    def show_map(self, values: NDArray[np.float64], *, low: float, high: float, unit: str, diverging: bool) -> None:
        """Show values of the electrodes `columns` as a map.

        Parameters
        ----------
        values : ndarray, shape (len(columns),)
            Finite values.
        low, high : float
            Ends of the colours.
        unit : str
            For the scale.
        """
        self._scale, self._diverging = (low, high, unit), diverging
        if self._spread is not None and values.size == len(self._columns):
            pixels = np.ascontiguousarray(colour_map(self._spread(values), low, high, diverging=diverging))
            size = self._spread.size
            self._pixels = pixels
            self._picture = QImage(pixels.data, size, size, size * 4, QImage.Format.Format_ARGB32)
        self.update()

    def forget_map(self) -> None:
        """Show no values: there are none now."""
        if self._picture is not None:
            self._picture = self._scale = None
            self.update()

    def show_levels(self, levels: Mapping[str, str], notes: Mapping[str, str]) -> None:
        """Show quality: a shape and a letter for each electrode, and a note (impedance) below it."""
        if dict(levels) == self._levels and dict(notes) == self._notes:
            return
        self._levels, self._notes = dict(levels), dict(notes)
        bad = [name for name, level in levels.items() if level == "BAD"]
        doubtful = [name for name, level in levels.items() if level == "WARN"]
        text = tr("Bad: {bad}. Doubtful: {doubtful}.").format(
            bad=", ".join(bad) or tr("none"), doubtful=", ".join(doubtful) or tr("none")
        )
        self.setAccessibleDescription(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw the head."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        head = 18.0 if self.title else 4.0
        foot = 24.0 if self._scale else 4.0
        side = min(self.width() - 8.0, self.height() - head - foot - 8.0)
        centre = QPointF(self.width() / 2, head + 6 + side / 2)
        radius = side / 2 * 0.96
        if self.title:
            painter.setPen(QColor(self._theme.text))
            painter.drawText(QRectF(0, 0, self.width(), head), Qt.AlignmentFlag.AlignCenter, self.title)
        if not self._columns:
            painter.setPen(QColor(self._theme.dim))
            text = tr("No electrode positions")
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), text)
            painter.end()
            return
        self._paint_outline(painter, centre, radius)
        if self._levels:
            self._paint_levels(painter, centre, radius)
        else:
            self._paint_dots(painter, centre, radius)
        if self._scale is not None:
            self._paint_scale(painter, foot)
        painter.end()

    def _paint_outline(self, painter: QPainter, centre: QPointF, radius: float) -> None:
        skull = radius * (EQUATOR + 0.12)
        pen = QPen(QColor(self._theme.dim), 2)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        nose = QPainterPath(centre + QPointF(-0.12 * radius, -skull * 0.985))
        nose.quadTo(centre + QPointF(0, -skull - 0.17 * radius), centre + QPointF(0.12 * radius, -skull * 0.985))
        painter.drawPath(nose)
        for sign in (-1, 1):
            ear = QRectF(0, 0, 0.1 * radius, 0.32 * radius)
            ear.moveCenter(centre + QPointF(sign * (skull + 0.035 * radius), 0))
            painter.drawEllipse(ear)
        if self._picture is not None and not self._levels:
            painter.save()
            disc = QPainterPath()
            disc.addEllipse(centre, skull, skull)
            painter.setClipPath(disc)
            painter.drawImage(QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius), self._picture)
            painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(centre, skull, skull)

    def _place(self, index: int, centre: QPointF, radius: float) -> QPointF:
        x, y = self._places[index]
        return centre + QPointF(float(x) * radius, -float(y) * radius)

    def _paint_dots(self, painter: QPainter, centre: QPointF, radius: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#000000" if self._picture is not None else self._theme.dim))
        for index in range(len(self._columns)):
            painter.drawEllipse(self._place(index, centre, radius), 1.8, 1.8)

    def _paint_levels(self, painter: QPainter, centre: QPointF, radius: float) -> None:
        assert self._info is not None
        count = len(self._columns)
        size = max(9.0, min(20.0, radius * 1.05 / np.sqrt(max(count, 1))))
        # The worst are drawn last, so that nothing hides them.
        order = sorted(range(count), key=lambda i: {"WARN": 1, "BAD": 2}.get(self._level(i), 0))
        for index in order:
            self._paint_electrode(painter, self._place(index, centre, radius), size, self._level(index))
        # All names where there is room, else those of the electrodes to mend, the worst first.
        roomy = radius / np.sqrt(max(count, 1)) > 34
        places = [self._place(index, centre, radius) for index in range(count)]
        taken = [QRectF(at.x() - size / 2, at.y() - size / 2, size, size) for at in places]
        for index in reversed(order):
            if roomy or self._level(index) in ("BAD", "WARN"):
                self._paint_name(painter, index, places[index], size / 2, taken)

    def _level(self, index: int) -> str:
        assert self._info is not None
        return self._levels.get(self._info.ch_names[self._columns[index]], "")

    def _paint_electrode(self, painter: QPainter, at: QPointF, size: float, level: str) -> None:
        font = painter.font()
        font.setPixelSize(int(max(7, size * 0.62)))
        painter.setFont(font)
        colour = QColor(self._theme.level(level))
        painter.setPen(QPen(QColor(self._theme.panel), 1))
        painter.setBrush(colour)
        half = size / 2
        if level == "BAD":
            painter.drawRect(QRectF(at.x() - half, at.y() - half, size, size))
        elif level == "WARN":
            painter.drawPolygon(
                [at + QPointF(0, -half * 1.2), at + QPointF(half * 1.15, half), at + QPointF(-half * 1.15, half)]
            )
        else:
            painter.drawEllipse(at, half, half)
        letter = LEVELS[level][1] if level in LEVELS else "?"
        painter.setPen(QColor(self._theme.panel))
        box = QRectF(at.x() - size, at.y() - half, 2 * size, size)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)

    def _paint_name(self, painter: QPainter, index: int, at: QPointF, half: float, taken: list[QRectF]) -> None:
        """Write the name of an electrode, away from the middle of the head, where there is room for it."""
        assert self._info is not None
        name = self._info.ch_names[self._columns[index]]
        text = f"{name} {self._notes.get(name, '')}".strip()
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(text) + 2.0
        left = min(max(0.0, at.x() - width / 2), self.width() - width)
        above = QRectF(left, at.y() - 1.4 * half - 12, width, 12)
        below = QRectF(left, at.y() + half + 1, width, 12)
        sides = (above, below) if self._places[index][1] > 0.3 else (below, above)
        box = next((side for side in sides if not any(side.intersects(other) for other in taken)), None)
        if box is None:
            return
        taken.append(box)
        painter.setPen(QColor(self._theme.bad if self._level(index) == "BAD" else self._theme.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_scale(self, painter: QPainter, foot: float) -> None:
        assert self._scale is not None
        low, high, unit = self._scale
        width, height = min(140, self.width() - 110), 9
        ramp = np.linspace(low, high, max(2, width), dtype=np.float32)[None].repeat(height, axis=0)
        pixels = np.ascontiguousarray(colour_map(ramp, low, high, diverging=self._diverging))
        left, top = (self.width() - width) / 2, self.height() - foot + 6
        painter.drawImage(QPointF(left, top), QImage(pixels.data, width, height, width * 4, QImage.Format.Format_RGB32))
        painter.setPen(QColor(self._theme.text))
        sides: Sequence[tuple[float, float, Qt.AlignmentFlag, str]] = (
            (0, left - 4, Qt.AlignmentFlag.AlignRight, f"{low:.3g}"),
            (left + width + 4, self.width() - left - width - 4, Qt.AlignmentFlag.AlignLeft, f"{high:.3g} {unit}"),
        )
        for x, room, side, text in sides:
            painter.drawText(QRectF(x, top - 4, room, 17), side | Qt.AlignmentFlag.AlignVCenter, text)
