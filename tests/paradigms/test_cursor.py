"""Continuous control: what is learned, how it moves, what the gate and bad data hold back."""

import numpy as np
import pytest

from bcikit.paradigms import make_paradigm
from bcikit.signal import ConfigError, Decision

SFREQ = 250.0

GOALS = {"left_hand": (-1.0, 0.0), "right_hand": (1.0, 0.0), "both_hands": (0.0, 1.0), "rest": (0.0, -1.0)}
QUICK = {"watch": 2.0, "prepare": 0.5, "rest": 0.5, "watched": 4, "trials": 2}


def mind(paradigm, *, turn=0.0, bad=lambda request: False, noise=0.3):
    """Return a person whose band powers follow the way to the goal, turned by an angle once the person steers."""

    def answer(request):
        # Noise of a window is that of its samples, however many are asked for at once.
        rng = np.random.default_rng(request.stop_sample)
        trial = paradigm.trial
        goal = np.asarray(paradigm.settings.goals[trial.label], dtype=float)
        if len(goal) == 2:
            way = goal if trial.section.name == "watch" else goal - paradigm._position
            if trial.section.name != "watch":
                way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ way
            state = way / max(np.linalg.norm(way), 1e-9)
        else:
            state = 2.0 * goal - 1.0
        logs = np.concatenate([state, -state]) + noise * rng.standard_normal(2 * len(state))
        return Decision(
            time=request.stop_sample / SFREQ, sample=request.stop_sample - 1, classes=paradigm.classes,
            reason="bad-data" if bad(request) else "features",
            data={"powers": {str(k): float(np.exp(value)) for k, value in enumerate(logs)}, "bad": 0.0},
        )  # fmt: skip

    return answer


def steer(run, table, **person):
    done = []
    for chunk in (40, 700):
        paradigm = make_paradigm(table)
        driven = run(paradigm, mind(paradigm, **person), chunk=chunk)
        done.append(([(e.sample, e.name) for e in driven.events], paradigm.results()))
    assert done[0] == done[1]
    return paradigm.results(), driven


def test_a_cursor_goes_to_its_goals_and_says_how_straight(run):
    results, driven = steer(run, {"base": "cursor", **QUICK})
    assert results["hit_rate"] == 1.0
    assert results["fits"] == 2
    assert results["straightness"] > 0.8
    assert results["n_trials"] == 16
    moves = [command for command in driven.commands if command.name == "move"]
    speeds = [np.linalg.norm(command.data["velocity"]) for command in moves]
    assert 0.0 < max(speeds) <= 0.5 + 1e-9


def test_the_re_fit_takes_out_a_turn_that_watching_does_not_have(run):
    """What is imagined while steering is turned by 50 degrees against what was imagined while watching."""
    table = {"base": "cursor", **QUICK, "trials": 4, "reach": 6.0}
    turned, _ = steer(run, table, turn=np.deg2rad(50))
    kept, _ = steer(run, {**table, "refit": False}, turn=np.deg2rad(50))
    assert kept["fits"] == 1
    paths = {}
    for name, found in (("turned", turned), ("kept", kept)):
        rows = [row for row in found["trials"] if row["section"] == "block 2"]
        paths[name] = np.mean([row.get("straightness", 0.0) for row in rows])
    assert paths["turned"] > paths["kept"] + 0.1


def test_nothing_moves_on_bad_data(run):
    results, driven = steer(run, {"base": "cursor", **QUICK}, bad=lambda request: request.stop_sample > 60 * SFREQ)
    late = [command for command in driven.commands if command.time > 61.0]
    assert not late
    assert any(row["bad"] for row in results["trials"])


def test_a_force_rises_only_by_the_gates_leave_and_falls_without(run):
    results, driven = steer(run, {"base": "grip-force", **QUICK})
    assert results["hit_rate"] == 1.0
    forces = [command.value for command in driven.commands if command.name == "close"]
    assert max(forces) > 0.6
    assert all(0.0 <= force <= 1.0 for force in forces)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"goals": {"left_hand": [1.0, 0.0]}}, "two or more"),
        ({"goals": {"left_hand": [1.0], "rest": [-1.0, 0.0]}}, "one number"),
        ({"goals": {"left_hand": [0.1, 0.0], "rest": [-1.0, 0.0]}}, "farther from the middle"),
        ({"base": "grip-force", "goals": {"right_hand": [1.0], "rest": [-1.0]}}, "from 0 to 1"),
        ({"window": 3.0, "watch": 2.0}, "shorter than watch"),
        ({"bands": [[13.0, 8.0]]}, "low, high"),
    ],
)
def test_what_cannot_be_steered_is_refused_in_words(changes, words):
    with pytest.raises(ConfigError, match=words):
        make_paradigm({"base": "cursor", **changes})
