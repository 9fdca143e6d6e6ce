"""Seeded data for the tests of decoders."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from bcikit.decoding import Epochs
from bcikit.signal import Event, Recording, StreamInfo


@dataclass(frozen=True)
class FakeWindow:
    data: NDArray[np.float64]
    bad: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    stop_sample: int = 500
    time: float = 2.0
    n_lost: int = 0


@pytest.fixture
def make_window() -> Callable[..., FakeWindow]:
    def make(data: NDArray[np.float64], **changes: object) -> FakeWindow:
        return FakeWindow(data, **{"bad": np.zeros(data.shape[0]), **changes})  # type: ignore[arg-type]

    return make


def _imagery(n: int, n_channels: int, n_times: int, *, seed: int, n_classes: int = 2, depth: float = 0.5):
    """Return noise whose power in one source a class is lowered, mixed onto the channels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    mixing = np.random.default_rng(99).standard_normal((n_channels, n_channels))
    sources = rng.standard_normal((n, n_channels, n_times))
    for k in range(n_classes):
        sources[y == k, k] *= depth
    return mixing @ sources * 5.0, y


@pytest.fixture
def imagery() -> Callable[..., tuple[NDArray[np.float64], NDArray[np.intp]]]:
    return _imagery


@pytest.fixture
def trials() -> Epochs:
    """Return 60 trials of two classes in three runs, 8 channels, 1 s at 100 Hz."""
    X, index = _imagery(60, 8, 100, seed=1)
    y = np.array(["left", "right"])[index]
    return Epochs(
        X=X,
        y=y,
        groups=np.repeat([0, 1, 2], 20),
        runs=np.repeat([0, 1, 2], 20),
        samples=np.tile(np.arange(20) * 300, 3),
        sfreq=100.0,
        tmin=0.5,
        tmax=1.5,
        ch_names=tuple(f"C{i}" for i in range(8)),
    )


@pytest.fixture
def recording() -> Recording:
    """Return 60 s of four channels at 100 Hz, channel k full of ``1000 k + sample``, a cue every 5 s."""
    info = StreamInfo(name="test", sfreq=100.0, ch_names=("C3", "Cz", "C4", "EMG"), ch_types=("eeg",) * 3 + ("emg",))
    data = np.arange(6000.0)[:, None] + 1e4 * np.arange(4)
    events = tuple(
        Event(name=f"cue/{'left' if i % 2 else 'right'}", time=5.0 * i + 1, sample=500 * i + 100) for i in range(11)
    )
    return Recording.from_arrays(info, data, events=events)
