"""What decoders of one comparison share gives the numbers that each would have found alone."""

from dataclasses import replace

import numpy as np
import pytest
from pyriemann.geometry.mean import mean_riemann as by_pyriemann
from scipy.special import logsumexp
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.svm import SVC

from bcikit.decoding import Epochs, cross_validate, make_decoder
from bcikit.decoding.evaluation.run import evaluate_part
from bcikit.decoding.evaluation.splits import SplitPart, why_not
from bcikit.decoding.evaluation.task import SubjectTrials
from bcikit.decoding.fbcsp import mutual_information
from bcikit.decoding.mean import around, mean_riemann, remembering, tangents_near
from bcikit.decoding.metrics import roc_auc
from bcikit.decoding.riemann import SVM_TOLERANCE, fit_weighted, linear_classifier
from bcikit.decoding.spd import covariances, function_of, tangent_vectors
from bcikit.signal import ArgumentError

NAMES = ("csp-lda", "tangent-lr", "mdm", "fgmdm", "acm-svm", "fbcsp", "spiking")


def trials(n: int = 48, n_channels: int = 5, seed: int = 0) -> Epochs:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_channels, n_channels)) @ rng.standard_normal((n, n_channels, 128))
    y = np.array(["left", "right"])[np.arange(n) % 2]
    X[y == "left", 0] *= 1.6
    groups = np.arange(n) // (n // 4)
    return Epochs(
        X=X, y=y, groups=groups, runs=groups, samples=np.arange(n) * 300, sfreq=64.0, tmin=0.0, tmax=2.0,
        ch_names=tuple(f"E{k}" for k in range(n_channels)),
    )  # fmt: skip


def test_shared_matrices_and_means_change_no_score():
    part = SplitPart(who="1", trials=trials(), mode="leave-group-out")
    found = evaluate_part([(name, {}) for name in NAMES], part, 0)
    for name, scores in zip(NAMES, found, strict=True):
        alone = cross_validate(make_decoder(name, sfreq=64.0), part.trials, split="leave-group-out")
        assert not isinstance(scores, str), scores
        np.testing.assert_allclose(scores.scores, alone.scores, rtol=1e-7, atol=1e-7)
        np.testing.assert_array_equal(scores.y_pred, alone.y_pred)


def test_trials_that_lack_rank_are_decided_as_each_decoder_would_alone():
    one = trials()
    common = replace(one, X=one.X - one.X.mean(axis=1, keepdims=True))
    found = evaluate_part(
        [("tangent-lr", {}), ("mdm", {})], SplitPart(who="1", trials=common, mode="leave-group-out"), 0
    )
    for name, scores in zip(("tangent-lr", "mdm"), found, strict=True):
        alone = cross_validate(make_decoder(name, sfreq=64.0), common, split="leave-group-out")
        assert not isinstance(scores, str), scores
        np.testing.assert_allclose(scores.scores, alone.scores, rtol=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_geometric_mean_is_pyriemanns(weighted):
    rng = np.random.default_rng(1)
    matrices = covariances(
        rng.standard_normal((6, 6)) @ rng.standard_normal((60, 6, 40)) * rng.uniform(0.1, 9, (60, 6, 1))
    )
    weights = rng.random(60) if weighted else None
    want = by_pyriemann(matrices, sample_weight=weights)
    np.testing.assert_allclose(mean_riemann(matrices, weights), want, rtol=1e-7, atol=1e-7 * np.abs(want).max())
    spread = np.stack([np.diag([1e-6, 1.0, 1e6]), np.diag([1e6, 1e-3, 1.0]), np.eye(3)])
    np.testing.assert_allclose(mean_riemann(spread), by_pyriemann(spread), rtol=1e-6)


def test_what_is_remembered_is_found_by_content_and_cannot_be_changed():
    matrices = covariances(np.random.default_rng(2).standard_normal((20, 4, 50)))
    with remembering():
        first = mean_riemann(matrices)
        assert mean_riemann(matrices.copy()) is first
        assert mean_riemann(matrices[:-1]) is not first
        with pytest.raises(ValueError, match="read-only"):
            first[0, 0] = 0.0
    assert mean_riemann(matrices) is not first


def test_what_is_remembered_is_bounded():
    with remembering(limit=2 * 4 * 4 * 8):
        kept = [covariances(np.random.default_rng(seed).standard_normal((20, 4, 50))) for seed in range(4)]
        first = mean_riemann(kept[0])
        for one in kept[1:]:
            mean_riemann(one)
        assert mean_riemann(kept[0]) is not first


@pytest.mark.parametrize(("n", "n_classes"), [(160, 2), (90, 4), (21, 2)])
def test_mutual_information_is_scikit_learns(n, n_classes):
    rng = np.random.default_rng(n)
    y = np.arange(n) % n_classes
    X = rng.standard_normal((n, 8)) + y[:, None]
    np.testing.assert_allclose(mutual_information(X, y, seed=3), mutual_info_classif(X, y, random_state=3), atol=1e-12)


def test_a_split_that_the_data_do_not_allow_says_why():
    one = SubjectTrials(subject="anna", trials=trials(), sessions=np.zeros(48, dtype=np.int64), left_out=0)
    assert why_not("leave-run-out", [one]) == ""
    assert "anna" in why_not("cross-session", [one])
    assert "two people" in why_not("cross-subject", [one])
    assert "few-shot-30 needs 30 trials" in why_not("few-shot-30", [one])


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_means_found_around_a_point_are_those_found_alone(scale):
    rng = np.random.default_rng(3)
    mixed = rng.standard_normal((8, 8)) @ rng.standard_normal((90, 8, 60))
    matrices = covariances(mixed * rng.uniform(1 / scale, scale, (90, 8, 1)))
    for rows in (np.arange(90) % 5 != 0, np.arange(90) < 12, np.arange(90) % 2 == 0):
        with remembering():
            around(matrices)
            found = mean_riemann(matrices[rows])
        with remembering():
            around(matrices[rows][:5])
            other = mean_riemann(matrices[rows])
        want = by_pyriemann(matrices[rows], tol=1e-11, maxiter=200)
        assert np.abs(found - want).max() < 1e-7 * np.abs(want).max()
        # Where not all are known, they are looked at as any others.
        np.testing.assert_array_equal(other, mean_riemann(matrices[rows]))


def test_tangent_vectors_of_a_mean_just_found_are_those_of_a_further_decomposition():
    rng = np.random.default_rng(4)
    mixed = rng.standard_normal((12, 12)) @ rng.standard_normal((200, 12, 80))
    matrices = covariances(mixed * rng.uniform(0.5, 2.0, (200, 12, 1)))
    rows = np.arange(200) % 5 != 0
    with remembering():
        around(matrices)
        taught = matrices[rows]
        whitener = function_of(mean_riemann(taught), "invsqrt")
        found = tangent_vectors(taught, whitener)
        assert tangents_near(taught, whitener) is not None
        # Other matrices, or another point, are not what the search saw.
        assert tangents_near(taught.copy(), whitener) is None
        assert tangents_near(taught, 1.01 * whitener) is None
    want = tangent_vectors(taught, whitener)
    assert np.linalg.norm(found - want, axis=1).max() < 3e-8 * np.linalg.norm(want, axis=1).min()
    assert np.abs(found.mean(axis=0)).max() < 1e-8


@pytest.mark.parametrize(("n", "size"), [(1, 1), (5, 1), (1, 3), (6, 3)])
def test_matrices_that_are_one_or_all_the_same_are_their_own_mean(n, size):
    one = covariances(np.random.default_rng(size).standard_normal((1, size, 20)))
    matrices = np.repeat(one, n, axis=0)
    with remembering():
        around(matrices)
        found = mean_riemann(matrices)
        tangent = tangent_vectors(matrices, function_of(found, "invsqrt"))
    np.testing.assert_allclose(found, one[0], rtol=1e-12)
    np.testing.assert_allclose(mean_riemann(matrices), one[0], rtol=1e-12)
    np.testing.assert_allclose(tangent, 0.0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_support_vectors_on_products_are_scikit_learns(n_classes, weighted):
    rng = np.random.default_rng(n_classes)
    features, y = rng.standard_normal((80, 30)), np.arange(80) % n_classes
    features[:, 0] += y
    weights = rng.uniform(0.5, 2.0, 80) if weighted else None
    found = linear_classifier("svm", 1.0)
    fit_weighted(found, features, y, weights)
    want = SVC(kernel="linear", decision_function_shape="ovr", tol=SVM_TOLERANCE).fit(features, y, weights)
    np.testing.assert_allclose(found.coef_, want.coef_, atol=1e-9)
    np.testing.assert_allclose(found.decision_function(features), want.decision_function(features), atol=1e-9)
    assert set(vars(found)) == set(vars(want))


def test_calibration_changes_no_decision():
    part = SplitPart(who="1", trials=trials(), mode="fixed", train=np.arange(30), test=np.arange(30, 48))
    for name in ("mdm", "csp-lda"):
        (plain,) = evaluate_part([(name, {})], part, 0, calibration="none")
        (calibrated,) = evaluate_part([(name, {})], part, 0)
        assert not isinstance(plain, str)
        assert not isinstance(calibrated, str)
        np.testing.assert_allclose(plain.scores, calibrated.scores, atol=1e-7)
        np.testing.assert_array_equal(plain.y_pred, calibrated.y_pred)
        assert plain.kappa == pytest.approx(cohen_kappa_score(plain.y_true, plain.y_pred))


def test_the_area_under_the_curve_is_scikit_learns():
    rng = np.random.default_rng(4)
    for n_classes in (2, 3):
        names = np.array(["a", "b", "c"])[:n_classes]
        y = names[np.arange(60) % n_classes]
        scores = np.round(rng.standard_normal((60, n_classes)), 1)  # ties
        rest = [logsumexp(np.delete(scores, k, axis=1), axis=1) for k in range(n_classes)]
        columns = [1] if n_classes == 2 else range(n_classes)
        want = np.mean([roc_auc_score(y == names[k], scores[:, k] - rest[k]) for k in columns])
        assert roc_auc(y, scores, names) == pytest.approx(want, abs=1e-12)
    with pytest.raises(ArgumentError, match="NaN"):
        roc_auc(y, scores * np.nan, names)
