"""Whether a decoder is above chance for sure, and how many trials are enough."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bcikit.decoding.calibration import scores_of
from bcikit.decoding.estimator import classes_of
from bcikit.decoding.scores import held_out_scores, make_folds
from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError, check_int


def learning_curve(
    decoder: Any,
    trials: Epochs,
    *,
    sizes: Sequence[int] | None = None,
    split: str = "auto",
    n_folds: int = 5,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Return the held-out accuracy with the first n trials of each class of the training folds.

    The first ones are taken, not random ones: that is what a shorter calibration would have been.

    Parameters
    ----------
    decoder : estimator
        Unfitted.
    trials : Epochs
        All trials.
    sizes : sequence of int, optional
        Trials a class; 5, 10, 15, 20, 30, 50, 100, ... up to what the training folds hold if left out.
    split, n_folds, seed
        See `bcikit.decoding.make_folds`.

    Returns
    -------
    list of dict
        ``trials`` a class, ``accuracy`` and ``spread`` (standard deviation over folds).
    """
    from sklearn.base import clone

    _, folds = make_folds(trials.y, trials.groups, split=split, n_folds=n_folds, seed=seed)
    classes = np.asarray(trials.classes)
    most = min(
        int(np.min([np.count_nonzero(trials.y[folds != fold] == c) for c in classes])) for fold in np.unique(folds)
    )
    least = max(getattr(decoder, "min_trials", 5), 2)
    steps = sorted({*(s for s in (5, 10, 15, 20, 30, 50, 100, 200, 400) if least <= s < most), most})
    curve = []
    for size in steps if sizes is None else [check_int("sizes", size, low=1, high=most) for size in sizes]:
        accuracies = []
        for fold in np.unique(folds):
            train = np.concatenate([np.flatnonzero((folds != fold) & (trials.y == c))[:size] for c in classes])
            fitted = clone(decoder).fit(trials.X[train], trials.y[train])
            scores = scores_of(fitted, trials.X[folds == fold])
            decided = np.asarray(fitted.classes_)[scores.argmax(axis=1)]
            accuracies.append(float(np.mean(decided == trials.y[folds == fold])))
        curve.append({"trials": size, "accuracy": float(np.mean(accuracies)), "spread": float(np.std(accuracies))})
    return curve


def enough_trials(curve: Sequence[dict[str, float]], *, within: float = 0.02) -> int:
    """Return the fewest trials a class whose accuracy is within `within` of the best of a learning curve."""
    if not curve:
        raise DataError("The learning curve is empty.")
    best = max(point["accuracy"] for point in curve)
    return int(next(point["trials"] for point in curve if point["accuracy"] >= best - within))


def permutation_test(
    decoder: Any,
    trials: Epochs,
    *,
    n_permutations: int = 100,
    split: str = "auto",
    n_folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[float, float]:
    """Return the held-out accuracy and the share of label permutations that do at least as well.

    Labels are permuted within runs only (a blocked test), so that what differs between runs helps nobody. The p value
    is ``(hits + 1) / (n + 1)`` (Phipson and Smyth 2010).

    Returns
    -------
    accuracy, p : float
    """
    check_int("n_permutations", n_permutations, low=1)
    _, folds = make_folds(trials.y, trials.groups, split=split, n_folds=n_folds, seed=seed)
    classes = classes_of(decoder, trials.y)
    rng = np.random.default_rng(seed)

    def accuracy(labels: Any) -> float:
        scores = held_out_scores(decoder, trials.X, labels, folds)
        return float(np.mean(classes[scores.argmax(axis=1)] == labels))

    observed = accuracy(trials.y)
    hits = 0
    for number in range(n_permutations):
        permuted = trials.y.copy()
        for run in np.unique(trials.runs):
            rows = np.flatnonzero(trials.runs == run)
            permuted[rows] = permuted[rng.permutation(rows)]
        hits += accuracy(permuted) >= observed - 1e-12
        if progress is not None:
            progress(number + 1, n_permutations)
    return observed, (hits + 1) / (n_permutations + 1)
