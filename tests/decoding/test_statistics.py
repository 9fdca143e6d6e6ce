"""Statistics across people, against their definitions and against other programs."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bcikit.decoding.evaluation.statistics import (
    bootstrap_interval,
    combine,
    compare,
    effect_size,
    holm,
    paired_permutation,
    people_needed,
    posterior,
    wilcoxon,
)
from bcikit.signal import DataError

RNG = np.random.default_rng(3)
A = RNG.normal(0.8, 0.05, 12)
B = A - RNG.normal(0.03, 0.02, 12)


def test_permutation_is_exact_for_few_people_and_agrees_with_scipy():
    found = stats.permutation_test((A - B,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert paired_permutation(A, B) == pytest.approx(float(found.pvalue), abs=1e-12)
    d = (A - B)[:5]
    by_hand = np.mean([abs(np.dot(s, d)) >= abs(d.sum()) - 1e-12 for s in itertools.product((1, -1), repeat=5)])
    assert paired_permutation(A[:5], B[:5]) == pytest.approx(by_hand)
    many = RNG.normal(0, 1, 40)
    assert 0.9 < paired_permutation(many, many[::-1], n_draws=500) <= 1.0


def test_permutation_holds_its_level():
    rejected = np.mean([paired_permutation(*RNG.normal(0, 1, (2, 10))) <= 0.05 for _ in range(300)])
    assert rejected < 0.09


def test_wilcoxon_holm_and_effect_agree_with_their_definitions():
    assert wilcoxon(A, B) == pytest.approx(float(stats.wilcoxon(A, B).pvalue))
    assert np.isnan(wilcoxon(A, A))
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    d = A - B
    assert effect_size(A, B) == pytest.approx(d.mean() / d.std(ddof=1) * (1 - 3 / (4 * 12 - 5)))


def test_intervals_hold_what_they_say():
    inside = 0
    for seed in range(100):
        x = np.random.default_rng(seed).normal(0.5, 1, 25)
        low, high = bootstrap_interval(x, np.zeros(25), n_draws=500, seed=seed)
        inside += low <= 0.5 <= high
    assert 86 <= inside <= 99
    draws = posterior(A, B)
    assert draws.mean() == pytest.approx((A - B).mean(), abs=2e-3)


def test_power_agrees_with_the_noncentral_t():
    for effect, want in ((0.5, 34), (0.8, 15), (0.2, 199)):
        assert people_needed(effect) == want
    assert people_needed(0.0) is None


def test_meta_analysis_agrees_with_moabb():
    meta = pytest.importorskip("moabb.analysis.meta_analysis")
    p, n = np.array([0.01, 0.2, 0.04]), np.array([10, 20, 9])
    assert combine(p, n) == pytest.approx(float(meta.combine_pvalues(p, n)), rel=1e-9)


def test_a_table_of_comparisons():
    people = [f"s{k}" for k in range(12)]
    table = {"a": dict(zip(people, A, strict=True)), "b": dict(zip(people, B, strict=True)),
             "c": dict(zip(people, A + 1e-4, strict=True))}  # fmt: skip
    found = {(one.better, one.worse): one for one in compare(table)}
    assert found["a", "b"].p_holm < 0.05
    assert found["a", "b"].p_better > 0.95
    assert found["c", "a"].equivalent
    assert found["a", "b"].people_needed < 12
    with pytest.raises(DataError, match="no person in common"):
        compare({"a": {"x": 1.0}, "b": {"y": 1.0}})
