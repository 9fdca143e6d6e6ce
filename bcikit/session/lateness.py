"""By how much later than planned the screens have shown what a session planned, for whoever draws or averages it."""

from collections.abc import Iterable, Mapping
from typing import Any

from bcikit.signal import Event

KEPT = 20_000
"""Newest events whose flips a live window knows."""

TIMED = ("stimulus/", "cue/", "feedback/result", "phase/", "sound/", "advice/")
"""Events that a screen shows; until it has said when, their time is the planned one."""


class Lateness:
    """Keeps when each event was shown; the first report of it counts: it is what there was a response to.

    Parameters
    ----------
    keep : int or None
        Newest events that are kept; None for all.
    """

    def __init__(self, keep: int | None = KEPT) -> None:
        self._keep = keep
        self._late: dict[tuple[str, int], float] = {}
        self.corrections: dict[str, float] = {}

    @classmethod
    def of_inputs(cls, lines: Iterable[Mapping[str, Any]]) -> "Lateness":
        """Return what the inputs of a recorded session say (``session.records["inputs"]``)."""
        found = cls(keep=None)
        for line in lines:
            if line.get("kind") == "screen":
                found.take(line)
        return found

    def take(self, message: Mapping[str, Any]) -> float | None:
        """Take a report of a screen; return by how many seconds it showed something late, None if it says no flip.

        Parameters
        ----------
        message : mapping
            "hello" with ``correction`` (s from the flip to the light), "flip" with ``name``, ``sample``, ``time`` and
            ``shown`` (s); both with ``client``.
        """
        client = str(message.get("client", ""))
        if message["type"] == "hello":
            self.corrections[client] = float(message.get("correction", 0.0))
        if message["type"] != "flip":
            return None
        late = float(message["shown"]) - float(message["time"]) + self.corrections.get(client, 0.0)
        self._late.setdefault((str(message["name"]), int(message["sample"])), late)
        while self._keep is not None and len(self._late) > self._keep:
            del self._late[next(iter(self._late))]
        return late

    def of(self, event: Event) -> float | None:
        """Return by how many seconds an event was shown later than planned; None while no screen has told it."""
        return None if event.sample is None else self.late_of(event.name, event.sample)

    def late_of(self, name: str, sample: int) -> float | None:
        """Return by how many seconds what was planned under a name at a sample was shown later; None if not told."""
        return self._late.get((name, sample))


def is_planned(event: Event) -> bool:
    """Return whether the time of an event is that of a plan: of what the paradigm wants shown, not of a marker."""
    return event.source == "paradigm" and event.name.startswith(TIMED)
