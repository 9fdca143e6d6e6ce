"""Everything that listens, attacked over real sockets: half-open callers, slow speakers, others' names, other words."""

import contextlib
import http.client
import json
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

import bcikit
from bcikit.outputs import open_output, strangers
from bcikit.outputs.websocket import WebSocketOutput
from bcikit.session.channel import ChannelServer
from bcikit.ui.session_link import SessionLink
from bcikit.viewer.ward import WardServer
from tests.callers import connect
from tests.stalls import Stalls

resource = pytest.importorskip("resource", reason="limits of handles are POSIX")

pytestmark = pytest.mark.requirement("SAF-098")

LISTEN = re.compile(r"HTTPServer|create_server\(|\.bind\(|asyncio\.server import .*serve")
LISTENERS = {
    "outputs/strangers.py": "test_half_open",
    "outputs/websocket.py": "test_half_open",
    "viewer/ward.py": "test_half_open",
    "session/door.py": "tests/session/test_channel.py",
    "safety/guard/server.py": "tests/safety/test_guard.py",
}
"""Who listens, and where it is attacked."""


class Server:
    """A listener: its port, whether it speaks TLS, and a question that only who may come in has answered."""

    def __init__(self, kind: str) -> None:
        self.tls = kind.endswith("tls")
        self._stack = contextlib.ExitStack()
        if kind.startswith("ward"):
            channel = self._stack.enter_context(contextlib.closing(ChannelServer()))
            link = SessionLink(channel.ticket("observer")).start()
            self._stack.callback(link.halt)
            # Another name of this machine, so that the ward thinks of other computers.
            ward = WardServer(link, host="127.0.0.2" if self.tls else "127.0.0.1")
            self._stack.callback(ward.close)
            self.host, self.port, self.ask, self.strangers = ward.host, ward.port, self._ward, ward._http.strangers
            self.key = ward.key
        else:
            page = open_output("ws:port=0&tls=1" if self.tls else "ws:port=0")
            assert isinstance(page, WebSocketOutput)
            self._stack.callback(page.close)
            self.host, self.port, self.ask, self.strangers = "127.0.0.1", page.port, self._page, page._strangers
            self.key = page.token
        self.context = None
        if self.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def get(self, path: str, **heads: str) -> tuple[int, bytes]:
        """Return status and first bytes of a page."""
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        more = {"context": self.context} if self.tls else {}
        line = kind(self.host, self.port, timeout=60, **more)  # type: ignore[arg-type]
        with contextlib.closing(line):
            line.putrequest("GET", path, skip_host="Host" in heads)
            for name, value in heads.items():
                line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            with contextlib.closing(answer):
                return answer.status, answer.read1(2000)

    def _ward(self) -> bool:
        status, body = self.get("/frames", Authorization=f"Bearer {self.key}")
        return status == 200 and b'"strip"' in body

    def _page(self, key: str = "", **heads: str) -> bool:
        address = f"{'wss' if self.tls else 'ws'}://{self.host}:{self.port}/ws?token={key or self.key}"
        with connect(address, ssl=self.context, headers=heads or None) as line:
            return json.loads(line.recv(timeout=60))["type"] == "safe"

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(params=["ward", "ward-tls", "ws", "ws-tls"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param.endswith("tls"):
        pytest.importorskip("trustme")
    with contextlib.closing(Server(request.param)) as made:
        yield made


def answered(server: Server, seconds: float = 60.0) -> float:
    """Return how long it took until somebody with the key was served, but for how long the machine kept it waiting.

    Callers push out strangers, so it tries again.
    """
    began, waited = time.monotonic(), Stalls()
    while time.monotonic() < began + seconds:
        with contextlib.suppress(OSError, http.client.HTTPException, ConnectionClosed, InvalidStatus, EOFError):
            if server.ask():
                return time.monotonic() - began - waited.seconds
    raise AssertionError(f"nobody was served within {seconds} s")


def handles() -> int:
    """Return the number of handles of this process."""
    return sum(1 for _ in Path("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd").iterdir())


def test_half_open_callers_take_no_handles_and_keep_nobody_waiting(server: Server) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    callers: list[socket.socket] = []
    began = handles()
    try:
        for number in range(400):
            callers.append(socket.create_connection((server.host, server.port), timeout=60))
            if number % 3 == 0:
                callers[-1].sendall(b"\x16\x03\x01" if server.tls else b"GET / HT")
        assert answered(server) < 5.0
        limit = time.monotonic() + 60.0
        while (own := handles() - began - len(callers)) > strangers.MOST + 10 and time.monotonic() < limit:
            time.sleep(0.05)
        assert own <= strangers.MOST + 10
        assert len(server.strangers) <= strangers.MOST
    finally:
        for caller in callers:
            caller.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert answered(server) < 5.0


def test_who_speaks_slowly_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "GREETING_SECONDS", 0.5)
    with socket.create_connection((server.host, server.port), timeout=60) as slow:
        began, waited = time.monotonic(), Stalls()
        with contextlib.suppress(OSError):
            while time.monotonic() < began + 60.0:
                # A letter now and then, so that no silence ends it.
                slow.sendall(b"\x16" if server.tls else b"G")
                slow.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    if not slow.recv(100):
                        break
        assert time.monotonic() - began < 8.0 + waited.seconds
    assert answered(server) < 5.0


def test_a_line_that_is_being_wrapped_is_not_taken_for_one_that_has_gone() -> None:
    known, (ours, theirs), (next_one, other) = strangers.Strangers(), socket.socketpair(), socket.socketpair()
    with contextlib.ExitStack() as stack:
        known.came(ours, ("127.0.0.1", 1))
        caller = threading.Thread(target=known.came, args=(next_one, ("127.0.0.1", 2)))

        def wrap() -> socket.socket:
            made = socket.socket(fileno=ours.detach())
            # Somebody calls while the old socket has no number any more and the new one is not known yet.
            caller.start()
            caller.join(0.1)
            return made

        line = known.become(("127.0.0.1", 1), wrap)
        caller.join(10.0)
        for one in (line, theirs, next_one, other):
            stack.enter_context(contextlib.closing(one))
        assert len(known) == 2
        line.sendall(b"here")
        assert theirs.recv(10) == b"here"


def test_names_paths_and_pages_of_others_get_nothing(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example:80", "[::ffff:1.2.3.4]:1"):
        assert server.get("/", Host=host)[0] in (403, 421), host
    for path in (
        "/../ward.py", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
        "/film/../../pyproject.toml", "/film/%2e%2e%2f%2e%2e%2fsession.json", "/film//etc/passwd",
        "/\\..\\..\\x", "/" + "a" * 5000,
    ):  # fmt: skip
        status, body = server.get(path)
        assert status in (403, 404, 414), (path, status)
        assert b"root:" not in body
    for word in ("POST", "PUT", "DELETE", "OPTIONS"):
        raw = socket.create_connection((server.host, server.port), timeout=60)
        with server.context.wrap_socket(raw) if server.context is not None else raw as line:
            line.sendall(f"{word} /frames HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n\r\n".encode())
            said = line.recv(200)
            assert b" 200 " not in said
            assert b"Access-Control-Allow" not in said
    assert answered(server) < 5.0


@pytest.mark.parametrize("kind", ["ws", "ws-tls"])
def test_a_page_of_another_server_cannot_connect_and_words_of_any_kind_end_nothing(kind: str) -> None:
    with contextlib.closing(Server(kind)) as server:
        for origin in ("http://evil.example", "null", f"http://127.0.0.1.evil:{server.port}", "file://"):
            with pytest.raises(InvalidStatus):
                server._page(Origin=origin)
        with pytest.raises(InvalidStatus):
            server._page("wrong")
        rng = random.Random(7)
        words = [
            '{"type":"stop"', "[" * 900 + "]" * 900, '{"type":"clock","t":1e400}', "null", '{"type":7}',
            '{"type":"hello","client":["\\ud800"]}', '{"type":"timing","flips":[NaN]}',
            '{"type":"clock","t":' + "9" * 4200 + "}",
        ]  # fmt: skip
        address = f"{'wss' if server.tls else 'ws'}://{server.host}:{server.port}/ws?token={server.key}"
        with connect(address, ssl=server.context) as line:
            for _ in range(300):
                line.send(rng.choice(words) if rng.random() < 0.5 else rng.randbytes(rng.randrange(200)))
            line.send(json.dumps({"type": "clock", "t": 1.5}))
            while json.loads(line.recv(timeout=60))["type"] != "clock":
                pass
            line.send("x" * 70_000)
            with pytest.raises(ConnectionClosed):  # noqa: PT012 - what was said before comes first
                while True:
                    line.recv(timeout=60)
        assert answered(server) < 5.0


def test_who_listens_is_attacked_here() -> None:
    root = Path(bcikit.__file__).parent
    found = {
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        if LISTEN.search(file.read_text(encoding="utf-8"))
    }
    assert {one for one in found if not one.startswith("testing/")} == set(LISTENERS)
