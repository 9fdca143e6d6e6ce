"""Driving: a vigilance monitor. It advises; it never touches the vehicle."""

from collections import deque
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from bcikit.paradigms.answers import probability_of, together
from bcikit.paradigms.bands import BandPowerDecider
from bcikit.paradigms.base import Decider, WindowRequest
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import road
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.settings import ParadigmSettings, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

LEVELS = ("alert", "some-sleepiness", "sleepy", "drowsy")
"""In the words of the Karolinska scale: 1 to 5, 6, 7, and 8 to 9."""

_NOTE = (
    "Levels are those of the Karolinska scale (KSS): from 7 the driver may be told, from 8 the driver must be warned "
    "(Regulation (EU) 2021/1341). KSS is estimated from the EEG alone, the driver was not asked. PERCLOS, the share of "
    "time with closed lids, needs a camera and is not measured."
)

_BANDS = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0)}


class VigilanceSettings(ParadigmSettings):
    """Settings of the vigilance monitor. Times are seconds.

    Attributes
    ----------
    baseline : float
        Alert driving at the start, which makes the index a person's own.
    drive : float
        Length of the monitored drive.
    window, every : float
        Length of a window and the step to the next.
    channels : list of str
        Averaged; all EEG channels if empty.
    smooth : float
        Seconds over which the index is averaged (median).
    rise : float
        Rise of (theta + alpha) / beta over the alert baseline, as a share, that stands for KSS `advise_at`.
    kss_alert : float
        KSS of the baseline.
    advise_at, warn_at : float
        KSS from which the driver may and must be told (Regulation (EU) 2021/1341: 7 may, 8 must).
    hysteresis : float
        KSS points below a level at which it is left.
    repeat : float
        Shortest time between two warnings of the same level.
    """

    baseline: Annotated[float, Field(ge=30, le=600)] = 90.0
    drive: Span = 1200.0
    window: Annotated[float, Field(ge=2, le=30)] = 4.0
    every: Annotated[float, Field(ge=0.5, le=30)] = 2.0
    channels: tuple[str, ...] = ()
    smooth: Span = 30.0
    rise: Annotated[float, Field(ge=0.1, le=3)] = 0.3
    kss_alert: Annotated[float, Field(ge=1, le=5)] = 3.0
    advise_at: Annotated[float, Field(ge=5, le=9)] = 7.0
    warn_at: Annotated[float, Field(ge=6, le=8)] = 8.0
    hysteresis: Annotated[float, Field(ge=0, le=3)] = 1.0
    repeat: Span = 60.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        if self.advise_at >= self.warn_at:
            problems.append("advise_at must be below warn_at (at 8 a driver must be warned)")
        if self.kss_alert >= self.advise_at:
            problems.append("kss_alert must be below advise_at, or an alert driver would be told")
        if self.drive < self.window:
            problems.append("drive must be at least window")
        if self.every > self.smooth:
            problems.append("every must be at most smooth")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Vigilance(TrialParadigm):
    """Alert baseline, then a drive in which the level is followed with hysteresis and every alarm is logged."""

    kind: ClassVar[str] = "vigilance"
    Settings: ClassVar[type[ParadigmSettings]] = VigilanceSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="baseline", low=60, high=300, step=30, unit="s"),
        Adjustable(key="drive", low=300, high=3600, step=300, unit="s"),
    )
    settings: VigilanceSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Drowsy or alert."""
        return ("drowsy", "alert")

    @property
    def idle(self) -> str | None:
        """Alert: there is nothing to warn of."""
        return "alert"

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """The bands of the index."""
        return dict(_BANDS)

    def decider(self) -> Decider | None:
        """Return band powers; nothing is trained but the person's own baseline."""
        assert self.info is not None
        return BandPowerDecider(self.info, channels=self.settings.channels, bands=_BANDS, classes=self.classes)

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare for a stream."""
        super().configure(info, seed=seed)
        self._baseline: list[float] = []
        self._centre: float | None = None
        self._spread = 1.0
        size = max(1, round(self.settings.smooth / self.settings.every))
        self._recent: deque[float] = deque(maxlen=size)
        self.level = 0
        self._told: dict[int, int] = {}
        self.alarms: list[dict[str, Any]] = []
        self.course: list[dict[str, Any]] = []
        self._poor = 0
        self._windows_seen = 0

    def sections(self) -> list[Section]:
        """Return the baseline and the drive."""
        return [
            Section(kind="custom", name="alert baseline", labels=("baseline",)),
            Section(kind="feedback", name="drive", labels=("drive",)),
        ]

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the road."""
        return road(event, before, kind=self.kind)

    @property
    def practice_label(self) -> str:
        """None: the drive begins by itself."""
        return ""

    def plan_trial(self, trial: Trial) -> int:
        """Plan windows over the whole phase."""
        s = self.settings
        seconds = s.baseline if trial.label == "baseline" else s.drive
        name = "phase/baseline" if trial.label == "baseline" else "phase/driving"
        self.plan(trial, trial.start, name, seconds=seconds)
        length = self.schedule.samples(s.window)
        count = int((seconds - s.window) / s.every + 1e-6)
        for index in range(count + 1):
            stop = self.at(trial, s.window + index * s.every)
            self._ask(WindowRequest(stop, length, index == count, trial.index, "monitor"))
        return self.at(trial, seconds)

    # ---- decisions ---------------------------------------------------------------------------------------------
    @staticmethod
    def index_of(powers: dict[str, float]) -> float:
        """Return ``log((theta + alpha) / beta)`` (Jap 2009; Eoh 2005): it rises with drowsiness."""
        return float(np.log(max(powers["theta"] + powers["alpha"], 1e-12) / max(powers["beta"], 1e-12)))

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Return the probability of being drowsy (`warn_at` reached and not clearly left) from the smoothed index."""
        trial = self.running(request)
        powers = decision.data.get("powers")
        if trial is None or powers is None or decision.reason == "bad-data":
            return decision
        index = self.index_of(powers)
        if trial.label == "baseline" or self._centre is None:
            # The drive begins with the end of the baseline, not with a median of one window.
            self._recent.append(index)
            return together(decision, {"drowsy": 0.0, "alert": 1.0}, None, reason="baseline", data={"index": index})
        self._recent.append(index)
        z = (float(np.median(self._recent)) - self._centre) / self._spread
        s = self.settings
        # Linear in the logarithm, through the alert baseline and the rise that may be told.
        slope = (s.advise_at - s.kss_alert) / float(np.log1p(s.rise))
        kss = min(max(s.kss_alert + slope * z * self._spread, 1.0), 9.0)
        # Half where the driver becomes drowsy or, once drowsy, ceases to be.
        border = s.warn_at - (s.hysteresis if self.level == LEVELS.index("drowsy") else 0.0)
        p = 1.0 / (1.0 + float(np.exp(-2.0 * (kss - border))))
        label = "drowsy" if p >= 0.5 else "alert"
        clean = Decision(
            time=decision.time, sample=decision.sample, classes=self.classes, age=decision.age, data=decision.data
        )
        return together(clean, {"drowsy": p, "alert": 1.0 - p}, label, data={"index": index, "z": z, "kss": kss})

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Follow the level; advise or warn when it rises, and again after `repeat` seconds."""
        trial = self.running(request)
        if trial is None:
            return [], []
        self._windows_seen += 1
        if decision.reason == "bad-data" or "index" not in decision.data:
            self._poor += 1
        elif trial.label == "baseline":
            self._baseline.append(float(decision.data["index"]))
        if trial.label == "baseline":
            if request.final:
                self._settle_baseline()
            return [], []
        commands: list[Command] = []
        events: list[Event] = []
        kss = decision.data.get("kss")
        if kss is not None:
            commands, events = self._follow(float(kss), decision, verdict, request)
        if request.final:
            trial.data |= {"worst_kss": max((point["kss"] for point in self.course), default=None)}
            trial.seconds = (request.stop_sample - trial.start) / self.sfreq
        return commands, events

    def _settle_baseline(self) -> None:
        if not self._baseline:
            return
        values = np.array(self._baseline)
        self._centre = float(np.median(values))
        # Robust, and never so small that a quiet baseline makes everything an alarm.
        self._spread = max(1.4826 * float(np.median(np.abs(values - self._centre))), 0.1)

    def _follow(
        self, kss: float, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        s = self.settings
        at = request.stop_sample
        limits = (min(6.0, s.advise_at), s.advise_at, s.warn_at)
        level = sum(kss >= limit for limit in limits)
        if level < self.level:
            # Left only when it is clearly below where it was entered.
            level = max(level, sum(kss >= limit - s.hysteresis for limit in limits[: self.level]))
        p = probability_of(decision, "drowsy") or 0.0
        ready = LEVELS[level] in ("alert", "some-sleepiness") and decision.label == "alert"
        point = {"seconds": at / self.sfreq, "kss": kss, "level": LEVELS[level], "p": p, "take_over_ready": ready}
        self.course.append(point)
        data = {"level": LEVELS[level], "kss": kss, "take_over_ready": ready, "informational": True}
        events = [self._event_at(at, "feedback/update", value=p, data=data)]
        commands: list[Command] = []
        # Getting better is an event, no alarm.
        last = max((told for of, told in self._told.items() if of >= level), default=None)
        due = level >= 2 and (level > self.level or last is None or at - last >= s.repeat * self.sfreq)
        if level != self.level or due:
            reason = f"KSS about {kss:.1f}; (theta + alpha) / beta {decision.data['z']:+.1f} SD from the alert baseline"
            if kss < (0.0, *limits)[level]:
                reason += f"; {LEVELS[level]} until below {(0.0, *limits)[level] - s.hysteresis:g}"
            events.append(self._event_at(at, f"advice/{LEVELS[level]}", value=kss, data={**data, "reason": reason}))
            if due:
                self._told[level] = at
                must = level == 3
                alarm = {"sample": at, "seconds": at / self.sfreq, "level": LEVELS[level], "kss": kss, "must": must}
                given = verdict.allowed and verdict.label == "drowsy"
                held = [] if given or not must else list(verdict.reasons)
                self.alarms.append({**alarm, "reason": reason, "held_back": held})
                if given:
                    said = {**data, "reason": reason, "advisory": True}
                    commands.append(self._command(decision, "advise", LEVELS[level], ttl=s.ttl, data=said))
        self.level = level
        return commands, events

    def results(self) -> dict[str, Any]:
        """Return the course of the level, alarms, and when the first warning came."""
        base = super().results()
        begin = next((trial.start for trial in [*self.trials, self._trial] if trial and trial.label == "drive"), None)
        warned = next((alarm["sample"] for alarm in self.alarms if alarm["must"]), None)
        levels = [point["level"] for point in self.course]
        ready = [point["take_over_ready"] for point in self.course]
        warnings = sum(alarm["must"] for alarm in self.alarms)
        first = None if begin is None or warned is None else (warned - begin) / self.sfreq
        return {
            "paradigm": self.kind,
            "name": self.name,
            "n_trials": base["n_trials"],
            "trials": [
                {"trial": row["trial"], "section": row["section"], "sample": row["sample"]} for row in base["trials"]
            ],
            "classes": list(self.classes),
            "accuracy": None,
            "alarms": self.alarms,
            "n_warnings": warnings,
            "seconds_to_first_warning": first,
            "share_of_time": {name: levels.count(name) / len(levels) if levels else 0.0 for name in LEVELS},
            "take_over_ready": sum(ready) / len(ready) if ready else None,
            "unusable_windows": self._poor / self._windows_seen if self._windows_seen else None,
            "baseline": {"index": self._centre, "spread": self._spread, "windows": len(self._baseline)},
            "course": self.course,
            "index": "log((theta + alpha) / beta), median over the smoothing time, against the person's alert baseline",
            "meaning": self._meaning(warnings, first),
            "limits": [self.settings.advise_at, self.settings.warn_at],
            "note": _NOTE,
        }

    def _meaning(self, warnings: int, first: float | None) -> list[str]:
        if not self.course:
            return ["No window of the drive could be judged against an alert baseline: nothing is known of its driver."]
        if first is None:
            told = "The driver never came to the level at which a warning must be given."
        else:
            times = "once" if warnings == 1 else f"{warnings} times"
            told = f"The driver had to be warned {times}, first {first / 60:.1f} minutes into the drive."
        return [f"{told} It is advice from an estimate and touches no vehicle."]
