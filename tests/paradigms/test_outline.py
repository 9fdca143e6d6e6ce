"""What a paradigm says of itself: minutes, trials, dose and limits, from its own timeline."""

import pytest

from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.outline import outline_of, setting
from bcikit.signal import ConfigError


@pytest.mark.parametrize("name", paradigm_names())
def test_every_paradigm_has_an_outline_and_its_own_values_are_within_its_limits(name: str) -> None:
    paradigm = make_paradigm(name)
    found = paradigm.outline()
    assert found.seconds is None or 0 < found.seconds < 4 * 3600
    for one in paradigm.adjustable:
        value = setting(paradigm.settings, one.key)
        if one.key.startswith("gate."):
            continue
        assert value is not None, one.key
        if not (one.key.startswith("assist.") and paradigm.settings.assist.command != "stimulate"):
            assert one.low <= value <= one.high or name == "calibration", (name, one.key, value)
    # A copy was run: the paradigm itself is as it was.
    assert paradigm.info is None


def test_the_outline_is_that_of_the_timeline() -> None:
    # Motor imagery of 8 s and a pause of 2 to 3 s a trial; 30 s between runs.
    quick = {"calibration_runs": 0, "feedback_runs": 2, "trials_per_run": 10, "eyes_open": 0.0, "eyes_closed": 0.0}
    quick["instructions"] = 0.0
    found = outline_of("motor-imagery", quick)
    assert found.trials == 20
    assert found.calibration_trials == 0
    assert found.seconds is not None
    assert 20 * 10.0 + 30 <= found.seconds <= 20 * 11.0 + 31
    twice = outline_of("motor-imagery", {**quick, "feedback_runs": 4})
    assert twice.trials == 40
    assert twice.seconds is not None
    assert 1.9 < twice.seconds / found.seconds < 2.3


def test_the_dose_is_the_help_of_every_movement() -> None:
    settings = {"calibration_runs": 0, "runs": 1, "trials_per_run": 10, "idle_share": 0.2}
    found = outline_of("motor-imagery-fes", settings)
    assert found.trials == 10
    assert found.dose_seconds == pytest.approx(8 * 3.0)
    assert found.calibration_seconds == 0.0
    assert outline_of("motor-imagery-fes", {}).calibration_trials == 40


def test_a_code_on_a_fast_screen_has_an_outline() -> None:
    slow, fast = (make_paradigm({"base": "code-menu", "refresh": refresh}) for refresh in (60.0, 144.0))
    assert fast.outline().trials == slow.outline().trials > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base": "code-menu", "first": 2.0}, "first changes nothing in a code menu"),
        ({"base": "code-menu", "stimulation": "frame-period"}, "stimulation changes nothing in a code menu"),
        ({"base": "motor-imagery", "external": {"T1": "left_hand"}}, 'external is for cues = "external"'),
        ({"base": "ssvep-menu", "external_trials": 3}, 'external_trials is for cues = "external"'),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(changed: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_paradigm(changed)
