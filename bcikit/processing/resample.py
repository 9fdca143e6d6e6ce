"""Other sampling rates: decimation by a whole factor, resampling to any rate."""

from dataclasses import KW_ONLY, dataclass, field
from math import gcd
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import DISTURBING, Continuity, LastGood, Settling, finite, merge_mask, unusable
from bcikit.processing.cascade import Cascade, mean_delay
from bcikit.processing.linear import signal_columns
from bcikit.processing.sliding import Emitter
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, Flag, StreamInfo, check_int, check_range


@dataclass(eq=False)
class Decimate(Step):
    """Keeps every n-th sample after a causal low-pass (Butterworth).

    Samples whose index is a multiple of the factor are kept, so that chunks and gaps do not move the grid.

    Parameters
    ----------
    factor : int
        One sample of so many is kept.
    order : int
        Order of the low-pass; its edge is at 0.8 of the new Nyquist frequency.

    Notes
    -----
    Bad samples and gaps as in every filter (see `bcikit.processing.cascade.Cascade`, gap policy "reset"). Channels that
    are no voltages are not filtered: their samples at the grid are kept.
    """

    name: ClassVar[str] = "decimate"
    factor: int
    _: KW_ONLY
    order: int = 8
    _runner: Cascade | None = field(init=False, repr=False, default=None)
    _emitter: Emitter = field(init=False, repr=False, default_factory=Emitter)

    def __post_init__(self) -> None:
        check_int("factor", self.factor, low=1, high=1000)
        check_int("order", self.order, low=1, high=12)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Design the low-pass."""
        if info.sfreq <= 0:
            raise ArgumentError(f"decimate needs a stream with a fixed sampling rate; {info.name!r} has none.")
        self._emitter.reset()
        self.delay = self.settling = 0.0
        self._runner = None
        if self.factor > 1:
            from scipy.signal import butter

            sos = butter(self.order, 0.8 / self.factor, output="sos")
            columns = signal_columns(info)
            self._runner = Cascade(sos, info.n_channels, columns=None if len(columns) == info.n_channels else columns)
            self.delay = mean_delay(sos) / info.sfreq
            self.settling = self._runner.settling_samples / info.sfreq
        return info.replace(sfreq=info.sfreq / self.factor, delay=info.delay + self.delay)

    def reset(self) -> None:
        """Forget the past."""
        self._emitter.reset()
        if self._runner is not None:
            self._runner.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the samples that are kept."""
        if self._runner is None:
            return chunk
        filtered = self._runner.process(chunk)
        if chunk.health.flags & Flag.START:
            self._emitter.reset()
        first = -(-chunk.first_sample // self.factor)
        kept = slice(first * self.factor - chunk.first_sample, None, self.factor)
        mask = filtered.health.mask
        return self._emitter.emit(
            np.ascontiguousarray(filtered.data[kept]),
            chunk.times[kept],
            first,
            mask=None if mask is None else np.ascontiguousarray(mask[kept]),
            age=chunk.health.age,
        )


@dataclass(eq=False)
class Resample(Step):
    """Resamples to any rate with a causal low-pass of linear phase (a polyphase filter, windowed sinc).

    Output sample `m` lies at input index ``m * sfreq_in / sfreq``, so that chunks and gaps do not move the grid.

    Parameters
    ----------
    sfreq : float
        New rate in Hz; its ratio to the old one must be a fraction of whole numbers up to 1000.
    half_width : int
        Half the length of the filter, in periods of the slower of the two rates.

    Notes
    -----
    Bad samples are bridged with the last good value and mark what the filter reaches, `Bad.AFFECTED`; at a start and
    after a gap the filter begins as if the first sample had always been. Channels that are no voltages take the newest
    sample at or before the moment.
    """

    name: ClassVar[str] = "resample"
    sfreq: float
    _: KW_ONLY
    half_width: int = 10
    _state: "_Polyphase | None" = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        check_range("sfreq", self.sfreq, low=0.0, low_open=True, unit="Hz")
        check_int("half_width", self.half_width, low=2, high=200)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Make the filter."""
        if info.sfreq <= 0:
            raise ArgumentError(f"resample needs a stream with a fixed sampling rate; {info.name!r} has none.")
        scale = 1000
        new, old = round(self.sfreq * scale), round(info.sfreq * scale)
        common = gcd(new, old)
        up, down = new // common, old // common
        if max(up, down) > 1000:
            raise ArgumentError(
                f"sfreq of resample is {self.sfreq:g} Hz for a stream of {info.sfreq:g} Hz: the ratio {up}/{down} has "
                "numbers above 1000; choose a rate with a simpler ratio."
            )
        self._state = _Polyphase(up, down, self.half_width, info)
        self.delay = self._state.delay / info.sfreq
        self.settling = self._state.taps / info.sfreq
        return info.replace(sfreq=self.sfreq, delay=info.delay + self.delay)

    def reset(self) -> None:
        """Forget the past."""
        if self._state is not None:
            self._state.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the samples on the new grid that fall into the chunk."""
        if self._state is None:
            raise ArgumentError("resample is not configured; call configure(info) first.")
        return self._state.process(chunk)


class _Polyphase:
    """The filter of `Resample`, one row of coefficients for each phase of the new grid against the old."""

    def __init__(self, up: int, down: int, half_width: int, info: StreamInfo) -> None:
        from scipy.signal import firwin

        self.up, self.down = up, down
        slower = max(up, down)
        half = half_width * slower
        prototype = firwin(2 * half + 1, 0.9 / slower, window=("kaiser", 8.0)) * up
        self.taps = -(-prototype.size // up)
        padded = np.zeros(self.taps * up)
        padded[: prototype.size] = prototype
        # Row p: coefficients for x[base], x[base-1], ...; each phase passes a constant unchanged.
        phases = padded.reshape(self.taps, up).T
        self._phases = np.ascontiguousarray((phases / phases.sum(axis=1, keepdims=True))[:, ::-1])
        self.delay = half / up
        n_channels = info.n_channels
        self._period = 1.0 / info.sfreq
        self._plain = np.setdiff1d(np.arange(n_channels), signal_columns(info))
        self._hold = LastGood(n_channels)
        self._settling = Settling(n_channels, self.taps - 1)
        self._history = np.zeros((self.taps - 1, n_channels))
        self._continuity = Continuity()
        self._emitter = Emitter()

    def reset(self) -> None:
        self._continuity.reset()
        self._emitter.reset()
        self._hold.reset()

    def process(self, chunk: Chunk) -> Chunk:
        data, mask = chunk.data, chunk.health.mask
        if not data.shape[0]:
            return chunk
        lost = self._continuity.check(chunk)
        if lost is None:
            self._emitter.reset()
        fresh = ~self._hold.known
        if lost is None or lost:
            self._hold.reset()
            self._settling.disturb()
            fresh[:] = True
        bad = None if mask is None and finite(data) else unusable(data, mask)
        filled = data if bad is None else self._hold.fill(data, bad)
        if bad is None:
            self._hold.note(data)
        begun = None
        if fresh.any():
            filled, begun = self._start(filled, bad, fresh)
        marks = self._marks(chunk, bad)
        extended = np.concatenate([self._history, filled])
        self._history = extended[extended.shape[0] - self.taps + 1 :]
        first = -(-chunk.first_sample * self.up // self.down)
        last = (chunk.end_sample * self.up - 1) // self.down
        where = np.arange(first, last + 1, dtype=np.int64) * self.down
        base = where // self.up - chunk.first_sample
        rows = np.lib.stride_tricks.sliding_window_view(extended, self.taps, axis=0)[base]
        out = np.einsum("mck,mk->mc", rows, self._phases[where % self.up])
        if begun is not None:
            # Nothing is known of a channel before its first good sample, whether or not that lies in the same chunk.
            out[base[:, None] < begun] = 0.0
        out[:, self._plain] = filled[np.ix_(base, self._plain)]
        times = chunk.times[base] if base.size else np.empty(0)
        if base.size:
            # One sample alone does not tell how far the next is.
            several = chunk.n_times > 1
            period = (chunk.times[-1] - chunk.times[0]) / (chunk.n_times - 1) if several else self._period
            times = chunk.times[base] + (where % self.up) / self.up * period
        kept = None if marks is None else np.ascontiguousarray(marks[base])
        return self._emitter.emit(np.ascontiguousarray(out), times, first, mask=kept, age=chunk.health.age)

    def _start(
        self, filled: NDArray[np.float64], bad: NDArray[np.bool_] | None, fresh: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Fill the history of channels that begin with their first good sample; return its place a channel, too."""
        filled = filled.copy()
        begun = np.zeros(filled.shape[1], dtype=np.intp)
        for column in np.flatnonzero(fresh):
            good = np.flatnonzero(~bad[:, column]) if bad is not None else np.array([0])
            value = filled[good[0], column] if good.size else 0.0
            self._history[:, column] = value
            begun[column] = good[0] if good.size else len(filled)
            if good.size:
                filled[: good[0], column] = value
        return filled, begun

    def _marks(self, chunk: Chunk, bad: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
        """Return the mask of the input samples with what the filter reaches."""
        mask = chunk.health.mask
        if bad is None and not self._settling.active:
            return None
        disturbed = bad
        if mask is not None and bad is not None:
            disturbed = bad | ((mask & DISTURBING) != 0)
        affected = self._settling.mark(chunk.n_times, disturbed)
        marks = merge_mask(mask, ~np.isfinite(chunk.data), Bad.NAN, chunk.data.shape)
        return merge_mask(marks, affected, Bad.AFFECTED, chunk.data.shape)
