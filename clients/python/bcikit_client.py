"""Reference client of bcikit: receives commands and lets go in time. Copy it where you need it."""

import contextlib
import json
import math
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

VERSION = 1
DRIFT = 1e-4
"""Share by which the estimate of the shortest way may grow, so that drifting clocks are followed."""

SILENCE = 3.0
"""Seconds without a sign of life (there is one a second) after which a WebSocket is taken for lost."""


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float | int:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number if set(text) & set(".eE") else int(text)


def _number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def read(text: str | bytes) -> dict[str, Any] | None:
    """Return a message, or None if it is none: strict JSON in UTF-8; of two equal names the last one counts."""
    try:
        plain = text if isinstance(text, str) else text.decode()
        message = json.loads(plain, parse_constant=_refuse, parse_float=_finite, parse_int=_finite)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    get = message.get
    good = (
        (_number(get("v")) and get("v") == VERSION)
        and (_number(get("seq"), 1, 2**53 - 1) and get("seq") % 1 == 0)
        and (_number(get("t_mono")) and _number(get("ttl_ms")))
        and (isinstance(get("type"), str) and isinstance(get("sender"), str))
    )
    if good and get("type") == "command":
        value = get("value")
        good = isinstance(get("name"), str) and _number(get("ttl_ms"), 0, 60_000)
        good = good and (value is None or isinstance(value, str) or _number(value))
    return message if good else None


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
        self._gone: list[str] = []
        self._sender: str | None = None
        self._begin(None)

    def _begin(self, sender: str | None) -> None:
        if self._sender is not None:
            self._gone = [*self._gone[-15:], self._sender]
        self._sender = sender
        self.command = None
        self._sequence = 0
        self._way: float | None = None
        self._heard = 0.0

    def feed(self, text: str | bytes, now: float) -> None:
        """Take one message that arrived at `now` (seconds, any clock that only goes forward)."""
        message = read(text)
        if message is None:
            self.counts["malformed"] += 1
            return
        if message["sender"] in self._gone or (message["sender"] == self._sender and message["seq"] <= self._sequence):
            self.counts["out_of_order"] += 1
            return
        if message["sender"] != self._sender:
            self._begin(message["sender"])
        self._sequence = message["seq"]
        if isinstance(message.get("state"), str):
            self.state = message["state"]
        if message["type"] == "clock":
            # It tells the host's clock, which need not be the one that the session runs on.
            self.news = message
            return
        way = now - message["t_mono"]
        grown = way if self._way is None else self._way + DRIFT * (now - self._heard)
        self._way = min(way, grown)
        self._heard = now
        if message["type"] == "command":
            self._take(message, message["ttl_ms"] / 1000.0 - (way - self._way), now)
        elif message["type"] == "safe":
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
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    receiver = Receiver()
    while True:
        receiver.reset()
        act(None)
        try:
            with connect(url, close_timeout=1) as line:
                line.send(json.dumps({"type": "hello", "client": "python"}))
                heard = time.monotonic()
                while time.monotonic() - heard < SILENCE:
                    with contextlib.suppress(TimeoutError):
                        receiver.feed(line.recv(timeout=period), time.monotonic())
                        heard = time.monotonic()
                    act(receiver.tick(time.monotonic()))
                # Before the connection is closed, which takes time where nobody answers.
                act(None)
        except (OSError, WebSocketException):
            act(None)
            time.sleep(0.5)


if __name__ == "__main__":
    for command in udp():
        print("at rest" if command is None else f"{command['name']} {command['value']}", end="\r", flush=True)  # noqa: T201
