"""What is corrected of a person's entry: a mistyped code, two entries of one, and the consent that is withdrawn."""

from pathlib import Path

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QWidget

from bcikit.clinic.base import Desk, card
from bcikit.clinic.names import code_of, written
from bcikit.clinic.people import SIMULATED, checked_code
from bcikit.clinic.privacy import withdraw
from bcikit.clinic.record import NAME
from bcikit.recording.corrections import is_gone, join_subjects, rename_subject
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.words import tr
from bcikit.viewer.choose import recent


class CorrectionCard(QWidget):
    """Three buttons, each of which asks before anything happens.

    Signals
    -------
    done
        Something was changed: the code to show now, and what to say.
    """

    done = Signal(str, str)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk, self._code, self._what = desk, "", ""
        self.rename = button(tr("Correct code ..."), lambda: self._ask("rename"))
        self.join = button(tr("Join two entries ..."), lambda: self._ask("join"))
        self.withdraw = button(
            tr("Consent withdrawn ..."), lambda: self._ask("withdraw"), hint=tr("Erase everything of this patient")
        )
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.question.setStyleSheet("border: none;")
        self.text = QLineEdit()
        self.text.setAccessibleName(tr("Code to confirm"))
        self.reason = QLineEdit()
        self.reason.setAccessibleName(tr("Why it is corrected"))
        self.reason.setPlaceholderText(tr("Why it is corrected"))
        self.apply = button("", self._apply)
        self.cancel = button(tr("Cancel"), lambda: self._ask(""))
        row, sure = QWidget(), QWidget()
        buttons = QGridLayout(row)
        buttons.setContentsMargins(0, 0, 0, 0)
        for column, widget in enumerate((self.rename, self.join, self.withdraw)):
            buttons.addWidget(widget, 0, column)
        grid = QGridLayout(sure)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.question, 0, 0, 1, 4)
        for column, item in enumerate((self.text, self.reason, self.apply, self.cancel)):
            grid.addWidget(item, 1, column)
        self.asking = sure
        outer = QGridLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(card(row, sure), 0, 0)
        self._ask("")

    def show_person(self, code: str) -> None:
        """Correct this person from now on; a question about another one is taken back."""
        if code != self._code:
            self._code = code
            self._ask("")
        for widget in (self.rename, self.join, self.withdraw):
            widget.setEnabled(bool(code) and code != SIMULATED)

    def _ask(self, what: str) -> None:
        self._what = what
        self.asking.setVisible(bool(what))
        self.text.clear()
        self.reason.clear()
        self.reason.setVisible(what in ("rename", "join"))
        if not what:
            return
        words = {
            "rename": tr("The right code for {code}:"),
            "join": tr("Enter the code of the other entry; it goes, and what it has becomes part of {code}."),
            "withdraw": tr(
                "All recordings, models, scores and reports of {code} will be erased. This cannot be undone. "
                "Enter the code to confirm."
            ),
        }
        verbs = {"rename": tr("Correct"), "join": tr("Join"), "withdraw": tr("Erase")}
        self.question.setText(words[what].format(code=self._code))
        self.apply.setText(verbs[what])
        self.apply.setAccessibleName(verbs[what])
        self.text.setFocus()

    def _apply(self) -> None:
        if self._desk.runner.running:
            self.question.setText(tr("A session is running. Stop it first."))
            return
        text, why, code = code_of(self.text.text()), written(self.reason.text()), self._code
        try:
            shown, said = self._change(code, text, why)
        except (BciError, OSError) as error:
            self.question.setText(f"■ {error}")
            return
        self._ask("")
        self.done.emit(shown, said)

    def _change(self, code: str, text: str, why: str) -> tuple[str, str]:
        catalogue = self._desk.catalogue
        if self._what in ("rename", "join"):
            text = checked_code(text)
        if self._what == "rename":
            rename_subject(catalogue, code, text, reason=why)
            return text, tr("{code} is now {new}.").format(code=code, new=text) + self._saved_of(text, code)
        if self._what == "join":
            join_subjects(catalogue, code, text, reason=why)
            return code, tr("{other} is now part of {code}.").format(other=text, code=code) + self._saved_of(code, text)
        if text != code:
            raise BciError(tr("That is not the code. Nothing was erased."))
        count, left = withdraw(catalogue, self._desk.data, code)
        # The viewer's list of what was opened last names folders of this person, too.
        recent(QSettings("bcikit", "viewer"))
        said = tr("{code} is erased: {count} folders and files are gone.").format(code=code, count=count)
        for words, paths in (
            (
                tr("■ Not here, so not erased (another place, a disk that is not connected); erase it there: {paths}"),
                [path for path in left if is_gone(path)],
            ),
            (
                tr("■ Not erased, because it is not for certain this patient's alone; look at it: {paths}"),
                [path for path in left if not is_gone(path)],
            ),
        ):
            said += " " + words.format(paths=", ".join(paths)) if paths else ""
        return "", said

    def _saved_of(self, code: str, wrong: str) -> str:
        """Say that reports saved before the correction still name the wrong code; "" where there are none."""
        folders = [Path(entry.path) for entry in self._desk.catalogue.sessions(code)]
        mine = [folder for folder in folders if folder.name.startswith(f"{wrong}-")]
        count = sum(len(list(folder.glob("training*.*"))) - (folder / NAME).is_file() for folder in mine)
        words = tr("{count} reports saved before still name {code}: open them from the history and save again.")
        return " " + words.format(count=count, code=wrong) if count else ""
