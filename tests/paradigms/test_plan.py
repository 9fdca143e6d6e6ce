"""Outcome scores, therapy plans, prediction of letters, and the replay of real recordings."""

import importlib.util
from datetime import date, timedelta
from pathlib import Path

import pytest

from bcikit.paradigms.language import LanguageModel
from bcikit.paradigms.outcomes import ScaleValue
from bcikit.paradigms.plan import TherapyPlan
from bcikit.paradigms.score import confusion, itr
from bcikit.signal import ArgumentError, ConfigError

ROOT = Path(__file__).parents[2]


def test_scores_outside_their_scale_are_refused():
    for scale, value in (
        ("FMA-UE", 67),
        ("ARAT", -1),
        ("MAS", 1.2),
        ("Barthel", 52),
        ("9HPT", 1e9),
        ("grip", float("nan")),
    ):
        with pytest.raises(ArgumentError, match=scale.replace("+", ".")):
            ScaleValue(day="2026-11-23", scale=scale, value=value)
    with pytest.raises(ArgumentError, match="date"):
        ScaleValue(day="23.11.2026", scale="ARAT", value=3)
    with pytest.raises(ArgumentError, match="allowed"):
        ScaleValue(day="2026-11-23", scale="mood", value=3)
    assert ScaleValue(day="2026-11-23", scale="MAS", value=1.5).value == 1.5


def test_the_dose_is_compared_with_the_plan():
    plan = TherapyPlan.load(ROOT / "examples" / "therapy_plan.toml")
    first = date(2026, 11, 23)
    assert plan.phase_on(first - timedelta(days=1)) is None
    assert plan.phase_on(first).paradigm == "motor-imagery-fes"
    assert plan.phase_on(first + timedelta(weeks=6)).paradigm == "action-observation"
    assert plan.phase_on(first + timedelta(weeks=9)) is None
    sessions = [
        {"day": (first + timedelta(days=offset)).isoformat(), "trials": 60, "minutes": 40, "assist_seconds": 150}
        for offset in (0, 3, 7)
    ]
    after = plan.progress(sessions, first + timedelta(days=13))
    assert after["sessions"] == {"done": 3.0, "planned": 4.0, "share": 0.75}
    assert after["trials"] == {"done": 180.0, "planned": 240.0, "share": 0.75}
    assert after["missed"] == 1
    assert after["assist_seconds"] == 450
    assert [week["done"] for week in after["weeks"]][:3] == [2, 1, 0]
    assert plan.progress([], first + timedelta(weeks=20))["sessions"]["planned"] == 14


def test_a_plan_with_mistakes_names_them(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        'title = "x"\nstart = 2026-11-23\n[[phases]]\nweeks = 0\nsessions_per_week = 9\nparadigm = "motor-imagery"\n'
    )
    with pytest.raises(ConfigError) as caught:
        TherapyPlan.load(path)
    assert "phases.0.weeks" in str(caught.value)
    assert "phases.0.sessions_per_week" in str(caught.value)
    path.write_text(
        'title = "x"\nstart = 2026-11-23\n[[phases]]\nweeks = 1\nsessions_per_week = 1\nparadigm = "dance"\n'
    )
    with pytest.raises(ConfigError, match="dance"):
        TherapyPlan.load(path)


def test_letters_and_words_follow_what_was_written():
    model = LanguageModel(["the", "there", "brain"])
    items = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "_", "<"]
    after = model.next_item("TH", items)
    assert sum(after.values()) == pytest.approx(1.0)
    assert max(after, key=after.get) == "E"
    assert min(after.values()) > 0.0
    assert model.next_item("the ", items)["T"] > model.next_item("the ", items)["Z"]
    assert model.complete("the ", 1) == ["THE"]
    assert model.complete("BR", 3) == ["BRAIN"]


def test_transfer_rate_and_confusion():
    assert itr(1.0, 4, 2.0) == pytest.approx(60.0)
    assert itr(0.25, 4, 2.0) == itr(0.1, 4, 2.0) == itr(1.0, 1, 2.0) == itr(0.9, 4, 0.0) == 0.0
    # Wolpaw 2002: 90 % of 4 targets are 1.37 bits.
    assert itr(0.9, 4, 60.0) == pytest.approx(1.3725, abs=1e-3)
    assert confusion(["a", "b", "b", "c"], ["a", None, "a", "a"], ["a", "b"]) == [[1, 0, 0], [1, 0, 1]]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("pseudo_online", ROOT / "examples" / "pseudo_online.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.data
def test_the_menu_replays_real_trials_untrained_and_trained(data_dir, example):
    runs = example.load(sorted((data_dir / "ssvep_exo" / "subject04").glob("run-*_raw.fif")))
    untrained = example.replay_ssvep(runs, trained=False)
    trained = example.replay_ssvep(runs, trained=True)
    line = example._line(untrained)
    assert line["asked"] == 48
    assert line["right"] >= 30
    assert line["wrong"] <= 5
    assert line["false"] <= 4
    better = example._line(trained)
    assert better["right"] > line["right"]
    assert better["itr"] > line["itr"] > 0
    assert 1.0 < better["seconds"] < 5.0
    # The same whatever the chunks were.
    from bcikit.paradigms import make_paradigm
    from bcikit.session.offline import run_recording

    other = run_recording(runs[0], paradigm=make_paradigm(example.SSVEP), pipeline=example.ssvep_pipeline(), chunk=257)
    assert other.results["trials"] == untrained[0]["trials"]


@pytest.mark.slow
@pytest.mark.data
def test_the_p300_logic_replays_a_real_oddball(data_dir, example):
    files = sorted((data_dir / "muse" / "p300").glob("session-*_run-*.csv"))
    sessions = [example.load([f for f in files if f.name.startswith(f"session-{n}_")][:3]) for n in (1, 2)]
    results = example.replay_p300(sessions)
    line = example._line(results)
    assert line["asked"] >= 10
    # Six items: a guesser is right in one of six.
    assert line["right"] / line["asked"] > 0.5
    assert line["itr"] > 0
    assert line["seconds"] > 2.0
