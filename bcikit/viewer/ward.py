"""The ward view: what a window shows, read-only in a browser; on this machine, or with TLS where that is asked for."""

import hmac
import json
import math
import secrets
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import deque
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import dropwhile
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import numpy as np

from bcikit.outputs.strangers import GREETING_SECONDS, Strangers
from bcikit.session.running import find_running
from bcikit.signal import ArgumentError, Chunk, MissingDependencyError
from bcikit.signal.messages import Snapshot
from bcikit.ui.rules import STATE_LEVEL, state_text
from bcikit.ui.session_link import SessionLink
from bcikit.ui.status import Status

PAGE = Path(__file__).parent / "ward_page"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
COLUMNS_PER_SECOND = 100
FRAME_SECONDS = 0.04
KEPT_SECONDS = 12.0
MOST_READERS = 12
_POLICY = "default-src 'self'; style-src 'self'; script-src 'self'; frame-ancestors 'none'"


class Picture:
    """What the page is told: the extremes of each hundredth of a second, and the strip. No Qt.

    Parameters
    ----------
    link : SessionLink
        The session.
    """

    def __init__(self, link: SessionLink) -> None:
        self._link = link
        self.status = Status()
        self._lock = threading.Lock()
        self._columns: deque[tuple[int, list[float], list[float]]] = deque(maxlen=round(KEPT_SECONDS * 100))
        self._open: tuple[int, Any, Any] | None = None
        self._names: tuple[str, ...] = ()
        self._session, self._every = 0, 1
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="bcikit-ward")
        self._thread.start()

    def _work(self) -> None:
        while not self._halt.wait(FRAME_SECONDS / 2):
            with self._lock:
                # First: the snapshot of a session that is joined just now is not forgotten with the last one.
                messages = self._link.take()
                if self._link.sessions != self._session:
                    # Nothing of one session stands beside what comes of the next.
                    self._session = self._link.sessions
                    self.status.forget()
                    self._names, self._open = (), None
                    self._columns.clear()
                    # It comes first after each joining: what was taken before it is of the last session.
                    messages = list(dropwhile(lambda message: not isinstance(message, Snapshot), messages))
                for message in messages:
                    self.status.take(message)
                info = self._link.filtered.info or self._link.raw.info
                stream = self._link.filtered if self._link.filtered.info is not None else self._link.raw
                other = self._link.raw if stream is self._link.filtered else self._link.filtered
                other.take()
                if info is not None and info.ch_names != self._names:
                    self._names, self._every = info.ch_names, math.ceil(COLUMNS_PER_SECOND / (info.sfreq or 1.0))
                    self._columns.clear()
                    self._open = None
                for chunk in stream.take():
                    self._add(chunk, info.sfreq if info is not None else 1.0)

    def _add(self, chunk: Chunk, sfreq: float) -> None:
        samples = np.arange(chunk.first_sample, chunk.end_sample)
        numbers = (samples * COLUMNS_PER_SECOND / max(sfreq, 1.0)).astype(np.int64)
        for number in np.unique(numbers).tolist():
            part = chunk.data[numbers == number]
            low, high = np.fmin.reduce(part, axis=0), np.fmax.reduce(part, axis=0)
            if self._open is not None and self._open[0] == number:
                low, high = np.fmin(low, self._open[1]), np.fmax(high, self._open[2])
            elif self._open is not None:
                self._close()
            self._open = (number, low, high)

    def _close(self) -> None:
        if self._open is None:
            return
        number, low, high = self._open
        # JSON knows no NaN and no infinity: such a value is null.
        rows = [[round(float(v), 1) if np.isfinite(v) else None for v in values] for values in (low, high)]
        self._columns.append((number, *rows))  # type: ignore[arg-type]
        self._open = None

    def frame(self, after: int, session: int = 0) -> dict[str, Any]:
        """Return what is new after a column of a session, and the strip as it is now."""
        with self._lock:
            columns = [column for column in self._columns if column[0] > after or session != self._session]
            stale = self._link.why
            return {
                "names": list(self._names),
                "columns": columns,
                "strip": self._strip(stale),
                "stale": stale,
                "title": self.status.streams.title,
                "session": self._session,
                # Of a stream slower than the columns, only one of so many has a sample.
                "every": self._every,
            }

    def _strip(self, stale: str) -> dict[str, Any]:
        status = self.status
        name, advice = state_text(status.state, watching=True)
        worst = status.worst_electrode()
        loss, latency = status.loss_percent(), status.total_latency_ms()
        if stale and not status.finished:
            # Nothing that was said before stands where nothing is heard.
            return {"state": "–", "level": "", "advice": "", "loss": "–", "latency": "–", "electrode": "–"}
        bad = worst is not None and worst[1].level in ("BAD", "WARN")
        return {
            "state": name,
            "level": STATE_LEVEL.get(status.state, ""),
            "advice": advice,
            "loss": "–" if loss is None else f"{loss:.2f} %",
            "latency": "–" if latency is None else f"{latency:.0f} ms",
            "electrode": "–" if worst is None else f"{worst[0]} {' '.join(worst[1].rules)}" if bad else "good",
        }

    def halt(self) -> None:
        """Stop reading."""
        self._halt.set()
        self._thread.join(2.0)


class WardServer:
    """Serves the page; who has the key may look, and nobody may order anything.

    Parameters
    ----------
    link : SessionLink
        The session.
    host : str
        This machine only, unless stated otherwise; then with TLS.
    port : int
        0 for any that is free.

    Raises
    ------
    MissingDependencyError
        If TLS is wanted and trustme is missing.
    """

    def __init__(self, link: SessionLink, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.key = secrets.token_urlsafe(24)
        self.picture = Picture(link)
        self._readers = threading.BoundedSemaphore(MOST_READERS)
        self.host = host
        self.secure = host != "127.0.0.1"
        self._http = _Http((host, port), _handler(self), _tls(host) if self.secure else None)
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True, name="bcikit-ward-http")
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to look; the key stands behind the hash, which a browser sends to nobody."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}/#{self.key}"

    def close(self) -> None:
        """Shut."""
        self._http.shutdown()
        self._http.server_close()
        self.picture.halt()
        self._thread.join(3.0)

    def lets_in(self, said: str) -> bool:
        """Return whether a header of authorization holds the key."""
        return hmac.compare_digest(said.encode(errors="replace"), f"Bearer {self.key}".encode())


class _Http(ThreadingHTTPServer):
    """One thread a caller, so that none keeps the next one waiting; few strangers, none for long."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None
    ) -> None:
        self.strangers = Strangers()
        self._tls = tls
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, and ask no name server what this computer is called: that takes macOS half a minute at times."""
        # On Windows it would let two servers have one port.
        self.allow_reuse_address = sys.platform != "win32"
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            line, address = self.socket.accept()
        except OSError:
            # No handle is left: the next look would be at once.
            time.sleep(0.05)
            raise
        self.strangers.came(line, address)
        return line, address

    def service_actions(self) -> None:
        self.strangers.cut_late()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Greet and answer in the caller's own thread."""
        line = request
        try:
            if self._tls is not None:
                request.settimeout(GREETING_SECONDS)
                tls = partial(self._tls.wrap_socket, request, server_side=True, do_handshake_on_connect=False)
                line = self.strangers.become(client_address, tls)
                line.do_handshake()
            super().finish_request(line, client_address)
        except (OSError, ValueError):
            return  # whoever called has gone, or was cut off
        finally:
            self.strangers.let_in(client_address)
            line.close()


def _tls(host: str) -> ssl.SSLContext:
    try:
        import trustme
    except ImportError:
        raise MissingDependencyError("trustme", "web", "A page for other computers") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "key.pem"
        trustme.CA().issue_cert(host).private_key_and_cert_chain_pem.write_to_path(file)
        context.load_cert_chain(file)
    return context


def _handler(server: WardServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self) -> None:
            # A page of another name that leads here (DNS rebinding) gets nothing.
            if self.headers.get("Host", "").rpartition(":")[0] not in (server.host, "localhost"):
                self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"another host\n")
            elif self.path == "/frames":
                self._stream()
            else:
                name = "index.html" if self.path == "/" else self.path.lstrip("/")
                known = {path.name: path for path in PAGE.iterdir() if path.suffix in _TYPES}
                if name in known:
                    self._answer(HTTPStatus.OK, _TYPES[known[name].suffix], known[name].read_bytes())
                else:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self._heads(kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _heads(self, kind: str) -> None:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.close_connection = True

        def _stream(self) -> None:
            if not server.lets_in(self.headers.get("Authorization", "")):
                self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"wrong key\n")
                return
            if not server._readers.acquire(blocking=False):
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"too many look already\n")
                return
            server._http.strangers.let_in(self.client_address)
            try:
                self.send_response(HTTPStatus.OK)
                self._heads("application/x-ndjson")
                self.end_headers()
                after, session = -1, 0
                while True:
                    frame = server.picture.frame(after, session)
                    after = (
                        frame["columns"][-1][0] if frame["columns"] else after if session == frame["session"] else -1
                    )
                    session = frame["session"]
                    self.wfile.write(json.dumps(frame, separators=(",", ":")).encode() + b"\n")
                    self.wfile.flush()
                    time.sleep(FRAME_SECONDS)
            except OSError:
                return  # the browser is closed
            finally:
                server._readers.release()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing: a terminal is no log of who looks."""

    return Handler


def serve(source: str, *, host: str = "127.0.0.1") -> None:
    """Serve a running session until Ctrl-C; the address with its key is printed.

    Raises
    ------
    ArgumentError
        If `source` is no session that runs here.
    """
    scheme, _, name = source.partition(":")
    if scheme not in ("", "session"):
        raise ArgumentError(f"--ward shows a session that runs here, 'session:' or 'session:NAME'; not {source!r}.")
    find_running(name)
    link = SessionLink(lambda: find_running(name).ticket).start()
    server = WardServer(link, host=host)
    sys.stdout.write(f"{server.url}\nOpen this in a browser. Whoever has the key may look. Ctrl-C ends it.\n")
    if server.secure:
        sys.stdout.write(f"Every computer that reaches {host} and has the key can look; the certificate is its own.\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        link.halt()
