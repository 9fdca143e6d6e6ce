"""Callers that have not shown yet that they may come in: few at once, none for long, so that they take no handles."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Line = TypeVar("Line", bound=socket.socket)

MOST = 96
"""Strangers at once; one more, and the oldest is cut off."""

MOST_OF_ONE = 48
"""The same from one address."""

GREETING_SECONDS = 5.0
"""Whoever has not come in by then is cut off, however slowly it goes on speaking."""


def who_goes(hosts: Sequence[str], host: str) -> int | None:
    """Return the place of the caller that goes when one more comes from `host`; None where there is room.

    Parameters
    ----------
    hosts : sequence of str
        Where those who stand there came from, the oldest first.
    """
    own = [place for place, other in enumerate(hosts) if other == host]
    if len(own) >= MOST_OF_ONE:
        return own[0]
    return 0 if len(hosts) >= MOST else None


class Strangers:
    """Keeps the connections of callers until they are let in.

    Parameters
    ----------
    clock : callable
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[Any, tuple[socket.socket, float]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def came(self, line: socket.socket, address: Any) -> None:
        """Take note of a new connection; the oldest go where there are too many."""
        with self._lock:
            self._forget()
            known = list(self._lines)
            place = who_goes([str(one[0]) for one in known], str(address[0]))
            if place is not None:
                self._cut(known[place])
            self._lines[address] = (line, self._clock())

    def become(self, address: Any, wrap: Callable[[], Line]) -> Line:
        """Put what `wrap` makes of a connection, such as one of TLS, in its place, and return it.

        Wrapping takes the number of the old socket: whoever looks in between would take it for one that has gone.
        """
        with self._lock:
            line = wrap()
            if address in self._lines:
                self._lines[address] = (line, self._lines[address][1])
            else:
                _end(line)
        return line

    def let_in(self, address: Any) -> None:
        """Forget who was let in, or has gone."""
        with self._lock:
            self._lines.pop(address, None)

    def cut_late(self) -> None:
        """Cut off who has been standing there for too long."""
        with self._lock:
            self._forget()
            for address, (_, since) in list(self._lines.items()):
                if self._clock() - since > GREETING_SECONDS:
                    self._cut(address)

    def _forget(self) -> None:
        for address in [one for one, (line, _) in self._lines.items() if line.fileno() < 0]:
            del self._lines[address]

    def _cut(self, address: Any) -> None:
        _end(self._lines.pop(address)[0])


class StrangersSocket(socket.socket):
    """A listening socket that knows its strangers, for servers that accept by themselves."""

    strangers: Strangers

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept, and take note."""
        line, address = super().accept()
        self.strangers.came(line, address)
        return line, address


def listener(host: str, port: int, strangers: Strangers) -> StrangersSocket:
    """Return a socket that listens.

    Raises
    ------
    OSError
        If the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = StrangersSocket(family, kind, protocol)
    made.strangers = strangers
    try:
        # On Windows it would let two servers have one port.
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _end(line: socket.socket) -> None:
    # Of the socket itself, under TLS too: whoever reads it in another thread finds its end.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)
