"""Consent by scope, the screening, and what both forbid in this visit."""

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from bcikit.clinic import forms
from bcikit.clinic.answers import ThreeAnswers
from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.names import written
from bcikit.clinic.privacy import BROUGHT
from bcikit.clinic.times import local_day, now, today
from bcikit.safety.consent import Consent, Screening
from bcikit.signal import BciError
from bcikit.signal.places import user_home
from bcikit.ui.inputs import button, choice
from bcikit.ui.numbers import NumberField
from bcikit.ui.words import tr


class ConsentPage(Page):
    """What was agreed to, and the questions before anything is done to the patient."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Consent and screening"),
            tr("Read it together and ask every question. What was not asked stays closed."),
        )
        text = QPlainTextEdit(forms.consent_text())
        text.setReadOnly(True)
        text.setTabChangesFocus(True)
        text.setAccessibleName(tr("Consent text"))
        text.setMinimumHeight(150)
        self.scopes = {name: ThreeAnswers(label) for name, label in forms.scope_names().items()}
        self.questions = {name: ThreeAnswers(label) for name, label in forms.question_names().items()}
        self.signer = choice(
            tr("Who signed"), [tr("the patient"), tr("guardian"), tr("representative")], lambda _: self._resigned()
        )
        self.sleep = NumberField(tr("Sleep last night"), low=0, high=24, decimals=1, unit="h", empty=tr("not asked"))
        self.signed = ThreeAnswers(tr("Explained, questions answered, and signed on paper or screen"))
        self.clinician = _line(tr("Name of the clinician who decides otherwise"))
        self.reason = _line(tr("Reason"))
        self.forbids = QLabel()
        self.forbids.setWordWrap(True)
        self.forbids.setStyleSheet("font-size: 14px; border: none;")
        self.forbids.setAccessibleName(tr("What this visit forbids"))
        self.no_person = QLabel(tr("The simulated patient agrees to everything and answers nothing: go on."))
        self.save = button(
            tr("Save for a session file ..."),
            self._save,
            hint=tr("Consent and answers of now as two files, for a session that is run from a file"),
        )
        self._signed_at = ""
        self._build(text)
        for one in self.scopes.values():
            one.answered.connect(self._resigned)
        for one in self.questions.values():
            one.answered.connect(self._show_forbidden)
        self.sleep.changed.connect(self._show_forbidden)
        self.clinician.textChanged.connect(self._show_forbidden)
        self.reason.textChanged.connect(self._show_forbidden)

    def _build(self, text: QPlainTextEdit) -> None:
        agreed, asked = QWidget(), QWidget()
        scopes = QVBoxLayout(agreed)
        scopes.setContentsMargins(0, 0, 0, 0)
        scopes.setSpacing(2)
        for one in self.scopes.values():
            scopes.addWidget(one)
        form = QFormLayout()
        form.addRow(tr("Who signed"), self.signer)
        scopes.addLayout(form)
        scopes.addWidget(self.signed)
        lines = QVBoxLayout(asked)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(2)
        for one in self.questions.values():
            lines.addWidget(one)
        night = QFormLayout()
        night.addRow(tr("Sleep last night (hours)"), self.sleep)
        lines.addLayout(night)
        over = QWidget()
        row = QFormLayout(over)
        row.setContentsMargins(0, 0, 0, 0)
        row.addRow(tr("Decided otherwise by"), self.clinician)
        row.addRow(tr("Reason"), self.reason)
        self.override = over
        self.form = QWidget()
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(card(text, title=tr("What we tell"), stretch=(1,)), 0, 0)
        grid.addWidget(card(agreed, title=tr("Agreed to")), 1, 0)
        grid.addWidget(card(asked, title=tr("Screening")), 0, 1)
        grid.addWidget(card(self.forbids, over, self.save, title=tr("What this forbids today")), 1, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.body.addWidget(self.no_person)
        self.body.addWidget(self.form, 1)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Show what is on file: the consent and the lasting answers with their dates; what ages is open again."""
        simulated = self.visit.simulated
        self.form.setVisible(not simulated)
        self.no_person.setVisible(simulated)
        if simulated:
            return
        person = self.desk.catalogue.subject(self.visit.subject)
        self._show_consent(person.data)
        lasting = forms.lasting_answers(person.data)
        given = self.visit.screening
        for name, one in self.questions.items():
            if given:
                kept = lasting.get(name, {})
                one.show_answer(given.get(name), str(kept.get("date", "")) or today())
            elif name in lasting:
                one.show_answer(bool(lasting[name]["answer"]), str(lasting[name]["date"]))
        if given:
            self.sleep.set_value(given.get("sleep_h"))
            self.clinician.setText(str(given.get("override_by", "")))
            self.reason.setText(str(given.get("override_reason", "")))
        self._show_forbidden()

    def _show_consent(self, data: dict[str, Any]) -> None:
        record = self.visit.consent or dict((data.get("consents") or [{}])[-1])
        if not record:
            return
        refused = record.get("refused", [])
        day = local_day(str(record.get("signed", "")))
        for name, one in self.scopes.items():
            answer = True if name in record.get("scopes", ()) else False if name in refused else None
            one.show_answer(answer, day)
        self.signer.blockSignals(True)
        self.signer.setCurrentIndex(forms.SIGNERS.index(record.get("signer", "participant")))
        self.signer.blockSignals(False)
        # Another text, or a text in another language, is another signature.
        if record.get("text_sha256") == forms.text_hash():
            self.signed.show_answer(True, day)
            self._signed_at = str(record.get("signed", ""))
            self.say(tr("The consent of {day} is on file. What ages is asked again.").format(day=day))
        else:
            self.say(tr("The text has changed since the consent of {day}: it is to be signed anew.").format(day=day))

    def _resigned(self) -> None:
        """Take the signature back: another agreement is another signature."""
        if self._signed_at:
            self._signed_at = ""
            self.signed.show_answer(None)
        self._show_forbidden()

    def answers(self) -> dict[str, bool | None]:
        """Return the answers of the screening."""
        return {name: one.answer for name, one in self.questions.items()}

    def agreed(self) -> dict[str, bool | None]:
        """Return what was agreed to."""
        return {name: one.answer for name, one in self.scopes.items()}

    def screening(self) -> Screening:
        """Return the record of the answers as they stand."""
        return forms.make_screening(
            self.visit,
            self.answers(),
            sleep_h=self.sleep.value(),
            override_by=self.clinician.text(),
            override_reason=self.reason.text(),
        )

    def _show_forbidden(self) -> None:
        screening = self.screening()
        names = forms.scope_names()
        found = forms.forbidden(screening, self.agreed())
        lines = [f"■ {names[what]}: {why}" for what, why in found.items()]
        self.forbids.setText("\n".join(lines) or "● " + tr("Nothing is forbidden."))
        barred = bool(screening.bars("fes") or screening.bars("stimulate"))
        self.override.setVisible(barred)

    # -- what is kept -------------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Make the records, keep them with the person, and go on."""
        if self.visit.simulated:
            self.visit.screening = self.screening().model_dump(mode="json")
            self.done.emit()
            return
        if self._made() is None:
            return
        self.say("")
        self.changed.emit()
        self.done.emit()

    def _made(self) -> tuple[Consent, Screening] | None:
        """Make the records and keep them with the person; None where something is missing, which is said."""
        if self.signed.answer is not True:
            self.say(tr("Say that it is signed. Without consent nothing is measured."), "WARN")
            return None
        if bool(written(self.clinician.text())) != bool(written(self.reason.text())):
            self.say(tr("A decision against a bar needs a name and a reason."), "WARN")
            return None
        screening = self.screening()
        signed = self._signed_at or now()
        signer = forms.SIGNERS[self.signer.currentIndex()]
        try:
            consent = forms.make_consent(self.visit, self.agreed(), signer=signer, signed=signed, screening=screening)
        except BciError as error:
            self.say(str(error), "WARN")
            return None
        self._signed_at = signed
        self.visit.consent = consent.model_dump(mode="json")
        self.visit.screening = screening.model_dump(mode="json")
        self._keep()
        return consent, screening

    def _save(self) -> None:
        """Save both records where a session file can name them, and say what to write there."""
        if self.desk.runner.running:
            # A dialog of the system takes the keys, the one that stops among them.
            self.say(tr("A session is running. Stop it first."), "WARN")
            return
        made = self._made()
        if made is None:
            return
        self.changed.emit()
        folder = QFileDialog.getExistingDirectory(self, tr("Save for a session file ..."), str(user_home()))
        if not folder:
            return
        consent, screening = made
        first, second = (Path(folder) / f"{self.visit.subject}{end}" for end in BROUGHT)
        try:
            consent.save(first)
            screening.save(second)
        except OSError as error:
            self.say(str(error), "BAD")
            return
        words = tr(
            'For a session of today with {code}, below [arming]: consent = "{consent}", screening = "{screening}"'
        )
        said = words.format(code=self.visit.subject, consent=first.as_posix(), screening=second.as_posix())
        self.say(said, "GOOD")

    def _keep(self) -> None:
        """Keep the consent and the lasting answers with the person; what says nothing new is not kept twice."""
        code = self.visit.subject
        before = dict(self.desk.catalogue.subject(code).data)
        data = dict(before)
        record = {**self.visit.consent, "refused": [name for name, answer in self.agreed().items() if answer is False]}
        kept = list(data.get("consents", []))
        same = ("scopes", "refused", "signer", "signed", "text_sha256")
        if not kept or any(kept[-1].get(key) != record.get(key) for key in same):
            data["consents"] = [*kept, record]
        lasting = dict(data.get("screening", {}))
        for name in forms.LASTING:
            answer, old = self.questions[name].answer, lasting.get(name, {})
            if answer is None:
                lasting.pop(name, None)
            elif old.get("answer") != answer or not self.questions[name].since:
                lasting[name] = {"answer": answer, "date": today(), "by": self.visit.operator}
        data["screening"] = lasting
        if data != before:
            changed = {key: data[key] for key in ("consents", "screening") if data.get(key) != before.get(key)}
            self.desk.catalogue.update_subject(code, merge=changed)


def _line(name: str) -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(name)
    return line
