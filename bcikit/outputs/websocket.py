"""WebSocket: a server for scenes and engines that also serves the WebXR page; token, loopback, heartbeats."""

import asyncio
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from bcikit.outputs.base import Output
from bcikit.outputs.certificate import AUTHORITY, server_context
from bcikit.outputs.displays import correction_of
from bcikit.outputs.door import TokenDoor, is_loopback, own_names
from bcikit.outputs.envelope import Sealer, encode
from bcikit.outputs.pages import file_answer, film_answer, page, qr_picture, qr_terminal, redirect
from bcikit.outputs.reports import LARGEST_NUMBER, checked_report
from bcikit.outputs.strangers import GREETING_SECONDS, Strangers, listener
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import (
    Address,
    ArgumentError,
    Command,
    HostClock,
    MissingDependencyError,
    SourceError,
    check_choice,
    check_int,
)
from bcikit.signal.documents import json_of

HEARTBEAT = 1.0
"""Seconds between signs of life."""

LONGEST = 65_536
"""Bytes of the longest message taken from a client."""

BACKLOG = 262_144
"""Bytes waiting for a slow client at which news are left out; at four times as much it is cut off."""


MOST_PAGES = 64
"""Pages and programs with the token at once."""

CLOCKS_APART = 1.0
"""Seconds by which a marker may lie ahead, or before the output was opened, as clocks are compared over a network."""

BOUNCE = 0.05
"""Seconds within which a second STOP of a client is the first one again."""


def _flag(text: str) -> bool:
    return {"1": True, "0": False}[check_choice("a switch of ws:", text, ("0", "1"))]


def _printable(client: str) -> str:
    """Return what a client calls itself, as it may stand in a message."""
    return "".join(filter(str.isprintable, client))[:100] or "a page"


MOST_REPORTS = 20_000
"""Reports that wait for the session; older ones are dropped."""


class WebSocketOutput(Output):
    """Serves ``ws://HOST:PORT/ws?token=...`` and the WebXR page at ``http://HOST:PORT/?token=...``.

    Clients receive envelopes as text (schema at ``/schema/v1.json``) and may send: ``{"type": "hello", ...}``,
    ``{"type": "clock", "t": seconds}`` (answered with the host clock), ``{"type": "timing", ...}`` (frame times),
    ``{"type": "ack", "seq": n, "t": seconds}``, and the reports of `bcikit.outputs.reports`: flips, frames, and markers
    of an experiment that runs in a page. ``{"type": "stop"}`` stops the session: STOP was pressed there. Nothing else
    that they send moves, or stops, anything.

    Parameters
    ----------
    host : str
        Address to listen on; this machine only unless stated otherwise.
    port : int
        0 takes a free one.
    token : str
        What clients must know; random if empty. At least 16 characters where others can reach the port.
    open : str
        "network" lets other machines of the local network in, over https and with a code that is shown here; anything
        else, and the server stays with this machine.
    tls : bool
        https and wss also on this machine alone: what a headset's browser needs by a forwarded port.
    name : str
        A further host name under which this machine is asked for, such as one of the hospital's own.
    origin : str
        A page of another server that may connect, such as ``http://localhost:8000``; several with spaces between.
    screen : bool
        The page is what the person looks at: windows and epochs go by what it reports.
    authority : str
        Folder of the certificate authority; that of the user if empty.
    language : str
        Of the page, "en" or "zh"; that of the browser if empty.
    """

    scheme: ClassVar[str] = "ws"
    actuator: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    body: ClassVar[str] = "host:port"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "port": int, "token": str, "open": str, "tls": _flag, "name": str, "origin": str, "screen": _flag,
        "authority": str, "language": str,
    }  # fmt: skip
    paths: ClassVar[tuple[str, ...]] = ("authority",)

    def __init__(
        self,
        host: str = "",
        port: int = 9752,
        *,
        token: str = "",
        open: str = "",  # noqa: A002 - the word of the address
        tls: bool = False,
        name: str = "",
        origin: str = "",
        screen: bool = False,
        authority: str = "",
        language: str = "",
    ) -> None:
        try:
            import websockets  # noqa: F401
        except ImportError:
            raise MissingDependencyError("websockets", "outputs", "A WebSocket output") from None
        check_int("port", port, low=0, high=65535)
        check_choice("open", open, ("", "network"))
        check_choice("language", language, ("", "en", "zh"))
        host = host or ("0.0.0.0" if open else "127.0.0.1")  # noqa: S104 - only with the word for it
        if not open and not is_loopback(host):
            raise ArgumentError(
                f"ws: host is {host!r}: others could reach it. Add open=network to serve the local network, "
                "or leave the host out to stay with this machine."
            )
        if token and len(token) < 16 and not is_loopback(host):
            raise ArgumentError("ws: a token of fewer than 16 characters is too short where others can reach the port.")
        self.host = host
        self.token = token or secrets.token_urlsafe(24)
        self.port = port
        self.screen = screen
        self._wanted = f"lang={language}" if language else ""
        names = own_names(host, filter(None, [name]))
        # A server at ::1 or 127.0.0.2 is at no other address of this machine.
        here = host if is_loopback(host) and host != "localhost" else "127.0.0.1"
        self._name = name or next((item for item in names if not is_loopback(item)), here)
        self._tls, self._authority = None, b""
        if tls or open:
            self._tls, self._authority = server_context(names, where=Path(authority) if authority else None)
        self.door = TokenDoor(self.token, names=names, origins=origin.split())
        self._sealer = Sealer()
        self._lock = threading.Lock()
        self._clients: set[Any] = set()
        self._screens: set[Any] = set()
        self._strangers = Strangers()
        self._safe = True
        self._joined = False
        self._left_out = self._misdated = 0
        self._foreign: Reading | None = None
        self._shown: dict[str, Any] | None = None
        self._on_stop: Callable[[str], None] | None = None
        self._stopped_at = float("-inf")
        self._back: deque[dict[str, Any]] = deque(maxlen=MOST_REPORTS)
        self.reports: deque[dict[str, Any]] = deque(maxlen=256)
        self._clock = HostClock()
        self._opened = self._clock.now()
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

        if open or (screen and self.scheme == "ws"):
            self._announce()

    @property
    def url(self) -> str:
        """Address of the page, with the token."""
        return f"{self._root}/?token={self.token}" + (f"&{self._wanted}" if self._wanted else "")

    @property
    def entry(self) -> str:
        """Address that lets a person in: with the code of the moment, which is good for three minutes and once."""
        return f"{self._root}/enter?code={self.door.code}"

    @property
    def _root(self) -> str:
        scheme = "http" if self._tls is None else "https"
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"{scheme}://{name}:{self.port}"

    @classmethod
    def can_show(cls, address: Address) -> bool:
        """Return whether the person looks at what this address opens."""
        return _flag(address.options.get("screen", "0"))

    def qr(self) -> str:
        """Return the entry as a QR picture (SVG)."""
        return qr_picture(self.entry)

    def _announce(self) -> None:
        """Say on the terminal how to get in."""
        if self._tls is None:
            sys.stderr.write(f"\nThe person's page: {self.url}\n")
            return
        code = self.door.code
        sys.stderr.write(
            f"\nThe page is at {self._root}/  -  code {code[:4]} {code[4:]}, good for three minutes and once.\n"
            f"Trust its certificate once: {self._root}/{AUTHORITY}\n{qr_terminal(self.entry)}\n"
        )

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
        if message.get("type") == "show" and message.get("scene") is not None:
            self._shown = dict(message)
        self._post(self._seal(lambda: self._sealer.inform(message)), news=True)

    def on_stop(self, stop: Callable[[str], None]) -> None:
        """Take whom to call when STOP is pressed in a page or in the patient's window."""
        self._on_stop = stop

    def heard(self) -> list[dict[str, Any]]:
        """Return the reports of renderers and the markers of pages since the last call.

        A marker whose time is not of the host's clock would lie on a sample of another time: it is left out, counted
        and said (`trouble`).
        """
        found = []
        while self._back:
            report = self._back.popleft()
            if report["type"] != "marker" or self._is_of_now(report):
                found.append(report)
        return found

    def _is_of_now(self, marker: Mapping[str, Any]) -> bool:
        now = self._clock.now()
        if self._opened - CLOCKS_APART <= marker["t"] <= now + CLOCKS_APART:
            return True
        self._misdated += 1
        said = f"a marker of {_printable(marker['client'])} is {marker['t'] - now:+.0f} s from now, and was left out"
        self._foreign = Reading(rule="H-DRIFT", severity=Severity.WARN, value=said, limit="the host's clock")
        return False

    def trouble(self) -> Reading | None:
        """Return that the page which showed the session is gone, as long as it is: whoever sat before it sees nothing.

        Or else that a marker was left out, once.
        """
        if self.screen and self._joined and not self._screens:
            return Reading(rule="ST-TIMING", severity=Severity.DEGRADE, value="no page shows the session", limit="open")
        foreign, self._foreign = self._foreign, None
        return foreign

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
        return "" if is_loopback(self.host) else f"every computer that reaches {self.host} and has the token"

    def state(self) -> dict[str, Any]:
        """Return the address, how many listen and the newest timing report of each client."""
        newest = {str(item.get("client", "")): item for item in self.reports if item.get("type") == "timing"}
        return {
            "url": f"{self._root}/",
            **({} if self._tls is None else {"code": self.door.code, "wrong_codes": self.door.wrong}),
            "clients": len(self._clients),
            "left_out": self._left_out,
            "misdated_markers": self._misdated,
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
            sock=listener(self.host, self.port, self._strangers),
            process_request=self._request,
            ssl=self._tls,
            ssl_handshake_timeout=None if self._tls is None else GREETING_SECONDS,
            open_timeout=GREETING_SECONDS,
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
            self._strangers.cut_late()
            self._spread(self._seal(self._sealer.heartbeat), True)  # noqa: FBT003

    def _request(self, connection: Any, request: Any) -> Any:
        """Answer plain HTTP with a page; let a WebSocket in only by the door."""
        parts = urlsplit(request.path)
        headers = request.headers
        host, cookie = headers.get("Host"), headers.get("Cookie")
        if not self.door.is_ours(host):
            return connection.respond(HTTPStatus.MISDIRECTED_REQUEST, "This server has another name.\n")
        if parts.path == "/enter":
            answer = self.door.enter(parts.query)
            if answer.status == HTTPStatus.SEE_OTHER:
                page_of = f"/?{self._wanted}" if self._wanted else "/"
                return redirect(page_of, cookie=answer.cookie, secure=self._tls is not None)
            return connection.respond(HTTPStatus(answer.status), answer.text)
        if parts.path == f"/{AUTHORITY}" and self._authority:
            return file_answer(self._authority, "application/x-pem-file")
        if parts.path.startswith("/film/"):
            return film_answer(parts.path.removeprefix("/film/"), self._shown)
        if parts.path != "/ws":
            return page(parts.path)
        if len(self._clients) >= MOST_PAGES:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many look already.\n")
        answer = self.door.may_connect(parts.query, cookie, host, headers.get("Origin"))
        return connection.respond(HTTPStatus(answer.status), answer.text) if answer.status else None

    async def _talk(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self._clients.add(connection)
        self._strangers.let_in(connection.remote_address)
        try:
            # Whoever joins in the middle begins at rest.
            await connection.send(self._seal(lambda: self._sealer.safe("joined")))
            shown = self._shown
            if shown is not None:
                await connection.send(self._seal(lambda: self._sealer.inform(shown)))
            async for text in connection:
                answer = self._take(text, connection)
                if answer is not None:
                    await connection.send(answer)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(connection)
            self._screens.discard(connection)

    def _take(self, text: str | bytes, sender: Any = None) -> str | None:
        try:
            message = json_of(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict):
            return None
        kind = message.get("type")
        now = self._clock.now()
        if kind == "stop":
            self._pressed(str(message.get("client", "")), now)
            return None
        if kind == "clock" and isinstance(message.get("t"), int | float) and abs(message["t"]) < LARGEST_NUMBER:
            return self._seal(lambda: self._sealer.clock(float(message["t"]), now))
        report = checked_report(message)
        if report is not None:
            if "display" in report:
                # With the report, so that a replay has the correction that the session had.
                report["correction"] = correction_of(report["client"], report["display"])
            if "refresh" in report or kind == "flip":
                # Only who shows the session has frames to tell of; others that listen do not stand in for a screen.
                if sender is not None:
                    self._screens.add(sender)
                self._joined = True
            self._back.append(report)
        if kind in ("hello", "timing", "ack"):
            self.reports.append({**message, "received": now})
        return None

    def _pressed(self, client: str, now: float) -> None:
        """Stop the session; a key that bounces, or a page gone wild, is one stop."""
        if self._on_stop is None or now - self._stopped_at < BOUNCE:
            return
        self._stopped_at = now
        # Not in the server's own thread: an output that is busy must not hold up what others say.
        reason = f"STOP pressed in {_printable(client)} ({self.scheme}:)"
        threading.Thread(target=self._on_stop, args=(reason,), name="bcikit page stop", daemon=True).start()

    def _spread(self, text: str, news: bool) -> None:  # noqa: FBT001
        from websockets.asyncio.server import broadcast

        for connection in list(self._clients):
            waiting = connection.transport.get_write_buffer_size()
            if waiting > 4 * BACKLOG:
                connection.transport.abort()
            elif news and waiting > BACKLOG:
                self._left_out += 1
            else:
                broadcast([connection], text)
