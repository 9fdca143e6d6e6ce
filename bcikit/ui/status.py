"""What the engine says, kept as the newest state of each thing. No Qt: windows and tests read it alike.

The engine sends one JSON object a message; ``type`` says which:

- ``state``: ``state`` ("ACTIVE", ..., "FINISHED"), ``reason``.
- ``event``, ``decision``, ``verdict``: the dictionaries of `Event`, `Decision`, `Verdict`; a decision may carry
  ``latency`` (s) or ``latency_ms`` by stage.
- ``quality``: ``channels``, name to ``["GOOD"|"WARN"|"BAD", [rules]]`` or to
  ``{"level": ..., "rules": [...], "impedance": ohm}``.
- ``health``: ``age`` (s), ``lost``, ``received``, ``jitter_ms``, ``latency_ms`` and ``deadline_ms`` by stage;
  ``state``, ``paused``, and ``rule``, which stopped the session.
- ``stages``: ``stages``, name to ``{"p50": ms, "p99": ms, "max": ms, "deadline": ms, "n": chunks}``, newest seconds.
- ``alarm``: the dictionary of `bcikit.safety.Alarm`.
- ``output``: ``state`` of the output, as ``{"closure": 0.4}``.

Unknown types and fields are left alone, so that a newer engine works with an older window.
"""

import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ORDER = {"BAD": 2, "WARN": 1, "GOOD": 0}
LEVEL_ORDER = {"WARNING": 3, "CAUTION": 2, "ADVISORY": 1, "INFO": 0}
"""Levels of alarms, the worst highest."""


@dataclass
class Alarm:
    """One line of the alarm list."""

    rule: str
    level: str
    what: str
    since: float
    value: Any = None
    limit: Any = None
    action: str = ""
    advice: str = ""
    channels: tuple[str, ...] = ()
    active: bool = True
    acknowledged: bool = False


@dataclass
class Quality:
    """Quality of one electrode."""

    level: str = ""
    rules: tuple[str, ...] = ()
    impedance: float | None = None


@dataclass
class Status:
    """The newest state of everything the engine tells.

    Attributes
    ----------
    state : str
        State of the safety machine; "" while nothing was said.
    state_rule : str
        Rule that stopped the session, where it is stopped.
    events : deque of dict
        Newest events but for feedback.
    refusals : Counter
        How often each rule refused a decision.
    trail : deque of (time, probabilities, label)
        Newest decisions, for the curve of evidence.
    stages : dict
        Time of each stage in the engine's last seconds, in milliseconds.
    """

    state: str = ""
    state_reason: str = ""
    state_rule: str = ""
    time: float = 0.0
    decision: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Quality] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    allowed: int = 0
    phase: str = ""
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=2000))
    trail: deque[tuple[float, tuple[float, ...], str | None]] = field(default_factory=lambda: deque(maxlen=600))
    latency: deque[tuple[float, dict[str, float]]] = field(default_factory=lambda: deque(maxlen=600))
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    links: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=600))
    revision: int = 0
    n_events: int = 0

    def take_text(self, text: str) -> str:
        """Take one message as JSON text and return its type; what cannot be read is left out."""
        try:
            message = json.loads(text)
        except ValueError:
            return ""
        return self.take(message) if isinstance(message, dict) else ""

    def take(self, message: Mapping[str, Any]) -> str:
        """Take one message and return its type."""
        kind = str(message.get("type", ""))
        if isinstance(message.get("time"), int | float):
            self.time = max(self.time, float(message["time"]))
        handler = getattr(self, f"_take_{kind}", None)
        if handler is not None:
            handler(dict(message))
            self.revision += 1
        return kind

    def _take_state(self, message: dict[str, Any]) -> None:
        self.state = str(message.get("state", ""))
        self.state_reason = str(message.get("reason") or "")

    def _take_event(self, message: dict[str, Any]) -> None:
        name = str(message.get("name", ""))
        if name.startswith("feedback/"):
            # Many a second: they would push out the cues around which averages are made.
            return
        self.events.append(message)
        self.n_events += 1
        if name.startswith(("phase/", "cue/")):
            self.phase = name

    def _take_decision(self, message: dict[str, Any]) -> None:
        self.decision = message
        probabilities = tuple(float(p) for p in message.get("probabilities") or ())
        now = float(message.get("time", self.time))
        self.trail.append((now, probabilities, message.get("label")))
        stages = dict(message.get("latency_ms") or {})
        if message.get("latency") is not None:
            stages.setdefault("total", 1e3 * float(message["latency"]))
        if stages:
            self._note_latency(now, stages)

    def _take_verdict(self, message: dict[str, Any]) -> None:
        self.verdict = message
        if message.get("allowed"):
            self.allowed += 1
        else:
            self.refusals.update(str(reason) for reason in message.get("reasons") or ())
        if message.get("state"):
            self.state = str(message["state"])

    def _take_quality(self, message: dict[str, Any]) -> None:
        channels = message.get("channels", {})
        for name, value in channels.items():
            if isinstance(value, str):
                self.quality[name] = Quality(value)
            elif isinstance(value, list | tuple):
                self.quality[name] = Quality(str(value[0]), tuple(value[1]) if len(value) > 1 else ())
            else:
                self.quality[name] = Quality(
                    str(value.get("level", "")), tuple(value.get("rules") or ()), value.get("impedance")
                )

    def _take_health(self, message: dict[str, Any]) -> None:
        self.health.update(message)
        # Says again where the session stands, for a window that came late.
        if message.get("state"):
            self.state = str(message["state"])
            self.state_rule = str(message.get("rule") or "")
        now = float(message.get("time", self.time))
        if message.get("latency_ms"):
            self._note_latency(now, message["latency_ms"])
        self.links.append((now, self.loss_percent() or 0.0, float(message.get("jitter_ms") or 0.0)))

    def _take_stages(self, message: dict[str, Any]) -> None:
        stages = message.get("stages")
        known = stages.items() if isinstance(stages, dict) else ()
        self.stages = {name: v for name, v in known if isinstance(v, dict) and {"p50", "p99"} <= v.keys()}

    def _note_latency(self, now: float, stages: Mapping[str, Any]) -> None:
        known = {str(stage): float(value) for stage, value in stages.items() if value is not None}
        self.health["latency_ms"] = known
        self.latency.append((now, known))

    def _take_alarm(self, message: dict[str, Any]) -> None:
        rule = str(message.get("rule") or message.get("what", ""))
        self.alarms[rule] = Alarm(
            rule=rule,
            level=str(message.get("level", "INFO")),
            what=str(message.get("what", rule)),
            since=float(message.get("since", message.get("time", self.time))),
            value=message.get("value"),
            limit=message.get("limit"),
            action=str(message.get("did") or ""),
            advice=str(message.get("do") or ""),
            channels=tuple(message.get("channels") or ()),
            active=bool(message.get("active", True)),
            acknowledged=bool(message.get("acknowledged", False)),
        )

    def _take_output(self, message: dict[str, Any]) -> None:
        state = message.get("state")
        self.output = dict(state) if isinstance(state, dict) else message

    def alarm_list(self) -> list[Alarm]:
        """Return the alarms, active ones first, the worst first, the newest first."""
        return sorted(
            self.alarms.values(), key=lambda a: (not a.active, -LEVEL_ORDER.get(a.level.upper(), 0), -a.since)
        )

    def worst_electrode(self) -> tuple[str, Quality] | None:
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
        """True once the session said that it is over."""
        return self.state == "FINISHED"
