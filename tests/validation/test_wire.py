"""The bench on a whole chain: emulated device, wire, BrainFlow's driver, set-ups that somebody makes."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bcikit.testing import CytonEmulator, LinkPlan
from bcikit.validation import Judgement, Profile, validate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def generator(device, gains):
    """Return an operator who reads what to connect and plugs it into the emulated device."""

    def ask(text):
        size = float(found.group(1)) if (found := re.search(r"([0-9.]+) uV peak", text)) else 0.0
        hertz = float(found.group(1)) if (found := re.search(r"([0-9.]+) Hz", text.split(":")[1])) else 0.0
        only = int(found.group(1)) - 1 if (found := re.search(r"on channel (\d+) only", text)) else None
        driven = np.ones(8) if only is None else (np.arange(8) == only).astype(float)
        rng = np.random.default_rng(0)

        def signal(seconds):
            wave = size * np.sin(2 * np.pi * hertz * seconds)[:, None] * driven
            return (wave + rng.normal(0, 0.3, (seconds.size, 8))) * gains

        device.connect(signal)
        return True

    return ask


def test_each_take_is_of_its_own_set_up_and_a_wrong_gain_is_found():
    gains = np.ones(8)
    gains[2] = 1.05
    with CytonEmulator(LinkPlan(block=10)) as device:
        profile = replace(Profile.load("research"), durations={"sine": 2.0})
        report = validate(device.address, profile=profile, tests=("V-GAIN",), ask=generator(device, gains))
    outcome = report.outcome("V-GAIN")
    error = report.value("V-GAIN", "gain_error")
    assert outcome.judgement is Judgement.FAIL
    assert error.channel == "C3"
    assert error.value == pytest.approx(5.0, abs=max(0.2, error.uncertainty))
    match = report.value("V-GAIN", "gain_match")
    assert match.value == pytest.approx(5.0, abs=0.2)


def test_what_the_link_loses_is_found_through_the_driver():
    lost = tuple((first, 3) for first in range(500, 9000, 250))
    with CytonEmulator(LinkPlan(block=5, lost=lost)) as device:
        profile = replace(Profile.load("research"), durations={"timing": 20.0})
        report = validate(device.address, profile=profile, tests=("V-LOSS",))
    loss = report.value("V-LOSS", "loss")
    assert report.outcome("V-LOSS").judgement is Judgement.FAIL
    assert loss.value == pytest.approx(1.2, abs=0.3)
