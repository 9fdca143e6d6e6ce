"""From scores to probabilities that mean what they say."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.estimator import softmax
from bcikit.signal import DataError, check_choice

Array = NDArray[np.float64]

CALIBRATIONS = ("temperature", "isotonic", "none")

PRIOR_SLOPE, PRIOR_SPREAD = 0.7, 1.5
"""Prior of the slope of scores of unit spread: 0.7 means about two of three right of two classes; weak on purpose."""

RUN_CORRELATION = 0.03
"""Share of the variance of a trial's evidence that it has in common with its run."""


class Temperature(BaseEstimator):
    """One slope by which scores are multiplied before the softmax, known no better than the trials tell.

    Temperature scaling (Guo et al. 2017, ICML) with a posterior instead of a point: the slope's likelihood on held-out
    trials, times a weak prior, on a grid; probabilities are the mean over it. Few trials leave the slope uncertain and
    the probabilities moderate; many make it the one of Guo et al. Three rules make it honest on new data:

    * Scores are divided by their own spread first (root mean square difference between two classes), so that neither
      the result nor the search depends on their scale.
    * The prior of the slope is log-normal about `PRIOR_SLOPE`, a factor ``exp(PRIOR_SPREAD)`` either way: scores that
      tell nothing (a person at chance) stay near the middle.
    * Trials of one run are alike, and the next run is another: the likelihood counts a run of m trials as
      ``m / (1 + (m - 1) RUN_CORRELATION)`` (the design effect of Kish 1965).

    The order of the classes never changes.

    Attributes
    ----------
    slopes_, weights_ : ndarray, shape (n_grid,)
        Slopes for scores as they are given, and their posterior.
    temperature_ : float
        One over the mean slope; above 1: the scores were too sure.
    """

    slopes_: Array
    weights_: Array
    temperature_: float

    def fit(self, scores: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Find the posterior of the slope.

        Parameters
        ----------
        scores : array, shape (n, n_classes)
            Held-out scores.
        y : array of int, shape (n,)
            Column of the true class.
        groups : array, shape (n,), optional
            Run of each trial; one run if left out.
        """
        values, index = _check(scores, y)
        n, n_classes = values.shape
        centred = values - values.mean(axis=1, keepdims=True)
        spread = float(np.sqrt(2.0 * n_classes / (n_classes - 1) * np.mean(centred**2)))
        scale = spread if spread > 0.0 else 1.0
        shifted = (values - values.max(axis=1, keepdims=True)) / scale
        logs = np.linspace(-5.0, 4.0, 91)
        slopes = np.exp(logs)
        true = shifted[np.arange(n), index]
        likelihood = np.array([np.sum(a * true - np.log(np.exp(a * shifted).sum(axis=1))) for a in slopes])
        n_runs = 1 if groups is None else len(np.unique(np.asarray(groups)))
        effect = 1.0 + max(n / n_runs - 1.0, 0.0) * RUN_CORRELATION
        log_posterior = likelihood / effect - 0.5 * ((logs - np.log(PRIOR_SLOPE)) / PRIOR_SPREAD) ** 2
        posterior = np.exp(log_posterior - log_posterior.max())
        # What weighs next to nothing costs as much as the rest in each decision.
        kept = posterior > 1e-6
        self.slopes_ = slopes[kept] / scale
        self.weights_ = posterior[kept] / posterior[kept].sum()
        self.temperature_ = float(1.0 / np.exp(self.weights_ @ np.log(self.slopes_)))
        return self

    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return probabilities, shape ``(n, n_classes)``."""
        values = np.asarray(scores, dtype=np.float64)
        if not hasattr(self, "slopes_"):
            # A model file of version 0.1.0.
            return softmax(values / self.temperature_)
        shifted = values - values.max(axis=1, keepdims=True)
        # A mean of distributions with the same order has that order.
        parts = np.exp(self.slopes_[:, None, None] * shifted)
        return np.einsum("s,snk->nk", self.weights_, parts / parts.sum(axis=2, keepdims=True))


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

    def fit(self, scores: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:  # noqa: ARG002
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

    def fit(self, scores: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:  # noqa: ARG002
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


def scores_of(estimator: Any, X: Array, *, shift: Array | None = None) -> Array:
    """Return scores a class of any classifier: its `decision_scores`, else the logarithm of `predict_proba`.

    With a shift, those of features moved by it (`bcikit.decoding.estimator.Centring`).
    """
    if shift is not None:
        moved: Array = estimator.shifted_scores(X, shift)
        return moved
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
