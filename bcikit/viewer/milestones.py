"""Where one may want to go in a session: alarms, and decisions that differ from the one before."""

from collections import deque
from collections.abc import Iterator

from bcikit.signal.messages import Alarmed, Decided, Message, Snapshot

KEPT = 5000
"""Alarms, and changes of the decision, that are kept; the oldest go first."""


class Milestones:
    """Alarms and decisions of a session, by their time.

    A decoder decides many times a second: only a decision that says another class than the one before, or that the gate
    lets act where the one before was refused (or the other way round), is a place to go to.

    Attributes
    ----------
    places : dict of str to deque of (float, str)
        Of "alarm" and "decision": times on the stream's clock, and what happened.
    """

    def __init__(self) -> None:
        self.places: dict[str, deque[tuple[float, str]]] = {
            "alarm": deque(maxlen=KEPT),
            "decision": deque(maxlen=KEPT),
        }
        self._raised: set[tuple[str, float]] = set()
        self._said: tuple[object, ...] = ()

    def take(self, message: Message) -> Iterator[tuple[float, str]]:
        """Take a message, and yield time and name of each alarm that it raises."""
        match message:
            case Snapshot():
                for part in message.messages:
                    yield from self.take(part)
            case Alarmed(active=True) if (message.rule, message.since) not in self._raised:
                if len(self._raised) > 2 * KEPT:
                    self._raised.clear()
                self._raised.add((message.rule, message.since))
                self.places["alarm"].append((message.since, f"{message.rule}: {message.what}"))
                yield message.since, message.rule
            case Decided():
                self._decide(message)

    def _decide(self, message: Decided) -> None:
        decision, verdict = message.decision, message.verdict
        said = (decision.label, verdict.allowed, tuple(verdict.reasons))
        if said == self._said:
            return
        self._said = said
        sure = f" {max(decision.probabilities):.0%}" if decision.probabilities else ""
        how = "" if verdict.allowed else f" ({', '.join(verdict.reasons) or '–'})"
        self.places["decision"].append((decision.time, f"{decision.label or '–'}{sure}{how}"))
