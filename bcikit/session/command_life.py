"""How long a command lives: as long as the gate allows, and renewed for as long as an action lasts."""

from dataclasses import replace

from bcikit.safety import GateSettings
from bcikit.signal import Command


def shortened(command: Command, settings: GateSettings) -> Command:
    """Return a command that lives no longer than a verdict of the gate is good for (`GateSettings.ttl_s`)."""
    return command if command.ttl <= settings.ttl_s else replace(command, ttl=settings.ttl_s)


class CommandLife:
    """Numbers what goes to the outputs, and renews an action that lasts longer than a command may live.

    A command with a ``duration`` in its data (assistance) lasts so long, at most `GateSettings.action_max_s`. It is
    sent again, with what is left of it, before it expires; whoever stops renewing it lets go within ``ttl_s``.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._going: Command | None = None
        self._end = 0.0

    def begin(self, command: Command, settings: GateSettings) -> Command:
        """Return a command as it is sent first; what was going on before it is over."""
        duration = command.data.get("duration", 0.0)
        seconds = min(float(duration), settings.action_max_s) if isinstance(duration, int | float) else 0.0
        if seconds:
            # Whoever renews it by itself (the guard) goes by what stands in the data.
            command = replace(command, data={**command.data, "duration": seconds})
        command = self._numbered(shortened(command, settings))
        self._going = command if seconds > command.ttl else None
        self._end = command.time + seconds
        return command

    def renewed(self, now: float) -> Command | None:
        """Return the running action again where it would soon expire, with what is left of it."""
        going = self._going
        if going is None or now < going.time + going.ttl / 2:
            return None
        left = self._end - now
        if left <= 0:
            self._going = None
            return None
        again = replace(going, time=now, ttl=min(going.ttl, left), data={**going.data, "duration": left})
        self._going = self._numbered(again)
        return self._going

    def drop(self) -> None:
        """Renew nothing any more."""
        self._going = None

    def _numbered(self, command: Command) -> Command:
        self._sequence += 1
        return replace(command, sequence=self._sequence)
