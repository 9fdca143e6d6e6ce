"""Whether a STOP was received: said in large type, and what to do where it was not."""

import time

from PySide6.QtWidgets import QLabel

from bcikit.clinic.runner import SessionRunner
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr

STOPPED = frozenset({"SAFE_STOP", "ESTOP", "FATAL"})
"""States in which everything is at rest until somebody acknowledges."""

PATIENCE_S = 0.5
"""Seconds after which a STOP without an answer counts as not received."""


class StopLine(QLabel):
    """One line: sent, received, or not received."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._ticket: int | None = None
        self._at = 0.0
        self._rested = False
        self.setWordWrap(True)
        self.setAccessibleName(tr("Answer to STOP"))
        self.hide()

    def clear(self) -> None:
        """Say nothing: no STOP was sent in this session."""
        self._ticket = None
        self.hide()

    def sent(self, ticket: int) -> None:
        """Follow a STOP that was just sent."""
        self._ticket, self._at, self._rested = ticket, time.monotonic(), False
        self._say(tr("STOP was sent"), self._theme.warn)

    def follow(self, runner: SessionRunner, state: str) -> None:
        """Say what became of it."""
        if self._ticket is None:
            return
        if self._rested and state not in STOPPED:
            # Somebody acknowledged it: what goes on now is not at rest.
            self.clear()
            return
        self._rested = state in STOPPED
        answer = runner.heard(self._ticket)
        if answer == "" or state in STOPPED:
            self._say("● " + tr("STOP was received: everything is at rest."), self._theme.good)
        elif answer or time.monotonic() - self._at > PATIENCE_S:
            words = tr("STOP WAS NOT RECEIVED. Press the hardware switch of the device, or take its electrodes off.")
            self._say("■ " + words, self._theme.bad)

    def _say(self, text: str, colour: str) -> None:
        if self.text() != text or self.isHidden():
            self.setText(text)
            self.setStyleSheet(f"color: {colour}; font-size: 22px; font-weight: 800;")
            self.show()
