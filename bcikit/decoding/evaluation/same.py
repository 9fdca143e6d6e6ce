"""Finds runs that hold the same trials under another name or in another format: what is decided was learned then."""

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DoubtWarning

if TYPE_CHECKING:
    from bcikit.decoding.evaluation.task import SubjectTrials, Task

_ALIKE = 0.9999
"""Correlation from which two trials are one: formats round by a thousandth of EEG, and no two trials are as alike."""

_PROBES = 4
"""Trials of a run that are looked for in the others."""

_VALUES = 1024
"""Values of a trial that are compared."""


def doubt_same_trials(task: "Task", data: Iterable["SubjectTrials"]) -> None:
    """Warn of runs in which trials of another one are, but of files that are the same to the byte, and of MOABB's.

    Parameters
    ----------
    task : Task
        Says the files.
    data : iterable of SubjectTrials
        Trials of each person, looked at one after the other.
    """
    kinds: dict[tuple[int, int], list[tuple[str, NDArray[np.float32]]]] = {}
    for one in data:
        files = [run.path for name, run in task.runs_of(one.subject).items() if name not in dict(one.lost)]
        for place in np.unique(one.trials.runs):
            rows = one.trials.X[one.trials.runs == place]
            if str(files[place]).startswith("moabb:"):
                # Published sets; those that are made up for tests have one person many times.
                continue
            kinds.setdefault(rows.shape[1:], []).append((str(files[place]), _vectors(rows)))
    pairs: list[tuple[str, str]] = []
    for runs in kinds.values():
        owner = np.repeat(np.arange(len(runs)), [len(rows) for _, rows in runs])
        every = np.concatenate([rows for _, rows in runs])
        for place, (file, rows) in enumerate(runs):
            later = every[owner > place]
            if not later.size:
                continue
            alike = (rows[np.linspace(0, len(rows) - 1, min(_PROBES, len(rows))).astype(int)] @ later.T).max(axis=0)
            for other in np.unique(owner[owner > place][alike > _ALIKE]):
                pairs.append((file, runs[other][0]))
    if pairs:
        from bcikit.decoding.evaluation.walk import same_recordings

        told = {(str(one), str(other)) for one, other in same_recordings(task.runs)}
        pairs = [pair for pair in pairs if pair not in told]
    if pairs:
        some = "; ".join(f"{one} and {other}" for one, other in pairs[:3])
        warnings.warn(
            f"{len(pairs)} pair(s) of runs hold the same trials, under another name or in another format, so that what "
            f"is decided was learned: {some}" + ("; ..." if len(pairs) > 3 else ""),
            DoubtWarning,
            stacklevel=3,
        )


def _vectors(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return trials as vectors of length 1 without their mean; what has no variance is like nothing."""
    flat = rows.reshape(len(rows), -1)
    flat = flat[:, np.unique(np.linspace(0, flat.shape[1] - 1, min(_VALUES, flat.shape[1])).astype(int))]
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(length > 0, length, np.inf), dtype=np.float32)
