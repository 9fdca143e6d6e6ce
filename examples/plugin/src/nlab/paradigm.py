"""A paradigm: a lamp on the left and one on the right, switched on by an imagined movement."""

from typing import Annotated, ClassVar

from pydantic import Field

from bcikit.paradigms import Calibration, ParadigmSettings, Section, Trial, TrialParadigm, WindowRequest
from bcikit.paradigms.scene import Cue, Scene, Words
from bcikit.paradigms.stage import show
from bcikit.signal import Command, Decision, Event, Verdict

WORDS = {
    "left": Words("Imagine your left hand: the left lamp goes on", "想象左手：左边的灯亮起"),
    "right": Words("Imagine your right hand: the right lamp goes on", "想象右手：右边的灯亮起"),
}


class LampSettings(ParadigmSettings):
    """Settings of the lamps.

    Attributes
    ----------
    trials : int
        Trials of the calibration, and of the run after it.
    """

    trials: Annotated[int, Field(ge=2, le=200)] = 20


class Lamp(TrialParadigm):
    """A cue for two seconds, then the lamp; half a second of rest."""

    kind: ClassVar[str] = "lamp"
    Settings: ClassVar[type[ParadigmSettings]] = LampSettings
    settings: LampSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Left and right."""
        return ("left", "right")

    @property
    def calibration(self) -> Calibration:
        """The second second after the cue."""
        return Calibration(events={f"cue/{name}": name for name in self.classes}, tmin=1.0, tmax=2.0)

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return an arrow to the lamp and what to do, as data: the window, the page and a headset draw it."""
        if event.name.startswith("cue/"):
            return show("cue", before, Cue(symbol=event.name[4:], words=WORDS[event.name[4:]]))
        return super().scene(event, before)

    def sections(self) -> list[Section]:
        """Return a calibration and a run."""
        labels = self.classes * (self.settings.trials // 2)
        return [
            Section(kind="calibration", name="calibration", labels=labels),
            Section(kind="feedback", name="run", labels=labels),
        ]

    def plan_trial(self, trial: Trial) -> int:
        """Plan the cue and the window."""
        self.plan(trial, trial.onset, f"cue/{trial.label}", seconds=2.0, data={"class": trial.label})
        stop = trial.onset + self.schedule.samples(2.0)
        if not trial.section.silent:
            # Locked to the cue: in front of a screen the window goes by when it was really shown.
            length = self.schedule.samples(1.0)
            self._ask(WindowRequest(stop, length, final=True, trial=trial.index, locked=trial.onset))
        return stop + self.schedule.samples(0.5)

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Switch the lamp on if the gate allows."""
        trial = self.running(request)
        if trial is None:
            return [], []
        self.settle(trial, decision, verdict, request)
        if not verdict.allowed or verdict.label is None:
            return [], []
        return [self._command(decision, "on", verdict.label, ttl=self.settings.ttl)], []
