"""Runs decoders over the splits of a task, spread over cores or machines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bcikit.decoding.evaluation.parallel import run_jobs
from bcikit.decoding.evaluation.task import Reference, SubjectTrials, Task, split_names
from bcikit.decoding.registry import make_decoder
from bcikit.decoding.scores import Scores, cross_validate
from bcikit.decoding.trials import Epochs, join
from bcikit.signal import DataError


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SplitResult:
    """One decoder under one split.

    Attributes
    ----------
    values : dict of str to float
        Accuracy or AUC of each person; of the left-out people for "cross-subject".
    scores : tuple of Scores
        One a person, or one in all for "cross-subject".
    """

    values: dict[str, float]
    scores: tuple[Scores, ...]

    @property
    def mean(self) -> float:
        """Mean over people."""
        return float(np.mean(list(self.values.values())))

    @property
    def chance_upper(self) -> float:
        """What chance stays below in 19 of 20 cases, for all decisions together."""
        from bcikit.decoding.chance import chance_level

        return chance_level(sum(s.n_trials for s in self.scores), len(self.scores[0].classes))

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        return {
            "mean": self.mean,
            "values": dict(self.values),
            "chance_upper": self.chance_upper,
            "details": [score.to_dict() for score in self.scores],
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TaskResult:
    """All decoders of a task under all splits."""

    task: Task
    n_trials: int
    left_out: int
    results: dict[str, dict[str, SplitResult]]
    failures: dict[str, str] = field(default_factory=dict)
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def check(self, reference: Reference) -> tuple[float | None, bool | None]:
        """Return what the recommended decoder has under the split of a reference, and whether it meets the bar."""
        found = self.results.get(self.task.recommended, {}).get(reference.split)
        if found is None:
            return None, None
        if reference.bar == ">=":
            # Bars are given with two digits.
            return found.mean, round(found.mean, 4) >= reference.value - 1e-9
        if reference.bar == "chance":
            return found.mean, found.mean <= found.chance_upper
        return found.mean, None

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "task": self.task.name,
            "paradigm": self.task.paradigm,
            "metric": self.task.metric,
            "n_subjects": len(self.task.subjects),
            "n_trials": self.n_trials,
            "left_out": self.left_out,
            "recommended": self.task.recommended,
            "results": {
                decoder: {split: found.to_dict() for split, found in splits.items()}
                for decoder, splits in self.results.items()
            },
            "failures": dict(self.failures),
            "absent_classes": {subject: list(classes) for subject, classes in self.absent.items()},
            "runs": [{"path": str(run.path), "subject": run.subject, "session": run.session} for run in self.task.runs],
            "ignored": dict(self.task.ignored),
            "references": [
                {
                    "split": ref.split,
                    "who": ref.who,
                    "value": ref.value,
                    "bar": ref.bar,
                    "bcikit": self.check(ref)[0],
                    "met": self.check(ref)[1],
                }
                for ref in self.task.references
            ],
        }


def evaluate_task(
    task: Task,
    data: Sequence[SubjectTrials],
    decoders: Sequence[str],
    *,
    splits: Sequence[str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TaskResult:
    """Evaluate decoders under every split that the data allow.

    Parameters
    ----------
    task : Task
        Says the metric and the parameters.
    data : sequence of SubjectTrials
        From `load_task`.
    decoders : sequence of str
        Names.
    splits : sequence of str, optional
        Some of `split_names`; all if left out.
    seed : int
        Of the shuffled folds.
    jobs : int
        Processes; -1 for all cores.
    dask : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, to spread over machines.
    progress : callable, optional
        Called with (jobs done, jobs).
    """
    possible = split_names(data)
    wanted = possible if splits is None else tuple(split for split in splits if split in possible)
    if not wanted:
        raise DataError(f"These data allow {', '.join(possible)} only.")
    keys: list[tuple[str, str, str]] = []
    work: list[tuple[Any, ...]] = []
    for decoder in decoders:
        for split in wanted:
            for who, trials, mode in parts_of(data, split):
                keys.append((decoder, split, who))
                work.append((decoder, task.decoder_params(decoder), trials, mode, seed))
    outcomes = run_jobs(evaluate_one, work, jobs=jobs, dask=dask, progress=progress)
    results: dict[str, dict[str, SplitResult]] = {}
    failures: dict[str, str] = {}
    collected: dict[tuple[str, str], dict[str, Scores]] = {}
    for (decoder, split, who), outcome in zip(keys, outcomes, strict=True):
        if isinstance(outcome, str):
            failures[f"{decoder}, {split}, {who}"] = outcome
        else:
            collected.setdefault((decoder, split), {})[who] = outcome
    for (decoder, split), found in collected.items():
        results.setdefault(decoder, {})[split] = summary_of(found, task.metric, split, data)
    return TaskResult(
        task=task,
        n_trials=sum(len(one.trials) for one in data),
        left_out=sum(one.left_out for one in data),
        results=results,
        failures=failures,
        absent={one.subject: one.absent for one in data if one.absent},
    )


def parts_of(data: Sequence[SubjectTrials], split: str) -> list[tuple[str, Epochs, str]]:
    """Return whose trials are cross-validated under a split, the trials in its groups, and the kind of folds."""
    if split == "shuffled":
        return [(one.subject, one.trials, "shuffled") for one in data]
    if split == "leave-run-out":
        return [(one.subject, one.trials, "leave-group-out") for one in data]
    if split == "cross-session":
        return [(one.subject, one.grouped(one.sessions), "leave-group-out") for one in data]
    # A channel that is bad in one person cannot be used for all.
    first = data[0].trials.ch_names
    common = tuple(name for name in first if all(name in one.trials.ch_names for one in data))
    if not common:
        raise DataError("No channel is good in every person; cross-subject needs one.")
    together = join([one.trials.pick(common) for one in data], groups=list(range(len(data))))
    return [("all", together, "leave-group-out")]


def evaluate_one(decoder: str, params: dict[str, Any], trials: Epochs, split: str, seed: int) -> Scores | str:
    """Return the scores, or why there are none; an error of one decoder must not end the evaluation of the others."""
    try:
        made = make_decoder(decoder, sfreq=trials.sfreq, **params)
        if made.min_trials == 0 and "frequencies" in params:
            # Decoders without training know targets only.
            trials = trials.take(np.isin(trials.y, list(params["frequencies"])))
        return cross_validate(made, trials, split=split, seed=seed)
    except (DataError, ValueError, np.linalg.LinAlgError) as error:
        return f"{type(error).__name__}: {error}"


def summary_of(found: dict[str, Scores], metric: str, split: str, data: Sequence[SubjectTrials]) -> SplitResult:
    """Return a decoder's value of each person; of the left-out people for "cross-subject"."""
    if split != "cross-subject":
        values = {who: float(getattr(scores, metric)) for who, scores in found.items()}
        return SplitResult(values=values, scores=tuple(found.values()))
    scores = found["all"]
    values = {}
    for fold, one in enumerate(data):
        held = scores.folds == fold
        part = replace(
            scores,
            y_true=scores.y_true[held],
            y_pred=scores.y_pred[held],
            scores=scores.scores[held],
            probabilities=scores.probabilities[held],
            folds=scores.folds[held],
        )
        values[one.subject] = float(getattr(part, metric))
    return SplitResult(values=values, scores=(scores,))
