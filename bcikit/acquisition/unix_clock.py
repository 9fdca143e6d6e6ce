"""Maps UNIX time to the host's clock."""

import time

from bcikit.signal import HostClock

_TRIES = 5
_REFRESH = 1.0


class UnixClock:
    """The offset between `time.time` and LSL's clock, measured anew each second: the wall clock is slewed and set.

    Attributes
    ----------
    offset : float
        What to add to UNIX time to have the host's clock, seconds.
    uncertainty : float
        Half the time the best reading took, seconds.
    """

    def __init__(self) -> None:
        self._now = HostClock().now
        self.offset = 0.0
        self.uncertainty = float("inf")
        self._measured = float("-inf")
        self.refresh()

    def refresh(self) -> float:
        """Return the offset, measured again if it is older than a second."""
        now = self._now()
        if now - self._measured < _REFRESH:
            return self.offset
        best = float("inf")
        for _ in range(_TRIES):
            before = time.time()
            host = self._now()
            after = time.time()
            if after - before < best:
                best = after - before
                self.offset = host - 0.5 * (before + after)
        self.uncertainty = 0.5 * best
        self._measured = now
        return self.offset
