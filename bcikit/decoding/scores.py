"""Cross-validation that keeps runs apart, and what it found."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.calibration import make_calibrator, scores_of
from bcikit.decoding.centre import FeatureRecentring
from bcikit.decoding.chance import accuracy_interval, balanced_bound, chance_interval, guesser_bound, guessing
from bcikit.decoding.estimator import Centring, check_trials, classes_of, knowing_channels
from bcikit.decoding.mean import around
from bcikit.decoding.metrics import (
    brier,
    calibration_interval,
    confusion,
    coverage,
    debiased_calibration_error,
    ece,
    ece_of_perfect,
    itr,
    nmcc,
    reliability,
    roc_auc,
)
from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError, check_choice, check_int
from bcikit.signal.shown import Shown, listed

if TYPE_CHECKING:
    from bcikit.decoding.riemann import Prepared

Array = NDArray[np.float64]
SPLITS = ("auto", "leave-group-out", "shuffled", "blocked")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Scores(Shown):
    """Held-out decisions and what they are worth.

    Attributes
    ----------
    split : str
        "leave-group-out", "shuffled" or "blocked".
    classes : tuple of str
        Columns of `probabilities`.
    y_true, y_pred : ndarray of str, shape (n_trials,)
        Truth and decision, in the order of the epochs.
    scores : ndarray, shape (n_trials, n_classes)
        Held-out scores before calibration.
    probabilities : ndarray, shape (n_trials, n_classes)
        Calibrated by the scores of the other folds.
    folds : ndarray of int, shape (n_trials,)
        Fold in which each trial was held out.
    seconds : float
        Length of a window, for the information transfer rate.
    notes : tuple of str
        What a reader must know: overlaps, zero-phase filters.
    """

    split: str
    classes: tuple[str, ...]
    y_true: NDArray[np.str_]
    y_pred: NDArray[np.str_]
    scores: Array
    probabilities: Array
    folds: NDArray[np.int64]
    seconds: float
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        line = f"{self.accuracy:.3f} right of {self.n_trials} trials (chance up to {self.chance_upper:.3f})"
        return line, {
            "classes": listed(map(str, self.classes)),
            "balanced accuracy": f"{self.balanced_accuracy:.3f}",
            "kappa": f"{self.kappa:.3f}",
            "folds": ", ".join(f"{value:.2f}" for value in self.fold_accuracies),
        }

    @property
    def n_trials(self) -> int:
        """Trials decided."""
        return len(self.y_true)

    @property
    def accuracy(self) -> float:
        """Share of correct decisions."""
        return float(np.mean(self.y_true == self.y_pred))

    @property
    def balanced_accuracy(self) -> float:
        """Mean over classes of the share of correct decisions."""
        present = [c for c in self.classes if np.any(self.y_true == c)]
        return float(np.mean([np.mean(self.y_pred[self.y_true == c] == c) for c in present]))

    @property
    def kappa(self) -> float:
        """Cohen's kappa."""
        both = np.unique(np.concatenate([self.y_true, self.y_pred]))
        table = confusion(self.y_true, self.y_pred, both) / self.n_trials
        expected = float(table.sum(axis=1) @ table.sum(axis=0))
        return (float(np.trace(table)) - expected) / (1.0 - expected) if expected < 1.0 else math.nan

    @property
    def auc(self) -> float:
        """Area under the ROC curve, from the scores before calibration within each fold."""
        areas = [
            (roc_auc(self.y_true[self.folds == f], self.scores[self.folds == f], self.classes), np.sum(self.folds == f))
            for f in np.unique(self.folds)
        ]
        known = [(area, weight) for area, weight in areas if np.isfinite(area)]
        if not known:
            return roc_auc(self.y_true, self.scores, self.classes)
        return float(np.average([area for area, _ in known], weights=[weight for _, weight in known]))

    @property
    def nmcc(self) -> float:
        """Normalised Matthews correlation."""
        return nmcc(self.y_true, self.y_pred)

    @property
    def itr(self) -> float:
        """Bits a minute for decisions as long as the window, gaze shifts and pauses not counted."""
        return itr(self.accuracy, len(self.classes), self.seconds)

    @property
    def y_index(self) -> NDArray[np.intp]:
        """True class as a column of `probabilities`."""
        return np.searchsorted(np.asarray(self.classes), self.y_true)

    @property
    def ece(self) -> float:
        """Expected calibration error of `probabilities`."""
        return ece(self.y_index, self.probabilities)

    @property
    def ece_expected(self) -> tuple[float, float]:
        """Mean and 95th percentile of `ece` if the probabilities were exactly right: what so few trials give anyway."""
        return ece_of_perfect(self.probabilities)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts, true class a row, decided class a column."""
        return confusion(self.y_true, self.y_pred, self.classes)

    @property
    def chance_upper(self) -> float:
        """Accuracy that a guesser, or who always says the commonest class, exceeds in one of twenty cases."""
        return guesser_bound(self.n_trials, self.guessing)

    @property
    def guessing(self) -> float:
        """Accuracy of guessing, or, where one class is clearly commoner, of always saying that."""
        return guessing([int(np.count_nonzero(self.y_true == name)) for name in self.classes])

    @property
    def fold_accuracies(self) -> tuple[float, ...]:
        """Accuracy of each fold."""
        hit = self.y_true == self.y_pred
        return tuple(float(hit[self.folds == f].mean()) for f in np.unique(self.folds))

    def of_fold(self, fold: int) -> "Scores":
        """Return the decisions about the trials of one fold."""
        held = self.folds == fold
        rows = ("y_true", "y_pred", "scores", "probabilities", "folds")
        return replace(self, **{name: getattr(self, name)[held] for name in rows})

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        n_correct = int(np.count_nonzero(self.y_true == self.y_pred))
        auc, kappa = self.auc, self.kappa
        return {
            "split": self.split,
            "n_trials": self.n_trials,
            "classes": list(self.classes),
            "accuracy": self.accuracy,
            "accuracy_interval": list(accuracy_interval(n_correct, self.n_trials)),
            "balanced_accuracy": self.balanced_accuracy,
            "kappa": kappa if np.isfinite(kappa) else None,
            "auc": auc if np.isfinite(auc) else None,
            "nmcc": self.nmcc,
            "itr": self.itr,
            "ece": self.ece,
            "ece_if_perfect": self.ece_expected[0],
            "ece_limit": self.ece_expected[1],
            "calibration_error": debiased_calibration_error(self.y_index, self.probabilities),
            "calibration_interval": list(calibration_interval(self.y_index, self.probabilities)),
            "brier": brier(self.y_index, self.probabilities),
            "chance_interval": list(chance_interval(self.n_trials, len(self.classes))),
            "chance_level": self.guessing,
            "chance_upper": self.chance_upper,
            "balanced_chance_upper": balanced_bound(self.confusion.sum(axis=1).tolist()),
            "fold_accuracies": list(self.fold_accuracies),
            "confusion": self.confusion.tolist(),
            "reliability": reliability(self.y_index, self.probabilities),
            "coverage": coverage(self.y_index, self.probabilities),
            "notes": list(self.notes),
            **self.extra,
        }


def together(scores: Sequence[Scores]) -> tuple[tuple[str, ...], NDArray[np.intp], Array]:
    """Return the classes of several evaluations, and truth and probabilities of all decisions as columns of these.

    Who has fewer classes than others never chooses the rest.
    """
    classes = tuple(sorted({name for one in scores for name in one.classes}))
    truth = np.searchsorted(np.asarray(classes), np.concatenate([one.y_true for one in scores]))
    probabilities = np.zeros((len(truth), len(classes)))
    row = 0
    for one in scores:
        probabilities[row : row + one.n_trials, [classes.index(name) for name in one.classes]] = one.probabilities
        row += one.n_trials
    return classes, truth, probabilities


def make_folds(
    y: NDArray[Any], groups: NDArray[Any] | None, *, split: str = "auto", n_folds: int = 5, seed: int = 0
) -> tuple[str, NDArray[np.int64]]:
    """Return the name of the split and the fold in which each trial is held out.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Labels.
    groups : ndarray, shape (n,), or None
        Run, session or subject of each trial.
    split : {"auto", "leave-group-out", "shuffled", "blocked"}
        "auto": leave one group out where there are two or more, else blocked. "blocked": consecutive pieces of each
        class, so that neighbours in time stay together. "shuffled": random stratified folds, kinder than real use.
    n_folds : int
        Folds of "shuffled" and "blocked"; at most the trials of the rarest class.
    seed : int
        For "shuffled".
    """
    check_choice("split", split, SPLITS)
    n_groups = 0 if groups is None else len(np.unique(groups))
    if split == "auto":
        split = "leave-group-out" if n_groups >= 2 else "blocked"
    if split == "leave-group-out":
        if groups is None or n_groups < 2:
            raise DataError("leave-group-out needs trials of at least two runs, sessions or subjects.")
        return split, np.unique(groups, return_inverse=True)[1].astype(np.int64)
    rarest = int(np.unique(y, return_counts=True)[1].min())
    n_folds = min(check_int("n_folds", n_folds, low=2), rarest)
    if n_folds < 2:
        raise DataError("cross-validation needs at least two trials of each class.")
    folds = np.empty(len(y), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        if split == "shuffled":
            rng.shuffle(rows)
            folds[rows] = np.arange(len(rows)) % n_folds
        else:
            folds[rows] = np.arange(len(rows)) * n_folds // len(rows)
    return split, folds


def cross_validate(
    decoder: Any,
    trials: Epochs,
    *,
    split: str = "auto",
    n_folds: int = 5,
    seed: int = 0,
    calibration: str = "temperature",
    minimum: int | None = None,
    prepared: "Prepared | None" = None,
    people: bool = False,
    live: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Decide every trial by a decoder that never saw its fold.

    Parameters
    ----------
    decoder : estimator
        Unfitted; cloned for each fold.
    trials : Epochs
        Trials with their runs.
    split, n_folds, seed
        See `make_folds`; runs are left out one by one where there are several.
    calibration : str
        Calibrator of the probabilities, fitted for each fold on the held-out scores of the others.
    minimum : int, optional
        Fewest trials a class; the decoder's own minimum if left out.
    prepared : Prepared, optional
        What `decoder.prepare` made of the trials, which are then not looked at.
    people, live
        See `bcikit.decoding.Model.fit`.
    progress : callable, optional
        Called with (folds done, folds).

    Raises
    ------
    DataError
        If there is one class, or a class has too few trials, or a training fold lacks a class.
    """
    decoder = knowing_channels(decoder, trials.info)
    least = getattr(decoder, "min_trials", 5) if minimum is None else minimum
    check_trials(trials.y, minimum=max(least, 2), who="cross-validation")
    name, folds = make_folds(trials.y, trials.groups, split=split, n_folds=n_folds, seed=seed)
    classes = classes_of(decoder, trials.y)
    scores = held_out_scores(
        decoder, trials.X, trials.y, folds, prepared=prepared, people=people, live=live, progress=progress
    )
    index = np.searchsorted(classes, trials.y)
    return Scores(
        split=name,
        classes=tuple(str(label) for label in classes),
        y_true=trials.y,
        y_pred=classes[scores.argmax(axis=1)],
        scores=scores,
        probabilities=_cross_calibrated(scores, index, folds, calibration),
        folds=folds,
        seconds=trials.tmax - trials.tmin,
        notes=_notes(trials, name, decoder),
    )


def hold_out(
    decoder: Any,
    trials: Epochs,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    *,
    seed: int = 0,
    calibration: str = "temperature",
    prepared: "Prepared | None" = None,
) -> Scores:
    """Decide some trials by a decoder that learnt from others; probabilities are calibrated on the latter alone.

    Parameters
    ----------
    decoder : estimator
        Unfitted.
    trials : Epochs
        All.
    train, test : ndarray of int
        Rows that teach, rows that are decided.
    seed, calibration, prepared
        See `cross_validate`.

    Raises
    ------
    DataError
        If rows are in both, or a class is not taught.
    """
    if np.intersect1d(train, test).size:
        raise DataError("Trials that teach must not be decided.")
    absent = np.setdiff1d(trials.y[test], trials.y[train])
    if absent.size and getattr(decoder, "needs_every_class", True):
        raise DataError(f"There is no trial of {', '.join(map(str, absent))} to learn from.")
    decoder = knowing_channels(decoder, trials.info)
    y = trials.y[train]
    classes = classes_of(decoder, y)
    calibrator = make_calibrator(calibration)
    if calibration != "none":
        _, inner = make_folds(y, trials.groups[train], n_folds=min(5, len(train)), seed=seed)
        if absent_in_a_fold(y, inner):
            _, inner = make_folds(y, None, split="blocked", seed=seed)
        known = None if prepared is None else prepared.take(train)
        signals = trials.X[train] if prepared is None else trials.X[:0]
        taught = held_out_scores(decoder, signals, y, inner, prepared=known)
        calibrator.fit(taught, np.searchsorted(classes, y), inner)
    rows = np.concatenate([train, test])
    fold = np.where(np.isin(rows, test), 0, -1)
    both = None if prepared is None else prepared.take(rows)
    data = trials.X[rows] if prepared is None else trials.X[:0]
    scores = held_out_scores(decoder, data, trials.y[rows], fold, prepared=both)[len(train) :]
    return Scores(
        split="fixed",
        classes=tuple(str(label) for label in classes),
        y_true=trials.y[test],
        y_pred=classes[scores.argmax(axis=1)],
        scores=scores,
        probabilities=calibrator.predict_proba(scores),
        folds=np.zeros(len(test), dtype=np.int64),
        seconds=trials.tmax - trials.tmin,
        notes=_notes(trials, "leave-group-out", decoder),
    )


def absent_in_a_fold(y: NDArray[Any], folds: NDArray[np.int64]) -> bool:
    """Tell whether some fold's training lacks a class."""
    n = len(np.unique(y))
    return any(len(np.unique(y[folds != fold])) < n for fold in np.unique(folds))


def held_out_scores(
    decoder: Any,
    X: Array,
    y: NDArray[Any],
    folds: NDArray[np.int64],
    *,
    prepared: "Prepared | None" = None,
    people: bool = False,
    live: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """Return scores of each trial by a clone fitted on the other folds, a column for each of `classes_of`.

    Trials of a fold below 0 only teach; their scores are NaN. `live` is what is decided in place of `X`.
    """
    from sklearn.base import clone

    classes = np.unique(y)
    scores = np.full((len(y), len(classes_of(decoder, y))), np.nan)
    names = np.unique(folds[folds >= 0])
    if prepared is not None and len(names) > 2:
        around(prepared.matrices)
    for done, fold in enumerate(names):
        held = folds == fold
        absent = np.setdiff1d(classes, y[~held])
        if absent.size and getattr(decoder, "needs_every_class", True):
            raise DataError(f"Without fold {fold} there is no trial of {', '.join(map(str, absent))} to learn from.")
        if people and isinstance(decoder, Centring):
            fitted = clone(decoder).fit(X[~held], y[~held], folds[~held])
            scores[held] = followed_scores(fitted, X[held])
        elif prepared is not None:
            fitted = clone(decoder).fit_prepared(prepared.take(~held), y[~held])
            scores[held] = fitted.prepared_scores(prepared.take(held))
        else:
            fitted = clone(decoder).fit(X[~held], y[~held])
            scores[held] = scores_of(fitted, (X if live is None else live)[held])
        if progress is not None:
            progress(done + 1, len(names))
    return scores


def followed_scores(fitted: Any, X: Array) -> Array:
    """Return the scores of one person's windows, features centred on the windows before, as a session does it live.

    Parameters
    ----------
    fitted : Decoder and Centring
        Fitted on others.
    X : ndarray, shape (n, n_channels, n_times)
        In the order in which they came.
    """
    features = fitted.features(X)
    centre = FeatureRecentring(fitted.centre_, rate=1e-9, trust=fitted.trust_)
    moved = np.empty_like(features)
    for place, row in enumerate(features):
        moved[place] = row - centre.shift
        centre.update(row[None])
    scores: Array = fitted.scores_from(moved)
    return scores


def _cross_calibrated(scores: Array, index: NDArray[np.intp], folds: NDArray[np.int64], calibration: str) -> Array:
    probabilities = np.empty_like(scores)
    for fold in np.unique(folds):
        held = folds == fold
        fitted = make_calibrator(calibration).fit(scores[~held], index[~held], folds[~held])
        probabilities[held] = fitted.predict_proba(scores[held])
    return probabilities


def _notes(trials: Epochs, split: str, decoder: Any) -> tuple[str, ...]:
    from bcikit.decoding.leakage import leaks

    said = str(getattr(decoder, "note", ""))
    return (*leaks(trials, split=split), *([said] if said else []))
