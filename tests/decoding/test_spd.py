import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyriemann.classification import MDM, FgMDM
from pyriemann.estimation import Covariances, TimeDelayCovariances
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.geodesic import geodesic_riemann
from pyriemann.spatialfilters import CSP
from pyriemann.tangentspace import TangentSpace as PyTangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from bcikit.decoding import make_decoder
from bcikit.decoding.spd import covariances, function_of, geodesic, rank_projection, squared_distances, unupper, upper


@pytest.mark.parametrize("estimator", ["oas", "lwf", "cov", "scm"])
@pytest.mark.parametrize("shape", [(5, 8, 100), (3, 22, 50), (2, 4, 10)])
def test_covariances_equal_pyriemann(estimator, shape):
    X = np.random.default_rng(0).standard_normal(shape) * 30.0 + 5.0
    if estimator == "scm":
        # The two packages differ in what they take the mean of; for centred signals they must agree.
        X -= X.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(covariances(X, estimator), Covariances(estimator).transform(X), rtol=1e-8, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_upper_keeps_the_norm_and_is_undone(seed, n):
    a = np.random.default_rng(seed).standard_normal((3, n, n))
    a = a + a.swapaxes(-1, -2)
    np.testing.assert_allclose(np.linalg.norm(upper(a), axis=-1), np.linalg.norm(a, axis=(-2, -1)))
    np.testing.assert_allclose(unupper(upper(a)), a, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_distance_and_geodesic_equal_pyriemann_and_do_not_change_by_congruence(seed):
    rng = np.random.default_rng(seed)
    a, b = covariances(rng.standard_normal((2, 5, 60)), "cov")
    mix = rng.standard_normal((5, 5)) + 3 * np.eye(5)
    d = squared_distances(a[None], function_of(b, "invsqrt")[None])[0, 0]
    assert d == pytest.approx(distance_riemann(a, b) ** 2, rel=1e-8)
    moved = squared_distances((mix @ a @ mix.T)[None], function_of(mix @ b @ mix.T, "invsqrt")[None])[0, 0]
    assert moved == pytest.approx(d, rel=1e-6)
    np.testing.assert_allclose(geodesic(a, b, 0.3), geodesic_riemann(a, b, 0.3), rtol=1e-8)


def test_rank_projection_finds_what_an_average_reference_takes_away():
    x = np.random.default_rng(0).standard_normal((6, 1000))
    assert rank_projection(x @ x.T) is None
    x -= x.mean(axis=0)
    assert rank_projection(x @ x.T).shape == (5, 6)


def _reference(name):
    oas, lda = Covariances("oas"), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return {
        "tangent-lr": make_pipeline(oas, PyTangentSpace(), LogisticRegression(max_iter=1000)),
        "tangent-svm": make_pipeline(oas, PyTangentSpace(), SVC(kernel="linear", tol=1e-6)),
        "mdm": make_pipeline(oas, MDM()),
        "fgmdm": make_pipeline(oas, FgMDM()),
        "acm-svm": make_pipeline(TimeDelayCovariances(delays=[8, 16, 24], estimator="oas"), PyTangentSpace(), lda),
    }[name]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["tangent-lr", "tangent-svm", "mdm", "fgmdm"])
def test_decoders_equal_pyriemann(name, n_classes, imagery):
    X, y = imagery(60, 6, 120, seed=3, n_classes=n_classes, depth=0.7)
    ours = make_decoder(name, sfreq=100.0).fit(X[:40], y[:40])
    theirs = _reference(name).fit(X[:40], y[:40])
    np.testing.assert_array_equal(ours.predict(X[40:]), theirs.predict(X[40:]))
    if name != "tangent-svm":
        np.testing.assert_allclose(ours.predict_proba(X[40:]), theirs.predict_proba(X[40:]), atol=1e-8)
    else:
        values = theirs.decision_function(X[40:])
        scores = ours.decision_scores(X[40:])
        np.testing.assert_allclose(scores[:, 1] if n_classes == 2 else scores, values, atol=1e-6)


def test_augmented_covariance_has_the_delays_of_its_paper(imagery):
    X, y = imagery(30, 3, 100, seed=3)
    decoder = make_decoder("acm-svm", sfreq=100.0, order=3, lag=5).fit(X, y)
    matrix = decoder.matrices(X[:1])[0]
    expected = np.concatenate([X[0][:, 10 - 5 * k : 100 - 5 * k] for k in range(3)])
    np.testing.assert_allclose(matrix, covariances(expected[None])[0], atol=1e-10)


def test_csp_equals_pyriemann_on_covariances_of_unit_power(imagery):
    X, y = imagery(60, 6, 120, seed=4)
    ours = make_decoder("csp-lda", sfreq=100.0, n_filters=4).fit(X, y)
    matrices = covariances(X, "cov")
    theirs = CSP(nfilter=4).fit(matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None], y)
    np.testing.assert_allclose(np.abs(ours.filters_), np.abs(theirs.filters_), atol=1e-8)
    # A pattern is what its own filter lets through with gain one and the other filters do not see.
    np.testing.assert_allclose(ours.filters_ @ ours.patterns_.T, np.eye(4), atol=1e-8)


@pytest.mark.parametrize("name", ["csp-lda", "tangent-lr", "mdm", "fgmdm", "fbcsp", "acm-svm"])
def test_data_without_full_rank_are_decoded(name, imagery):
    X, y = imagery(60, 6, 120, seed=5)
    referenced = X - X.mean(axis=1, keepdims=True)
    doubled = np.concatenate([referenced, referenced[:, :1]], axis=1)
    decoder = make_decoder(name, sfreq=100.0).fit(doubled[:40], y[:40])
    assert np.mean(decoder.predict(doubled[40:]) == y[40:]) >= 0.8
    assert np.isfinite(decoder.decision_scores(doubled)).all()
