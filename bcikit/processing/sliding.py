"""SlidingStep: what every feature over a sliding window shares."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import Continuity, LastGood, finite, unusable
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, Flag, Health, Ring, StreamInfo, check_range

_USABLE = np.uint8(255 - int(Bad.INTERPOLATED))

_NEVER = -(2**62)


class Emitter:
    """Makes chunks of updates: numbers them, and reports the updates that a gap swallowed as lost."""

    def __init__(self) -> None:
        self._next: int | None = None

    def reset(self) -> None:
        """Take the next update as the first of a stream."""
        self._next = None

    def emit(
        self,
        rows: NDArray[np.float64],
        times: NDArray[np.float64],
        first: int,
        *,
        mask: NDArray[np.uint8] | None = None,
        age: float = 0.0,
    ) -> Chunk:
        """Return updates as a chunk; `first` is the index of the first one."""
        lost, flags = 0, Flag.NONE
        if not rows.shape[0]:
            return Chunk(rows, times, first)
        if self._next is None:
            flags = Flag.START
        elif first != self._next:
            lost, flags = max(0, first - self._next), Flag.GAP
        self._next = first + rows.shape[0]
        health = Health(lost, None, age, flags)
        return Chunk(rows, times, first, health if mask is None else health.with_mask(mask))


@dataclass(kw_only=True, eq=False)
class SlidingStep(Step):
    """A row of features for the newest window, at a fixed pace on the sample index.

    Updates fall on samples whose index is a multiple of the hop, so that they do not depend on chunks. The output is
    a stream with one column a feature and one row an update, at ``sfreq / hop`` rows a second.

    Parameters
    ----------
    window : float
        Length of the window in seconds.
    hop : float
        Seconds between updates.
    types : sequence of str
        Channel types that are used.

    Notes
    -----
    Samples that cannot be used are bridged with the last good value. A feature is marked `Bad.AFFECTED` while a bad
    sample of a channel it depends on lies in the window. At a gap the window starts empty and updates go on once it
    is full; the ones left out are reported as lost.
    """

    window: float = 1.0
    hop: float = 0.1
    types: Sequence[str] = ("eeg",)
    _state: "_State | None" = field(init=False, repr=False, default=None)
    n_window: int = field(init=False, repr=False, default=0)
    n_hop: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        check_range("window", self.window, low=0.0, low_open=True, high=3600.0, unit="s")
        check_range("hop", self.hop, low=0.0, low_open=True, high=3600.0, unit="s")
        self.types = tuple(self.types)

    @abstractmethod
    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Make ready for a stream of the channels used.

        Returns
        -------
        names : list of str
            One a feature.
        sources : ndarray of int, shape (n_features, k)
            The channels each feature depends on.
        unit : str
            Unit of the features.
        """

    @abstractmethod
    def compute(self) -> NDArray[np.float64]:
        """Return the features of the newest window, shape (n_features,)."""

    def grid(self) -> int:
        """Return the number of samples at whose multiples data are handed over; a divisor of the hop."""
        return self.n_hop

    def feed(self, data: NDArray[np.float64], *, boundary: bool) -> None:  # noqa: ARG002 - for block-wise steps
        """Take the next samples, at most up to a multiple of the grid; `boundary` if one is reached."""
        self._running.ring.append(data)

    def ready(self) -> bool:
        """Return whether the window is full."""
        return len(self._running.ring) >= self.n_window

    def clear(self) -> None:
        """Empty the window."""
        self._running.ring.clear()

    def memory(self) -> int:
        """Return how many samples back a sample can still be felt."""
        return self.n_window

    @property
    def _running(self) -> "_State":
        if self._state is None:
            raise ArgumentError(f"{self.name} is not configured; call configure(info) first.")
        return self._state

    def newest(self) -> NDArray[np.float64]:
        """Return the newest window as a read-only view, shape (n_window, n_channels)."""
        view: Any = self._running.ring.newest(self.n_window)
        return view

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Find the channels, size the window, and return the description of the features."""
        if info.sfreq <= 0:
            raise ArgumentError(f"{self.name} needs a stream with a fixed sampling rate; {info.name!r} has none.")
        columns = [index for index, kind in enumerate(info.ch_types) if kind in self.types]
        if not columns:
            raise ArgumentError(f"{self.name} finds no channel of type {', '.join(self.types)} in {info.name!r}.")
        self.n_window = max(1, round(self.window * info.sfreq))
        self.n_hop = max(1, round(self.hop * info.sfreq))
        picked = info.pick(columns)
        self._state = _State(
            columns=None if len(columns) == info.n_channels else columns,
            ring=Ring(self.n_window, len(columns)),
            hold=LastGood(len(columns)),
            last_bad=np.full(len(columns), _NEVER, dtype=np.int64),
        )
        names, sources, unit = self.prepare(picked)
        self._state.sources = sources
        self._state.n_features = len(names)
        self.offset = self.n_hop - 1.0
        self.delay = (self.n_window - 1) / 2 / info.sfreq
        self.settling = self.memory() / info.sfreq
        return info.replace(
            ch_names=tuple(names),
            ch_types=("misc",) * len(names),
            positions=None,
            sfreq=info.sfreq / self.n_hop,
            unit=unit,
            delay=info.delay + self.delay,
        )

    def reset(self) -> None:
        """Forget the past."""
        if self._state is not None:
            self._state.continuity.reset()
            self._state.emitter.reset()
            self._restart()

    def _restart(self, first: int | None = None) -> None:
        state = self._running
        state.hold.reset()
        state.newest_bad = _NEVER if first is None or self.memory() <= self.n_window else first - 1
        state.last_bad[:] = state.newest_bad
        self.clear()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the updates that fall into a chunk: none, one or many."""
        state = self._running
        n_times = chunk.data.shape[0]
        if not n_times:
            return state.nothing()
        lost = state.continuity.check(chunk)
        if lost is None:
            state.emitter.reset()
        if lost is None or lost:
            self._restart(chunk.first_sample)
        data = chunk.data if state.columns is None else np.ascontiguousarray(chunk.data[:, state.columns])
        bad = self._bad(chunk, data, state)
        if bad is not None:
            data = state.hold.fill(data, bad[1])
        else:
            state.hold.note(data)
        grid = self.grid()
        if bad is None and chunk.first_sample % grid + n_times < grid:
            # Most chunks of a live stream: good, and over before the next update is due.
            self.feed(data, boundary=False)
            return state.nothing()
        rows: list[NDArray[np.float64]] = []
        masks: list[NDArray[np.bool_] | None] = []
        due: list[int] = []
        start, end = chunk.first_sample, chunk.first_sample + n_times
        position = start
        while position < end:
            stop = min(position - position % grid + grid, end)
            boundary = stop % grid == 0
            begin, after = position - start, stop - start
            self.feed(data[begin:after], boundary=boundary)
            if bad is not None:
                state.note_bad(bad[0][begin:after], position)
            if boundary and stop % self.n_hop == 0 and self.ready():
                rows.append(self.compute())
                masks.append(state.affected(stop - self.memory()))
                due.append(stop)
            position = stop
        if not due:
            return state.nothing()
        mask = None
        if any(item is not None for item in masks):
            none = np.zeros(state.n_features, dtype=bool)
            mask = np.stack([none if item is None else item for item in masks]) * np.uint8(Bad.AFFECTED)
        first = due[0] // self.n_hop - 1
        if len(due) == 1:
            newest = due[0] - start
            times = chunk.times[newest - 1 : newest]
            return state.emitter.emit(rows[0][None, :], times, first, mask=mask, age=chunk.health.age)
        times = chunk.times[np.asarray(due) - 1 - start]
        return state.emitter.emit(np.stack(rows), times, first, mask=mask, age=chunk.health.age)

    def _bad(
        self, chunk: Chunk, data: NDArray[np.float64], state: "_State"
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Return which samples are bad in any way and which cannot be used; None if all are good."""
        mask = chunk.health.mask
        if mask is not None and state.columns is not None:
            mask = mask[:, state.columns]
        if mask is None and finite(data):
            return None
        useless = unusable(data, mask)
        return (useless if mask is None else useless | ((mask & _USABLE) != 0)), useless


@dataclass(eq=False)
class _State:
    """What a sliding step keeps of a stream."""

    columns: list[int] | None
    ring: Ring
    hold: LastGood
    last_bad: NDArray[np.int64]
    sources: NDArray[np.intp] = field(default_factory=lambda: np.empty((0, 1), np.intp))
    n_features: int = 0
    continuity: Continuity = field(default_factory=Continuity)
    emitter: Emitter = field(default_factory=Emitter)
    newest_bad: int = _NEVER

    def nothing(self) -> Chunk:
        """Return a chunk without an update."""
        return Chunk(np.empty((0, self.n_features)), np.empty(0), 0)

    def note_bad(self, bad: NDArray[np.bool_], first: int) -> None:
        """Remember the newest bad sample of each channel."""
        index = np.where(bad, np.arange(first, first + bad.shape[0])[:, None], _NEVER).max(axis=0)
        np.maximum(self.last_bad, index, out=self.last_bad)
        self.newest_bad = int(self.last_bad.max())

    def affected(self, first: int) -> NDArray[np.bool_] | None:
        """Return which features have a bad sample at or after index `first`."""
        if self.newest_bad < first:
            return None
        touched = self.last_bad >= first
        return np.any(touched[self.sources], axis=1)


class AlignedBlocks:
    """Collects samples into blocks that start at multiples of their length.

    Parameters
    ----------
    length : int
        Samples a block.
    n_channels : int
        Channels.
    """

    def __init__(self, length: int, n_channels: int) -> None:
        self.length = length
        self._buffer = np.empty((length, n_channels))
        self._filled = 0

    def clear(self) -> None:
        """Forget what was collected."""
        self._filled = 0

    def add(self, data: NDArray[np.float64], *, boundary: bool) -> NDArray[np.float64] | None:
        """Take samples up to the next boundary; return the block if it is complete, valid until the next call."""
        n_times = data.shape[0]
        if n_times == self.length:
            self._filled = 0
            return data
        self._buffer[self._filled : self._filled + n_times] = data
        self._filled += n_times
        if not boundary:
            return None
        complete = self._filled == self.length
        self._filled = 0
        return self._buffer if complete else None


def block_length(n_window: int, n_hop: int) -> int:
    """Return the longest block that divides window and hop."""
    return math.gcd(n_window, n_hop)
