"""Models of many people, for somebody who was never recorded; and how own trials take over from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.alike import misfits, say_left_out
from bcikit.decoding.calibration import RUN_CORRELATION, make_calibrator, scores_of
from bcikit.decoding.centre import Recentring, centre_of, followed
from bcikit.decoding.estimator import Centring, Decoder
from bcikit.decoding.metrics import roc_auc
from bcikit.decoding.model import Model
from bcikit.decoding.scores import Scores, held_out_scores, make_folds
from bcikit.decoding.spd import mean_riemann
from bcikit.decoding.trials import Epochs, join
from bcikit.signal import ArgumentError, DataError, check_choice
from bcikit.signal.places import user_place

Array = NDArray[np.float64]

WEIGHTS = np.linspace(0.0, 1.0, 11)
"""Shares of the own decoder that are tried."""

SLOPES = np.exp(np.linspace(-1.5, 1.5, 13))
"""Slopes at which each is looked at."""

EQUAL_OWN, PRIOR_SPREAD = 80.0, 0.25
"""Own trials a class at which the own decoder is expected to weigh as much as the others, and how surely."""

LEAST_OWN = 5
"""Own trials a class below which nothing but the others decides."""


def population_folder() -> Path:
    """Return the folder in which models of many people are kept for this user."""
    return user_place("data") / "populations"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MemberTrials:
    """The trials of one person.

    Attributes
    ----------
    code : str
        Who; a code, never a name.
    trials : Epochs
        Their trials.
    device : str
        Name of the stream they were recorded with.
    """

    code: str
    trials: Epochs
    device: str = ""


def common_channels(people: Sequence[MemberTrials]) -> tuple[str, ...]:
    """Return the channels that everybody has, in the order of the first, matched without regard to case.

    Raises
    ------
    DataError
        If there is none.
    """
    shared = set.intersection(*({name.lower() for name in one.trials.ch_names} for one in people))
    names = tuple(name for name in people[0].trials.ch_names if name.lower() in shared)
    if not names:
        raise DataError("These people have no channel in common; a population needs at least one.")
    return names


def fitting(people: Sequence[MemberTrials], *, classes: bool = False) -> list[MemberTrials]:
    """Return the people who can be put together; of the others it is warned.

    Parameters
    ----------
    classes : bool
        Whether each person needs trials of each class.
    """
    lost = misfits([one.trials for one in people], classes=classes)
    say_left_out({people[place].code: why for place, why in lost.items()}, len(people), where="across people")
    return [one for place, one in enumerate(people) if place not in lost]


def on_channels(trials: Epochs, names: Sequence[str]) -> Epochs:
    """Return trials with some channels, under the names given, matched without regard to case."""
    own = {name.lower(): name for name in trials.ch_names}
    return replace(trials.pick([own[name.lower()] for name in names]), ch_names=tuple(names))


def centred(trials: Epochs, reference: Array, *, first: int | None = None) -> Epochs:
    """Return trials of one person mapped so that their mean covariance is `reference`.

    Parameters
    ----------
    trials : Epochs
        Of one person.
    reference : ndarray, shape (n_channels, n_channels)
        Where to.
    first : int, optional
        Only so many of the first trials, whose labels nobody needs, say where from; all if left out.
    """
    centre = Recentring(reference, rate=1e-9)
    centre.update(trials.X[:first])
    return replace(trials, X=centre.mapping @ trials.X)


def fit_population(
    decoder: Any,
    people: Sequence[MemberTrials],
    *,
    recentre: bool = True,
    metric: str = "accuracy",
    filters: Sequence[Any] = (),
    reject: float = 0.0,
    intended_use: str = "",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Model:
    """Return a model of many people, with what a new person may expect of it.

    Each person's trials are re-centred on the mean of all, so that what differs between heads and caps, but not between
    classes, is taken out; a new person's windows are to be re-centred, too (`recentre` of a session). Probabilities and
    the expectation come from people who were left out, each decided by a decoder of the others and re-centred by the
    windows that came before, as a new person is: 90 % of new people lie within ``low`` and ``high`` of the sheet, if
    they are drawn from the same kind (Student's prediction interval).

    Parameters
    ----------
    decoder : estimator
        Unfitted.
    people : sequence of MemberTrials
        At least two; channels that not everybody has are left out.
    recentre : bool
        False leaves people as they are. Decoders that no linear mixture of the channels changes (canonical
        correlations) are centred by their features (`FeatureRecentring`), all others by the signals.
    metric : {"accuracy", "auc"}
        Of the expectation.
    filters, reject, intended_use, seed
        See `Model.fit`.
    progress : callable, optional
        Called with (steps done, steps).
    """
    check_choice("metric", metric, ("accuracy", "auc"))
    if len(people) < 2:
        raise DataError(f"A population needs at least two people; there is {len(people)}.")
    people = fitting(people)
    names = common_channels(people)
    parts = [on_channels(one.trials, names) for one in people]
    # A decoder that is centred by its features has no use for a map of the signals.
    by_features = recentre and isinstance(decoder, Centring)
    by_signals = recentre and not by_features
    reference = mean_riemann(np.stack([centre_of(part.X) for part in parts])) if by_signals else None
    mapped = parts if reference is None else [centred(part, reference) for part in parts]
    together = join(mapped, groups=list(range(len(parts))))
    live = None if reference is None else np.concatenate([followed(part.X, reference) for part in parts])
    model = Model.fit(
        decoder,
        together,
        split="leave-group-out",
        reject=reject,
        filters=filters,
        intended_use=intended_use,
        seed=seed,
        people=by_features,
        live=live,
        progress=progress,
    )
    assert model.scores is not None
    if reference is not None:
        model.centres = {"windows": reference}
    expected = expectation([_value(model.scores, fold, metric) for fold in range(len(parts))], metric=metric)
    model.sheet = model.sheet.replace(
        people=tuple(one.code for one in people),
        devices=tuple(sorted({one.device for one in people if one.device})),
        expected=expected and expected | {"followed": recentre},
    )
    return model


def _value(scores: Scores, fold: int, metric: str) -> float:
    held = scores.folds == fold
    if metric == "auc":
        return roc_auc(scores.y_true[held], scores.scores[held], scores.classes)
    return float(np.mean(scores.y_true[held] == scores.y_pred[held]))


def expectation(values: Sequence[float], *, metric: str) -> dict[str, Any]:
    """Return mean over people and Student's 90 % prediction interval for one more, within 0 and 1.

    Who has no value (an AUC of trials of one class) is left out; where nobody has one it is empty.
    """
    from scipy.stats import t

    known = [float(value) for value in values if np.isfinite(value)]
    n = len(known)
    if not n:
        return {}
    mean = float(np.mean(known))
    reach = float(t.ppf(0.95, n - 1) * np.std(known, ddof=1) * np.sqrt(1 + 1 / n)) if n > 1 else 1.0
    return {
        "metric": metric,
        "value": mean,
        "low": max(0.0, mean - reach),
        "high": min(1.0, mean + reach),
        "people": known,
    }


class Mixture(Decoder):
    """The decoder of the others and the person's own, their log-probabilities averaged.

    ``score = (1 - weight) log p_others + weight log p_own``, both as if the classes were as frequent as among the
    others. The weight is the mean of its posterior. Its prior grows with n own trials of the rarest class,
    ``n / (n + 80)`` (`EQUAL_OWN`): few lucky trials do not take over from many people, nor do people hold back whoever
    has many. Its likelihood is that of the person's own trials, each held out of the own decoder (nested validation),
    at the slope that suits each weight best (a decoder that is too sure shall not lose its say, only its slope), with
    the design effect of trials of one run (`bcikit.decoding.calibration`). Below `LEAST_OWN` trials a class it is zero.

    Parameters
    ----------
    others : Model
        Of other people, or of earlier sessions.
    n_folds : int
        Folds of the own trials, blocks in time.

    Attributes
    ----------
    weight_ : float
        Share of the own decoder.
    """

    min_trials = 0
    needs_every_class = False

    def __init__(self, *, others: Any, n_folds: int = 5) -> None:
        self.others = others
        self.n_folds = n_folds

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:  # noqa: ARG002
        """Return the classes of the others."""
        return np.asarray(self.others.classes)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from the person's own trials, mapped to the centre of the others where they are."""
        from sklearn.base import clone

        data = np.asarray(X, dtype=np.float64)
        labels = np.asarray(y).astype(str)
        strange = sorted(set(labels) - set(self.others.classes))
        if strange:
            raise ArgumentError(f"{', '.join(strange)} is no class of the others ({', '.join(self.others.classes)}).")
        self.classes_ = np.asarray(self.others.classes)
        self.n_channels_, self.n_times_ = data.shape[1:]
        self.n_features_in_ = self.n_channels_
        self.weight_, self.own_, self.calibrator_ = 0.0, None, None
        counts = [int(np.sum(labels == name)) for name in self.classes_]
        if min(counts) < max(LEAST_OWN, getattr(self.others.estimator, "min_trials", 0)):
            return self
        plain = clone(self.others.estimator)
        _, folds = make_folds(labels, None, split="blocked", n_folds=self.n_folds)
        scores = held_out_scores(plain, data, labels, folds)
        index = np.searchsorted(self.classes_, labels)
        own = np.empty_like(scores)
        for fold in np.unique(folds):
            held = folds == fold
            fitted = make_calibrator("temperature").fit(scores[~held], index[~held], folds[~held])
            own[held] = fitted.predict_proba(scores[held])
        shown = np.array([max(1, self.others.sheet.n_trials.get(name, 1)) for name in self.classes_], dtype=np.float64)
        self.offset_ = np.log(shown / shown.sum()) - np.log(np.asarray(counts) / len(labels))
        others = np.log(np.maximum(self.others.probabilities(data), 1e-9)) - self.offset_
        prior = min(counts) / (min(counts) + EQUAL_OWN)
        self.weight_ = _weight(others, np.log(np.maximum(own, 1e-9)), index, prior)
        self.calibrator_ = make_calibrator("temperature").fit(scores, index, folds)
        self.own_ = plain.fit(data, labels)
        return self

    def _scores(self, data: Array) -> Array:
        found = np.log(np.maximum(self.others.probabilities(data), 1e-9))
        if self.own_ is None or self.calibrator_ is None or self.weight_ == 0.0:
            return found
        own = np.log(np.maximum(self.calibrator_.predict_proba(scores_of(self.own_, data)), 1e-9))
        return (1.0 - self.weight_) * found + self.weight_ * (own + self.offset_)


def _weight(others: Array, own: Array, index: NDArray[np.intp], prior: float) -> float:
    """Return the mean weight of the own decoder, given its prior and what held-out trials say of each weight."""
    rows = np.arange(len(index))
    losses = np.empty(len(WEIGHTS))
    for place, weight in enumerate(WEIGHTS):
        mixed = (1.0 - weight) * others + weight * own
        mixed = mixed - mixed.max(axis=1, keepdims=True)
        sloped = SLOPES[:, None, None] * mixed
        at_slopes = np.log(np.exp(sloped).sum(axis=2)) - sloped[:, rows, index]
        losses[place] = at_slopes.sum(axis=1).min()
    log_posterior = -losses / (1.0 + (len(index) - 1.0) * RUN_CORRELATION)
    log_posterior -= 0.5 * ((WEIGHTS - prior) / PRIOR_SPREAD) ** 2
    posterior = np.exp(log_posterior - log_posterior.max())
    return float(WEIGHTS @ posterior / posterior.sum())
