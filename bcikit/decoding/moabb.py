"""MOABB: its datasets as recordings, and bcikit's decoders in its evaluations."""

import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from bcikit.decoding.evaluation.task import Run, SubjectTrials, Task, in_order
from bcikit.decoding.registry import make_decoder
from bcikit.signal import DataError, MissingDependencyError, Recording


class MoabbDecoder(ClassifierMixin, BaseEstimator):
    """A decoder by name, as a pipeline for MOABB's evaluations.

    MOABB gives volts and changes the sampling rate as its paradigm says; pass that rate. Use it as
    ``{"csp-lda": make_pipeline(MoabbDecoder(name="csp-lda", sfreq=128))}``.

    Parameters
    ----------
    name : str
        See `bcikit.decoding.decoder_names`.
    sfreq : float
        Sampling rate in Hz of the epochs.
    params : dict, optional
        Parameters of the decoder; for SSVEP ``{"frequencies": {...}}`` with MOABB's labels.
    """

    def __init__(self, *, name: str = "tangent-lr", sfreq: float = 128.0, params: dict[str, Any] | None = None) -> None:
        self.name = name
        self.sfreq = sfreq
        self.params = params

    def fit(self, X: Any, y: Any) -> "MoabbDecoder":
        """Learn from epochs in volts."""
        self.decoder_ = make_decoder(self.name, sfreq=self.sfreq, **(self.params or {}))
        self.decoder_.fit(1e6 * _array(X), y)
        self.classes_ = self.decoder_.classes_
        return self

    def predict(self, X: Any) -> Any:
        """Return labels."""
        return self.decoder_.predict(1e6 * _array(X))

    def decision_function(self, X: Any) -> Any:
        """Return scores; MOABB's area under the curve is of these, as ours is: probabilities round to 1 and tie."""
        return self.decoder_.decision_function(1e6 * _array(X))

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities."""
        return self.decoder_.predict_proba(1e6 * _array(X))


def recordings(dataset: Any, subject: int) -> dict[tuple[str, str], Recording]:
    """Return the runs of one subject of a MOABB dataset, by session and run, in microvolts with their events.

    Parameters
    ----------
    dataset : moabb.datasets.base.BaseDataset
        For example ``moabb.datasets.BNCI2014_001()``.
    subject : int
        One of ``dataset.subject_list``.
    """
    if subject not in dataset.subject_list:
        raise DataError(f"{dataset.code} has no subject {subject}; it has {dataset.subject_list}.")
    import mne

    # MNE's log goes to where results go.
    with mne.use_log_level("ERROR"):
        sessions = dataset.get_data([subject])[subject]
    found = {}
    for session, runs in sessions.items():
        for run, raw in runs.items():
            found[str(session), str(run)] = Recording.from_mne(
                _with_annotations(raw, dataset), name=f"{dataset.code} {subject} {session} {run}"
            )
    return found


def subject_trials(dataset: Any, task: Task, *, subjects: Sequence[int] | None = None) -> list[SubjectTrials]:
    """Return the trials of a MOABB dataset, for `bcikit.decoding.evaluation.run.evaluate_task`.

    Parameters
    ----------
    dataset : moabb.datasets.base.BaseDataset
        The dataset.
    task : Task
        Events (MOABB's names), window, filters; its runs are not used.
    subjects : sequence of int, optional
        All if left out.
    """
    result = []
    for subject in dataset.subject_list if subjects is None else subjects:
        runs = recordings(dataset, subject)
        trials = task.cut([task.filtered(recording) for recording in runs.values()])
        names = sorted({session for session, _ in runs}, key=in_order)
        sessions = np.array([names.index(session) for session, _ in runs])[trials.runs]
        result.append(
            SubjectTrials(subject=str(subject), trials=trials, sessions=sessions, left_out=len(trials.dropped))
        )
    return result


def _array(X: Any) -> Any:
    """Return epochs as an array, from MNE's object or as they are."""
    return X.get_data(copy=False) if hasattr(X, "get_data") else X


def _with_annotations(raw: Any, dataset: Any) -> Any:
    """Return a copy of a raw whose stimulus channel, where it has one, is annotations with MOABB's names."""
    import mne

    if not any(kind == "stim" for kind in raw.get_channel_types()):
        return raw
    events = mne.find_events(raw, shortest_event=0, verbose="ERROR")
    names = {int(code[0] if isinstance(code, list | tuple) else code): name for name, code in dataset.event_id.items()}
    rows = [row for row in events if row[2] in names]
    onsets = [(row[0] - raw.first_samp) / raw.info["sfreq"] for row in rows]
    copied = raw.copy()
    copied.set_annotations(mne.Annotations(onsets, [0.0] * len(rows), [names[row[2]] for row in rows]))
    return copied


PREFIX = "moabb:"
"""How a data set of MOABB is named where a folder could stand: ``moabb:BNCI2014_001``."""


@cache
def dataset_of(name: str) -> Any:
    """Return a data set of MOABB by its name.

    Raises
    ------
    DataError
        If there is none; the message names some that are near.
    MissingDependencyError
        If MOABB is not installed.
    """
    import difflib

    try:
        from moabb.datasets.fake import FakeDataset
        from moabb.datasets.utils import dataset_list
    except ImportError as error:
        raise MissingDependencyError("moabb", "moabb", "Data sets of MOABB") from error
    known = {kind.__name__: kind for kind in (*dataset_list, FakeDataset)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5) or sorted(known)[:5]
        raise DataError(f"MOABB has no data set {name!r}; near it are {', '.join(near)}.")
    return known[name]()


@lru_cache(maxsize=2)
def _person(name: str, subject: int) -> dict[tuple[str, str], Recording]:
    with warnings.catch_warnings():
        # Of names that MOABB uses and MNE and pandas announce to be going; nothing a user of bcikit can do about it.
        warnings.simplefilter("ignore")
        return recordings(dataset_of(name), subject)


def read_run(path: Path) -> Recording:
    """Return a run by its name ``moabb:DATASET/SUBJECT/SESSION/RUN``."""
    name, subject, session, run = str(path).removeprefix(PREFIX).split("/")
    return _person(name, int(subject))[session, run]


def runs_of(name: str, *, subjects: Sequence[int] | None = None) -> tuple[Run, ...]:
    """Return the runs of a data set, and whose each is."""
    found = []
    for subject in dataset_of(name).subject_list if subjects is None else subjects:
        for session, run in _person(name, subject):
            path = Path(f"{PREFIX}{name}/{subject}/{session}/{run}")
            found.append(Run(path=path, subject=str(subject), session=session))
    return tuple(found)
