import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from bcikit.decoding import accuracy_interval, chance_interval, chance_level
from bcikit.decoding.calibration import Isotonic, Temperature, make_calibrator
from bcikit.decoding.estimator import softmax
from bcikit.decoding.metrics import (
    brier,
    calibration_interval,
    confusion,
    coverage,
    debiased_calibration_error,
    ece,
    ece_of_perfect,
    itr,
    nmcc,
    reliability,
    roc_auc,
)
from bcikit.signal import ArgumentError, DataError


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(2, 100), st.floats(0.1, 20))
def test_itr_is_never_negative_nor_more_than_all_bits(accuracy, n_classes, seconds):
    value = itr(accuracy, n_classes, seconds)
    assert 0 <= value <= 60 / seconds * np.log2(n_classes) + 1e-9


def test_itr_at_the_points_where_peers_fail():
    assert itr(1.0, 4, 1.0) == 120.0
    assert itr(0.0, 4, 1.0) == 0.0
    assert itr(0.05, 4, 1.0) == 0.0
    assert itr(0.25, 4, 1.0) == 0.0
    assert itr(0.9, 2, 2.0) == pytest.approx(30 * (1 - 0.4689955935892812))
    for bad in ((-0.1, 4, 1), (1.1, 4, 1), (0.5, 1, 1), (0.5, 4, 0), (float("nan"), 4, 1)):
        with pytest.raises(ArgumentError):
            itr(*bad)


def test_chance_level_is_that_of_the_binomial():
    assert chance_level(45, 2) == pytest.approx(28 / 45)
    assert chance_level(64, 4) == pytest.approx(22 / 64)
    low, high = chance_interval(100, 2)
    assert low == pytest.approx(0.4)
    assert high == pytest.approx(0.6)
    guesses = np.random.default_rng(0).binomial(45, 0.5, 20000) / 45
    assert np.mean(guesses > chance_level(45, 2)) <= 0.05


def test_chance_level_equals_moabb():
    moabb = pytest.importorskip("moabb.analysis.chance_level")
    assert chance_level(64, 4) == pytest.approx(moabb.adjusted_chance_level(4, 64, 0.05))


@pytest.mark.parametrize(("n", "p"), [(40, 0.8), (45, 0.9), (100, 0.7)])
def test_accuracy_interval_covers_the_truth(n, p):
    covered = [k for k in range(n + 1) if accuracy_interval(k, n)[0] <= p <= accuracy_interval(k, n)[1]]
    # Counts are whole numbers, so that 95 % can only be met nearly.
    assert 0.91 < binom.pmf(covered, n, p).sum() < 0.98


def test_auc_is_that_of_the_difference_of_scores():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    scores = rng.standard_normal((80, 2))
    assert roc_auc(y, scores, [0, 1]) == pytest.approx(roc_auc_score(y, scores[:, 1] - scores[:, 0]))
    assert roc_auc(y, scores + 100 * rng.standard_normal((80, 1)), [0, 1]) == pytest.approx(roc_auc(y, scores, [0, 1]))
    assert np.isnan(roc_auc(np.zeros(80), scores, [0, 1]))


def test_nmcc_and_confusion():
    assert nmcc([0, 1, 0, 1], [0, 1, 0, 1]) == 1.0
    assert nmcc([0, 1, 0, 1], [1, 0, 1, 0]) == 0.0
    counts = confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    assert counts.tolist() == [[1, 1], [0, 1]]


def test_reliability_and_calibration_error():
    p = np.array([[0.9, 0.1]] * 10)
    y = np.array([0] * 9 + [1])
    assert ece(y, p) == pytest.approx(0.0)
    assert ece(np.array([0] * 5 + [1] * 5), p) == pytest.approx(0.4)
    assert reliability(y, p) == [{"confidence": pytest.approx(0.9), "accuracy": 0.9, "count": 10}]
    assert brier(np.array([0]), np.array([[1.0, 0.0]])) == 0.0


def test_temperature_mends_scores_that_are_too_sure():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((3000, 3)) * 1.5
    y = np.array([rng.choice(3, p=row) for row in softmax(truth)])
    fitted = Temperature().fit(7.0 * truth[:1500], y[:1500], np.arange(1500) // 10)
    assert fitted.temperature_ == pytest.approx(7.0, rel=0.1)
    assert ece(y[1500:], fitted.predict_proba(7.0 * truth[1500:])) < 0.04
    assert ece(y[1500:], softmax(7.0 * truth[1500:])) > 0.2


def test_few_separated_trials_do_not_make_it_sure():
    scores = np.array([[0.0, 5.0], [5.0, 0.0]] * 5)
    y = np.array([1, 0] * 5)
    p = Temperature().fit(scores, y).predict_proba(scores)
    # Ten trials without an error: 0.74 to 1 (Clopper and Pearson); not surer than that one in ten may be wrong.
    assert 0.8 < p.max() < 0.95
    more, truth = np.tile(scores, (30, 1)), np.tile(y, 30)
    # Many trials make it surer; in one run less so than in thirty.
    one = Temperature().fit(more, truth).predict_proba(scores)
    thirty = Temperature().fit(more, truth, np.repeat(np.arange(30), 10)).predict_proba(scores)
    assert p.max() + 0.03 < one.max() < thirty.max()


@pytest.mark.parametrize("factor", [1e-6, 1e-2, 3.0, 1e4, 1e9])
def test_calibration_does_not_depend_on_the_scale_of_scores(factor):
    rng = np.random.default_rng(2)
    scores = rng.standard_normal((60, 3))
    y = np.where(rng.random(60) < 0.7, scores.argmax(axis=1), rng.integers(0, 3, 60))
    plain = Temperature().fit(scores, y)
    scaled = Temperature().fit(factor * scores, y)
    np.testing.assert_allclose(scaled.predict_proba(factor * scores), plain.predict_proba(scores), atol=1e-9)
    assert scaled.temperature_ == pytest.approx(factor * plain.temperature_)
    assert (plain.predict_proba(scores).argmax(axis=1) == scores.argmax(axis=1)).all()


def test_scores_that_tell_nothing_leave_the_middle_hardly():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(40):
        scores = 10 * rng.standard_normal((45, 2))
        found.append(Temperature().fit(scores, rng.integers(0, 2, 45)).predict_proba(scores).max(axis=1).mean())
    assert np.mean(found) < 0.6
    same = Temperature().fit(np.ones((20, 2)), np.arange(20) % 2).predict_proba([[1.0, 1.0]])
    np.testing.assert_allclose(same, 0.5)


def test_calibration_error_is_told_beside_that_of_a_perfect_decoder():
    rng = np.random.default_rng(4)
    p = rng.dirichlet([2.0, 1.0, 1.0], size=64)
    mean, limit = ece_of_perfect(p)
    assert 0.05 < mean < 0.13
    drawn = [ece(np.array([rng.choice(3, p=row) for row in p]), p) for _ in range(100)]
    assert np.mean(drawn) == pytest.approx(mean, abs=0.01)
    assert np.mean(np.array(drawn) > limit) == pytest.approx(0.05, abs=0.05)
    assert ece_of_perfect(np.tile(p, (100, 1)))[0] < 0.02


def test_rejecting_the_least_sure_is_a_curve():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    curve = coverage(np.array([0, 0, 1, 1]), p, n_points=4)
    assert [point["coverage"] for point in curve] == [1.0, 0.75, 0.5, 0.25]
    assert [point["accuracy"] for point in curve] == [0.5, pytest.approx(2 / 3), 1.0, 1.0]
    assert [point["threshold"] for point in curve] == [0.6, 0.7, 0.8, 0.9]


def test_isotonic_follows_any_shape_and_wants_many_trials():
    rng = np.random.default_rng(1)
    x = rng.uniform(-3, 3, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-(x**3)))).astype(int)
    scores = np.c_[np.zeros(4000), x]
    fitted = Isotonic().fit(scores[:2000], y[:2000])
    assert ece(y[2000:], fitted.predict_proba(scores[2000:])) < ece(y[2000:], softmax(scores[2000:]))
    with pytest.raises(DataError, match="50 trials"):
        Isotonic().fit(scores[:40], y[:40])


def test_calibrators_refuse_what_is_no_score():
    with pytest.raises(ArgumentError, match="temperature"):
        make_calibrator("platt")
    with pytest.raises(DataError, match="finite"):
        Temperature().fit([[np.nan, 1.0]], [0])


def test_the_debiased_calibration_error_knows_few_trials_of_a_perfect_decoder_from_one_that_is_too_sure():
    rng = np.random.default_rng(3)
    squares = {"perfect": [], "sure": []}
    for _ in range(300):
        p = rng.uniform(0.55, 0.85, 40)
        wrong = (rng.random(40) > p).astype(int)
        assert debiased_calibration_error(wrong, np.c_[p, 1 - p]) >= 0.0
        squares["perfect"].append(debiased_calibration_error(wrong, np.c_[p, 1 - p]) ** 2)
        squares["sure"].append(debiased_calibration_error(wrong, np.c_[p + 0.14, 0.86 - p]) ** 2)
    # Cut off at zero it keeps a little of what it takes out; the plain one has .11 here.
    assert np.sqrt(np.mean(squares["perfect"])) < 0.1
    assert np.sqrt(np.mean(squares["sure"])) == pytest.approx(0.16, abs=0.03)
    # One bin of two trials, by hand: (.75 - .5)^2 - .5 * .5 / 1 < 0.
    assert debiased_calibration_error(np.array([0, 1]), np.array([[0.75, 0.25]] * 2)) == 0.0
    # And of ten, five right: .2^2 - .25 / 9.
    ten = np.array([[0.7, 0.3]] * 10)
    found = debiased_calibration_error(np.arange(10) % 2, ten)
    assert found == pytest.approx(np.sqrt(0.2**2 - 0.25 / 9))
    low, high = calibration_interval(np.arange(10) % 2, ten)
    assert low <= found <= high
