"""Runs decoders over the splits of a task, spread over cores or machines."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bcikit.decoding.chance import guesser_bound
from bcikit.decoding.evaluation.parallel import STOPPED, run_jobs
from bcikit.decoding.evaluation.splits import SplitPart, parts_of, those_able, values_of, wanted_splits
from bcikit.decoding.evaluation.task import Reference, SubjectTrials, Task
from bcikit.decoding.leakage import runs_hold_one_class
from bcikit.decoding.mean import remembering
from bcikit.decoding.registry import make_decoder
from bcikit.decoding.riemann import CovarianceDecoder, Prepared, RankError
from bcikit.decoding.scores import Scores, cross_validate, hold_out
from bcikit.decoding.trials import Epochs
from bcikit.signal import BciError, DataError


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SplitResult:
    """One decoder under one split.

    Attributes
    ----------
    values : dict of str to float
        Accuracy or AUC of each person who has one; of the left-out people for "cross-subject".
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
        return guesser_bound(sum(s.n_trials for s in self.scores), self.guessing)

    @property
    def guessing(self) -> float:
        """What guessing, or always saying a person's commonest class, comes to."""
        return float(np.average([s.guessing for s in self.scores], weights=[s.n_trials for s in self.scores]))

    @property
    def balanced_accuracy(self) -> float:
        """Mean over scores of the balanced accuracy."""
        return float(np.mean([s.balanced_accuracy for s in self.scores]))

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
    n_subjects: int
    n_trials: int
    left_out: int
    results: dict[str, dict[str, SplitResult]]
    failures: dict[str, str] = field(default_factory=dict)
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    confounded: tuple[str, ...] = ()
    """People of whom each run holds one class."""
    stopped: bool = False
    """Whether a user stopped it: what is missing was not computed, and is among the failures."""

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
            "n_subjects": self.n_subjects,
            "n_trials": self.n_trials,
            "left_out": self.left_out,
            "recommended": self.task.recommended,
            "results": {
                decoder: {split: found.to_dict() for split, found in splits.items()}
                for decoder, splits in self.results.items()
            },
            "failures": dict(self.failures),
            "stopped": self.stopped,
            "one_class_a_run": list(self.confounded),
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
        Names of `bcikit.decoding.evaluation.splits.DEFINITIONS`; the usual ones that the data allow if left out.
    seed : int
        Of the shuffled folds.
    jobs : int
        Processes; -1 for all cores.
    dask : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, to spread over machines.
    progress : callable, optional
        Called with (jobs done, jobs).

    Raises
    ------
    DataError
        If the data do not allow a split that was asked for.
    """
    wanted = wanted_splits(splits, data, name=task.name)
    keys: list[tuple[str, str, tuple[str, ...]]] = []
    work: list[tuple[Any, ...]] = []
    for split in wanted:
        for part in parts_of(those_able(split, data, name=task.name), split):
            for names in families(decoders, task, part.trials.sfreq):
                keys.append((split, part.who, names))
                work.append(([(name, task.decoder_params(name)) for name in names], part, seed))
    order = sorted(range(len(work)), key=lambda place: -len(work[place][1].trials))
    done = run_jobs(evaluate_part, [work[place] for place in order], jobs=jobs, dask=dask, progress=progress)
    outcomes = dict(zip(order, done, strict=True))
    results: dict[str, dict[str, SplitResult]] = {decoder: {} for decoder in decoders}
    failures: dict[str, str] = {}
    stopped = False
    collected: dict[tuple[str, str], dict[str, list[Scores]]] = {}
    for place, (split, who, names) in enumerate(keys):
        found_here = [STOPPED] * len(names) if outcomes[place] is STOPPED else outcomes[place]
        stopped = stopped or outcomes[place] is STOPPED
        for decoder, outcome in zip(names, found_here, strict=True):
            if isinstance(outcome, str):
                failures[f"{decoder}, {split}, {who}"] = outcome
            else:
                collected.setdefault((decoder, split), {}).setdefault(who, []).append(outcome)
    for decoder in decoders:
        for split in wanted:
            found = collected.get((decoder, split))
            if found is not None:
                people = [one.subject for one in those_able(split, data)]
                values = values_of(found, task.metric, split, people)
                for who in people if split == "cross-subject" else found:
                    if who not in values:
                        why = f"no {task.metric}: what was decided is of one class"
                        failures[f"{decoder}, {split}, {who}"] = why
                if values:
                    scores = tuple(one for parts in found.values() for one in parts)
                    results[decoder][split] = SplitResult(values=values, scores=scores)
    return TaskResult(
        task=task,
        n_subjects=len(data),
        n_trials=sum(len(one.trials) for one in data),
        left_out=sum(one.left_out for one in data),
        results={decoder: found for decoder, found in results.items() if found},
        failures=failures,
        absent={one.subject: one.absent for one in data if one.absent},
        confounded=tuple(one.subject for one in data if runs_hold_one_class(one.trials)),
        stopped=stopped,
    )


def families(decoders: Sequence[str], task: Task, sfreq: float) -> list[tuple[str, ...]]:
    """Return the decoders in groups that take the same matrices of a trial: each group is one job."""
    found: dict[str, list[str]] = {}
    for name in decoders:
        found.setdefault(family_of(name, task.decoder_params(name), sfreq), []).append(name)
    return [tuple(names) for names in found.values()]


def family_of(name: str, params: Mapping[str, Any], sfreq: float) -> str:
    """Return a name of the matrices that a decoder takes of a trial; its own where it takes the trial."""
    try:
        return str(make_decoder(name, sfreq=sfreq, **params).preparation())
    except (AttributeError, BciError, TypeError, ValueError):
        # It takes trials as they are, or cannot be made, which its own job will say.
        return name


def evaluate_part(
    decoders: Sequence[tuple[str, Mapping[str, Any]]],
    part: SplitPart,
    seed: int,
    *,
    prepare: Callable[[Any], Prepared | None] | None = None,
    trials: Callable[[], Epochs] | None = None,
    calibration: str = "temperature",
) -> list[Scores | str]:
    """Return the scores of several decoders under one split, or why there are none; each for itself.

    What decoders have in common is computed once: the matrices of each trial, and, for each fold, means and tangent
    vectors.

    Parameters
    ----------
    decoders : sequence of (name, parameters)
        What to evaluate.
    part : SplitPart
        Trials and folds.
    seed : int
        Of shuffled folds.
    prepare : callable, optional
        Returns what a decoder's `prepare` makes of the trials of the part, where that is kept somewhere.
    trials : callable, optional
        Returns the trials with their signals, where those of the part have none.
    calibration : str
        See `cross_validate`; "none" where only decisions and ranks are asked for.
    """
    made: dict[str, Prepared | None] = {}

    def prepared(decoder: Any) -> Prepared | None:
        name = decoder.preparation()
        if name not in made:
            made[name] = decoder.prepare(part.trials.X) if prepare is None else prepare(decoder)
        return made[name]

    def whole() -> Epochs:
        return part.trials if trials is None else trials()

    with remembering(results=len(decoders) > 1):
        return [
            _evaluate_one(name, dict(params), part, seed, prepared, whole, calibration) for name, params in decoders
        ]


def _evaluate_one(
    name: str,
    params: dict[str, Any],
    part: SplitPart,
    seed: int,
    prepared: Callable[[Any], Prepared | None],
    whole: Callable[[], Epochs],
    calibration: str,
) -> Scores | str:
    """Return the scores, or why there are none; an error of one decoder must not end the evaluation of the others."""
    try:
        decoder = make_decoder(name, sfreq=part.trials.sfreq, **params)
        if isinstance(decoder, CovarianceDecoder):
            ready = prepared(decoder)
            if ready is not None:
                with contextlib.suppress(RankError):
                    return _decide(decoder, part, part.trials, seed, ready, calibration)
        trials = whole()
        if decoder.min_trials == 0 and "frequencies" in params and part.mode != "fixed":
            # Decoders without training know targets only.
            trials = trials.take(np.isin(trials.y, list(params["frequencies"])))
        return _decide(decoder, part, trials, seed, None, calibration)
    except (DataError, ValueError, np.linalg.LinAlgError) as error:
        return f"{type(error).__name__}: {error}"


def _decide(
    decoder: Any, part: SplitPart, trials: Epochs, seed: int, ready: Prepared | None, calibration: str
) -> Scores:
    if part.mode == "fixed":
        assert part.train is not None
        assert part.test is not None
        return hold_out(decoder, trials, part.train, part.test, seed=seed, prepared=ready, calibration=calibration)
    return cross_validate(decoder, trials, split=part.mode, seed=seed, prepared=ready, calibration=calibration)
