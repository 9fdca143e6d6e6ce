"""Early warning across the sessions of a person: which safety rules break more often than before."""

from collections.abc import Iterable
from pathlib import Path

from bcikit.recording.catalogue import Catalogue
from bcikit.recording.result import read_result
from bcikit.recording.tables_sql import SessionEntry
from bcikit.safety.trends import Trend, trends
from bcikit.signal import RecordingError


def early_warnings(
    catalogue: Catalogue, subject: str, *, sessions: Iterable[SessionEntry] | None = None
) -> list[Trend]:
    """Compare the newest session of a person with those before it, rising rules first.

    Parameters
    ----------
    catalogue : Catalogue
        Where the sessions are entered.
    subject : str
        Whose.
    sessions : iterable of SessionEntry, optional
        Those of the person that are compared, in order of time; all where nothing is given.

    Returns
    -------
    list of Trend
        Of every rule, the actions, the stops and the lost samples; empty where fewer than two sessions have a
        ``result.json`` with a summary of safety.
    """
    summaries = []
    for row in catalogue.sessions(subject) if sessions is None else sessions:
        try:
            summary = read_result(Path(row.path)).get("safety")
        except RecordingError:
            continue
        if isinstance(summary, dict) and isinstance(summary.get("duration_s"), int | float):
            summaries.append(summary)
    return trends(summaries)
