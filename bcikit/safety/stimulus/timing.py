"""Frame timing while a stimulus runs: a dropped frame can turn a fast flicker into a slow flash."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from bcikit.signal import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingReport:
    """What the display does.

    Attributes
    ----------
    ok : bool
        Whether the trial may go on.
    dropped : float
        Share of frames that were dropped.
    refresh_hz : float
        Measured.
    frequency_error : float
        Relative error of every frequency on this display.
    reason : str
        Why not; empty if it may.
    """

    ok: bool
    dropped: float
    refresh_hz: float
    frequency_error: float
    reason: str


class FrameTiming:
    """Compares the times of the frames with the refresh rate that the design was made for.

    Parameters
    ----------
    refresh_hz : float
        Refresh rate of the design.
    window_s : float
        Length of the past that is looked at.
    limit : float
        Largest share of dropped frames and largest relative error of the frequency; 1 %.
    """

    def __init__(self, refresh_hz: float, *, window_s: float = 2.0, limit: float = 0.01) -> None:
        self._refresh = check_range("refresh_hz", refresh_hz, low=20.0, high=1000.0, unit="Hz")
        self._limit = limit
        self._times: deque[float] = deque(maxlen=max(10, round(window_s * refresh_hz)))

    def reset(self) -> None:
        """Begin a new trial."""
        self._times.clear()

    def flip(self, time: float) -> TimingReport:
        """Take the time at which a frame was shown, in seconds."""
        self._times.append(time)
        times = list(self._times)
        if len(times) < 10:
            return TimingReport(ok=True, dropped=0.0, refresh_hz=self._refresh, frequency_error=0.0, reason="")
        steps = sorted(later - earlier for earlier, later in pairwise(times))
        period = steps[len(steps) // 2]
        if period <= 0:
            return TimingReport(
                ok=False, dropped=0.0, refresh_hz=0.0, frequency_error=1.0, reason="frame times do not advance"
            )
        # Against the period of the design: half the frames missing is a wrong frequency, not a slower display.
        nominal = 1.0 / self._refresh
        missing = sum(max(0, round(step / nominal) - 1) for step in steps)
        dropped = missing / (missing + len(steps))
        error = abs(nominal / period - 1.0)
        reason = ""
        # A single frame of a short window is more than 1 %: it takes two to be sure.
        if dropped > self._limit and missing >= 2:
            reason = f"{dropped:.1%} of the frames dropped; at most {self._limit:.0%}"
        elif error > self._limit:
            reason = f"refresh of {1 / period:.2f} Hz instead of {self._refresh:g} Hz"
        return TimingReport(
            ok=not reason, dropped=dropped, refresh_hz=1.0 / period, frequency_error=error, reason=reason
        )
