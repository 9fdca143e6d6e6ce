"""Unusual rhythmic activity is told to the operator; blinks, chewing, alpha and flicker responses are not."""

import numpy as np
import pytest

from bcikit.safety.levels import Severity
from bcikit.safety.person import FatigueMonitor, drowsiness

FS = 250
N = 120 * FS
times = np.arange(N) / FS
ALL = np.ones(10)
FRONT = np.array([1.0, 1.0, 0.35, 0.35, 0.1, 0.1, 0.1, 0.03, 0.03, 0.0])


def spike_wave(rate, amplitude, start, stop):
    """A spike of 50 ms and a slow wave, `rate` times a second."""
    phase = (times * rate) % 1.0
    width = 0.02 * rate
    spike = np.exp(-(((phase - 0.2) / width) ** 2))
    wave = -0.6 * np.exp(-(((phase - 0.62) / 0.16) ** 2))
    return amplitude * (spike + wave) * ((times >= start) & (times < stop))


def chewing(rng, start, stop):
    envelope = np.clip(np.sin(2 * np.pi * 1.5 * times), 0, None) ** 2 * ((times >= start) & (times < stop))
    noise = rng.normal(0, 1, (N, 10))
    fast = noise - np.roll(noise, 1, axis=0)
    slow = 60 * np.sin(2 * np.pi * 1.5 * times) * ((times >= start) & (times < stop))
    return envelope[:, None] * fast * 60 + slow[:, None] * np.linspace(1, 0.4, 10)


def blinks(rate, start, stop):
    shape = np.zeros(N)
    for when in np.arange(start, stop, 1 / rate):
        shape += 200 * np.exp(-(((times - when) / 0.09) ** 2))
    return shape[:, None] * FRONT


def extra(kind):
    rng = np.random.default_rng(5)
    if kind == "3 Hz spike and wave":
        return spike_wave(3.0, 250, 80, 92)[:, None] * np.linspace(1, 0.6, 10)
    if kind == "photo-paroxysmal":
        # Spikes that follow every second flash of a 15 Hz flicker, over the whole head.
        phase = (times * 7.5) % 1.0
        train = 190 * np.exp(-(((phase - 0.3) / 0.12) ** 2)) * ((times >= 80) & (times < 86))
        return train[:, None] * np.linspace(0.7, 1, 10)
    if kind == "slow rhythmic":
        return (110 * np.sin(2 * np.pi * 5 * times) * ((times >= 80) & (times < 92)))[:, None] * ALL
    if kind == "tonic muscle":
        noise = rng.normal(0, 1, (N, 10))
        return (noise - np.roll(noise, 1, axis=0)) * 40 * ((times >= 80) & (times < 92))[:, None]
    if kind == "chewing":
        return chewing(rng, 80, 95)
    if kind == "blink train":
        return blinks(2.5, 80, 95)
    if kind == "alpha with closed eyes":
        return (40 * np.sin(2 * np.pi * 10 * times) * (times >= 60))[:, None] * np.linspace(0.1, 1, 10)
    if kind == "flicker response":
        return (12 * np.sin(2 * np.pi * 15 * times) * (times >= 60))[:, None] * np.linspace(0, 1, 10)
    return np.zeros((N, 10))


def advisories(driven, eeg, kind, seed=0):
    from bcikit.safety import GateSettings

    data = eeg(120.0, seed=seed) + extra(kind)
    one = driven(GateSettings(), np.ascontiguousarray(data))
    seen = []
    for _ in range(240):
        one.run(0.5, chunk=125)
        seen += [(one.now, r) for r in one.system.readings() if r.rule == "P-RHYTHM"]
    return seen, one


@pytest.mark.requirement("SAF-050")
@pytest.mark.requirement("SAF-119")
@pytest.mark.parametrize("kind", ["3 Hz spike and wave", "photo-paroxysmal", "slow rhythmic", "tonic muscle"])
def test_unusual_activity_raises_the_advisory_within_eight_seconds(driven, eeg, kind):
    seen, one = advisories(driven, eeg, kind)
    assert seen, kind
    assert 80.0 < seen[0][0] < 88.5
    alarm = next(alarm for alarm in one.system.alarms() if alarm.rule == "P-RHYTHM")
    assert "unusual" in alarm.what
    assert "seizure" not in (alarm.what + alarm.do).lower()


@pytest.mark.requirement("SAF-050")
@pytest.mark.requirement("SAF-119")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["chewing", "blink train", "alpha with closed eyes", "flicker response", "nothing"])
def test_what_is_ordinary_does_not(driven, eeg, kind, seed):
    seen, _ = advisories(driven, eeg, kind, seed)
    assert seen == []


@pytest.mark.requirement("SAF-050")
def test_where_something_can_touch_a_person_the_advisory_stops_it(driven, eeg):
    from bcikit.safety import GateSettings, State

    data = np.ascontiguousarray(eeg(120.0) + extra("3 Hz spike and wave"))
    one = driven(GateSettings(advisory_stops=True), data)
    one.run(60.0)
    one.system.control.start()
    one.run(30.0)
    assert one.system.state is State.SAFE_STOP
    assert one.decide().allowed is False


@pytest.mark.requirement("SAF-051")
def test_fatigue_is_two_blocks_a_third_above_the_first(eeg, recording):
    from bcikit.safety.measures import measure

    monitor = FatigueMonitor(hop_s=0.5, block_s=5.0)
    usable = np.ones(10, dtype=bool)
    rested, tired = (measure(eeg(2.0) * 1.0, FS) for _ in range(2))
    t = np.arange(500) / FS
    tired = measure(eeg(2.0) + (25 * np.sin(2 * np.pi * 6 * t))[:, None], FS)
    for found, blocks in ((rested, 3), (tired, 1)):
        for _ in range(10 * blocks):
            monitor.update(found, usable)
    assert monitor.reading() is None
    for _ in range(10):
        monitor.update(tired, usable)
    reading = monitor.reading()
    assert reading is not None
    assert (reading.rule, reading.severity) == ("P-FATIGUE", Severity.WARN)


@pytest.mark.requirement("SAF-051")
def test_sleepiness_scores():
    assert drowsiness(6) is None
    assert drowsiness(7).severity is Severity.WARN
    assert drowsiness(9).severity is Severity.WARN


@pytest.mark.requirement("SAF-052")
def test_a_run_that_lasted_long_enough_ends(active):
    from bcikit.safety import State

    one = active(run_max_s=5.0)
    one.run(4.5)
    assert one.system.state is State.ACTIVE
    one.run(1.5)
    assert one.system.state is State.STANDBY
    assert any(alarm.rule == "P-TIME" for alarm in one.system.alarms())


@pytest.mark.requirement("SAF-052")
def test_a_run_that_held_its_output_for_a_while_is_still_the_same_run(active):
    from bcikit.safety import State

    one = active(run_max_s=20.0)
    states = []
    for _ in range(5):
        one.run(3.5)
        one.system.report("H-JIT", Severity.FAULT, one.now, hold_s=0.2)
        one.run(0.5)
        states.append(one.system.state)
        one.run(5.5)
        states.append(one.system.state)
    assert states[:4] == [State.DEGRADED, State.ACTIVE] * 2
    assert states[-1] is State.STANDBY
    assert any(alarm.rule == "P-TIME" for alarm in one.system.alarms())
