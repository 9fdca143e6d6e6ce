"""Sessions to test with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import SessionWriter
from bcikit.signal import Bad, Chunk, Decision, Event, Flag, Health, StreamInfo, Verdict


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(
        name='Amp <1> & "co"',
        sfreq=250.0,
        ch_names=("C3", "Cz", "C4"),
        positions=((-0.06, 0.0, 0.08), (0.0, 0.0, 0.1), (float("nan"),) * 3),
        source_id="port-7",
        device="Maker Model",
        line_freq=50.0,
    )


def _chunks(info: StreamInfo, *, n: int = 40, seed: int = 0) -> list[Chunk]:
    """Return chunks of uneven size with a gap, a mask, NaN and jittered times."""
    rng = np.random.default_rng(seed)
    chunks = []
    sample, time = 1000, 5000.123
    for index in range(n):
        size = int(rng.integers(1, 30))
        lost = 7 if index == 12 else 0
        sample += lost
        data = rng.normal(scale=30.0, size=(size, info.n_channels)) * 10.0 ** rng.integers(-3, 4)
        times = time + np.arange(size) / info.sfreq + rng.normal(scale=1e-5, size=size)
        mask = None
        flags = Flag.START if index == 0 else (Flag.GAP | Flag.LATE_COUNT if lost else Flag.NONE)
        if index in (5, 20):
            mask = np.zeros(data.shape, np.uint8)
            data[0, 1] = np.nan
            mask[0, 1] = Bad.NAN
            mask[-1, 0] = Bad.RAILED | Bad.INTERPOLATED
        health = Health(lost=lost, mask=mask, age=float(rng.random() / 50), flags=flags)
        chunks.append(Chunk(data, np.sort(times), sample, health))
        sample += size
        time += (size + lost) / info.sfreq
    return chunks


@pytest.fixture
def make_chunks() -> Callable[..., list[Chunk]]:
    return _chunks


@pytest.fixture
def chunks(info: StreamInfo) -> list[Chunk]:
    return _chunks(info)


@pytest.fixture
def session_dir(tmp_path: Path, info: StreamInfo, chunks: list[Chunk]) -> Path:
    """Return the folder of a small, complete session."""
    path = tmp_path / "session"
    with SessionWriter(path, info=info, config={"paradigm": {"name": "mi"}}, versions={"bcikit": "test"}) as writer:
        for index, chunk in enumerate(chunks):
            arrival = float(chunk.times[-1]) + chunk.health.age
            writer.chunk(chunk, arrival)
            if index % 10 == 3:
                label = "left" if index % 20 == 3 else "right"
                middle = chunk.first_sample + chunk.n_times // 2
                when = float(chunk.times[chunk.n_times // 2])
                writer.event(Event(name=f"cue/{label}", time=when, sample=middle, duration=0.5, source="paradigm"))
            if index % 10 == 7:
                writer.decision(_decision(chunk))
                writer.verdict(
                    Verdict(
                        time=arrival, sample=chunk.end_sample - 1, allowed=False, reasons=("A-CONF",), state="ACTIVE"
                    )
                )
            if index == 30:
                writer.silence(arrival + 0.25)
        writer.alarm({"level": "WARNING", "rule": "H-STALL", "value": np.float64(0.25)})
    return path


def _decision(chunk: Chunk) -> Decision:
    return Decision(
        time=float(chunk.times[-1]),
        sample=chunk.end_sample - 1,
        classes=("left", "right"),
        probabilities=(1 / 3, 2 / 3),
        label="right",
        age=0.0123,
        data={"score": 0.1 + 0.2},
    )
