"""Outcome scores of rehabilitation: the scales, their ranges and steps, and the check of a value."""

from dataclasses import dataclass
from datetime import date

from bcikit.signal import ArgumentError, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A clinical scale.

    Attributes
    ----------
    name : str
        In full.
    low, high : float
        Range of scores.
    unit : str
        "points", "s", "kg", "blocks".
    better : int
        1 if more is better, -1 if less is.
    step : float
        Steps of the score; 0 for any value.
    """

    name: str
    low: float
    high: float
    unit: str = "points"
    better: int = 1
    step: float = 1.0


SCALES = {
    "FMA-UE": Scale(name="Fugl-Meyer Assessment, upper extremity", low=0, high=66),
    "ARAT": Scale(name="Action Research Arm Test", low=0, high=57),
    # 1+ is entered as 1.5, as is usual in statistics.
    "MAS": Scale(name="Modified Ashworth Scale", low=0, high=4, better=-1, step=0.5),
    "BBT": Scale(name="Box and Block Test", low=0, high=150, unit="blocks"),
    "9HPT": Scale(name="Nine Hole Peg Test", low=0, high=600, unit="s", better=-1, step=0.0),
    "grip": Scale(name="Grip strength", low=0, high=120, unit="kg", step=0.0),
    "MRC": Scale(name="Medical Research Council muscle strength", low=0, high=5),
    "FIM": Scale(name="Functional Independence Measure", low=18, high=126),
    "Barthel": Scale(name="Barthel Index", low=0, high=100, step=5),
}
"""Scales and their ranges."""

BRAIN = {"erd": "%", "laterality": "", "accuracy": ""}
"""What is kept of the brain: desynchronisation at the affected hemisphere, laterality index, accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleValue:
    """One value on one day.

    Attributes
    ----------
    day : str
        ISO date.
    scale : str
        One of `SCALES` or `BRAIN`.
    value : float
        Score.
    session : str
        Session it belongs to; empty if to none.
    """

    day: str
    scale: str
    value: float
    session: str = ""

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.day)
        except ValueError:
            raise ArgumentError(f"day is {self.day!r}; it must be a date like 2026-11-23.") from None
        check_choice("scale", self.scale, (*SCALES, *BRAIN))
        if self.scale not in SCALES:
            check_range(self.scale, self.value)
            return
        scale = SCALES[self.scale]
        check_range(self.scale, self.value, low=scale.low, high=scale.high, unit=scale.unit)
        if scale.step and abs(self.value / scale.step - round(self.value / scale.step)) > 1e-9:
            raise ArgumentError(f"{self.scale} is {self.value:g}; it goes in steps of {scale.step:g}.")
