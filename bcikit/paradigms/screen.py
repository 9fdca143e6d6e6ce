"""The stimulus window: thin Qt around a presenter. Import it only where a window is wanted."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.presenter import Presenter
from bcikit.signal import Event, HostClock

GREY = 0.5
PATCH = 60
"""Side of the photodiode patch in pixels, lower left."""

_PLACES = {"up": (0.5, 0.2), "down": (0.5, 0.8), "left": (0.2, 0.5), "right": (0.8, 0.5)}


def shade(luminance: float) -> QColor:
    """Return the grey whose light is `luminance` (0 to 1) on an sRGB screen."""
    value = 12.92 * luminance if luminance <= 0.0031308 else 1.055 * luminance ** (1 / 2.4) - 0.055
    return QColor.fromRgbF(value, value, value)


class StimulusWindow(QWidget):
    """Shows flashes, flicker and words of a paradigm, with a patch for a photodiode.

    Each frame is painted for the time at which it is due. Where the platform tells no flips, frames are paced by a
    timer at the refresh rate of the screen, and the time of painting stands for the flip; `validate timing` measures
    what lies between.

    Parameters
    ----------
    rows : sequence of sequence of str
        Items of a matrix; empty for a menu.
    refresh : Refresh, optional
        The screen's own if left out.
    on_flip : callable, optional
        Called with each event that a frame began, and the time of that frame on the host clock.
    """

    def __init__(
        self,
        *,
        rows: tuple[tuple[str, ...], ...] = (),
        refresh: Refresh | None = None,
        delay: float = 0.1,
        on_flip: Callable[[Event, float], None] | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle("bcikit")
        self.setAccessibleName("Stimuli")
        self.resize(1280, 800)
        self._rows = rows
        rate = float(self.screen().refreshRate()) if refresh is None else refresh.rate
        self.presenter = Presenter(Refresh(rate if rate >= 20.0 else 60.0), delay=delay)
        self._clock = HostClock()
        self._on_flip = on_flip
        self._lit: dict[str, float] = {}
        self._words = ""
        self._patch = False
        self.log: list[tuple[float, Mapping[str, float]]] = []
        self._start = self._clock.now()
        self._ticks = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._frame)
        self._timer.start(0)

    def on_event(self, event: Event) -> None:
        """Take an event of the paradigm."""
        self.presenter.on_event(event)

    def blank(self) -> None:
        """Show mid-grey at once."""
        self.presenter.on_event(Event(name="stimulus/off", time=self._clock.now() - self.presenter.delay))
        self._lit.clear()
        self.update()

    def _frame(self) -> None:
        now = self._clock.now()
        for event in self.presenter.on_frame(now):
            self._begin(event, now)
            if self._on_flip is not None:
                self._on_flip(event, now)
        levels = self.presenter.levels()
        if levels:
            self.log.append((now, levels))
        self._lit = {item: end for item, end in self._lit.items() if end > now}
        self.update()
        # Counted from the start, so that the errors of single timers do not add up.
        self._ticks = max(self._ticks + 1, int((now - self._start) * self.presenter.refresh.rate) + 1)
        due = self._start + self._ticks / self.presenter.refresh.rate
        self._timer.start(max(0, round((due - self._clock.now()) * 1000)))

    def _begin(self, event: Event, now: float) -> None:
        if event.name == "stimulus/flash":
            self._lit |= {str(item): now + event.duration for item in event.data.get("items", ())}
            self._patch = not self._patch
        elif event.name == "stimulus/flicker":
            self._patch = True
        elif event.name == "stimulus/off":
            self._patch = False
        elif event.name.startswith("cue/"):
            self._words = event.name[4:].replace("_", " ")
        elif event.name in ("phase/flash", "phase/flicker"):
            self._words = ""

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002, N802 - Qt's name
        """Paint the frame."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), shade(0.12))
        levels = self.presenter.levels()
        if self._rows:
            self._paint_matrix(painter)
        else:
            self._paint_targets(painter, levels)
        painter.setPen(shade(0.75))
        painter.setFont(QFont("sans-serif", 22))
        top = QRectF(0, 10, self.width(), 50)
        painter.drawText(top, Qt.AlignmentFlag.AlignCenter, self._words)
        painter.fillRect(0, self.height() - PATCH, PATCH, PATCH, shade(1.0 if self._patch else 0.0))
        painter.end()

    def _paint_matrix(self, painter: QPainter) -> None:
        painter.setFont(QFont("sans-serif", max(12, self.height() // (3 * len(self._rows)))))
        for row, items in enumerate(self._rows):
            for column, item in enumerate(items):
                width, height = self.width() / len(items), (self.height() - 130) / len(self._rows)
                box = QRectF(column * width, 65 + row * height, width, height)
                # Thin letters from grey to white: most of the screen never changes.
                painter.setPen(shade(0.95 if item in self._lit else 0.28))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, item)

    def _paint_targets(self, painter: QPainter, levels: Mapping[str, float]) -> None:
        side = self.height() * 0.14
        for number, (item, level) in enumerate(levels.items()):
            x, y = _PLACES.get(item, ((number + 1) / (len(levels) + 1), 0.5))
            box = QRectF(x * self.width() - side / 2, y * self.height() - side / 2, side, side)
            painter.fillRect(box, shade(level))

    def state(self) -> dict[str, Any]:
        """Return how well the plan was kept."""
        return self.presenter.report()
