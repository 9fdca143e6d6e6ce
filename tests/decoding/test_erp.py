import contextlib
import unittest

import numpy as np
import pytest
from pyriemann.estimation import ERPCovariances, XdawnCovariances
from pyriemann.tangentspace import TangentSpace
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from bcikit.decoding import make_decoder
from bcikit.decoding.continuous import KalmanDecoder, RidgeDecoder
from bcikit.decoding.metrics import roc_auc
from bcikit.decoding.speller import LetterPosterior
from bcikit.decoding.toeplitz import ToeplitzLda, block_toeplitz
from bcikit.decoding.umm import Umm
from bcikit.paradigms.language import LanguageModel
from bcikit.signal import DataError

SFREQ = 64.0


def erp(n, *, seed, amplitude=1.0, n_channels=6, n_times=52, share=1 / 6, y=None):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int) if y is None else y
    noise = rng.standard_normal((n, n_channels, n_times + 30))
    for t in range(1, n_times + 30):
        noise[:, :, t] += 0.85 * noise[:, :, t - 1]
    mixing = np.random.default_rng(5).standard_normal((n_channels, n_channels))
    time = np.arange(n_times) / SFREQ
    wave = np.exp(-0.5 * ((time - 0.38) / 0.07) ** 2)
    where = np.exp(-0.5 * ((np.arange(n_channels) - 3) / 1.5) ** 2)
    return mixing @ noise[:, :, 30:] + amplitude * 4 * y[:, None, None] * np.outer(where, wave), y


@pytest.mark.parametrize("name", ["erp-lda", "toeplitz-lda", "xdawn-tangent", "erp-tangent", "erp-stack"])
def test_every_decoder_finds_the_targets(name):
    X, y = erp(600, seed=0)
    decoder = make_decoder(name, sfreq=SFREQ).fit(X[:400], y[:400])
    assert roc_auc(y[400:], decoder.decision_scores(X[400:]), [0, 1]) > 0.85


def test_lda_equals_scikit_learn_on_the_same_means():
    X, y = erp(300, seed=1)
    ours = make_decoder("erp-lda", sfreq=SFREQ).fit(X[:200], y[:200])
    means = X.reshape(300, 6, 26, 2).mean(axis=3).swapaxes(1, 2).reshape(300, -1)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(means[:200], y[:200])
    np.testing.assert_allclose(ours.predict_proba(X[200:]), theirs.predict_proba(means[200:]), atol=1e-10)


@pytest.mark.parametrize(("name", "features"), [("xdawn-tangent", XdawnCovariances), ("erp-tangent", ERPCovariances)])
def test_tangent_decoders_equal_pyriemann(name, features):
    X, y = erp(240, seed=2)
    ours = make_decoder(name, sfreq=SFREQ).fit(X[:160], y[:160])
    theirs = make_pipeline(features(estimator="oas"), TangentSpace(), LogisticRegression(max_iter=1000))
    theirs.fit(X[:160], y[:160])
    np.testing.assert_allclose(ours.predict_proba(X[160:]), theirs.predict_proba(X[160:]), atol=1e-5)


def test_block_toeplitz_is_the_tapered_mean_along_the_diagonals():
    rng = np.random.default_rng(0)
    covariance = np.cov(rng.standard_normal((12, 100)))
    result = block_toeplitz(covariance, 3)
    for lag in range(4):
        blocks = [covariance[3 * i : 3 * i + 3, 3 * (i + lag) : 3 * (i + lag) + 3] for i in range(4 - lag)]
        expected = np.mean(blocks, axis=0) * (1 - lag / 4)
        for i in range(4 - lag):
            np.testing.assert_allclose(result[3 * i : 3 * i + 3, 3 * (i + lag) : 3 * (i + lag) + 3], expected)
    np.testing.assert_allclose(result, result.T)
    assert np.linalg.eigvalsh(result)[0] > 0


def test_toeplitz_lda_equals_its_formula_and_needs_fewer_trials():
    X, y = erp(1200, seed=3, amplitude=0.6)
    flat = X[:, :, ::4].swapaxes(1, 2).reshape(1200, -1)
    ours = ToeplitzLda(n_channels=6).fit(flat[:300], y[:300])
    means = np.stack([flat[:300][y[:300] == k].mean(axis=0) for k in (0, 1)])
    centred = flat[:300] - means[y[:300]]
    deviation = centred.std(axis=0)
    covariance = ledoit_wolf(centred / deviation, assume_centered=True)[0] * np.outer(deviation, deviation)
    weights = np.linalg.solve(block_toeplitz(covariance, 6), means[1] - means[0])
    scores = flat[300:] @ weights
    ours_scores = ours.decision_function(flat[300:])
    assert np.corrcoef(scores, ours_scores)[0, 1] == pytest.approx(1.0, abs=1e-9)
    few = []
    for start in range(0, 300, 60):
        part = slice(start, start + 60)
        plain = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(flat[part], y[part])
        toeplitz = ToeplitzLda(n_channels=6).fit(flat[part], y[part])
        few.append(
            [
                roc_auc(y[300:], np.c_[np.zeros(900), model.decision_function(flat[300:])], [0, 1])
                for model in (toeplitz, plain)
            ]
        )
    toeplitz_auc, plain_auc = np.mean(few, axis=0)
    assert toeplitz_auc > plain_auc


@pytest.mark.parametrize("estimator", [ToeplitzLda(), RidgeDecoder(), KalmanDecoder()], ids=lambda e: type(e).__name__)
def test_estimators_on_features_pass_the_checks_of_scikit_learn(estimator):
    # Each row of a Kalman filter follows from those before it, which these checks forbid on purpose.
    in_order = {"check_methods_subset_invariance", "check_methods_sample_order_invariance"}
    for instance, check in estimator_checks_generator(estimator):
        name = getattr(check, "func", check).__name__
        if isinstance(estimator, KalmanDecoder) and name in in_order:
            continue
        with contextlib.suppress(unittest.SkipTest):
            check(instance)


SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789_"


class Layout:
    """Rows and columns of a matrix of symbols, or single items, and which symbols a flash of them shows."""

    def __init__(self, symbols, *, n_columns=None):
        index = np.arange(len(symbols))
        self.symbols = symbols
        self.groups = np.eye(len(symbols), dtype=bool)
        if n_columns is not None:
            rows = [index // n_columns == row for row in range(len(symbols) // n_columns)]
            self.groups = np.array(rows + [index % n_columns == column for column in range(n_columns)])
        self.n_groups = len(self.groups)

    def codes(self, order):
        return self.groups[np.asarray(order)].T


def flashes(layout, target, n_sequences, rng):
    order = np.concatenate([rng.permutation(layout.n_groups) for _ in range(n_sequences)])
    return order, layout.codes(order)[layout.symbols.index(target)].astype(int)


def test_umm_spells_without_calibration():
    layout = Layout(SYMBOLS, n_columns=6)
    rng = np.random.default_rng(0)
    speller = Umm(sfreq=SFREQ)
    right = 0
    for number, letter in enumerate("BRAIN"):
        order, target = flashes(layout, letter, 12, rng)
        X, _ = erp(len(order), seed=10 + number, y=target)
        right += layout.symbols[speller.decide(X, layout.codes(order))] == letter
    assert right >= 4
    assert speller.n_letters_ == 5


def test_umm_distance_is_the_mahalanobis_distance_of_the_means():
    layout = Layout("ABCD")
    order, target = flashes(layout, "B", 6, np.random.default_rng(1))
    X, _ = erp(len(order), seed=3, y=target)
    speller = Umm(sfreq=SFREQ, interval=1 / 16)
    got = speller.distances(X, layout.codes(order))
    features = X.reshape(24, 6, 13, 4).mean(axis=3).swapaxes(1, 2).reshape(24, -1)
    centred = features - features.mean(axis=0)
    deviation = centred.std(axis=0)
    shrunk = ledoit_wolf(centred / deviation, assume_centered=True)[0] * np.outer(deviation, deviation)
    inverse = np.linalg.inv(block_toeplitz(shrunk, 6))
    for k, code in enumerate(layout.codes(order)):
        d = features[code].mean(axis=0) - features[~code].mean(axis=0)
        assert got[k] == pytest.approx(d @ inverse @ d, rel=1e-5)


def test_umm_refuses_codes_that_tell_nothing():
    X, _ = erp(4, seed=0)
    with pytest.raises(DataError, match="whole sequence"):
        Umm(sfreq=SFREQ).distances(X, np.ones((3, 4), bool))
    with pytest.raises(DataError, match="codes"):
        Umm(sfreq=SFREQ).distances(X, np.ones((3, 5), bool))


def test_letter_posterior_is_bayes_rule():
    layout = Layout("AB")
    posterior = LetterPosterior(2, prior=[0.8, 0.2], target_share=0.25)
    found = posterior.update([0.6], layout.codes([1]))
    # Likelihood ratio of a flash of B: odds of the decoder over odds of its training.
    ratio = (0.6 / 0.4) / (0.25 / 0.75)
    assert found[1] == pytest.approx(0.2 * ratio / (0.2 * ratio + 0.8))
    posterior.reset()
    np.testing.assert_allclose(posterior.probabilities, 0.5)


def test_a_language_prior_makes_letters_come_sooner():
    layout = Layout(SYMBOLS, n_columns=6)
    chances = LanguageModel().next_item("THE BRAI", list(SYMBOLS))
    prior = np.array([chances[symbol] for symbol in SYMBOLS])
    assert SYMBOLS[prior.argmax()] == "N"
    rng = np.random.default_rng(0)
    needed = {True: [], False: []}
    for _ in range(20):
        order, target = flashes(layout, "N", 15, rng)
        p = 1 / (1 + np.exp(-(rng.standard_normal(len(order)) + 1.2 * (target - 0.5) + np.log(0.2))))
        for use in (True, False):
            letter = LetterPosterior(36, prior=prior if use else None, target_share=1 / 6)
            for n, group in enumerate(order, start=1):
                if letter.update(p[n - 1 : n], layout.codes([group])).max() > 0.95:
                    break
            needed[use].append(n)
    assert np.mean(needed[True]) < np.mean(needed[False])
