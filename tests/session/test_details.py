import numpy as np

from bcikit.decoding import Epochs, Model
from bcikit.paradigms.support import errors_of
from bcikit.session import details
from bcikit.session.report import decided
from bcikit.session.training import calibration_summary


def texts(found: dict) -> dict[str, str]:
    return dict(details.rows(found))


def test_what_never_happened_is_not_told_as_zero() -> None:
    nothing = {"n_calibration_trials": 0, "n_allowed": 0, "accuracy": None, "itr": None, "seconds": {"rest": 300.0}}
    assert texts(nothing) == {"time in each phase": "rest: 5.0 min"}
    refused = texts({"n_calibration_trials": 0, "n_allowed": 0, "accuracy": 0.5})
    assert refused["trials that the gate let through"] == "0"


def test_alarms_tell_when_and_whether_they_were_held_back() -> None:
    alarm = {"seconds": 190.0, "level": "drowsy", "kss": 8.3, "must": True, "reason": "because"}
    table = details.alarm_table({"alarms": [alarm, alarm | {"must": False}, alarm | {"held_back": ["Q-MONT"]}]}, 10.0)
    assert [row[0] for row in table] == ["3.0 min"] * 3
    assert [row[3] for row in table] == ["must be given", "may be given", "must be given, held back: Q-MONT"]


def test_courses_begin_with_the_recording_and_show_the_aim_that_was_set(monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(details, "course_plot", lambda curves, **more: drawn.append((curves, more)) or "data:")
    points = [{"seconds": 70.0, "threshold": 2.0}, {"seconds": 130.0, "threshold": 2.1, "share_above": 0.8}]
    details.pictures({"threshold_course": points, "aim": [0.4, 0.5]}, 10.0)
    (threshold, _), (share, more) = drawn
    assert list(threshold[0].times) == [1.0, 2.0]
    assert list(share[0].times) == [2.0]
    assert list(share[0].values) == [80.0]
    assert more["lines"] == {"aim, at least 40 %": 40.0, "aim, at most 50 %": 50.0}


def test_a_choice_that_was_taken_back_is_told_as_one() -> None:
    rows = [
        {"class": "left", "predicted": None, "undone": "left", "p_error": 0.9},
        {"class": "left", "predicted": "left", "undone": "right", "p_error": 0.9},
        {"class": "left", "predicted": "right", "p_error": 0.2},
        {"class": "", "predicted": "right", "p_error": 0.2},
        {"class": "left", "predicted": None},
    ]
    assert texts(errors_of(rows)) == {
        "choices that were looked at for an error potential": "4",
        "of them taken back": "2",
        "taken back though they were right": "1",
        "wrong and not taken back": "1",
    }
    assert [decided(row) for row in rows[:3]] == ["left, taken back: none", "right, taken back: left", "right"]


def test_every_number_of_a_calibration_has_words() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3, 50))
    labels = np.array(["a", "b"])[np.arange(40) % 2]
    groups = np.arange(40) // 10
    trials = Epochs(
        X=X, y=labels, groups=groups, runs=groups, samples=np.arange(40), sfreq=50.0, tmin=0.0, tmax=1.0,
        ch_names=("C3", "Cz", "C4"),
    )  # fmt: skip
    summary = calibration_summary(Model.fit("csp-lda", trials), trials)
    assert set(summary) - {"decoder"} <= set(details.CALIBRATION_LABELS)
