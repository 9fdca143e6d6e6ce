"""Therapy plan: which paradigm, how often, how much, over weeks; and the dose so far against it."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from bcikit.paradigms.registry import make_paradigm
from bcikit.paradigms.settings import SettingsTable
from bcikit.signal import ConfigError
from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings


class PlanPhase(SettingsTable):
    """Some weeks of a plan.

    Attributes
    ----------
    weeks : int
        How many.
    sessions_per_week : int
        At most one a day.
    paradigm : str
        Name of a shipped paradigm, or a file.
    settings : table
        Settings that differ from the paradigm's.
    trials : int
        Trials with feedback in a session.
    minutes : float
        Planned length of a session, at most 60 (effective time).
    """

    weeks: Annotated[int, Field(ge=1, le=52)]
    sessions_per_week: Annotated[int, Field(ge=1, le=7)]
    paradigm: str
    settings: dict[str, Any] = Field(default_factory=dict)
    trials: Annotated[int, Field(ge=0, le=1000)] = 60
    minutes: Annotated[float, Field(gt=0, le=60)] = 45.0


class TherapyPlan(SettingsTable):
    """A plan over weeks.

    Attributes
    ----------
    title : str
        For people.
    start : date
        First day.
    phases : list of table
        One after the other.
    """

    title: str
    start: date
    phases: Annotated[tuple[PlanPhase, ...], Field(min_length=1, max_length=20)]

    @field_validator("start", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        return date.fromisoformat(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _runnable(self) -> Self:
        problems = []
        for number, phase in enumerate(self.phases):
            try:
                self.paradigm_of(phase)
            except (ConfigError, ValueError) as error:
                problems.append(f"phases.{number}: {error}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a plan from TOML.

        Raises
        ------
        ConfigError
            With every problem, key by key.
        """
        return check_settings(cls, read_toml(path), where=str(path))

    @staticmethod
    def paradigm_of(phase: PlanPhase) -> Any:
        """Return the paradigm of a phase with its settings."""
        if phase.paradigm.endswith(".toml"):
            return make_paradigm(phase.paradigm)
        return make_paradigm({**phase.settings, "base": phase.paradigm})

    def phase_on(self, day: date) -> PlanPhase | None:
        """Return the phase a day belongs to; None before the first and after the last."""
        left = (day - self.start).days
        if left < 0:
            return None
        for phase in self.phases:
            if left < 7 * phase.weeks:
                return phase
            left -= 7 * phase.weeks
        return None

    def progress(self, sessions: Sequence[Mapping[str, Any]], day: date) -> dict[str, Any]:
        """Return the dose so far against the plan.

        Parameters
        ----------
        sessions : sequence of mapping
            Each with ``day`` (ISO date), ``trials`` and ``minutes``; ``assist_seconds`` where something assisted.
        day : date
            Until and with this day.

        Returns
        -------
        dict
            ``sessions``, ``trials``, ``minutes``: each {done, planned, share}; ``assist_seconds``; ``weeks``: a row a
            week with planned and done sessions; ``missed``: sessions behind the plan.
        """
        done = [item for item in sessions if self.start <= date.fromisoformat(str(item["day"])) <= day]
        weeks: list[dict[str, Any]] = []
        planned = {"sessions": 0.0, "trials": 0.0, "minutes": 0.0}
        week = 0
        for phase in self.phases:
            for _ in range(phase.weeks):
                since = (day - self.start).days - 7 * week + 1
                # Of a week that is running, what should have been done by today.
                due = min(phase.sessions_per_week, max(0, since * phase.sessions_per_week // 7))
                here = [item for item in done if (date.fromisoformat(str(item["day"])) - self.start).days // 7 == week]
                weeks.append({"week": week + 1, "planned": phase.sessions_per_week, "due": due, "done": len(here)})
                planned["sessions"] += due
                planned["trials"] += due * phase.trials
                planned["minutes"] += due * phase.minutes
                week += 1
        sums = {
            "sessions": float(len(done)),
            "trials": float(sum(item.get("trials", 0) for item in done)),
            "minutes": float(sum(item.get("minutes", 0.0) for item in done)),
        }
        table: dict[str, Any] = {
            key: {
                "done": sums[key],
                "planned": planned[key],
                "share": sums[key] / planned[key] if planned[key] else None,
            }
            for key in planned
        }
        return {
            **table,
            "assist_seconds": float(sum(item.get("assist_seconds", 0.0) for item in done)),
            "weeks": weeks,
            "missed": max(0, round(planned["sessions"] - sums["sessions"])),
        }
