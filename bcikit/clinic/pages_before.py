"""Pages before anything is measured: who it is, and what was agreed to."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.privacy import withdraw
from bcikit.safety.consent import Consent, Screening
from bcikit.signal import BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.tables import fill_table, make_table
from bcikit.ui.words import tr

CONSENT_VERSION = "1"
SIGNERS = ("participant", "guardian", "representative")


class PatientPage(Page):
    """Choose or enter a person by a code, and see what was done before."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Patient"),
            tr("Choose a patient by code, or enter a new code. Never enter a name."),
            first=True,
        )
        self.operator = QLineEdit()
        self.operator.setAccessibleName(tr("Your code (therapist)"))
        self.operator.setPlaceholderText(tr("Your code (therapist)"))
        self.search = QLineEdit()
        self.search.setAccessibleName(tr("Search a code"))
        self.search.setPlaceholderText(tr("Search a code"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.people = make_table([tr("Code"), tr("Sessions"), tr("Last session")], tr("Patients"))
        self.people.itemSelectionChanged.connect(self._chosen)
        self.code = QLineEdit()
        self.code.setAccessibleName(tr("New code"))
        self.code.setPlaceholderText(tr("New code, such as P-017"))
        self.side = choice(tr("Affected side"), [tr("no side"), tr("left"), tr("right"), tr("both")], lambda _: None)
        self.add = button(tr("Add patient"), self._add)
        self.history = make_table([tr("When"), tr("Protocol"), tr("Accuracy"), tr("Trials")], tr("History"))
        self.withdraw = button(
            tr("Consent withdrawn ..."), lambda: self._ask(asked=True), hint=tr("Erase everything of this patient")
        )
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.question.setStyleSheet("border: none;")
        self.confirm = QLineEdit()
        self.confirm.setAccessibleName(tr("Code of the patient to erase"))
        self.erase = button(tr("Erase"), self._erase)
        self.cancel = button(tr("Cancel"), lambda: self._ask(asked=False))
        self.body.addLayout(self._columns(), 1)
        self._ask(asked=False)

    def _columns(self) -> QHBoxLayout:
        new = QWidget()
        row = QHBoxLayout(new)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.code, self.side, self.add):
            row.addWidget(widget)
        columns = QHBoxLayout()
        left = QVBoxLayout()
        left.addWidget(self.operator)
        left.addWidget(card(self.search, self.people, new, title=tr("Who is it?"), stretch=(0, 1, 0)), 1)
        columns.addLayout(left, 3)
        self.asking = QWidget()
        sure = QGridLayout(self.asking)
        sure.setContentsMargins(0, 0, 0, 0)
        sure.addWidget(self.question, 0, 0, 1, 3)
        sure.addWidget(self.confirm, 1, 0)
        sure.addWidget(self.erase, 1, 1)
        sure.addWidget(self.cancel, 1, 2)
        columns.addWidget(card(self.history, self.withdraw, self.asking, title=tr("Sessions so far")), 2)
        return columns

    def _ask(self, *, asked: bool) -> None:
        code = self.desk.state.subject
        self.withdraw.setVisible(not asked)
        self.withdraw.setEnabled(bool(code))
        self.asking.setVisible(asked)
        self.confirm.clear()
        if asked:
            self.question.setText(
                tr(
                    "All recordings, models, scores and reports of {code} will be erased. This cannot be undone. "
                    "Enter the code to confirm."
                ).format(code=code)
            )
            self.confirm.setFocus()

    def _erase(self) -> None:
        code = self.desk.state.subject
        if self.confirm.text().strip() != code:
            self.say(tr("That is not the code. Nothing was erased."), "WARN")
            return
        if self.desk.runner.running:
            self.say(tr("A session is running. Stop it first."), "WARN")
            return
        try:
            count = withdraw(self.desk.catalogue, self.desk.data, code)
        except (BciError, OSError) as error:
            self.say(str(error), "BAD")
            return
        self.desk.forget()
        self._ask(asked=False)
        self.enter()
        self.changed.emit()
        self.say(tr("{code} is erased: {count} folders and files are gone.").format(code=code, count=count), "GOOD")

    def enter(self) -> None:
        """Show persons."""
        self.operator.setText(self.desk.state.operator)
        wanted = self.desk.state.subject
        self.search.clear()
        self._fill()
        # A row that is still selected from before would not tell that it was chosen again.
        self.people.clearSelection()
        self._select(wanted)

    def _fill(self, _: str = "") -> None:
        rows = []
        for person in self.desk.catalogue.subjects(self.search.text().strip()):
            sessions = self.desk.catalogue.sessions(person.code)
            rows.append(
                [person.code, str(len(sessions)), sessions[-1].started[:16].replace("T", " ") if sessions else "–"]
            )
        fill_table(self.people, rows)

    def _select(self, code: str) -> None:
        for row in range(self.people.rowCount()):
            item = self.people.item(row, 0)
            if item is not None and item.text() == code:
                self.people.selectRow(row)

    def _add(self) -> None:
        sides = ["", "left", "right", "both"]
        code = self.code.text().strip()
        try:
            self.desk.catalogue.add_subject(code, affected_side=sides[self.side.currentIndex()])
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.search.clear()
        self._fill()
        self._select(code)
        self.code.clear()
        self.say(tr("{code} is entered.").format(code=code), "GOOD")

    def _chosen(self) -> None:
        items = self.people.selectedItems()
        self.desk.state.subject = items[0].text() if items else ""
        self._ask(asked=False)
        rows = []
        if self.desk.state.subject:
            for entry in reversed(self.desk.catalogue.sessions(self.desk.state.subject)):
                accuracy = entry.results.get("online_accuracy")
                percent = "–" if accuracy is None else f"{100 * accuracy:.0f} %"
                rows.append(
                    [
                        entry.started[:16].replace("T", " "),
                        entry.paradigm,
                        percent,
                        str(entry.results.get("n_trials", "")),
                    ]
                )
        fill_table(self.history, rows)

    def go_on(self) -> None:
        """Go on with the person chosen."""
        self.desk.state.operator = self.operator.text().strip()
        if not self.desk.state.operator:
            self.say(tr("Enter your own code first: the record says who ran the session."), "WARN")
            self.operator.setFocus()
        elif not self.desk.state.subject:
            self.say(tr("Choose a patient, or enter a new code."), "WARN")
            self.people.setFocus()
        else:
            self.say("")
            self.done.emit()


def consent_text() -> str:
    """Return what the person is told, in the language of the interface."""
    return tr(
        "We measure the electrical activity of your brain with electrodes on your head. A program tries to tell which "
        "movement you imagine or attempt, and shows it with a hand on the screen.\n\n"
        "It does not hurt. You may feel tired; tell us at any time. You can stop at any moment without giving a "
        "reason, and withdraw your consent later; your data are then erased.\n\n"
        "Your recordings are kept under a code, not under your name. They are used for this training only, unless you "
        "agree below to more."
    )


def _fingerprint() -> str:
    return hashlib.sha256(consent_text().encode()).hexdigest()


class ConsentPage(Page):
    """Consent by scope, and the screening questions."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Consent and screening"),
            tr("Read it together. Without consent nothing is measured; it can be withdrawn at any time."),
        )
        text = QPlainTextEdit(consent_text())
        text.setReadOnly(True)
        text.setTabChangesFocus(True)
        text.setAccessibleName(tr("Consent text"))
        self.scopes = {name: QCheckBox(label) for name, label in self._scope_names().items()}
        for name, box in self.scopes.items():
            box.setAccessibleName(box.text())
            box.setChecked(name in ("acquire", "store"))
            box.clicked.connect(lambda _checked=False: self._agreement_changed())
        self.signer = choice(
            tr("Who signed"), [tr("the patient"), tr("guardian"), tr("representative")], lambda _: None
        )
        self.age = QSpinBox()
        self.age.setRange(0, 120)
        self.age.setValue(60)
        self.age.setAccessibleName(tr("Age"))
        self.sleep = QDoubleSpinBox()
        self.sleep.setRange(0, 16)
        self.sleep.setSingleStep(0.5)
        self.sleep.setDecimals(1)
        self.sleep.setValue(7)
        self.sleep.setSuffix(" h")
        self.sleep.setAccessibleName(tr("Sleep last night"))
        self.questions = {name: QCheckBox(label) for name, label in self._question_names().items()}
        for box in self.questions.values():
            box.setAccessibleName(box.text())
        self.signed = QCheckBox(tr("I have explained it, questions were answered, and it is signed on paper or screen"))
        self.signed.setAccessibleName(self.signed.text())
        self.body.addLayout(self._columns(text), 1)
        self.body.addWidget(self.signed)

    @staticmethod
    def _scope_names() -> dict[str, str]:
        return {
            "acquire": tr("Measure the EEG"),
            "store": tr("Keep the recordings"),
            "stimulate": tr("Show flickering stimuli"),
            "fes": tr("Electrical stimulation of muscles"),
            "share": tr("Share for research, de-identified"),
            "video": tr("Record video"),
        }

    @staticmethod
    def _question_names() -> dict[str, str]:
        return {
            "epilepsy": tr("Epilepsy"),
            "prior_seizure": tr("Any seizure before"),
            "photoparoxysmal_response": tr("Sensitive to flickering light"),
            "migraine_with_photic_trigger": tr("Migraine from light"),
            "alcohol": tr("Alcohol in the last 24 hours"),
        }

    def _columns(self, text: QPlainTextEdit) -> QGridLayout:
        agreed, asked = QWidget(), QWidget()
        scopes = QVBoxLayout(agreed)
        scopes.setContentsMargins(0, 0, 0, 0)
        for box in self.scopes.values():
            scopes.addWidget(box)
        scopes.addWidget(QLabel(tr("Who signed")))
        scopes.addWidget(self.signer)
        form = QFormLayout(asked)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("Age"), self.age)
        form.addRow(tr("Sleep last night"), self.sleep)
        for box in self.questions.values():
            form.addRow(box)
        grid = QGridLayout()
        grid.addWidget(card(text, title=tr("What we tell"), stretch=(1,)), 0, 0, 2, 1)
        grid.addWidget(card(agreed, title=tr("Agreed to")), 0, 1)
        grid.addWidget(card(asked, title=tr("Screening")), 1, 1)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        return grid

    def enter(self) -> None:
        """Show what was agreed to in this session or the last one; the screening is asked each time."""
        record = self._on_file()
        self.signed.setChecked(bool(record))
        if not record:
            return
        for name, box in self.scopes.items():
            box.setChecked(name in record.get("scopes", ()))
        self.signer.setCurrentIndex(SIGNERS.index(record["signer"]))
        self.signed.setChecked(record.get("text_sha256") == _fingerprint())
        if self.signed.isChecked():
            self.say(tr("The consent of {day} is on file. Ask the screening again.").format(day=record["signed"][:10]))

    def _on_file(self) -> dict[str, Any]:
        """Return the newest consent of the person; empty if there is none."""
        state = self.desk.state
        if state.consent.get("subject") == state.subject:
            return state.consent
        kept = self.desk.catalogue.subject(state.subject).data.get("consents", [])
        return dict(kept[-1]) if kept else {}

    def _agreed(self) -> tuple[str, ...]:
        return tuple(name for name, box in self.scopes.items() if box.isChecked())

    def _agreement_changed(self) -> None:
        record = self._on_file() if self.desk.state.subject else {}
        if record and set(record.get("scopes", ())) != set(self._agreed()):
            # Another agreement is another signature.
            self.signed.setChecked(False)

    def go_on(self) -> None:
        """Make the records and go on."""
        if not self.signed.isChecked():
            self.say(tr("Tick that it is signed. Without consent nothing is measured."), "WARN")
            self.signed.setFocus()
            return
        if not (self.scopes["acquire"].isChecked() and self.scopes["store"].isChecked()):
            self.say(tr("Measuring and keeping the recordings is the least a session needs."), "WARN")
            return
        answers: dict[str, Any] = {name: box.isChecked() for name, box in self.questions.items()}
        screening = Screening(age=self.age.value(), sleep_h=self.sleep.value(), **answers)
        agreed = {
            "subject": self.desk.state.subject,
            "version": CONSENT_VERSION,
            "text_sha256": _fingerprint(),
            "language": "zh" if tr("language") == "语言" else "en",
            "scopes": list(self._agreed()),
            "signer": SIGNERS[self.signer.currentIndex()],
        }
        before = self._on_file()
        same = all(before.get(key) == value for key, value in agreed.items())
        signed = before["signed"] if same else datetime.now(UTC)
        consent = Consent.model_validate({**agreed, "signed": signed, "screening_sha256": screening.sha256()})
        self.desk.state.consent = consent.model_dump(mode="json")
        self._keep(self.desk.state.consent)
        self.desk.state.screening = screening.model_dump(mode="json")
        bars = screening.bars()
        self.say(tr("Flickering stimuli stay off: {bars}").format(bars=", ".join(bars)) if bars else "", "WARN")
        self.done.emit()

    def _keep(self, record: dict[str, Any]) -> None:
        """Keep the consent with the person; one that says nothing new is not kept twice."""
        code = self.desk.state.subject
        data = dict(self.desk.catalogue.subject(code).data)
        kept = list(data.get("consents", []))
        if not kept or any(kept[-1].get(key) != record[key] for key in ("scopes", "signer", "signed", "text_sha256")):
            data["consents"] = [*kept, record]
            self.desk.catalogue.update_subject(code, data=data)
