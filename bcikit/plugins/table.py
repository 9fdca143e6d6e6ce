"""What there is by kind and name, read without loading it; standard library only, since the guard process reads it."""

import sys
import tomllib
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bcikit.version import __version__

KINDS = ("sources", "steps", "decoders", "paradigms", "outputs", "drivers", "stop_boxes", "formats")
"""Kinds of plug-ins; the entry points of a kind are those of the group ``bcikit.KIND``."""

TITLES = {
    "sources": "scheme",
    "steps": "step",
    "decoders": "decoder",
    "paradigms": "kind of paradigm",
    "outputs": "scheme of an output",
    "drivers": "driver of the guard",
    "stop_boxes": "kind of stop box",
    "formats": "file format",
}
_OURS = "openbcikit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """Where something is that is chosen by its name.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    name : str
        Its name in session files, on the command line and in Python.
    where : str
        ``module:attribute``.
    package : str
        The distribution it comes from.
    version : str
        The version of that distribution.
    what : str
        One line for a person; empty where only loading it tells.
    settings : mapping
        What else the kind keeps of it, such as the paradigm of a decoder and its parameters.
    """

    kind: str
    name: str
    where: str
    package: str
    version: str = ""
    what: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shipped(self) -> bool:
        """Whether bcikit itself brings it."""
        return self.package == _OURS

    def load(self) -> Any:
        """Import and return the object.

        Raises
        ------
        PluginError
            If another package's plug-in cannot be loaded, naming the package and its own error.
        """
        module, _, attributes = self.where.partition(":")
        try:
            # What it prints belongs into no table of ours, least of all into JSON.
            with nullcontext() if self.shipped else redirect_stdout(sys.stderr):
                found: Any = import_module(module)
                for attribute in attributes.split("."):
                    found = getattr(found, attribute)
        except (Exception, SystemExit) as error:
            # One that ends the program while it is imported (no licence, no device) must not end ours.
            if self.shipped:
                raise
            from bcikit.signal import PluginError

            raise PluginError(
                f"the {TITLES[self.kind]} {self.name!r} of the package {self.package} ({self.where}) cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return found


@cache
def _shipped() -> Mapping[str, Mapping[str, Plugin]]:
    text = (Path(__file__).parent / "shipped.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return MappingProxyType(
        {
            kind: {
                name: Plugin(
                    kind=kind,
                    name=name,
                    where=entry if isinstance(entry, str) else entry["where"],
                    package=_OURS,
                    version=__version__,
                    what="" if isinstance(entry, str) else entry.get("what", ""),
                    settings={} if isinstance(entry, str) else {k: v for k, v in entry.items() if k not in _HEAD},
                )
                for name, entry in tables.get(kind, {}).items()
            }
            for kind in KINDS
        }
    )


_HEAD = ("where", "what")


def _of(point: EntryPoint, kind: str) -> Plugin:
    package, version = (point.dist.name, point.dist.version) if point.dist is not None else ("unknown", "")
    return Plugin(kind=kind, name=point.name, where=point.value, package=package, version=version)


@cache
def candidates(kind: str) -> Mapping[str, tuple[Plugin, ...]]:
    """Return every plug-in of a kind by name; more than one package may claim a name."""
    found: dict[str, tuple[Plugin, ...]] = {name: (plugin,) for name, plugin in _shipped()[kind].items()}
    for point in entry_points(group=f"bcikit.{kind}"):
        plugin = _of(point, kind)
        others = found.get(plugin.name, ())
        if plugin.package != _OURS and plugin not in others:
            found[plugin.name] = (*others, plugin)
    return MappingProxyType(dict(sorted(found.items())))
