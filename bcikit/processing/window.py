"""WindowBuffer: the newest seconds of a stream, from which any window can be taken by sample index."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import LastGood, unusable
from bcikit.signal import ArgumentError, Bad, Chunk, DataError, Flag, Ring, check_int, check_range

_USABLE = int(Bad.INTERPOLATED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Samples that belong together, cut by index, whatever chunks they came in.

    Attributes
    ----------
    data : ndarray of float64, shape (n_channels, n_times)
        Finite throughout: lost and unusable samples are bridged.
    first_sample, stop_sample : int
        Index of the first sample, and of the one after the last; lost samples count.
    time : float
        Time of the newest sample in seconds on the host clock.
    bad : ndarray of float64, shape (n_channels,)
        Share of each channel's samples that are bad or lost, 0 to 1.
    n_lost : int
        Samples that were lost.
    """

    data: NDArray[np.float64]
    first_sample: int
    stop_sample: int
    time: float
    bad: NDArray[np.float64]
    n_lost: int

    @property
    def n_times(self) -> int:
        """Number of samples."""
        return self.stop_sample - self.first_sample


class WindowBuffer:
    """Keeps the newest seconds of a stream by sample index; memory never grows.

    A lost sample takes its place as a value on the straight line between its neighbours, marked as filled and counted
    as lost; a sample that is not finite or railed takes the last good value and stays marked. A stream that starts
    again, or whose index goes back, empties the buffer.

    Parameters
    ----------
    n_channels : int
        Channels of the stream.
    sfreq : float
        Sampling rate in Hz.
    seconds : float
        How much is kept.
    """

    def __init__(self, n_channels: int, sfreq: float, seconds: float) -> None:
        check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
        check_range("seconds", seconds, low=0.0, low_open=True, unit="s")
        self.n_channels = check_int("n_channels", n_channels, low=1)
        self.sfreq = float(sfreq)
        length = max(1, round(seconds * sfreq))
        self._data = Ring(length, n_channels)
        # One more column says which samples were lost.
        self._mask = Ring(length, n_channels + 1, np.uint8)
        self._times = Ring(length, 1)
        self._hold = LastGood(n_channels)
        self._stop: int | None = None

    @property
    def stop_sample(self) -> int:
        """Index after the newest sample; 0 before the first."""
        return self._stop or 0

    @property
    def first_sample(self) -> int:
        """Index of the oldest sample kept."""
        return self.stop_sample - len(self._data)

    @property
    def length(self) -> int:
        """Most samples that a window can have."""
        return self._data.length

    def clear(self) -> None:
        """Forget everything."""
        for ring in (self._data, self._mask, self._times):
            ring.clear()
        self._hold.reset()
        self._stop = None

    def restarts(self, chunk: Chunk) -> bool:
        """Return whether a chunk begins another stream than the one that is kept: it says so, or its index is back."""
        if self._stop is None or not chunk.n_times:
            return False
        started = bool(chunk.health.flags) and bool(chunk.health.flags & Flag.START)
        return started or chunk.first_sample < self._stop

    def append(self, chunk: Chunk) -> None:
        """Take the next chunk of the stream.

        Raises
        ------
        DataError
            If it has another number of channels.
        """
        if chunk.n_channels != self.n_channels:
            raise DataError(f"The window buffer holds {self.n_channels} channels; the chunk has {chunk.n_channels}.")
        if not chunk.n_times:
            return
        if self.restarts(chunk):
            self.clear()
        data, mask = chunk.data, chunk.health.mask
        bad = unusable(data, mask)
        marks = np.zeros((chunk.n_times, self.n_channels + 1), np.uint8)
        if mask is not None:
            marks[:, :-1] = mask
        before = self._hold.last.copy()
        if bad.any():
            marks[:, :-1][~np.isfinite(data)] |= np.uint8(Bad.NAN)
            data = self._hold.fill(data, bad)
        else:
            self._hold.note(data)
        if self._stop is not None and chunk.first_sample > self._stop:
            self._fill_gap(before, data[0], chunk)
        self._data.append(data)
        self._mask.append(marks)
        self._times.append(chunk.times[:, None])
        self._stop = chunk.end_sample

    def _fill_gap(self, before: NDArray[np.float64], after: NDArray[np.float64], chunk: Chunk) -> None:
        """Put a straight line in the place of what was lost before a chunk."""
        lost = chunk.first_sample - self.stop_sample
        kept = min(lost, self.length)
        steps = np.arange(lost - kept + 1, lost + 1)[:, None]
        self._data.append(before + steps / (lost + 1) * (after - before))
        self._mask.append(np.full((kept, self.n_channels + 1), np.uint8(Bad.FILLED)))
        self._times.append(chunk.times[0] - (lost + 1 - steps) / self.sfreq)

    def get(self, stop_sample: int, n_times: int) -> Window:
        """Return the `n_times` samples before index `stop_sample`, as a copy.

        Raises
        ------
        ArgumentError
            If they have not come yet, or are no longer kept.
        """
        check_int("n_times", n_times, low=1)
        back = self.stop_sample - stop_sample
        if back < 0 or n_times + back > len(self._data):
            raise ArgumentError(
                f"The window of samples {stop_sample - n_times} to {stop_sample} is not there: the buffer keeps "
                f"{self.first_sample} to {self.stop_sample}."
            )
        marks = self._mask.newest(n_times, back=back)
        bad: NDArray[np.float64]
        if marks.any():
            bad = np.count_nonzero(marks[:, :-1] & np.uint8(255 - _USABLE), axis=0) / n_times  # type: ignore[operator]
        else:
            bad = np.zeros(self.n_channels)
        return Window(
            data=np.array(self._data.newest(n_times, back=back).T, dtype=np.float64, order="C"),
            first_sample=stop_sample - n_times,
            stop_sample=stop_sample,
            time=float(self._times.newest(1, back=back)[0, 0]),
            bad=bad,
            n_lost=int(np.count_nonzero(marks[:, -1])),
        )

    def newest(self, n_times: int) -> Window:
        """Return the newest `n_times` samples."""
        return self.get(self.stop_sample, n_times)
