"""Stream health: stalls, lost samples, rate, jitter, clock, buffer, load and battery (rules H)."""

import math
from collections import deque

import numpy as np

from bcikit.safety.levels import Reading, Severity
from bcikit.safety.settings import GateSettings
from bcikit.signal import Chunk, Flag, StreamInfo

_FIT_S = 30.0
_MIN_FIT_S = 10.0
_HOLD_S = 1.0
_SLOW_HOLD_S = 2.5
_SLOW = frozenset({"H-BAT", "H-CPU", "H-OVR", "H-RATE", "H-JIT", "H-DRIFT"})
"""Looked at once a second: they hold until the next look, and over one that is late."""


class StreamMonitor:
    """Watches the stream as a whole.

    Neither BrainFlow nor LSL says that a stream has died, so that time without samples is measured here.

    Parameters
    ----------
    info : StreamInfo
        The raw stream.
    settings : GateSettings
        Limits.
    """

    def __init__(self, info: StreamInfo, settings: GateSettings) -> None:
        self._settings = settings
        self._sfreq = info.sfreq
        self._last_arrival: float | None = None
        self._last_time: float | None = None
        self._blocks: deque[tuple[float, int, int]] = deque()
        self._points: deque[tuple[float, int, float]] = deque()
        self._disorder: deque[float] = deque(maxlen=2)
        self._held: dict[tuple[str, Severity], tuple[Reading, float]] = {}
        self._loads: deque[tuple[float, float]] = deque()
        self._battery: deque[tuple[float, float]] = deque()
        self._last_fit = float("-inf")
        self._segment_start = 0.0
        self.lost = 0
        self.received = 0
        self.longest_gap_s = 0.0
        self.longest_silence_s = 0.0
        self.rate_error = 0.0
        self.jitter_s = 0.0
        self.drift_ppm = 0.0

    def update(self, chunk: Chunk, now: float) -> None:
        """Take the next raw chunk, which arrived at `now` (seconds on the engine's clock)."""
        if chunk.n_times == 0:
            self.silence(now)
            return
        silent = self._silent_for(now)
        self.longest_silence_s = max(self.longest_silence_s, silent)
        if silent > self._settings.stall_warn_s:
            # A stall is over when the samples come; that it happened must not be over with them.
            self._judge("H-STALL", silent, self._settings.stall_warn_s, self._settings.stall_fault_s, now)
        self._last_arrival = now
        if chunk.health.flags & Flag.OVERFLOW:
            self._hold("H-OVR", Severity.FAULT, "buffer full", "never full", now)
        self._count(chunk, now)
        if not np.isfinite(chunk.times).all():
            self._hold("H-MONO", Severity.FAULT, "times are no numbers", "numbers", now)
            self._points.clear()
            return
        self._check_order(chunk, now)
        if chunk.health.discontinuous or chunk.health.flags & (Flag.CLOCK | Flag.START):
            self._points.clear()
        self._points.append((float(chunk.times[-1]), chunk.end_sample, now))
        while self._points and self._points[-1][0] - self._points[0][0] > _FIT_S:
            self._points.popleft()
        if now - self._last_fit >= 1.0 or now < self._last_fit:
            self._fit(now)

    def silence(self, now: float) -> None:
        """Take note that nothing came until `now`."""
        if self._last_arrival is None:
            self._last_arrival = now
        silent = self._silent_for(now)
        self.longest_silence_s = max(self.longest_silence_s, silent)
        if silent > self._settings.stall_warn_s:
            self._judge("H-STALL", silent, self._settings.stall_warn_s, self._settings.stall_fault_s, now)

    def looked_away(self) -> None:
        """Forget when something came last: until now nobody took what came, and that is no silence of the device."""
        self._last_arrival = None
        self._points.clear()

    def on_load(self, share: float, now: float) -> None:
        """Take note of processing time over hop; the mean of 10 s counts (BCI2000)."""
        self._loads.append((now, share))
        while self._loads[0][0] < now - 10.0:
            self._loads.popleft()
        mean = sum(value for _, value in self._loads) / len(self._loads)
        if now - self._loads[0][0] >= 2.0:
            self._judge("H-CPU", mean, self._settings.cpu_warn, self._settings.cpu_fault, now, or_equal=True)

    def on_age(self, age: float, now: float) -> None:
        """Take note of the age of the newest sample at the gate; the gate itself refuses what is too old.

        An age below zero is a time that lies ahead, which is as wrong; an age that is no number is never right.
        """
        if not abs(age) <= self._settings.age_warn_s:
            self._hold("H-LAT", Severity.WARN, age if math.isfinite(age) else str(age), self._settings.age_warn_s, now)

    def on_buffer(self, fill: float, now: float) -> None:
        """Take note of how full the acquisition buffer is, 0 to 1; a full one has lost samples silently."""
        self._judge("H-OVR", fill, 0.5, 1.0, now, or_equal=True)

    def on_battery(self, percent: float, now: float) -> None:
        """Take note of the charge; the median of 10 s counts, because some devices report noise."""
        self._battery.append((now, percent))
        while self._battery[0][0] < now - 10.0:
            self._battery.popleft()
        charge = float(np.median([value for _, value in self._battery]))
        if charge < 20.0:
            severity, limit = (Severity.FAULT, 10.0) if charge < 10.0 else (Severity.WARN, 20.0)
            self._hold("H-BAT", severity, charge, limit, now)

    def readings(self, now: float) -> list[Reading]:
        """Return the rules that do not hold, or did not within the last second, each by its gravest reading."""
        found: dict[str, Reading] = {}
        for (rule, severity), (reading, until) in list(self._held.items()):
            if now > until:
                del self._held[rule, severity]
            elif rule not in found or found[rule].severity < severity:
                found[rule] = reading
        return list(found.values())

    def _silent_for(self, now: float) -> float:
        return 0.0 if self._last_arrival is None else now - self._last_arrival

    def _hold(self, rule: str, severity: Severity, value: float | str, limit: float | str, now: float) -> None:
        shown = round(value, 6) if isinstance(value, float) else value
        reading = Reading(rule=rule, severity=severity, value=shown, limit=limit)
        self._held[rule, severity] = (reading, now + (_SLOW_HOLD_S if rule in _SLOW else _HOLD_S))

    def _judge(self, rule: str, value: float, warn: float, fault: float, now: float, *, or_equal: bool = False) -> None:
        if value > fault or (or_equal and value >= fault):
            self._hold(rule, Severity.FAULT, value, fault, now)
        elif value > warn:
            self._hold(rule, Severity.WARN, value, warn, now)

    def _count(self, chunk: Chunk, now: float) -> None:
        settings = self._settings
        lost = chunk.health.lost
        self.lost += lost
        self.received += chunk.n_times
        self._blocks.append((now, lost, chunk.n_times))
        while self._blocks[0][0] < now - 60.0:
            self._blocks.popleft()
        if not lost:
            return
        gap = lost / self._sfreq if self._sfreq else 0.0
        self.longest_gap_s = max(self.longest_gap_s, gap)
        if gap > settings.gap_fault_s:
            self._hold("H-LOSS", Severity.FAULT, f"gap of {gap:.3f} s", settings.gap_fault_s, now)
        minute = self._share(now, 60.0)
        recent = self._share(now, 5.0)
        if recent > settings.loss_fault:
            self._hold("H-LOSS", Severity.FAULT, recent, settings.loss_fault, now)
        elif recent > settings.loss_degraded:
            self._hold("H-LOSS", Severity.DEGRADE, recent, settings.loss_degraded, now)
        elif minute > settings.loss_warn:
            self._hold("H-LOSS", Severity.WARN, minute, settings.loss_warn, now)

    def _share(self, now: float, seconds: float) -> float:
        lost = sum(block[1] for block in self._blocks if block[0] >= now - seconds)
        if not lost:
            return 0.0
        # Before the window is full, one lost sample of few would look like many.
        expected = max(seconds * self._sfreq, 1.0)
        return lost / expected

    def _check_order(self, chunk: Chunk, now: float) -> None:
        backwards = bool(chunk.health.flags & Flag.CLOCK)
        first = float(chunk.times[0])
        if self._last_time is not None and first <= self._last_time:
            backwards = True
        if chunk.n_times > 1 and (np.diff(chunk.times) <= 0).any():
            backwards = True
        self._last_time = float(chunk.times[-1])
        if backwards:
            self._disorder.append(now)
            twice = len(self._disorder) == 2 and now - self._disorder[0] <= 10.0
            self._hold("H-MONO", Severity.FAULT if twice else Severity.WARN, len(self._disorder), 1, now)

    def _fit(self, now: float) -> None:
        """Fit times over sample numbers (rate, jitter) and times over arrivals (drift, jumps)."""
        self._last_fit = now
        if self._sfreq <= 0 or len(self._points) < 20:
            return
        times, samples, arrivals = np.asarray(self._points).T
        span = times[-1] - times[0]
        if span < _MIN_FIT_S:
            return
        s = samples - samples.mean()
        t = times - times.mean()
        slope = (s @ t) / (s @ s)
        settings = self._settings
        self.rate_error = abs(1.0 / (slope * self._sfreq) - 1.0)
        if settings.rate_degraded < self.rate_error <= settings.rate_fault:
            self._hold("H-RATE", Severity.DEGRADE, self.rate_error, settings.rate_degraded, now)
        else:
            self._judge("H-RATE", self.rate_error, settings.rate_warn, settings.rate_fault, now)
        residual = t - slope * s
        self.jitter_s = float(residual.std())
        self._judge("H-JIT", self.jitter_s, settings.jitter_warn_s, settings.jitter_fault_s, now)
        # Arrivals are late by a random wait but never early: the earliest of each third carry the clock.
        offset = arrivals - times
        thirds = [float(part.min()) for part in np.array_split(offset, 3)]
        self.drift_ppm = abs(thirds[2] - thirds[0]) / (span * 2 / 3) * 1e6
        step = max(abs(thirds[1] - thirds[0]), abs(thirds[2] - thirds[1]))
        if span >= 0.9 * _FIT_S:
            if step > settings.step_fault_s:
                self._hold("H-DRIFT", Severity.FAULT, f"offset step of {step:.3f} s", settings.step_fault_s, now)
            else:
                self._judge("H-DRIFT", self.drift_ppm, settings.drift_warn_ppm, settings.drift_fault_ppm, now)
