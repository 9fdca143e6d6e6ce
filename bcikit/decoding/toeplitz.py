"""LDA with a covariance that is the same at every time: noise in an epoch does not know when the epoch began."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from bcikit.decoding.estimator import softmax
from bcikit.signal import ArgumentError

Array = NDArray[np.float64]


class ToeplitzLda(ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis with a block-Toeplitz covariance.

    Sosulski and Tangermann 2022 (J Neural Eng 19(6), arXiv 2202.02001). Features are time-major: all channels of the
    first time, then of the second. The covariance within classes (shrunk after Ledoit and Wolf) is averaged along its
    block diagonals, and block diagonals are tapered linearly with their lag, which keeps it positive. A few thousand
    free numbers become a few hundred, so that short calibrations suffice.

    Parameters
    ----------
    n_channels : int
        Channels; the number of features must be a multiple of it.
    priors : {"empirical", "uniform"}
        Classes as frequent as in the training, or equally likely.

    Attributes
    ----------
    coef_ : ndarray, shape (n_classes, n_features)
        Weights; ``x @ coef_.T + intercept_`` are log-odds up to a constant.
    intercept_ : ndarray, shape (n_classes,)
    """

    classes_: NDArray[Any]

    def __init__(self, *, n_channels: int = 1, priors: str = "empirical") -> None:
        self.n_channels = n_channels
        self.priors = priors

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from features ``(n, n_times * n_channels)`` and labels."""
        data, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        if data.shape[1] % self.n_channels:
            raise ArgumentError(f"n_channels is {self.n_channels}; {data.shape[1]} features are no multiple of it.")
        if self.priors not in ("empirical", "uniform"):
            raise ArgumentError(f"priors is {self.priors!r}; allowed: empirical, uniform.")
        self.classes_ = unique_labels(labels)
        if len(self.classes_) < 2:
            raise ValueError(f"ToeplitzLda needs trials of at least two classes; there is one class: {self.classes_}.")
        index = np.searchsorted(self.classes_, labels)
        means = np.stack([data[index == k].mean(axis=0) for k in range(len(self.classes_))])
        covariance = block_toeplitz(shrunk_covariance(data - means[index]), self.n_channels)
        self.coef_ = np.linalg.solve(covariance, means.T).T
        counts = np.bincount(index)
        prior = np.log(counts / counts.sum()) if self.priors == "empirical" else np.zeros(len(counts))
        self.intercept_ = -0.5 * np.sum(self.coef_ * means, axis=1) + prior
        return self

    def decision_scores(self, X: ArrayLike) -> Array:
        """Return log-odds up to a constant a row, shape ``(n, n_classes)``."""
        check_is_fitted(self, "coef_")
        return validate_data(self, X, dtype=np.float64, reset=False) @ self.coef_.T + self.intercept_

    def decision_function(self, X: ArrayLike) -> Array:
        """Return scores as scikit-learn wants them: one column a class, one value for two classes."""
        scores = self.decision_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return probabilities, shape ``(n, n_classes)``."""
        return softmax(self.decision_scores(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row."""
        scores = self.decision_scores(X)
        return self.classes_[np.argmax(scores, axis=1)]


def shrunk_covariance(centred: Array) -> Array:
    """Return the covariance after Ledoit and Wolf of features scaled to unit variance, scaled back.

    Rows have zero mean within their class.
    """
    from sklearn.covariance import ledoit_wolf

    deviation = centred.std(axis=0)
    deviation[deviation == 0] = 1.0
    covariance: Array = ledoit_wolf(centred / deviation, assume_centered=True)[0]
    floor = 1e-10 * np.trace(covariance) / len(covariance) if covariance.any() else 1.0
    return (covariance + floor * np.eye(len(covariance))) * np.outer(deviation, deviation)


def block_toeplitz(covariance: Array, n_channels: int) -> Array:
    """Return a covariance averaged along its block diagonals and tapered linearly.

    Parameters
    ----------
    covariance : ndarray, shape (n_times * n_channels, n_times * n_channels)
        Time-major.
    n_channels : int
        Size of a block.
    """
    n_times = len(covariance) // n_channels
    blocks = covariance.reshape(n_times, n_channels, n_times, n_channels).swapaxes(1, 2)
    result = np.empty_like(blocks)
    rows = np.arange(n_times)
    for lag in range(n_times):
        upper = rows[: n_times - lag]
        mean = blocks[upper, upper + lag].mean(axis=0) * (1.0 - lag / n_times)
        result[upper, upper + lag] = mean
        result[upper + lag, upper] = mean.T
    return result.swapaxes(1, 2).reshape(covariance.shape)
