"""Decision, Command and Verdict: what a decoder thinks, what shall move, and whether it may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bcikit.signal.rebuild import rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a decoder makes of the newest samples.

    Attributes
    ----------
    time : float
        Time of the newest sample used, seconds on the host clock.
    sample : int
        Index of that sample.
    classes : tuple of str
        What could be decided, in the order of `probabilities`.
    probabilities : tuple of float
        Calibrated probability a class; empty where the decoder could not say.
    label : str or None
        The class decided for; None if none.
    reason : str or None
        Why there is no label: "low-confidence", "bad-data", "not-enough-data", "idle", "error: ...".
    age : float
        Seconds from the newest sample's time to this decision, on the engine's clock.
    data : mapping
        Scores, evidence, features; ready for JSON.
    """

    time: float
    sample: int
    classes: tuple[str, ...]
    probabilities: tuple[float, ...] = ()
    label: str | None = None
    reason: str | None = None
    age: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def confidence(self) -> float:
        """Largest probability; 0 where there are none."""
        return max(self.probabilities, default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        return {
            "time": self.time,
            "sample": self.sample,
            "classes": list(self.classes),
            "probabilities": list(self.probabilities),
            "label": self.label,
            "reason": self.reason,
            "age": self.age,
            "data": dict(self.data),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the decision that `to_dict` wrote; raises `DataError` for what is none."""
        return rebuild(cls, values, what="decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order to an output. It expires: silence is the safe state.

    Attributes
    ----------
    sequence : int
        Grows by at least one a command; a receiver drops what does not.
    time : float
        When it was given, seconds on the host clock.
    ttl : float
        Seconds it stays valid; an output goes safe when it is over.
    name : str
        What to do: "close", "open", "stimulate", "select".
    value : float or str or None
        How much or what: a share of the range 0 to 1, a chosen item.
    data : mapping
        Parameters of the output (FES current, pulse width); ready for JSON.
    """

    sequence: int
    time: float
    ttl: float
    name: str
    value: float | str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        return {
            "sequence": self.sequence,
            "time": self.time,
            "ttl": self.ttl,
            "name": self.name,
            "value": self.value,
            "data": dict(self.data),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the command that `to_dict` wrote; raises `DataError` for what is none."""
        return rebuild(cls, values, what="command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of a decision.

    Attributes
    ----------
    time : float
        When, seconds on the engine's clock.
    sample : int
        Sample of the decision it is about.
    allowed : bool
        Whether anything may move.
    label : str or None
        The label that was allowed; None if refused.
    reasons : tuple of str
        Why it was refused, every rule that said no by its id ("A-CONF", "A-QUAL", "H-STALL"); empty if allowed.
    state : str
        State of the safety machine at the time.
    data : mapping
        Value against limit of each rule that refused; ready for JSON.
    """

    time: float
    sample: int
    allowed: bool
    label: str | None = None
    reasons: tuple[str, ...] = ()
    state: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        return {
            "time": self.time,
            "sample": self.sample,
            "allowed": self.allowed,
            "label": self.label,
            "reasons": list(self.reasons),
            "state": self.state,
            "data": dict(self.data),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the verdict that `to_dict` wrote; raises `DataError` for what is none."""
        return rebuild(cls, values, what="verdict")
