"""A question before what cannot be undone: it stays in the window, and its way back has the keyboard."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from bcikit.clinic.base import breakable
from bcikit.clinic.names import written
from bcikit.ui.inputs import button
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr


class Question(QFrame):
    """One sentence, the button that does it, and the one that does not; the latter has the focus."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._then: Callable[[], object] | None = None
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAccessibleName(tr("Question"))
        self.text.setStyleSheet("font-size: 16px; font-weight: 600; border: none;")
        self.yes = button(tr("Yes"), self._do)
        self.no = button(tr("No, go back"), self.hide, primary=True)
        self.setObjectName("question")
        self.setStyleSheet(f"QFrame#question {{ border: 2px solid {theme.warn}; }}")
        row = QHBoxLayout(self)
        row.addWidget(self.text, 1)
        row.addWidget(self.yes)
        row.addWidget(self.no)
        self.hide()

    def ask(self, text: str, verb: str, then: Callable[[], object]) -> None:
        """Ask; `then` is called once if the answer is the verb."""
        self.text.setText(breakable(text))
        self.yes.setText(verb)
        self.yes.setAccessibleName(verb)
        self._then = then
        self.show()
        self.no.setFocus()

    def _do(self) -> None:
        then, self._then = self._then, None
        self.hide()
        if then is not None:
            then()


class ReasonLine(QWidget):
    """Asks why: an acknowledgement without a reason in the therapist's own words is none.

    Signals
    -------
    given
        The reason.
    """

    given = Signal(str)

    def __init__(self, question: str = "", do: str = "") -> None:
        super().__init__()
        question = question or tr("What was the cause, and how is the patient?")
        self.text = QLineEdit()
        self.text.setAccessibleName(question)
        self.text.setPlaceholderText(question)
        self.text.returnPressed.connect(self._give)
        self.do = button(do or tr("Acknowledge"), self._give)
        self.cancel = button(tr("Cancel"), self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, 1)
        row.addWidget(self.do)
        row.addWidget(self.cancel)
        self.hide()

    def ask(self) -> None:
        """Ask."""
        self.text.clear()
        self.show()
        self.text.setFocus()

    def _give(self) -> None:
        reason = written(self.text.text())
        if reason:
            self.hide()
            self.given.emit(reason)
        else:
            self.text.setFocus()
