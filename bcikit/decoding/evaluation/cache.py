"""What was computed once is kept by its content: trials of a person, and the score of every job of a study."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.decoding.evaluation.task import Run, SubjectTrials, Task, load_person
from bcikit.decoding.riemann import Prepared
from bcikit.decoding.trials import Epochs
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import DAMAGED_ARCHIVE, json_of, read_json
from bcikit.version import __version__

_ARRAYS = ("X", "y", "groups", "runs", "samples")


def digest(values: Any) -> str:
    """Return a hash of anything that JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _hash(path: str, size: int, changed: int) -> str:  # noqa: ARG001 - a file that changed is another one
    found = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123 - the cache wants texts
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder by their names."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest([(file.relative_to(path).as_posix(), hash_file(file)) for file in files])
    stat = path.stat()
    return _hash(str(path), stat.st_size, stat.st_mtime_ns)


def hash_run(run: Run) -> str:
    """Return the SHA-256 of all that decides what is read of a run: its files, those beside and above, and how."""
    return digest([hash_data(run), sorted(hash_beside(run).items()), dict(run.options)])


def hash_beside(run: Run) -> dict[str, str]:
    """Return the SHA-256 of each further file that decides what is read of a run, by its place beside the run."""
    if str(run.path).startswith("moabb:") or run.path.is_dir():
        return {}
    from bcikit.acquisition.belonging import files_of

    home = run.path.parent
    return {Path(os.path.relpath(file, home)).as_posix(): hash_file(file) for file in files_of(run.path)[1:]}


def hash_data(run: Run) -> str:
    """Return the SHA-256 of a recording: of its file, or, where it is none, of its samples."""
    if not str(run.path).startswith("moabb:"):
        return hash_file(run.path)
    recording = run.read()
    found = hashlib.sha256(np.ascontiguousarray(recording.data).tobytes())
    found.update(json.dumps([event.to_dict() for event in recording.events]).encode())
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class TrialCache:
    """Trials of people, filtered and cut, by what they were made of.

    Attributes
    ----------
    folder : Path
        Where they are; what is in it may be deleted at any time.
    """

    folder: Path

    def key(self, task: Task, subject: str) -> str:
        """Return the hash of everything that makes a person's trials."""
        runs = [(run.session, hash_run(run)) for run in task.runs if run.subject == subject]
        made = {
            "subject": subject,
            "runs": runs,
            "events": dict(task.events),
            "window": [task.tmin, task.tmax],
            "filters": [dict(step) for step in task.filters],
            "channels": task.channels,
            "max_bad": task.max_bad,
            "max_peak": task.max_peak,
            "version": __version__,
        }
        return digest(made)

    def place(self, key: str) -> Path:
        """Return where the trials of a key are."""
        return self.folder / f"{key}.npz"

    def make(self, task: Task, subject: str) -> str:
        """Return the key of a person's trials, made if they are not there."""
        key = self.key(task, subject)
        if not _whole(self.place(key)):
            self._write(key, load_person(task, subject))
        return key

    def prepared(self, key: str, decoder: Any) -> Prepared:
        """Return what a decoder's `prepare` makes of the trials of a key, made if it is not there."""
        place = self.folder / f"{digest([key, decoder.preparation(), __version__])}.prepared.npz"
        try:
            with np.load(place) as found:
                n_channels, n_times = (int(value) for value in found["shape"])
                return Prepared(
                    matrices=found["matrices"], power=found["power"], n_channels=n_channels, n_times=n_times
                )
        except DAMAGED_ARCHIVE:
            # Not there, or damaged: made again.
            made: Prepared = decoder.prepare(self.load(key).trials.X)
        shape = np.array([made.n_channels, made.n_times])
        buffer = io.BytesIO()
        np.savez(buffer, matrices=made.matrices, power=made.power, shape=shape)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(place, buffer.getvalue())
        return made

    def _write(self, key: str, one: SubjectTrials) -> None:
        trials = one.trials
        rest = {field.name: getattr(trials, field.name) for field in fields(trials) if field.name not in (*_ARRAYS,)}
        head = {
            "subject": one.subject, "left_out": one.left_out, "absent": one.absent, "empty": one.empty,
            "lost": one.lost, "trials": rest, "n_times": trials.n_times,
        }  # fmt: skip
        buffer = io.BytesIO()
        arrays = {name: getattr(trials, name) for name in _ARRAYS}
        np.savez(buffer, sessions=one.sessions, head=np.array(json.dumps(head)), **arrays)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.place(key), buffer.getvalue())

    def load(self, key: str, *, signals: bool = True) -> SubjectTrials:
        """Return the trials of a key; without signals their length is right and they have no channel."""
        with np.load(self.place(key)) as found:
            head = json_of(str(found["head"]))
            arrays = {name: found[name] for name in _ARRAYS if signals or name != "X"}
            sessions = found["sessions"]
        if not signals:
            arrays["X"] = np.empty((len(arrays["y"]), 0, head["n_times"]))
        rest = {name: _tuples(value) for name, value in head["trials"].items()}
        return SubjectTrials(
            subject=head["subject"],
            trials=Epochs(**arrays, **rest),
            sessions=sessions,
            left_out=head["left_out"],
            absent=tuple(head["absent"]),
            empty=tuple(head.get("empty", ())),
            lost=_tuples(head.get("lost", [])),
        )


def _whole(place: Path) -> bool:
    """Return whether a file of the cache is there and can be read; one that was damaged is made again."""
    try:
        with zipfile.ZipFile(place) as found:
            return found.testzip() is None
    except DAMAGED_ARCHIVE:
        return False


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def read_subject(place: Path) -> str | None:
    """Return whose trials a file of the cache holds; None where it does not say, as what was prepared does not."""
    try:
        with np.load(place) as found:
            head = json_of(str(found["head"]))
    except DAMAGED_ARCHIVE:
        return None
    return str(head["subject"]) if isinstance(head, dict) and "subject" in head else None


def read_result(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the result of a job, or None if it was never finished."""
    place = folder / f"{key}.json"
    if not place.is_file():
        return None
    try:
        found: Any = read_json(place)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def write_result(folder: Path, key: str, values: Mapping[str, Any]) -> None:
    """Keep the result of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{key}.json", json.dumps(dict(values), sort_keys=True).encode())
