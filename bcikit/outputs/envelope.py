"""The one envelope around everything that leaves bcikit, whatever carries it."""

import json
import math
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

_TIMED = frozenset({"decision", "verdict", "state", "quality"})
"""News whose time is the engine's clock itself; events and markers may be of any time, and of a wrong clock."""

_LATEST = 1e15
_DEEPEST = 20


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
        """Return the envelope of news, marked informational, and remember what later envelopes repeat.

        `t_mono` never goes beyond the engine's clock, by which receivers tell what is late: the time of an event or a
        marker, which others made, stands in the data.
        """
        kind = str(message.get("type", "news"))
        context = self._context
        time_of_it = message.get("time")
        if kind in _TIMED and isinstance(time_of_it, int | float) and abs(time_of_it) < _LATEST:
            self._now = max(self._now, float(time_of_it))
        if kind == "decision":
            context["decision"] = message.get("label")
            context["p"] = _pairs(message.get("classes"), message.get("probabilities"))
        elif kind == "verdict":
            context["state"] = message.get("state", context["state"])
            reasons = message.get("reasons")
            named = ", ".join(map(str, reasons)) if isinstance(reasons, list | tuple) else ""
            context["inhibited_reason"] = None if message.get("allowed") is True else named or "refused"
            data = message.get("data")
            votes = data.get("A-KOFN") if isinstance(data, Mapping) else None
            whole = isinstance(votes, Mapping) and {"value", "limit"} <= votes.keys()
            context["k_of_n"] = [votes["value"], votes["limit"]] if whole else None  # type: ignore[index]
        elif kind == "state":
            context["state"] = str(message.get("state", message.get("value", "")))
        elif kind == "quality":
            context["quality"] = message.get("summary")
        left_out = ("type", "time") if kind in _TIMED else ("type",)
        body = {key: value for key, value in message.items() if key not in left_out}
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
    line = _line(envelope)
    if limit is not None and len(line) > limit:
        line = _line({**envelope, "data": {"cut": True}, "p": {}})
    if limit is not None and len(line) > limit:
        # What is left is texts that nobody needs whole.
        line = _line(
            {key: value[:40] if isinstance(value, str) else value for key, value in envelope.items()}
            | {"data": {"cut": True}, "p": {}, "quality": None, "decision": None}
        )
    return line


def _line(envelope: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(envelope, separators=(",", ":"), allow_nan=False, default=str).encode()
    except (ValueError, RecursionError):
        # News with a NaN in it, or with a list in itself, is news all the same.
        return json.dumps(_plain(envelope), separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any, level: int = 0) -> Any:
    """Return a value as JSON has it: what is no number is null, what is too deep is left out."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, level + 1) for key, item in value.items()} if level < _DEEPEST else None
    if isinstance(value, list | tuple):
        return [_plain(item, level + 1) for item in value] if level < _DEEPEST else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _pairs(classes: Any, probabilities: Any) -> dict[str, Any]:
    """Return the probability of each class, as far as both are lists."""
    if not isinstance(classes, list | tuple) or not isinstance(probabilities, list | tuple):
        return {}
    return {str(name): value for name, value in zip(classes, probabilities, strict=False)}
