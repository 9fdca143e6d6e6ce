"""Who is told what happens in a session: the recorder, the channel to windows, the simulated user, the counters."""

from bcikit.signal.messages import Message


class Listener:
    """Is told everything, in the order in which it happens; does nothing by default."""

    def take(self, message: Message) -> None:
        """Take a message: see `bcikit.signal.messages`."""
