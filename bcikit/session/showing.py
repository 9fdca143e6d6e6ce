"""Showing: a simulated user sees what is drawn, and nothing else."""

from bcikit.acquisition import Interactive
from bcikit.paradigms.scene import BLANK, Scene
from bcikit.presentation.eyes import perceive
from bcikit.session.listener import Listener
from bcikit.signal.messages import Decided, Happened, Message, Presented, Sent


class UserListener(Listener):
    """Lets a simulated user see the screen: cues and stimuli as they are drawn, feedback, and what moves.

    Parameters
    ----------
    user : Interactive
        Who looks.
    blank : bool
        The screen shows nothing: a user that still responds has not looked at it.
    """

    def __init__(self, user: Interactive, *, blank: bool = False) -> None:
        self._user = user
        self._blank = blank
        self._scene = BLANK

    def take(self, message: Message) -> None:
        """Show what is drawn, feedback and what moves."""
        match message:
            case Presented(scene=values) if values is not None and not self._blank:
                self._scene = Scene.from_dict(values)
            case Happened():
                seen = perceive(message.event, self._scene)
                if seen is not None:
                    self._user.on_event(seen)
            case Decided():
                self._user.on_decision(message.decision, message.verdict)
            case Sent():
                self._user.on_command(message.command)
