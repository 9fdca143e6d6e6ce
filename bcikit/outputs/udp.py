"""UDP: one line of JSON a datagram, to this machine unless told otherwise."""

import socket
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bcikit.outputs.base import Output
from bcikit.outputs.envelope import MAX_BYTES, Sealer, encode
from bcikit.outputs.reached import Reached
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import ArgumentError, Command, check_int


class UdpOutput(Output):
    """Sends envelopes as newline-terminated JSON, at most 1400 bytes each.

    Parameters
    ----------
    host : str
        Receiver.
    port : int
        Its port.
    """

    scheme: ClassVar[str] = "udp"
    actuator: ClassVar[bool] = False
    body: ClassVar[str] = "host:port"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"port": int}

    def __init__(self, host: str = "127.0.0.1", port: int = 9750) -> None:
        self.port = check_int("port", port, low=1, high=65535)
        try:
            family, _, _, _, address = socket.getaddrinfo(host, self.port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise ArgumentError(f"udp: the host {host!r} is unknown: {error.strerror or error}.") from None
        self.host = host
        self._address: tuple[object, ...] = address
        self._socket: socket.socket | None = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(0.0)
        # Whoever names the address of a whole network means it; without this, each datagram would fail.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._sealer = Sealer()
        self._sent = 0
        self._failed = 0
        self._reached = Reached(f"udp:{host}:{self.port}", Severity.WARN)
        self._safe = True

    def send(self, command: Command) -> None:
        """Send a command."""
        self._safe = False
        self._put(self._sealer.command(command))

    def inform(self, message: Mapping[str, Any]) -> None:
        """Send news, marked informational."""
        self._put(self._sealer.inform(message))

    def safe(self, reason: str = "") -> None:
        """Tell the receiver to let go."""
        self._safe = True
        self._put(self._sealer.safe(reason))

    def _put(self, envelope: dict[str, Any]) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(encode(envelope, limit=MAX_BYTES - 1) + b"\n", self._address)
            self._sent += 1
            self._reached.reached()
        except OSError as error:
            # The network is gone, or the buffer is full: the receiver's own TTL makes it let go.
            self._failed += 1
            self._reached.failed(error)

    def trouble(self) -> Reading | None:
        """Return that nothing can be sent there, as long as it is so."""
        return self._reached.trouble()

    def close(self) -> None:
        """Say "safe" and close the socket."""
        if self._socket is not None:
            self.safe("closed")
            self._socket.close()
            self._socket = None

    def state(self) -> dict[str, Any]:
        """Return where it sends and how often it could not."""
        return {
            "to": f"{self.host}:{self.port}",
            "sent": self._sent,
            "failed": self._failed,
            "safe": self._safe,
            **self._reached.state(),
        }
