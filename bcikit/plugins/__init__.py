"""The one registry: sources, steps, decoders, paradigms, outputs, drivers and formats, by the names people use.

What bcikit ships stands in ``shipped.toml``; other packages add theirs by an entry point of the group ``bcikit.KIND``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.plugins.registry import find, load, names, plugins
    from bcikit.plugins.table import KINDS, Plugin

__all__ = ["KINDS", "Plugin", "find", "load", "names", "plugins"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the guard process reads the table alone."""
    if name not in __all__:
        raise AttributeError(f"module 'bcikit.plugins' has no attribute {name!r}")
    value = getattr(import_module(f"bcikit.plugins.{'table' if name in ('KINDS', 'Plugin') else 'registry'}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
