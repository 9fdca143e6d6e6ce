"""What the pages of the clinic window share."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from bcikit.ui.inputs import button
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr

if TYPE_CHECKING:
    from bcikit.clinic.runner import SessionRunner
    from bcikit.clinic.visit import Visit
    from bcikit.presentation.qt.window import PatientWindow
    from bcikit.recording import Catalogue


LONGEST_WORD = 40
"""Letters after which a path or a name without a space goes on in the next line."""


class Desk:
    """What every page works with.

    Attributes
    ----------
    visit : Visit
        Everything of the patient in front of the window.
    catalogue : Catalogue
        Persons, sessions, outcomes.
    runner : SessionRunner
        What runs sessions.
    theme : Theme
        Colours.
    data : Path
        Where session folders are put.
    patient : PatientWindow or None
        What the patient sees.
    """

    def __init__(
        self, visit: "Visit", catalogue: "Catalogue", runner: "SessionRunner", theme: Theme, data: Path
    ) -> None:
        self.visit, self.catalogue, self.runner, self.theme, self.data = visit, catalogue, runner, theme, data
        self.patient: PatientWindow | None = None


class Page(QWidget):
    """One step: a title, one sentence, the content that scrolls, and a line of buttons that leads on.

    A page is made for one visit and goes with it: what a widget holds can never be shown to another patient.

    Attributes
    ----------
    visit : Visit
        The visit it was made for.
    header_of_page : QLabel
        Its title.
    bar, body, foot : QVBoxLayout
        Above the content and always seen, the content that scrolls, and below it and always seen.

    Signals
    -------
    done
        The step is done; the window goes on.
    back
        One step back.
    changed
        The visit has changed and must be kept.
    """

    done = Signal()
    back = Signal()
    changed = Signal()

    def __init__(self, desk: Desk, title: str, hint: str, *, next_text: str = "", first: bool = False) -> None:
        super().__init__()
        self.desk = desk
        self._visit = desk.visit
        self.setAccessibleName(title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 12, 20, 10)
        layout.setSpacing(8)
        head = QLabel(title)
        head.setStyleSheet("font-size: 22px; font-weight: 600;")
        sentence = QLabel(hint)
        sentence.setWordWrap(True)
        sentence.setStyleSheet(f"color: {desk.theme.dim}; font-size: 14px;")
        self.header_of_page = head
        layout.addWidget(head)
        layout.addWidget(sentence)
        self.bar, self.body, self.foot = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        content = QWidget()
        content.setLayout(self.body)
        self.body.setContentsMargins(0, 0, 4, 0)
        self.body.setSpacing(8)
        self.area = QScrollArea()
        self.area.setWidget(content)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout.addLayout(self.bar)
        layout.addWidget(self.area, 1)
        layout.addLayout(self.foot)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAccessibleName(tr("Message"))
        layout.addWidget(self.message)
        row = QHBoxLayout()
        self.back_button = button(tr("Back"), self.back.emit)
        self.next_button = button(next_text or tr("Next"), self.go_on, primary=True)
        self.next_button.setMinimumSize(150, 40)
        self.back_button.setMinimumSize(100, 40)
        row.addWidget(self.back_button)
        row.addStretch(1)
        row.addWidget(self.next_button)
        layout.addLayout(row)
        # Only now: a widget that is shown before it has a parent becomes a window of its own.
        self.back_button.setVisible(not first)

    @property
    def visit(self) -> "Visit":
        """The visit that this page belongs to."""
        return self._visit

    def enter(self) -> None:
        """Show the visit; called whenever the page comes to the front."""

    def leave(self) -> None:
        """Give back what the page holds open; called whenever it goes."""

    def take(self, message: dict[str, Any]) -> None:
        """Follow a message of the engine."""

    def refresh(self) -> None:
        """Show what the messages since the last call came to."""

    def first_focus(self) -> QWidget:
        """Return what has the keyboard when the page comes: never what destroys something."""
        return self.next_button

    def go_on(self) -> None:
        """Check the step and go on."""
        self.done.emit()

    def say(self, text: str, level: str = "") -> None:
        """Show a message with the shape of its level."""
        shape = LEVELS[level][0] + " " if level in LEVELS and text else ""
        colour = self.desk.theme.level(level) if level else self.desk.theme.text
        self.message.setStyleSheet(f"color: {colour}; font-size: 14px;")
        self.message.setText(shape + breakable(text))


def breakable(text: str) -> str:
    """Return a text whose longest words may be broken: one wider than the window would push it off the screen."""
    return re.sub(rf"[^\s/\\-]{{{LONGEST_WORD}}}(?=\S)", lambda word: word[0] + "\u200b", text)


def card(*widgets: QWidget, title: str = "", stretch: Sequence[int] = ()) -> QFrame:
    """Return widgets below each other in a frame."""
    frame = QFrame()
    frame.setProperty("card", "true")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(14, 10, 14, 12)
    if title:
        label = QLabel(title)
        label.setStyleSheet("font-weight: 600; font-size: 15px; border: none;")
        layout.addWidget(label)
    for index, widget in enumerate(widgets):
        if isinstance(widget, QLabel):
            widget.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(widget, stretch[index] if index < len(stretch) else 0)
    if not any(stretch) and not any(isinstance(widget, QAbstractItemView) for widget in widgets):
        layout.addStretch(1)
    return frame
