"""How long is recorded: what was asked for, though a block of a live stream is late."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bcikit.acquisition import FileSource, Pulse, StreamStatus
from bcikit.recording import read_session, record, recorder
from bcikit.signal import Bad, Chunk, Health, HostClock, Recording, StreamInfo


class Late(FileSource):
    """Is silent once, when the duration is over by the clock of the wall and not by what came."""

    def __init__(self, now: list[float], *, silences: int) -> None:
        info = StreamInfo(name="late", sfreq=100.0, ch_names=("Cz",))
        super().__init__(Recording.from_arrays(info, np.zeros((1000, 1))), chunk=10)
        self.live, self.now = True, now
        self.pulls, self.silences = 0, silences

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        self.pulls += 1
        if 4 <= self.pulls < 4 + self.silences:
            self.now[0] += 0.55
            return None
        self.now[0] += 0.1
        return super().pull(timeout)


@pytest.mark.parametrize(("silences", "samples"), [(1, 50), (3, 30)])
def test_a_block_that_is_late_at_the_end_is_waited_for_and_a_stream_that_is_silent_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silences: int, samples: int
) -> None:
    now = [100.0]
    monkeypatch.setattr(recorder, "HostClock", lambda: SimpleNamespace(now=lambda: now[0]))
    done = record(Late(now, silences=silences), tmp_path / "out", duration=0.5)
    assert done.samples == samples
    assert read_session(tmp_path / "out").recording.n_times == samples


def test_what_is_lost_and_bad_is_said_of_a_source_that_counts_nothing_itself(tmp_path: Path) -> None:
    spoiled = "dut:faults?do=drop@1~0.1,nan@2~0.2*1&source=sim:motor-imagery?seed=1"
    done = record(spoiled, tmp_path / "out", duration=3.0)
    expected = (done.samples, 25, 1, 50)
    assert done.samples == 750 - 25
    assert (done.status.samples, done.status.lost, done.status.gaps, done.status.bad_samples) == expected
    said = done.shown()[0]
    assert all(words in said for words in ("725 samples", "25 lost", "50 bad values"))


def test_a_bad_value_counts_once_whatever_it_is_bad_for(tmp_path: Path) -> None:
    class Railed(FileSource):
        def pull(self, timeout: float = 1.0) -> Chunk | None:
            chunk = super().pull(timeout)
            mask = None if chunk is None else np.full(chunk.data.shape, Bad.RAILED | Bad.FLAT, np.uint8)
            return None if chunk is None else replace(chunk, health=Health(mask=mask))

    info = StreamInfo(name="railed", sfreq=100.0, ch_names=("Cz", "Pz"))
    done = record(Railed(Recording.from_arrays(info, np.zeros((30, 2)))), tmp_path / "out")
    assert done.status.bad_samples == 60


class Strange(FileSource):
    """Watches nothing itself: its times are of another clock, or go back."""

    def __init__(self, name: str, *, ahead: float, back: float) -> None:
        info = StreamInfo(name=name, sfreq=100.0, ch_names=("Cz",))
        super().__init__(Recording.from_arrays(info, np.zeros((100, 1))), chunk=10)
        self.live, self.ahead, self.back = True, ahead, back
        self.begin = HostClock().now()

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        chunk = super().pull(timeout)
        if chunk is None:
            return None
        moved = self.begin + self.ahead - (self.back if chunk.first_sample >= 50 else 0.0)
        return Chunk(chunk.data, chunk.times + moved, first_sample=chunk.first_sample)

    def status(self) -> StreamStatus:
        return StreamStatus(name=self.info.name, pulse=Pulse.ALIVE)


def test_times_of_a_source_that_watches_nothing_are_doubted_where_they_cannot_be(tmp_path: Path) -> None:
    done = record(Strange("a", ahead=0.0, back=0.0), tmp_path / "right")
    assert done.doubts == ()
    other = Strange("b", ahead=0.0, back=5.0)
    done = record(Strange("a", ahead=1.7e9, back=0.0), tmp_path / "wrong", also=[other])
    assert [text.split(" and more")[0] for text in done.doubts] == [
        "a: its times are 1.7e+09 s",
        "b: its times go back 1 times.",
    ]
    leaps = record(Strange("c", ahead=0.0, back=-1.0), tmp_path / "leaps").doubts
    assert leaps == ("c: its times leap on 1 times where no sample is missing.",)
    assert read_session(tmp_path / "wrong").header["timing"]["doubts"] == list(done.doubts)
