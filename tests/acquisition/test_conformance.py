"""Every adapter passes the suite that third parties get."""

import uuid
from dataclasses import replace

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import FileSource, MarkedSource, SynchronisedSource
from bcikit.signal import Chunk, Event, Flag, Health, Recording, StreamInfo
from bcikit.testing import SourceConformance, check_chunks


def recording(seconds=3.0, sfreq=250.0, name="made"):
    rng = np.random.default_rng(0)
    info = StreamInfo(name=name, sfreq=sfreq, ch_names=("C3", "Cz", "C4"))
    data = rng.normal(0, 10, (int(seconds * sfreq), 3))
    data[40, 1] = np.nan
    mask = np.zeros(data.shape, np.uint8)
    mask[40, 1] = 1
    events = (Event(name="cue", time=0.5), Event(name="late", time=1.2, sample=300))
    return Recording.from_arrays(info, data, events=events, mask=mask)


class TestFile(SourceConformance):
    def open(self):
        return FileSource(recording())


class TestPacedFile(SourceConformance):
    real_time = False

    def open(self):
        return FileSource(recording(), speed=4.0)


class TestLoopedFile(SourceConformance):
    def open(self):
        return FileSource(recording(seconds=0.5), loop=True)


@pytest.mark.parametrize("speed", [None, 1000.0])
def test_times_go_on_from_lap_to_lap_whatever_the_real_rate_is(speed):
    given = recording(seconds=60.0)
    # A device that states its rate, and has another.
    real = given.info.sfreq * 0.998
    given = replace(given, times=given.samples / real, events=(Event(name="cue", time=10.0, sample=round(10 * real)),))
    times, events = [], []
    with FileSource(given, loop=True, speed=speed) as source:
        while sum(map(len, times)) < 2.5 * given.n_times:
            chunk = source.pull(60.0)
            times.append(chunk.times)
            events += source.pull_events()
    steps = np.diff(np.concatenate(times)) * real
    np.testing.assert_allclose(steps, 1.0, atol=0.01)
    placed = np.concatenate(times)[[event.sample for event in events]]
    np.testing.assert_allclose([event.time for event in events], placed, atol=1 / real)
    assert len(events) == 3


class TestBrainFlowSynthetic(SourceConformance):
    seconds = 0.5

    def open(self):
        return open_source("brainflow:synthetic")


class TestBrainFlowPlayback(SourceConformance):
    seconds = 0.5

    @pytest.fixture(autouse=True)
    def table(self, playback, tmp_path):
        self.address = playback(1000).write(tmp_path / "table.tsv")

    def open(self):
        return open_source(self.address)


class TestLsl(SourceConformance):
    seconds = 0.5

    @pytest.fixture(autouse=True)
    def other(self, sender):
        self.name = f"conform-{uuid.uuid4()}"
        sender(name=self.name)

    def open(self):
        return open_source(f"lsl:source_id={self.name}")


class TestMarked(SourceConformance):
    def open(self):
        return MarkedSource(FileSource(recording()))


class TestSynchronised(SourceConformance):
    def open(self):
        return SynchronisedSource([FileSource(recording()), FileSource(recording(sfreq=256.0, name="second"))])


class TestSimulation(SourceConformance):
    def open(self):
        return open_source("sim:motor-imagery?seed=1")


INFO = StreamInfo(name="x", sfreq=100.0, ch_names=("a",))


def chunk(first=0, n=5, *, value=0.0, **health):
    health.setdefault("flags", Flag.START if first == 0 else Flag.NONE)
    return Chunk(np.full((n, 1), value), first / 100 + np.arange(n) / 100, first, Health(**health))


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "no chunk"),
        ([chunk(), chunk(6)], "does not go on"),
        ([chunk(), chunk(8, lost=3)], "GAP and lost"),
        ([chunk(value=np.nan)], "no mask"),
        ([chunk(flags=Flag.NONE)], "START"),
        ([chunk(mask=np.zeros((5, 1), np.uint8))], "must be None"),
    ],
)
def test_the_suite_finds_what_is_wrong(chunks, message):
    with pytest.raises(AssertionError, match=message):
        check_chunks(INFO, chunks)
