"""One table over all decoders: what scikit-learn's tools rely on, on epochs of three axes."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_predict, cross_val_score
from sklearn.utils.validation import has_fit_parameter

import bcikit.decoding
from bcikit.decoding import DECODERS, Model, OnlineDecoder, decoder_names, make_decoder
from bcikit.decoding.registry import decoder_class
from bcikit.signal import ArgumentError, DataError, DoubtWarning, Recording

SFREQ = 128.0
FREQUENCIES = {"0": 9.0, "1": 13.0}
NETWORKS = ("onnx", "module", "encoder")
NAMES = tuple(name for name in DECODERS if name not in NETWORKS)
WEIGHTED = ("tangent-lr", "tangent-svm", "mdm", "acm-svm", "xdawn-tangent", "erp-tangent", "errp-tangent")


CODE_LAGS = (0.0, 0.25, 0.5)
"""Seconds by which the one code of a template is ahead for each class."""


def codes(n_classes: int) -> np.ndarray:
    """Return random codes at 128 Hz, each held for two samples."""
    return np.repeat(np.random.default_rng(3).integers(0, 2, (n_classes, 64)), 2, axis=1)


def named(name: str, classes: list, **params):
    """Return a decoder whose targets and codes are named as the classes are."""
    paradigm = DECODERS[name].paradigm
    if paradigm == "ssvep":
        params["frequencies"] = dict(zip(classes, (9.0, 13.0, 11.0), strict=False))
    if name == "ssvep-auto":
        # Two of what it chooses from, which have their own rows: six in four folds are most of the time of all rows.
        params |= {"candidates": ("fbcca-lda", "tdca"), "n_folds": 2}
    if name == "code-template":
        params |= {"lags": dict(zip(classes, CODE_LAGS, strict=False)), "period": 128 / SFREQ}
    elif paradigm == "cvep":
        params |= {"codes": codes(len(classes)), "classes": classes, "event": "refe"}
    if name == "braking":
        params["idle"] = classes[0]
    if name == "hybrid":
        params["channels"] = {"C3": "eeg", "Cz": "eeg", "C4": "eeg", "arm": "emg"}
    return make_decoder(name, sfreq=SFREQ, **params)


def epochs_of(name: str, classes: list, *, per_class: int = 20, seed: int = 0):
    """Return epochs that the decoder can tell apart, and labels in the type of `classes`."""
    rng = np.random.default_rng(seed)
    n = per_class * len(classes)
    index = np.arange(n) % len(classes)
    X = 3.0 * rng.standard_normal((n, 4, 128))
    time = np.arange(128) / SFREQ
    for k in range(len(classes)):
        rows = index == k
        if name == "code-template":
            X[rows, 1] += 8.0 * np.roll(codes(1)[0], -round(CODE_LAGS[k] * SFREQ))
        elif DECODERS[name].paradigm == "cvep":
            X[rows, 1] += 8.0 * codes(len(classes))[k]
        else:
            X[rows, 1] += 6.0 * np.sin(2 * np.pi * (9.0, 13.0, 11.0)[k] * time)
            X[rows, k] *= 0.4
            X[rows, 2] += 6.0 * k * np.exp(-(((time - 0.4) / 0.08) ** 2))
    return X, np.array(classes)[index]


TYPES = {
    "words": ["aber", "zwei"],
    "integers": [3, 20],
    "negative": [-1, 1],
    "floats": [1.0, 2.0],
    "booleans": [False, True],
}


@pytest.mark.parametrize("name", NAMES)
def test_labels_come_back_in_the_type_they_were_given_in(name):
    for kind, classes in TYPES.items():
        X, y = epochs_of(name, classes, per_class=10)
        decoder = named(name, classes).fit(X, y)
        assert decoder.classes_.dtype.kind == y.dtype.kind, kind
        assert decoder.classes_.tolist() == sorted(classes)
        assert decoder.predict(X).dtype.kind == y.dtype.kind, kind
        assert decoder.score(X, y) > 0.85, kind
    objects = np.array(["aber", "zwei"], dtype=object)[(np.arange(20) % 2)]
    X, _ = epochs_of(name, ["aber", "zwei"], per_class=10)
    assert named(name, ["aber", "zwei"]).fit(X, objects).predict(X).dtype == objects.dtype


@pytest.mark.parametrize("name", NAMES)
def test_unfitted_use_raises_not_fitted(name):
    X, _ = epochs_of(name, ["a", "b"])
    for method in ("predict", "predict_proba", "decision_function", "decision_scores"):
        with pytest.raises(NotFittedError):
            getattr(named(name, ["a", "b"]), method)(X)


@pytest.mark.parametrize("name", ["csp-lda", "tangent-lr", "fbcca", "fbcca-lda", "spiking"])
def test_features_of_the_unfitted_raise_not_fitted(name):
    X, _ = epochs_of(name, ["a", "b"])
    for method in ("features", "matrices", "correlations", "currents", "spikes"):
        decoder = named(name, ["a", "b"])
        if hasattr(decoder, method):
            with pytest.raises(NotFittedError):
                getattr(decoder, method)(X)


@pytest.mark.parametrize("name", NAMES)
def test_scores_have_the_shapes_and_signs_of_scikit_learn(name):
    X, y = epochs_of(name, ["a", "b"])
    decoder = named(name, ["a", "b"])
    params = decoder.get_params()
    assert decoder.fit(X, y) is decoder
    assert decoder.get_params() == params
    assert decoder.n_features_in_ == X.shape[1]
    values = decoder.decision_function(X)
    assert values.shape == (len(X),)
    np.testing.assert_array_equal(np.where(values > 0, "b", "a"), decoder.predict(X))
    np.testing.assert_allclose(decoder.predict_proba(X).sum(axis=1), 1.0)
    with pytest.raises(DataError, match="channels"):
        decoder.predict(X[:, :3])
    again = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_allclose(again.decision_scores(X), decoder.decision_scores(X), atol=1e-10)
    other = clone(decoder)
    with pytest.raises(NotFittedError):
        other.predict(X)
    np.testing.assert_allclose(other.fit(X, y).decision_scores(X), decoder.decision_scores(X), atol=1e-8)
    if name == "braking":
        return
    X, y = epochs_of(name, ["a", "b", "c"])
    assert named(name, ["a", "b", "c"]).fit(X, y).decision_function(X).shape == (len(X), 3)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_taken_by_those_for_whom_they_mean_something(name):
    X, y = epochs_of(name, ["a", "b"])
    decoder = named(name, ["a", "b"])
    assert has_fit_parameter(decoder, "sample_weight") == (name in WEIGHTED or isinstance(decoder, WITH_WEIGHTS))
    if name not in WEIGHTED:
        return
    plain = decoder.fit(X, y).decision_scores(X)
    np.testing.assert_allclose(clone(decoder).fit(X, y, sample_weight=np.ones(40)).decision_scores(X), plain, atol=1e-6)
    # A trial of weight zero was never there.
    without = clone(decoder).fit(X[:30], y[:30]).decision_scores(X)
    weighted = clone(decoder).fit(X, y, sample_weight=np.repeat([1.0, 0.0], [30, 10])).decision_scores(X)
    np.testing.assert_allclose(weighted, without, atol=1e-6)
    assert not np.allclose(weighted, plain)
    for wrong in (np.ones(39), -np.ones(40), np.zeros(40), np.full(40, np.nan), np.repeat([1.0, 0.0], [1, 39])):
        with pytest.raises((DataError, ValueError)):
            clone(decoder).fit(X, y, sample_weight=wrong)


WITH_WEIGHTS = tuple({decoder_class(name) for name in WEIGHTED})


def test_lda_says_that_it_takes_no_weights():
    X, y = epochs_of("tangent-lr", ["a", "b"])
    with pytest.raises(ArgumentError, match="lr, svm"):
        make_decoder("tangent-lr", sfreq=SFREQ, classifier="lda").fit(X, y, sample_weight=np.ones(40))


@pytest.mark.parametrize("name", NAMES)
def test_voting_stacking_and_searches_work(name):
    # Both encode labels as 0, 1; targets and codes are named so.
    X, y = epochs_of(name, [0, 1], per_class=15)
    members = [("one", named(name, [0, 1])), ("two", make_decoder("erp-lda", sfreq=SFREQ))]
    voting = VotingClassifier(members, voting="soft").fit(X, y)
    assert voting.score(X, y) > 0.9
    stacking = StackingClassifier(members, final_estimator=LogisticRegression(), cv=2).fit(X, y)
    stacking.set_output(transform="default")
    assert stacking.score(X, y) > 0.9
    assert stacking.transform(X).shape == (30, 2)
    assert cross_val_score(named(name, [0, 1]), X, y, cv=2, scoring="roc_auc").min() > 0.7


KINDS = {
    "words": ["aber", "zwei"],
    "numbers that are names": [0, 1],
    "numbers that are the numbers of others": [1, 2],
    "numbers": [3, 20],
    "three words": ["left", "right", "up"],
}


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_and_scores_are_cross_validated(name):
    # For these scikit-learn hands over the number of each class, whatever the labels are.
    names_classes = DECODERS[name].paradigm in ("ssvep", "cvep") and not name.endswith("auto")
    for kind, classes in KINDS.items():
        if not names_classes and kind not in ("words", "numbers"):
            continue
        X, y = epochs_of(name, classes, per_class=10)
        folds = PredefinedSplit(np.arange(len(y)) // len(classes) % 2)
        decoder = named(name, classes)
        with warnings.catch_warnings():
            if kind == "numbers that are the numbers of others":
                warnings.simplefilter("ignore", DoubtWarning)
            found = cross_val_predict(decoder, X, y, cv=folds, method="predict_proba")
            scores = cross_val_predict(decoder, X, y, cv=folds, method="decision_function")
        assert found.shape == (len(y), len(classes)), kind
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        expected = np.empty_like(found)
        for fold in (0, 1):
            held = folds.test_fold == fold
            expected[held] = named(name, classes).fit(X[~held], y[~held]).predict_proba(X[held])
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=kind)
        assert np.mean(np.array(classes)[found.argmax(axis=1)] == y) > 0.8, kind
        largest = scores.argmax(axis=1) if scores.ndim > 1 else (scores > 0).astype(int)
        np.testing.assert_array_equal(largest, found.argmax(axis=1))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "braking"])
def test_a_class_that_a_fold_has_not_is_a_column_all_the_same(name):
    classes = ["left", "right", "up"]
    X, y = epochs_of(name, classes, per_class=10)
    # All trials of the last class are in one fold: the decoder of that fold never saw it.
    folds = PredefinedSplit(np.where(y == "up", 0, np.arange(len(y)) // 3 % 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cross_val_predict(named(name, classes), X, y, cv=folds, method="predict_proba")
    assert found.shape == (30, 3)
    known = y != "up"
    assert np.mean(np.array(classes)[found[known].argmax(axis=1)] == y[known]) > 0.8
    if name in ("ecca", "etrca", "etrca-r", "ms-ecca", "tdca", "trca"):
        # They have a template of each target. A session that lacks one is told which.
        with pytest.raises(DataError, match="there is none of up"):
            named(name, classes).fit(X[known], y[known])


def test_numbers_that_could_be_either_are_said():
    X, y = epochs_of("code-template", [1, 2])
    decoder = named("code-template", [1, 2])
    with pytest.warns(DoubtWarning, match="are taken as scikit-learn's numbers of 1, 2"):
        assert decoder.fit(X, y - 1).score(X, y - 1) > 0.9
    X, y = epochs_of("rcca", [1, 2, 3])
    some = y < 3
    with pytest.warns(DoubtWarning, match="are taken by name, not as scikit-learn's numbers of 1, 2, 3"):
        assert named("rcca", [1, 2, 3]).fit(X[some], y[some]).score(X[some], y[some]) > 0.9
    with pytest.warns(DoubtWarning, match=r"are taken as scikit-learn's numbers of a, b, c\."):
        named("rcca", ["c", "a", "b"]).fit(X, y - 1)
    with pytest.warns(DoubtWarning, match="scikit-learn's numbers of a, b, c; no trial has c"):
        named("rcca", ["a", "b", "c"]).fit(X[some], y[some] - 1)
    # Words that look like numbers are sorted in two ways: nobody can say which is meant.
    with pytest.raises(DataError, match="no frequency"):
        make_decoder("fbcca", sfreq=SFREQ, frequencies={"9": 9.0, "13": 13.0}).fit(X[some], y[some] - 1)


def test_a_class_without_a_code_has_to_be_named_for_scikit_learn():
    X, y = epochs_of("code-template", ["left", "none", "up"], per_class=10)
    X[y == "none"] = np.random.default_rng(8).standard_normal((10, 4, 128)) * 3
    lags = {"left": CODE_LAGS[0], "up": CODE_LAGS[2]}
    decoder = make_decoder("code-template", sfreq=SFREQ, lags=lags, period=128 / SFREQ)
    plain = clone(decoder).fit(X, y)
    assert plain.score(X, y) > 0.9
    with pytest.raises(DataError, match="where every class has a name"):
        cross_val_predict(decoder, X, y, cv=2, method="predict_proba")
    decoder.set_params(lags={**lags, "none": None})
    np.testing.assert_allclose(clone(decoder).fit(X, y).predict_proba(X), plain.predict_proba(X))
    found = cross_val_predict(decoder, X, y, cv=2, method="predict_proba")
    assert np.mean(np.array(["left", "none", "up"])[found.argmax(axis=1)] == y) > 0.8


def test_parameters_are_searched():
    X, y = epochs_of("csp-lda", ["a", "b"])
    found = GridSearchCV(named("csp-lda", ["a", "b"]), {"n_filters": [2, 4]}, cv=3).fit(X, y)
    assert found.best_score_ > 0.9


def test_pandas_output_of_a_stack():
    pytest.importorskip("pandas")
    X, y = epochs_of("mdm", [0, 1])
    stack = StackingClassifier([("mdm", named("mdm", [0, 1]))], final_estimator=LogisticRegression(), cv=3)
    table = stack.set_output(transform="pandas").fit(X, y).transform(X)
    assert list(table.columns) == ["stackingclassifier_mdm"]
    assert len(table) == 40


def test_labels_that_cannot_be_compared_are_named():
    X, y = epochs_of("fbcca", [3, 4])
    with pytest.raises(DataError, match="one type"):
        make_decoder("fbcca", sfreq=SFREQ, frequencies={"left": 9.0, "right": 13.0}).fit(X, y)


@pytest.mark.parametrize(
    ("missing", "dtype"),
    [(np.nan, float), (None, object), (np.nan, object), (pytest.importorskip("pandas").NA, object)],
)
def test_a_missing_label_is_no_class(missing, dtype):
    X, y = epochs_of("csp-lda", [1, 2])
    labels = y.astype(dtype)
    labels[7] = missing
    with pytest.raises(DataError, match=r"1 of 40 labels are missing \(trial 7\)"):
        make_decoder("csp-lda", sfreq=SFREQ).fit(X, labels)


def test_what_is_no_array_of_real_numbers_is_refused():
    X, y = epochs_of("csp-lda", ["a", "b"])
    mixed = np.array([0, *y[1:]], dtype=object)
    wrong = {
        "several types": (X, mixed),
        "complex": (X + 1j, y),
        "1 of 40 epochs hold NaN": (np.ma.MaskedArray(X, np.arange(len(X))[:, None, None] == np.full_like(X, 3)), y),
        "no array of numbers": (np.full(X.shape, "a"), y),
    }
    for words, (data, labels) in wrong.items():
        with pytest.raises(DataError, match=words):
            make_decoder("csp-lda", sfreq=SFREQ).fit(data, labels)


def test_epochs_of_mne_are_taken_in_microvolts():
    mne = pytest.importorskip("mne")
    X, y = epochs_of("erp-lda", ["a", "b"])
    given = mne.EpochsArray(X * 1e-6, mne.create_info(4, SFREQ, "eeg"), verbose="ERROR")
    decoder = make_decoder("erp-lda", sfreq=SFREQ).fit(X, y)
    np.testing.assert_allclose(decoder.decision_scores(given), decoder.decision_scores(X), rtol=1e-6)


def test_targets_are_sorted_as_numbers_where_they_are_numbers():
    rng = np.random.default_rng(0)
    time = np.arange(256) / SFREQ
    targets = {2: 9.0, 10: 13.0, 1: 11.0}
    y = np.repeat([2, 10, 1], 6)
    X = rng.standard_normal((18, 3, 256)) + np.array([3 * np.sin(2 * np.pi * targets[k] * time) for k in y])[:, None]
    for name in ("fbcca", "etrca", "ms-ecca", "tdca"):
        decoder = pickle.loads(pickle.dumps(make_decoder(name, sfreq=SFREQ, frequencies=targets).fit(X, y)))
        assert decoder.classes_.tolist() == [1, 2, 10]
        assert decoder.score(X, y) == 1.0


def test_every_class_is_public():
    for name in decoder_names():
        found = decoder_class(name)
        assert getattr(bcikit.decoding, found.__name__) is found
        assert found.__name__ in dir(bcikit.decoding)


def test_a_stream_against_another_reference_than_the_model_learned_from_is_doubted(trials, tmp_path):
    Model.fit("csp-lda", replace(trials, reference="Cz"), params={"n_filters": 2}).save(tmp_path / "m.skops")
    model = Model.load(tmp_path / "m.skops")
    assert model.sheet.reference == "Cz"
    for same in ("cz", ""):
        OnlineDecoder(model, trials.info.replace(reference=same))
    with pytest.warns(DoubtWarning, match="trained on voltages against Cz, those of 'epochs' are against A1"):
        OnlineDecoder(model, trials.info.replace(reference="A1"))


def test_a_decoder_by_name_and_a_stream_decided_in_one_call(trials):
    model = Model.fit("csp-lda", trials, params={"n_filters": 2})
    assert model.sheet.decoder == "csp-lda"
    assert model.sheet.params["n_filters"] == 2
    with pytest.raises(ArgumentError, match="given by its name"):
        Model.fit(make_decoder("mdm", sfreq=100.0), trials, params={"estimator": "cov"})
    flat = trials.X.transpose(0, 2, 1).reshape(-1, 8)
    recording = Recording.from_arrays(trials.info, flat)
    decisions = list(OnlineDecoder(model, recording.info, every=1.0).run(recording))
    assert len(decisions) == 60
    # Windows of one second, a second apart, are the epochs themselves.
    assert np.mean([d.label for d in decisions] == trials.y) > 0.9
    whole = OnlineDecoder(model, recording.info, every=1.0)
    once = [d for chunk in recording.chunks(6000) for d in whole.push(chunk)]
    assert [d.probabilities for d in once] == [d.probabilities for d in decisions]
    assert "csp-lda" in repr(whole)
