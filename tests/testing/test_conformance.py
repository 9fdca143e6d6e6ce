"""What is shipped passes the suites that third parties get, and what is wrong does not."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from bcikit.decoding import Decoder
from bcikit.outputs import Output, open_output
from bcikit.paradigms import make_paradigm
from bcikit.processing import Bandpass, Resample, Step
from bcikit.safety.guard.drivers import SimulatedFes, SimulatedHand
from bcikit.testing import (
    DecoderConformance,
    DriverConformance,
    OutputConformance,
    ParadigmConformance,
    StepConformance,
)


class TestBandpass(StepConformance):
    def make(self):
        return Bandpass(l_freq=8.0, h_freq=30.0)


class TestResample(StepConformance):
    def make(self):
        return Resample(sfreq=100.0)


class TestCspLda(DecoderConformance):
    name = "csp-lda"


class TestErpLda(DecoderConformance):
    name = "erp-lda"


class TestMotorImagery(ParadigmConformance):
    def make(self):
        return make_paradigm("motor-imagery")


class TestSpeller(ParadigmConformance):
    def make(self):
        return make_paradigm("p300-speller")


class TestHand(OutputConformance):
    def open(self):
        return open_output("hand:")


class TestSimulatedHand(DriverConformance):
    def open(self):
        return SimulatedHand()


class TestSimulatedFes(DriverConformance):
    command = (
        "stimulate",
        None,
        {"amplitude_ma": 5.0, "pulse_us": 200.0, "frequency_hz": 30.0, "area_cm2": 25.0},
    )

    def open(self):
        return SimulatedFes()


def failures(suite: object) -> set[str]:
    found = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except Exception:
                found.add(name)
    return found


@dataclass
class PerChunk(Step):
    """Takes the mean of each chunk: another cut, another result."""

    name: ClassVar[str] = "perchunk"

    def configure(self, info):
        return info

    def process(self, chunk):
        return replace(chunk, data=chunk.data - chunk.data.mean(axis=0))


@dataclass
class InPlace(Step):
    """Changes what it was given."""

    name: ClassVar[str] = "inplace"

    def configure(self, info):
        return info

    def process(self, chunk):
        chunk.data *= 2.0
        return chunk


class Forgetful(Decoder):
    """Guesses: the same for every epoch, and lets everything through."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile([0.6, 0.4], (len(X), 1))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), int)]


class Sticky(Output):
    """Acts on everything and never lets go."""

    scheme = "sticky"

    def __init__(self):
        self._safe = True

    def send(self, command):
        self._safe = False

    def inform(self, message):
        self._safe = False

    def safe(self, reason=""):
        pass

    def state(self):
        return {"safe": self._safe}


@pytest.mark.parametrize(
    ("base", "how", "expected"),
    [
        (StepConformance, {"make": lambda self: PerChunk()}, "test_any_split_into_chunks_gives_the_same"),
        (StepConformance, {"make": lambda self: InPlace()}, "test_the_input_is_never_changed"),
        (DecoderConformance, {"name": "none", "make": lambda self: Forgetful()}, "test_it_learns_what_can_be_learnt"),
        (
            DecoderConformance,
            {"name": "none", "make": lambda self: Forgetful()},
            "test_what_is_not_finite_is_refused",
        ),
        (OutputConformance, {"open": lambda self: Sticky()}, "test_a_command_expires"),
        (OutputConformance, {"open": lambda self: Sticky()}, "test_news_move_nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mutant_fails(base: type, how: dict, expected: str) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    suite = type("Suite", (base,), how)()
    with pytest.MonkeyPatch.context() as patch:
        for name in dir(suite):
            if name.startswith("test_it_survives"):
                patch.setattr(type(suite), name, lambda self: None, raising=False)
        assert expected in failures(suite)
