import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_no_attributes_set_in_init,
)

from bcikit.decoding import cross_validate, decoder_names, make_decoder, make_folds
from bcikit.decoding.leakage import leaks, runs_hold_one_class
from bcikit.decoding.learning import enough_trials, learning_curve, permutation_test
from bcikit.decoding.registry import DECODERS
from bcikit.signal import ArgumentError, DataError

PARAMS = {"ssvep": {"frequencies": {"left": 10.0, "right": 14.0}}}
PLAIN = [n for n, e in DECODERS.items() if e.paradigm not in ("any", "cvep")]


def made(name, **changes):
    return make_decoder(name, sfreq=100.0, **PARAMS.get(DECODERS[name].paradigm, {}), **changes)


def test_runs_are_left_out_one_by_one(trials):
    scores = cross_validate(made("csp-lda"), trials)
    assert scores.split == "leave-group-out"
    np.testing.assert_array_equal(scores.folds, trials.groups)
    assert scores.accuracy > 0.9
    assert scores.chance_upper == pytest.approx(36 / 60)
    assert len(scores.fold_accuracies) == 3
    values = scores.to_dict()
    assert values["confusion"] == scores.confusion.tolist()
    assert sum(map(sum, values["confusion"])) == 60


def test_numbers_that_trials_of_one_class_do_not_have_are_none_in_json(trials):
    scores = cross_validate(made("csp-lda"), trials)
    first = scores.classes[0]
    one = replace(scores, y_true=np.full_like(scores.y_true, first), y_pred=np.full_like(scores.y_pred, first))
    values = one.to_dict()
    assert (values["auc"], values["kappa"]) == (None, None)
    json.dumps(values, allow_nan=False)


def test_where_one_class_is_commoner_chance_is_to_say_it_always(trials):
    y = np.array(["a"] * 52 + ["b"] * 8)
    noise = replace(trials, y=y, X=np.random.default_rng(0).normal(size=trials.X.shape), groups=np.arange(60) % 3)
    scores = cross_validate(made("csp-lda"), noise)
    assert scores.guessing == pytest.approx(52 / 60)
    assert scores.chance_upper == pytest.approx(binom.isf(0.05, 60, 52 / 60) / 60)
    assert scores.accuracy <= scores.chance_upper
    # Chance has a bound of its own for the mean over classes: few trials of one of them spread it.
    rng = np.random.default_rng(1)
    guessed = [np.mean([rng.binomial(52, 0.5) / 52, rng.binomial(8, 0.5) / 8]) for _ in range(20000)]
    assert scores.to_dict()["balanced_chance_upper"] == pytest.approx(np.quantile(guessed, 0.95), abs=0.01)


def test_classes_in_blocks_or_in_runs_of_their_own_are_said(trials):
    order = np.lexsort((trials.samples, trials.runs))
    mixed = trials.take(order)
    alone = replace(mixed, y=np.where(mixed.runs == 1, "right", "left"))
    assert runs_hold_one_class(alone)
    assert any("each run holds one class" in note for note in leaks(alone, split="leave-group-out"))
    length = len(mixed) // 3
    half = replace(mixed, y=np.tile(np.repeat(["left", "right"], length // 2), 3))
    assert not runs_hold_one_class(half)
    assert any("classes come in blocks (3 changes of class in 60" in note for note in leaks(half, split="shuffled"))
    for seed in range(5):
        y = np.random.default_rng(seed).permutation(mixed.y)
        assert leaks(replace(mixed, y=y), split="leave-group-out") == []


def test_random_labels_stay_within_chance(trials):
    accuracies = []
    for seed in range(8):
        y = np.random.default_rng(seed).permutation(trials.y)
        accuracies.append(cross_validate(made("csp-lda"), replace(trials, y=y)).accuracy)
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.08)


def test_folds_hold_every_trial_once_and_keep_neighbours_together():
    y = np.array(["a", "b"] * 20)
    for split in ("shuffled", "blocked"):
        name, folds = make_folds(y, None, split=split, n_folds=4)
        assert name == split
        assert np.bincount(folds).tolist() == [10] * 4
    assert (np.diff(make_folds(y, None, split="blocked")[1]) >= 0).all()
    assert make_folds(y, np.zeros(40), split="auto")[0] == "blocked"
    assert (make_folds(y, None, split="shuffled", seed=1)[1] != make_folds(y, None, split="shuffled", seed=2)[1]).any()
    with pytest.raises(DataError, match="two runs"):
        make_folds(y, np.zeros(40), split="leave-group-out")
    with pytest.raises(ArgumentError, match="split"):
        make_folds(y, None, split="random")


def test_sliding_windows_must_not_be_shuffled(trials):
    sliding = replace(trials, samples=np.tile(np.arange(20) * 20, 3))
    with pytest.raises(DataError, match="half of their neighbours"):
        cross_validate(made("csp-lda"), sliding, split="shuffled")
    assert "overlap" in cross_validate(made("csp-lda"), sliding, split="blocked").notes[0]
    assert cross_validate(made("csp-lda"), sliding).notes == ()


def test_zero_phase_filters_are_said(trials):
    assert "zero phase" in cross_validate(made("csp-lda"), replace(trials, causal=False)).notes[0]


def test_a_class_missing_in_the_training_is_named(trials):
    only = replace(trials, groups=(trials.y == "left").astype(int))
    with pytest.raises(DataError, match="no trial of right"):
        cross_validate(made("csp-lda"), only)


def test_held_out_trials_do_not_touch_the_training(trials):
    scores = cross_validate(made("tangent-lr"), trials)
    X = trials.X.copy()
    X[trials.groups == 2] *= 50.0
    changed = cross_validate(made("tangent-lr"), replace(trials, X=X))
    held = trials.groups == 2
    # Only the decoder of run 2 is the same in both: it was trained on runs 0 and 1.
    fitted = clone(made("tangent-lr")).fit(trials.X[~held], trials.y[~held])
    np.testing.assert_allclose(changed.scores[held], fitted.decision_scores(X[held]))
    np.testing.assert_allclose(scores.scores[held], fitted.decision_scores(trials.X[held]))


def test_learning_curve_and_permutation_test(trials):
    curve = learning_curve(made("csp-lda"), trials)
    assert [point["trials"] for point in curve] == [5, 10, 15, 20]
    assert curve[-1]["accuracy"] > 0.9
    assert enough_trials(curve) <= 20
    accuracy, p = permutation_test(made("csp-lda"), trials, n_permutations=39)
    assert accuracy > 0.9
    assert p == pytest.approx(1 / 40)
    noise = replace(trials, X=np.random.default_rng(0).standard_normal(trials.X.shape))
    assert permutation_test(made("csp-lda"), noise, n_permutations=39)[1] > 0.05


@pytest.mark.parametrize("name", PLAIN)
def test_decoders_keep_the_conventions_of_scikit_learn(name, trials):
    decoder = made(name)
    check_no_attributes_set_in_init(type(decoder).__name__, clone(decoder))
    params = {key: value for key, value in decoder.get_params().items() if key not in ("random_state",)}
    assert clone(decoder).get_params() == params
    fitted = decoder.fit(trials.X, trials.y)
    assert fitted is decoder
    assert decoder.get_params() == params
    before = trials.X.copy()
    first = decoder.predict_proba(trials.X)
    np.testing.assert_array_equal(trials.X, before)
    np.testing.assert_allclose(first.sum(axis=1), 1.0)
    np.testing.assert_array_equal(decoder.classes_[first.argmax(axis=1)], decoder.predict(trials.X))
    # A window decided alone is decided as in a crowd; a second fit gives the same.
    np.testing.assert_allclose(decoder.predict_proba(trials.X[3:4]), first[3:4], atol=1e-8)
    np.testing.assert_allclose(clone(decoder).fit(trials.X, trials.y).predict_proba(trials.X), first, atol=1e-8)


@pytest.mark.parametrize("name", PLAIN)
def test_bad_input_is_refused_by_every_decoder(name, trials):
    X, y = trials.X, trials.y
    holed = X.copy()
    holed[4, 2, 7] = np.nan
    with pytest.raises(DataError, match=r"1 of 60 epochs.*epoch 4"):
        made(name).fit(holed, y)
    with pytest.raises(DataError, match="one class"):
        made(name).fit(X, np.full(60, "left"))
    with pytest.raises(DataError, match="n_epochs, n_channels, n_times"):
        made(name).fit(X[0], y)
    with pytest.raises(DataError, match="y has shape"):
        made(name).fit(X, y[:-1])
    fitted = made(name).fit(X, y)
    with pytest.raises(DataError, match="7 channels"):
        fitted.predict(X[:, :7])
    with pytest.raises(DataError, match="NaN"):
        fitted.predict(holed)


def test_names_and_parameters_that_do_not_exist_are_named():
    with pytest.raises(ArgumentError, match="Did you mean 'csp-lda'"):
        make_decoder("csp-lad", sfreq=100.0)
    with pytest.raises(ArgumentError, match="n_filters"):
        make_decoder("csp-lda", sfreq=100.0, n_filter=4)
    with pytest.raises(ArgumentError, match="frequencies"):
        make_decoder("fbcca", sfreq=100.0)
    with pytest.raises(ArgumentError, match="paradigm"):
        decoder_names("telepathy")
    with pytest.raises(ArgumentError, match="sfreq"):
        make_decoder("csp-lda", sfreq=0.0)
