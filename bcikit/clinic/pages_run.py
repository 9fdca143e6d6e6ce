"""What the pages share while the engine runs: calibration and session."""

import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from bcikit.clinic import protocols
from bcikit.clinic.base import Desk, Page
from bcikit.clinic.counts import Counts, counts_of
from bcikit.clinic.moved import forget_unmade
from bcikit.clinic.people import whereabouts
from bcikit.clinic.question import Question, ReasonLine
from bcikit.clinic.runner import SessionJob
from bcikit.clinic.stop_line import STOPPED, StopLine
from bcikit.clinic.strays import enter_strays
from bcikit.clinic.trouble import outdated_words
from bcikit.presentation.layout import Viewing
from bcikit.presentation.qt.view import SceneView
from bcikit.presentation.qt.window import PatientWindow
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.session_link import STALE_SECONDS
from bcikit.ui.status import UNHEARD, Status
from bcikit.ui.veil import Veil
from bcikit.ui.words import tr


class RunPage(Page):
    """What calibration and session share: the engine, the patient's window, progress, STOP.

    What is shown is what the engine says now. While it says nothing, everything is veiled and says for how long; what
    an earlier session left stands nowhere.
    """

    phase = ""

    def __init__(self, desk: Desk, title: str, hint: str, *, next_text: str = "") -> None:
        super().__init__(desk, title, hint, next_text=next_text)
        self.status = Status()
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Progress"))
        self.progress.setFormat("%v / %m")
        self.start = button(tr("Start"), self.begin, primary=True)
        self.stop = button(tr("STOP"), self.stop_now, hint=tr("Stop everything (space bar)"))
        self.stop.setProperty("stop", "true")
        self.acknowledge = button(tr("Acknowledge ..."), self._ask_reason, hint=tr("After a stop: the cause is mended"))
        self.finish = button(tr("Finish early ..."), self._ask_finish)
        self.screen_button = button(tr("Patient's window"), self.show_patient)
        for one in (self.start, self.stop, self.acknowledge, self.finish, self.screen_button):
            one.setMinimumHeight(40)
        self.stop.setMinimumWidth(150)
        self.stop_line = StopLine(desk.theme)
        self.reason = ReasonLine()
        self.reason.given.connect(self._acknowledge)
        self.sure = Question(desk.theme)
        self.veil = Veil(self, desk.theme, keep=(self.stop, self.stop_line, self.header_of_page))
        self.counts = Counts()
        self._late = self._unarmed = self._waiting = False
        self._given = ""
        self._due = 0.0
        self._shown: dict[str, dict[str, Any]] = {}

    def make_bar(self, *buttons: QWidget) -> None:
        """Put the buttons into a line that does not scroll, STOP at its end."""
        row = QHBoxLayout()
        row.setSpacing(6)
        for widget in buttons:
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.stop)
        self.bar.addLayout(row)
        self.bar.addWidget(self.stop_line)
        self.bar.addWidget(self.reason)
        self.bar.addWidget(self.sure)

    @property
    def patient(self) -> PatientWindow | None:
        """The patient's window, which calibration and session share."""
        return self.desk.patient

    @property
    def trials(self) -> int:
        """Trials of this phase that are over."""
        total = self.counts.total
        return total.learned if self.phase == "calibration" else total.trials

    # -- the engine ------------------------------------------------------------------------------------------------

    def planned_trials(self) -> int:
        """Return how many trials this phase has."""
        return protocols.trials_of(self.visit.protocol, self.visit.settings, phase=self.phase)

    def folders(self) -> list[str]:
        """Return the folders of the parts of this phase so far."""
        state = self.visit
        return state.calibrations[-1:] if self.phase == "calibration" else state.parts

    def catch_up(self, *, running: bool) -> None:
        """Count what was done while no window was there; once more when the first message shows that the line is up."""
        self.counts = counts_of(self.folders())
        self._late = running

    def begin(self) -> None:
        """Start the engine, or let it go on after a stop that was acknowledged."""
        if self.desk.runner.running:
            self.go()
        else:
            self._start_engine()

    def go(self) -> None:
        """Let the engine go on."""
        self.desk.runner.send("start", who=self.visit.operator)

    def _start_engine(self) -> None:
        visit = self.visit
        lost = whereabouts(self.desk.catalogue, visit.subject)
        if lost:
            self.say(lost, "BAD")
            return
        if visit.outdated:
            self.say(outdated_words(visit.started), "BAD")
            return
        folder = self.desk.data / f"{visit.subject}-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{self.phase}"
        number = 2
        while folder.exists():
            folder = folder.with_name(f"{folder.name.removesuffix(f'-{number - 1}')}-{number}")
            number += 1
        self.forget_session()
        try:
            config = protocols.build(
                visit,
                folder=str(folder),
                settings=self.remaining(),
                phase=self.phase,
                seed=self._seed(),
            )
            self.desk.runner.start(
                SessionJob(
                    config=config,
                    operator=visit.operator,
                    subject=visit.subject,
                    consent=visit.consent,
                    screening=visit.screening,
                    stop_tested=visit.stop_tested,
                    idle=visit.idle_now,
                )
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        visit.running, visit.running_step = self.desk.runner.handshake, self.phase
        (visit.calibrations if self.phase == "calibration" else visit.parts).append(str(folder))
        self.counts.next_part()
        self.changed.emit()
        self.say(tr("Starting ..."))
        self.show_running()

    def _seed(self) -> int:
        """Return what the order of the trials is drawn from: a new one each time, as people learn it by heart.

        The configuration keeps it. The simulated patient has the same in every visit.
        """
        visit = self.visit
        return 1 + (len(visit.calibrations) + len(visit.parts) if visit.simulated else secrets.randbelow(2**31 - 1))

    def forget_session(self) -> None:
        """Show nothing of the session before: its state, its picture, its stop."""
        self.status = Status()
        self._shown = {}
        self._given, self._due = "", 0.0
        self.stop_line.clear()
        self.reason.hide()
        self.sure.hide()

    def remaining(self) -> dict[str, Any]:
        """Return the settings of what is still to be done."""
        return dict(self.visit.settings)

    def enter(self) -> None:
        """Show where one is."""
        if not self.desk.runner.running:
            # Another protocol may have been chosen since.
            self.counts = counts_of(self.folders())
        self.progress.setRange(0, max(1, self.planned_trials()))
        self.progress.setValue(min(self.trials, self.progress.maximum()))
        self.show_running()

    def first_focus(self) -> QWidget:
        """Return the button that begins, or the one that leads on where nothing is to begin."""
        return self.start if self.start.isEnabled() else self.next_button

    def show_running(self) -> None:
        """Enable what makes sense now."""
        running, state = self.desk.runner.running, self.status.state
        again = running and state == "STANDBY"
        self.start.setEnabled(not running or again)
        self.start.setText(tr("Go on") if again or (self.can_go_on and not running) else tr("Start"))
        self.start.setAccessibleName(self.start.text())
        self.stop.setEnabled(running)
        self.finish.setEnabled(running)
        self.acknowledge.setEnabled(running and state in STOPPED)
        self.back_button.setEnabled(not running)

    @property
    def can_go_on(self) -> bool:
        """True if Start does the rest of what was begun."""
        return False

    def refresh(self) -> None:
        """Say how old is what is shown, and whether a STOP was received."""
        runner = self.desk.runner
        self.stop_line.follow(runner, self.status.state)
        self._count_down()
        age = runner.age if runner.running else 0.0
        if self._waiting and age is not None:
            self.say("")
        self._waiting = age is None
        if age is None:
            words = tr("Waiting for the headset: {seconds} s. A wireless one may need a minute.")
            self.veil.say("")
            self.say(words.format(seconds=round(runner.waited)))
        elif age > STALE_SECONDS:
            self.veil.say(tr("Nothing was heard of the engine for {seconds} s").format(seconds=round(age)))
        else:
            self.veil.say("")

    # -- stop, acknowledge, end ----------------------------------------------------------------------------------------

    def stop_now(self) -> None:
        """Stop everything that moves."""
        if self.desk.runner.running:
            # Another stop is acknowledged anew.
            self._given = ""
            self.stop_line.sent(self.desk.runner.send("stop", reason="STOP key", who=self.visit.operator))

    def _ask_reason(self) -> None:
        self.reason.ask()

    def _acknowledge(self, reason: str) -> None:
        self._given, self._due = reason, 0.0
        self.desk.runner.send("acknowledge", who=self.visit.operator, reason=reason)
        self.visit.notes.append(tr("Acknowledged: {reason}").format(reason=reason))
        self.changed.emit()

    def _count_down(self) -> None:
        """Say how long the cause must still be gone, and hand the reason on when it is."""
        if not self._due or self.status.state not in STOPPED:
            return
        left = self._due - time.monotonic()
        if left > 0:
            words = tr("Your reason is kept. The cause must be gone for {seconds} s more.")
            self.say(words.format(seconds=max(1, round(left))), "WARN")
            return
        self._due = 0.0
        if self._given:
            self.desk.runner.send("acknowledge", who=self.visit.operator, reason=self._given)

    def _ask_finish(self) -> None:
        self.sure.ask(tr("End this part before it is complete? What was done is kept."), tr("Finish"), self._finish)

    def _finish(self) -> None:
        self.desk.runner.send("finish")
        self.say(tr("Finishing ..."))

    # -- the patient's window ------------------------------------------------------------------------------------------

    def show_patient(self) -> None:
        """Open the patient's window on the second screen, or beside this one."""
        if self.desk.patient is None:
            view = Viewing(language="zh" if tr("language") == "语言" else "en")
            self.desk.patient = PatientWindow(SceneView(view=view))
            for message in self._shown.values():
                # A window that comes late shows what is shown now.
                self.desk.patient.scene.take(message)
        self.desk.patient.place("second")
        # The keyboard stays here; the space bar stops from both.
        self.window().activateWindow()
        self._note_patient(shown=True)

    def close_patient(self) -> None:
        """Close the patient's window."""
        if self.desk.patient is not None:
            self.desk.patient.close()
            self.desk.patient.deleteLater()
            self.desk.patient = None

    def _note_patient(self, *, shown: bool) -> None:
        if self.visit.patient_shown != shown:
            self.visit.patient_shown = shown
            self.changed.emit()

    def show_to_patient(self, message: dict[str, Any]) -> None:
        """Draw what the patient sees, in the patient's window."""
        if self.patient is not None:
            self.patient.scene.take(message)

    # -- what the engine says ------------------------------------------------------------------------------------------

    def take(self, message: dict[str, Any]) -> None:
        """Follow the engine."""
        kind = message.get("type")
        if self._late:
            self.catch_up(running=False)
        if kind == "snapshot":
            self.status.forget()
        elif kind not in ("result", "failed"):
            state = self.status.state
            self.status.take(message)
            if kind == "decision" and message.get("past"):
                # Its verdict names the state it was made in; that of now is told on its own.
                self.status.state = state
            if self._given and self.status.state not in ("", UNHEARD, *STOPPED):
                self._given, self._due = "", 0.0
                self.say("")
        if kind in ("show", "command", "state", "safe"):
            self._shown[str(kind)] = message
            self.show_to_patient(message)
        self.counts.take(message)
        self.progress.setValue(min(self.trials, self.progress.maximum()))
        if kind == "event" and not message.get("past"):
            self._say_refusal(message)
        elif kind == "result":
            self._over()
            self.on_result(message["values"], Path(message["folder"]))
        elif kind == "failed":
            self._over()
            self.on_failure(str(message.get("error", "")), Path(message.get("folder") or "."))
        self.show_running()

    def _say_refusal(self, message: dict[str, Any]) -> None:
        data = message.get("data") or {}
        if message.get("name") == "operator/refused":
            left = float(data.get("left") or 0.0)
            if data.get("do") == "acknowledge" and left > 0 and self._given:
                self._due = time.monotonic() + left
                self._count_down()
                return
            unarmed, self._unarmed = self._unarmed, data.get("do") == "arm"
            if data.get("do") == "start" and unarmed:
                # It only says that it is not armed; why, the refusal before said.
                return
            if data.get("do") in ("arm", "start") and self.status.state == "CALIBRATING":
                # It learns or rests first, and nothing is to be armed; what is trained after it is armed as it begins.
                return
            if data.get("do") == "arm" and left > 0:
                self.arm_again(left)
                return
            self.say(tr("Not yet: {why}").format(why=str(data.get("reason", ""))), "BAD")

    def arm_again(self, seconds: float) -> None:
        """Keep an order to arm that came before the signal was judged."""

    def _over(self) -> None:
        # The engine's last words may be lost with it; what it wrote down is not.
        written = counts_of(self.folders())
        told = self.counts.total
        if written.total.trials + written.total.learned > told.trials + told.learned:
            self.counts = written
            self.progress.setValue(min(self.trials, self.progress.maximum()))
        self.veil.say("")
        self.stop_line.clear()
        self.reason.hide()
        self.sure.hide()
        self.visit.running = ""
        self.changed.emit()

    def on_result(self, values: dict[str, Any], folder: Path) -> None:
        """Take the result of a part."""

    def on_failure(self, error: str, folder: Path) -> None:
        """Say what went wrong; what was recorded stays, and what was done of a training is entered."""
        forget_unmade(self.visit)
        self.changed.emit()
        if self.phase == "session" and not self.visit.simulated and folder.is_dir():
            enter_strays(self.desk.catalogue, self.desk.data)
        self.say(f"{error} " + tr("What was recorded is kept. Press Start to go on."), "BAD")
