"""`evaluate --pseudo-online` runs the live code over whole recordings: what acts, when nothing was asked for, too."""

import json
from dataclasses import replace

import mne
import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding.acting import Acting, ActingRule
from bcikit.decoding.pseudo_online import summarise
from bcikit.session.as_if_live import LiveResult
from bcikit.signal import Decision, Event


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """One person, two runs of a minute: 3 s of left or right each 6 s, rest marked between."""
    root = tmp_path_factory.mktemp("people")
    place = root / "sub-1"
    place.mkdir()
    for run in range(2):
        rng = np.random.default_rng(run)
        data = rng.normal(0, 1e-5, (3, 128 * 64))
        onsets = 2.0 + 6.0 * np.arange(10)
        names = [("left", "right")[k % 2] for k in range(10)]
        for onset, name in zip(onsets, names, strict=True):
            start = int(onset * 128)
            data[0 if name == "left" else 2, start : start + 384] *= 4.0
        raw = mne.io.RawArray(data, mne.create_info(["C3", "Cz", "C4"], 128.0, "eeg"), verbose="ERROR")
        rest = onsets + 3.5
        raw.set_annotations(
            mne.Annotations(np.concatenate([onsets, rest]), [3.0] * 10 + [2.0] * 10, [*names, *["pause"] * 10])
        )
        raw.save(place / f"run-{run}_raw.fif", verbose="ERROR")
    return root


def evaluate(people, *more):
    words = ["-p", "motor-imagery", "--window", "0", "1", "-d", "tangent-lr", "--pseudo-online", "--step", "0.25"]
    events = ["--events", "left=left,right=right,pause=rest"]
    return CliRunner().invoke(app, ["evaluate", str(people), *words, *events, *more])


def test_a_run_that_is_there_in_another_format_is_a_doubt(people, tmp_path, command_line):
    place = tmp_path / "sub-1"
    place.mkdir()
    raw = mne.io.read_raw_fif(people / "sub-1" / "run-0_raw.fif", preload=True, verbose="ERROR")
    raw.save(place / "run-0_raw.fif", verbose="ERROR")
    mne.export.export_raw(place / "run-1.edf", raw, verbose="ERROR")
    done = command_line(
        "evaluate", tmp_path, "-p", "motor-imagery", "--window", "0", "1", "--pseudo-online",
        "--events", "left=left,right=right",
    )  # fmt: skip
    assert done.code == 1, done.out
    assert "1 pair(s) of runs hold the same trials" in done.err


@pytest.fixture(scope="module")
def usual(people):
    """What is said where nothing is asked for but a confidence."""
    done = evaluate(people, "--json", "--confidence", "0.8")
    assert done.exit_code == 0, done.output
    (values,) = json.loads(done.output)
    return values


def test_it_says_sensitivity_and_false_activations_with_intervals(people, usual):
    values = usual
    found = values["all"]
    assert found["n_trials"] == 20
    assert found["sensitivity"] > 0.7
    low, high = found["sensitivity_interval"]
    assert low < found["sensitivity"] <= high + 1e-9
    assert found["idle_minutes"] > 0.4
    low, high = found["false_activations_interval"]
    assert low <= found["false_activations_per_minute"] < high
    assert "the code that runs live" in values["definition"]
    # To wait until windows agree for a second costs time and never adds false activations.
    (slow,) = json.loads(evaluate(people, "--json", "--confidence", "0.8", "--dwell", "1.0").output)
    assert slow["dwell"] == 1.0
    assert slow["all"]["sensitivity"] <= found["sensitivity"]
    assert slow["all"]["seconds_to_act"] > found["seconds_to_act"] + 0.5
    assert slow["all"]["false_activations"] <= found["false_activations"]


def test_how_long_a_class_is_asked_for_can_be_said_and_is_told(people, usual):
    (short,) = json.loads(evaluate(people, "--json", "--confidence", "0.8", "--asked", "1.1").output)
    long = usual
    assert (short["seconds"], long["seconds"]) == (1.1, 3.0)
    assert short["all"]["sensitivity"] < long["all"]["sensitivity"]
    assert 0.0 <= long["all"]["wrong"] <= 1.0
    assert "for 1.1 s after its event" in evaluate(people, "--asked", "1.1").output.replace("\n", " ")


def test_how_long_a_class_is_asked_for_is_that_of_each_person(people, tmp_path):
    """The second person's events are shorter; the third, whose are longer, has no class in one of two runs."""
    for place, (who, share) in enumerate((("sub-1", 1.0), ("sub-2", 0.5), ("sub-3", 1.6))):
        (tmp_path / who).mkdir()
        for run in range(2):
            raw = mne.io.read_raw_fif(people / "sub-1" / f"run-{run}_raw.fif", preload=True, verbose="ERROR")
            raw._data += np.random.default_rng(10 * place + run).normal(0, 1e-6, raw._data.shape)
            raw.annotations.duration = raw.annotations.duration * share
            if who == "sub-3" and run:
                raw.annotations.description = np.array(["other"] * len(raw.annotations))
            raw.save(tmp_path / who / f"run-{run}_raw.fif", verbose="ERROR")
    (found,) = json.loads(evaluate(tmp_path, "--json").stdout)
    assert set(found["failures"]) == {"3"}
    assert found["seconds"] is None
    assert {who: one["seconds"] for who, one in found["people"].items()} == {"1": 3.0, "2": 1.5}
    assert "asked for for 1.5 to 3 s after its event" in " ".join(evaluate(tmp_path).output.split())


def test_the_rule_says_the_same_whatever_the_step():
    """Windows between those a quarter of a second apart say nothing new: they bring nothing forward."""

    def first(step: float) -> float:
        acting = Acting(("go", "rest"), rule=ActingRule(), idle="rest", window=1.0, step=step)
        ones = decisions(*[0.9] * round(6.0 / step))
        return step * (1 + next(k for k, one in enumerate(ones) if acting.add(one) == "go"))

    assert first(0.05) == pytest.approx(first(0.25)) == pytest.approx(first(0.125))
    assert first(0.25) < first(0.1) < first(0.25) + 0.6


def test_one_run_is_refused(people, tmp_path):
    (tmp_path / "sub-1").mkdir()
    (tmp_path / "sub-1" / "a_raw.fif").symlink_to(people / "sub-1" / "run-0_raw.fif")
    done = evaluate(tmp_path)
    assert done.exit_code != 0
    assert "two runs" in str(done.exception)


def decisions(*shares: float) -> list[Decision]:
    return [
        Decision(time=0.1 * k, sample=k, classes=("go", "rest"), probabilities=(p, 1 - p), label=None, age=0.0)
        for k, p in enumerate(shares)
    ]


def test_evidence_must_hold_for_the_dwell():
    def acts(dwell: float, *shares: float) -> list[int]:
        acting = Acting(("go", "rest"), rule=ActingRule(dwell=dwell), idle="rest", window=1.0, step=0.1)
        return [k for k, one in enumerate(decisions(*shares)) if acting.add(one) == "go"]

    steady = acts(0.0, *[0.95] * 25)
    assert len(steady) == 1
    held = acts(0.3, *[0.95] * 25)
    assert held == [steady[0] + 3]
    broken = [0.95] * (steady[0] + 2) + [0.2] * 2
    assert acts(0.3, *broken) == []


def one_run(probabilities, *, confidence=0.9, seconds=4.0):
    """Return what comes of windows of 1 s each 0.5 s: trials of left begin at 10, 20, ... s of a hundred."""
    acting = Acting(("left", "rest"), rule=ActingRule(confidence=confidence), idle="rest", window=1.0, step=0.5)
    decisions = []
    for k in range(200):
        p = probabilities(k * 0.5)
        one = Decision(
            time=k * 0.5, sample=k * 50, classes=("left", "rest"), probabilities=(p, 1.0 - p),
            data={"ready": acting.ready},
        )  # fmt: skip
        label = acting.add(one)
        decisions.append(replace(one, label=label, data={**one.data, "evidence": acting.evidence}))
    trials = [Event(name="left", time=10.0 * k, sample=1000 * k) for k in range(1, 9)]
    found = summarise(
        decisions, trials, events={"left": "left"}, sfreq=100.0, seconds=seconds, n_times=100, step=0.5, acts=True
    )
    return LiveResult(
        task="t", decoder="d", runs={"p": [found]}, failures={}, seconds={"p": seconds},
        rule=ActingRule(confidence=confidence), step=0.5,
    )  # fmt: skip


def test_why_nothing_acts_is_said():
    never = one_run(lambda time: 0.3)
    assert never.numbers()["not_ready"] == 0.0
    assert "no evidence reached 0.9 (a class that is wanted had 0.0" in never.why()
    # It acts in the first trial, and rest is never likely again: no later trial can be answered.
    stuck = one_run(lambda time: 0.02 if time < 10 else 0.95)
    assert stuck.numbers()["not_ready"] == 7 / 8
    assert "in 88% of the trials nothing could act" in stuck.why()
    well = one_run(lambda time: 0.98 if 10 <= time < 90 and time % 10 < 4 else 0.02)
    assert (well.numbers()["sensitivity"], well.why()) == (1.0, "")
