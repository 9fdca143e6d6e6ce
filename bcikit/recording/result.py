"""What a session came to: the content of ``result.json``, typed; written by the engine, read by windows and reports."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, cast

# pydantic reads the one of the standard library from Python 3.12 on.
from typing_extensions import TypedDict

from bcikit.signal import RecordingError
from bcikit.signal.documents import read_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RESULT = "result.json"
"""Name of the file in a session folder."""
VERSION = 1
"""Version of the vocabulary; files of version 0.1.0 have none."""


class Quantiles(TypedDict):
    """Quantiles of durations in milliseconds; None where there was nothing to measure."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    n: int


class GateCounts(TypedDict):
    """What the gate said of all decisions."""

    n: int
    allowed: int
    refused: int
    reasons: dict[str, int]


class Timing(TypedDict):
    """How the source dated its samples, and what was in doubt."""

    stamps: str
    uncertainty_s: float
    doubts: list[str]
    notes: list[str]


class SessionResult(TypedDict, total=False):
    """What a session came to.

    Attributes
    ----------
    version : int
        Of this vocabulary.
    title, bcikit, ended, started, subject, source, paradigm, kind : str
        Heading; the version of bcikit; how it ended; ISO 8601 in UTC; whose; address; name and kind of the paradigm.
    complete : bool
        Whether it ran to its end, or to where the operator ended it.
    seed : int
        Of the session.
    decoder, model_fingerprint : str or None
        Name of the decoder; SHA-256 of the data it was trained on.
    n_trials, n_correct, n_undecided : int
        An undecided trial counts as wrong.
    n_not_judged : int
        Trials beside these that say nothing of the decoder: skipped, or decided by the therapist or the plan of an arm.
    online_accuracy, chance_level, chance_upper : float or None
        Share of right trials; of a guesser; what a guesser stays below in 19 of 20 sessions.
    accuracy_interval : list of float
        95 % interval (Clopper and Pearson 1934).
    above_chance : bool or None
        Whether accuracy is above `chance_upper`; both None where it can be told against no chance.
    classes : list of str
        In the order of `confusion`.
    confusion : list of list of int
        Rows are true classes; the last column are undecided trials.
    duration_s : float
        Seconds of signal.
    lost_samples, n_samples, n_chunks, n_bad_samples, n_silences, commands_held_back : int
        Counts.
    latency_ms, age_ms : Quantiles
        From the newest sample to the verdict; age of a chunk when it came.
    gate : GateCounts
        Verdicts.
    decisions_sha256 : str
        Over all decisions: two sessions with the same one decided alike to the last bit.
    interrupted_trials : int
        Trials that were cut off by a stop.
    dropped_cues : int
        Cues of another program that came while the protocol stood still, and began no trial.
    backlog_s : float
        Seconds of signal that came too late to answer to.
    timing : Timing
        Doubts in it end a command with 1.
    idle_test, adaptation, presentation, stop_box : dict or None
        What they came to, what was flipped when, and how often the box was pressed or lost, where there was any of it.
    calibration, details, safety, versions : dict
        Of the decoder; of the paradigm; states and rules; packages.
    trials, outputs, alarms : list of dict
        One each.
    """

    version: int
    title: str
    bcikit: str
    ended: Required[str]
    complete: bool
    started: str
    subject: str
    seed: int
    source: str
    paradigm: str
    kind: str
    decoder: str | None
    model_fingerprint: str | None
    n_trials: Required[int]
    n_correct: int
    n_undecided: int
    n_not_judged: int
    online_accuracy: float | None
    accuracy_interval: list[float]
    chance_level: float | None
    chance_upper: float | None
    above_chance: bool | None
    classes: list[str]
    confusion: list[list[int]]
    duration_s: float
    lost_samples: int
    n_samples: int
    n_chunks: int
    n_bad_samples: int
    n_silences: int
    latency_ms: Quantiles
    age_ms: Quantiles
    gate: GateCounts
    decisions_sha256: str
    interrupted_trials: int
    dropped_cues: int
    backlog_s: float
    timing: Timing
    idle_test: dict[str, Any] | None
    stop_box: dict[str, Any] | None
    calibration: dict[str, Any]
    adaptation: dict[str, Any] | None
    details: dict[str, Any]
    trials: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    presentation: dict[str, Any] | None
    alarms: list[dict[str, Any]]
    safety: dict[str, Any]
    versions: dict[str, str]
    commands_held_back: int


def read_result(folder: Path) -> SessionResult:
    """Read what a session came to.

    Parameters
    ----------
    folder : Path
        A session folder.

    Raises
    ------
    RecordingError
        If there is none, it is damaged, or a newer version wrote it.
    """
    from pydantic import ValidationError

    path = folder / RESULT
    try:
        values = read_json(path)
        _adapter().validate_python(values)
    except FileNotFoundError:
        raise RecordingError(f"{folder} has no {RESULT}: the session did not come to its end.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordingError(f"{path} is damaged: {where}: {first['msg']}.") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path} cannot be read: {error}.") from None
    if values.get("version", 0) > VERSION:
        raise RecordingError(f"{path} was written by a newer version of bcikit.")
    return cast(SessionResult, values)


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``result.json``."""
    return _adapter().json_schema()


@cache
def _adapter() -> "TypeAdapter[SessionResult]":
    # Made once: a catalogue reads hundreds of results.
    from pydantic import TypeAdapter

    return TypeAdapter(SessionResult)
