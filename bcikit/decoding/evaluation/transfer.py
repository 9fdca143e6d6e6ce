"""How much calibration a person needs: accuracy against own labelled trials, with and without other people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.calibration import scores_of
from bcikit.decoding.centre import FeatureRecentring, Recentring, followed
from bcikit.decoding.evaluation.task import SubjectTrials, Task
from bcikit.decoding.metrics import roc_auc
from bcikit.decoding.model import Model
from bcikit.decoding.population import (
    MemberTrials,
    Mixture,
    common_channels,
    expectation,
    fit_population,
    fitting,
    on_channels,
)
from bcikit.decoding.registry import make_decoder
from bcikit.decoding.scores import followed_scores
from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError

Array = NDArray[np.float64]

SIZES = (0, 2, 5, 8, 10, 20, 40, 80)
"""Own labelled trials a class."""

WAYS = ("others", "others, re-centred", "own", "others and own")
LOOKED_AT = (0, 4, 8, 16)
"""First windows of a person, without labels, that re-centring looks at before anything is decided."""

FOLLOWING = "all before"
"""Re-centring as a session does it: on every window of the person that came before the one that is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCurve:
    """Accuracy against own labelled trials.

    Attributes
    ----------
    metric : str
        "accuracy" or "auc".
    people : tuple of str
        Who was decided; sessions of one person where there is one only.
    sizes : tuple of int
        Own labelled trials a class.
    values : dict of str to list of list of (float or None)
        Way (`WAYS`) to a list a person of the value at each size; None where the way needs more trials.
    unlabelled : dict of str to list of float
        What the others reach without one label, a value a person: after so many windows of `LOOKED_AT`, each on the
        windows after the last of these, and under `FOLLOWING` on all windows from the first.
    """

    metric: str
    people: tuple[str, ...]
    sizes: tuple[int, ...]
    values: dict[str, list[list[float | None]]]
    unlabelled: dict[str, list[float]]
    whose: str = "people"
    """"people", or "sessions" of one person."""

    def band(self, way: str, place: int) -> tuple[float, float, float] | None:
        """Return mean and 95 % confidence limits over people at one size; None where nobody has a value."""
        return band_of([row[place] for row in self.values[way]])

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        rows = {
            way: [
                None if band is None else dict(zip(("mean", "low", "high"), band, strict=True))
                for band in (self.band(way, place) for place in range(len(self.sizes)))
            ]
            for way in self.values
        }
        return {
            "metric": self.metric,
            "people": list(self.people),
            "people_are": self.whose,
            "trials_a_class": list(self.sizes),
            "curves": rows,
            "by_person": {way: [_known(row) for row in found] for way, found in self.values.items()},
            "unlabelled": {way: _known(row) for way, row in self.unlabelled.items()},
            "without_calibration": expectation(self.unlabelled[FOLLOWING], metric=self.metric),
        }


def _known(values: Sequence[float | None]) -> list[float | None]:
    """Return values as JSON has them: None for an AUC of trials of one class."""
    return [value if value is not None and np.isfinite(value) else None for value in values]


def band_of(found: Sequence[float | None]) -> tuple[float, float, float] | None:
    """Return mean and 95 % confidence limits (Student's) of values of people; None where nobody has one."""
    known = [value for value in found if value is not None and np.isfinite(value)]
    if not known:
        return None
    mean = float(np.mean(known))
    if len(known) < 2:
        return mean, mean, mean
    from scipy.stats import t

    reach = float(t.ppf(0.975, len(known) - 1) * np.std(known, ddof=1) / np.sqrt(len(known)))
    return mean, max(0.0, mean - reach), min(1.0, mean + reach)


def transfer_curve(
    task: Task,
    data: Sequence[SubjectTrials],
    decoder: str,
    *,
    sizes: Sequence[int] = SIZES,
    progress: Callable[[int, int], None] | None = None,
) -> TransferCurve:
    """Decide each person with the others' trials and with more and more of their own.

    All points of a person are decided on the same trials: those after the first `sizes` of each class, at least two
    fifths of all. Own trials are the first ones, in the order of time.

    Parameters
    ----------
    task : Task
        Says metric and parameters.
    data : sequence of SubjectTrials
        From `load_task`; with one person, their sessions take the place of people.
    decoder : str
        Name.
    sizes : sequence of int
        Own labelled trials a class.
    """
    people = fitting(people_of(data), classes=True)
    if len(people) < 2:
        raise DataError("A transfer curve needs at least two people, or two sessions of one person.")
    for one in people:
        lacking = sorted({label for other in people for label in other.trials.counts()} - one.trials.counts().keys())
        if lacking:
            raise DataError(
                f"{one.code} has no trial of {', '.join(lacking)}; a transfer curve needs each class of each."
            )
    names = common_channels(people)
    people = [replace(one, trials=on_channels(one.trials, names)) for one in people]
    made = make_decoder(decoder, sfreq=people[0].trials.sfreq, **task.decoder_params(decoder))
    smallest = min(min(one.trials.counts().values()) for one in people)
    steps = tuple(size for size in sorted(set(sizes)) if size <= 0.6 * smallest)
    values: dict[str, list[list[float | None]]] = {way: [] for way in WAYS}
    unlabelled: dict[str, list[float]] = {}
    for number, one in enumerate(people):
        rest = [other for other in people if other is not one]
        moved = _fit_others(made, rest, task.metric, recentre=True)
        row = _one(made, one, rest, moved, steps, task.metric)
        for way in WAYS:
            values[way].append(row[way])
        for key, value in _unlabelled(moved, on_channels(one.trials, moved.sheet.ch_names), task.metric).items():
            unlabelled.setdefault(key, []).append(value)
        if progress is not None:
            progress(number + 1, len(people))
    return TransferCurve(
        metric=task.metric,
        people=tuple(one.code for one in people),
        sizes=steps,
        values=values,
        unlabelled=unlabelled,
        whose="people" if len(data) > 1 else "sessions",
    )


def people_of(data: Sequence[SubjectTrials]) -> list[MemberTrials]:
    """Return the people of an evaluation; the sessions of one, where there is one only."""
    if len(data) > 1:
        return [MemberTrials(code=one.subject, trials=one.trials) for one in data]
    if not data:
        return []
    one = data[0]
    return [
        MemberTrials(code=f"{one.subject}, session {session + 1}", trials=one.trials.take(one.sessions == session))
        for session in np.unique(one.sessions)
    ]


def _one(
    made: Any, one: MemberTrials, rest: Sequence[MemberTrials], moved: Model, steps: Sequence[int], metric: str
) -> dict[str, list[float | None]]:
    from sklearn.base import clone

    plain = _fit_others(made, rest, metric, recentre=False)
    trials = on_channels(one.trials, moved.sheet.ch_names)
    order = [np.flatnonzero(trials.y == name) for name in moved.classes]
    largest = max(steps)
    test = np.sort(np.concatenate([rows[largest:] for rows in order]))
    # Re-centring has seen what came before the test, without its labels, whatever was labelled of it.
    model, mapped = recentred(moved, trials.X, first=max(int(test[0]), LOOKED_AT[1]))
    others = _metric(plain.probabilities(trials.X[test]), trials, test, plain.classes, metric)
    centred_others = _metric(model.probabilities(mapped[test]), trials, test, model.classes, metric)
    # Re-centring helps some tasks and harms others: the other people, each left out, say which for the mixture.
    base, seen, without = plain, trials.X, others
    if _helps(plain, moved):
        base, seen, without = model, mapped, centred_others
    found: dict[str, list[float | None]] = {way: [] for way in WAYS}
    for size in steps:
        own = np.sort(np.concatenate([rows[:size] for rows in order])) if size else np.empty(0, dtype=np.intp)
        found["others"].append(others)
        found["others, re-centred"].append(centred_others)
        enough = size >= max(getattr(made, "min_trials", 5), 2)
        value = None
        if enough:
            fitted = clone(made).fit(trials.X[own], trials.y[own])
            value = _metric(scores_of(fitted, trials.X[test]), trials, test, tuple(map(str, fitted.classes_)), metric)
        found["own"].append(value)
        both = without
        if size:
            mixture = Mixture(others=base).fit(seen[own], trials.y[own])
            both = _metric(mixture.decision_scores(seen[test]), trials, test, base.classes, metric)
        found["others and own"].append(both)
    return found


def _helps(plain: Model, moved: Model) -> bool:
    """Return whether people who were left out are better off re-centred, by more than one standard error."""
    gains = np.subtract(moved.sheet.expected.get("people", []), plain.sheet.expected.get("people", []))
    return len(gains) > 1 and bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def recentred(model: Model, X: Array, *, first: int) -> tuple[Model, Array]:
    """Return a model that was centred on the first windows of a person, and the windows as it wants them."""
    copy = model.copy()
    if "features" in model.centres:
        centre = FeatureRecentring(model.centres["features"], rate=1e-9, trust=model.estimator.trust_)
        if first:
            centre.update(copy.estimator.features(X[:first]))
        copy.shift = centre.shift
        return copy, X
    if not first:
        return copy, X
    signals = Recentring(model.centres["windows"], rate=1e-9)
    signals.update(X[:first])
    return copy, signals.mapping @ X


def _unlabelled(model: Model, trials: Epochs, metric: str) -> dict[str, float]:
    """Return what a model of others reaches without a label, by how many windows re-centring has seen."""
    found = {}
    last = min(max(LOOKED_AT), len(trials.X) // 2)
    test = np.arange(last, len(trials.X))
    for first in LOOKED_AT:
        moved, mapped = recentred(model, trials.X, first=min(first, last))
        found[str(first)] = _metric(moved.probabilities(mapped[test]), trials, test, model.classes, metric)
    everything = np.arange(len(trials.X))
    found[FOLLOWING] = _metric(followed_probabilities(model, trials.X), trials, everything, model.classes, metric)
    return found


def followed_probabilities(model: Model, X: Array) -> Array:
    """Return probabilities of one person's windows, each decided after the centre has followed those before it.

    Parameters
    ----------
    model : Model
        Of other people.
    X : ndarray, shape (n, n_channels, n_times)
        In the model's channels, in the order in which they came.
    """
    if "features" in model.centres:
        found: Array = model.calibrator.predict_proba(followed_scores(model.estimator, X))
        return found
    return model.probabilities(followed(X, model.centres["windows"]))


def _fit_others(made: Any, rest: Sequence[MemberTrials], metric: str, *, recentre: bool) -> Model:
    from sklearn.base import clone

    if len(rest) > 1:
        return fit_population(clone(made), rest, recentre=recentre, metric=metric)
    return Model.fit(clone(made), rest[0].trials)


def _metric(scores: Array, trials: Epochs, test: NDArray[np.intp], classes: tuple[str, ...], metric: str) -> float:
    if metric == "auc":
        values = np.log(np.maximum(scores, 1e-12)) if scores.min() >= 0 and scores.max() <= 1 else scores
        return roc_auc(trials.y[test], values, classes)
    return float(np.mean(np.asarray(classes)[scores.argmax(axis=1)] == trials.y[test]))
