"""Learning from other days and other people: re-centring of signals, Riemannian Procrustes analysis."""

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.riemann import TangentSpace, linear_classifier
from bcikit.decoding.spd import Array, covariances, function_of, mean_riemann, rank_projection, upper
from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError, check_choice


def align(trials: Epochs, domains: ArrayLike | None = None, *, estimator: str = "oas") -> Epochs:
    """Return epochs whose mean covariance is the identity in every domain.

    ``X <- M^-1/2 X`` with the geometric mean M of the domain's covariances: re-centring (Zanini et al. 2018, IEEE TBME
    65(5)) done on the signals, so that any decoder profits. It uses no labels, but all epochs of a domain at once:
    live, the mean comes from the first trials of a session (`Recentring`).

    Parameters
    ----------
    trials : Epochs
        Trials of several sessions or people.
    domains : array, shape (n_epochs,), optional
        Session or person of each trial; `Epochs.groups` if left out.
    """
    where = trials.groups if domains is None else np.asarray(domains)
    X = trials.X.copy()
    for domain in np.unique(where):
        rows = where == domain
        X[rows] = whitening(trials.X[rows], estimator=estimator) @ trials.X[rows]
    return replace(trials, X=X)


def whitening(X: Array, *, estimator: str = "oas") -> Array:
    """Return ``M^-1/2`` of the mean covariance M of epochs; directions without signal map to zero."""
    projection = rank_projection(np.einsum("nct,ndt->cd", X, X))
    if projection is None:
        return function_of(mean_riemann(covariances(X, estimator)), "invsqrt")
    inner = function_of(mean_riemann(covariances(projection @ X, estimator)), "invsqrt")
    whitener: Array = projection.T @ inner @ projection
    return whitener


class ProcrustesTangent(TangentSpace):
    """Tangent-space decoder trained on other sessions or people, moved onto the target person.

    Riemannian Procrustes analysis (Rodrigues et al. 2019, IEEE TBME 66(8)) by pyRiemann: covariances of each domain
    are re-centred, scaled to the same dispersion and, where the target has labels, rotated onto its class means.

    Parameters
    ----------
    steps : {"centre", "centre-scale", "full"}
        How far the alignment goes; "full" needs a few labelled trials of each class of the target.
    classifier, C, estimator
        See `TangentSpace`.

    Attributes
    ----------
    scale_ : float
        What brings the target's tangent vectors to the dispersion of those that were learned from.
    """

    scale_: float = 1.0

    def __init__(self, *, steps: str = "full", classifier: str = "lr", C: float = 1.0, estimator: str = "oas") -> None:
        super().__init__(classifier=classifier, C=C, estimator=estimator)
        self.steps = steps

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:
        self.scale_ = 1.0
        super()._fit_matrices(matrices, index, weights)

    def tangent(self, matrices: Array) -> Array:
        """Return tangent vectors on the scale of those that were learned from."""
        vectors: Array = self.scale_ * super().tangent(matrices)
        return vectors

    def fit_transfer(self, X: ArrayLike, y: ArrayLike, domains: ArrayLike, *, target: Any) -> Self:
        """Learn from all domains for one of them.

        Parameters
        ----------
        X : array, shape (n_epochs, n_channels, n_times)
            Epochs of sources and target.
        y : array, shape (n_epochs,)
            Labels.
        domains : array, shape (n_epochs,)
            Session or person of each epoch.
        target : object
            The domain that will be decoded; it must have trials here, which are few.
        """
        from pyriemann.transfer import TLCenter, TLRotate, TLScale, decode_domains, encode_domains
        from sklearn.pipeline import make_pipeline

        check_choice("steps", self.steps, ("centre", "centre-scale", "full"))
        data, index = self._begin(X, y)
        where = np.asarray(domains).astype(str)
        goal = str(target)
        if goal not in where or len(np.unique(where)) < 2:
            raise DataError(f"Transfer needs trials of the target {goal!r} and of at least one other domain.")
        if self.steps != "centre" and np.count_nonzero(where == goal) < 2:
            raise DataError(f"steps={self.steps!r} needs two trials of the target or more; use 'centre'.")
        self.projection_ = rank_projection(np.einsum("nct,ndt->cd", data, data))
        matrices = self._matrices(data)
        encoded, labels = encode_domains(matrices, index, where)
        chain: list[Any] = [TLCenter(target_domain=goal)]
        if self.steps != "centre":
            chain.append(TLScale(target_domain=goal, centered_data=True))
        if self.steps == "full":
            if len(np.unique(index[where == goal])) < len(self.classes_):
                raise DataError("steps='full' needs labelled trials of every class of the target; use 'centre-scale'.")
            chain.append(TLRotate(target_domain=goal, metric="euclid"))
        with warnings.catch_warnings():
            # The rotation is as good as it gets after pyRiemann's number of steps, converged or not.
            warnings.filterwarnings("ignore", message="Convergence not reached")
            # From NumPy 2.5 the eigenvectors of symmetric matrices are of a complex type, with no imaginary part.
            warnings.filterwarnings("ignore", message="Casting complex values to real")
            moved = make_pipeline(*chain).fit_transform(encoded, labels)
        _, plain, _ = decode_domains(moved, labels)
        # All domains are centred at the identity now; the target's own centre is where its windows will be whitened.
        self.set_reference(mean_riemann(matrices[where == goal]))
        self.scale_ = 1.0
        if self.steps != "centre":
            dispersion = float(np.mean(np.sum(self.tangent(matrices[where == goal]) ** 2, axis=1)))
            self.scale_ = 1.0 / float(np.sqrt(dispersion))
        self.classifier_ = linear_classifier(self.classifier, self.C)
        self.classifier_.fit(upper(function_of(moved, "log")), _as_index(plain))
        return self


def _as_index(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the class indices that pyRiemann keeps as text."""
    return np.asarray(labels).astype(float).astype(np.intp)
