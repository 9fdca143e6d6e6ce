"""Watchdog: how old the newest sample of a stream is, and what to call that."""

import enum

from bcikit.signal import check_range

WARN_AFTER = 0.25
"""Seconds without a sample that are worth a warning (an ordinary PC under load was seen to pause for 0.145 s)."""

STALLED_AFTER = 0.5
"""Seconds without a sample after which a stream counts as stalled."""

LOST_AFTER = 2.0
"""Seconds without a sample after which a stream counts as lost and is looked for anew."""


class Pulse(enum.StrEnum):
    """State of a stream by the age of its newest sample."""

    WAITING = "waiting"
    """No sample has come yet."""
    ALIVE = "alive"
    LATE = "late"
    STALLED = "stalled"
    LOST = "lost"
    ENDED = "ended"


class Watchdog:
    """Watches one stream; it is asked, it needs no thread.

    Parameters
    ----------
    warn, stalled, lost : float
        Limits in seconds, rising.
    """

    def __init__(self, *, warn: float = WARN_AFTER, stalled: float = STALLED_AFTER, lost: float = LOST_AFTER) -> None:
        self.warn = check_range("warn", warn, low=0.0, low_open=True, unit="s")
        self.stalled = check_range("stalled", stalled, low=self.warn, unit="s")
        self.lost = check_range("lost", lost, low=self.stalled, unit="s")
        self._since: float | None = None
        self._fed = False

    def start(self, now: float) -> None:
        """Begin to count: the first sample, too, must come in time."""
        self._since, self._fed = now, False

    def feed(self, now: float) -> float:
        """Take note of samples and return the seconds since the ones before."""
        pause = 0.0 if self._since is None else now - self._since
        self._since, self._fed = now, True
        return pause

    def age(self, now: float) -> float:
        """Return the seconds since the newest sample arrived (since `start` where none has)."""
        return 0.0 if self._since is None else max(0.0, now - self._since)

    def until_change(self, now: float) -> float:
        """Return the seconds until silence will change the pulse; a little more than 0 where it has just changed."""
        age = self.age(now)
        coming = [limit - age for limit in (self.warn, self.stalled, self.lost) if limit > age]
        return min(coming, default=self.lost) + 0.001

    def pulse(self, now: float) -> Pulse:
        """Return the state at `now`."""
        age = self.age(now)
        if age > self.lost:
            return Pulse.LOST
        if age > self.stalled:
            return Pulse.STALLED
        if not self._fed:
            return Pulse.WAITING
        return Pulse.LATE if age > self.warn else Pulse.ALIVE
