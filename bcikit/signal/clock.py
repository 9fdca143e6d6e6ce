"""Clocks: the engine runs on sample time and never asks the wall."""

from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time in seconds on the host clock."""

    def now(self) -> float:
        """Return the time in seconds."""


class HostClock:
    """LSL's clock: monotonic seconds, the same in every process of this machine."""

    def __init__(self) -> None:
        # pylsl loads liblsl when it is imported; only what needs the wall pays for it.
        from pylsl import local_clock

        self._read = local_clock

    def now(self) -> float:
        """Return `pylsl.local_clock()`."""
        return float(self._read())


class SampleClock:
    """The time of the newest sample: the same live, faster than live, and on replay.

    Parameters
    ----------
    start : float
        Time before the first sample, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = float(start)

    def now(self) -> float:
        """Return the time of the newest sample."""
        return self._now

    def advance(self, time: float) -> None:
        """Go forward to `time`; a time in the past changes nothing, so the clock never goes back."""
        if time > self._now:
            self._now = float(time)
