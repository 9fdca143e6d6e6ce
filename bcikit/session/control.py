"""Orders from people to a running session, and the lines on which they go: JSON, never pickle."""

import json
import secrets
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Self

from bcikit.session.frames import (
    ANSWER,
    HELLO,
    LARGEST_FROM_SESSION,
    ORDER,
    SAID,
    SIGNAL,
    WELCOME,
    Signal,
    Unframer,
    frame,
    unpack_signal,
)
from bcikit.session.orders import ORDERS
from bcikit.session.ticket import Ticket, check_welcome
from bcikit.signal import BciError, DataError
from bcikit.signal.documents import json_of
from bcikit.signal.messages import Message, parse

RIGHTS: dict[str, frozenset[str]] = {
    "therapist": frozenset(ORDERS),
    "window": frozenset(("deadman", "estop", "note", "stop")),
    "outputs": frozenset(("estop", "stop")),
    "observer": frozenset(),
}
"""What each role may order."""

ANSWER_SECONDS = 2.0
"""A session that has not taken an order by then does not answer."""

_CONNECT_SECONDS = 5.0


class ClientLine:
    """One connection to a session, let in.

    Parameters
    ----------
    ticket : Ticket
        Where, as what, and the key.
    purpose : str
        "messages", "orders" or "stop".
    port : int
        Where the door for this purpose is; that of the ticket if left out.

    Attributes
    ----------
    words : dict
        What the session said of itself: its name, its process, the port of STOP.

    Raises
    ------
    BciError
        If nothing listens there, or what does has not the key.
    """

    def __init__(self, ticket: Ticket, purpose: str, *, port: int = 0) -> None:
        self._unframer = Unframer(LARGEST_FROM_SESSION)
        self._frames: deque[tuple[bytes, bytes]] = deque()
        nonce = secrets.token_bytes(32)
        where = f"127.0.0.1:{port or ticket.port}"
        try:
            self._line = socket.create_connection(("127.0.0.1", port or ticket.port), timeout=_CONNECT_SECONDS)
        except OSError as error:
            raise BciError(f"No session listens at {where}: {error.strerror or error}") from None
        try:
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._line.sendall(frame(HELLO, ticket.hello(purpose, nonce)))
            answer = self.receive(_CONNECT_SECONDS)
            if answer is None or answer[0] != WELCOME:
                raise BciError("it does not answer the greeting")
            self.words = check_welcome(answer[1], ticket.key, nonce)
        except (OSError, EOFError, BciError) as error:
            self._line.close()
            refused = isinstance(error, OSError | EOFError)
            why = "it refuses the key" if refused else str(error)
            raise BciError(f"No session lets {ticket.role!r} in at {where}: {why}.") from None

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send a frame."""
        self._line.settimeout(ANSWER_SECONDS)
        self._line.sendall(frame(kind, payload))

    def receive(self, seconds: float) -> tuple[bytes, bytes] | None:
        """Return the next frame as ``(kind, payload)``; None if none came in time.

        Raises
        ------
        EOFError, OSError
            If the line is cut.
        """
        self._line.settimeout(seconds)
        while not self._frames:
            try:
                data = self._line.recv(262144)
            except TimeoutError:
                return None
            if not data:
                raise EOFError("the session hung up")
            self._frames.extend(self._unframer.feed(data))
        return self._frames.popleft()

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._line.close()


class ControlClient:
    """Gives orders to a session; STOP goes on a line of its own, which no other order holds up.

    A line that was cut is opened again with the next order. Safe to use from several threads.

    Parameters
    ----------
    ticket : Ticket
        Of the session.
    connect : bool
        Open both lines at once, and raise where that fails; otherwise with the first order.

    Raises
    ------
    BciError
        If nothing listens there or the key is wrong.
    """

    def __init__(self, ticket: Ticket, *, connect: bool = True) -> None:
        self._ticket = ticket
        self._lines: dict[str, ClientLine] = {}
        self._locks = {"orders": threading.Lock(), "stop": threading.Lock()}
        self._stop_port = 0
        if connect:
            self.connect()

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return a client for the session that started this process, or None where none did."""
        ticket = Ticket.from_environment()
        return cls(ticket) if ticket is not None else None

    def connect(self) -> None:
        """Open both lines, where they are not open yet: a stop must not wait for a greeting.

        Raises
        ------
        BciError
            If nothing listens there or the key is wrong.
        """
        for purpose, lock in self._locks.items():
            with lock:
                self._open(purpose)

    def _open(self, purpose: str) -> ClientLine:
        line = self._lines.get(purpose)
        if line is None:
            if purpose == "stop" and not self._stop_port:
                asked = ClientLine(self._ticket, "orders")
                asked.close()
                self._stop_port = int(str(asked.words["stop"]))
            line = ClientLine(self._ticket, purpose, port=self._stop_port if purpose == "stop" else 0)
            self._stop_port = int(str(line.words["stop"]))
            self._lines[purpose] = line
        return line

    def send(self, order: dict[str, Any]) -> None:
        """Give an order and wait until the session has it.

        Parameters
        ----------
        order : dict
            ``do`` is one of `bcikit.session.orders.ORDERS`; the rest depends on it.

        Raises
        ------
        BciError
            If the session is gone or refuses the order.
        """
        purpose = "stop" if order.get("do") == "stop" else "orders"
        with self._locks[purpose]:
            known = purpose in self._lines
            try:
                answer = self._ask(purpose, order)
            except (OSError, EOFError) as error:
                self._forget(purpose)
                if not known:
                    raise BciError(f"The engine is gone: {error}") from None
                try:
                    answer = self._ask(purpose, order)
                except (OSError, EOFError) as again:
                    self._forget(purpose)
                    raise BciError(f"The engine is gone: {again}") from None
        if not answer.get("ok"):
            raise BciError(f"The engine refused {order.get('do')!r}: {answer.get('error')}")

    def _ask(self, purpose: str, order: dict[str, Any]) -> dict[str, Any]:
        line = self._open(purpose)
        line.send(ORDER, json.dumps(order).encode())
        answer = line.receive(ANSWER_SECONDS)
        if answer is None or answer[0] != ANSWER:
            # An answer that comes later would be taken for that of the next order.
            self._forget(purpose)
            raise BciError("The engine does not answer.")
        values: dict[str, Any] = json_of(answer[1])
        return values

    def _forget(self, purpose: str) -> None:
        line = self._lines.pop(purpose, None)
        if line is not None:
            line.close()

    def close(self) -> None:
        """Hang up."""
        for purpose, lock in self._locks.items():
            with lock:
                self._forget(purpose)


class ChannelReader:
    """Reads what a session says: a `Snapshot` first, then messages and signals.

    Parameters
    ----------
    ticket : Ticket
        Of the session.

    Raises
    ------
    BciError
        If nothing listens there or the key is wrong.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._line = ClientLine(ticket, "messages")
        self.words = self._line.words

    def read(self, seconds: float) -> Message | Signal | None:
        """Return the next message or signal; None if none came in time.

        Raises
        ------
        EOFError, OSError
            If the session is gone.
        DataError
            If what it says cannot be read; the next can.
        """
        got = self._line.receive(seconds)
        if got is None:
            return None
        kind, payload = got
        if kind == SIGNAL:
            return unpack_signal(payload)
        if kind == SAID:
            return parse(payload)
        raise DataError(f"A session does not send frames of kind {kind!r}.")

    def close(self) -> None:
        """Hang up."""
        self._line.close()
