"""The virtual hand: closes and opens as it is told, and opens by itself when nobody speaks."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bcikit.outputs.base import Latch, Output
from bcikit.signal import Command, check_range


class HandOutput(Output):
    """A hand in memory, for the screen: its state is what viewers, WebXR scenes and tests show.

    The hand moves towards its target at a limited rate, on the time of the commands and ticks, so that a session
    faster than live moves it in the same way.

    Parameters
    ----------
    rate : float
        Largest change of closure a second; 0 moves at once.
    """

    scheme: ClassVar[str] = "hand"
    actuator: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"rate": float}

    def __init__(self, *, rate: float = 2.0) -> None:
        self.rate = check_range("rate", rate, low=0.0)
        self.closure = 0.0
        self._target = 0.0
        self._label = ""
        self._now: float | None = None
        self._latch = Latch()
        self.commands = 0

    def send(self, command: Command) -> None:
        """Close ("close", value = how far) or open ("open", "undo"); other commands only show what they are for."""
        self.tick(command.time)
        if not self._latch.take(command):
            return
        self.commands += 1
        value = command.value if isinstance(command.value, int | float) else 1.0
        share = min(max(float(value), 0.0), 1.0)
        self._label = str(command.data.get("class", ""))
        self._target = 0.0 if command.name in ("open", "stop", "release", "undo") else share
        if self.rate == 0.0:
            self.closure = self._target

    def tick(self, now: float) -> None:
        """Move towards the target; open when the last command expired."""
        if self._now is not None and now > self._now and self.rate > 0.0:
            step = self.rate * (now - self._now)
            self.closure += min(max(self._target - self.closure, -step), step)
        self._now = now if self._now is None else max(now, self._now)
        if self._latch.expire(now):
            self._rest()

    def safe(self, reason: str = "") -> None:  # noqa: ARG002
        """Open."""
        self._latch.release()
        self._rest()
        self.closure = 0.0

    def _rest(self) -> None:
        self._target = 0.0
        self._label = ""
        if self.rate == 0.0:
            self.closure = 0.0

    def state(self) -> dict[str, Any]:
        """Return ``closure`` 0 (open) to 1 (fist), the target, the class shown and whether a command is in force."""
        return {
            "closure": round(self.closure, 4),
            "target": round(self._target, 4),
            "class": self._label,
            "safe": self._latch.command is None,
            "commands": self.commands,
            "dropped": self._latch.dropped,
            "expired": self._latch.expired,
        }
