"""What the pages of the clinic window share."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bcikit.ui.inputs import button
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr

if TYPE_CHECKING:
    from bcikit.clinic.patient_window import PatientWindow
    from bcikit.clinic.runner import SessionRunner
    from bcikit.clinic.state import ClinicState
    from bcikit.recording import Catalogue


class Desk:
    """What every page works with.

    Attributes
    ----------
    state : ClinicState
        Where one is.
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
        self, state: "ClinicState", catalogue: "Catalogue", runner: "SessionRunner", theme: Theme, data: Path
    ) -> None:
        self.state, self.catalogue, self.runner, self.theme, self.data = state, catalogue, runner, theme, data
        self.patient: PatientWindow | None = None

    def forget(self) -> None:
        """Forget the person and everything of the session; who runs it stays."""
        self.state = type(self.state)(operator=self.state.operator)


class Page(QWidget):
    """One step: a title, one sentence, the content, and a line of buttons that leads on.

    Signals
    -------
    done
        The step is done; the window goes on.
    back
        One step back.
    changed
        The state has changed and must be kept.
    """

    done = Signal()
    back = Signal()
    changed = Signal()

    def __init__(self, desk: Desk, title: str, hint: str, *, next_text: str = "", first: bool = False) -> None:
        super().__init__()
        self.desk = desk
        self.setAccessibleName(title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 20, 28, 16)
        layout.setSpacing(10)
        head = QLabel(title)
        head.setStyleSheet("font-size: 24px; font-weight: 600;")
        sentence = QLabel(hint)
        sentence.setWordWrap(True)
        sentence.setStyleSheet(f"color: {desk.theme.dim}; font-size: 14px;")
        layout.addWidget(head)
        layout.addWidget(sentence)
        self.body = QVBoxLayout()
        self.body.setSpacing(10)
        layout.addLayout(self.body, 1)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAccessibleName(tr("Message"))
        layout.addWidget(self.message)
        row = QHBoxLayout()
        self.back_button = button(tr("Back"), self.back.emit)
        self.back_button.setVisible(not first)
        self.next_button = button(next_text or tr("Next"), self.go_on, primary=True)
        self.next_button.setMinimumSize(150, 40)
        self.back_button.setMinimumSize(100, 40)
        row.addWidget(self.back_button)
        row.addStretch(1)
        row.addWidget(self.next_button)
        layout.addLayout(row)

    def enter(self) -> None:
        """Show the state; called whenever the page comes to the front."""

    def leave(self) -> None:
        """Give back what the page holds open; called whenever it goes."""

    def take(self, message: dict[str, Any]) -> None:
        """Follow a message of the engine."""

    def refresh(self) -> None:
        """Show what the messages since the last call came to."""

    def go_on(self) -> None:
        """Check the step and go on."""
        self.done.emit()

    def say(self, text: str, level: str = "") -> None:
        """Show a message with the shape of its level."""
        shape = LEVELS[level][0] + " " if level in LEVELS and text else ""
        colour = self.desk.theme.level(level) if level else self.desk.theme.text
        self.message.setStyleSheet(f"color: {colour}; font-size: 14px;")
        self.message.setText(shape + text)


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


class _Answer(QObject):
    ready = Signal(object, object)


def in_background(owner: QWidget, work: Callable[[], Any], then: Callable[[Any, Exception | None], None]) -> None:
    """Do something slow in a thread and hand its result, or its error, to `then` in the window's own thread."""
    answer = _Answer(owner)
    answer.ready.connect(then, Qt.ConnectionType.QueuedConnection)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as problem:  # noqa: BLE001 - the page shows it
            error = problem
        # The page may be gone by now; then nobody waits for the answer.
        with suppress(RuntimeError):
            answer.ready.emit(result, error)

    threading.Thread(target=run, daemon=True, name="bcikit-clinic-task").start()
