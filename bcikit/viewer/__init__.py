"""The live window: signals, health, decisions and the safety strip, drawn by pyqtgraph."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.viewer.start import Viewer
    from bcikit.viewer.window import ViewerWindow

_WHERE = {
    "Viewer": "start",
    "ViewerWindow": "window",
}

__all__ = ["Viewer", "ViewerWindow"]

__getattr__, __dir__ = face(__name__, _WHERE)
