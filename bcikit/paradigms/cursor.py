"""Continuous control: a cursor in one or two dimensions, or a grip force, decoded anew ten times a second."""

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bcikit.decoding.continuous import KalmanDecoder, Limiter
from bcikit.paradigms.answers import together
from bcikit.paradigms.bands import BandPowerDecider
from bcikit.paradigms.base import Decider, WindowRequest
from bcikit.paradigms.conditions import balanced_order
from bcikit.paradigms.pictures import gliding
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.score import summarise
from bcikit.paradigms.settings import Count, Name, ParadigmSettings, Seconds, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

Array = NDArray[np.float64]
Band = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0, le=200)]]
Place = Annotated[float, Field(ge=-1.0, le=1.0)]


class CursorSettings(ParadigmSettings):
    """Settings of continuous control. Times are seconds; the way from the middle to the edge is 1.

    Attributes
    ----------
    control : "velocity" or "force"
        What a Kalman filter follows: the velocity of a cursor, or a force between 0 and 1.
    goals : table
        Imagined movement to where it leads: ``[x, y]`` or ``[x]`` for a cursor, ``[force]`` for a force.
    channels, bands : lists
        The power of each band in each channel is a feature; all EEG channels if empty.
    window, rate : float
        Length of a window, and windows a second.
    prepare, watch, reach, rest : float
        Before the cue; how long the cursor goes to the goal by itself, to learn from; the longest time to reach a goal;
        after it.
    radius, hold, speed : float
        Within this distance of a goal for so long the trial ends there; the largest speed, of a force the largest
        change a second.
    watched, trials, blocks : int
        Trials a goal that are watched, and of each block that the person steers.
    refit : bool
        Before each further block learn also from the blocks before, as if the person had always wanted to go straight
        to the goal, and to stop there.
    """

    control: Literal["velocity", "force"] = "velocity"
    goals: dict[Name, tuple[Place, ...]]
    channels: tuple[str, ...] = ()
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=8)] = ((8.0, 13.0), (16.0, 26.0))
    window: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    rate: Annotated[float, Field(gt=0, le=30)] = 10.0
    prepare: Seconds = 1.5
    watch: Span = 4.0
    reach: Span = 8.0
    rest: Seconds = 2.0
    radius: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3
    hold: Seconds = 0.3
    speed: Annotated[float, Field(gt=0, le=5)] = 0.5
    watched: Annotated[int, Field(ge=4, le=100)] = 8
    trials: Count = 5
    blocks: Annotated[int, Field(ge=1, le=10)] = 2
    refit: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        sizes = {len(place) for place in self.goals.values()}
        if len(self.goals) < 2 or len(set(self.goals.values())) < len(self.goals):
            problems.append("goals must be two or more, at different places")
        if len(sizes) != 1 or not sizes <= {1, 2} or (self.control == "force" and sizes != {1}):
            problems.append("each goal has one number, or each has two; a force has one")
        if self.control == "force" and any(place[0] < 0 for place in self.goals.values()):
            problems.append("a force is from 0 to 1")
        if self.control == "velocity" and any(np.linalg.norm(place) <= self.radius for place in self.goals.values()):
            problems.append("goals of a cursor lie farther from the middle than radius")
        problems += [f"bands must be (low, high), not {band}" for band in self.bands if band[0] >= band[1]]
        if self.window >= min(self.watch, self.reach):
            problems.append("window must be shorter than watch and reach")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Cursor(TrialParadigm):
    """Watched trials, from which a decoder is learned, then blocks of steering with a re-fit between them.

    The re-fit is that of Gilja et al. 2012 (Nat Neurosci 15(12)): what the person did in a block is learned as a
    velocity of the decoded speed that points at the goal, and as none within it.
    """

    kind: ClassVar[str] = "cursor"
    Settings: ClassVar[type[ParadigmSettings]] = CursorSettings
    settings: CursorSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """The imagined movements, and standing still."""
        return (*self.settings.goals, *(["still"] if "still" not in self.settings.goals else []))

    @property
    def idle(self) -> str | None:
        """Standing still; a force is always one that is wanted."""
        return "still" if self.settings.control == "velocity" else None

    @property
    def needs(self) -> tuple[str, ...]:
        """The channels that are decoded."""
        return self.settings.channels

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """The bands that are features."""
        return {f"bands.{index}": band for index, band in enumerate(self.settings.bands)}

    def decider(self) -> Decider | None:
        """Return the band powers of each channel; the regression is learned here."""
        assert self.info is not None
        bands = {f"{low:g}-{high:g} Hz": (low, high) for low, high in self.settings.bands}
        return BandPowerDecider(
            self.info, channels=self.settings.channels, bands=bands, classes=self.classes, apart=True
        )

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare for a stream."""
        super().configure(info, seed=seed)
        s = self.settings
        self._goals = {name: np.asarray(place) for name, place in s.goals.items()}
        self._middle = np.full(len(next(iter(self._goals.values()))), 0.5 if s.control == "force" else 0.0)
        self._limit = Limiter(low=0.0, high=1.0, max_speed=s.speed, start=0.5)
        self._position = self._middle.copy()
        self._wanted = np.zeros_like(self._middle)
        self._held, self._at = 0.0, ""
        self._learned: list[tuple[Array, Array]] = []
        self._model: KalmanDecoder | None = None
        self._fits = 0

    def sections(self) -> list[Section]:
        """Return what is watched, and the blocks."""
        s = self.settings
        names = tuple(s.goals)
        parts = [Section(kind="custom", name="watch", labels=balanced_order(names, s.watched * len(names), self.rng))]
        for index in range(s.blocks if s.trials else 0):
            labels = balanced_order(names, s.trials * len(names), self.rng)
            parts.append(Section(kind="feedback", name=f"block {index + 1}", labels=labels))
        return parts

    @property
    def practice_label(self) -> str:
        """None: the decoder comes with what is watched."""
        return ""

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the cursor and its goals, or the bar of the force."""
        return gliding(event, before, goals=self.settings.goals, force=self.settings.control == "force")

    def begin_section(self, section: Section, sample: int) -> None:
        """Learn what there is to learn before a block."""
        if section.kind != "feedback" or not self._learned or (self._fits and not self.settings.refit):
            return
        features, states = (np.stack(rows) for rows in zip(*self._learned, strict=True))
        self._model = KalmanDecoder().fit(features, states)
        self._fits += 1
        self.tell(sample, "decoder/fit", data={"windows": len(features), "fit": self._fits})

    def plan_trial(self, trial: Trial) -> int:
        """Plan the cue and the windows."""
        s = self.settings
        seconds = s.watch if trial.section.name == "watch" else s.reach
        trial.onset = self.at(trial, s.prepare)
        if s.prepare:
            self.plan(trial, trial.start, "phase/fixation", seconds=s.prepare)
        about = {"class": trial.label}
        self.plan(trial, trial.onset, f"cue/{trial.label}", seconds=seconds, data=about)
        self.plan(trial, trial.onset, "phase/imagery", seconds=seconds, data=about)
        self.plan(trial, trial.onset, "feedback/start", seconds=seconds)
        count = int((seconds - s.window) * s.rate + 1e-6)
        length = self.schedule.samples(s.window)
        for index in range(count + 1):
            stop = trial.onset + self.schedule.samples(s.window + index / s.rate)
            self._ask(WindowRequest(stop, length, index == count, trial.index, "monitor"))
        end = self._plan_rest(trial, trial.onset + self.schedule.samples(seconds))
        self._position, self._held, self._at = self._middle.copy(), 0.0, ""
        self._limit = Limiter(low=0.0, high=1.0, max_speed=s.speed, start=0.5)
        if self._model is not None:
            self._model.reset()
        trial.data |= {"updates": 0, "bad": 0, "path": 0.0}
        return end

    def _plan_rest(self, trial: Trial, stop: int) -> int:
        """Plan what follows the steering, and return when the trial is over."""
        rest = self.settings.rest
        self.plan(trial, stop, "feedback/end")
        if rest:
            self.plan(trial, stop, "phase/rest", seconds=rest)
        return stop + self.schedule.samples(rest)

    def _nearest(self, place: Array) -> str:
        return min(self._goals, key=lambda name: float(np.linalg.norm(place - self._goals[name])))

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Return where the person wants to go: the goal in that direction is the label."""
        trial = self.running(request)
        features = _features(decision)
        if trial is None or features is None or trial.section.name == "watch" or self._model is None:
            return decision
        bad = decision.reason == "bad-data"
        # A bad window only lets time pass.
        self._wanted = self._model.step(np.full_like(features, np.nan) if bad else features)
        label = self._towards(self._wanted)
        clean = Decision(
            time=decision.time, sample=decision.sample, classes=self.classes, age=decision.age, data=decision.data,
            reason="bad-data" if bad else None,
        )  # fmt: skip
        p = {name: float(name == label) for name in self.classes}
        return together(clean, p, None if bad else label, reason="bad-data", data={"wanted": self._wanted.tolist()})

    def _towards(self, wanted: Array) -> str:
        """Return the goal that a velocity points at, or that is nearest to a force; "still" for hardly a velocity."""
        if self.settings.control == "force":
            return self._nearest(wanted)
        if float(np.linalg.norm(wanted)) < 0.05 * self.settings.speed:
            return "still"
        return max(self._goals, key=lambda name: float(_unit(self._goals[name]) @ wanted))

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Move by itself while it is watched, else by what the gate lets through; a trial ends at its goal."""
        trial = self.running(request)
        features = _features(decision)
        if trial is None or features is None or trial.seconds is not None:
            return [], []
        s = self.settings
        goal = self._goals[trial.label]
        bad = decision.reason == "bad-data"
        trial.data["updates"] += 1
        trial.data["bad"] += bad
        commands: list[Command] = []
        if trial.section.name == "watch":
            step = (goal - self._middle) / ((s.watch - s.window) * s.rate)
            if not bad:
                force = s.control == "force"
                self._learned.append((features, goal.copy() if force else step * s.rate))
            self._position = self._position + step
        elif not bad and (verdict.allowed or s.control == "force"):
            before = self._position
            self._move(goal, features, dt=1.0 / s.rate, rise=verdict.allowed)
            trial.data["path"] += float(np.linalg.norm(self._position - before))
            if verdict.allowed:
                commands.append(self._act(decision, (self._position - before) * s.rate))
        events = [self._show(trial, request)]
        if trial.section.name != "watch":
            there = [n for n, place in self._goals.items() if np.linalg.norm(self._position - place) <= s.radius]
            if not there or there[0] != self._at:
                self._held = 0.0
            self._at = there[0] if there else ""
            self._held += 1.0 / s.rate if there else 0.0
            # A goal that nobody asked for ends a trial, too: who only wobbles does not come to every goal in time.
            arrived = bool(there) and self._held >= s.hold - 1e-9
            if arrived or request.final:
                reached = arrived and self._at == trial.label
                events += self._arrive(trial, decision, verdict, request, reached=reached, over=arrived)
        return commands, events

    def _move(self, goal: Array, features: Array, *, dt: float, rise: bool) -> None:
        """Go on by what is wanted, no faster than allowed, and note what that teaches for the next block.

        A force rises only by the gate's leave; it falls without: whatever holds by it lets go.
        """
        s = self.settings
        if s.control == "force":
            wanted = float(self._wanted[0]) if rise else min(float(self._wanted[0]), float(self._position[0]))
            self._position = np.array([self._limit.update(wanted, dt)])
            self._learned.append((features, goal.copy()))
            return
        speed = float(np.linalg.norm(self._wanted))
        velocity = self._wanted * min(1.0, s.speed / max(speed, 1e-12))
        away = goal - self._position
        straight = 0.0 * goal if np.linalg.norm(away) <= s.radius else _unit(away) * float(np.linalg.norm(velocity))
        self._learned.append((features, straight))
        self._position = np.clip(self._position + velocity * dt, -1.0, 1.0)

    def _act(self, decision: Decision, velocity: Array) -> Command:
        data = {"position": self._position.tolist(), "velocity": velocity.tolist(), "class": decision.label}
        if self.settings.control == "force":
            return self._command(decision, "close", float(self._position[0]), ttl=self.settings.ttl, data=data)
        return self._command(decision, "move", float(np.linalg.norm(velocity)), ttl=self.settings.ttl, data=data)

    def _show(self, trial: Trial, request: WindowRequest) -> Event:
        data = {"trial": trial.index, "informational": True, "position": float(self._position[0])}
        if len(self._position) > 1:
            data["height"] = float(self._position[1])
        return self._event_at(request.stop_sample, "feedback/update", value=abs(float(self._position[0])), data=data)

    def _arrive(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest, *, reached: bool, over: bool
    ) -> list[Event]:
        self.settle(trial, decision, verdict, request)
        goal = self._goals[trial.label]
        nearest = self._nearest(self._position)
        trial.predicted = trial.label if reached else nearest if nearest != trial.label else None
        trial.allowed = reached
        direct = float(np.linalg.norm(goal - self._middle)) - self.settings.radius
        trial.data |= {"reached": reached, "position": self._position.tolist()}
        if reached and trial.data["path"] > 0.0:
            trial.data["straightness"] = min(1.0, max(direct, 0.0) / trial.data["path"])
        about = {"trial": trial.index, "class": trial.label, "predicted": trial.predicted, "correct": reached}
        events = [self._event_at(request.stop_sample, "feedback/result", data=about)]
        if trial.predicted is not None and not reached:
            events.append(self._event_at(request.stop_sample, "feedback/error", data=about))
        if over:
            self.cut_off(trial, request.stop_sample)
            self._plan_end(trial, self._plan_rest(trial, request.stop_sample))
        return events

    def results(self) -> dict[str, Any]:
        """Return goals that were reached, how fast and how straight, in each block."""
        rows = [trial.row() for trial in self.trials if trial.section.name != "watch"]
        blocks: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            blocks.setdefault(str(row["section"]), []).append(row)
        hits = [row for row in rows if row.get("reached")]
        straight = [row["straightness"] for row in hits if "straightness" in row]
        rates = {name: sum(bool(row.get("reached")) for row in part) / len(part) for name, part in blocks.items()}
        return {
            "paradigm": self.kind,
            "name": self.name,
            "n_calibration_trials": len(self.trials) - len(rows),
            **summarise(rows, self.classes),
            "hit_rate": len(hits) / len(rows) if rows else None,
            "hit_rate_of_blocks": rates,
            "seconds_to_reach": float(np.mean([row["seconds"] for row in hits])) if hits else None,
            "straightness": float(np.mean(straight)) if straight else None,
            "fits": self._fits,
            "windows_learned": len(self._learned),
        }


def _features(decision: Decision) -> Array | None:
    """Return the logarithms of the powers of a window; None where it has none."""
    powers = decision.data.get("powers")
    if powers is None:
        return None
    return np.log(np.maximum(np.array(list(powers.values()), dtype=np.float64), 1e-6))


def _unit(vector: Array) -> Array:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0.0 else vector
