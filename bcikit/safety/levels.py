"""Severity, Reading and Alarm: what a monitor sees, and how a person is told."""

import enum
from dataclasses import dataclass
from typing import Any


class Severity(enum.IntEnum):
    """How a rule stands."""

    OK = 0
    WARN = 1
    DEGRADE = 2
    """No output until it is good again."""
    FAULT = 3


class Level(enum.IntEnum):
    """How loudly a person is told; not the alarm priorities of a medical standard."""

    INFO = 0
    ADVISORY = 1
    CAUTION = 2
    WARNING = 3


class QualityLevel(enum.IntEnum):
    """Whether a channel can be believed."""

    GOOD = 0
    WARN = 1
    BAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One rule that does not hold.

    Attributes
    ----------
    rule : str
        Its id ("H-STALL", "Q-FLAT").
    severity : Severity
        WARN, DEGRADE or FAULT.
    value, limit : float or str
        What was measured and what is allowed.
    channels : tuple of str
        The channels it is about; empty if it is about the stream.
    """

    rule: str
    severity: Severity
    value: float | str = ""
    limit: float | str = ""
    channels: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "rule": self.rule,
            "severity": self.severity.name,
            "value": self.value,
            "limit": self.limit,
            "channels": list(self.channels),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One line of the alarm list.

    Attributes
    ----------
    rule : str
        Rule that raised it.
    level : Level
        How loudly.
    what : str
        What happened, in words for the operator.
    since : float
        When it was raised, seconds on the engine's clock.
    value, limit : float or str
        What was measured and what is allowed.
    did : str
        What bcikit did.
    do : str
        What the operator should do.
    channels : tuple of str
        Channels concerned.
    active : bool
        Whether the rule is still broken.
    acknowledged : bool
        Whether a person has seen it; an alarm stays in the list until then.
    count : int
        How often it came since it was last acknowledged.
    """

    rule: str
    level: Level
    what: str
    since: float
    value: float | str = ""
    limit: float | str = ""
    did: str = ""
    do: str = ""
    channels: tuple[str, ...] = ()
    active: bool = True
    acknowledged: bool = False
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "rule": self.rule,
            "level": self.level.name,
            "what": self.what,
            "since": self.since,
            "value": self.value,
            "limit": self.limit,
            "did": self.did,
            "do": self.do,
            "channels": list(self.channels),
            "active": self.active,
            "acknowledged": self.acknowledged,
            "count": self.count,
        }
