"""Early warning across sessions: which rules break more often than before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One number over sessions.

    Attributes
    ----------
    what : str
        A rule's id, "activations", "stops" or "lost samples".
    per_hour : tuple of float
        Its rate in each session, in their order.
    expected : float
        How many the sessions before let expect in the newest.
    found : int
        How many there were.
    rising : bool
        True if so many, or more, come by chance in fewer than 1 of 100 sessions.
    """

    what: str
    per_hour: tuple[float, ...]
    expected: float
    found: int
    rising: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "what": self.what,
            "per_hour": list(self.per_hour),
            "expected": self.expected,
            "found": self.found,
            "rising": self.rising,
        }


def trends(summaries: Sequence[Mapping[str, Any]]) -> list[Trend]:
    """Compare the newest session with those before it, rising ones first.

    Parameters
    ----------
    summaries : sequence of mapping
        `SafetySystem.summary` of sessions of one participant or device, oldest first.

    Notes
    -----
    Counts of the newest session are compared with a Poisson distribution whose mean is the pooled rate of the sessions
    before, with half an event added to them, so that the first event ever is no alarm by itself. At least one earlier
    session is needed.
    """
    # A session that ended at once says nothing of how often something comes.
    summaries = [*(one for one in summaries[:-1] if float(one["duration_s"]) > 0), *summaries[-1:]]
    if len(summaries) < 2:
        return []
    from scipy.stats import poisson

    hours = [max(float(summary["duration_s"]) / 3600.0, 1e-9) for summary in summaries]
    counts = [_counts(summary) for summary in summaries]
    found = []
    for what in sorted({name for count in counts for name in count}):
        series = [count.get(what, 0) for count in counts]
        expected = (sum(series[:-1]) + 0.5) / sum(hours[:-1]) * hours[-1]
        rising = bool(poisson.sf(series[-1] - 1, expected) < 0.01)
        rates = tuple(n / h for n, h in zip(series, hours, strict=True))
        found.append(Trend(what=what, per_hour=rates, expected=round(expected, 3), found=series[-1], rising=rising))
    return sorted(found, key=lambda trend: (not trend.rising, trend.what))


def _counts(summary: Mapping[str, Any]) -> dict[str, int]:
    counts = {str(rule): int(n) for rule, n in summary.get("rules", {}).items()}
    counts["activations"] = int(summary.get("activations", 0))
    counts["stops"] = len(summary.get("stops", ()))
    counts["lost samples"] = int(summary.get("lost_samples", 0))
    return {name: n for name, n in counts.items() if n or name in ("activations", "stops")}
