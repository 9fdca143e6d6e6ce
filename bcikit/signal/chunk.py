"""Chunk: the samples that arrived together, with their times and their health."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcikit.signal.errors import DataError
from bcikit.signal.health import Flag, Health
from bcikit.signal.shown import Shown


@dataclass(slots=True, eq=False, repr=False)
class Chunk(Shown):
    """Samples that arrived together.

    Attributes
    ----------
    data : ndarray of float64, shape (n_times, n_channels)
        C-contiguous, in the unit of the stream (microvolts for signals).
    times : ndarray of float64, shape (n_times,)
        Seconds on the host clock (LSL's), never decreasing.
    first_sample : int
        Index of the first sample in the stream; it counts lost samples, too.
    health : Health
        What is known of the truth of the samples.
    """

    data: NDArray[np.float64]
    times: NDArray[np.float64]
    first_sample: int = 0
    health: Health = field(default_factory=Health)

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        when = f", {self.times[0]:.3f} to {self.times[-1]:.3f} s" if self.n_times else ""
        state = "clean" if self.health.clean else "not clean"
        lost = f", {self.health.lost} lost before it" if self.health.lost else ""
        line = (
            f"{self.n_times} samples x {self.n_channels} channels from sample {self.first_sample}{when}, {state}{lost}"
        )
        return line, {
            "flags": " | ".join(flag.name or "" for flag in Flag if flag and flag in self.health.flags),
            "bad values": "" if self.health.mask is None else str(int((self.health.mask > 0).sum())),
        }

    @property
    def n_times(self) -> int:
        """Number of samples."""
        return self.data.shape[0]

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.data.shape[1]

    @property
    def end_sample(self) -> int:
        """Index of the sample after the last one."""
        return self.first_sample + self.data.shape[0]

    def check(self) -> "Chunk":
        """Return the chunk itself if it keeps its promises.

        Raises
        ------
        DataError
            If a shape, a dtype or the order in memory is wrong.
        """
        data, times, mask = self.data, self.times, self.health.mask
        if data.ndim != 2 or data.dtype != np.float64 or not data.flags.c_contiguous:
            raise DataError(
                f"Chunk.data must be C-contiguous float64 (n_times, n_channels); it is {data.dtype} {data.shape}."
            )
        if times.shape != (data.shape[0],) or times.dtype != np.float64:
            raise DataError(f"Chunk.times must be float64 ({data.shape[0]},); it is {times.dtype} {times.shape}.")
        if mask is not None and (mask.shape != data.shape or mask.dtype != np.uint8):
            raise DataError(f"Health.mask must be uint8 {data.shape}; it is {mask.dtype} {mask.shape}.")
        return self

    def slice(self, start: int, stop: int) -> "Chunk":
        """Return samples ``start:stop`` as a chunk of views; what was lost before stays with the first."""
        health = self.health
        mask = None if health.mask is None else health.mask[start:stop]
        if mask is not None and not mask.any():
            mask = None
        first = start == 0
        return Chunk(
            self.data[start:stop],
            self.times[start:stop],
            self.first_sample + start,
            Health(health.lost if first else 0, mask, health.age, health.flags if first else Flag.NONE),
        )

    def split(self, sizes: Iterable[int]) -> Iterator["Chunk"]:
        """Yield consecutive pieces of the given sizes; a rest comes last."""
        start = 0
        for size in sizes:
            if start >= self.n_times:
                return
            yield self.slice(start, min(start + size, self.n_times))
            start += size
        if start < self.n_times:
            yield self.slice(start, self.n_times)


def concatenate(chunks: Iterable[Chunk]) -> Chunk:
    """Return consecutive chunks as one.

    What was lost between them cannot be told by one chunk: join only what follows each other.

    Raises
    ------
    DataError
        If there is no chunk, or samples are missing between two.
    """
    pieces = list(chunks)
    if not pieces:
        raise DataError("concatenate needs at least one chunk.")
    for before, after in itertools.pairwise(pieces):
        if after.first_sample != before.end_sample:
            raise DataError(
                f"Chunks do not follow each other: one ends before sample {before.end_sample}, "
                f"the next starts at {after.first_sample}."
            )
    mask: NDArray[np.uint8] | None = None
    if any(piece.health.mask is not None for piece in pieces):
        mask = np.concatenate(
            [np.zeros(p.data.shape, np.uint8) if p.health.mask is None else p.health.mask for p in pieces]
        )
    flags = Flag.NONE
    for piece in pieces:
        flags |= piece.health.flags
    return Chunk(
        np.concatenate([piece.data for piece in pieces]),
        np.concatenate([piece.times for piece in pieces]),
        pieces[0].first_sample,
        Health(pieces[0].health.lost, mask, pieces[-1].health.age, flags),
    )
