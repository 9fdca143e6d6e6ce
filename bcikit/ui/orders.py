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
        self._queues: dict[str, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self.errors: list[str] = []
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

    def send(self, what: str, **details: Any) -> None:
        """Order something; returns at once. What goes wrong is put into `errors`."""
        if self._client is not None and self._threads:
            self._queues["stop" if what == "stop" else "orders"].put({"do": what, **details})

    def _work(self, name: str) -> None:
        assert self._client is not None
        while True:
            order = self._queues[name].get()
            if order is None:
                return
            try:
                self._client.send(order)
                self.sent.append(order)
            except (BciError, OSError, EOFError) as error:
                self.errors.append(str(error))

    def close(self) -> None:
        """Send what waits and hang up."""
        if self._client is None or not self._threads:
            return
        for waiting in self._queues.values():
            waiting.put(None)
        for thread in self._threads:
            thread.join(3.0)
        self._client.close()
        self._threads = []
