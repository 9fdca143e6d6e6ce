"""The one registry: sources, steps, decoders, paradigms, outputs, drivers, stop boxes, formats, by name.

What bcikit ships stands in ``shipped.toml``; other packages add theirs by an entry point of the group ``bcikit.KIND``.
"""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.plugins.registry import find, load, names, plugins
    from bcikit.plugins.table import KINDS, Plugin

__all__ = ["KINDS", "Plugin", "find", "load", "names", "plugins"]

__getattr__, __dir__ = face(
    __name__, {name: "table" if name in ("KINDS", "Plugin") else "registry" for name in __all__}
)
