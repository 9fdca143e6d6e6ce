"""Settings that people write: every problem is found at once, with the key, the value and what is allowed."""

import difflib
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from bcikit.signal.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def check_settings(model: type[Model], values: Any, *, where: str) -> Model:
    """Return checked settings.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        What the table must be.
    values : mapping
        The table as read; anything else is a problem like any other.
    where : str
        The file or part of it, for the error.

    Raises
    ------
    ConfigError
        One line a problem: key, value, what is allowed.
    """
    try:
        return model.model_validate(dict(values) if isinstance(values, Mapping) else values)
    except ValidationError as error:
        items = error.errors(include_url=False)
        broken = {item["loc"][:-1] for item in items} | {item["loc"][:-2] for item in items}
        # Of a list without its broken items nobody can say that it is too short.
        told = [item for item in items if item["type"] != "too_short" or item["loc"] not in broken]
        problems = [_problem(dict(item), model) for item in told]
        raise ConfigError(where, problems) from None


def _problem(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    place = item["loc"]
    key = ".".join(str(part) for part in place) or "the whole table"
    if item["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{key} is unknown; allowed: {', '.join(allowed)}.{hint}"
    if item["type"] == "missing":
        return f"{key} is missing."
    if item["type"] in ("model_type", "dict_type"):
        return f"{key} is {_shown(item['input'])}; it must be a table, [{key}] in TOML."
    if item["type"] in ("list_type", "tuple_type") and isinstance(item["input"], Mapping):
        return f"{key} is one table; it must be a list of tables, [[{key}]] in TOML."
    message = str(item["msg"]).removeprefix("Value error, ").removesuffix(".")
    # TOML knows lists, whatever Python makes of them.
    message = (message[0].lower() + message[1:]).replace("valid tuple", "list").replace("tuple", "list")
    if isinstance(item["input"], Mapping) or _of_tables(item["input"]):
        return f"{key}: {message}."
    return f"{key} is {_shown(item['input'])}; {message}."


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python prints no number of thousands of digits, which a file may hold in hexadecimal.
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def _of_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the table at `place` allows."""
    for part in place:
        field = model.model_fields.get(str(part))
        if field is not None:
            inner = [
                kind for kind in _kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)
            ]
            if not inner:
                return []
            model = inner[0]
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[Any]:
    """Return an annotation and everything inside it: ``list[A | None]`` holds A."""
    found = [annotation]
    for argument in get_args(annotation):
        if not isinstance(annotation, types.NoneType):
            found += _kinds(argument)
    return found
