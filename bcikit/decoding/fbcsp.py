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
        from pyriemann.spatialfilters import CSP

        check_int("n_filters", self.n_filters, low=1)
        filters = []
        for band in matrices.swapaxes(0, 1):
            scaled = band / np.trace(band, axis1=1, axis2=2)[:, None, None]
            filters.append(CSP(nfilter=min(self.n_filters, band.shape[1])).fit(scaled, index).filters_)
        return np.stack(filters)

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
        CSP filters a band.
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
        from sklearn.feature_selection import mutual_info_classif

        check_int("n_features", self.n_features, low=1)
        self.filters_ = self._spatial_filters(matrices, index)
        features = self._features(matrices)
        information = mutual_info_classif(features, index, random_state=self.seed)
        self.chosen_ = self._with_partners(np.argsort(information)[::-1][: self.n_features])
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        self.classifier_.fit(features[:, self.chosen_], index)

    def _score_matrices(self, matrices: Array) -> Array:
        return linear_scores(self.classifier_, self._features(matrices)[:, self.chosen_])

    def _with_partners(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Add to each feature the other one of its pair: pyRiemann sorts filters so that pairs are neighbours."""
        width = self.filters_.shape[1]
        partners = [
            c + (1 if (c % width) % 2 == 0 and c % width + 1 < width else -1 if (c % width) % 2 else 0) for c in chosen
        ]
        return np.unique(np.concatenate([chosen, partners]))
