"""Settings of decoded, assisted movement."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bcikit.paradigms.settings import Count, Name, ParadigmSettings, Seconds, SettingsTable, Share, Span, is_recorded
from bcikit.safety.guard.fes import refusal

DUTY = 0.30
"""Largest share of time that a muscle may be stimulated; reference default for functional electrical stimulation."""


class Stimulation(SettingsTable):
    """What the assisting device is asked for; its own ceilings stand in the gate and the guard.

    Attributes
    ----------
    command : str
        "stimulate" (FES), "move" (orthosis), "close" (virtual hand).
    seconds : float
        Length of the assistance.
    ramp : float
        Seconds in which the current of a stimulator rises from nothing to full; it ends at once.
    channel : int
        Output channel of a stimulator; the shipped drivers have one and refuse another.
    amplitude_ma, pulse_us, frequency_hz : float
        Pulse train of a stimulator.
    area_cm2, site : float and str
        Area of the smaller electrode, and where the electrodes are.
    """

    command: Literal["stimulate", "move", "close"] = "stimulate"
    seconds: Annotated[float, Field(gt=0, le=5.0)] = 3.0
    ramp: Annotated[float, Field(ge=0.5, le=2.0)] = 0.5
    channel: Annotated[int, Field(ge=1, le=8)] = 1
    amplitude_ma: Annotated[float, Field(ge=0, le=50)] = 15.0
    pulse_us: Annotated[float, Field(ge=0, le=400)] = 300.0
    frequency_hz: Annotated[float, Field(gt=0, le=50)] = 35.0
    area_cm2: Annotated[float, Field(ge=1.0, le=200.0)] = 25.0
    site: str = "forearm"


class Difficulty(SettingsTable):
    """Graded difficulty: the threshold follows the success of the last trials.

    Attributes
    ----------
    adapt : bool
        False keeps the threshold.
    lowest, highest, step : float
        Range and step of the threshold.
    aim : float
        Share of hits that is aimed at.
    trials : int
        Trials looked back on.
    """

    adapt: bool = True
    lowest: Share = 0.60
    highest: Share = 0.90
    step: Share = 0.02
    aim: Share = 0.75
    trials: Annotated[int, Field(ge=2, le=50)] = 6


class RehabilitationSettings(ParadigmSettings):
    """Settings of decoded, assisted movement. Times are seconds.

    Attributes
    ----------
    task : "imagery" or "attempt"
        What the person does; the phase event has this name.
    movement, idle : str
        Class of the movement, and class of doing nothing.
    rest, prepare, attempt, pause : float or pair
        Trial: rest, beep and preparation, longest attempt, random pause after it.
    window, rate : float
        Length of the decoded window, and decisions a second.
    threshold, smoothing, k, n : numbers
        Assistance comes when the smoothed probability is at least `threshold` in `k` of `n` decisions.
    calibration_runs, runs, trials_per_run, between_runs : numbers
        Runs without and with assistance; half of the calibration trials and `idle_share` of the others are idle.
    assist : table
        What is asked of the device.
    arm : "contingent", "sham" or "yoked"
        Contingent: the decoder triggers. Sham: assistance at random times. Yoked: at `yoked_delays` of another person.
    blind : bool
        Results and report do not name the arm, and the report nothing that tells it.
    video : str
        Film of the movement shown from the cue until the attempt (mirror therapy, action observation).
    watch : float
        Seconds of watching it before the attempt.
    """

    shows_hands: ClassVar[bool] = True

    task: Literal["imagery", "attempt"] = "attempt"
    movement: Name = "right_hand"
    idle: Name = "rest"
    rest: Seconds = 3.0
    prepare: Span = 2.0
    attempt: Span = 6.0
    pause: tuple[Seconds, Seconds] = (4.0, 6.0)
    window: Span = 1.5
    rate: Annotated[float, Field(gt=0, le=30)] = 8.0
    threshold: Annotated[float, Field(ge=0.5, le=0.99)] = 0.70
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.80
    k: Annotated[int, Field(ge=1, le=20)] = 4
    n: Annotated[int, Field(ge=1, le=20)] = 5
    calibration_runs: Count = 2
    runs: Count = 3
    trials_per_run: Annotated[int, Field(ge=2, le=200)] = 20
    idle_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.2
    between_runs: Seconds = 60.0
    assist: Stimulation = Stimulation()
    difficulty: Difficulty = Difficulty()
    arm: Literal["contingent", "sham", "yoked"] = "contingent"
    yoked_delays: tuple[Seconds, ...] = ()
    blind: bool = False
    video: str = ""
    watch: Seconds = 0.0

    def without_effect(self) -> dict[str, str]:
        """Return what the kind of trial has no use for."""
        found = super().without_effect() | {
            "ttl": "the device is helped by for assist.seconds, as long as the gate lets it (gate.ttl_s, renewed)"
        }
        if self.arm != "yoked":
            found["yoked_delays"] = 'it is for arm = "yoked"'
        return found

    @property
    def decisions(self) -> int:
        """Decisions in an attempt that nothing ends."""
        return int(self.attempt * self.rate + 1e-6)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        if self.movement == self.idle:
            problems.append("movement and idle must differ")
        if self.pause[0] > self.pause[1]:
            problems.append("pause must be (shortest, longest)")
        if self.k > self.n:
            problems.append(f"k = {self.k} must be at most n = {self.n}")
        if self.trials_per_run % 2:
            problems.append("trials_per_run must be even, for as many movements as rests in the calibration")
        if self.window > self.attempt:
            problems.append("window must be at most attempt")
        # What was recorded without showing it is replayed all the same.
        if self.video and not self.watch and not is_recorded():
            problems.append(f"video = {self.video!r} needs watch: the seconds before the attempt in which it is seen")
        decisions = self.decisions
        # From a half, with every probability 1, `k` decisions before the end.
        highest = 1.0 - 0.5 * self.smoothing ** max(0, decisions - self.k + 1)
        if decisions < self.k or highest < self.threshold:
            problems.append(
                f"an attempt has {decisions} decisions (attempt, rate), in which the smoothed probability comes to "
                f"{highest:.2f} at most {self.k} times: threshold = {self.threshold:g} would never be reached; lower "
                "smoothing, k or threshold, or raise attempt or rate"
            )
        if not self.difficulty.lowest <= self.threshold <= self.difficulty.highest:
            problems.append("threshold must lie between difficulty.lowest and difficulty.highest")
        if self.arm == "yoked" and not self.yoked_delays:
            problems.append(
                'arm = "yoked" needs yoked_delays (seconds after the cue, from the other person\'s results)'
            )
        late = max(self.yoked_delays, default=0.0)
        if self.arm == "yoked" and late > self.watch + self.attempt:
            problems.append(f"yoked_delays: {late:g} s comes after watch + attempt, so no assistance would")
        shortest = self.rest + self.prepare + self.watch + 1.0 / self.rate + self.assist.seconds + self.pause[0]
        if self.assist.seconds / shortest > DUTY:
            problems.append(
                f"assist.seconds is {self.assist.seconds / shortest:.0%} of the shortest trial; at most {DUTY:.0%} is "
                "allowed: shorten it or lengthen rest or pause"
            )
        elif self.assist.command == "stimulate" and not is_recorded():
            helped = self.runs * (self.trials_per_run - round(self.idle_share * self.trials_per_run))
            refused = refusal(self.assist.seconds, shortest, helped)
            if refused:
                problems.append(
                    f"assist.seconds = {self.assist.seconds:g}: in the shortest trials, one every {shortest:.1f} s, "
                    f"the stimulator would refuse {refused}; shorten it, lengthen rest or pause, or do fewer trials"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self
