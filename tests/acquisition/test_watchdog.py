"""Watchdog: limits, and what each age is called."""

import pytest

from bcikit.acquisition import Pulse, Watchdog
from bcikit.signal import ArgumentError


def test_pulse_by_age():
    dog = Watchdog()
    dog.start(100.0)
    assert dog.pulse(100.1) is Pulse.WAITING
    assert dog.pulse(100.6) is Pulse.STALLED
    assert dog.feed(101.0) == pytest.approx(1.0)
    assert dog.pulse(101.25) is Pulse.ALIVE
    assert dog.pulse(101.26) is Pulse.LATE
    assert dog.pulse(101.51) is Pulse.STALLED
    assert dog.pulse(103.01) is Pulse.LOST
    assert dog.age(103.0) == pytest.approx(2.0)


def test_limits_must_rise():
    with pytest.raises(ArgumentError, match="stalled"):
        Watchdog(warn=1.0, stalled=0.5)
