"""The one vocabulary of a running session: what it says to its listeners, windows, outputs, files and replay.

A message is a frozen dataclass whose ``type`` is its name on a wire. `to_json` writes one, `parse` reads one, `schema`
is the JSON Schema made from the types. Signals (`Raw`, `Filtered`) and models stay in the process; a channel to
other processes carries signals in a binary frame of its own.

A reader takes what it knows: unknown fields are left out and an unknown type becomes `Unknown`, so that a newer session
works with an older window. `VERSION` grows when a known field changes its meaning.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from bcikit.signal.chunk import Chunk
from bcikit.signal.decision import Command, Decision, Verdict
from bcikit.signal.documents import json_of
from bcikit.signal.errors import DataError
from bcikit.signal.event import Event
from bcikit.signal.rebuild import short

if TYPE_CHECKING:
    from pydantic import TypeAdapter

VERSION = 1
"""Of the vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A chunk as the source gave it, before anything is done with it; ``time`` is its arrival."""

    chunk: Chunk
    time: float
    type: Literal["raw"] = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """What the pipeline made of a chunk."""

    chunk: Chunk
    time: float = 0.0
    type: Literal["filtered"] = "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What came from outside beside the samples, and what a replay must repeat at the same place.

    Attributes
    ----------
    kind : str
        "order", "event", "silence", "load", "finding", "attended".
    values : mapping
        As `Conductor` took it; ready for JSON.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    time: float = 0.0
    type: Literal["input"] = "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event of the paradigm, the source or the operator."""

    event: Event
    type: Literal["event"] = "event"

    @property
    def time(self) -> float:
        """When it happened."""
        return self.event.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a person sees from an event on.

    Attributes
    ----------
    event : Event
        What brings it: locked to a frame where it is a stimulus.
    scene : mapping or None
        The new scene (`bcikit.paradigms.scene.Scene.to_dict`); None where it stays and only the event is shown.
    """

    event: Event
    scene: Mapping[str, Any] | None = None
    type: Literal["show"] = "show"

    @property
    def time(self) -> float:
        """When it was planned."""
        return self.event.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision and what the gate says of it.

    Attributes
    ----------
    decision, verdict : Decision, Verdict
        What is thought, and whether it may act.
    kind : str
        What the paradigm asked for: "feedback", "final", "flash", ...
    trial : int
        Trial it belongs to.
    final : bool
        Whether the answer ends the trial.
    latency : float or None
        Seconds from the arrival of the newest chunk to the verdict; None on replay.
    """

    decision: Decision
    verdict: Verdict
    kind: str = "final"
    trial: int = 0
    final: bool = False
    latency: float | None = None
    type: Literal["decision"] = "decision"

    @property
    def time(self) -> float:
        """Time of the newest sample that was used."""
        return self.decision.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A command that was handed to the outputs."""

    command: Command
    type: Literal["command"] = "command"

    @property
    def time(self) -> float:
        """When it was given."""
        return self.command.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarmed:
    """An alarm that is new or has changed: see `bcikit.safety.Alarm`."""

    rule: str
    level: str = "INFO"
    what: str = ""
    since: float = 0.0
    value: float | str | None = None
    limit: float | str | None = None
    did: str = ""
    do: str = ""
    channels: tuple[str, ...] = ()
    active: bool = True
    acknowledged: bool = False
    count: int = 1
    type: Literal["alarm"] = "alarm"

    @property
    def time(self) -> float:
        """When it was raised."""
        return self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """Where the session stands.

    Attributes
    ----------
    state : str
        State of the safety machine; "FINISHED" once the session is over.
    rule : str
        Rule that stopped it, in a latched state.
    reason : str
        Why, in words, where somebody said so.
    paused : bool
        Whether the operator paused it.
    """

    state: str
    time: float = 0.0
    rule: str = ""
    reason: str = ""
    paused: bool = False
    type: Literal["state"] = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChosen:
    """The model that decides from now on; ``model`` itself stays in the process.

    ``guesses`` says that on trials that were held out it was no better than guessing.
    """

    decoder: str = ""
    classes: tuple[str, ...] = ()
    data: str = ""
    guesses: bool = False
    time: float = 0.0
    model: Any = None
    type: Literal["model"] = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrode:
    """Quality of one electrode: "GOOD", "WARN" or "BAD", the rules it breaks, its impedance in ohm where known."""

    level: str = ""
    rules: tuple[str, ...] = ()
    impedance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality of every electrode."""

    channels: Mapping[str, Electrode] = field(default_factory=dict)
    time: float = 0.0
    type: Literal["quality"] = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """How the samples arrive.

    Attributes
    ----------
    link_age : float or None
        Seconds from the newest sample to its arrival at the engine.
    lost, received : int
        Samples since the beginning.
    silent : bool
        Nothing comes from the source.
    latency_ms : mapping
        "arrival", "decision" and "total" of the newest decision, in milliseconds.
    device : mapping
        What the source counts and measures, as `bcikit.acquisition.StreamStatus` names it: losses, repeats, rate,
        drift, buffer, battery, impedances.
    """

    time: float = 0.0
    link_age: float | None = None
    lost: int = 0
    received: int = 0
    silent: bool = False
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)
    type: Literal["health"] = "health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Time of each stage in the newest seconds: name to ``p50``, ``p99``, ``max``, ``deadline`` (ms), ``n``."""

    stages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    time: float = 0.0
    type: Literal["stages"] = "stages"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputState:
    """Where an output stands, as ``{"closure": 0.4}``; ``address`` names it."""

    state: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    time: float = 0.0
    type: Literal["output"] = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was done so far: trials that are over, answers, right ones, trials in which something moved, rewards."""

    trials: int = 0
    answered: int = 0
    correct: int = 0
    movements: int = 0
    rewards: int = 0
    seconds: float = 0.0
    time: float = 0.0
    type: Literal["counts"] = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """What the engine is doing beside running: opening the source, training, writing the report."""

    what: str
    done: int = 0
    total: int = 0
    time: float = 0.0
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The channel lives; ``engine_age`` is how many seconds ago the engine itself made its last step."""

    engine_age: float = 0.0
    time: float = 0.0
    type: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """What the signals of the session are: `StreamInfo.to_dict` of the raw and of the filtered stream."""

    raw: Mapping[str, Any] = field(default_factory=dict)
    filtered: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    paradigm: str = ""
    time: float = 0.0
    type: Literal["streams"] = "streams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A message of a newer session."""

    values: Mapping[str, Any] = field(default_factory=dict)
    time: float = 0.0
    type: Literal["unknown"] = "unknown"


Said = (
    Happened
    | Presented
    | Decided
    | Sent
    | Alarmed
    | StateChanged
    | ModelChosen
    | Quality
    | LinkHealth
    | Stages
    | OutputState
    | Counted
    | Progressed
    | Beat
    | Streams
    | Input
)
"""What goes to other processes as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a window that joins must know, as the newest message of each kind; what it knew before is void."""

    messages: tuple[Annotated[Said, "discriminated"], ...] = ()
    time: float = 0.0
    type: Literal["snapshot"] = "snapshot"


Message = Raw | Filtered | Said | Snapshot | Unknown


@cache
def _adapter() -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, Field, TypeAdapter

    # pydantic reads stdlib dataclasses; the tag tells which one at the first look, so that errors name one type only.
    tagged = Annotated[Said, Field(discriminator="type")]
    return TypeAdapter(tagged, config=ConfigDict(ser_json_inf_nan="null"))


@cache
def _types() -> frozenset[str]:
    return frozenset(kind.__dataclass_fields__["type"].default for kind in Said.__args__)


def _plain(value: Any) -> Any:
    """Return what numpy hides in what a paradigm adds."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def to_json(message: Message, **envelope: Any) -> bytes:
    """Return a message as one JSON object; `envelope` (``seq``, ``age``) goes beside its fields.

    Raises
    ------
    DataError
        For a signal, which has no place in JSON.
    """
    head = json.dumps({"v": VERSION, **envelope})[:-1].encode() + b", "
    if isinstance(message, Snapshot):
        parts = b",".join(to_json(part) for part in message.messages)
        return head + b'"type": "snapshot", "time": %s, "messages": [%s]}' % (repr(message.time).encode(), parts)
    if isinstance(message, Raw | Filtered):
        raise DataError(f"A message of type {message.type!r} is no JSON: signals go in binary frames.")
    if isinstance(message, Unknown):
        return head + json.dumps(dict(message.values)).encode()[1:]
    exclude = {"model"} if isinstance(message, ModelChosen) else None
    body: bytes = _adapter().dump_json(message, exclude=exclude, fallback=_plain, warnings="none")
    return head + body[1:]


def parse(text: str | bytes | Mapping[str, Any]) -> Message:
    """Return the message of a JSON object.

    Raises
    ------
    DataError
        If it is no object, of a newer version, or a field of a known type is not what it must be.
    """
    from pydantic import ValidationError

    try:
        values = json_of(text) if isinstance(text, str | bytes) else text
    except ValueError as error:
        raise DataError(f"A message is no JSON: {error}") from None
    if not isinstance(values, Mapping):
        raise DataError("A message is a JSON object.")
    if values.get("v", VERSION) != VERSION:
        raise DataError(f"A message has version {short(values['v'])}; this program knows {VERSION}.")
    kind = values.get("type")
    if not isinstance(kind, str | None):
        raise DataError(f"A message has the type {short(kind)}; it must be a text.")
    if kind == "snapshot":
        return _snapshot(values)
    if kind not in _types():
        return Unknown(values=dict(values))
    try:
        message: Message = _adapter().validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "it"
        raise DataError(f"A message of type {kind!r} is wrong: {place}: {first['msg']}") from None
    return message


def _snapshot(values: Mapping[str, Any]) -> Snapshot:
    time, messages = values.get("time", 0.0), values.get("messages", ())
    if not isinstance(messages, list | tuple):
        raise DataError("A snapshot has no list of messages.")
    if any(isinstance(item, Mapping) and item.get("type") == "snapshot" for item in messages):
        raise DataError("A snapshot holds another snapshot.")
    parts = tuple(part for item in messages if _is_said(part := parse(item)))
    good = isinstance(time, float) or (type(time) is int and abs(time) < 1 << 62)
    return Snapshot(messages=parts, time=float(time) if good and math.isfinite(time) else 0.0)  # type: ignore[arg-type]


def _is_said(message: Message) -> bool:
    return isinstance(message, Said)


def record(message: Message) -> dict[str, Any]:
    """Return a message as a row: what stands in the files of a session folder, without the type.

    Events, decisions and commands are their own dictionaries, everything else its fields.
    """
    if isinstance(message, Happened):
        return message.event.to_dict()
    if isinstance(message, Sent):
        return message.command.to_dict()
    if isinstance(message, Decided):
        return {
            **message.decision.to_dict(),
            "trial": message.trial,
            "final": message.final,
            "latency": message.latency,
            "verdict": message.verdict.to_dict(),
        }
    names = [item.name for item in fields(message) if item.name not in ("type", "model", "chunk")]
    return {name: getattr(message, name) for name in names}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of every message, made from the types."""
    found: dict[str, Any] = _adapter().json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bcikit messages",
        "version": VERSION,
        **found,
    }
