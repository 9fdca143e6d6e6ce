"""Artifact subspace reconstruction: calibrated on clean data, then run on the stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import Continuity, LastGood, unusable
from bcikit.processing.sliding import Emitter
from bcikit.processing.spatial import check_matrix
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, DataError, Recording, Ring, StreamInfo, check_range


@dataclass(kw_only=True, eq=False)
class Asr(Step):
    """Rebuilds what bursts of artefact hide, from what the other directions in channel space show.

    Artifact subspace reconstruction (Mullen and others 2015, IEEE TBME 62(11); Chang and others 2020): the covariance
    of the newest window is taken apart into components; one whose power exceeds what the calibration allows in its
    direction is set to zero and rebuilt from the others by the mixing matrix of the calibration. Make it with
    `calibrate_asr`.

    Parameters
    ----------
    mixing : sequence of sequence of float
        Square root of the covariance of clean data.
    thresholds : sequence of sequence of float
        One row a direction of the calibration, scaled by the largest amplitude allowed in it.
    channels : sequence of str
        Channels of both, found by name.
    window : float
        Seconds over which the covariance is taken.
    hop : float
        Seconds between reconstructions; from one to the next they fade over.
    lookahead : float
        Seconds by which the output comes later, so that the window lies around a sample and not before it.
    most : float
        Share of the components that may be rebuilt.

    Notes
    -----
    Put a high-pass of 0.5 Hz or more before it. Sample indices and times of the output are those of the input: there is
    no group delay, but samples come out in blocks of `hop`, `lookahead` late. Bad samples are bridged with the last
    good value and keep their bits; rebuilt samples are marked `Bad.INTERPOLATED`. At a gap the window begins anew, and
    the samples that still waited are lost with the gap and reported so. Any rank will do: directions without power at
    calibration are never rebuilt into.
    """

    name: ClassVar[str] = "asr"
    mixing: Sequence[Sequence[float]]
    thresholds: Sequence[Sequence[float]]
    channels: Sequence[str]
    window: float = 0.5
    hop: float = 0.032
    lookahead: float = 0.25
    most: float = 0.66
    _state: "_Stream | None" = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        mixing = check_matrix("mixing", self.mixing)
        thresholds = check_matrix("thresholds", self.thresholds)
        self.channels = tuple(self.channels)
        if mixing.shape != (len(self.channels),) * 2 or thresholds.shape != mixing.shape:
            raise ArgumentError(
                f"mixing {mixing.shape} and thresholds {thresholds.shape} must be square, one row for each of the "
                f"{len(self.channels)} channels."
            )
        self.mixing, self.thresholds = mixing.tolist(), thresholds.tolist()
        check_range("window", self.window, low=0.05, high=60.0, unit="s")
        check_range("hop", self.hop, low=0.0, low_open=True, high=self.window, unit="s")
        check_range("lookahead", self.lookahead, low=0.0, high=self.window, unit="s")
        check_range("most", self.most, low=0.0, high=1.0)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Find the channels by name."""
        if info.sfreq <= 0:
            raise ArgumentError(f"asr needs a stream with a fixed sampling rate; {info.name!r} has none.")
        self._state = _Stream(self, info, info.index_of(self.channels, who="asr"))
        self.settling = (self._state.n_window + self._state.hop) / info.sfreq
        self.latency = (self._state.late + self._state.hop - 1) / info.sfreq
        return info

    def reset(self) -> None:
        """Forget the past."""
        if self._state is not None:
            self._state.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the samples that are ready."""
        if self._state is None:
            raise ArgumentError("asr is not configured; call configure(info) first.")
        return self._state.process(chunk)


class _Stream:
    """What `Asr` keeps of a stream."""

    def __init__(self, step: Asr, info: StreamInfo, columns: list[int]) -> None:
        self.hop = max(1, round(step.hop * info.sfreq))
        self.n_window = max(self.hop, round(step.window * info.sfreq))
        self.late = round(step.lookahead * info.sfreq / self.hop) * self.hop
        self._columns = columns
        self._mixing = np.asarray(step.mixing)
        self._thresholds = np.asarray(step.thresholds)
        self._most = int(step.most * len(columns))
        length = max(self.n_window, self.late + 2 * self.hop)
        self._data = Ring(length, info.n_channels)
        self._mask = Ring(length, info.n_channels, np.uint8)
        self._times = Ring(length, 1)
        self._hold = LastGood(info.n_channels)
        self._continuity = Continuity()
        self._emitter = Emitter()
        self._width = info.n_channels
        self._eye = np.eye(len(columns))
        self.reset()

    def reset(self) -> None:
        self._continuity.reset()
        self._restart()

    def _restart(self) -> None:
        for ring in (self._data, self._mask, self._times):
            ring.clear()
        self._hold.reset()
        self._old: NDArray[np.float64] | None = None
        self._out_from: int | None = None

    def process(self, chunk: Chunk) -> Chunk:
        empty = Chunk(np.empty((0, self._width)), np.empty(0), chunk.first_sample)
        if not chunk.n_times:
            return empty
        lost = self._continuity.check(chunk)
        if lost is None:
            self._emitter.reset()
        if lost is None or lost:
            self._restart()
        if self._out_from is None:
            self._out_from = chunk.first_sample
        bad = unusable(chunk.data, chunk.health.mask)
        filled = self._hold.fill(chunk.data, bad)
        marks = np.zeros(filled.shape, np.uint8) if chunk.health.mask is None else chunk.health.mask.copy()
        marks[~np.isfinite(chunk.data)] |= np.uint8(Bad.NAN)
        parts: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]] = []
        first = self._out_from
        position = chunk.first_sample
        while position < chunk.end_sample:
            stop = min(position - position % self.hop + self.hop, chunk.end_sample)
            part = slice(position - chunk.first_sample, stop - chunk.first_sample)
            self._data.append(filled[part])
            self._mask.append(marks[part])
            self._times.append(chunk.times[part, None])
            if stop % self.hop == 0:
                parts.extend(self._advance(stop))
            position = stop
        if not parts:
            return empty
        data, times, mask = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
        return self._emitter.emit(data, times, first, mask=mask, age=chunk.health.age)

    def _advance(self, stop: int) -> list[tuple[Any, Any, Any]]:
        """Make the reconstruction for the window before `stop` and return the samples that are ready."""
        new = self._reconstruction()
        old = new if self._old is None else self._old
        self._old = new
        end = stop - self.late
        begin = self._out_from if self._out_from is not None else end
        count = end - begin
        if count <= 0:
            return []
        self._out_from = end
        data = np.array(self._data.newest(count, back=self.late), dtype=np.float64)
        mask = np.array(self._mask.newest(count, back=self.late), dtype=np.uint8)
        times = np.array(self._times.newest(count, back=self.late), dtype=np.float64)[:, 0]
        if old is not self._eye or new is not self._eye:
            part = data[:, self._columns]
            fade = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, count + 1) / count))[:, None]
            data[:, self._columns] = (1.0 - fade) * (part @ old.T) + fade * (part @ new.T)
            mask[:, self._columns] |= np.uint8(Bad.INTERPOLATED)
        return [(data, times, mask)]

    def _reconstruction(self) -> NDArray[np.float64]:
        """Return the matrix that rebuilds the newest window; the very unit matrix if nothing has to be."""
        n_times = min(len(self._data), self.n_window)
        data = np.asarray(self._data.newest(n_times), dtype=np.float64)[:, self._columns]
        if n_times < self.n_window // 2:
            return self._eye
        power, vectors = np.linalg.eigh(data.T @ data / n_times)
        limit = ((self._thresholds @ vectors) ** 2).sum(axis=0)
        keep = (power < limit) | (np.arange(power.size) < power.size - self._most)
        if keep.all():
            return self._eye
        kept = vectors.T @ self._mixing * keep[:, None]
        matrix: NDArray[np.float64] = self._mixing @ np.linalg.pinv(kept, rcond=1e-9) @ vectors.T
        return matrix


def calibrate_asr(
    recording: Recording,
    *,
    cutoff: float = 20.0,
    window: float = 0.5,
    channels: Sequence[str] = (),
    hop: float = 0.032,
    lookahead: float = 0.25,
) -> Asr:
    """Return ASR calibrated on clean data: a minute of rest, high-passed at 0.5 Hz or more.

    Parameters
    ----------
    recording : Recording
        Clean data; windows with marked samples are left out, and the statistics are robust against a few bursts.
    cutoff : float
        Standard deviations above the mean amplitude that a direction may have; 20 is careful, 5 strict (Chang 2020).
    window, hop, lookahead : float
        See `Asr`.
    channels : sequence of str
        Channels; all EEG channels if left out.

    Notes
    -----
    The covariance is the geometric median of those of half-second blocks. The amplitude in each direction is taken in
    windows that overlap by two thirds; its mean and deviation are the median and the scaled median absolute deviation,
    where the original fits a truncated generalised Gaussian.

    Raises
    ------
    DataError
        If there are fewer than ten good windows.
    """
    check_range("cutoff", cutoff, low=0.0, low_open=True)
    info = recording.info
    columns = info.index_of(channels, who="calibrate_asr") if channels else info.indices(ch_type="eeg")
    length = round(window * info.sfreq)
    data = recording.data[:, columns]
    good: NDArray[np.bool_] = np.asarray(np.all(np.isfinite(data), axis=1))
    if recording.mask is not None:
        good &= ~np.any(recording.mask[:, columns], axis=1)
    starts = [
        start for start in range(0, len(data) - length + 1, max(1, length // 3)) if good[start : start + length].all()
    ]
    if len(columns) < 2 or len(starts) < 10:
        raise DataError(
            f"calibrate_asr needs ten good windows of {window:g} s and two channels; there are {len(starts)} windows "
            f"and {len(columns)} channels."
        )
    mixing, thresholds = _statistics([data[start : start + length] for start in starts], cutoff)
    return Asr(
        mixing=mixing.tolist(),
        thresholds=thresholds.tolist(),
        channels=tuple(info.ch_names[column] for column in columns),
        window=window,
        hop=hop,
        lookahead=lookahead,
    )


def _statistics(windows: list[NDArray[np.float64]], cutoff: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mixing matrix and thresholds from windows that overlap by two thirds, each (n_times, n_channels)."""
    median = _geometric_median(np.stack([part.T @ part / len(part) for part in windows[::3]]))
    power, vectors = np.linalg.eigh(median)
    mixing = (vectors * np.sqrt(np.maximum(power, 0.0))) @ vectors.T
    amplitude = np.stack([np.sqrt(((part @ vectors) ** 2).mean(axis=0)) for part in windows])
    middle = np.median(amplitude, axis=0)
    spread = 1.4826 * np.median(np.abs(amplitude - middle), axis=0)
    return mixing, (middle + cutoff * spread)[:, None] * vectors.T


def _geometric_median(matrices: NDArray[np.float64], *, rounds: int = 100) -> NDArray[np.float64]:
    """Return the matrix with the smallest sum of distances to all (Weiszfeld's iteration)."""
    flat = matrices.reshape(len(matrices), -1)
    centre = np.median(flat, axis=0)
    for _ in range(rounds):
        distance = np.maximum(np.linalg.norm(flat - centre, axis=1), 1e-12)
        moved = (flat / distance[:, None]).sum(axis=0) / (1.0 / distance).sum()
        done = np.linalg.norm(moved - centre) <= 1e-9 * np.linalg.norm(moved)
        centre = moved
        if done:
            break
    return centre.reshape(matrices.shape[1:])
