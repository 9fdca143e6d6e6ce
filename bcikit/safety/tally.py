"""Counts for early warning: rules by hour, verdicts, activations, time until somebody reacted."""

from collections import Counter
from typing import Any


class Tally:
    """Counts what happens in one session."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.by_hour: dict[int, Counter[str]] = {}
        self.activations = 0
        self.stops: list[tuple[float, str, float | None]] = []
        self._start: float | None = None
        self._last = 0.0

    def begin(self, now: float) -> None:
        """Take note of when the session's time begins; what was stopped before that was stopped then."""
        self._start = self._last = now
        self.stops = [(now, rule, None if seen is None else now) for _, rule, seen in self.stops]

    def tick(self, now: float) -> None:
        """Take note of the time."""
        self._last = now

    def rule(self, rule: str, now: float) -> None:
        """Count a rule that began to be broken."""
        self.rules[rule] += 1
        hour = 0 if self._start is None else int((now - self._start) // 3600)
        self.by_hour.setdefault(hour, Counter())[rule] += 1

    def stopped(self, now: float, rule: str) -> None:
        """Take note of a latched stop."""
        self.stops.append((now, rule, None))

    def acknowledged(self, now: float) -> None:
        """Take note that a person acknowledged what was stopped: all of it, where one stop came upon another."""
        self.stops = [(time, rule, now if seen is None else seen) for time, rule, seen in self.stops]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready summary."""
        duration = self._last - (self._start if self._start is not None else self._last)
        waits = [seen - time for time, _, seen in self.stops if seen is not None]
        hours = max(duration / 3600.0, 1e-9)
        return {
            "duration_s": duration,
            "verdicts": dict(self.verdicts),
            "refusals": dict(self.refusals),
            "rules": dict(self.rules),
            "rules_per_hour": {rule: count / hours for rule, count in self.rules.items()} if duration >= 60.0 else {},
            "rules_by_hour": {str(hour): dict(counts) for hour, counts in sorted(self.by_hour.items())},
            "activations": self.activations,
            "activations_per_min": self.activations / (duration / 60.0) if duration >= 60.0 else None,
            "stops": [{"time": time, "rule": rule, "acknowledged": seen} for time, rule, seen in self.stops],
            "mean_time_to_acknowledge_s": sum(waits) / len(waits) if waits else None,
        }
