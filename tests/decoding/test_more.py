"""Spiking, code-modulated, continuous, vigilance, error potentials, braking, networks."""

import sys

import numpy as np
import pytest
from scipy.linalg import eigh

from bcikit.decoding import Model, make_decoder
from bcikit.decoding.bands import band_powers
from bcikit.decoding.braking import WINDOWS_A_FALSE_BRAKE
from bcikit.decoding.continuous import KalmanDecoder, Limiter, RidgeDecoder
from bcikit.decoding.errp import judge_action
from bcikit.decoding.spiking import lif, run_nir
from bcikit.decoding.trials import Epochs
from bcikit.signal import ArgumentError, DataError, Decision, MissingDependencyError, ModelError


def rhythm(n, *, seed, n_channels=6, n_times=200, sfreq=100.0):
    """Return trials in which one of two 10 Hz sources is weak."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    time = np.arange(n_times) / sfreq
    sources = rng.standard_normal((n, n_channels, n_times))
    for i in range(n):
        for k in (0, 1):
            sources[i, k] += (0.3 if k == y[i] else 1.5) * np.sin(2 * np.pi * 10 * time + rng.uniform(0, 6))
    return np.random.default_rng(8).standard_normal((n_channels, n_channels)) @ sources, y


@pytest.mark.parametrize("name", ["fbcsp", "spiking"])
def test_filter_banks_find_the_rhythm(name):
    X, y = rhythm(120, seed=0)
    decoder = make_decoder(name, sfreq=100.0).fit(X[:80], y[:80])
    assert np.mean(decoder.predict(X[80:]) == y[80:]) >= 0.85


def test_fbcsp_chooses_features_of_the_band_with_the_rhythm():
    X, y = rhythm(120, seed=0)
    decoder = make_decoder("fbcsp", sfreq=100.0).fit(X, y)
    bands = decoder.chosen_ // decoder.n_filters
    assert set(bands[:2]) <= {1}
    assert len(decoder.chosen_) % 2 == 0


def test_fbcsp_pairs_the_features_of_both_ends_of_a_csp():
    X, y = rhythm(120, seed=0)
    decoder = make_decoder("fbcsp", sfreq=100.0, n_filters=4).fit(X, y)
    matrices = decoder.matrices(X)
    for band, filters in enumerate(decoder.filters_):
        covs = matrices[:, band] / np.trace(matrices[:, band], axis1=1, axis2=2)[:, None, None]
        first, second = (covs[y == k].mean(axis=0) for k in (0, 1))
        shares = eigh(second, first + second, eigvals_only=True)
        found = [f @ second @ f / (f @ (first + second) @ f) for f in filters]
        np.testing.assert_allclose(found, shares[[0, -1, 1, -2]], atol=1e-6)
    assert decoder._with_partners(np.array([0, 5, 10])).tolist() == [0, 1, 4, 5, 10, 11]
    # Of three classes no feature has another end.
    y = np.arange(120) % 3
    assert len(make_decoder("fbcsp", sfreq=100.0, n_features=5).fit(X, y).chosen_) == 5


def test_a_neuron_fires_as_its_equation_says():
    # A constant current i charges v = i (1 - (1 - dt/tau)^n); the spike comes once v exceeds one.
    spikes = lif(np.full((1, 200, 1), 2.0), tau=0.02, dt=0.001)[0, :, 0]
    first = int(np.ceil(np.log(1 - 1 / 2.0) / np.log(1 - 0.05)))
    assert np.flatnonzero(spikes)[0] + 1 == first
    assert (np.diff(np.flatnonzero(spikes)) == first).all()
    assert lif(np.full((1, 200, 1), 0.99), tau=0.02, dt=0.001).sum() == 0


def test_the_exported_graph_gives_the_same_spikes(tmp_path):
    nir = pytest.importorskip("nir")
    X, y = rhythm(80, seed=1)
    decoder = make_decoder("spiking", sfreq=100.0).fit(X, y)
    decoder.to_nir(tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    spikes = run_nir(graph, decoder.currents(X), n_steps=decoder.n_steps, dt=decoder.dt)
    np.testing.assert_array_equal(spikes, decoder.spikes(X))
    assert spikes.sum() > 0


def trials_of(X, y, sfreq=100.0):
    n = len(y)
    return Epochs(
        X=X,
        y=y,
        groups=np.arange(n) % 2,
        runs=np.arange(n) % 2,
        samples=np.arange(n) * 10000,
        sfreq=sfreq,
        tmin=0.0,
        tmax=X.shape[2] / sfreq,
        ch_names=tuple(f"c{i}" for i in range(X.shape[1])),
    )


def test_reconvolution_decides_codes_it_was_not_trained_on(tmp_path):
    pyntbci = pytest.importorskip("pyntbci")
    codes = pyntbci.stimulus.modulate(pyntbci.stimulus.make_gold_codes()[:8]).repeat(2, axis=1)
    n_times = codes.shape[1] * 2
    rng = np.random.default_rng(0)
    response = np.exp(-np.arange(30) / 10.0) * np.sin(np.arange(30) / 3.0)
    classes = [f"k{i}" for i in range(8)]

    def record(order):
        waves = np.stack([np.convolve(np.tile(codes[k], 2), response)[:n_times] for k in order])
        X = np.linspace(0.5, 1.5, 6)[None, :, None] * waves[:, None]
        return X + 2.0 * rng.standard_normal((len(order), 6, n_times)), np.array(classes)[order]

    X, y = record(np.tile([0, 1, 2, 3], 6))
    decoder = make_decoder("rcca", sfreq=120.0, codes=codes, classes=classes).fit(X, y)
    Z, z = record(np.arange(8))
    assert np.mean(decoder.predict(Z) == z) >= 0.85
    reference = pyntbci.classifiers.rCCA(
        stimulus=codes, fs=120.0, event="duration", encoding_length=0.3, onset_event=True
    )
    reference.fit(X, np.searchsorted(classes, y))
    np.testing.assert_array_equal(decoder.predict(Z), np.array(classes)[np.ravel(reference.predict(Z))])
    model = Model.fit(make_decoder("rcca", sfreq=120.0, codes=codes, classes=classes), trials_of(X, y, 120.0))
    again = Model.load(model.save(tmp_path / "m"))
    np.testing.assert_allclose(again.estimator.decision_scores(Z), model.estimator.decision_scores(Z))
    with pytest.raises(DataError, match="no code"):
        make_decoder("rcca", sfreq=120.0, codes=codes, classes=classes).fit(X, np.where(y == "k0", "zz", y))


def decision(label, probabilities, classes=("left", "right", "up")):
    return Decision(time=0.0, sample=0, classes=classes, probabilities=probabilities, label=label)


def test_an_error_potential_takes_back_what_was_doubtful():
    sure, doubtful = decision("left", (0.98, 0.01, 0.01)), decision("left", (0.5, 0.4, 0.1))
    error = decision("error", (0.2, 0.8), classes=("correct", "error"))
    fine = decision("correct", (0.9, 0.1), classes=("correct", "error"))
    assert judge_action(sure, error, error_class="error").action == "keep"
    found = judge_action(doubtful, error, error_class="error", threshold=0.75)
    assert (found.action, found.label) == ("veto", None)
    # Prior odds 1, likelihood ratio 4.
    assert found.error_probability == pytest.approx(0.8)
    corrected = judge_action(doubtful, error, error_class="error", threshold=0.75, mode="correct")
    assert (corrected.action, corrected.label) == ("correct", "right")
    assert judge_action(doubtful, fine, error_class="error", threshold=0.75).action == "keep"
    silent = Decision(time=0.0, sample=0, classes=("correct", "error"), reason="bad-data")
    assert judge_action(doubtful, silent, error_class="error").label == "left"
    rare = judge_action(doubtful, error, error_class="error", threshold=0.75, error_rate=0.05)
    assert rare.action == "keep"
    with pytest.raises(ArgumentError, match="error_class"):
        judge_action(doubtful, error, error_class="oops")


def eeg(n, *, alpha, beta, seed, sfreq=128.0, muscle=0.0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(2 * sfreq)) / sfreq
    X = rng.standard_normal((n, 4, len(time)))
    for frequency, amplitude in ((10.0, alpha), (20.0, beta), (40.0, muscle)):
        X += amplitude * np.sin(2 * np.pi * frequency * time + rng.uniform(0, 6, (n, 1, 1)))
    return X


def test_band_powers_are_those_of_a_hann_tapered_periodogram():
    X = eeg(3, alpha=2.0, beta=1.0, seed=4)
    found = band_powers(X[0], 128.0, {"alpha": (8.0, 13.0)})
    taper = np.hanning(256)
    spectrum = np.abs(np.fft.rfft((X[0] - X[0].mean(axis=1, keepdims=True)) * taper, axis=1)) ** 2
    density = 2 * spectrum / (128.0 * np.sum(taper**2))
    assert found["alpha"] == pytest.approx(density[:, 16:26].sum(axis=1).mean() * 0.5)


def test_ridge_equals_scikit_learn_where_both_are_the_same():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    Y = X @ rng.standard_normal((5, 2)) + 0.1 * rng.standard_normal((100, 2)) + 3.0
    strength = 0.05 * np.trace((X - X.mean(0)).T @ (X - X.mean(0))) / 5
    theirs = Ridge(alpha=strength).fit(X, Y)
    np.testing.assert_allclose(RidgeDecoder(alpha=0.05).fit(X, Y).predict(X), theirs.predict(X), atol=1e-8)


def test_kalman_recovers_a_hidden_movement_and_equals_its_equations():
    rng = np.random.default_rng(1)
    A = np.array([[1.0, 0.1], [-0.1, 0.95]]) * 0.99
    H = rng.standard_normal((6, 2))
    states, features = [np.zeros(2)], []
    for _ in range(1500):
        states.append(A @ states[-1] + 0.1 * rng.standard_normal(2))
        features.append(H @ states[-1] + 1.0 * rng.standard_normal(6) + 2.0)
    Y, X = np.array(states[1:]), np.array(features)
    kalman = KalmanDecoder().fit(X[:1000], Y[:1000])
    np.testing.assert_allclose(kalman.transition_, A, atol=0.05)
    ridge = RidgeDecoder().fit(X[:1000], Y[:1000]).predict(X[1000:])
    filtered = kalman.predict(X[1000:])
    assert np.mean((filtered - Y[1000:]) ** 2) < 0.7 * np.mean((ridge - Y[1000:]) ** 2)
    # One step by the textbook, with the matrices of the fit.
    kalman.reset()
    P = kalman._uncertainty
    P = kalman.transition_ @ P @ kalman.transition_.T + kalman.process_
    gain = P @ kalman.observation_.T @ np.linalg.inv(kalman.observation_ @ P @ kalman.observation_.T + kalman.noise_)
    expected = gain @ (X[0] - kalman.offset_) + kalman.state_mean_
    np.testing.assert_allclose(kalman.step(X[0]), expected, atol=1e-10)
    held = kalman.step(np.full(6, np.nan))
    np.testing.assert_allclose(held, kalman.transition_ @ (expected - kalman.state_mean_) + kalman.state_mean_)


def test_the_limiter_holds_range_and_speed():
    limiter = Limiter(low=0.0, high=1.0, max_speed=0.5)
    assert limiter.update(5.0, 0.1) == pytest.approx(0.05)
    assert limiter.update(float("nan"), 0.1) == pytest.approx(0.05)
    for _ in range(100):
        limiter.update(5.0, 0.1)
    assert limiter.value == 1.0
    assert limiter.update(-3.0, 0.2) == pytest.approx(0.9)
    with pytest.raises(ArgumentError, match="max_speed"):
        Limiter(max_speed=0.0)


def test_the_border_of_braking_is_where_driving_comes_as_often_as_allowed():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((900, 4, 80))
    y = np.array(["brake"] * 60 + ["cruise"] * 840)
    X[:60, :, 40:] += 0.5
    allowed = 3600 * 20 * 0.02 / WINDOWS_A_FALSE_BRAKE
    decoder = make_decoder("braking", sfreq=100.0, false_per_hour=allowed).fit(X, y)
    new = rng.standard_normal((4000, 4, 80))
    share = float((decoder.predict(new) == "brake").mean())
    assert 0.012 < share < 0.030
    assert (decoder.predict(new + np.r_[np.zeros(40), np.ones(40)] * 0.5) == "brake").mean() > 0.5
    with pytest.raises(ArgumentError, match="idle = 'rest'"):
        make_decoder("braking", sfreq=100.0, false_per_hour=6.0, idle="rest").fit(X, y)


def test_braking_is_seen_before_the_foot_and_not_at_random():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4, 100)).cumsum(axis=2) * 0.2
    y = np.array(["drive", "brake"] * 100)
    X[y == "brake", 1, 50:] -= np.linspace(0, 6, 50)
    decoder = make_decoder("braking", sfreq=100.0).fit(X[:120], y[:120])
    assert np.mean(decoder.predict(X[120:]) == y[120:]) > 0.85
    shifted = X[120:] + 100.0
    np.testing.assert_array_equal(decoder.predict(shifted), decoder.predict(X[120:]))


def onnx_file(path, n_channels, n_times):
    """Write the smallest network there is: a weighted sum, as protobuf by hand."""

    def varint(value):
        out = b""
        while value > 0x7F:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    def field(number, payload):
        if isinstance(payload, int):
            return varint(number << 3) + varint(payload)
        return varint(number << 3 | 2) + varint(len(payload)) + payload

    def value_info(name, shape):
        dims = b"".join(field(1, field(2, d.encode()) if isinstance(d, str) else field(1, d)) for d in shape)
        return field(1, name.encode()) + field(2, field(1, field(1, 1) + field(2, dims)))

    weights = np.zeros((n_channels * n_times, 2), np.float32)
    weights[:n_times, 0] = 1.0
    weights[n_times : 2 * n_times, 1] = 1.0
    tensor = b"".join(field(1, d) for d in weights.shape) + field(2, 1) + field(8, b"W") + field(9, weights.tobytes())
    flatten = field(1, b"x") + field(2, b"f") + field(4, b"Flatten")
    matmul = field(1, b"f") + field(1, b"W") + field(2, b"y") + field(4, b"MatMul")
    graph = field(1, flatten) + field(1, matmul) + field(2, b"g") + field(5, tensor)
    graph += field(11, value_info("x", ("n", n_channels, n_times))) + field(12, value_info("y", ("n", 2)))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 13)))


def test_a_network_in_onnx_is_a_decoder(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx_file(tmp_path / "net.onnx", 3, 10)
    decoder = make_decoder("onnx", sfreq=10.0, path=str(tmp_path / "net.onnx"), classes=["second", "first"])
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3, 10))
    y = np.where(X[:, 0].sum(axis=1) > X[:, 1].sum(axis=1), "second", "first")
    decoder.fit(X, y)
    assert decoder.classes_.tolist() == ["first", "second"]
    np.testing.assert_array_equal(decoder.predict(X), y)
    expected = np.stack([X[:, 1].sum(axis=1), X[:, 0].sum(axis=1)], axis=1)
    np.testing.assert_allclose(decoder.decision_scores(X), expected, atol=1e-5)
    model = Model.fit(
        make_decoder("onnx", sfreq=10.0, path=str(tmp_path / "net.onnx"), classes=["second", "first"]),
        trials_of(np.tile(X, (2, 1, 1)), np.tile(y, 2), 10.0),
    )
    path = model.save(tmp_path / "m")
    (tmp_path / "net.onnx").unlink()
    np.testing.assert_allclose(Model.load(path).probabilities(X), model.probabilities(X))
    with pytest.raises(ModelError, match="cannot be read"):
        decoder.fit(X, y)
    (tmp_path / "net.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no network"):
        decoder.fit(X, y)


def test_a_head_on_embeddings_of_a_network_learns_and_is_stored(tmp_path):
    """Two architectures with random weights: a linear map, and a convolution with power and pooling."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    onnx_file(tmp_path / "linear.onnx", 4, 100)
    spatial = rng.standard_normal((8, 1, 4, 1)).astype(np.float32)
    temporal = rng.standard_normal((8, 8, 1, 9)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "spatial"], ["a"]),
        helper.make_node("Conv", ["a", "temporal"], ["b"]),
        helper.make_node("Mul", ["b", "b"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Log", ["d"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "shallow",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 100])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8, 1, 1])],
        [numpy_helper.from_array(spatial, "spatial"), numpy_helper.from_array(temporal, "temporal")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(made, str(tmp_path / "conv.onnx"))
    y = np.array(["left", "right"])[np.arange(80) % 2]
    X = rng.standard_normal((80, 4, 100))
    X[y == "right", 0] *= 2.5
    X[:, :2] += np.where(y == "left", 0.5, -0.5)[:, None, None] * np.array([1.0, -1.0])[:, None]
    trials = Epochs(
        X=X, y=y, groups=np.repeat([0, 1], 40), runs=np.repeat([0, 1], 40), samples=np.arange(80), sfreq=100.0,
        tmin=0.0, tmax=1.0, ch_names=tuple("abcd"),
    )  # fmt: skip
    for name in ("linear", "conv"):
        file = tmp_path / f"{name}.onnx"
        model = Model.fit("encoder", trials, params={"encoder": f"onnx:{file}"})
        assert model.scores.accuracy > 0.8, name
        saved = model.save(tmp_path / f"{name}.skops")
        file.unlink()
        np.testing.assert_array_equal(Model.load(saved).probabilities(X[:5]), model.probabilities(X[:5]))
    with pytest.raises(ModelError, match="is no file"):
        Model.fit("encoder", trials, params={"encoder": "onnx:none.onnx"})


def test_auto_compares_the_decoders_of_the_paradigm():
    """A comparison of imagery decoders on P300 would choose among the wrong ones."""
    from bcikit.decoding.evaluation.layouts import RECOMMENDED
    from bcikit.decoding.evaluation.task import Task
    from bcikit.session.shipped import shipped_config
    from bcikit.session.training import unfitted

    def task(paradigm, **params):
        return Task(
            name="x",
            paradigm=paradigm,
            runs=(),
            events={},
            tmin=0.0,
            tmax=1.0,
            filters=(),
            recommended="",
            params=params,
        )

    for paradigm in ("motor-imagery", "ssvep", "p300", "errp"):
        assert paradigm in RECOMMENDED
        assert task(paradigm).decoder_params("auto")["task"] == paradigm
    assert task("ssvep", frequencies={"a": 9.0}).decoder_params("auto") == {"frequencies": {"a": 9.0}, "task": "ssvep"}
    with pytest.raises(ArgumentError, match="paradigm of the decoder auto"):
        task("cvep").decoder_params("auto")
    expected = {
        "p300-speller": "p300",
        "motor-imagery": "motor-imagery",
        "error-potential": "errp",
        "ssvep-menu": "ssvep",
    }
    for name, found in expected.items():
        config = shipped_config(name)
        config = config.model_copy(
            update={"decoder": config.decoder.model_copy(update={"name": "auto", "parameters": {}})}
        )
        assert unfitted(config, 250.0, None).task == found
    config = shipped_config("code-menu")
    config = config.model_copy(update={"decoder": config.decoder.model_copy(update={"name": "auto", "parameters": {}})})
    with pytest.raises(ArgumentError, match=r"decoder\.parameters\.task"):
        unfitted(config, 250.0, None)


def test_auto_takes_the_plain_decoder_unless_another_is_better_for_sure():
    X, y = rhythm(60, seed=1)
    easy = make_decoder("auto", sfreq=100.0).fit(X, y)
    assert easy.chosen_ == "csp-lda"
    assert "no other is better for sure" in easy.why_
    # Without a mean difference amplitudes tell nothing, powers do.
    worse = make_decoder("auto", sfreq=100.0, candidates=["erp-lda", "csp-lda"]).fit(X, y)
    assert worse.chosen_ == "csp-lda"
    assert "McNemar" in worse.why_
    noise = np.random.default_rng(0).standard_normal((60, 6, 150))
    assert make_decoder("auto", sfreq=100.0).fit(noise, y).chosen_ == "csp-lda"
    with pytest.raises(ArgumentError, match="frequencies"):
        make_decoder("auto", sfreq=100.0, task="ssvep").fit(X, y)


def test_a_trainable_network_goes_through_the_same_interface():
    class Network:
        def fit(self, X, y):
            self.mean = np.stack([X[y == k].mean(axis=0) for k in (0, 1)])

        def predict_proba(self, X):
            d = -((X[:, None] - self.mean) ** 2).sum(axis=(2, 3))
            e = np.exp(d - d.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

    rng = np.random.default_rng(0)
    y = np.array(["a", "b"] * 20)
    X = rng.standard_normal((40, 3, 10)) + (y == "b")[:, None, None]
    decoder = make_decoder("module", sfreq=10.0, module=Network()).fit(X, y)
    assert np.mean(decoder.predict(X) == y) > 0.9
    with pytest.raises(ArgumentError, match="classes"):
        make_decoder("module", sfreq=10.0, module=object()).fit(X, y)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("nir", lambda d, X, y: d("spiking").fit(X, y).to_nir()),
        ("pyntbci.classifiers", lambda d, X, y: d("rcca", codes=np.eye(2), classes=["0", "1"]).fit(X, y)),
    ],
)
def test_a_missing_extra_says_which(package, call, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    X, y = rhythm(20, seed=0)
    with pytest.raises(MissingDependencyError, match="uv sync --extra"):
        call(lambda name, **params: make_decoder(name, sfreq=100.0, **params), X, y)
