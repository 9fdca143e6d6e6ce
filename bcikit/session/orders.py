"""Orders of people to a session: which there are, what each carries, and of which type."""

from collections.abc import Callable, Mapping
from typing import Any

from bcikit.safety.guard.protocol import finite
from bcikit.safety.words import says_something
from bcikit.signal import ArgumentError
from bcikit.signal.rebuild import short

LONGEST_TEXT = 2000
"""Characters of a text in an order."""

Check = Callable[[object], str]
"""Returns what is wrong with a value, or an empty text."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        return "must be a text"
    if len(value) > LONGEST_TEXT:
        return f"has {len(value)} characters; at most {LONGEST_TEXT}"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character, which is no text"
    return ""


def _said(value: object) -> str:
    return _text(value) or ("" if says_something(value) else "must say something that can be read")


def _truth(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false (not a text, not a number)"


def _number(value: object) -> str:
    return "" if finite(value) else "must be a finite number"


def _positive(value: object) -> str:
    return "" if isinstance(value, int | float) and finite(value) and value > 0 else "must be a number above 0"


_ALWAYS: dict[str, Check] = {"who": _said, "reason": _text}
_ORDERS: dict[str, tuple[dict[str, Check], frozenset[str]]] = {
    "acknowledge": ({"reason": _said}, frozenset({"reason"})),
    "arm": ({}, frozenset()),
    "deadman": ({"held": _truth}, frozenset({"held"})),
    "difficulty": ({"value": _number}, frozenset({"value"})),
    "estop": ({"pressed": _truth, "lost": _truth}, frozenset({"pressed"})),
    "finish": ({}, frozenset()),
    "idletest": ({"seconds": _positive}, frozenset({"seconds"})),
    "note": (
        {
            "text": _text,
            "time": _number,
            "duration": _number,
            "kind": _text,
            "channel": _text,
            "key": _text,
            "change": _text,
        },
        frozenset({"text"}),
    ),
    "override": ({"assist": _truth}, frozenset()),
    "pause": ({}, frozenset()),
    "resume": ({}, frozenset()),
    "skip": ({}, frozenset()),
    "start": ({}, frozenset()),
    "stop": ({}, frozenset()),
    "teststop": ({}, frozenset()),
}

ORDERS = tuple(_ORDERS)
"""What a person may order. ``stop`` is the safety stop and always obeyed first; ``teststop`` is the test of its key."""


def checked_order(order: object) -> dict[str, Any]:
    """Return an order whose every key and type is as it must be.

    A stop is never refused: what is wrong beside it is left out, and its reason says so.

    Parameters
    ----------
    order : object
        ``{"do": ..., ...}`` with the keys of that order, and ``who`` and ``reason`` (texts) with each.

    Raises
    ------
    ArgumentError
        If it is no object, no order, lacks a key, has one too many, or a value is of another type.
    """
    if not isinstance(order, Mapping):
        raise ArgumentError(f"An order is an object with the key 'do', not {short(order)}.")
    do = order.get("do")
    if not isinstance(do, str) or do not in _ORDERS:
        raise ArgumentError(f"do is {short(do)}; allowed: {', '.join(map(repr, ORDERS))}.")
    own, needed = _ORDERS[do]
    checks = {**_ALWAYS, **own}
    problems = [f"{key} is missing" for key in sorted(needed - set(order))]
    for key, value in order.items():
        if key == "do":
            continue
        if key not in checks:
            problems.append(f"{short(key)} is no key of this order")
        elif wrong := checks[key](value):
            problems.append(f"{key} is {short(value)}: it {wrong}")
    if not problems:
        return dict(order)
    if do == "stop":
        kept = {key: value for key, value in order.items() if key in _ALWAYS and not _ALWAYS[key](value)}
        reason = " ".join(filter(None, [kept.get("reason", ""), f"(left out: {'; '.join(problems)})"]))
        return {**kept, "do": "stop", "reason": reason[:LONGEST_TEXT]}
    raise ArgumentError(f"The order {do!r} is refused: {'; '.join(problems)}.")
