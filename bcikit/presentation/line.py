"""The line from a renderer in a process of its own to the session: the WebSocket that every renderer uses."""

import json
import queue
import threading
from collections import deque
from contextlib import ExitStack
from typing import Any

from bcikit.signal import BciError, MissingDependencyError
from bcikit.signal.documents import json_of

PATIENCE = 10.0
"""Seconds to wait for the session at the start."""


class Line:
    """Hears a session and answers it, from a thread of its own; the toolkit's loop only looks into two queues.

    Parameters
    ----------
    url : str
        ``ws://127.0.0.1:PORT/ws?token=...``.
    name : str
        Who this is, in the session's reports.

    Raises
    ------
    BciError
        If the session does not let it in.
    """

    def __init__(self, url: str, *, name: str) -> None:
        try:
            from websockets.exceptions import WebSocketException
            from websockets.sync.client import connect
        except ImportError:
            raise MissingDependencyError("websockets", "gui", "The patient's window") from None
        self._context = ExitStack()
        try:
            # In this machine and in one piece: a session's messages are small.
            opened = connect(url, open_timeout=PATIENCE, max_size=2**22, compression=None)
            # Newer versions of websockets connect only with a context.
            self._connection = self._context.enter_context(opened)
        except (OSError, WebSocketException) as error:
            raise BciError(f"The session does not let the window in: {error}") from None
        self.name = name
        self.gone = False
        self._heard: deque[dict[str, Any]] = deque()
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=f"bcikit {part}", daemon=True)
            for part, target in (("hears", self._hear), ("says", self._say))
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> list[dict[str, Any]]:
        """Return what the session said since the last call: envelopes, unpacked to messages of a show."""
        found = []
        while self._heard:
            found.append(self._heard.popleft())
        return found

    def say(self, message: dict[str, Any]) -> None:
        """Tell the session something; does not wait."""
        self._said.put({"client": self.name, **message})

    def close(self) -> None:
        """Hang up."""
        self._said.put(None)
        self._context.close()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _hear(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for text in self._connection:
                message = unpack(json_of(text))
                if message is not None:
                    self._heard.append(message)
        except (ConnectionClosed, OSError):
            pass
        finally:
            self.gone = True

    def _say(self) -> None:
        from websockets.exceptions import ConnectionClosed

        while (message := self._said.get()) is not None:
            try:
                self._connection.send(json.dumps(message))
            except (ConnectionClosed, OSError):
                return


def unpack(envelope: Any) -> dict[str, Any] | None:
    """Return the message of a show in an envelope, None where it holds none."""
    if not isinstance(envelope, dict):
        return None
    kind = envelope.get("type")
    if kind == "inform":
        name, data = envelope.get("name"), envelope.get("data")
        return {**data, "type": name} if name == "show" and isinstance(data, dict) else None
    if kind == "command":
        return {
            "type": "command",
            "name": envelope.get("name"),
            "value": envelope.get("value"),
            "ttl_ms": envelope.get("ttl_ms"),
            "data": envelope.get("data"),
        }
    return {"type": "safe"} if kind == "safe" else None
