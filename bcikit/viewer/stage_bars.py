"""Time of each stage on a logarithmic axis, each against its own deadline."""

import math
from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.ui.strip import level_of
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr

LOW_MS, HIGH_MS = 0.01, 1000.0
_NAMES, _NUMBERS, _FOOT = 84, 124, 18
_ALIGN_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_ALIGN_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


def stage_name(stage: str) -> str:
    """Return the name of a stage in the language of the interface; an unknown one is its own name."""
    known = {
        "arrival": tr("arrival"),
        "record": tr("recording"),
        "safety": tr("safety rules"),
        "filter": tr("filter"),
        "task": tr("task"),
        "decode": tr("decode"),
        "gate": tr("gate"),
        "output": tr("output"),
        "publish": tr("windows"),
        "total": tr("total"),
    }
    return known.get(stage, stage)


def stage_level(values: Mapping[str, float]) -> str:
    """Return how good a stage is: 99 % of its chunks take half of the deadline, or all of it, or more; "" for none."""
    deadline = values.get("deadline")
    return "" if not deadline else level_of(values["p99"], (0.5 * deadline, deadline))


def milliseconds(value: float) -> str:
    """Return milliseconds with two digits that count."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class StageBars(QWidget):
    """One row a stage: median as a bar, 99 % as a diamond, the longest as a dot, the deadline as a line.

    Parameters
    ----------
    theme : Theme
        Colours.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stages: dict[str, Mapping[str, float]] = {}
        self.setMinimumSize(_NAMES + _NUMBERS + 40, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Latency"))

    def show_stages(self, stages: Mapping[str, Mapping[str, float]]) -> None:
        """Show ``p50``, ``p99``, ``max`` and ``deadline`` of each stage, in milliseconds."""
        self._stages = dict(stages)
        words = tr("{stage}: 99 % within {late} ms, deadline {deadline} ms")
        self.setAccessibleDescription(
            "; ".join(
                words.format(
                    stage=stage_name(stage),
                    late=milliseconds(values["p99"]),
                    deadline=milliseconds(values["deadline"]) if values.get("deadline") else "–",
                )
                for stage, values in self._stages.items()
            )
        )
        self.update()

    def _x(self, value: float) -> float:
        left, right = _NAMES + 4.0, self.width() - _NUMBERS - 6.0
        share = math.log(min(HIGH_MS, max(LOW_MS, value)) / LOW_MS) / math.log(HIGH_MS / LOW_MS)
        return left + (right - left) * share

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        bottom = self.height() - _FOOT
        self._paint_axis(painter, bottom)
        step = bottom / max(1, len(self._stages))
        for row, (stage, values) in enumerate(self._stages.items()):
            self._paint_row(painter, QRectF(0, row * step, self.width(), step), stage, values)
        painter.end()

    def _paint_axis(self, painter: QPainter, bottom: float) -> None:
        for power in range(-2, 4):
            x = self._x(10.0**power)
            painter.setPen(QColor(self._theme.line))
            painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
            painter.setPen(QColor(self._theme.dim))
            label = f"{10.0**power:g}"
            if power % 2 == 0 or self.width() > 420:
                painter.drawText(QRectF(x - 30, bottom, 60, _FOOT), Qt.AlignmentFlag.AlignCenter, label)
        painter.drawText(
            QRectF(self.width() - _NUMBERS, bottom, _NUMBERS - 4, _FOOT), _ALIGN_RIGHT, tr("99 % / limit, ms")
        )

    def _paint_row(self, painter: QPainter, box: QRectF, stage: str, values: Mapping[str, float]) -> None:
        theme, middle = self._theme, box.center().y()
        bold = painter.font()
        bold.setBold(stage == "total")
        painter.setFont(bold)
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(4, box.top(), _NAMES - 8, box.height()), _ALIGN_LEFT, stage_name(stage))
        half = min(6.0, box.height() * 0.3)
        left = self._x(0.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent))
        painter.drawRect(QRectF(left, middle - half, max(1.0, self._x(values["p50"]) - left), 2 * half))
        late, longest = self._x(values["p99"]), self._x(values.get("max", values["p99"]))
        painter.setBrush(QColor(theme.warn))
        diamond = [
            QPointF(late, middle - 5),
            QPointF(late + 5, middle),
            QPointF(late, middle + 5),
            QPointF(late - 5, middle),
        ]
        painter.drawPolygon(QPolygonF(diamond))
        painter.setBrush(QColor(theme.text))
        painter.drawEllipse(QPointF(longest, middle), 1.8, 1.8)
        deadline = values.get("deadline")
        if deadline:
            painter.setPen(QPen(QColor(theme.bad), 2))
            x = self._x(deadline)
            painter.drawLine(QPointF(x, middle - half - 2), QPointF(x, middle + half + 2))
        level = stage_level(values)
        shape = f"{LEVELS[level][0]} " if level else ""
        limit = milliseconds(deadline) if deadline else "–"
        painter.setPen(QColor(theme.level(level) if level in ("WARN", "BAD") else theme.text))
        numbers = QRectF(box.right() - _NUMBERS, box.top(), _NUMBERS - 4, box.height())
        painter.drawText(numbers, _ALIGN_RIGHT, f"{shape}{milliseconds(values['p99'])} / {limit}")
