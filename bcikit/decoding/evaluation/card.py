"""A card of an evaluation that another can check: hashes of the data, all that decides the numbers, a signature."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcikit.decoding.evaluation.cache import hash_data, hash_file
from bcikit.decoding.evaluation.run import TaskResult, evaluate_task
from bcikit.decoding.evaluation.task import Run, Task, load_task
from bcikit.decoding.sheet import now_utc, package_versions
from bcikit.signal import DataError
from bcikit.signal.documents import read_json
from bcikit.signal.signing import key_file, sign, signer
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
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.system(),
            "packages": dict(package_versions()),
        },
        "seed": seed,
        "splits": None if splits is None else list(splits),
        "tasks": [_task(result) for result in results],
    }
    return sign(values, key_file())


def _task(result: TaskResult) -> dict[str, Any]:
    task = result.task
    return {
        "name": task.name,
        "paradigm": task.paradigm,
        "runs": [
            {
                "path": _place(run.path), "subject": run.subject, "session": run.session,
                "sha256": hash_data(run), "options": _plain(run.options),
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
        Fingerprint of the key that signed it.
    n_numbers : int
        Numbers that were computed again.
    largest : float
        Largest difference found among them.
    """

    problems: tuple[str, ...]
    key: str
    n_numbers: int = 0
    largest: float = 0.0


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
        Folder in which the recordings are here, found by their hashes; where the card says if left out.
    recompute : bool
        False to look at signature and data alone.
    """
    problems = []
    mark = signer(values)
    if not mark:
        return Checked(problems=("the signature is not that of this card: it was changed, or never signed",), key="")
    moved = {} if data is None else {hash_file(file): file for file in sorted(data.rglob("*")) if file.is_file()}
    n_numbers, largest = 0, 0.0
    for one in values["tasks"]:
        runs, missing = [], []
        for run in one["runs"]:
            path = moved.get(run["sha256"], Path(run["path"]))
            if not path.exists() and not str(path).startswith("moabb:"):
                missing.append(f"{run['path']} is not here")
            elif hash_data(_run(path, run)) != run["sha256"]:
                missing.append(f"{path} is not the recording of the card (other content)")
            else:
                runs.append(_run(path, run))
        problems += missing
        if missing or not recompute:
            continue
        task = _task_of(one, tuple(runs))
        again = evaluate_task(
            task, load_task(task), tuple(one["results"]), splits=values["splits"], seed=int(values["seed"]), jobs=jobs
        )
        for decoder, splits in one["results"].items():
            for split, people in splits.items():
                found = again.results.get(decoder, {}).get(split)
                for who, value in people.items():
                    n_numbers += 1
                    now = None if found is None else found.values.get(who)
                    if now is None:
                        problems.append(
                            f"{one['name']}, {decoder}, {split}, {who}: {value:.6f} cannot be computed here"
                        )
                        continue
                    largest = max(largest, abs(now - value))
                    if abs(now - value) > TOLERANCE:
                        problems.append(
                            f"{one['name']}, {decoder}, {split}, {who}: the card says {value:.6f}, here {now:.6f}"
                        )
    return Checked(problems=tuple(problems), key=mark, n_numbers=n_numbers, largest=largest)


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
