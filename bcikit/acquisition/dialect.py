"""Dialects: what a program's table looks like, as a TOML file; no code is needed for a new one."""

import contextlib
import os
import re
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bcikit.signal.documents import packaged_toml, read_toml
from bcikit.signal.places import NoHomeError, user_place
from bcikit.signal.settings import check_settings

ENTRY_POINT_GROUP = "bcikit.dialects"
"""An entry point names a package whose ``*.toml`` files are dialects, too."""

FOLDER_VARIABLE = "BCIKIT_DIALECTS"
"""Names a folder of a user's own dialects; ``dialects`` in the configuration folder of bcikit is looked at as well."""


class Dialect(BaseModel):
    """What the tables of one program look like; titles are regular expressions for whole titles, in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(description="Program, for people.")
    columns: tuple[str, ...] = Field(min_length=1, description="Titles that all must be there for a table to be of it.")
    time: tuple[str, ...] = Field(default=(), description="The column of times: the first of these that is there.")
    time_unit: str = Field(
        default="", description="s, ms, us, ns, samples or date; by the size of the numbers if empty."
    )
    signal: tuple[str, ...] = Field(default=(), description="Columns of EEG.")
    misc: tuple[str, ...] = Field(default=(), description="Columns that are kept in their own unit.")
    accel: tuple[str, ...] = Field(default=(), description="Columns of accelerometers.")
    gyro: tuple[str, ...] = Field(default=(), description="Columns of gyroscopes.")
    markers: tuple[str, ...] = Field(default=(), description="Columns of numbers that are codes where they are not 0.")
    texts: tuple[str, ...] = Field(default=(), description="Columns of texts that are events where they are not empty.")
    ignore: tuple[str, ...] = Field(default=(), description="Columns that are left out, after all others.")
    strip: str = Field(default="", description="Beginning of titles that is no part of the name of a channel.")
    unit: str = Field(default="", description="Unit of the signals; must be stated by the user if empty.")
    scale: float | None = Field(default=None, gt=0, description="Microvolts a count, where the signals are counts.")
    rate: float | None = Field(default=None, gt=0, description="Nominal rate in Hz.")
    decimal: str = Field(default="", description="Decimal mark, if it is always the same.")
    device: str = ""
    reference: str = ""

    @field_validator("columns", "time", "signal", "misc", "accel", "gyro", "markers", "texts", "ignore")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{pattern[:60]!r} is no regular expression: {error}") from None
        return patterns

    def fits(self, titles: tuple[str, ...]) -> bool:
        """Return whether all the titles this dialect must have are there."""
        return all(any(matches(pattern, title) for title in titles) for pattern in self.columns)


def matches(pattern: str, title: str) -> bool:
    """Return whether a title is what a pattern of a dialect asks for."""
    return re.fullmatch(pattern, title.strip(), re.IGNORECASE) is not None


@cache
def _shipped() -> tuple[Dialect, ...]:
    packages = ["bcikit.acquisition.dialects", *(point.value for point in entry_points(group=ENTRY_POINT_GROUP))]
    found: list[Dialect] = []
    for package in packages:
        found += [check_settings(Dialect, values, where=name) for name, values in packaged_toml(package)]
    return tuple(found)


def known_dialects() -> tuple[Dialect, ...]:
    """Return the dialects of the user, of this package and of packages that an entry point names.

    Raises
    ------
    ConfigError
        If a file of the user is wrong; each problem names its key.
    """
    folders = [Path(os.environ[FOLDER_VARIABLE])] if os.environ.get(FOLDER_VARIABLE) else []
    with contextlib.suppress(NoHomeError):
        folders.append(user_place("config") / "dialects")
    own = [
        check_settings(Dialect, read_toml(file), where=str(file))
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.glob("*.toml"))
    ]
    return (*own, *_shipped())


def dialect_of(titles: tuple[str, ...]) -> Dialect | None:
    """Return the dialect that asks for most of the titles that are there; None where none fits."""
    fitting = [dialect for dialect in known_dialects() if dialect.fits(titles)]
    return max(fitting, key=lambda dialect: len(dialect.columns), default=None)
