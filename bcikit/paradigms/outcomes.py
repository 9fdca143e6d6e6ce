"""Outcome scores of rehabilitation: entered once, checked, kept with the numbers of the brain, and plotted."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from bcikit.signal import ArgumentError, DataError, check_choice, check_range


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
class Outcome:
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


class Outcomes:
    """The outcomes of one person, in order of time.

    Parameters
    ----------
    values : sequence of Outcome
        Any order.
    """

    def __init__(self, values: Sequence[Outcome] = ()) -> None:
        self.values = sorted(values, key=lambda item: item.day)

    def add(self, outcome: Outcome) -> None:
        """Take one more."""
        self.values = sorted([*self.values, outcome], key=lambda item: item.day)

    def of(self, scale: str) -> list[Outcome]:
        """Return the values of one scale."""
        check_choice("scale", scale, (*SCALES, *BRAIN))
        return [item for item in self.values if item.scale == scale]

    def change(self, scale: str) -> float | None:
        """Return the last value less the first; None with fewer than two."""
        found = self.of(scale)
        return found[-1].value - found[0].value if len(found) > 1 else None

    def save(self, path: Path) -> None:
        """Write JSON."""
        path.write_text(json.dumps([asdict(item) for item in self.values], indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If it is no such file.
        """
        try:
            rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return cls([Outcome(**row) for row in rows])
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} holds no outcomes: {error}") from None

    def plot(self, scales: Sequence[str] = ()) -> Any:
        """Return a matplotlib figure: one panel a scale over days, clinical scores above numbers of the brain.

        Parameters
        ----------
        scales : sequence of str
            Those to show; all that have values if empty.
        """
        import matplotlib.dates
        from matplotlib.figure import Figure

        dates: Any = matplotlib.dates

        shown = [name for name in (scales or (*SCALES, *BRAIN)) if self.of(name)]
        if not shown:
            raise DataError("There are no outcomes to plot yet.")
        figure = Figure(figsize=(8.0, 1.9 * len(shown)), layout="constrained")
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axis, name in zip(axes, shown, strict=True):
            found = self.of(name)
            clinical = name in SCALES
            axis.plot(
                [date.fromisoformat(item.day) for item in found],
                [item.value for item in found],
                marker="o" if clinical else "s",
                color="#1f7a8c" if clinical else "#b8602e",
            )
            unit = SCALES[name].unit if clinical else BRAIN[name]
            arrow = "" if not clinical else " (more is better)" if SCALES[name].better > 0 else " (less is better)"
            axis.set_title(f"{name}{arrow}", loc="left", fontsize=10)
            axis.set_ylabel(unit)
            axis.grid(alpha=0.3)
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
        locator = dates.AutoDateLocator()
        axes[-1].xaxis.set_major_locator(locator)
        axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        return figure
