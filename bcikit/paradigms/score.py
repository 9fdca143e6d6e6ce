"""Scores of a session: confusion, accuracy, information transfer rate."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def confusion(truth: Sequence[str], said: Sequence[str | None], classes: Sequence[str]) -> list[list[int]]:
    """Return counts, one row a true class; the last column counts trials without an answer."""
    column = {name: index for index, name in enumerate(classes)}
    table = [[0] * (len(classes) + 1) for _ in classes]
    for real, answer in zip(truth, said, strict=True):
        if real in column:
            table[column[real]][column.get(answer or "", len(classes))] += 1
    return table


def judged(trial: Mapping[str, Any]) -> bool:
    """Return whether what came of a trial says something of the decoder.

    Not if the therapist skipped, helped or held it, nor if help was planned in it, whether or not the gate let that
    through.
    """
    others = trial.get("skipped") or trial.get("override") or trial.get("planned_delay") is not None
    return not others and trial.get("by", "decoder") == "decoder"


def itr(accuracy: float, n_classes: int, seconds: float) -> float:
    """Return the information transfer rate in bit/min (Wolpaw 2002), 0 at chance and below.

    ``60/T [log2 N + P log2 P + (1-P) log2((1-P)/(N-1))]`` with T the seconds from one selection to the next.

    Parameters
    ----------
    accuracy : float
        Share of right selections P.
    n_classes : int
        Possible selections N.
    seconds : float
        Seconds a selection, with the pause to move the gaze.
    """
    if n_classes < 2 or seconds <= 0 or not accuracy > 1.0 / n_classes:
        return 0.0
    bits = math.log2(n_classes)
    if accuracy < 1.0:
        wrong = 1.0 - accuracy
        bits += accuracy * math.log2(accuracy) + wrong * math.log2(wrong / (n_classes - 1))
    return 60.0 / seconds * bits


def pace(rows: Sequence[dict[str, Any]]) -> float | None:
    """Return the mean seconds from the start of a trial to the next ("lasted"), decided or not; None if not known.

    The last one may be without: where another program gives the cues, nobody knows when its next would have come.
    """
    times = [row.get("lasted") for row in rows]
    if times and times[-1] is None:
        times.pop()
    known = [float(time) for time in times if time is not None]
    return sum(known) / len(known) if known and len(known) == len(times) else None


def summarise(rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """Return counts and shares of trials that have "class", "predicted", "correct", "allowed" and "seconds".

    A trial without an answer counts as wrong, one in which nothing was asked for ("class" is empty) as neither; without
    any other there is neither accuracy nor rate (None), and no rate where it is not known how long trials "lasted".
    `accuracy` takes the likeliest class of the deciding window,
    `accuracy_gated` only what the gate let through.
    """
    asked = [row for row in rows if row["class"]]
    counted = asked or rows
    n = len(asked)
    right = sum(bool(row["correct"]) for row in asked)
    gated = sum(bool(row["correct"] and row["allowed"]) for row in asked)
    answered = [row for row in counted if row["predicted"] is not None]
    times = [float(row["seconds"]) for row in answered if row.get("seconds") is not None]
    mean = sum(times) / len(times) if times else 0.0
    accuracy = right / n if n else 0.0
    whole = pace(asked)
    return {
        "n_trials": len(counted),
        "n_correct": right,
        "n_undecided": len(counted) - len(answered),
        "n_allowed": sum(bool(row["allowed"]) for row in counted),
        "accuracy": accuracy if n else None,
        "accuracy_gated": gated / n if n else None,
        "classes": list(classes),
        "confusion": confusion([row["class"] for row in rows], [row["predicted"] for row in rows], classes),
        "seconds_to_decision": mean if times else None,
        "itr": itr(accuracy, len(classes), whole) if whole is not None else None,
        "trials": list(rows),
    }


def rate_interval(count: int, hours: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return the exact confidence interval of a rate an hour from a Poisson count (Garwood 1936)."""
    from scipy.stats import chi2

    low = float(chi2.ppf(alpha / 2, 2 * count)) / 2 if count else 0.0
    return low / hours, float(chi2.isf(alpha / 2, 2 * count + 2)) / 2 / hours


def quartiles(values: Sequence[float]) -> dict[str, Any]:
    """Return median, mean and quartiles; None where there are no values."""
    if not values:
        return {"median": None, "mean": None, "quartiles": None}
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return {"median": median, "mean": sum(values) / len(values), "quartiles": [low, high]}
