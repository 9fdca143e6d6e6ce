"""Orders to the engine, sent from threads so that a busy engine never holds the window."""

import queue
import threading
from typing import Any, Protocol

from bcikit.signal import BciError


class OrderClient(Protocol):
    """What carries an order: `bcikit.session.control.ControlClient`."""

    def send(self, order: dict[str, Any]) -> None:
        """Send one order and wait until the engine has it; used from two threads."""

    def close(self) -> None:
        """Hang up."""


class Orders:
    """Sends orders one after the other; a stop has a thread of its own and waits for none of them.

    Parameters
    ----------
    client : OrderClient or None
        None where there is no engine to order.

    Attributes
    ----------
    errors : list of str
        What was not taken, and why; whoever shows them clears the list.
    sent : list of dict
        What the engine has taken.
    """

    def __init__(self, client: OrderClient | None) -> None:
        self._client = client
        self._queues: dict[str, queue.SimpleQueue[tuple[int, dict[str, Any]] | None]] = {}
        self.errors: list[str] = []
        self._fates: dict[int, str] = {}
        self._count = 0
        self.sent: list[dict[str, Any]] = []
        self._threads: list[threading.Thread] = []
        if client is not None:
            for name in ("stop", "orders"):
                self._queues[name] = queue.SimpleQueue()
                thread = threading.Thread(target=self._work, args=(name,), daemon=True, name=f"bcikit-send-{name}")
                thread.start()
                self._threads.append(thread)

    @property
    def possible(self) -> bool:
        """True if there is an engine to order."""
        return self._client is not None

    def send(self, what: str, **details: Any) -> int:
        """Order something; returns at once, with a number to ask `heard` for. What goes wrong is put into `errors`."""
        self._count += 1
        ticket = self._count
        if self._client is not None and self._threads:
            self._queues["stop" if what == "stop" else "orders"].put((ticket, {"do": what, **details}))
        else:
            self._fates[ticket] = "There is no engine to order."
        return ticket

    def heard(self, ticket: int) -> str | None:
        """Return "" where the engine has the order, why it has it not, or None while that is not known."""
        return self._fates.get(ticket)

    def _work(self, name: str) -> None:
        assert self._client is not None
        while True:
            waiting = self._queues[name].get()
            if waiting is None:
                return
            ticket, order = waiting
            try:
                self._client.send(order)
                self.sent.append(order)
                self._fates[ticket] = ""
            except (BciError, OSError, EOFError) as error:
                self.errors.append(str(error))
                self._fates[ticket] = str(error)

    def close(self) -> None:
        """Send what waits and hang up."""
        if self._client is None or not self._threads:
            return
        for line in self._queues.values():
            line.put(None)
        for thread in self._threads:
            thread.join(3.0)
        self._client.close()
        self._threads = []
