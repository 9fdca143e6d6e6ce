"""Listeners of a live session: outputs, recorder, counters, publisher."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.acquisition.outlet import LslOutlet, LslTextOutlet
from bcikit.outputs import Output
from bcikit.paradigms import WindowRequest
from bcikit.recording import SessionWriter
from bcikit.safety import SafetySystem, State
from bcikit.safety.machine import LATCHED, Transition
from bcikit.session.command_life import CommandLife
from bcikit.session.listener import Listener
from bcikit.session.stages import StageMeter
from bcikit.session.summary import Tally
from bcikit.signal import Chunk, Command, Decision, Event, StreamInfo, Verdict

STATUS_TYPE = "bcikit-status"
"""LSL type of the stream of everything that is not a sample."""


class Outputs(Listener):
    """Hands commands to the outputs, and has them let go whenever the session is not active.

    Parameters
    ----------
    outputs : sequence of Output
        Where to.
    safety : SafetySystem
        Its quality is told once a second.
    """

    def __init__(self, outputs: Sequence[Output], *, safety: SafetySystem) -> None:
        self._outputs = list(outputs)
        self._safety = safety
        self._last_quality = float("-inf")
        self._life = CommandLife()
        # Of the machine itself, not of the news about it: what moves lets go within the step that ends ACTIVE.
        safety.listen(self._follow)

    def _follow(self, step: Transition) -> None:
        """Let go unless the session is active; after a stop until a person has undone it."""
        if step.target is not State.ACTIVE:
            self._life.drop()
        for output in self._outputs:
            if step.target in LATCHED:
                output.stop(step.reason or str(step.target))
            elif step.target is not State.ACTIVE:
                output.safe(str(step.target))
            if step.source in LATCHED and step.target not in LATCHED:
                output.release(step.actor, step.reason)

    def on_chunk(self, raw: Chunk, now: float) -> None:  # noqa: ARG002
        """Let go of what expired; renew what lasts longer than a command may live."""
        again = self._life.renewed(now)
        for output in self._outputs:
            if again is not None:
                output.renew(again)
            output.tick(now)
        if self._outputs and now - self._last_quality >= 1.0:
            self._last_quality = now
            levels = {name: item.level for name, item in self._safety.quality().items()}
            worst = max(levels.values(), default=None)
            channels = {name: level.name for name, level in levels.items()}
            summary = None if worst is None else worst.name
            self._inform("quality", {"time": now, "summary": summary, "channels": channels})

    def on_input(self, kind: str, values: Mapping[str, Any]) -> None:
        """Let go of what expired while nothing came; hand on the dead-man switch."""
        if kind == "silence":
            for output in self._outputs:
                output.tick(float(values["now"]))
        elif kind == "order" and values.get("do") == "deadman":
            for output in self._outputs:
                output.hold(held=values["held"])

    def on_event(self, event: Event) -> None:
        """Tell the outputs."""
        self._inform("event", event.to_dict())

    def on_decision(
        self,
        decision: Decision,
        verdict: Verdict,
        request: WindowRequest,  # noqa: ARG002
        latency: float | None,  # noqa: ARG002
    ) -> None:
        """Tell the outputs, for display; what moves comes as a command."""
        self._inform("decision", decision.to_dict())
        self._inform("verdict", verdict.to_dict())

    def on_command(self, command: Command) -> None:
        """Move."""
        command = self._life.begin(command, self._safety.settings)
        for output in self._outputs:
            output.send(command)

    def on_state(self, state: str, time: float) -> None:
        """Tell the outputs; they have let go already."""
        self._inform("state", {"state": state, "time": time})

    def _inform(self, kind: str, values: Mapping[str, Any]) -> None:
        for output in self._outputs:
            output.inform({"type": kind, **values})


class Recorder(Listener):
    """Writes everything down, before anything is done with it."""

    def __init__(self, writer: SessionWriter) -> None:
        self.writer = writer

    def on_chunk(self, raw: Chunk, now: float) -> None:
        """Write the raw chunk."""
        self.writer.chunk(raw, now)

    def on_input(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write what else came from outside, in order."""
        self.writer.record("inputs", {"kind": kind, **values})

    def on_event(self, event: Event) -> None:
        """Write the event."""
        self.writer.event(event)

    def on_decision(
        self,
        decision: Decision,
        verdict: Verdict,
        request: WindowRequest,  # noqa: ARG002
        latency: float | None,  # noqa: ARG002
    ) -> None:
        """Write the decision and the verdict."""
        self.writer.decision(decision)
        self.writer.verdict(verdict)

    def on_command(self, command: Command) -> None:
        """Write the command."""
        self.writer.record("commands", command.to_dict())

    def on_alarm(self, alarm: Mapping[str, Any]) -> None:
        """Write the alarm."""
        self.writer.alarm(alarm)

    def on_state(self, state: str, time: float) -> None:
        """Write the change of state."""
        self.writer.record("states", {"state": state, "time": time})

    def on_model(self, model: Any) -> None:
        """Keep the model beside what it decides."""
        if hasattr(model, "save"):
            model.save(self.writer.path / "model.skops")


class Counter(Listener):
    """Counts."""

    def __init__(self) -> None:
        self.tally = Tally()

    def on_chunk(self, raw: Chunk, now: float) -> None:  # noqa: ARG002
        """Count the chunk."""
        health = raw.health
        bad = 0 if health.mask is None else int((health.mask != 0).sum())
        self.tally.chunk(raw.n_times, health.lost, bad, health.age)

    def on_input(self, kind: str, values: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Count silences."""
        self.tally.n_silences += kind == "silence"

    def on_decision(
        self,
        decision: Decision,
        verdict: Verdict,
        request: WindowRequest,  # noqa: ARG002
        latency: float | None,
    ) -> None:
        """Count the decision."""
        self.tally.decision(decision, verdict, latency)


class Publisher(Listener):
    """Sends the session to windows in other processes, over LSL on this machine.

    Parameters
    ----------
    session : str
        Name of the session; the streams are ``bcikit-<session>-raw``, ``-filtered`` and ``-status``.
    info, filtered : StreamInfo
        Of the raw and the filtered stream.
    outputs : sequence of Output
        Their state is sent, too.
    safety : SafetySystem
        Its quality is sent once a second.
    """

    def __init__(
        self,
        session: str,
        info: StreamInfo,
        filtered: StreamInfo,
        *,
        outputs: Sequence[Output],
        safety: SafetySystem,
    ) -> None:
        self._outputs = list(outputs)
        self._safety = safety
        self._last_quality = float("-inf")
        self._last_output = float("-inf")
        self._last_health = float("-inf")
        self._last_stages = float("-inf")
        self._latency: float | None = None
        self._raw: Chunk | None = None
        self._filtered: Chunk | None = None
        self._now = 0.0
        self._lost = 0
        self._received = 0
        self._state = ""
        self._paused = False
        prefix = f"bcikit-{session}"
        self.raw = LslOutlet(info, name=f"{prefix}-raw", type="EEG", source_id=f"{prefix}-raw")
        self.filtered = LslOutlet(filtered, name=f"{prefix}-filtered", type="EEG", source_id=f"{prefix}-filtered")
        self.status = LslTextOutlet(f"{prefix}-status", type=STATUS_TYPE, source_id=f"{prefix}-status")

    def close(self) -> None:
        """Send what waits and close the outlets."""
        self.flush()
        for outlet in (self.raw, self.filtered, self.status):
            outlet.close()

    def on_chunk(self, raw: Chunk, now: float) -> None:
        """Keep the chunk until it is decided on: no window may hold up a verdict."""
        self._raw = raw
        self._now = now
        self._lost += raw.health.lost
        self._received += raw.n_times

    def flush(self, meter: StageMeter | None = None) -> None:
        """Send the samples, and now and then the outputs, the quality of the electrodes and the times of the stages."""
        raw, filtered, now = self._raw, self._filtered, self._now
        self._raw = self._filtered = None
        if raw is not None:
            self.raw.push(raw)
        if filtered is not None:
            self.filtered.push(filtered)
        if raw is None:
            return
        if now - self._last_output >= 0.1:
            self._last_output = now
            for output in self._outputs:
                self._say("output", now, {"state": output.state()})
        if now - self._last_quality >= 1.0:
            self._last_quality = now
            quality = {
                name: {"level": item.level.name, "rules": list(item.rules)}
                for name, item in self._safety.quality().items()
            }
            self._say("quality", now, {"channels": quality})
        if meter is not None and now - self._last_stages >= 2.0:
            self._last_stages = now
            self._say("stages", now, {"stages": meter.summary()})
        if now - self._last_health >= 0.25:
            self._last_health = now
            age = raw.health.age
            took = self._latency
            stages = (
                None if took is None else {"arrival": 1e3 * age, "decision": 1e3 * took, "total": 1e3 * (age + took)}
            )
            self._say("health", now, {"age": age, "latency_ms": stages, **self._where()})

    def on_filtered(self, chunk: Chunk) -> None:
        """Keep what the pipeline made of it, too."""
        if chunk.n_times:
            self._filtered = chunk

    def on_input(self, kind: str, values: Mapping[str, Any]) -> None:
        """Send that nothing came."""
        if kind == "silence":
            self._say("health", float(values["now"]), {"silent": True, **self._where()})

    def _where(self) -> dict[str, Any]:
        """Return what a window that comes late must know."""
        stops = self._safety.ledger.tally.stops if State(self._state or "OFFLINE") in LATCHED else ()
        where = {"state": self._state, "rule": stops[-1][1] if stops else "", "paused": self._paused}
        return {"lost": self._lost, "received": self._received, **where}

    def on_event(self, event: Event) -> None:
        """Send the event."""
        if event.name in ("operator/pause", "operator/resume"):
            self._paused = event.name == "operator/pause"
        self._say("event", event.time, event.to_dict())

    def on_decision(self, decision: Decision, verdict: Verdict, request: WindowRequest, latency: float | None) -> None:
        """Send the decision and the verdict."""
        self._latency = latency
        total = None if latency is None else {"total": 1e3 * (decision.age + latency)}
        extra = {"latency": latency, "latency_ms": total, "trial": request.trial, "final": request.final}
        self._say("decision", decision.time, {**decision.to_dict(), **extra})
        self._say("verdict", verdict.time, verdict.to_dict())

    def on_command(self, command: Command) -> None:
        """Send the command, for display."""
        self._say("command", command.time, command.to_dict())

    def on_alarm(self, alarm: Mapping[str, Any]) -> None:
        """Send the alarm."""
        self._say("alarm", float(alarm.get("since", 0.0)), alarm)

    def on_state(self, state: str, time: float) -> None:
        """Send the change of state."""
        self._state = state
        self._say("state", time, {"state": state})

    def on_model(self, model: Any) -> None:
        """Send what the model is."""
        sheet = getattr(model, "sheet", None)
        if sheet is not None:
            self._say("model", 0.0, {"decoder": sheet.decoder, "classes": list(sheet.classes)})

    def say_finished(self, time: float) -> None:
        """Say that the session is over."""
        self._say("state", time, {"state": "FINISHED"})

    def _say(self, kind: str, time: float, values: Mapping[str, Any]) -> None:
        # numpy numbers may hide in what a paradigm adds.
        text = json.dumps({**values, "type": kind, "time": time}, default=lambda value: value.item())
        self.status.push(text, time)
