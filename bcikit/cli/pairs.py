"""Options of the form 'a=1,b=2'."""

import contextlib

from bcikit.signal import ArgumentError, check_range
from bcikit.signal.documents import json_of


def pairs(option: str, text: str | None) -> dict[str, str] | None:
    """Return ``{"a": "1", "b": "2"}``, or None where the option is not given.

    A name may hold commas and equals signs, within brackets or quotation marks or not; an object in JSON is taken, too.

    Raises
    ------
    ArgumentError
        If a part has no equals sign or an empty side, or a name has two values.
    """
    if text is None:
        return None
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            found = json_of(text)
            if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
                return {str(key): value for key, value in found.items()}
    result: dict[str, str] = {}
    key = ""
    for part in _parts(text):
        # A name may hold commas: what has no equals sign belongs to the next.
        name, equals, value = part.rpartition("=")
        if not equals:
            key += f"{part},"
            continue
        name, value = _unquoted(key + name), value.strip()
        key = ""
        if not name or not value:
            raise ArgumentError(f"{option} is {text!r}; it must be like 'a=1,b=2'.")
        if result.setdefault(name, value) != value:
            raise ArgumentError(
                f"{option} is {text!r}: {name!r} stands there twice, with {result[name]!r} and {value!r}."
            )
    if key or not result:
        raise ArgumentError(f"{option} is {text!r}; it must be like 'a=1,b=2'.")
    return result


def _parts(text: str) -> list[str]:
    """Return what stands between commas, but not between those within brackets or quotation marks."""
    parts, start, depth, quote = [], 0, 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "{[(":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth <= 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _unquoted(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def numbers(option: str, text: str | None) -> dict[str, float] | None:
    """Return ``{"a": 1.0, "b": 2.0}``, or None where the option is not given."""
    found = pairs(option, text)
    return None if found is None else {key: check_range(f"{option} {key}", value) for key, value in found.items()}  # type: ignore[arg-type]
