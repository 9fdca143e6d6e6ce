"""The strip that is always visible: is it working, is it safe, and how to stop it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from bcikit.ui.rules import STATE_LEVEL, rule_text, state_text
from bcikit.ui.status import Status
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr

AGE_LIMITS_MS = (250.0, 500.0)
"""Age of the newest sample from which the link is doubtful and counts as stalled (H-STALL)."""
LOSS_LIMITS = (0.1, 1.0)
"""Percent of samples lost (H-LOSS)."""
LATENCY_LIMITS_MS = (200.0, 400.0)
"""Time from the newest sample to the verdict (H-LAT)."""


def level_of(value: float | None, limits: tuple[float, float]) -> str:
    """Return "GOOD", "WARN" or "BAD" for a value that is the better the smaller it is; "" for None."""
    if value is None:
        return ""
    return "BAD" if value > limits[1] else "WARN" if value > limits[0] else "GOOD"


class Cell(QFrame):
    """One number of the strip: title, value, and a shape that says how good it is."""

    def __init__(self, title: str, theme: Theme, *, width: int = 92) -> None:
        super().__init__()
        self._theme, self._title = theme, title
        self.setMinimumWidth(width)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        layout.setSpacing(0)
        self._head = QLabel(title)
        self._head.setStyleSheet(f"color: {theme.dim}; font-size: 11px;")
        self._value = QLabel("–")
        self._value.setTextFormat(Qt.TextFormat.PlainText)
        layout.addWidget(self._head)
        layout.addWidget(self._value)
        self._shown = ("", "")
        self.show_value("–", "")

    def show_value(self, text: str, level: str, *, detail: str = "") -> None:
        """Show a value; `detail` is the tool tip."""
        if (text, level) == self._shown:
            return
        self._shown = (text, level)
        shape = LEVELS[level][0] + " " if level in LEVELS else ""
        self._value.setText(shape + text)
        colour = self._theme.level(level) if level else self._theme.text
        self._value.setStyleSheet(f"color: {colour}; font-size: 15px; font-weight: 600;")
        words = {"GOOD": tr("good"), "WARN": tr("doubtful"), "BAD": tr("bad")}
        self.setAccessibleName(f"{self._title}: {text}" + (f", {words[level]}" if level in words else ""))
        self.setToolTip(detail or self.accessibleName())


class StatusStrip(QFrame):
    """Link age, loss, worst electrode, confidence, latency, safety state and STOP.

    Signals
    -------
    stop_pressed
        Someone wants everything to stop.
    """

    stop_pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("card", "true")
        self.setAccessibleName(tr("Health and safety"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(2)
        self.age = Cell(tr("Link age"), theme)
        self.loss = Cell(tr("Loss"), theme, width=84)
        self.electrode = Cell(tr("Worst electrode"), theme, width=150)
        self.confidence = Cell(tr("Confidence"), theme)
        self.latency = Cell(tr("Latency"), theme)
        self.state = Cell(tr("Safety"), theme, width=150)
        for cell in (self.age, self.loss, self.electrode, self.confidence, self.latency, self.state):
            layout.addWidget(cell, 0 if cell in (self.age, self.loss) else 1)
        self.stop = QPushButton(tr("STOP"))
        self.stop.setProperty("stop", "true")
        self.stop.setAutoDefault(True)
        self.stop.setMinimumSize(120, 44)
        self.stop.setToolTip(tr("Stop everything (space bar)"))
        self.stop.setAccessibleName(tr("STOP"))
        self.stop.setAccessibleDescription(tr("Stop everything (space bar)"))
        self.stop.clicked.connect(self.stop_pressed)
        layout.addWidget(self.stop)

    def set_can_stop(self, possible: bool) -> None:  # noqa: FBT001 - a Qt-like setter
        """Say whether there is anything to stop."""
        self.stop.setEnabled(possible)
        text = tr("Stop everything (space bar)") if possible else tr("This window only watches: nothing to stop")
        self.stop.setToolTip(text)
        self.stop.setAccessibleDescription(text)

    def refresh(self, status: Status, *, age: float | None, loss: float | None) -> None:
        """Show the newest state.

        Parameters
        ----------
        status : Status
            What the engine said.
        age : float or None
            Seconds since the newest sample came into this window; None before the first.
        loss : float or None
            Percent of samples lost as this window sees it; used where the engine says nothing.
        """
        milliseconds = None if age is None else age * 1e3
        text = "–" if milliseconds is None else f"{milliseconds:.0f} ms" if milliseconds < 2000 else f"{age:.0f} s"
        self.age.show_value(
            text, "GOOD" if status.finished and age is not None else level_of(milliseconds, AGE_LIMITS_MS)
        )
        known = status.loss_percent()
        known = loss if known is None else known
        self.loss.show_value("–" if known is None else f"{known:.2f} %", level_of(known, LOSS_LIMITS))
        self._refresh_electrode(status)
        confidence = status.confidence()
        self.confidence.show_value("–" if confidence is None else f"{100 * confidence:.0f} %", "")
        latency = status.total_latency_ms()
        self.latency.show_value(
            "–" if latency is None else f"{latency:.1f} ms" if latency < 100 else f"{latency:.0f} ms",
            level_of(latency, LATENCY_LIMITS_MS),
        )
        name, advice = state_text(status.state, watching=not self.stop.isEnabled())
        self.state.show_value(name, STATE_LEVEL.get(status.state, ""), detail=advice)

    def _refresh_electrode(self, status: Status) -> None:
        worst = status.worst_electrode()
        if worst is None:
            self.electrode.show_value("–", "")
            return
        name, quality = worst
        if quality.level == "GOOD":
            self.electrode.show_value(tr("all good"), "GOOD")
            return
        what, advice = rule_text(quality.rules[0]) if quality.rules else ("", "")
        text = f"{name} {quality.rules[0] if quality.rules else quality.level}"
        self.electrode.show_value(text, quality.level, detail=f"{name}: {what}. {advice}")
