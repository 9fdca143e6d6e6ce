"""The calibration bar of the traces: how much a height and a width are."""

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

LARGEST_HEIGHT, LARGEST_WIDTH = 0.9, 0.12
"""Share of a lane, and of the picture, that the bar takes at most."""


def round_down(value: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a value."""
    if not value > 0 or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= value * (1 + 1e-9))


def paint_bar(
    painter: QPainter,
    size: tuple[int, int],
    *,
    lane: float,
    lane_uv: float,
    unit: str,
    seconds: float,
    theme: tuple[str, str],
) -> tuple[float, float]:
    """Draw the bar in the lower right corner.

    Parameters
    ----------
    painter : QPainter
        On the traces.
    size : (int, int)
        Width and height of the picture in pixels.
    lane : float
        Height of a lane in pixels.
    lane_uv : float
        What a lane's height is worth.
    unit : str
        Its unit.
    seconds : float
        What the width is worth.
    theme : (str, str)
        Colours of the bar and of the ground below its words.

    Returns
    -------
    value, span : float
        What height and width of the bar are worth.
    """
    width, height = size
    value, span = round_down(LARGEST_HEIGHT * lane_uv), round_down(LARGEST_WIDTH * seconds)
    tall, wide = value / lane_uv * lane, span / seconds * width
    right, bottom = width - 14.0, height - 22.0
    painter.setPen(QPen(QColor(theme[0]), 1))
    painter.drawLines([QLineF(right, bottom - tall, right, bottom), QLineF(right - wide, bottom, right, bottom)])
    across = f"{span:g} s" if span >= 1 else f"{span * 1e3:g} ms"
    text = f"{f'{value:g} {unit}'.rstrip()}  ×  {across}"
    metrics = painter.fontMetrics()
    room = metrics.horizontalAdvance(text) + 8.0
    box = QRectF(right - room, bottom + 2, room, metrics.height())
    ground = QColor(theme[1])
    ground.setAlpha(200)
    painter.fillRect(box, ground)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.drawPoint(QPointF(right, bottom))
    return value, span
