"""Numbers that say how good decisions are, defined where their usual implementations go wrong."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.signal import ArgumentError, check_int, check_range

Array = NDArray[np.float64]


def itr(accuracy: float, n_classes: int, seconds: float) -> float:
    """Return the information transfer rate in bits a minute, never negative.

    ``60 / T [log2 N + P log2 P + (1 - P) log2((1 - P) / (N - 1))]`` (Wolpaw et al. 2002), 0 for P at or below 1 / N.
    It holds for equally likely classes and errors spread evenly, and overstates what a person gets done.

    Parameters
    ----------
    accuracy : float
        Share of correct decisions, P.
    n_classes : int
        Choices, N.
    seconds : float
        Time a selection takes, gaze shift and feedback included, T.

    Examples
    --------
    >>> itr(1.0, 4, 1.0), itr(0.05, 4, 1.0)
    (120.0, 0.0)
    """
    p = check_range("accuracy", accuracy, low=0.0, high=1.0)
    n = check_int("n_classes", n_classes, low=2)
    t = check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
    if p <= 1.0 / n:
        return 0.0
    bits = math.log2(n) + p * math.log2(p)
    if p < 1.0:
        bits += (1 - p) * math.log2((1 - p) / (n - 1))
    return 60.0 / t * bits


def confusion(y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Return counts, true class a row, decided class a column; decisions outside `classes` are not counted."""
    names = np.asarray(classes)
    true, decided = np.asarray(y_true), np.asarray(y_pred)
    return np.array([[np.count_nonzero((true == a) & (decided == b)) for b in names] for a in names], dtype=np.int64)


def nmcc(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the normalised Matthews correlation ``(MCC + 1) / 2``; 0.5 is chance (Carrara and Papadopoulo 2023)."""
    from sklearn.metrics import matthews_corrcoef

    true, decided = np.asarray(y_true), np.asarray(y_pred)
    if len(np.unique(np.concatenate([true, decided]))) < 2:
        # One class and always that: no correlation, which scikit-learn says with a warning.
        return 0.5
    return float((matthews_corrcoef(true, decided) + 1.0) / 2.0)


def roc_auc(y_true: ArrayLike, scores: Array, classes: ArrayLike) -> float:
    """Return the area under the ROC curve; several classes: mean of one against the rest, NaN if a class is absent.

    `scores` are log-odds up to a constant a row, ``(n, n_classes)``, as `Decoder.decision_scores` returns them.
    """
    from scipy.special import logsumexp
    from scipy.stats import rankdata

    if not np.isfinite(scores).all():
        raise ArgumentError("scores hold NaN or infinite values; every decision needs a finite one.")
    names = np.asarray(classes)
    true = np.asarray(y_true)
    columns = [1] if len(names) == 2 else range(len(names))
    areas = []
    for column in columns:
        positive = true == names[column]
        if positive.all() or not positive.any():
            return math.nan
        rest = np.delete(scores, column, axis=1)
        against = scores[:, column] - (rest[:, 0] if rest.shape[1] == 1 else logsumexp(rest, axis=1))
        # The share of pairs in the right order, ties by half (Mann and Whitney 1947).
        n, total = int(np.count_nonzero(positive)), len(positive)
        areas.append((rankdata(against)[positive].sum() - n * (n + 1) / 2) / (n * (total - n)))
    return float(np.mean(areas))


def brier(y_index: NDArray[np.intp], probabilities: Array) -> float:
    """Return the Brier score: mean squared distance of the probabilities from the truth, summed over classes."""
    truth = np.eye(probabilities.shape[1])[y_index]
    return float(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))


def reliability(y_index: NDArray[np.intp], probabilities: Array, *, n_bins: int = 10) -> list[dict[str, Any]]:
    """Return for each bin of confidence how often the decision was right.

    Parameters
    ----------
    y_index : ndarray of int, shape (n,)
        True class as a column of `probabilities`.
    probabilities : ndarray, shape (n, n_classes)
        Rows that sum to one.
    n_bins : int
        Bins of equal width on [0, 1].

    Returns
    -------
    list of dict
        For each bin that is not empty: ``confidence`` and ``accuracy`` (means) and ``count``.
    """
    return [
        {"confidence": confidence, "accuracy": accuracy, "count": count}
        for count, confidence, accuracy in zip(
            *(v.tolist() for v in _binned(y_index, probabilities, n_bins)), strict=True
        )
    ]


def _binned(
    y_index: NDArray[np.intp], probabilities: Array, n_bins: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return count, mean confidence and accuracy of each bin of confidence that is not empty."""
    return _bins_of(probabilities.argmax(axis=1) == y_index, probabilities.max(axis=1), n_bins)


def _bins_of(
    right: NDArray[np.bool_], confidence: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    bins = np.minimum((confidence * check_int("n_bins", n_bins, low=1)).astype(np.intp), n_bins - 1)
    count = np.bincount(bins)
    some = count > 0
    sums = (np.bincount(bins, weights=values)[some] for values in (confidence, right))
    count = count[some]
    sure, hits = (values / count for values in sums)
    return count, sure, hits


def ece(y_index: NDArray[np.intp], probabilities: Array, *, n_bins: int = 10) -> float:
    """Return the expected calibration error: mean gap of confidence and accuracy over bins (Guo et al. 2017)."""
    return _gap(*_binned(y_index, probabilities, n_bins))


def _gap(count: NDArray[np.intp], confidence: NDArray[np.float64], accuracy: NDArray[np.float64]) -> float:
    return float(np.dot(count, np.abs(confidence - accuracy)) / count.sum())


def ece_of_perfect(probabilities: Array, *, n_bins: int = 10, n_draws: int = 200, seed: int = 0) -> tuple[float, float]:
    """Return mean and 95th percentile of the calibration error of the same probabilities, were they exactly right.

    Truths are drawn from the probabilities themselves: with few trials the error of a perfect decoder is far from zero
    (0.06 to 0.09 with 64 trials), and only what lies above it says anything.
    """
    rng = np.random.default_rng(seed)
    limits = np.cumsum(probabilities, axis=1)
    drawn = (rng.uniform(size=(check_int("n_draws", n_draws, low=1), len(probabilities), 1)) > limits).sum(axis=2)
    decided, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    truths = np.minimum(drawn, probabilities.shape[1] - 1)
    values = [_gap(*_bins_of(decided == row, confidence, n_bins)) for row in truths]
    return float(np.mean(values)), float(np.quantile(values, 0.95))


def debiased_calibration_error(y_index: NDArray[np.intp], probabilities: Array, *, n_bins: int = 10) -> float:
    """Return the calibration error without what few trials add to it.

    The root mean square gap of confidence and accuracy over bins, from each squared gap the variance of the accuracy
    taken, ``a (1 - a) / (n - 1)`` (the debiased estimator of Kumar, Liang and Ma 2019, NeurIPS). Not below zero. A bin
    of one trial knows no variance and counts with that of its confidence.
    """
    return _debiased(*_binned(y_index, probabilities, n_bins))


def _debiased(count: NDArray[np.intp], confidence: NDArray[np.float64], accuracy: NDArray[np.float64]) -> float:
    share = np.where(count > 1, accuracy, confidence)
    gaps = (confidence - accuracy) ** 2 - share * (1.0 - share) / np.maximum(count - 1, 1)
    return float(np.sqrt(max(np.dot(count, gaps) / count.sum(), 0.0)))


def calibration_interval(
    y_index: NDArray[np.intp], probabilities: Array, *, n_draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of `debiased_calibration_error`: percentiles of trials drawn again and again."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(y_index), size=(check_int("n_draws", n_draws, low=1), len(y_index)))
    right, confidence = probabilities.argmax(axis=1) == y_index, probabilities.max(axis=1)
    values = [_debiased(*_bins_of(right[drawn], confidence[drawn], 10)) for drawn in rows]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def coverage(y_index: NDArray[np.intp], probabilities: Array, *, n_points: int = 10) -> list[dict[str, float]]:
    """Return what rejecting the least sure decisions would give: accuracy against the share that is decided.

    Returns
    -------
    list of dict
        ``coverage`` (share decided), ``threshold`` (of `reject`) and ``accuracy``, from all decisions to the surest.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == y_index)[order]
    n = len(order)
    counts = sorted({max(1, round(n * k / check_int("n_points", n_points, low=1))) for k in range(1, n_points + 1)})
    return [
        {
            "coverage": count / n,
            "threshold": float(confidence[order[count - 1]]),
            "accuracy": float(right[:count].mean()),
        }
        for count in reversed(counts)
    ]
