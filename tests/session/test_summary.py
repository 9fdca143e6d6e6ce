import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.session.summary import RunTally, accuracy_summary, decision_key, to_json
from bcikit.signal import Decision, Verdict


def decide(p: float, label: str | None = "a") -> Decision:
    return Decision(time=1.0, sample=10, classes=("a", "b"), probabilities=(p, 1 - p), label=label)


@given(st.lists(st.floats(2e-6, 50.0), min_size=1, max_size=200))
def test_latency_quantiles_are_within_a_percent(values: list[float]) -> None:
    tally = RunTally()
    verdict = Verdict(time=1.0, sample=10, allowed=True, state="ACTIVE")
    for value in values:
        tally.decision(decide(0.9), verdict, value)
    latency = tally.to_dict()["latency_ms"]
    exact = np.quantile(values, 0.5, method="inverted_cdf") * 1e3
    assert latency["p50"] == pytest.approx(exact, rel=0.012, abs=1e-4)
    assert latency["max"] == pytest.approx(max(values) * 1e3, abs=1e-4)
    assert latency["n"] == len(values)


def test_tally_counts_verdicts_by_reason_and_tells_decisions_apart() -> None:
    first, second = RunTally(), RunTally()
    first.decision(decide(0.9), Verdict(time=1, sample=10, allowed=True), None)
    second.decision(
        decide(0.9), Verdict(time=1, sample=10, allowed=False, reasons=("A-CONF", "A-QUAL"), state="ACTIVE"), 0.01
    )
    gate = second.to_dict()["gate"]
    assert gate == {"n": 1, "allowed": 0, "refused": 1, "reasons": {"A-CONF": 1, "A-QUAL": 1}}
    assert first.to_dict()["decisions_sha256"] == second.to_dict()["decisions_sha256"]
    assert first.to_dict()["latency_ms"]["n"] == 0
    second.decision(decide(np.nextafter(0.9, 1)), Verdict(time=1, sample=10, allowed=True), None)
    first.decision(decide(0.9), Verdict(time=1, sample=10, allowed=True), None)
    assert first.to_dict()["decisions_sha256"] != second.to_dict()["decisions_sha256"]


def test_accuracy_is_of_what_the_decoder_decided_alone() -> None:
    own = [
        {"class": "move", "predicted": "move", "by": "decoder"},
        {"class": "move", "predicted": "idle"},
        {"class": "idle", "predicted": None},
        {"class": "idle", "predicted": "idle", "override": None, "skipped": False},
    ]
    others = [
        *({"class": "move", "predicted": "move", "by": "therapist", "override": "assist"} for _ in range(10)),
        {"class": "move", "predicted": "move", "by": "plan"},
        {"class": "move", "predicted": "idle", "override": "hold"},
        {"class": "move", "predicted": None, "skipped": True},
        # The gate refused the planned help: no miss of the decoder.
        {"class": "move", "predicted": "idle", "planned_delay": 1.5},
    ]
    found = accuracy_summary(own + others, ("move", "idle"))
    assert (found["n_trials"], found["n_correct"], found["n_undecided"]) == (4, 2, 1)
    assert found["n_not_judged"] == 14
    assert found["online_accuracy"] == 0.5
    assert found["confusion"] == [[1, 1, 0], [0, 1, 1]]
    assert found == {**accuracy_summary(own, ("move", "idle")), "n_not_judged": 14}
    nothing = accuracy_summary(others, ("move", "idle"))
    assert (nothing["n_trials"], nothing["n_correct"], nothing["online_accuracy"]) == (0, 0, None)
    assert nothing["above_chance"] is None
    # Where the arm is sealed nothing is judged, and the count is of all trials.
    sealed = accuracy_summary(own + others, ("move", "idle"), sealed=True)
    assert sealed == {**nothing, "n_not_judged": 18}
    # Where there is nothing that was asked for, trials are only counted.
    assert accuracy_summary([{"predicted": "move"}] * 3, ("move", "idle"))["n_trials"] == 3


def test_against_trials_of_one_class_there_is_no_chance() -> None:
    one = accuracy_summary([{"class": "idle", "predicted": "idle"}] * 4, ("move", "idle"))
    assert (one["online_accuracy"], one["chance_upper"], one["above_chance"]) == (1.0, None, None)
    two = accuracy_summary([{"class": "idle", "predicted": "idle"}] * 4 + [{"class": "move"}], ("move", "idle"))
    assert two["above_chance"] is False


def test_decision_key_sees_label_and_reason() -> None:
    assert decision_key(decide(0.5)) != decision_key(decide(0.5, None))


def test_json_has_no_nan_and_takes_numpy() -> None:
    text = to_json({"a": np.float64(np.nan), "b": np.arange(2), "c": (1.0, float("inf")), 3: np.int64(4)})
    assert json.loads(text) == {"a": None, "b": [0, 1], "c": [1.0, None], "3": 4}
    with pytest.raises(TypeError, match="object has no place"):
        to_json({"a": object()})
