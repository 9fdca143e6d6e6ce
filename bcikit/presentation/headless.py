"""`frames:` is a screen in memory: it paints what a session shows, frame by frame on the session's own time.

A simulated user faster than life looks at it as a person looks at a window. It reports a flip only where the picture
that was painted has changed, so that a scene which shows nothing gives a session without response.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.outputs.base import Output
from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Alert
from bcikit.presentation.layout import Viewing
from bcikit.presentation.presenter import DELAY, Flip, by_ear
from bcikit.presentation.show import Show
from bcikit.signal import Command, MissingDependencyError, check_choice, check_int, check_range

LOOKS = 12
"""Frames of a flicker that are painted at most to find one that differs from rest."""
AROUND = (-2.0, -1.0, 0.0, 1.0)
"""Frames around the plan of an event: it begins with one of them, and what was lit before has gone out."""

KEPT = 256
"""Pictures that are kept, as letters light up in the same groups again and again."""


def _flag(text: str) -> bool:
    return {"1": True, "0": False}[check_choice("a switch of frames:", text, ("0", "1"))]


class FramesOutput(Output):
    """Paints every flip into memory, and says which were to be seen.

    Parameters
    ----------
    width, height : int
        Of the picture in pixels.
    language : str
        "en" or "zh".
    refresh : float
        Frames a second (Hz).
    delay : float
        Seconds from the plan to the frame.
    blank : bool
        Paints nothing: the control of a simulated user.
    mute : bool
        Sounds nothing: the control of one who listens.
    height_cm, distance_cm : float
        Height of the picture and its distance from the eyes, by which targets have their visual angle; a session gives
        those of its table ``[screen]``.

    Attributes
    ----------
    view : Viewing
        How the person sees the picture.
    unpainted : int
        Flips that should have changed the picture and did not.
    """

    scheme: ClassVar[str] = "frames"
    actuator: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "width": int, "height": int, "language": str, "refresh": float, "delay": float, "blank": _flag, "mute": _flag,
        "height_cm": float, "distance_cm": float,
    }  # fmt: skip

    def __init__(
        self,
        *,
        width: int = 320,
        height: int = 180,
        language: str = "en",
        refresh: float = 60.0,
        delay: float = DELAY,
        blank: bool = False,
        mute: bool = False,
        height_cm: float = 30.0,
        distance_cm: float = 70.0,
    ) -> None:
        check_choice("language", language, ("en", "zh"))
        self._size = (
            check_int("width", width, low=160, high=7680),
            check_int("height", height, low=90, high=4320),
        )
        self.view = Viewing(
            language=language,
            height_cm=check_range("height_cm", height_cm, low=0.0, high=1000.0, low_open=True, unit="cm"),
            distance_cm=check_range("distance_cm", distance_cm, low=0.0, high=2000.0, low_open=True, unit="cm"),
        )
        self.show = Show(Refresh(check_range("refresh", refresh, low=20.0, high=1000.0, unit="Hz")), delay=delay)
        self.show.blank(blanked=blank)
        self._application = _application()
        from bcikit.presentation.qt.painter import StagePainter

        self._stage = StagePainter(self.view)
        self._mute = mute
        self._now = 0.0
        self._pictures: dict[Any, NDArray[np.uint8]] = {}
        self.flips = self.unpainted = 0
        hello = {"type": "hello", "client": "frames", "refresh": refresh, "delay": delay, "display": "memory"}
        self._back: list[dict[str, Any]] = [hello]

    @classmethod
    def can_show(cls, address: Any) -> bool:  # noqa: ARG003
        """Return True: a simulated user looks at it."""
        return True

    def send(self, command: Command) -> None:
        """Move the hands that are drawn."""
        self.show.take({**command.to_dict(), "type": "command"}, self._now)

    def safe(self, reason: str = "") -> None:  # noqa: ARG002
        """Let the hands go, and end what flickers."""
        self.show.take({"type": "safe"}, self._now)

    def tick(self, now: float) -> None:
        """Go on to the session's time."""
        self._now = max(self._now, now)

    def inform(self, message: Mapping[str, Any]) -> None:
        """Draw the frame in which a message of a show is seen: time is the session's, so it need not be waited for."""
        if message.get("type") != "show":
            return
        show = self.show
        due = float(message["event"]["time"]) + show.presenter.delay
        frame = 1.0 / show.presenter.refresh.rate
        show.take(message, due)
        for number in AROUND:
            self._frame(due + number * frame, frame)

    def _frame(self, shown: float, frame: float) -> None:
        """Paint a frame, and report what begins with it where it differs from the one before."""
        show = self.show
        self._now = max(self._now, shown)
        before, scene = self._picture(), show.scene
        begun = show.frame(shown)
        if not begun:
            return
        after = self._picture()
        # A picture of one colour holds nothing, whatever was there before.
        changed = bool((before != after).any() and (after.reshape(-1, 4) != after[:4]).any())
        if not changed and show.presenter.flickers:
            changed = self._flickers(shown, frame, after)
        for flip in show.presenter.correct(begun, shown):
            expected = flip.event.name.startswith(("stimulus/fl", "stimulus/lead", "stimulus/video")) or (
                flip.scene is not None and flip.scene.elements != scene.elements
            )
            self._report(flip, changed=changed or not expected)

    def _flickers(self, shown: float, frame: float, rest: NDArray[np.uint8]) -> bool:
        """Return whether one of the first frames of a flicker differs from rest: its own first one need not."""
        for number in range(1, LOOKS):
            self.show.frame(shown + number * frame)
            if (self._picture() != rest).any():
                return True
        return False

    def _report(self, flip: Flip, *, changed: bool) -> None:
        event = flip.event
        if event.sample is None:
            return
        warns = flip.scene is not None and event.name.startswith("advice/") and flip.scene.find(Alert) is not None
        if by_ear(event) or warns:
            about = {"name": event.name, "sample": event.sample, "time": event.time, "shown": flip.shown}
            why = {"why": "the screen in memory is mute"} if self._mute else {}
            self._back.append({"type": "sounded", "client": "frames", **about, "audible": not self._mute, **why})
        if by_ear(event):
            seen = not self._mute
        else:
            seen = changed and not self.show.blanked
            self.unpainted += not changed and not self.show.blanked
        if seen:
            self.flips += 1
            self._back.append({"client": "frames", **flip.report()})

    def _picture(self) -> NDArray[np.uint8]:
        """Return what is painted now, as pixels."""
        from PySide6.QtGui import QImage, QPainter

        show = self.show
        levels = show.levels()
        state = (
            show.seen, frozenset(show.lit), tuple(levels.items()), show.value, show.position, show.height,
            tuple(show.closure.values()),
        )  # fmt: skip
        found = self._pictures.get(state)
        if found is None:
            image = QImage(*self._size, QImage.Format.Format_RGB32)
            painter = QPainter(image)
            self._stage.paint(painter, *self._size, show, self._now, patch=False)
            painter.end()
            found = np.frombuffer(image.constBits(), np.uint8).copy()
            while len(self._pictures) >= KEPT:
                del self._pictures[next(iter(self._pictures))]
            self._pictures[state] = found
        return found

    def heard(self) -> list[dict[str, Any]]:
        """Return the flips since the last call."""
        back, self._back = self._back, []
        return back

    def state(self) -> dict[str, Any]:
        """Return how many flips were to be seen, and how many should have changed the picture and did not."""
        return {"flips": self.flips, "unpainted": self.unpainted, "safe": max(self.show.closure.values()) == 0.0}


def _application() -> Any:
    """Return Qt's application, made without a display where there is none: letters cannot be drawn without it."""
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError:
        raise MissingDependencyError("PySide6", "gui", "A screen in memory") from None
    return QApplication.instance() or QApplication(["bcikit", "-platform", "offscreen"])
