"""What was done with a patient so far, as rows that a person reads."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bcikit.clinic import people
from bcikit.clinic.arms import is_sealed
from bcikit.clinic.protocols import kind_of, protocol_names, protocol_title
from bcikit.clinic.therapy import trials_of
from bcikit.clinic.times import local
from bcikit.recording import Catalogue
from bcikit.ui.words import tr


class HistoryRow(NamedTuple):
    """One session: its folder, and what a table shows of it."""

    folder: str
    cells: tuple[str, str, str, str]


def history_rows(catalogue: Catalogue, code: str) -> list[HistoryRow]:
    """Return the sessions of a person, the newest first; simulations are nobody's history."""
    drawn = people.data_of(catalogue, code).get("trial") or {}
    sealed = tr("Sealed: the trial is blinded.")
    return [
        HistoryRow(
            entry.path,
            (
                local(entry.started),
                protocol_title(entry.paradigm),
                sealed if is_sealed(drawn, entry.started) else result_words(entry.results, entry.paradigm),
                str(trials_of(entry.results)) if "n_trials" in entry.results else "",
            ),
        )
        for entry in reversed(people.real_sessions(catalogue, code))
    ]


def result_words(results: Mapping[str, Any], protocol: str = "") -> str:
    """Return what came out of a session in a few words: what moved and whether it was right, or what was decoded.

    Of what asks for no movement and no choice nothing is right or wrong.
    """
    kind = kind_of(protocol) if protocol in protocol_names() else ""
    if kind == "neurofeedback":
        rewards = results.get("rewards")
        return "–" if rewards is None else tr("{count} rewards").format(count=rewards)
    if kind in ("blocks", "vigilance"):
        return "–"
    moved, right = results.get("moved"), results.get("moved_right")
    if moved is not None and right is not None:
        return tr("{moved} moved, {right} right").format(moved=moved, right=right)
    accuracy = results.get("online_accuracy")
    return "–" if accuracy is None else f"{100 * accuracy:.0f} %"
