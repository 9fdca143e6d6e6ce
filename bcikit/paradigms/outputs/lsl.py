"""LSL: decisions, probabilities, quality, safety state and markers as streams with metadata."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pylsl

from bcikit.paradigms.outputs.base import Output
from bcikit.paradigms.outputs.envelope import Sealer, encode
from bcikit.signal import Command


class LslOutput(Output):
    """Three outlets: ``NAME-commands`` and ``NAME-markers`` (strings), ``NAME-posterior`` (one float a class).

    Commands carry the JSON envelope; markers carry event names; the posterior is there once the first decision came,
    since its channels are the classes.

    Parameters
    ----------
    name : str
        Stem of the names of the streams.
    source_id : str
        What stays the same when the program restarts; random if empty.
    """

    scheme: ClassVar[str] = "lsl"

    def __init__(self, name: str = "bcikit", *, source_id: str = "") -> None:
        self.name = name
        self._id = source_id or uuid4().hex
        self._sealer = Sealer()
        self._commands: pylsl.StreamOutlet | None = self._text("commands", "bcikit-command")
        self._markers: pylsl.StreamOutlet | None = self._text("markers", "Markers")
        self._posterior: pylsl.StreamOutlet | None = None
        self._classes: tuple[str, ...] = ()
        self._safe = True
        self._sent = 0

    def _text(self, what: str, kind: str) -> pylsl.StreamOutlet:
        info = pylsl.StreamInfo(
            f"{self.name}-{what}", kind, 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"{self._id}-{what}"
        )
        self._describe(info, [what])
        return pylsl.StreamOutlet(info)

    def _describe(self, info: pylsl.StreamInfo, labels: list[str]) -> None:
        description = info.desc()
        description.append_child_value("manufacturer", "bcikit")
        description.append_child_value("schema", "v1")
        channels = description.append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "1" if info.type() == "bcikit-posterior" else "none")
            channel.append_child_value("type", info.type())

    def send(self, command: Command) -> None:
        """Push the command's envelope at its time."""
        self._safe = False
        self._push(self._sealer.command(command), command.time)

    def safe(self, reason: str = "") -> None:
        """Push the order to let go."""
        self._safe = True
        self._push(self._sealer.safe(reason), 0.0)

    def inform(self, message: Mapping[str, Any]) -> None:
        """Push events as markers, decisions as posteriors, and everything as an informational envelope."""
        stamp = float(message.get("time") or 0.0)
        if message.get("type") == "event" and self._markers is not None:
            self._markers.push_sample([str(message.get("name", ""))], stamp)
        if message.get("type") == "decision" and message.get("probabilities"):
            self._push_posterior(message, stamp)
        self._push(self._sealer.inform(message), stamp)

    def _push_posterior(self, message: Mapping[str, Any], stamp: float) -> None:
        classes = tuple(map(str, message["classes"]))
        if self._commands is None:
            return
        if self._posterior is None or classes != self._classes:
            info = pylsl.StreamInfo(
                f"{self.name}-posterior",
                "bcikit-posterior",
                len(classes),
                pylsl.IRREGULAR_RATE,
                pylsl.cf_float32,
                f"{self._id}-posterior",
            )
            self._describe(info, list(classes))
            self._posterior = pylsl.StreamOutlet(info)
            self._classes = classes
        self._posterior.push_sample([float(value) for value in message["probabilities"]], stamp)

    def _push(self, envelope: dict[str, Any], stamp: float) -> None:
        if self._commands is not None:
            self._commands.push_sample([encode(envelope).decode()], stamp)
            self._sent += 1

    def close(self) -> None:
        """Say "safe" and close the streams."""
        if self._commands is not None:
            self.safe("closed")
        self._commands = self._markers = self._posterior = None

    def state(self) -> dict[str, Any]:
        """Return the names of the streams and how much was sent."""
        return {"streams": [f"{self.name}-commands", f"{self.name}-markers"], "sent": self._sent, "safe": self._safe}
