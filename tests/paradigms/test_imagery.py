"""Motor imagery: the Graz timings on the sample clock, balance, feedback, external cues."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.paradigms import make_paradigm
from bcikit.paradigms.conditions import balanced_order
from bcikit.signal import ConfigError, Event

QUICK = {"base": "motor-imagery", "eyes_open": 2.0, "eyes_closed": 0.0, "between_runs": 1.0, "trials_per_run": 4}


def truth(paradigm, make_decision, sfreq=250.0, p=0.9):
    return lambda request: make_decision(request, sfreq, paradigm.classes, paradigm.trial.label, p)


@pytest.mark.parametrize("sfreq", [160.0, 250.0, 256.0, 1000.0 / 3.0])
def test_events_lie_within_half_a_sample_of_the_graz_plan(run, make_decision, sfreq):
    paradigm = make_paradigm({**QUICK, "calibration_runs": 1, "feedback_runs": 1})
    done = run(paradigm, truth(paradigm, make_decision, sfreq), sfreq=sfreq, start=1000)
    plan = {"phase/fixation": 0.0, "sound/beep": 2.0, "cue/": 3.0, "phase/imagery": 3.0, "feedback/start": 4.25}
    plan |= {"feedback/end": 8.0, "phase/rest": 8.0}
    starts = {event.data["trial"]: event for event in done.named("trial/start")}
    assert len(starts) == 8
    for prefix, seconds in plan.items():
        events = done.named(prefix)
        assert len(events) == (4 if prefix.startswith("feedback") else 8)
        for event in events:
            begin = starts[event.data["trial"]]
            assert abs((event.sample - begin.sample) / sfreq - seconds) <= 0.5 / sfreq + 1e-9
            assert event.time == pytest.approx(100.0 + event.sample / sfreq, abs=1e-9)
    rests = [event.duration for event in done.named("phase/rest")]
    assert min(rests) >= 2.0
    assert max(rests) <= 3.0
    assert len(set(rests)) > 1


def test_the_same_whatever_the_chunks(run, make_decision):
    runs = []
    for chunk in (1, 7, 64, 1000):
        paradigm = make_paradigm({**QUICK, "calibration_runs": 1, "feedback_runs": 1})
        done = run(paradigm, truth(paradigm, make_decision), chunk=chunk)
        runs.append(([(e.sample, e.name) for e in done.events], done.requests, paradigm.results()))
    assert all(item == runs[0] for item in runs[1:])


def test_a_session_is_scored_and_says_when_to_train(run, make_decision):
    paradigm = make_paradigm(QUICK)
    done = run(paradigm, truth(paradigm, make_decision))
    names = done.names()
    assert names[0] == "paradigm/start"
    assert names[-1] == "paradigm/end"
    assert names.index("calibration/end") < names.index("feedback/start")
    results = paradigm.results()
    assert results["n_calibration_trials"] == 8
    assert results["n_trials"] == 12
    assert results["accuracy"] == 1.0
    assert results["confusion"] == [[6, 0, 0], [0, 6, 0]]
    assert results["trials"][0]["seconds"] == pytest.approx(3.0)
    # All right, one bit a trial: from the start of one to the start of the next, not from its cue to its decision.
    runs = [[e.sample for e in done.named("trial/") if e.data["trial"] == row["trial"]] for row in results["trials"]]
    assert results["itr"] == pytest.approx(60 / np.mean([(end - start) / 250.0 for start, end in runs]))
    calibration = paradigm.calibration
    assert calibration is not None
    assert calibration.events == {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}
    assert {command.name for command in done.commands} == {"close", "open"}
    sequences = [command.sequence for command in done.commands]
    assert sequences == sorted(set(sequences))


def test_nothing_moves_that_the_gate_refused(run, make_decision):
    paradigm = make_paradigm({**QUICK, "calibration_runs": 0, "feedback_runs": 1})
    done = run(paradigm, truth(paradigm, make_decision), allow=False)
    assert done.commands == []
    assert paradigm.results()["accuracy"] == 1.0
    assert paradigm.results()["accuracy_gated"] == 0.0
    assert paradigm.results()["trials"][0]["reasons"] == ["A-CONF"]


def test_a_wrong_answer_is_shown_as_an_error(run, make_decision):
    paradigm = make_paradigm({**QUICK, "calibration_runs": 0, "feedback_runs": 1})

    def wrong(request):
        other = next(name for name in paradigm.classes if name != paradigm.trial.label)
        return make_decision(request, 250.0, paradigm.classes, other)

    done = run(paradigm, wrong)
    assert len(done.named("feedback/error")) == 4
    assert paradigm.results()["accuracy"] == 0.0
    assert paradigm.results()["itr"] == 0.0


def test_calibration_only_ends_without_asking_for_a_window(run, make_decision):
    paradigm = make_paradigm({**QUICK, "feedback_runs": 0, "calibration_runs": 1})
    done = run(paradigm, truth(paradigm, make_decision))
    assert done.requests == []
    assert done.names()[-1] == "paradigm/end"
    assert paradigm.results()["n_trials"] == 0
    assert paradigm.results()["accuracy"] is None


def external(**changes):
    table = {
        "base": "motor-imagery",
        "classes": ["fists", "feet"],
        "cues": "external",
        "external": {"T1": "fists", "T2": "feet"},
        "actions": {"fists": "close"},
        **changes,
    }
    return make_paradigm(table)


def test_recorded_cues_drive_the_trials(run, make_decision):
    sfreq = 160.0
    outside = []
    for index in range(15):
        outside.append(Event(name="T0", time=0.0, sample=1312 * index, duration=4.1))
        outside.append(Event(name=f"T{1 + index % 2}", time=0.0, sample=1312 * index + 656, duration=4.1))
    paradigm = external(external_trials=15)
    done = run(paradigm, truth(paradigm, make_decision, sfreq), sfreq=sfreq, outside=outside)
    results = paradigm.results()
    assert paradigm.finished
    assert results["n_trials"] == 15
    assert results["accuracy"] == 1.0
    assert results["confusion"] == [[8, 0, 0], [0, 7, 0]]
    finals = [request for request in done.requests if request.final]
    assert [request.start_sample for request in finals] == [1312 * i + 656 + 80 for i in range(15)]
    assert {request.n_times for request in done.requests} == {400}
    cues = done.named("cue/")
    assert [event.sample for event in cues] == [1312 * i + 656 for i in range(15)]
    assert cues[0].time == pytest.approx(100.0 + 656 / sfreq)
    assert {command.name for command in done.commands} == {"close", "open"}


def test_a_new_outside_cue_ends_the_trial_before_it(run, make_decision):
    paradigm = external(external_trials=2)
    outside = [Event(name="T1", time=0.0, sample=100), Event(name="T2", time=0.0, sample=400)]
    run(paradigm, truth(paradigm, make_decision), outside=outside)
    rows = paradigm.results()["trials"]
    assert [row["predicted"] for row in rows] == [None, "feet"]
    assert paradigm.results()["n_undecided"] == 1


def test_the_rate_of_outside_cues_counts_the_pause_before_the_next(run, make_decision):
    outside = [Event(name=f"T{1 + at % 2}", time=0.0, sample=2500 * at, duration=4.0) for at in range(5)]
    paradigm = external(external_trials=5)
    run(paradigm, truth(paradigm, make_decision), outside=outside)
    results = paradigm.results()
    assert results["accuracy"] == 1.0
    assert [row["lasted"] for row in results["trials"]] == [10.0] * 4 + [None]
    assert results["itr"] == pytest.approx(6.0)


def test_every_mistake_in_the_settings_is_listed_with_its_key():
    with pytest.raises(ConfigError) as caught:
        make_paradigm({"kind": "motor-imagery", "stop": "soon", "feedback_rate": 0, "tirals_per_run": 3, "rest": [1]})
    message = str(caught.value)
    assert len(caught.value.problems) == 4
    for key in ("stop is 'soon'", "feedback_rate is 0", "tirals_per_run is unknown", "'trials_per_run'?", "rest"):
        assert key in message
    with pytest.raises(ConfigError, match="trials_per_run must be a multiple of the 2 classes"):
        make_paradigm({"kind": "motor-imagery", "trials_per_run": 5})
    with pytest.raises(ConfigError, match="beep <= cue < feedback <= stop"):
        make_paradigm({"kind": "motor-imagery", "cue": 5.0})
    with pytest.raises(ConfigError, match="kind = 'dance'"):
        make_paradigm({"kind": "dance"})


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_orders_are_balanced_seeded_and_never_monotonous(n_classes, repeats, seed):
    classes = [f"c{index}" for index in range(n_classes)]
    order = balanced_order(classes, n_classes * repeats, np.random.default_rng(seed))
    assert order == balanced_order(classes, n_classes * repeats, np.random.default_rng(seed))
    assert {name: order.count(name) for name in classes} == dict.fromkeys(classes, repeats)
    if n_classes > 1:
        runs = [len(set(order[i : i + 4])) for i in range(len(order) - 3)]
        assert all(count > 1 for count in runs)
