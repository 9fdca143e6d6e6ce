"""Envelope and phase of a band, causal."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bcikit.processing.cascade import Cascade, mean_delay
from bcikit.processing.iir import check_frequency
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Chunk, StreamInfo, check_choice, check_int, check_range

_OUTPUTS = ("both", "envelope", "phase")


@dataclass(kw_only=True, eq=False)
class Envelope(Step):
    """Amplitude and phase of a band by complex demodulation: shifted to 0 Hz, then low-passed.

    No Hilbert transform, which would need the future. The phase at a sample is that of the band one `delay` earlier,
    carried on at the centre frequency to the sample; the amplitude is that of one `delay` earlier.

    Parameters
    ----------
    l_freq, h_freq : float
        Edges of the band in Hz.
    order : int
        Order of the low-pass (Butterworth), whose edge is half the width of the band.
    output : str
        "envelope" (unit of the stream), "phase" (radians, -pi to pi, 0 at the crest), or "both": all envelopes, then
        all phases, named "channel envelope" and "channel phase".

    Notes
    -----
    EEG channels only; high-pass first, an offset leaks in until the low-pass has settled. Bad samples, gaps and
    settling as in every filter (gap policy "reset"); what is bridged is the demodulated signal, so that a rhythm goes
    on over a bad sample.
    """

    name: ClassVar[str] = "envelope"
    l_freq: float
    h_freq: float
    order: int = 4
    output: str = "envelope"
    _runner: Cascade | None = field(init=False, repr=False, default=None)
    _columns: list[int] = field(init=False, repr=False, default_factory=list)
    _turns: float = field(init=False, repr=False, default=0.0)

    def __post_init__(self) -> None:
        check_range("l_freq", self.l_freq, low=0.0, low_open=True, unit="Hz")
        check_range("h_freq", self.h_freq, low=0.0, low_open=True, unit="Hz")
        check_int("order", self.order, low=1, high=12)
        check_choice("output", self.output, _OUTPUTS)
        if self.l_freq >= self.h_freq:
            raise ArgumentError(f"l_freq ({self.l_freq:g} Hz) must be below h_freq ({self.h_freq:g} Hz).")

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Design the low-pass."""
        from scipy.signal import butter

        check_frequency("h_freq of envelope", self.h_freq, info)
        self._columns = info.indices(ch_type="eeg")
        if not self._columns:
            raise ArgumentError(f"envelope needs EEG channels; {info.name!r} has none.")
        sos = butter(self.order, (self.h_freq - self.l_freq) / 2, fs=info.sfreq, output="sos")
        self._runner = Cascade(sos, 2 * len(self._columns))
        self._turns = (self.l_freq + self.h_freq) / 2 / info.sfreq
        self.delay = mean_delay(sos) / info.sfreq
        self.settling = self._runner.settling_samples / info.sfreq
        names = [info.ch_names[column] for column in self._columns]
        if self.output == "both":
            names = [*(f"{name} envelope" for name in names), *(f"{name} phase" for name in names)]
        unit = {"envelope": info.unit, "phase": "rad", "both": ""}[self.output]
        return info.replace(
            ch_names=tuple(names),
            ch_types=("misc",) * len(names),
            positions=None,
            unit=unit,
            delay=info.delay + self.delay,
        )

    def reset(self) -> None:
        """Forget the past."""
        if self._runner is not None:
            self._runner.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return envelope or phase of each sample."""
        if self._runner is None:
            raise ArgumentError("envelope is not configured; call configure(info) first.")
        data = chunk.data[:, self._columns]
        width = data.shape[1]
        index = np.arange(chunk.first_sample, chunk.first_sample + data.shape[0])
        # The remainder of whole turns first: the angle stays exact for ever.
        angle = 2 * np.pi * np.remainder(index * self._turns, 1.0)[:, None]
        moved = np.empty((data.shape[0], 2 * width))
        np.multiply(data, np.cos(angle), out=moved[:, :width])
        np.multiply(data, -np.sin(angle), out=moved[:, width:])
        mask = chunk.health.mask
        doubled = None
        if mask is not None:
            doubled = np.tile(mask[:, self._columns], (1, 2))
        health = chunk.health.with_mask(doubled)
        low = self._runner.process(Chunk(moved, chunk.times, chunk.first_sample, health))
        real, imag = low.data[:, :width], low.data[:, width:]
        parts = []
        if self.output != "phase":
            parts.append(2.0 * np.hypot(real, imag))
        if self.output != "envelope":
            parts.append(np.remainder(np.arctan2(imag, real) + angle + np.pi, 2 * np.pi) - np.pi)
        marks = low.health.mask
        if marks is not None:
            marks = np.tile(marks[:, :width], (1, len(parts)))
        return Chunk(np.hstack(parts), chunk.times, chunk.first_sample, low.health.with_mask(marks))
