"""A hand of five fingers of three joints that bend, seen from the front; drawn with a painter, at any size."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from bcikit.presentation.colours import SKIN, SKIN_EDGE

# Knuckle (x, y), direction in degrees from straight up, length of the three bones, width: in units of the palm.
_FINGERS = (
    (-0.40, -0.40, -9.0, (0.40, 0.27, 0.20), 0.205),
    (-0.14, -0.49, -3.0, (0.46, 0.30, 0.22), 0.22),
    (0.13, -0.48, 3.0, (0.43, 0.29, 0.21), 0.215),
    (0.38, -0.38, 10.0, (0.33, 0.22, 0.18), 0.185),
)
_JOINT_DEGREES = (72.0, 92.0, 62.0)


@dataclass(frozen=True, slots=True)
class Skin:
    """Colours of a hand."""

    fill: str = SKIN
    edge: str = SKIN_EDGE


def draw_hand(painter: QPainter, area: QRectF, closure: float, *, left: bool = False, skin: Skin | None = None) -> None:
    """Draw a hand into an area.

    Parameters
    ----------
    painter : QPainter
        Where to.
    area : QRectF
        Into which the open hand fits.
    closure : float
        0 (open) to 1 (closed).
    left : bool
        The left hand, as a person sees the back of it: its thumb is on the right.
    skin : Skin, optional
        Colours.
    """
    size = min(area.width() / 1.9, area.height() / 2.45)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(area.center().x(), area.top() + (area.height() + 0.62 * size) / 2 + 0.1 * size)
    if left:
        painter.scale(-1.0, 1.0)
    painter.translate(0.08 * size, 0.0)
    _Hand(painter, size, min(1.0, max(0.0, closure)), skin or Skin()).draw()
    painter.restore()


class _Hand:
    """The right hand, with its palm's middle at the origin."""

    def __init__(self, painter: QPainter, size: float, closure: float, skin: Skin) -> None:
        self._painter = painter
        self._size = size
        self._closure = closure
        self._skin = QColor(skin.fill)
        self._edge = QColor(skin.edge)

    def draw(self) -> None:
        painter, size = self._painter, self._size
        painter.setPen(QPen(self._edge, max(1.5, size * 0.02)))
        painter.setBrush(QBrush(self._skin))
        painter.drawRoundedRect(QRectF(-0.26 * size, 0.3 * size, 0.52 * size, 0.42 * size), 0.1 * size, 0.1 * size)
        painter.drawRoundedRect(QRectF(-0.52 * size, -0.5 * size, 1.04 * size, 1.0 * size), 0.26 * size, 0.26 * size)
        for x, y, direction, bones, width in _FINGERS:
            points = self._finger(x * size, y * size, direction, [bone * size for bone in bones])
            self._chain(points, width * size)
        bend = self._closure
        base = QPointF(-0.44 * size, 0.16 * size)
        angle = math.radians(-58 + 88 * bend)
        middle = base + QPointF(math.sin(angle) * 0.36 * size, -math.cos(angle) * 0.36 * size)
        angle = math.radians(-32 + 112 * bend)
        tip = middle + QPointF(math.sin(angle) * 0.28 * size, -math.cos(angle) * 0.28 * size)
        self._chain([(base, 0.0), (middle, 0.0), (tip, 0.0)], 0.23 * size)

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

    def _chain(self, points: list[tuple[QPointF, float]], width: float) -> None:
        painter = self._painter
        rim = max(1.5, self._size * 0.02)
        for index in range(1, len(points)):
            (start, _), (stop, towards) = points[index - 1], points[index]
            shade = self._skin.lighter(100 + round(12 * towards))
            # A point where the bone points straight at the viewer still has the width of the finger.
            line_stop = stop if (stop - start).manhattanLength() > 0.5 else start + QPointF(0, 0.5)
            for pen in (
                QPen(self._edge, width + 2 * rim, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap),
                QPen(shade, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap),
            ):
                painter.setPen(pen)
                painter.drawLine(start, line_stop)
        # The seams between the bones of a straight finger are drawn over.
        if len(points) > 2 and points[-1][1] < 0.5:
            joined = Qt.PenJoinStyle.RoundJoin
            painter.setPen(QPen(self._skin, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, joined))
            painter.drawPolyline([point for point, _ in points])
