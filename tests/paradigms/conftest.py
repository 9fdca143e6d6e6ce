"""A driver that plays the engine: chunks in, every event, window, decision and command out."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bcikit.paradigms import Paradigm, WindowRequest
from bcikit.safety.gate import Gate
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

Answer = Callable[[WindowRequest], Decision]


@dataclass
class Driven:
    """What happened."""

    events: list[Event] = field(default_factory=list)
    requests: list[WindowRequest] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def named(self, start: str) -> list[Event]:
        return [event for event in self.events if event.name.startswith(start)]


def decide(request: WindowRequest, sfreq: float, classes: tuple[str, ...], label: str, p: float = 0.9) -> Decision:
    rest = (1 - p) / max(len(classes) - 1, 1)
    return Decision(
        time=100.0 + (request.stop_sample - 1) / sfreq,
        sample=request.stop_sample - 1,
        classes=classes,
        probabilities=tuple(p if name == label else rest for name in classes),
        label=label,
    )


def drive(
    paradigm: Paradigm,
    answer: Callable[[WindowRequest], Decision],
    *,
    sfreq: float = 250.0,
    chunk: int = 8,
    seed: int = 1,
    outside: list[Event] | None = None,
    limit: float = 7200.0,
    allow: bool = True,
    start: int = 0,
    gate: Gate | None = None,
) -> Driven:
    """Run to the end (or `limit` seconds) as the engine does; sample n has the time 100 + n / sfreq."""
    out = Driven()

    def refused(decision: Decision) -> tuple[str, ...]:
        if gate is None:
            return () if allow else ("A-CONF",)
        found = tuple(gate.judge(decision, decision.time))
        if not found:
            gate.commit(decision, decision.time)
        return found

    paradigm.configure(StreamInfo(name="test", sfreq=sfreq, ch_names=("C3", "Cz", "C4")), seed=seed)
    paradigm.start(start, 100.0 + start / sfreq)
    waiting = sorted(outside or [], key=lambda event: event.sample or 0)
    end = start
    while not paradigm.finished and end - start < limit * sfreq:
        end += chunk
        while waiting and (waiting[0].sample or 0) < end:
            out.events += paradigm.on_source_event(waiting.pop(0))
        while True:
            events = paradigm.advance(end - 1, 100.0 + (end - 1) / sfreq)
            requests = paradigm.windows_due(end)
            out.events += events
            for request in requests:
                out.requests.append(request)
                decision = paradigm.interpret(answer(request), request)
                out.decisions.append(decision)
                reasons = refused(decision)
                verdict = Verdict(
                    time=decision.time,
                    sample=decision.sample,
                    allowed=not reasons and decision.label is not None,
                    label=None if reasons else decision.label,
                    reasons=reasons,
                    state="ACTIVE",
                )
                commands, events = paradigm.on_decision(decision, verdict, request)
                out.commands += commands
                out.events += events
            if not events and not requests:
                break
    return out


@pytest.fixture
def run() -> Callable[..., Driven]:
    """Return the driver."""
    return drive


@pytest.fixture
def make_decision() -> Callable[..., Decision]:
    """Return a maker of decisions."""
    return decide
