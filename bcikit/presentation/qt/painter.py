"""Draws the shapes of a scene with a QPainter."""

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPixmap, QPolygonF

from bcikit.paradigms.films import load_film
from bcikit.paradigms.scene import Scene
from bcikit.presentation.colours import FLASH
from bcikit.presentation.layout import HEIGHT, WIDTH, Shape, Viewing, background, lay_out
from bcikit.presentation.lines import break_lines
from bcikit.presentation.qt.hand import draw_hand
from bcikit.presentation.show import Show

PATCH = 60
"""Side of the photodiode patch in pixels, in the lower left corner of the window."""
FAMILIES = ["Noto Sans", "Noto Sans CJK SC", "Segoe UI", "Microsoft YaHei", "PingFang SC", "Helvetica", "sans-serif"]


def shade(luminance: float) -> QColor:
    """Return the grey whose light is `luminance` (0 to 1) on an sRGB screen."""
    value = 12.92 * luminance if luminance <= 0.0031308 else 1.055 * luminance ** (1 / 2.4) - 0.055
    return QColor.fromRgbF(value, value, value)


class StagePainter:
    """Paints what a show shows, fitted into a window.

    Parameters
    ----------
    view : Viewing
        Language and distance.

    Attributes
    ----------
    places : dict of str to QRectF
        Where each shape of the newest picture was drawn, in pixels.
    """

    def __init__(self, view: Viewing | None = None) -> None:
        self.view = view or Viewing()
        self.places: dict[str, QRectF] = {}
        self._laid: tuple[Scene, Viewing] | None = None
        self._shapes: list[Shape] = []

    def paint(self, painter: QPainter, width: float, height: float, show: Show, now: float, *, patch: bool) -> None:
        """Paint the picture.

        Parameters
        ----------
        painter : QPainter
            On a surface of `width` by `height` pixels.
        show : Show
            What is shown.
        now : float
            Time of the frame, in seconds on the host clock.
        patch : bool
            Draw the photodiode patch.
        """
        scene = show.seen
        if self._laid != (scene, self.view):
            self._laid = (scene, self.view)
            self._shapes = lay_out(scene, self.view)
        painter.fillRect(QRectF(0, 0, width, height), QColor(background(scene)))
        scale = min(width / WIDTH, height / HEIGHT)
        left, top = (width - WIDTH * scale) / 2, (height - HEIGHT * scale) / 2
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(left, top)
        painter.scale(scale, scale)
        levels = show.levels()
        self.places = {}
        for shape in self._shapes:
            box = self._draw(painter, shape, show, now, levels)
            self.places[shape.id] = QRectF(
                left + box.x() * scale, top + box.y() * scale, box.width() * scale, box.height() * scale
            )
        painter.restore()
        if patch:
            painter.fillRect(QRectF(0, height - PATCH, PATCH, PATCH), shade(1.0 if show.patch else 0.0))

    def _draw(self, painter: QPainter, shape: Shape, show: Show, now: float, levels: dict[str, float]) -> QRectF:
        box = QRectF(*shape.box)
        fill, kind = shape.fill, shape.live.partition(":")[0]
        move = QPointF(0, 0)
        text = shape.text
        if kind == "lit" and shape.live[4:] in show.lit:
            fill = FLASH
        elif shape.live == "value:width":
            box.setWidth(box.width() * min(max(show.value, 0.0), 1.0))
        elif shape.live == "value:rise":
            move = QPointF(0, -shape.number * min(max(show.value, 0.0), 1.0))
        elif kind == "position":
            move = QPointF(shape.number * min(max(show.position, -1.0), 1.0), 0)
        elif kind == "plane":
            x, y = (min(max(value, -1.0), 1.0) for value in (show.position, show.height))
            move = QPointF(shape.number * x, -shape.number * y)
        elif kind == "countdown":
            text = show.countdown(shape.number, now)
        box.translate(move)
        colour = shade(levels[shape.live[6:]]) if kind == "level" and shape.live[6:] in levels else QColor(fill)
        painter.setPen(QPen(QColor(shape.line), shape.thick) if shape.line else Qt.PenStyle.NoPen)
        painter.setBrush(colour if fill else Qt.BrushStyle.NoBrush)
        if shape.do == "rect" and box.width() > 0:
            painter.drawRoundedRect(box, shape.radius, shape.radius)
        elif shape.do == "ellipse":
            painter.drawEllipse(box)
        elif shape.do == "polygon":
            painter.drawPolygon(QPolygonF([QPointF(x, y) + move for x, y in shape.points]))
            if kind == "drive":
                self._dashes(painter, shape, now)
        elif shape.do == "hand":
            draw_hand(painter, box, show.closure[shape.side], left=shape.side == "left")
        elif shape.do == "film":
            self._film(painter, box, shape, now - show.since)
        elif shape.do == "text":
            return self._text(painter, box, shape, text, colour)
        return box

    @staticmethod
    def _dashes(painter: QPainter, shape: Shape, now: float) -> None:
        """Cover parts of the lane, so that it runs towards the driver as fast as the car."""
        from bcikit.presentation.colours import TARMAC
        from bcikit.presentation.road import gaps

        painter.setBrush(QColor(TARMAC))
        for y, high in gaps(now, shape.number):
            painter.drawRect(QRectF(775, y, 50, high))

    @staticmethod
    def _film(painter: QPainter, box: QRectF, shape: Shape, since: float) -> None:
        film = load_film(shape.name)
        sheet = _sheet(shape.name)
        painter.save()
        if shape.side == "left":
            painter.translate(2 * box.center().x(), 0)
            painter.scale(-1.0, 1.0)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(box, sheet, QRectF(*film.frame_at(since)))
        painter.restore()

    @staticmethod
    def _text(painter: QPainter, box: QRectF, shape: Shape, text: str, colour: QColor) -> QRectF:
        """Draw words, broken and made smaller until they fit; return where they stand."""
        font = QFont()
        font.setFamilies(FAMILIES)
        font.setWeight(QFont.Weight.DemiBold if shape.bold else QFont.Weight.Normal)

        def width_of(part: str, size: float) -> float:
            font.setPixelSize(max(1, round(size)))
            return QFontMetricsF(font).horizontalAdvance(part)

        size, lines = break_lines(text, box.width(), box.height(), shape.size, width_of)
        painter.setPen(colour)
        wide = max(width_of(line, size) for line in lines)
        font.setPixelSize(max(1, round(size)))
        painter.setFont(font)
        step = 1.2 * size
        top = box.center().y() - step * len(lines) / 2
        for number, line in enumerate(lines):
            row = QRectF(box.x(), top + number * step, box.width(), step)
            painter.drawText(row, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextDontClip), line)
        return QRectF(box.center().x() - wide / 2, top, wide, step * len(lines))


@lru_cache(maxsize=8)
def _sheet(name: str) -> QPixmap:
    sheet = QPixmap()
    sheet.loadFromData(load_film(name).png)
    return sheet


def picture(show: Show, width: int, height: int, *, view: Viewing | None = None, now: float = 0.0) -> QImage:
    """Return what a show shows as an image, without a window (needs a QGuiApplication)."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    StagePainter(view).paint(painter, width, height, show, now, patch=False)
    painter.end()
    return image
