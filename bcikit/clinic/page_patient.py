"""The first page: who is treated, confirmed before anything begins."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QHeaderView, QLabel, QLineEdit, QVBoxLayout, QWidget

from bcikit.clinic import people
from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.history import history_rows
from bcikit.clinic.names import code_of, written
from bcikit.clinic.page_patient_corrections import CorrectionCard
from bcikit.clinic.strays import claimable, enter_strays, strangers
from bcikit.clinic.times import local, now
from bcikit.clinic.visit import Visit
from bcikit.recording.tables_sql import Subject
from bcikit.signal import ArgumentError, BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.tables import fill_table, make_table, select_key, selected_key
from bcikit.ui.words import tr

SIDES = ("", "left", "right", "both")


class PatientPage(Page):
    """Choose or enter a person by a code, see what was done before, and confirm who it is.

    Signals
    -------
    begun
        A person was chosen and confirmed: a `Visit` begins. What was open before it ends.
    report
        Folder of an older session whose report is wanted.
    """

    begun = Signal(object)
    report = Signal(str)

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Patient"),
            tr("Choose a patient by code, or enter a new code. Never enter a name."),
            first=True,
        )
        self.operator = _line(tr("Your code (therapist)"))
        self.search = _line(tr("Search a code"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.people = make_table([tr("Code"), tr("Born"), tr("Sessions"), tr("Last session")], tr("Patients"))
        self.people.setSelectionMode(self.people.SelectionMode.SingleSelection)
        self.people.itemSelectionChanged.connect(self._show_chosen)
        self.simulated = button(
            tr("Simulated patient"), self._simulated, hint=tr("To learn and to try: no person, no headset")
        )
        self.code = _line(tr("New code, such as P-017"), tr("New code"))
        self.year = _line(tr("Year of birth"))
        self.side = choice(tr("Affected side"), [tr("no side"), tr("left"), tr("right"), tr("both")], lambda _: None)
        self.add = button(tr("Add patient"), self._add)
        self.history = make_table([tr("When"), tr("Protocol"), tr("Result"), tr("Trials")], tr("History"))
        self.history.setSelectionMode(self.history.SelectionMode.SingleSelection)
        # What does not fit into a line goes on in the next one.
        self.history.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._folders: list[str] = []
        self.open_report = button(tr("Open report"), self._open_report, hint=tr("The report of the session selected"))
        self._claimable: dict[str, int] = {}
        self.claim = button(
            "",
            self._claim,
            hint=tr("Where the catalogue was lost, or is an older one; code and year of birth agree"),
        )
        self.corrections = CorrectionCard(desk)
        self.corrections.done.connect(self._corrected)
        self.confirming = QWidget()
        self.question = QLabel()
        self.question.setStyleSheet("font-size: 20px; font-weight: 700; border: none;")
        self.question.setWordWrap(True)
        self.sure_year = _line(tr("Year of birth, said by the patient"))
        self.yes = button(tr("Yes, begin"), self._confirmed, primary=True)
        self.no = button(tr("No, choose again"), lambda: self._ask(""))
        self._asked = ""
        self._build()
        self._ask("")

    def _build(self) -> None:
        new = QWidget()
        grid = QGridLayout(new)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.code, 0, 0)
        grid.addWidget(self.year, 0, 1)
        grid.addWidget(self.side, 0, 2)
        grid.addWidget(self.add, 0, 3)
        found = QWidget()
        row = QHBoxLayout(found)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.search, 1)
        row.addWidget(self.simulated)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self.operator)
        left.addWidget(card(found, self.people, new, title=tr("Who is it?"), stretch=(0, 1, 0)), 1)
        right.addWidget(
            card(self.history, self.open_report, self.claim, title=tr("Sessions so far"), stretch=(1, 0, 0)), 1
        )
        right.addWidget(self.corrections)
        columns = QHBoxLayout()
        columns.addLayout(left, 3)
        columns.addLayout(right, 2)
        sure = QHBoxLayout(self.confirming)
        for widget, stretch in ((self.question, 3), (self.sure_year, 2), (self.yes, 0), (self.no, 0)):
            sure.addWidget(widget, stretch)
        self.confirming.setProperty("card", "true")
        self.body.addLayout(columns, 1)
        self.foot.addWidget(self.confirming)

    # -- what is shown ------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> str:
        """The code that stands in the selected row: what is shown is what is meant."""
        return selected_key(self.people)

    def enter(self) -> None:
        """Show persons; whoever is treated now is selected."""
        self.operator.setText(self.visit.operator)
        self.search.clear()
        self._fill()
        select_key(self.people, self.visit.subject)
        self._look_for_claimable()
        found = strangers(self.desk.catalogue, self.desk.data)
        if found:
            words = tr(
                "Recordings that may be of somebody else who had the code of a patient before are entered for nobody "
                "(recorded before the code was entered, or of another year of birth). Where they are the patient's, "
                "choose the patient and say so. Look at them: {paths}"
            )
            self.say(words.format(paths=", ".join(map(str, found))), "WARN")

    def _fill(self, _: str = "") -> None:
        rows = []
        for person in self.desk.catalogue.subjects(code_of(self.search.text())):
            if people.is_simulated(person):
                continue
            sessions = people.real_sessions(self.desk.catalogue, person.code)
            born = str(person.birth_year or "–")
            last = local(sessions[-1].started) if sessions else "–"
            rows.append([person.code, born, str(len(people.trainings(sessions))), last])
        fill_table(self.people, rows)
        self._show_chosen()

    def _show_chosen(self) -> None:
        code = self.chosen
        self._ask("")
        rows = history_rows(self.desk.catalogue, code) if code else []
        self._folders = [row.folder for row in rows]
        fill_table(self.history, [list(row.cells) for row in rows])
        self.open_report.setEnabled(bool(rows))
        count = self._claimable.get(code, 0)
        words = tr("They are this patient's ({count})").format(count=count)
        self.claim.setText(words)
        self.claim.setAccessibleName(words)
        self.claim.setVisible(count > 0)
        self.corrections.show_person(code)

    def _look_for_claimable(self) -> None:
        found = claimable(self.desk.catalogue, self.desk.data)
        self._claimable = {code: len(folders) for code, folders in found.items()}
        self._show_chosen()

    def _claim(self) -> None:
        """Enter for the patient chosen what was recorded under the code before it was entered."""
        if self.desk.runner.running:
            self.say(tr("A session is running. Stop it first."), "WARN")
            return
        code, planned = self.chosen, self._claimable.get(self.chosen, 0)
        entered = enter_strays(self.desk.catalogue, self.desk.data, claimed=code)
        self._fill()
        self._look_for_claimable()
        words = tr("{count} of {planned} recordings are entered for {code}.")
        whole = len(entered) >= planned
        self.say(words.format(count=len(entered), planned=planned, code=code), "GOOD" if whole else "BAD")

    def _open_report(self) -> None:
        rows = sorted({index.row() for index in self.history.selectedIndexes()}) or [0]
        if rows[0] < len(self._folders):
            self.report.emit(self._folders[rows[0]])

    # -- entering -----------------------------------------------------------------------------------------------------

    def _add(self) -> None:
        try:
            person = people.add_person(
                self.desk.catalogue,
                self.code.text(),
                birth_year=people.year_from(self.year.text()),
                affected_side=SIDES[self.side.currentIndex()],
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.search.clear()
        self._fill()
        select_key(self.people, person.code)
        self._look_for_claimable()
        self.code.clear()
        self.year.clear()
        self.side.setCurrentIndex(0)
        self.say(tr("{code} is entered.").format(code=person.code), "GOOD")

    def _corrected(self, code: str, text: str) -> None:
        """Show the list again after a correction; a visit of a person who is gone or renamed is over."""
        visit = self.visit
        if visit.subject and people.whereabouts(self.desk.catalogue, visit.subject):
            self.begun.emit(Visit(operator=self.operator.text()))
            return
        self._fill()
        select_key(self.people, code)
        self.say(text, "GOOD")

    # -- who it is ----------------------------------------------------------------------------------------------------

    def _ask(self, code: str) -> None:
        """Ask whether it is this person; "" asks nothing."""
        self._asked = code
        self.confirming.setVisible(bool(code))
        self.sure_year.clear()
        if code:
            self.question.setText(tr("Is {code} in front of you? Ask for the year of birth.").format(code=code))
            self.sure_year.setFocus()

    def go_on(self) -> None:
        """Ask who it is before a visit begins; a visit that is open goes on."""
        visit, code = self.visit, self.chosen
        if not self._operator():
            return
        if not code:
            self.say(tr("Choose a patient, or enter a new code."), "WARN")
            self.people.setFocus()
        elif code == visit.subject and visit.confirmed:
            visit.operator = self._operator()
            self.say("")
            self.done.emit()
        else:
            self.say("")
            self._ask(code)

    def _operator(self) -> str:
        name = written(self.operator.text())
        if not name:
            self.say(tr("Enter your own code first: the record says who ran the session."), "WARN")
            self.operator.setFocus()
        return name

    def _confirmed(self) -> None:
        code = self._asked
        # Whatever happened to the list meanwhile: only who is asked for and shown is taken.
        if not code or code != self.chosen:
            self._ask("")
            return
        try:
            person = self.desk.catalogue.subject(code)
            person = people.confirm(self.desk.catalogue, person, people.year_from(self.sure_year.text()))
        except ArgumentError as error:
            self.say(str(error), "BAD")
            return
        self._begin(person)

    def _simulated(self) -> None:
        if self._operator():
            self._begin(people.simulated_patient(self.desk.catalogue))

    def _begin(self, person: Subject) -> None:
        if self.desk.runner.running:
            self.say(tr("A session is running. Stop it first."), "WARN")
            return
        self.begun.emit(people.begin_visit(person, operator=self._operator(), when=now()))


def _line(name: str, short: str = "") -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(short or name)
    line.setPlaceholderText(name)
    return line
