"""What windows share: theme, words, strip, status, head map, tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.ui.numbers import NumberField
    from bcikit.ui.session_link import SessionLink
    from bcikit.ui.status import Status
    from bcikit.ui.veil import Veil
    from bcikit.ui.words import install, tr

_WHERE = {
    "NumberField": "numbers",
    "SessionLink": "session_link",
    "Status": "status",
    "Veil": "veil",
    "install": "words",
    "tr": "words",
}

__all__ = ["NumberField", "SessionLink", "Status", "Veil", "install", "tr"]


def __getattr__(name: str) -> Any:
    """Load a public name, and with it Qt, only where it is used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.ui' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.ui.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
