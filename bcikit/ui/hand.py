"""The virtual hand: fingers of three joints that bend, seen from the front."""

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.ui.theme import Theme
from bcikit.ui.words import tr

# Knuckle (x, y), direction in degrees from straight up, length of the three bones, width: in units of the palm.
_FINGERS = (
    (-0.40, -0.40, -9.0, (0.40, 0.27, 0.20), 0.205),
    (-0.14, -0.49, -3.0, (0.46, 0.30, 0.22), 0.22),
    (0.13, -0.48, 3.0, (0.43, 0.29, 0.21), 0.215),
    (0.38, -0.38, 10.0, (0.33, 0.22, 0.18), 0.185),
)
_JOINT_DEGREES = (72.0, 92.0, 62.0)


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
        size = min(area.width() / 1.9, area.height() / 2.45)
        painter.save()
        painter.translate(area.center().x() + 0.08 * size, area.top() + (area.height() + 0.62 * size) / 2 + 0.1 * size)
        self._draw_hand(painter, size)
        painter.restore()
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

    def _draw_hand(self, painter: QPainter, size: float) -> None:
        dark = self._theme.name == "dark"
        skin = QColor("#d9a07a" if dark else "#e8b894")
        edge = QColor(self._theme.warn) if self._held else QColor("#7a4a2e")
        painter.setPen(QPen(edge, max(1.5, size * 0.02)))
        painter.setBrush(QBrush(skin))
        painter.drawRoundedRect(QRectF(-0.26 * size, 0.3 * size, 0.52 * size, 0.42 * size), 0.1 * size, 0.1 * size)
        painter.drawRoundedRect(QRectF(-0.52 * size, -0.5 * size, 1.04 * size, 1.0 * size), 0.26 * size, 0.26 * size)
        for x, y, direction, bones, width in _FINGERS:
            points = self._finger(x * size, y * size, direction, [bone * size for bone in bones])
            self._draw_chain(painter, points, width * size, skin, edge, size)
        bend = self._closure
        base = QPointF(-0.44 * size, 0.16 * size)
        angle = math.radians(-58 + 88 * bend)
        middle = base + QPointF(math.sin(angle) * 0.36 * size, -math.cos(angle) * 0.36 * size)
        angle = math.radians(-32 + 112 * bend)
        tip = middle + QPointF(math.sin(angle) * 0.28 * size, -math.cos(angle) * 0.28 * size)
        self._draw_chain(painter, [(base, 0.0), (middle, 0.0), (tip, 0.0)], 0.23 * size, skin, edge, size)

    def _finger(self, x: float, y: float, direction: float, bones: list[float]) -> list[tuple[QPointF, float]]:
        """Return the joints on the screen and how far each bone points at the viewer (0 to 1)."""
        spread = math.radians(direction * (1 - 0.7 * self._closure))
        point, bent = QPointF(x, y), 0.0
        points = [(point, 0.0)]
        for bone, most in zip(bones, _JOINT_DEGREES, strict=True):
            bent += math.radians(most) * self._closure
            seen = bone * math.cos(bent)
            point = point + QPointF(math.sin(spread) * seen, -math.cos(spread) * seen)
            points.append((point, math.sin(min(bent, math.pi / 2))))
        return points

    @staticmethod
    def _draw_chain(
        painter: QPainter, points: list[tuple[QPointF, float]], width: float, skin: QColor, edge: QColor, size: float
    ) -> None:
        rim = max(1.5, size * 0.02)
        for index in range(1, len(points)):
            (start, _), (stop, towards) = points[index - 1], points[index]
            shade = skin.lighter(100 + round(12 * towards))
            # A point where the bone points straight at the viewer still has the width of the finger.
            line_stop = stop if (stop - start).manhattanLength() > 0.5 else start + QPointF(0, 0.5)
            for pen in (
                QPen(edge, width + 2 * rim, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap),
                QPen(shade, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap),
            ):
                painter.setPen(pen)
                painter.drawLine(start, line_stop)
        # The seams between the bones of a straight finger are drawn over.
        if len(points) > 2 and points[-1][1] < 0.5:
            painter.setPen(QPen(skin, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
            painter.drawPolyline([point for point, _ in points])
