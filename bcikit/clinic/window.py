"""The clinic window: the steps on the left, one page at a time, and a way back from everything."""

from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from bcikit.clinic import protocols
from bcikit.clinic.base import Desk, Page
from bcikit.clinic.pages_before import ConsentPage, PatientPage
from bcikit.clinic.pages_device import DevicePage, ElectrodesPage
from bcikit.clinic.pages_protocol import ProtocolPage
from bcikit.clinic.pages_report import ReportPage
from bcikit.clinic.pages_run import CalibrationPage, RunPage
from bcikit.clinic.pages_session import SessionPage
from bcikit.clinic.runner import SessionRunner
from bcikit.clinic.state import STEPS, ClinicState
from bcikit.recording import Catalogue
from bcikit.ui.inputs import button
from bcikit.ui.theme import Theme
from bcikit.ui.words import LANGUAGES, tr

POLL_MS = 50


class ClinicWindow(QMainWindow):
    """From the patient to the report.

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
    """

    look_wanted = Signal(str, str)  # theme, language; "" leaves it

    def __init__(self, theme: Theme, *, catalogue: Catalogue, runner: SessionRunner, data: Path) -> None:
        super().__init__()
        self._file = data / "clinic-state.json"
        self.desk = Desk(ClinicState.load(self._file), catalogue, runner, theme, data)
        self.leaving = False
        self.setWindowTitle(tr("bcikit clinic"))
        self.stack = QStackedWidget()
        self.pages: dict[str, Page] = {}
        self._labels: dict[str, QLabel] = {}
        font = self.font()
        font.setPixelSize(14)
        self.setFont(font)
        self._make_pages()
        self._build()
        self._menus()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        self._resume()

    def _make_pages(self) -> None:
        desk = self.desk
        for name, page in (
            ("patient", PatientPage(desk)),
            ("consent", ConsentPage(desk)),
            ("device", DevicePage(desk)),
            ("electrodes", ElectrodesPage(desk)),
            ("protocol", ProtocolPage(desk)),
            ("calibration", CalibrationPage(desk)),
            ("session", SessionPage(desk)),
            ("report", ReportPage(desk)),
        ):
            self.pages[name] = page
            self.stack.addWidget(page)
            page.done.connect(self.go_on)
            page.back.connect(self.go_back)
            page.changed.connect(self.keep)

    def _build(self) -> None:
        names = {
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
        steps.setContentsMargins(14, 18, 8, 14)
        steps.setSpacing(4)
        self.who = QLabel()
        self.who.setWordWrap(True)
        self.who.setAccessibleName(tr("Patient and therapist"))
        steps.addWidget(self.who)
        for number, name in enumerate(STEPS, start=1):
            label = QLabel(f"{number}  {names[name]}")
            label.setMinimumHeight(34)
            self._labels[name] = label
            steps.addWidget(label)
        steps.addStretch(1)
        self.anew = button(tr("Begin anew"), self.begin_anew, hint=tr("Leave this session and choose a patient"))
        steps.addWidget(self.anew)
        side = QWidget()
        side.setLayout(steps)
        side.setFixedWidth(212)
        centre = QWidget()
        row = QHBoxLayout(centre)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(side)
        row.addWidget(self.stack, 1)
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

    # -- steps -----------------------------------------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages[self.desk.state.step]

    def _resume(self) -> None:
        """Go back to where one was; take up a session that went on without the window."""
        state = self.desk.state
        back = state.under_way
        if state.subject and not any(p.code == state.subject for p in self.desk.catalogue.subjects(state.subject)):
            self.desk.forget()
            state, back = self.desk.state, False
        running = bool(state.running) and self.desk.runner.attach(state.running)
        if not running:
            state.running = ""
        page = self.running_page if running else self.pages["session"]
        if isinstance(page, RunPage):
            page.catch_up(running=running)
        self.show_step(state.step)
        if running:
            state.reopened += 1
            self.keep()
            if state.patient_shown and isinstance(page, RunPage):
                page.show_patient()
            self.page.say(tr("The session went on while this window was closed."), "GOOD")
        elif back:
            self.page.say(tr("Welcome back: this is where you were."), "GOOD")

    def show_step(self, step: str) -> None:
        """Bring a step to the front."""
        old = self.stack.currentWidget()
        if isinstance(old, Page):
            old.leave()
        self.desk.state.step = step
        self.keep()
        self.stack.setCurrentWidget(self.pages[step])
        self.pages[step].enter()
        self.pages[step].next_button.setFocus()
        theme = self.desk.theme
        reached = STEPS.index(step)
        for index, (name, label) in enumerate(self._labels.items()):
            here = name == step
            colour = theme.accent if here else theme.text if index < reached else theme.dim
            label.setStyleSheet(f"color: {colour}; font-size: 14px; font-weight: {700 if here else 400};")
            done = "✓ " if index < reached else "› " if here else f"{index + 1} "
            label.setText(done + label.text().lstrip("✓›12345678 "))
        state = self.desk.state
        who = f"{state.subject or '–'}\n{tr('Therapist')}: {state.operator or '–'}" if reached else ""
        self.who.setText(who)

    def go_on(self) -> None:
        """One step on; after the report a new session begins."""
        steps = self._steps()
        index = steps.index(self.desk.state.step)
        if index + 1 < len(steps):
            self.show_step(steps[index + 1])
        else:
            self._fresh()

    def go_back(self) -> None:
        """One step back."""
        steps = self._steps()
        self.show_step(steps[max(0, steps.index(self.desk.state.step) - 1)])

    def _steps(self) -> list[str]:
        """Return the steps that the protocol needs: what is not learned is not calibrated."""
        state = self.desk.state
        skipped = state.step != "calibration" and not protocols.learns(state.protocol)
        return [step for step in STEPS if not (skipped and step == "calibration")]

    def begin_anew(self) -> None:
        """Leave this session; one that runs must be stopped first."""
        if self.desk.runner.running:
            self.page.say(tr("A session is running. Stop it first."), "WARN")
            return
        self._fresh()

    def _fresh(self) -> None:
        page = self.running_page
        if isinstance(page, RunPage):
            page.close_patient()
        self.desk.forget()
        session, calibration = self.pages["session"], self.pages["calibration"]
        if isinstance(session, SessionPage) and isinstance(calibration, CalibrationPage):
            session.reset()
            calibration.reset()
        for page in self.pages.values():
            page.say("")
        self.show_step("patient")

    def keep(self) -> None:
        """Keep where one is."""
        self.desk.state.save(self._file)

    # -- the engine ------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what the engine says to the page that started it."""
        if not self.desk.runner.running:
            return
        handshake = self.desk.runner.handshake
        if handshake != self.desk.state.running:
            self.desk.state.running = handshake
            self.keep()
        page = self.running_page
        for message in self.desk.runner.poll():
            page.take(message)
        page.refresh()

    @property
    def running_page(self) -> Page:
        """The page of the calibration or session that runs."""
        return self.pages[self.desk.state.running_step or "session"]

    def stop(self) -> None:
        """Stop everything that moves."""
        page = self.running_page
        if isinstance(page, RunPage):
            page.stop_now()

    def space_stops(self) -> bool:
        """Return whether the space bar means STOP now."""
        return self.desk.runner.running

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep where one is; a session that runs goes on without the window."""
        self._timer.stop()
        self.keep()
        self.page.leave()
        page = self.running_page
        if isinstance(page, RunPage):
            page.close_patient()
        if not self.leaving:
            self.desk.runner.detach()
            self.desk.catalogue.close()
        super().closeEvent(event)
