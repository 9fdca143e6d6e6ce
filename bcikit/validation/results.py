"""What a test finds: measurements with their uncertainty, and what the limits make of them."""

import enum
import math
from dataclasses import dataclass, field, replace
from typing import Any


class Judgement(enum.StrEnum):
    """What is known after a test."""

    PASS = "PASS"  # noqa: S105
    """The value keeps the limit, and so does every value within its uncertainty."""
    FAIL = "FAIL"
    """The value breaks the limit, and so does every value within its uncertainty."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """The limit lies within the uncertainty: measure longer or with better instruments."""
    UNEXPLAINED = "UNEXPLAINED"
    """Something is left that the model of a sound device does not explain; it is shown."""
    ERROR = "ERROR"
    """The test itself failed; the reason is given, and the others went on."""
    REPORT = "REPORT"
    """Measured; the profile sets no limit."""
    NOT_APPLICABLE = "NOT APPLICABLE"
    """Cannot be measured on this source; the reason is given."""


_ORDER = [
    Judgement.FAIL,
    Judgement.ERROR,
    Judgement.UNEXPLAINED,
    Judgement.INCONCLUSIVE,
    Judgement.PASS,
    Judgement.REPORT,
    Judgement.NOT_APPLICABLE,
]


def worst(judgements: list[Judgement]) -> Judgement:
    """Return the one that decides: a single failure fails the whole."""
    return min(judgements, key=_ORDER.index, default=Judgement.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of a profile.

    Attributes
    ----------
    test, quantity : str
        Id of the test ("V-GAIN") and name of what it measures ("gain_error").
    low, high : float
        Allowed interval, in `unit`.
    unit : str
        Unit of both.
    source : str
        Standard, guideline or maker's document.
    verified : bool
        Whether somebody compared the number with that source.
    clause : str
        The clause of the profile that it answers; empty for none.
    """

    test: str
    quantity: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    source: str = ""
    verified: bool = False
    clause: str = ""

    def text(self) -> str:
        """Return the limit as a person writes it."""
        unit = "" if self.unit == "1" else self.unit
        if math.isinf(self.low):
            return f"≤ {self.high:g} {unit}".strip()
        if math.isinf(self.high):
            return f"≥ {self.low:g} {unit}".strip()
        if self.low == -self.high:
            return f"± {self.high:g} {unit}".strip()
        return f"{self.low:g} to {self.high:g} {unit}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One quantity of one test.

    Attributes
    ----------
    quantity : str
        Name, the same in limits files and reports.
    label : str
        What it is, for people.
    value : float
        Best estimate.
    unit : str
        Its unit.
    uncertainty : float
        Expanded uncertainty, k = 2 (about 95 %), in the same unit; NaN where none can be given.
    channel : str
        The channel it holds for; for the worst of several, that one; empty for the whole device.
    limit : Limit or None
        What it was judged by.
    judgement : Judgement
        What the limit makes of it.
    budget : tuple of (str, float)
        What contributes to the uncertainty, each as a standard uncertainty in `unit`; the root of the sum of their
        squares is half of it. Where nothing is named, all of it is the scatter of the recording.
    whole : bool
        False where the rate of the device leaves out a part of the band that the limits are about: such a limit can be
        broken, and never be kept.
    above : float
        What the value is larger than, where it was not reached (it is NaN then); NaN where that is not known.
    """

    quantity: str
    label: str
    value: float
    unit: str
    uncertainty: float = math.nan
    channel: str = ""
    limit: Limit | None = None
    judgement: Judgement = Judgement.REPORT
    budget: tuple[tuple[str, float], ...] = ()
    whole: bool = True
    above: float = math.nan

    def judged(self, limit: Limit) -> "Measurement":
        """Return it with a limit and what that makes of it."""
        found = judge(self.value, self.uncertainty, limit)
        if math.isnan(self.value) and math.isinf(limit.high) and self.above >= limit.low:
            found = Judgement.PASS
        label = self.label
        if found is Judgement.PASS and not self.whole:
            found = Judgement.INCONCLUSIVE
            label = f"{label}; the limit is about more than this sampling rate shows"
        return replace(self, limit=limit, judgement=found, label=label)

    def contributions(self) -> tuple[tuple[str, float], ...]:
        """Return the budget; one line, the scatter of the recording, where the test names no other."""
        if self.budget or not math.isfinite(self.uncertainty) or self.uncertainty <= 0:
            return self.budget
        return (("scatter of the recording", self.uncertainty / 2),)

    def text(self) -> str:
        """Return value, uncertainty and unit, rounded as the uncertainty allows (two digits of it)."""
        unit = "" if self.unit == "1" else self.unit
        if not math.isfinite(self.value):
            if math.isfinite(self.above):
                return f"> {self.above:g} {unit}".strip()
            return "not reached" if math.isnan(self.value) else f"{self.value} {unit}".strip()
        if not math.isfinite(self.uncertainty) or self.uncertainty <= 0:
            return f"{self.value:.4g} {unit}".strip()
        digits = max(0, 1 - math.floor(math.log10(self.uncertainty)))
        if digits > 9 or self.uncertainty >= 1e4:
            return f"{self.value:.4g} ± {self.uncertainty:.2g} {unit}".strip()
        return f"{self.value:.{digits}f} ± {self.uncertainty:.{digits}f} {unit}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "quantity": self.quantity,
            "label": self.label,
            "value": _number(self.value),
            "unit": self.unit,
            "uncertainty": _number(self.uncertainty),
            "channel": self.channel,
            "budget": [{"contribution": name, "u": _number(u)} for name, u in self.contributions()],
            "limit": None
            if self.limit is None
            else {
                "low": _number(self.limit.low),
                "high": _number(self.limit.high),
                "unit": self.limit.unit,
                "source": self.limit.source,
                "verified": self.limit.verified,
                "clause": self.limit.clause,
            },
            "judgement": self.judgement.value,
        }


def judge(value: float, uncertainty: float, limit: Limit | None) -> Judgement:
    """Return what a limit makes of a value (decision rule with guard bands of the expanded uncertainty).

    Acceptance and rejection both need the whole interval ``value ± uncertainty`` on one side of the limit
    (JCGM 106:2012, guarded acceptance and guarded rejection). A value without uncertainty is INCONCLUSIVE.
    """
    if limit is None:
        return Judgement.REPORT
    if not math.isfinite(value):
        return Judgement.FAIL if math.isinf(value) else Judgement.INCONCLUSIVE
    if not math.isfinite(uncertainty):
        # How far the value may be off is not known, so neither is whether it keeps the limit.
        return Judgement.INCONCLUSIVE
    spread = uncertainty
    if limit.low <= value - spread and value + spread <= limit.high:
        return Judgement.PASS
    if value - spread > limit.high or value + spread < limit.low:
        return Judgement.FAIL
    return Judgement.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one test.

    Attributes
    ----------
    test : str
        Its id.
    title : str
        Its name.
    judgement : Judgement
        The worst of its measurements.
    measurements : tuple of Measurement
        What was measured.
    reason : str
        Why it does not apply, or what went wrong.
    takes : tuple of str
        Ids of the recordings it used.
    curves : mapping
        Data of its figures; ready for JSON.
    """

    test: str
    title: str
    judgement: Judgement
    measurements: tuple[Measurement, ...] = ()
    reason: str = ""
    takes: tuple[str, ...] = ()
    curves: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary (without the curves)."""
        return {
            "test": self.test,
            "title": self.title,
            "judgement": self.judgement.value,
            "reason": self.reason,
            "takes": list(self.takes),
            "measurements": [measurement.to_dict() for measurement in self.measurements],
        }


def decisive(judged: list[Measurement]) -> list[Measurement]:
    """Return one measurement a quantity where there is one a channel: the worst, and how many there are."""
    shown = []
    for quantity in dict.fromkeys(m.quantity for m in judged):
        alike = [m for m in judged if m.quantity == quantity]
        decides = worst([m.judgement for m in alike])
        far = max((m for m in alike if m.judgement is decides), key=lambda m: abs(m.value))
        label = far.label if len(alike) == 1 else f"{far.label} (worst of {len(alike)} channels)"
        shown.append(replace(far, label=label))
    return shown


def _number(value: float) -> float | None:
    """Return a number that JSON has."""
    return value if math.isfinite(value) else None
