"""Detection of blinks and muscle: marks what is not from the brain."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import merge_mask
from bcikit.processing.cascade import Cascade, mean_delay
from bcikit.processing.iir import check_frequency
from bcikit.processing.standardise import Moments
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, Event, StreamInfo, check_range

KEPT_EVENTS = 1000
"""Onsets that are kept beside those of the newest chunk while nobody asks for them."""

_FRONTAL = ("fp1", "fpz", "fp2", "af7", "af8", "af3", "af4")


@dataclass(kw_only=True, eq=False)
class _Detector(Step):
    """What the detectors share: the data pass unchanged, some samples are marked, each onset is an event.

    Notes
    -----
    Bad samples are bridged for the detection only. After a start or a gap nothing is detected until the detection
    filter has settled.
    """

    _runner: Cascade | None = field(init=False, repr=False, default=None)
    _events: list[Event] = field(init=False, repr=False, default_factory=list)
    _left: NDArray[np.int64] = field(init=False, repr=False, default_factory=lambda: np.zeros(0, np.int64))
    _until: int = field(init=False, repr=False, default=0)

    def pull_events(self) -> list[Event]:
        """Return the onsets detected since the last call."""
        events, self._events = self._events, []
        return events

    def reset(self) -> None:
        """Forget the past."""
        self._events = []
        self._left[:] = 0
        if self._runner is not None:
            self._runner.reset()

    def _spread(self, hits: NDArray[np.bool_], hold: int) -> NDArray[np.bool_]:
        """Return hits and the `hold` samples after each, over chunks."""
        rows = np.arange(hits.shape[0], dtype=np.int64)[:, None]
        reach = np.where(hits, rows + hold + 1, 0)
        np.maximum.accumulate(reach, axis=0, out=reach)
        reach = np.maximum(reach, self._left)
        self._left = np.maximum(reach[-1] - hits.shape[0], 0)
        return rows < reach

    def _note_onsets(self, active: NDArray[np.bool_], before: bool, chunk: Chunk) -> None:  # noqa: FBT001
        """Make an event of each rise."""
        # Whoever asks, asks often; where nobody does, they must not pile up.
        del self._events[:-KEPT_EVENTS]
        rises = np.flatnonzero(active & ~np.concatenate([[before], active[:-1]]))
        for row in rises:
            self._events.append(
                Event(
                    name=f"artefact/{self.name}",
                    time=float(chunk.times[row]),
                    sample=chunk.first_sample + int(row),
                    source=self.name,
                )
            )


@dataclass(kw_only=True, eq=False)
class Blinks(_Detector):
    """Marks blinks: a slow wave over the forehead that exceeds a threshold.

    Parameters
    ----------
    channels : sequence of str
        Channels to look at; if left out, those of type "eog", else the frontal ones (Fp1, Fpz, Fp2, AF7, AF8, ...).
    threshold : float
        Microvolts between 1 and 10 Hz; 75 is what is usually taken for a blink at Fp1 and Fp2.
    hold : float
        Seconds marked after the threshold was last exceeded.

    Notes
    -----
    While a blink lasts every EEG channel is marked `Bad.ARTEFACT`; its onset is an event "artefact/blinks". Causal: the
    rise before the threshold is not marked.
    """

    name: ClassVar[str] = "blinks"
    channels: Sequence[str] = ()
    threshold: float = 75.0
    hold: float = 0.2
    _columns: list[int] = field(init=False, repr=False, default_factory=list)
    _marked: list[int] = field(init=False, repr=False, default_factory=list)
    _hold_samples: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self.channels = tuple(self.channels)
        check_range("threshold", self.threshold, low=0.0, low_open=True, unit="uV")
        check_range("hold", self.hold, low=0.0, high=10.0, unit="s")

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Find the channels and design the detection filter."""
        from scipy.signal import butter

        frontal = [index for index, name in enumerate(info.ch_names) if name.strip(". ").lower() in _FRONTAL]
        self._columns = info.index_of(self.channels, who="blinks") or info.indices(ch_type="eog") or frontal
        if not self._columns:
            raise ArgumentError(f"blinks finds no EOG and no frontal channel in {info.name!r}; name channels.")
        check_frequency("the upper edge of blinks (10 Hz)", 10.0, info)
        self._marked = info.indices(ch_type="eeg")
        self._runner = Cascade(butter(2, [1.0, 10.0], "bandpass", fs=info.sfreq, output="sos"), len(self._columns))
        self._hold_samples = round(self.hold * info.sfreq)
        self._left = np.zeros(1, np.int64)
        self._events = []
        return info

    def process(self, chunk: Chunk) -> Chunk:
        """Return the same data with blinks marked."""
        if self._runner is None:
            raise ArgumentError("blinks is not configured; call configure(info) first.")
        if not chunk.n_times:
            return chunk
        mask = merge_mask(chunk.health.mask, ~np.isfinite(chunk.data), Bad.NAN, chunk.data.shape)
        seen = np.ascontiguousarray(chunk.data[:, self._columns])
        some = None if mask is None else np.ascontiguousarray(mask[:, self._columns])
        slow = self._runner.process(Chunk(seen, chunk.times, chunk.first_sample, chunk.health.with_mask(some)))
        hits = np.abs(slow.data) > self.threshold
        if slow.health.mask is not None:
            hits &= (slow.health.mask & np.uint8(Bad.AFFECTED)) == 0
        before = bool(self._left[0])
        active = self._spread(np.any(hits, axis=1, keepdims=True), self._hold_samples)
        self._note_onsets(active[:, 0], before, chunk)
        if not active.any() and mask is chunk.health.mask:
            return chunk
        where = np.zeros(chunk.data.shape, dtype=bool)
        where[:, self._marked] = active
        marked = merge_mask(mask, where, Bad.ARTEFACT, chunk.data.shape)
        return Chunk(chunk.data, chunk.times, chunk.first_sample, chunk.health.with_mask(marked))


@dataclass(kw_only=True, eq=False)
class Muscle(_Detector):
    """Marks muscle activity: the envelope of high frequencies against its own running mean.

    Parameters
    ----------
    z : float
        Threshold in standard deviations of the log envelope; 4 as in MNE's `annotate_muscle_zscore`.
    l_freq, h_freq : float or None
        The band; None for 110 to 140 Hz where the sampling rate is 300 Hz or more, else 55 Hz to 0.38 of the rate.
    time_constant : float
        Seconds over which the running mean and deviation forget. Marked samples do not enter.
    hold : float
        Seconds marked after the threshold was last exceeded.

    Notes
    -----
    Each EEG channel is marked `Bad.ARTEFACT` on its own; the onset in any channel is an event "artefact/muscle".
    Nothing is detected before `time_constant` is over.
    """

    name: ClassVar[str] = "muscle"
    z: float = 4.0
    l_freq: float | None = None
    h_freq: float | None = None
    time_constant: float = 10.0
    hold: float = 0.1
    _columns: list[int] = field(init=False, repr=False, default_factory=list)
    _moments: Moments | None = field(init=False, repr=False, default=None)
    _smooth: Cascade | None = field(init=False, repr=False, default=None)
    _hold_samples: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        check_range("z", self.z, low=0.0, low_open=True)
        check_range("time_constant", self.time_constant, low=0.1, high=3600.0, unit="s")
        check_range("hold", self.hold, low=0.0, high=10.0, unit="s")

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Design the detection filters."""
        from scipy.signal import butter

        fast = info.sfreq >= 300
        low = self.l_freq if self.l_freq is not None else (110.0 if fast else 55.0)
        high = self.h_freq if self.h_freq is not None else (140.0 if fast else 0.38 * info.sfreq)
        check_frequency("h_freq of muscle", high, info)
        if low >= high:
            raise ArgumentError(
                f"muscle: {info.name!r} is sampled at {info.sfreq:g} Hz, too slow for a band from {low:g} Hz; give "
                "l_freq and h_freq."
            )
        self._columns = info.indices(ch_type="eeg")
        if not self._columns:
            raise ArgumentError(f"muscle needs EEG channels; {info.name!r} has none.")
        width = len(self._columns)
        band = butter(4, [low, high], "bandpass", fs=info.sfreq, output="sos")
        slow = butter(2, 4.0, fs=info.sfreq, output="sos")
        self._runner = Cascade(band, width)
        self._smooth = Cascade(slow, width)
        self._moments = Moments(width, self.time_constant * info.sfreq)
        self._left = np.zeros(width, np.int64)
        self._hold_samples = round((self.hold + mean_delay(slow) / info.sfreq) * info.sfreq)
        self._events = []
        return info

    def reset(self) -> None:
        """Forget the past."""
        super().reset()
        if self._smooth is not None and self._moments is not None:
            self._smooth.reset()
            self._moments.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the same data with muscle activity marked."""
        if self._runner is None or self._smooth is None or self._moments is None:
            raise ArgumentError("muscle is not configured; call configure(info) first.")
        if not chunk.n_times:
            return chunk
        mask = merge_mask(chunk.health.mask, ~np.isfinite(chunk.data), Bad.NAN, chunk.data.shape)
        seen = np.ascontiguousarray(chunk.data[:, self._columns])
        some = None if mask is None else np.ascontiguousarray(mask[:, self._columns])
        fast = self._runner.process(Chunk(seen, chunk.times, chunk.first_sample, chunk.health.with_mask(some)))
        level = self._smooth.process(Chunk(np.abs(fast.data), chunk.times, chunk.first_sample, fast.health))
        if self._moments.continuity.check(chunk) is None:
            self._moments.restart()
        log = np.log(np.maximum(level.data, 1e-3))
        doubtful = np.zeros(log.shape, dtype=bool) if level.health.mask is None else level.health.mask != 0
        scores, young = self._moments.run(log, doubtful, limit=self.z)
        hits = (scores > self.z) & ~young & ~doubtful
        before = bool(self._left.any())
        active = self._spread(hits, self._hold_samples)
        self._note_onsets(np.any(active, axis=1), before, chunk)
        if not active.any() and mask is chunk.health.mask:
            return chunk
        where = np.zeros(chunk.data.shape, dtype=bool)
        where[:, self._columns] = active
        marked = merge_mask(mask, where, Bad.ARTEFACT, chunk.data.shape)
        return Chunk(chunk.data, chunk.times, chunk.first_sample, chunk.health.with_mask(marked))
