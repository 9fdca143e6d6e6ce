"""The conformance suite of sources finds each way of being wrong: one mutant of a right source a fault."""

import time
from collections.abc import Callable

import numpy as np
import pylsl
import pytest

from bcikit.acquisition import Source
from bcikit.signal import Chunk, Flag, Health, StreamInfo
from bcikit.testing import SourceConformance

SFREQ = 250.0


class Amplifier(Source):
    """A right source: 10 uV of noise on two channels, blocks of 10 samples at their own pace, losses counted."""

    live = True
    clock: Callable[[], float] = staticmethod(pylsl.local_clock)
    late = 0.0
    scale = 1.0
    pace = 1.0
    waits = True
    tells = True

    def __init__(self) -> None:
        self.info = StreamInfo(name="amplifier", sfreq=SFREQ, ch_names=("C3", "C4"))
        self._running = False
        self._rng = np.random.default_rng(0)

    def start(self) -> None:
        self._running = True
        self._next = 0
        self._skip = 0
        self._first = True
        self._begin = time.monotonic()
        self._offset = self.clock() - self._begin

    def stop(self) -> None:
        self._running = False

    def skip(self, n: int) -> None:
        self._skip += n

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        if not self._running:
            from bcikit.signal import SourceError

            raise SourceError("the amplifier does not run")
        limit = time.monotonic() + timeout
        while True:
            ready = int((time.monotonic() - self._begin) * SFREQ * self.pace) - self._next
            if ready >= 10:
                break
            if not self.waits or time.monotonic() >= limit:
                return None
            time.sleep(0.002)
        lost, self._skip = self._skip, 0
        count = min(10, ready)
        lost = min(lost, ready)
        count = max(1, count - lost) if lost else count
        at = self._next + lost + np.arange(count)
        flags = Flag.START if self._first else Flag(0)
        told = lost if self.tells else 0
        if told:
            flags |= Flag.GAP
        self._first = False
        stamps = self._begin + (at + 1) / (SFREQ * self.pace) + self._offset - self.late
        self._told = getattr(self, "_told", 0) + (lost - told)
        chunk = Chunk(
            data=self.scale * self._rng.normal(0, 10, (count, 2)),
            times=stamps,
            first_sample=int(at[0]) - (self._told if not self.tells else 0),
            health=Health(lost=told, flags=flags),
        )
        self._next = int(at[-1]) + 1
        return chunk


class UnixClock(Amplifier):
    clock = staticmethod(time.time)


class TenSecondsLate(Amplifier):
    late = 10.0


class Volts(Amplifier):
    scale = 1e-6


class RawCounts(Amplifier):
    scale = 1e4


class RateOff(Amplifier):
    pace = 0.8


class NeverWaits(Amplifier):
    waits = False


class LossesUntold(Amplifier):
    tells = False


class EndsLikeASilence(Amplifier):
    def pull(self, timeout: float = 1.0) -> Chunk | None:
        return None if self.ended else super().pull(timeout)

    @property
    def ended(self) -> bool:
        return getattr(self, "_next", 0) > 100


class Conformance(SourceConformance):
    kind: type[Amplifier] = Amplifier

    def open(self) -> Source:
        return self.kind()

    def lose(self, source: Source, n: int) -> bool:
        time.sleep(0.2)
        source.skip(n)
        return True


class TestRightAmplifier(Conformance):
    pass


def failures(kind: type[Amplifier]) -> dict[str, str]:
    suite = Conformance()
    suite.kind = kind
    found = {}
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError as error:
                found[name] = str(error)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "test", "said"),
    [
        (UnixClock, "test_a_live_source_stamps_on_the_clock_of_the_host", "another clock"),
        (TenSecondsLate, "test_a_live_source_stamps_on_the_clock_of_the_host", "late"),
        (Volts, "test_amplitudes_are_those_of_microvolts", "another unit"),
        (RawCounts, "test_amplitudes_are_those_of_microvolts", "another unit"),
        (RateOff, "test_times_agree_with_the_rate", "by its info"),
        (NeverWaits, "test_pull_keeps_its_timeout", "must wait"),
        (EndsLikeASilence, "test_the_end_is_no_silence", "StreamEndedError"),
        (LossesUntold, "test_lost_samples_are_counted", "20 samples were lost and 0 are said"),
    ],
)
def test_each_mutant_fails(mutant: type[Amplifier], test: str, said: str) -> None:
    found = failures(mutant)
    assert test in found, f"nothing found; failed: {found}"
    assert said in found[test]
