"""The live window: signals, health, decisions and the safety strip, drawn by pyqtgraph."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.viewer.start import Viewer
    from bcikit.viewer.window import ViewerWindow

_WHERE = {
    "Viewer": "start",
    "ViewerWindow": "window",
}

__all__ = ["Viewer", "ViewerWindow"]


def __getattr__(name: str) -> Any:
    """Load a public name, and with it Qt, only where it is used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.viewer' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.viewer.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
