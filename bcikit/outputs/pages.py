"""The files of the WebXR page, served as they are; nothing outside their folder can be asked for."""

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from bcikit.outputs.envelope import SCHEMA

if TYPE_CHECKING:
    from websockets.http11 import Response

WEB = Path(__file__).parents[1] / "presentation" / "web"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# Scripts, styles and connections of this server only; three.js needs nothing else.
_POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
)


@cache
def files() -> dict[str, Path]:
    """Return every path that can be asked for, and its file: a list, so that no path can lead elsewhere."""
    found = {f"/{path.relative_to(WEB).as_posix()}": path for path in WEB.rglob("*") if path.suffix in _TYPES}
    return {**found, "/": WEB / "index.html", "/schema/v1.json": SCHEMA}


def page(path: str) -> "Response":
    """Return the HTTP answer for a path."""
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    file = files().get(path)
    if file is None:
        status, kind, body = HTTPStatus.NOT_FOUND, _TYPES[".txt"], b"There is no such page.\n"
    else:
        status, kind, body = HTTPStatus.OK, _TYPES[file.suffix], file.read_bytes()
    headers = Headers(
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, body)
