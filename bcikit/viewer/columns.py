"""Pixel columns: the smallest and largest value of each column of a window, kept up to date from new samples alone.

Pure numpy, no Qt. A column belongs to a fixed range of sample indices, so that a picture never wiggles while
it scrolls, and each column holds the true minimum and maximum of its samples, so that drawing never loses a peak.
"""

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import check_int

LARGEST = np.float32(1e30)
"""What is larger, or infinite, is drawn as this: far outside every lane, and still a number to reckon with."""


def drawable(data: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return samples as they are drawn; NaN stays."""
    with np.errstate(over="ignore"):
        return np.clip(data.astype(np.float32), -LARGEST, LARGEST)


class PixelColumns:
    """Minimum and maximum of every pixel column of the newest window.

    An append costs what the new samples cost, whatever the length of the window.

    Parameters
    ----------
    n_channels : int
        Channels.
    n_columns : int
        Width of the picture in pixels.
    n_samples : int
        Length of the window in samples; column ``k`` holds the samples ``i`` with ``i * n_columns // n_samples == k``.

    Attributes
    ----------
    low, high : ndarray of float32, shape (n_channels, n_columns)
        Rings: absolute column ``k`` stands at ``k % n_columns``; NaN where there is nothing to draw.
    newest : int
        Absolute number of the newest column; -1 before the first sample.
    """

    def __init__(self, n_channels: int, n_columns: int, n_samples: int) -> None:
        self.n_columns = check_int("n_columns", n_columns, low=2)
        self.n_samples = check_int("n_samples", n_samples, low=2)
        self.low = np.full((n_channels, self.n_columns), np.nan, dtype=np.float32)
        self.high = self.low.copy()
        self.newest = -1
        self._next_sample: int | None = None
        self._last: NDArray[np.float32] | None = None

    def column_of(self, sample: int) -> int:
        """Return the absolute column of a sample index."""
        return int(sample) * self.n_columns // self.n_samples

    def sample_of(self, column: int) -> int:
        """Return the first sample index of an absolute column."""
        return -(-int(column) * self.n_samples // self.n_columns)

    def append(self, data: NDArray[np.float32], first_sample: int) -> tuple[int, int]:
        """Take new samples and return the absolute columns that changed, as ``start, stop``.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_channels)
            New samples; NaN is left out.
        first_sample : int
            Index of the first one. A jump forward leaves empty columns.
        """
        n_times = data.shape[0]
        if n_times == 0:
            return self.newest, self.newest
        if self._next_sample is not None and first_sample != self._next_sample:
            self._last = None
        if n_times > self.n_samples:
            data, first_sample = data[n_times - self.n_samples :], first_sample + n_times - self.n_samples
            n_times, self._last = self.n_samples, None
        samples = np.arange(first_sample, first_sample + n_times, dtype=np.int64)
        columns = samples * self.n_columns // self.n_samples
        first, last = int(columns[0]), int(columns[-1])
        start = self._clear_until(first, last)
        self._fill(columns, data, data)
        if self.n_samples < self.n_columns:
            start = min(start, self._bridge(data, first_sample))
        self._last = np.array(data[-1], dtype=np.float32)
        self._next_sample = first_sample + n_times
        return start, last + 1

    def fill_blocks(self, low: NDArray[np.float32], high: NDArray[np.float32], block: int, end: int) -> None:
        """Fill empty columns from the extremes of blocks of samples, each block at most half as long as a column.

        Parameters
        ----------
        low, high : ndarray of float32, shape (n_blocks, n_traces)
            Extremes of all blocks; block ``k`` begins at sample ``k * block`` and belongs to the column of that sample.
        block : int
            Samples a block.
        end : int
            The window ends before this sample.
        """
        self.newest = self.column_of(end - 1)
        self.replace_blocks(low, high, block, self.newest + 1 - self.n_columns, self.newest + 1)

    def replace_blocks(
        self, low: NDArray[np.float32], high: NDArray[np.float32], block: int, first: int, stop: int
    ) -> None:
        """Put the blocks that begin in absolute columns ``first`` to ``stop`` there, whatever stood there."""
        self._clear(np.arange(first, stop))
        begin, last = (min(low.shape[0], max(0, -(-self.sample_of(at) // block))) for at in (first, stop))
        if last > begin:
            numbers = np.arange(begin, last, dtype=np.int64) * block * self.n_columns // self.n_samples
            self._fill(numbers, low[begin:last], high[begin:last])

    def replace(self, data: NDArray[np.float32], first_sample: int, first: int, stop: int) -> None:
        """Put samples into absolute columns ``first`` to ``stop``, whatever stood there.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_traces)
            The samples of these columns; NaN is left out.
        first_sample : int
            Index of the first one.
        """
        self._clear(np.arange(first, stop))
        if data.shape[0]:
            numbers = (first_sample + np.arange(data.shape[0], dtype=np.int64)) * self.n_columns // self.n_samples
            self._fill(numbers, data, data)

    def middle(self, count: int) -> NDArray[np.float32] | None:
        """Return the median of each trace over the newest `count` columns, by the middles of some 200 of them.

        Returns
        -------
        ndarray of float32, shape (n_traces,), or None
            0 for a trace that shows nothing; None where no column shows anything.
        """
        first = max(0, self.newest + 1 - min(count, self.n_columns))
        at = np.arange(first, self.newest + 1, max(1, count // 200)) % self.n_columns
        # NaN sorts to the end: the middle of what is left is the median of what is drawn.
        seen = np.sort((self.low[:, at] + self.high[:, at]) / 2, axis=1)
        counts = np.isfinite(seen).sum(axis=1)
        if not counts.any():
            return None
        found = seen[np.arange(seen.shape[0]), counts // 2 - (counts == 0)]
        return np.where(counts > 0, found, np.float32(0.0))

    def _clear(self, numbers: NDArray[np.int64]) -> None:
        at = numbers % self.n_columns
        self.low[:, at] = np.nan
        self.high[:, at] = np.nan

    def _clear_until(self, first: int, last: int) -> int:
        """Empty the columns that come into the window and return the first that changes."""
        if self.newest < 0 or first < self.newest or last - self.newest >= self.n_columns:
            self.low[:] = np.nan
            self.high[:] = np.nan
            start = last + 1 - self.n_columns
        else:
            self._clear(np.arange(self.newest + 1, last + 1))
            start = min(first, self.newest + 1)
        self.newest = last
        return start

    def _fill(self, numbers: NDArray[np.int64], low: NDArray[np.float32], high: NDArray[np.float32]) -> None:
        """Merge rows ``(n, n_traces)``, each into the column of its number; the numbers rise."""
        cuts = np.concatenate(([0], np.flatnonzero(np.diff(numbers)) + 1))
        with np.errstate(invalid="ignore"):
            smallest, largest = _extremes(low, high, cuts)
        self._merge(numbers[cuts], smallest.T, largest.T)

    def _merge(self, columns: NDArray[np.int64], low: NDArray[np.float32], high: NDArray[np.float32]) -> None:
        at = columns % self.n_columns
        self.low[:, at] = np.fmin(self.low[:, at], low)
        self.high[:, at] = np.fmax(self.high[:, at], high)

    def _bridge(self, data: NDArray[np.float32], first_sample: int) -> int:
        """Draw the straight line between samples that lie more than one column apart; return the first column."""
        points = data if self._last is None else np.concatenate((self._last[None], data))
        origin = first_sample - (len(points) - len(data))
        begin, end = self.column_of(origin), self.column_of(origin + len(points) - 1)
        edges = np.arange(begin + 1, end + 1, dtype=np.int64)
        if edges.size == 0:
            return begin
        position = edges * (self.n_samples / self.n_columns) - origin
        left = np.clip(position.astype(np.int64), 0, len(points) - 2)
        share = (position - left).astype(np.float32)[:, None]
        values = (points[left] * (1 - share) + points[left + 1] * share).T
        for columns in (edges, edges - 1):
            # A line from before the window must not be drawn where the ring now holds newer columns.
            inside = columns > self.newest - self.n_columns
            self._merge(columns[inside], values[:, inside], values[:, inside])
        return begin


def _extremes(
    low: NDArray[np.float32], high: NDArray[np.float32], cuts: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the extremes of runs of rows; `reduceat` along the first axis takes ten times as long."""
    ends = np.append(cuts[1:], low.shape[0])
    longest = int((ends - cuts).max())
    if longest > cuts.size:
        runs = [slice(a, b) for a, b in zip(cuts.tolist(), ends.tolist(), strict=True)]
        parts = [(np.fmin.reduce(low[run], axis=0), np.fmax.reduce(high[run], axis=0)) for run in runs]
        return np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts])
    smallest, largest = low[cuts], high[cuts]
    for step in range(1, longest):
        at = np.minimum(cuts + step, ends - 1)
        more = low[at]
        np.fmin(smallest, more, out=smallest)
        np.fmax(largest, more if high is low else high[at], out=largest)
    return smallest, largest


def raster(
    image: NDArray[np.uint32],
    columns: PixelColumns,
    start: int,
    stop: int,
    *,
    channels: NDArray[np.int64],
    centre: NDArray[np.float32],
    offset: NDArray[np.float32],
    gain: NDArray[np.float32],
    colours: NDArray[np.uint32],
    background: int,
    reach: float,
) -> None:
    """Draw absolute columns ``start`` to ``stop`` into a ring image.

    Parameters
    ----------
    image : ndarray of uint32, shape (height, n_columns)
        Absolute column ``k`` is drawn at ``k % n_columns``.
    channels : ndarray of int, shape (n_visible,)
        Channels from top to bottom; the last one lies on top.
    centre, offset, gain, colours : ndarray, shape (n_visible,)
        Row of zero, value that is drawn there, pixels a unit, 0xffRRGGBB.
    background : int
        0xffRRGGBB.
    reach : float
        Pixels a trace may go from its centre; what is larger is drawn up to there.
    """
    width = columns.n_columns
    start = max(start, stop - width)
    # Blocks bound the memory of the index arrays, whatever the data.
    for begin in range(start, stop, 128):
        _raster_block(
            image,
            columns,
            np.arange(begin, min(begin + 128, stop)),
            channels,
            centre[:, None],
            offset[:, None],
            gain[:, None],
            colours,
            background,
            reach,
        )


def _raster_block(
    image: NDArray[np.uint32],
    columns: PixelColumns,
    absolute: NDArray[np.int64],
    channels: NDArray[np.int64],
    centre: NDArray[np.float32],
    offset: NDArray[np.float32],
    gain: NDArray[np.float32],
    colours: NDArray[np.uint32],
    background: int,
    reach: float,
) -> None:
    height, width = image.shape
    at = absolute % width
    image[:, at] = background
    if channels.size == 0:
        return
    before = (absolute - 1) % width
    rows = channels[:, None]
    low, high = columns.low[rows, at], columns.high[rows, at]
    there = ~np.isnan(low)
    # Joined to the column before, so that a steep line has no holes; the oldest column has nothing before it.
    joined = np.broadcast_to(absolute > columns.newest + 1 - width, low.shape)
    low = np.where(joined, np.fmin(low, columns.high[rows, before]), low)
    high = np.where(joined, np.fmax(high, columns.low[rows, before]), high)
    with np.errstate(invalid="ignore"):
        top = centre - np.clip((high - offset) * gain, -reach, reach)
        bottom = centre - np.clip((low - offset) * gain, -reach, reach)
    top_row = np.clip(np.where(there, top, 0), 0, height - 1).astype(np.int64)
    bottom_row = np.clip(np.where(there, bottom, 0), 0, height - 1).astype(np.int64)
    channel, column = np.nonzero(there)
    first = top_row[channel, column]
    length = bottom_row[channel, column] - first + 1
    total = int(length.sum())
    if total == 0:
        return
    ends = np.cumsum(length)
    pixels = np.repeat(first * width + at[column] - (ends - length) * width, length)
    pixels += np.arange(total, dtype=np.int64) * width
    image.reshape(-1)[pixels] = np.repeat(colours[channel], length)
