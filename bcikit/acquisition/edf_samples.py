"""The samples of EDF and BDF files, a piece at a time: a file of hours is never in memory."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.edf_header import ANNOTATIONS, EdfHeader
from bcikit.signal.lazy import LazyRows

_BLOCK = 1_000_000
"""Bytes of float64 that are decoded at once: they stay in the processor's cache."""


def edf_rows(path: Path, header: EdfHeader, n_times: int) -> LazyRows | None:
    """Return the signals in their physical units, annotations left out.

    None where this cannot be told without more: signals of different rates, or of no scale.

    Parameters
    ----------
    n_times : int
        Samples of each signal.
    """
    kept = [i for i, label in enumerate(header.labels) if label not in ANNOTATIONS]
    lengths = {header.lengths[i] for i in kept}
    steps = np.array([header.scales[i] for i in kept])
    offsets = np.array([header.offsets[i] for i in kept])
    if len(lengths) != 1 or not np.isfinite(steps).all() or not np.isfinite(offsets).all() or (steps == 0).any():
        return None
    (length,) = lengths
    starts = np.concatenate([[0], np.cumsum(header.lengths)])
    if length < 1 or header.size + header.record_size * -(-n_times // length) > path.stat().st_size:
        return None

    def read(start: int, stop: int, columns: list[int] | None) -> NDArray[np.int16] | NDArray[np.int32]:
        picked = list(range(len(kept))) if columns is None else columns
        first, last = start // length, -(-stop // length)
        records = _integers(path, header, first, last)
        found = np.empty((len(picked), last - first, length), dtype=records.dtype)
        for row, column in enumerate(picked):
            found[row] = records[:, starts[kept[column]] : starts[kept[column]] + length]
        return found.reshape(len(picked), -1)[:, start - first * length : stop - first * length]

    return LazyRows(read, (n_times, len(kept)), steps, offsets, block=_BLOCK)


def _integers(path: Path, header: EdfHeader, first: int, last: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Return the numbers of some records, shape (n_records, samples of all signals)."""
    count = (last - first) * header.record_size
    with path.open("rb", buffering=0) as file:
        file.seek(header.size + first * header.record_size)
        raw = np.fromfile(file, dtype=np.uint8, count=count)
    if header.width == 2:
        return raw.view("<i2").reshape(last - first, -1)
    # Three bytes become the upper three of four, so that the sign comes along.
    wide = np.zeros((count // 3, 4), dtype=np.uint8)
    wide[:, 1:] = raw.reshape(-1, 3)
    return (wide.view("<i4")[:, 0] >> 8).reshape(last - first, -1)
