"""Neurofeedback of a rhythm: reward while its power is above a threshold that adapts."""

import math
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from bcikit.paradigms.answers import together
from bcikit.paradigms.bands import BandPowerDecider
from bcikit.paradigms.base import Decider, WindowRequest
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import rising
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.settings import ParadigmSettings, Seconds, Share, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

Band = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0, le=200)]]


class NeurofeedbackSettings(ParadigmSettings):
    """Settings of band-power neurofeedback. Times are seconds.

    Attributes
    ----------
    band : pair of float
        Rhythm to be raised, in Hz: 12 to 15 (SMR) or 8 to 12 (alpha).
    inhibit : list of pairs
        Bands that must not rise: eye and body movements (4 to 7), muscles (22 to 30).
    channels : list of str
        Averaged; all EEG channels if empty.
    baseline, blocks, block, between_blocks : numbers
        Baseline with eyes open, number of training blocks, their length and the pause between them.
    window, rate : float
        Length of the window and updates a second.
    hold : float
        How long the power must stay above the threshold for a reward.
    percentile, floor_percentile : float
        Percentile of the baseline where the threshold starts, and below which it never falls.
    adapt_every, adapt_step, reward_low, reward_high : numbers
        Every so often the threshold moves by at most this share, to keep the share of time above it in between.
    inhibit_percentile : float
        An inhibit band above this percentile of its baseline counts as an artefact: no reward, no adaptation.
    """

    band: Band = (12.0, 15.0)
    inhibit: tuple[Band, ...] = ((4.0, 7.0), (22.0, 30.0))
    channels: tuple[str, ...] = ("C3", "Cz", "C4")
    baseline: Annotated[float, Field(ge=30.0, le=600.0)] = 120.0
    blocks: Annotated[int, Field(ge=1, le=30)] = 4
    block: Span = 270.0
    between_blocks: Seconds = 60.0
    window: Span = 1.0
    rate: Annotated[float, Field(gt=0, le=60)] = 8.0
    hold: Seconds = 0.25
    percentile: Annotated[float, Field(ge=0, le=100)] = 40.0
    floor_percentile: Annotated[float, Field(ge=0, le=100)] = 25.0
    adapt_every: Span = 30.0
    adapt_step: Annotated[float, Field(ge=0, le=0.05)] = 0.05
    reward_low: Share = 0.55
    reward_high: Share = 0.70
    inhibit_percentile: Annotated[float, Field(ge=50, le=100)] = 95.0

    def without_effect(self) -> dict[str, str]:
        """Return what is about inhibited bands where there is none."""
        found = super().without_effect()
        return found if self.inhibit else found | {"inhibit_percentile": "no band is inhibited (inhibit)"}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            f"{key} must be (low, high)"
            for key, (low, high) in (("band", self.band), *(("inhibit", band) for band in self.inhibit))
            if low >= high
        ]
        if self.window > min(self.baseline, self.block):
            problems.append("window must be at most baseline and block")
        # It is seen from one update to a later one.
        elif math.ceil(self.hold * self.rate - 1e-9) / self.rate > self.block - self.window:
            problems.append("hold (in whole steps of 1 / rate) must fit into block less a window: never a reward")
        bands = {"band": self.band, **{f"inhibit {low:g} to {high:g} Hz": (low, high) for low, high in self.inhibit}}
        for key, (low, high) in bands.items():
            # A window of so many seconds tells no finer frequencies apart.
            if 0.0 < high - low < 1.0 / self.window - 1e-9:
                problems.append(
                    f"{key}: {high - low:g} Hz is too narrow for a window of {self.window:g} s, which tells "
                    f"{1 / self.window:g} Hz apart; lengthen window"
                )
        if self.reward_low > self.reward_high:
            problems.append("reward_low must be at most reward_high")
        if self.floor_percentile > self.percentile:
            problems.append("floor_percentile must be at most percentile")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Neurofeedback(TrialParadigm):
    """Baseline, then training blocks; every block counts as a trial."""

    kind: ClassVar[str] = "neurofeedback"
    Settings: ClassVar[type[ParadigmSettings]] = NeurofeedbackSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="blocks", low=1, high=8, step=1),
        Adjustable(key="block", low=60, high=600, step=30, unit="s"),
        Adjustable(key="between_blocks", low=10, high=180, step=10, unit="s"),
        Adjustable(key="baseline", low=30, high=300, step=30, unit="s"),
    )
    settings: NeurofeedbackSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Reward or none."""
        return ("reward", "none")

    @property
    def idle(self) -> str | None:
        """No reward."""
        return "none"

    @property
    def needs(self) -> tuple[str, ...]:
        """The channels whose power is fed back."""
        return self.settings.channels

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """The band that is fed back, and those that are inhibited."""
        return {"band": self.settings.band, **{f"inhibit.{i}": band for i, band in enumerate(self.settings.inhibit)}}

    def decider(self) -> Decider | None:
        """Return the band powers; nothing is trained."""
        assert self.info is not None
        bands = {"reward": self.settings.band}
        bands |= {f"inhibit{index}": band for index, band in enumerate(self.settings.inhibit)}
        return BandPowerDecider(self.info, channels=self.settings.channels, bands=bands, classes=self.classes)

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare for a stream."""
        super().configure(info, seed=seed)
        self.threshold: float | None = None
        self._floor = 0.0
        self._limits: list[float] = []
        self._baseline: list[dict[str, float]] = []
        self._since: int | None = None
        self._rewarding = False
        self._recent: list[bool] = []
        self._adapted = 0
        self._course: list[dict[str, float]] = []

    def sections(self) -> list[Section]:
        """Return the baseline and the training blocks with pauses."""
        s = self.settings
        parts = [Section(kind="custom", name="baseline", labels=("baseline",))]
        for index in range(s.blocks):
            parts.append(Section(kind="feedback", name=f"training {index + 1}", labels=("reward",)))
            if s.between_blocks and index < s.blocks - 1:
                parts.append(Section(kind="break", name="pause", seconds=s.between_blocks, phase="break"))
        return parts

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the balloon."""
        return rising(event, before)

    @property
    def practice_label(self) -> str:
        """None: the threshold comes with the baseline."""
        return ""

    def plan_trial(self, trial: Trial) -> int:
        """Plan a baseline or a training block, and its windows."""
        s = self.settings
        baseline = trial.label == "baseline"
        seconds = s.baseline if baseline else s.block
        phase = "phase/eyes-open" if baseline else "phase/training"
        self.plan(trial, trial.start, phase, seconds=seconds, data={"band": list(s.band)})
        if not baseline:
            self.plan(trial, trial.start, "feedback/start", seconds=seconds)
        trial.data |= {"updates": 0, "above": 0, "artefacts": 0, "rewards": 0, "power": None}
        length = self.schedule.samples(s.window)
        count = int((seconds - s.window) * s.rate)
        for index in range(count + 1):
            stop = self.at(trial, s.window + index / s.rate)
            self._ask(WindowRequest(stop, length, index == count, trial.index, "monitor"))
        stop = self.at(trial, seconds)
        if not baseline:
            self.plan(trial, stop, "feedback/end")
        self._since, self._rewarding, self._recent, self._adapted = None, False, [], trial.start
        return stop

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Return "reward" once the power held above the threshold without an artefact."""
        powers = decision.data.get("powers")
        trial = self.running(request)
        if powers is None or trial is None or trial.label == "baseline" or self.threshold is None:
            return decision
        artefact = decision.reason == "bad-data" or self._inhibited(powers)
        above = not artefact and powers["reward"] >= self.threshold
        if not above:
            self._since = None
        elif self._since is None:
            self._since = request.stop_sample
        held = self._since is not None and request.stop_sample - self._since >= self.settings.hold * self.sfreq
        p = {"reward": 1.0 if held else 0.0, "none": 0.0 if held else 1.0}
        reason = "artefact" if artefact else "below-threshold"
        clean = decision if decision.reason == "bad-data" else _without_reason(decision)
        data = {"threshold": self.threshold, "artefact": artefact, "above": above}
        return together(clean, p, "reward" if held else None, reason=reason, data=data)

    def _inhibited(self, powers: dict[str, float]) -> bool:
        return any(powers[f"inhibit{index}"] > limit for index, limit in enumerate(self._limits))

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Show the power against the threshold, reward where the gate allows, adapt."""
        trial = self.running(request)
        powers = decision.data.get("powers")
        if trial is None or powers is None:
            return [], []
        if trial.label == "baseline":
            return [], self._take_baseline(decision, request)
        if self.threshold is None:
            return [], []
        events = [self._show(trial, decision, request)]
        commands: list[Command] = []
        data = trial.data
        data["updates"] += 1
        data["above"] += bool(decision.data.get("above"))
        data["artefacts"] += bool(decision.data.get("artefact"))
        if not decision.data.get("artefact"):
            # As the baseline leaves out what is bad: else one burst would be the power of a block.
            clean = data["updates"] - data["artefacts"]
            mean = data["power"] or 0.0
            data["power"] = mean + (powers["reward"] - mean) / clean
        reward = verdict.allowed and verdict.label == "reward"
        if reward:
            commands.append(self._command(decision, "reward", self._share(powers), ttl=self.settings.ttl))
        if reward and not self._rewarding:
            data["rewards"] += 1
            events.append(self._event_at(request.stop_sample, "feedback/reward", value=powers["reward"]))
        self._rewarding = reward
        if not decision.data.get("artefact"):
            self._recent.append(bool(decision.data.get("above")))
        if request.stop_sample - self._adapted >= self.settings.adapt_every * self.sfreq:
            self._adapt(request.stop_sample)
        if request.final:
            self._settle_block(trial, request)
        return commands, events

    def _share(self, powers: dict[str, float]) -> float:
        """Return how far the bar is filled: half at the threshold, full at twice the threshold."""
        return float(min(powers["reward"] / (2.0 * max(self.threshold or 0.0, 1e-12)), 1.0))

    def _show(self, trial: Trial, decision: Decision, request: WindowRequest) -> Event:
        data = {
            "trial": trial.index,
            "power": decision.data["powers"]["reward"],
            "threshold": self.threshold,
            "artefact": decision.data.get("artefact"),
            "informational": True,
        }
        return self._event_at(
            request.stop_sample, "feedback/update", value=self._share(decision.data["powers"]), data=data
        )

    def _take_baseline(self, decision: Decision, request: WindowRequest) -> list[Event]:
        if decision.reason != "bad-data":
            self._baseline.append(dict(decision.data["powers"]))
        if not request.final or not self._baseline:
            return []
        s = self.settings
        power = np.array([item["reward"] for item in self._baseline])
        self.threshold = float(np.percentile(power, s.percentile))
        # Below this there would be reward for nothing.
        self._floor = float(np.percentile(power, s.floor_percentile))
        for index in range(len(s.inhibit)):
            values = [item[f"inhibit{index}"] for item in self._baseline]
            self._limits.append(float(np.percentile(values, s.inhibit_percentile)))
        self._note(request.stop_sample)
        data = {"threshold": self.threshold, "floor": self._floor, "n": len(self._baseline)}
        return [self._event_at(request.stop_sample, "feedback/threshold", value=self.threshold, data=data)]

    def _adapt(self, sample: int) -> None:
        s = self.settings
        self._adapted = sample
        if not self._recent or self.threshold is None:
            return
        share = sum(self._recent) / len(self._recent)
        self._recent.clear()
        if share > s.reward_high:
            # Half of what is too much, so that the step shrinks near the aim.
            self.threshold *= 1.0 + min(s.adapt_step, (share - s.reward_high) / 2 + 0.01)
        elif share < s.reward_low:
            self.threshold *= 1.0 - min(s.adapt_step, (s.reward_low - share) / 2 + 0.01)
        self.threshold = max(self.threshold, self._floor)
        self._note(sample, share)

    def _note(self, sample: int, share: float | None = None) -> None:
        assert self.threshold is not None
        point = {"seconds": sample / self.sfreq, "threshold": self.threshold}
        if share is not None:
            point["share_above"] = share
        self._course.append(point)

    def _settle_block(self, trial: Trial, request: WindowRequest) -> None:
        data = trial.data
        share = data["above"] / max(data["updates"] - data["artefacts"], 1)
        trial.predicted = "reward" if data["rewards"] else "none"
        trial.allowed = data["rewards"] > 0
        trial.seconds = (request.stop_sample - trial.start) / self.sfreq
        data["share_above"] = share

    def results(self) -> dict[str, Any]:
        """Return share above threshold, rewards and power a block, the course of the threshold, clean share."""
        unused = ("class", "predicted", "correct", "allowed", "reasons", "confidence")
        blocks = [trial.row() for trial in self.trials if trial.label != "baseline"]
        # A block is no guess at a class: nothing in it counts as right or wrong.
        rows = [{key: row[key] for key in row if key not in unused} for row in blocks]
        powers = [row["power"] for row in rows]
        updates = sum(row["updates"] for row in rows)
        rest = [item["reward"] for item in self._baseline if not self._inhibited(item)]
        baseline = float(np.mean(rest)) if rest else None
        clean = [(index, power) for index, power in enumerate(powers) if power is not None]
        blocks_of, means = [index for index, _ in clean], [power for _, power in clean]
        slope = float(np.polyfit(blocks_of, means, 1)[0]) if len(clean) > 1 else None
        return {
            "paradigm": self.kind,
            "name": self.name,
            "n_trials": len(rows),
            "trials": rows,
            "classes": list(self.classes),
            "accuracy": None,
            "baseline_power": baseline,
            "block_power": powers,
            "power_slope_per_block": slope,
            "share_above": [row.get("share_above") for row in rows],
            "rewards": sum(row["rewards"] for row in rows),
            "artefact_free": 1.0 - sum(row["artefacts"] for row in rows) / updates if updates else None,
            "threshold_course": self._course,
            "aim": [self.settings.reward_low, self.settings.reward_high],
            "meaning": _meaning(baseline, powers),
            "rule": "reward while band power >= threshold, held, with no inhibit band above its limit",
        }


def _meaning(baseline: float | None, powers: list[float | None]) -> list[str]:
    if baseline is None or not powers:
        return ["The session ended before a block of training was finished."]
    last = powers[-1]
    if last is None:
        return [f"The last of {len(powers)} blocks held artefacts only: what the power became is not known."]
    change = f" ({100 * (last / baseline - 1):+.0f} %)" if baseline > 0 else ""
    return [
        f"The power of the trained band was {baseline:.2f} uV\u00b2 at rest and {last:.2f} uV\u00b2 in the last "
        f"of {len(powers)} blocks{change}, artefacts left out. "
        "A rise within one session is not yet learning: compare sessions."
    ]


def _without_reason(decision: Decision) -> Decision:
    return Decision(
        time=decision.time, sample=decision.sample, classes=decision.classes, age=decision.age, data=decision.data
    )
