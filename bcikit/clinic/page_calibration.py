"""The page of the calibration: the decoder learns the person."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLabel

from bcikit.clinic import protocols, wording
from bcikit.clinic.base import Desk, card
from bcikit.clinic.counts import Counts
from bcikit.clinic.pages_run import RunPage
from bcikit.clinic.stop_line import STOPPED
from bcikit.clinic.verdict import CalibrationVerdict, judge
from bcikit.recording.header import read_header
from bcikit.session.retrain import model_from_files
from bcikit.session.training import calibration_summary
from bcikit.signal import Address, BciError
from bcikit.ui.aside import in_background
from bcikit.ui.words import tr


class CalibrationPage(RunPage):
    """The decoder learns the person; then a verdict that knows of chance."""

    phase = "calibration"

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Calibration"),
            tr("The patient follows the arrows; nothing moves yet. The program learns what the signal looks like."),
        )
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setAccessibleName(tr("Verdict"))
        self.now = QLabel("")
        self.now.setStyleSheet("font-size: 16px; border: none;")
        self.make_bar(self.start, self.acknowledge, self.finish, self.screen_button)
        self.body.addWidget(card(self.now, self.progress, title=tr("Progress")))
        self.body.addWidget(card(self.verdict, title=tr("Verdict")))
        self.body.addStretch(1)
        self.show_verdict()

    def enter(self) -> None:
        """Show where one is; a verdict of what decides no more is none."""
        super().enter()
        self.show_verdict()

    def begin(self) -> None:
        """Start a calibration, or let one go on."""
        if not self.desk.runner.running:
            self.counts = Counts()
            self.progress.setValue(0)
        super().begin()

    def take(self, message: dict[str, Any]) -> None:
        """Follow the engine, and say in words where it is."""
        before = self.status.state
        super().take(message)
        if self.status.state == "CALIBRATING" and before != "CALIBRATING":
            self.say("")
        if self.desk.runner.running:
            words = tr("Trial {trial} of {all}").format(
                trial=min(self.trials + 1, self.progress.maximum()), all=self.progress.maximum()
            )
            why, advice = wording.why(self.status)
            stopped = self.status.state in STOPPED
            self.now.setText(f"{why}\n{advice}" if stopped else words)

    def on_result(self, values: dict[str, Any], folder: Path) -> None:
        """Give the verdict; what was recorded before in this visit is added."""
        model = folder / "model.skops"
        summary = values.get("calibration") or {}
        self.now.setText("")
        if len(alike := self._alike()) > 1:
            self._train_on_all(alike)
        elif not summary:
            why = str(values.get("ended") or "")
            self.say(
                tr("The calibration was cut off: {why}. What was recorded counts; press Start for more.").format(
                    why=why
                ),
                "WARN",
            )
        elif model.is_file():
            self._take_model(model, summary, tuple(values.get("classes", ())), str(values.get("decoder") or ""))
        self.changed.emit()

    def on_failure(self, error: str, folder: Path) -> None:
        """Say what went wrong; what was recorded counts."""
        super().on_failure(error, folder)
        if len(alike := self._alike()) > 1:
            self._train_on_all(alike)

    def _alike(self) -> list[str]:
        """Return the calibrations of this visit with protocol, movements and headset of the newest, in order of time.

        Others are not learned from with it: what differs between two recordings would be taken for the classes.
        """
        folders = self.visit.calibrations
        newest = _recorded(folders[-1]) if folders else None
        return [folder for folder in folders if newest is not None and _recorded(folder) == newest]

    def _train_on_all(self, folders: list[str]) -> None:
        """Learn from calibrations of this visit together: "record more" adds, it does not begin anew."""
        config = protocols.training_config(self.visit, folders)
        target, trained = Path(folders[-1]) / "model-all.skops", self.visit.trained
        self.say(tr("Learning from {count} calibrations together ...").format(count=len(folders)))
        self.next_button.setEnabled(False)

        def work() -> dict[str, Any]:
            model, trials = model_from_files(config)
            model.save(target)
            return calibration_summary(model, trials)

        def then(summary: dict[str, Any] | None, trouble: Exception | None) -> None:
            self.next_button.setEnabled(True)
            if self.visit.trained != trained:
                # Another training was chosen meanwhile, of which this model knows nothing.
                self.say("")
                return
            if summary is None:
                self.say(f"{trouble} " + tr("What was recorded counts; press Start for more."), "WARN")
                return
            self.say("")
            self._take_model(target, summary, tuple(config.calibration.events.values()), config.decoder.name)
            self.changed.emit()

        in_background(self, work, then)

    def _take_model(self, model: Path, summary: dict[str, Any], classes: tuple[str, ...], decoder: str) -> None:
        verdict = judge(summary, n_classes=max(2, len(set(classes))))
        self.visit.take_model(str(model))
        self.visit.verdict = asdict(verdict)
        self.show_verdict()
        if not self.visit.simulated:
            self.desk.catalogue.add_model(
                self.visit.subject,
                model,
                decoder=decoder,
                paradigm=self.visit.protocol,
                scores={
                    "accuracy": verdict.accuracy,
                    "n_trials": verdict.n_trials,
                    "advice": verdict.advice,
                    "classes": list(dict.fromkeys(classes)),
                },
            )
        self.next_button.setFocus()

    def show_verdict(self) -> None:
        """Show the verdict on what was learned in this visit, with its shape, or that there is none."""
        text, colour = tr("Not calibrated yet"), ""
        if self.visit.verdict:
            verdict = CalibrationVerdict(**self.visit.verdict)
            text = f"{ {'GOOD': '●', 'WARN': '▲', 'BAD': '■'}[verdict.level] } {verdict.text()}"
            colour = f"color: {self.desk.theme.level(verdict.level)}; "
        self.verdict.setText(text)
        self.verdict.setStyleSheet(f"{colour}font-size: 16px; border: none;")

    def go_on(self) -> None:
        """Go on with a model that is good enough; with another one only if somebody says so."""
        if self.desk.runner.running:
            self.say(tr("Wait until the calibration is over, or press STOP."), "WARN")
        elif not self.visit.model:
            self.say(tr("Calibrate first: press Start."), "WARN")
            self.start.setFocus()
        elif self.visit.verdict.get("advice") != "good" and not self.visit.model_note:
            if protocols.profile_of(self.visit) in protocols.TOUCH:
                self.say(tr("Nothing is moved by a decoder that is not better than guessing. Record more."), "BAD")
                return
            self.sure.ask(
                tr("It is not shown that the program can tell these movements apart. Train with it all the same?"),
                tr("Train all the same"),
                self._all_the_same,
            )
        else:
            self.say("")
            self.done.emit()

    def _all_the_same(self) -> None:
        self.visit.notes.append(tr("Trained with a decoder that is not shown to be better than guessing."))
        self.say("")
        self.done.emit()


def _recorded(folder: str) -> tuple[object, ...] | None:
    """Return of what a calibration is: protocol, movements, headset; None where nothing was recorded."""
    try:
        config = read_header(Path(folder))["config"]
        settings, source = config["paradigm"]["settings"], Address.parse(config["source"]["address"])
        # The simulated patient has another seed in each part.
        options = {key: value for key, value in source.options.items() if key != "seed"}
        movements = (settings.get("classes"), settings.get("movement"))
        return (config["paradigm"]["name"], *movements, source.scheme, source.body, options)
    except (BciError, KeyError, TypeError, AttributeError):
        return None
