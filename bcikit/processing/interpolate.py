"""Interpolation of bad channels from their neighbours on the head."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.linear import matrix_by_mne, positions_of
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, StreamInfo

_REPLACED = int(Bad.NAN | Bad.RAILED | Bad.FLAT)


@dataclass(kw_only=True, eq=False)
class Interpolate(Step):
    """Computes bad EEG channels from the good ones by spherical splines (Perrin and others 1989; MNE's matrix).

    Parameters
    ----------
    bads : sequence of str
        Channels that are always replaced.
    automatic : bool
        Also replace each sample that is not finite or is marked NAN, RAILED or FLAT.

    Notes
    -----
    No delay, no memory. A replaced sample loses its other bits and is marked `Bad.INTERPOLATED`, or `Bad.AFFECTED` if
    a channel it was computed from was affected. With fewer than half of the channels good at a moment nothing is
    replaced: NaN then stays, marked. The matrix for a set of bad channels is made when the set first appears (some
    ten milliseconds) and kept. Interpolated channels lower the rank by one each.

    No source of bcikit marks FLAT: a dead electrode whose samples are finite is replaced where `bads` names it (a
    session says which it is by "Q-FLAT"), or where a step of your own marks it.
    """

    name: ClassVar[str] = "interpolate"
    bads: Sequence[str] = ()
    automatic: bool = True
    _eeg: list[int] = field(init=False, repr=False, default_factory=list)
    _always: frozenset[int] = field(init=False, repr=False, default=frozenset())
    _info: StreamInfo | None = field(init=False, repr=False, default=None)
    _matrices: dict[frozenset[int], NDArray[np.float64]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.bads = (self.bads,) if isinstance(self.bads, str) else tuple(self.bads)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Check the positions and make the matrix for the channels that are always replaced."""
        self._eeg = info.indices(ch_type="eeg")
        if len(self._eeg) < 4:
            raise ArgumentError(f"interpolate needs four EEG channels; {info.name!r} has {len(self._eeg)}.")
        positions_of(info, self._eeg, who="interpolate")
        named = info.index_of(self.bads, who="interpolate (bads)")
        others = [info.ch_names[column] for column in named if column not in self._eeg]
        if others:
            raise ArgumentError(f"bads of interpolate has {', '.join(others)}, which are no EEG channels.")
        self._info = info
        self._matrices = {}
        self._always = frozenset(self._eeg.index(column) for column in named)
        if 2 * len(self._always) > len(self._eeg):
            raise ArgumentError(f"bads of interpolate names {len(self._always)} of {len(self._eeg)} EEG channels.")
        if self._always:
            self._matrix(self._always)
        return info

    def _matrix(self, bad: frozenset[int]) -> NDArray[np.float64]:
        """Return the rows that give the bad channels from all, shape (n_bad, n_eeg)."""
        matrix = self._matrices.get(bad)
        if matrix is None:
            if self._info is None:
                raise ArgumentError("interpolate is not configured; call configure(info) first.")
            names = tuple(self._info.ch_names[self._eeg[index]] for index in sorted(bad))
            whole = matrix_by_mne(
                self._info, self._eeg, lambda raw: raw.interpolate_bads(origin=(0.0, 0.0, 0.04)), bads=names
            )
            matrix = self._matrices[bad] = whole[sorted(bad)]
        return matrix

    def process(self, chunk: Chunk) -> Chunk:
        """Return the chunk with bad channels replaced."""
        data, mask = chunk.data, chunk.health.mask
        if not data.shape[0]:
            return chunk
        eeg = data[:, self._eeg]
        some = None if mask is None else mask[:, self._eeg]
        bad = ~np.isfinite(eeg)
        if some is not None:
            bad |= (some & _REPLACED) != 0
        if not bad.any() and not self._always:
            return chunk
        marks = np.zeros(eeg.shape, np.uint8) if some is None else some.copy()
        marks[~np.isfinite(eeg)] |= np.uint8(Bad.NAN)
        if not self.automatic:
            bad[:] = False
        bad[:, sorted(self._always)] = True
        out = eeg.copy()
        patterns = bad[:1] if (bad == bad[0]).all() else np.unique(bad, axis=0)
        for pattern in patterns:
            rows = np.flatnonzero((bad == pattern).all(axis=1))
            columns = np.flatnonzero(pattern)
            if not columns.size or 2 * columns.size > len(self._eeg):
                continue
            self._replace(eeg, marks, out, rows, columns)
        whole = data.copy()
        whole[:, self._eeg] = out
        merged = np.zeros(data.shape, np.uint8) if mask is None else mask.copy()
        merged[:, self._eeg] = marks
        return Chunk(whole, chunk.times, chunk.first_sample, chunk.health.with_mask(merged))

    def _replace(
        self,
        eeg: NDArray[np.float64],
        marks: NDArray[np.uint8],
        out: NDArray[np.float64],
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
    ) -> None:
        """Compute some channels in some rows."""
        matrix = self._matrix(frozenset(columns.tolist()))
        source = np.where(np.isfinite(eeg[rows]), eeg[rows], 0.0)
        source[:, columns] = 0.0
        out[np.ix_(rows, columns)] = source @ matrix.T
        good = np.setdiff1d(np.arange(eeg.shape[1]), columns)
        doubtful = np.any(marks[np.ix_(rows, good)] & np.uint8(255 - int(Bad.INTERPOLATED)), axis=1)
        bits = np.where(doubtful, np.uint8(int(Bad.INTERPOLATED | Bad.AFFECTED)), np.uint8(Bad.INTERPOLATED))
        marks[np.ix_(rows, columns)] = bits[:, None]
