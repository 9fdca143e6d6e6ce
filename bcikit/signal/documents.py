"""JSON and TOML that other people wrote: whatever it is, it is read, or it is a `ValueError` or `ConfigError`.

The standard library's readers raise other errors, too (`RecursionError` for brackets within brackets) and take what no
standard knows. Every reader of bcikit goes through here.
"""

import json
import lzma
import os
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from bcikit.signal.errors import ConfigError

LARGEST = 1 << 28
"""Bytes of a document that is read whole; nothing that a person or a program of ours writes comes near."""


DAMAGED_ARCHIVE = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error, lzma.LZMAError
)  # fmt: skip
"""What Python's reader of zip archives raises at one that is damaged, encrypted or packed in a way it does not know."""


def json_of(text: str | bytes | bytearray) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is none: no UTF-8, nested too deeply, a number of thousands of digits, a name twice in an object (of which
        one value would be lost without a word).
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Return the value of a JSON file, with a byte order mark or without.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no JSON, or of a size that none has.
    """
    return json_of(_read(path).removeprefix(b"\xef\xbb\xbf"))


def toml_of(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        if "hex value" not in str(error) and "Unescaped" not in str(error):
            raise
        raise ValueError(f"{error}; a path with backslashes stands in 'single quotes'") from None


def read_toml(path: Path, *, where: str = "") -> dict[str, Any]:
    """Return a TOML file as a dictionary; a byte order mark, as some editors write it, is no harm.

    Parameters
    ----------
    where : str
        What the error calls it; the path if empty.

    Raises
    ------
    ConfigError
        If it cannot be read or is no TOML.
    """
    where = where or str(path)
    try:
        return toml_of(_read(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(where, ["there is no such file"]) from None
    except OSError as error:
        raise ConfigError(where, [f"cannot be read: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(where, [f"is no TOML: not UTF-8 ({error.reason}); save it as UTF-8"]) from None
    except ValueError as error:
        raise ConfigError(where, [f"is no TOML: {error}"]) from None


def packaged_toml(package: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and tables of each TOML file that an installed package has, in the order of names.

    Raises
    ------
    ConfigError
        If one is no TOML.
    """
    for item in sorted(resources.files(package).iterdir(), key=lambda item: item.name):
        if item.name.endswith(".toml"):
            try:
                yield item.name, toml_of(item.read_text(encoding="utf-8-sig"))
            except ValueError as error:
                raise ConfigError(f"{item.name} of {package}", [f"is no TOML: {error}"]) from None


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file() and not path.is_dir():
        # A pipe or a device never ends.
        raise OSError(22, "it is no ordinary file")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise OSError(27, f"it has more than {LARGEST >> 20} MiB")
        return file.read()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"it has {twice[:40]!r} twice")
    return found
