"""The gate at its very limits: what is allowed to the digit, what is told, and what is remembered."""

import dataclasses
import math

import pytest

from bcikit.safety.gate import Gate, age_of, impossible
from bcikit.safety.idle import IdleTest
from bcikit.safety.settings import REAL_ACTUATORS, GateSettings
from bcikit.signal import ConfigError
from bcikit.signal.settings import check_settings

SUM = "probabilities in [0, 1] that sum to 1"


def gate(**values):
    return Gate(GateSettings(**{"refractory_s": 0.0, **values}))


def acts(one, decision, now):
    """Judge, and commit where nothing refuses."""
    refused = one.judge(decision, now)
    if not refused:
        one.commit(decision, now)
    return refused


@pytest.mark.requirement("SAF-008")
@pytest.mark.parametrize(
    ("ahead", "age", "expected"),
    [
        (0.0, 0.0, 0.0),
        (0.0, 0.25, 0.25),
        (-0.5, 0.25, 0.5),
        # A decision is as old as it says, though its time lies a little ahead; further ahead than that counts.
        (0.125, 0.25, 0.25),
        (0.25, 0.25, 0.25),
        (0.5, 0.25, -0.5),
        (math.inf, 0.0, -math.inf),
        (-math.inf, 0.0, math.inf),
    ],
)
def test_the_age_of_a_decision(decision, ahead, age, expected):
    assert age_of(decision(0.0, time=10.0 + ahead, age=age), 10.0) == expected


@pytest.mark.parametrize("broken", [{"age": math.nan}, {"time": math.nan}])
def test_an_age_that_is_no_number_stays_none(decision, broken):
    assert math.isnan(age_of(decision(10.0, **broken), 10.0))


@pytest.mark.requirement("SAF-008")
@pytest.mark.parametrize(
    ("age", "value"),
    [(0.4, None), (0.400001, 0.4), (0.41236, 0.4124), (math.inf, "inf"), (math.nan, "nan")],
)
def test_the_oldest_decision_that_acts(decision, age, value):
    refused = gate(age_max_s=0.4).judge(decision(10.0, age=age), 10.0)
    assert refused == ({} if value is None else {"H-LAT": {"value": value, "limit": 0.4}})


@pytest.mark.requirement("SAF-062")
@pytest.mark.parametrize(
    ("probabilities", "limits", "refused"),
    [
        ((0.625, 0.375), {"confidence": 0.625, "margin": 0.25}, None),
        ((0.625, 0.375), {"confidence": 0.6250001, "margin": 0.25}, (0.625, 0.25)),
        ((0.625, 0.375), {"confidence": 0.5, "margin": 0.2500001}, (0.625, 0.25)),
        ((0.61236, 0.38764), {"confidence": 0.7, "margin": 0.2}, (0.6124, 0.2247)),
        ((0.375, 0.625), {"confidence": 0.5, "margin": 0.0}, (0.375, -0.25)),
    ],
)
def test_the_least_confidence_and_margin(decision, probabilities, limits, refused):
    found = gate(**limits).judge(decision(1.0, probabilities=probabilities), 1.0)
    if refused is None:
        assert found == {}
    else:
        value, margin = refused
        assert found == {
            "A-CONF": {
                "value": value,
                "limit": limits["confidence"],
                "margin": margin,
                "margin_limit": limits["margin"],
            }
        }


def test_the_margin_is_to_the_best_of_the_others(decision):
    three = {"classes": ("left", "right", "foot"), "probabilities": (0.6, 0.05, 0.35), "label": "left"}
    assert gate(confidence=0.5, margin=0.26).judge(decision(1.0, **three), 1.0)["A-CONF"]["margin"] == 0.25
    assert gate(confidence=0.5, margin=0.24).judge(decision(1.0, **three), 1.0) == {}
    one = {"classes": ("left",), "probabilities": (1.0,), "label": "left"}
    assert gate(margin=0.9).judge(decision(1.0, **one), 1.0) == {}, "there is nothing to tell it from"


@pytest.mark.requirement("SAF-062")
@pytest.mark.parametrize(("n_classes", "least"), [(1, 0.70), (2, 0.70), (3, 0.65), (4, 0.60), (40, 0.60)])
def test_the_least_confidence_goes_by_the_number_of_classes(n_classes, least):
    assert GateSettings().confidence_for(n_classes) == least
    assert GateSettings(confidence=0.9).confidence_for(n_classes) == 0.9


@pytest.mark.requirement("SAF-062")
@pytest.mark.parametrize(
    ("label", "reason", "told"),
    [
        (None, None, "none"),
        (None, "low-confidence", "low-confidence"),
        ("right", None, "right"),
        ("right", "idle", "idle"),
    ],
)
def test_a_decision_for_nothing_says_why(decision, label, reason, told):
    found = gate(idle_label="right").judge(decision(1.0, label, reason=reason), 1.0)
    assert found == {"A-NONE": {"value": told, "limit": "a class"}}


@pytest.mark.requirement("SAF-063")
def test_votes_are_counted_to_the_limit_of_their_age(decision):
    limits = {"k": 2, "n": 2, "vote_s": 1.0}
    one = gate(**limits)
    assert one.judge(decision(1.0), 1.0) == {"A-KOFN": {"value": 1, "limit": "2 of 2"}}
    assert one.judge(decision(2.0), 2.0) == {}
    one = gate(**limits)
    one.judge(decision(1.0), 1.0)
    assert one.judge(decision(2.001), 2.001) == {"A-KOFN": {"value": 1, "limit": "2 of 2"}}


@pytest.mark.requirement("SAF-063")
@pytest.mark.parametrize(
    "between",
    [{"reason": "error: boom"}, {"p": 0.6}, {"label": None}, {"age": 0.5}, {"label": "right"}],
    ids=["impossible", "unsure", "none", "old", "another"],
)
def test_what_does_not_vote_takes_the_place_of_a_vote(decision, between):
    one = gate(k=2, n=2)
    one.judge(decision(1.0), 1.0)
    assert one.judge(decision(1.1, **between), 1.1)
    assert one.judge(decision(1.2), 1.2) == {"A-KOFN": {"value": 1, "limit": "2 of 2"}}
    assert one.judge(decision(1.3), 1.3) == {}


@pytest.mark.requirement("SAF-109")
def test_an_impossible_decision_is_told_with_what_is_wrong(decision):
    found = gate().judge(decision(1.0, probabilities=(0.9, 0.9)), 1.0)
    assert found == {"A-DEC": {"value": "probabilities sum to 1.8", "limit": SUM}}


@pytest.mark.requirement("SAF-067")
def test_an_action_is_renewed_as_long_as_it_may_last_and_no_longer(decision):
    one = gate(refractory_s=2.0, renew_s=0.5, action_max_s=1.0)
    assert one.commit(decision(1.0), 1.0) is True
    # Exactly the time to renew, and exactly the longest action, are allowed.
    for now in (1.5, 2.0):
        assert one.judge(decision(now), now) == {}
        assert one.commit(decision(now), now) is False
    assert one.judge(decision(2.00016), 2.00016) == {"A-RFR": {"value": 1.0002, "limit": 1.0}}
    assert one.judge(decision(2.50026), 2.50026) == {"A-RFR": {"value": 0.5003, "limit": 2.0}}, "too late to renew"
    assert one.judge(decision(3.9), 3.9) == {"A-RFR": {"value": 1.9, "limit": 2.0}}
    assert one.judge(decision(4.0), 4.0) == {}, "exactly the time to wait"
    assert one.commit(decision(4.0), 4.0) is True
    assert one.judge(decision(4.5), 4.5) == {}, "a new action has its own length"


@pytest.mark.requirement("SAF-067")
def test_another_action_waits_though_the_first_could_be_renewed(decision):
    one = gate(refractory_s=2.0, renew_s=0.5)
    one.commit(decision(1.0), 1.0)
    assert one.judge(decision(1.25, "right"), 1.25) == {"A-RFR": {"value": 0.25, "limit": 2.0}}
    assert one.commit(decision(3.0, "right"), 3.0) is True


@pytest.mark.requirement("SAF-067")
def test_an_action_soon_after_another_has_its_own_length(decision):
    one = gate(renew_s=0.5, action_max_s=1.0)
    for now in (1.0, 1.5, 2.0):
        assert acts(one, decision(now), now) == {}
    for now in (2.25, 2.75, 3.25):
        assert acts(one, decision(now, "right"), now) == {}
    assert acts(one, decision(3.5, "right"), 3.5) == {"A-RFR": {"value": 1.25, "limit": 1.0}}


@pytest.mark.requirement("SAF-063")
def test_a_confirmation_comes_neither_too_early_nor_too_late(decision):
    first = {"A-KOFN": {"value": "first of two", "limit": "again after 2.0 s"}}
    pending = {"A-KOFN": {"value": "confirmation pending", "limit": "again after 2.0 s"}}
    for wait, expected in ((1.999, pending), (2.0, {}), (12.0, {}), (12.001, first)):
        one = gate(confirm=True, refractory_s=2.0)
        assert one.judge(decision(1.0), 1.0) == first
        assert one.judge(decision(1.0 + wait), 1.0 + wait) == expected
    # What is asked too early does not begin anew, what is asked too late does.
    one = gate(confirm=True, refractory_s=2.0)
    assert [one.judge(decision(now), now) for now in (1.0, 2.0, 3.0)] == [first, pending, {}]
    one = gate(confirm=True, refractory_s=2.0)
    assert [one.judge(decision(now), now) for now in (1.0, 14.0, 15.0, 16.0)] == [first, first, pending, {}]


@pytest.mark.requirement("SAF-063")
def test_a_confirmation_is_for_one_action_of_one_class(decision):
    first = {"A-KOFN": {"value": "first of two", "limit": "again after 2.0 s"}}
    one = gate(confirm=True, refractory_s=2.0, renew_s=0.5)
    assert one.judge(decision(1.0), 1.0) == first
    assert one.judge(decision(2.0, "right"), 2.0) == first
    assert one.judge(decision(3.0), 3.0) == first
    assert acts(one, decision(5.0), 5.0) == {}
    assert acts(one, decision(5.5), 5.5) == {}, "an action that goes on needs no other confirmation"
    assert one.judge(decision(8.0), 8.0) == first, "a new one does"
    assert one.judge(decision(8.5, "right"), 8.5) == first
    assert one.judge(decision(10.5, "right"), 10.5) == {}


def test_a_reset_forgets_votes_confirmation_and_action_but_not_the_time_to_wait(decision):
    one = gate(k=2, n=2, refractory_s=2.0)
    one.judge(decision(1.0), 1.0)
    one.reset()
    assert one.judge(decision(1.1), 1.1) == {"A-KOFN": {"value": 1, "limit": "2 of 2"}}
    one = gate(confirm=True, refractory_s=2.0)
    one.judge(decision(1.0), 1.0)
    one.reset()
    assert one.judge(decision(3.5), 3.5)["A-KOFN"]["value"] == "first of two"
    one = gate(refractory_s=2.0, renew_s=0.5)
    one.commit(decision(1.0), 1.0)
    one.reset()
    assert one.judge(decision(1.25), 1.25) == {"A-RFR": {"value": 0.25, "limit": 2.0}}, "nothing is left to renew"
    nameless = dataclasses.replace(decision(1.25), label="", classes=("", "right"))
    assert one.judge(nameless, 1.25) == {"A-RFR": {"value": 0.25, "limit": 2.0}}


@pytest.mark.requirement("SAF-109")
@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"reason": "error: boom"}, "error: boom"),
        ({"reason": "low-confidence"}, ""),
        ({"time": math.inf}, "time is inf"),
        ({"probabilities": ()}, "label 'left' without probabilities"),
        ({"probabilities": (), "label": None}, ""),
        ({"probabilities": (1.0,)}, "1 probabilities for 2 classes"),
        ({"classes": ("left", "left")}, "a class stands twice"),
        ({"probabilities": (-0.5, 1.5)}, "a probability is -0.5"),
        ({"probabilities": (1.5, -0.5)}, "a probability is 1.5"),
        ({"probabilities": (math.nan, 1.0)}, "a probability is nan"),
        ({"probabilities": (1.0, 0.0)}, ""),
        ({"probabilities": (0.0, 1.0)}, ""),
        # As much as rounding may do.
        ({"probabilities": (1.0 + 1e-9, -1e-9)}, ""),
        ({"probabilities": (1.0 + 2e-9, 0.0)}, "a probability is 1.000000002"),
        ({"probabilities": (1.0, -2e-9)}, "a probability is -2e-09"),
        ({"probabilities": (0.5, 0.5009)}, ""),
        ({"probabilities": (0.5, 0.4991)}, ""),
        ({"probabilities": (0.5, 0.5011)}, "probabilities sum to 1.001"),
        ({"probabilities": (0.5, 0.4989)}, "probabilities sum to 0.9989"),
        ({"classes": ("right", "foot")}, "label 'left' is not one of the classes"),
        ({"label": None, "probabilities": (0.5, 0.5)}, ""),
    ],
)
def test_what_makes_a_decision_impossible(decision, broken, told):
    assert impossible(decision(1.0, **broken)) == told


@pytest.mark.requirement("SAF-064")
def test_the_idle_test_counts_from_its_start(decision):
    test = IdleTest(GateSettings(refractory_s=0.0, renew_s=0.5), 100.0)
    assert (test.activations, test.seconds) == (0, 0.0)
    assert test.judge(decision(100.25), 100.25) is True
    assert test.judge(decision(100.75), 100.75) is False, "it goes on"
    assert test.judge(decision(101.0, None), 101.0) is False
    assert test.judge(decision(101.0, "right"), 101.0) is True
    assert (test.activations, test.seconds) == (2, 1.0)
    assert test.judge(decision(100.5, None), 100.5) is False
    assert test.seconds == 1.0, "time does not go back"
    assert test.per_minute(160.0) == 2.0
    assert test.per_minute(100.5) == 240.0
    assert math.isfinite(test.per_minute(100.0))


@pytest.mark.requirement("SAF-073")
@pytest.mark.parametrize("profile", sorted(REAL_ACTUATORS))
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"k": 4, "n": 8}, "k=4 of n=8: profile {} needs a majority"),
        ({"k": 3, "n": 6}, "k=3 of n=6: profile {} needs a majority"),
        ({"k": 5, "n": 8}, None),
        ({"k": 3, "n": 5}, None),
        ({"confidence": None}, None),
        ({"confidence": 0.6}, None),
        ({"confidence": 0.59}, "confidence=0.59 is outside the hard limits [0.6, 0.999] of profile {}"),
        ({"idle_max_per_min": 1.0}, None),
        ({"idle_max_per_min": None}, "idle_max_per_min=None is outside the hard limits [0, 1] of profile {}"),
        ({"ttl_s": 0.25, "age_max_s": 0.4}, None),
        ({"ttl_s": 0.2501}, "ttl_s=0.2501 is outside the hard limits [0.02, 0.25] of profile {}"),
        ({"dead_man": False}, "dead_man=false: profile {} needs a dead-man switch"),
        ({"need_all": False}, "need_all=false: profile {} needs every channel it decodes"),
        ({"advisory_stops": False}, "advisory_stops=false: profile {} stops at unusual activity"),
        ({"quality": "synthetic"}, "quality='synthetic' is for the synthetic board, not for profile {}"),
        ({"scopes": []}, "scopes lacks acquire, {0}: profile {0} needs that consent"),
        ({"scopes": ["acquire"]}, "scopes lacks {0}: profile {0} needs that consent"),
        ({"scopes": ["store", "acquire", "fes", "robot"]}, None),
    ],
)
def test_each_hard_limit_of_a_real_actuator_to_the_digit(profile, given, problem):
    values = {"profile": profile, **given}
    if problem is None:
        check_settings(GateSettings, values, where="gate")
        return
    with pytest.raises(ConfigError) as refused:
        check_settings(GateSettings, values, where="gate")
    assert str(refused.value).partition(problem.format(profile))[1], refused.value


@pytest.mark.requirement("SAF-073")
def test_every_hard_limit_that_is_left_is_told_at_once():
    given = {"profile": "robot", "dead_man": False, "need_all": False, "advisory_stops": False, "k": 3, "scopes": ()}
    with pytest.raises(ConfigError) as refused:
        check_settings(GateSettings, given, where="gate")
    for word in ("majority", "advisory_stops", "need_all", "dead_man", "scopes lacks"):
        assert word in str(refused.value)
