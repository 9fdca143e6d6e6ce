"""The patient's own window: large, calm, on the second screen where there is one; what flickers is locked to frames."""

import math
import time
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QGuiApplication, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from bcikit.ui.hand import HandView
from bcikit.ui.theme import DARK
from bcikit.ui.words import tr

CALM = "#101418"
"""Behind everything the patient sees."""
GREY = QColor("#5a5f66")
"""What the screen shows when it must go blank: mid-grey, no contrast."""
CALM_PHASES = {
    "rest": "rest",
    "pause": "rest",
    "break": "rest",
    "fixation": "fixation",
    "prepare": "fixation",
    "eyes-open": "eyes-open",
    "eyes-closed": "eyes-closed",
    "training": "training",
    "watch": "watch",
}
"""Phase of a paradigm to what is shown; what is not here is the task itself."""
STOPPED = frozenset({"SAFE_STOP", "ESTOP", "FATAL"})


class Stage(QWidget):
    """Draws the phase: cross, arrow, rest, flicker.

    Attributes
    ----------
    phase : str
        What is shown, see `PatientWindow.show_phase`.
    frames : int
        Frames painted; the luminance of what flickers follows from this number alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.phase, self.cue, self.words = "wait", "", ""
        self.flicker: tuple[float, ...] = ()
        self.refresh_hz = 60.0
        self.frames = 0

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw one frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        dark = self.phase != "stop"
        painter.fillRect(self.rect(), QColor(CALM) if dark else GREY)
        side = min(self.width(), self.height())
        centre = QPointF(self.width() / 2, self.height() / 2)
        if self.flicker and dark:
            self._paint_flicker(painter)
        if self.phase in ("fixation", "cue", "task", "eyes-open"):
            painter.setPen(QPen(QColor("#dfe6ee"), max(3.0, side * 0.012)))
            arm = side * 0.07
            painter.drawLine(centre - QPointF(arm, 0), centre + QPointF(arm, 0))
            painter.drawLine(centre - QPointF(0, arm), centre + QPointF(0, arm))
        if self.phase == "cue" and self.cue:
            self._paint_cue(painter, centre, side)
        if self.words:
            font = QFont(self.font())
            font.setPixelSize(max(18, round(side * 0.06)))
            painter.setFont(font)
            painter.setPen(QColor("#dfe6ee"))
            box = QRectF(0, self.height() * 0.68, self.width(), self.height() * 0.24)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self.words)
        painter.end()
        self.frames += 1
        if self.flicker and self.phase not in ("stop", "rest", "wait"):
            # Asks for the next frame: on a screen, Qt paces this by the vertical sync.
            self.update()

    def _paint_flicker(self, painter: QPainter) -> None:
        count = len(self.flicker)
        width = self.width() / (count * 2)
        for index, frequency in enumerate(self.flicker):
            phase = 2 * math.pi * frequency * self.frames / self.refresh_hz
            light = round(127.5 * (1 + math.sin(phase)))
            painter.fillRect(
                QRectF(width * (2 * index + 0.5), self.height() * 0.35, width, self.height() * 0.3),
                QColor(light, light, light),
            )

    def _paint_cue(self, painter: QPainter, centre: QPointF, side: float) -> None:
        turn = {"left": 180, "right": 0, "feet": 90, "both_feet": 90, "both_hands": 270}
        angle = next((degrees for word, degrees in turn.items() if word in self.cue), None)
        if angle is None:
            return
        painter.save()
        painter.translate(centre)
        painter.rotate(angle)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#f0b429"))
        u = side * 0.1
        points = [(1.0, -0.35), (2.2, -0.35), (2.2, -0.8), (3.3, 0), (2.2, 0.8), (2.2, 0.35), (1.0, 0.35)]
        painter.drawPolygon(QPolygonF([QPointF(x * u, y * u) for x, y in points]))
        painter.restore()


class PatientWindow(QWidget):
    """What the patient sees; it needs no control, and Escape does nothing: only the therapist closes it."""

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setWindowTitle(tr("Patient"))
        self.setAccessibleName(tr("Patient's screen"))
        self.resize(960, 640)
        self.stage = Stage()
        self.hand = HandView(DARK)
        dark = self.palette()
        dark.setColor(QPalette.ColorRole.Window, QColor(CALM))
        self.setPalette(dark)
        self.setAutoFillBackground(True)
        self.hand.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.hand, 1)
        layout.addWidget(self.stage, 1)
        self._closure = 0.0
        self._wanted = 0.0
        self._feedback = False
        self._glide = QTimer(self)
        self._glide.setTimerType(Qt.TimerType.PreciseTimer)
        self._glide.timeout.connect(self._step)
        self._glide.start(16)
        self.show_phase("wait")

    def place(self) -> None:
        """Fill the second screen, where there is one."""
        screens = QGuiApplication.screens()
        if len(screens) > 1:
            self.setGeometry(screens[1].geometry())
            self.showFullScreen()
        else:
            self.show()
        screen = self.screen()
        if screen.refreshRate() > 1:
            self.stage.refresh_hz = screen.refreshRate()

    def take(self, message: dict[str, Any]) -> None:
        """Follow a message of the engine."""
        kind = message.get("type")
        if kind == "event":
            self._take_event(str(message.get("name", "")), message.get("data") or {})
        elif kind == "output":
            state = message.get("state")
            self._wanted = float((state if isinstance(state, dict) else message).get("closure", 0.0) or 0.0)
        elif kind == "state":
            state = str(message.get("state", ""))
            if state in STOPPED:
                self.show_phase("stop")
            elif state == "STANDBY" and self.stage.phase != "wait":
                self.show_phase("rest")
            elif state == "FINISHED":
                self.show_phase("wait", words=tr("Well done. That was all."))

    def _take_event(self, name: str, data: dict[str, Any]) -> None:
        head, _, rest = name.partition("/")
        if head == "cue":
            self.show_phase("cue", cue=rest)
        elif head == "phase":
            phase = CALM_PHASES.get(rest, "task")
            if rest == "attempt" and self.stage.cue in self._attempts():
                self.show_phase("cue", cue=self.stage.cue, words=self._attempts()[self.stage.cue])
            # The arrow stays while the task begins with it.
            if not (phase == "task" and self.stage.phase == "cue"):
                self.show_phase(phase)
        elif head == "feedback" and rest == "start":
            # An attempt begins with its feedback: what to do stays to be read.
            if self.stage.words not in self._attempts().values():
                self.show_phase("task")
        elif name == "sound/beep":
            QApplication.beep()
        elif head == "block" and rest == "start":
            self._feedback = str(data.get("kind", "")) not in ("calibration", "break", "baseline", "custom")
            self.hand.setVisible(self._feedback)
        elif name == "paradigm/end":
            self.show_phase("wait", words=tr("Well done. That was all."))

    def show_phase(self, phase: str, *, cue: str = "", words: str = "") -> None:
        """Show a phase: wait, fixation, cue, task, rest, eyes-open, eyes-closed, training, watch or stop."""
        texts = {
            "wait": tr("We will begin soon. Sit comfortably."),
            "fixation": "",
            "cue": self._cue_text(cue),
            "task": "",
            "rest": tr("Rest"),
            "eyes-open": tr("Keep your eyes open and look at the cross"),
            "eyes-closed": tr("Close your eyes until you hear the tone"),
            "training": tr("Let the hand close, without moving"),
            "watch": tr("Watch the movement"),
            "stop": tr("Stopped. Everything is at rest."),
        }
        # What is watched is what will be tried.
        self.stage.phase, self.stage.cue = phase, self.stage.cue if phase == "watch" else cue
        self.hand.setVisible(self._feedback or phase == "watch")
        self.stage.words = words or texts[phase]
        self.setAccessibleDescription(self.stage.words)
        if phase in ("stop", "rest", "wait"):
            self._wanted = 0.0
        self.stage.update()

    def _cue_text(self, cue: str) -> str:
        known = {
            "left_hand": tr("Imagine moving your left hand"),
            "right_hand": tr("Imagine moving your right hand"),
            "feet": tr("Imagine moving your feet"),
            "both_feet": tr("Imagine moving your feet"),
            "rest": tr("Do nothing, relax"),
        }
        return known.get(cue, cue.replace("_", " "))

    def _attempts(self) -> dict[str, str]:
        return {
            "left_hand": tr("Try to move your left hand"),
            "right_hand": tr("Try to move your right hand"),
            "rest": tr("Do nothing, relax"),
        }

    def _step(self) -> None:
        wanted = self._wanted
        if self.stage.phase == "watch":
            # Closes and opens every two seconds: the movement that is watched.
            wanted = 0.5 - 0.5 * math.cos(math.pi * time.monotonic())
        self._closure += 0.25 * (wanted - self._closure)
        if self.hand.isVisible():
            self.hand.show_state(self._closure, text=" ")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do nothing: keys of the patient must not end the session by chance."""
        event.ignore()
