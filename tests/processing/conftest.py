"""Streams for the tests of the processing room, and one example of every step."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from bcikit.processing import Step
from bcikit.signal import Bad, Chunk, Flag, Health, Recording, StreamInfo

SFREQ = 250.0
NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2", "EOG")
TYPES = ("eeg",) * 7 + ("eog",)


@pytest.fixture
def info() -> StreamInfo:
    """Return a stream of seven EEG channels at known places and one EOG channel."""
    angle = np.linspace(0, 2 * np.pi, len(NAMES), endpoint=False)
    xyz = 0.09 * np.stack([np.cos(angle) * 0.8, np.sin(angle) * 0.8, np.full(len(NAMES), 0.6)], axis=1)
    positions = tuple((float(x), float(y), float(z)) for x, y, z in xyz)
    return StreamInfo(name="test", sfreq=SFREQ, ch_names=NAMES, ch_types=TYPES, positions=positions, line_freq=50.0)


def eeg(n_times: int, *, seed: int = 0, n_channels: int = len(NAMES)) -> NDArray[np.float64]:
    """Return coloured noise with alpha and mains under an offset, in microvolts."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_times) / SFREQ
    data = np.cumsum(rng.standard_normal((n_times, n_channels)), axis=0)
    data -= np.linspace(data[0], data[-1], n_times)
    data += 5 * rng.standard_normal((n_times, n_channels))
    data += 10 * np.sin(2 * np.pi * 10 * time + rng.uniform(0, 6, n_channels)[:, None]).T
    data += 4 * np.sin(2 * np.pi * 50 * time)[:, None]
    return data + rng.uniform(-500, 500, n_channels)


@dataclass
class Streams:
    """Makes streams and runs steps over them."""

    info: StreamInfo

    def clean(self, seconds: float = 8.0, *, seed: int = 0) -> Recording:
        """Return a recording without a fault."""
        return Recording.from_arrays(self.info, eeg(round(seconds * SFREQ), seed=seed))

    @staticmethod
    def with_nan(recording: Recording, at: int, column: int, length: int = 1) -> Recording:
        """Return the recording with some samples of one channel not a number and marked so."""
        data = recording.data.copy()
        data[at : at + length, column] = np.nan
        mask = np.zeros(data.shape, np.uint8)
        mask[at : at + length, column] = int(Bad.NAN)
        return Recording.from_arrays(recording.info, data, mask=mask, events=recording.events)

    @staticmethod
    def with_gap(recording: Recording, at: int, length: int) -> Recording:
        """Return the recording with samples lost."""
        keep = np.r_[0:at, at + length : recording.n_times]
        return Recording(
            info=recording.info,
            data=np.ascontiguousarray(recording.data[keep]),
            times=recording.times[keep],
            samples=recording.samples[keep],
            events=recording.events,
            mask=None if recording.mask is None else np.ascontiguousarray(recording.mask[keep]),
        )

    @staticmethod
    def cut(recording: Recording, cuts: list[int]) -> Iterator[Chunk]:
        """Yield the chunks of a recording cut at any places; a gap stays before the chunk that follows it."""
        for chunk in recording.chunks(recording.n_times):
            inside = [c - chunk.first_sample for c in cuts if chunk.first_sample < c < chunk.end_sample]
            edges = [0, *sorted(set(inside)), chunk.n_times]
            yield from chunk.split(b - a for a, b in itertools.pairwise(edges))

    def run(self, step: Step, recording: Recording, cuts: list[int]) -> Recording:
        """Return what a step makes of a recording that is cut at given places."""
        out = step.configure(recording.info)
        chunks = [step.process(chunk) for chunk in self.cut(recording, cuts)]
        return Recording.from_chunks(out, [chunk for chunk in chunks if chunk.n_times])


@pytest.fixture
def streams(info: StreamInfo) -> Streams:
    """Return the maker of streams."""
    return Streams(info)


@pytest.fixture
def make_chunk() -> Callable[..., Chunk]:
    """Return a function that makes a chunk from its data."""

    def make(data: NDArray[np.float64], first: int = 0, *, lost: int = 0, flags: Flag = Flag.NONE) -> Chunk:
        data = np.ascontiguousarray(data, dtype=np.float64)
        times = (first + np.arange(data.shape[0])) / SFREQ
        return Chunk(data, times, first, Health(lost=lost, flags=flags))

    return make
