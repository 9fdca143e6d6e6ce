"""Fixtures of the viewer's tests: a stream, and settings of a window."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings

from bcikit.signal import Chunk, Health, StreamInfo

NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(name="test", sfreq=250.0, ch_names=NAMES)


@pytest.fixture
def chunks(info: StreamInfo) -> Callable[..., list[Chunk]]:
    def make(seconds: float, *, size: int = 25, start: int = 0, lost: int = 0) -> list[Chunk]:
        rng = np.random.default_rng(start)
        made = []
        first = start + lost
        for begin in range(first, first + round(seconds * info.sfreq), size):
            at = np.arange(begin, begin + size)
            data = rng.standard_normal((size, info.n_channels)) * 8
            data += 20 * np.sin(2 * np.pi * 10 * at / info.sfreq)[:, None]
            health = Health(lost=lost if begin == first else 0)
            made.append(Chunk(np.ascontiguousarray(data), 100.0 + at / info.sfreq, begin, health))
        return made

    return make


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "viewer.ini"), QSettings.Format.IniFormat)
