"""The files of the WebXR page, served as they are; nothing outside their folder can be asked for."""

import io
import json
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bcikit.outputs.envelope import SCHEMA
from bcikit.signal import DataError, MissingDependencyError

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
    file = files().get(path)
    if file is None:
        status, kind, body = HTTPStatus.NOT_FOUND, _TYPES[".txt"], b"There is no such page.\n"
    else:
        status, kind, body = HTTPStatus.OK, _TYPES[file.suffix], file.read_bytes()
    return file_answer(body, kind, status=status)


def file_answer(body: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK) -> "Response":
    """Return an HTTP answer of some bytes and their type."""
    return _answer(status, body, [("Content-Type", kind)])


def redirect(path: str, *, cookie: str, secure: bool) -> "Response":
    """Return the answer that sends a browser on to `path` with a cookie that scripts cannot read."""
    from bcikit.outputs.door import COOKIE

    guarded = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
    return _answer(HTTPStatus.SEE_OTHER, b"", [("Location", path), ("Set-Cookie", guarded)])


def film_answer(name: str, shown: Mapping[str, Any] | None) -> "Response":
    """Return the sheet of the film that is shown; no other file can be asked for by its name."""
    from bcikit.paradigms.films import film_names, load_film

    path, _, kind = unquote(name).rpartition(".")
    allowed = {*film_names()}
    for element in (shown or {}).get("scene", {}).get("elements", ()):
        if element.get("kind") == "film":
            allowed.add(element["name"])
    if path not in allowed or kind not in ("png", "json"):
        return page("/nothing")
    try:
        film = load_film(path)
    except DataError:
        # It was looked at when the session was planned, and is gone since: the page says so.
        return page("/nothing")
    if kind == "png":
        return file_answer(film.png, "image/png")
    return file_answer(json.dumps(film.to_dict()).encode(), _TYPES[".json"])


def qr_picture(text: str) -> str:
    """Return a QR picture as SVG.

    Raises
    ------
    MissingDependencyError
        If segno is not there.
    """
    return str(_qr(text).svg_inline(scale=6, border=3, light="#fff"))


def qr_terminal(text: str) -> str:
    """Return a QR picture for a terminal; empty where segno is not there: the address can be typed."""
    out = io.StringIO()
    try:
        _qr(text).terminal(out, compact=True)
    except MissingDependencyError:
        return ""
    return out.getvalue()


def _qr(text: str) -> Any:
    try:
        import segno
    except ImportError:
        raise MissingDependencyError("segno", "web", "A QR picture") from None
    return segno.make(text, error="m", micro=False)


def _answer(status: HTTPStatus, body: bytes, more: list[tuple[str, str]]) -> "Response":
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    headers = Headers(
        [
            *more,
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, body)
