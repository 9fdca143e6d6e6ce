"""Driving: emergency-braking intention in a simple simulator, before the foot moves. Advisory, never actuation."""

from collections import deque
from math import exp, log
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bcikit.decoding.chance import accuracy_interval
from bcikit.paradigms.answers import probability_of, together
from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.pictures import road
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.score import quartiles, rate_interval
from bcikit.paradigms.settings import ParadigmSettings, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.paradigms.vehicle import Braking, closest_distance, plan_brakings
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

CRUISE_STEP = 0.8
"""Seconds from one window of plain driving to the next in the training: all of the drive, and hardly any twice."""


class BrakingSettings(ParadigmSettings):
    """Settings of the braking study, after Haufe et al. 2011. Times are seconds.

    Attributes
    ----------
    calibration_brakings, brakings : int
        Brakings of the car in front in the drive for training and in the drive that is scored.
    gap : pair of float
        Shortest and longest time between two.
    speed_kmh, distance : float
        Speed in km/h and distance to the car in front in m.
    deceleration : float
        Of the car in front, m/s^2.
    reaction : pair of float
        Median and geometric spread of the modelled driver's reaction.
    driver : "model" or "source"
        Who presses the pedal: a modelled driver, or the source by an event named in `pedal_event`.
    pedal_event : str
        Event of the source that is a pedal.
    window, rate : float
        Length of a window and decisions a second.
    epoch : float
        Seconds after the brake light at which the window for training ends.
    n : int
        The log-odds of the newest `n` windows are averaged; a detection is where braking is the likelier class.
    threshold : float
        Probability that stands for the border between the classes, where the decoder puts it by the false brakes that
        are allowed (see `bcikit.decoding.braking.BrakingDetector`); a detection is at least as probable.
    refractory : float
        No second detection within this time.
    tolerance : float
        A detection that comes at most this long after the brake light belongs to it; any other is false.
    """

    calibration_brakings: Annotated[int, Field(ge=5, le=500)] = 40
    brakings: Annotated[int, Field(ge=1, le=500)] = 30
    gap: tuple[Span, Span] = (8.0, 16.0)
    speed_kmh: Annotated[float, Field(gt=0, le=200)] = 100.0
    distance: Annotated[float, Field(gt=0, le=200)] = 20.0
    deceleration: Annotated[float, Field(gt=0, le=12)] = 6.0
    reaction: tuple[Annotated[float, Field(ge=0.3, le=2)], Annotated[float, Field(gt=1, le=2)]] = (0.7, 1.2)
    driver: Literal["model", "source"] = "model"
    pedal_event: str = "response/pedal"
    window: Annotated[float, Field(ge=0.2, le=2.0)] = 0.8
    rate: Annotated[float, Field(gt=0, le=50)] = 20.0
    epoch: Annotated[float, Field(ge=0.3, le=1.5)] = 0.6
    threshold: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.85
    n: Annotated[int, Field(ge=1, le=20)] = 1
    refractory: Span = 3.0
    tolerance: Span = 1.5

    def without_effect(self) -> dict[str, str]:
        """Return what is about the driver that does not drive."""
        found = super().without_effect()
        if self.driver == "model":
            return found | {"pedal_event": 'it is for driver = "source"'}
        return found | {"reaction": 'it is the modelled driver\'s, and driver = "source"'}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        if self.gap[0] > self.gap[1]:
            problems.append("gap must be (shortest, longest)")
        if self.gap[0] < self.tolerance + 2 * self.window + 1:
            problems.append("gap must leave room for cruising: at least tolerance + 2 window + 1 s")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class EmergencyBraking(TrialParadigm):
    """A drive for training and a drive with advice; each drive is a trial, each braking a row of the results."""

    kind: ClassVar[str] = "emergency-braking"
    Settings: ClassVar[type[ParadigmSettings]] = BrakingSettings
    settings: BrakingSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Intention to brake, or none."""
        return ("brake", "cruise")

    @property
    def idle(self) -> str | None:
        """No intention to brake."""
        return "cruise"

    @property
    def calibration(self) -> Calibration | None:
        """The window after a brake light, and windows far from any."""
        s = self.settings
        events = {"label/brake": "brake", "label/cruise": "cruise"}
        return Calibration(events=events, tmin=s.epoch - s.window, tmax=s.epoch)

    def shown_values(self) -> dict[str, Any]:
        """Return the windows a second, by which a decoder knows how many of them an hour has."""
        return {"rate": self.settings.rate}

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare; the times of brakings follow from `seed`."""
        super().configure(info, seed=seed)
        self._odds: deque[float] = deque(maxlen=self.settings.n)
        self._rows: list[dict[str, Any]] = []
        self._detections: list[int] = []
        self._blocked = -1
        self._driven = 0.0

    def sections(self) -> list[Section]:
        """Return both drives."""
        return [
            Section(kind="calibration", name="training drive", labels=("calibration",)),
            Section(kind="break", name="pause", seconds=10.0, phase="break"),
            Section(kind="feedback", name="drive", labels=("drive",)),
        ]

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the road."""
        return road(event, before, kind=self.kind, speed_kmh=self.settings.speed_kmh, distance=self.settings.distance)

    @property
    def practice_label(self) -> str:
        """None: the drive begins by itself."""
        return ""

    def plan_trial(self, trial: Trial) -> int:
        """Plan the brakings, the modelled pedal, and windows all along."""
        s = self.settings
        scored = trial.label == "drive"
        count = s.brakings if scored else s.calibration_brakings
        plan = plan_brakings(count, self.rng, gap=s.gap, deceleration=s.deceleration, reaction=s.reaction)
        seconds = plan[-1].seconds + s.gap[0]
        about = {"speed_kmh": s.speed_kmh, "distance": s.distance}
        self.plan(trial, trial.start, "phase/driving", seconds=seconds, data=about)
        previous = 0.0
        for braking in plan:
            self._plan_braking(trial, braking, scored=scored)
            # What the sliding window sees nearly all the time: between two brakings, and once one is over.
            calm = previous + s.tolerance + s.window - s.epoch
            while calm <= braking.seconds - s.epoch:
                self.plan(trial, self.at(trial, calm), "label/cruise")
                calm += CRUISE_STEP
            previous = braking.seconds
        if scored:
            self._driven = seconds
            length = self.schedule.samples(s.window)
            total = int((seconds - s.window) * s.rate)
            for index in range(total + 1):
                stop = self.at(trial, s.window + index / s.rate)
                self._ask(WindowRequest(stop, length, index == total, trial.index, "monitor"))
        return self.at(trial, seconds)

    def _plan_braking(self, trial: Trial, braking: Braking, *, scored: bool) -> None:
        onset = self.at(trial, braking.seconds)
        foot = braking.reaction if self.settings.driver == "model" else None
        data = {"deceleration": braking.deceleration, "reaction": foot}
        self.plan(trial, onset, "stimulus/lead-brake", data=data)
        delay = self.schedule.samples(self.settings.display_delay)
        self.plan(trial, onset + delay, "label/brake", data={"locked": onset})
        row = {"sample": onset, "reaction": foot, "detected": None}
        if scored:
            self.plan(trial, onset, action=lambda _: self._rows.append(row))
        if foot is not None:
            self.plan(trial, self.at(trial, braking.seconds + foot), "response/pedal", data={"reaction": foot})

    def heeds(self, event: Event) -> bool:
        """Return whether it is the pedal of a real driver."""
        return self.settings.driver == "source" and event.name == self.settings.pedal_event

    def on_source_event(self, event: Event) -> list[Event]:
        """Take the pedal of a real driver."""
        if not self.heeds(event) or event.sample is None:
            return []
        row = self._rows[-1] if self._rows else None
        if row is not None and row["reaction"] is None and event.sample >= row["sample"]:
            row["reaction"] = (event.sample - row["sample"]) / self.sfreq
        # The scene goes by what the paradigm says: warning and brake lights end with it.
        return [self._event_at(event.sample, "response/pedal", data={"of": event.name})]

    def forget(self) -> None:
        """Begin with no windows."""
        super().forget()
        self._odds.clear()

    # ---- decisions ---------------------------------------------------------------------------------------------
    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Return "brake" when the newest windows together say so and no detection just came."""
        p = probability_of(decision, "brake")
        if p is None or self.running(request) is None:
            return decision
        s = self.settings
        p = min(max(p, 1e-9), 1.0 - 1e-9)
        self._odds.append(log(p / (1.0 - p)))
        # Likelier than not is a detection; the gate hears how sure that is from the threshold on.
        odds = sum(self._odds) / len(self._odds) + log(s.threshold / (1.0 - s.threshold))
        p = 1.0 / (1.0 + exp(-odds))
        free = request.stop_sample >= self._blocked
        label = "brake" if p >= s.threshold and free and len(self._odds) == s.n else None
        return together(decision, {"brake": p, "cruise": 1.0 - p}, label, reason="cruise" if free else "refractory")

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Note a detection, compare it with the brake light, advise."""
        trial = self.running(request)
        if trial is None:
            return [], []
        if request.final:
            trial.seconds = (request.stop_sample - trial.start) / self.sfreq
        if not verdict.allowed or verdict.label != "brake":
            return [], []
        s = self.settings
        at = request.stop_sample
        self._blocked = at + self.schedule.samples(s.refractory)
        self._odds.clear()
        self._detections.append(at)
        row = self._rows[-1] if self._rows else None
        after = None if row is None else (at - row["sample"]) / self.sfreq
        hit = row is not None and row["detected"] is None and after is not None and after <= s.tolerance
        if hit and row is not None:
            row["detected"] = after
        data = {"level": "brake", "reason": "braking intention", "hit": hit, "advisory": True, "informational": True}
        events = [self._event_at(at, "advice/brake", value=decision.confidence, data=data)]
        if not hit:
            events.append(self._event_at(at, "feedback/error", data={"trial": trial.index, "predicted": "brake"}))
        return [self._command(decision, "advise", "brake", ttl=s.ttl, data=data)], events

    def results(self) -> dict[str, Any]:
        """Return lead time before the pedal, false brakes an hour, and metres gained."""
        s = self.settings
        speed = s.speed_kmh / 3.6
        rows = []
        for index, row in enumerate(self._rows):
            both = row["detected"] is not None and row["reaction"] is not None
            lead = row["reaction"] - row["detected"] if both else None
            first = min(value for value in (row["detected"], row["reaction"], 10.0) if value is not None)
            closest = None if row["reaction"] is None else self._distance(row["reaction"])
            more = {"lead": lead, "closest_pedal": closest, "closest_advised": self._distance(first)}
            rows.append({"trial": index, **row, **more})
        leads = [row["lead"] for row in rows if row["lead"] is not None]
        pedals = sum(row["reaction"] is not None for row in rows)
        hits = sum(row["detected"] is not None for row in rows)
        false = len(self._detections) - hits
        hours = self._driven / 3600.0
        return {
            "paradigm": self.kind,
            "name": self.name,
            "n_trials": len(rows),
            "trials": rows,
            "classes": list(self.classes),
            # Braking is one class among endless windows of driving: shares and rates say more than an accuracy.
            "accuracy": None,
            "hit_rate": hits / len(rows) if rows else None,
            "hit_interval": accuracy_interval(hits, len(rows)) if rows else None,
            "before_pedal": sum(lead > 0 for lead in leads) / pedals if pedals else None,
            "lead_time": quartiles(leads),
            "metres_gained": speed * sum(leads) / len(leads) if leads else None,
            "false_brakes": false,
            "false_brakes_per_hour": false / hours if hours else None,
            "false_brakes_interval": rate_interval(false, hours) if hours else None,
            "seconds_driven": self._driven,
            "meaning": [self._meaning(hits, len(rows), pedals, false)],
        }

    def _meaning(self, hits: int, brakings: int, pedals: int, false: int) -> str:
        if not brakings:
            return "The scored drive ended before the car in front braked: nothing is known of its detections."
        low, high = accuracy_interval(hits, brakings)
        told = (
            f"{hits} of {brakings} brakings of the car in front were detected (95 % interval {low:.0%} to {high:.0%}); "
            f"{false} false brakes were advised in {self._driven / 60:.0f} minutes of driving."
        )
        if pedals < brakings:
            told += f" The pedal was seen after {pedals} of them ({self.settings.pedal_event})."
        return f"{told} It is advice in a simulator and touches no vehicle."

    def _distance(self, reaction: float) -> float:
        return closest_distance(speed=self.settings.speed_kmh / 3.6, gap=self.settings.distance, reaction=reaction)
