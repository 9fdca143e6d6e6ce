"""Jobs of a study: one score each, computed in groups that share what they need, kept as soon as it is known."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.decoding.encoder import files_of
from bcikit.decoding.evaluation.cache import TrialCache, digest, hash_file, write_result
from bcikit.decoding.evaluation.run import evaluate_part, family_of
from bcikit.decoding.evaluation.splits import SplitPart, across, parts_of, values_of
from bcikit.decoding.evaluation.task import SubjectTrials
from bcikit.decoding.riemann import Prepared
from bcikit.decoding.scores import Scores
from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError
from bcikit.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """One score to compute: a decoder under a split on the trials of a person, or of all together.

    Attributes
    ----------
    data, pipeline, decoder, split, seed, who
        What it is.
    kind : str
        The decoder's name in the registry.
    trials, others : tuple of str
        Keys of the trials that are decided, and, for "cross-data-set", of those that teach.
    params : tuple
        Parameters of the decoder.
    metric : str
        What the data set is judged by.
    names : (str, str)
        Of both data sets, for "cross-data-set".
    """

    data: str
    pipeline: str
    decoder: str
    kind: str
    split: str
    seed: int
    who: str
    trials: tuple[str, ...]
    params: tuple[tuple[str, Any], ...]
    metric: str
    others: tuple[str, ...] = ()
    names: tuple[str, str] = ("", "")

    @property
    def key(self) -> str:
        """Hash of everything the score depends on, and of nothing else."""
        made: tuple[Any, ...] = (self.kind, self.split, self.seed, self.trials, self.others, self.params, __version__)
        # A network is what its file holds today.
        files = [hash_file(file) for name, value in self.params if name == "encoder" for file in files_of(value)]
        return digest((*made, files) if files else made)


def grouped(jobs: Sequence[ScoreJob], people: Mapping[str, SubjectTrials]) -> list[tuple[ScoreJob, ...]]:
    """Return jobs on the same trials and folds whose decoders take the same matrices as one; the largest first."""
    found: dict[tuple[Any, ...], list[ScoreJob]] = {}
    families: dict[str, str] = {}
    for job in jobs:
        made = (job.kind, dict(job.params), people[job.trials[0]].trials.sfreq)
        family = families.get(repr(made)) or families.setdefault(repr(made), family_of(*made))
        found.setdefault((job.trials, job.others, job.split, job.seed, family), []).append(job)
    return sorted((tuple(group) for group in found.values()), key=lambda group: -memory_of(group[0], people))


def memory_of(job: ScoreJob, people: Mapping[str, SubjectTrials]) -> int:
    """Return the bytes of the trials of a job: once as they are, once as what teaches in a fold."""
    trials = [people[key].trials for key in (*job.trials, *job.others)]
    return 2 * 8 * sum(len(one) * len(one.ch_names) * one.n_times for one in trials)


def compute(trials: str, scores: str, jobs: Sequence[ScoreJob]) -> None:
    """Compute the jobs of a group and keep each score; what they need they read themselves: no job carries trials."""
    cache = TrialCache(Path(trials))
    first = jobs[0]
    keys = (*first.others, *first.trials)
    begin = time.perf_counter()
    people = [cache.load(key, signals=False) for key in keys]
    alike = len({one.trials.ch_names for one in people}) == 1
    if not alike:
        people = [cache.load(key) for key in keys]
    parts = _parts(first, people)
    found: list[dict[str, list[Scores]]] = [{} for _ in jobs]
    failures: list[str] = ["" for _ in jobs]
    for number, part in enumerate(parts):

        def whole(number: int = number) -> Epochs:
            return _parts(first, [cache.load(key) for key in keys])[number].trials

        def prepare(decoder: Any, number: int = number) -> Prepared | None:
            return _prepared(cache, first, keys, people, number, decoder) if alike else None

        asked = [(job.kind, dict(job.params)) for job in jobs]
        outcomes = evaluate_part(asked, part, first.seed, prepare=prepare, trials=whole, calibration="none")
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, str):
                failures[place] = outcome
            else:
                found[place].setdefault(part.who, []).append(outcome)
    seconds = (time.perf_counter() - begin) / len(jobs)
    decided = [one.subject for one in people[len(first.others) :]]
    for job, scored, failure in zip(jobs, found, failures, strict=True):
        values: dict[str, Any] = {"seconds": round(seconds, 3)}
        if failure:
            values["failure"] = failure
        else:
            for metric in ("accuracy", "auc", "kappa", "balanced_accuracy"):
                try:
                    values[metric] = values_of(scored, metric, job.split, decided)
                except (DataError, ValueError):
                    values[metric] = {}
        write_result(Path(scores), job.key, values)


def _parts(job: ScoreJob, people: Sequence[SubjectTrials]) -> list[SplitPart]:
    n_others = len(job.others)
    if job.split == "cross-data-set":
        return across(people[n_others:], people[:n_others], names=job.names)
    return parts_of(people, job.split)


def _prepared(
    cache: TrialCache, job: ScoreJob, keys: Sequence[str], people: Sequence[SubjectTrials], number: int, decoder: Any
) -> Prepared:
    """Return what was prepared of the trials of a part, each person's from the cache."""
    found = [cache.prepared(key, decoder) for key in keys]
    if job.split == "within-session":
        sessions = people[0].sessions
        return found[0].take(sessions == np.unique(sessions)[number])
    if len(found) == 1:
        return found[0]
    return replace(
        found[0],
        matrices=np.concatenate([one.matrices for one in found]),
        power=np.concatenate([one.power for one in found]),
    )
