"""Schedule: what is planned at which sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

Action = Callable[[int], None]
"""Called with the planned sample when its time has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One thing that happens at one sample.

    Attributes
    ----------
    sample : int
        When.
    name : str
        Name of the event; empty where nobody is told.
    value, duration, data
        As in `bcikit.signal.Event`.
    action : callable or None
        Called with `sample` before the event is given out.
    group : int
        What is cancelled together: the trial.
    """

    sample: int
    name: str = ""
    value: float | str | None = None
    duration: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)
    action: Action | None = None
    group: int = -1


class Schedule:
    """Plans in seconds, keeps samples: each planned time is rounded once, never added up.

    Parameters
    ----------
    sfreq : float
        Samples a second.
    """

    def __init__(self, sfreq: float) -> None:
        self.sfreq = sfreq
        self._heap: list[tuple[int, int, Planned]] = []
        self._order = 0

    def samples(self, seconds: float) -> int:
        """Return the number of samples nearest to `seconds`."""
        return round(seconds * self.sfreq)

    def add(self, planned: Planned) -> None:
        """Plan; things of the same sample happen in the order of planning."""
        self._order += 1
        heappush(self._heap, (planned.sample, self._order, planned))

    @property
    def next_sample(self) -> int | None:
        """Sample of what is next, None if nothing is."""
        return self._heap[0][0] if self._heap else None

    def pop(self, limit: int) -> Planned | None:
        """Return what is next, if it is due at `limit`."""
        if not self._heap or self._heap[0][0] > limit:
            return None
        return heappop(self._heap)[2]

    def cancel(self, group: int, sample: int) -> None:
        """Forget everything of one group from `sample` on; what was due before it still happens."""
        self._heap = [entry for entry in self._heap if entry[2].group != group or entry[0] < sample]
        heapify(self._heap)

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
