"""Tickets: where a session listens, as what one may join it, and the key that proves it."""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bcikit.signal import ArgumentError, BciError, check_choice
from bcikit.signal.documents import json_of

ENV_TICKET = "BCIKIT_SESSION"
"""Environment variable in which a session hands its ticket to the windows that it starts."""

ROLES: dict[str, str] = {
    "therapist": "reads everything and gives every order",
    "window": "a window of the person: reads everything, stops, notes, says what was shown and pressed",
    "outputs": "an output or the guard: reads everything and stops",
    "observer": "reads everything and orders nothing",
}
"""Who may join a session; each role has a key of its own."""

PURPOSES = ("messages", "orders", "stop")
"""What a connection is for; STOP has a door and a thread of its own."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What another process needs to join a session.

    Attributes
    ----------
    port : int
        Of 127.0.0.1; a session listens nowhere else.
    role : str
        One of `ROLES`.
    key : bytes
        Of that role.
    """

    port: int
    role: str
    key: bytes

    def __repr__(self) -> str:
        """Return where and as what, without the key."""
        return f"Ticket(port={self.port}, role={self.role!r})"

    @property
    def text(self) -> str:
        """The ticket as one word; whoever has it may join."""
        return f"{self.role}:{self.key.hex()}@127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment."""
        return {ENV_TICKET: self.text}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the ticket of a text.

        Raises
        ------
        ArgumentError
            If it is none.
        """
        who, _, where = text.rpartition("@")
        role, _, key = who.partition(":")
        host, _, port = where.rpartition(":")
        try:
            ticket = cls(int(port), role, bytes.fromhex(key))
        except ValueError:
            raise ArgumentError("A ticket is ROLE:KEY@127.0.0.1:PORT, the key in hexadecimal.") from None
        check_choice("role", role, tuple(ROLES))
        if host != "127.0.0.1" or not key:
            raise ArgumentError("A ticket is ROLE:KEY@127.0.0.1:PORT, the key in hexadecimal.")
        return ticket

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self | None:
        """Return the ticket that the session which started this process gave it, or None where none did."""
        text = (os.environ if environment is None else environment).get(ENV_TICKET)
        return cls.parse(text) if text else None

    def hello(self, purpose: str, nonce: bytes) -> bytes:
        """Return what a caller says first: who it is, what for, and the proof that it has the key."""
        words = {"role": self.role, "for": purpose, "nonce": nonce.hex()}
        return json.dumps({**words, "proof": proof(self.key, "hello", self.role, purpose, nonce)}).encode()


def proof(key: bytes, *parts: str | bytes) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of parts that cannot run into each other, in hexadecimal."""
    raw = [part.encode(errors="surrogatepass") if isinstance(part, str) else part for part in parts]
    sums = [hashlib.sha256(part).digest() for part in raw]
    return hmac.new(key, b"".join(sums), hashlib.sha256).hexdigest()


def check_hello(payload: bytes, keys: Mapping[str, bytes]) -> tuple[str, str, bytes]:
    """Return role, purpose and nonce of a caller that has the key.

    Raises
    ------
    BciError
        If it has not.
    """
    try:
        words = json_of(payload)
        role, purpose, nonce = str(words["role"]), str(words["for"]), bytes.fromhex(words["nonce"])
        said = str(words["proof"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BciError("no greeting") from None
    key = keys.get(role)
    if key is None or purpose not in PURPOSES or len(nonce) < 16:
        raise BciError("unknown role or purpose")
    if not hmac.compare_digest(proof(key, "hello", role, purpose, nonce).encode(), said.encode(errors="replace")):
        raise BciError("wrong key")
    return role, purpose, nonce


def welcome(key: bytes, nonce: bytes, words: Mapping[str, object]) -> bytes:
    """Return the answer to a greeting: only who has the key can give it, and no other program passes for a session."""
    text = json.dumps(words)
    return json.dumps({"words": text, "proof": proof(key, "welcome", nonce, text)}).encode()


def check_welcome(payload: bytes, key: bytes, nonce: bytes) -> dict[str, object]:
    """Return the words of a welcome.

    Raises
    ------
    BciError
        If who answers has not the key.
    """
    try:
        answer = json_of(payload)
        text, said = str(answer["words"]), str(answer["proof"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BciError("what listens there is no session") from None
    if not hmac.compare_digest(proof(key, "welcome", nonce, text).encode(), said.encode(errors="replace")):
        raise BciError("what listens there does not have the key")
    try:
        words: object = json_of(text)
    except ValueError:
        words = None
    if not isinstance(words, dict):
        raise BciError("what listens there says what no session says")
    return words
