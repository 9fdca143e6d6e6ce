"""Finds a plug-in by its kind and name, whichever package it comes from."""

from typing import Any

from bcikit.plugins.table import KINDS, TITLES, Plugin, candidates
from bcikit.signal import ArgumentError, check_choice


def plugins(kind: str) -> tuple[Plugin, ...]:
    """Return all plug-ins of a kind, sorted by name.

    Raises
    ------
    ArgumentError
        If there is no such kind.
    """
    check_choice("kind of plug-in", kind, KINDS)
    return tuple(plugin for several in candidates(kind).values() for plugin in several)


def names(kind: str) -> tuple[str, ...]:
    """Return the names of a kind, sorted.

    Raises
    ------
    ArgumentError
        If there is no such kind.
    """
    check_choice("kind of plug-in", kind, KINDS)
    return tuple(candidates(kind))


def find(kind: str, name: str) -> Plugin:
    """Return the plug-in of this name.

    Raises
    ------
    ArgumentError
        If nothing has this name, saying which names are near; or if two packages claim it.
    """
    check_choice("kind of plug-in", kind, KINDS)
    known = candidates(kind)
    check_choice(TITLES[kind], name, known)
    several = known[name]
    if len(several) > 1:
        packages = " and ".join(plugin.package for plugin in several)
        raise ArgumentError(
            f"the {TITLES[kind]} {name!r} comes from {packages}; take one of these packages out of the environment."
        )
    return several[0]


def load(kind: str, name: str) -> Any:
    """Import and return the object behind a name.

    Raises
    ------
    ArgumentError
        If nothing has this name, or two packages claim it.
    PluginError
        If the plug-in of another package cannot be loaded.
    """
    return find(kind, name).load()
