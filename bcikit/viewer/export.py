"""Saves what a window shows: as a picture of any size, as a drawing of lines, as a table."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QIODevice, QMarginsF, QObject, QPoint, QRect, QSize, QSizeF, Qt
from PySide6.QtGui import QImage, QPageSize, QPainter, QPdfWriter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QMenuBar,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QWidget,
)

from bcikit.signal import ArgumentError
from bcikit.ui.whole import drawn, save_whole
from bcikit.viewer.canvas import TraceCanvas
from bcikit.viewer.overview import Overview

PICTURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".parquet")
_POINTS_PER_PIXEL = 72 / 96


def save_view(
    widget: QWidget, path: str | Path, *, table: list[list[object]] | None = None, width: int | None = None
) -> Path:
    """Save what a widget shows; the ending of the name says how.

    Parameters
    ----------
    widget : QWidget
        What is shown.
    path : str or Path
        ``.png``, ``.svg`` and ``.pdf`` (lines, not dots: for papers), or ``.csv``.
    table : list of rows, optional
        What goes into the CSV file, the head first.
    width : int, optional
        Of a PNG, in pixels; that of the widget if left out. The height follows.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ArgumentError
        If the ending is another, or there is no table for a CSV file.
    RecordingError
        If the file cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending == ".csv":
        if not table:
            raise ArgumentError(f"{target.name}: this view has no table; save it as .png, .svg or .pdf.")
        lines = io.StringIO()
        csv.writer(lines).writerows(table)
        save_whole(target, lines.getvalue().encode("utf-8-sig"))
        return target
    if ending == ".svg":
        save_whole(target, drawn(lambda device: _draw_svg(widget, device)))
    elif ending == ".pdf":
        save_whole(target, drawn(lambda device: _draw_pdf(widget, device)))
    elif ending == ".png":
        image = _picture(widget, width)
        # PySide's own types know the format as bytes alone; it takes text, as its documentation says.
        save_whole(target, drawn(lambda device: image.save(device, "PNG")))  # type: ignore[call-overload]
    else:
        raise ArgumentError(f"The ending of {target.name!r} must be one of {', '.join((*PICTURES, '.csv'))}.")
    return target


class PlainControls(QObject):
    """Has controls drawn as the words on them: styles draw arrows and shades as pixels, and none belongs on paper.

    Parameters
    ----------
    widget : QWidget
        All controls in it are drawn so, until they are released.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        kinds = QComboBox | QAbstractButton | QScrollBar | QTabBar | QMenuBar | QProgressBar | QAbstractSpinBox
        self._watched: list[QWidget] = [part for part in widget.findChildren(QWidget) if isinstance(part, kinds)]
        self._watched += [head.viewport() for head in widget.findChildren(QHeaderView)]
        for part in self._watched:
            part.installEventFilter(self)

    def release(self) -> None:
        """Have them drawn as always."""
        for part in self._watched:
            part.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Draw the words in place of the control."""
        if event.type() != QEvent.Type.Paint or not isinstance(watched, QWidget):
            return False
        painter = QPainter(watched)
        painter.setPen(watched.palette().windowText().color())
        for place, text in _words_on(watched):
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextHideMnemonic, text)
        painter.end()
        return True


def _words_on(widget: QWidget) -> list[tuple[QRect, str]]:
    """Return what stands on a control, and where."""
    parent = widget.parentWidget()
    match widget:
        case QComboBox():
            return [(widget.rect(), widget.currentText())]
        case QAbstractButton():
            return [(widget.rect(), widget.text())]
        case QAbstractSpinBox():
            return [(widget.rect(), widget.text())]
        case QTabBar():
            return [(widget.tabRect(number), widget.tabText(number)) for number in range(widget.count())]
        case QMenuBar():
            return [(widget.actionGeometry(action), action.text()) for action in widget.actions()]
        case QScrollBar() | QProgressBar():
            return []
    if isinstance(parent, QHeaderView):
        across = parent.orientation() == Qt.Orientation.Horizontal
        found = []
        for number in range(parent.count()):
            at, size = parent.sectionViewportPosition(number), parent.sectionSize(number)
            place = QRect(at, 0, size, widget.height()) if across else QRect(0, at, widget.width(), size)
            text = parent.model().headerData(number, parent.orientation())
            found.append((place, "" if text is None else str(text)))
        return found
    return []


@contextmanager
def _as_lines(widget: QWidget) -> Iterator[None]:
    """Have traces, and the strip of a recording, drawn as lines instead of as the dots of the screen."""
    drawn = [part for part in (widget, *widget.findChildren(QWidget)) if isinstance(part, TraceCanvas | Overview)]
    plain = PlainControls(widget)
    for part in drawn:
        part.as_lines = True
    try:
        yield
    finally:
        plain.deleteLater()
        plain.release()
        for part in drawn:
            part.as_lines = False


def _picture(widget: QWidget, width: int | None) -> QImage:
    if width is None or width == widget.width():
        return widget.grab().toImage()
    scale = width / max(1, widget.width())
    image = QImage(width, round(widget.height() * scale), QImage.Format.Format_RGB32)
    image.fill(widget.palette().window().color())
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    with _as_lines(widget):
        widget.render(painter, QPoint(0, 0))
    painter.end()
    return image


def _draw_svg(widget: QWidget, device: QIODevice) -> None:
    drawing = QSvgGenerator()
    drawing.setOutputDevice(device)
    drawing.setSize(QSize(widget.width(), widget.height()))
    drawing.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    drawing.setTitle(widget.accessibleName() or widget.windowTitle())
    painter = QPainter(drawing)
    with _as_lines(widget):
        widget.render(painter, QPoint(0, 0))
    painter.end()


def _draw_pdf(widget: QWidget, device: QIODevice) -> None:
    writer = QPdfWriter(device)
    size = QSizeF(widget.width() * _POINTS_PER_PIXEL, widget.height() * _POINTS_PER_PIXEL)
    writer.setPageSize(QPageSize(size, QPageSize.Unit.Point))
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    writer.setTitle(widget.accessibleName() or widget.windowTitle())
    writer.setResolution(96)
    painter = QPainter(writer)
    with _as_lines(widget):
        widget.render(painter, QPoint(0, 0))
    painter.end()
