"""Decoders beside meegkit, moabb, pyRiemann and, where it is installed, metabci: one window, warm, one thread.

Synthetic signals of the usual sizes; every pair decides the same windows in the same run, taken in turn.
"""

import warnings
from importlib.util import find_spec

from table import Row, measure, options, ratio, seconds, show  # first: it sets one BLAS thread

import numpy as np  # isort: skip
from scipy.signal import lfilter  # isort: skip

from bcikit.decoding import make_decoder  # isort: skip

warnings.filterwarnings("ignore")

SFREQ = 250.0
FREQUENCIES = {f"{value:04.1f}": float(value) for value in np.round(np.arange(8, 16, 0.2), 1)}


def ssvep(n_blocks, n_times=250, n_channels=9, seed=1):
    rng = np.random.default_rng(seed)
    time = np.arange(n_times) / SFREQ
    mix = np.random.default_rng(0).standard_normal((5, n_channels))
    X = np.empty((n_blocks, 40, n_channels, n_times))
    for block in range(n_blocks):
        for k, frequency in enumerate(FREQUENCIES.values()):
            noise = lfilter([1], [1, -0.9], rng.standard_normal((n_channels, n_times + 200)))[:, 200:]
            phase = 0.5 * np.pi * (k % 4)
            waves = [
                np.outer(mix[h] / (h + 1), np.sin((h + 1) * (2 * np.pi * frequency * time + phase))) for h in range(5)
            ]
            X[block, k] = 0.45 * noise + 0.25 * sum(waves)
    return X


def imagery(n, n_channels, n_times=500, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    sources = rng.standard_normal((n, n_channels, n_times))
    for k in (0, 1):
        sources[y == k, k] *= 0.6
    return np.random.default_rng(9).standard_normal((n_channels, n_channels)) @ sources, y


def ssvep_rows(rounds, quick):
    blocks = ssvep(6)
    names = np.array(list(FREQUENCIES))
    X, y = blocks[:5].reshape(-1, 9, 250), np.tile(names, 5)
    tests = blocks[5]
    one = tests[3:4]
    ours = {
        name: make_decoder(name, sfreq=SFREQ, frequencies=FREQUENCIES).fit(X, y) for name in ("etrca", "fbcca", "tdca")
    }
    right = {name: float(np.mean(decoder.predict(tests) == names)) for name, decoder in ours.items()}
    rows = []
    parts = {name: decoder._splitter(one) for name, decoder in ours.items()}
    scoring = measure(
        {
            "eTRCA": lambda: ours["etrca"].score_parts(parts["etrca"]),
            "FBCCA": lambda: ours["fbcca"].score_parts(parts["fbcca"]),
            "TDCA": lambda: ours["tdca"].score_parts(parts["tdca"]),
        },
        rounds=rounds,
        calls=5,
    )
    for name, bar in (("eTRCA", 0.5), ("FBCCA", 2.5), ("TDCA", 1.0)):
        value = float(np.median(scoring[name])) * 1e3
        rows.append(
            Row(
                f"{name} scoring, 40 classes, 1 s, 9 ch",
                seconds(scoring[name]),
                "-",
                bar / value,
                f"<= {bar:g} ms",
                value <= bar,
            )
        )
    for name, peers in (("etrca", _etrca_peers(X, y, names, tests)), ("fbcca", _cca_peers(X, y, names, tests))):
        for peer, (call, accuracy) in peers.items():
            times = measure(
                {"bcikit": lambda d=ours[name]: d.predict(one), "peer": call}, rounds=3 if quick else 9, calls=1
            )
            found = ratio(times["peer"], times["bcikit"])
            rows.append(
                Row(
                    f"{name} window to label (right: {right[name]:.2f}; {peer} {accuracy:.2f})",
                    seconds(times["bcikit"]),
                    f"{seconds(times['peer'])} {peer}",
                    found,
                    ">= 10",
                    found >= 10,
                )
            )
    return rows


def _etrca_peers(X, y, names, tests):
    peers = {}
    index = np.searchsorted(names, y)
    if find_spec("meegkit") is not None:
        from meegkit.trca import TRCA

        bank = [[(max(6, 8 * (i + 1) - 2), 90), (max(4, 8 * (i + 1) - 4), 100)] for i in range(5)]
        model = TRCA(SFREQ, bank, ensemble=True)
        model.fit(np.ascontiguousarray(X.transpose(2, 1, 0)), index)
        windows = np.ascontiguousarray(tests.transpose(2, 1, 0))
        accuracy = float(np.mean(model.predict(windows[..., ::4]) == np.arange(0, 40, 4)))
        peers["meegkit"] = (lambda: model.predict(windows[..., 3:4]), accuracy)
    if find_spec("moabb") is not None:
        from moabb.pipelines.classification import SSVEP_TRCA

        moabb = SSVEP_TRCA(n_fbands=5)
        moabb.fit(_mne(X, index, names), y)
        windows_mne = _mne(tests, np.arange(40), names)
        predicted = np.asarray(moabb.predict(windows_mne[list(range(0, 40, 4))]))
        accuracy = float(max(np.mean(predicted.astype(str) == names[::4]), np.mean(predicted == np.arange(0, 40, 4))))
        single = windows_mne[3]
        peers["moabb"] = (lambda: moabb.predict(single), accuracy)
    return {**peers, **_metabci(X, index, tests, "FBTRCA")}


def _cca_peers(X, y, names, tests):
    peers = {}
    index = np.searchsorted(names, y)
    if find_spec("moabb") is not None:
        from moabb.pipelines.classification import SSVEP_CCA

        moabb = SSVEP_CCA(n_harmonics=5)
        moabb.fit(_mne(X, index, names), y)
        windows = _mne(tests, np.arange(40), names)
        predicted = np.asarray(moabb.predict(windows[list(range(0, 40, 4))]))
        accuracy = float(max(np.mean(predicted.astype(str) == names[::4]), np.mean(predicted == np.arange(0, 40, 4))))
        single = windows[3]
        peers["moabb (no filter bank)"] = (lambda: moabb.predict(single), accuracy)
    return {**peers, **_metabci(X, index, tests, "FBSCCA")}


def _metabci(X, index, tests, name):
    if find_spec("metabci") is None:
        return {}
    from metabci.brainda.algorithms import decomposition

    bank = decomposition.generate_filterbank(
        [(8 * (i + 1) - 2 + 2 * (i == 0), 90) for i in range(5)],
        [(max(8 * (i + 1) - 4, 4), 95) for i in range(5)],
        srate=SFREQ,
        order=4,
        rp=0.5,
    )
    sines = decomposition.generate_cca_references(
        np.array(list(FREQUENCIES.values())), SFREQ, 1.0, phases=0.5 * (np.arange(40) % 4), n_harmonics=5
    )
    weights = np.arange(1, 6) ** -1.25 + 0.25
    options_ = {"ensemble": True} if name == "FBTRCA" else {}
    model = getattr(decomposition, name)(bank, filterweights=weights, **options_)
    model.fit(X.copy(), index.copy(), Yf=sines.copy())
    accuracy = float(np.mean(model.predict(tests[::4].copy()) == np.arange(0, 40, 4)))
    return {"metabci": (lambda: model.predict(tests[3:4].copy()), accuracy)}


def _mne(X, index, names):
    import mne

    info = mne.create_info(X.shape[1], SFREQ, "eeg")
    events = np.c_[np.arange(len(X)) * (X.shape[2] + 1), np.zeros(len(X), int), index + 1]
    ids = {str(name): k + 1 for k, name in enumerate(names)}
    return mne.EpochsArray(X, info, events=events, event_id=ids, verbose="ERROR")


def riemann_rows(rounds):
    from pyriemann.classification import MDM
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = []
    for n_channels in (8, 16, 22, 64):
        X, y = imagery(120, n_channels)
        one = X[100:101]
        for name, peer in (
            ("tangent-lr", make_pipeline(Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=1000))),
            ("mdm", make_pipeline(Covariances("oas"), MDM())),
        ):
            ours = make_decoder(name, sfreq=SFREQ).fit(X[:80], y[:80])
            peer.fit(X[:80], y[:80])
            equal = np.allclose(ours.predict_proba(X[80:]), peer.predict_proba(X[80:]), atol=1e-8)
            times = measure(
                {"bcikit": lambda d=ours, x=one: d.predict(x), "peer": lambda p=peer, x=one: p.predict(x)},
                rounds=rounds,
                calls=10,
            )
            found = ratio(times["peer"], times["bcikit"])
            goal = 5.0 if n_channels <= 16 else 2.5
            rows.append(
                Row(
                    f"{name} window to label, {n_channels} ch{'' if equal else ', NOT EQUAL'}",
                    seconds(times["bcikit"]),
                    f"{seconds(times['peer'])} pyriemann",
                    found,
                    f">= {goal:g}" if n_channels != 22 else "-",
                    (found >= goal and equal) if n_channels != 22 else None,
                )
            )
            if (name, n_channels) == ("tangent-lr", 22):
                value = float(np.median(times["bcikit"])) * 1e3
                label = "tangent-lr window to label, 22 ch"
                rows.append(Row(label, seconds(times["bcikit"]), "-", 0.3 / value, "<= 0.3 ms", value <= 0.3))
    return rows


def main():
    chosen = options()
    rounds = 7 if chosen.quick else 21
    rows = [*ssvep_rows(rounds, chosen.quick), *riemann_rows(rounds)]
    show("Decoding: one window, warm, one thread", rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
