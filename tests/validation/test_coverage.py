"""The bench recovers what was planted into the device under test, within the uncertainty it states."""

from dataclasses import replace

import numpy as np
import pytest

from bcikit.validation import Judgement, Profile, validate

PLANTED = "gain=1.02&noise_uv=0.8&crosstalk_db=-35&skew_ms=1&clock_ppm=120&loss=0.002&thd_db=-50&cmrr_db=85&channels=3"
EXPECTED = {
    ("V-NOISE", "noise_rms"): 0.8,
    ("V-GAIN", "gain"): 1.02,
    ("V-THD", "thd"): -50.0,
    ("V-CMRR", "cmrr"): 85.0,
    ("V-XTALK", "crosstalk"): -35.0,
    ("V-SKEW", "skew"): 1.0,
    ("V-RATE", "clock"): 120.0,
    ("V-LOSS", "loss"): 0.2,
}
SHORT = {"noise": 20, "timing": 60, "sine": 4, "thd": 4, "cmrr": 8, "skew": 4}


@pytest.fixture(scope="module")
def profile() -> Profile:
    return replace(Profile.load("research"), durations=SHORT)


def errors(profile: Profile, seeds: range) -> np.ndarray:
    """Return how far each value is from what was planted, in the uncertainties that it states: (seeds, quantities)."""
    found = np.empty((len(seeds), len(EXPECTED)))
    for row, seed in zip(found, seeds, strict=True):
        report = validate(f"dut:{PLANTED}&seed={seed}", profile=profile, tests=tuple(test for test, _ in EXPECTED))
        for column, ((test, quantity), true) in enumerate(EXPECTED.items()):
            value = report.value(test, quantity)
            row[column] = (value.value - true) / value.uncertainty
            assert abs(row[column]) < 2.5, f"{test} with seed {seed}: {value.text()}, planted {true}"
    return np.abs(found)


@pytest.mark.requirement("V-UNCERTAINTY")
def test_planted_values_lie_within_the_stated_uncertainty(profile):
    # 64 values: fewer than 56 within come with a coverage of 95 % once in 200 times.
    assert (errors(profile, range(100, 108)) <= 1).sum() >= 56


@pytest.mark.slow
@pytest.mark.requirement("V-UNCERTAINTY")
def test_planted_values_lie_within_the_stated_uncertainty_over_fifty_seeds(profile):
    within = errors(profile, range(50)) <= 1
    assert 0.90 <= within.mean() <= 0.99
    # Each for itself: 43 of 50 are fewer than a coverage of 95 % gives once in 300 times.
    assert (within.sum(axis=0) >= 43).all(), dict(zip(EXPECTED, within.sum(axis=0), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_the_end_of_the_band_of_a_square_wave_is_where_it_is(seed, profile):
    # Harmonics that are left out of the fit of the clock would bend it, and with it all that is high.
    from bcikit.acquisition import open_source

    address = f"dut:channels=3&seed={seed}&bandwidth_hz=55"
    found = validate(address, profile=profile, tests=("V-FLAT",)).value("V-FLAT", "flat_min")
    with open_source(address) as source:
        front = source.frontend
    true = 100 * abs(front._response(49.0)) / abs(front._response(5.0))
    assert found.value == pytest.approx(true, abs=1.0)
    assert found.uncertainty < 1.5


@pytest.mark.parametrize("recovery", [0.05, 0.2, 0.7])
def test_settling_is_told_to_less_than_a_sample(recovery, profile):
    found = validate(f"dut:channels=3&seed=1&recovery_s={recovery}", profile=profile, tests=("V-SETTLE",))
    value = found.value("V-SETTLE", "settling")
    assert value.value == pytest.approx(recovery * np.log(0.9 * 187500.0 / 50.0), abs=1.5 * value.uncertainty)
    assert value.uncertainty < (0.004 if recovery < 0.5 else 0.02)
    assert sum(u * u for _, u in value.budget) == pytest.approx((value.uncertainty / 2) ** 2)


FAULTS = {
    "gain=1.05": "V-GAIN",
    "mismatch=0.006": "V-GAIN",
    "noise_uv=1.2": "V-NOISE",
    # What bends one tone mixes two, and what is missing of the band is missing in a square wave, too.
    "thd_db=-45": "V-THD V-IMD",
    "bandwidth_hz=30": "V-FREQ V-FLAT",
    "bandwidth_hz=10000": "V-ALIAS",
    "recovery_s=2": "V-SETTLE",
    "quirk=ohms-swapped": "V-IMAP",
    "cmrr_db=85": "V-CMRR",
    "crosstalk_db=-30": "V-XTALK",
    "skew_ms=1": "V-SKEW",
    "offset_range_mv=90": "V-OFFS",
    "impedance_error=0.4": "V-IMP",
    "test_error=0.05": "V-TEST",
    "clock_ppm=150": "V-RATE",
    "jitter_ms=8": "V-JIT",
    "loss=0.01": "V-LOSS",
    "trigger_jitter_ms=5": "V-TRIG",
    "latency_ms=400": "V-E2E",
    "battery_noise=0.6": "V-BATT",
}


WHOLE = {
    **SHORT,
    "trigger": 60,
    "e2e": 7,
    "step": 8,
    "internal": 8,
    "drift": 60,
    "phantom": 20,
    "offset": 2,
    "cycles": 8,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_fails_its_test_and_no_other(fault, profile):
    report = validate(f"dut:{fault}&channels=4&seed=5", profile=replace(profile, durations=WHOLE))
    failed = [outcome.test for outcome in report.outcomes if outcome.judgement is Judgement.FAIL]
    assert failed == FAULTS[fault].split()
    assert report.exit_code == 1


def test_a_sound_device_fails_nothing(profile):
    # To show a loss below 0.01 % takes 40,000 samples without one.
    report = validate("dut:channels=4&seed=5", profile=replace(profile, durations={**WHOLE, "timing": 180}))
    assert report.judgement is Judgement.PASS
    assert report.exit_code == 0
    assert report.outcome("V-BIO").judgement is Judgement.NOT_APPLICABLE
