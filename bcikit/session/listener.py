"""Who is told what happens in a session: the recorder, the channel to windows, the simulated user, the counters."""

from bcikit.acquisition import Interactive
from bcikit.signal.messages import Decided, Happened, Message, Sent


class Listener:
    """Is told everything, in the order in which it happens; does nothing by default."""

    def take(self, message: Message) -> None:
        """Take a message: see `bcikit.signal.messages`."""


class UserListener(Listener):
    """Lets a simulated user see what a person would: cues, feedback and what moves."""

    def __init__(self, user: Interactive) -> None:
        self._user = user

    def take(self, message: Message) -> None:
        """Show events, feedback and what moves."""
        match message:
            case Happened():
                self._user.on_event(message.event)
            case Decided():
                self._user.on_decision(message.decision, message.verdict)
            case Sent():
                self._user.on_command(message.command)
