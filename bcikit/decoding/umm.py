"""Unsupervised mean-difference maximisation: a speller that works from the first letter, without calibration."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.estimator import check_epochs, softmax
from bcikit.decoding.toeplitz import block_toeplitz, shrunk_covariance
from bcikit.signal import DataError, check_range

Array = NDArray[np.float64]


class Umm(BaseEstimator):
    """Takes the symbol for which targets and non-targets would differ most.

    Sosulski and Tangermann 2023 (arXiv 2306.11830). For each candidate symbol the flashes that contained it are
    assumed to be targets; ``d' S^-1 d`` with the difference d of the means and the block-Toeplitz covariance S of all
    flashes is the distance that this assumption makes. The right symbol has the largest. Means of earlier letters,
    each weighted by how sure it was, help with the next.

    Parameters
    ----------
    sfreq : float
        Hz.
    interval : float
        Seconds averaged into one feature a channel.
    confidence_power : float
        Weight of an earlier letter is its margin to this power; 0 learns nothing from earlier letters.

    Attributes
    ----------
    n_letters_ : int
        Letters decided so far.
    """

    def __init__(self, *, sfreq: float, interval: float = 0.05, confidence_power: float = 1.0) -> None:
        self.sfreq = sfreq
        self.interval = interval
        self.confidence_power = confidence_power

    def reset(self) -> Self:
        """Forget earlier letters."""
        self.n_letters_ = 0
        self._scatter: Array | None = None
        self._count = 0
        self._difference: Array | None = None
        self._weight = 0.0
        return self

    def distances(self, X: ArrayLike, codes: ArrayLike) -> Array:
        """Return the distance for each candidate, shape ``(n_symbols,)``.

        Parameters
        ----------
        X : array, shape (n_flashes, n_channels, n_times)
            Epochs of the flashes of one letter so far.
        codes : array of bool, shape (n_symbols, n_flashes)
            True where the flash contained the symbol.

        Raises
        ------
        DataError
            If shapes differ, or a symbol was in no flash or in every one: then nothing can be told of it.
        """
        features, flags = self._features(X, codes)
        covariance = self._covariance(features)
        differences = _differences(features, flags)
        if self._difference is not None and self._weight > 0:
            share = self._weight / (self._weight + 1.0)
            differences = (1.0 - share) * differences + share * self._difference
            # What the earlier letters agree with counts, not only what is large.
        solved = np.linalg.solve(covariance, differences.T).T
        return np.einsum("kf,kf->k", differences, solved)

    def predict_proba(self, X: ArrayLike, codes: ArrayLike) -> Array:
        """Return a probability for each symbol: softmax of the distances in units of their spread, uncalibrated."""
        values = self.distances(X, codes)
        spread = max(float(values.std()), 1e-12)
        return softmax((values / spread)[None])[0]

    def decide(self, X: ArrayLike, codes: ArrayLike) -> int:
        """Return the index of the symbol and learn from the letter."""
        if not hasattr(self, "n_letters_"):
            self.reset()
        values = self.distances(X, codes)
        order = np.argsort(values)
        winner = int(order[-1])
        spread = max(float(values.std()), 1e-12)
        margin = float(values[order[-1]] - values[order[-2]]) / spread
        features, flags = self._features(X, codes)
        self._learn(features, flags[winner], margin**self.confidence_power if self.confidence_power else 0.0)
        return winner

    def _learn(self, features: Array, target: NDArray[np.bool_], weight: float) -> None:
        difference = _differences(features, target[None])[0]
        if weight > 0:
            old = 0.0 if self._difference is None else self._difference
            self._difference = (self._weight * old + weight * difference) / (self._weight + weight)
            self._weight += weight
        centred = features - features.mean(axis=0)
        self._scatter = centred if self._scatter is None else np.concatenate([self._scatter, centred])[-3000:]
        self.n_letters_ += 1

    def _covariance(self, features: Array) -> Array:
        centred = features - features.mean(axis=0)
        if self._scatter is not None:
            centred = np.concatenate([self._scatter, centred])
        return block_toeplitz(shrunk_covariance(centred), self._n_channels)

    def _features(self, X: ArrayLike, codes: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
        if not hasattr(self, "n_letters_"):
            self.reset()
        data = check_epochs(X, who="Umm")
        flags = np.asarray(codes, dtype=bool)
        if flags.ndim != 2 or flags.shape[1] != len(data):
            raise DataError(f"codes must have the shape (n_symbols, {len(data)}); it has {flags.shape}.")
        count = flags.sum(axis=1)
        if (count == 0).any() or (count == len(data)).any():
            raise DataError("Every symbol must be in some flashes and not in others; wait for a whole sequence.")
        length = max(1, round(check_range("interval", self.interval, low=0.0, low_open=True) * self.sfreq))
        pieces = data.shape[2] // length
        self._n_channels = data.shape[1]
        means = data[:, :, : pieces * length].reshape(*data.shape[:2], pieces, length).mean(axis=3)
        return means.swapaxes(1, 2).reshape(len(data), -1), flags


def _differences(features: Array, flags: NDArray[np.bool_]) -> Array:
    """Return mean of targets minus mean of non-targets for each candidate, ``(n_symbols, n_features)``."""
    count = flags.sum(axis=1, keepdims=True)
    targets = flags.astype(float) @ features / count
    return targets - (~flags).astype(float) @ features / (flags.shape[1] - count)
