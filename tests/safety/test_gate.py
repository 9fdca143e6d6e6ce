"""The rules of the gate on one decision after the other."""

import math

import pytest

from bcikit.safety.gate import Gate, impossible
from bcikit.safety.idle import IdleTest
from bcikit.safety.settings import GateSettings


def gate(**values):
    return Gate(GateSettings(**{"refractory_s": 0.0, **values}))


@pytest.mark.requirement("SAF-062")
def test_confidence_and_margin(decision):
    one = gate()
    assert one.judge(decision(1.0, p=0.70), 1.0) == {}
    refused = one.judge(decision(1.1, p=0.69), 1.1)
    assert list(refused) == ["A-CONF"]
    assert refused["A-CONF"]["value"] == 0.69
    assert refused["A-CONF"]["limit"] == 0.70
    many = {"classes": ("left", "right", "foot", "rest")}
    assert one.judge(decision(1.2, probabilities=(0.61, 0.13, 0.13, 0.13), **many), 1.2) == {}
    assert "A-CONF" in one.judge(decision(1.2, probabilities=(0.55, 0.40, 0.03, 0.02), **many), 1.2)


@pytest.mark.requirement("SAF-062")
def test_no_label_and_the_class_of_rest_never_act(decision):
    one = gate(idle_label="right")
    assert "A-NONE" in one.judge(decision(1.0, None), 1.0)
    assert "A-NONE" in one.judge(decision(1.0, "right", 0.99), 1.0)


@pytest.mark.requirement("SAF-008")
@pytest.mark.parametrize(("age", "ok"), [(0.0, True), (0.39, True), (0.41, False), (-0.5, False), (math.inf, False)])
def test_old_decisions_and_decisions_from_the_future_do_not_act(decision, age, ok):
    refused = gate().judge(decision(10.0 - age if math.isfinite(age) else 10.0, age=max(age, 0.0)), 10.0)
    assert ("H-LAT" in refused) is not ok
    if age < 0:
        assert refused["H-LAT"] == {"value": age, "limit": 0.4}, "how far ahead, and not zero"


@pytest.mark.requirement("SAF-063")
def test_k_of_n_must_agree_and_old_votes_do_not_count(decision):
    one = gate(profile="vr", scopes=("acquire",), k=2, n=3, vote_s=1.0)
    assert "A-KOFN" in one.judge(decision(1.0), 1.0)
    assert one.judge(decision(1.1), 1.1) == {}
    assert "A-KOFN" in one.judge(decision(1.2, "right"), 1.2)
    assert "A-KOFN" in one.judge(decision(9.0, "right"), 9.0)
    assert "A-CONF" in one.judge(decision(9.1, "right", 0.6), 9.1)
    assert "A-KOFN" in gate(k=2, n=2).judge(decision(9.2, "right"), 9.2)


@pytest.mark.requirement("SAF-067")
def test_an_action_may_be_renewed_but_a_new_one_waits(decision):
    one = gate(refractory_s=2.0, action_max_s=1.0)
    for step in range(10):
        now = 5.0 + step * 0.1
        assert one.judge(decision(now), now) == {}
        one.commit(decision(now), now)
    assert "A-RFR" in one.judge(decision(6.0, "right"), 6.0)
    assert "A-RFR" in one.judge(decision(6.2), 6.2), "longer than an action may last"
    assert "A-RFR" in one.judge(decision(7.8), 7.8)
    assert one.judge(decision(7.95), 7.95) == {}


@pytest.mark.requirement("SAF-063")
def test_a_vehicle_simulation_wants_a_second_confirmation(decision):
    one = gate(confirm=True, refractory_s=2.0)
    assert "A-KOFN" in one.judge(decision(1.0), 1.0)
    assert "A-KOFN" in one.judge(decision(2.0), 2.0)
    assert one.judge(decision(3.1), 3.1) == {}


@pytest.mark.requirement("SAF-109")
@pytest.mark.parametrize(
    "broken",
    [
        {"probabilities": (math.nan, 0.5)},
        {"probabilities": (1.2, -0.2)},
        {"probabilities": (0.9, 0.9)},
        {"probabilities": (0.9,)},
        {"probabilities": ()},
        {"reason": "error: boom"},
        {"time": math.nan},
        {"classes": ("a", "b")},
        {"classes": ("left", "left")},
    ],
)
def test_impossible_decisions_are_known_as_such(decision, broken):
    assert impossible(decision(1.0, **broken))
    assert not impossible(decision(1.0))
    assert list(gate().judge(decision(1.0, **broken), 1.0)) == ["A-DEC"]


@pytest.mark.requirement("SAF-064")
def test_the_idle_test_counts_onsets_not_renewals(decision):
    test = IdleTest(GateSettings(refractory_s=1.0), 0.0)
    for step in range(600):
        now = step * 0.1
        test.judge(decision(now, "left" if step % 100 < 3 else None), now)
    assert test.activations == 6
    assert test.per_minute(60.0) == pytest.approx(6.0)


@pytest.mark.requirement("SAF-064")
def test_the_idle_test_counts_no_time_of_decisions_that_could_never_act(decision):
    test = IdleTest(GateSettings(), 0.0)
    for step in range(1, 301):
        now = step * 1.0
        test.judge(decision(now, None, age=5.0 if 100 < step <= 250 else 0.0), now)
    assert test.seconds == pytest.approx(150.0)
    assert test.per_minute(300.0) == 0.0


@pytest.mark.requirement("SAF-064")
def test_the_rate_of_false_activations_is_that_of_what_was_judged(decision):
    test = IdleTest(GateSettings(refractory_s=0.0, k=1, n=1), 0.0)
    assert test.judge(decision(10.0, "left"), 10.0) is True
    assert test.judge(decision(20.0, "left", age=5.0), 20.0) is False
    test.skip(20.25)
    test.skip(15.0)
    assert test.per_minute(40.25) == pytest.approx(2.0)
    assert test.seconds == pytest.approx(10.0)
