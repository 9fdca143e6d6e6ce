"""Questions with three answers: yes, no, not asked. Nothing is answered by having been left alone."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QRadioButton, QWidget

from bcikit.ui.words import tr


class ThreeAnswers(QWidget):
    """One question: yes, no, or not asked, and when it was answered.

    Signals
    -------
    answered
        The person at the window chose.
    """

    answered = Signal()

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question
        self.since = ""
        self._group = QButtonGroup(self)
        self.yes, self.no, self.open = (QRadioButton(text) for text in (tr("Yes"), tr("No"), tr("not asked")))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._label = QLabel(question)
        self._label.setWordWrap(True)
        self._label.setStyleSheet("border: none;")
        self._date = QLabel()
        self._date.setStyleSheet("border: none; color: palette(mid);")
        row.addWidget(self._label, 1)
        row.addWidget(self._date)
        for number, box in enumerate((self.yes, self.no, self.open)):
            box.setAccessibleName(f"{question}: {box.text()}")
            self._group.addButton(box, number)
            row.addWidget(box)
        self.open.setChecked(True)
        self._group.idClicked.connect(lambda _: self._chosen())

    def _chosen(self) -> None:
        self.since = ""
        self._date.setText("")
        self.answered.emit()

    @property
    def answer(self) -> bool | None:
        """True, False, or None where it was not asked."""
        return {0: True, 1: False}.get(self._group.checkedId())

    def show_answer(self, answer: bool | None, since: str = "") -> None:  # noqa: FBT001 - the answer itself
        """Show an answer and its date."""
        box = self.open if answer is None else self.yes if answer else self.no
        box.setChecked(True)
        self.since = since if answer is not None else ""
        self._date.setText(self.since)
