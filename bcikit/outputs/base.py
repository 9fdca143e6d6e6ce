"""Output: where commands go. Silence is the safe state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from bcikit.safety.levels import Reading
from bcikit.signal import Address, ArgumentError, Command, check_choice


class Output(ABC):
    """Takes the commands that the gate let through, and news that only inform.

    An output never decides anything. It drops a command whose sequence number does not grow, lets go of one that
    expired, and goes safe when told to, when closed, and when it cannot reach what it drives.
    """

    scheme: ClassVar[str]
    actuator: ClassVar[bool] = True
    """Whether it can move something real, or touch a person; an output that says nothing of it is taken to."""
    body: ClassVar[str] = ""
    """What stands after the colon of its address: the name of an argument, "host:port", or "" for nothing."""
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {}
    """The arguments that an address may name after its question mark, each with what makes its value of the text."""
    paths: ClassVar[tuple[str, ...]] = ()
    """Which of these are paths: in a session file, relative ones count from its folder."""
    draws: ClassVar[bool] = False
    """True if it draws what a person sees and cannot lay it out itself: "show" messages then hold the shapes."""
    real_time: ClassVar[bool] = False
    """True if it runs on the wall clock, so that a session faster than live cannot drive it."""
    stops_from_any_thread: ClassVar[bool] = False
    """True if `stop` and `hold` may be called while another thread is inside any other of its methods; otherwise a stop
    waits until `send`, `renew`, `tick`, `inform`, `hold`, `safe` and `release` have returned."""

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Open the output that an address describes.

        Raises
        ------
        ArgumentError
            If the body, an option or a value is not allowed.
        """
        texts = {**_body(address, cls.body), **address.options}
        allowed: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(filter(None, cls.body.split(":")), str),
            **cls.options,
        }
        values: dict[str, Any] = {}
        for key, text in texts.items():
            check_choice(f"option of {address.scheme}:", key, allowed)
            try:
                values[key] = allowed[key](text)
            except ValueError:
                raise ArgumentError(f"{str(address)!r}: {key} is {text!r}; it must be a number.") from None
        return cls(**values)

    @classmethod
    def can_touch(cls, address: Address) -> bool:  # noqa: ARG003 - the guard's driver stands in it
        """Return whether what this address opens can move something real, or touch a person."""
        return cls.actuator

    @property
    def touches(self) -> bool:
        """Whether this one can move something real, or touch a person."""
        return self.actuator

    @property
    def reach(self) -> str:
        """Who else can listen, in words, where that is not this machine alone; said before, in and after a session."""
        return ""

    @classmethod
    def can_show(cls, address: Address) -> bool:  # noqa: ARG003 - an option of it may say so
        """Return whether the person looks at what this address opens, so that windows go by what it reports."""
        return False

    @abstractmethod
    def send(self, command: Command) -> None:
        """Carry out, or hand on, a command."""

    def renew(self, command: Command) -> None:
        """Take a running action again, with what is left of it, before it expires; as any command by default."""
        self.send(command)

    def inform(self, message: Mapping[str, Any]) -> None:
        """Take news for display: ``{"type": "decision" | "verdict" | "event" | "quality" | "state" | ..., ...}``."""

    @abstractmethod
    def safe(self, reason: str = "") -> None:
        """Let go at once: no motion, no current, no message but "safe"."""

    def stop(self, reason: str) -> None:
        """Let go at once and stay so: the session was stopped, and no command undoes it, `release` does.

        It may come from another thread than all other calls, so that a session that trains or waits can be stopped.
        """
        self.safe(reason)

    def on_stop(self, stop: Callable[[str], None]) -> None:
        """Take whom to call, with a reason and from any thread, when a person presses STOP at what it drives."""

    def release(self, who: str, reason: str) -> None:
        """Take note that a person undid the stop."""

    def hold(self, *, held: bool) -> None:
        """Take note of the dead-man switch, as often as it is read."""

    def tick(self, now: float) -> None:
        """Let go of what expired; called at least once a chunk with the engine's time."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what it does now, ready for JSON; at least ``safe``."""

    def heard(self) -> list[dict[str, Any]]:
        """Return what came back through it since the last call: "marker", "hello", "flip", "frames", each checked."""
        return []

    def trouble(self) -> Reading | None:
        """Return what went wrong behind it since the last call, for the monitors of safety; None if nothing did."""
        return None

    def close(self) -> None:
        """Go safe and give back every handle; may be called twice."""
        self.safe("closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _body(address: Address, means: str) -> dict[str, str]:
    body = address.body
    if not body:
        return {}
    if not means:
        raise ArgumentError(f"{str(address)!r}: nothing may stand after the colon but options, as in '?key=value'.")
    if means != "host:port":
        return {means: body}
    if body.startswith("["):
        # An address of IPv6, as everybody writes it.
        host, _, port = body[1:].partition("]")
        return {"host": host, "port": port[1:]} if port else {"host": host}
    host, _, port = body.rpartition(":")
    return {"host": host, "port": port} if host else {"port": port} if port.isdigit() else {"host": port}


class Latch:
    """Which command is valid now: in order, and not expired.

    Attributes
    ----------
    command : Command or None
        The one in force.
    dropped : int
        Commands refused because their sequence number did not grow.
    expired : int
        Commands that ran out without being renewed.
    """

    def __init__(self) -> None:
        self.command: Command | None = None
        self.dropped = 0
        self.expired = 0
        self._sequence = -1

    def take(self, command: Command) -> bool:
        """Make `command` the one in force; False if it comes out of order."""
        if command.sequence <= self._sequence:
            self.dropped += 1
            return False
        self._sequence = command.sequence
        self.command = command
        return True

    def expire(self, now: float) -> bool:
        """Drop the command in force if its time is over; True if it was dropped just now."""
        if self.command is None or now - self.command.time <= self.command.ttl:
            return False
        self.command = None
        self.expired += 1
        return True

    def release(self) -> None:
        """Drop the command in force."""
        self.command = None
