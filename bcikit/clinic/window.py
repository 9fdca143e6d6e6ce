"""The clinic window: who is treated on top, the steps on the left, one page at a time, a way back from everything."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from bcikit.clinic import people, protocols
from bcikit.clinic.base import Desk, Page
from bcikit.clinic.header import Header
from bcikit.clinic.moved import follow, follow_visit
from bcikit.clinic.old_report import OldReport
from bcikit.clinic.orphans import visit_of_engine
from bcikit.clinic.page_calibration import CalibrationPage
from bcikit.clinic.page_consent import ConsentPage
from bcikit.clinic.page_device import DevicePage
from bcikit.clinic.page_electrodes import ElectrodesPage
from bcikit.clinic.page_patient import PatientPage
from bcikit.clinic.pages_protocol import ProtocolPage
from bcikit.clinic.pages_report import ReportPage
from bcikit.clinic.pages_run import RunPage
from bcikit.clinic.pages_session import SessionPage
from bcikit.clinic.privacy import STATE_FILE
from bcikit.clinic.question import Question
from bcikit.clinic.runner import SessionRunner, running_handshake
from bcikit.clinic.strays import codes_of_nobody, enter_strays
from bcikit.clinic.trouble import outdated_words, trouble_words
from bcikit.clinic.visit import STEPS, Visit
from bcikit.recording import Catalogue
from bcikit.ui.inputs import button
from bcikit.ui.theme import Theme
from bcikit.ui.words import LANGUAGES, tr

POLL_MS = 50


_KINDS: dict[str, Callable[[Desk], Page]] = {
    "patient": PatientPage,
    "consent": ConsentPage,
    "device": DevicePage,
    "electrodes": ElectrodesPage,
    "protocol": ProtocolPage,
    "calibration": CalibrationPage,
    "session": SessionPage,
    "report": ReportPage,
}


class _Pages(dict[str, Page]):
    """The pages of a visit, each made when it is first asked for: nobody waits for those that are not seen."""

    def __init__(self, make: Callable[[str], Page]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, step: str) -> Page:
        page = self[step] = self._make(step)
        return page


class ClinicWindow(QMainWindow):
    """From the patient to the report, one patient at a time.

    Everything that belongs to a patient is in one `Visit` and in pages made for it; another patient gets another visit
    and other pages, so that nothing of one can be shown, used or stored for the next.

    Parameters
    ----------
    theme : Theme
        Colours.
    catalogue : Catalogue
        Persons and sessions.
    runner : SessionRunner
        What runs sessions; it outlives the window.
    data : Path
        Where session folders and the state of the window are kept.
    redrawn : bool
        True where it takes the place of one that was open until now: colours or language have changed.
    """

    look_wanted = Signal(str, str)  # theme, language; "" leaves it

    def __init__(
        self, theme: Theme, *, catalogue: Catalogue, runner: SessionRunner, data: Path, redrawn: bool = False
    ) -> None:
        super().__init__()
        self._file = data / STATE_FILE
        self._unread = self._file.exists() and Visit.read(self._file) is None
        self.desk = Desk(Visit.load(self._file), catalogue, runner, theme, data)
        self.leaving = False
        # Handshake of an engine that was starting when this window was opened, and that may still begin.
        self.awaited = ""
        self.setWindowTitle(tr("bcikit clinic"))
        self.header = Header(theme)
        self.question = Question(theme)
        self.stack = QStackedWidget()
        self.pages = _Pages(self._make_page)
        self._labels: dict[str, QLabel] = {}
        font = self.font()
        font.setPixelSize(14)
        self.setFont(font)
        self._build()
        self._menus()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        self._resume(redrawn=redrawn)

    def _make_pages(self) -> None:
        """Have pages of this visit made; those of the visit before go with everything they hold."""
        for page in self.pages.values():
            page.leave()
            self.stack.removeWidget(page)
            page.hide()
            page.deleteLater()
        self.pages = _Pages(self._make_page)

    def _make_page(self, step: str) -> Page:
        page: Page = _KINDS[step](self.desk)
        if isinstance(page, PatientPage):
            page.begun.connect(self._ask_begin)
            page.report.connect(self._show_old_report)
        elif isinstance(page, SessionPage):
            page.catch_up(running=False)
        self.stack.addWidget(page)
        page.done.connect(self.go_on)
        page.back.connect(self.go_back)
        page.changed.connect(self.keep)
        return page

    def _build(self) -> None:
        self._names = {
            "patient": tr("Patient"),
            "consent": tr("Consent and screening"),
            "device": tr("Device"),
            "electrodes": tr("Electrodes"),
            "protocol": tr("Protocol"),
            "calibration": tr("Calibration"),
            "session": tr("Session"),
            "report": tr("Report"),
        }
        steps = QVBoxLayout()
        steps.setContentsMargins(14, 12, 8, 12)
        steps.setSpacing(2)
        for name in STEPS:
            label = QLabel()
            label.setMinimumHeight(30)
            label.setWordWrap(True)
            self._labels[name] = label
            steps.addWidget(label)
        steps.addStretch(1)
        self.anew = button(tr("End visit ..."), self.end_visit, hint=tr("Leave this patient and choose another one"))
        steps.addWidget(self.anew)
        side = QWidget()
        side.setLayout(steps)
        scroll = QScrollArea()
        scroll.setWidget(side)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFixedWidth(196)
        centre, middle = QWidget(), QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(scroll)
        row.addWidget(self.stack, 1)
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.question)
        column.addWidget(middle, 1)
        self.setCentralWidget(centre)

    def _menus(self) -> None:
        bar = self.menuBar()
        bar.setAccessibleName(tr("Menu"))
        menu = bar.addMenu(tr("&View"))
        other = "light" if self.desk.theme.name == "dark" else "dark"
        self._action(menu.addAction(tr("Change between dark and light")), "Ctrl+T", other, "")
        for code, name in LANGUAGES.items():
            self._action(menu.addAction(name), "", "", code)

    def _action(self, action: QAction, key: str, theme: str, language: str) -> None:
        if key:
            action.setShortcut(key)
        action.triggered.connect(lambda _checked=False: self.look_wanted.emit(theme, language))

    # -- visits -------------------------------------------------------------------------------------------------------

    @property
    def visit(self) -> Visit:
        """The visit that is open."""
        return self.desk.visit

    def _open(self, visit: Visit) -> None:
        """End the visit that was open and begin another one, with pages of its own; never under a running engine."""
        if self.desk.runner.running:
            self.page.say(tr("A session is running. Stop it first."), "WARN")
            return
        self._close_patient()
        self.question.hide()
        self.desk.visit = visit
        self._make_pages()
        self.show_step(visit.step)

    def _close_patient(self) -> None:
        if self.desk.patient is not None:
            self.desk.patient.close()
            self.desk.patient.deleteLater()
            self.desk.patient = None

    def _ask_begin(self, visit: Visit) -> None:
        """Begin the visit of a person who was confirmed; one that is open is only ended by who says so."""
        if visit.subject and self.visit.recorded and self.visit.step != "patient":
            return
        if not self.visit.recorded or not self.visit.subject or not visit.subject:
            self._open(visit)
            return
        self.question.ask(
            tr("The visit of {code} is open. End it and begin that of {other}?").format(
                code=self.visit.subject, other=visit.subject
            ),
            tr("End it"),
            lambda: self._open(visit),
        )

    def end_visit(self) -> None:
        """Ask whether the visit is over; one whose engine runs must be stopped first."""
        if self.desk.runner.running:
            self.page.say(tr("A session is running. Stop it first."), "WARN")
            return
        if not self.visit.subject:
            self._fresh()
            return
        self.question.ask(
            tr("End the visit of {code}? What was recorded is kept.").format(code=self.visit.subject),
            tr("End visit"),
            self._fresh,
        )

    def _fresh(self) -> None:
        self._open(Visit(operator=self.visit.operator))

    def _resume(self, *, redrawn: bool = False) -> None:
        """Go back to where one was; take up a session that went on without the window."""
        visit = self.visit
        runner = self.desk.runner
        # One that this program started needs no handshake, which an engine writes seconds after its start.
        running = bool(visit.running) and (visit.running == runner.handshake or runner.attach(visit.running))
        found = None if running else visit_of_engine(self.desk.data, visit)
        if found is not None:
            visit = self.desk.visit = found
            running = runner.attach(visit.running)
        running = running or runner.running
        lost = people.whereabouts(self.desk.catalogue, visit.subject) if visit.subject else ""
        if lost and not running:
            # One that runs is kept in hand: somebody must be able to stop it.
            visit = self.desk.visit = Visit(operator=visit.operator)
        if not running:
            follow(self.desk.catalogue, self.desk.data)
            # An engine that another program started may not have made its folder yet.
            started = visit.calibrations if visit.running_step == "calibration" else visit.parts
            follow_visit(visit, self.desk.data, starting=started[-1] if visit.running and started else "")
            self.awaited = "" if Path(visit.running).exists() else visit.running
            visit.running = ""
            # What a power cut ended is part of the history, too.
            enter_strays(self.desk.catalogue, self.desk.data)
        self._make_pages()
        page = self.running_page if running else None
        if isinstance(page, RunPage):
            page.catch_up(running=True)
        self.show_step(visit.step)
        if running:
            if visit.patient_shown and isinstance(page, RunPage):
                page.show_patient()
            if not redrawn:
                visit.reopened += 1
                self.keep()
                self.page.say(tr("The session went on while this window was closed."), "GOOD")
        elif codes := codes_of_nobody(self.desk.catalogue, self.desk.data):
            words = tr(
                "The catalogue holds nobody, but recordings of {codes} lie here. Is it the right one (--catalogue)? "
                "Where it was lost, bring it back from a backup before you enter anybody."
            )
            self.page.say(words.format(codes=", ".join(codes[:5]) + (" ..." if len(codes) > 5 else "")), "WARN")
        elif lost:
            self.page.say(lost, "WARN")
        elif self._unread:
            words = tr("Where the last visit was cannot be read any more ({path}). What was recorded is kept.")
            self.page.say(words.format(path=self._file), "WARN")
        elif visit.under_way and visit.outdated:
            self.page.say(outdated_words(visit.started), "WARN")
        elif visit.under_way:
            self.page.say(tr("Welcome back: this is where you were, with {code}.").format(code=visit.subject), "WARN")

    # -- steps --------------------------------------------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages[self.visit.step]

    def show_step(self, step: str) -> None:
        """Bring a step to the front."""
        old = self.stack.currentWidget()
        if isinstance(old, Page):
            old.leave()
        lost = people.whereabouts(self.desk.catalogue, self.visit.subject) if self.visit.subject else ""
        if lost and not self.desk.runner.running:
            # Somebody else corrected or erased the entry; nothing more is measured or written under a code of nobody.
            self._fresh()
            self.page.say(lost, "WARN")
            return
        self.question.hide()
        self.visit.step = step
        self.keep()
        page = self.pages[step]
        self.stack.setCurrentWidget(page)
        page.enter()
        page.first_focus().setFocus()
        theme = self.desk.theme
        reached, taken = STEPS.index(step), self._steps()
        for index, (name, label) in enumerate(self._labels.items()):
            here = name == step
            colour = theme.accent if here else theme.text if index < reached else theme.dim
            label.setStyleSheet(f"color: {colour}; font-size: 14px; font-weight: {700 if here else 400};")
            done = "–" if name not in taken else "✓" if index < reached else "›" if here else str(index + 1)
            label.setText(f"{done} {self._names[name]}")
        self.anew.setEnabled(bool(self.visit.subject))
        self.header.show_visit(self.visit)

    def go_on(self) -> None:
        """One step on; after the report the visit is over."""
        steps = self._steps()
        index = steps.index(self.visit.step)
        if index + 1 < len(steps):
            self.show_step(steps[index + 1])
        else:
            self._fresh()

    def go_back(self) -> None:
        """One step back."""
        steps = self._steps()
        self.show_step(steps[max(0, steps.index(self.visit.step) - 1)])

    def _steps(self) -> list[str]:
        """Return the steps that the protocol needs: what is not learned is not calibrated."""
        known = bool(self.visit.model_note) or not protocols.learns(self.visit.protocol)
        skipped = self.visit.step != "calibration" and known
        return [step for step in STEPS if not (skipped and step == "calibration")]

    def _show_old_report(self, folder: str) -> None:
        if not Path(folder).is_dir():
            # A report of nothing would read as a session in which nothing was done.
            words = tr(
                "The folder of this session is not there: {path}. Connect the disk it lies on, or bring it back."
            )
            self.page.say(words.format(path=folder), "BAD")
            return
        known = {entry.path: entry for entry in self.desk.catalogue.sessions()}
        entry = known.get(folder)
        patient = self.pages["patient"]
        assert isinstance(patient, PatientPage)
        dialog = OldReport(self, self.desk, Path(folder), patient.chosen, entry.paradigm if entry else "")
        self.old_report = dialog
        dialog.show()

    def keep(self) -> None:
        """Keep where one is; a disk that does not take it is told, and the work goes on."""
        try:
            self.visit.save(self._file)
        except OSError as error:
            self.page.say(trouble_words(error), "BAD")

    # -- the engine ------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what the engine says to the page that started it."""
        if not self.desk.runner.running:
            # Also after another one, which found the headset busy.
            if not (self.awaited and Path(self.awaited).is_file()):
                return
            begun, self.awaited = Path(self.awaited), ""
            if running_handshake(begun) is None:
                # It failed meanwhile; what it recorded counts, and the page that is shown goes on.
                enter_strays(self.desk.catalogue, self.desk.data)
                return
            # An engine that was starting when this window was opened has begun: somebody must be able to stop it.
            self._resume()
            if not self.desk.runner.running:
                return
        # What was asked before the engine began does not hold for what runs now.
        self.question.hide()
        handshake = self.desk.runner.handshake
        if handshake != self.visit.running:
            self.visit.running = handshake
            self.keep()
        page = self.running_page
        for message in self.desk.runner.poll():
            page.take(message)
        page.refresh()

    @property
    def running_page(self) -> Page:
        """The page of the calibration or session that runs."""
        return self.pages[self.visit.running_step or "session"]

    def stop(self) -> None:
        """Stop everything that moves, and the current that is being found."""
        if isinstance(self.page, ProtocolPage):
            self.page.current.let_go()
        page = self.running_page if self.desk.runner.running else None
        if isinstance(page, RunPage):
            page.stop_now()

    def space_stops(self) -> bool:
        """Return whether the space bar means STOP now."""
        page = self.page
        return self.desk.runner.running or (isinstance(page, ProtocolPage) and page.current.connected)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep where one is; a session that runs goes on without the window."""
        self._timer.stop()
        self.keep()
        self.page.leave()
        self._close_patient()
        if not self.leaving:
            self.desk.runner.detach()
            self.desk.catalogue.close()
        super().closeEvent(event)
