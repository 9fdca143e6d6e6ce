"""Early warning across sessions."""

import pytest

from bcikit.safety.trends import trends


def session(minutes, *, stops=0, activations=0, lost=0, **rules):
    named = {name.replace("_", "-"): count for name, count in rules.items()}
    return {
        "duration_s": minutes * 60.0,
        "rules": named,
        "activations": activations,
        "stops": [{}] * stops,
        "lost_samples": lost,
    }


@pytest.mark.requirement("SAF-093")
def test_a_rule_that_breaks_far_more_often_than_before_is_rising():
    history = [session(30, Q_LINE=2, H_LOSS=1), session(30, Q_LINE=3), session(20, Q_LINE=2, H_LOSS=9, stops=1)]
    found = {trend.what: trend for trend in trends(history)}
    assert found["H-LOSS"].rising
    assert not found["Q-LINE"].rising
    assert not found["stops"].rising
    assert found["H-LOSS"].per_hour == (2.0, 0.0, 27.0)
    assert trends(history)[0].what == "H-LOSS"
    aborted = [session(0), session(30, stops=1), session(0), session(20, stops=9)]
    found = {trend.what: trend for trend in trends(aborted)}
    assert found["stops"].rising, "a session that ended at once says nothing"
    assert trends([session(0), session(30, stops=9)]) == [], "nothing to compare with"


@pytest.mark.requirement("SAF-093")
def test_one_session_or_a_steady_one_warns_of_nothing(active):
    assert trends([session(30, Q_LINE=50)]) == []
    assert not any(trend.rising for trend in trends([session(30, Q_LINE=5, activations=40)] * 6))
    one = active()
    one.run(3.0)
    real = one.system.summary()
    assert {trend.what for trend in trends([real, real])} >= {"activations", "stops"}
