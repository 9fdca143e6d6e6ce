"""Mains interference: found, followed and subtracted without a notch."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import Continuity, LastGood, merge_mask, unusable
from bcikit.processing.iir import check_frequency, mains
from bcikit.processing.linear import signal_columns
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, DataError, Recording, Ring, StreamInfo, check_int, check_range

_SPOILT = 0.05


def detect_line_freq(recording: Recording, *, minimum: float = 3.0) -> float | None:
    """Return 50 or 60, whichever stands out of the spectrum, or None if neither does.

    Parameters
    ----------
    recording : Recording
        Some seconds, not notched; sampled above 120 Hz to tell the two apart.
    minimum : float
        How many times the density must exceed that of its surroundings (2 to 5 Hz away), in the median channel.

    Raises
    ------
    DataError
        If there are less than two seconds.
    """
    info = recording.info
    columns = signal_columns(info)
    length = round(2 * info.sfreq)
    if not columns or recording.n_times < length:
        raise DataError("detect_line_freq needs two seconds of a voltage channel.")
    count = recording.n_times // length
    data = np.nan_to_num(recording.data[: count * length, columns]).reshape(count, length, -1)
    data = (data - data.mean(axis=1, keepdims=True)) * np.hanning(length)[:, None]
    density = np.median(np.abs(np.fft.rfft(data, axis=1)) ** 2, axis=0)
    freqs = np.fft.rfftfreq(length, 1 / info.sfreq)
    found: dict[float, float] = {}
    for line in (50.0, 60.0):
        if line + 1 > info.sfreq / 2:
            continue
        near = np.abs(freqs - line)
        peak = density[near <= 0.5].max(axis=0)
        around = np.median(density[(near >= 2) & (near <= 5)], axis=0)
        found[line] = float(np.median(peak / np.maximum(around, 1e-30)))
    best = max(found, key=lambda line: found[line], default=None)
    return best if best is not None and found[best] >= minimum else None


@dataclass(kw_only=True, eq=False)
class LineRemoval(Step):
    """Follows the mains and its harmonics in every channel and subtracts them; nothing else is touched.

    Every quarter of a second (on the sample index) sines and cosines are fitted to the newest `window` seconds of each
    channel; what they predict is subtracted from the following samples, fading over from one fit to the next. The
    frequency is followed within +-0.5 Hz by the turn of the fundamental's phase, averaged over channels.

    Parameters
    ----------
    freq : float or None
        Hz; None for the mains frequency that the stream states.
    n_harmonics : int
        Harmonics, the fundamental included; those above half the sampling rate are left out.
    window : float
        Seconds that are fitted.

    Notes
    -----
    No delay, no ringing. Bad samples are bridged with the last good value; a channel with more than 5 % of them in the
    window keeps its older fit, so nothing but the bad samples themselves is marked. Over a gap of known length the
    phase goes on; the window fills again before the next fit. Until the first fit after a start nothing is subtracted
    and the output is marked `Bad.AFFECTED`.
    """

    name: ClassVar[str] = "lineremoval"
    freq: float | None = None
    n_harmonics: int = 3
    window: float = 1.0
    _state: "_Follower | None" = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.freq is not None:
            check_range("freq", self.freq, low=0.0, low_open=True, unit="Hz")
        check_int("n_harmonics", self.n_harmonics, low=1, high=50)
        check_range("window", self.window, low=0.2, high=60.0, unit="s")

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Choose the harmonics."""
        if info.sfreq <= 0:
            raise ArgumentError(f"lineremoval needs a stream with a fixed sampling rate; {info.name!r} has none.")
        base = check_frequency("freq of lineremoval", mains(self.freq, info, self.name), info)
        count = min(self.n_harmonics, max(1, int((info.sfreq / 2 - 1) / base)))
        self._state = _Follower(base, count, info, round(self.window * info.sfreq))
        self.settling = self.window + 0.5
        return info

    def reset(self) -> None:
        """Forget the past."""
        if self._state is not None:
            self._state.continuity.reset()

    @property
    def frequency(self) -> float:
        """The mains frequency as followed, in Hz."""
        if self._state is None:
            raise ArgumentError("lineremoval is not configured; call configure(info) first.")
        return self._state.frequency

    def process(self, chunk: Chunk) -> Chunk:
        """Return the chunk without the mains."""
        if self._state is None:
            raise ArgumentError("lineremoval is not configured; call configure(info) first.")
        return self._state.process(chunk) if chunk.n_times else chunk


class _Follower:
    """The fits of `LineRemoval`."""

    def __init__(self, base: float, n_harmonics: int, info: StreamInfo, n_window: int) -> None:
        self._base, self._harmonics = base, np.arange(1, n_harmonics + 1)
        self._sfreq = info.sfreq
        self._columns = signal_columns(info)
        width = len(self._columns)
        self._hop = max(1, round(info.sfreq / 4))
        self._ring = Ring(n_window, width)
        self._bad = Ring(n_window, width, np.uint8)
        self._hold = LastGood(width)
        self.continuity = Continuity()
        self._old = np.zeros((2 * n_harmonics, width))
        self._new = np.zeros((2 * n_harmonics, width))
        self.restart()

    def restart(self) -> None:
        self._forget_window()
        self._hold.reset()
        self.frequency = self._base
        self._angle_at = (0, 0.0)
        self._old[:] = 0.0
        self._new[:] = 0.0
        self._fits = 0

    def _forget_window(self) -> None:
        self._ring.clear()
        self._bad.clear()

    def process(self, chunk: Chunk) -> Chunk:
        lost = self.continuity.check(chunk)
        if lost is None or lost < 0:
            self.restart()
        elif lost:
            self._forget_window()
        data = chunk.data[:, self._columns]
        mask = chunk.health.mask
        bad = unusable(data, None if mask is None else mask[:, self._columns])
        filled = self._hold.fill(data, bad)
        out = np.empty_like(filled)
        young = np.zeros(chunk.data.shape, dtype=bool)
        position, end = chunk.first_sample, chunk.end_sample
        while position < end:
            stop = min(position - position % self._hop + self._hop, end)
            part = slice(position - chunk.first_sample, stop - chunk.first_sample)
            out[part] = filled[part] - self._predict(position, stop)
            young[part, self._columns] = self._fits < 2
            self._ring.append(filled[part])
            self._bad.append(bad[part].astype(np.uint8))
            if stop % self._hop == 0:
                self._fit(stop)
            position = stop
        whole = chunk.data.copy()
        whole[:, self._columns] = out
        nan = np.zeros(whole.shape, dtype=bool)
        nan[:, self._columns] = ~np.isfinite(data)
        marks = merge_mask(merge_mask(mask, nan, Bad.NAN, whole.shape), young, Bad.AFFECTED, whole.shape)
        return Chunk(whole, chunk.times, chunk.first_sample, chunk.health.with_mask(marks))

    def _waves(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return sines and cosines of the harmonics, shape (n, 2 n_harmonics)."""
        sample, turns = self._angle_at
        phase = turns + (np.arange(start, stop) - sample) * (self.frequency / self._sfreq)
        angle = 2 * np.pi * np.remainder(phase, 1.0)[:, None] * self._harmonics
        return np.hstack([np.cos(angle), np.sin(angle)])

    def _predict(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the mains in some samples between two fits, fading from the older to the newer."""
        waves = self._waves(start, stop)
        weight = ((np.arange(start, stop) % self._hop + 1) / self._hop)[:, None]
        return (1.0 - weight) * (waves @ self._old) + weight * (waves @ self._new)

    def _fit(self, stop: int) -> None:
        """Fit the newest window that ends before sample `stop`."""
        length = self._ring.length
        if len(self._ring) < length:
            return
        data = np.asarray(self._ring.newest(length), dtype=np.float64)
        usable = np.asarray(self._bad.newest(length)).mean(axis=0) <= _SPOILT
        waves = self._waves(stop - length, stop)
        design = np.hstack([waves, np.ones((length, 1)), np.linspace(-1, 1, length)[:, None]])
        fit = np.linalg.lstsq(design, data, rcond=None)[0][: waves.shape[1]]
        if usable.any():
            self._follow(design, data[:, usable], stop)
        self._old = self._new
        self._new = np.where(usable, fit, self._new)
        if self._fits == 0:
            self._old = self._new
        self._fits += 1

    def _follow(self, design: NDArray[np.float64], data: NDArray[np.float64], stop: int) -> None:
        """Move the frequency by how much the fundamental turns from the older to the newer half of the window."""
        half = data.shape[0] // 2
        first, second = (
            np.linalg.lstsq(design[part], data[part], rcond=None)[0] for part in (slice(0, half), slice(half, None))
        )
        n = self._harmonics.size
        turn = np.sum((first[0] + 1j * first[n]) * np.conj(second[0] + 1j * second[n]))
        noise = np.sum(np.abs(first[0] + 1j * first[n]) * np.abs(second[0] + 1j * second[n]))
        # Incoherent channels mean that there is no mains to follow.
        if np.abs(turn) < 0.7 * noise or noise == 0:
            return
        drift = float(np.angle(turn)) / (2 * np.pi) * self._sfreq / half
        limits = self._base - 0.5, self._base + 0.5
        moved = float(np.clip(self.frequency + 0.3 * drift, *limits))
        sample, turns = self._angle_at
        # The phase stays what it is at this sample; only its pace changes.
        self._angle_at = stop, float(np.remainder(turns + (stop - sample) * (self.frequency / self._sfreq), 1.0))
        self.frequency = moved
