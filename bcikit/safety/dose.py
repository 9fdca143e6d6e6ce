"""How long somebody was stimulated: limits of trial, block and session, and the breaks between (ST-5, 2.6)."""

from dataclasses import dataclass

from bcikit.safety.levels import Reading, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLimits:
    """Limits of flickering stimuli, in seconds; the project's own.

    Attributes
    ----------
    trial_s, gap_s : float
        Longest continuous flicker, shortest steady picture after it.
    block_s, rest_s : float
        Flicker without a rest, shortest rest that begins a new block.
    session_s : float
        Flicker in a session.
    """

    trial_s: float = 6.0
    gap_s: float = 1.0
    block_s: float = 300.0
    rest_s: float = 120.0
    session_s: float = 1200.0


class StimulusDose:
    """Adds up flicker; ask before every trial, and while it runs.

    Parameters
    ----------
    limits : DoseLimits
        Limits.
    """

    def __init__(self, limits: DoseLimits | None = None) -> None:
        self.limits = limits or DoseLimits()
        self.block_s = 0.0
        self.session_s = 0.0
        self._on: float | None = None
        self._off = float("-inf")

    @property
    def running(self) -> bool:
        """Whether flicker is on."""
        return self._on is not None

    def may_start(self, now: float) -> Reading | None:
        """Return why a trial may not start now, or None if it may; one that runs has started already."""
        if self._on is not None:
            return None
        limits = self.limits
        pause = now - self._off
        block = 0.0 if pause >= limits.rest_s else self.block_s
        for value, limit in ((self.session_s, limits.session_s), (block, limits.block_s)):
            if value >= limit:
                return Reading(rule="A-DOSE", severity=Severity.FAULT, value=round(value, 3), limit=limit)
        if pause < limits.gap_s:
            return Reading(rule="A-DOSE", severity=Severity.DEGRADE, value=round(pause, 3), limit=limits.gap_s)
        return None

    def start(self, now: float) -> None:
        """Take note that flicker begins."""
        if self._on is None:
            if now - self._off >= self.limits.rest_s:
                self.block_s = 0.0
            self._on = now

    def stop(self, now: float) -> None:
        """Take note that flicker ends."""
        if self._on is not None:
            length = max(0.0, now - self._on)
            self.block_s += length
            self.session_s += length
            self._on = None
            self._off = now

    def check(self, now: float) -> Reading | None:
        """Return the limit that running flicker has reached, or None."""
        if self._on is None:
            return None
        running = now - self._on
        limits = self.limits
        for value, limit in (
            (running, limits.trial_s),
            (self.block_s + running, limits.block_s),
            (self.session_s + running, limits.session_s),
        ):
            if value > limit:
                return Reading(rule="A-DOSE", severity=Severity.FAULT, value=round(value, 3), limit=limit)
        return None
