"""Orders from people to a running engine: an authenticated channel on loopback that carries JSON, never pickle."""

import json
import os
import secrets
import socket
import threading
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from typing import Any, Self

from bcikit.session.orders import checked_order
from bcikit.signal import BciError

ENV_ADDRESS = "BCIKIT_CONTROL"
ENV_KEY = "BCIKIT_CONTROL_KEY"

_LARGEST = 65536

GREETING_SECONDS = 2.0
"""A caller that has not shown by then that it has the key is cut off."""

_MOST_STRANGERS = 32
"""Callers without a key yet at once; one more, and the oldest of them is cut off."""


class _Caller:
    """Whoever called, before and after it has shown that it has the key."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.connection = connection
        self.greeted = False
        self._lock = threading.Lock()

    def greet(self, key: bytes) -> bool:
        """Return whether the caller has the key; one that says nothing, or half of it, does not get all the time."""
        from multiprocessing import AuthenticationError

        patience = threading.Timer(GREETING_SECONDS, self.hang_up)
        patience.daemon = True
        patience.start()
        known = False
        try:
            deliver_challenge(self.connection, key)
            answer_challenge(self.connection, key)
            known = True
        except (AuthenticationError, EOFError, OSError):
            pass
        finally:
            patience.cancel()
            with self._lock:
                self.greeted = True
        return known

    def hang_up(self) -> None:
        """Cut a stranger off, whatever it is in the middle of."""
        # Under the lock the greeting is still going on, and nobody has closed the handle.
        with self._lock:
            if not self.greeted:
                line = socket.socket(fileno=self.connection.fileno())
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                finally:
                    line.detach()


class ControlServer:
    """Takes orders from other processes of this machine.

    Wrong keys and malformed orders are dropped; a flood keeps only the newest orders, but never loses a stop.

    Attributes
    ----------
    environment : dict of str to str
        What a child process needs to send orders.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        # The key is asked for by the reader of each caller: a stranger that says nothing must not keep others waiting.
        self._listener = Listener(("127.0.0.1", 0), backlog=64)
        host, port = self._listener.address[:2]
        self.environment = {ENV_ADDRESS: f"{host}:{port}", ENV_KEY: self._key.hex()}
        self._orders: deque[dict[str, Any]] = deque(maxlen=256)
        self._stop: dict[str, Any] | None = None
        self._closing = False
        self._readers: list[threading.Thread] = []
        self._strangers: deque[_Caller] = deque()
        self._thread = threading.Thread(target=self._accept, name="bcikit-control", daemon=True)
        self._thread.start()

    def poll(self) -> list[dict[str, Any]]:
        """Return the orders since the last call; a stop comes first."""
        orders: list[dict[str, Any]] = []
        if self._stop is not None:
            orders.append(self._stop)
            self._stop = None
        while self._orders:
            orders.append(self._orders.popleft())
        return orders

    def put(self, order: dict[str, Any]) -> None:
        """Take an order from within this process.

        Raises
        ------
        ArgumentError
            If it is not as `bcikit.session.orders.checked_order` wants it; the engine never sees it then.
        """
        order = checked_order(order)
        if order["do"] == "stop":
            self._stop = order
        else:
            self._orders.append(order)

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        # accept() does not see its own socket closed on every system; a last caller wakes it.
        with suppress(OSError):
            socket.create_connection(self._listener.address[:2], timeout=1.0).close()
        self._listener.close()
        self._thread.join(timeout=2.0)
        for caller in self._strangers:
            caller.hang_up()
        for reader in self._readers:
            reader.join(timeout=1.0)

    def _is_closing(self) -> bool:
        return self._closing

    def _accept(self) -> None:
        while not self._is_closing():
            try:
                connection = self._listener.accept()
            except ConnectionError:
                continue
            except OSError:
                return
            if self._is_closing():
                connection.close()
                return
            self._strangers = deque(caller for caller in self._strangers if not caller.greeted)
            while len(self._strangers) >= _MOST_STRANGERS:
                self._strangers.popleft().hang_up()
            caller = _Caller(connection)
            self._strangers.append(caller)
            reader = threading.Thread(target=self._read, args=(caller,), name="bcikit-control-read", daemon=True)
            self._readers = [thread for thread in self._readers if thread.is_alive()] + [reader]
            reader.start()

    def _read(self, caller: _Caller) -> None:
        # The reader alone closes its connection: a close from another thread pulls the handle from under a read.
        with caller.connection as connection:
            if not caller.greet(self._key):
                return
            while not self._closing:
                try:
                    if connection.poll(0.1):
                        connection.send_bytes(self._take(connection.recv_bytes(_LARGEST)))
                except (EOFError, OSError):
                    return

    def _take(self, message: bytes) -> bytes:
        """Return the answer to one message."""
        try:
            order = json.loads(message)
            self.put(order)
        except (BciError, ValueError, RecursionError) as error:
            return json.dumps({"ok": False, "error": str(error)}).encode()
        return b'{"ok": true}'


class ControlClient:
    """Sends orders to an engine.

    Parameters
    ----------
    address : str
        "host:port".
    key : str
        The engine's key, in hexadecimal.

    Raises
    ------
    BciError
        If nothing listens there or the key is wrong.
    """

    def __init__(self, address: str, key: str) -> None:
        from multiprocessing import AuthenticationError

        host, _, port = address.rpartition(":")
        try:
            self._connection = Client((host, int(port)), authkey=bytes.fromhex(key))
        except (OSError, EOFError, ValueError, AuthenticationError) as error:
            raise BciError(f"No engine takes orders at {address!r}: {error}") from None

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return a client for the engine that started this process, or None where none did."""
        address, key = os.environ.get(ENV_ADDRESS), os.environ.get(ENV_KEY)
        return cls(address, key) if address and key else None

    def send(self, order: dict[str, Any]) -> None:
        """Send an order and wait until the engine has it.

        Parameters
        ----------
        order : dict
            ``do`` is one of `bcikit.session.orders.ORDERS`; the rest depends on it (``reason`` for a stop, ``text`` for
            a note).

        Raises
        ------
        BciError
            If the engine is gone or refuses the order.
        """
        try:
            self._connection.send_bytes(json.dumps(order).encode())
            if not self._connection.poll(2.0):
                raise BciError("The engine does not answer.")
            answer = json.loads(self._connection.recv_bytes(_LARGEST))
        except (OSError, EOFError) as error:
            raise BciError(f"The engine is gone: {error}") from None
        if not answer.get("ok"):
            raise BciError(f"The engine refused {order.get('do')!r}: {answer.get('error')}")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
