"""Band power over a sliding window, without an FFT of the window at every update."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.sliding import AlignedBlocks, SlidingStep, block_length
from bcikit.signal import ArgumentError, StreamInfo, check_choice

BANDS: dict[str, tuple[float, float]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
}
"""The usual bands in Hz."""

_SHORTEST_BLOCK = 8


class SlidingBands:
    """Band powers of the newest window: a discrete Fourier sum of the bins used, kept up block by block.

    A new block costs one matrix product, the oldest is subtracted, and the sum is made anew once a lap, so that
    rounding cannot pile up. The Hann window is applied in the frequency domain.

    Parameters
    ----------
    sfreq : float
        Hz.
    n_window, n_block, n_channels : int
        `n_block` divides `n_window`.
    bands : sequence of (float, float)
        Edges in Hz; a bin belongs to a band if ``low <= f < high``.

    Raises
    ------
    ArgumentError
        If a band holds no bin: the window is too short for it.
    """

    def __init__(
        self, sfreq: float, n_window: int, n_block: int, n_channels: int, bands: list[tuple[float, float]]
    ) -> None:
        self.n_blocks = n_window // n_block
        weights, bins = band_weights(sfreq, n_window, bands)
        # One neighbour on either side, for the Hann window.
        around = np.arange(bins[0] - 1, bins[-1] + 2)
        count = around.size
        waves = np.exp(-2j * np.pi * np.outer(np.arange(n_window), around) / n_window).view(np.float64)
        self._waves = [waves[i * n_block : (i + 1) * n_block] for i in range(self.n_blocks)]
        turns = np.outer(np.arange(self.n_blocks), around) / self.n_blocks
        self._turns = list(np.exp(2j * np.pi * turns))
        # The difference of differences is -4 times the windowed bin, hence 16. Real and imaginary parts weigh alike.
        padded = np.pad(weights / 16.0, ((0, 0), (1, 1)))
        self._weights = np.ascontiguousarray(np.repeat(padded, 2, axis=1).T)
        self._parts = np.zeros((self.n_blocks, n_channels, 2 * count))
        self._sum = np.zeros((n_channels, 2 * count))
        self._ones = np.ones(self.n_blocks)
        self._turned = np.zeros_like(self._sum)
        self._differences = np.zeros(self._sum.size - 2)
        self._next = 0
        self.filled = 0

    def clear(self) -> None:
        """Empty the window."""
        self._parts[:] = 0.0
        self._sum[:] = 0.0
        self._next = self.filled = 0

    def add(self, block: NDArray[np.float64]) -> None:
        """Put in a new block, shape (n_block, n_channels), finite, and let the oldest go."""
        part = self._parts[self._next]
        self._sum -= part
        np.matmul(block.T, self._waves[self._next], out=part)
        self._sum += part
        self._next = (self._next + 1) % self.n_blocks
        self.filled = min(self.filled + 1, self.n_blocks)
        if self._next == 0:
            np.matmul(self._ones, self._parts.reshape(self.n_blocks, -1), out=self._sum.reshape(-1))

    def powers(self) -> NDArray[np.float64]:
        """Return the power in each band, shape (n_channels, n_bands), in the square of the unit.

        With the phases turned to the start of the window, the Hann window is ``X[k] / 2 - (X[k+1] + X[k-1]) / 4``: a
        difference of differences. All channels are taken as one row; what falls between two has weight 0.
        """
        turned = self._turned
        np.multiply(self._sum.view(np.complex128), self._turns[self._next], out=turned.view(np.complex128))
        # A complex number takes two places.
        row, first = turned.reshape(-1), self._differences
        np.subtract(row[2:], row[:-2], out=first)
        np.subtract(first[2:], first[:-2], out=row[2:-2])
        np.multiply(turned, turned, out=turned)
        return turned @ self._weights


def band_weights(
    sfreq: float, n_window: int, bands: list[tuple[float, float]]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the weight of each squared Hann-windowed bin in each band, and the bins.

    The scale of `scipy.signal.periodogram` (density) times the bin width: summed over a band it is the power in it.

    Returns
    -------
    weights : ndarray, shape (n_bands, n_bins)
    bins : ndarray of int, shape (n_bins,)

    Raises
    ------
    ArgumentError
        If a band holds no bin.
    """
    every = np.arange(n_window // 2 + 1)
    freqs = every * sfreq / n_window
    members = np.array([(freqs >= low) & (freqs < high) for low, high in bands])
    for (low, high), member in zip(bands, members, strict=True):
        if not member.any():
            raise ArgumentError(
                f"The band {low:g} to {high:g} Hz holds no bin of a window of {n_window / sfreq:g} s at {sfreq:g} Hz; "
                "make the window longer or the band wider."
            )
    used = np.flatnonzero(np.any(members, axis=0))
    bins = np.arange(used[0], used[-1] + 1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_window) / n_window)
    # One-sided: every bin stands for two but 0 and, for an even length, half the rate.
    sides = np.where((bins == 0) | (2 * bins == n_window), 1.0, 2.0)
    weights = members[:, bins] * sides / (sfreq * float(hann @ hann)) * (sfreq / n_window)
    return np.ascontiguousarray(weights), bins


@dataclass(kw_only=True, eq=False)
class BandPower(SlidingStep):
    """Power of each channel in frequency bands, from a periodogram of the window (Hann).

    Columns are named ``"channel band"``, band after band for each channel.

    Parameters
    ----------
    bands : mapping of str to (float, float)
        Edges in Hz; a bin belongs to a band if ``low <= f < high``.
    scale : str
        "power" (square of the unit), "log" (its logarithm to base 10), "relative" (share of the sum of the bands).

    Notes
    -----
    Equal to the sum over a band of ``scipy.signal.periodogram(window, sfreq, "hann", detrend=False)`` times the bin
    width, within 1e-9. Window and hop should have a large common divisor; if they have none above 7 samples, each
    update sums the whole window.
    """

    name: ClassVar[str] = "bandpower"
    scales: ClassVar[tuple[str, ...]] = ("log", "power", "relative")
    """What `scale` may be; steps that compute with powers take nothing else."""
    bands: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(BANDS))
    scale: str = "power"
    _sliding: "SlidingBands | None" = field(init=False, repr=False, default=None)
    _blocks: AlignedBlocks | None = field(init=False, repr=False, default=None)
    _direct: tuple[NDArray[np.float64], NDArray[np.float64]] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(f"scale of {self.name}", self.scale, self.scales)
        self.bands = check_bands(self.bands)

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Make the sums and name one feature for each channel and band."""
        edges = list(self.bands.values())
        for low, high in edges:
            if high > info.sfreq / 2 + 1e-9:
                raise ArgumentError(
                    f"bandpower: the band {low:g} to {high:g} Hz reaches above half of the sampling rate "
                    f"({info.sfreq / 2:g} Hz)."
                )
        length = block_length(self.n_window, self.n_hop)
        self._sliding = self._blocks = self._direct = None
        if length >= _SHORTEST_BLOCK or length == self.n_window:
            self._sliding = SlidingBands(info.sfreq, self.n_window, length, info.n_channels, edges)
            self._blocks = AlignedBlocks(length, info.n_channels)
        else:
            self._direct = _direct_sums(info.sfreq, self.n_window, edges)
        names = [f"{channel} {band}" for channel in info.ch_names for band in self.bands]
        sources = np.repeat(np.arange(info.n_channels), len(self.bands))[:, None]
        unit = {"power": f"{info.unit}2", "log": f"log10({info.unit}2)", "relative": "1"}[self.scale]
        return names, sources, unit

    def grid(self) -> int:
        """Return the length of a block."""
        return self.n_hop if self._blocks is None else self._blocks.length

    def clear(self) -> None:
        """Empty the window."""
        super().clear()
        if self._sliding is not None and self._blocks is not None:
            self._sliding.clear()
            self._blocks.clear()

    def feed(self, data: NDArray[np.float64], *, boundary: bool) -> None:
        """Add the block once it is complete."""
        if self._sliding is None or self._blocks is None:
            super().feed(data, boundary=boundary)
            return
        block = self._blocks.add(data, boundary=boundary)
        if block is not None:
            self._sliding.add(block)

    def ready(self) -> bool:
        """Return whether the window is full."""
        return super().ready() if self._sliding is None else self._sliding.filled == self._sliding.n_blocks

    def compute(self) -> NDArray[np.float64]:
        """Return the powers, band after band for each channel."""
        if self._sliding is not None:
            powers = self._sliding.powers()
        elif self._direct is not None:
            waves, weights = self._direct
            parts = waves @ self.newest()
            parts *= parts
            count = parts.shape[0] // 2
            powers = (weights @ (parts[:count] + parts[count:])).T
        else:
            raise ArgumentError("bandpower is not configured; call configure(info) first.")
        if self.scale == "log":
            powers = np.log10(np.maximum(powers, 1e-12))
        elif self.scale == "relative":
            powers = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-12)
        return powers.reshape(-1)


def check_bands(bands: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return bands as a dictionary of pairs of floats.

    Raises
    ------
    ArgumentError
        If there is none, or one does not rise from 0 Hz or above.
    """
    if not bands or not hasattr(bands, "items"):
        raise ArgumentError(f"bands is {bands!r}; it must map names to pairs of Hz, as in {{'alpha': (8, 13)}}.")
    checked: dict[str, tuple[float, float]] = {}
    for name, edges in bands.items():
        try:
            low, high = (float(edge) for edge in edges)
        except (TypeError, ValueError):
            raise ArgumentError(f"bands[{name!r}] is {edges!r}; it must be a pair of Hz.") from None
        if not 0 <= low < high < float("inf"):
            raise ArgumentError(f"bands[{name!r}] is {edges!r}; it must rise from 0 Hz or above.")
        checked[str(name)] = (low, high)
    return checked


def _direct_sums(
    sfreq: float, n_window: int, bands: list[tuple[float, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the windowed waves of the bins used and the weights of their squares."""
    weights, bins = band_weights(sfreq, n_window, bands)
    time = np.arange(n_window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * time / n_window)
    waves = np.exp(-2j * np.pi * np.outer(bins, time) / n_window) * hann
    return np.ascontiguousarray(np.vstack([waves.real, waves.imag])), weights
