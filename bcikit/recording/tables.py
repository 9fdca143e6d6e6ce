"""Export of decisions and of features as tables, CSV or Parquet."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.session import Session
from bcikit.recording.staging import staged_file
from bcikit.safety import State
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError


def export_decisions(session: Session, path: str | Path, *, keep: Collection[str] = (), overwrite: bool = False) -> int:
    """Write one row a decision: time, label, probabilities, scores and features it carried, and the gate's verdict.

    Parameters
    ----------
    session : Session
        What to export.
    path : str or Path
        A name that ends in ".csv" or ".parquet".
    keep : collection of str
        What not to take out.
    overwrite : bool
        Whether a file that exists may be replaced.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    RecordingError
        If the session has no decision.
    """
    check = Deidentifier(session, keep=keep)
    rows = list(_decision_rows(session, check))
    if not rows:
        raise RecordingError(f"{session.path or session.info.name} has no decisions to put into a table.")
    write_table(rows, Path(path), check, overwrite=overwrite)
    return len(rows)


def _decision_rows(session: Session, check: Deidentifier) -> Iterator[dict[str, Any]]:
    origin = float(session.chunks[0].times[0]) if session.chunks and session.chunks[0].n_times else 0.0
    first = session.chunks[0].first_sample if session.chunks else 0
    verdicts: dict[int, list[Any]] = {}
    for verdict in session.verdicts:
        verdicts.setdefault(verdict.sample, []).append(verdict)
    for decision in session.decisions:
        row: dict[str, Any] = {
            "time": decision.time - origin,
            "sample": decision.sample - first,
            "label": check.label(decision.label),
            "reason": check.reason(decision.reason),
            "age": decision.age,
        }
        for name, share in zip(decision.classes, decision.probabilities, strict=False):
            row[f"p_{check.label(name)}"] = share
        row |= dict(_numbers(decision.data, "data", check))
        if found := verdicts.get(decision.sample):
            verdict = found.pop(0)
            row |= {
                "allowed": verdict.allowed,
                "reasons": " ".join(str(check.reason(text)) for text in verdict.reasons),
            }
            row["state"] = verdict.state if verdict.state in State.__members__ else ""
        yield row


def _numbers(values: Mapping[str, Any], stem: str, check: Deidentifier) -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested data under flat names; texts stay behind.

    So do long whole numbers under a name that is not known: they may be those of a person.
    """
    for key, value in values.items():
        word = check.key(str(key))
        name = f"{stem}_{word}"
        if isinstance(value, Mapping):
            yield from _numbers(value, name, check)
        elif isinstance(value, list | tuple):
            yield from _numbers({str(index): item for index, item in enumerate(value)}, name, check)
        elif isinstance(value, bool | int | float) and (word == key or abs(value) < 1e5 or value % 1):
            yield name, float(value)


def write_table(rows: list[dict[str, Any]], path: Path, check: Deidentifier, *, overwrite: bool) -> None:
    """Write rows as CSV or Parquet, as the file name ends; they are searched for what identifies first."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise ArgumentError(f"{path.name} must end in '.csv' or '.parquet'.")
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("pandas", "formats", "Writing tables") from error
    frame = pd.DataFrame.from_records(rows)
    with staged_file(path, check, overwrite=overwrite) as aside:
        if suffix == ".csv":
            frame.to_csv(aside, index=False)
        else:
            frame.to_parquet(aside, index=False)
