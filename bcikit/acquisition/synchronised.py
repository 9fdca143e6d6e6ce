"""Several devices as one source: the others resampled onto the grid of the first, each with its own health."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bcikit.acquisition.grid import GridResampler
from bcikit.acquisition.source import Source
from bcikit.acquisition.status import StreamStatus
from bcikit.signal import ArgumentError, Chunk, Event, Health, HostClock, SourceError, StreamEndedError, StreamInfo

PATIENCE = 0.25
"""Seconds a chunk of the first device waits for the others; after that their part is marked as filled."""

SILENT = 1.0
"""Seconds without a sample after which nobody waits for a device until it gives one: what is away delays nothing."""


class SynchronisedSource(Source):
    """Joins the channels of several devices.

    Chunks, indices and losses are those of the first device. The samples of the others are brought onto its times by
    band-limited interpolation, triggers as the levels they are; where they are late, lost, bad or gone, their columns
    are marked, and the first device's are not touched. A chunk is given once all others have come up to it, after
    `patience` at the latest.

    Parameters
    ----------
    sources : sequence of Source
        The first one sets the grid. Channel names that occur twice get the name of their stream in front.
    patience : float
        Seconds to wait for the others.
    levels : sequence of str
        Channels that carry levels, not waves, beside those of type "stim".
    """

    def __init__(self, sources: Sequence[Source], *, patience: float = PATIENCE, levels: Sequence[str] = ()) -> None:
        if len(sources) < 2:
            raise ArgumentError(f"sources has {len(sources)} entries; joining needs two or more.")
        for source in sources[1:]:
            if source.live != sources[0].live:
                raise ArgumentError(
                    f"{sources[0].info.name!r} and {source.info.name!r} cannot be joined: one has its own pace and the "
                    "other has none; a file is paced with '?speed=1'."
                )
        self._first, self._others = sources[0], list(sources[1:])
        self.info = _joined(sources)
        self.live = self._first.live
        self._patience = patience
        self._levels = self.info.index_of(levels, who="the trigger")
        self._resamplers = self._fresh()
        self._now = HostClock().now
        self._held: deque[tuple[Chunk, float]] = deque()
        self._failed: set[int] = set()
        self._came = [0.0] * len(self._others)
        self._events: list[Event] = []

    @property
    def decoded(self) -> frozenset[str]:
        """Channels whose codes are among the events of their device."""
        return frozenset(
            joint for source, own, joint in self._names() if own in getattr(source, "decoded", frozenset())
        )

    def _names(self) -> Iterator[tuple[Source, str, str]]:
        """Yield the device of each channel, what it calls it, and what it is called here."""
        names = iter(self.info.ch_names)
        for source in (self._first, *self._others):
            for own, joint in zip(source.info.ch_names, names, strict=False):
                yield source, own, joint

    def _fresh(self) -> list[GridResampler]:
        fresh, start = [], self._first.info.n_channels
        for source in self._others:
            own = [column - start for column in self._levels if 0 <= column - start < source.info.n_channels]
            fresh.append(GridResampler(source.info, self._first.info.sfreq, levels=own))
            start += source.info.n_channels
        return fresh

    def start(self) -> None:
        """Start all, the first one last."""
        self._held.clear()
        self._failed.clear()
        self._resamplers = self._fresh()
        for source in (*self._others, self._first):
            source.start()
        self._came = [self._now()] * len(self._others)

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next chunk of the first device, with the channels of all."""
        end = self._now() + timeout
        while True:
            self._feed_others()
            if self._held and self._due(*self._held[0]):
                return self._join(self._held.popleft()[0])
            if self._first.ended:
                if not self._held:
                    raise StreamEndedError(self.info.name)
                return self._join(self._held.popleft()[0])
            left = end - self._now()
            if left <= 0:
                return None
            # Short looks, so that a held chunk goes out as soon as the others have come up to it.
            chunk = self._first.pull(min(left, 0.01) if self._held else left)
            if chunk is not None:
                self._held.append((chunk, self._now()))

    def _feed_others(self) -> None:
        for index, (source, resampler) in enumerate(zip(self._others, self._resamplers, strict=True)):
            if index in self._failed:
                continue
            try:
                if self._feed(source, resampler):
                    self._came[index] = self._now()
            except SourceError as error:
                # The first device goes on: what is gone for good is filled and marked from here on.
                self._failed.add(index)
                name = source.info.name
                said = Event(name="stream/failed", time=self._now(), source=name, data={"error": str(error)})
                self._events.append(said)

    def _feed(self, source: Source, resampler: GridResampler) -> bool:
        """Take what a device has; return whether that was anything."""
        came = False
        if source.live:
            while not source.ended and (chunk := source.pull(0.0)) is not None:
                resampler.feed(chunk)
                came = came or chunk.n_times > 0
            return came
        # A source without its own pace is drawn only as far as the first device needs it.
        while self._held and resampler.ready_until < self._held[-1][0].times[-1] and not source.ended:
            chunk = source.pull(0.0)
            if chunk is None:
                break
            resampler.feed(chunk)
            came = True
        return came

    def _due(self, chunk: Chunk, arrival: float) -> bool:
        last = float(chunk.times[-1])
        late = [index for index, resampler in enumerate(self._resamplers) if resampler.ready_until < last]
        now = self._now()
        awaited = [index for index in late if index not in self._failed]
        if self.live:
            awaited = [index for index in awaited if now - self._came[index] < SILENT]
        return not awaited or (self.live and now - arrival >= self._patience)

    def _join(self, chunk: Chunk) -> Chunk:
        parts, masks = [chunk.data], [chunk.health.mask]
        for resampler in self._resamplers:
            values, bad = resampler.at(chunk.times)
            parts.append(values)
            masks.append(bad)
        mask = None
        if any(part is not None for part in masks):
            pairs = zip(parts, masks, strict=True)
            mask = np.hstack([np.zeros(data.shape, np.uint8) if bad is None else bad for data, bad in pairs])
        health = chunk.health
        age = health.age if not self.live else max(health.age, self._now() - float(chunk.times[-1]))
        return Chunk(
            np.ascontiguousarray(np.hstack(parts)),
            chunk.times,
            chunk.first_sample,
            Health(health.lost, mask, age, health.flags),
        )

    def pull_events(self) -> list[Event]:
        """Return the events of all devices; those of the others carry their stream's name as source."""
        events = [*self._first.pull_events(), *self._events]
        self._events = []
        for source in self._others:
            events += [
                replace(event, sample=None, source=f"{source.info.name}/{event.source}")
                for event in source.pull_events()
            ]
        return sorted(events, key=lambda event: event.time)

    def status(self) -> StreamStatus:
        """Return the health of the first device, with the electrodes of all, and of the others as joined to it."""
        told = {id(source): source.status() for source in (self._first, *self._others)}
        ohms = {
            joint: told[id(source)].impedances[own]
            for source, own, joint in self._names()
            if own in told[id(source)].impedances
        }
        first, *others = told.values()
        return replace(first, impedances=ohms, joined=tuple(others))

    def statuses(self) -> dict[str, StreamStatus]:
        """Return the health of each device by the name of its stream."""
        return {source.info.name: source.status() for source in (self._first, *self._others)}

    @property
    def ended(self) -> bool:
        """True once the first device has ended and its last chunk was given."""
        return self._first.ended and not self._held

    def stop(self) -> None:
        """Stop all."""
        for source in (self._first, *self._others):
            source.stop()

    def close(self) -> None:
        """Close all."""
        for source in (self._first, *self._others):
            source.close()


def _joined(sources: Sequence[Source]) -> StreamInfo:
    names: list[str] = []
    types: list[str] = []
    positions: list[tuple[float, float, float]] = []
    unknown = (float("nan"),) * 3
    for source in sources:
        info = source.info
        for column, name in enumerate(info.ch_names):
            unique = name if name not in names else f"{info.name}:{name}"
            if unique in names:
                raise ArgumentError(f"Two streams are named {info.name!r} and share the channel {name!r}; rename one.")
            names.append(unique)
            types.append(info.ch_types[column])
            positions.append(unknown if info.positions is None else info.positions[column])
    first = sources[0].info
    known = any(info.positions is not None for info in (source.info for source in sources))
    # One number cannot hold for two devices: each channel has that of its own.
    scales = {source.info.capabilities.full_scale for source in sources if "eeg" in source.info.ch_types}
    scale = scales.pop() if len(scales) == 1 else None
    each = [None if np.isnan(one) else float(one) for source in sources for one in source.info.full_scale_array()]
    return replace(
        first,
        capabilities=replace(first.capabilities, full_scale=scale),
        name="+".join(source.info.name for source in sources),
        ch_names=tuple(names),
        ch_types=tuple(types),
        positions=tuple(positions) if known else None,
        full_scales=tuple(each) if set(each) != {scale} else None,
    )
