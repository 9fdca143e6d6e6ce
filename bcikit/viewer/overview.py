"""The whole of a recording in a strip: events, bad spans, power of a band, and what is in view; a click goes there."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.ui.aside import in_background
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.analysis import BANDS, band_powers, spectrum
from bcikit.viewer.canvas import Mark
from bcikit.viewer.still import StillHistory

POINTS = 600
"""Places of a recording at which the power of the band is measured."""

SPAN_SECONDS = 4.0


def band_course(history: StillHistory, band: str = "alpha", *, points: int = POINTS) -> NDArray[np.float64]:
    """Return the power of a band over a whole recording, the median of its EEG channels, at equal steps.

    Returns
    -------
    ndarray of float64, shape (points,)
        In uV²; NaN where there is no whole window, or the rate does not reach the band.
    """
    columns = history.info.indices(ch_type="eeg") or list(range(history.info.n_channels))
    span = round(SPAN_SECONDS * history.rate)
    found = np.full(points, np.nan)
    for number in range(points):
        middle = round((number + 0.5) / points * history.end)
        first = max(0, min(middle - span // 2, history.end - span))
        part = history.get(first, first + span)[:, columns]
        powers = band_powers(*spectrum(part, history.rate), {band: BANDS[band]})
        if band in powers and np.isfinite(powers[band]).any():
            found[number] = float(np.nanmedian(powers[band]))
    return found


class Overview(QWidget):
    """The strip.

    Parameters
    ----------
    history : StillHistory
        The recording.
    theme : Theme
        Colours.
    """

    wanted = Signal(int)  # the sample in the middle of what shall be in view

    def __init__(self, history: StillHistory, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history, self._theme = history, theme
        self.as_lines = False
        self.marks: list[Mark] = []
        self.view = (0, 1)
        self.course: NDArray[np.float64] | None = None
        self._lost: NDArray[np.bool_] | None = None
        self._picture: QPixmap | None = None
        self.setFixedHeight(54)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Overview of the recording"))
        self.setToolTip(tr("Alpha power, events and lost samples of the whole recording; click to go there"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        in_background(self, lambda: np.isnan(history.low).all(axis=1), self._take_lost)
        in_background(self, lambda: band_course(history), self._take_course)

    def _take_lost(self, lost: NDArray[np.bool_] | None, error: Exception | None) -> None:  # noqa: ARG002 - none is known
        self._lost = lost
        self.show_marks(self.marks)

    def _take_course(self, course: NDArray[np.float64] | None, error: Exception | None) -> None:  # noqa: ARG002
        self.course = course
        self.show_marks(self.marks)

    def show_marks(self, marks: list[Mark]) -> None:
        """Show events and annotations."""
        self.marks = marks
        self._picture = None
        self.update()

    def show_view(self, first: int, stop: int) -> None:
        """Show what is in view."""
        if (first, stop) != self.view:
            self.view = (first, stop)
            self.update()

    def _x(self, sample: float) -> float:
        return sample / max(1, self._history.end) * self.width()

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        self._paint(painter)
        painter.end()
        return picture

    def _paint(self, painter: QPainter) -> None:
        painter.fillRect(QRectF(0, 0, self.width(), self.height()), QColor(self._theme.panel))
        base, height = self.height() - 4.0, self.height() - 16.0
        if self.course is not None and np.isfinite(self.course).any():
            # The 95th percentile: one artefact must not press all else flat.
            top = float(np.nanpercentile(self.course, 95)) * 1.2 or 1.0
            step = self.width() / len(self.course)
            colour = QColor(self._theme.accent)
            colour.setAlpha(110)
            for number, value in enumerate(self.course):
                if np.isfinite(value):
                    tall = min(1.0, value / top) * height
                    painter.fillRect(QRectF(number * step, base - tall, step + 0.5, tall), colour)
        self._draw_lost(painter)
        last = -10.0
        for mark in sorted(self.marks, key=lambda item: item.sample):
            x = self._x(mark.sample)
            colour = QColor(mark.colour)
            if mark.length and mark.own:
                colour.setAlpha(90)
                painter.fillRect(QRectF(x, 0, max(2.0, self._x(mark.length)), self.height()), colour)
            if x - last >= 1.5:
                painter.setPen(QPen(QColor(mark.colour), 1))
                painter.drawLine(round(x), 0, round(x), 10)
                last = x

    def _draw_lost(self, painter: QPainter) -> None:
        lost = self._lost
        if lost is None or not lost.any():
            return
        edges = np.flatnonzero(np.diff(np.concatenate(([False], lost, [False])).astype(np.int8)))
        colour = QColor(self._theme.bad)
        colour.setAlpha(120)
        blocks = len(lost)
        for first, stop in edges.reshape(-1, 2):
            x = first / blocks * self.width()
            painter.fillRect(QRectF(x, 0, max(2.0, (stop - first) / blocks * self.width()), self.height()), colour)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw the whole, and a frame around what is in view."""
        painter = QPainter(self)
        if self.as_lines:
            self._paint(painter)
        else:
            if self._picture is None or self._picture.devicePixelRatio() != self.devicePixelRatioF():
                self._picture = self._draw()
            painter.drawPixmap(QPoint(0, 0), self._picture)
        first, stop = self.view
        x, width = self._x(first), max(3.0, self._x(stop - first))
        inside = QColor(self._theme.text)
        inside.setAlpha(36)
        painter.fillRect(QRectF(x, 0, width, self.height()), inside)
        painter.setPen(QPen(QColor(self._theme.text), 1.5))
        painter.drawRect(QRectF(x, 0.75, width, self.height() - 1.5))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw for the new size."""
        super().resizeEvent(event)
        self._picture = None

    def _go(self, x: float) -> None:
        self.wanted.emit(round(x / max(1, self.width()) * self._history.end))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there."""
        self._go(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go along."""
        if event.buttons():
            self._go(event.position().x())
