"""Canonical correlations of small matrices, safe where data lack rank."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TOLERANCE = 1e-10
"""Directions with less than this share of the largest power carry no signal (average reference)."""


def whitener_of(gram: Array) -> Array:
    """Return W with ``W' G W = I`` on the directions that carry signal and 0 on the others, ``(..., n, n)``."""
    values, vectors = np.linalg.eigh(gram)
    floor = _TOLERANCE * values[..., -1:]
    scale = np.where(values > floor, 1.0 / np.sqrt(np.maximum(values, np.finfo(float).tiny)), 0.0)
    return vectors * scale[..., None, :]


def squared_correlations(parts: Array, basis: Array, sizes: tuple[int, ...]) -> Array:
    """Return the largest canonical correlation squared of each band with each set of references.

    Parameters
    ----------
    parts : ndarray, shape (n_bands, n_channels, n_times)
        Sub-bands of one window, zero mean.
    basis : ndarray, shape (n_times, sum(sizes))
        Orthonormal references of each target, side by side.
    sizes : tuple of int
        Columns of each target.

    Returns
    -------
    ndarray, shape (n_bands, n_targets)
    """
    whitener = whitener_of(parts @ parts.swapaxes(-1, -2))
    inner = whitener.swapaxes(-1, -2) @ (parts @ basis)
    if len(set(sizes)) == 1:
        blocks = inner.reshape(*inner.shape[:-1], len(sizes), sizes[0]).swapaxes(-2, -3)
        return _largest(blocks)
    edges = np.cumsum(sizes)[:-1]
    return np.stack([_largest(block) for block in np.split(inner, edges, axis=-1)], axis=-1)


def _largest(blocks: Array) -> Array:
    """Return the largest squared singular value of each matrix, from the smaller Gram matrix."""
    if blocks.shape[-2] <= blocks.shape[-1]:
        gram = blocks @ blocks.swapaxes(-1, -2)
    else:
        gram = blocks.swapaxes(-1, -2) @ blocks
    return np.clip(np.linalg.eigvalsh(gram)[..., -1], 0.0, 1.0)


def canonical_pair(first: Array, second: Array) -> tuple[Array, Array, float]:
    """Return the first pair of canonical filters of two signals and their correlation.

    Parameters
    ----------
    first, second : ndarray, shape (n, n_times), (m, n_times)
        Zero mean.
    """
    a, b = whitener_of(first @ first.T), whitener_of(second @ second.T)
    left, values, right = np.linalg.svd(a.T @ first @ second.T @ b, full_matrices=False)
    return a @ left[:, 0], b @ right[0], float(np.clip(values[0], 0.0, 1.0))
