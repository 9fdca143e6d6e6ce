"""Saves what a window shows: as a picture, as a drawing, as a table."""

import csv
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from bcikit.signal import ArgumentError, RecordingError


def save_view(widget: QWidget, path: str | Path, *, table: list[list[object]] | None = None) -> Path:
    """Save what a widget shows; the ending of the name says how.

    Parameters
    ----------
    widget : QWidget
        What is shown.
    path : str or Path
        ``.png``, ``.svg`` or ``.csv``.
    table : list of rows, optional
        What goes into the CSV file, the head first.

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
            raise ArgumentError(f"{target.name}: this view has no table; save it as .png or .svg.")
        try:
            with target.open("w", newline="", encoding="utf-8-sig") as stream:
                csv.writer(stream).writerows(table)
        except OSError as error:
            raise RecordingError(f"{target} cannot be written: {error.strerror or error}") from None
        return target
    if ending == ".svg":
        _save_svg(widget, target)
    elif ending == ".png":
        if not widget.grab().save(str(target)):
            raise RecordingError(f"{target} cannot be written.")
    else:
        raise ArgumentError(f"The ending of {target.name!r} must be .png, .svg or .csv.")
    return target


def _save_svg(widget: QWidget, target: Path) -> None:
    drawing = QSvgGenerator()
    drawing.setFileName(str(target))
    drawing.setSize(QSize(widget.width(), widget.height()))
    drawing.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    drawing.setTitle(widget.accessibleName() or widget.windowTitle())
    painter = QPainter()
    if not painter.begin(drawing):
        raise RecordingError(f"{target} cannot be written.")
    widget.render(painter, QPoint(0, 0))
    painter.end()
