"""Incidents, change and person: what was planned is in the signal and in the ground truth."""

import json

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.signal import ArgumentError, Decision, Event, Verdict
from bcikit.simulation.incidents import KINDS, Incident
from bcikit.simulation.person import Person
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.truth import Truth

BASE = "sim:rest?seed=1&channels=Fp1,C3,Cz,Oz&duration=8"


@pytest.fixture(scope="module")
def plain():
    return _data(BASE)


def _data(address):
    with open_source(address) as source:
        chunks = []
        for chunk in source:
            chunks.append(chunk)
    return np.concatenate([chunk.data for chunk in chunks])


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sight", "cable"}))
def test_an_incident_changes_its_time_and_nothing_else(kind, plain):
    data = _data(f"{BASE}&incidents={kind}@2~3*1")
    change = np.abs(data - plain)
    assert change[: 2 * 250].max() == 0
    assert change[5 * 250 :].max() == 0
    assert change[2 * 250 : 5 * 250].max() > 1


def test_a_covered_link_loses_samples_and_nothing_else(plain):
    with open_source(f"{BASE}&incidents=sight@2~0.5") as source:
        chunks = []
        for chunk in source:
            chunks.append(chunk)
    assert [chunk.health.lost for chunk in chunks if chunk.health.lost] == [125]
    np.testing.assert_allclose(np.concatenate([c.data for c in chunks]), np.delete(plain, slice(500, 625), axis=0))


@pytest.mark.parametrize("speed", ["", "&speed=500"])
def test_a_cable_that_is_out_is_silent_as_long_and_then_lost(plain, speed):
    with open_source(f"{BASE}&incidents=cable@2~0.5{speed}") as source:
        chunks, silences = [], []
        while not source.ended:
            chunk = source.pull(0.2)
            if chunk is None:
                silences.append(source.twin.sample)
            else:
                chunks.append(chunk)
    assert silences == [500] * 3
    assert [chunk.health.lost for chunk in chunks if chunk.health.lost] == [125]
    np.testing.assert_allclose(np.concatenate([c.data for c in chunks]), np.delete(plain, slice(500, 625), axis=0))


def test_bridged_electrodes_are_equal(plain):
    data = _data(f"{BASE}&incidents=bridge@2~3*1")
    np.testing.assert_allclose(data[600:1200, 1], data[600:1200, 2])
    assert not np.allclose(plain[600:1200, 1], plain[600:1200, 2])


@pytest.mark.parametrize("text", ["pop", "plop@1", "pop@1~0", "pop@1*9"])
def test_bad_incidents_are_refused(text):
    with pytest.raises(ArgumentError):
        open_source(f"{BASE}&incidents={text}")
    assert Incident.parse("pop@1.5~2*3") == Incident(kind="pop", at=1.5, length=2.0, channel=3)


def test_truth_is_written_as_json_lines(tmp_path):
    with open_source("sim:motor-imagery?schedule=1&trials=2&seed=1&incidents=pop@2") as source:
        while not source.ended:
            source.pull()
        source.truth.save(tmp_path / "truth.jsonl")
    facts = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert facts[0]["what"] == "user"
    assert facts[0]["ability"] == 0.85
    assert {"pop", "blink"} <= {fact["what"] for fact in facts}
    assert [fact["sample"] for fact in facts] == sorted(fact["sample"] for fact in facts)


def test_sessions_of_one_user_differ_in_cap_not_without_being_asked():
    one = _data(f"{BASE}&session=0&session_seed=1")
    other = _data(f"{BASE}&session=1&session_seed=1")
    assert one.shape == other.shape
    cov_one, cov_other = np.cov(one.T), np.cov(other.T)
    assert np.abs(cov_one - cov_other).max() > 0.05 * np.trace(cov_one)


def _decide(source, wanted, *, right):
    label = wanted if right else "rest"
    decision = Decision(time=0.0, sample=0, classes=(wanted, "rest"), label=label)
    source.on_decision(decision, Verdict(time=0.0, sample=0, allowed=True, label=label))


def test_good_feedback_teaches_more_than_none():
    def ability(*, right):
        with open_source("sim:motor-imagery?seed=1&ability=0.3&learning=0.5&inattention=0") as source:
            for trial in range(30):
                source.on_event(Event(name="cue/left_hand", time=0.0, sample=trial * 1000))
                for _ in range(20):
                    _decide(source, "left_hand", right=right)
                source.on_event(Event(name="trial/end", time=0.0, sample=trial * 1000 + 900))
            return source.twin.person.ability

    assert ability(right=True) > ability(right=False) > 0.3


def test_without_learning_nothing_is_learned():
    person = Person(TwinSettings(ability=0.4), 250.0, seed=np.random.SeedSequence(0), truth=Truth())
    for trial in range(50):
        person.effort("left_hand", trial * 1000, length=1000)
    assert person.ability == pytest.approx(0.4)


def test_who_refuses_does_nothing_any_more():
    truth = Truth()
    person = Person(TwinSettings(refusal=0.9, inattention=0), 250.0, seed=np.random.SeedSequence(1), truth=truth)
    efforts = [person.effort("left_hand", trial * 2500, length=1000) for trial in range(60)]
    first = next(index for index, effort in enumerate(efforts) if effort is None)
    assert all(effort is None for effort in efforts[first:])
    assert len(truth.of("refusal")) == 1
