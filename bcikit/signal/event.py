"""Event: something that happened at a time, on the sample clock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bcikit.signal.rebuild import rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: a cue, a marker of another program, a phase of a trial.

    Attributes
    ----------
    name : str
        What happened, from the general to the particular: "cue/left", "phase/rest", "marker".
    time : float
        Seconds on the host clock, corrected for the offset of the program that sent it.
    sample : int or None
        Nearest sample of the stream, counted as `Chunk.first_sample` counts; None until it is known.
    value : int, float, str or None
        What a marker carried.
    duration : float
        Seconds; 0 for a moment.
    source : str
        Who says so: "paradigm", the name of a marker stream, "trigger", "operator".
    data : mapping
        Anything else; must be ready for JSON.
    """

    name: str
    time: float
    sample: int | None = None
    value: int | float | str | None = None
    duration: float = 0.0
    source: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_dict` reverses it."""
        return {
            "name": self.name,
            "time": self.time,
            "sample": self.sample,
            "value": self.value,
            "duration": self.duration,
            "source": self.source,
            "data": dict(self.data),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the event that `to_dict` wrote; raises `DataError` for what is none."""
        return rebuild(cls, values, what="event")


def label_of(event: Event, names: Mapping[str, str]) -> str | None:
    """Return what an event stands for, by its name or else by what it carried; None if for nothing.

    Parameters
    ----------
    names : mapping of str to str
        Name or value of an event to what it stands for, as ``--events`` and ``calibration.events`` give it.
    """
    label = names.get(event.name)
    return names.get(str(event.value)) if label is None and event.value is not None else label


def marks_bad(event: Event) -> bool:
    """Return whether an event is a span that a person or a program marked as bad, by MNE's rule (``BAD_...``)."""
    return event.duration > 0 and event.name.lower().startswith("bad")


def channels_of(event: Event, ch_names: Collection[str]) -> tuple[str, ...] | None:
    """Return which channels of a recording an event is about; empty if all, None if it marks others alone as bad.

    Parameters
    ----------
    ch_names : collection of str
        Channels of the recording.
    """
    named = event.data.get("channels")
    if not isinstance(named, list | tuple):
        return ()
    found = tuple(dict.fromkeys(name for name in named if name in ch_names))
    # What is no mark is an event of the whole recording, too, whatever it was about.
    return None if named and not found and marks_bad(event) else found
