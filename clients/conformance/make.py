"""Write v1.json: scenes of messages in time, and what must be in force after each step.

A step has ``at`` (seconds on the receiver's clock), ``message`` (text that arrives, or null) or ``hex`` (bytes that
arrive), ``expect`` (the command in force afterwards) and, where it matters, ``counts``.
"""

import json
from pathlib import Path
from typing import Any


def message(seq: int, t: float, kind: str = "command", **changes: Any) -> dict[str, Any]:
    """Return a message."""
    moves = kind == "command"
    base = {
        "v": 1, "type": kind, "sender": "a1b2c3d4", "seq": seq, "t_mono": t, "t_utc": 1.7e9, "ttl_ms": 500,
        "informational": not moves, "name": "close" if moves else kind, "value": 0.8 if moves else None,
        "command_seq": seq if moves else None, "state": "ACTIVE", "decision": None, "p": {}, "k_of_n": None,
        "quality": None, "inhibited_reason": None, "data": {},
    }  # fmt: skip
    return {**base, **changes}


def step(at: float, expect: Any, sent: dict[str, Any] | str | bytes | None = None, **counts: int) -> dict[str, Any]:
    """Return a step of a scene."""
    if isinstance(sent, bytes):
        found = {"at": at, "hex": sent.hex(), "expect": expect}
    else:
        found = {"at": at, "message": json.dumps(sent) if isinstance(sent, dict) else sent, "expect": expect}
    return {**found, "counts": counts} if counts else found


def refused(*texts: dict[str, Any] | str | bytes) -> list[dict[str, Any]]:
    """Return a scene in which each text is dropped as malformed, and moves, renews and stops nothing."""
    steps = [step(10.0, CLOSE, message(1, 5.0), malformed=0)]
    steps += [step(10.1, CLOSE, text, malformed=number) for number, text in enumerate(texts, 1)]
    return [*steps, step(10.2, CLOSE, message(2, 5.2), malformed=len(texts)), step(10.71, None, expired=1)]


def edited(old: str, new: str) -> str:
    """Return the text of an order to let go that would be obeyed, were it not for one change."""
    text = json.dumps(message(2, 5.1, "safe"))
    if text.count(old) != 1:
        raise ValueError(f"{old!r} must be there once in {text}")
    return text.replace(old, new)


CLOSE = {"name": "close", "value": 0.8}
OTHER = {"sender": "e5f60718"}
SAFE = json.dumps(message(2, 5.1, "safe"))

TIME_AND_ORDER = {
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
        step(10.1, None, message(7, 5.1), out_of_order=1),
        step(10.15, None, message(8, 5.15), out_of_order=2),
        step(10.2, CLOSE, message(9, 5.2), accepted=2),
    ],
    "late by more than its ttl it is dropped": [
        step(10.0, None, message(1, 5.0, "heartbeat")),
        step(11.0, None, message(2, 5.4), stale=1),
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
    "another ttl": [step(10.0, CLOSE, message(1, 5.0, ttl_ms=50)), step(10.04, CLOSE), step(10.06, None)],
    "a clock that drifts by 50 ppm over an hour makes nothing late": [
        step(0.0, CLOSE, message(1, 100.0)),
        step(3600.18, CLOSE, message(2, 3700.0)),
    ],
    "the host's clock may differ from the session's": [
        step(10.0, None, message(1, 90_000.0, "clock")),
        step(10.1, CLOSE, message(2, 5.0), stale=0, accepted=1),
    ],
    "a sender that starts anew begins at rest, at any number and any time": [
        step(10.0, CLOSE, message(500, 5000.0)),
        step(10.1, None, message(1, 3.0, "heartbeat", **OTHER)),
        step(10.2, CLOSE, message(2, 3.1, **OTHER), out_of_order=0, stale=0),
    ],
    "what the earlier sender left on the way is dropped": [
        step(10.0, None, message(500, 5000.0, "heartbeat")),
        step(10.1, CLOSE, message(1, 3.0, **OTHER)),
        step(10.2, CLOSE, message(501, 5000.2, "safe"), out_of_order=1),
        step(10.61, None),
        step(10.7, None, message(502, 5000.7), out_of_order=2),
        step(10.8, CLOSE, message(2, 3.7, **OTHER)),
    ],
}

TEXT = {
    "what cannot be read is dropped and harms nothing": refused(
        "", " ", "{", "[]", "null", "1", '"safe"', '{"v": 1, "type": "safe"}', SAFE[:-1], "[" * 2000 + "]" * 2000
    ),
    "fields of the wrong kind": refused(
        edited('"v": 1', '"v": 2'),
        edited('"v": 1', '"v": true'),
        edited('"v": 1', '"v": "1"'),
        edited('"seq": 2', '"seq": "2"'),
        edited('"seq": 2', '"seq": true'),
        edited('"seq": 2', '"seq": 2.5'),
        edited('"seq": 2', '"seq": 0'),
        edited('"seq": 2', '"seq": -2'),
        edited('"seq": 2', '"seq": 9007199254740992'),
        edited('"seq": 2', '"seq": null'),
        edited('"seq": 2', '"seq": [2]'),
        edited('"t_mono": 5.1', '"t_mono": "5.1"'),
        edited('"t_mono": 5.1', '"t_mono": null'),
        edited('"ttl_ms": 500', '"ttl_ms": "500"'),
        edited('"type": "safe"', '"type": 3'),
        edited('"type": "safe"', '"type": null'),
        edited('"sender": "a1b2c3d4"', '"sender": 7'),
        edited('"sender": "a1b2c3d4", ', ""),
        message(2, 5.1, name=None),
        message(2, 5.1, value=True),
        message(2, 5.1, value={"x": 1}),
        message(2, 5.1, value=[0.5]),
        message(2, 5.1, ttl_ms=-1),
        message(2, 5.1, ttl_ms=60_001),
    ),
    "numbers that are none": refused(
        edited('"t_mono": 5.1', '"t_mono": NaN'),
        edited('"t_mono": 5.1', '"t_mono": Infinity'),
        edited('"t_mono": 5.1', '"t_mono": -Infinity'),
        edited('"t_mono": 5.1', '"t_mono": 1e999'),
        edited('"t_mono": 5.1', '"t_mono": ' + "9" * 400),
        edited('"data": {}', '"data": {"x": NaN}'),
        edited('"data": {}', '"data": {"x": -1e999}'),
        edited('"seq": 2', '"seq": 02'),
        edited('"seq": 2', '"seq": 0x2'),
        edited('"seq": 2', '"seq": +2'),
        edited('"seq": 2', '"seq": 2.'),
        edited('"t_mono": 5.1', '"t_mono": .51'),
        edited('"t_mono": 5.1', '"t_mono": 5.1e'),
        edited('"seq": 2', '"seq": undefined'),
        edited('"seq": 2', '"seq": \uff12'),
    ),
    "JSON, and not what some take for it": refused(
        SAFE.replace('"', "'"),
        edited('"seq"', "seq"),
        edited('"seq"', "'seq'"),
        edited('"v": 1,', '"v": 1, // safe\n'),
        edited('"v": 1,', '"v": 1, /* safe */'),
        "/* safe */ " + SAFE,
        SAFE + " // safe",
        SAFE + " /* safe */",
        SAFE + " safe",
        SAFE + SAFE,
        SAFE + "}",
        SAFE + ",",
        "," + SAFE,
        edited('"data": {}', '"data": {},'),
        edited('"data": {}', '"data": {"x": [1,]}'),
        edited('"data": {}', '"data": {"x": [,1]}'),
        edited('"data": {}', '"data": {"x": [1,,2]}'),
        edited('"data": {}', '"data": {"x": [1 2]}'),
        edited('"data": {}', '"data": {"x" 1}'),
        edited('"data": {}', '"data": {"x": }'),
        edited('"data": {}', '"data": {"x"}'),
        edited('"data": {}', '"data": {1: 2}'),
        edited('"data": {}', '"data": {,}'),
        edited('"data": {}', '"data": {"x": new Date(1)}'),
        edited('"data": {}', '"data": {"x": True}'),
        edited('"data": {}', '"data": {"x": nulls}'),
        edited('"data": {}', '"data": {"x": "a\nb"}'),
        edited('"data": {}', '"data": {"x": "a\\xb"}'),
        edited('"data": {}', '"data": {"x": "\\u12g4"}'),
        edited('"v": 1,', '"v": 1,\u00a0'),
        edited('"v": 1,', '"v": 1,\f'),
        "\ufeff" + SAFE,
    ),
    "bytes that are no UTF-8": refused(
        edited('"data": {}', '"data": {"x": "?"}').encode().replace(b"?", b"\xff"),
        edited('"data": {}', '"data": {"x": "?"}').encode().replace(b"?", b"\xc0\xaf"),
        SAFE.encode("utf-16"),
        b"\xef\xbb\xbf" + SAFE.encode(),
    ),
    "all that JSON allows": [
        step(10.0, CLOSE, "\t\r\n " + json.dumps(message(1, 5.0), indent=2) + "\r\n", accepted=1),
        step(10.1, CLOSE, message(2, 5.1, data={"x": [{}, [], [1, -0.5e-3], {"y": None}], "text": 'a "\\ \u2603'})),
        step(10.2, CLOSE, json.dumps(message(3, 5.2, data={"text": "\u2603\U0001f600"}), ensure_ascii=False).encode()),
        step(10.3, CLOSE, json.dumps(message(4, 5.3)).replace('"seq": 4', '"seq": 4.0'), accepted=4),
        step(10.4, CLOSE, json.dumps(message(5, 5.4)).replace('"v": 1,', '"v": 1E0,'), accepted=5),
        step(10.5, {"name": "2026-01-02T03:04:05Z", "value": "2026-01-02T03:04:05Z"},
             message(6, 5.5, name="2026-01-02T03:04:05Z", value="2026-01-02T03:04:05Z")),
        step(10.6, {"name": "/Date(0)/", "value": None}, message(7, 5.6, name="/Date(0)/", value=None)),
        step(10.7, {"name": "close", "value": 1e20}, json.dumps(message(8, 5.7)).replace("0.8", "1" + 20 * "0")),
        step(10.8, {"name": "Auswahl \u00e4\u2603", "value": "\u4e2d"},
             json.dumps(message(9, 5.8, name="Auswahl \u00e4\u2603", value="\u4e2d"), ensure_ascii=False).encode()),
        step(10.9, CLOSE, {key: value for key, value in message(10, 5.9).items() if key != "data"}, malformed=0),
    ],
    "of two equal names the last one counts, and letter case matters": [
        step(10.0, CLOSE, message(1, 5.0)),
        step(10.1, None, json.dumps(message(2, 5.1)).replace('"type": "command"', '"type": "command", "type": "safe"')),
        step(10.2, CLOSE, json.dumps(message(3, 5.2)).replace('"v": 1', '"informational": true, "v": 1')),
        step(10.3, CLOSE, json.dumps(message(4, 5.3)).replace('"v": 1', '"v": 1, "Type": "safe", "NAME": "open"')),
    ],
}  # fmt: skip

if __name__ == "__main__":
    path = Path(__file__).parent / "v1.json"
    path.write_text(json.dumps({**TIME_AND_ORDER, **TEXT}, indent=1) + "\n", encoding="utf-8")
