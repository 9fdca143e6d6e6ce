"""What was written as a dictionary becomes an object again, or a refusal that names the field."""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bcikit.signal.errors import DataError

Built = TypeVar("Built")

LARGEST_INT = 1 << 62
"""Beyond it no index, count or marker lies; numpy's integers end at twice that."""


def rebuild(kind: type[Built], values: Any, *, what: str = "") -> Built:
    """Return a frozen dataclass from the dictionary that it once gave, every field of its type.

    A list becomes a tuple where the field is one. JSON has no NaN: where a number may be any, null stands for it; a
    `time` that is no number is refused, since nothing can be ordered by it.

    Parameters
    ----------
    kind : type
        The dataclass.
    values : object
        The dictionary; anything else is refused.
    what : str
        What it is called in the error; the name of the type if empty.

    Raises
    ------
    DataError
        If it is no dictionary, lacks a field, has one too many, or one is of another type.
    """
    what = what or kind.__name__
    if not isinstance(values, Mapping):
        raise DataError(f"{what}: {short(values)} is no object with named fields.")
    hints, needed = _fields(kind)  # type: ignore[arg-type]
    unknown = [str(key) for key in values if key not in hints]
    if unknown:
        raise DataError(f"{what}: unknown field {short(unknown[0])}; allowed: {', '.join(hints)}.")
    missing = [name for name in needed if name not in values]
    if missing:
        raise DataError(f"{what}: {missing[0]} is missing.")
    try:
        found = {name: _value(hints[name], value, f"{what}: {name}") for name, value in values.items()}
    except RecursionError:
        raise DataError(f"{what}: it is nested too deeply.") from None
    if "time" in found and not math.isfinite(found["time"]):
        raise DataError(f"{what}: time is {short(values['time'])}; it must be a number of seconds.")
    return kind(**found)


@cache
def _fields(kind: type) -> tuple[dict[str, Any], tuple[str, ...]]:
    every = dataclasses.fields(kind)
    hints = get_type_hints(kind)
    none = dataclasses.MISSING
    needed = tuple(item.name for item in every if item.default is none and item.default_factory is none)
    return {item.name: hints[item.name] for item in every}, needed


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return a value as its field takes it."""
    if type(value) is hint and hint in _PLAIN and _PLAIN[hint](value):
        return value
    origin = get_origin(hint)
    if isinstance(hint, type) and hint not in _NAMES and isinstance(value, hint):
        return value
    if origin in (Union, types.UnionType):
        return _of_union(get_args(hint), value, where)
    if origin is tuple:
        return _tuple(get_args(hint), value, where)
    if dataclasses.is_dataclass(hint):
        return rebuild(hint, value, what=where)  # type: ignore[arg-type]
    if hint is float:
        if value is None:
            return math.nan
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            return value
        if isinstance(value, float) and math.isnan(value):
            return value
    elif hint is int:
        if type(value) is int and abs(value) < LARGEST_INT:
            return value
    elif hint is str:
        if isinstance(value, str) and is_text(value):
            return value
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif origin is Literal:
        if isinstance(value, str) and value in get_args(hint):
            return value
    elif origin is list:
        if isinstance(value, list | tuple):
            return [_value(get_args(hint)[0], item, where) for item in value]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if _is_object(value):
            inner = get_args(hint)[1]
            return (
                value if inner is Any else {key: _value(inner, item, f"{where}.{key}") for key, item in value.items()}
            )
    elif hint is Any:
        return value
    raise DataError(f"{where} is {short(value)}; it must be {_name(hint)}.")


def _of_union(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in hints:
        return None
    real = [hint for hint in hints if hint is not type(None)]
    number_or_text = str in real and not {int, float}.isdisjoint(real)
    if isinstance(value, int | float) and int in real and float in real:
        real.remove(int if isinstance(value, float) else float)
    for number, hint in enumerate(real):
        try:
            return _value(hint, value, where)
        except DataError:
            if number == len(real) - 1:
                if number_or_text and isinstance(value, int | float) and not isinstance(value, bool):
                    # Too long for a number, and no reason to lose all that stands around it.
                    return str(value)
                raise
    raise DataError(f"{where} is {short(value)}.")


def _tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise DataError(f"{where} is {short(value)}; it must be a list.")
    if len(hints) == 2 and hints[1] is ...:
        return tuple(_value(hints[0], item, where) for item in value)
    if len(value) != len(hints):
        raise DataError(f"{where} has {len(value)} entries; it must have {len(hints)}.")
    return tuple(_value(hint, item, where) for hint, item in zip(hints, value, strict=True))


_PLAIN: dict[type, Callable[[Any], bool]] = {
    float: lambda value: -1e300 < value < 1e300,
    int: lambda value: -LARGEST_INT < value < LARGEST_INT,
    str: str.isascii,
    bool: lambda _: True,
}
"""What most values are, told at once: a session of an hour has a million of them."""

_NAMES = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}


def _name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    return _NAMES.get(hint, "an object") if isinstance(hint, type) else "an object"


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and is_text(key) for key in value)


def is_text(text: str) -> bool:
    """Return whether every character can be written: half of a pair (a lone surrogate) cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def known_fields(kind: type, values: Any) -> dict[str, Any]:
    """Return what a dictionary says of the fields that a dataclass has today."""
    return (
        {key: value for key, value in values.items() if key in _fields(kind)[0]} if isinstance(values, Mapping) else {}
    )


def short(value: Any) -> str:
    """Return a value in a few harmless characters, whatever it is."""
    if isinstance(value, list | tuple | Mapping):
        return "an object" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a number of many digits"
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
