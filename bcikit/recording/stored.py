"""The chunks of a stored stream: what its rows of health say of its samples, in memory or still in the file."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from bcikit.recording.layout import SIGNALS
from bcikit.signal import Chunk, Event, Flag, Health, Recording, RecordingError, StreamInfo
from bcikit.signal.lazy import LazyRows
from bcikit.signal.rebuild import LARGEST_INT


class StoredChunks(Sequence[Chunk]):
    """Chunks as they came, each made when it is asked for.

    Parameters
    ----------
    data : ndarray of float64 or LazyRows, shape (n_times, n_channels)
        Samples; those behind the last row of the table were not whole and do not count.
    times : ndarray of float64, shape (n_times,)
        Their times.
    table : ndarray of float64, shape (n_chunks, 7)
        A row for each chunk: `CHUNK_COLUMNS`.
    masks : ndarray or LazyRows, shape (n_masked, n_channels)
        `Bad` bits of the samples of those chunks that have any.

    Raises
    ------
    RecordingError
        If the table lists more samples or masks than there are.
    """

    def __init__(self, data: Any, times: NDArray[np.float64], table: NDArray[np.float64], masks: Any) -> None:
        self._data, self._times, self._table, self._masks = data, times, table, masks
        if not ((table[:, 1] >= 0) & (table[:, 1] < LARGEST_INT)).all():
            raise RecordingError(f"{SIGNALS} is damaged: a chunk in it has a number of samples that is none.")
        counts = table[:, 1].astype(np.int64)
        masked = table[:, 5] != 0
        self._edges = np.concatenate([[0], np.cumsum(counts)])
        self._mask_edges = np.concatenate([[0], np.cumsum(counts * masked)])
        if self.n_times > data.shape[0]:
            raise RecordingError(f"{SIGNALS} is damaged: it lists {self.n_times} samples and holds {data.shape[0]}.")
        if self._mask_edges[-1] > masks.shape[0]:
            raise RecordingError(
                f"{SIGNALS} is damaged: masks of {self._mask_edges[-1] - masks.shape[0]} samples are gone."
            )

    @property
    def n_times(self) -> int:
        """Number of samples."""
        return int(self._edges[-1])

    def __len__(self) -> int:
        return self._table.shape[0]

    @overload
    def __getitem__(self, index: int) -> Chunk: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Chunk, ...]: ...
    def __getitem__(self, index: int | slice) -> Chunk | tuple[Chunk, ...]:
        if isinstance(index, slice):
            return tuple(self._chunk(at) for at in range(*index.indices(len(self))))
        return self._chunk(range(len(self))[index])

    def __iter__(self) -> Iterator[Chunk]:
        return map(self._chunk, range(len(self)))

    def _chunk(self, at: int) -> Chunk:
        first, _, lost, flags, age, masked, _ = self._table[at].tolist()
        rows = slice(*self._edges[at : at + 2].tolist())
        mask = None
        if masked:
            mask = self._masks[slice(*self._mask_edges[at : at + 2].tolist())].astype(np.uint8, copy=False)
        health = Health(lost=int(lost), mask=mask, age=age, flags=Flag(int(flags)))
        return Chunk(self._data[rows], self._times[rows], int(first), health)

    def recording(self, info: StreamInfo, events: tuple[Event, ...]) -> Recording:
        """Return all of them as one recording whose samples and masks stay in the file."""
        counts = np.diff(self._edges)
        samples = np.repeat(self._table[:, 0].astype(np.int64) - self._edges[:-1], counts)
        samples += np.arange(self.n_times, dtype=np.int64)
        shape = (self.n_times, self._data.shape[1])
        data: Any = LazyRows(lambda start, stop, columns: self._data[start:stop, _some(columns)].T, shape)
        mask: Any = LazyRows(self._mask, shape, dtype=np.uint8) if self._mask_edges[-1] else None
        return Recording(
            info=info,
            data=data,
            times=self._times[: self.n_times],
            samples=samples,
            events=tuple(sorted(events, key=lambda event: event.time)),
            mask=mask,
        )

    def _mask(self, start: int, stop: int, columns: list[int] | None) -> NDArray[np.uint8]:
        """Return `Bad` bits of some samples, ``(n_columns, n_times)``; of chunks without a mask they are 0."""
        found = np.zeros((stop - start, self._data.shape[1]), dtype=np.uint8)
        at = max(0, int(np.searchsorted(self._edges, start, side="right")) - 1)
        while at < len(self) and self._edges[at] < stop:
            begin, end = max(start, int(self._edges[at])), min(stop, int(self._edges[at + 1]))
            if self._mask_edges[at + 1] > self._mask_edges[at] and end > begin:
                shift = int(self._mask_edges[at] - self._edges[at])
                found[begin - start : end - start] = self._masks[begin + shift : end + shift]
            at += 1
        return found[:, _some(columns)].T


def _some(columns: list[int] | None) -> Any:
    return slice(None) if columns is None else columns
