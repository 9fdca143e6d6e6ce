"""Showing: a simulated user sees what is drawn, and nothing else."""

from dataclasses import replace

from bcikit.acquisition import Interactive
from bcikit.paradigms.scene import BLANK, Scene
from bcikit.presentation.eyes import perceive
from bcikit.session.flips import LOCKED
from bcikit.session.listener import Listener
from bcikit.signal import Event
from bcikit.signal.messages import Decided, Happened, Input, Message, Presented, Sent

MOST_WAITING = 1000


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
        A real screen takes part: cues and stimuli are seen when it reports that they were shown, and not before.
    """

    def __init__(self, user: Interactive, sfreq: float, *, blank: bool = False, screen: bool = False) -> None:
        self._user = user
        self._sfreq = sfreq
        self._blank = blank
        self._screen = screen
        self._scene = BLANK
        self._waiting: dict[tuple[str, int], Event] = {}

    def take(self, message: Message) -> None:
        """Show what is drawn, feedback and what moves."""
        match message:
            case Presented(scene=values) if values is not None and not self._blank:
                self._scene = Scene.from_dict(values)
            case Happened():
                self._see(message.event)
            case Input(kind="screen", values=values) if values.get("type") == "flip":
                self._flip(str(values["name"]), int(values["sample"]), float(values["shown"]) - float(values["time"]))
            case Decided():
                self._user.on_decision(message.decision, message.verdict)
            case Sent():
                self._user.on_command(message.command)

    def _see(self, event: Event) -> None:
        seen = perceive(event, self._scene)
        if seen is None:
            return
        if not self._screen or event.sample is None or not event.name.startswith(LOCKED):
            self._user.on_event(seen)
            return
        self._waiting[event.name, event.sample] = seen
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def _flip(self, name: str, sample: int, late: float) -> None:
        """Show what the screen has just shown, at the sample at which it did."""
        seen = self._waiting.pop((name, sample), None)
        if seen is not None:
            self._user.on_event(replace(seen, sample=sample + round(late * self._sfreq), time=seen.time + late))
