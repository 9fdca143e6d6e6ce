"""Splits: which trials teach and which are decided, each with its definition in words, and why one is impossible."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.alike import misfits, say_left_out
from bcikit.decoding.evaluation.task import SubjectTrials, Task
from bcikit.decoding.trials import Epochs, join
from bcikit.signal import ArgumentError, DataError

DEFINITIONS: Mapping[str, str] = {
    "shuffled": "trials of all runs mixed: kinder than real use, for comparison with others",
    "within-session": "five shuffled stratified folds in each session, as MOABB has it: kinder than real use",
    "leave-run-out": "each run decided by a decoder trained on the other runs of the person",
    "cross-session": "each session decided by a decoder trained on the other sessions of the person",
    "cross-subject": "each person decided by a decoder trained on the others",
    "few-shot": "the person's last third decided by a decoder trained on their first 5 trials of each class "
    "(few-shot-10: 10)",
    "learning-curve": "few-shot with 5, 10, 20, 40, ... trials of each class, all points decided on the same trials",
    "cross-data-set": "each data set of a study decided by a decoder trained on all people of its other data sets",
}
"""Every split, in words."""

USUAL = ("shuffled", "leave-run-out", "cross-session", "cross-subject")
"""What is evaluated where nothing is asked for, as far as the data allow it."""

SHOTS = 5
LAST = 3
"""One in so many trials, the last ones, are decided by few-shot splits."""

_FEW = re.compile(r"few-shot(?:-(\d+))?")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SplitPart:
    """Trials whose decisions belong to one person, or to all.

    Attributes
    ----------
    who : str
        The person; "all" where each group is a person.
    trials : Epochs
        In the groups of the split.
    mode : str
        Kind of folds (`make_folds`), or "fixed": trained on `train`, decided on `test`.
    train, test : ndarray of int
        Rows, where the mode is "fixed".
    """

    who: str
    trials: Epochs
    mode: str
    train: NDArray[np.intp] | None = None
    test: NDArray[np.intp] | None = None


def definition(split: str) -> str:
    """Return what a split is, in words.

    Raises
    ------
    ArgumentError
        If there is no such split.
    """
    few = _FEW.fullmatch(split)
    if few and few[1]:
        if int(few[1]) < 1:
            raise ArgumentError(f"split is {split!r}; few-shot needs at least one trial of each class: few-shot-5.")
        return f"the person's last third decided by a decoder trained on their first {few[1]} trials of each class"
    if split not in DEFINITIONS:
        raise ArgumentError(f"split is {split!r}; allowed: {', '.join((*DEFINITIONS, 'few-shot-N'))}.")
    return DEFINITIONS[split]


def check_asked(asked: Sequence[str], task: Task) -> None:
    """Refuse splits that the table of recordings alone rules out, before any of them is read.

    Raises
    ------
    ArgumentError
        If a name is unknown.
    DataError
        If there are too few people, sessions or runs.
    """
    problems = [why for split in dict.fromkeys(asked) if (why := _ruled_out(split, task))]
    if problems:
        raise DataError(f"{task.name}: {'; '.join(problems)}.")


def _ruled_out(split: str, task: Task) -> str:
    definition(split)
    people = Counter(run.subject for run in task.runs)
    sessions = Counter(who for who, _ in {(run.subject, run.session) for run in task.runs})
    if split == "cross-subject" and len(people) < 2:
        return f"{split} needs two people; there is one"
    for name, found in (("leave-run-out", people), ("cross-session", sessions)):
        if split == name and max(found.values(), default=0) < 2:
            return f"{split} needs {_needs(split)}; each has one"
    return ""


def why_not(split: str, data: Sequence[SubjectTrials], *, most: bool = False) -> str:
    """Return why these data do not allow a split; empty if they do, be it for some of the people only.

    Parameters
    ----------
    most : bool
        Whether it must be for at least half of them: what nobody asked for is not computed for a few.
    """
    definition(split)
    if split == "cross-data-set":
        return f"{split} needs a study file with two data sets of the same classes"
    unable = _unable(split, data)
    if split == "cross-subject":
        if len(data) < 2:
            return f"{split} needs two people; there is one"
        problem = _not_together([one for place, one in enumerate(data) if place not in unable])
        return f"{split} is not possible: {problem}" if problem else ""
    if len(unable) < len(data) and not (most and 2 * len(unable) > len(data)):
        return ""
    some = "; ".join(f"{data[place].subject} has {why}" for place, why in list(unable.items())[:5])
    return f"{split} needs {_needs(split)}; {some}" + ("; ..." if len(unable) > 5 else "")


def those_able(split: str, data: Sequence[SubjectTrials], *, name: str = "") -> list[SubjectTrials]:
    """Return the people whose trials allow a split; of the others it is warned where a name of the data is given."""
    unable = _unable(split, data)
    if name:
        needs = "" if split == "cross-subject" else f"needs {_needs(split)}, has "
        lost = {f"Person {data[place].subject}": f"{needs}{why}" for place, why in unable.items()}
        say_left_out(lost, len(data), where=f"of {split} ({name})")
    return [one for place, one in enumerate(data) if place not in unable]


def _needs(split: str) -> str:
    if split in ("leave-run-out", "cross-session"):
        return f"two {'runs' if split == 'leave-run-out' else 'sessions'} of each person"
    return f"{_shots(split)} trials of each class before the last third of each person's"


def _shots(split: str) -> int:
    found = _FEW.fullmatch(split)
    return int(found[1]) if found and found[1] else SHOTS


def _unable(split: str, data: Sequence[SubjectTrials]) -> dict[int, str]:
    """Return whose trials do not allow a split, by place, and what they have instead."""
    if split == "leave-run-out":
        return {place: "one" for place, one in enumerate(data) if len(np.unique(one.trials.groups)) < 2}
    if split == "cross-session":
        return {place: "one" for place, one in enumerate(data) if len(np.unique(one.sessions)) < 2}
    if split == "cross-subject":
        return misfits([one.trials for one in data])
    if split == "learning-curve" or _FEW.fullmatch(split):
        early = [_early(one) for one in data]
        return {
            place: str(least) for place, (order, least) in enumerate(early) if least < _shots(split) or not len(order)
        }
    return {}


def split_names(data: Sequence[SubjectTrials]) -> tuple[str, ...]:
    """Return the usual splits that these data allow."""
    return tuple(name for name in USUAL if not why_not(name, data, most=True))


def wanted_splits(asked: Sequence[str] | None, data: Sequence[SubjectTrials], *, name: str) -> tuple[str, ...]:
    """Return the splits to compute: those asked for, or all usual ones; a learning curve as its points.

    Raises
    ------
    ArgumentError
        If a name is unknown.
    DataError
        If the data do not allow one that was asked for.
    """
    if not asked:
        return split_names(data)
    problems = [why for split in dict.fromkeys(asked) if (why := why_not(split, data))]
    if problems:
        raise DataError(f"{name}: {'; '.join(problems)}. These data allow {', '.join(split_names(data))}.")
    found: list[str] = []
    for split in dict.fromkeys(asked):
        if split == "learning-curve":
            least = min(_early(one)[1] for one in those_able(split, data))
            steps = [SHOTS * 2**k for k in range(12) if SHOTS * 2**k <= least]
            found += [f"few-shot-{step}" for step in steps]
        else:
            found.append(f"few-shot-{SHOTS}" if split == "few-shot" else split)
    return tuple(dict.fromkeys(found))


def parts_of(data: Sequence[SubjectTrials], split: str) -> list[SplitPart]:
    """Return whose trials are decided under a split, and by folds of which kind."""
    if split == "shuffled":
        return [SplitPart(who=one.subject, trials=one.trials, mode="shuffled") for one in data]
    if split == "within-session":
        return [
            SplitPart(who=one.subject, trials=one.trials.take(one.sessions == session), mode="shuffled")
            for one in data
            for session in np.unique(one.sessions)
        ]
    if split == "leave-run-out":
        return [SplitPart(who=one.subject, trials=one.trials, mode="leave-group-out") for one in data]
    if split == "cross-session":
        return [SplitPart(who=one.subject, trials=one.grouped(one.sessions), mode="leave-group-out") for one in data]
    if few := _FEW.fullmatch(split):
        return [_few(one, int(few[1]) if few[1] else SHOTS) for one in data]
    return [SplitPart(who="all", trials=together(data, groups=list(range(len(data)))), mode="leave-group-out")]


def _not_together(data: Sequence[SubjectTrials]) -> str:
    """Return why trials of several people cannot be put together; empty if they can."""
    first = data[0].trials
    if not _shared(data):
        return "no channel is good in every person"
    for one in data[1:]:
        if one.trials.sfreq != first.sfreq or one.trials.n_times != first.n_times:
            return (
                f"person {data[0].subject} has {first.sfreq:g} Hz and {first.n_times} samples a trial, person "
                f"{one.subject} {one.trials.sfreq:g} Hz and {one.trials.n_times}: resample (a step of the pipeline)"
            )
    return ""


def _shared(data: Sequence[SubjectTrials]) -> tuple[str, ...]:
    """Return the channels that are good in every person, matched without regard to case."""
    # A channel that is bad in one person cannot be used for all.
    shared = set.intersection(*({name.lower() for name in one.trials.ch_names} for one in data))
    return tuple(name for name in data[0].trials.ch_names if name.lower() in shared)


def together(data: Sequence[SubjectTrials], *, groups: Sequence[int]) -> Epochs:
    """Return the trials of several people, each a group, on the channels that are good in all of them.

    Raises
    ------
    DataError
        If there is no such channel, or rates or lengths differ.
    """
    problem = _not_together(data)
    if problem:
        raise DataError(f"These people cannot be put together: {problem}.")
    common = _shared(data)
    return join([_on(one.trials, common) for one in data], groups=groups)


def _on(trials: Epochs, names: tuple[str, ...]) -> Epochs:
    """Return trials on some channels; those without signals, by which a split is planned, have only the names."""
    if trials.ch_names == names:
        return trials
    if trials.X.shape[1] == 0:
        return replace(trials, ch_names=names, positions=None)
    own = {name.lower(): name for name in trials.ch_names}
    return replace(trials.pick([own[name.lower()] for name in names]), ch_names=names)


def across(
    data: Sequence[SubjectTrials], others: Sequence[SubjectTrials], *, names: tuple[str, str]
) -> list[SplitPart]:
    """Return each person of a data set, decided by what was learnt from all people of others.

    Raises
    ------
    DataError
        If the data sets have no class or channel in common, or other rates or windows; naming both.
    """
    people = [*others, *data]
    trials = together_of(people, names=(names[1], names[0]), n_first=len(others))
    goal = set(np.concatenate([one.trials.y for one in data]).tolist())
    taught = set(np.concatenate([one.trials.y for one in others]).tolist())
    if goal != taught:
        raise DataError(
            f"cross-data-set: {names[0]} has the classes {', '.join(sorted(goal))}, {names[1]} has "
            f"{', '.join(sorted(taught))}; call them alike by 'events'."
        )
    train = np.flatnonzero(trials.groups < len(others))
    return [
        SplitPart(
            who=one.subject, trials=trials, mode="fixed", train=train,
            test=np.flatnonzero(trials.groups == len(others) + place),
        )
        for place, one in enumerate(data)
    ]  # fmt: skip


def together_of(people: Sequence[SubjectTrials], *, names: tuple[str, str], n_first: int) -> Epochs:
    """Return the trials of people of two data sets as one; what does not fit is said with the names of both."""
    first, other = people[0].trials, people[n_first].trials
    if first.sfreq != other.sfreq or first.n_times != other.n_times:
        raise DataError(
            f"cross-data-set: {names[0]} has {first.sfreq:g} Hz and {first.n_times} samples a trial, {names[1]} "
            f"{other.sfreq:g} Hz and {other.n_times}: give both the same window, and a pipeline that resamples."
        )
    if not set(first.ch_names) & set(other.ch_names):
        raise DataError(f"cross-data-set: {names[0]} and {names[1]} have no channel in common.")
    return together(people, groups=list(range(len(people))))


def _early(one: SubjectTrials) -> tuple[NDArray[np.intp], int]:
    """Return the rows before a person's last third, in the order of time, and how many the rarest class has there."""
    order = np.lexsort((one.trials.samples, one.trials.runs, one.sessions))
    early = order[: len(order) - len(order) // LAST]
    counts = [int(np.count_nonzero(one.trials.y[early] == name)) for name in np.unique(one.trials.y)]
    return early, min(counts)


def _few(one: SubjectTrials, shots: int) -> SplitPart:
    early, _ = _early(one)
    train = np.concatenate([early[one.trials.y[early] == name][:shots] for name in np.unique(one.trials.y)])
    test = np.setdiff1d(np.arange(len(one.trials)), early)
    return SplitPart(who=one.subject, trials=one.trials, mode="fixed", train=np.sort(train), test=test)


def values_of(found: Mapping[str, Sequence[Any]], metric: str, split: str, names: Sequence[str]) -> dict[str, float]:
    """Return a decoder's value of each person who has one; of the left-out people for "cross-subject".

    Trials of one class have no AUC.

    Parameters
    ----------
    found : mapping of str to sequence of Scores
        Scores of each person's parts; one entry "all" for "cross-subject".
    metric : str
        Attribute of `Scores`.
    names : sequence of str
        People, in the order of the groups.
    """
    if split != "cross-subject":
        each = {who: [getattr(scores, metric) for scores in parts] for who, parts in found.items()}
    else:
        (scores,) = found["all"]
        each = {name: [getattr(scores.of_fold(fold), metric)] for fold, name in enumerate(names)}
    known = {who: [value for value in values if np.isfinite(value)] for who, values in each.items()}
    return {who: float(np.mean(values)) for who, values in known.items() if values}
