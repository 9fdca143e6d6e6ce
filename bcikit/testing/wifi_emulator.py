"""OpenBCI's Ganglion behind its WiFi shield: HTTP for commands, a TCP connection back to the driver for samples."""

import contextlib
import itertools
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bcikit.signal import SourceError
from bcikit.testing.emulators import Emulator

_HTTP = 80
"""The driver asks a shield on this port only."""


class GanglionWifiEmulator(Emulator):
    """Four channels at 1600 Hz. It needs the right to listen on port 80 of a loopback address.

    A step is ``1.2 V / (2^23 - 1) / 1.5 / 51`` (OpenBCI, "Ganglion Data Format").

    The shield sends the samples over a connection that it makes to the driver, as its HTTP interface says
    (OpenBCI, "WiFi Shield HTTP API").
    """

    kind = "ganglion-wifi"
    sfreq = 1600.0
    n_channels = 4
    default_gain = 51.0
    reference_volts = 1.2 / 1.5

    def _open(self) -> None:
        self._socket: socket.socket | None = None
        self._server = _listen(self)
        host = str(self._server.server_address[0])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"brainflow:{self.kind}?ip_address={host}&ip_port={port}"
        self._thread(self._server.serve_forever, "http")

    def _shut(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._socket is not None:
            self._socket.close()

    def _send(self, data: bytes) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendall(data)

    def answer(self, path: str, body: str) -> str:
        """Return what the shield says to a request."""
        if path == "/tcp" and body:
            told = json.loads(body)
            self._socket = socket.create_connection((told["ip"], int(told["port"])), 5.0)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        elif path == "/command":
            return self._obey(json.loads(body)["command"])
        elif path == "/stream/start":
            self._obey("b")
        elif path == "/stream/stop":
            self._obey("s")
        elif path == "/board":
            return json.dumps({"board_connected": True, "board_type": "ganglion", "num_channels": 4})
        return "ok"

    def _set_rate(self, digit: str) -> str:
        """Obey ``~0`` to ``~7``: 25,600 Hz halved with each step; a planned rate stays, as a wrong crystal would."""
        if not digit.isdigit() or int(digit) > 7:
            return "Failure: sampling value out of bounds$$$"
        if self.plan.rate is None:
            self.rate = 25_600.0 / 2 ** int(digit)
        return f"Success: Sample rate is {self.rate:g}Hz$$$"


def _listen(shield: GanglionWifiEmulator) -> ThreadingHTTPServer:
    """Return an HTTP server on the first free loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self, body: str) -> None:
            answer = shield.answer(self.path, body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self._reply("")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def do_DELETE(self) -> None:
            self._reply("")

        def log_message(self, *_: object) -> None:
            """Say nothing: the standard error belongs to the program that runs the emulator."""

    ThreadingHTTPServer.daemon_threads = True
    for number in itertools.chain((os.getpid() % 200 + 2,), range(2, 20)):
        try:
            return ThreadingHTTPServer((f"127.0.1.{number}", _HTTP), Handler)
        except PermissionError:
            break
        except OSError:
            continue
    raise SourceError("The emulated ganglion-wifi needs the right to listen on port 80 of a loopback address.")
