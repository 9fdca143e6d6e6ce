"""Settings of paradigms: written in TOML by people, so every error names the key, the value and what is allowed."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bcikit.signal import ConfigError

Seconds = Annotated[float, Field(ge=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration; zero leaves the phase out."""

Span = Annotated[float, Field(gt=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration that cannot be zero."""

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A share or probability."""

Count = Annotated[int, Field(ge=0, le=100_000)]
"""How many."""


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
