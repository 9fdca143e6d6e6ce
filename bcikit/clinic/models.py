"""From the second visit on: the last good model of the patient, with its age and its score."""

from datetime import datetime
from pathlib import Path

from bcikit.clinic.times import local_day
from bcikit.clinic.verdict import GOOD_ACCURACY
from bcikit.recording import Catalogue
from bcikit.recording.tables_sql import ModelEntry
from bcikit.ui.words import tr


def last_good(catalogue: Catalogue, code: str, protocol: str, classes: tuple[str, ...] = ()) -> ModelEntry | None:
    """Return the newest model of a person for a protocol whose score was good and whose file is there.

    Parameters
    ----------
    classes : tuple of str
        What it must tell apart; any if empty.
    """
    for entry in reversed(catalogue.models(code, paradigm=protocol)):
        scores = entry.scores
        good = float(scores.get("accuracy") or 0.0) >= GOOD_ACCURACY and scores.get("advice", "good") == "good"
        same = not classes or not scores.get("classes") or tuple(scores["classes"]) == classes
        if good and same and Path(entry.path).is_file():
            return entry
    return None


def words_of(entry: ModelEntry) -> str:
    """Return what a model is: its day, its age, its score."""
    days = (datetime.now().astimezone() - datetime.fromisoformat(entry.created).astimezone()).days
    return tr("Model of {day} ({days} days old): {percent:.0f} % of {n} trials right then").format(
        day=local_day(entry.created),
        days=days,
        percent=100 * float(entry.scores.get("accuracy") or 0.0),
        n=entry.scores.get("n_trials", "?"),
    )
