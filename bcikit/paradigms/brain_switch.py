"""Brain switch: nobody is asked; an imagined movement switches, and doing nothing leaves everything as it is."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from bcikit.decoding.evidence import SwitchEvidence, Switching
from bcikit.paradigms.answers import together
from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.conditions import balanced_order
from bcikit.paradigms.settings import Count, Name, ParadigmSettings, Share, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, Verdict

NOTHING = "nothing-wanted"
"""Reason of a decision for no movement."""


class BrainSwitchSettings(ParadigmSettings):
    """Settings of a switch that is always on. Times are seconds.

    Attributes
    ----------
    classes : tuple of str
        Imagined movements that switch.
    idle : str
        Class of wanting nothing.
    window, rate : float
        Length of a window, and windows a second.
    active, rest : float
        How long a movement is imagined when it is asked for, and the rest after it.
    calibration_trials, trials : int
        Trials of each class, rest between them, without and with the switch.
    confidence : float
        Probability of a wanted state from which it switches.
    weight : float
        See `bcikit.decoding.evidence.Switching`.
    free : float
        Seconds at the end in which nothing is asked for and everything is switched by the person alone.
    """

    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4)] = ("left_hand", "right_hand")
    idle: Name = "rest"
    window: Annotated[float, Field(ge=0.5, le=5.0)] = 2.0
    rate: Annotated[float, Field(gt=0, le=20)] = 10.0
    active: Span = 4.0
    rest: Span = 6.0
    calibration_trials: Count = 15
    trials: Count = 15
    confidence: Share = 0.8
    weight: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    free: Annotated[float, Field(ge=0.0, le=3600.0)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.idle in self.classes or len(set(self.classes)) != len(self.classes):
            problems.append("classes must differ from each other and from idle")
        if self.window >= min(self.active, self.rest):
            problems.append("window must be shorter than active and rest")
        if not 0.5 <= self.confidence < 1.0:
            problems.append("confidence must be at least 0.5 and below 1")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class BrainSwitch(TrialParadigm):
    """Runs of rest and asked movements, every window decided; a switch outside an asked movement is a false one."""

    kind: ClassVar[str] = "brain-switch"
    Settings: ClassVar[type[ParadigmSettings]] = BrainSwitchSettings
    settings: BrainSwitchSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """The movements, and wanting nothing."""
        return (*self.settings.classes, self.settings.idle)

    @property
    def idle(self) -> str | None:
        """Wanting nothing."""
        return str(self.settings.idle)

    @property
    def calibration(self) -> Calibration | None:
        """Windows side by side and half over each other, of movements and of rest."""
        return Calibration(events={f"label/{name}": name for name in self.classes}, tmin=0.0, tmax=self.settings.window)

    def configure(self, info: Any, *, seed: int) -> None:
        """Prepare; the order of trials follows from `seed`."""
        super().configure(info, seed=seed)
        s = self.settings
        rule = Switching(confidence=s.confidence, weight=s.weight, active_seconds=max(s.active - 0.5, 0.5))
        self._switch = SwitchEvidence(self.classes, idle=s.idle, rule=rule)
        self._false = 0
        self._idle_seconds = self._undecided_seconds = 0.0
        self._switched: list[dict[str, Any]] = []
        self._begun = 0

    def forget(self) -> None:
        """Begin with nothing wanted."""
        super().forget()
        self._switch.reset()

    def begin_section(self, section: Section, sample: int) -> None:  # noqa: ARG002
        """Begin with nothing wanted: what was imagined in the section before does not switch in this one."""
        self.forget()
        self._begun = sample

    def sections(self) -> list[Section]:
        """Return calibration, asked movements, and the free part."""
        s = self.settings
        parts = []
        for kind, count in (("calibration", s.calibration_trials), ("feedback", s.trials)):
            if count:
                labels = balanced_order(s.classes, count * len(s.classes), self.rng)
                parts.append(Section(kind=kind, name=kind if kind == "calibration" else "switch", labels=labels))
        if s.free:
            parts.append(Section(kind="feedback", name="free", labels=("",)))
        return parts

    def plan_trial(self, trial: Trial) -> int:
        """Plan rest, then the movement; every window of both is decided, or learned from."""
        s = self.settings
        if not trial.label:
            self.plan(trial, trial.start, "phase/free", seconds=s.free)
            self._ask_windows(trial, trial.start, s.free, last=True)
            return self.at(trial, s.free)
        trial.onset = self.at(trial, s.rest)
        self.plan(trial, trial.start, "phase/rest", seconds=s.rest)
        self.plan(trial, trial.onset, f"cue/{trial.label}", seconds=s.active, data={"class": trial.label})
        self.plan(trial, trial.onset, "phase/imagery", seconds=s.active, data={"class": trial.label})
        if trial.section.kind == "calibration":
            self._plan_labels(trial, trial.start, s.rest, s.idle)
            self._plan_labels(trial, trial.onset, s.active, trial.label)
        elif not trial.section.silent:
            self._ask_windows(trial, trial.start, s.rest + s.active, last=True)
        return trial.onset + self.schedule.samples(s.active)

    def _plan_labels(self, trial: Trial, start: int, seconds: float, label: str) -> None:
        """Plan windows to learn from: half over each other in a movement, of rest as many as of one class."""
        s = self.settings
        room = seconds - s.window
        count = int((s.active - s.window) / (s.window / 4) + 1e-6) + 1
        if label == s.idle:
            count = max(2, round(count / len(s.classes)))
        for index in range(count):
            at = start + self.schedule.samples(room * index / max(count - 1, 1))
            self.plan(trial, at, f"label/{label}")

    def _ask_windows(self, trial: Trial, start: int, seconds: float, *, last: bool) -> None:
        s = self.settings
        length = self.schedule.samples(s.window)
        count = int(seconds * s.rate + 1e-6)
        for index in range(1, count + 1):
            stop = start + self.schedule.samples(index / s.rate)
            final = last and index == count
            self._ask(WindowRequest(stop, length, final=final, trial=trial.index, kind="monitor"))

    # ---- decisions ---------------------------------------------------------------------------------------------
    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Follow what is wanted; the label comes in the one window in which the switch acts."""
        if request.start_sample < self._begun:
            return replace(decision, label=None, reason=decision.reason or "begins")
        # A decoder has its own order of classes.
        found = dict(zip(decision.classes, decision.probabilities, strict=False))
        ordered = [found[name] for name in self._switch.classes] if found.keys() >= set(self.classes) else []
        label = self._switch.add(ordered, seconds=1.0 / self.settings.rate)
        posterior = dict(zip(self._switch.classes, self._switch.posterior.tolist(), strict=True))
        clean = Decision(
            time=decision.time,
            sample=decision.sample,
            classes=decision.classes,
            reason=None if decision.probabilities else decision.reason,
            age=decision.age,
            data=decision.data,
        )
        return together(clean, posterior, label, reason=NOTHING)

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Switch what the gate lets through; note whether it was asked for."""
        trial = self.running(request)
        if trial is None:
            return [], []
        s = self.settings
        asked = bool(trial.label) and request.stop_sample > trial.onset
        if trial.label and not asked:
            # In the free part nobody knows what is wanted: it is neither rest nor asked for. Where nothing can be
            # decided nothing switches, and that is no merit.
            if decision.reason in (None, NOTHING):
                self._idle_seconds += 1.0 / s.rate
            else:
                self._undecided_seconds += 1.0 / s.rate
        events: list[Event] = []
        commands: list[Command] = []
        if verdict.allowed and verdict.label in s.classes:
            label = str(verdict.label)
            at = request.stop_sample
            if asked and trial.seconds is None:
                self.settle(trial, decision, verdict, request)
                trial.predicted = label
                correct: bool | None = label == trial.label
            else:
                correct = None if not trial.label else False
                self._false += bool(trial.label)
            data = {"trial": trial.index, "class": trial.label or None, "predicted": label, "correct": correct}
            self._switched.append({"seconds": at / self.sfreq, "label": label, "asked": asked})
            events += [
                self._event_at(at, f"select/{label}", data={"trial": trial.index, "item": label}),
                self._event_at(at, "feedback/result", data=data),
            ]
            if correct is False:
                events.append(self._event_at(at, "feedback/error", data=data))
            commands.append(self._command(decision, "select", label, ttl=s.ttl))
        if request.final and trial.seconds is None and trial.label:
            trial.predicted = s.idle
            trial.seconds = (request.stop_sample - trial.onset) / self.sfreq
        return commands, events

    def interrupt(self, sample: int) -> list[Event]:
        """Do the trial again that a stop cut off, with nothing wanted at its start."""
        self.forget()
        self.do_again(sample)
        return []

    def results(self) -> dict[str, Any]:
        """Return how many movements switched, what switched unasked a minute, and how long it took."""
        base = super().results()
        rows = [row for row in base["trials"] if row["class"]]
        hits = [row for row in rows if row["correct"]]
        minutes = self._idle_seconds / 60.0
        rate = self._false / minutes if minutes else None
        times = [row["seconds"] for row in hits]
        undecided = self._undecided_seconds / 60.0
        left = f" In {undecided:.1f} min more nothing could be decided." if undecided >= 0.05 else ""
        told = (
            f"{len(hits)} of {len(rows)} asked movements switched; unasked it switched "
            f"{self._false} times in {minutes:.1f} min of rest.{left}"
            if rows
            else "Nothing was asked for."
        )
        return {
            **base,
            "sensitivity": len(hits) / len(rows) if rows else None,
            "false_activations": self._false,
            "false_activations_per_minute": rate,
            "rest_minutes": minutes,
            "undecided_minutes": undecided,
            "seconds_to_switch": sum(times) / len(times) if times else None,
            "switched": self._switched,
            "meaning": [told],
        }
