"""Every other protocol with an answerer whose skill is known: outcomes, events and refusals follow from it."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from bcikit.decoding.evidence import Stopping
from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.base import WindowRequest
from bcikit.paradigms.score import itr, judged, rate_interval, summarise
from bcikit.paradigms.settings import as_recorded
from bcikit.paradigms.support import ErrorCheck
from bcikit.paradigms.vehicle import plan_brakings
from bcikit.safety.gate import Gate
from bcikit.safety.settings import GateSettings
from bcikit.session.earlier import Earlier
from bcikit.signal import ArgumentError, BciError, ConfigError, Decision, Event, StreamInfo, Verdict

SFREQ = 250.0


def blank(request, classes, **data):
    return Decision(
        time=100.0 + (request.stop_sample - 1) / SFREQ, sample=request.stop_sample - 1, classes=classes, data=data
    )


def chunk_free(run, table, answerer):
    """Run with small and with large chunks and return both."""
    runs = []
    for chunk in (5, 700):
        paradigm = make_paradigm(table)
        done = run(paradigm, answerer(paradigm), chunk=chunk)
        runs.append(([(e.sample, e.name) for e in done.events], paradigm.results()))
    assert runs[0] == runs[1]
    return paradigm, done


@pytest.mark.parametrize("name", paradigm_names())
def test_every_shipped_file_is_valid_and_proposes_a_session(name):
    paradigm = make_paradigm(f"paradigm:{name}")
    assert paradigm.settings.title
    assert paradigm.defaults["sim"].startswith("sim:")
    assert paradigm.defaults["pipeline"]


# ---- rehabilitation ------------------------------------------------------------------------------------------------
REHAB = {"base": "motor-imagery-fes", "trials_per_run": 10, "runs": 2, "calibration_runs": 1, "between_runs": 1.0}


def skilled(make_decision, p=0.95):
    return lambda paradigm: lambda request: make_decision(request, SFREQ, paradigm.classes, paradigm.trial.label, p)


def test_fes_follows_the_attempt_and_nothing_follows_rest(run, make_decision):
    paradigm, done = chunk_free(run, REHAB, skilled(make_decision))
    results = paradigm.results()
    assert results["n_trials"] == 20
    assert results["hit_rate"] == 1.0
    assert results["false_triggers"] == 0
    assert results["n_idle_trials"] == 4
    assert "unasked it came in 0 of 4 idle trials" in results["meaning"][0]
    assert results["assists"] == 16
    assert results["assist_seconds"] == pytest.approx(48.0)
    assert [command.name for command in done.commands] == ["stimulate"] * 16
    command = done.commands[0]
    assert command.data["ramp"] >= 0.5
    assert command.data["duration"] == command.ttl == 3.0
    starts, stops = done.named("assist/start"), done.named("assist/end")
    assert len(starts) == len(stops) == 16
    assert all(stop.sample - start.sample == 750 for start, stop in zip(starts, stops, strict=True))
    # No assistance within a pause of at least four seconds, so the duty stays below 30 %.
    gaps = np.diff([event.sample for event in starts]) / SFREQ
    assert gaps.min() > 3.0 / 0.3
    assert results["threshold"] > 0.70


def test_it_gets_easier_for_who_does_not_reach_the_threshold(run, make_decision):
    paradigm = make_paradigm(REHAB)
    run(paradigm, skilled(make_decision, p=0.62)(paradigm))
    assert paradigm.results()["threshold"] < 0.70
    assert make_paradigm({**REHAB, "difficulty": {"adapt": False}}).settings.threshold == 0.70


def test_nothing_makes_it_easier_than_what_the_idle_test_was_made_with(run, make_decision):
    paradigm = make_paradigm(REHAB)
    answer = skilled(make_decision, p=0.62)(paradigm)

    def tested(request):
        paradigm.keep_tested()
        return answer(request)

    run(paradigm, tested)
    assert paradigm.results()["threshold"] == 0.70
    with pytest.raises(BciError, match=r"made with a threshold of 0\.7; a lower one \(0\.65\) needs another idle test"):
        paradigm.on_operator("difficulty", 0, 0.0, value=0.65)
    assert paradigm.on_operator("difficulty", 0, 0.0, value=0.8)[0].data["threshold"] == 0.80
    assert paradigm.on_operator("difficulty", 0, 0.0, value=0.7)[0].data["threshold"] == 0.70


def rested(paradigm, make_decision, p, *, seconds=30.0, label="right_hand"):
    """Return what a run would have made of windows at rest, all of one probability, and the seconds of each label."""
    paradigm.configure(StreamInfo(name="test", sfreq=SFREQ, ch_names=("C3", "Cz", "C4")), seed=1)
    paradigm.start(0, 100.0)
    length, rate = paradigm.resting()
    found = []
    for stop in range(length, round(seconds * SFREQ), round(SFREQ / rate)):
        request = WindowRequest(stop, length, trial=-1, kind="idle-test")
        found.append(paradigm.at_rest(make_decision(request, SFREQ, paradigm.classes, label, p), request))
    return found, [(one.sample + 1) / SFREQ for one in found if one.label == label]


def test_at_rest_what_decides_is_what_decides_in_a_run(make_decision):
    """Single windows of 0.66 are below the threshold; what they say together in one attempt is not."""
    found, moved = rested(make_paradigm(REHAB), make_decision, 0.66)
    assert moved == []
    assert found[-1].data["smoothed"] == pytest.approx(0.66, abs=0.001)
    together = make_paradigm(REHAB)
    together.stopping = Stopping(confidence=0.9, max_seconds=600.0)
    found, moved = rested(together, make_decision, 0.66)
    # log(9) / log(0.66 / 0.34) = 3.31 windows of 1.5 s are enough: 5.0 s after the beginning of each attempt of 6 s,
    # the first of which is an eighth of a second before the first window is complete.
    begin, needed = 1.5 - 0.125, 1.5 * math.log(9) / math.log(0.66 / 0.34)
    assert moved[0] == pytest.approx(begin + needed, abs=0.13)
    again = next(at for at in moved if at > begin + 6.1)
    assert again == pytest.approx(begin + 6.0 + needed, abs=0.26), "evidence begins anew with each attempt"
    assert max(max(one.probabilities) for one in found) < 0.95
    assert together.trial.section.name == "calibration 1", "the trial of the protocol waits as it was"


@pytest.mark.parametrize("base", ["ssvep-menu", "code-menu"])
def test_a_menu_at_rest_begins_anew_with_each_flicker_and_has_as_many_windows(make_decision, base):
    trained = {"decoder": "", "growing": False, "calibration_rounds": 6} if base == "ssvep-menu" else {}
    menu = make_paradigm({"base": base, **trained})
    first, every = menu.window_seconds
    length = menu.settings.n_windows * every
    menu.stopping = Stopping(confidence=0.9, max_seconds=600.0)
    found, _ = rested(menu, make_decision, 0.35, label="up")
    assert menu.resting()[1] == pytest.approx(1.0 / every)
    # What says little adds up within a flicker, as in a run, and not over all of the rest.
    sums = [one.data["seconds"] for one in found]
    assert sums[0] == pytest.approx(first, abs=0.01)
    assert max(sums) <= first + length + 0.01
    begins = [at for at, seconds in enumerate(sums) if seconds == sums[0]]
    assert len(begins) > 3
    assert set(np.diff(begins)) <= {menu.settings.n_windows, menu.settings.n_windows - 1}
    # So do the windows in a row without a rule of stopping.
    single = make_paradigm({"base": base, **trained, "k": 2, "n": 2})
    found, _ = rested(single, make_decision, 0.99, label="up")
    assert [one.label for one in found[:2]] == [None, "up"]
    n = next(at for at, one in enumerate(found) if at >= 2 and one.label is None)
    assert n in (single.settings.n_windows, single.settings.n_windows - 1), "the next flicker begins with nothing"
    single.forget()
    assert single._winner == ""


def test_where_windows_grow_each_window_at_rest_is_a_flicker(make_decision):
    menu = make_paradigm({"base": "ssvep-menu", "decoder": "", "calibration_rounds": 6})
    menu.stopping = Stopping(confidence=0.9, max_seconds=600.0)
    found, _ = rested(menu, make_decision, 0.5, label="up")
    assert {one.data["seconds"] for one in found} == {found[0].data["seconds"]}
    assert found[0].data["seconds"] == pytest.approx(menu.settings.flicker - menu.settings.latency, abs=0.01)


@pytest.mark.parametrize("growing", [True, False])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_at_rest_windows_in_a_row_choose_as_in_a_flicker(make_decision, growing, k):
    table = {"decoder": "", "calibration_rounds": 6, "k": k, "n": k, "growing": growing}
    menu = make_paradigm({"base": "ssvep-menu", **table})
    found, moved = rested(menu, make_decision, 0.98, label="up")
    labels = [one.label for one in found]
    assert labels[: k + 1] == [None] * (k - 1) + ["up", "up"]
    each = menu.settings.n_windows
    assert len(moved) == pytest.approx(len(found) * (each - k + 1) / each, rel=0.1)


def test_a_switch_at_rest_follows_what_is_wanted_and_begins_its_run_with_nothing_wanted(make_decision):
    paradigm = make_paradigm({"base": "brain-switch", "calibration_trials": 0})
    found, moved = rested(paradigm, make_decision, 0.9, label="left_hand")
    assert len(moved) == 1, "it acts once, and again after nothing was wanted"
    assert found[-1].probabilities[0] > 0.9
    paradigm.forget()
    again, _ = rested(paradigm, make_decision, 0.9, label="left_hand", seconds=2.05)
    assert again[0].probabilities[0] < 0.9


def test_sham_comes_at_random_and_yoked_at_the_other_persons_times(run, make_decision):
    def never(paradigm):
        return lambda request: make_decision(request, SFREQ, paradigm.classes, "rest", 0.9)

    sham = make_paradigm({**REHAB, "arm": "sham"})
    run(sham, never(sham))
    delays = sham.results()["assist_delays"]
    assert len(delays) == 16
    assert len(set(delays)) > 5
    own = [row for row in sham.results()["trials"] if judged(row)]
    assert {row["class"] for row in own} == {"rest"}
    assert (sham.results()["hit_rate"], sham.results()["n_left_out"]) == (None, 16)
    assert sham.results()["n_idle_trials"] == len(own) == 4
    yoked = make_paradigm({**REHAB, "arm": "yoked", "yoked_delays": [2.0], "blind": True})
    run(yoked, never(yoked))
    results = yoked.results()
    assert results["assist_delays"] == [2.0] * 16
    # A code made of the arm would be the same for everybody in it.
    assert results["arm"] == "sealed"
    assert "planned_delay" not in results["trials"][0]
    assert (results["accuracy"], results["hit_rate"], results["n_left_out"]) == (None, None, 0)
    # The gate still has the last word.
    refused = make_paradigm({**REHAB, "arm": "sham"})
    done = run(refused, never(refused), allow=False)
    assert done.commands == []
    assert (refused.results()["hit_rate"], refused.results()["n_left_out"]) == (None, 16)
    with pytest.raises(ConfigError, match="yoked_delays"):
        make_paradigm({**REHAB, "arm": "yoked"})


MOVES = {"calibration_runs": 0, "runs": 1, "idle_share": 0.0}


@pytest.mark.parametrize("votes", [1, 5])
def test_the_yoked_arm_has_the_help_of_the_other_one_when_that_had_it(run, make_decision, votes):
    gate = GateSettings(k=votes, n=8)
    begins = [0.0, 1.0, 2.0, 3.0, 4.0, 4.25, 4.5, 4.75, 4.875, 5.25, 5.375, 5.5]
    other = make_paradigm({**REHAB, **MOVES, "trials_per_run": len(begins)})
    other.votes = votes

    def tries(request):
        trial = other.trial
        now = (request.stop_sample - trial.onset) / 128.0 >= begins[trial.index]
        return make_decision(request, 128.0, other.classes, "right_hand", 0.99 if now else 0.5)

    run(other, tries, sfreq=128.0, gate=Gate(gate))
    delays = other.results()["assist_delays"]
    assert 8 <= len(delays) < len(begins)
    assert delays[-1] == pytest.approx(6.0, abs=1 / 128), "with the last decision"
    # The samples of whoever is yoked are of another length, and the decoder has nothing to say.
    yoked = make_paradigm({**REHAB, **MOVES, "arm": "yoked", "yoked_delays": [*delays, 6.0], "trials_per_run": 30})
    yoked.votes = votes
    run(yoked, lambda request: make_decision(request, SFREQ, yoked.classes, "rest", 0.9), gate=Gate(gate))
    expected = list(itertools.islice(itertools.cycle([*delays, 6.0]), 30))
    assert yoked.results()["assist_delays"] == pytest.approx(expected, abs=1 / SFREQ)


@pytest.mark.parametrize(("votes", "older"), [(1, False), (5, False), (5, True)])
def test_sham_help_is_as_likely_at_any_time_of_the_attempt(run, make_decision, votes, older):
    """Drawn from the cue on, two in five came with the end of the film."""
    sham = make_paradigm({"base": "action-observation", **MOVES, "arm": "sham", "trials_per_run": 120})
    sham.votes = votes
    Earlier(late_help=older).prepare(sham)
    gate = Gate(GateSettings(k=votes, n=8))
    done = run(sham, lambda request: make_decision(request, SFREQ, sham.classes, "rest", 0.9), gate=gate, chunk=100)
    assert Earlier.of(done.events).late_help is older
    planned = np.array([row["planned_delay"] for row in sham.results()["trials"]])
    if older:
        assert np.mean(planned <= 4.0) > 0.3
        return
    assert sham.results()["assist_delays"] == pytest.approx(planned, abs=1 / SFREQ)
    first = 4.0 + votes / 8
    assert first <= planned.min() < first + 0.5
    assert 9.5 < planned.max() <= 10.0
    assert np.mean(planned < (first + 10.0) / 2) == pytest.approx(0.5, abs=0.12)
    assert np.unique(planned, return_counts=True)[1].max() < 12


@pytest.mark.parametrize("older", [False, True])
def test_what_the_therapist_holds_back_does_not_come_by_the_plan_of_an_arm_either(run, make_decision, older):
    yoked = make_paradigm({**REHAB, **MOVES, "arm": "yoked", "yoked_delays": [2.0]})
    Earlier(late_help=older).prepare(yoked)

    def hold(request):
        if yoked.trial.index == 1:
            yoked.on_operator("override", request.stop_sample, 0.0, assist=False)
        return make_decision(request, SFREQ, yoked.classes, "rest", 0.9)

    done = run(yoked, hold)
    assert yoked.results()["assists"] == (10 if older else 9)
    held = {request.stop_sample - 1 for request in done.requests if request.trial == 1}
    reasons = {one.reason for one in done.decisions if one.sample in held}
    assert ("held-by-therapist" in reasons) is not older
    assert yoked.results()["trials"][1]["override"] == "hold"


def test_the_therapist_helps_holds_skips_and_grades(run, make_decision):
    paradigm = make_paradigm({**REHAB, "calibration_runs": 0, "runs": 1, "idle_share": 0.0})
    said = {0: ("override", {"assist": True}), 1: ("override", {"assist": False}), 2: ("skip", {})}

    def answer(request):
        trial = paradigm.trial
        action = said.pop(trial.index, None)
        if action is not None:
            paradigm.on_operator(action[0], request.stop_sample, 0.0, **action[1])
        return make_decision(request, SFREQ, paradigm.classes, "rest" if trial.index == 0 else trial.label)

    run(paradigm, answer)
    rows = paradigm.results()["trials"]
    assert rows[0]["by"] == "therapist"
    assert rows[0]["override"] == "assist"
    assert rows[0]["predicted"] == "right_hand"
    assert rows[1]["override"] == "hold"
    assert rows[1]["predicted"] == "rest"
    assert rows[2]["skipped"]
    assert paradigm.on_operator("difficulty", 0, 0.0, value=0.99)[0].data["threshold"] == 0.90


def test_of_a_calibration_a_trial_that_was_cut_off_and_skipped_teaches_nothing():
    paradigm = make_paradigm({**REHAB, "calibration_runs": 1, "runs": 1})
    paradigm.configure(StreamInfo(name="test", sfreq=SFREQ, ch_names=("C3", "Cz", "C4")), seed=1)
    paradigm.start(0, 100.0)
    ends, sample = [], 0
    while len(ends) < 2:
        sample += 8
        for event in paradigm.advance(sample, 100.0 + sample / SFREQ):
            if event.name == "trial/end":
                ends.append(event.data)
            elif event.name == "phase/attempt" and paradigm.trial.index == 1:
                left = len(paradigm._queue)
                paradigm.interrupt(sample + 1)
                for _ in range(2):
                    paradigm.on_operator("skip", sample, 0.0)
                assert len(paradigm._queue) == left, "it is not asked for again, and the next one is"
    assert [(end["trial"], end["kind"], end.get("interrupted")) for end in ends] == [
        (0, "calibration", None), (1, "calibration", True)
    ]  # fmt: skip


def test_a_trial_that_a_pause_cut_off_and_the_therapist_skips_is_not_asked_for_again(run, make_decision):
    paradigm = make_paradigm({**REHAB, "calibration_runs": 0, "runs": 1, "idle_share": 0.0})
    cut = []

    def answer(request):
        if paradigm.trial.index == 1 and not cut:
            cut.append(paradigm.trial)
            left = len(paradigm._queue)
            paradigm.interrupt(request.stop_sample + 1)
            paradigm.on_operator("skip", request.stop_sample, 0.0)
            assert len(paradigm._queue) == left
        return make_decision(request, SFREQ, paradigm.classes, paradigm.trial.label)

    done = run(paradigm, answer)
    rows = paradigm.results()["trials"]
    assert [row["trial"] for row in rows if row.get("skipped")] == [1]
    assert [row["trial"] for row in rows] == list(range(len(rows)))
    assert len(rows) == paradigm.settings.trials_per_run
    assert not [event for event in done.events if event.name == "trial/end" and event.data.get("interrupted")]


@pytest.mark.parametrize(
    ("action", "about"), [("override", {"assist": True}), ("override", {"assist": False}), ("skip", {})]
)
@pytest.mark.parametrize("older", [False, True])
def test_what_the_therapist_decides_is_no_hit_no_miss_and_moves_no_threshold(run, make_decision, action, about, older):
    paradigm = make_paradigm({**REHAB, "calibration_runs": 0, "trials_per_run": 24, "runs": 1, "idle_share": 0.5})
    events = []

    def answer(request):
        if paradigm.trial.index < 22 and "override" not in paradigm.trial.data:
            events.extend(paradigm.on_operator(action, request.stop_sample, 0.0, **about))
        return make_decision(request, SFREQ, paradigm.classes, paradigm.trial.label, 0.95)

    if older:
        # Without the mark a recording is of a version in which they counted: it is replayed as it was.
        assert Earlier.of([Event(name=f"therapist/{action}", time=100.0, source="paradigm", data=about)]).all_grade
        Earlier(all_grade=True).prepare(paradigm)
    run(paradigm, answer)
    assert Earlier.of(events).all_grade is older
    results = paradigm.results()
    alone = [row for row in results["trials"] if row["trial"] >= 22]
    moves = [row["seconds"] for row in alone if row["class"] == "right_hand"]
    assert (results["threshold"] == 0.70) is not older
    assert results["assist_delays"] == moves
    assert results["hit_rate"] == (1.0 if moves else None)
    assert (results["n_left_out"], results["n_idle_trials"], results["false_triggers"]) == (22, 2 - len(moves), 0)


def test_who_helps_after_the_hit_takes_nothing_from_it(run, make_decision):
    paradigm = make_paradigm({**REHAB, "calibration_runs": 0, "runs": 1, "idle_share": 0.0})

    def answer(request):
        return make_decision(request, SFREQ, paradigm.classes, paradigm.trial.label, 0.95)

    settle = paradigm.settle

    def late(*args):
        settle(*args)
        paradigm.on_operator("override", args[-1].stop_sample, 0.0, assist=True)

    paradigm.settle = late
    run(paradigm, answer)
    assert (paradigm.results()["hit_rate"], paradigm.results()["n_left_out"]) == (1.0, 0)


def test_a_duty_above_the_limit_cannot_be_written():
    with pytest.raises(ConfigError, match="at most 30%"):
        make_paradigm({**REHAB, "pause": [0.0, 0.0], "rest": 0.0})
    with pytest.raises(ConfigError, match=r"assist\.amplitude_ma is 80"):
        make_paradigm({**REHAB, "assist": {"amplitude_ma": 80}})


# ---- neurofeedback -------------------------------------------------------------------------------------------------
def test_neurofeedback_keeps_the_reward_rate_and_freezes_on_artefacts(run):
    table = {"base": "neurofeedback-smr", "baseline": 60.0, "block": 240.0, "blocks": 3, "between_blocks": 1.0}
    paradigm = make_paradigm(table)
    rng = np.random.default_rng(3)

    def answer(request):
        trial = paradigm.trial
        gain = 1.0 if trial.label == "baseline" else 1.0 + 0.3 * (trial.index - 1)
        artefact = trial.index == 3 and request.stop_sample - trial.start < 60 * SFREQ
        powers = {
            "reward": gain * float(rng.lognormal(0.0, 0.5)),
            "inhibit0": 100.0 if artefact else 1.0,
            "inhibit1": 1.0,
        }
        return blank(request, paradigm.classes, powers=powers, bad=0.0)

    done = run(paradigm, answer)
    results = paradigm.results()
    assert results["n_trials"] == 3
    assert results["block_power"] == sorted(results["block_power"])
    assert results["power_slope_per_block"] > 0.2
    assert all(0.5 <= share <= 0.75 for share in results["share_above"])
    assert results["trials"][2]["artefacts"] == pytest.approx(59 * 8, abs=10)
    assert results["rewards"] > 50
    assert {command.name for command in done.commands} == {"reward"}
    course = [point["threshold"] for point in results["threshold_course"]]
    assert all(abs(b / a - 1) <= 0.05 + 1e-9 for a, b in itertools.pairwise(course))
    assert min(course) >= paradigm._floor


@pytest.mark.parametrize(
    ("bad", "power", "meaning"),
    [
        (range(20, 60), 3.0, r"2\.00 uV² at rest and 3\.00 uV² in the last of 2 blocks \(\+50 %\)"),
        (range(999), None, "not known"),
    ],
)
def test_the_power_of_a_block_is_that_of_its_clean_windows(run, bad, power, meaning):
    table = {"base": "neurofeedback-smr", "baseline": 30.0, "block": 30.0, "blocks": 2, "between_blocks": 1.0}
    paradigm = make_paradigm(table)
    asked = []

    def answer(request):
        asked.append(request)
        if len(asked) in range(11, 16):
            # Five of the 233 windows at rest are of a movement.
            return blank(request, paradigm.classes, powers={"reward": 900.0, "inhibit0": 9.0, "inhibit1": 1.0}, bad=0.0)
        burst = paradigm.trial.index == 2 and sum(one.trial == 2 for one in asked) in bad
        reward = 5000.0 if burst else 2.0 if paradigm.trial.label == "baseline" else 3.0
        powers = {"reward": reward, "inhibit0": 1.0, "inhibit1": 1.0}
        decision = blank(request, paradigm.classes, powers=powers, bad=1.0 if burst else 0.0)
        return replace(decision, reason="bad-data") if burst else decision

    run(paradigm, answer)
    results = paradigm.results()
    assert results["block_power"] == [3.0, power]
    assert results["baseline_power"] == 2.0
    assert results["power_slope_per_block"] == (None if power is None else pytest.approx(0.0, abs=1e-9))
    assert re.search(meaning, results["meaning"][0])
    assert results["trials"][1]["artefacts"] == min(len(bad), 233)


# ---- speller -------------------------------------------------------------------------------------------------------
def eeg_speller(strength, seed=0):
    """Answer each flash with a calibrated probability from Gaussian scores with this distance."""

    def build(paradigm):
        def answer(request):
            # The same score for the same flash, whatever the order of calls.
            rng = np.random.default_rng([seed, request.stop_sample])
            target = paradigm.trial.label in request.data["items"]
            score = rng.normal(strength if target else 0.0)
            share = 1 / 6 if paradigm.settings.mode == "row-column" else 1 / 9
            odds = share / (1 - share) * math.exp(strength * score - strength**2 / 2)
            p = odds / (1 + odds)
            return Decision(
                time=100.0 + (request.stop_sample - 1) / SFREQ,
                sample=request.stop_sample - 1,
                classes=("target", "nontarget"),
                probabilities=(p, 1 - p),
                label="target" if p > 0.5 else "nontarget",
            )

        return answer

    return build


def test_the_speller_writes_the_word_and_stops_early(run):
    paradigm, done = chunk_free(run, {"base": "p300-speller", "calibration_sequences": 2}, eeg_speller(1.5))
    results = paradigm.results()
    assert results["text"] == "BRAIN"
    assert 2 <= results["mean_sequences"] < 6
    assert results["itr"] > 10
    selects = [command.value for command in done.commands]
    assert selects[-1] == "N"
    flashes = done.named("stimulus/flash")
    trial = [event for event in flashes if event.data["trial"] == 0]
    assert len(trial) == 24
    gaps = np.diff([event.sample for event in trial]) / SFREQ
    assert gaps.std() <= 0.002
    # 0.1 and 0.075 s are 6 and 4 of 60 frames a second.
    assert gaps.mean() == pytest.approx(10 / 60, abs=1e-4)
    items = [set(event.data["items"]) for event in trial]
    assert all(not (a & b) for a, b in zip(items[11::12], items[12::12], strict=False))
    labels = [event.name for event in done.named("label/") if event.data["trial"] == 0]
    assert labels.count("label/target") == 4


_HASTY = {
    "base": "p300-speller",
    "calibration": "",
    "max_selections": 40,
    "threshold": 0.6,
    "min_sequences": 1,
    "language": False,
}


def test_wrong_letters_are_taken_back(run):
    paradigm = make_paradigm(_HASTY)
    run(paradigm, eeg_speller(1.0, seed=0)(paradigm))
    results = paradigm.results()
    wrong = [row for row in results["trials"] if row["predicted"] not in (None, row["class"])]
    assert wrong
    assert any(row["class"] == "<" for row in results["trials"])
    assert results["text"] == "BRAIN"


def test_words_that_would_be_asked_for_letter_by_letter_are_refused(run):
    """Its first cue asked for 'y', which no flash holds: every trial was wrong."""
    words = {"kind": "p300-speller", "rows": [["yes", "no", "help", "<"]], "mode": "single", "calibration": []}
    words |= {"copy_text": ["yes", "no"], "max_selections": 3}
    with pytest.raises(ConfigError, match="copy_text holds yes, no: say correct = false, or copy letters"):
        make_paradigm(words)
    with as_recorded():
        assert make_paradigm(words).settings.correct, "what was recorded so is replayed"
    paradigm = make_paradigm({**words, "correct": False})
    done = run(paradigm, eeg_speller(2.5)(paradigm))
    assert [event.name for event in done.named("cue/")] == ["cue/yes", "cue/no"]
    assert paradigm.results()["accuracy"] == 1.0
    letters = make_paradigm({**words, "rows": [["yes", "n", "o", "<"]], "copy_text": ["n", "o"]})
    assert letters.settings.correct


def spelled(run, table, wanted, *, older=False):
    """Return the texts after each selection, and the events, of somebody who chooses these items in turn."""
    paradigm = make_paradigm({"kind": "p300-speller", "calibration": [], "copy_text": "", "correct": False, **table})
    Earlier(back_by_letter=older).prepare(paradigm)

    def answer(request):
        yes = wanted[min(paradigm._selections, len(wanted) - 1)] in request.data["items"]
        return replace(blank(request, ("target", "nontarget")), probabilities=(0.99, 0.01) if yes else (0.001, 0.999))

    done = run(paradigm, answer)
    return [row["text"] for row in paradigm.results()["trials"]], done.named("select/")


@pytest.mark.parametrize("older", [False, True])
def test_what_takes_back_takes_the_whole_of_the_last_one(run, older):
    table = {"rows": [["yes", "no", "help", "<"]], "mode": "single", "max_selections": 6, "language": False}
    wanted = ["yes", "help", "<", "no", "<", "<"]
    texts, events = spelled(run, table, wanted, older=older)
    if older:
        assert texts[:3] == ["yes", "yes help", "yes hel"]
    else:
        assert texts == ["yes", "yes help", "yes", "yes no", "yes", ""]
        assert [event.data["taken_back"] for event in events if event.name == "select/<"] == [" help", " no", "yes"]
    assert Earlier.of(events).back_by_letter is older
    letters = {"rows": [["A", "_", "B", "<"]], "mode": "single", "max_selections": 5, "language": False}
    assert spelled(run, letters, ["<", "A", "_", "B", "<"])[0] == ["", "A", "A ", "A B", "A "]
    words = {"rows": [["B", "R"], ["<", "#1"]], "predictions": 1, "max_selections": 4}
    assert spelled(run, words, ["B", "R", "#1", "<"])[0][1::2] == ["BR", "BR"]


def test_a_speller_of_noise_decides_nothing_or_at_chance(run):
    paradigm = make_paradigm(
        {"base": "p300-speller", "calibration": "", "language": False, "correct": False, "copy_text": "ABCDEFGHIJ"}
    )

    def noise(request):
        share = 1 / 6
        decision = blank(request, ("target", "nontarget"))
        return Decision(
            time=decision.time, sample=decision.sample, classes=decision.classes, probabilities=(share, 1 - share)
        )

    done = run(paradigm, noise)
    assert done.commands == []
    assert paradigm.results()["text"] == ""
    assert paradigm.results()["n_undecided"] == 10


def test_without_the_time_of_a_whole_trial_there_is_no_rate():
    row = {"class": "a", "predicted": "a", "correct": True, "allowed": True, "seconds": 3.0}
    assert summarise([row], ("a", "b"))["itr"] is None
    assert summarise([{**row, "lasted": 10.0}], ("a", "b"))["itr"] == pytest.approx(6.0)


def test_the_time_of_undecided_trials_counts_in_what_is_written_a_minute(run):
    table = {"base": "p300-speller", "calibration": "", "language": False, "correct": False, "copy_text": "ABABABABAB"}
    paradigm = make_paradigm(table)
    knows = eeg_speller(4.0)(paradigm)

    def answer(request):
        if paradigm.trial.label == "A":
            return knows(request)
        return replace(blank(request, ("target", "nontarget")), probabilities=(1 / 6, 5 / 6))

    done = run(paradigm, answer)
    results = paradigm.results()
    assert (results["text"], results["n_undecided"]) == ("AAAAA", 5)
    starts = [event.sample for event in done.named("trial/start")]
    ends = [event.sample for event in done.named("trial/end")]
    assert starts[1:] == ends[:-1]
    minutes = (ends[-1] - starts[0]) / SFREQ / 60
    assert results["items_per_minute"] == results["letters_per_minute"] == pytest.approx(5 / minutes)
    assert results["seconds_per_selection"] == pytest.approx(6 * minutes)
    assert results["itr"] == pytest.approx(itr(0.5, 36, 6 * minutes))


def test_single_items_and_words_by_prediction(run):
    paradigm = make_paradigm("p300-single")
    run(paradigm, eeg_speller(2.0)(paradigm))
    assert [row["predicted"] for row in paradigm.results()["trials"]] == ["WATER", "NO", "NURSE"]
    table = {
        "kind": "p300-speller",
        "rows": [["B", "R", "A"], ["I", "N", "_"], ["<", "#1", "#2"]],
        "predictions": 2,
        "calibration": [],
        "copy_text": ["B", "R", "A", "#1"],
        "correct": False,
    }
    words = make_paradigm(table)
    done = run(words, eeg_speller(2.5)(words))
    assert words.results()["text"].startswith("BRAIN ")
    assert done.named("prediction/words")[-1].data["words"][0] == "BRAIN"


@pytest.mark.parametrize(("sure", "undone"), [(0.99999, True), (0.4, False)])
def test_an_error_potential_takes_the_selection_back(run, sure, undone):
    paradigm = make_paradigm({"base": "p300-single", "calibration": [], "copy_text": ["WATER"], "max_selections": 1})
    speller = eeg_speller(2.0)(paradigm)

    class Errp:
        def decide(self, window, *, now=None):
            raise AssertionError("the driver answers")

    paradigm.error_check = ErrorCheck(decider=Errp(), tmin=0.2, tmax=0.8)

    def answer(request):
        if request.kind != "error-potential":
            return speller(request)
        assert paradigm.decider_for(request) is not None
        base = blank(request, ("error", "correct"))
        return Decision(
            time=base.time, sample=base.sample, classes=base.classes, probabilities=(sure, 1 - sure), label="error"
        )

    done = run(paradigm, answer)
    assert [command.name for command in done.commands] == ["select", "undo"][: 1 + undone]
    assert paradigm.results()["text"] == ("" if undone else "WATER")
    row = paradigm.results()["trials"][0]
    assert row.get("undone") == ("WATER" if undone else None)
    assert (row["p_error"] >= 0.8) == undone


# ---- SSVEP ---------------------------------------------------------------------------------------------------------
def test_the_rate_of_a_menu_with_outside_cues_counts_from_cue_to_cue(run, make_decision):
    settings = {"cues": "external", "external": {"1": "up", "2": "down"}, "external_trials": 3}
    menu = make_paradigm({"base": "ssvep-menu", **settings})
    outside = [
        Event(name=str(1 + at % 2), time=0.0, sample=round(SFREQ * begin)) for at, begin in enumerate((0, 8, 20))
    ]
    run(menu, skilled(make_decision)(menu), outside=outside)
    results = menu.results()
    assert [row["lasted"] for row in results["trials"]] == [8.0, 12.0, None]
    assert results["seconds_per_choice"] == 10.0
    assert results["itr"] == pytest.approx(60 * 2 / 10)
    single = make_paradigm({"base": "ssvep-menu", **settings, "external_trials": 1})
    run(single, skilled(make_decision)(single), outside=outside)
    assert single.results()["itr"] is None, "of one trial nobody knows when the next would have come"


def test_the_menu_chooses_and_looking_away_chooses_nothing(run, make_decision):
    def build(paradigm):
        def answer(request):
            length = request.n_times / SFREQ
            return make_decision(request, SFREQ, paradigm.classes, paradigm.trial.label, 0.9 if length >= 1.5 else 0.5)

        return answer

    paradigm, done = chunk_free(run, "ssvep-menu", build)
    results = paradigm.results()
    assert results["n_trials"] == 25
    assert results["target_accuracy"] == 1.0
    assert results["false_choices"] == 0
    assert results["n_idle_trials"] == 5
    # 1.5 s of EEG at the earliest, two steps more for three answers alike, 0.14 s from screen to cortex.
    assert results["seconds_to_decision"] == pytest.approx(1.5 + 2 * 0.25 + 0.14, abs=0.005)
    # From one cue to the next: the look at the target before, and the dark gap after it.
    whole = paradigm.settings.cue + results["seconds_to_decision"] + paradigm.settings.blank
    assert results["seconds_per_choice"] == pytest.approx(whole, abs=0.01)
    assert results["itr"] == pytest.approx(60 * 2 / whole, rel=0.005)
    flicker = done.named("stimulus/flicker")[0].data
    assert {item["item"] for item in flicker["targets"]} == {"up", "right", "down", "left"}
    assert flicker["frequency"] in (0.0, 60 / 7, 10.0, 12.0, 7.5)
    assert len(done.commands) == 20


def test_frequencies_that_the_screen_or_the_stream_cannot_show_are_refused():
    targets = [{"name": "a", "frequency": 8.5}, {"name": "b", "frequency": 40.0}]
    with pytest.raises(ConfigError) as caught:
        make_paradigm({"kind": "ssvep-menu", "targets": targets, "stimulation": "frame-period"})
    assert "targets.a.frequency = 8.5" in str(caught.value)
    assert "targets.b.frequency = 40" in str(caught.value)
    slow = StreamInfo(name="slow", sfreq=20.0, ch_names=("Oz",))
    with pytest.raises(ArgumentError, match="Nyquist"):
        make_paradigm("ssvep-menu").configure(slow, seed=0)


# ---- steering, driving, blocks -------------------------------------------------------------------------------------
def test_steering_reaches_the_side_that_is_imagined(run, make_decision):
    quick = {"base": "vr-imagery", "trials_per_run": 6, "feedback_runs": 1, "calibration_runs": 0}
    paradigm, done = chunk_free(run, quick, skilled(make_decision, p=0.9))
    results = paradigm.results()
    assert results["hit_rate"] == 1.0
    assert results["straightness"] == pytest.approx(1.0, abs=0.05)
    assert {command.name for command in done.commands} == {"move"}
    unsure = make_paradigm(quick)
    run(unsure, skilled(make_decision, p=0.5)(unsure))
    assert unsure.results()["hits"] == 0


def drowsy_answer(paradigm, *, rises_at):
    rng = np.random.default_rng(1)

    def answer(request):
        trial = paradigm.trial
        seconds = (request.stop_sample - trial.start) / SFREQ
        slow = 1.0 if trial.label == "baseline" or seconds < rises_at else 3.0
        powers = {"theta": slow * rng.lognormal(0, 0.2), "alpha": slow * rng.lognormal(0, 0.2), "beta": 1.0}
        return blank(request, paradigm.classes, powers=powers, bad=0.0)

    return answer


def test_drowsiness_is_told_in_time_and_an_alert_driver_is_left_alone(run):
    sleepy = make_paradigm("driving-vigilance")
    done = run(sleepy, drowsy_answer(sleepy, rises_at=600.0))
    results = sleepy.results()
    # The alert baseline before it is no drive.
    assert (results["n_trials"], [row["section"] for row in results["trials"]]) == (1, ["drive"])
    assert 600.0 < results["seconds_to_first_warning"] < 640.0
    assert results["n_warnings"] >= 2
    warned = [alarm["sample"] for alarm in results["alarms"] if alarm["must"]]
    assert np.diff(warned).min() >= 60 * SFREQ
    assert all(command.data["advisory"] for command in done.commands)
    # Every warning that must be given was handed out, and a level that is held is worded as one.
    assert len(done.commands) == results["n_warnings"]
    assert all(alarm["held_back"] == [] for alarm in results["alarms"])
    assert results["take_over_ready"] < 0.7
    # Who is to be told from KSS 5.5 on is, though the scale calls that "some sleepiness" from 6 on only.
    early = make_paradigm({"base": "driving-vigilance", "drive": 120.0, "advise_at": 5.5, "smooth": 2.0})
    early.configure(StreamInfo(name="s", sfreq=SFREQ, ch_names=("Cz",)), seed=0)
    early._centre = 0.0
    request = WindowRequest(1000, 1000, trial=0, kind="monitor")
    at = blank(request, early.classes, kss=5.7, z=1.0)
    no = Verdict(time=0.0, sample=0, allowed=False, label=None, reasons=("A-NONE",), state="ACTIVE")
    _, events = early._follow(5.7, at, no, request)
    assert events[-1].name == "advice/sleepy"
    alert = make_paradigm("driving-vigilance")
    run(alert, drowsy_answer(alert, rises_at=math.inf))
    assert alert.results()["n_warnings"] == 0
    assert alert.results()["share_of_time"]["alert"] > 0.9


def test_braking_is_seen_before_the_pedal_and_false_brakes_are_counted(run, make_decision):
    def build(paradigm):
        plan = []

        def answer(request):
            if not plan:
                plan.extend(paradigm._rows)
            rows = [row["sample"] for row in paradigm._rows]
            near = any(0.3 * SFREQ <= request.stop_sample - sample <= 0.6 * SFREQ for sample in rows)
            ghost = any(4.0 * SFREQ <= request.stop_sample - sample <= 4.3 * SFREQ for sample in rows[:2])
            return make_decision(request, SFREQ, paradigm.classes, "brake" if near or ghost else "cruise", 0.95)

        return answer

    quick = {"base": "emergency-braking", "calibration_brakings": 5, "brakings": 10}
    paradigm, done = chunk_free(run, quick, build)
    results = paradigm.results()
    assert results["hit_rate"] == 1.0
    assert 0.1 < results["lead_time"]["median"] < 0.6
    assert results["false_brakes"] == 2
    assert results["hit_interval"][0] == pytest.approx(0.722, abs=0.001)
    low, high = results["false_brakes_interval"]
    assert low < results["false_brakes_per_hour"] < high
    low, high = results["lead_time"]["quartiles"]
    assert low <= results["lead_time"]["median"] <= high
    assert results["accuracy"] is None
    assert results["false_brakes_per_hour"] == pytest.approx(2 * 3600 / results["seconds_driven"])
    assert results["metres_gained"] == pytest.approx(results["lead_time"]["mean"] * 100 / 3.6)
    assert {command.name for command in done.commands} == {"advise"}
    assert len(done.named("label/brake")) == len(done.named("stimulus/lead-brake")) == 15
    assert all(row["closest_advised"] > row["closest_pedal"] for row in results["trials"])


def test_a_real_pedal_is_taken_from_the_source(run, make_decision):
    quick = {"base": "emergency-braking", "calibration_brakings": 5, "brakings": 1, "driver": "source"}
    probe = make_paradigm(quick)
    done = run(probe, skilled(make_decision)(probe))
    onset = done.named("stimulus/lead-brake")[-1].sample
    assert done.named("response/pedal") == []
    # Without a pedal nothing is known of a lead before it.
    unseen = probe.results()
    assert unseen["before_pedal"] is None
    assert "The pedal was seen after 0 of them (response/pedal)" in unseen["meaning"][0]
    paradigm = make_paradigm(quick)
    pedal = Event(name="response/pedal", time=0.0, sample=onset + 175)
    run(paradigm, skilled(make_decision)(paradigm), outside=[pedal])
    assert paradigm.results()["trials"][0]["reaction"] == pytest.approx(0.7)
    (said,) = paradigm.on_source_event(pedal)
    assert (said.name, said.sample, said.source) == ("response/pedal", onset + 175, "paradigm"), "the lights go by it"
    assert paradigm.on_source_event(replace(pedal, name="a cough")) == []


def test_windows_of_driving_hold_nothing_of_a_braking(run, make_decision):
    paradigm = make_paradigm({"base": "emergency-braking", "calibration_brakings": 5, "brakings": 1})
    done = run(paradigm, skilled(make_decision)(paradigm))
    lights = np.array([event.sample for event in done.named("stimulus/lead-brake")])[:5]
    calm = np.array([event.sample for event in done.named("label/cruise") if event.sample < lights[-1]])
    cut = paradigm.calibration
    for light in lights:
        # From the brake light until all that follows it is over.
        meets = (calm + cut.tmax * SFREQ > light + 1) & (calm + cut.tmin * SFREQ < light + 1.5 * SFREQ - 1)
        assert not meets.any()
    assert len(calm) > 5 * 6


def test_a_rate_has_an_exact_interval():
    # Garwood's limits of a Poisson count, as in every table of them.
    assert rate_interval(0, 1.0) == (0.0, pytest.approx(3.689, abs=0.001))
    assert rate_interval(4, 2.0) == (pytest.approx(1.090 / 2, abs=0.001), pytest.approx(10.242 / 2, abs=0.001))


def test_brakings_follow_their_plan():
    plan = plan_brakings(
        200, np.random.default_rng(0), gap=(8.0, 16.0), deceleration=6.0, reaction=(0.7, 1.2), lead_in=5.0
    )
    gaps = np.diff([braking.seconds for braking in plan])
    assert gaps.min() >= 8.0
    assert gaps.max() <= 16.0
    assert np.median([braking.reaction for braking in plan]) == pytest.approx(0.7, abs=0.05)


def test_blocks_in_order_and_shuffled_from_the_seed(run, make_decision):
    paradigm = make_paradigm("eyes-open-closed")
    done = run(paradigm, skilled(make_decision)(paradigm))
    assert [event.name for event in done.named("phase/")] == ["phase/eyes-open", "phase/eyes-closed"]
    assert [event.sample for event in done.named("phase/")] == [0, 15000]
    assert paradigm.results()["seconds"] == {"eyes-open": 60.0, "eyes-closed": 60.0}
    orders = []
    for seed in (1, 1, 2):
        custom = make_paradigm("custom")
        orders.append([event.name for event in run(custom, skilled(make_decision)(custom), seed=seed).named("phase/")])
    assert orders[0] == orders[1] != orders[2]


# ---- the switch that is always on ----------------------------------------------------------------------------------
def test_the_switch_acts_once_an_asked_movement_and_not_at_rest(run):
    """The decoder has its classes in another order than the paradigm, as trained ones have."""
    order = ("left_hand", "rest", "right_hand")

    def answerer(paradigm):
        def answer(request):
            trial = paradigm.trial
            wanted = trial.label if request.start_sample >= trial.onset else "rest"
            base = blank(request, order)
            p = tuple(0.9 if name == wanted else 0.05 for name in order)
            return Decision(time=base.time, sample=base.sample, classes=order, probabilities=p, label=wanted)

        return answer

    paradigm, done = chunk_free(run, {"base": "brain-switch", "calibration_trials": 0, "trials": 4}, answerer)
    results = paradigm.results()
    assert results["sensitivity"] == 1.0
    assert results["false_activations"] == 0
    assert results["rest_minutes"] == pytest.approx(8 * 6.0 / 60.0, rel=0.1)
    assert 2.0 < results["seconds_to_switch"] < 3.0
    assert [command.value for command in done.commands] == [row["class"] for row in results["trials"]]


def test_a_restless_decoder_is_told_as_false_activations(run):
    order = ("left_hand", "rest", "right_hand")

    def answerer(paradigm):
        def answer(request):
            base = blank(request, order)
            wanted = order[0] if request.stop_sample // (3 * SFREQ) % 2 else order[1]
            p = tuple(0.9 if name == wanted else 0.05 for name in order)
            return Decision(time=base.time, sample=base.sample, classes=order, probabilities=p, label=wanted)

        return answer

    paradigm, _ = chunk_free(run, {"base": "brain-switch", "calibration_trials": 0, "trials": 4}, answerer)
    assert paradigm.results()["false_activations_per_minute"] > 3


def test_rest_in_which_nothing_could_be_decided_is_no_rest_without_a_switch(run):
    order = ("left_hand", "rest", "right_hand")
    found = {}
    for bad in (False, True):
        paradigm = make_paradigm({"base": "brain-switch", "calibration_trials": 0, "trials": 4})

        def answer(request, paradigm=paradigm, bad=bad):
            base = blank(request, order)
            if bad and paradigm.trial.index >= 2:
                return replace(base, reason="bad-data")
            return replace(base, probabilities=(0.05, 0.9, 0.05), label="rest")

        run(paradigm, answer)
        found[bad] = paradigm.results()
    assert found[False]["rest_minutes"] == pytest.approx((8 * 6.0 - 1.9) / 60)
    assert found[True]["rest_minutes"] == pytest.approx((2 * 6.0 - 1.9) / 60)
    assert found[True]["undecided_minutes"] == pytest.approx((6 * 6.0 + 1.9) / 60)
    assert "0 times in 0.2 min of rest. In 0.6 min more nothing could be decided." in found[True]["meaning"][0]


def test_what_was_asked_for_by_nobody_is_neither_rest_nor_wrong(run):
    """The free part of a switch is the person's own: ten minutes of it would hide what acts at rest."""
    order = ("left_hand", "rest", "right_hand")

    def restless(request):
        base = blank(request, order)
        wanted = order[0] if request.stop_sample // (3 * SFREQ) % 2 else order[1]
        p = tuple(0.9 if name == wanted else 0.05 for name in order)
        return Decision(time=base.time, sample=base.sample, classes=order, probabilities=p, label=wanted)

    found = []
    for free in (0.0, 600.0):
        paradigm = make_paradigm(
            {"base": "brain-switch", "classes": ["left_hand"], "calibration_trials": 0, "trials": 2, "free": free}
        )
        run(paradigm, restless)
        found.append(paradigm.results())
    without, with_free = found
    # Less the 1.9 s until the first window holds nothing of what was before.
    assert without["rest_minutes"] == pytest.approx(0.2 - 1.9 / 60)
    assert without["false_activations"] >= 1
    same = ("rest_minutes", "false_activations", "false_activations_per_minute", "n_trials", "accuracy", "meaning")
    assert {key: with_free[key] for key in same} == {key: without[key] for key in same}
    assert [row["class"] for row in with_free["trials"]] == ["left_hand", "left_hand", ""]
    # Who writes freely is neither right nor wrong.
    writer = make_paradigm(
        {"base": "p300-speller", "calibration": [], "copy_text": "", "correct": False, "max_selections": 2}
    )
    run(writer, lambda request: Decision(
        time=blank(request, ()).time, sample=blank(request, ()).sample, classes=("target", "nontarget"),
        probabilities=(0.9, 0.1) if "A" in request.data["items"] else (0.01, 0.99),
    ))  # fmt: skip
    assert writer.results()["n_trials"] == 2
    assert writer.results()["accuracy"] is None
