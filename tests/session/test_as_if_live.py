"""`evaluate --pseudo-online` runs the live code over whole recordings: what acts, when nothing was asked for, too."""

import json

import mne
import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding.acting import Acting, ActingRule
from bcikit.signal import Decision


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
