"""What a session remembers of what it said, so that a window may join late, again or twice."""

from collections import deque

from bcikit.signal.messages import (
    Alarmed,
    Beat,
    Counted,
    Decided,
    Happened,
    Input,
    LinkHealth,
    Message,
    ModelChosen,
    OutputState,
    Presented,
    Progressed,
    Quality,
    Said,
    Sent,
    Snapshot,
    Stages,
    StateChanged,
    Streams,
)

EVENTS = 400
"""Newest events that a window that joins is told."""

# A verdict names the state it was made in: what the session is in now follows it.
_ORDER = (Streams, Progressed, ModelChosen, Quality, LinkHealth, Stages, Counted, Decided, StateChanged, Presented)
PASSING = ("feedback/level", "feedback/bar", "stimulus/flash", "sound/")
"""Events that come many times a second, or mean something only at their moment: no window that joins is told them."""


class Memory:
    """The newest message of each kind, of each output and of each alarm, and the newest events."""

    def __init__(self) -> None:
        self._newest: dict[type, Said] = {}
        self._outputs: dict[str, OutputState] = {}
        self._alarms: dict[str, Alarmed] = {}
        self._events: deque[Happened] = deque(maxlen=EVENTS)
        self._hellos: dict[str, Input] = {}
        self._flips: deque[Input] = deque(maxlen=EVENTS)

    def take(self, message: Message) -> None:
        """Remember a message."""
        match message:
            case Happened():
                if not message.event.name.startswith(PASSING):
                    self._events.append(message)
            case OutputState():
                self._outputs[message.address] = message
            case Alarmed():
                self._alarms[message.rule] = message
            case Presented():
                if message.scene is not None:
                    self._newest[Presented] = message
            case Input(kind="screen", values=values) if values.get("type") == "hello":
                self._hellos[str(values.get("client", ""))] = message
            case Input(kind="screen", values=values) if values.get("type") == "flip":
                if not str(values["name"]).startswith(PASSING):
                    self._flips.append(message)
            case Input() | Sent() | Beat():
                pass
            case (
                Streams()
                | Progressed()
                | ModelChosen()
                | StateChanged()
                | Quality()
                | LinkHealth()
                | Stages()
                | Counted()
                | Decided()
            ):
                self._newest[type(message)] = message

    def snapshot(self, time: float) -> Snapshot:
        """Return all of it, in an order in which a reader may take it."""
        newest = [self._newest[kind] for kind in _ORDER if kind in self._newest]
        shown: tuple[Said, ...] = (*self._hellos.values(), *self._flips)
        others: tuple[Said, ...] = (*self._outputs.values(), *self._alarms.values(), *shown, *self._events)
        return Snapshot(messages=(*newest, *others), time=time)
