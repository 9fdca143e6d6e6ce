"""Curves over sessions, drawn by Qt so that they speak the language of the interface."""

from collections.abc import Sequence

from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QImage, QPainter, QPen, QPolygonF

from bcikit.reporting.figures import png_url

SIZE = (1080, 330)
_INK, _GREY, _LINE = QColor("#16202a"), QColor("#5c6975"), QColor("#0072b2")


def trend_picture(
    points: Sequence[tuple[str, float]], *, words: str, low: float = 0.0, high: float = 100.0, unit: str = " %"
) -> str:
    """Return values over days as a PNG in a data address; "" for fewer than two.

    Parameters
    ----------
    points : sequence of (str, float)
        Day and value, in order.
    words : str
        Below the curve: what it is.
    low, high : float
        Range of the scale.
    unit : str
        Behind the numbers of the scale.
    """
    if len(points) < 2:
        return ""
    image = QImage(*SIZE, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = QFont(QGuiApplication.font())
    font.setPixelSize(24)
    painter.setFont(font)
    area = QRectF(110, 24, SIZE[0] - 134, SIZE[1] - 116)
    _scale(painter, area, low, high, unit)
    _curve(painter, area, points, low, high)
    painter.setPen(_GREY)
    below = QRectF(0, area.bottom() + 44, SIZE[0], 40)
    wide = QFontMetrics(font).horizontalAdvance(words)
    font.setPixelSize(max(12, min(24, 24 * SIZE[0] // max(1, wide))))
    painter.setFont(font)
    painter.drawText(below, Qt.AlignmentFlag.AlignCenter, words)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return png_url(bytes(buffer.data().data()))


def _scale(painter: QPainter, area: QRectF, low: float, high: float, unit: str) -> None:
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    for quarter in range(5):
        y = area.bottom() - area.height() * quarter / 4
        painter.setPen(QPen(QColor("#cfd6dd"), 2))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(_INK)
        text = f"{low + (high - low) * quarter / 4:g}{unit}"
        painter.drawText(QRectF(0, y - 18, area.left() - 12, 36), right, text)


def _curve(painter: QPainter, area: QRectF, points: Sequence[tuple[str, float]], low: float, high: float) -> None:
    step = area.width() / len(points)
    span = (high - low) or 1.0
    places = [
        QPointF(area.left() + step * (index + 0.5), area.bottom() - area.height() * (value - low) / span)
        for index, (_, value) in enumerate(points)
    ]
    painter.setPen(QPen(_LINE, 4))
    painter.drawPolyline(QPolygonF(places))
    painter.setBrush(_LINE)
    # Not more days than there is room for: the first, and every so manyth after it.
    every = max(1, -(-len(points) * 140 // round(area.width())))
    for index, (place, (day, _)) in enumerate(zip(places, points, strict=True)):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(place, 8, 8)
        if index % every == 0:
            painter.setPen(_INK)
            middle = Qt.AlignmentFlag.AlignCenter
            painter.drawText(QRectF(place.x() - 100, area.bottom() + 8, 200, 34), middle, day)
