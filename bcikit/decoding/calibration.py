"""From scores to probabilities that mean what they say."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.estimator import softmax
from bcikit.signal import DataError, check_choice

Array = NDArray[np.float64]

CALIBRATIONS = ("temperature", "isotonic", "none")


class Temperature(BaseEstimator):
    """One number by which scores are divided before the softmax (Guo et al. 2017, ICML).

    The order of the classes never changes. Targets are smoothed as in Platt 1999 (``(n + 1) / (n + 2)`` for the true
    class of n trials), so that few and perfectly separated trials do not make a decoder sure of itself.

    Attributes
    ----------
    temperature_ : float
        Above 1: the scores were too sure.
    """

    temperature_: float

    def fit(self, scores: ArrayLike, y: ArrayLike) -> Self:
        """Find the temperature with the smallest cross-entropy.

        Parameters
        ----------
        scores : array, shape (n, n_classes)
            Held-out scores.
        y : array of int, shape (n,)
            Column of the true class.
        """
        from scipy.optimize import minimize_scalar

        values, index = _check(scores, y)
        targets = _smooth_targets(index, values.shape[1])
        shifted = values - values.max(axis=1, keepdims=True)

        def cross_entropy(log_temperature: float) -> float:
            scaled = shifted / np.exp(log_temperature)
            return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - np.sum(targets * scaled, axis=1)))

        self.temperature_ = float(np.exp(minimize_scalar(cross_entropy, bounds=(-7.0, 12.0), method="bounded").x))
        return self

    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return probabilities, shape ``(n, n_classes)``."""
        return softmax(np.asarray(scores, dtype=np.float64) / self.temperature_)


class Isotonic(BaseEstimator):
    """A rising step function a class, one against the rest, then normalised (Zadrozny and Elkan 2002).

    Follows any shape, but wants hundreds of trials: with fewer than 50 of a class it refuses.

    Attributes
    ----------
    knots_ : list of (ndarray, ndarray)
        Probability before and after, a class.
    """

    knots_: list[tuple[Array, Array]]
    minimum = 50

    def fit(self, scores: ArrayLike, y: ArrayLike) -> Self:
        """Fit one isotonic regression a class on held-out scores; see `Temperature.fit`."""
        from sklearn.isotonic import IsotonicRegression

        values, index = _check(scores, y)
        counts = np.bincount(index, minlength=values.shape[1])
        if counts.min() < self.minimum:
            raise DataError(
                f"isotonic calibration needs {self.minimum} trials of each class; the rarest has {counts.min()}. "
                "Use temperature."
            )
        raw = softmax(values)
        self.knots_ = []
        for column in range(values.shape[1]):
            regression = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            regression.fit(raw[:, column], index == column)
            self.knots_.append((np.asarray(regression.X_thresholds_), np.asarray(regression.y_thresholds_)))
        return self

    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return probabilities, shape ``(n, n_classes)``; uniform where every class got zero."""
        raw = softmax(np.asarray(scores, dtype=np.float64))
        mapped = np.stack([np.interp(raw[:, c], *knots) for c, knots in enumerate(self.knots_)], axis=1)
        # A step function can put every class at zero; a trace of one keeps the row a distribution.
        mapped = np.maximum(mapped, 1e-6)
        return mapped / mapped.sum(axis=1, keepdims=True)


class Uncalibrated(BaseEstimator):
    """The plain softmax of the scores, for decoders whose scores are log-odds already."""

    def fit(self, scores: ArrayLike, y: ArrayLike) -> Self:
        """Learn nothing."""
        _check(scores, y)
        return self

    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return the softmax."""
        return softmax(np.asarray(scores, dtype=np.float64))


def make_calibrator(name: str) -> Temperature | Isotonic | Uncalibrated:
    """Return an unfitted calibrator: "temperature", "isotonic" or "none"."""
    check_choice("calibration", name, CALIBRATIONS)
    if name == "temperature":
        return Temperature()
    return Isotonic() if name == "isotonic" else Uncalibrated()


def scores_of(estimator: Any, X: Array) -> Array:
    """Return scores a class of any classifier: its `decision_scores`, else the logarithm of `predict_proba`."""
    if hasattr(estimator, "decision_scores"):
        scores: Array = estimator.decision_scores(X)
        return scores
    if hasattr(estimator, "predict_proba"):
        return np.log(np.maximum(estimator.predict_proba(X), 1e-12))
    values = np.asarray(estimator.decision_function(X), dtype=np.float64)
    return np.stack([np.zeros_like(values), values], axis=1) if values.ndim == 1 else values


def _check(scores: ArrayLike, y: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    values = np.asarray(scores, dtype=np.float64)
    index = np.asarray(y)
    if values.ndim != 2 or values.shape[1] < 2 or index.shape != (values.shape[0],) or not np.isfinite(values).all():
        raise DataError(
            f"calibration needs finite scores (n, n_classes) and n labels; got {values.shape}, {index.shape}."
        )
    return values, index.astype(np.intp)


def _smooth_targets(index: NDArray[np.intp], n_classes: int) -> Array:
    counts = np.bincount(index, minlength=n_classes)
    share = (counts + 1.0) / (counts + 2.0)
    targets = np.repeat(((1.0 - share) / (n_classes - 1))[index][:, None], n_classes, axis=1)
    targets[np.arange(len(index)), index] = share[index]
    return targets
