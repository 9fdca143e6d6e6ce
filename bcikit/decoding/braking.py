"""Anticipatory braking: the readiness to brake seen before the foot moves."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.erp import ErpLda
from bcikit.signal import ArgumentError, check_range

Array = NDArray[np.float64]


WINDOWS_A_FALSE_BRAKE = 1.5
"""Windows in a row that one false brake fills: they overlap, so that neighbours are wrong together (measured)."""

FOLDS = 5


class BrakingDetector(ErpLda):
    """Sliding detector of the intention to brake.

    Haufe et al. 2011 (J Neural Eng 8(5)): amplitudes in short intervals of the newest second, each minus the mean of
    the first `baseline` seconds of the window, regularised LDA. Windows of the training end at a fixed time after the
    brake light; the other class are windows of plain driving.

    A classifier of equally likely classes would brake all the time, as hardly any sliding window holds a braking. With
    `false_per_hour` the border between the classes is where plain driving comes so often: scores of driving, each of a
    fold that the classifier had not seen, are normal (a weighted sum of many amplitudes), and the border is the point
    of their upper tail. It is found in the training data alone.

    Parameters
    ----------
    sfreq : float
        Hz.
    interval : float
        Seconds averaged into one feature a channel.
    baseline : float
        Seconds at the start of the window whose mean is subtracted; 0 for none.
    covariance : {"shrinkage", "toeplitz"}
        See `ErpLda`.
    false_per_hour : float
        False brakes an hour to aim at; 0 leaves the classes as frequent as they are in the training.
    rate : float
        Windows a second.
    idle : str
        The class of plain driving.

    Attributes
    ----------
    border_ : float
        What is taken off the score of the other class.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        interval: float = 0.1,
        baseline: float = 0.1,
        covariance: str = "shrinkage",
        false_per_hour: float = 0.0,
        rate: float = 20.0,
        idle: str = "cruise",
    ) -> None:
        super().__init__(sfreq=sfreq, interval=interval, covariance=covariance)
        self.baseline = baseline
        self.false_per_hour = false_per_hour
        self.rate = rate
        self.idle = idle

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from windows in the order of their time."""
        check_range("false_per_hour", self.false_per_hour, low=0.0, high=3600.0)
        check_range("rate", self.rate, low=0.0, low_open=True, unit="Hz")
        self.border_ = 0.0
        super().fit(X, y)
        if self.false_per_hour > 0.0:
            self.border_ = self._border(np.asarray(X, dtype=np.float64), np.asarray(y))
        return self

    def _scores(self, data: Array) -> Array:
        scores = super()._scores(data)
        if self.border_:
            scores[:, self.classes_ != self.idle] -= self.border_
        return scores

    def _border(self, data: Array, labels: NDArray[Any]) -> float:
        """Return the margin that driving, judged by a classifier that had not seen it, exceeds as often as allowed."""
        from scipy.stats import norm
        from sklearn.base import clone

        if len(self.classes_) != 2 or self.idle not in self.classes_:
            raise ArgumentError(
                f"false_per_hour needs two classes, one of them idle = {self.idle!r}; there are "
                f"{', '.join(map(str, self.classes_))}."
            )
        folds = np.empty(len(labels), dtype=np.intp)
        for label in self.classes_:
            members = np.flatnonzero(labels == label)
            folds[members] = np.arange(len(members)) * FOLDS // len(members)
        column = int(np.flatnonzero(self.classes_ == self.idle)[0])
        margins = []
        for fold in range(FOLDS):
            unseen = (folds == fold) & (labels == self.idle)
            other = clone(self).set_params(false_per_hour=0.0).fit(data[folds != fold], labels[folds != fold])
            scores = other.decision_scores(data[unseen])
            margins.append(scores[:, 1 - column] - scores[:, column])
        driving = np.concatenate(margins)
        share = self.false_per_hour * WINDOWS_A_FALSE_BRAKE / (3600.0 * self.rate)
        return float(driving.mean() + norm.isf(min(share, 0.5)) * driving.std())

    def _pieces(self, data: Array) -> Array:
        check_range("baseline", self.baseline, low=0.0, unit="s")
        n = round(self.baseline * self.sfreq)
        if n >= data.shape[2]:
            raise ArgumentError(f"baseline is {self.baseline:g} s; the window has {data.shape[2] / self.sfreq:g} s.")
        return super()._pieces(data - data[:, :, :n].mean(axis=2, keepdims=True) if n else data)
