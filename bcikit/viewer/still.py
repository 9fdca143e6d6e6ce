"""A recording to go back in: its samples, and the extremes of each block, so that hours scroll as seconds do."""

import threading

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Chunk, DataError, Recording
from bcikit.viewer.columns import LARGEST
from bcikit.viewer.history import History, index_near

BLOCKS = (16, 256)
"""Samples of the blocks whose extremes are kept: short ones for minutes, long ones for hours."""

_ROWS = 256


class StillHistory:
    """All samples of a recording, addressed by sample index from 0, as `History` is; lost ones are NaN.

    Parameters
    ----------
    recording : Recording
        What is shown; its array is used as it is where nothing was lost.

    Attributes
    ----------
    now : int
        Index after the newest sample in view: what the panels say belongs to the moment that is shown.
    """

    def __init__(self, recording: Recording) -> None:
        self.info = recording.info
        self.rate = recording.info.sfreq or 1.0
        self.recording = recording
        samples = recording.samples - (recording.samples[0] if recording.n_times else 0)
        self.end = int(samples[-1]) + 1 if recording.n_times else 0
        self.lost = self.end - recording.n_times
        if self.lost:
            self._data = np.full((self.end, recording.info.n_channels), np.nan)
            self._data[samples] = recording.data
        else:
            self._data = recording.data
        self.start = 0
        self.now = self.end
        self.length = max(1, self.end)
        self.end_time = float(recording.times[-1]) if recording.n_times else 0.0
        self._times, self._samples = recording.times, samples
        self._levels: list[tuple[int, NDArray[np.float32], NDArray[np.float32]]] = []
        # The first picture, of seconds, is there before hours are looked through.
        self._thread = threading.Thread(target=self._measure, daemon=True, name="bcikit-extremes")
        self._thread.start()

    def _measure(self) -> None:
        """Find the smallest and largest value of each block; the long blocks are made of the short ones."""
        low, high, before = self._data, self._data, 1
        for block in BLOCKS:
            low, high = _reduce(np.fmin, low, block // before), _reduce(np.fmax, high, block // before)
            self._levels.append((block, low, high))
            before = block

    def blocks(self, room: int) -> tuple[int, NDArray[np.float32], NDArray[np.float32]] | None:
        """Return the longest blocks of at most `room` samples: their length, smallest and largest values.

        Returns
        -------
        int, ndarray of float32, ndarray of float32, shape (n_blocks, n_channels); or None
            Block ``k`` begins at sample ``k`` times the length. None where even the shortest are longer.
        """
        if room < BLOCKS[0]:
            return None
        self._thread.join()
        return [level for level in self._levels if level[0] <= room][-1]

    @property
    def kept(self) -> NDArray[np.int64]:
        """Indices of the samples that are there, ascending; those that were lost are missing among them."""
        return self._samples

    @property
    def low(self) -> NDArray[np.float32]:
        """Smallest values of the long blocks, ``(n_blocks, n_channels)``; of a long recording, waits for them."""
        self._thread.join()
        return self._levels[-1][1]

    def append(self, chunk: Chunk) -> int:
        """Refuse: a recording is over.

        Raises
        ------
        DataError
            Always.
        """
        raise DataError(f"A recording takes no more samples; {chunk.n_times} came.")

    def get(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return samples ``start`` to ``stop`` as a view ``(n, n_channels)``; clipped to what there is."""
        start, stop = max(0, start), min(stop, self.end)
        return self._data[start : max(start, stop)]

    def newest(self, seconds: float) -> NDArray[np.float64]:
        """Return the last samples up to `now`, at most `seconds` of them, as a view ``(n, n_channels)``."""
        return self.get(self.now - round(seconds * self.rate), self.now)

    def sample_at(self, time: float) -> int:
        """Return the index of the sample nearest to a time of the recording's clock."""
        if not self._times.size:
            return 0
        nearer = index_near(self._times, time)
        # Beyond the ends, and in a gap, the rate goes on.
        return int(self._samples[nearer]) + round((time - float(self._times[nearer])) * self.rate)

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the times of samples ``start`` to ``stop``; clipped to what there is."""
        start, stop = max(0, start), min(stop, self.end)
        if not self.lost:
            return self._times[start : max(start, stop)]
        return self._times_of(np.arange(start, stop))

    def time_at(self, sample: int) -> float:
        """Return the time of a sample on the recording's clock."""
        return float(self._times_of(np.array([sample]))[0]) if self._times.size else 0.0

    def _times_of(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        at = np.clip(np.searchsorted(self._samples, numbers), 0, self._times.size - 1)
        found: NDArray[np.float64] = self._times[at] + (numbers - self._samples[at]) / self.rate
        return found


def _reduce(function: np.ufunc, rows: NDArray[np.floating], ratio: int) -> NDArray[np.float32]:
    """Return the extremes of every `ratio` rows, piece by piece so that little memory is taken."""
    found = np.full((-(-rows.shape[0] // ratio), rows.shape[1]), np.nan, dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, rows.shape[0], ratio * _ROWS):
            part = rows[first : first + ratio * _ROWS]
            whole, at = part.shape[0] // ratio, first // ratio
            function.reduce(
                part[: whole * ratio].reshape(whole, ratio, rows.shape[1]), axis=1, out=found[at : at + whole]
            )
            if whole * ratio < part.shape[0]:
                function.reduce(part[whole * ratio :], axis=0, out=found[at + whole])
    return np.clip(found, -LARGEST, LARGEST, out=found)


AnyHistory = History | StillHistory
"""What traces and panels look at: a stream that goes on, or a recording."""
