"""Standstill: the paradigm's clock may stand still while the stream goes on."""

from dataclasses import replace

from bcikit.safety import State
from bcikit.safety.machine import LATCHED
from bcikit.signal import Event

ATTENDED = "attended"
"""Kind of the input that says who attends the session; a replay must stand still where the session did."""


class Standstill:
    """Maps samples of the stream to samples of the paradigm, whose clock stands still for one or more reasons.

    Attributes
    ----------
    skew : int
        Stream sample minus this is the paradigm's sample.
    seen : int
        Newest sample of the paradigm that it was taken to.
    resumed_at : int or None
        Sample of the paradigm at which its clock stopped last; None if it never did.
    """

    def __init__(self) -> None:
        self.skew = 0
        self.seen = -1
        self.resumed_at: int | None = None
        self._reasons: set[str] = set()
        self._skews: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        """Return whether the clock stands still now."""
        return bool(self._reasons)

    def because_of(self, reason: str) -> bool:
        """Return whether this is one of the reasons."""
        return reason in self._reasons

    def begin(self, reason: str) -> bool:
        """Stand still; return whether the clock went until now."""
        went = not self._reasons
        self._reasons.add(reason)
        if went:
            self.resumed_at = self.seen + 1
        return went

    def end(self, reason: str, next_sample: int) -> bool:
        """Drop a reason; with the last one the clock goes on at `next_sample` of the stream, and True is returned."""
        if reason not in self._reasons:
            return False
        self._reasons.discard(reason)
        if self._reasons or self.resumed_at is None:
            return False
        self.skew = next_sample - self.resumed_at
        self._skews.append((self.resumed_at, self.skew))
        return True

    def covers(self, sample: int | None) -> bool:
        """Return whether a sample of the stream is of a standstill, or of before the newest one that is over."""
        if self._reasons:
            return True
        return sample is not None and self.resumed_at is not None and sample < self.resumed_at + self.skew

    def stream_sample(self, sample: int) -> int:
        """Return where a sample of the paradigm was in the stream, before and after each standstill."""
        return sample + next((skew for begin, skew in reversed(self._skews) if sample >= begin), 0)

    def spans(self, start: int, stop: int) -> bool:
        """Return whether a window of the paradigm's samples lies across the newest standstill."""
        return self.resumed_at is not None and start < self.resumed_at < stop

    def in_stream(self, event: Event) -> Event:
        """Return an event of the paradigm with its sample in the stream."""
        return event if not self.skew or event.sample is None else replace(event, sample=event.sample + self.skew)

    def in_paradigm(self, event: Event) -> Event:
        """Return an event of the stream with its sample in the paradigm."""
        return event if not self.skew or event.sample is None else replace(event, sample=event.sample - self.skew)


def nothing_can_come(state: State, *, learns: bool, acting: bool) -> bool:
    """Return whether training would be in vain in this state of the safety machine.

    Parameters
    ----------
    state : State
        Of the safety machine.
    learns : bool
        Nothing decides yet: the calibration runs.
    acting : bool
        A run with feedback is on, not a pause or a baseline.
    """
    if state in LATCHED:
        return True
    if learns:
        return state is not State.CALIBRATING
    return acting and state not in (State.ACTIVE, State.DEGRADED)
