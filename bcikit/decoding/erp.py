"""Event-related potentials: P300, error potentials, readiness; what follows a stimulus at a fixed time."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder
from bcikit.decoding.linear import linear_scores
from bcikit.decoding.spd import covariances, function_of, mean_riemann, rank_projection, tangent_vectors
from bcikit.decoding.toeplitz import ToeplitzLda
from bcikit.signal import check_choice, check_int, check_range

Array = NDArray[np.float64]


class ErpLda(Decoder):
    """Mean amplitudes in short intervals, then LDA.

    Blankertz et al. 2011 (NeuroImage 56(2)): shrinkage LDA on the epoch averaged over pieces of `interval` seconds;
    with ``covariance="toeplitz"`` the block-Toeplitz LDA of Sosulski and Tangermann 2022.

    Parameters
    ----------
    sfreq : float
        Hz.
    interval : float
        Seconds averaged into one feature a channel; samples that do not fill a last piece are left out.
    covariance : {"shrinkage", "toeplitz"}
        Kind of covariance.

    Attributes
    ----------
    patterns_ : ndarray, shape (n_classes, n_channels, n_intervals)
        Mean response of each class, for maps.
    """

    def __init__(self, *, sfreq: float, interval: float = 0.03125, covariance: str = "shrinkage") -> None:
        self.sfreq = sfreq
        self.interval = interval
        self.covariance = covariance

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from trials."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        check_choice("covariance", self.covariance, ("shrinkage", "toeplitz"))
        data, index = self._begin(X, y)
        pieces = self._pieces(data)
        self.patterns_ = np.stack([pieces[index == k].mean(axis=0) for k in range(len(self.classes_))])
        if self.covariance == "toeplitz":
            self.classifier_: Any = ToeplitzLda(n_channels=self.n_channels_)
        else:
            self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        self.classifier_.fit(_time_major(pieces), index)
        return self

    def _scores(self, data: Array) -> Array:
        features = _time_major(self._pieces(data))
        if isinstance(self.classifier_, ToeplitzLda):
            return features @ self.classifier_.coef_.T + self.classifier_.intercept_
        return linear_scores(self.classifier_, features)

    def _pieces(self, data: Array) -> Array:
        """Return means over intervals, ``(n_epochs, n_channels, n_intervals)``."""
        length = check_int("samples an interval", max(1, round(self.interval * self.sfreq)), low=1, high=data.shape[2])
        count = data.shape[2] // length
        return data[:, :, : count * length].reshape(*data.shape[:2], count, length).mean(axis=3)


class ErpTangent(Decoder):
    """Covariance of the epoch with the mean responses, tangent space, logistic regression.

    Barachant and Congedo 2014 (arXiv 1409.0107). "xdawn": epoch and mean responses go through xDAWN filters first
    (Rivet et al. 2009), MOABB's best P300 pipeline.

    Parameters
    ----------
    templates : {"erp", "xdawn"}
        Prototypes of every class on all channels, or xDAWN filters of epoch and prototypes.
    n_filters : int
        xDAWN filters a class.
    classifier : {"lr", "svm", "lda"}
        See `bcikit.decoding.riemann.TangentSpace`.
    C : float
        Inverse regularisation.
    estimator : str
        Covariance estimator.
    """

    def __init__(
        self,
        *,
        templates: str = "xdawn",
        n_filters: int = 4,
        classifier: str = "lr",
        C: float = 1.0,
        estimator: str = "oas",
    ) -> None:
        self.templates = templates
        self.n_filters = n_filters
        self.classifier = classifier
        self.C = C
        self.estimator = estimator

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from trials; weights count in the classifier (not with "lda"), not in the prototypes."""
        from bcikit.decoding.riemann import fit_weighted, linear_classifier

        check_choice("templates", self.templates, ("erp", "xdawn"))
        data, index, weights = self._begin_weighted(X, y, sample_weight)
        self.projection_ = rank_projection(np.einsum("nct,ndt->cd", data, data))
        data = self._project(data)
        if self.templates == "erp":
            self.filters_: Array | None = None
            means = [data[index == k].mean(axis=0) for k in range(len(self.classes_))]
            self.prototype_ = np.concatenate(means)
        else:
            from pyriemann.spatialfilters import Xdawn

            xdawn = Xdawn(nfilter=min(self.n_filters, data.shape[1]), estimator="scm").fit(data, index)
            self.filters_ = xdawn.filters_
            self.prototype_ = np.asarray(xdawn.evokeds_)
        matrices = self._matrices(data)
        self.whitener_ = function_of(mean_riemann(matrices), "invsqrt")
        self.classifier_ = linear_classifier(self.classifier, self.C)
        fit_weighted(self.classifier_, self._tangent(matrices), index, weights)
        return self

    def _scores(self, data: Array) -> Array:
        return linear_scores(self.classifier_, self._tangent(self._matrices(self._project(data))))

    def _project(self, data: Array) -> Array:
        return data if self.projection_ is None else self.projection_ @ data

    def _matrices(self, data: Array) -> Array:
        filtered = data if self.filters_ is None else self.filters_ @ data
        prototype = np.broadcast_to(self.prototype_, (len(data), *self.prototype_.shape))
        return covariances(np.concatenate([prototype, filtered], axis=1), self.estimator)

    def _tangent(self, matrices: Array) -> Array:
        return tangent_vectors(matrices, self.whitener_)


class ErpStack(Decoder):
    """Amplitudes with LDA and covariances with prototypes in the tangent space, log-odds averaged.

    The first looks at when the potential comes, the second at how channels vary together; their errors differ.

    Parameters
    ----------
    sfreq : float
        Hz.
    interval : float
        See `ErpLda`.
    templates : {"erp", "xdawn"}
        See `ErpTangent`.
    weight : float
        Weight of the tangent space.
    """

    def __init__(
        self, *, sfreq: float, interval: float = 0.03125, templates: str = "xdawn", weight: float = 0.5
    ) -> None:
        self.sfreq = sfreq
        self.interval = interval
        self.templates = templates
        self.weight = weight

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from trials."""
        check_range("weight", self.weight, low=0.0, high=1.0)
        data, _ = self._begin(X, y)
        self.amplitudes_ = ErpLda(sfreq=self.sfreq, interval=self.interval).fit(data, y)
        self.covariances_ = ErpTangent(templates=self.templates).fit(data, y)
        return self

    def _scores(self, data: Array) -> Array:
        first, second = self.amplitudes_.decision_scores(data), self.covariances_.decision_scores(data)
        return (1.0 - self.weight) * first + self.weight * second


def _time_major(pieces: Array) -> Array:
    """Return features with all channels of the first interval first."""
    return pieces.swapaxes(1, 2).reshape(len(pieces), -1)
