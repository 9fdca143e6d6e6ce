"""Connectivity between channels over a sliding window: coherence and phase locking."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.sliding import SlidingStep
from bcikit.signal import ArgumentError, StreamInfo, check_choice, check_int, check_range

_SMALL = 1e-12


@dataclass(kw_only=True, eq=False)
class Connectivity(SlidingStep):
    """Coherence or phase locking of pairs of channels in a band, 0 to 1, columns named "first~second".

    Parameters
    ----------
    l_freq, h_freq : float
        The band in Hz.
    method : str
        "coherence": magnitude-squared coherence (Welch, Hann, half-overlapping segments), mean over the bins of the
        band; equal to `scipy.signal.coherence` on the window. "imaginary": absolute imaginary part of coherency
        (Nolte 2004), blind to volume conduction. "plv": phase-locking value (Lachaux 1999) of the analytic signal of
        the band in the window, its outer tenths left out.
    segments : int
        Half-overlapping segments a window, for coherence; of one segment alone coherence would always be 1.
    pairs : sequence of (str, str)
        Pairs of channels; all pairs if left out.
    """

    name: ClassVar[str] = "connectivity"
    window: float = 2.0
    hop: float = 0.5
    l_freq: float = 8.0
    h_freq: float = 13.0
    method: str = "coherence"
    segments: int = 7
    pairs: Sequence[Sequence[str]] = ()
    _first: NDArray[np.intp] = field(init=False, repr=False, default_factory=lambda: np.empty(0, np.intp))
    _second: NDArray[np.intp] = field(init=False, repr=False, default_factory=lambda: np.empty(0, np.intp))
    _bins: NDArray[np.intp] = field(init=False, repr=False, default_factory=lambda: np.empty(0, np.intp))
    _length: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("l_freq", self.l_freq, low=0.0, unit="Hz")
        check_choice("method", self.method, ("coherence", "imaginary", "plv"))
        check_int("segments", self.segments, low=2, high=1000)
        self.pairs = tuple(tuple(pair) for pair in self.pairs)
        if self.l_freq >= self.h_freq:
            raise ArgumentError(f"l_freq ({self.l_freq:g} Hz) must be below h_freq ({self.h_freq:g} Hz).")

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Choose the bins and the pairs."""
        if info.n_channels < 2:
            raise ArgumentError(f"connectivity needs two channels; {info.name!r} has {info.n_channels}.")
        if self.pairs:
            found = np.asarray([info.index_of(pair, who="connectivity") for pair in self.pairs], dtype=np.intp)
            self._first, self._second = found[:, 0], found[:, 1]
        else:
            self._first, self._second = np.triu_indices(info.n_channels, 1)
        self._length = self.n_window if self.method == "plv" else 2 * self.n_window // (self.segments + 1)
        every = np.fft.rfftfreq(self._length, 1 / info.sfreq)
        self._bins = np.flatnonzero((every >= self.l_freq) & (every < self.h_freq))
        if not self._bins.size:
            raise ArgumentError(
                f"connectivity: segments of {self._length / info.sfreq:g} s have no frequency between {self.l_freq:g} "
                f"and {self.h_freq:g} Hz; make the window longer or take fewer segments."
            )
        names = [f"{info.ch_names[i]}~{info.ch_names[j]}" for i, j in zip(self._first, self._second, strict=True)]
        return names, np.stack([self._first, self._second], axis=1), "1"

    def compute(self) -> NDArray[np.float64]:
        """Return one value a pair."""
        return self._phase_locking() if self.method == "plv" else self._coherence()

    def _coherence(self) -> NDArray[np.float64]:
        length = self._length
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        data = self.newest()
        starts = range(0, self.n_window - length + 1, length - length // 2)
        parts = np.stack([data[start : start + length] for start in starts])
        parts = (parts - parts.mean(axis=1, keepdims=True)) * window[:, None]
        # (bins, segments, channels): one cross-spectral matrix a bin
        spectra = np.fft.rfft(parts, axis=1)[:, self._bins].transpose(1, 0, 2)
        cross = spectra.transpose(0, 2, 1) @ spectra.conj()
        power = np.einsum("bii->bi", cross).real
        level = power[:, self._first] * power[:, self._second]
        pair = cross[:, self._first, self._second]
        if self.method == "imaginary":
            return np.abs((pair / np.sqrt(level + _SMALL)).imag).mean(axis=0)
        return (np.abs(pair) ** 2 / (level + _SMALL)).mean(axis=0)

    def _phase_locking(self) -> NDArray[np.float64]:
        data = self.newest()
        spectrum = np.fft.fft(data - data.mean(axis=0), axis=0)
        kept = np.zeros_like(spectrum)
        kept[self._bins] = 2.0 * spectrum[self._bins]
        edge = self.n_window // 10
        analytic = np.fft.ifft(kept, axis=0)[edge : self.n_window - edge]
        unit = analytic / np.maximum(np.abs(analytic), _SMALL)
        locking = np.abs(unit.T @ unit.conj()) / unit.shape[0]
        return locking[self._first, self._second]
