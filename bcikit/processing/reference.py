"""Re-referencing: average, linked, single; bipolar pairs."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import LastGood, merge_mask, unusable
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, StreamInfo

_EXCLUDED = int(Bad.FLAT | Bad.AFFECTED)


@dataclass(eq=False)
class Rereference(Step):
    """Subtracts a reference from every EEG channel.

    Parameters
    ----------
    reference : str or sequence of str
        "average" for all EEG channels, one name for a single electrode, several for linked ones (their mean).
    bads : sequence of str
        Channels that never enter an average.

    Notes
    -----
    No delay. In the reference, a sample that is not finite or is railed is stood in for by the last good value of its
    channel, so that it neither spreads nor makes a step under the offsets of a raw stream. In an average, samples
    marked FLAT or AFFECTED leave the mean of their moment. Where no good sample is left for an average, and where an
    electrode of a single or linked reference is bad in any way, every EEG channel is marked `Bad.AFFECTED`. The bad
    sample itself stays as it is, marked, in its own channel. A gap changes nothing. An average reference lowers the
    rank by one.

    No source of bcikit marks FLAT: a dead electrode whose samples are finite counts in an average like any other unless
    `bads` names it (a session says which it is by "Q-FLAT").
    """

    name: ClassVar[str] = "rereference"
    reference: str | Sequence[str] = "average"
    _: KW_ONLY
    bads: Sequence[str] = ()
    _eeg: list[int] = field(init=False, repr=False, default_factory=list)
    _members: list[int] = field(init=False, repr=False, default_factory=list)
    _all_eeg: bool = field(init=False, repr=False, default=False)
    _hold: LastGood | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str):
            self.reference = tuple(self.reference)
            if not self.reference:
                raise ArgumentError("reference is empty; give 'average' or the names of electrodes.")
        self.bads = (self.bads,) if isinstance(self.bads, str) else tuple(self.bads)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Find the channels by name."""
        self._eeg = info.indices(ch_type="eeg")
        if not self._eeg:
            raise ArgumentError(f"rereference needs EEG channels; {info.name!r} has none.")
        bads = set(info.index_of(self.bads, who="rereference (bads)"))
        if self.reference == "average":
            self._members = [column for column in self._eeg if column not in bads]
            if len(self._members) < 2:
                raise ArgumentError(
                    f"rereference needs two good EEG channels for an average; {info.name!r} has {len(self._members)}."
                )
            named = "average"
        else:
            names = (self.reference,) if isinstance(self.reference, str) else self.reference
            self._members = info.index_of(names, who="rereference")
            named = "+".join(names)
        self._hold = LastGood(len(self._members))
        self._all_eeg = len(self._eeg) == info.n_channels == len(self._members)
        return info.replace(reference=named)

    def process(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the reference of each moment subtracted."""
        data = chunk.data
        if not data.shape[0]:
            return chunk
        if self._hold is None:
            raise ArgumentError("rereference is not configured; call configure(info) first.")
        if self._all_eeg and chunk.health.mask is None:
            mean = np.add.reduce(data, axis=1, keepdims=True)
            mean *= 1.0 / data.shape[1]
            # A sum over a chunk's means tells of any value in it that is not finite.
            if np.isfinite(mean).all():
                self._hold.last[:] = data[-1]
                self._hold.known[:] = True
                return Chunk(data - mean, chunk.times, chunk.first_sample, chunk.health)
        return self._process_some(chunk, self._hold)

    def reset(self) -> None:
        """Forget the last good values."""
        if self._hold is not None:
            self._hold.reset()

    def _process_some(self, chunk: Chunk, hold: LastGood) -> Chunk:
        """Subtract the mean of the members that are good at each moment."""
        data, mask = chunk.data, chunk.health.mask
        some = None if mask is None else mask[:, self._members]
        useless = unusable(data[:, self._members], some)
        before = hold.known.copy()
        members = hold.fill(data[:, self._members], useless)
        # A channel that never was good has nothing to stand in.
        there = before | (np.cumsum(~useless, axis=0) > 0)
        good = there if some is None else there & ((some & _EXCLUDED) == 0)
        if self.reference == "average":
            doubtful: NDArray[np.bool_] = ~np.any(good, axis=1)
        else:
            doubtful = ~np.all(good & ~useless, axis=1)
        weight = np.where(doubtful[:, None], there, good)
        total = np.where(weight, members, 0.0).sum(axis=1)
        mean = total / np.maximum(weight.sum(axis=1), 1)
        out = data.copy()
        out[:, self._eeg] -= mean[:, None]
        marked = merge_mask(mask, ~np.isfinite(data), Bad.NAN, data.shape)
        if doubtful.any():
            affected = np.zeros(data.shape, dtype=bool)
            affected[:, self._eeg] = doubtful[:, None]
            marked = merge_mask(marked, affected, Bad.AFFECTED, data.shape)
        return Chunk(out, chunk.times, chunk.first_sample, chunk.health.with_mask(marked))


@dataclass(eq=False)
class Pick(Step):
    """Keeps some channels, in the order given.

    Parameters
    ----------
    channels : sequence of str
        Names; empty for all of the types in `types`.
    types : sequence of str
        Channel types to keep where no names are given.
    """

    name: ClassVar[str] = "pick"
    channels: Sequence[str] = ()
    _: KW_ONLY
    types: Sequence[str] = ("eeg",)
    _columns: NDArray[np.intp] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self.channels = tuple(self.channels)
        self.types = tuple(self.types)

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Find the channels by name or type."""
        if self.channels:
            columns = info.index_of(self.channels, who="pick")
        else:
            columns = [index for index, kind in enumerate(info.ch_types) if kind in self.types]
        if not columns:
            raise ArgumentError(f"pick keeps no channel: {info.name!r} has none of type {', '.join(self.types)}.")
        whole = columns == list(range(info.n_channels))
        self._columns = None if whole else np.asarray(columns, dtype=np.intp)
        return info.pick(columns)

    def process(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the columns kept; masks go with their columns."""
        if self._columns is None:
            return chunk
        mask = chunk.health.mask
        kept = None if mask is None else np.ascontiguousarray(mask[:, self._columns])
        data = np.ascontiguousarray(chunk.data[:, self._columns])
        return Chunk(data, chunk.times, chunk.first_sample, chunk.health.with_mask(kept))
