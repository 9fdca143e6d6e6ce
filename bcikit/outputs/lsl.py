"""LSL: decisions, probabilities, quality, safety state and markers as streams with metadata."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

from bcikit.acquisition.lsl_library import lsl
from bcikit.outputs.base import Output
from bcikit.outputs.envelope import Sealer, encode
from bcikit.safety.levels import QualityLevel
from bcikit.signal import Command

_TEXTS = {
    "commands": "bcikit-command",
    "markers": "Markers",
    "shown": "bcikit-shown",
    "decisions": "bcikit-decision",
    "state": "bcikit-state",
}
"""Streams of text and their LSL types."""

_MEANINGS = {"bcikit-posterior": "probability", "bcikit-quality": "0 good, 1 warn, 2 bad"}


class LslOutput(Output):
    """Seven outlets, each with the labels of its channels in its metadata.

    ==================  ==================  ==========================================================================
    stream              LSL type            sample
    ==================  ==================  ==========================================================================
    ``NAME-commands``   ``bcikit-command``  the envelope of everything, as JSON; only "command" and "safe" move
    ``NAME-markers``    ``Markers``         name of the event, at its planned time
    ``NAME-shown``      ``bcikit-shown``    name of the event, when the screen showed it
    ``NAME-decisions``  ``bcikit-decision``  the class, or "" for none
    ``NAME-state``      ``bcikit-state``    state of the safety machine
    ``NAME-posterior``  ``bcikit-posterior``  probability of each class
    ``NAME-quality``    ``bcikit-quality``  each electrode: 0 good, 1 warn, 2 bad
    ==================  ==================  ==========================================================================

    The last two are there once the first values came, since these say what the channels are. Samples are stamped with
    the time they are about.

    Parameters
    ----------
    name : str
        Stem of the names of the streams.
    source_id : str
        What stays the same when the program restarts, so that inlets find the streams again; random if empty.
    """

    scheme: ClassVar[str] = "lsl"
    actuator: ClassVar[bool] = False
    body: ClassVar[str] = "name"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"source_id": str}

    def __init__(self, name: str = "bcikit", *, source_id: str = "") -> None:
        self.name = name
        self._id = source_id or uuid4().hex
        self._sealer = Sealer()
        self._texts = {what: self._outlet(what, kind, [what], lsl().cf_string) for what, kind in _TEXTS.items()}
        self._numbers: dict[str, tuple[list[str], Any]] = {}
        self._state = ""
        self._safe = True
        self._sent = 0

    def _outlet(self, what: str, kind: str, labels: Sequence[str], form: int) -> Any:
        pylsl = lsl()
        info = pylsl.StreamInfo(
            f"{self.name}-{what}", kind, len(labels), pylsl.IRREGULAR_RATE, form, f"{self._id}-{what}"
        )
        description = info.desc()
        description.append_child_value("manufacturer", "bcikit")
        description.append_child_value("schema", "v1")
        if kind in _MEANINGS:
            description.append_child_value("meaning", _MEANINGS[kind])
        channels = description.append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "1" if kind in _MEANINGS else "none")
            channel.append_child_value("type", kind)
        return pylsl.StreamOutlet(info)

    def send(self, command: Command) -> None:
        """Push the command's envelope at its time."""
        self._safe = False
        self._push(self._sealer.command(command), command.time)

    def safe(self, reason: str = "") -> None:
        """Push the order to let go."""
        self._safe = True
        self._push(self._sealer.safe(reason), 0.0)

    def inform(self, message: Mapping[str, Any]) -> None:
        """Push news to the stream that it belongs to, and as an informational envelope."""
        if not self._texts:
            return
        stamp = float(message.get("time") or 0.0)
        kind = message.get("type")
        if kind == "event":
            self._texts["markers"].push_sample([str(message.get("name", ""))], stamp)
        elif kind == "shown":
            self._texts["shown"].push_sample([str(message["event"])], float(message["shown"]))
        elif kind == "decision":
            self._texts["decisions"].push_sample([str(message.get("label") or "")], stamp)
            self._push_numbers("posterior", message.get("classes", ()), message.get("probabilities", ()), stamp)
        elif kind == "quality":
            channels = message.get("channels", {})
            self._push_numbers("quality", channels, [QualityLevel[level] for level in channels.values()], stamp)
        sealed = self._sealer.inform(message)
        if sealed["state"] != self._state:
            self._state = sealed["state"]
            self._texts["state"].push_sample([self._state], stamp)
        self._push(sealed, stamp)

    def _push_numbers(self, what: str, labels: Any, values: Any, stamp: float) -> None:
        names = [str(label) for label in labels]
        if not names or len(names) != len(values):
            return
        if what not in self._numbers or self._numbers[what][0] != names:
            self._numbers[what] = (names, self._outlet(what, f"bcikit-{what}", names, lsl().cf_float32))
        self._numbers[what][1].push_sample([float(value) for value in values], stamp)

    def _push(self, envelope: dict[str, Any], stamp: float) -> None:
        if self._texts:
            self._texts["commands"].push_sample([encode(envelope).decode()], stamp)
            self._sent += 1

    def close(self) -> None:
        """Say "safe" and close the streams."""
        if self._texts:
            self.safe("closed")
        self._texts = {}
        self._numbers = {}

    @property
    def reach(self) -> str:
        """LSL binds every network interface and knows no key."""
        return "every computer on this network can read it (LSL has no key)"

    def state(self) -> dict[str, Any]:
        """Return the names of the streams and how much was sent."""
        streams = [f"{self.name}-{what}" for what in (*_TEXTS, *self._numbers)]
        return {"streams": streams, "sent": self._sent, "safe": self._safe}
