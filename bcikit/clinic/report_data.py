"""Puts together what a report shows: from the record beside the training, its folders, and the catalogue."""

import contextlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from bcikit.clinic.alpha import alpha_words
from bcikit.clinic.arms import is_blind, is_sealed
from bcikit.clinic.counts import counts_of
from bcikit.clinic.people import data_of, real_sessions, trainings
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import OutcomeScore, ReportData
from bcikit.clinic.therapy import plan_of, progress_words
from bcikit.clinic.times import local_day, now
from bcikit.paradigms.plan import TherapyPlan
from bcikit.recording import Catalogue
from bcikit.recording.early_warning import early_warnings
from bcikit.recording.result import SessionResult, read_result
from bcikit.recording.tables_sql import SessionEntry
from bcikit.signal import BciError, RecordingError
from bcikit.ui.rules import rule_text
from bcikit.ui.words import tr


def report_data(catalogue: Catalogue, record: TrainingRecord) -> ReportData:
    """Return what the report of a training shows: nothing of a later day, and of a simulation nothing of any other."""
    results = [result_of(Path(folder)) for folder in record.parts]
    total = counts_of(record.parts).total
    known = not record.simulated and any(p.code == record.subject for p in catalogue.subjects(record.subject))
    data = data_of(catalogue, record.subject) if known else {}
    plan = plan_of(data)
    last = _last(catalogue, record) if known else ""
    day = local_day(last or record.started or now())
    record = replace(record, trial=_trial(record, data.get("trial") or {}))
    return ReportData(
        record=record,
        results=results,
        total=total,
        trend=trend_of(catalogue, record.subject, record.protocol, until=last) if known else (),
        reactions=reactions_of(catalogue, record, until=last) if known else {},
        scores=scores_of(catalogue, record.subject, until=day) if known else (),
        plan=_plan_words(catalogue, record.subject, plan, day) if plan is not None else "",
        warnings=warnings_of(catalogue, record.subject, until=last, sealed=is_blind(record.trial)) if known else (),
        alpha=alpha_words(Path(record.parts[-1])) if record.protocol == "eyes-open-closed" and record.parts else "",
    )


def _trial(record: TrainingRecord, drawn: dict[str, Any]) -> dict[str, Any]:
    """Return the allocation as it stands today: what was cut off knows none, what was opened since is open."""
    if not drawn or (not record.trial and not is_sealed(drawn, record.started)):
        return record.trial
    return {key: drawn[key] for key in ("trial", "number", "unblinded") if key in drawn}


def _last(catalogue: Catalogue, record: TrainingRecord) -> str:
    """Return when the last part of a training began; "" where none is entered."""
    parts = {str(Path(part).resolve()) for part in record.parts}
    return max((entry.started for entry in catalogue.sessions(record.subject) if entry.path in parts), default="")


def _plan_words(catalogue: Catalogue, code: str, plan: TherapyPlan, day: str) -> str:
    """Return how the plan stood on a day; nothing where it was made after it."""
    when = date.fromisoformat(day)
    return "" if when < plan.start and when < date.today() else progress_words(catalogue, code, plan, when)


def _shown(catalogue: Catalogue, code: str, *, until: str = "", sealed: bool = False) -> list[SessionEntry]:
    """Return the sessions of a person that began until a time, where one is given: those whose numbers may be seen.

    And with `sealed` those whose numbers may not.
    """
    drawn = data_of(catalogue, code).get("trial") or {}
    return [
        entry
        for entry in real_sessions(catalogue, code)
        if not (until and entry.started > until) and (sealed or not is_sealed(drawn, entry.started))
    ]


def trend_of(catalogue: Catalogue, code: str, protocol: str, *, until: str = "") -> list[tuple[str, float]]:
    """Return day and per cent right of each session of a person with one protocol; simulations are left out."""
    found = []
    for parts in trainings(entry for entry in _shown(catalogue, code, until=until) if entry.paradigm == protocol):
        rows = [(part.results.get("online_accuracy"), int(part.results.get("n_trials") or 0)) for part in parts]
        known = [(float(value), max(1, n)) for value, n in rows if isinstance(value, int | float)]
        if known:
            share = sum(value * n for value, n in known) / sum(n for _, n in known)
            found.append((local_day(parts[0].started), 100.0 * share))
    return found


def reactions_of(
    catalogue: Catalogue, record: TrainingRecord, *, until: str = ""
) -> dict[str, list[tuple[str, float]]]:
    """Return day and value of "erd" (per cent) and "laterality" of each session of a person with the same protocol.

    That of the affected hand; the mean of both where no side is, or both are.
    """
    found: dict[str, list[tuple[str, float]]] = {"erd": [], "laterality": []}
    for entry in _shown(catalogue, record.subject, until=until):
        hands = entry.results.get("reactions") or {}
        affected = f"{record.affected_side}_hand"
        chosen = [hands[affected]] if affected in hands else list(hands.values())
        if entry.paradigm == record.protocol and chosen:
            for name, points in found.items():
                points.append((local_day(entry.started), sum(float(one[name]) for one in chosen) / len(chosen)))
    return found


def scores_of(catalogue: Catalogue, code: str, *, until: str) -> list[OutcomeScore]:
    """Return the outcome scores of a person in order of days, until and with a day."""
    found = [OutcomeScore(local_day(row.measured), row.scale, row.value, row.unit) for row in catalogue.outcomes(code)]
    return [score for score in found if score.day <= until]


def warnings_of(catalogue: Catalogue, code: str, *, until: str = "", sealed: bool = False) -> list[str]:
    """Return what breaks more often than in the sessions before, in words.

    Where an allocation is `sealed`, not what moved and why something did not: how often tells the arm.
    """
    words = tr("{what}: {found} times, {expected:.1f} were expected from the sessions before")
    try:
        compared = _shown(catalogue, code, until=until, sealed=sealed)
        rising = [one for one in early_warnings(catalogue, code, sessions=compared) if one.rising]
    except BciError as error:
        return [str(error)]
    if sealed:
        rising = [one for one in rising if one.what != "activations" and not one.what.startswith("A-")]
    return [words.format(what=rule_text(one.what)[0], found=one.found, expected=one.expected) for one in rising]


def result_of(folder: Path) -> SessionResult:
    """Return what came out of a part; what was counted, where the engine died before it could say."""
    with contextlib.suppress(RecordingError):
        return read_result(folder)
    part = counts_of([str(folder)]).part
    return {"n_trials": part.answered, "n_correct": part.correct, "ended": "failed"}
