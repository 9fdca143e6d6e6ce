"""Motor-imagery decoders on covariance matrices: CSP, tangent space, minimum distance to mean."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder
from bcikit.decoding.linear import linear_scores
from bcikit.decoding.spd import (
    Array,
    covariances,
    function_of,
    mean_riemann,
    rank_projection,
    squared_distances,
    tangent_vectors,
    unupper,
)
from bcikit.signal import ArgumentError, DataError, check_choice, check_int

SVM_TOLERANCE = 1e-6
"""Of the conditions at which support vectors are found."""

GRAM_LIMIT = 4000
"""Trials whose products with each other are kept while support vectors are sought: 128 MB."""


class RankError(DataError):
    """Trials lack rank, so that what was prepared of each alone does not serve."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """What of trials is the same in whichever fold they are.

    Attributes
    ----------
    matrices : ndarray, shape (n_trials, ..., n, n)
        Covariances as the decoder takes them.
    power : ndarray, shape (n_trials, m, m)
        ``X X' / n``, from which the rank of any set of trials is known.
    n_channels, n_times : int
        Of the trials.
    """

    matrices: Array
    power: Array
    n_channels: int
    n_times: int

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> "Prepared":
        """Return that of some of the trials."""
        return Prepared(
            matrices=self.matrices[index], power=self.power[index], n_channels=self.n_channels, n_times=self.n_times
        )


class CovarianceDecoder(Decoder):
    """Base of decoders on one covariance a window.

    Data that lack rank (average reference, a repeated channel) are projected onto the directions that carry signal;
    with full rank nothing is changed.

    Parameters
    ----------
    estimator : {"oas", "lwf", "cov", "scm"}
        See `bcikit.decoding.spd.covariances`.
    """

    projection_: Array | None
    any_length: ClassVar[bool] = True  # a covariance does not depend on how many samples made it

    def __init__(self, *, estimator: str = "oas") -> None:
        self.estimator = estimator

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from trials.

        Parameters
        ----------
        X : array, shape (n_epochs, n_channels, n_times)
            Band-pass filtered epochs.
        y : array, shape (n_epochs,)
            Labels.
        """
        return self._fit_epochs(X, y, None)

    def _fit_epochs(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        data, index, weights = self._begin_weighted(X, y, sample_weight)
        self.projection_ = rank_projection(covariances(self._augment(data), "scm").mean(axis=0))
        self._fit_matrices(self._matrices(data), index, weights)
        return self

    def _scores(self, data: Array) -> Array:
        return self._score_matrices(self._matrices(data))

    def matrices(self, X: ArrayLike) -> Array:
        """Return the covariance of each epoch as the decoder sees it, shape ``(n_epochs, rank, rank)``."""
        return self._matrices(self._check(X))

    def preparation(self) -> str:
        """Return a name of what `prepare` computes: decoders with the same name can share it."""
        kind = type(self)
        made = (kind._augment.__module__, kind._augment.__qualname__, kind._matrices.__module__)
        return repr((*made, kind._matrices.__qualname__, self._matrix_settings()))

    def prepare(self, X: Array) -> Prepared:
        """Compute what is the same in whichever fold a trial is: its covariance, and its power."""
        self.projection_ = None
        return Prepared(
            matrices=self._matrices(X), power=covariances(self._augment(X), "scm"), n_channels=X.shape[1],
            n_times=X.shape[2],
        )  # fmt: skip

    def fit_prepared(self, prepared: Prepared, y: NDArray[Any]) -> Self:
        """Learn from what `prepare` made of trials, as `fit` does from the trials.

        Raises
        ------
        RankError
            If these trials lack rank: their covariances depend on which trials are learnt from.
        """
        self.classes_, index = np.unique(y, return_inverse=True)
        self.n_channels_, self.n_times_ = prepared.n_channels, prepared.n_times
        self.n_features_in_ = self.n_channels_
        self.projection_ = rank_projection(prepared.power.mean(axis=0))
        if self.projection_ is not None:
            raise RankError("These trials lack rank.")
        self._fit_matrices(prepared.matrices, index, None)
        return self

    def prepared_scores(self, prepared: Prepared) -> Array:
        """Return one score a class, as `decision_scores` of the trials."""
        return self._score_matrices(prepared.matrices)

    def _matrix_settings(self) -> tuple[Any, ...]:
        """Return the parameters that the covariance of a trial depends on."""
        return (self.estimator,)

    def _augment(self, data: Array) -> Array:
        return data

    def _matrices(self, data: Array) -> Array:
        data = self._augment(data)
        if self.projection_ is not None:
            data = self.projection_ @ data
        return covariances(data, self.estimator)

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:
        raise NotImplementedError

    def _score_matrices(self, matrices: Array) -> Array:
        raise NotImplementedError


class CspLda(CovarianceDecoder):
    """Common spatial patterns, log variance, linear discriminant analysis.

    Koles et al. 1990; Blankertz et al. 2008 (IEEE SPM 25(1)); several classes by approximate joint diagonalisation
    (Grosse-Wentrup and Buss 2008). Filters by pyRiemann's CSP on covariances.

    Parameters
    ----------
    n_filters : int
        Spatial filters kept.
    estimator : str
        Covariance of a trial.

    Attributes
    ----------
    filters_ : ndarray, shape (n_filters, n_channels)
        Spatial filters on the channels.
    patterns_ : ndarray, shape (n_filters, n_channels)
        What each filter picks up, for topographic maps (Haufe et al. 2014).
    """

    filters_: Array
    patterns_: Array

    def __init__(self, *, n_filters: int = 6, estimator: str = "cov") -> None:
        super().__init__(estimator=estimator)
        self.n_filters = n_filters

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:  # noqa: ARG002
        from pyriemann.spatialfilters import CSP
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        check_int("n_filters", self.n_filters, low=1)
        # Power of a trial as a whole says how loud it was, not where; without this one loud trial owns the mean.
        scaled = matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None]
        csp = CSP(nfilter=min(self.n_filters, matrices.shape[1]), log=True).fit(scaled, index)
        projection = self.projection_
        self._filters = csp.filters_
        self.filters_ = csp.filters_ if projection is None else csp.filters_ @ projection
        self.patterns_ = csp.patterns_ if projection is None else csp.patterns_ @ projection
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        self.classifier_.fit(self._features(matrices), index)

    def features(self, X: ArrayLike) -> Array:
        """Return log variances of the filtered epochs, shape ``(n_epochs, n_filters)``."""
        return self._features(self.matrices(X))

    def _features(self, matrices: Array) -> Array:
        filters = self._filters
        return np.log(np.einsum("fc,ncd,fd->nf", filters, matrices, filters, optimize=True))

    def _score_matrices(self, matrices: Array) -> Array:
        return linear_scores(self.classifier_, self._features(matrices))


class TangentSpace(CovarianceDecoder):
    """Tangent space at the geometric mean, then a linear classifier.

    Barachant et al. 2012 (IEEE TBME 59(4)) and 2013 (Neurocomputing 112). Each window costs one covariance and one
    eigendecomposition; the whitening by the mean is computed once.

    Parameters
    ----------
    classifier : {"lr", "svm", "lda"}
        Logistic regression, linear support vectors, or LDA with automatic shrinkage.
    C : float
        Inverse strength of the regularisation of "lr" and "svm".
    estimator : str
        Covariance of a trial.

    Attributes
    ----------
    reference_ : ndarray, shape (rank, rank)
        Geometric mean of the training covariances.
    """

    reference_: Array
    whitener_: Array

    def __init__(self, *, classifier: str = "lr", C: float = 1.0, estimator: str = "oas") -> None:
        super().__init__(estimator=estimator)
        self.classifier = classifier
        self.C = C

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:
        self.set_reference(mean_riemann(matrices, weights))
        self.classifier_ = linear_classifier(self.classifier, self.C)
        fit_weighted(self.classifier_, self.tangent(matrices), index, weights)

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from trials, weighted where `sample_weight` is given (not with the classifier "lda")."""
        return self._fit_epochs(X, y, sample_weight)

    def set_reference(self, reference: Array) -> None:
        """Move the point at which the tangent space is taken (re-centring)."""
        self.reference_ = reference
        self.whitener_ = function_of(reference, "invsqrt")

    def tangent(self, matrices: Array) -> Array:
        """Return tangent vectors, shape ``(n, rank * (rank + 1) / 2)``."""
        return tangent_vectors(matrices, self.whitener_)

    def _score_matrices(self, matrices: Array) -> Array:
        return linear_scores(self.classifier_, self.tangent(matrices))


class Acm(TangentSpace):
    """Augmented covariance: the covariance of the signals and their delayed copies, then tangent space.

    Carrara and Papadopoulo 2023 (arXiv 2302.04508).

    Parameters
    ----------
    order : int
        Copies, the signal itself included.
    lag : int
        Samples between two copies.
    classifier, C, estimator
        See `TangentSpace`.
    """

    def __init__(
        self, *, order: int = 4, lag: int = 8, classifier: str = "svm", C: float = 1.0, estimator: str = "oas"
    ) -> None:
        super().__init__(classifier=classifier, C=C, estimator=estimator)
        self.order = order
        self.lag = lag

    def _matrix_settings(self) -> tuple[Any, ...]:
        return (self.estimator, self.order, self.lag)

    def _augment(self, data: Array) -> Array:
        n_times = data.shape[2] - (self.order - 1) * check_int("lag", self.lag, low=1)
        check_int("order", self.order, low=1)
        check_int("samples left after the delays", n_times, low=2)
        starts = [copy * self.lag for copy in range(self.order)][::-1]
        return np.concatenate([data[:, :, start : start + n_times] for start in starts], axis=1)


class Mdm(CovarianceDecoder):
    """Minimum distance to the geometric mean of each class (Barachant et al. 2012).

    Scores are negative squared distances, so that probabilities are pyRiemann's.

    Attributes
    ----------
    means_ : ndarray, shape (n_classes, rank, rank)
        Geometric mean of each class.
    """

    means_: Array
    whiteners_: Array

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:
        self.set_means(
            np.stack(
                [
                    mean_riemann(matrices[index == k], None if weights is None else weights[index == k])
                    for k in range(len(self.classes_))
                ]
            )
        )

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from trials, weighted where `sample_weight` is given."""
        return self._fit_epochs(X, y, sample_weight)

    def set_means(self, means: Array) -> None:
        """Replace the class means (adaptation, transfer)."""
        self.means_ = means
        self.whiteners_ = function_of(means, "invsqrt")

    def _score_matrices(self, matrices: Array) -> Array:
        return -squared_distances(matrices, self.whiteners_)


class FgMdm(CovarianceDecoder):
    """Geodesic filtering by Fisher's discriminant in the tangent space, then minimum distance to mean.

    Barachant et al. 2010 (LVA/ICA); equal to pyRiemann's FgMDM.
    """

    whitener_: Array
    filter_: Array
    whiteners_: Array

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:  # noqa: ARG002
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        self.whitener_ = function_of(mean_riemann(matrices), "invsqrt")
        tangent = self._tangent(matrices)
        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(tangent, index)
        directions = discriminant.coef_
        self.filter_ = directions.T @ np.linalg.pinv(directions @ directions.T) @ directions
        filtered = self._filtered(tangent)
        means = np.stack([mean_riemann(filtered[index == k]) for k in range(len(self.classes_))])
        self.whiteners_ = function_of(means, "invsqrt")

    def _tangent(self, matrices: Array) -> Array:
        return tangent_vectors(matrices, self.whitener_)

    def _filtered(self, tangent: Array) -> Array:
        # Distances do not change by a congruence, so nobody needs to go back through the square root of the mean.
        return function_of(unupper(tangent @ self.filter_), "exp")

    def _score_matrices(self, matrices: Array) -> Array:
        return -squared_distances(self._filtered(self._tangent(matrices)), self.whiteners_)


def fit_weighted(classifier: Any, features: Array, index: NDArray[np.intp], weights: Array | None) -> None:
    """Fit a classifier of `linear_classifier`, with weights where there are any.

    Raises
    ------
    ArgumentError
        If it knows no weights.
    """
    from sklearn.utils.validation import has_fit_parameter

    if getattr(classifier, "kernel", "") == "linear" and len(features) <= GRAM_LIMIT:
        _fit_support_vectors(classifier, features, index, weights)
    elif weights is None:
        classifier.fit(features, index)
    elif has_fit_parameter(classifier, "sample_weight"):
        classifier.fit(features, index, sample_weight=weights)
    else:
        raise ArgumentError('classifier "lda" takes no sample_weight; allowed with weights: lr, svm.')


def _fit_support_vectors(classifier: Any, features: Array, index: NDArray[np.intp], weights: Array | None) -> None:
    """Fit linear support vectors on the products of all trials, computed at once.

    libsvm solves the same problem by the same steps; only it computes the products one row at a time, which takes
    longer than all its steps where features are many.
    """
    from sklearn.base import clone

    solved = clone(classifier).set_params(kernel="precomputed")
    solved.fit(features @ features.T, index, sample_weight=weights)
    vectors = np.ascontiguousarray(features[solved.support_])
    there = {"kernel": "linear", "support_vectors_": vectors, "shape_fit_": features.shape}
    vars(classifier).update({**vars(solved), **there, "n_features_in_": features.shape[1]})


def linear_classifier(name: str, C: float) -> Any:
    """Return an unfitted "lda" (automatic shrinkage), "lr" or linear "svm"."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    check_choice("classifier", name, ("lda", "lr", "svm"))
    if name == "lr":
        return LogisticRegression(C=C, max_iter=1000)
    if name == "svm":
        # At libsvm's own tolerance scores are known to three digits, and the order of trials decides close ones.
        return SVC(kernel="linear", C=C, decision_function_shape="ovr", tol=SVM_TOLERANCE)
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
