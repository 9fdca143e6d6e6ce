"""Decision bars: the probability of each class, the threshold, and what the gate said."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bcikit.ui.theme import Theme
from bcikit.ui.words import tr


class DecisionBars(QWidget):
    """One bar a class, a mark at the threshold, and the verdict in words.

    Parameters
    ----------
    theme : Theme
        Colours.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._classes: tuple[str, ...] = ()
        self._values: tuple[float, ...] = ()
        self._label: str | None = None
        self._verdict = ""
        self._allowed: bool | None = None
        self.threshold: float | None = None
        self.setMinimumSize(140, 90)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(tr("Decision: none yet"))

    def show_decision(self, decision: Mapping[str, Any], *, allowed: bool | None, verdict: str) -> None:
        """Show a decision as its dictionary, and the verdict on it.

        Parameters
        ----------
        decision : mapping
            With ``classes``, ``probabilities`` and ``label``, as `Decision.to_dict` writes it.
        allowed : bool or None
            Whether the gate let it through; None if it was not asked.
        verdict : str
            The verdict in words.
        """
        self._classes = tuple(str(name) for name in decision.get("classes") or ())
        self._values = tuple(float(value) for value in decision.get("probabilities") or ())
        self._label = decision.get("label")
        self._allowed, self._verdict = allowed, verdict
        parts = [f"{n} {100 * v:.0f} %" for n, v in zip(self._classes, self._values, strict=False)]
        self.setAccessibleName(tr("Decision: {label}").format(label=self._label or tr("none")))
        self.setAccessibleDescription(", ".join([*parts, verdict]))
        self.update()

    def rows_in(self, room: float, line: float) -> list[int]:
        """Return which classes are drawn: all, or the likeliest where there is no room for a line of text each."""
        count = min(len(self._classes), max(1, int(room / line)))
        order = sorted(range(len(self._classes)), key=lambda index: -(self._values[index : index + 1] or (0.0,))[0])
        return sorted(order[:count])

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Draw the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self._theme
        words = QRectF(6, 0, self.width() - 12, self.height())
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom) | int(Qt.TextFlag.TextWordWrap)
        foot = max(26.0, painter.fontMetrics().boundingRect(words.toRect(), flags, self._verdict).height() + 6.0)
        if not self._classes:
            painter.setPen(QColor(theme.dim))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("No decision yet"))
            painter.end()
            return
        name_width = min(130.0, 14.0 + max(painter.fontMetrics().horizontalAdvance(name) for name in self._classes))
        left, right = name_width + 8, self.width() - 58.0
        room = self.height() - foot - 6
        rows = self.rows_in(room, painter.fontMetrics().height())
        step = min(64.0, room / len(rows))
        top = 6 + (room - step * len(rows)) / 2
        height = min(24.0, step * 0.64)
        for row, index in enumerate(rows):
            name = self._classes[index]
            value = self._values[index] if index < len(self._values) else 0.0
            middle = top + (row + 0.5) * step
            chosen = name == self._label
            font = painter.font()
            font.setBold(chosen)
            painter.setFont(font)
            painter.setPen(QColor(theme.text))
            align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(QRectF(2, middle - step / 2, name_width, step), align, name)
            bar = QRectF(left, middle - height / 2, right - left, height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.line))
            painter.drawRoundedRect(bar, 3, 3)
            painter.setBrush(QColor(theme.classes[index % len(theme.classes)]))
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * min(1.0, value), height), 3, 3)
            painter.setPen(QColor(theme.text))
            mark = " ✓" if chosen and self._allowed else ""
            painter.drawText(
                QRectF(right + 4, middle - step / 2, 56, step),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                f"{100 * value:.0f} %{mark}" if self._values else "–",
            )
        font = painter.font()
        font.setBold(False)
        painter.setFont(font)
        if self.threshold is not None:
            x = left + (right - left) * self.threshold
            painter.setPen(QPen(QColor(theme.text), 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(round(x), round(top), round(x), round(top + step * len(rows)))
        painter.setPen(QColor(theme.good if self._allowed else theme.warn if self._allowed is False else theme.dim))
        painter.drawText(words.adjusted(0, 0, 0, -4), flags, self._verdict)
        painter.end()
