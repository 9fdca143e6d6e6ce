"""SSVEP menu: of the targets that flicker, the one looked at is chosen; looking away chooses nothing."""

import math
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bcikit.decoding.evidence import KofN
from bcikit.paradigms.answers import best
from bcikit.paradigms.base import Calibration, Decider, WindowRequest
from bcikit.paradigms.frames import Refresh, feasibility
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import menu
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.scene import Target as Shown
from bcikit.paradigms.score import itr, pace
from bcikit.paradigms.settings import Count, CuedSettings, Name, ParadigmSettings, Seconds, SettingsTable, Span
from bcikit.paradigms.stage import title
from bcikit.paradigms.support import ERROR_POTENTIAL
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.paradigms.untrained import RestScores, SsvepDecider, shares
from bcikit.signal import ArgumentError, Command, Decision, Event, StreamInfo, Verdict

IDLE = "none"
"""The class of looking at no target."""

BASELINE = "baseline"


class MenuTarget(SettingsTable):
    """One target of the menu.

    Attributes
    ----------
    name : str
        What it chooses.
    frequency : float
        Hz.
    phase : float
        Radians.
    """

    name: Name
    frequency: Annotated[float, Field(gt=0, le=60)]
    phase: float = 0.0


class SsvepSettings(CuedSettings):
    """Settings of an SSVEP menu. Times are seconds.

    Attributes
    ----------
    refresh : float
        Refresh rate of the screen in Hz; frequencies that it cannot show are refused.
    stimulation : "sampled-sinusoid" or "frame-period"
        How luminance follows time (see the page on stimulus timing).
    targets : list of table
        Name, frequency and phase of each.
    depth : float
        Modulation depth; 0.6 keeps more than 90 % accuracy and is easier on the eyes.
    size_deg : float
        Visual angle of a target's side.
    cue, flicker, blank : float
        Time to look, longest flicker, dark gap after it.
    latency : float
        From the screen to the visual cortex; windows begin that late.
    first, every : float
        Length of the first window, and the step to the next.
    growing : bool
        Windows grow from the onset (decoders without training take any length); False: all are `first` long.
    decoder : str
        Decoder without training; "" for the session's trained one.
    harmonics : int
        Harmonics of the reference signals.
    threshold : float
        Probability that is enough ...
    k, n : int
        ... in k of n windows in a row.
    baseline : float
        Time at the start without flicker, which shows a decoder without training what the person's alpha looks like;
        left out where a trained one decides.
    calibration_rounds, rounds : int
        How often each target is attended to without and with feedback.
    idle_share : float
        Trials, relative to those of one target, in which the person looks at no target.
    free : bool
        No cue: the person chooses.
    """

    refresh: Annotated[float, Field(ge=24, le=500)] = 60.0
    stimulation: Literal["sampled-sinusoid", "frame-period"] = "sampled-sinusoid"
    targets: Annotated[tuple[MenuTarget, ...], Field(min_length=2, max_length=64)]
    depth: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    size_deg: Annotated[float, Field(gt=0.0, le=30.0)] = 3.3
    cue: Seconds = 1.0
    flicker: Annotated[float, Field(gt=0, le=6.0)] = 4.0
    blank: Annotated[float, Field(ge=1.0, le=600.0)] = 1.5
    latency: Annotated[float, Field(ge=0.0, le=0.5)] = 0.14
    first: Span = 1.0
    every: Span = 0.25
    growing: bool = True
    decoder: str = "fbcca"
    harmonics: Annotated[int, Field(ge=1, le=8)] = 3
    threshold: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7
    k: Annotated[int, Field(ge=1, le=20)] = 2
    n: Annotated[int, Field(ge=1, le=20)] = 2
    baseline: Annotated[float, Field(ge=0, le=300)] = 0.0
    calibration_rounds: Count = 0
    rounds: Count = 4
    idle_share: Annotated[float, Field(ge=0.0, le=4.0)] = 0.5
    free: bool = False

    @field_validator("targets")
    @classmethod
    def _possible(cls, targets: tuple[MenuTarget, ...], info: ValidationInfo) -> tuple[MenuTarget, ...]:
        """Check the targets by themselves and against the screen, whatever else is wrong in the file."""
        problems: list[str] = []
        names = [target.name for target in targets]
        if len(set(names)) != len(names) or IDLE in names:
            problems.append(f'targets must have different names, none of them "{IDLE}"')
        if len({(target.frequency, target.phase) for target in targets}) != len(names):
            problems.append("targets must differ in frequency or phase")
        for target in targets if {"refresh", "stimulation"} <= info.data.keys() else ():
            found = feasibility(target.frequency, Refresh(info.data["refresh"]), info.data["stimulation"])
            if not found.possible:
                problems.append(f"targets.{target.name}.frequency = {target.frequency:g}: {found.reason}")
        if problems:
            raise ValueError("; ".join(problems))
        return targets

    window_keys: ClassVar[str] = "first, every"
    """What the windows follow from, for messages."""

    @property
    def window_seconds(self) -> tuple[float, float]:
        """Length of the first window, and the step to the next, in seconds."""
        return self.first, self.every

    @property
    def n_windows(self) -> int:
        """How many windows a flicker has: 0 or less where none fits."""
        first, every = self.window_seconds
        return math.floor((self.flicker - self.latency - first) / every + 1e-6) + 1

    def without_effect(self) -> dict[str, str]:
        """Return what is for a decoder without training where a trained one decides, and for cues of bcikit's own."""
        found = super().without_effect()
        if self.cues == "external":
            found["cue"] = "the other program leaves the time to look before its cue"
        if not self.decoder:
            found["harmonics"] = 'it is for a decoder without training, and decoder = ""'
        else:
            found["calibration_rounds"] = f'nothing learns from them with decoder = "{self.decoder}"; say decoder = ""'
        return found

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        names = [target.name for target in self.targets]
        if self.first + self.latency > self.flicker:
            problems.append("first + latency must be at most flicker")
        if self.k > self.n:
            problems.append("k must be at most n")
        elif self.k > self.n_windows >= 1:
            problems.append(
                f"k = {self.k}: a flicker has {self.n_windows} window{'s' * (self.n_windows > 1)} (flicker, latency, "
                f"{self.window_keys}), so nothing would ever be chosen; lower k or lengthen flicker"
            )
        if 0 < self.baseline < self.first:
            problems.append("baseline must be at least first, or 0 for none: a shorter one holds no window")
        if not self.rounds and not self.calibration_rounds:
            problems.append("rounds and calibration_rounds are both 0: nothing would be asked for")
        problems += self.cue_problems((*names, IDLE))
        if problems:
            raise ValueError("; ".join(problems))
        return self


class SsvepMenu(TrialParadigm):
    """Cue, flicker with dynamic stopping, choice, dark gap."""

    kind: ClassVar[str] = "ssvep-menu"
    Settings: ClassVar[type[ParadigmSettings]] = SsvepSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="rounds", low=1, high=10, step=1),
        Adjustable(key="depth", low=0.2, high=0.8, step=0.1),
        Adjustable(key="blank", low=1, high=6, step=0.5, unit="s"),
    )
    settings: SsvepSettings
    takes_stopping = True
    takes_errors = True

    @property
    def idle(self) -> str | None:
        """Looking at no target."""
        return IDLE

    @property
    def needs(self) -> tuple[str, ...]:
        """The electrode over the visual cortex."""
        return ("Oz",)

    @property
    def classes(self) -> tuple[str, ...]:
        """The targets, and looking at none."""
        return (*(target.name for target in self.settings.targets), IDLE)

    @property
    def frequencies(self) -> dict[str, float]:
        """Frequency of each target in Hz, as the screen shows it."""
        return {
            target.name: feasibility(target.frequency, Refresh(self.settings.refresh), self.settings.stimulation).shown
            for target in self.settings.targets
        }

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """The frequency of each target."""
        return {f"targets.{name}": (shown, shown) for name, shown in self.frequencies.items()}

    def shown_values(self) -> dict[str, Any]:
        """Return the frequency of each target."""
        return {"frequencies": self.frequencies}

    @property
    def window_seconds(self) -> tuple[float, float]:
        """Length of the first window, and the step to the next, in seconds."""
        return self.settings.window_seconds

    @property
    def calibration(self) -> Calibration | None:
        """The longest window of each flicker."""
        s = self.settings
        if not s.calibration_rounds:
            return None
        length = s.flicker - s.latency if s.growing else self.window_seconds[0]
        return Calibration(
            events={f"label/{name}": name for name in self.classes}, tmin=s.latency, tmax=s.latency + length
        )

    def resting(self) -> tuple[int, float] | None:
        """Return the windows of the idle test: as many a second as a flicker has."""
        found = super().resting()
        return None if found is None else (found[0], 1.0 / self.window_seconds[1])

    @property
    def evidence_span(self) -> tuple[float, float]:
        """The windows of one flicker; where they grow and a rule of stopping sees each as all that is known, one.

        At rest a growing window is as long as the calibration's, so it holds a whole flicker.
        """
        s = self.settings
        if s.growing and self.stopping is not None:
            return s.flicker, s.flicker
        # Windows in a row are counted, however long each is.
        first, every = self.window_seconds
        begin = s.latency + first
        return begin, begin + (s.n_windows - 1) * every

    def forget(self) -> None:
        """Begin with no evidence."""
        super().forget()
        self._enough.reset()
        self._winner = ""

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare; refuses frequencies above Nyquist."""
        for name, frequency in self.frequencies.items():
            if frequency * 2 >= info.sfreq:
                raise ArgumentError(
                    f"{self.name}: the target {name!r} flickers at {frequency:g} Hz, above the Nyquist frequency of "
                    f"{info.name!r} ({info.sfreq / 2:g} Hz)."
                )
        super().configure(info, seed=seed)
        self._enough = KofN(self.settings.k, self.settings.n)
        self._winner = ""
        self._rest = RestScores()
        self.chosen: list[str] = []

    def decider(self) -> Decider | None:
        """Return the decoder that needs no training, if that is what the settings say."""
        s = self.settings
        if not s.decoder:
            return None
        assert self.info is not None
        return SsvepDecider(
            self.info, frequencies=self.frequencies, idle=IDLE, decoder=s.decoder, harmonics=s.harmonics
        )

    def sections(self) -> list[Section]:
        """Return calibration and choices, each target equally often, with trials of looking at none."""
        s = self.settings
        names = [target.name for target in s.targets]
        parts = []
        if s.baseline and s.decoder:
            parts.append(Section(kind="custom", name="baseline", labels=(BASELINE,)))
        for kind, rounds in (("calibration", s.calibration_rounds), ("feedback", s.rounds)):
            idle = [IDLE] * round(s.idle_share * rounds)
            labels = [str(item) for item in self.rng.permutation(names * rounds + idle)] if rounds else []
            if kind == "feedback" and s.free:
                labels = [""] * len(labels)
            if labels:
                parts.append(Section(kind=kind, name=kind if kind == "calibration" else "menu", labels=tuple(labels)))
        return parts

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the menu."""
        targets = tuple(Shown(words=title(str(item["item"])), **item) for item in self.shown_targets())
        return menu(event, before, targets=targets, size_deg=self.settings.size_deg)

    def shown_targets(self) -> list[dict[str, Any]]:
        """Return what each target does on the screen, in the words of its scene."""
        shown, mode = self.frequencies, self.settings.stimulation
        # A sampled sinusoid is what a renderer shows unless it is told otherwise.
        told = {"mode": mode} if mode == "frame-period" else {}
        return [
            {"item": item.name, "frequency": shown[item.name], "phase": item.phase, **told}
            for item in self.settings.targets
        ]

    def plan_trial(self, trial: Trial) -> int:
        """Plan cue, flicker, windows and the dark gap."""
        s = self.settings
        if trial.label == BASELINE:
            return self._plan_baseline(trial)
        # Where another program shows the cue, the flicker has begun with it.
        cue = 0.0 if self.outside else s.cue
        trial.onset = self.at(trial, cue)
        self.forget()
        targets = self.shown_targets()
        attended = next((target for target in targets if target["item"] == trial.label), None)
        if trial.label:
            self.plan(trial, trial.start, f"cue/{trial.label}", seconds=cue, data={"class": trial.label})
        # A screen lays out its menu by them before anything flickers.
        self.plan(trial, trial.start, "phase/gaze", seconds=cue, data={"targets": targets})
        data = {
            **({"frequency": 0.0, "phase": 0.0} if attended is None else attended),
            "target": None if not trial.label else "" if attended is None else attended["item"],
            "depth": s.depth,
            "targets": targets,
        }
        self.plan(trial, trial.onset, "stimulus/flicker", seconds=s.flicker, data=data)
        self.plan(trial, trial.onset, "phase/flicker", seconds=s.flicker)
        if trial.label:
            delay = self.schedule.samples(s.display_delay)
            self.plan(trial, trial.onset + delay, f"label/{trial.label}", data={"locked": trial.onset})
        stop = self.at(trial, cue + s.flicker)
        if not trial.section.silent:
            self._plan_windows(trial, cue)
        return self._plan_blank(trial, stop)

    def _plan_windows(self, trial: Trial, cue: float) -> None:
        s = self.settings
        first, every = self.window_seconds
        for index in range(s.n_windows):
            seconds = first + index * every
            stop = self.at(trial, cue + s.latency + seconds)
            length = self.schedule.samples(seconds if s.growing else first)
            self._ask(WindowRequest(stop, length, index == s.n_windows - 1, trial.index, "flicker", locked=trial.onset))

    def _plan_baseline(self, trial: Trial) -> int:
        s = self.settings
        self.plan(trial, trial.start, "phase/baseline", seconds=s.baseline)
        for seconds in dict.fromkeys(s.first + index * s.every * s.growing for index in range(s.n_windows)):
            stop = seconds
            while stop <= s.baseline:
                length = self.schedule.samples(seconds)
                self._ask(WindowRequest(self.at(trial, stop), length, trial=trial.index, kind=BASELINE))
                stop += max(seconds / 2, s.every)
        return self.at(trial, s.baseline)

    def _plan_blank(self, trial: Trial, stop: int) -> int:
        self.plan(trial, stop, "stimulus/off")
        return self._plan_gap(trial, stop)

    def _plan_gap(self, trial: Trial, stop: int) -> int:
        self.plan(trial, stop, "phase/rest", seconds=self.settings.blank)
        return stop + self.schedule.samples(self.settings.blank)

    # ---- decisions ---------------------------------------------------------------------------------------------
    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Give the label only when the same target was likely enough k times; looking at none never is one."""
        if request.kind == ERROR_POTENTIAL:
            return self.opinion(decision)
        trial = self.running(request)
        if trial is None or not decision.probabilities:
            return decision
        s = self.settings
        scores = decision.data.get("scores")
        if request.kind == BASELINE:
            if scores is not None:
                self._rest.learn(request.n_times, scores)
            return replace(decision, probabilities=(), label=None, reason=BASELINE)
        p = dict(zip(decision.classes, decision.probabilities, strict=True))
        if scores is not None:
            p = shares(self._rest.correct(request.n_times, scores), IDLE)
        if self.stopping is not None:
            whole = replace(decision, classes=tuple(p), probabilities=tuple(p.values()), label=None, reason=None)
            return self.gather(whole, request, growing=s.growing)
        winner = best(tuple(p), p)
        if winner != self._winner:
            self._enough.reset()
            self._winner = winner
        enough = self._enough.add(yes=p[winner] >= s.threshold)
        label = winner if enough and winner != IDLE else None
        reason = None if label else "idle" if winner == IDLE else "gathering-evidence"
        return replace(decision, classes=tuple(p), probabilities=tuple(p.values()), label=label, reason=reason)

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Choose what the gate lets through and stop the flicker; choose nothing at its end."""
        trial = self.running(request)
        if trial is not None and request.kind == ERROR_POTENTIAL:
            return self._correct(trial, decision, verdict, request)
        if trial is None or trial.seconds is not None or request.kind == BASELINE:
            return [], []
        at = request.stop_sample
        if verdict.allowed and verdict.label is not None:
            item = str(verdict.label)
            self.settle(trial, decision, verdict, request)
            trial.predicted = item
            self.chosen.append(item)
            self.cut_off(trial, at)
            self._plan_end(trial, max(self._plan_blank(trial, at), at + 1 + self.ask_error(trial, decision, at)))
            events = [self._event_at(at, f"select/{item}", data={"trial": trial.index, "item": item})]
            events += self._outcome(trial, at)
            return [self._command(decision, "select", item, ttl=self.settings.ttl)], events
        if decision.label is not None:
            trial.reasons = verdict.reasons
        if request.final or decision.data.get("enough"):
            trial.predicted = IDLE
            trial.allowed = trial.label == IDLE
            trial.seconds = (at - trial.onset) / self.sfreq
            return [], self._outcome(trial, at)
        return [], []

    def _correct(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        taken, events = self.take_back(trial, decision, verdict, request)
        if not taken:
            return [], events
        self.chosen.pop()
        commands = [self._command(decision, "undo", trial.data["undone"], ttl=self.settings.ttl)]
        if trial.predicted in self.frequencies:
            self.chosen.append(str(trial.predicted))
            commands.append(self._command(decision, "select", trial.predicted, ttl=self.settings.ttl))
        return commands, events

    def _outcome(self, trial: Trial, at: int) -> list[Event]:
        correct = trial.predicted == trial.label if trial.label else None
        data = {"trial": trial.index, "class": trial.label, "predicted": trial.predicted, "correct": correct}
        events = [self._event_at(at, "feedback/result", data=data)]
        return [*events, self._event_at(at, "feedback/error", data=data)] if correct is False else events

    def interrupt(self, sample: int) -> list[Event]:
        """End the flicker, and do the trial again that a stop cut off, after the dark gap that follows a flicker."""
        trial = self.trial
        if trial is None or trial.label == BASELINE or self.flickers_on:
            return []
        off = trial.interrupted
        self.do_again(sample)
        if not trial.interrupted:
            return []
        self.cut_off(trial, sample)
        self._plan_end(trial, self._plan_gap(trial, sample))
        # It goes off now, while the clock may stand still, and once.
        return [] if off else [self._event_at(sample, "stimulus/off", data={"trial": trial.index})]

    def results(self) -> dict[str, Any]:
        """Return choices, false choices while looking away, time to decision and transfer rate with all pauses."""
        s = self.settings
        base = super().results()
        asked = [row for row in base["trials"] if row["class"] not in ("", IDLE)]
        idle = [row for row in base["trials"] if row["class"] == IDLE]
        right = sum(row["correct"] for row in asked) / len(asked) if asked else 0.0
        times = [row["seconds"] for row in asked if row["seconds"] is not None]
        mean = sum(times) / len(times) if times else 0.0
        whole = pace(asked)
        return {
            **base,
            "chosen": list(self.chosen),
            "target_accuracy": right if asked else None,
            "false_choices": sum(row["predicted"] not in (IDLE, None) for row in idle),
            "n_idle_trials": len(idle),
            "seconds_to_decision": mean,
            "seconds_per_choice": whole,
            "itr": None if whole is None else itr(right, len(s.targets), whole),
        }

    def stimuli(self) -> list[dict[str, Any]]:
        """Return each target for the stimulus analyser."""
        s = self.settings
        return [
            {
                "kind": "flicker",
                "name": target.name,
                "frequency": self.frequencies[target.name],
                "depth": s.depth,
                "size_deg": s.size_deg,
                "seconds": s.flicker,
                "red": False,
            }
            for target in s.targets
        ]
