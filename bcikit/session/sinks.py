"""Listeners of a live session: recorder, counters, and what tells the windows. What moves: `bcikit.session.outputs`."""

from collections.abc import Sequence

from bcikit.acquisition import Source
from bcikit.outputs import Output
from bcikit.recording import SessionWriter
from bcikit.safety import SafetySystem
from bcikit.session.channel import ChannelServer
from bcikit.session.counts import TrialCounts
from bcikit.session.listener import Listener
from bcikit.session.outputs import state_of
from bcikit.session.stages import StageMeter
from bcikit.session.summary import RunTally
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
    Progressed,
    Quality,
    Raw,
    Sent,
    Stages,
    StateChanged,
    Streams,
    record,
)


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
        self.tally = RunTally()

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
                self._say(self._health(None, message.time, None))
            case Input(kind="screen", values=values) if values.get("type") in ("hello", "flip"):
                # Whoever draws or averages needs when it was shown, not when it was planned.
                self._say(message)
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

    def flush(self, meter: StageMeter | None = None, source: Source | None = None) -> None:
        """Tell the signals, and now and then the outputs, the electrodes, the device and the times of the stages."""
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
                self._say(OutputState(state=state_of(output), address=address, time=now))
        if self._is_due("quality", now, 1.0):
            ohms = {} if source is None else source.status().impedances
            quality = {
                name: Electrode(level=item.level.name, rules=tuple(item.rules), impedance=ohms.get(name))
                for name, item in self._safety.quality().items()
            }
            self._say(Quality(channels=quality, time=now))
        if meter is not None and self._is_due("stages", now, 2.0):
            self._say(Stages(stages=meter.summary(), time=now))
        if self._is_due("health", now, 0.25):
            self._say(self._health(raw.chunk, now, source))
        counted = self._counts.now
        if counted != self._counted and self._is_due("counts", now, 0.25):
            self._counted = counted
            self._say(counted)

    def _health(self, chunk: Chunk | None, now: float, source: Source | None) -> LinkHealth:
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
            device={} if source is None else source.status().to_dict(),
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
