"""The show: what one renderer shows now, from the messages it hears and the frames it draws; without any toolkit."""

from collections.abc import Mapping
from typing import Any

from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.pictures import side_of
from bcikit.paradigms.scene import BLANK, Film, RestBreak, Scene
from bcikit.presentation.presenter import DELAY, Flip, Presenter
from bcikit.signal import DataError, Event

GLIDE = 12.0
"""A hand that is let go, or closes, is there within about a quarter of a second (1/s)."""

CLOSING = frozenset({"close", "stimulate", "reward"})
"""Commands that close a hand."""


class Show:
    """What is on a screen.

    A renderer hands over messages as they come (`take`), asks for each frame what changes (`frame`), draws `scene` with
    `lit`, `levels` and the other values, and says when the frame was really shown (`shown`).

    Parameters
    ----------
    refresh : Refresh
        Of the screen.
    delay : float
        Seconds from a planned time to the screen.

    Attributes
    ----------
    scene : Scene
        What is shown.
    lit : dict of str to float
        Items that are lit, and until when.
    value, position, height : float
        What rises or fills (0 to 1); where the ball is (-1 to 1).
    closure : dict of str to float
        How far each hand is closed.
    changed : bool
        Whether the next frame differs from the one before.
    """

    def __init__(self, refresh: Refresh, *, delay: float = DELAY) -> None:
        self.presenter = Presenter(refresh, delay=delay)
        self.scene: Scene = BLANK
        self.lit: dict[str, float] = {}
        self.value = 0.0
        self.position = self.height = 0.0
        self.closure = {"left": 0.0, "right": 0.0}
        self.patch = False
        self.changed = True
        self.since = 0.0
        """When the scene was shown first, in seconds on the host clock."""
        self.blanked = False
        self._wanted: dict[str, float] = {"left": 0.0, "right": 0.0}
        self._until = 0.0
        self._last: float | None = None

    def take(self, message: Mapping[str, Any], now: float) -> None:
        """Take a message: "show" (event and scene), "command", "safe"; others change nothing.

        Parameters
        ----------
        message : mapping
            As the session sends it.
        now : float
            When it came, in seconds on the host clock.
        """
        kind = message.get("type")
        if kind == "show":
            self._take_show(message)
        elif kind == "command":
            try:
                self._obey(message, now)
            except (TypeError, ValueError, OverflowError, AttributeError) as error:
                self._let_go()
                raise DataError(f"a command is wrong: {error}") from None
        elif kind == "safe":
            self._let_go()
            self._end_flicker(now)

    def _take_show(self, message: Mapping[str, Any]) -> None:
        event = Event.from_dict(message.get("event"))  # type: ignore[arg-type]
        found = message.get("scene")
        scene = None if found is None else Scene.from_dict(found)
        if event.name == "feedback/update" and scene is None:
            # What follows the brain is no stimulus: the newest value counts at once.
            self.value = float(event.value) if isinstance(event.value, int | float) else self.value
            position = event.data.get("position", self.position)
            self.position = float(position) if isinstance(position, int | float) else self.position
            height = event.data.get("height", self.height)
            self.height = float(height) if isinstance(height, int | float) else self.height
            self.changed = True
            return
        self.presenter.on_event(event, scene)

    def _obey(self, message: Mapping[str, Any], now: float) -> None:
        value = message.get("value")
        share = min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) else 1.0
        self._let_go()
        if message.get("name") in CLOSING:
            # A movement of no side that is known closes the right hand.
            side = side_of(str((message.get("data") or {}).get("class", ""))) or "right"
            for name in ("left", "right") if side == "both" else (side,):
                self._wanted[name] = share
        ttl = message.get("ttl")
        self._until = now + (float(ttl) if ttl is not None else float(message.get("ttl_ms", 500)) / 1000)

    def _let_go(self) -> None:
        self._wanted = {"left": 0.0, "right": 0.0}

    def _end_flicker(self, now: float) -> None:
        self.lit.clear()
        self.presenter.call_off()
        self.presenter.on_event(Event(name="stimulus/off", time=now - self.presenter.delay))
        self.changed = True

    def blank(self, *, blanked: bool = True) -> None:
        """Show nothing at all, or what there is again."""
        self.blanked = blanked
        self.changed = True

    @property
    def seen(self) -> Scene:
        """What is really seen: nothing where the screen is blanked."""
        return BLANK if self.blanked else self.scene

    def frame(self, now: float) -> list[Flip]:
        """Go on to the frame that is shown at `now`; return what begins with it.

        Parameters
        ----------
        now : float
            When the frame is about to be shown, in seconds on the host clock.
        """
        begun = self.presenter.on_frame(now)
        for flip in begun:
            self._begin(flip, now)
        over = [item for item, end in self.lit.items() if end <= now + 0.5 / self.presenter.refresh.rate]
        for item in over:
            del self.lit[item]
        self.changed |= bool(begun or over) or self.presenter.flickers or self._moves()
        self._move(now)
        return begun

    def _begin(self, flip: Flip, now: float) -> None:
        event = flip.event
        if flip.scene is not None and flip.scene != self.scene:
            if {type(item) for item in flip.scene.elements} != {type(item) for item in self.scene.elements}:
                self.value = self.position = self.height = 0.0
            if flip.scene.find(RestBreak) != self.scene.find(RestBreak) or flip.scene.find(Film) != self.scene.find(
                Film
            ):
                self.since = now
            self.scene = flip.scene
        if event.name == "stimulus/flash":
            self.lit = {str(item): now + event.duration for item in event.data.get("items", ())}
            self.patch = not self.patch
        elif event.name in ("stimulus/flicker", "stimulus/lead-brake", "stimulus/video"):
            self.patch = True
        elif event.name in ("stimulus/off", "trial/end", "label/cruise"):
            self.patch = False

    def _moves(self) -> bool:
        """Return whether something moves by itself: a countdown, a film, a drive, a hand."""
        scene = self.seen
        if any(item.kind in ("film", "road", "rest") for item in scene.elements):
            return True
        return any(abs(self._wanted[side] - self.closure[side]) > 0.002 for side in self.closure)

    def _move(self, now: float) -> None:
        seconds = 0.0 if self._last is None else min(now - self._last, 0.1)
        self._last = now
        if now >= self._until:
            self._let_go()
        for side, closure in self.closure.items():
            step = (self._wanted[side] - closure) * min(1.0, GLIDE * seconds)
            self.closure[side] = self._wanted[side] if abs(step) < 0.0005 else closure + step

    def countdown(self, seconds: float, now: float) -> str:
        """Return the time left of a break as minutes and seconds."""
        left = max(0, round(seconds - (now - self.since)))
        return f"{left // 60}:{left % 60:02d}"

    def levels(self) -> dict[str, float]:
        """Return the luminance (0 to 1) of each target in this frame; empty where nothing flickers."""
        return {} if self.blanked else self.presenter.levels()
