"""Filter-bank common spatial patterns with features chosen by mutual information."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.linear import linear_scores
from bcikit.decoding.riemann import CovarianceDecoder
from bcikit.decoding.spd import Array, covariances
from bcikit.decoding.ssvep.subbands import SubBands
from bcikit.signal import check_int

BANDS = tuple((float(low), float(low + 4)) for low in range(4, 40, 4))
"""Hz, Ang et al. 2008: nine bands of 4 Hz from 4 to 40 Hz."""


class BandCovarianceDecoder(CovarianceDecoder):
    """Base of decoders on one covariance a frequency band of a window.

    Sub-bands are bins of the window's Fourier transform. A narrow band of a short window has few degrees of freedom;
    shrinkage keeps the matrices positive.
    """

    any_length: ClassVar[bool] = False
    sfreq: float
    bands: Sequence[tuple[float, float]]
    n_filters: int
    filters_: Array

    def _matrix_settings(self) -> tuple[Any, ...]:
        return (float(self.sfreq), self._edges())

    def _edges(self) -> list[tuple[float, float]]:
        return [(float(low), float(high)) for low, high in self.bands if high < self.sfreq / 2]

    def _matrices(self, data: Array) -> Array:
        parts = SubBands(self._edges(), sfreq=self.sfreq)(data)
        if self.projection_ is not None:
            parts = self.projection_ @ parts
        return covariances(parts, "oas")

    def _spatial_filters(self, matrices: Array, index: NDArray[np.intp]) -> Array:
        """Return CSP filters of each band, shape (n_bands, n_filters, n_channels)."""
        check_int("n_filters", self.n_filters, low=1)
        filters = []
        for band in matrices.swapaxes(0, 1):
            scaled = band / np.trace(band, axis1=1, axis2=2)[:, None, None]
            filters.append(self._band_filters(scaled, index)[: self.n_filters])
        return np.stack(filters)

    def _band_filters(self, scaled: Array, index: NDArray[np.intp]) -> Array:
        """Return all CSP filters of a band, the one that tells most first."""
        from pyriemann.spatialfilters import CSP

        filters: Array = CSP(nfilter=scaled.shape[1]).fit(scaled, index).filters_
        return filters

    def _features(self, matrices: Array) -> Array:
        """Return log powers of the filtered bands, shape (n_epochs, n_bands * n_filters)."""
        powers = np.einsum("bfc,nbcd,bfd->nbf", self.filters_, matrices, self.filters_, optimize=True)
        logs: Array = np.log(powers).reshape(len(matrices), -1)
        return logs


class FbCsp(BandCovarianceDecoder):
    """Filter-bank common spatial patterns.

    Ang et al. 2008 (IJCNN) and 2012 (Front Neurosci 6:39): CSP in each band, the features with the most mutual
    information with the class, together with their partners at the other end of the same CSP, LDA. Sub-bands are bins
    of the window's Fourier transform, so that windows need no signal before them; give it signals that are filtered to
    the whole range only.

    Parameters
    ----------
    sfreq : float
        Hz.
    bands : sequence of (float, float)
        Edges in Hz; those beyond Nyquist are left out.
    n_filters : int
        CSP filters a band, of two classes as many from either end of the CSP.
    n_features : int
        Features chosen by mutual information.
    seed : int
        Of the estimate of mutual information.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        bands: Sequence[tuple[float, float]] = BANDS,
        n_filters: int = 4,
        n_features: int = 4,
        seed: int = 0,
    ) -> None:
        self.sfreq = sfreq
        self.bands = bands
        self.n_filters = n_filters
        self.n_features = n_features
        self.seed = seed

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:  # noqa: ARG002
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        check_int("n_features", self.n_features, low=1)
        self.filters_ = self._spatial_filters(matrices, index)
        features = self._features(matrices)
        information = mutual_information(features, index, seed=self.seed)
        self.chosen_ = self._with_partners(np.argsort(information)[::-1][: self.n_features])
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        self.classifier_.fit(features[:, self.chosen_], index)

    def _score_matrices(self, matrices: Array) -> Array:
        return linear_scores(self.classifier_, self._features(matrices)[:, self.chosen_])

    def _band_filters(self, scaled: Array, index: NDArray[np.intp]) -> Array:
        """Return all CSP filters of a band; of two classes from both ends by turns, so that each pair is neighbours."""
        filters = super()._band_filters(scaled, index)
        if len(self.classes_) != 2:
            return filters
        # They come by how much they tell, whichever class they are loud for.
        powers = [np.einsum("fc,cd,fd->f", filters, scaled[index == k].mean(axis=0), filters) for k in (0, 1)]
        turns = [-1 - place // 2 if place % 2 else place // 2 for place in range(len(filters))]
        by_turns: Array = filters[np.argsort(powers[1] / (powers[0] + powers[1]))][turns]
        return by_turns

    def _with_partners(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Add to each feature the one from the other end of its CSP; three classes or more have no such pairs."""
        if len(self.classes_) != 2:
            return np.unique(chosen)
        width = self.filters_.shape[1]
        places = chosen % width
        partners = chosen + np.where(places % 2, -1, np.where(places + 1 < width, 1, 0))
        return np.unique(np.concatenate([chosen, partners]))


def mutual_information(features: Array, index: NDArray[np.intp], *, seed: int, neighbours: int = 3) -> Array:
    """Return the mutual information of each feature with the class, in nats.

    Ross 2014 (PLoS ONE 9(2)), equal to scikit-learn's ``mutual_info_classif``, which searches trees in as many
    dimensions as there may be; one is sorted, which is thirty times faster.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        Continuous.
    index : ndarray of int, shape (n,)
        Class of each row.
    seed : int
        Of the small noise that parts equal values.
    neighbours : int
        Nearest ones of the same class, to which the radius of a row reaches.
    """
    from scipy.special import digamma
    from sklearn.preprocessing import scale
    from sklearn.utils import check_random_state

    values = scale(features, with_mean=False)
    noise = check_random_state(seed).standard_normal(size=values.shape)
    values = values + 1e-10 * np.maximum(1.0, np.abs(values).mean(axis=0)) * noise
    counts = np.bincount(index)
    known = counts[index] > 1
    reach = np.minimum(neighbours, counts[index] - 1)[known].astype(np.float64)
    fixed = digamma(np.count_nonzero(known)) + digamma(reach).mean() - digamma(counts[index][known]).mean()
    found = [fixed - digamma(_within(column[known], index[known], neighbours)).mean() for column in values.T]
    return np.maximum(np.asarray(found), 0.0)


def _within(column: Array, index: NDArray[np.intp], neighbours: int) -> Array:
    """Return how many values are nearer to each than its k-th nearest of the same class, itself included."""
    radius = np.empty(len(column))
    for label in np.unique(index):
        rows = np.flatnonzero(index == label)
        rows = rows[np.argsort(column[rows])]
        line = column[rows]
        k = min(neighbours, len(rows) - 1)
        # The k nearest of a value are next to it in the order: the window of k + 1 that reaches the least far.
        padded = np.concatenate([np.full(k, -np.inf), line, np.full(k, np.inf)])
        first = np.lib.stride_tricks.sliding_window_view(padded, k + 1)
        spans = np.stack([
            np.maximum(line - first[j : j + len(line), 0], first[j : j + len(line), -1] - line) for j in range(k + 1)
        ])  # fmt: skip
        radius[rows] = np.nextafter(spans.min(axis=0), 0.0)
    line = np.sort(column)
    low = np.searchsorted(line, column - radius, side="left")
    high = np.searchsorted(line, column + radius, side="right")
    # A sum is rounded where a difference is not: the value at either end may belong to the other side.
    low -= (low > 0) & (column - line[np.maximum(low - 1, 0)] <= radius)
    low += column - line[np.minimum(low, len(line) - 1)] > radius
    high += (high < len(line)) & (line[np.minimum(high, len(line) - 1)] - column <= radius)
    high -= line[np.maximum(high - 1, 0)] - column > radius
    return (high - low).astype(np.float64)
