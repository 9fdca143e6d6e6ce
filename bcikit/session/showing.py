"""Showing: a simulated user sees what is drawn, and nothing else."""

from dataclasses import replace

from bcikit.acquisition import Interactive
from bcikit.paradigms.scene import BLANK, Scene
from bcikit.presentation.eyes import perceive
from bcikit.presentation.presenter import is_framed
from bcikit.session.listener import Listener
from bcikit.signal import Event
from bcikit.signal.messages import Decided, Happened, Input, Message, Presented, Sent

MOST_WAITING = 100
WITH_FLIP = ("feedback/", "select/", "advice/", "assist/")
"""Events that say more of what a flip shows, and have none of their own."""


class UserListener(Listener):
    """Lets a simulated user see the screen: cues and stimuli as they are drawn, feedback, and what moves.

    Parameters
    ----------
    user : Interactive
        Who looks.
    sfreq : float
        Sampling rate of the source in Hz.
    blank : bool
        The screen shows nothing: a user that still responds has not looked at it.
    screen : bool
        A screen takes part: everything is seen when it reports that it was shown, and not before.
    """

    def __init__(self, user: Interactive, sfreq: float, *, blank: bool = False, screen: bool = False) -> None:
        self._user = user
        self._sfreq = sfreq
        self._blank = blank
        self._screen = screen
        self._scene = BLANK
        self._waiting: dict[tuple[str, int], tuple[Event, Scene | None]] = {}
        self._beside: dict[int, list[Event]] = {}

    def take(self, message: Message) -> None:
        """Show what is drawn, feedback and what moves."""
        match message:
            case Presented(event=event, scene=values):
                scene = None if values is None or self._blank else Scene.from_dict(values)
                if self._screen and event.sample is not None and is_framed(event, scene=scene is not None):
                    # Seen with a flip of the screen, and not before.
                    self._waiting[event.name, event.sample] = (event, scene)
                    while len(self._waiting) > MOST_WAITING:
                        key = next(iter(self._waiting))
                        del self._waiting[key]
                        self._beside.pop(key[1], None)
                elif scene is not None:
                    self._scene = scene
            case Happened(event=event):
                self._happened(event)
            case Input(kind="screen", values=values) if values.get("type") == "flip":
                self._flip(str(values["name"]), int(values["sample"]), float(values["shown"]) - float(values["time"]))
            case Decided() if self._scene.elements:
                # Whether it was right is read from the screen.
                self._user.on_decision(message.decision, message.verdict)
            case Sent():
                self._user.on_command(message.command)

    def _happened(self, event: Event) -> None:
        """See an event now, with the flip that brings it, or with the flip of the same moment (a result, its error)."""
        pending = {sample for _, sample in self._waiting}
        if event.sample is not None and (event.name, event.sample) in self._waiting:
            return
        if event.sample in pending and event.name.startswith(WITH_FLIP):
            assert event.sample is not None
            self._beside.setdefault(event.sample, []).append(event)
        else:
            self._see(event)

    def _see(self, event: Event) -> None:
        seen = perceive(event, self._scene)
        if seen is not None:
            self._user.on_event(seen)

    def _flip(self, name: str, sample: int, late: float) -> None:
        """Show what the screen has just shown, at the sample at which it did."""
        event, scene = self._waiting.pop((name, sample), (None, None))
        if event is None:
            return
        if scene is not None:
            self._scene = scene
        for seen in (event, *self._beside.pop(sample, ())):
            self._see(replace(seen, sample=sample + round(late * self._sfreq), time=seen.time + late))
