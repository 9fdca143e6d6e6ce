"""The geometric mean of covariances by Newton steps, and results kept while the same folds are learnt many times."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOLERANCE = 1e-8
"""Norm of the mean tangent vector at which the mean is found; pyRiemann's."""

_STEPS = 50
_INNER = 1e-3
"""Share of the gradient, times its size, that conjugate gradients leave of it."""

_SINGLE = 3e-6
"""Share of a gradient that conjugate gradients in single precision can leave of it."""

_BLOCK = 1 << 18
"""Bytes of matrices that are worked on at once."""

_NEAR = 1e-3
"""Distance over which tangent vectors move by their first derivative: what it leaves, a tenth of the square, is 1e-8
of their length."""


class _Kept:
    """Results by the content of what they were computed from, up to a number of bytes; the oldest go first."""

    def __init__(self, limit: int, *, results: bool) -> None:
        self.limit = limit
        self.results = results
        self.size = 0
        self.values: OrderedDict[bytes, Array] = OrderedDict()
        self.around: _Around | None = None
        self.last: tuple[Array, _Seen] | None = None

    def find(self, key: bytes, make: Callable[[], Array]) -> Array:
        found = self.values.get(key)
        if found is None:
            found = make()
            found.flags.writeable = False
            self.values[key] = found
            self.size += found.nbytes
            while self.size > self.limit and len(self.values) > 1:
                self.size -= self.values.popitem(last=False)[1].nbytes
        else:
            self.values.move_to_end(key)
        return found


_KEPT: ContextVar[_Kept | None] = ContextVar("bcikit_kept", default=None)


@contextmanager
def remembering(limit: int = 256_000_000, *, results: bool = True) -> Iterator[None]:
    """Compute means and tangent vectors of the same matrices once while this lasts.

    Several decoders of one comparison learn from the same folds. Results are found by a hash of the matrices, never by
    who asks, and are read-only.

    Parameters
    ----------
    limit : int
        Bytes kept at most.
    results : bool
        False where one decoder learns alone, which asks for nothing twice: only what is `around` is kept.
    """
    token = _KEPT.set(_Kept(limit, results=results))
    try:
        yield
    finally:
        _KEPT.reset(token)


def remembered(what: str, arrays: tuple[Any, ...], make: Callable[[], Array]) -> Array:
    """Return what `make` returns, or what it returned for the same arrays while `remembering`."""
    kept = _KEPT.get()
    if kept is None or not kept.results:
        return make()
    found = hashlib.blake2b(what.encode(), digest_size=20)
    for array in arrays:
        values = np.ascontiguousarray(array) if array is not None else np.zeros(0)
        found.update(str(values.shape).encode())
        found.update(values.data)
    return kept.find(found.digest(), make)


def mean_riemann(matrices: Array, weights: Array | None = None) -> Array:
    """Return the geometric mean of SPD matrices.

    The minimum of the sum of squared affine-invariant distances (Moakher 2005), equal to pyRiemann's to 1e-8. That one
    descends along the mean tangent vector; here each step solves for the curvature, too, which is known in the
    eigenbasis of each whitened matrix: ``l / 2 coth(l / 2)`` of the differences l of log eigenvalues (Pennec 2018,
    arXiv 1805.00744). Gradients are in double precision and decide where the search ends; curvature, which only says
    where to look next, is in single. Two or three eigendecompositions of each matrix do what takes eight; one, where
    they were looked at `around` a point already, and the tangent vectors of the mean need no further ones.

    Parameters
    ----------
    matrices : ndarray, shape (n_matrices, n, n)
        SPD.
    weights : ndarray, shape (n_matrices,), or None
        Need not sum to one.

    Returns
    -------
    ndarray, shape (n, n)
    """

    def make() -> Array:
        share = np.full(len(matrices), 1.0 / len(matrices)) if weights is None else weights / np.sum(weights)
        return _mean(matrices, share, _around(matrices))

    return remembered("mean", (matrices, weights), make)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Matrices as seen from a point: whitened by it, and decomposed.

    Attributes
    ----------
    point : ndarray, shape (n, n)
        SPD.
    values : ndarray, shape (n_matrices, n)
        Eigenvalues.
    rows : ndarray, shape (n_matrices, n, n)
        Eigenvectors, one a row.
    """

    point: Array
    values: Array
    rows: Array

    def take(self, places: NDArray[np.intp]) -> "_Seen":
        return _Seen(self.point, self.values[places], self.rows[places])


class _Around:
    """Matrices of which means of many will be asked for, and how they look from a point near the mean of all."""

    def __init__(self, matrices: Array) -> None:
        self.matrices = matrices
        self.places = {key: place for place, key in enumerate(_keys(matrices))}
        self.seen: _Seen | None = None

    def find(self, keys: list[bytes]) -> _Seen | None:
        """Return how some of the matrices look from the point, or None if one is not among them."""
        places = [self.places.get(key, -1) for key in keys]
        if min(places) < 0:
            return None
        if self.seen is None:
            share = np.full(len(self.matrices), 1.0 / len(self.matrices))
            begin = _look(np.tensordot(share, self.matrices, axes=1), self.matrices)
            step, _ = _newton(_Curved(begin, share), _gradient(begin, share))
            self.seen = _look(_moved(begin.point, step), self.matrices)
        return self.seen.take(np.asarray(places))


def around(matrices: Array) -> None:
    """Expect to be asked for means of many of these matrices, as folds of a cross-validation do, while `remembering`.

    All are decomposed once, at a point near the mean of all, where the search for each of those means begins. It ends
    where it would have ended otherwise: at the one minimum, to `TOLERANCE`. So no fold learns from what it leaves out.

    Parameters
    ----------
    matrices : ndarray, shape (n_matrices, n, n)
        SPD. Where they would take more than is kept at most, nothing is done.
    """
    kept = _KEPT.get()
    if kept is not None and matrices.ndim == 3 and 2 * matrices.nbytes <= kept.limit:
        kept.around = _Around(matrices)


def _around(matrices: Array) -> _Seen | None:
    kept = _KEPT.get()
    if kept is None or kept.around is None or kept.around.matrices.shape[1:] != matrices.shape[1:]:
        return None
    return kept.around.find(_keys(matrices))


def _keys(matrices: Array) -> list[bytes]:
    return [hashlib.blake2b(one, digest_size=20).digest() for one in np.ascontiguousarray(matrices)]


def _mean(matrices: Array, share: Array, seen: _Seen | None) -> Array:
    if seen is None:
        seen = _look(np.tensordot(share, matrices, axes=1), matrices)
    before = np.inf
    mean = seen.point
    for _ in range(_STEPS):
        gradient = _gradient(seen, share)
        size = float(np.linalg.norm(gradient))
        if size <= TOLERANCE:
            mean = seen.point
            break
        # Far away, or where a step did not help, the plain step, which always descends.
        curved = _Curved(seen, share) if size < before else None
        change, rest = (gradient, gradient) if curved is None else _newton(curved, gradient)
        mean = _moved(seen.point, change)
        # The error of a Newton step goes with the square of what it mends, by a factor that the step before has shown.
        factor = 3.0 * size / before**2 if np.isfinite(before) else 1.0
        if float(np.linalg.norm(rest)) + _SINGLE * size + factor * size**2 <= TOLERANCE:
            break
        before = size
        seen = _look(mean, matrices)
    kept = _KEPT.get()
    if kept is not None:
        kept.last = matrices, seen
    return mean


def tangents_near(matrices: Array, whitener: Array) -> Array | None:
    """Return the tangent matrices at a mean that was just found, where the search saw these matrices from near enough.

    ``M^-1/2 C M^-1/2 = U T W T U'``, where ``W`` is the matrix as it was seen, ``T`` is near one and ``U`` a rotation;
    the logarithm moves by its first derivative along ``log T``, known in the eigenbasis of ``W``.

    Parameters
    ----------
    matrices : ndarray, shape (n_matrices, n, n)
        The object that `mean_riemann` was given while `remembering`.
    whitener : ndarray, shape (n, n)
        Inverse square root of the mean.

    Returns
    -------
    ndarray, shape (n_matrices, n, n), or None
        None where they must be decomposed once more.
    """
    kept = _KEPT.get()
    if kept is None or kept.last is None or kept.last[0] is not matrices:
        return None
    seen = kept.last[1]
    turn, change = _apart(whitener, seen.point)
    if float(np.linalg.norm(change)) > _NEAR:
        return None
    found = np.empty_like(matrices)
    curved = _Curved(seen, None)
    diagonal = np.arange(matrices.shape[1])
    for block in _blocks(matrices):
        moved = -curved.along(change, block).astype(np.float64)
        moved[:, diagonal, diagonal] += np.log(seen.values[block])
        rows = seen.rows[block] @ turn.T
        found[block] = rows.swapaxes(1, 2) @ (moved @ rows)
    return found


def _apart(whitener: Array, point: Array) -> tuple[Array, Array]:
    """Return the rotation ``U`` and the change ``S`` for which a whitener is ``U exp(-S / 2) point^-1/2``."""
    both = whitener @ _root(point)
    values, vectors = np.linalg.eigh(both.T @ both)
    turn: Array = both @ ((vectors / np.sqrt(values)) @ vectors.T)
    change: Array = (vectors * -np.log(values)) @ vectors.T
    return turn, change


def _look(point: Array, matrices: Array) -> _Seen:
    """Decompose the matrices as seen from a point."""
    inverse = _root(point, inverse=True)
    values = np.empty(matrices.shape[:2])
    rows = np.empty_like(matrices)
    for block in _blocks(matrices):
        values[block], columns = np.linalg.eigh(inverse @ matrices[block] @ inverse)
        rows[block] = columns.swapaxes(1, 2)
    return _Seen((point + point.T) / 2, np.maximum(values, np.finfo(float).tiny), rows)


def _root(point: Array, *, inverse: bool = False) -> Array:
    values, vectors = np.linalg.eigh(point)
    roots = np.sqrt(np.maximum(values, np.finfo(float).tiny))
    found: Array = (vectors / roots if inverse else vectors * roots) @ vectors.T
    return found


def _blocks(matrices: Array | NDArray[np.float32]) -> list[slice]:
    """Return pieces that fit into the processor's cache."""
    length = max(1, _BLOCK // matrices[0].nbytes)
    return [slice(start, start + length) for start in range(0, len(matrices), length)]


def _gradient(seen: _Seen, share: Array) -> Array:
    """Return the mean tangent vector, as a matrix in the frame of the symmetric root of the point."""
    flat = seen.rows.reshape(-1, seen.rows.shape[2])
    found: Array = flat.T @ ((share[:, None] * np.log(seen.values)).reshape(-1, 1) * flat)
    return (found + found.T) / 2


def _moved(point: Array, change: Array) -> Array:
    values, vectors = np.linalg.eigh((change + change.T) / 2)
    root = _root(point)
    found: Array = root @ ((vectors * np.exp(values)) @ vectors.T) @ root
    return found


class _Curved:
    """By what the mean tangent vector changes as the point moves, in single precision.

    Parameters
    ----------
    seen : _Seen
        How matrices look.
    share : ndarray, shape (n_matrices,), or None
        Weight of each; None where each is asked for itself.
    """

    def __init__(self, seen: _Seen, share: Array | None) -> None:
        self.seen = seen
        self.share = share
        self.rows = seen.rows.astype(np.float32)
        logs = np.log(seen.values).astype(np.float32)
        self.bent = np.empty_like(self.rows)
        for block in _blocks(self.rows):
            half = 0.5 * (logs[block, :, None] - logs[block, None, :])
            with np.errstate(divide="ignore", invalid="ignore"):
                bent = np.where(np.abs(half) < 1e-4, np.float32(1.0), half / np.tanh(half))
            self.bent[block] = bent if share is None else bent * share[block, None, None]

    def along(self, change: Array, block: slice) -> NDArray[np.float32]:
        """Return the change of the tangent vectors of some matrices, each in its own eigenbasis."""
        rows = self.rows[block]
        each = rows.reshape(-1, rows.shape[2])
        inner = (each @ change.astype(np.float32)).reshape(rows.shape) @ rows.swapaxes(1, 2)
        inner *= self.bent[block]
        found: NDArray[np.float32] = inner
        return found

    def __call__(self, change: Array) -> Array:
        """Return the change of the mean."""
        total = np.zeros(change.shape)
        for block in _blocks(self.rows):
            rows = self.rows[block]
            moved = (self.along(change, block) @ rows).reshape(-1, rows.shape[2])
            total += rows.reshape(moved.shape).T @ moved
        return total


def _newton(curved: _Curved, gradient: Array) -> tuple[Array, Array]:
    """Return the step at which the gradient is zero if the curvature stays, and what is left: conjugate gradients."""
    n = gradient.shape[0]
    flat = curved.rows.reshape(-1, n)
    assert curved.share is not None
    # Of the curvature the mean of squared logs is known beforehand; what is left to find are a few directions.
    weights = (curved.share[:, None] * np.log(curved.seen.values) ** 2).astype(np.float32)
    squares, axes = np.linalg.eigh((flat.T @ (weights.reshape(-1, 1) * flat)).astype(np.float64))
    half = 0.5 * np.sqrt(np.maximum(squares[:, None] + squares[None, :], 1e-12))
    expected = half / np.tanh(half)

    def nearly(rest: Array) -> Array:
        found: Array = axes @ ((axes.T @ rest @ axes) / expected) @ axes.T
        return found

    size = float(np.linalg.norm(gradient))
    if size <= TOLERANCE:
        return gradient, np.zeros_like(gradient)
    goal = max(TOLERANCE / 3, _SINGLE * size, _INNER * size * min(size, 1.0))
    step, rest = np.zeros_like(gradient), gradient
    direction = nearly(rest)
    gain = float(np.sum(rest * direction))
    for _ in range(_STEPS):
        bent = curved(direction)
        length = gain / float(np.sum(direction * bent))
        step = step + length * direction
        rest = rest - length * bent
        if np.linalg.norm(rest) <= goal:
            break
        turned = nearly(rest)
        before, gain = gain, float(np.sum(rest * turned))
        direction = turned + gain / before * direction
    return step, rest
