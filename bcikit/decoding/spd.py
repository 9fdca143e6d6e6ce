"""Covariance matrices, many at a time, and the few pieces of their geometry that a decision needs.

Written out in plain batched numpy, with everything that does not depend on the window computed once. Tests hold it
equal to pyRiemann at 1e-8.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.mean import mean_riemann, remembered, tangents_near
from bcikit.signal import check_choice

Array = NDArray[np.float64]

__all__ = [
    "Array",
    "covariances",
    "function_of",
    "geodesic",
    "mean_riemann",
    "rank_projection",
    "shrink",
    "squared_distances",
    "tangent_vectors",
    "unupper",
    "upper",
]

ESTIMATORS = ("cov", "lwf", "oas", "scm")
RANK_TOLERANCE = 1e-10
"""Eigenvalues of the pooled covariance below this share of the largest count as none (average reference: 1e-16)."""


def covariances(X: Array, estimator: str = "oas") -> Array:
    """Return the spatial covariance of each epoch.

    Parameters
    ----------
    X : ndarray, shape (..., n_channels, n_times)
        Epochs.
    estimator : {"cov", "lwf", "oas", "scm"}
        "cov": ``(X - m)(X - m)' / (n - 1)``; "scm": ``X X' / n``, for signals without offset; "oas": oracle
        approximating shrinkage (Chen et al. 2010, IEEE TSP 58(10)); "lwf": Ledoit and Wolf 2004. The last two are
        those of scikit-learn.

    Returns
    -------
    ndarray, shape (..., n_channels, n_channels)
        Symmetric matrices, positive definite for "oas" and "lwf".
    """
    check_choice("estimator", estimator, ESTIMATORS)
    n_channels, n_times = X.shape[-2:]
    if estimator == "scm":
        return X @ X.swapaxes(-1, -2) / n_times
    centred = X - X.mean(axis=-1, keepdims=True)
    raw = centred @ centred.swapaxes(-1, -2)
    if estimator == "cov":
        return raw / (n_times - 1)
    raw /= n_times
    if estimator == "lwf":
        shrinkage = _ledoit_wolf(centred, raw)
    else:
        mean = np.trace(raw, axis1=-2, axis2=-1) / n_channels
        alpha = np.mean(raw * raw, axis=(-2, -1))
        rest = (n_times + 1) * (alpha - mean**2 / n_channels)
        with np.errstate(divide="ignore", invalid="ignore"):
            shrinkage = np.where(rest == 0, 1.0, np.minimum((alpha + mean**2) / rest, 1.0))
    return shrink(raw, shrinkage)


def shrink(covariance: Array, share: Array) -> Array:
    """Return ``(1 - share) C + share tr(C) / n I``."""
    n = covariance.shape[-1]
    mean = np.trace(covariance, axis1=-2, axis2=-1) / n
    result = covariance * (1.0 - share)[..., None, None]
    diagonal = np.arange(n)
    result[..., diagonal, diagonal] += (share * mean)[..., None]
    return result


def _ledoit_wolf(centred: Array, raw: Array) -> Array:
    """Return the shrinkage of Ledoit and Wolf for each epoch, as `sklearn.covariance.ledoit_wolf_shrinkage`."""
    n_channels, n_times = centred.shape[-2:]
    squares = centred**2
    mean = np.trace(raw, axis1=-2, axis2=-1) / n_channels
    delta_total = np.sum(raw**2, axis=(-2, -1))
    beta_total = np.sum(squares @ squares.swapaxes(-1, -2), axis=(-2, -1)) / n_times
    beta = (beta_total - delta_total) / (n_channels * n_times)
    delta = (delta_total - n_channels * mean**2) / n_channels
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(beta == 0, 0.0, np.minimum(beta, delta) / delta)


def rank_projection(pooled: Array) -> Array | None:
    """Return the projection onto the directions that carry signal, or None if all do.

    Parameters
    ----------
    pooled : ndarray, shape (n_channels, n_channels)
        Covariance over the training data.

    Returns
    -------
    ndarray, shape (rank, n_channels), or None
        Orthonormal rows: an average reference, a repeated or an interpolated channel each take one away.
    """
    values, vectors = np.linalg.eigh(pooled)
    keep = values > RANK_TOLERANCE * values[-1]
    return None if keep.all() else np.ascontiguousarray(vectors[:, keep].T)


def function_of(matrices: Array, name: str) -> Array:
    """Return log, exp, sqrt or inverse sqrt ("invsqrt") of symmetric matrices, shape ``(..., n, n)``."""
    values, vectors = np.linalg.eigh(matrices)
    if name == "exp":
        mapped = np.exp(values)
    else:
        values = np.maximum(values, np.finfo(float).tiny)
        mapped = np.log(values) if name == "log" else np.sqrt(values) if name == "sqrt" else 1.0 / np.sqrt(values)
    return (vectors * mapped[..., None, :]) @ vectors.swapaxes(-1, -2)


@lru_cache(maxsize=32)
def _triangle(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return rows, columns and weights of the upper triangle."""
    rows, columns = np.triu_indices(n)
    return rows, columns, np.where(rows == columns, 1.0, np.sqrt(2.0))


def upper(matrices: Array) -> Array:
    """Return the upper triangle of symmetric matrices as vectors, off-diagonal terms times sqrt(2).

    The Euclidean norm of the vector is the Frobenius norm of the matrix (Barachant et al. 2013, eq. 9).
    """
    n = matrices.shape[-1]
    rows, columns, weights = _triangle(n)
    vectors = np.take(matrices.reshape(*matrices.shape[:-2], n * n), rows * n + columns, axis=-1)
    vectors *= weights
    return vectors


def unupper(vectors: Array) -> Array:
    """Return symmetric matrices from what `upper` made of them."""
    n = int((np.sqrt(1 + 8 * vectors.shape[-1]) - 1) / 2)
    rows, columns, weights = _triangle(n)
    values = vectors / weights
    result = np.zeros((*vectors.shape[:-1], n, n))
    result[..., rows, columns] = values
    result[..., columns, rows] = values
    return result


def tangent_vectors(matrices: Array, whitener: Array) -> Array:
    """Return tangent vectors at a reference, shape ``(n, c * (c + 1) / 2)``; `whitener` is its inverse square root."""

    def make() -> Array:
        near = tangents_near(matrices, whitener)
        return upper(function_of(whitener @ matrices @ whitener, "log") if near is None else near)

    return remembered("tangent", (matrices, whitener), make)


def squared_distances(matrices: Array, whiteners: Array) -> Array:
    """Return squared affine-invariant distances to reference matrices.

    ``d(A, M)^2 = sum(log(eig(M^-1/2 A M^-1/2))^2)``

    Parameters
    ----------
    matrices : ndarray, shape (n, c, c)
        SPD matrices.
    whiteners : ndarray, shape (k, c, c)
        ``M^-1/2`` of each reference.

    Returns
    -------
    ndarray, shape (n, k)
    """
    values = np.linalg.eigvalsh(whiteners @ matrices[:, None] @ whiteners.swapaxes(-1, -2))
    logs = np.log(np.maximum(values, np.finfo(float).tiny))
    return np.einsum("nkc,nkc->nk", logs, logs)


def geodesic(start: Array, end: Array, share: float) -> Array:
    """Return the point at `share` of the way from `start` (0) to `end` (1) on the affine-invariant geodesic."""
    root = function_of(start, "sqrt")
    inverse = function_of(start, "invsqrt")
    inner = function_of(share * function_of(inverse @ end @ inverse, "log"), "exp")
    return root @ inner @ root
