"""Listeners of a live session: outputs, recorder, counters, and what tells the windows."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.outputs import Output
from bcikit.paradigms.scene import Scene
from bcikit.presentation.layout import Viewing, drawn
from bcikit.recording import SessionWriter
from bcikit.safety import SafetySystem, State
from bcikit.safety.machine import LATCHED, Transition
from bcikit.session.channel import ChannelServer
from bcikit.session.command_life import CommandLife
from bcikit.session.counts import TrialCounts
from bcikit.session.listener import Listener
from bcikit.session.stages import StageMeter
from bcikit.session.summary import Tally
from bcikit.signal import Chunk, Event, StreamInfo
from bcikit.signal.messages import (
    Alarmed,
    Decided,
    Electrode,
    Filtered,
    Happened,
    Input,
    LinkHealth,
    Message,
    ModelChosen,
    OutputState,
    Presented,
    Progressed,
    Quality,
    Raw,
    Sent,
    Stages,
    StateChanged,
    Streams,
    record,
)


class Outputs(Listener):
    """Hands commands to the outputs, and has them let go whenever the session is not active.

    Parameters
    ----------
    outputs : sequence of Output
        Where to.
    safety : SafetySystem
        Its quality is told once a second.
    viewing : Viewing, optional
        How the person sees the picture: targets have their visual angle by it.
    """

    def __init__(self, outputs: Sequence[Output], *, safety: SafetySystem, viewing: Viewing | None = None) -> None:
        self._outputs = list(outputs)
        self._viewing = viewing or Viewing()
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

    def take(self, message: Message) -> None:
        """Move, let go, and tell the outputs what they show."""
        match message:
            case Raw():
                self._tick(message.time)
                self._tell_quality(message.time)
            case Input(kind="silence"):
                # What expired is let go while nothing comes, too.
                self._tick(message.time)
            case Input(kind="order") if message.values.get("do") == "deadman":
                for output in self._outputs:
                    output.hold(held=message.values["held"])
            case Presented():
                self._show(message)
            case Happened():
                self._inform("event", record(message))
            case Decided():
                self._inform("decision", message.decision.to_dict())
                self._inform("verdict", message.verdict.to_dict())
            case Sent():
                command = self._life.begin(message.command, self._safety.settings)
                for output in self._outputs:
                    output.send(command)
            case StateChanged():
                # They have let go already.
                self._inform("state", {"state": message.state, "time": message.time})

    def _show(self, message: Presented) -> None:
        values = {"time": message.time, "event": message.event.to_dict(), "scene": message.scene}
        if message.scene is not None and any(output.draws for output in self._outputs):
            values["drawn"] = drawn(Scene.from_dict(message.scene), self._viewing)
        self._inform("show", values)

    def _tick(self, now: float) -> None:
        """Let go of what expired; renew what lasts longer than a command may live."""
        again = self._life.renewed(now)
        for output in self._outputs:
            if again is not None:
                output.renew(again)
            output.tick(now)

    def _tell_quality(self, now: float) -> None:
        if not self._outputs or now - self._last_quality < 1.0:
            return
        self._last_quality = now
        levels = {name: item.level for name, item in self._safety.quality().items()}
        worst = max(levels.values(), default=None)
        channels = {name: level.name for name, level in levels.items()}
        summary = None if worst is None else worst.name
        self._inform("quality", {"time": now, "summary": summary, "channels": channels})

    def _inform(self, kind: str, values: Mapping[str, Any]) -> None:
        for output in self._outputs:
            output.inform({"type": kind, **values})


class Recorder(Listener):
    """Writes everything down, before anything is done with it."""

    def __init__(self, writer: SessionWriter) -> None:
        self.writer = writer

    def take(self, message: Message) -> None:
        """Write a message."""
        match message:
            case Raw():
                self.writer.chunk(message.chunk, message.time)
            case Input():
                self.writer.record("inputs", {"kind": message.kind, **message.values})
            case Happened():
                self.writer.event(message.event)
            case Decided():
                self.writer.decision(message.decision)
                self.writer.verdict(message.verdict)
            case Sent():
                self.writer.record("commands", record(message))
            case Alarmed():
                self.writer.alarm(record(message))
            case StateChanged():
                self.writer.record("states", {"state": message.state, "time": message.time})
            case ModelChosen():
                if hasattr(message.model, "save"):
                    message.model.save(self.writer.path / "model.skops")


class Counter(Listener):
    """Counts."""

    def __init__(self) -> None:
        self.tally = Tally()

    def take(self, message: Message) -> None:
        """Count a message."""
        match message:
            case Raw():
                health = message.chunk.health
                bad = 0 if health.mask is None else int((health.mask != 0).sum())
                self.tally.chunk(message.chunk.n_times, health.lost, bad, health.age)
            case Input(kind="silence"):
                self.tally.n_silences += 1
            case Decided():
                self.tally.decision(message.decision, message.verdict, message.latency)


class Publisher(Listener):
    """Tells the windows in other processes, over the session's channel.

    Parameters
    ----------
    channel : ChannelServer
        Where it is said.
    info, filtered : StreamInfo
        Of the raw and the filtered stream.
    outputs : sequence of Output
        Their state is told, too.
    addresses : sequence of str
        What names each of them.
    safety : SafetySystem
        Its quality is told once a second.
    title, paradigm : str
        What the session is called, and what runs in it.
    """

    def __init__(
        self,
        channel: ChannelServer,
        info: StreamInfo,
        filtered: StreamInfo,
        *,
        outputs: Sequence[Output],
        addresses: Sequence[str],
        safety: SafetySystem,
        title: str = "",
        paradigm: str = "",
    ) -> None:
        self._channel = channel
        self._outputs = list(zip(addresses, outputs, strict=True))
        self._safety = safety
        self._due: dict[str, float] = {}
        self._latency: float | None = None
        self._raw: Raw | None = None
        self._filtered: Filtered | None = None
        self._lost = 0
        self._received = 0
        self._state = StateChanged(state="")
        self._counts = TrialCounts()
        self._counted = self._counts.now
        channel.say(Streams(raw=info.to_dict(), filtered=filtered.to_dict(), title=title, paradigm=paradigm))
        channel.say(Progressed(what=""))

    def take(self, message: Message) -> None:
        """Tell a message; signals are kept until they are decided on: no window may hold up a verdict."""
        self._counts.take(message)
        match message:
            case Raw():
                self._raw = message
                self._lost += message.chunk.health.lost
                self._received += message.chunk.n_times
            case Filtered():
                self._filtered = message if message.chunk.n_times else self._filtered
            case Input(kind="silence"):
                self._say(self._health(None, message.time))
            case Input():
                pass
            case StateChanged():
                self._state = StateChanged(
                    state=message.state,
                    time=message.time,
                    rule=message.rule,
                    reason=message.reason,
                    paused=self._state.paused,
                )
                self._say(self._state)
            case Happened():
                self._follow_pause(message.event)
                self._say(message)
            case Decided():
                self._latency = message.latency
                self._say(message)
            case _:
                self._say(message)

    def _follow_pause(self, event: Event) -> None:
        if event.name in ("operator/pause", "operator/resume"):
            self._state = StateChanged(
                state=self._state.state,
                time=event.time,
                rule=self._state.rule,
                reason=self._state.reason,
                paused=event.name == "operator/pause",
            )
            self._say(self._state)

    def flush(self, meter: StageMeter | None = None) -> None:
        """Tell the signals, and now and then the outputs, the quality of the electrodes and the times of the stages."""
        raw, filtered = self._raw, self._filtered
        self._raw = self._filtered = None
        if raw is not None:
            self._say(raw)
        if filtered is not None:
            self._say(filtered)
        if raw is None:
            return
        now = raw.time
        if self._is_due("outputs", now, 0.1):
            for address, output in self._outputs:
                self._say(OutputState(state=output.state(), address=address, time=now))
        if self._is_due("quality", now, 1.0):
            quality = {
                name: Electrode(level=item.level.name, rules=tuple(item.rules))
                for name, item in self._safety.quality().items()
            }
            self._say(Quality(channels=quality, time=now))
        if meter is not None and self._is_due("stages", now, 2.0):
            self._say(Stages(stages=meter.summary(), time=now))
        if self._is_due("health", now, 0.25):
            self._say(self._health(raw.chunk, now))
        counted = self._counts.now
        if counted != self._counted and self._is_due("counts", now, 0.25):
            self._counted = counted
            self._say(counted)

    def _health(self, chunk: Chunk | None, now: float) -> LinkHealth:
        age = None if chunk is None else chunk.health.age
        latency: dict[str, float] = {}
        if age is not None and self._latency is not None:
            took = self._latency
            latency = {"arrival": 1e3 * age, "decision": 1e3 * took, "total": 1e3 * (age + took)}
        return LinkHealth(
            time=now,
            link_age=age,
            lost=self._lost,
            received=self._received,
            silent=chunk is None,
            latency_ms=latency,
        )

    def _is_due(self, what: str, now: float, period: float) -> bool:
        if now < self._due.get(what, float("-inf")):
            return False
        self._due[what] = now + period
        return True

    def say_finished(self, time: float) -> None:
        """Say that the session is over."""
        self.flush()
        self._say(self._counts.now)
        self._say(StateChanged(state="FINISHED", time=time))

    def _say(self, message: Message) -> None:
        self._channel.say(message)
