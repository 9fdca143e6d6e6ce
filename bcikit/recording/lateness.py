"""By how much later than planned the screens have shown what a session planned, for whoever draws or averages it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bcikit.signal import Event

KEPT = 20_000
"""Newest events whose flips a live window knows."""

LOCKED = ("stimulus/", "cue/", "feedback/result")
"""Events that a window or an epoch may be locked to."""

REFUSED = "stimulus/refused"
"""What stands in the place of a flicker that was not allowed: mid-grey, to which nobody can have responded."""

WITH_FLIP = ("feedback/error", "select/", "advice/", "assist/")
"""Events that say more of what a flip of the same moment shows, where they have none of their own."""

TIMED = ("stimulus/", "cue/", "feedback/result", "phase/", "sound/", "advice/")
"""Events that a screen shows; until it has said when, their time is the planned one."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Events that stand at the time at which a person saw them.

    Attributes
    ----------
    events : tuple of Event
        In the order in which they were given; how late each was, in s, is ``late`` in its data.
    n_moved : int
        So many stand where a screen showed them.
    n_unseen : int
        So many cues and labels were left out, as no screen has shown what they are locked to.
    """

    events: tuple[Event, ...]
    n_moved: int
    n_unseen: int

    @property
    def unseen_words(self) -> str:
        """What was left out, for a person; empty if nothing was."""
        return f"{self.n_unseen} cues and labels of what no screen has shown" if self.n_unseen else ""


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
        self._locked: dict[int, float] = {}
        self._told = False
        self._too_late: set[str] = set()
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
            "hello" with ``refresh`` (Hz) and ``correction`` (s from the flip to the light), "flip" with ``name``,
            ``sample``, ``time`` and ``shown`` (s); both with ``client``. What a client shows that said hello with
            ``too_late`` was not waited for, and moves nothing.
        """
        client = str(message.get("client", ""))
        if message["type"] == "hello":
            (self._too_late.add if message.get("too_late") else self._too_late.discard)(client)
        if client in self._too_late:
            return None
        if message["type"] == "hello":
            self._told = self._told or message.get("refresh") is not None
            self.corrections[client] = float(message.get("correction", 0.0))
        if message["type"] != "flip":
            return None
        self._told = True
        late = float(message["shown"]) - float(message["time"]) + self.corrections.get(client, 0.0)
        name, sample = str(message["name"]), int(message["sample"])
        if (name, sample) not in self._late:
            self._late[name, sample] = late
            if name.startswith(LOCKED):
                self._locked.setdefault(sample, late)
        while self._keep is not None and len(self._late) > self._keep:
            oldest = next(iter(self._late))
            del self._late[oldest]
            self._locked.pop(oldest[1], None)
        return late

    def of(self, event: Event) -> float | None:
        """Return by how many seconds an event was shown later than planned; None while no screen has told it."""
        return None if event.sample is None else self.late_of(event.name, event.sample)

    def late_of(self, name: str, sample: int) -> float | None:
        """Return by how many seconds what was planned under a name at a sample was shown later; None if not told."""
        return self._late.get((name, sample))

    def at(self, sample: int) -> float | None:
        """Return by how many seconds the stimulus, cue or result planned at a sample came later; None if not told."""
        return self._locked.get(sample)

    def placed(self, events: Sequence[Event], sfreq: float) -> Placed:
        """Return events moved to when they were shown.

        Labels and cues of which no screen has told are left out, and labels of a flicker that was refused: nobody can
        have responded to what was not shown. What else was not told of stays where it was planned. Without a screen,
        nothing is moved, and nothing else left out.

        Parameters
        ----------
        events : sequence of Event
            With their planned samples; a label has the sample of its stimulus as ``locked`` in its data.
        sfreq : float
            Sampling rate of the samples, in Hz.
        """
        refused = {event.sample for event in events if event.name == REFUSED}
        out: list[Event] = []
        moved = unseen = 0
        for event in events:
            locked, sample = event.data.get("locked"), event.sample
            label = isinstance(locked, int)
            planned = locked if label else sample
            if event.source != "paradigm" or planned is None or sample is None:
                out.append(event)
            elif label and planned in refused:
                unseen += 1
            elif not self._told:
                out.append(event)
            elif (late := self._late_of(event.name, planned, label=label)) is not None:
                # A label was planned later already, by what its paradigm takes a screen to need.
                already = (sample - planned) / sfreq
                shown = planned + round(late * sfreq)
                data = {**event.data, "late": late}
                out.append(replace(event, sample=shown, time=event.time + late - already, data=data))
                moved += 1
            elif label or event.name.startswith("cue/"):
                unseen += 1
            else:
                out.append(event)
        return Placed(tuple(out), moved, unseen)

    def _late_of(self, name: str, planned: int, *, label: bool) -> float | None:
        if not label and not name.startswith((*TIMED, *WITH_FLIP, "feedback/")):
            # Trials, blocks and the session itself begin and end by the plan, whatever picture comes with that.
            return None
        late = None if label else self.late_of(name, planned)
        return self.at(planned) if late is None and (label or name.startswith((*LOCKED, *WITH_FLIP))) else late


def is_planned(event: Event) -> bool:
    """Return whether the time of an event is that of a plan: of what the paradigm wants shown, not of a marker."""
    return event.source == "paradigm" and event.name.startswith(TIMED)
