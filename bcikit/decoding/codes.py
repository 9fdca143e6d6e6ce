"""Code-modulated visual evoked potentials by one template that is shifted, and a no-control class."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder, in_type_of
from bcikit.decoding.linear import linear_scores
from bcikit.signal import ArgumentError, DataError, check_range

Array = NDArray[np.float64]


class CodeTemplate(Decoder):
    """All targets share a code; the response to one cycle is learned once and looked for at the lag of each target.

    Bin et al. 2011 (J Neural Eng 8(2)): cycles of all trials are moved to lag 0 and averaged; a spatial filter is the
    first of a canonical correlation between single cycles and their average; each window, filtered and averaged over
    its cycles, is correlated with the average at each target's lag. A shrinkage LDA on the Fisher-transformed
    correlations makes a decision of them, so that labels without a lag may be in the training (no-control).

    Parameters
    ----------
    sfreq : float
        Hz.
    lags : mapping of str to float or None
        Class to the seconds by which its code is ahead; None for a class without a code (no-control). Labels that are
        not in it have none either, but scikit-learn's ``cross_val_predict`` of probabilities needs every class in it.
    period : float
        Seconds of one cycle of the code; a window holds whole cycles, from the onset of one.
    """

    def __init__(self, *, sfreq: float, lags: Mapping[Any, float | None], period: float) -> None:
        self.sfreq = sfreq
        self.lags = lags
        self.period = period

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn filter, template and decision from trials."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        check_range("period", self.period, low=0.0, low_open=True, unit="s")
        data, index = self._begin(X, y)
        names = in_type_of(self.lags, np.asarray(y), who=type(self).__name__)
        lags = {
            name: float(value)
            for name, value in zip(names.tolist(), self.lags.values(), strict=True)
            if value is not None
        }
        if not lags:
            raise ArgumentError("lags has no lag; give that of each target in seconds.")
        moved = [
            np.roll(cycles, round(lags[label] * self.sfreq), axis=2)
            for cycles, label in zip(self._cycles(data), self.classes_[index].tolist(), strict=True)
            if label in lags
        ]
        if not moved:
            found, known = (", ".join(map(str, some)) for some in (self.classes_, lags))
            raise DataError(f"The trials have {found}; none of them has a lag ({known}).")
        single = np.concatenate(moved)
        mean = single.mean(axis=0)
        self.filter_ = _shared_direction(single, mean)
        template = self.filter_ @ mean
        self.templates_ = np.stack([np.roll(template, -round(lag * self.sfreq)) for lag in lags.values()])
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        self.classifier_.fit(self._correlations(data), index)
        return self

    def _cycles(self, data: Array) -> Array:
        """Return the cycles of each window, ``(n_epochs, n_cycles, n_channels, n_samples)``."""
        length = int(self.period * self.sfreq + 1e-6)
        count = int((data.shape[2] + 1) / (self.period * self.sfreq) + 1e-6)
        if count < 1:
            raise DataError(
                f"A window of {data.shape[2] / self.sfreq:g} s holds no cycle of {self.period:g} s; take longer ones."
            )
        starts = [min(round(k * self.period * self.sfreq), data.shape[2] - length) for k in range(count)]
        return np.stack([data[:, :, start : start + length] for start in starts], axis=1)

    def _correlations(self, data: Array) -> Array:
        averaged = self.filter_ @ self._cycles(data).mean(axis=1)
        averaged = averaged - averaged.mean(axis=1, keepdims=True)
        templates = self.templates_ - self.templates_.mean(axis=1, keepdims=True)
        scale = np.linalg.norm(averaged, axis=1)[:, None] * np.linalg.norm(templates, axis=1)
        found: Array = np.arctanh(np.clip(averaged @ templates.T / np.maximum(scale, 1e-300), -0.999, 0.999))
        return found

    def _scores(self, data: Array) -> Array:
        return linear_scores(self.classifier_, self._correlations(data))


def _shared_direction(single: Array, mean: Array) -> Array:
    """Return the spatial filter under which single cycles are most like their mean, ``(n_channels,)``."""
    from scipy.linalg import eigh

    centred = single - single.mean(axis=2, keepdims=True)
    target = mean - mean.mean(axis=1, keepdims=True)
    noise = np.einsum("nct,ndt->cd", centred, centred) / len(single)
    ridge = 1e-6 * np.trace(noise) / len(noise) * np.eye(len(noise))
    direction: Array = eigh(target @ target.T, noise + ridge)[1][:, -1]
    return direction
