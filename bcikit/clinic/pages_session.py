"""The page of the training itself."""

import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSlider, QVBoxLayout

from bcikit.clinic import protocols, wording
from bcikit.clinic.arms import is_blind, keep_delays
from bcikit.clinic.base import Desk, card
from bcikit.clinic.checks import ArmingChecks
from bcikit.clinic.pages_run import RunPage
from bcikit.clinic.people import VISIT, allocation_of, whereabouts
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.stop_line import STOPPED
from bcikit.clinic.strays import enter_strays, results_of
from bcikit.clinic.times import now
from bcikit.decoding import accuracy_interval
from bcikit.presentation.layout import Viewing
from bcikit.presentation.qt.view import SceneView
from bcikit.signal import BciError
from bcikit.ui.bars import DecisionBars
from bcikit.ui.happenings import said_of
from bcikit.ui.inputs import button
from bcikit.ui.rules import state_text
from bcikit.ui.strip import StatusStrip
from bcikit.ui.words import tr

CHECKED = 6
"""Trials after which a model of another day is held against what was asked for."""
HOLDS = 4
"""So many of them right, or it is to be calibrated; who guesses between two has as many in a third of all cases."""


class SessionPage(RunPage):
    """The training: start, pause, stop, notes, difficulty, dose, live accuracy."""

    phase = "session"

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Session"),
            tr("Start when the patient is ready. The space bar stops everything at once."),
            next_text=tr("To the report"),
        )
        # Where only the engine told of the visit, nobody else says that it is blinded.
        self.visit.trial = allocation_of(desk.catalogue, self.visit)
        self.strip = StatusStrip(desk.theme)
        self.strip.stop.setVisible(False)
        # What the patient sees, so that both speak of the same hand.
        self.picture = SceneView(copy=True, view=Viewing(language="zh" if tr("language") == "语言" else "en"))
        self.picture.setAccessibleName(tr("What the patient sees"))
        self.picture.setMinimumHeight(150)
        self.bars = DecisionBars(desk.theme)
        self.bars.setMinimumHeight(70)
        self.checks = ArmingChecks(self.visit, desk.runner)
        self.pause = button(tr("Pause"), self._pause, checkable=True)
        self.pause.setMinimumHeight(40)
        self.state = QLabel("")
        self.state.setWordWrap(True)
        self.state.setStyleSheet("font-size: 15px; border: none;")
        self.state.setAccessibleName(tr("What happens"))
        self.accuracy = QLabel("–")
        self.accuracy.setStyleSheet("font-size: 15px; border: none;")
        self.accuracy.setAccessibleName(tr("Accuracy so far"))
        self.dose = QLabel("–")
        self.dose.setStyleSheet("font-size: 15px; border: none;")
        self.dose.setAccessibleName(tr("Dose so far"))
        self.note = QLineEdit()
        self.note.setAccessibleName(tr("Note"))
        self.note.setPlaceholderText(tr("Note, then Return"))
        self.note.returnPressed.connect(self._note)
        self.difficulty = QSlider(Qt.Orientation.Horizontal)
        self.difficulty.setRange(60, 90)
        self.difficulty.setSingleStep(5)
        self.difficulty.setPageStep(5)
        self.difficulty.setValue(70)
        self.difficulty.setAccessibleName(tr("Difficulty"))
        self.difficulty_label = QLabel()
        self.difficulty_label.setStyleSheet("border: none;")
        self.difficulty.valueChanged.connect(self._difficulty)
        self._show_difficulty(70)
        self._build()
        self.ended = ""
        self._stale = self._break = False
        # Only who pressed Start in this window lets it arm; one that comes late arms nothing by itself.
        self._wants_arm = False
        self._ordered = False
        self._guesses = ""
        self._taken = 0.0
        self._told_again = False
        self._arms_at = 0.0
        self._sure: deque[float] = deque(maxlen=400)
        self._still = 0

    def _build(self) -> None:
        self.make_bar(self.start, self.pause, self.acknowledge, self.finish, self.screen_button)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(card(self.picture, stretch=(1,)), 3)
        self.bars_card = card(self.bars, stretch=(1,))
        left.addWidget(self.bars_card, 1)
        self.checks_card = card(self.checks, title=tr("Before anything is armed"))
        right.addWidget(self.checks_card)
        right.addWidget(card(self.state, title=tr("What happens")), 2)
        right.addWidget(card(self.progress, self.accuracy, self.dose, title=tr("So far")))
        self.difficulty_card = card(self.difficulty_label, self.difficulty)
        right.addWidget(self.difficulty_card)
        right.addWidget(card(self.note, title=tr("Notes")))
        columns = QHBoxLayout()
        columns.addLayout(left, 3)
        columns.addLayout(right, 2)
        self.body.addWidget(self.strip)
        self.body.addLayout(columns, 1)

    @property
    def can_go_on(self) -> bool:
        """True if there are trials left of a training that was begun."""
        return 0 < self.trials < self.planned_trials()

    def enter(self) -> None:
        """Show where one is, with the controls that the protocol has."""
        super().enter()
        settings = self.visit.settings
        kind = protocols.kind_of(self.visit.protocol)
        self.difficulty_card.setVisible(kind == "rehabilitation")
        self.checks.enter()
        self.checks_card.setVisible(self.real or bool(self.checks.undone))
        self.bars_card.setVisible(not is_blind(self.visit.trial))
        self.strip.confidence.setVisible(not is_blind(self.visit.trial))
        chosen = round(100 * float(settings.get("threshold", 0.7)))
        # Where something touches the patient nothing is made easier than what the idle test was made with.
        self.difficulty.setRange(chosen if self.real else 60, 90)
        self._taken = self.visit.difficulty
        self._set_difficulty(round(100 * self.visit.difficulty) or chosen)
        self._show()

    def _set_difficulty(self, percent: int) -> None:
        """Show a difficulty that nobody orders now."""
        self.difficulty.blockSignals(True)
        self.difficulty.setValue(percent)
        self.difficulty.blockSignals(False)
        self._show_difficulty(percent)

    def remaining(self) -> dict[str, Any]:
        """Return settings with the trials that are left and the difficulty of now: what was cut off goes on."""
        state = self.visit
        chosen = protocols.remaining(state.protocol, state.settings, done=self.trials)
        return {**chosen, "threshold": state.difficulty} if state.difficulty else chosen

    @property
    def real(self) -> bool:
        """True where something touches the patient: then a person arms it, once everything is there."""
        return protocols.profile_of(self.visit) in protocols.TOUCH

    def forget_session(self) -> None:
        """Show nothing of the session before."""
        super().forget_session()
        self.checks.end_rest()
        self.ended = self._guesses = ""
        self._break = False
        self._arms_at = 0.0
        self._sure.clear()
        self._still = 0
        self.picture.blank(blanked=False)
        self._show()

    def begin(self) -> None:
        """Start, or go on after a stop or a pause."""
        self._wants_arm = not (self.desk.runner.running or self.real or self.checks.missing)
        super().begin()
        self._show_pause(paused=False)

    def go(self) -> None:
        """Arm, and go on; out of a pause, too.

        Where something touches the patient that is two steps: this order, and the switch that is held from then on.
        """
        if self.checks.missing:
            undone = self.checks.undone
            self._wants_arm = not undone
            if undone:
                self.say(tr("Not yet: {why}").format(why=", ".join(undone)), "WARN")
            else:
                self.say(tr("Ready. It begins when you hold the dead-man switch, and stops when you let go."), "WARN")
            return
        who = self.visit.operator
        if self.pause.isChecked():
            self.desk.runner.send("resume")
        self.desk.runner.send("arm", who=who)
        self.desk.runner.send("start", who=who)
        self._wants_arm, self._ordered = False, True

    def show_running(self) -> None:
        """Enable what makes sense now."""
        super().show_running()
        running = self.desk.runner.running
        self.pause.setEnabled(running and self.status.state not in ("SAFE_STOP", "ESTOP", "FATAL"))
        self.next_button.setEnabled(not running)

    def take(self, message: dict[str, Any]) -> None:
        """Follow the engine."""
        before = self.status.state
        super().take(message)
        kind, past = message.get("type"), bool(message.get("past"))
        if self.checks.wanted:
            self.checks.take(message, self.status.state)
            # Room for the rest, where nothing is held.
            self.checks_card.setVisible(self.real or bool(self.checks.undone))
        if kind == "command" and not self.visit.first_movement:
            self.visit.first_movement = now()
        if kind == "decision":
            self._sure.append(max((message.get("decision") or {}).get("probabilities") or [0.0]))
        if self.status.state == "CALIBRATING" and before != "CALIBRATING":
            # Armed it is once it has learned: that it was not before is no trouble.
            self.say("")
        if kind == "model" and message.get("guesses"):
            self._guesses = tr("What was learned is no better than guessing. Finish early and learn again.")
            self.say(self._guesses, "BAD")
            if self._guesses not in self.visit.notes:
                self.visit.notes.append(self._guesses)
        if self.status.state == "ACTIVE" and before != "ACTIVE":
            self.say(self._guesses, "BAD")
            # A power cut leaves no time to write down whose training it was, and with what.
            with suppress(OSError):
                TrainingRecord.of_visit(self.visit).save()
        if self.status.state in STOPPED:
            self._wants_arm = False
        if self.status.state not in ("", "STANDBY"):
            self._ordered = False
        if kind == "snapshot":
            # What follows tells it anew.
            self._sure.clear()
            self._still = 0
            # An answer to an order to make it easier may be in there, and it may never have been heard.
            self._told_again = True
            self._keep_taken()
        if kind == "state" and past:
            self._take_pause(paused=self.status.paused)
        if kind not in ("result", "failed") and not past:
            self._arm_when_ready()
        if kind == "event":
            self._take_event(message)
        self._stale = True

    def _take_pause(self, *, paused: bool) -> None:
        """Show whether somebody paused, which takes back what was ordered before it."""
        if paused and not self.pause.isChecked():
            self._wants_arm = self._ordered = False
        self._show_pause(paused=paused)

    def arm_again(self, seconds: float) -> None:
        """Keep an order to arm that came before the signal was judged: nobody has to give it twice."""
        if not self._ordered:
            # Another window gave it, or somebody has paused since.
            return
        self._wants_arm, self._arms_at = True, time.monotonic() + seconds
        self.say(tr("The signal is looked at first."))

    def _arm_when_ready(self) -> None:
        """Arm what the therapist ordered, once the engine is heard and, where it is asked for, the switch is held."""
        ready = self._wants_arm and self.status.state == "STANDBY" and time.monotonic() >= self._arms_at
        if ready and not (self.checks.missing or (self.real and self._break)):
            self.go()

    def _check_model(self) -> None:
        """Say after the first trials whether a model of another day holds today."""
        total = self.counts.total
        if is_blind(self.visit.trial):
            return
        if self.visit.model_note and self.visit.recentre and total.answered == CHECKED:
            words = tr("The model of another day: {right} of the first {n} trials right today.").format(
                right=total.correct, n=CHECKED
            )
            holds = total.correct >= HOLDS
            advice = "" if holds else " " + tr("It does not hold: finish early and calibrate.")
            self.say(words + advice, "GOOD" if holds else "BAD")
            if words not in self.visit.notes:
                self.visit.notes.append(words)

    def _take_event(self, message: dict[str, Any]) -> None:
        data, past = message.get("data") or {}, bool(message.get("past"))
        if message.get("name") == "feedback/result":
            self._check_model()
        said = said_of(str(message.get("name")), data)
        if said is not None:
            self.say(said.text, said.level)
        if message.get("name") == "trial/end" and not data.get("interrupted"):
            self._still = 0 if self.counts.moved_in(int(data.get("trial", -1))) else self._still + 1
        if message.get("name") == "therapist/difficulty":
            self._taken = float(data.get("threshold") or self._taken)
            if self._told_again:
                self._keep_taken()
        elif message.get("name") == "operator/refused" and data.get("do") == "difficulty":
            self._taken = float(data.get("threshold") or self._taken)
            if self._told_again or not past:
                self._keep_taken()
        if message.get("name") == "operator/pause" and not past:
            # To arm takes the pause back: an order from before it is none any more.
            self._wants_arm = self._ordered = False
        if message.get("name") in ("operator/pause", "operator/resume") and not past:
            self._show_pause(paused=message["name"] == "operator/pause")
        runs = data.get("kind") not in ("break", "baseline")
        if message.get("name") == "block/start":
            self._break = not runs
            if runs and not past and self.status.state == "STANDBY" and not self._wants_arm:
                # The gate was shut for the pause between runs.
                self.go()

    def _keep_taken(self) -> None:
        """Show and keep the difficulty that the engine goes on with."""
        if self.visit.difficulty != self._taken:
            self.visit.difficulty = self._taken
            self.changed.emit()
        self._set_difficulty(round(100 * (self._taken or float(self.visit.settings.get("threshold", 0.7)))))

    def refresh(self) -> None:
        """Show what came since the last time, and how old it is."""
        super().refresh()
        if self.real:
            self.checks.tick()
        self._arm_when_ready()
        if self._stale:
            self._stale = False
            self._show()

    def _show(self) -> None:
        status = self.status
        self.difficulty.setEnabled(not self.checks.resting)
        self.strip.refresh(status, age=status.health.get("age"), loss=None)
        why, advice = wording.why(status)
        state, todo = state_text(status.state if self.desk.runner.running else "FINISHED" if self.ended else "")
        if self._break and status.state == "STANDBY" and not (self.real or self.pause.isChecked()):
            why, advice = "", tr("The patient rests; it goes on by itself")
        lines = list(dict.fromkeys(part for part in (state, why, advice or todo) if part))
        adjustable = protocols.kind_of(self.visit.protocol) == "rehabilitation"
        propose = wording.proposal(self._still, list(self._sure), status.threshold(), adjustable=adjustable)
        self.state.setText("\n".join([*lines, propose] if propose else lines))
        allowed = bool(status.verdict.get("allowed")) if status.verdict else None
        self.bars.threshold = status.threshold()
        said = wording.spoken(status.decision)
        self.bars.show_decision(said, allowed=allowed and not why, verdict=why or tr("It moves"))
        total = self.counts.total
        if is_blind(self.visit.trial):
            # Who sees what the decoder says beside what moved knows the arm.
            self.state.setText(state)
            self.accuracy.setText(tr("Sealed: the trial is blinded."))
            words = tr("{minutes:.1f} minutes, {trials} trials")
            self.dose.setText(words.format(minutes=total.seconds / 60, trials=total.trials))
            return
        if status.state == "CALIBRATING" and not total.trials:
            # What learns in its own session (letters) would stand at 0 for minutes.
            visit = self.visit
            own = not protocols.learns(visit.protocol)
            planned = protocols.trials_of(visit.protocol, visit.settings, phase="calibration") if own else 0
            words = tr("It learns first: {done} of {planned}")
            self.accuracy.setText(words.format(done=total.learned, planned=planned) if planned else "–")
        elif total.answered:
            low, high = accuracy_interval(total.correct, total.answered)
            self.accuracy.setText(
                tr("{moved} of {n} trials moved something, {right} of them the right way").format(
                    moved=total.moved, n=total.trials, right=total.moved_right
                )
                + "\n"
                + tr("Decoded rightly, moved or not: {percent:.0f} % (95 % interval {low:.0f} to {high:.0f} %)").format(
                    percent=100 * total.correct / total.answered, low=100 * low, high=100 * high
                )
            )
        else:
            self.accuracy.setText(tr("{count} rewards").format(count=total.rewards) if total.rewards else "–")
        self.dose.setText(
            tr("{minutes:.1f} minutes, {trials} trials, {movements} movements").format(
                minutes=total.seconds / 60, trials=total.trials, movements=total.moved
            )
        )

    def _over(self) -> None:
        super()._over()
        self.checks.end_rest()

    def on_result(self, values: dict[str, Any], folder: Path) -> None:
        """Enter the part into the catalogue."""
        self.ended = str(values.get("ended", ""))
        unwritten = ""
        try:
            TrainingRecord.of_visit(self.visit).save()
        except OSError as error:
            # History, plan and delays have it all the same; a note of it would stay where the report does write it.
            unwritten = " " + tr("Not written beside the training: {why}. The report tries it again.").format(why=error)
        try:
            keep_delays(self.visit, (values.get("details") or {}).get("assist_delays") or ())
        except (BciError, OSError) as error:
            self.visit.notes.append(str(error))
        if not self.visit.simulated:
            results, seconds = results_of(folder)
            try:
                self.desk.catalogue.add_session(
                    self.visit.subject,
                    folder,
                    paradigm=self.visit.protocol,
                    results={**results, VISIT: self.visit.started},
                    seconds=seconds,
                    notes="\n".join(self.visit.notes),
                )
            except BciError as error:
                # Where the code was corrected meanwhile it is entered under the one of now.
                enter_strays(self.desk.catalogue, self.desk.data)
                self.say((whereabouts(self.desk.catalogue, self.visit.subject) or str(error)) + unwritten, "BAD")
                return
        planned = self.planned_trials()
        if self.ended == "finished":
            words = tr("The session is complete.")
            if self.trials > planned > 0:
                words += " " + tr("{trials} trials; {planned} were planned.").format(
                    trials=self.trials, planned=planned
                )
            self.say(words + unwritten, "BAD" if unwritten else "GOOD")
            self.next_button.setFocus()
        else:
            words = tr("The session was cut off: {why}. Press Go on for the rest, or go to the report.").format(
                why=self.ended
            )
            rest = protocols.trials_of(self.visit.protocol, self.remaining())
            if self.can_go_on and self.trials + rest > planned:
                more = tr("The rest is {rest} trials, {planned} in all were planned: runs are alike.")
                words += " " + more.format(rest=rest, planned=planned)
            self.say(words + unwritten, "BAD" if unwritten else "WARN")

    def show_to_patient(self, message: dict[str, Any]) -> None:
        """Draw what the patient sees, here and in the patient's window."""
        super().show_to_patient(message)
        self.picture.take(message)

    def _pause(self) -> None:
        if self.pause.isChecked():
            self._wants_arm = self._ordered = False
            self.desk.runner.send("pause")
        else:
            self.pause.setChecked(True)
            self.go()
        self._show_pause(paused=self.pause.isChecked())

    def _show_pause(self, *, paused: bool) -> None:
        self.pause.setChecked(paused)
        self.pause.setText(tr("Resume") if paused else tr("Pause"))
        self.pause.setAccessibleName(self.pause.text())

    def _note(self) -> None:
        text = self.note.text().strip()
        if text:
            self.visit.notes.append(text)
            self.desk.runner.send("note", text=text)
            self.note.clear()
            self.say(tr("Noted."), "GOOD")
            self.changed.emit()

    def _show_difficulty(self, value: int) -> None:
        self.difficulty_label.setText(tr("Difficulty: {percent} % sure").format(percent=value))

    def _difficulty(self, value: int) -> None:
        self._show_difficulty(value)
        self.visit.difficulty = value / 100
        self._told_again = False
        if not self.desk.runner.running:
            self._taken = self.visit.difficulty
        self.desk.runner.send("difficulty", value=value / 100)
        self.changed.emit()

    def go_on(self) -> None:
        """Go to the report."""
        self.close_patient()
        self._note_patient(shown=False)
        self.done.emit()
