"""Orders to the engine, sent from a thread so that a busy engine never holds the window."""

import queue
import threading
from typing import Any, Protocol

from bcikit.signal import BciError


class OrderClient(Protocol):
    """What carries an order: `bcikit.session.control.ControlClient`."""

    def send(self, order: dict[str, Any]) -> None:
        """Send one order and wait until the engine has it."""

    def close(self) -> None:
        """Hang up."""


class Orders:
    """Sends orders one after the other; a stop overtakes what waits.

    Parameters
    ----------
    client : OrderClient or None
        None where there is no engine to order.
    """

    def __init__(self, client: OrderClient | None) -> None:
        self._client = client
        self._queue: queue.PriorityQueue[tuple[int, int, dict[str, Any] | None]] = queue.PriorityQueue()
        self._count = 0
        self.errors: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self._thread: threading.Thread | None = None
        if client is not None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="bcikit-viewer-orders")
            self._thread.start()

    @property
    def possible(self) -> bool:
        """True if there is an engine to order."""
        return self._client is not None

    def send(self, what: str, **details: Any) -> None:
        """Order something; returns at once. What goes wrong is put into `errors`."""
        if self._client is None:
            return
        self._count += 1
        self._queue.put((0 if what == "stop" else 1, self._count, {"do": what, **details}))

    def _work(self) -> None:
        assert self._client is not None
        while True:
            _, _, order = self._queue.get()
            if order is None:
                return
            try:
                self._client.send(order)
                self.sent.append(order)
            except (BciError, OSError, EOFError) as error:
                self.errors.append(str(error))

    def close(self) -> None:
        """Send what waits and hang up."""
        if self._thread is None or self._client is None:
            return
        self._queue.put((2, self._count + 1, None))
        self._thread.join(3.0)
        self._client.close()
        self._thread = None
