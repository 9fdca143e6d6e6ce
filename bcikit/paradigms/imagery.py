"""Cue-based motor imagery with feedback on a virtual hand; Graz timings."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.conditions import balanced_order
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import hands
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.settings import Count, CuedSettings, Name, ParadigmSettings, Seconds, Span
from bcikit.paradigms.support import ERROR_POTENTIAL
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, Verdict


class MotorImagerySettings(CuedSettings):
    """Settings of cue-based motor imagery.

    Times are seconds from the start of a trial, except `window`, which counts from the cue. Defaults follow the Graz
    paradigm with continuous feedback (Leeb et al. 2007; BNCI 2014-002; OpenViBE).

    Attributes
    ----------
    classes : tuple of str
        What is imagined.
    beep, cue, cue_duration, feedback, stop : float
        Warning tone, cue and how long it is seen, start of feedback, end of imagery.
    rest : tuple of float
        Shortest and longest pause after a trial.
    feedback_rate : float
        Feedback updates a second.
    window : tuple of float
        Start and end of the deciding window after the cue; feedback windows have the same length.
    calibration_runs, feedback_runs, trials_per_run : int
        Runs without and with feedback and their length.
    eyes_open, eyes_closed, between_runs : float
        Baselines before the first run, and pause after each run.
    actions : dict
        Class to command; the first class closes the hand and the others open it if nothing is said.
    """

    shows_hands: ClassVar[bool] = True

    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)] = ("left_hand", "right_hand")
    beep: Seconds = 2.0
    cue: Seconds = 3.0
    cue_duration: Seconds = 1.25
    feedback: Seconds = 4.25
    stop: Span = 8.0
    rest: tuple[Seconds, Seconds] = (2.0, 3.0)
    feedback_rate: Annotated[float, Field(gt=0, le=60)] = 16.0
    window: tuple[Seconds, Span] = (0.5, 3.0)
    calibration_runs: Count = 2
    feedback_runs: Count = 3
    trials_per_run: Annotated[int, Field(ge=1, le=1000)] = 20
    eyes_open: Seconds = 60.0
    eyes_closed: Seconds = 60.0
    between_runs: Seconds = 30.0
    actions: dict[Name, Literal["close", "open", "stimulate", "move", "select", "none"]] = Field(default_factory=dict)

    @field_validator("classes")
    @classmethod
    def _unique(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) != len(classes):
            raise ValueError("each class must be named once")
        return classes

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        if not self.beep <= self.cue < self.feedback <= self.stop:
            problems.append("beep <= cue < feedback <= stop must hold")
        if not self.window[0] < self.window[1] <= self.stop - self.cue + 1e-9:
            problems.append(f"window must grow and end at most stop - cue = {self.stop - self.cue:g} s after the cue")
        if self.rest[0] > self.rest[1]:
            problems.append("rest must be (shortest, longest)")
        if self.trials_per_run % len(self.classes):
            problems.append(f"trials_per_run must be a multiple of the {len(self.classes)} classes")
        total = (self.calibration_runs + self.feedback_runs) * self.trials_per_run
        if total > 20_000:
            problems.append(f"{total} trials in all runs; at most 20000 are planned at once")
        problems += self.cue_problems(self.classes)
        unknown = sorted(set(self.actions) - set(self.classes))
        if unknown:
            problems.append(f"actions names {', '.join(unknown)}; classes are {', '.join(self.classes)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class MotorImagery(TrialParadigm):
    """Fixation, beep, cue, imagery with feedback, rest. The hand follows what the gate lets through."""

    kind: ClassVar[str] = "motor-imagery"
    Settings: ClassVar[type[ParadigmSettings]] = MotorImagerySettings
    # Fewer than ten trials of a class do not teach a decoder anything that lasts.
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="calibration_runs", low=2, high=4, step=1),
        Adjustable(key="trials_per_run", low=10, high=40, step=2),
        Adjustable(key="feedback_runs", low=1, high=6, step=1),
        Adjustable(key="between_runs", low=5, high=180, step=5, unit="s"),
        Adjustable(key="gate.confidence", low=0.6, high=0.9, step=0.05),
    )
    settings: MotorImagerySettings
    takes_stopping = True
    takes_errors = True

    @property
    def classes(self) -> tuple[str, ...]:
        """The imagined movements."""
        return self.settings.classes

    @property
    def needs(self) -> tuple[str, ...]:
        """Electrodes over the areas of what is imagined."""
        feet = any("feet" in name for name in self.classes)
        hands = any("hand" in name for name in self.classes)
        return (("C3", "C4") if hands else ()) + (("Cz",) if feet else ())

    @property
    def calibration(self) -> Calibration | None:
        """Epochs of the deciding window after each cue."""
        tmin, tmax = self.settings.window
        return Calibration(events={f"cue/{name}": name for name in self.classes}, tmin=tmin, tmax=tmax)

    @property
    def open_ended(self) -> bool:
        """True with external cues of which any number may come."""
        return self.settings.cues == "external" and not self.settings.external_trials

    def sections(self) -> list[Section]:
        """Return baselines, calibration runs and feedback runs; none where cues come from outside."""
        s = self.settings
        if s.cues == "external":
            return []
        parts = []
        if s.eyes_open:
            parts.append(Section(kind="baseline", name="eyes open", seconds=s.eyes_open, phase="eyes-open"))
        if s.eyes_closed:
            parts.append(Section(kind="baseline", name="eyes closed", seconds=s.eyes_closed, phase="eyes-closed"))
        runs = [("calibration", index) for index in range(s.calibration_runs)]
        runs += [("feedback", index) for index in range(s.feedback_runs)]
        for position, (kind, index) in enumerate(runs):
            labels = balanced_order(s.classes, s.trials_per_run, self.rng)
            parts.append(Section(kind=kind, name=f"{kind} {index + 1}", labels=labels))
            if s.between_runs and position < len(runs) - 1:
                parts.append(Section(kind="break", name="pause", seconds=s.between_runs, phase="break"))
        return parts

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return two hands where a class is one of a hand, else cues."""
        affected = self.settings.affected_side
        return hands(event, before, kind=self.kind, classes=self.classes, affected=affected, group="cues")

    # ---- one trial ---------------------------------------------------------------------------------------------
    def plan_trial(self, trial: Trial) -> int:
        """Plan the phases of a trial; one that the source cues begins with its cue."""
        s = self.settings
        if s.cues == "external":
            longest = s.stop - s.cue
            given = self.outside_seconds
            seconds = max(min(given, longest), s.window[1]) if given > 0 else longest
            self.plan_imagery(trial, seconds)
            return self._after_cue(trial, seconds)
        trial.onset = self.at(trial, s.cue)
        self.plan(trial, trial.start, "phase/fixation", seconds=s.cue)
        if s.beep:
            self.plan(trial, self.at(trial, s.beep), "sound/beep", seconds=0.07, data={"frequency": 1000.0})
        self.plan_imagery(trial, s.stop - s.cue)
        rest = self.longer_than_delay(float(self.rng.uniform(*s.rest)))
        stop = self.at(trial, s.stop)
        self.plan(trial, stop, "phase/rest", seconds=rest)
        return stop + self.schedule.samples(rest)

    def plan_imagery(self, trial: Trial, seconds: float) -> None:
        """Plan the cue, imagery and feedback of `seconds` from `trial.onset` on."""
        s = self.settings
        label = trial.label
        self.plan(trial, trial.onset, f"cue/{label}", seconds=s.cue_duration, data={"class": label})
        self.plan(trial, trial.onset, "phase/imagery", seconds=seconds, data={"class": label})
        if trial.section.silent:
            return
        begin = s.feedback - s.cue
        self.plan(trial, self._after_cue(trial, begin), "feedback/start", seconds=seconds - begin)
        length = self.schedule.samples(s.window[1] - s.window[0])
        final = self._after_cue(trial, s.window[1])
        count = int((seconds - begin) * s.feedback_rate + 1e-6)
        stops = {self._after_cue(trial, begin + index / s.feedback_rate): False for index in range(count + 1)}
        if self.stopping is not None:
            # The trial is decided once the evidence is enough, at its end at the latest.
            final = max(final, *stops)
        for stop in sorted(stops | {final: True}):
            if stop - length >= trial.start or s.cues == "external":
                kind = "final" if stop == final else "feedback"
                self._ask(WindowRequest(stop, length, stop == final, trial.index, kind, locked=trial.onset))
        self.plan(trial, self._after_cue(trial, seconds), "feedback/end")

    @property
    def evidence_span(self) -> tuple[float, float]:
        """The windows of one imagery."""
        s = self.settings
        return s.feedback - s.cue, s.stop - s.cue

    def _after_cue(self, trial: Trial, seconds: float) -> int:
        return trial.onset + self.schedule.samples(seconds)

    # ---- what comes in -----------------------------------------------------------------------------------------
    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Show feedback, move the hand where the gate allows, and settle the trial with its deciding window."""
        trial = self.running(request)
        if trial is None:
            return [], []
        commands: list[Command] = []
        events: list[Event] = []
        if request.kind == ERROR_POTENTIAL:
            return self._correct(trial, decision, verdict, request)
        if self.stopping is not None and trial.seconds is not None:
            return [], []
        if decision.probabilities:
            shown = decision.classes[max(range(len(decision.probabilities)), key=decision.probabilities.__getitem__)]
            data: dict[str, Any] = {
                "trial": trial.index,
                "class": shown,
                "correct": shown == trial.label,
                "informational": True,
            }
            events.append(self._event_at(request.stop_sample, "feedback/update", value=decision.confidence, data=data))
        if verdict.allowed and verdict.label is not None:
            commands += self.act(trial, decision, verdict)
        if request.final or decision.data.get("enough"):
            self.settle(trial, decision, verdict, request)
            if self.stopping is not None and decision.label is None:
                trial.predicted = None
            elif trial.predicted is not None:
                self.ask_error(trial, decision, request.stop_sample)
            correct = trial.predicted == trial.label
            data = {"trial": trial.index, "class": trial.label, "predicted": trial.predicted, "correct": correct}
            events.append(self._event_at(request.stop_sample, "feedback/result", data=data))
            if trial.predicted is not None and not correct:
                events.append(self._event_at(request.stop_sample, "feedback/error", data=data))
        return commands, events

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Add the windows up where the session says so; judge the choice by its error potential."""
        if request.kind == ERROR_POTENTIAL:
            return self.opinion(decision)
        return self.gather(decision, request)

    def _correct(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        taken, events = self.take_back(trial, decision, verdict, request)
        if not taken:
            return [], events
        commands = [self._command(decision, "undo", trial.data["undone"], ttl=self.settings.ttl)]
        if trial.predicted is not None:
            commands += self.act(trial, decision, replace(verdict, label=trial.predicted))
        return commands, events

    def interrupt(self, sample: int) -> list[Event]:
        """Do the trial again that a stop cut off."""
        self.do_again(sample)
        return []

    def act(self, trial: Trial, decision: Decision, verdict: Verdict) -> list[Command]:
        """Return what moves for an allowed label."""
        label = str(verdict.label)
        action = self.settings.actions.get(label, "close" if label == self.classes[0] else "open")
        if action == "none":
            return []
        data = {"trial": trial.index, "class": label}
        return [self._command(decision, action, decision.confidence, ttl=self.settings.ttl, data=data)]
