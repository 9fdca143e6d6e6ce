"""Helpers of the safety tests: EEG-like signals with what is wrong put in, decisions, running systems."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bcikit.safety import GateSettings, SafetySystem
from bcikit.signal import Capabilities, Chunk, Decision, Recording, StreamInfo

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "P4", "Oz")
FULL_SCALE = 187_500.0


def make_info(sfreq: float = 250.0, names: tuple[str, ...] = NAMES, **more: object) -> StreamInfo:
    capabilities = Capabilities(full_scale=FULL_SCALE, packet_modulus=256)
    return StreamInfo(name="test", sfreq=sfreq, ch_names=names, line_freq=50.0, capabilities=capabilities, **more)


def make_eeg(seconds: float, *, sfreq: float = 250.0, n_channels: int = len(NAMES), seed: int = 0) -> np.ndarray:
    """Return pink noise that neighbours share, plus alpha and sensor noise, in microvolts."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sfreq)
    freqs = np.fft.rfftfreq(n, 1 / sfreq)
    shape = 1 / np.maximum(freqs, 1.0) ** 0.8
    sources = np.fft.irfft(np.fft.rfft(rng.normal(size=(n, 4)), axis=0) * shape[:, None], n, axis=0)
    sources *= 12 / sources.std(axis=0)
    near = np.exp(-((np.arange(n_channels)[:, None] - np.linspace(0, n_channels - 1, 4)) ** 2) / 8)
    alpha = 8 * np.sin(2 * np.pi * 10 * np.arange(n) / sfreq + rng.uniform(0, 6))
    data = sources @ (near + 0.25).T + alpha[:, None] * np.linspace(0.2, 1, n_channels)
    return np.ascontiguousarray(data + rng.normal(0, 0.8, (n, n_channels)))


def make_decision(now: float, label: str | None = "left", p: float = 0.9, **more: object) -> Decision:
    probabilities = {"left": (p, 1 - p), "right": (1 - p, p), None: (0.5, 0.5)}[label]
    values: dict = {"time": now, "sample": int(now * 250), "classes": ("left", "right"), "label": label}
    values["probabilities"] = probabilities
    return Decision(**{**values, **more})


class Driven:
    """A safety system fed with a signal at its own pace."""

    def __init__(self, settings: GateSettings, data: np.ndarray | None = None, **options: object) -> None:
        self.info = make_info()
        self.system = SafetySystem(settings, self.info, **options)
        self.data = make_eeg(120.0) if data is None else data
        self.now = 0.0
        self.position = 0
        self.index = 0
        self.held = False

    def hold(self) -> None:
        """Hold the dead-man switch: it is renewed with each chunk from now on."""
        self.held = True
        self.system.switches.dead_man(self.now, held=True)

    def release(self) -> None:
        """Let go of the dead-man switch."""
        self.held = False
        self.system.switches.dead_man(self.now, held=False)

    def run(self, seconds: float, *, chunk: int = 25) -> "Driven":
        """Feed so many seconds."""
        for _ in range(round(seconds * 250 / chunk)):
            rows = self.data[self.position : self.position + chunk]
            times = (self.index + np.arange(len(rows))) / 250.0
            self.now = float(times[-1])
            if self.held:
                self.system.switches.dead_man(self.now, held=True)
            self.system.on_chunk(Chunk(np.ascontiguousarray(rows), times, self.index), self.now)
            self.position += chunk
            self.index += chunk
        return self

    def silence(self, seconds: float, *, step: float = 0.05) -> "Driven":
        """Let so many seconds pass without a sample."""
        for _ in range(round(seconds / step)):
            self.now += step
            self.system.on_silence(self.now)
        self.index += round(seconds * 250)
        return self

    def decision(self, at: float, label: str | None = "left", **more: object) -> Decision:
        """Return a decision on samples up to a time."""
        return make_decision(at, label, **more)

    def decide(self, label: str | None = "left", p: float = 0.9, **more: object):
        """Put one decision to the gate."""
        return self.system.decide(make_decision(self.now, label, p, **more), self.now)


@pytest.fixture
def info() -> Callable[..., StreamInfo]:
    return make_info


@pytest.fixture
def eeg() -> Callable[..., np.ndarray]:
    return make_eeg


@pytest.fixture
def decision() -> Callable[..., Decision]:
    return make_decision


@pytest.fixture
def driven() -> Callable[..., Driven]:
    return Driven


@pytest.fixture
def active() -> Callable[..., Driven]:
    """Return a function that gives a simulation that is ACTIVE with known quality."""

    def make(data: np.ndarray | None = None, **options: object) -> Driven:
        values = {"stall_fault_s": 0.5, "gap_fault_s": 0.1, "refractory_s": 0.0, **options}
        audit = values.pop("audit", None)
        required = values.pop("required_channels", ())
        one = Driven(GateSettings(**values), data, audit=audit, required_channels=required)
        one.run(4.0)
        one.system.control.start()
        return one

    return make


@pytest.fixture
def recording() -> Callable[..., Recording]:
    def make(data: np.ndarray, *, sfreq: float = 250.0) -> Recording:
        return Recording.from_arrays(make_info(sfreq, NAMES[: data.shape[1]]), data)

    return make


@pytest.fixture
def audit_dir(tmp_path: Path) -> Path:
    return tmp_path / "audit"
