"""Statistics across people, against their definitions and against other programs."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from bcikit.decoding.evaluation.meta import meta_analysis
from bcikit.decoding.evaluation.statistics import (
    bootstrap_interval,
    combine,
    compare,
    effect_size,
    equivalence,
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


def people(values) -> dict[str, float]:
    return {f"s{k}": float(value) for k, value in enumerate(values)}


@pytest.mark.parametrize("n", [3, 4, 6, 9, 13])
def test_random_people_agree_with_scipy(n):
    d = np.random.default_rng(n).normal(0.02, 0.05, n)
    (one,) = compare({"a": people(d), "b": people(np.zeros(n))})
    exact = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert one.p_permutation == pytest.approx(float(exact.pvalue), abs=1e-12)
    assert one.p_wilcoxon == pytest.approx(float(stats.wilcoxon(d).pvalue), abs=1e-12)
    above = stats.ttest_1samp(d, -0.01, alternative="greater").pvalue
    below = stats.ttest_1samp(d, 0.01, alternative="less").pvalue
    assert one.p_equivalent == pytest.approx(float(max(above, below)))
    greater = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert paired_permutation(d, 0 * d, alternative="greater") == pytest.approx(float(greater.pvalue), abs=1e-12)


def test_ties_are_ties_however_they_were_rounded():
    a, b = np.array([0.8, 0.9, 0.7, 0.85, 0.6]), np.array([0.7, 0.8, 0.8, 0.75, 0.6])
    # Differences .1, .1, -.1, .1, 0: ranks of four are alike, 5 of 8 changes of signs are as far from the middle.
    assert wilcoxon(a, b) == 0.625
    assert paired_permutation(a, b) == 0.625


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_people_show_nothing_and_no_number_pretends_to(n):
    (one,) = compare({"a": people([0.9] * n), "b": people([0.9] * n)})
    assert not one.equivalent
    assert np.isnan(one.interval).all()
    assert one.people_needed is None
    (two,) = compare({"a": people(0.9 + 0.01 * np.arange(n)), "b": people([0.5] * n)})
    assert not two.p_permutation < 0.05
    assert np.isnan(two.effect) == (n < 3)
    assert two.people_needed is None or two.people_needed > n
    values = json.loads(json.dumps(two.to_dict(), allow_nan=False))
    assert values["n"] == n


def test_where_all_differ_by_the_same_it_needs_as_many_people_as_the_test_does():
    for n in (3, 5, 6):
        (one,) = compare({"a": people(np.linspace(0.6, 0.8, n) + 0.1), "b": people(np.linspace(0.6, 0.8, n))})
        assert one.effect == np.inf
        assert one.people_needed == 6
        assert (one.p_permutation < 0.05) == (n >= 6)
        assert one.to_dict()["effect"] is None
    same = compare({name: people(np.linspace(0.6, 0.8, 8)) for name in "abc"})
    assert all(one.equivalent and one.p_permutation == 1.0 and one.effect == 0.0 for one in same)
    with pytest.raises(DataError, match="some are none"):
        compare({"a": people([0.5, np.nan]), "b": people([0.4, 0.6])})


def test_intervals_of_few_people_hold_what_they_say():
    inside = np.zeros(2)
    for seed in range(200):
        x = np.random.default_rng(seed).normal(0.05, 0.05, 6)
        ends = np.percentile(posterior(x, np.zeros(6), n_draws=500, seed=seed), [2.5, 97.5])
        for place, (low, high) in enumerate((bootstrap_interval(x, np.zeros(6), n_draws=500, seed=seed), ends)):
            inside[place] += low <= 0.05 <= high
    assert (inside >= 0.89 * 200).all()


def test_equivalence_is_two_one_sided_tests():
    d = np.random.default_rng(0).normal(0.001, 0.004, 12)
    assert equivalence(d, 0 * d) < 0.05
    assert equivalence(d, 0 * d, within=0.001) > 0.05
    assert np.isnan(equivalence([0.5], [0.5]))


def test_over_data_sets_as_moabb_has_it():
    meta = pytest.importorskip("moabb.analysis.meta_analysis")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    sets, p, effects, n = {}, [], [], (7, 9, 12)
    for place, size in enumerate(n):
        a = rng.normal(0.75, 0.05, size)
        b = a - rng.normal(0.02, 0.03, size)
        sets[f"set{place}"] = {"a": people(a), "b": people(b)}
        p.append(meta.compute_pvals_perm(pandas.DataFrame({"a": a, "b": b}))[0, 1])
        effects.append(effect_size(a, b))
    (one,) = meta_analysis(sets)
    assert (one.better, one.n_sets, one.n_people) == ("a", 3, 28)
    assert one.p == pytest.approx(2 * float(meta.combine_pvalues(np.array(p), np.array(n))), rel=1e-6)
    assert one.effect == pytest.approx(np.dot(np.sqrt(n) / np.sum(np.sqrt(n)), effects))
    assert meta_analysis({"set0": sets["set0"]}) == []
    with pytest.raises(DataError, match="One p"):
        combine([0.1], [3, 4])
    with pytest.raises(DataError, match="within 0 and 1"):
        combine([0.1, float("nan")], [3, 4])
