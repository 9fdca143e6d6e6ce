"""OSC: bundles with time tags under ``/bcikit/v1``, for Unity, Max, TouchDesigner and the like."""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bcikit.outputs.base import Output
from bcikit.outputs.envelope import Sealer
from bcikit.outputs.reached import Reached
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import ArgumentError, Command, MissingDependencyError, check_int

ROOT = "/bcikit/v1"
"""Grows with the version of the message."""

Arguments = list[tuple[str, Any]]


class OscOutput(Output):
    """Sends OSC over UDP. Every message begins with the sequence number, so receivers drop what is late.

    The first message is ``safe``; numbers begin anew with it.

    ========================  ===========================================================================
    address                   arguments
    ========================  ===========================================================================
    ``command``               seq, name, value, ttl_ms, t_mono
    ``safe``                  seq, reason
    ``decision``              seq, label or "", confidence, t_mono; informational
    ``posterior/CLASS``       seq, probability; informational
    ``quality/CHANNEL``       seq, "GOOD", "WARN" or "BAD"; informational
    ``safety/state``          seq, state; informational
    ``safety/inhibited``      seq, rule ids or ""; informational
    ``marker``                seq, event name, t_mono; informational
    ========================  ===========================================================================

    Parameters
    ----------
    host : str
        Receiver.
    port : int
        Its port.
    """

    scheme: ClassVar[str] = "osc"
    actuator: ClassVar[bool] = False
    body: ClassVar[str] = "host:port"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"port": int}

    def __init__(self, host: str = "127.0.0.1", port: int = 9751) -> None:
        try:
            from pythonosc.udp_client import UDPClient
        except ImportError:
            raise MissingDependencyError("pythonosc", "outputs", "An OSC output") from None
        self.port = check_int("port", port, low=1, high=65535)
        self.host = host
        try:
            self._client: Any = UDPClient(host, self.port, allow_broadcast=True)
        except OSError as error:
            raise ArgumentError(f"osc: the host {host!r} is unknown: {error.strerror or error}.") from None
        self._sealer = Sealer()
        self._sent = 0
        self._failed = 0
        self._reached = Reached(f"osc:{host}:{self.port}", Severity.WARN)
        self.safe("opened")

    def send(self, command: Command) -> None:
        """Send a command."""
        self._safe = False
        sealed = self._sealer.command(command)
        value: tuple[str, Any] = ("s", "") if command.value is None else ("s", command.value)
        if isinstance(command.value, int | float):
            value = ("f", float(command.value))
        arguments = [
            ("i", sealed["seq"]),
            ("s", command.name),
            value,
            ("i", sealed["ttl_ms"]),
            ("d", command.time),
        ]
        self._bundle([("command", arguments)])

    def safe(self, reason: str = "") -> None:
        """Tell the receiver to let go."""
        self._safe = True
        self._bundle([("safe", [("i", self._sealer.safe(reason)["seq"]), ("s", reason)])])

    def inform(self, message: Mapping[str, Any]) -> None:
        """Send news in one bundle."""
        sealed = self._sealer.inform(message)
        seq = ("i", sealed["seq"])
        stamp = ("d", float(message.get("time") or 0.0))
        kind = message.get("type")
        parts: list[tuple[str, Arguments]] = []
        if kind == "decision":
            p = sealed["p"]
            best = float(max(p.values(), default=0.0))
            parts.append(("decision", [seq, ("s", message.get("label") or ""), ("f", best), stamp]))
            parts += [(f"posterior/{name}", [seq, ("f", float(value))]) for name, value in p.items()]
        elif kind == "verdict":
            parts.append(("safety/state", [seq, ("s", str(message.get("state", "")))]))
            parts.append(("safety/inhibited", [seq, ("s", sealed["inhibited_reason"] or "")]))
        elif kind == "state":
            parts.append(("safety/state", [seq, ("s", sealed["state"])]))
        elif kind == "event":
            parts.append(("marker", [seq, ("s", str(message.get("name", ""))), stamp]))
        elif kind == "quality":
            levels = message.get("channels")
            if isinstance(levels, Mapping):
                parts += [(f"quality/{name}", [seq, ("s", str(level))]) for name, level in levels.items()]
        if parts:
            self._bundle(parts)

    def _bundle(self, parts: list[tuple[str, Arguments]]) -> None:
        from pythonosc.osc_bundle_builder import OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        if self._client is None:
            return
        # python-osc takes a float and asks for an int.
        make: Any = OscBundleBuilder
        bundle = make(time.time())
        for address, arguments in parts:
            message = OscMessageBuilder(address=f"{ROOT}/{address}")
            for kind, value in arguments:
                message.add_arg(value, kind)
            bundle.add_content(message.build())
        try:
            self._client.send(bundle.build())
            self._sent += 1
            self._reached.reached()
        except OSError as error:
            # The network is gone: the receiver's own TTL makes it let go.
            self._failed += 1
            self._reached.failed(error)

    def trouble(self) -> Reading | None:
        """Return that nothing can be sent there, as long as it is so."""
        return self._reached.trouble()

    def close(self) -> None:
        """Say "safe" and close the socket."""
        if self._client is not None:
            self.safe("closed")
            self._client._sock.close()
            self._client = None

    def state(self) -> dict[str, Any]:
        """Return where it sends and how often it could not."""
        counts = {"to": f"{self.host}:{self.port}", "sent": self._sent, "failed": self._failed, "safe": self._safe}
        return {**counts, **self._reached.state()}
