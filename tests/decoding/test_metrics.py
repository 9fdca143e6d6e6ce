import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from bcikit.decoding import accuracy_interval, chance_interval, chance_level
from bcikit.decoding.calibration import Isotonic, Temperature, make_calibrator
from bcikit.decoding.estimator import softmax
from bcikit.decoding.metrics import brier, confusion, ece, itr, mutual_information, nmcc, reliability, roc_auc
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


def test_nmcc_confusion_and_information():
    assert nmcc([0, 1, 0, 1], [0, 1, 0, 1]) == 1.0
    assert nmcc([0, 1, 0, 1], [1, 0, 1, 0]) == 0.0
    counts = confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    assert counts.tolist() == [[1, 1], [0, 1]]
    assert mutual_information(np.array([[5, 0], [0, 5]])) == pytest.approx(1.0)
    assert mutual_information(np.array([[5, 5], [5, 5]])) == pytest.approx(0.0)


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
    fitted = Temperature().fit(7.0 * truth[:1500], y[:1500])
    assert fitted.temperature_ == pytest.approx(7.0, rel=0.1)
    assert ece(y[1500:], fitted.predict_proba(7.0 * truth[1500:])) < 0.04
    assert ece(y[1500:], softmax(7.0 * truth[1500:])) > 0.2


def test_few_separated_trials_do_not_make_it_sure():
    scores = np.array([[0.0, 5.0], [5.0, 0.0]] * 5)
    p = Temperature().fit(scores, np.array([1, 0] * 5)).predict_proba(scores)
    # Platt's targets: with five trials a class not more than 6 of 7.
    assert p.max() == pytest.approx(6 / 7, abs=0.01)


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
