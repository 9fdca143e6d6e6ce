import numpy as np
import pytest
from scipy.linalg import eigh

from bcikit.decoding import make_decoder
from bcikit.decoding.ssvep.choice import phase_lock
from bcikit.decoding.ssvep.stimuli import check_frequencies, references
from bcikit.decoding.ssvep.subbands import SubBands, default_bands
from bcikit.signal import ArgumentError, DataError

SFREQ = 200.0
TARGETS = {"a": 9.0, "b": 11.4, "c": 13.2, "d": 10.2}


def ssvep(n_blocks, *, seed, snr=0.5, n_channels=6, n_times=200, jitter=0.0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).standard_normal((2, n_channels))
    X, y = [], []
    for _ in range(n_blocks):
        for label, frequency in TARGETS.items():
            time = np.arange(n_times) / SFREQ + rng.uniform(0, 1) * jitter
            source = np.stack([np.sin(2 * np.pi * frequency * time), 0.6 * np.cos(4 * np.pi * frequency * time)])
            noise = np.cumsum(rng.standard_normal((n_channels, n_times)), axis=1) * 0.3
            X.append(snr * mixing.T @ source + noise + rng.standard_normal((n_channels, n_times)))
            y.append(label)
    return np.array(X), np.array(y)


TRAIN = ssvep(8, seed=0)
TEST = ssvep(6, seed=1)


@pytest.mark.parametrize(
    "name", ["cca", "fbcca", "fbcca-lda", "ecca", "ms-ecca", "trca", "etrca", "etrca-r", "tdca", "ssvep-stack"]
)
def test_every_decoder_finds_the_target(name):
    decoder = make_decoder(name, sfreq=SFREQ, frequencies=TARGETS).fit(*TRAIN)
    assert list(decoder.classes_) == sorted(TARGETS)
    assert np.mean(decoder.predict(TEST[0]) == TEST[1]) >= 0.85
    probabilities = decoder.predict_proba(TEST[0])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def parts_of(X):
    """Return centred sub-bands and weights as the decoders make them."""
    bands = default_bands(list(TARGETS.values()), sfreq=SFREQ, n_bands=3)
    weights = np.arange(1, len(bands) + 1) ** -1.25 + 0.25
    return SubBands(bands, sfreq=SFREQ)(X), weights


def canonical(x, y):
    qx, qy = np.linalg.qr(x.T - x.T.mean(0))[0], np.linalg.qr(y.T - y.T.mean(0))[0]
    return np.linalg.svd(qx.T @ qy, compute_uv=False)[0]


def sines(label, n_times=200):
    return references(TARGETS[label], sfreq=SFREQ, n_times=n_times, n_harmonics=4)


def test_fbcca_equals_the_published_formula():
    decoder = make_decoder("fbcca", sfreq=SFREQ, frequencies=TARGETS, n_bands=3, n_harmonics=4, gain=1.0).fit(*TRAIN)
    X = TEST[0][:5]
    parts, weights = parts_of(X)
    expected = [
        [sum(w * canonical(b, sines(k)) ** 2 for w, b in zip(weights, e, strict=True)) for k in sorted(TARGETS)]
        for e in parts
    ]
    np.testing.assert_allclose(decoder.decision_scores(X), expected, atol=1e-8)


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("with_sines", [True, False])
def test_trca_equals_the_plain_correlation(ensemble, with_sines):
    decoder = make_decoder(
        "etrca", sfreq=SFREQ, frequencies=TARGETS, n_bands=3, n_harmonics=4, ensemble=ensemble, references=with_sines
    ).fit(*TRAIN)
    parts, weights = parts_of(TRAIN[0])
    test, _ = parts_of(TEST[0][:6])
    labels = sorted(TARGETS)
    total = np.zeros((6, 4))
    for band, weight in enumerate(weights):
        filters, templates = [], []
        for label in labels:
            trials = parts[TRAIN[1] == label, band]
            q = sum(t @ t.T for t in trials)
            s = trials.sum(0)
            if with_sines:
                y = sines(label)
                basis = np.linalg.qr((y - y.mean(axis=1, keepdims=True)).T)[0]
                between = s @ basis @ basis.T @ s.T
            else:
                between = s @ s.T - q
            filters.append(eigh(between, q)[1][:, -1])
            templates.append(trials.mean(0))
        W = np.array(filters)
        for n in range(6):
            for k in range(4):
                w = W if ensemble else W[k : k + 1]
                total[n, k] += weight * np.corrcoef((w @ test[n, band]).ravel(), (w @ templates[k]).ravel())[0, 1]
    np.testing.assert_allclose(decoder.decision_scores(TEST[0][:6]), total, atol=1e-6)


def test_tdca_equals_the_plain_correlation():
    decoder = make_decoder(
        "tdca", sfreq=SFREQ, frequencies=TARGETS, n_bands=2, n_harmonics=4, n_delays=2, n_components=3
    ).fit(*TRAIN)
    bands = default_bands(list(TARGETS.values()), sfreq=SFREQ, n_bands=2)
    split = SubBands(bands, sfreq=SFREQ)
    parts, test = split(TRAIN[0]), split(TEST[0][:4])
    weights = np.arange(1, 3) ** -1.25 + 0.25

    def augment(x, label):
        delayed = [np.pad(x[:, d:], ((0, 0), (0, d))) for d in range(3)]
        y = sines(label)
        q = np.linalg.qr((y - y.mean(axis=1, keepdims=True)).T)[0]
        stacked = np.concatenate(delayed)
        return np.concatenate([stacked, stacked @ q @ q.T], axis=1)

    total = np.zeros((4, 4))
    for band in range(2):
        by_class = [np.array([augment(x, k) for x in parts[TRAIN[1] == k, band]]) for k in sorted(TARGETS)]
        means = [trials.mean(0) for trials in by_class]
        grand = np.mean(means, axis=0)
        between = sum((m - grand) @ (m - grand).T for m in means) / 4
        within = sum((t - m) @ (t - m).T for trials, m in zip(by_class, means, strict=True) for t in trials)
        within = within / len(parts)
        within += 1e-6 * np.trace(within) / len(within) * np.eye(len(within))
        W = eigh(between, within)[1][:, -3:].T
        for n in range(4):
            for k, label in enumerate(sorted(TARGETS)):
                a, b = (W @ augment(test[n, band], label)).ravel(), (W @ means[k]).ravel()
                total[n, k] += weights[band] * (a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    np.testing.assert_allclose(decoder.decision_scores(TEST[0][:4]), total, atol=1e-8)


def test_extended_cca_equals_its_four_correlations():
    from sklearn.cross_decomposition import CCA

    decoder = make_decoder("ecca", sfreq=SFREQ, frequencies=TARGETS, subbands="none", n_harmonics=2).fit(*TRAIN)
    x = TEST[0][0] - TEST[0][0].mean(axis=1, keepdims=True)

    def weights(a, b):
        fitted = CCA(n_components=1, scale=False, max_iter=5000, tol=1e-12).fit(a.T, b.T)
        return fitted.x_rotations_[:, 0]

    for k, label in enumerate(sorted(TARGETS)):
        template = TRAIN[0][TRAIN[1] == label].mean(0)
        template = template - template.mean(axis=1, keepdims=True)
        y = references(TARGETS[label], sfreq=SFREQ, n_times=200, n_harmonics=2)
        values = [canonical(x, y)]
        for w in (weights(x, template), weights(x, y), weights(template, y)):
            values.append(np.corrcoef(w @ x, w @ template)[0, 1])
        expected = 1.25 * sum(np.sign(v) * v**2 for v in values)
        assert decoder.decision_scores(TEST[0][:1])[0, k] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n_neighbours", [2, 4])
def test_multi_stimulus_extended_cca_equals_the_published_formula(n_neighbours):
    from sklearn.cross_decomposition import CCA

    decoder = make_decoder(
        "ms-ecca", sfreq=SFREQ, frequencies=TARGETS, subbands="none", n_harmonics=2, n_neighbours=n_neighbours
    ).fit(*TRAIN)
    x = TEST[0][0] - TEST[0][0].mean(axis=1, keepdims=True)
    labels = sorted(TARGETS, key=TARGETS.get)
    templates, sines = {}, {}
    for label in labels:
        mean = TRAIN[0][TRAIN[1] == label].mean(0)
        templates[label] = mean - mean.mean(axis=1, keepdims=True)
        waves = references(TARGETS[label], sfreq=SFREQ, n_times=200, n_harmonics=2)
        sines[label] = waves - waves.mean(axis=1, keepdims=True)
    for place, label in enumerate(labels):
        start = min(max(0, place - n_neighbours // 2), len(labels) - n_neighbours)
        near = labels[start : start + n_neighbours]
        fitted = CCA(n_components=1, scale=False, max_iter=5000, tol=1e-12).fit(
            np.concatenate([templates[name] for name in near], axis=1).T,
            np.concatenate([sines[name] for name in near], axis=1).T,
        )
        u, v = fitted.x_rotations_[:, 0], fitted.y_rotations_[:, 0]
        values = [np.corrcoef(u @ x, v @ sines[label])[0, 1], np.corrcoef(u @ x, u @ templates[label])[0, 1]]
        # Each sub-band is weighed with n^-1.25 + 0.25, which is 1.25 for the only one.
        expected = 1.25 * sum(np.sign(value) * value**2 for value in values)
        column = list(decoder.classes_).index(label)
        assert decoder.decision_scores(TEST[0][:1])[0, column] == pytest.approx(expected, abs=1e-4)


def test_fbcca_needs_no_training_and_takes_any_length():
    ready = make_decoder("fbcca", sfreq=SFREQ, frequencies=TARGETS).prepare(n_channels=6, n_times=200)
    assert np.mean(ready.predict(TEST[0]) == TEST[1]) >= 0.85
    assert ready.predict(TEST[0][:, :, :150]).shape == (24,)


def test_correlations_survive_an_average_reference():
    X = TEST[0] - TEST[0].mean(axis=1, keepdims=True)
    for name in ("fbcca", "etrca", "tdca", "ecca", "fb-tangent"):
        decoder = make_decoder(name, sfreq=SFREQ, frequencies=TARGETS)
        decoder.fit(TRAIN[0] - TRAIN[0].mean(axis=1, keepdims=True), TRAIN[1])
        assert np.isfinite(decoder.decision_scores(X)).all()


def test_no_control_is_learned_by_those_that_can_and_refused_by_the_others():
    rest = np.random.default_rng(5).standard_normal((8, 6, 200)).cumsum(axis=2) * 0.3
    X, y = np.concatenate([TRAIN[0], rest]), np.concatenate([TRAIN[1], ["rest"] * 8])
    for name in ("fbcca-lda", "ssvep-stack", "ssvep-auto"):
        decoder = make_decoder(name, sfreq=SFREQ, frequencies=TARGETS).fit(X, y)
        assert "rest" in decoder.classes_
        assert np.mean(decoder.predict(TEST[0]) == TEST[1]) >= 0.8
    with pytest.raises(DataError, match="rest, which has no frequency"):
        make_decoder("etrca", sfreq=SFREQ, frequencies=TARGETS).fit(X, y)


def test_phase_lock_is_found_where_it_is_and_only_there():
    locked = phase_lock(*TRAIN, sfreq=SFREQ, frequencies=TARGETS)
    loose = phase_lock(*ssvep(8, seed=3, jitter=1.0), sfreq=SFREQ, frequencies=TARGETS)
    assert locked[0] > 0.9
    assert locked[1] < 1e-6
    assert loose[1] > 0.01
    # Without any response the test must hold its level.
    rng = np.random.default_rng(0)
    p = [
        phase_lock(rng.standard_normal((32, 4, 100)), TRAIN[1], sfreq=100.0, frequencies=TARGETS)[1] for _ in range(200)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_auto_keeps_templates_away_from_what_is_not_locked():
    loose = ssvep(8, seed=3, jitter=1.0)
    names = ("etrca", "tdca", "fbcca")
    decoder = make_decoder("ssvep-auto", sfreq=SFREQ, frequencies=TARGETS, candidates=names).fit(*loose)
    assert set(decoder.tried_) == {"fbcca"}
    decoder = make_decoder("ssvep-auto", sfreq=SFREQ, frequencies=TARGETS, candidates=names).fit(*TRAIN)
    assert set(decoder.tried_) == set(names)


@pytest.mark.parametrize(
    ("frequencies", "options", "match"),
    [
        ({"a": 10.0, "b": 130.0}, {}, "130 Hz"),
        ({"a": 10.0}, {}, "at least two"),
        ({"a": 10.0, "b": 10.0}, {}, "twice"),
        ({"a": 10.0, "b": 31.0}, {"refresh": 60.0}, "60 Hz screen"),
        ({"a": 10.0, "b": 11.0}, {"refresh": 60.0, "coding": "frames"}, "12, 10 Hz"),
        ({"a": 10.0, "b": float("nan")}, {}, "frequency of b"),
    ],
)
def test_impossible_frequencies_are_refused(frequencies, options, match):
    with pytest.raises(ArgumentError, match=match):
        check_frequencies(frequencies, sfreq=250.0, **options)


def test_possible_frequencies_pass():
    assert check_frequencies({"a": 11.0, "b": 8.2}, sfreq=250.0, refresh=60.0) == {"a": 11.0, "b": 8.2}
    assert check_frequencies({"a": 12.0, "b": 15.0}, sfreq=250.0, refresh=60.0, coding="frames")


def test_references_leave_out_harmonics_above_nyquist():
    assert references(40.0, sfreq=200.0, n_times=50, n_harmonics=5).shape == (4, 50)


def test_a_window_too_short_for_the_band_is_a_clear_error():
    with pytest.raises(DataError, match="no frequency bin"):
        make_decoder("fb-tangent", sfreq=SFREQ, frequencies=TARGETS).fit(TRAIN[0][:, :, :60], TRAIN[1])


def test_subbands_of_the_window_equal_an_ideal_filter():
    x = np.random.default_rng(0).standard_normal((1, 2, 400))
    time = np.arange(400) / SFREQ
    x[0, 0] += np.sin(2 * np.pi * 10 * time)
    parts = SubBands([(9.0, 11.0), (20.0, 30.0)], sfreq=SFREQ)(x)
    spectrum = np.abs(np.fft.rfft(parts[0, 0, 0]))
    assert np.argmax(spectrum) == 20
    assert spectrum[:17].max() < 1e-9
    with pytest.raises(ArgumentError, match="band"):
        SubBands([(9.0, 150.0)], sfreq=SFREQ)
