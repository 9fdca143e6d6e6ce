"""WebSocket: a server for scenes and engines that also serves the WebXR page; token, loopback, heartbeats."""

import asyncio
import hmac
import ipaddress
import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from bcikit.outputs.base import Output
from bcikit.outputs.envelope import Sealer, encode
from bcikit.outputs.pages import page
from bcikit.signal import ArgumentError, Command, HostClock, MissingDependencyError, SourceError, check_int

HEARTBEAT = 1.0
"""Seconds between signs of life."""

LONGEST = 65_536
"""Bytes of the longest message taken from a client."""

BACKLOG = 262_144
"""Bytes waiting for a slow client at which news are left out; at four times as much it is cut off."""


class WebSocketOutput(Output):
    """Serves ``ws://HOST:PORT/ws?token=...`` and the WebXR page at ``http://HOST:PORT/?token=...``.

    Clients receive envelopes as text (schema at ``/schema/v1.json``) and may send: ``{"type": "hello", ...}``,
    ``{"type": "clock", "t": seconds}`` (answered with the host clock), ``{"type": "timing", ...}`` (frame times) and
    ``{"type": "ack", "seq": n, "t": seconds}``. Nothing they send moves anything.

    Parameters
    ----------
    host : str
        Address to listen on; this machine only unless stated otherwise.
    port : int
        0 takes a free one.
    token : str
        What clients must know; random if empty. At least 16 characters where others can reach the port.
    """

    scheme: ClassVar[str] = "ws"
    actuator: ClassVar[bool] = False
    body: ClassVar[str] = "host:port"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"port": int, "token": str}

    def __init__(self, host: str = "127.0.0.1", port: int = 9752, *, token: str = "") -> None:
        try:
            import websockets  # noqa: F401
        except ImportError:
            raise MissingDependencyError("websockets", "outputs", "A WebSocket output") from None
        check_int("port", port, low=0, high=65535)
        if token and len(token) < 16 and not _loopback(host):
            raise ArgumentError("ws: a token of fewer than 16 characters is too short where others can reach the port.")
        self.host = host
        self.token = token or secrets.token_urlsafe(24)
        self.port = port
        self._sealer = Sealer()
        self._lock = threading.Lock()
        self._clients: set[Any] = set()
        self._safe = True
        self._left_out = 0
        self.reports: deque[dict[str, Any]] = deque(maxlen=256)
        self._clock = HostClock()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="bcikit websocket", daemon=True)
        self._thread.start()
        try:
            self.port = ready.result(timeout=10.0)
        except OSError as error:
            self._thread.join(timeout=5.0)
            raise SourceError(f"ws: cannot listen on {host}:{port}: {error.strerror or error}") from None

    @property
    def url(self) -> str:
        """Address of the page, with the token."""
        return f"http://{self._name}:{self.port}/?token={self.token}"

    @property
    def _name(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    # ---- the engine's side -------------------------------------------------------------------------------------
    def send(self, command: Command) -> None:
        """Send a command to every client."""
        self._safe = False
        self._post(self._seal(lambda: self._sealer.command(command)), news=False)

    def safe(self, reason: str = "") -> None:
        """Tell every client to let go."""
        self._safe = True
        self._post(self._seal(lambda: self._sealer.safe(reason)), news=False)

    def inform(self, message: Mapping[str, Any]) -> None:
        """Send news, marked informational."""
        self._post(self._seal(lambda: self._sealer.inform(message)), news=True)

    def close(self) -> None:
        """Say "safe", close the connections and the port."""
        if self._loop.is_closed():
            return
        self.safe("closed")
        stop = self._stop
        if stop is not None:
            self._loop.call_soon_threadsafe(stop.set)
        self._thread.join(timeout=10.0)

    @property
    def reach(self) -> str:
        """Who can reach the address that it listens on."""
        return "" if _loopback(self.host) else f"every computer that reaches {self.host} and has the token"

    def state(self) -> dict[str, Any]:
        """Return the address, how many listen and the newest timing report of each client."""
        newest = {str(item.get("client", "")): item for item in self.reports if item.get("type") == "timing"}
        return {
            "url": f"http://{self._name}:{self.port}/",
            "clients": len(self._clients),
            "left_out": self._left_out,
            "safe": self._safe,
            "timing": newest,
        }

    def _seal(self, make: Any) -> str:
        with self._lock:
            return encode(make()).decode()

    def _post(self, text: str, *, news: bool) -> None:
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._spread, text, news)
            except RuntimeError:
                # The server stopped between the question and the call; nobody is there to be told.
                self._left_out += 1

    # ---- the server's thread -----------------------------------------------------------------------------------
    def _run(self, ready: "Future[int]") -> None:
        try:
            self._loop.run_until_complete(self._serve(ready))
        except OSError as error:
            ready.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, ready: "Future[int]") -> None:
        from websockets.asyncio.server import serve

        self._stop = asyncio.Event()
        async with serve(
            self._talk,
            self.host,
            self.port,
            process_request=self._request,
            max_size=LONGEST,
            compression=None,
            ping_interval=20,
            close_timeout=1,
        ) as server:
            ready.set_result(int(next(iter(server.sockets)).getsockname()[1]))
            beat = asyncio.ensure_future(self._beat())
            await self._stop.wait()
            beat.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            self._spread(self._seal(self._sealer.heartbeat), True)  # noqa: FBT003

    def _request(self, connection: Any, request: Any) -> Any:
        """Answer plain HTTP with a page, let a WebSocket in only with the token and from a page of this server."""
        parts = urlsplit(request.path)
        if parts.path != "/ws":
            return page(parts.path)
        given = parse_qs(parts.query).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return connection.respond(HTTPStatus.FORBIDDEN, "The token is missing or wrong.\n")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
            return connection.respond(HTTPStatus.FORBIDDEN, "Pages of other servers may not connect.\n")
        return None

    async def _talk(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self._clients.add(connection)
        try:
            # Whoever joins in the middle begins at rest.
            await connection.send(self._seal(lambda: self._sealer.safe("joined")))
            async for text in connection:
                answer = self._take(text)
                if answer is not None:
                    await connection.send(answer)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(connection)

    def _take(self, text: str | bytes) -> str | None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict):
            return None
        kind = message.get("type")
        now = self._clock.now()
        if kind == "clock" and isinstance(message.get("t"), int | float):
            return self._seal(lambda: self._sealer.clock(float(message["t"]), now))
        if kind in ("hello", "timing", "ack"):
            self.reports.append({**message, "received": now})
        return None

    def _spread(self, text: str, news: bool) -> None:  # noqa: FBT001
        for connection in list(self._clients):
            waiting = connection.transport.get_write_buffer_size()
            if waiting > 4 * BACKLOG:
                connection.transport.abort()
            elif news and waiting > BACKLOG:
                self._left_out += 1
            else:
                _send_now(connection, text)


def _send_now(connection: Any, text: str) -> None:
    from websockets.asyncio.server import broadcast

    broadcast([connection], text)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
