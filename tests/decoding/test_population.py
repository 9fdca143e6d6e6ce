"""Models of many people, and how own trials take over: on drawn people, and by the command."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Epochs, Model, make_decoder
from bcikit.decoding.adaptation import AdaptiveModel
from bcikit.decoding.centre import Recentring, centre_of, followed, trust_between
from bcikit.decoding.evaluation.transfer import FOLLOWING, TransferCurve
from bcikit.decoding.population import (
    EQUAL_OWN,
    MemberTrials,
    Mixture,
    _weight,
    centred,
    common_channels,
    expectation,
    fit_population,
)
from bcikit.decoding.spd import covariances, mean_riemann
from bcikit.decoding.trials import join
from bcikit.signal import ArgumentError, DataError, DoubtWarning, Event, Recording, StreamInfo

NAMES = ("C3", "C4", "Cz", "Pz")


def person(seed: int, n: int = 40, *, names: tuple[str, ...] = NAMES, mixed: float = 0.25) -> Epochs:
    """Return trials whose class lowers one of two sources; each person has a mixture and a loudness of their own."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    sources = rng.standard_normal((n, len(names), 120))
    for k in range(2):
        sources[y == k, k] *= 0.45
    mix = np.eye(len(names)) + mixed * rng.standard_normal((len(names), len(names)))
    return Epochs(
        X=rng.uniform(2, 20) * mix @ sources,
        y=np.array(["left", "right"])[y],
        groups=np.zeros(n, dtype=np.int64),
        runs=np.zeros(n, dtype=np.int64),
        samples=np.arange(n) * 300,
        sfreq=100.0,
        tmin=0.0,
        tmax=1.2,
        ch_names=names,
    )


@pytest.fixture(scope="module")
def people() -> list[MemberTrials]:
    return [MemberTrials(code=f"P{seed}", trials=person(seed), device="cap") for seed in range(6)]


def test_a_population_decides_somebody_new_and_says_what_to_expect(people, tmp_path):
    model = fit_population(make_decoder("tangent-lr", sfreq=100.0), people)
    model = Model.load(model.save(tmp_path / "all.skops"))
    sheet = model.sheet
    assert sheet.people == tuple(f"P{seed}" for seed in range(6))
    assert sheet.devices == ("cap",)
    assert sheet.expected["low"] <= sheet.expected["value"] <= sheet.expected["high"]
    assert len(sheet.expected["people"]) == 6
    inside, plain = [], []
    for seed in range(100, 112):
        new = person(seed)
        # Ten windows without labels say where the person's centre is.
        here = centred(new, model.centres["windows"], first=10)
        value = float(np.mean(np.asarray(model.classes)[model.probabilities(here.X).argmax(axis=1)] == new.y))
        inside.append(sheet.expected["low"] - 0.05 <= value <= sheet.expected["high"] + 0.05)
        plain.append(value)
    assert np.mean(plain) > 0.8
    assert np.mean(inside) >= 0.75


def test_what_a_new_person_may_expect_is_decided_as_theirs_will_be():
    people = [MemberTrials(code=f"P{seed}", trials=person(seed, mixed=0.5), device="cap") for seed in range(8)]
    decoder = make_decoder("csp-lda", sfreq=100.0)
    model = fit_population(decoder, people)
    reference = model.centres["windows"]
    at_hindsight = []
    for place, value in enumerate(model.sheet.expected["people"]):
        others = join([centred(one.trials, reference) for one in people if one is not people[place]])
        fitted = clone(decoder).fit(others.X, others.y)
        own = people[place].trials
        # By the windows that came before each, and not by those to come.
        assert value == np.mean(fitted.predict(followed(own.X, reference)) == own.y)
        at_hindsight.append(np.mean(fitted.predict(centred(own, reference).X) == own.y))
    assert model.sheet.expected["value"] < np.mean(at_hindsight) - 0.03


def test_every_person_is_centred_on_the_same(people):
    reference = np.eye(4)
    for one in people[:2]:
        moved = centred(one.trials, reference)
        mean = mean_riemann(covariances(moved.X, "oas"))
        assert np.linalg.norm(mean - reference) < 0.5 * np.linalg.norm(
            mean_riemann(covariances(one.trials.X)) - reference
        )


def test_channels_that_not_everybody_has_are_left_out(people):
    other = MemberTrials(code="Q", trials=person(50, names=("cz", "Fz", "C4", "c3")))
    assert common_channels([people[0], other]) == ("C3", "C4", "Cz")
    model = fit_population(make_decoder("csp-lda", sfreq=100.0), [*people[:2], other])
    assert model.sheet.ch_names == ("C3", "C4", "Cz")
    with pytest.raises(DataError, match="no channel in common"):
        common_channels([people[0], MemberTrials(code="R", trials=person(1, names=("A", "B", "C", "D")))])
    with pytest.raises(DataError, match="at least two people"):
        fit_population(make_decoder("csp-lda", sfreq=100.0), people[:1])


def test_own_trials_take_over_only_as_they_tell_more(people):
    others = fit_population(make_decoder("csp-lda", sfreq=100.0), people)
    odd = person(77, 400, mixed=1.5)
    few, many = Mixture(others=others), Mixture(others=others)
    few.fit(odd.X[:8], odd.y[:8])
    assert few.weight_ == 0.0
    np.testing.assert_allclose(few.predict_proba(odd.X[300:]), others.probabilities(odd.X[300:]), atol=1e-6)
    many.fit(odd.X[:300], odd.y[:300])
    assert many.weight_ > 0.3
    own = make_decoder("csp-lda", sfreq=100.0).fit(odd.X[:300], odd.y[:300])
    test = slice(300, 400)
    best = max(own.score(odd.X[test], odd.y[test]), np.mean(few.predict(odd.X[test]) == odd.y[test]))
    assert np.mean(many.predict(odd.X[test]) == odd.y[test]) >= best - 0.04
    with pytest.raises(ArgumentError, match="no class of the others"):
        Mixture(others=others).fit(odd.X[:4], ["up", "down", "up", "down"])


def flicker(seed: int, n: int = 24) -> Epochs:
    """Return SSVEP of a person whose responses and background are stronger or weaker than other people's."""
    rng = np.random.default_rng(seed)
    t = np.arange(400) / 200.0
    strength, phase = np.exp(rng.normal(0.0, 0.5)), rng.uniform(0, 6)
    line = rng.normal(0.0, 2.0) * np.sin(2 * np.pi * 9.0 * t + phase)
    labels = np.array(["a", "b", "rest"] * (n // 3))
    sines = {"a": np.sin(2 * np.pi * 9.0 * t), "b": np.sin(2 * np.pi * 12.0 * t), "rest": 0.0 * t}
    X = rng.normal(0.0, 4.0, (n, 3, 400)) + line
    X += np.array([[strength * sines[label] * gain for gain in (1.0, 0.8, 0.5)] for label in labels])
    return Epochs(
        X=X,
        y=labels,
        groups=np.zeros(n, dtype=np.int64),
        runs=np.zeros(n, dtype=np.int64),
        samples=np.arange(n) * 500,
        sfreq=200.0,
        tmin=0.0,
        tmax=2.0,
        ch_names=("O1", "Oz", "O2"),
    )


def test_features_follow_a_person_whom_no_map_of_the_channels_reaches(make_window, tmp_path):
    targets = {"a": 9.0, "b": 12.0}
    everybody = [MemberTrials(code=f"P{seed}", trials=flicker(seed)) for seed in range(8)]
    decoder = make_decoder("fbcca-lda", sfreq=200.0, frequencies=targets)
    model = fit_population(decoder, everybody)
    model = Model.load(model.save(tmp_path / "all.skops"))
    reference = model.centres["features"]
    np.testing.assert_allclose(reference, model.estimator.centre_)
    plain, followed = [], []
    for seed in range(50, 58):
        new = flicker(seed, 48)
        live = AdaptiveModel(model, rate=0.02, recentre="windows", labelled=False)
        hits = []
        for place, x in enumerate(new.X):
            window = make_window(x)
            hits.append(live.decide(window).label == new.y[place])
            live.learn(window, None)
        followed.append(np.mean(hits))
        features = model.estimator.features(new.X)
        # What the live path came to is the stated formula over all windows.
        shift = 48 / (48 + model.estimator.trust_) * (features.mean(axis=0) - reference)
        np.testing.assert_allclose(live.model.shift, shift, atol=1e-9)
        plain.append(np.mean(np.asarray(model.classes)[model.probabilities(new.X).argmax(axis=1)] == new.y))
    assert np.mean(followed) > np.mean(plain) + 0.03
    again = Model.load(live.save(tmp_path / "after.skops"))
    np.testing.assert_array_equal(again.shift, live.model.shift)
    # The next session begins where this one ended.
    follower = AdaptiveModel(again, rate=0.02, recentre="windows", labelled=False)
    follower.learn(make_window(new.X[0]), None)
    moved = np.linalg.norm(follower.model.shift - again.shift)
    assert moved < np.linalg.norm(features[0] - reference - again.shift)


def test_re_centring_goes_on_where_an_earlier_session_ended():
    rng = np.random.default_rng(0)
    mixing = np.eye(4) + 0.5 * rng.normal(size=(4, 4))
    X = rng.normal(size=(60, 4, 200))
    reference = centre_of(X)
    first = Recentring(reference)
    first.update(mixing @ X)
    next_day = Recentring(reference, mapping=first.mapping)
    np.testing.assert_allclose(next_day.mapping, first.mapping)
    next_day.update(mixing @ X[:1])
    fresh = Recentring(reference)
    fresh.update(mixing @ X[:1])
    off = [
        np.linalg.norm(one.mapping @ mixing @ reference @ mixing.T @ one.mapping.T - reference)
        for one in (next_day, fresh)
    ]
    assert off[0] < 0.3 * off[1]


def test_bands_are_students():
    curve = TransferCurve(
        metric="accuracy", people=("a", "b"), sizes=(0,), values={"own": [[0.6], [0.8]]}, unlabelled={}
    )
    mean, low, high = curve.band("own", 0)
    assert mean == pytest.approx(0.7)
    assert (low, high) == (0.0, 1.0)
    empty = TransferCurve(metric="accuracy", people=("a",), sizes=(0,), values={"own": [[None]]}, unlabelled={})
    assert empty.band("own", 0) is None


def test_a_person_of_one_class_has_no_auc_and_costs_nobody_theirs():
    assert expectation([0.8, np.nan, 0.8], metric="auc") == expectation([0.8, 0.8], metric="auc")
    assert expectation([0.8, np.nan], metric="auc")["people"] == [0.8]
    assert expectation([np.nan], metric="auc") == {}
    unlabelled = {FOLLOWING: [0.8, np.nan]}
    curve = TransferCurve(
        metric="auc", people=("a", "b"), sizes=(0,), values={"own": [[0.6], [np.nan]]}, unlabelled=unlabelled
    )
    assert curve.band("own", 0) == (0.6, 0.6, 0.6)
    said = json.loads(json.dumps(curve.to_dict(), allow_nan=False))
    assert said["by_person"] == {"own": [[0.6], [None]]}
    assert said["without_calibration"]["value"] == 0.8


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("people")
    for number in range(3):
        trials = person(number, 40)
        recorded(root / f"p{number}" / "s1", trials)
    return root


COMMON = (
    "--paradigm",
    "motor-imagery",
    "--events",
    "T1=left,T2=right",
    "--decoder",
    "csp-lda",
    "--window",
    "0.2",
    "1.2",
)


def test_a_mean_of_few_windows_is_trusted_as_much_as_people_differ():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 50)
    for between in (0.25, 1.0):
        people = rng.normal(0.0, between**0.5, (40, 6))
        features = people[groups] + rng.normal(0.0, 2.0, (2000, 6))
        assert trust_between(features, groups) == pytest.approx(4.0 / between, rel=0.3)
    assert trust_between(rng.normal(size=(2000, 6)), groups) == pytest.approx(64.0)
    assert trust_between(features, None) == trust_between(features, np.zeros(2000)) == 8.0


def test_many_own_trials_weigh_more_than_few_whatever_they_say():
    """Nothing is known of the weight where both decoders say the same: it follows the counts alone."""
    rng = np.random.default_rng(5)
    scores, index = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    few, some, many = (_weight(scores, scores, index, n / (n + EQUAL_OWN)) for n in (5, 80, 800))
    assert few < 0.3 < some < 0.7 < many
    sure = 8.0 * np.eye(2)[index]
    assert _weight(scores, sure, index, 0.06) > few + 0.15
    assert _weight(sure, scores, index, 0.06) < few


def test_the_command_trains_across_people_and_writes_the_sheet(folder, tmp_path):
    result = CliRunner().invoke(app, ["train", "--across", str(folder), *COMMON, "--out", str(tmp_path / "all.skops")])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "csp-lda of 3 people (p0, p1, p2)" in text
    assert "nine of ten between" in text
    assert Model.load(tmp_path / "all.skops").sheet.people == ("p0", "p1", "p2")


def recorded(place: Path, trials: Epochs, names: tuple[str, ...] = NAMES) -> None:
    place.mkdir(parents=True)
    flat = np.concatenate([np.concatenate([x, np.zeros((len(x), 80))], axis=1) for x in trials.X], axis=1).T
    events = tuple(
        Event(name="T1" if label == "left" else "T2", time=2.0 * k, sample=200 * k) for k, label in enumerate(trials.y)
    )
    info = StreamInfo(name="x", sfreq=100.0, ch_names=names)
    Recording.from_arrays(info, flat, events=events).to_mne().save(place / "run_raw.fif", verbose="ERROR")


def test_a_person_with_another_montage_is_decided_by_what_all_have(tmp_path):
    montages = (NAMES, ("C3", "C4", "Fz", "Oz"), NAMES)
    for number, names in enumerate(montages):
        recorded(tmp_path / "all" / f"p{number}" / "s1", person(number, 40), names)
    folder = str(tmp_path / "all")
    for words in (["evaluate", "--transfer"], ["evaluate", "--split", "cross-subject"]):
        result = CliRunner().invoke(app, [*words, folder, *COMMON])
        assert result.exit_code == 0, result.output
        assert "not everybody has Cz, Pz, Fz, Oz: across people by the other 2 channels" in result.output
    with pytest.raises(ArgumentError, match=r"Person p1 lacks channels of person p0: Cz, Pz.*--across"):
        CliRunner().invoke(app, ["train", folder, *COMMON], catch_exceptions=False)


def test_training_reads_what_evaluation_reads(tmp_path):
    """Numbers of an amplifier that nobody scaled: what the doubt says to do can be said to both commands."""
    loud = person(0, 40)
    recorded(tmp_path / "all" / "p0" / "s1", replace(loud, X=1e6 * loud.X / loud.X.std()))
    words = [str(tmp_path / "all"), *COMMON, "--accept", "amplitude", "--channels", "C3,C4,Cz"]
    for command in (["evaluate"], ["train", "--out", str(tmp_path / "m.skops")]):
        result = CliRunner().invoke(app, [*command, *words])
        assert result.exit_code == 0, result.output
    assert Model.load(tmp_path / "m.skops").sheet.ch_names == ("C3", "C4", "Cz")


def test_a_person_without_a_class_is_named(tmp_path):
    recorded(tmp_path / "all" / "p0" / "s1", person(0, 40))
    one = person(1, 40)
    recorded(tmp_path / "all" / "p1" / "s1", one.take(one.y == "left"))
    recorded(tmp_path / "all" / "p2" / "s1", person(2, 40))
    folder = str(tmp_path / "all")
    with pytest.warns(DoubtWarning, match="p1 is left out.*no trial of right"):
        CliRunner().invoke(app, ["evaluate", "--transfer", folder, *COMMON], catch_exceptions=False)
    words = ["train", "--across", folder, *COMMON, "--out", str(tmp_path / "m.skops")]
    with pytest.warns(DoubtWarning, match="Person p1 has no trial of right"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_dead_electrode_is_said(tmp_path):
    dead = person(1, 40)
    dead.X[:, 2] = 0.0
    recorded(tmp_path / "all" / "p0" / "s1", person(0, 40))
    recorded(tmp_path / "all" / "p1" / "s1", dead)
    for words in (["evaluate"], ["train", "--across", "--out", str(tmp_path / "m.skops")]):
        result = CliRunner().invoke(app, [*words, str(tmp_path / "all"), *COMMON])
        assert result.exit_code == 0, result.output
        assert "person p1: Cz flat in every trial; leave them out (--channels)" in result.output
        assert "person p0: " not in result.output


def test_what_keeps_people_apart_does_not_keep_each_from_being_evaluated(tmp_path):
    recorded(tmp_path / "all" / "p0" / "s1", person(0, 40))
    recorded(tmp_path / "all" / "p1" / "s1", person(1, 40), ("F3", "F4", "Fz", "Oz"))
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "all"), *COMMON])
    assert result.exit_code == 0, result.output
    assert "cross-subject is not possible: no channel is good in every person" in result.output
    assert "shuffled" in result.output
    asked = ["evaluate", str(tmp_path / "all"), *COMMON, "--split", "cross-subject"]
    with pytest.raises(DataError, match="no channel is good in every person"):
        CliRunner().invoke(app, asked, catch_exceptions=False)


def test_sessions_of_one_person_are_no_people(folder, tmp_path):
    one = tmp_path / "one"
    for number, person in enumerate(sorted(place for place in folder.iterdir() if place.is_dir()), 1):
        shutil.copytree(person, one / "sub-1" / f"ses-{number}")
    out = ["--out", str(tmp_path / "all.skops")]
    result = CliRunner().invoke(app, ["train", "--across", str(one), *COMMON, *out])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "of 3 sessions of one person" in text
    assert "A new session may expect" in text
    result = CliRunner().invoke(app, ["evaluate", "--transfer", str(one), *COMMON])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "3 sessions of one person" in text
    # Nothing of a row of four ways is cut off where the output is a pipe of 80 columns.
    assert "…" not in text
    assert re.search(r"^ *10 +0\.\d\d \(0\.\d\d-\d\.\d\d\).*\) *$", result.output, re.MULTILINE)


def test_the_command_draws_how_much_calibration_is_needed(folder, tmp_path):
    result = CliRunner().invoke(app, ["evaluate", "--transfer", str(folder), *COMMON, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    assert found["trials_a_class"] == [0, 2, 5, 8, 10]
    assert found["people_are"] == "people"
    assert set(found["curves"]) == {"others", "others, re-centred", "own", "others and own"}
    assert found["curves"]["own"][0] is None
    for point in found["curves"]["others and own"]:
        assert 0.0 <= point["low"] <= point["mean"] <= point["high"] <= 1.0
    assert found["without_calibration"]["value"] == pytest.approx(np.mean(found["unlabelled"]["all before"]))
    assert list(found["unlabelled"]) == ["0", "4", "8", "16", "all before"]
    assert (tmp_path / "transfer.html").read_text().count("<img") == 1
    assert json.loads((tmp_path / "transfer.json").read_text()) == [found]
