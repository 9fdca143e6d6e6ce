"""Faults that no test was told of: each is found, under its name, and a sound device has none."""

from dataclasses import replace

import numpy as np
import pytest

from bcikit.signal import BciError, StreamInfo
from bcikit.simulation.dut import DeviceUnderTest
from bcikit.simulation.frontend import Frontend
from bcikit.simulation.quirks import QUIRKS
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation import Judgement, Profile, validate
from bcikit.validation.residual.codes import codes
from bcikit.validation.takes import Take

SHORT = {"noise": 20, "timing": 60, "sine": 4, "skew": 10, "trigger": 60}
TESTS = ("V-NOISE", "V-GAIN", "V-SKEW", "V-RATE", "V-TRIG", "V-RESID")


def run(seed=0, channels=4):
    profile = replace(Profile.load("research"), durations=SHORT)
    report = validate(f"dut:channels={channels}&seed={seed}", profile=profile, tests=TESTS)
    return report, {m.quantity: m for m in report.outcome("V-RESID").measurements}


def planted(monkeypatch, change):
    """Have what the device puts out go through `change(data, stimulus, t, state)`."""
    respond = Frontend.respond
    state = {"rng": np.random.default_rng(7), "n": 0}

    def wrapped(self, stimulus, t):
        data = change(respond(self, stimulus, t), stimulus, t, state)
        state["n"] += len(t)
        return np.ascontiguousarray(data)

    monkeypatch.setattr(Frontend, "respond", wrapped)


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_device_has_nothing_unexplained(seed):
    report, found = run(seed=seed, channels=3 + seed)
    assert report.outcome("V-RESID").judgement is Judgement.PASS
    assert list(found) == ["unexplained"]


def notch(hz):
    from scipy.signal import iirnotch, lfilter

    b, a = iirnotch(hz, 8.0, 250.0)

    def change(data, stimulus, _t, state):
        if state.get("of") is not stimulus:
            state["of"], state["zi"] = stimulus, np.zeros((2, data.shape[1]))
        out, state["zi"] = lfilter(b, a, data, axis=0, zi=state["zi"])
        return out

    return change


def steps(data, stimulus, t, _state):
    return data + (10.0 * (np.mod(t, 14.0) > 7.0))[:, None] if stimulus.kind == "short" else data


def car(data, _stimulus, _t, _state):
    return data - data.mean(axis=1, keepdims=True)


def imd(data, stimulus, t, _state):
    return data + (0.5 * np.sin(2 * np.pi * 23.7 * t))[:, None] if stimulus.kind == "sine" else data


def burst(data, stimulus, t, state):
    loud = np.where(np.mod(t, 5.0) < 0.2, 6.0, 0.0)[:, None]
    return data + loud * 0.3 * state["rng"].standard_normal(data.shape) if stimulus.kind == "short" else data


def vanish(data, stimulus, t, _state):
    """Lose a sample every 1000, without a word: what follows comes a sample early."""
    del stimulus
    late = np.floor(t * 250 / 1000)
    return data if data.shape[0] < 2 else data[np.clip(np.arange(len(t)) + (late > 0), 0, len(t) - 1)]


FAULTS = {
    "dc_offset": lambda d, s, t, _: d + 20_000.0 * (s.kind == "short"),
    "dc_drift": lambda d, s, t, _: d + (100.0 / 60 * t)[:, None] * (s.kind == "short"),
    "step": steps,
    "code_step": lambda d, s, t, _: np.round(d / 0.72) * 0.72,
    "noise_bursts": burst,
    "hidden_filter": notch(45.0),
    "shared_noise": car,
    "hidden_reference": car,
    "unexplained_line": imd,
    "channel_map": lambda d, s, t, _: d[:, [1, 0, *range(2, d.shape[1])]],
    "polarity": lambda d, s, t, _: d * np.where(np.arange(d.shape[1]) == 2, -1.0, 1.0),
    "repeated": lambda d, s, t, _: d[np.where(np.arange(len(d)) % 50 == 49, np.arange(len(d)) - 1, np.arange(len(d)))],
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_nobody_named_is_unexplained(monkeypatch, name):
    planted(monkeypatch, FAULTS[name])
    report, found = run()
    assert name in found, sorted(found)
    assert report.outcome("V-RESID").judgement is Judgement.UNEXPLAINED
    assert report.exit_code == 1


def test_noise_that_rises_to_low_frequencies():
    profile = replace(Profile.load("research"), durations=SHORT)
    report = validate("dut:corner_hz=5&channels=3", profile=profile, tests=TESTS)
    assert "low_frequency_noise" in {m.quantity for m in report.outcome("V-RESID").measurements}


def test_a_sample_that_vanishes_without_a_word_shows_in_the_phase(monkeypatch):
    produce = DeviceUnderTest._produce

    def skipping(self, count):
        # The device's own count goes on, the world's time is a sample ahead every thousand.
        self._since -= (self._sample // 1000) != ((self._sample + count) // 1000)
        yield from produce(self, count)

    monkeypatch.setattr(DeviceUnderTest, "_produce", skipping)
    _, found = run()
    assert "phase_slips" in found, sorted(found)


def stamped(monkeypatch, change):
    produce = DeviceUnderTest._produce

    def wrapped(self, count):
        for chunk in produce(self, count):
            chunk.times = np.maximum.accumulate(change(chunk.times))
            yield chunk

    monkeypatch.setattr(DeviceUnderTest, "_produce", wrapped)


def test_stamps_on_a_coarse_grid(monkeypatch):
    stamped(monkeypatch, lambda times: np.floor(times / 0.0156) * 0.0156)
    _, found = run()
    assert found["stamp_grid"].value == pytest.approx(15.6, rel=0.05)


def test_jitter_in_bursts(monkeypatch):
    stamped(monkeypatch, lambda times: times + 0.06 * (np.mod(times, 10.0) < 0.1))
    _, found = run()
    assert found["jitter_bursts"].value > 30


# Each was invented after the looks were written, or is one that a look was written for: all by the address alone.
QUIRKY = ["stuck-bit", "bit-flips", "comb-bursts", "toggle", "zeros", "bridged", "made-up-samples", "swapped-samples",
          "clock-wander", "gain-step", "droop", "crossover", "leak", "hidden-reference", "wrong-unit", "stamp-leap",
          "stamp-wander", "stamps-back"]  # fmt: skip


@pytest.mark.parametrize("name", QUIRKY)
def test_a_quirk_is_found_under_a_name_of_its_own(name):
    tests = ("V-NOISE", "V-GAIN", "V-SKEW", "V-RATE", "V-REP", "V-RESID")
    profile = replace(Profile.load("research"), durations={**SHORT, "timing": 60})
    report = validate(f"dut:channels=3&seed=3&quirk={name}", profile=profile, tests=tests)
    found = {m.quantity for m in report.outcome("V-RESID").measurements if m.judgement is Judgement.UNEXPLAINED}
    assert found & set(QUIRKS[name].found), sorted(found)
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("quirk", "tests", "named"),
    [
        ("servo:1", ("V-NOISE",), "noise_line"),
        ("stamp-grid:1", ("V-RATE",), "stamp_grid"),
        ("stamp-grid:4", ("V-RATE",), "stamp_grid"),
        ("marks-drift:20", ("V-TRIG",), "trigger_drift"),
        ("ohms-one:1.5", ("V-IMP",), "impedance_channel"),
        ("no-numbers:2000", ("V-NOISE", "V-GAIN"), "no_numbers"),
    ],
)
def test_what_is_slow_small_or_on_one_channel_is_named_too(quirk, tests, named):
    profile = replace(Profile.load("research"), durations=SHORT)
    report = validate(f"dut:channels=4&seed=3&quirk={quirk}", profile=profile, tests=(*tests, "V-RESID"))
    assert named in {m.quantity for m in report.outcome("V-RESID").measurements}
    assert report.exit_code == 1
    assert Judgement.ERROR not in {outcome.judgement for outcome in report.outcomes}


def test_samples_that_are_no_numbers_leave_a_test_open_and_not_broken():
    profile = replace(Profile.load("research"), durations=SHORT)
    report = validate("dut:channels=2&quirk=no-numbers:500", profile=profile, tests=("V-NOISE", "V-RATE"))
    assert report.outcome("V-NOISE").judgement is Judgement.INCONCLUSIVE
    assert "no numbers" in report.outcome("V-NOISE").reason
    # Stamps are whole all the same.
    assert report.outcome("V-RATE").judgement is Judgement.PASS


@pytest.mark.parametrize("name", ["notch-45", "notch-60", "echo", "ringing"])
def test_a_filter_that_nobody_stated_shows_between_the_harmonics_of_a_square(name):
    profile = replace(Profile.load("research"), durations={"timing": 5})
    report = validate(f"dut:channels=3&quirk={name}", profile=profile, tests=("V-STEP", "V-RESID"))
    assert "hidden_filter" in {m.quantity for m in report.outcome("V-RESID").measurements}


def test_an_unknown_quirk_is_one_clear_error():
    with pytest.raises(BciError, match="hysteresis"):
        validate("dut:quirk=histeresis", profile=Profile.load("research"), tests=("V-GAIN",))


TRIGGERS = {
    "trigger_missing": lambda k, event: [event] if k % 5 else [],
    "trigger_doubles": lambda _, event: [event, replace(event, time=event.time + 0.01)],
    "trigger_bimodal": lambda k, event: [replace(event, time=event.time + 0.03 * (k % 3 == 0))],
    "trigger_offset": lambda _, event: [replace(event, time=event.time - 0.12)],
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_triggers_that_are_lost_doubled_or_elsewhere(monkeypatch, name):
    mark, count = DeviceUnderTest._mark, {"n": 0}

    def marked(self, begin, until, rate):
        before = len(self._events)
        mark(self, begin, until, rate)
        fresh = self._events[before:]
        self._events[before:] = [e for k, event in enumerate(fresh, count["n"]) for e in TRIGGERS[name](k, event)]
        count["n"] += len(fresh)

    monkeypatch.setattr(DeviceUnderTest, "_mark", marked)
    _, found = run()
    assert name in found, sorted(found)


@pytest.mark.parametrize(
    ("period", "stuck", "found"),
    [
        (4.0, None, set()),
        (257.3, None, set()),
        (257.3, 3, {"code_bits"}),
        (257.3, 9, {"code_bits"}),
    ],
)
def test_a_sine_that_stands_at_four_places_accuses_no_high_bit(period, stuck, found):
    """A fourth of the rate gives four levels: that a high bit is 1 at all of them says nothing of the converter."""
    at = np.arange(5000)
    sine = 40_000 * np.sin(2 * np.pi * at / period + 0.4) + 1000
    whole = np.round(sine + 5 * np.random.default_rng(5).standard_normal(5000)).astype(np.int64)
    if stuck is not None:
        whole &= ~(1 << stuck)
    take = Take(
        key="001-sine",
        stimulus=Stimulus(kind="sine", seconds=20.0, amplitude_uv=892.0, frequency=250.0 / period),
        info=StreamInfo(name="amplifier", sfreq=250.0, ch_names=("a",)),
        data=0.0223 * whole[:, None],
        samples=at,
        times=at / 250.0,
    )
    assert {item.quantity for item in codes(take)} == found
