"""The guard's wire format: one JSON datagram on loopback, signed, counted and dated.

A datagram is 64 hex digits of HMAC-SHA256 over the rest, a space, and a JSON object. Each role signs with a key of its
own (`role_key`), and speaks for no other; answers are signed with the asker's key::

    {"v": 1, "from": "engine", "seq": 17, "t": 1234.567, "do": "command", ...}

`t` is `time.monotonic()` of the sender, which all processes of one machine share. `do` is one of

- ``arm``: leave the safe state; refused while the cause is there;
- ``beat``: the engine lives;
- ``command``: `name`, `value`, `ttl` (seconds) and `data`; it also counts as a beat;
- ``dead-man``: `held`;
- ``safe``: `reason`; go safe at once; with `latch` true, and always from ``operator`` and ``dead-man``, no command and
  no ``arm`` undoes it;
- ``release``: `who` and `reason`; a person undoes a stop, so that the guard may be armed again;
- ``state``: tell the state;
- ``quit``: go safe and end.
"""

import hashlib
import hmac
import json
import math
from typing import Any

from bcikit.safety.words import says_something
from bcikit.signal.documents import json_of

VERSION = 1
MAX_BYTES = 4096
BEAT_S = 0.050
"""Longest time between two beats that a sender aims at."""

DEADLINE_S = 0.115
"""Silence after which the guard goes safe by itself; 35 ms below the budget of 150 ms, for the scheduler."""

ROLES: dict[str, frozenset[str]] = {
    "engine": frozenset({"arm", "beat", "command", "release", "safe", "state", "quit"}),
    "dead-man": frozenset({"dead-man", "safe", "state"}),
    "operator": frozenset({"safe", "state"}),
    "observer": frozenset({"state"}),
}
"""Who may ask for what."""


class ProtocolError(Exception):
    """A datagram that must not be believed."""


def _sign(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()


def role_key(root: bytes, role: str) -> bytes:
    """Return the key of a role: the engine, which starts the guard, has the root of all; no other leads to another."""
    return root if role == "engine" else hmac.new(root, f"bcikit guard {role}".encode(), hashlib.sha256).digest()


def pack(message: dict[str, Any], key: bytes) -> bytes:
    """Return a message as a signed datagram."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    datagram = _sign(body, key) + b" " + body
    if len(datagram) > MAX_BYTES:
        raise ProtocolError(f"a message of {len(datagram)} bytes; at most {MAX_BYTES}")
    return datagram


def authentic(datagram: bytes, key: bytes) -> bool:
    """Return whether a datagram comes from somebody who has the key."""
    return (
        66 <= len(datagram) <= MAX_BYTES
        and datagram[64:65] == b" "
        and hmac.compare_digest(datagram[:64], _sign(datagram[65:], key))
    )


def unpack(datagram: bytes) -> dict[str, Any]:
    """Return the message of an authentic datagram.

    Raises
    ------
    ProtocolError
        If it is malformed in any way.
    """
    try:
        message = json_of(datagram[65:])
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise ProtocolError("not a message of this version")
    sender, sequence, time, do = (message.get(field) for field in ("from", "seq", "t", "do"))
    if not isinstance(sender, str) or sender not in ROLES:
        raise ProtocolError(f"unknown sender {sender!r}")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0:
        raise ProtocolError(f"seq is {sequence!r}")
    if not finite(time):
        raise ProtocolError(f"t is {time!r}")
    if not isinstance(do, str) or do not in ROLES[sender]:
        raise ProtocolError(f"{sender} may not {do!r}")
    if do == "command":
        _check_command(message)
    if do == "dead-man" and not isinstance(message.get("held"), bool):
        raise ProtocolError("dead-man without held")
    if do == "release" and not all(says_something(message.get(field)) for field in ("who", "reason")):
        raise ProtocolError("release without a name and a reason")
    return message


def finite(value: object) -> bool:
    """Return whether a value is a finite number."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        # An integer of hundreds of digits, which JSON allows.
        return False


def _check_command(message: dict[str, Any]) -> None:
    if not isinstance(message.get("name"), str):
        raise ProtocolError("command without name")
    if not finite(message.get("ttl")) or not 0.0 < message["ttl"] <= 0.5:
        raise ProtocolError(f"ttl is {message.get('ttl')!r}; allowed: up to 0.5 s")
    value = message.get("value")
    if value is not None and not isinstance(value, str) and not finite(value):
        raise ProtocolError(f"value is {value!r}")
    if not isinstance(message.get("data", {}), dict):
        raise ProtocolError("data is no object")
