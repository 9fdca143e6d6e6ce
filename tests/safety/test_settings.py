"""Hard limits that no configuration can leave."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.safety import GateSettings
from bcikit.signal import ConfigError
from bcikit.signal.settings import check_settings


def load(values):
    return check_settings(GateSettings, values, where="gate")


@pytest.mark.requirement("SAF-073")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dead_man", False),
        ("confidence", 0.5),
        ("ttl_s", 0.4),
        ("stall_fault_s", 0.8),
        ("refractory_s", 0.5),
        ("action_max_s", 6.0),
        ("idle_max_per_min", None),
        ("idle_max_per_min", 5.0),
        ("scopes", ()),
        ("need_all", False),
        ("quality", "synthetic"),
        ("k", 1),
        ("loss_fault", 0.2),
        ("rate_fault", 0.5),
        ("jitter_fault_s", 5.0),
        ("drift_fault_ppm", 5000.0),
        ("step_fault_s", 5.0),
        ("vote_s", 30.0),
        ("stop_clear_s", 0.0),
        ("degraded_recover_s", 1.0),
        ("armed_idle_s", 600.0),
    ],
)
def test_a_real_actuator_cannot_be_configured_outside_its_hard_limits(key, value):
    with pytest.raises(ConfigError, match=key):
        load({"profile": "robot", key: value})


@pytest.mark.requirement("SAF-073")
def test_every_problem_is_listed_and_names_its_key():
    with pytest.raises(ConfigError) as error:
        load({"profile": "vr", "k": 0, "ttl_s": 9, "unknown": 1, "confidence": float("nan")})
    text = str(error.value)
    assert len(error.value.problems) == 4
    assert all(key in text for key in ("k is 0", "ttl_s is 9", "unknown is unknown", "confidence is nan"))


@pytest.mark.requirement("SAF-073")
@pytest.mark.parametrize(
    "text",
    [
        'dead_man = "yes"',
        'dead_man = "on"',
        "dead_man = 1",
        "k = true",
        'k = "5"',
        'k = "\u0665"',
        'ttl_s = "0.25"',
        "ttl_s = nan",
        "ttl_s = -inf",
        "ttl_s = -0.1",
        "step_fault_s = inf",
        "drift_fault_ppm = inf",
        "jitter_fault_s = 1e300",
        "k = 0x" + "f" * 5000,
        "ttl_s = 0x" + "f" * 5000,
        'idle_label = ""',
        'scopes = "acquire"',
        'scopes = ["acquire", "fez"]',
        'profile = ["fes"]',
        "quality = 3",
    ],
)
def test_a_value_of_another_kind_is_told_and_not_bent(text):
    values = tomllib.loads(text)
    with pytest.raises(ConfigError, match=next(iter(values))):
        load(values)


@pytest.mark.requirement("SAF-070")
def test_there_is_no_profile_for_a_real_vehicle():
    with pytest.raises(ConfigError, match="profile"):
        load({"profile": "vehicle"})


def test_profiles_fill_in_what_is_not_stated():
    fes = GateSettings(profile="fes")
    assert (fes.k, fes.n, fes.dead_man, fes.idle_max_per_min, fes.real) == (5, 8, True, 1.0, True)
    car = GateSettings(profile="vehicle-sim", k=8)
    assert (car.k, car.n, car.confirm, car.idle_max_per_min) == (8, 8, True, 1 / 30)
    assert [GateSettings().confidence_for(n) for n in (2, 3, 4, 40)] == [0.7, 0.65, 0.6, 0.6]


@pytest.mark.requirement("SAF-073")
@settings(max_examples=60, deadline=None)
@given(
    values=st.dictionaries(
        st.sampled_from([*GateSettings.model_fields, "x"]),
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-5, 100), st.text(max_size=5), st.just(())),
        max_size=5,
    )
)
def test_whatever_a_file_says_a_real_profile_keeps_its_limits_or_is_refused(values):
    try:
        found = load({**values, "profile": "fes"})
    except ConfigError:
        return
    assert found.dead_man
    assert found.ttl_s <= 0.25
    assert found.stall_fault_s <= 0.5
    assert found.k * 2 > found.n
    assert found.idle_max_per_min is not None
    assert found.idle_max_per_min <= 1.0
