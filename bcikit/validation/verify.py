"""Whether the folder of a run is as it was written: signature, hashes, and every value computed again from the data."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcikit.signal import BciError, ConfigError
from bcikit.signal.documents import DAMAGED_ARCHIVE, read_json
from bcikit.signal.signing import signer
from bcikit.validation.catalogue import TESTS
from bcikit.validation.clauses import clauses
from bcikit.validation.evaluate import evaluate
from bcikit.validation.profile import Profile
from bcikit.validation.results import Judgement, Outcome, worst
from bcikit.validation.takes import Take, load_take
from bcikit.version import __version__

RESULT = "result.json"
KIND = "bcikit device report"

EXACT = 1e-6
"""Share of its uncertainty, or of itself, by which a value may differ: other machines add up in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What checking a folder came to.

    Attributes
    ----------
    problems : tuple of str
        What is not as it was written; empty if all is.
    key : str
        Fingerprint of the key that signed it.
    n_files : int
        Files that were compared.
    n_values : int
        Values that were computed again from the raw data.
    """

    problems: tuple[str, ...]
    key: str
    n_files: int
    n_values: int = 0


def is_report(folder: Path) -> bool:
    """Return whether a folder is that of a run of the device bench, whole or damaged."""
    if _read(folder).get("kind") == KIND:
        return True
    try:
        return KIND.encode() in (folder / RESULT).read_bytes() or (folder / "junit.xml").is_file()
    except OSError:
        return False


def _read(folder: Path) -> dict[str, Any]:
    try:
        values = read_json(folder / RESULT)
    except (OSError, ValueError, BciError):
        return {}
    return values if isinstance(values, dict) else {}


def written(values: Mapping[str, Any]) -> str:
    """Return a result as its file holds it."""
    return json.dumps(values, indent=1)


def verify_report(folder: Path, *, recompute: bool = True) -> Verified:
    """Check a run: signature and hashes of raw data, report and result, and every value from the raw data again.

    Parameters
    ----------
    folder : Path
        What ``bcikit validate --out`` wrote.
    recompute : bool
        Whether to compute the values again; without, signature and hashes alone.
    """
    values = _read(folder)
    problems = []
    key = signer(values)
    if not values:
        problems.append(f"{RESULT}: cannot be read")
    elif not key:
        problems.append(f"{RESULT}: the signature is not that of this result: it was changed, or never signed")
    elif (folder / RESULT).read_bytes() != written(values).encode("utf-8"):
        # What is signed are the values; a byte that changes none of them was still changed.
        problems.append(f"{RESULT}: was changed, though it says the same")
    listed = values.get("files", {})
    if not isinstance(listed, dict):
        problems.append(f"{RESULT}: its list of files is none")
    files = {str(name): str(digest) for name, digest in listed.items()} if isinstance(listed, dict) else {}
    strange = [name for name in files if Path(name).is_absolute() or ".." in Path(name).parts or len(name) > 200]
    for name in strange:
        del files[name]
        problems.append(f"{name[:60]!r}: is no file of this folder")
    takes: dict[str, Take] = {}
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"{name}: was changed")
        elif path.suffix == ".npz":
            # Data that nobody can read again are no evidence.
            try:
                takes[path.stem] = load_take(path)
            except (*DAMAGED_ARCHIVE, TypeError, BciError) as error:
                problems.append(f"{name}: cannot be read: {error}")
    extra = sorted(p.relative_to(folder).as_posix() for p in (folder / "raw").glob("*")) if files else []
    problems += [f"{name}: does not belong to this run" for name in extra if name not in files]
    count = 0
    if recompute and not problems:
        count, differences = _again(values, takes)
        problems += differences
    return Verified(problems=tuple(problems), key=key, n_files=len(files), n_values=count)


def _again(values: Mapping[str, Any], takes: Mapping[str, Take]) -> tuple[int, list[str]]:
    """Return how many values were computed again from the raw data, and what differs from what the result says."""
    try:
        stated = {name: value for name, value in values["profile"].items() if name != "name"}
        profile = Profile.from_dict(stated, RESULT, str(values["profile"]["name"]))
        if "clause" not in stated:
            return 0, [
                f"{RESULT}: does not hold its profile, so nothing can be computed again: it is of an older bcikit"
            ]
        return _compare(values, takes, profile)
    except ConfigError as error:
        return 0, [f"{RESULT}: its profile cannot be read: {error}"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return 0, [f"{RESULT}: is not what a run writes: {type(error).__name__}: {error}"]


def _compare(values: Mapping[str, Any], takes: Mapping[str, Take], profile: Profile) -> tuple[int, list[str]]:
    known = {test.test: test for test in TESTS}
    count, problems = 0, []
    outcomes = []
    for entry in values["tests"]:
        test = known[entry["test"]]
        keys = entry["takes"]
        if not keys:
            # Nothing was recorded for it: there is nothing to compute, and nothing may be claimed.
            judgement = Judgement(entry["judgement"])
            if entry["measurements"] or judgement in (Judgement.PASS, Judgement.FAIL, Judgement.REPORT):
                problems.append(f"{test.test}: says {judgement.value}, and no recording stands behind it")
            outcomes.append(Outcome(test=test.test, title=test.title, judgement=judgement, reason=str(entry["reason"])))
            continue
        missing = [key for key in keys if key not in takes]
        if missing:
            problems.append(f"{test.test}: its recording {missing[0]} is not there")
            continue
        again = evaluate(test, [takes[key] for key in keys], profile)
        outcomes.append(again)
        count += len(again.measurements)
        problems += _differences(entry, again.to_dict())
    if not problems:
        bench = values["about"].get("bench")
        doubt = [Judgement.INCONCLUSIVE] if bench and bench["problems"] else []
        whole = worst([*(outcome.judgement for outcome in outcomes), *doubt]).value
        if whole != values["judgement"]:
            problems.append(f"the whole says {values['judgement']}; computed again it is {whole}")
        if [answer.to_dict() for answer in clauses(profile, outcomes)] != values["clauses"]:
            problems.append("the answers to the clauses are not those of the values")
    if problems and values["about"]["bcikit"] != __version__:
        problems.append(f"computed again with bcikit {__version__}; the result is of {values['about']['bcikit']}")
    return count, problems


def _differences(stated: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """Return where the outcome of a test, as it is written, differs from the one that was computed again."""
    test = stated["test"]
    if stated["judgement"] != again["judgement"]:
        return [f"{test}: says {stated['judgement']}; computed again it is {again['judgement']}"]
    if len(stated["measurements"]) != len(again["measurements"]):
        return [f"{test}: has {len(stated['measurements'])} values; computed again {len(again['measurements'])}"]
    problems = []
    for one, other in zip(stated["measurements"], again["measurements"], strict=True):
        what = f"{test} {one['quantity']} {one['channel']}".rstrip()
        for name in sorted({*one, *other}):
            if not _alike(one.get(name), other.get(name), other.get("uncertainty")):
                problems.append(f"{what}: {name} is {one.get(name)!r}; computed again {other.get(name)!r}")
    return problems


def _alike(one: Any, other: Any, uncertainty: float | None) -> bool:
    """Return whether two things in a result say the same, numbers to rounding."""
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=EXACT, abs_tol=EXACT * abs(uncertainty or 0.0))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_alike(a, b, uncertainty) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name], uncertainty) for name in one)
    return bool(one == other)
