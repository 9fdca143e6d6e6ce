"""What the session says, kept as the newest state of each thing. No Qt: windows and tests read it alike.

It takes the messages of `bcikit.signal.messages`. A `Snapshot` voids what was known before: nothing of an earlier
session stands where a value is missing.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bcikit.recording.lateness import Lateness
from bcikit.signal import messages as said
from bcikit.signal.messages import Message, parse

UNHEARD = "UNHEARD"
"""State of a session that was not heard yet."""

_ORDER = {"BAD": 2, "WARN": 1, "GOOD": 0}
LEVEL_ORDER = {"WARNING": 3, "CAUTION": 2, "ADVISORY": 1, "INFO": 0}
"""Levels of alarms, the worst highest."""


@dataclass
class ElectrodeQuality:
    """Quality of one electrode."""

    level: str = ""
    rules: tuple[str, ...] = ()
    impedance: float | None = None


@dataclass
class Status:
    """The newest state of everything the engine tells.

    Attributes
    ----------
    session : bool
        Whether there is a session to be heard: until it is, its state is `UNHEARD`, which is not "nothing can move".
    state : str
        State of the safety machine; "" where there is no session.
    state_rule : str
        Rule that stopped the session, where it is stopped.
    events : deque of dict
        Newest events but for feedback.
    refusals : Counter
        How often each rule refused a decision.
    trail : deque of (time, classes, probabilities, label)
        Newest decisions, for the curve of evidence; each has an order of classes of its own.
    stages : dict
        Time of each stage in the engine's last seconds, in milliseconds.
    device : dict
        What the source counts and measures, as `StreamStatus` names it.
    late : Lateness
        When the screens have shown what was planned.
    """

    state: str = ""
    state_reason: str = ""
    state_rule: str = ""
    time: float = 0.0
    decision: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, ElectrodeQuality] = field(default_factory=dict)
    alarms: dict[str, said.Alarmed] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    allowed: int = 0
    phase: str = ""
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=2000))
    trail: deque[tuple[float, tuple[str, ...], tuple[float, ...], str | None]] = field(
        default_factory=lambda: deque(maxlen=600)
    )
    latency: deque[tuple[float, dict[str, float]]] = field(default_factory=lambda: deque(maxlen=600))
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: said.Counted = field(default_factory=said.Counted)
    progress: said.Progressed = field(default_factory=lambda: said.Progressed(what=""))
    model: said.ModelChosen = field(default_factory=said.ModelChosen)
    streams: said.Streams = field(default_factory=said.Streams)
    session: bool = False
    paused: bool = False
    silent: bool = False
    revision: int = 0
    n_events: int = 0
    late: Lateness = field(default_factory=Lateness)

    def take(self, message: Message | Mapping[str, Any]) -> str:
        """Take one message and return its type."""
        if isinstance(message, Mapping):
            message = parse(message)
        if isinstance(message, said.Snapshot):
            self.forget()
            for part in message.messages:
                self.take(part)
            return message.type
        self.time = max(self.time, message.time)
        self.revision += 1
        match message:
            case said.StateChanged():
                self.state, self.state_reason = message.state, message.reason
                self.state_rule, self.paused = message.rule, message.paused
            case said.Happened():
                self._take_event(message)
            case said.Input(kind="screen", values=values):
                self.late.take(values)
            case said.Decided():
                self._take_decision(message)
            case said.Quality():
                for name, found in message.channels.items():
                    self.quality[name] = ElectrodeQuality(found.level, tuple(found.rules), found.impedance)
            case said.LinkHealth():
                self._take_health(message)
            case said.Stages():
                known = message.stages.items()
                self.stages = {name: dict(v) for name, v in known if {"p50", "p99"} <= v.keys()}
            case said.Alarmed():
                self.alarms[message.rule] = message
            case said.OutputState():
                self.outputs[message.address] = dict(message.state)
                self.output = (
                    self.outputs[message.address] if "closure" in message.state or not self.output else self.output
                )
            case said.Counted():
                self.counts = message
            case said.Progressed():
                self.progress = message
            case said.ModelChosen():
                self.model = message
            case said.Streams():
                self.streams = message
        return message.type

    def forget(self) -> None:
        """Know nothing."""
        revision, n_events = self.revision, self.n_events
        fresh = Status(state=UNHEARD, session=True)
        for item in fields(self):
            setattr(self, item.name, getattr(fresh, item.name))
        # Whoever looks for what is new sees that all is.
        self.revision, self.n_events = revision + 1, n_events

    def _take_event(self, message: said.Happened) -> None:
        name = message.event.name
        if name.startswith("feedback/"):
            # Many a second: they would push out the cues around which averages are made.
            return
        self.events.append(message.event.to_dict())
        self.n_events += 1
        if name.startswith(("phase/", "cue/")):
            self.phase = name

    def _take_decision(self, message: said.Decided) -> None:
        decision, verdict = message.decision, message.verdict
        self.decision = {**decision.to_dict(), "trial": message.trial, "final": message.final}
        self.trail.append((decision.time, decision.classes, decision.probabilities, decision.label))
        if message.latency is not None:
            self._note_latency(decision.time, {"total": 1e3 * (decision.age + message.latency)})
        self.verdict = verdict.to_dict()
        if verdict.allowed:
            self.allowed += 1
        else:
            self.refusals.update(verdict.reasons)
        if verdict.state and not self.finished:
            self.state = verdict.state

    def _take_health(self, message: said.LinkHealth) -> None:
        self.health.update({"age": message.link_age, "lost": message.lost, "received": message.received})
        self.silent = message.silent
        if message.device:
            self.device = dict(message.device)
        if message.latency_ms:
            self._note_latency(message.time, message.latency_ms)

    def _note_latency(self, now: float, stages: Mapping[str, float]) -> None:
        self.health["latency_ms"] = dict(stages)
        self.latency.append((now, dict(stages)))

    def alarm_list(self) -> list[said.Alarmed]:
        """Return the alarms, active ones first, the worst first, the newest first."""
        return sorted(
            self.alarms.values(), key=lambda a: (not a.active, -LEVEL_ORDER.get(a.level.upper(), 0), -a.since)
        )

    def worst_electrode(self) -> tuple[str, ElectrodeQuality] | None:
        """Return the electrode with the worst quality, or None where nothing is known."""
        if not self.quality:
            return None
        return max(self.quality.items(), key=lambda item: (_ORDER.get(item[1].level, -1), len(item[1].rules)))

    def loss_percent(self) -> float | None:
        """Return lost samples as percent of those sent, or None where nothing is known."""
        lost, received = self.health.get("lost"), self.health.get("received")
        if lost is None or not received:
            return None
        return 100.0 * float(lost) / (float(lost) + float(received))

    def confidence(self) -> float | None:
        """Return the largest probability of the newest decision, or None."""
        probabilities = self.decision.get("probabilities") or ()
        return max((float(p) for p in probabilities), default=None)

    def threshold(self) -> float | None:
        """Return the probability from which the gate lets a decision through, where it is known."""
        for source in (self.decision, self.verdict):
            data = source.get("data") or {}
            value = data.get("threshold")
            if value is None and isinstance(data.get("A-CONF"), dict):
                value = data["A-CONF"].get("limit")
            if isinstance(value, int | float):
                return float(value)
        return None

    def total_latency_ms(self) -> float | None:
        """Return the time from newest sample to verdict in milliseconds, or None where nothing is known."""
        stages = self.health.get("latency_ms") or {}
        if "total" in stages and stages["total"] is not None:
            return float(stages["total"])
        values = [float(v) for v in stages.values() if v is not None]
        return sum(values) if values else None

    @property
    def finished(self) -> bool:
        """True once the session said that it is over, or that it could not begin."""
        return self.state in ("FINISHED", "FAILED")
