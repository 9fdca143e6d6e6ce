"""The door of the WebSocket server: who is let in, from which page, and under which name."""

import contextlib
import hmac
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

CODE_SECONDS = 180.0
"""A code to enter is good for three minutes and for one use; then there is another one."""
CODE_DIGITS = 8
TRIES = 5
"""Wrong codes after which the code is void and another one is made; guessing eight digits so takes for ever."""
COOKIE = "bcikit"


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """What the door says to a request: ``status`` 0 lets it in; ``cookie`` is set with a redirect."""

    status: int = 0
    text: str = ""
    cookie: str = ""


class TokenDoor:
    """Lets in who has the token, or enters the code of the moment.

    Parameters
    ----------
    token : str
        What programs know; in the address of the page, or in a cookie once a code was entered.
    names : iterable of str
        Host names under which this server may be asked for. Another one is a page of somebody else whose name was
        made to point here (DNS rebinding), and is refused.
    origins : iterable of str
        Further pages that may connect, such as ``http://localhost:8000``; the server's own always may.
    clock : callable
        Seconds.

    Attributes
    ----------
    wrong : int
        Wrong codes so far.
    """

    def __init__(
        self,
        token: str,
        *,
        names: Iterable[str],
        origins: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._names = {name.lower() for name in names}
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._clock = clock
        self.wrong = 0
        self._renew()

    def _renew(self) -> None:
        self._code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        self._until = self._clock() + CODE_SECONDS
        self._tries = 0

    @property
    def code(self) -> str:
        """The code of the moment."""
        if self._clock() >= self._until:
            self._renew()
        return self._code

    def is_ours(self, host: str | None) -> bool:
        """Return whether a request names a host that this server is."""
        return host is not None and _name_of(host) in self._names

    def enter(self, query: str) -> DoorAnswer:
        """Return the answer to ``/enter?code=...``."""
        given = parse_qs(query).get("code", [""])[0].replace(" ", "")
        if not given:
            return DoorAnswer(403, "Enter the code.\n")
        if hmac.compare_digest(given.encode(), self.code.encode()):
            self._renew()
            return DoorAnswer(303, cookie=self._token)
        self.wrong += 1
        self._tries += 1
        if self._tries >= TRIES:
            self._renew()
        return DoorAnswer(403, "The code is wrong, or no longer good.\n")

    def may_connect(self, query: str, cookie: str | None, host: str | None, origin: str | None) -> DoorAnswer:
        """Return the answer to a WebSocket that wants in.

        Parameters
        ----------
        query, cookie, host, origin : str
            Of the request; None where the header is missing.
        """
        if not self.is_ours(host):
            return DoorAnswer(421, "This server has another name.\n")
        given = parse_qs(query).get("token", [""])[0] or _token_of(cookie)
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return DoorAnswer(403, "The token is missing or wrong.\n")
        own = origin is not None and urlsplit(origin).netloc == host
        if origin is not None and not own and origin.rstrip("/").lower() not in self._origins:
            return DoorAnswer(403, "Pages of other servers may not connect.\n")
        return DoorAnswer()


def own_names(host: str, more: Iterable[str] = ()) -> list[str]:
    """Return the names and addresses of this machine for a server that listens on `host`."""
    names = ["localhost", "127.0.0.1", "::1", *more]
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        names.append(host)
    if not is_loopback(host):
        machine = socket.gethostname()
        names += [machine, f"{machine.partition('.')[0]}.local", *_addresses(machine)]
    return list(dict.fromkeys(name.lower() for name in names))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _addresses(machine: str) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        found += [str(item[4][0]) for item in socket.getaddrinfo(machine, None)]
    try:
        # No packet is sent: the system only says which of its addresses it would use.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            found.append(str(probe.getsockname()[0]))
    except OSError:
        pass
    return [address for address in dict.fromkeys(found) if not address.startswith("fe80")]


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _token_of(cookie: str | None) -> str:
    try:
        found = SimpleCookie(cookie or "").get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
