"""The picture of the traces: a ring image of which only new columns are drawn.

A frame costs what the new samples cost; the length of the window and the sampling rate do not matter. Everything is
drawn anew only when the size, the gain, the window or the choice of channels changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.signal import Chunk, StreamInfo
from bcikit.ui.theme import Theme, rgb
from bcikit.viewer.columns import PixelColumns, raster
from bcikit.viewer.display import DisplayFilter
from bcikit.viewer.groups import unit_of
from bcikit.viewer.montages import Montage
from bcikit.viewer.scale_bar import paint_bar
from bcikit.viewer.still import AnyHistory, StillHistory

REACH = 3.0
"""How many lanes a trace may leave its own; a larger peak is drawn up to there."""

STILL_SHARE = 0.5
"""Share of a lane by which a trace of a recording may lie beside its lane."""

CROWD = 100
"""Markers in view from which those without room for a name have only their line."""

SWEEP_GAP = 8
"""Columns left empty in front of the newest one while it sweeps."""

_MARK_ALPHA = 150
"""Opacity of markers and cursors, of 255: a peak right below one is still seen."""


@dataclass(frozen=True)
class Mark:
    """A marker on the traces."""

    sample: int
    text: str
    colour: str
    own: bool = False
    length: int = 0
    key: str = ""


class TraceCanvas(QWidget):
    """Traces of one stream.

    Samples only update the columns; the columns that changed are drawn when Qt paints, so that a canvas nobody sees
    draws nothing.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    theme : Theme
        Colours.
    history : History or StillHistory
        Where the samples are kept; the canvas appends to it.

    Attributes
    ----------
    shown : list of int
        Columns of the stream that are drawn, from top to bottom.
    lane_uv : dict of str to float
        Units (microvolts) from one trace to the next, for each channel type.
    dimmed : frozenset of int
        Channels drawn dim, because they are bad.
    as_lines : bool
        Draw the traces as lines: for a file that is printed, at any size.
    """

    clicked = Signal(int, int)  # sample, trace
    spanned = Signal(int, int, int)  # first sample, last sample, trace
    view_changed = Signal()

    def __init__(self, info: StreamInfo, theme: Theme, history: AnyHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 100)
        self.setMouseTracking(True)
        self.info, self._theme, self.history = info, theme, history
        self.filter = DisplayFilter(info)
        self.shown = list(range(info.n_channels))
        self.spans = False
        self._span: tuple[float, float] | None = None
        self.lane_uv = dict.fromkeys(dict.fromkeys(info.ch_types), 100.0)
        self.seconds = 10.0
        self.sweep = False
        self.dimmed: frozenset[int] = frozenset()
        self.marks: list[Mark] = []
        self.cursors: list[int] = []
        self.frozen_end: int | None = None
        self.remove_offset = True
        self.as_lines = False
        self.offset = np.zeros(self.montage.n_traces, dtype=np.float32)
        self._offset_checked = -1
        self._drag: int | None = None
        self._stale_from: int | None = None
        self._live = self._new_picture()
        self._still: tuple[PixelColumns, NDArray[np.uint32], QImage] | None = None

    @property
    def montage(self) -> Montage:
        """What of the channels is drawn."""
        return self.filter.montage

    # -- samples ---------------------------------------------------------------------------------------------------

    def append(self, chunk: Chunk) -> None:
        """Take new samples; they are drawn with the next frame."""
        self.history.append(chunk)
        start, _ = self._live[0].append(self.filter.process(chunk), chunk.first_sample)
        self._stale_from = start if self._stale_from is None else min(start, self._stale_from)
        if self.frozen_end is None:
            self.update()

    def _draw_new(self) -> None:
        """Draw the columns that changed since the last frame."""
        if self._stale_from is None:
            return
        columns, image, _ = self._live
        if self._settle_offset():
            self._draw_all(self._live)
        else:
            self._draw(columns, image, self._stale_from, columns.newest + 1)
        if self.sweep and columns.newest >= 0:
            gap = np.arange(columns.newest + 1, columns.newest + 1 + SWEEP_GAP) % columns.n_columns
            image[:, gap] = rgb(self._theme.panel)
        self._stale_from = None

    def _settle_offset(self) -> bool:
        """Follow the offset of the electrodes for drawing; True if everything must be drawn anew."""
        if not self.remove_offset:
            return False
        rate = self.history.rate
        first = self._offset_checked < 0
        if self.history.end - self._offset_checked < (0.25 if first else 2.0) * rate:
            return False
        self._offset_checked = self.history.end
        columns = self._live[0]
        return self._settle(columns, columns.column_of(round(2.0 * rate)), 0.1 if first else 0.75)

    def _settle(self, columns: PixelColumns, count: int, share: float) -> bool:
        """Follow what the newest columns show where it is off by a share of a lane; True if anything changed."""
        middle = columns.middle(max(1, count)) if self.remove_offset else None
        if middle is None:
            return False
        lanes = np.array([self.lane_uv[kind] for kind in self.montage.types], dtype=np.float32)
        far = np.abs(middle - self.offset) > share * lanes
        self.offset[far] = middle[far]
        return bool(far.any())

    # -- view ------------------------------------------------------------------------------------------------------

    @property
    def window_samples(self) -> int:
        """Length of the window in samples."""
        return max(2, round(self.seconds * self.history.rate))

    def redraw(self) -> None:
        """Draw everything anew, after a change of view."""
        self._live = self._new_picture()
        columns = self._live[0]
        self._fill(columns, self.history.end)
        self._stale_from = columns.newest + 1 - columns.n_columns if columns.newest >= 0 else None
        if self.frozen_end is not None:
            self.freeze(self.frozen_end, anew=True)
        self.update()
        self.view_changed.emit()

    def freeze(self, end: int | None, *, anew: bool = False) -> None:
        """Hold the picture so that it ends before sample `end`; None goes on live, `anew` draws all of it again."""
        self.frozen_end = end
        still = isinstance(self.history, StillHistory)
        if end is None:
            self._still = None
        elif anew or not still or not self._shift_still(end):
            self._still = self._new_picture()
            columns = self._still[0]
            self._fill(columns, end)
            if still:
                self._settle(columns, columns.n_columns, STILL_SHARE)
            self._draw_all(self._still)
        self.update()
        self.view_changed.emit()

    def _fill(self, columns: PixelColumns, end: int) -> None:
        """Put what is kept before sample `end` into fresh columns, as it is drawn."""
        start = max(end - self.window_samples, self.history.start)
        blocks = self._blocks(columns)
        if blocks is not None:
            columns.fill_blocks(blocks[1], blocks[2], blocks[0], end)
            return
        settle = round(2.0 * self.history.rate) if self.filter.active else 0
        begin = max(start - settle, self.history.start)
        part = self.filter.window(self.history.get(begin, end), begin)
        if part.shape[0] > start - begin:
            columns.append(part[start - begin :], start)

    def _blocks(self, columns: PixelColumns) -> tuple[int, NDArray[np.float32], NDArray[np.float32]] | None:
        """Return the blocks to draw from, where a column holds several and nothing is summed or filtered."""
        history, room = self.history, columns.n_samples // (2 * columns.n_columns)
        if not isinstance(history, StillHistory) or self.filter.active or self.montage.matrix is not None:
            return None
        return history.blocks(room)

    def _shift_still(self, end: int) -> bool:
        """Move the still picture of a recording: only the columns that come into view are drawn. False if it cannot."""
        if self._still is None or self._still[0].newest < 0:
            return False
        columns, image, _ = self._still
        count = columns.n_columns
        new = columns.column_of(end - 1)
        if columns.n_samples != self.window_samples or columns.n_samples < count:
            return False
        if abs(new - columns.newest) >= count:
            return False
        if new >= columns.newest:
            # The newest column may have been cut by the end of the picture.
            first, stop = columns.newest, new + 1
        else:
            first, stop = new + 1 - count, columns.newest + 1 - count
        columns.newest = new
        blocks = self._blocks(columns)
        if blocks is not None:
            columns.replace_blocks(blocks[1], blocks[2], blocks[0], first, stop)
        else:
            start, last = max(0, columns.sample_of(first)), min(columns.sample_of(stop), self.history.end)
            settle = round(2.0 * self.history.rate) if self.filter.active else 0
            begin = max(0, start - settle)
            part = self.filter.window(self.history.get(begin, max(begin, last)), begin)[start - begin :]
            columns.replace(part, start, first, stop)
        if self._settle(columns, count, STILL_SHARE):
            self._draw_all(self._still)
        else:
            self._draw(columns, image, first, stop + (stop <= new))
        return True

    def forget_offset(self) -> None:
        """Begin anew with the offsets: other traces are drawn from now on."""
        self.offset = np.zeros(self.montage.n_traces, dtype=np.float32)
        self._offset_checked = -1

    def _new_picture(self) -> tuple[PixelColumns, NDArray[np.uint32], QImage]:
        ratio = self.devicePixelRatioF()
        # Never wider than the widget: a column outside it would be a peak lost.
        width = max(16, int(self.width() * ratio + 1e-6))
        height = max(16, int(self.height() * ratio + 1e-6))
        image = np.full((height, width), rgb(self._theme.panel), dtype=np.uint32)
        view = QImage(image.data, width, height, width * 4, QImage.Format.Format_RGB32)
        return PixelColumns(self.montage.n_traces, width, self.window_samples), image, view

    def _draw_all(self, picture: tuple[PixelColumns, NDArray[np.uint32], QImage]) -> None:
        columns, image, _ = picture
        image[:] = rgb(self._theme.panel)
        if columns.newest >= 0:
            self._draw(columns, image, columns.newest + 1 - columns.n_columns, columns.newest + 1)

    def _draw(self, columns: PixelColumns, image: NDArray[np.uint32], start: int, stop: int) -> None:
        count = len(self.shown)
        # Bad channels lie below the others: their noise must not hide a peak.
        rows = np.array(sorted(range(count), key=lambda row: self.shown[row] not in self.dimmed), dtype=np.int64)
        channels = np.array([self.shown[row] for row in rows], dtype=np.int64)
        height = image.shape[0]
        lane = height / max(1, count)
        lanes = np.array([self.lane_uv[self.montage.types[c]] for c in channels], dtype=np.float32)
        trace, dim = rgb(self._theme.trace), rgb(self._theme.line)
        raster(
            image,
            columns,
            start,
            stop,
            channels=channels,
            centre=((rows + 0.5) * lane).astype(np.float32),
            offset=self.offset[channels] if self.remove_offset else np.zeros(count, dtype=np.float32),
            gain=(lane / lanes).astype(np.float32),
            colours=np.array([dim if c in self.dimmed else trace for c in channels], dtype=np.uint32),
            background=rgb(self._theme.panel),
            reach=REACH * lane if count > 1 else height / 2,
        )

    # -- positions -------------------------------------------------------------------------------------------------

    @property
    def picture(self) -> tuple[PixelColumns, NDArray[np.uint32], QImage]:
        """The picture that is shown: live or frozen."""
        return self._still or self._live

    def x_of(self, sample: int) -> float | None:
        """Return where a sample is drawn, in logical pixels, or None if it is not in view."""
        columns = self.picture[0]
        column = columns.column_of(sample)
        if not columns.newest - columns.n_columns < column <= columns.newest:
            return None
        sweep = self.sweep and self._still is None
        place = column % columns.n_columns if sweep else column - (columns.newest + 1 - columns.n_columns)
        return place / self.devicePixelRatioF()

    def sample_at(self, x: float) -> int:
        """Return the sample that is drawn at a position, in logical pixels."""
        columns = self.picture[0]
        place = min(columns.n_columns - 1, max(0, int(x * self.devicePixelRatioF())))
        first = columns.newest + 1 - columns.n_columns
        if self.sweep and self._still is None:
            column = columns.newest - (columns.newest - place) % columns.n_columns
        else:
            column = first + place
        if columns.n_samples >= columns.n_columns:
            return max(0, columns.sample_of(column))
        # Samples stand apart: it is the nearest one.
        nearest = round((column + 0.5) * columns.n_samples / columns.n_columns)
        return max(0, min(nearest, columns.sample_of(columns.newest)))

    def x_of_time(self, seconds: float) -> float:
        """Return where a time stands, in logical pixels, in seconds since sample 0; beyond the ends, too."""
        columns = self.picture[0]
        place = seconds * self.history.rate * columns.n_columns / columns.n_samples
        return (place - (columns.newest + 1 - columns.n_columns)) / self.devicePixelRatioF()

    def channel_at(self, y: float) -> int:
        """Return the channel whose lane is at a position; -1 if none is shown."""
        if not self.shown:
            return -1
        lane = int(y / self.height() * len(self.shown))
        return self.shown[min(len(self.shown) - 1, max(0, lane))]

    # -- painting --------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Put the picture on the screen: one or two blits, then markers and cursors."""
        if self._still is None:
            self._draw_new()
        painter = QPainter(self)
        columns, _, view = self.picture
        width, height = view.width(), view.height()
        ratio = self.devicePixelRatioF()
        if self.as_lines:
            painter.fillRect(self.rect(), QColor(self._theme.panel))
            self._paint_lines(painter)
            self._paint_marks(painter)
            self._paint_cursors(painter)
            self._paint_bar(painter)
            painter.end()
            return
        if ratio != int(ratio):
            painter.fillRect(self.rect(), QColor(self._theme.panel))
        painter.scale(1 / ratio, 1 / ratio)
        turn = (columns.newest + 1) % width if columns.newest >= 0 else 0
        if (self.sweep and self._still is None) or turn == 0:
            painter.drawImage(0, 0, view)
        else:
            painter.drawImage(QPointF(0, 0), view, QRectF(turn, 0, width - turn, height))
            painter.drawImage(QPointF(width - turn, 0), view, QRectF(0, 0, turn, height))
        painter.scale(ratio, ratio)
        self._paint_marks(painter)
        self._paint_cursors(painter)
        self._paint_span(painter)
        self._paint_bar(painter)
        painter.end()

    def _paint_bar(self, painter: QPainter) -> None:
        if not self.shown or self.filter.montage.n_traces == 0:
            return
        worth = self.lane_uv[self.montage.types[self.shown[0]]]
        lane = self.height() / len(self.shown)
        paint_bar(
            painter,
            (self.width(), self.height()),
            lane=lane,
            lane_uv=worth,
            unit=unit_of(self.info, self.montage.types[self.shown[0]]).replace("uV", "µV"),
            seconds=self.seconds,
            theme=(self._theme.text, self._theme.panel),
        )

    def _paint_lines(self, painter: QPainter) -> None:
        """Draw every trace as lines through the extremes of its columns: no peak is lost, and none has steps."""
        columns = self.picture[0]
        if columns.newest < 0 or not self.shown:
            return
        first = columns.newest + 1 - columns.n_columns
        numbers = np.arange(max(0, first), columns.newest + 1)
        x = np.array([self.x_of(columns.sample_of(number)) or 0.0 for number in numbers.tolist()])
        order = np.argsort(x, kind="stable")
        at, x = numbers[order] % columns.n_columns, x[order]
        lane = self.height() / len(self.shown)
        for row, trace in enumerate(self.shown):
            zero = float(self.offset[trace]) if self.remove_offset else 0.0
            gain = lane / self.lane_uv[self.montage.types[trace]]
            middle = (row + 0.5) * lane
            colour = self._theme.line if trace in self.dimmed else self._theme.trace
            painter.setPen(QPen(QColor(colour), 0.7))
            reach = np.float32(REACH * lane / gain if len(self.shown) > 1 else self.height() / 2 / gain)
            low = np.clip(columns.low[trace, at], zero - reach, zero + reach)
            high = np.clip(columns.high[trace, at], zero - reach, zero + reach)
            points: list[QPointF] = []
            for place, bottom, top in zip(x.tolist(), low.tolist(), high.tolist(), strict=True):
                if bottom != bottom:  # NaN: nothing is there
                    painter.drawPolyline(points)
                    points = []
                    continue
                points.append(QPointF(place, middle - (top - zero) * gain))
                if top != bottom:
                    points.append(QPointF(place, middle - (bottom - zero) * gain))
            painter.drawPolyline(points)

    def _paint_marks(self, painter: QPainter) -> None:
        metrics = painter.fontMetrics()
        last: dict[int, float] = {}
        columns = self.picture[0]
        first, beyond = (columns.sample_of(columns.newest + 1 - columns.n_columns * back) for back in (1, 0))
        seen = [mark for mark in self.marks if mark.sample < beyond and mark.sample + mark.length >= first]
        drawn: set[int] = set()
        for mark in seen:
            x = self.x_of(mark.sample)
            if x is None and mark.length and mark.sample < first:
                x = 0.0
            if x is None:
                continue
            line = see_through(mark.colour)
            if mark.length and mark.own:
                stop = self.x_of(mark.sample + mark.length)
                band = QColor(mark.colour)
                band.setAlpha(48)
                painter.fillRect(QRectF(x, 0, (stop if stop is not None else self.width()) - x, self.height()), band)
            if round(x) not in drawn or mark.own:
                # See-through lines on one another would hide what is below them.
                drawn.add(round(x))
                painter.setPen(QPen(line, 1, Qt.PenStyle.DashLine if mark.own else Qt.PenStyle.SolidLine))
                painter.drawLine(round(x), 0, round(x), self.height())
            painter.setPen(QColor(mark.colour))
            row = next((r for r in range(3) if last.get(r, -1e9) < x - 2), 2)
            if len(seen) > CROWD and last.get(row, -1e9) >= x - 2:
                # No room for its name; its line stands.
                continue
            width = metrics.horizontalAdvance(mark.text)
            # At the right edge it stands before its line: what is newest is what one reads.
            left = round(x) + 3 if x + width + 6 <= self.width() else max(3, round(x) - width - 3)
            painter.fillRect(
                QRectF(left - 2, row * metrics.height(), width + 5, metrics.height()), see_through(self._theme.panel)
            )
            painter.drawText(left, (row + 1) * metrics.height() - 3, mark.text)
            last[row] = x + width + 6

    def _paint_cursors(self, painter: QPainter) -> None:
        painter.setPen(QPen(see_through(self._theme.accent), 1.5))
        for number, sample in enumerate(self.cursors):
            x = self.x_of(sample)
            if x is not None:
                painter.drawLine(round(x), 0, round(x), self.height())
                painter.drawText(round(x) + 3, self.height() - 6, "AB"[number])

    def _paint_span(self, painter: QPainter) -> None:
        if self._span is not None:
            colour = QColor(self._theme.warn)
            colour.setAlpha(70)
            a, b = sorted(self._span)
            painter.fillRect(QRectF(a, 0, b - a, self.height()), colour)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw for the new size."""
        super().resizeEvent(event)
        self.redraw()

    def event(self, event: QEvent) -> bool:
        """Draw anew on a screen of another resolution."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.redraw()
        return super().event(event)

    # -- mouse -----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take a cursor that is near, or report the click."""
        x = event.position().x()
        near = [(abs((self.x_of(s) or -1e9) - x), i) for i, s in enumerate(self.cursors)]
        if near and min(near)[0] < 8:
            self._drag = min(near)[1]
            return
        if self.spans:
            self._span = (x, x)
            return
        self.clicked.emit(self.sample_at(x), self.channel_at(event.position().y()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the cursor that was taken."""
        if self._drag is not None:
            self.cursors[self._drag] = self.sample_at(event.position().x())
            self.update()
            self.view_changed.emit()
        elif self._span is not None:
            self._span = (self._span[0], event.position().x())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Leave the cursor where it is; a span that was drawn is told."""
        self._drag = None
        if self._span is None:
            return
        (a, b), self._span = sorted(self._span), None
        channel = self.channel_at(event.position().y())
        first = self.sample_at(a)
        # A hand that shakes while it clicks draws no span.
        self.spanned.emit(first, self.sample_at(b) if b - a >= 4 else first, channel)
        self.update()


def see_through(colour: str) -> QColor:
    """Return a colour through which the traces are seen."""
    made = QColor(colour)
    made.setAlpha(_MARK_ALPHA)
    return made
