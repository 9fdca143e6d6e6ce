"""What the person sees, small: a live copy for whoever sits at the viewer."""

from typing import Any

from PySide6.QtWidgets import QVBoxLayout

from bcikit.presentation.layout import Viewing
from bcikit.presentation.qt.view import SceneView
from bcikit.signal.messages import Message, Presented, Sent, Snapshot, StateChanged
from bcikit.ui.words import tr
from bcikit.viewer.panel import Panel


class ScreenPanel(Panel):
    """A copy of the person's screen: no sounds, fewer frames, and nothing in it can be touched."""

    def __init__(self) -> None:
        super().__init__()
        # The word of the interface for it tells which language this is.
        language = "en" if tr("Person's screen") == "Person's screen" else "zh"
        self.copy = SceneView(view=Viewing(language=language), copy=True)
        self.copy.setAccessibleName(tr("Person's screen"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.copy)
        self._used = False

    def take(self, message: Message) -> bool:
        """Follow a message of the session; return whether it is the first that brings something to see."""
        used = self._used
        self._follow(message)
        return self._used and not used

    def _follow(self, message: Message) -> None:
        match message:
            case Snapshot():
                for part in message.messages:
                    self._follow(part)
            case Presented():
                self._used |= message.scene is not None
                self.copy.take({"type": "show", "event": message.event.to_dict(), "scene": message.scene})
            case Sent():
                values: dict[str, Any] = message.command.to_dict()
                self.copy.take({**values, "type": "command"})
            case StateChanged() if message.state != "ACTIVE":
                self.copy.take({"type": "safe"})

    def table(self) -> list[list[object]]:
        """Return the words that are shown."""
        return [["words"], [self.copy.words()]]
