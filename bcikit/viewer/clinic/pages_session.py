"""The page of the training itself."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSlider, QVBoxLayout

from bcikit.decoding import accuracy_interval
from bcikit.signal import BciError
from bcikit.viewer.bars import DecisionBars
from bcikit.viewer.clinic import protocols
from bcikit.viewer.clinic.base import Desk, card
from bcikit.viewer.clinic.pages_run import RunPage
from bcikit.viewer.hand import HandView
from bcikit.viewer.inputs import button
from bcikit.viewer.rules import state_text, why_nothing_moves
from bcikit.viewer.strip import StatusStrip
from bcikit.viewer.words import tr


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
        self.strip = StatusStrip(desk.theme)
        self.strip.stop.setVisible(False)
        self.hand = HandView(desk.theme)
        self.bars = DecisionBars(desk.theme)
        self.pause = button(tr("Pause"), self._pause, checkable=True)
        self.acknowledge = button(tr("Acknowledge"), self._acknowledge, hint=tr("After a stop: the cause is mended"))
        self.finish = button(tr("Finish early"), self._finish)
        for one in (self.pause, self.acknowledge, self.finish):
            one.setMinimumHeight(40)
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
        self.reset()

    def _build(self) -> None:
        row = QHBoxLayout()
        for widget in (self.start, self.pause, self.acknowledge, self.finish, self.screen_button):
            row.addWidget(widget)
        row.addStretch(1)
        self.stop.setMinimumWidth(150)
        row.addWidget(self.stop)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(card(self.hand, stretch=(1,)), 3)
        left.addWidget(card(self.bars, stretch=(1,)), 1)
        right.addWidget(card(self.state, title=tr("What happens")), 2)
        right.addWidget(card(self.progress, self.accuracy, self.dose, title=tr("So far")))
        right.addWidget(card(self.difficulty_label, self.difficulty))
        right.addWidget(card(self.note, title=tr("Notes")))
        columns = QHBoxLayout()
        columns.addLayout(left, 3)
        columns.addLayout(right, 2)
        self.body.addWidget(self.strip)
        self.body.addLayout(row)
        self.body.addLayout(columns, 1)

    def reset(self) -> None:
        """Begin to count anew."""
        self.correct = self.counted = self.movements = 0
        self.trials = 0
        self.ended = ""
        self._begin: float | None = None
        self._armed = False
        self._last: float = 0.0

    def remaining(self) -> dict[str, Any]:
        """Return settings with the trials that are left, so that a session that was cut off goes on."""
        settings = dict(self.desk.state.settings)
        kind = protocols.kind_of(self.desk.state.protocol)
        per_run, key = int(settings.get("trials_per_run", 20)), protocols.FEEDBACK_RUNS[kind]
        left = max(1, self.planned_trials() - self.trials)
        if self.trials and left < self.planned_trials():
            classes = max(2, len(settings.get("classes", (1, 2))))
            runs = max(1, -(-left // per_run))
            settings[key] = runs
            settings["trials_per_run"] = max(classes, -(-(left // runs) // classes) * classes)
        return settings

    def begin(self) -> None:
        """Start, or arm again after a stop was acknowledged."""
        self._armed = False
        if self.desk.runner.running:
            self._arm()
        else:
            super().begin()
        self.pause.setChecked(False)

    def _arm(self) -> None:
        who = self.desk.state.operator
        self.desk.runner.send("arm", who=who)
        self.desk.runner.send("start", who=who)
        self._armed = True

    def show_running(self) -> None:
        """Enable what makes sense now."""
        super().show_running()
        running, state = self.desk.runner.running, self.status.state
        again = running and state == "STANDBY"
        self.start.setEnabled(not running or again)
        self.start.setText(tr("Go on") if again or (self.trials and not running) else tr("Start"))
        self.start.setAccessibleName(self.start.text())
        self.pause.setEnabled(running)
        self.finish.setEnabled(running)
        self.acknowledge.setEnabled(running and state in ("SAFE_STOP", "ESTOP"))
        self.next_button.setEnabled(not running)

    def take(self, message: dict[str, Any]) -> None:
        """Follow the engine."""
        before = self.status.state
        super().take(message)
        kind = message.get("type")
        if self.status.state == "ACTIVE" and before != "ACTIVE":
            self.say("")
        if isinstance(message.get("time"), int | float) and kind != "state":
            self._begin = float(message["time"]) if self._begin is None else self._begin
            self._last = max(self._last, float(message["time"]))
        if kind not in ("result", "failed") and not self._armed and self.status.state in ("", "STANDBY"):
            # The therapist pressed Start: that is the order to arm, as soon as the engine is heard.
            self._arm()
        if kind == "event":
            self._take_event(message)
        elif kind == "command":
            self.movements += 1
        self._show()

    def _take_event(self, message: dict[str, Any]) -> None:
        name, data = str(message.get("name", "")), message.get("data") or {}
        if name == "feedback/result":
            self.counted += 1
            self.correct += bool(data.get("correct", data.get("hit")))
        elif (
            name == "block/start"
            and self.status.state == "STANDBY"
            and self._armed
            and data.get("kind") not in ("break", "baseline")
        ):
            # The gate was shut for the pause between runs.
            self._arm()
        elif name == "operator/refused":
            self.say(str(data.get("reason", "")), "BAD")

    def _show(self) -> None:
        status = self.status
        self.strip.refresh(status, age=status.health.get("age"), loss=None)
        why, advice = why_nothing_moves(status)
        state, todo = state_text(status.state if self.desk.runner.running else "FINISHED" if self.ended else "")
        lines = [state] + [part for part in (why if why != state else "", advice or todo) if part]
        self.state.setText("\n".join(lines))
        closure = float(status.output.get("closure", 0.0) or 0.0)
        self.hand.show_state(closure, text=why, held=bool(why) and bool(status.state))
        allowed = bool(status.verdict.get("allowed")) if status.verdict else None
        self.bars.threshold = status.threshold()
        self.bars.show_decision(status.decision, allowed=allowed and not why, verdict=why or tr("Let through"))
        if self.counted:
            low, high = accuracy_interval(self.correct, self.counted)
            self.accuracy.setText(
                tr("{percent:.0f} % of {n} right (95 % interval {low:.0f} to {high:.0f} %)").format(
                    percent=100 * self.correct / self.counted, n=self.counted, low=100 * low, high=100 * high
                )
            )
        minutes = 0.0 if self._begin is None else (self._last - self._begin) / 60
        self.dose.setText(
            tr("{minutes:.1f} minutes, {trials} trials, {movements} movements").format(
                minutes=minutes, trials=self.trials, movements=self.movements
            )
        )

    def on_result(self, values: dict[str, Any], folder: Path) -> None:
        """Enter the part into the catalogue."""
        keep = (
            "online_accuracy",
            "accuracy_interval",
            "chance_upper",
            "n_trials",
            "n_correct",
            "lost_samples",
            "ended",
        )
        results = {key: values.get(key) for key in keep}
        results["movements"] = self.movements
        self.ended = str(values.get("ended", ""))
        try:
            self.desk.catalogue.add_session(
                self.desk.state.subject,
                folder,
                paradigm=self.desk.state.protocol,
                results=results,
                seconds=float(values.get("duration_s") or 0.0),
                notes="\n".join(self.desk.state.notes),
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        if self.ended == "finished":
            self.say(tr("The session is complete."), "GOOD")
            self.next_button.setFocus()
        else:
            self.say(
                tr("The session was cut off: {why}. Press Go on for the rest, or go to the report.").format(
                    why=self.ended
                ),
                "WARN",
            )

    def _pause(self) -> None:
        self.desk.runner.send("pause" if self.pause.isChecked() else "resume")
        self.pause.setText(tr("Resume") if self.pause.isChecked() else tr("Pause"))
        self.pause.setAccessibleName(self.pause.text())

    def _acknowledge(self) -> None:
        self.desk.runner.send("acknowledge", who=self.desk.state.operator, reason="cause mended, patient is well")

    def _finish(self) -> None:
        self.desk.runner.send("finish")
        self.say(tr("Finishing ..."))

    def _note(self) -> None:
        text = self.note.text().strip()
        if text:
            self.desk.state.notes.append(text)
            self.desk.runner.send("note", text=text)
            self.note.clear()
            self.say(tr("Noted."), "GOOD")
            self.changed.emit()

    def _show_difficulty(self, value: int) -> None:
        self.difficulty_label.setText(tr("Difficulty: {percent} % sure").format(percent=value))

    def _difficulty(self, value: int) -> None:
        self._show_difficulty(value)
        self.desk.runner.send("difficulty", value=value / 100)

    def go_on(self) -> None:
        """Go to the report."""
        self.close_patient()
        self.done.emit()
