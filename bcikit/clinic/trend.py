"""The curve of accuracy over sessions, drawn by Qt so that it speaks the language of the interface."""

import base64
from collections.abc import Sequence

from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QImage, QPainter, QPen, QPolygonF

from bcikit.ui.words import tr

SIZE = (1080, 420)
_INK, _GREY, _LINE = QColor("#16202a"), QColor("#5c6975"), QColor("#0072b2")


def trend_picture(trend: Sequence[tuple[str, float]]) -> str:
    """Return the accuracy over sessions as a PNG in base64; "" for fewer than two sessions.

    Parameters
    ----------
    trend : sequence of (str, float)
        Day and accuracy (0 to 1) of each session.
    """
    if len(trend) < 2:
        return ""
    image = QImage(*SIZE, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = QFont(QGuiApplication.font())
    font.setPixelSize(24)
    painter.setFont(font)
    _draw(painter, trend, QRectF(96, 24, SIZE[0] - 120, SIZE[1] - 116))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return base64.b64encode(buffer.data().data()).decode()


def _draw(painter: QPainter, trend: Sequence[tuple[str, float]], area: QRectF) -> None:
    right, middle = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignCenter
    for percent in (0, 25, 50, 75, 100):
        y = area.bottom() - area.height() * percent / 100
        dash = Qt.PenStyle.DashLine if percent == 50 else Qt.PenStyle.SolidLine
        painter.setPen(QPen(_GREY if percent == 50 else QColor("#cfd6dd"), 2, dash))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(_INK)
        painter.drawText(QRectF(0, y - 18, area.left() - 12, 36), right, f"{percent} %")
    step = area.width() / len(trend)
    points = [
        QPointF(area.left() + step * (index + 0.5), area.bottom() - area.height() * value)
        for index, (_, value) in enumerate(trend)
    ]
    painter.setPen(QPen(_LINE, 4))
    painter.drawPolyline(QPolygonF(points))
    painter.setBrush(_LINE)
    # Not more days than there is room for: the first, the last, and every so manyth between them.
    every = max(1, -(-len(trend) * 140 // round(area.width())))
    for index, (point, (day, _)) in enumerate(zip(points, trend, strict=True)):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(point, 8, 8)
        if index % every == 0:
            painter.setPen(_INK)
            painter.drawText(QRectF(point.x() - 100, area.bottom() + 8, 200, 34), middle, day)
    painter.setPen(_GREY)
    painter.drawText(
        QRectF(area.left(), area.bottom() + 44, area.width(), 40),
        middle,
        tr("Accuracy of each session; half of two classes is guessing"),
    )
