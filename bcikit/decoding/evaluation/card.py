"""A card of an evaluation that another can check: hashes of the data, all that decides the numbers, a signature."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcikit.decoding.evaluation.cache import hash_beside, hash_data, hash_file
from bcikit.decoding.evaluation.run import TaskResult, evaluate_task
from bcikit.decoding.evaluation.task import Run, Task, load_task
from bcikit.decoding.evaluation.walk import is_recording_folder, walk
from bcikit.decoding.sheet import now_utc, package_versions
from bcikit.signal import BciError, DataError
from bcikit.signal.documents import read_json
from bcikit.signal.signing import key_file, own_fingerprint, sign, signer
from bcikit.version import __version__

FORMAT = "bcikit evaluation card 1"
TOLERANCE = 1e-9
"""By how much a number that is computed again may differ on another machine's arithmetic."""


def make_card(results: Sequence[TaskResult], *, splits: Sequence[str] | None, seed: int) -> dict[str, Any]:
    """Return a signed card of what was evaluated.

    Raises
    ------
    MissingDependencyError
        If the package that signs is not installed.
    """
    values: dict[str, Any] = {
        "format": FORMAT,
        "created": now_utc(),
        "bcikit": __version__,
        "environment": _environment(),
        "seed": seed,
        "splits": None if splits is None else list(splits),
        "tasks": [_task(result) for result in results],
    }
    return sign(values, key_file())


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "packages": dict(package_versions()),
    }


def _task(result: TaskResult) -> dict[str, Any]:
    task = result.task
    return {
        "name": task.name,
        "paradigm": task.paradigm,
        "runs": [
            {
                "path": _place(run.path), "subject": run.subject, "session": run.session,
                "sha256": hash_data(run), "beside": hash_beside(run), "options": _plain(run.options),
            }
            for run in task.runs
        ],
        "events": dict(task.events),
        "window": [task.tmin, task.tmax],
        "filters": [dict(step) for step in task.filters],
        "channels": None if task.channels is None else list(task.channels),
        "max_bad": task.max_bad,
        "max_peak": task.max_peak,
        "metric": task.metric,
        "recommended": task.recommended,
        "params": _plain(task.params),
        "special": {name: _plain(values) for name, values in task.special.items()},
        "n_trials": result.n_trials,
        "left_out": result.left_out,
        "results": {
            decoder: {split: dict(found.values) for split, found in splits.items()}
            for decoder, splits in result.results.items()
        },
        "failures": dict(result.failures),
    }  # fmt: skip


def _place(path: Path) -> str:
    return str(path if str(path).startswith("moabb:") else path.resolve())


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What checking a card came to.

    Attributes
    ----------
    problems : tuple of str
        What is not as the card says; empty if all is.
    key : str
        Fingerprint of the key that signed it; empty where nobody signed what it now says.
    own : bool
        Whether that is this user's own key.
    n_numbers : int
        Numbers that were computed again.
    largest : float
        Largest difference found among them.
    other : tuple of str
        In what the environment here is another one than that of the card; no problem by itself.
    """

    problems: tuple[str, ...]
    key: str
    own: bool = False
    n_numbers: int = 0
    largest: float = 0.0
    other: tuple[str, ...] = ()


def read_card(path: str | Path) -> dict[str, Any]:
    """Return a card.

    Raises
    ------
    DataError
        If the file is none.
    """
    try:
        values: Any = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no card of an evaluation: {error}.") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{path} is no card of an evaluation ({FORMAT}).")
    return values


def check_card(
    values: Mapping[str, Any], *, data: Path | None = None, jobs: int = 1, recompute: bool = True
) -> Checked:
    """Check signature and data of a card, and compute its numbers again.

    Parameters
    ----------
    values : mapping
        From `read_card`.
    data : Path or None
        Folder in which the recordings are here, files and folders found by their hashes; where the card says if left
        out.
    recompute : bool
        False to look at signature and data alone.
    """
    mark = signer(values)
    problems = [] if mark else ["the signature is not that of this card: it was changed, or never signed"]
    places = [] if data is None else [data, *walk(data)[0]]
    moved = {hash_file(place): place for place in places if place.is_file() or is_recording_folder(place)}
    n_numbers, largest = 0, 0.0
    other: tuple[str, ...] = ()
    try:
        other = _elsewhere(values)
        for one in values["tasks"]:
            runs, wrong = _runs(one, moved)
            problems += wrong
            if wrong or not recompute:
                continue
            task = _task_of(one, tuple(runs))
            again = evaluate_task(
                task, load_task(task), tuple(one["results"]), splits=values["splits"], seed=int(values["seed"]),
                jobs=jobs,
            )  # fmt: skip
            differing, n, most = _compared(one, again)
            problems += differing
            n_numbers, largest = n_numbers + n, max(largest, most)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, BciError) as error:
        problems.append(f"it cannot be computed again as it stands ({type(error).__name__}: {error})")
    else:
        if recompute and not n_numbers and not problems:
            problems.append("it holds no number that could be computed again")
    return Checked(
        problems=tuple(problems), key=mark, own=bool(mark) and mark == own_fingerprint(key_file()),
        n_numbers=n_numbers, largest=largest, other=other,
    )  # fmt: skip


def _elsewhere(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in what the environment of a card is not the one here."""
    there, here = values["environment"], _environment()
    pairs = [("bcikit", values["bcikit"], __version__)]
    pairs += [(name, there[name], here[name]) for name in ("python", "machine", "system")]
    names = sorted({*there["packages"], *here["packages"]} - {"python", "bcikit"})
    pairs += [(name, there["packages"].get(name), here["packages"].get(name)) for name in names]
    return tuple(f"{name} {was or 'absent'}, here {now or 'absent'}" for name, was, now in pairs if was != now)


def _runs(one: Mapping[str, Any], moved: Mapping[str, Path]) -> tuple[list[Run], list[str]]:
    """Return the recordings of a task as they are here, and what is not as the card says."""
    runs, wrong = [], []
    for run in one["runs"]:
        path = moved.get(run["sha256"], Path(run["path"]))
        if not path.exists() and not str(path).startswith("moabb:"):
            wrong.append(f"{run['path']} is not here")
            continue
        found = _run(path, run)
        if hash_data(found) != run["sha256"]:
            wrong.append(f"{path} is not the recording of the card (other content)")
            continue
        was, now = run.get("beside"), hash_beside(found)
        for name in sorted({*was, *now} if was is not None else ()):
            if was.get(name) != now.get(name):
                what = "was not there" if name not in was else "is not here" if name not in now else "has other content"
                wrong.append(f"{path}: {name}, which decides what is read of it, {what}")
        runs.append(found)
    return runs, wrong


def _compared(one: Mapping[str, Any], again: TaskResult) -> tuple[list[str], int, float]:
    """Return what differs from the card, how many numbers were compared, and the largest difference."""
    problems = [
        f"{one['name']}: {word} {was} on the card, {now} here"
        for word, was, now in (
            ("trials", one["n_trials"], again.n_trials), ("left out", one["left_out"], again.left_out)
        )
        if was != now
    ]  # fmt: skip
    n_numbers, largest = 0, 0.0
    for decoder in sorted({*one["results"], *again.results}):
        for split in sorted({*one["results"].get(decoder, {}), *again.results.get(decoder, {})}):
            found = again.results.get(decoder, {}).get(split)
            now, was = {} if found is None else found.values, one["results"].get(decoder, {}).get(split, {})
            for who in sorted({*was, *now}):
                n_numbers += 1
                place = f"{one['name']}, {decoder}, {split}, {who}"
                if who not in now:
                    problems.append(f"{place}: {was[who]:.6f} cannot be computed here")
                elif who not in was:
                    problems.append(f"{place}: {now[who]:.6f} here is not on the card")
                else:
                    largest = max(largest, abs(now[who] - was[who]))
                    if not abs(now[who] - was[who]) <= TOLERANCE:
                        problems.append(f"{place}: the card says {was[who]:.6f}, here {now[who]:.6f}")
    return problems, n_numbers, largest


def _run(path: Path, values: Mapping[str, Any]) -> Run:
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in values["options"].items()}
    return Run(path=path, subject=values["subject"], session=values["session"], options=options)


def _task_of(values: Mapping[str, Any], runs: tuple[Run, ...]) -> Task:
    return Task(
        name=values["name"], paradigm=values["paradigm"], runs=runs, events=values["events"],
        tmin=values["window"][0], tmax=values["window"][1], filters=tuple(values["filters"]),
        recommended=values["recommended"], params=values["params"], special=values["special"],
        channels=None if values["channels"] is None else tuple(values["channels"]), metric=values["metric"],
        max_bad=values["max_bad"], max_peak=values["max_peak"],
    )  # fmt: skip
