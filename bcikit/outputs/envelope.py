"""The one envelope around everything that leaves bcikit, whatever carries it."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from bcikit.signal import Command

VERSION = 1
"""Version of the message; grows when a field changes its meaning or goes."""

SCHEMA = Path(__file__).parent / "schema" / f"v{VERSION}.json"
"""JSON Schema of version 1."""

MAX_BYTES = 1400
"""Longest datagram that no ordinary network splits."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the messages."""
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


class Sealer:
    """Puts commands and news into envelopes and remembers the newest state, decision and quality for them.

    Sequence numbers grow over everything sent, so a receiver sees losses and drops what is late. They and the clock
    begin anew with each start; `sender` tells a receiver that they did.

    Parameters
    ----------
    ttl : float
        Validity of what carries no command, in seconds.

    Attributes
    ----------
    sender : str
        Random, and another one at each start.
    """

    def __init__(self, *, ttl: float = 0.5) -> None:
        self.ttl = ttl
        self.sender = uuid4().hex[:8]
        self._sequence = 0
        self._context: dict[str, Any] = {
            "state": "",
            "decision": None,
            "p": {},
            "k_of_n": None,
            "quality": None,
            "inhibited_reason": None,
        }
        self._now = 0.0

    def command(self, command: Command) -> dict[str, Any]:
        """Return the envelope of a command that the gate let through."""
        self._now = max(self._now, command.time)
        return self._seal(
            "command",
            informational=False,
            ttl=command.ttl,
            name=command.name,
            value=command.value,
            command_seq=command.sequence,
            data=dict(command.data),
            t_mono=command.time,
        )

    def safe(self, reason: str = "") -> dict[str, Any]:
        """Return the order to let go."""
        return self._seal("safe", informational=False, name="safe", data={"reason": reason})

    def heartbeat(self) -> dict[str, Any]:
        """Return the sign of life; it renews no command."""
        return self._seal("heartbeat", informational=True)

    def clock(self, t_client: float, t_mono: float) -> dict[str, Any]:
        """Return the answer to a client that asks for the time, to place its own times on this clock."""
        return self._seal("clock", informational=True, t_mono=t_mono, data={"t_client": t_client})

    def inform(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the envelope of news, marked informational, and remember what later envelopes repeat."""
        kind = str(message.get("type", "news"))
        context = self._context
        if isinstance(message.get("time"), int | float):
            self._now = max(self._now, float(message["time"]))
        if kind == "decision":
            context["decision"] = message.get("label")
            context["p"] = dict(zip(message.get("classes", ()), message.get("probabilities", ()), strict=False))
        elif kind == "verdict":
            context["state"] = message.get("state", context["state"])
            reasons = message.get("reasons") or []
            context["inhibited_reason"] = None if message.get("allowed") else ", ".join(map(str, reasons)) or "refused"
            votes = (message.get("data") or {}).get("A-KOFN")
            context["k_of_n"] = None if votes is None else [votes["value"], votes["limit"]]
        elif kind == "state":
            context["state"] = str(message.get("state", message.get("value", "")))
        elif kind == "quality":
            context["quality"] = message.get("summary")
        body = {key: value for key, value in message.items() if key not in ("type", "time")}
        return self._seal("inform", informational=True, name=kind, data=body)

    def _seal(
        self,
        kind: str,
        *,
        informational: bool,
        ttl: float | None = None,
        name: str = "",
        value: float | str | None = None,
        command_seq: int | None = None,
        data: Mapping[str, Any] | None = None,
        t_mono: float | None = None,
    ) -> dict[str, Any]:
        self._sequence += 1
        return {
            "v": VERSION,
            "type": kind,
            "sender": self.sender,
            "seq": self._sequence,
            "t_mono": self._now if t_mono is None else t_mono,
            "t_utc": time.time(),
            "ttl_ms": round(1000 * (self.ttl if ttl is None else ttl)),
            "informational": informational,
            "name": name,
            "value": value,
            "command_seq": command_seq,
            **self._context,
            "data": dict(data or {}),
        }


def encode(envelope: Mapping[str, Any], *, limit: int | None = None) -> bytes:
    """Return an envelope as one line of JSON without its line end; `data` is left out if it would be too long.

    Parameters
    ----------
    limit : int or None
        Longest line in bytes.
    """
    line = json.dumps(envelope, separators=(",", ":"), allow_nan=False, default=str).encode()
    if limit is not None and len(line) > limit:
        short = {**envelope, "data": {"cut": True}, "p": {}}
        line = json.dumps(short, separators=(",", ":"), allow_nan=False, default=str).encode()
    return line
