"""Reference client of bcikit: receives commands and lets go in time. Copy it where you need it."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

VERSION = 1
DRIFT = 1e-4
"""Share by which the estimate of the shortest way may grow, so that drifting clocks are followed."""


class Receiver:
    """Decides which command is in force; the same rules in every language (see ../README.md)."""

    def __init__(self) -> None:
        self.command: dict[str, Any] | None = None
        self.state = ""
        self.news: dict[str, Any] | None = None
        self.counts = {"accepted": 0, "out_of_order": 0, "stale": 0, "malformed": 0, "expired": 0}
        self._expires = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget the connection: call it when a new one begins or the old one is lost."""
        self.command = None
        self._sequence = 0
        self._way: float | None = None
        self._heard = 0.0

    def feed(self, text: str | bytes, now: float) -> None:
        """Take one message that arrived at `now` (seconds, any clock that only goes forward)."""
        try:
            message = json.loads(text)
            sequence, sent = int(message["seq"]), float(message["t_mono"])
            kind, ttl = str(message["type"]), float(message["ttl_ms"]) / 1000.0
            known = message["v"] == VERSION
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            self.counts["malformed"] += 1
            return
        if sequence <= self._sequence:
            self.counts["out_of_order"] += 1
            return
        self._sequence = sequence
        way = now - sent
        grown = way if self._way is None else self._way + DRIFT * (now - self._heard)
        self._way = min(way, grown)
        self._heard = now
        self.state = str(message.get("state", ""))
        if kind == "command":
            self._take(message, ttl - (way - self._way), now)
        elif kind == "safe":
            self.command = None
        else:
            self.news = message

    def _take(self, message: dict[str, Any], left: float, now: float) -> None:
        if left <= 0.0 or message.get("informational") is not False:
            self.counts["stale"] += 1
            return
        self.counts["accepted"] += 1
        self.command = message
        self._expires = now + left

    def tick(self, now: float) -> dict[str, Any] | None:
        """Return the command in force, None when there is none; call it as often as the actuator is driven."""
        if self.command is not None and now >= self._expires:
            self.command = None
            self.counts["expired"] += 1
        return self.command


def udp(port: int = 9750, host: str = "127.0.0.1", period: float = 0.02) -> Iterator[dict[str, Any] | None]:
    """Yield the command in force every `period` seconds, for ever."""
    receiver = Receiver()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((host, port))
        line.settimeout(period)
        while True:
            with contextlib.suppress(TimeoutError):
                receiver.feed(line.recv(65536), time.monotonic())
            yield receiver.tick(time.monotonic())


def websocket(url: str, act: Callable[[dict[str, Any] | None], None], period: float = 0.02) -> None:
    """Call `act` with the command in force every `period` seconds; connects again for ever. Needs `websockets`."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    receiver = Receiver()
    while True:
        receiver.reset()
        act(None)
        try:
            with connect(url) as line:
                line.send(json.dumps({"type": "hello", "client": "python"}))
                while True:
                    with contextlib.suppress(TimeoutError):
                        receiver.feed(line.recv(timeout=period), time.monotonic())
                    act(receiver.tick(time.monotonic()))
        except (OSError, ConnectionClosed):
            act(None)
            time.sleep(0.5)


if __name__ == "__main__":
    for command in udp():
        print("at rest" if command is None else f"{command['name']} {command['value']}", end="\r", flush=True)  # noqa: T201
