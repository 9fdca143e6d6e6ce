"""Pseudo-online: a paradigm over a recording, by the same calls as live, chunk by chunk."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bcikit.paradigms.base import Decider, Paradigm
from bcikit.processing import Pipeline, Regrid, WindowBuffer
from bcikit.signal import Command, DataError, Decision, Event, Recording, Verdict

Gate = Callable[[Decision], Verdict]


@dataclass(slots=True)
class Replayed:
    """What a replay gave.

    Attributes
    ----------
    events, decisions, verdicts, commands : list
        In order.
    results : dict
        `Paradigm.results` at the end.
    """

    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)


def labelled(decision: Decision) -> Verdict:
    """Return a verdict that lets every label through: for evaluation only, where nothing can move."""
    return Verdict(
        time=decision.time,
        sample=decision.sample,
        allowed=decision.label is not None,
        label=decision.label,
        reasons=() if decision.label is not None else ("A-NONE",),
        state="REPLAY",
    )


def replay(
    paradigm: Paradigm,
    recording: Recording,
    decider: Decider | None = None,
    *,
    pipeline: Pipeline | None = None,
    gate: Gate = labelled,
    chunk: int = 32,
    seed: int = 0,
) -> Replayed:
    """Run a paradigm over a recording whose events drive it.

    Parameters
    ----------
    paradigm : Paradigm
        With cues from outside.
    recording : Recording
        With events that have samples.
    decider : Decider or None
        Trained on other recordings; None for the paradigm's own.
    pipeline : Pipeline or None
        Causal steps before windows are taken.
    gate : callable
        Judges each decision; the default lets all labels through.
    chunk : int
        Samples a chunk; the result does not depend on it.
    seed : int
        Seed of the paradigm.

    Raises
    ------
    DataError
        If nothing decides.
    """
    pipeline = pipeline if pipeline is not None else Pipeline([])
    info = pipeline.configure(recording.info)
    paradigm.configure(info, seed=seed)
    decider = decider if decider is not None else paradigm.decider()
    if decider is None:
        raise DataError(f"{paradigm.name} needs a trained decider for a replay.")
    buffer = WindowBuffer(info.n_channels, info.sfreq, 30.0)
    out = Replayed()
    grid = Regrid.of(pipeline, recording.info, info)
    first = grid.onto(int(recording.samples[0]))
    paradigm.start(first, float(recording.times[0]))
    waiting = [event for event in recording.events if event.sample is not None]
    waiting.sort(key=lambda event: event.sample or 0, reverse=True)
    for piece in recording.chunks(chunk):
        end, time = grid.newest(piece.end_sample - 1) + 1, float(piece.times[-1])
        buffer.append(pipeline.process(piece))
        while waiting and (waiting[-1].sample or 0) < piece.end_sample:
            out.events += paradigm.on_source_event(grid.event(waiting.pop()))
        _advance(paradigm, decider, buffer, gate, out, end, time)
    out.events = [grid.event_back(event) for event in out.events]
    if not grid.same:
        out.decisions = [replace(decision, sample=grid.back(decision.sample)) for decision in out.decisions]
    out.results = paradigm.results()
    return out


def _advance(
    paradigm: Paradigm, decider: Decider, buffer: WindowBuffer, gate: Gate, out: Replayed, end: int, time: float
) -> None:
    while True:
        events = paradigm.advance(end - 1, time)
        out.events += events
        requests = paradigm.windows_due(end)
        for request in requests:
            if request.start_sample < buffer.first_sample:
                # The recording begins in the middle of the window: there is nothing to decide on.
                decision = Decision(time=time, sample=request.stop_sample - 1, classes=(), reason="not-enough-data")
            else:
                window = buffer.get(request.stop_sample, request.n_times)
                decision = decider.decide(window, now=window.time)
            decision = paradigm.interpret(decision, request)
            verdict = gate(decision)
            commands, more = paradigm.on_decision(decision, verdict, request)
            out.decisions.append(decision)
            out.verdicts.append(verdict)
            out.commands += commands
            out.events += more
        if not events and not requests:
            return
