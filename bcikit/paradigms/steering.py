"""Imagery steering: two imagined movements drive something sideways to a target, as in a VR scene."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from bcikit.paradigms.base import WindowRequest
from bcikit.paradigms.imagery import MotorImagery, MotorImagerySettings
from bcikit.paradigms.pictures import steering
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.paradigms.trials import Trial
from bcikit.signal import Command, Decision, Event, Verdict


class SteeringSettings(MotorImagerySettings):
    """Settings of steering: those of motor imagery, and how fast it goes.

    Attributes
    ----------
    speed : float
        Distance a second at full confidence; the target is 1 away.
    """

    shows_hands: ClassVar[bool] = False

    speed: Annotated[float, Field(gt=0, le=5)] = 0.6

    def without_effect(self) -> dict[str, str]:
        """Return what a hand would do: here something moves sideways."""
        return {**super().without_effect(), "actions": 'steering sends "move"'}

    @model_validator(mode="after")
    def _two(self) -> Self:
        if len(self.classes) != 2 or self.cues != "internal":
            raise ValueError('steering needs two classes (the first goes left) and cues = "internal"')
        return self


class Steering(MotorImagery):
    """Trials of steering to the left or right target; the position is kept here and sent as commands."""

    kind: ClassVar[str] = "imagery-steering"
    Settings: ClassVar[type[ParadigmSettings]] = SteeringSettings
    settings: SteeringSettings
    # The way to the target is evidence enough.
    takes_stopping = False
    takes_errors = False

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the ball and its two goals."""
        return steering(event, before, classes=self.classes)

    def plan_imagery(self, trial: Trial, seconds: float) -> None:
        """Begin in the middle."""
        super().plan_imagery(trial, seconds)
        self._position = 0.0
        self._last: int | None = None
        trial.data["path"] = 0.0

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Move by what the gate lets through; the trial ends at the target or with the time."""
        trial = self.running(request)
        if trial is None or trial.seconds is not None:
            return [], []
        s = self.settings
        seconds = (request.stop_sample - self._last) / self.sfreq if self._last is not None else 1.0 / s.feedback_rate
        self._last = request.stop_sample
        commands: list[Command] = []
        if verdict.allowed and verdict.label in self.classes:
            sign = -1.0 if verdict.label == self.classes[0] else 1.0
            # No more than two classes: what is above chance counts, all of it at certainty.
            velocity = sign * s.speed * max(0.0, 2.0 * decision.confidence - 1.0)
            moved = velocity * min(seconds, s.ttl)
            self._position = min(max(self._position + moved, -1.0), 1.0)
            trial.data["path"] += abs(moved)
            data = {"trial": trial.index, "class": verdict.label, "position": self._position}
            commands.append(self._command(decision, "move", velocity, ttl=s.ttl, data=data))
        data = {"trial": trial.index, "class": self._side(), "position": self._position, "informational": True}
        events = [self._event_at(request.stop_sample, "feedback/update", value=abs(self._position), data=data)]
        last = request.stop_sample + self.schedule.samples(1.0 / s.feedback_rate) > self.at(trial, s.stop)
        if abs(self._position) >= 1.0 or last:
            events += self._arrive(trial, decision, verdict, request)
        return commands, events

    def _side(self) -> str | None:
        return None if self._position == 0.0 else self.classes[0] if self._position < 0.0 else self.classes[1]

    def _arrive(self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest) -> list[Event]:
        s = self.settings
        self.settle(trial, decision, verdict, request)
        reached = abs(self._position) >= 1.0
        trial.predicted = self._side()
        trial.allowed = reached
        trial.data |= {"position": self._position, "reached": reached}
        correct = trial.predicted == trial.label
        about = {"trial": trial.index, "class": trial.label, "predicted": trial.predicted, "correct": correct}
        events = [self._event_at(request.stop_sample, "feedback/result", data=about)]
        if not correct:
            events.append(self._event_at(request.stop_sample, "feedback/error", data=about))
        if reached:
            rest = float(self.rng.uniform(*s.rest))
            self.cut_off(trial, request.stop_sample)
            self.plan(trial, request.stop_sample, "feedback/end")
            self.plan(trial, request.stop_sample, "phase/rest", seconds=rest)
            self._plan_end(trial, request.stop_sample + self.schedule.samples(rest))
        return events

    def results(self) -> dict[str, Any]:
        """Return hits, and how straight the way was (1 is straight)."""
        base = super().results()
        rows = base["trials"]
        hits = [row for row in rows if row.get("reached") and row["correct"]]
        return {
            **base,
            "hits": len(hits),
            "hit_rate": len(hits) / len(rows) if rows else None,
            "straightness": sum(1.0 / row["path"] for row in hits) / len(hits) if hits else None,
        }
