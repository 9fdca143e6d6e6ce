"""What renderers and pages may report: each kind with its fields; what is anything else is dropped."""

import json
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_NAME = 100
MOST_TIMES = 2000
LARGEST_DATA = 4096
MOST_VIEWS = 4
LARGEST_NUMBER = 1e15
"""No time, rate or value of a page is beyond; JSON has whole numbers that no floating-point number holds."""


def checked_report(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a report with the fields that it may have, None if one that it needs is missing or wrong.

    Parameters
    ----------
    message : mapping
        As a client sent it: ``type`` is "hello", "flip", "frames", "sounded", "marker", "pose" (of a controller or
        a hand) or "eyes" (frames that each eye was shown).
    """
    fields = _KINDS.get(str(message.get("type")))
    if fields is None:
        return None
    report: dict[str, Any] = {"type": message["type"], "client": str(message.get("client", ""))[:LONGEST_NAME]}
    for key, (needed, check) in fields.items():
        if message.get(key) is None:
            if needed:
                return None
            continue
        value = check(message[key])
        if value is None:
            return None
        report[key] = value
    return report


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < LARGEST_NUMBER:
        return None
    return float(value)


def _rate(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 1.0 <= number <= 1000.0 else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable() else None


def _value(value: Any) -> float | str | None:
    return value[:LONGEST_NAME] if isinstance(value, str) else _number(value)


def _times(value: Any) -> list[float] | None:
    if not isinstance(value, list) or len(value) > MOST_TIMES:
        return None
    numbers = [_number(item) for item in value]
    return None if None in numbers else [float(item) for item in numbers if item is not None]


def _data(value: Any) -> dict[str, Any] | None:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError):
        # A number that is none, or objects without end.
        return None
    return value if isinstance(value, dict) and size <= LARGEST_DATA else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _vector(length: int) -> Callable[[Any], list[float] | None]:
    """Return what takes a vector of so many numbers: a place (m) or a turn (quaternion x, y, z, w)."""

    def take(value: Any) -> list[float] | None:
        numbers = _times(value)
        return numbers if numbers is not None and len(numbers) == length else None

    return take


def _eyes(value: Any) -> list[dict[str, Any]] | None:
    """Take what each eye was shown: its name, frames, and pixels across and down."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_VIEWS:
        return None
    found = []
    for item in value:
        if not isinstance(item, dict) or _name(item.get("eye")) is None:
            return None
        counts = {key: _count(item.get(key)) for key in ("frames", "width", "height")}
        if None in counts.values():
            return None
        found.append({"eye": item["eye"], **counts})
    return found


_Field = tuple[bool, Callable[[Any], Any]]
_KINDS: dict[str, dict[str, _Field]] = {
    "hello": {"refresh": (False, _rate), "delay": (False, _number), "display": (False, _name), "first": (False, _flag)},
    "flip": {
        "name": (True, _name),
        "sample": (True, _count),
        "time": (True, _number),
        "shown": (True, _number),
        "uncertainty": (False, _number),
    },
    "frames": {"refresh": (True, _rate), "times": (True, _times)},
    "sounded": {
        "name": (True, _name),
        "sample": (False, _count),
        "time": (True, _number),
        "shown": (True, _number),
        "uncertainty": (False, _number),
        "audible": (True, _flag),
        "why": (False, _name),
    },
    "pose": {
        "hand": (True, _name),
        "kind": (True, _name),
        "t": (True, _number),
        "position": (True, _vector(3)),
        "orientation": (True, _vector(4)),
    },
    "eyes": {"seconds": (True, _number), "refresh": (True, _rate), "frames": (True, _count), "eyes": (True, _eyes)},
    "marker": {
        "name": (True, _name),
        "t": (True, _number),
        "value": (False, _value),
        "duration": (False, _number),
        "uncertainty": (False, _number),
        "data": (False, _data),
    },
}
"""Kind to its fields: whether one is needed, and what makes a good value of it or None."""
