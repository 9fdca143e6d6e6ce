"""Write v1.json: scenes of messages in time, and what must be in force after each step."""

import json
from pathlib import Path
from typing import Any


def message(seq: int, t: float, kind: str = "command", **changes: Any) -> dict[str, Any]:
    """Return a message."""
    moves = kind == "command"
    base = {
        "v": 1, "type": kind, "seq": seq, "t_mono": t, "t_utc": 1.7e9, "ttl_ms": 500, "informational": not moves,
        "name": "close" if kind == "command" else kind, "value": 0.8 if kind == "command" else None,
        "command_seq": seq if kind == "command" else None, "state": "ACTIVE", "decision": None, "p": {}, "k_of_n": None,
        "quality": None, "inhibited_reason": None, "data": {},
    }  # fmt: skip
    return {**base, **changes}


def step(at: float, expect: Any, sent: dict[str, Any] | str | None = None) -> dict[str, Any]:
    """Return a step of a scene."""
    text = sent if isinstance(sent, str) or sent is None else json.dumps(sent)
    return {"at": at, "message": text, "expect": expect}


CLOSE = {"name": "close", "value": 0.8}
SCENES = {
    "a command holds and then expires": [
        step(10.0, None),
        step(10.1, CLOSE, message(1, 5.0)),
        step(10.5, CLOSE),
        step(10.61, None),
    ],
    "renewed in time it stays": [
        step(10.0, CLOSE, message(1, 5.0)),
        step(10.4, CLOSE, message(2, 5.4)),
        step(10.8, CLOSE),
        step(10.95, None),
    ],
    "safe lets go at once": [
        step(10.0, CLOSE, message(1, 5.0)),
        step(10.1, None, message(2, 5.1, "safe")),
        step(10.2, None),
    ],
    "what does not grow is dropped": [
        step(10.0, CLOSE, message(7, 5.0)),
        step(10.05, None, message(8, 5.05, "safe")),
        step(10.1, None, message(7, 5.1)),
        step(10.15, None, message(8, 5.15)),
        step(10.2, CLOSE, message(9, 5.2)),
    ],
    "late by more than its ttl it is dropped": [
        step(10.0, None, message(1, 5.0, "heartbeat")),
        step(11.0, None, message(2, 5.4)),
        step(11.1, CLOSE, message(3, 6.1)),
    ],
    "late by less it holds for what is left": [
        step(10.0, None, message(1, 5.0, "heartbeat")),
        step(10.5, CLOSE, message(2, 5.2)),
        step(10.65, CLOSE),
        step(10.71, None),
    ],
    "news and heartbeats move and renew nothing": [
        step(10.0, CLOSE, message(1, 5.0)),
        step(10.4, CLOSE, message(2, 5.4, "heartbeat")),
        step(10.45, CLOSE, message(3, 5.45, "inform", name="decision")),
        step(10.51, None),
    ],
    "a command marked informational moves nothing": [step(10.0, None, message(1, 5.0, informational=True))],
    "what cannot be read is dropped and harms nothing": [
        step(10.0, CLOSE, message(1, 5.0)),
        step(10.1, CLOSE, "{"),
        step(10.1, CLOSE, "[]"),
        step(10.1, CLOSE, "null"),
        step(10.1, CLOSE, message(2, 5.1, v=2, type="safe")),
        step(10.1, CLOSE, '{"v": 1, "type": "safe"}'),
        step(10.51, None),
    ],
    "another ttl": [step(10.0, CLOSE, message(1, 5.0, ttl_ms=50)), step(10.04, CLOSE), step(10.06, None)],
    "a clock that drifts by 50 ppm over an hour makes nothing late": [
        step(0.0, CLOSE, message(1, 100.0)),
        step(3600.18, CLOSE, message(2, 3700.0)),
    ],
}

if __name__ == "__main__":
    path = Path(__file__).parent / "v1.json"
    path.write_text(json.dumps(SCENES, indent=1) + "\n", encoding="utf-8")
