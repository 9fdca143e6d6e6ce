"""The widget that shows a scene: the patient's own picture, and the small copy of it in the therapist's windows."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Alert
from bcikit.presentation.layout import Viewing, spoken
from bcikit.presentation.presenter import DELAY, Flip, by_ear
from bcikit.presentation.qt.painter import StagePainter
from bcikit.presentation.show import Show
from bcikit.presentation.sound import Sounds
from bcikit.signal import HostClock

COPY_RATE = 15.0
"""Pictures a second of a copy: nobody's brain follows it."""
MEASURED = 40
"""Frames by which the rate is measured."""
SLOWER = 0.25
"""Share by which a machine may be slower than its display before that counts."""
SLOWEST = 20.0
"""Frames a second below which nothing that is locked to frames can be shown at all."""
WARNING_TONE = (880.0, 0.4)


class SceneView(QWidget):
    """Shows what a session shows to its person.

    Frames are paced by a timer at the refresh rate and numbered by the clock. Each is painted at once (`repaint`), and
    the time at which that returned, when the picture has been handed to the screen, is the time of the flip.

    Parameters
    ----------
    view : Viewing, optional
        Language and distance.
    copy : bool
        A small copy for the therapist: no sounds, no flips, fewer frames.
    refresh : Refresh, optional
        The screen's own if left out.
    delay : float
        Seconds from planned times to the screen.
    patch : bool
        Show the photodiode patch.
    on_flip : callable, optional
        Called with each `Flip` once it is on the screen.
    on_frame : callable, optional
        Called with the time of each frame while something is locked to frames.
    sounds : Sounds, optional
        What plays tones and speaks; nothing does in a copy.
    """

    def __init__(
        self,
        *,
        view: Viewing | None = None,
        copy: bool = False,
        refresh: Refresh | None = None,
        delay: float = DELAY,
        patch: bool = False,
        on_flip: Callable[[Flip], None] | None = None,
        on_frame: Callable[[float], None] | None = None,
        sounds: Sounds | None = None,
    ) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        rate = COPY_RATE if copy else float(self.screen().refreshRate()) if refresh is None else refresh.rate
        self.show_ = Show(Refresh(rate if rate >= 20.0 else 60.0), delay=delay)
        self.stage = StagePainter(view)
        self.painted = 0
        self._tick = COPY_RATE if copy else self.show_.presenter.refresh.rate
        self._follows = refresh is None and not copy
        self._screen_rate = rate
        self._copy = copy
        self._patch = patch
        self._on_flip = on_flip
        self._on_frame = on_frame
        self._sounds = None if copy else sounds or Sounds(QApplication.beep)
        self._clock = HostClock()
        self._now = self._start = self._clock.now()
        self._ticks = 0
        self._heard: list[dict[str, Any]] = []
        self._told = ""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._frame)
        self._timer.start(0)

    @property
    def language(self) -> str:
        """Language of the words, "en" or "zh"."""
        return self.stage.view.language

    @language.setter
    def language(self, language: str) -> None:
        view = self.stage.view
        self.stage.view = Viewing(language=language, height_cm=view.height_cm, distance_cm=view.distance_cm)
        self.show_.changed = True

    def take(self, message: Mapping[str, Any]) -> None:
        """Take a message of the session: "show", "command", "safe"."""
        self.show_.take(message, self._clock.now())

    def blank(self, *, blanked: bool = True) -> None:
        """Show nothing, or what there is again."""
        self.show_.blank(blanked=blanked)

    def take_screen(self) -> None:
        """Take the rate of the screen that the window is on now, if it is another one than before."""
        rate = float(self.screen().refreshRate())
        if self._follows and rate >= SLOWEST and abs(rate - self._screen_rate) > 0.5:
            self._screen_rate = rate
            self._pace(Refresh(rate))

    def _pace(self, refresh: Refresh) -> None:
        """Show so many frames: they are numbered by that rate, so they must not come faster."""
        self.show_.presenter.change(refresh)
        self._tick = refresh.rate
        self._start, self._ticks = self._clock.now(), 0

    def measure_refresh(self) -> float:
        """Paint frames as fast as they go until the rate is known; return it, and keep it for what is locked to frames.

        The display tells its rate; a machine that is slower than its display shows fewer, and that is what counts.
        """
        times: list[float] = []
        while len(times) < MEASURED:
            QApplication.processEvents()
            now = self._clock.now()
            if not times or now - times[-1] >= 0.9 / self._tick:
                self.repaint()
                times.append(self._clock.now())
        told = self.show_.presenter.refresh.rate
        # What it reaches, not what it had while the session was still being loaded: the quicker quarter of the gaps.
        gaps = sorted(later - earlier for earlier, later in pairwise(times))
        seen = 1.0 / gaps[len(gaps) // 4]
        if seen < (1.0 - SLOWER) * told:
            self._pace(Refresh(max(seen, SLOWEST)))
        return self.show_.presenter.refresh.rate

    def heard(self) -> list[dict[str, Any]]:
        """Return what was sounded since the last call: name, time, and whether anything could be heard."""
        heard, self._heard = self._heard, []
        return heard

    def _frame(self) -> None:
        now = self._now = self._clock.now()
        show = self.show_
        begun = show.frame(now)
        seen = self.isVisible() and not self.window().isMinimized()
        if show.changed and seen:
            # At once and not when the loop comes to it: when this returns, the picture is with the screen.
            self.repaint()
            self.painted += 1
            if begun:
                self._await_server()
            shown = self._clock.now()
            show.changed = False
        else:
            shown = now
        for flip in show.presenter.correct(begun, shown):
            audible = self._sound(flip)
            # What is to be heard has taken place when it was heard, whatever is seen.
            took_place = bool(audible) if by_ear(flip.event) else seen and not show.blanked
            if self._on_flip is not None and took_place:
                self._on_flip(flip)
        if show.presenter.flickers and self._on_frame is not None:
            self._on_frame(shown)
        self._describe()
        # Counted from the start, so that the errors of single timers do not add up.
        self._ticks = max(self._ticks + 1, int((now - self._start) * self._tick) + 1)
        due = self._start + self._ticks / self._tick
        self._timer.start(max(0, round((due - self._clock.now()) * 1000)))

    def _await_server(self) -> None:
        """Wait until an X server has drawn what it was handed: it may be far behind on a machine that is busy."""
        if QGuiApplication.platformName() == "xcb":
            self.screen().grabWindow(self.window().winId(), 0, 0, 1, 1)

    def _sound(self, flip: Flip) -> bool | None:
        """Sound what is to be heard; return whether it can be, None where there is nothing to hear."""
        if self._sounds is None:
            return None
        event, name, audible = flip.event, flip.event.name, None
        if name in ("sound/beep", "stimulus/tone"):
            audible = self._sounds.play(float(event.data.get("frequency", 1000.0)), event.duration or 0.07)
        elif name.startswith("sound/"):
            text = event.data.get("text_zh") if self.language == "zh" else None
            audible = self._sounds.speak(str(text or event.data.get("text", name[6:])), self.language)
        elif flip.scene is not None and name.startswith("advice/"):
            alert: Alert | None = flip.scene.find(Alert)
            if alert is not None:
                audible = self._sounds.play(*WARNING_TONE)
                self._sounds.speak(alert.words.say(self.language), self.language)
        elif name.startswith("select/"):
            # What was taken back has no item, and nothing is to be heard.
            text = spoken(str(event.data.get("item", "")), self.show_.scene, self.language)
            audible = self._sounds.speak(text, self.language) if text else None
        if audible is not None:
            about = {"type": "sounded", "name": name, "sample": event.sample, "time": event.time}
            why = {} if audible else {"why": self._sounds.why or "nothing on this computer speaks"}
            self._heard.append({**about, "shown": self._clock.now(), "audible": audible, **why})
        return audible

    def _describe(self) -> None:
        """Say in words what is shown, for a reader of the screen."""
        said = self.words()
        if said != self._told:
            self._told = said
            self.setAccessibleDescription(said)

    def words(self) -> str:
        """Return the words that are shown now."""
        from bcikit.presentation.layout import lay_out

        return " ".join(shape.text for shape in lay_out(self.show_.seen, self.stage.view) if shape.text)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's name
        """Paint the frame."""
        painter = QPainter(self)
        self.stage.paint(painter, self.width(), self.height(), self.show_, self._now, patch=self._patch)
        painter.end()

    def state(self) -> dict[str, Any]:
        """Return how well the plan was kept."""
        return self.show_.presenter.report()


def display_name(widget: QWidget) -> str:
    """Return what the display of a widget is called: maker, model and size, by which its correction is kept."""
    screen = widget.screen()
    size = screen.size()
    parts = (screen.manufacturer(), screen.model(), screen.name(), f"{size.width()}x{size.height()}")
    return " ".join(part for part in parts if part) + f" at {screen.refreshRate():.0f} Hz"
