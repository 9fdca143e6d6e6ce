"""Settings of paradigms: written in TOML by people, so every error names the key, the value and what is allowed."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bcikit.signal import ConfigError

Seconds = Annotated[float, Field(ge=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration; zero leaves the phase out."""

Span = Annotated[float, Field(gt=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration that cannot be zero."""

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A share or probability."""

Count = Annotated[int, Field(ge=0, le=100_000)]
"""How many."""

Model = TypeVar("Model", bound=BaseModel)


class Table(BaseModel):
    """A table of a settings file: unknown keys are errors, values cannot change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ParadigmSettings(Table):
    """What every paradigm's file may say.

    Attributes
    ----------
    title : str
        For people.
    ttl : float
        Seconds that a command stays valid.
    """

    title: str = ""
    ttl: Annotated[float, Field(gt=0.0, le=5.0)] = 0.5


def check_settings(model: type[Model], values: Mapping[str, Any], *, where: str) -> Model:
    """Return the settings, or raise one error that lists everything that is wrong with them.

    Parameters
    ----------
    model : type of BaseModel
        What the table must be.
    values : mapping
        The table as read.
    where : str
        The file, for the error.

    Raises
    ------
    ConfigError
        One line a problem: key, value, what is allowed.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [_problem(item, model) for item in error.errors(include_url=False)]
        raise ConfigError(where, problems) from None


def _problem(item: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{key} = {item['input']!r}: unknown key; allowed: {', '.join(sorted(_fields(model, item['loc'])))}"
    if item["type"] == "missing":
        return f"{key}: is missing"
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        # Keys that do not go together: the message itself names them.
        return message
    shown = repr(item["input"])
    return f"{key} = {shown if len(shown) <= 80 else shown[:77] + '...'}: {message[0].lower() + message[1:]}"


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location[:-1]:
        field = getattr(current, "model_fields", {}).get(part)
        annotation = field.annotation if field is not None else current
        inner = [kind for kind in (annotation, *getattr(annotation, "__args__", ())) if hasattr(kind, "model_fields")]
        current = inner[0] if inner else current
    return list(getattr(current, "model_fields", {}))


def read_toml(path: Path, *, where: str = "") -> dict[str, Any]:
    """Return a TOML file as a dictionary.

    Raises
    ------
    ConfigError
        If it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(where or str(path), [f"cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(where or str(path), [f"is no TOML: {error}"]) from None
