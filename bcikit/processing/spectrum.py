"""Features of the spectrum over a sliding window: density, ratios, alpha frequency, lateralisation, ERD/ERS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bandpower import BandPower
from bcikit.processing.sliding import SlidingStep
from bcikit.signal import ArgumentError, DataError, Recording, StreamInfo, check_choice, check_range

_SMALL = 1e-12


@dataclass(kw_only=True, eq=False)
class Psd(SlidingStep):
    """Power spectral density of the window (periodogram, Hann), one column a channel and frequency.

    Parameters
    ----------
    fmin, fmax : float
        First and last frequency in Hz; `fmax` None for half the sampling rate.
    """

    name: ClassVar[str] = "psd"
    fmin: float = 1.0
    fmax: float | None = None
    freqs: NDArray[np.float64] = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _window: NDArray[np.float64] = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _bins: NDArray[np.intp] = field(init=False, repr=False, default_factory=lambda: np.empty(0, np.intp))
    _scale: NDArray[np.float64] = field(init=False, repr=False, default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("fmin", self.fmin, low=0.0, unit="Hz")
        if self.fmax is not None and self.fmax <= self.fmin:
            raise ArgumentError(f"fmax ({self.fmax:g} Hz) must be above fmin ({self.fmin:g} Hz).")

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Choose the bins."""
        top = info.sfreq / 2 if self.fmax is None else min(self.fmax, info.sfreq / 2)
        every = np.fft.rfftfreq(self.n_window, 1 / info.sfreq)
        self._bins = np.flatnonzero((every >= self.fmin) & (every <= top + 1e-9))
        if not self._bins.size:
            raise ArgumentError(f"psd: no frequency between {self.fmin:g} and {top:g} Hz; make the window longer.")
        self.freqs = np.asarray(every[self._bins], dtype=np.float64)
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.n_window) / self.n_window))[:, None]
        sides = np.where((self._bins == 0) | (2 * self._bins == self.n_window), 1.0, 2.0)
        self._scale = (sides / (info.sfreq * float((self._window**2).sum())))[:, None]
        names = [f"{channel} {freq:g} Hz" for channel in info.ch_names for freq in self.freqs]
        sources = np.repeat(np.arange(info.n_channels), self.freqs.size)[:, None]
        return names, sources, f"{info.unit}2/Hz"

    def density(self) -> NDArray[np.float64]:
        """Return the density of the newest window, shape (n_freqs, n_channels)."""
        spectrum = np.fft.rfft(self.newest() * self._window, axis=0)[self._bins]
        return (spectrum.real**2 + spectrum.imag**2) * self._scale

    def compute(self) -> NDArray[np.float64]:
        """Return the density, frequency after frequency for each channel."""
        return self.density().T.reshape(-1)


@dataclass(kw_only=True, eq=False)
class AlphaFrequency(Psd):
    """Individual alpha frequency of each channel, in Hz.

    Parameters
    ----------
    fmin, fmax : float
        The band in Hz.
    method : str
        "gravity": mean frequency of the band weighted with its power (Klimesch 1999). "peak": frequency of the largest
        density, refined by a parabola through its neighbours.

    Notes
    -----
    A window of four seconds or more gives a resolution that means something.
    """

    name: ClassVar[str] = "alphafrequency"
    window: float = 4.0
    hop: float = 0.5
    fmin: float = 7.0
    fmax: float | None = 13.0
    method: str = "gravity"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("method", self.method, ("gravity", "peak"))

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Choose the bins and keep the names of the channels."""
        super().prepare(info)
        if self.freqs.size < 3:
            raise ArgumentError("alphafrequency: the window is too short for three frequencies in the band.")
        return list(info.ch_names), np.arange(info.n_channels)[:, None], "Hz"

    def compute(self) -> NDArray[np.float64]:
        """Return one frequency a channel."""
        density = self.density()
        if self.method == "gravity":
            return self.freqs @ density / np.maximum(density.sum(axis=0), _SMALL)
        peak = np.clip(density.argmax(axis=0), 1, self.freqs.size - 2)
        columns = np.arange(density.shape[1])
        low, top, high = (np.log(np.maximum(density[peak + k, columns], _SMALL)) for k in (-1, 0, 1))
        curve = low - 2 * top + high
        shift = np.where(curve < 0, 0.5 * (low - high) / np.where(curve < 0, curve, -1.0), 0.0)
        return self.freqs[peak] + np.clip(shift, -0.5, 0.5) * (self.freqs[1] - self.freqs[0])


@dataclass(kw_only=True, eq=False)
class PowerRatio(BandPower):
    """Ratio of band powers of each channel: theta over beta, (theta + alpha) over beta, and the like.

    Parameters
    ----------
    numerator, denominator : sequence of str
        Names of bands whose powers are summed.
    log : bool
        Logarithm to base 10 of the ratio.
    """

    name: ClassVar[str] = "ratio"
    scales: ClassVar[tuple[str, ...]] = ("power", "relative")
    numerator: Sequence[str] = ("theta",)
    denominator: Sequence[str] = ("beta",)
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.numerator, self.denominator = tuple(self.numerator), tuple(self.denominator)
        for name in (*self.numerator, *self.denominator):
            check_choice("band of ratio", name, self.bands)

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Keep the names of the channels."""
        super().prepare(info)
        return list(info.ch_names), np.arange(info.n_channels)[:, None], "1"

    def compute(self) -> NDArray[np.float64]:
        """Return one ratio a channel."""
        names = list(self.bands)
        powers = super().compute().reshape(-1, len(names))
        above = powers[:, [names.index(name) for name in self.numerator]].sum(axis=1)
        below = powers[:, [names.index(name) for name in self.denominator]].sum(axis=1)
        ratio = (above + _SMALL) / (below + _SMALL)
        return np.log10(ratio) if self.log else ratio


@dataclass(kw_only=True, eq=False)
class Lateralisation(BandPower):
    """Lateralisation index of each band: ``(right - left) / (right + left)`` of the mean powers, -1 to 1.

    Parameters
    ----------
    left, right : sequence of str
        Channels of either side.
    """

    name: ClassVar[str] = "lateralisation"
    scales: ClassVar[tuple[str, ...]] = ("power", "relative")
    bands: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"mu": (8.0, 13.0), "beta": (13.0, 30.0)})
    left: Sequence[str] = ("C3",)
    right: Sequence[str] = ("C4",)
    _sides: tuple[list[int], list[int]] = field(init=False, repr=False, default=([], []))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.left, self.right = tuple(self.left), tuple(self.right)
        if not self.left or not self.right:
            raise ArgumentError("lateralisation needs channels on both sides; left or right is empty.")

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Find the channels by name."""
        super().prepare(info)
        left = info.index_of(self.left, who="lateralisation")
        right = info.index_of(self.right, who="lateralisation")
        self._sides = (left, right)
        sources = np.tile(np.asarray([*left, *right], dtype=np.intp), (len(self.bands), 1))
        return [f"lateralisation {band}" for band in self.bands], sources, "1"

    def compute(self) -> NDArray[np.float64]:
        """Return one index a band."""
        powers = super().compute().reshape(-1, len(self.bands))
        left, right = (powers[side].mean(axis=0) for side in self._sides)
        return (right - left) / (right + left + _SMALL)


@dataclass(kw_only=True, eq=False)
class Erd(BandPower):
    """Event-related desynchronisation: change of the band power against a reference, in percent (Pfurtscheller 1999).

    Negative for desynchronisation, positive for synchronisation.

    Parameters
    ----------
    reference : mapping of str to sequence of float
        Power of each channel in each band at rest, in the square of the unit; `learn_reference` measures it.
    """

    name: ClassVar[str] = "erd"
    scales: ClassVar[tuple[str, ...]] = ("power",)
    bands: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"mu": (8.0, 13.0), "beta": (13.0, 30.0)})
    reference: Mapping[str, Sequence[float]] = field(default_factory=dict)
    _level: NDArray[np.float64] = field(init=False, repr=False, default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reference = {str(name): [float(value) for value in powers] for name, powers in self.reference.items()}
        for name, powers in self.reference.items():
            if len(powers) != len(self.bands) or any(not value > 0 for value in powers):
                raise ArgumentError(f"reference[{name!r}] of erd must be {len(self.bands)} powers above 0.")

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Find the reference of each channel."""
        names, sources, _ = super().prepare(info)
        if self.reference:
            missing = [name for name in info.ch_names if name not in self.reference]
            if missing:
                raise ArgumentError(f"reference of erd lacks {', '.join(missing)}.")
            self._level = np.concatenate([np.asarray(self.reference[name]) for name in info.ch_names])
        else:
            raise ArgumentError("erd has no reference; measure one with bcikit.processing.learn_reference.")
        return names, sources, "%"

    def compute(self) -> NDArray[np.float64]:
        """Return the change in percent, band after band for each channel."""
        return 100.0 * (super().compute() / self._level - 1.0)


def learn_reference(
    recording: Recording,
    *,
    bands: Mapping[str, tuple[float, float]],
    spans: Sequence[tuple[float, float]] = (),
    window: float = 1.0,
    hop: float = 0.1,
) -> dict[str, list[float]]:
    """Return the mean band powers of each EEG channel at rest, for `Erd`.

    Parameters
    ----------
    recording : Recording
        Filtered as the stream will be.
    bands : mapping of str to (float, float)
        The bands of the `Erd` step.
    spans : sequence of (float, float)
        Begin and end of the rest in seconds on the recording's clock; the whole recording if left out. A window
        counts if it lies within a span.
    window, hop : float
        As of the `Erd` step.

    Raises
    ------
    DataError
        If no good window lies in the spans.
    """
    step = BandPower(window=window, hop=hop, bands=bands)
    powers = step.apply(recording)
    used = np.ones(powers.n_times, dtype=bool)
    if spans:
        used = np.zeros(powers.n_times, dtype=bool)
        for begin, end in spans:
            used |= (powers.times - window >= begin) & (powers.times <= end)
    if powers.mask is not None:
        used &= ~np.any(powers.mask, axis=1)
    if not used.any():
        raise DataError("learn_reference finds no good window in the spans given.")
    means = powers.data[used].mean(axis=0).reshape(-1, len(step.bands))
    names = [recording.info.ch_names[column] for column in recording.info.indices(ch_type="eeg")]
    return {name: values.tolist() for name, values in zip(names, means, strict=True)}
