"""A decoder: logarithms of the variances of the channels, and LDA."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bcikit.decoding import Decoder


class LogVar(Decoder):
    """Log variance and linear discriminant analysis.

    Parameters
    ----------
    shrinkage : float
        Shrinkage of the covariance of the features.
    """

    paradigm: ClassVar[str] = "motor-imagery"

    def __init__(self, *, shrinkage: float = 0.1) -> None:
        self.shrinkage = shrinkage

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from trials ``(n_epochs, n_channels, n_times)``."""
        data, index = self._begin(X, y)
        self.lda_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage).fit(self._features(data), index)
        return self

    def _features(self, data: np.ndarray) -> np.ndarray:
        return np.log(data.var(axis=2) + 1e-12)

    def _scores(self, data: np.ndarray) -> np.ndarray:
        return np.log(self.lda_.predict_proba(self._features(data)) + 1e-12)
