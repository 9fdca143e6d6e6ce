"""Running covariance: over a sliding window, or exponentially forgetting; with shrinkage."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.sliding import AlignedBlocks, SlidingStep, block_length
from bcikit.signal import ArgumentError, StreamInfo, check_choice, check_range

ESTIMATORS = ("scm", "shrinkage", "exponential")
"""What `Covariance` knows."""


class RunningCovariance:
    """Covariance of the newest blocks, kept as a sum of products: one product of the new block an update.

    The sums are made anew once a lap, so that rounding cannot pile up. The relative error is of the order of
    ``1e-16 (offset / amplitude)^2``: 1e-10 under an offset of 10 mV.

    Parameters
    ----------
    n_channels : int
        Channels.
    n_blocks : int
        Blocks in the window.
    n_block : int
        Samples a block.
    """

    def __init__(self, n_channels: int, n_blocks: int, n_block: int) -> None:
        self.n_blocks = n_blocks
        # Every sample is multiplied by this, so that the sums of products are means of products.
        self._root = 1.0 / math.sqrt(n_blocks * n_block)
        # The block beside a constant column, which gives the mean. The product with a part of itself is one for the
        # general routine of BLAS, at these sizes faster than the symmetric one that numpy chooses for X' X.
        self._extended = np.full((n_block, n_channels + 1), self._root)
        self._ones = np.ones(n_blocks)
        # The last row of each is the mean, so that both are kept up by the same calls.
        self._blocks = np.zeros((n_blocks, n_channels + 1, n_channels))
        self._total = np.zeros((n_channels + 1, n_channels))
        self._next = 0
        self.filled = 0

    def clear(self) -> None:
        """Empty the window."""
        self._blocks[:] = 0.0
        self._total[:] = 0.0
        self._next = self.filled = 0

    def add(self, block: NDArray[np.float64]) -> None:
        """Put in a new block, shape (n_block, n_channels), finite, and let the oldest go."""
        moments = self._blocks[self._next]
        self._total -= moments
        scaled = self._extended[:, :-1]
        np.multiply(block, self._root, out=scaled)
        np.matmul(self._extended.T, scaled, out=moments)
        self._total += moments
        self._next = (self._next + 1) % self.n_blocks
        if self.filled < self.n_blocks:
            self.filled += 1
        if self._next == 0:
            np.matmul(self._ones, self._blocks.reshape(self.n_blocks, -1), out=self._total.reshape(-1))

    def matrix(self) -> NDArray[np.float64]:
        """Return the covariance (mean removed, divided by the number of samples), shape (n_channels, n_channels).

        Equal to ``numpy.cov(window, bias=True)`` and to pyRiemann's "scm".
        """
        mean = self._total[-1:]
        # `dot`, not `outer` or `matmul`: it hands even this product to BLAS, at a third of the cost.
        covariance: NDArray[np.float64] = np.dot(mean.T, -mean)
        covariance += self._total[:-1]
        return covariance


@dataclass(kw_only=True, eq=False)
class Covariance(SlidingStep):
    """Covariance of the channels, its upper triangle row by row.

    Parameters
    ----------
    estimator : str
        "scm": of the window, mean removed. "shrinkage": the same, drawn to a multiple of the unit matrix by
        `shrinkage`. "exponential": forgets with the time constant `window` (an exponential mean of the products of
        each hop around a running mean), drawn by `shrinkage`, too.
    shrinkage : float
        Share of the unit matrix, 0 to 1. Above 0 the matrix is positive definite whatever the rank of the data
        (average reference, removed components, duplicate channels), as tangent spaces and whitening need it.

    Notes
    -----
    ``(1 - shrinkage) C + shrinkage trace(C) / n I`` (Ledoit and Wolf 2004, with a given share).
    """

    name: ClassVar[str] = "covariance"
    estimator: str = "scm"
    shrinkage: float = 0.0
    _running_cov: RunningCovariance | None = field(init=False, repr=False, default=None)
    _blocks: AlignedBlocks | None = field(init=False, repr=False, default=None)
    _upper: tuple[NDArray[np.intp], NDArray[np.intp]] | None = field(init=False, repr=False, default=None)
    _smooth: NDArray[np.float64] | None = field(init=False, repr=False, default=None)
    _seen: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("estimator", self.estimator, ESTIMATORS)
        check_range("shrinkage", self.shrinkage, low=0.0, high=1.0)
        if self.estimator == "shrinkage" and self.shrinkage == 0.0:
            self.shrinkage = 0.05

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Name one feature for each pair of channels."""
        n_channels = info.n_channels
        length = self.grid()
        self._running_cov = RunningCovariance(n_channels, max(1, self.n_window // length), length)
        self._blocks = AlignedBlocks(length, n_channels)
        rows, columns = np.triu_indices(n_channels)
        self._upper = (rows, columns)
        names = [
            info.ch_names[i] if i == j else f"{info.ch_names[i]}~{info.ch_names[j]}"
            for i, j in zip(rows, columns, strict=True)
        ]
        self.clear()
        return names, np.stack([rows, columns], axis=1), f"{info.unit}2"

    def grid(self) -> int:
        """Return the length of a block."""
        return self.n_hop if self.estimator == "exponential" else block_length(self.n_window, self.n_hop)

    def clear(self) -> None:
        """Empty the window."""
        if self._running_cov is not None and self._blocks is not None:
            self._running_cov.clear()
            self._blocks.clear()
        self._smooth = None
        self._seen = 0

    def feed(self, data: NDArray[np.float64], *, boundary: bool) -> None:
        """Add the block once it is complete."""
        if self._running_cov is None or self._blocks is None:
            raise ArgumentError("covariance is not configured; call configure(info) first.")
        block = self._blocks.add(data, boundary=boundary)
        if block is None:
            return
        if self.estimator != "exponential":
            self._running_cov.add(block)
            return
        # Moments around the first sample: [X 1]' [X 1] / n, forgotten alike.
        if self._smooth is None:
            self._origin = block[0].copy()
        extended = np.ones((block.shape[0], block.shape[1] + 1))
        extended[:, :-1] = block - self._origin
        moments = extended.T @ extended / block.shape[0]
        keep = float(np.exp(-self.n_hop / self.n_window))
        self._smooth = moments if self._smooth is None else keep * self._smooth + (1.0 - keep) * moments
        self._seen += self.n_hop

    def memory(self) -> int:
        """Return how many samples back a sample can be felt: e^-5 of an exponential memory is below 1 %."""
        return 5 * self.n_window if self.estimator == "exponential" else self.n_window

    def ready(self) -> bool:
        """Return whether as much has been seen as the window holds."""
        if self.estimator == "exponential":
            return self._seen >= self.n_window
        return self._running_cov is not None and self._running_cov.filled == self._running_cov.n_blocks

    def matrix(self) -> NDArray[np.float64]:
        """Return the newest covariance, shape (n_channels, n_channels)."""
        if self._running_cov is None or not self.ready():
            raise ArgumentError("covariance has no matrix yet: the window is not full.")
        if self._smooth is not None:
            mean = self._smooth[-1, :-1]
            covariance = self._smooth[:-1, :-1] - mean[:, None] * mean
        else:
            covariance = self._running_cov.matrix()
        return shrink(covariance, self.shrinkage) if self.shrinkage else covariance

    def compute(self) -> NDArray[np.float64]:
        """Return the upper triangle of the newest covariance."""
        return self.matrix()[self._upper]


def shrink(covariance: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return ``(1 - share) C + share trace(C) / n I``; works on stacks, shape (..., n, n).

    A matrix of zeros (dead channels) gets a unit matrix of 1e-12 instead, so that a Cholesky factor exists.
    """
    size = covariance.shape[-1]
    level = np.maximum(np.trace(covariance, axis1=-2, axis2=-1) / size, 1e-12)
    out: NDArray[np.float64] = (1.0 - share) * covariance
    out[..., np.arange(size), np.arange(size)] += share * np.asarray(level)[..., None]
    return out
