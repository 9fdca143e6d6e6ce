"""Error potentials: a ball goes to its goal or, now and then, the wrong way; the brain's answer trains a decoder."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.pictures import steering
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.settings import Count, ParadigmSettings, Seconds, Span
from bcikit.paradigms.support import ERROR
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, Verdict

CORRECT = "correct"
SIDES = ("left", "right")


class ErrorPotentialSettings(ParadigmSettings):
    """Settings of a session that trains a decoder of error potentials. Times are seconds.

    Attributes
    ----------
    ready, cue : float
        Until the goal is shown, and from there until the ball goes.
    window : tuple of float
        Start and end of the window after the ball went.
    rest : tuple of float
        Shortest and longest pause after it.
    error_share : float
        Share of the trials in which the ball goes the wrong way; errors must stay rare to be errors.
    calibration_trials, trials : int
        Balls without and with the decoder's opinion.
    """

    ready: Seconds = 0.6
    cue: Seconds = 0.8
    window: tuple[Seconds, Span] = (0.15, 0.75)
    rest: tuple[Seconds, Seconds] = (0.3, 0.6)
    error_share: Annotated[float, Field(ge=0.1, le=0.5)] = 0.25
    calibration_trials: Count = 160
    trials: Count = 60

    def without_effect(self) -> dict[str, str]:
        """Return what is about commands: there are none."""
        return {**super().without_effect(), "ttl": "no command is sent"}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.window[0] >= self.window[1]:
            raise ValueError("window must grow")
        if self.rest[0] > self.rest[1]:
            raise ValueError("rest must be (shortest, longest)")
        if self.calibration_trials and round(self.error_share * self.calibration_trials) < 10:
            raise ValueError("calibration_trials times error_share must be at least 10 errors")
        return self


class ErrorPotential(TrialParadigm):
    """The goal, the ball, the brain's answer; its model takes choices back where ``correct = "errp"``."""

    kind: ClassVar[str] = "error-potential"
    Settings: ClassVar[type[ParadigmSettings]] = ErrorPotentialSettings
    settings: ErrorPotentialSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Whether the ball went wrong."""
        return (CORRECT, ERROR)

    @property
    def calibration(self) -> Calibration | None:
        """One epoch a ball."""
        tmin, tmax = self.settings.window
        return Calibration(events={f"label/{name}": name for name in self.classes}, tmin=tmin, tmax=tmax)

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the ball, its goal and where it went."""
        return steering(event, before, classes=SIDES, kind=self.kind)

    def sections(self) -> list[Section]:
        """Return both parts, errors spread over each, never two running where that can be."""
        s = self.settings
        parts = []
        for kind, count in (("calibration", s.calibration_trials), ("feedback", s.trials)):
            if count:
                parts.append(Section(kind=kind, name=kind, labels=self._order(count)))
        return parts

    def _order(self, count: int) -> tuple[str, ...]:
        wrong = round(self.settings.error_share * count)
        # Gaps between errors: one right ball at least where there are enough, the rest by chance.
        right = count - wrong
        between = [0] + [1] * max(0, wrong - 1) if right >= wrong - 1 else [0] * wrong
        spare = right - sum(between)
        extra = self.rng.multinomial(max(spare, 0), [1.0 / (wrong + 1)] * (wrong + 1)) if wrong else [right]
        labels: list[str] = []
        for place in range(wrong):
            labels += [CORRECT] * (between[place] + int(extra[place])) + [ERROR]
        return tuple(labels + [CORRECT] * int(extra[-1]))

    def plan_trial(self, trial: Trial) -> int:
        """Plan goal, ball and the window after it."""
        s = self.settings
        goal = SIDES[int(self.rng.integers(2))]
        gone = goal if trial.label == CORRECT else SIDES[1 - SIDES.index(goal)]
        trial.onset = self.at(trial, s.ready + s.cue)
        self.plan(trial, trial.start, "phase/fixation", seconds=s.ready)
        self.plan(trial, self.at(trial, s.ready), f"cue/{goal}", seconds=s.cue, data={"class": goal})
        data = {"class": goal, "predicted": gone, "correct": trial.label == CORRECT}
        self.plan(trial, trial.onset, "feedback/result", data=data)
        if trial.label == ERROR:
            self.plan(trial, trial.onset, "feedback/error", data=data)
        delay = self.schedule.samples(s.display_delay)
        self.plan(trial, trial.onset + delay, f"label/{trial.label}", data={"locked": trial.onset})
        stop = trial.onset + self.schedule.samples(s.window[1])
        if not trial.section.silent:
            length = self.schedule.samples(s.window[1] - s.window[0])
            self._ask(WindowRequest(stop, length, final=True, trial=trial.index, locked=trial.onset))
        rest = self.longer_than_delay(float(self.rng.uniform(*s.rest)))
        return stop + self.schedule.samples(rest)

    @property
    def practice_label(self) -> str:
        """A ball that goes right."""
        return CORRECT

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Note the opinion; nothing moves by it here."""
        trial = self.running(request)
        if trial is not None and request.final:
            self.settle(trial, decision, verdict, request)
        return [], []

    def results(self) -> dict[str, Any]:
        """Return how many errors were seen, and how many right balls were taken for errors."""
        base = super().results()
        rows = base["trials"]
        wrong = [row for row in rows if row["class"] == ERROR]
        right = [row for row in rows if row["class"] == CORRECT]
        seen = sum(row["predicted"] == ERROR for row in wrong)
        false = sum(row["predicted"] == ERROR for row in right)
        meaning = (
            f"Of {len(wrong)} errors {seen} were seen; of {len(right)} right balls {false} were taken for errors."
            if rows
            else "No ball was judged: the decoder was trained only."
        )
        return {
            **base,
            "errors_seen": seen / len(wrong) if wrong else None,
            "false_errors": false / len(right) if right else None,
            "meaning": [meaning],
        }
