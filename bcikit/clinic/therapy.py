"""The therapy plan of a patient: weeks, sessions and dose, and how far it has come."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from bcikit.clinic.people import real_sessions, trainings
from bcikit.clinic.protocols import of_phase, protocol_title
from bcikit.clinic.times import local_day
from bcikit.paradigms.outline import outline_of
from bcikit.paradigms.plan import TherapyPlan
from bcikit.recording import Catalogue
from bcikit.signal import BciError, ConfigError
from bcikit.ui.words import tr


def make_plan(
    protocol: str, settings: Mapping[str, Any], *, weeks: int, per_week: int, start: date, title: str = ""
) -> dict[str, Any]:
    """Return a plan of one phase, ready for JSON; the dose of a session is what the paradigm says.

    Raises
    ------
    ConfigError
        If a setting is wrong or the plan is out of its limits.
    """
    chosen = of_phase(protocol, settings, "session")
    found = outline_of(protocol, chosen)
    phase = {
        "weeks": weeks,
        "sessions_per_week": per_week,
        "paradigm": protocol,
        "settings": chosen,
        "trials": found.trials,
        "minutes": min(60.0, max(1.0, found.minutes or 60.0)),
    }
    try:
        plan = TherapyPlan.model_validate({"title": title or protocol, "start": start.isoformat(), "phases": [phase]})
    except ValueError as error:
        raise ConfigError("plan", [str(error)]) from None
    return plan.model_dump(mode="json")


def plan_of(data: Mapping[str, Any]) -> TherapyPlan | None:
    """Return the plan on file of a person; None where there is none."""
    values = data.get("therapy_plan")
    try:
        return TherapyPlan.model_validate(values) if values else None
    except ValueError:
        return None


def trials_of(results: Mapping[str, Any]) -> int:
    """Return how many trials a person has done, whoever decided them."""
    return int(results.get("trials") or (results.get("n_trials") or 0) + (results.get("n_not_judged") or 0))


def done_so_far(catalogue: Catalogue, code: str, protocols: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the sessions of a person, with these protocols alone if any are named; simulations count for nobody."""
    return [
        {
            "day": local_day(parts[0].started),
            "trials": sum(trials_of(part.results) for part in parts),
            "minutes": sum(part.seconds for part in parts) / 60,
        }
        for parts in trainings(real_sessions(catalogue, code))
        if not protocols or parts[0].paradigm in protocols
    ]


def progress_words(catalogue: Catalogue, code: str, plan: TherapyPlan, today: date) -> str:
    """Return dose against plan in words as they stood on the day that is `today`, and what was proposed next."""
    # A check of the eyes beside the training is no session of the plan.
    found = done_so_far(catalogue, code, {phase.paradigm.removeprefix("paradigm:") for phase in plan.phases})
    done = [item for item in found if str(item["day"]) <= today.isoformat()]
    try:
        dose = plan.progress(done, today)
    except BciError as error:
        return str(error)
    sessions, trials, minutes = dose["sessions"], dose["trials"], dose["minutes"]
    phase = plan.phase_on(today)
    lines = [
        tr("Plan: {title}, {per_week} sessions a week for {weeks} weeks").format(
            title=protocol_title(plan.phases[0].paradigm),
            per_week=plan.phases[0].sessions_per_week,
            weeks=plan.phases[0].weeks,
        ),
        tr("So far: {done:.0f} sessions ({due:.0f} due by today), {trials:.0f} trials ({all:.0f} due)").format(
            done=sessions["done"], due=sessions["planned"], trials=trials["done"], all=trials["planned"]
        )
        + ", "
        + tr("{minutes:.0f} minutes of training").format(minutes=minutes["done"]),
    ]
    if phase is None:
        lines.append(tr("The plan is over: make a new one."))
        return "\n".join(lines)
    if dose["missed"]:
        lines.append(tr("{count} sessions behind the plan.").format(count=dose["missed"]))
    days = [date.fromisoformat(str(item["day"])) for item in done]
    day = next_day(plan, days, today)
    if day is not None:
        after = plan.phase_on(day) or phase
        lines.append(
            tr("Next session proposed: {day}, {title}, {trials} trials").format(
                day=day.isoformat(), title=protocol_title(after.paradigm), trials=after.trials
            )
        )
    return "\n".join(lines)


def next_day(plan: TherapyPlan, done: Sequence[date], today: date) -> date | None:
    """Return the day that is proposed for the next session; None where the plan ends before it.

    The sessions of a week are spread over its days, never two on one day; what a week missed is not crammed into it.
    """
    day = max(today + timedelta(days=today in done), plan.start)
    while (phase := plan.phase_on(day)) is not None:
        week = (day - plan.start).days // 7
        here = sum(plan.start <= other and (other - plan.start).days // 7 == week for other in done)
        due = plan.start + timedelta(days=7 * week + here * 7 // phase.sessions_per_week)
        if here < phase.sessions_per_week and day >= due:
            return day
        day += timedelta(days=1)
    return None
