"""Every task of the simulated user, seen with the plainest analysis that shows it."""

import numpy as np
import pytest


def _band(recording, low, high, order=4):
    from scipy.signal import butter, sosfiltfilt

    sos = butter(order, [low, high], "band", fs=recording.info.sfreq, output="sos")
    return sosfiltfilt(sos, recording.data, axis=0)


def _epochs(data, recording, prefix, tmin, tmax):
    sfreq = recording.info.sfreq
    picked = [event for event in recording.events if event.name.startswith(prefix)]
    picked = [event for event in picked if event.sample + round(tmax * sfreq) <= len(data)]
    X = np.array([data[e.sample + round(tmin * sfreq) : e.sample + round(tmax * sfreq)] for e in picked])
    return X, np.array([event.name.partition("/")[2] for event in picked]), picked


def _auc(scores, positive):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(positive, scores)


def _cross_validated(X, y):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    flat = X[:, ::12].reshape(len(X), -1)
    return _auc(cross_val_predict(model, flat, y, cv=StratifiedKFold(4), method="decision_function"), y)


def test_alpha_rises_with_closed_eyes(simulate):
    recording = simulate("sim:rest?schedule=1&trials=4&seconds=10&seed=1&channels=Oz,Fz,Cz&blink_per_min=0")
    alpha = _band(recording, 8, 12)
    X, _, events = _epochs(alpha, recording, "phase/eyes", 3, 9)
    power = {name: [] for name in ("phase/eyes-open", "phase/eyes-closed")}
    for piece, event in zip(X, events, strict=True):
        power[event.name].append(np.square(piece[:, 0]).mean())
    assert np.mean(power["phase/eyes-closed"]) > 3 * np.mean(power["phase/eyes-open"])


@pytest.mark.parametrize(("lock", "locked"), [(1, True), (0, False)])
def test_ssvep_has_the_frequency_of_the_flicker_and_its_phase_only_where_it_is_locked(simulate, lock, locked):
    recording = simulate(f"sim:ssvep?schedule=1&trials=16&seconds=4&seed=2&phase_lock={lock}&inattention=0")
    data = recording.data - recording.data.mean(axis=0)
    X, names, _ = _epochs(data, recording, "target/", 0.5, 3.5)
    t = np.arange(X.shape[1]) / 250
    spectra = {f: np.tensordot(X, np.exp(-2j * np.pi * f * t), (1, 0))[:, 0] for f in (13.0, 17.0, 21.0)}
    found = np.array([max(spectra, key=lambda f, i=i: abs(spectra[f][i])) for i in range(len(X))])
    asked = np.array([0.0 if name == "rest" else float(name[:-2]) for name in names])
    assert np.mean(found[asked > 0] == asked[asked > 0]) >= 0.9
    unit = spectra[13.0][asked == 13] / abs(spectra[13.0][asked == 13])
    assert (abs(unit.mean()) > 0.85) == locked


def test_p300_follows_targets_later_and_smaller_where_asked(simulate):
    def answer(options):
        recording = simulate(f"sim:p300?schedule=1&trials=300&seed=3&blink_per_min=0&inattention=0&{options}")
        slow = _band(recording, 0.5, 12, 2)
        targets, _, _ = _epochs(slow, recording, "label/target", 0, 0.8)
        others, _, _ = _epochs(slow, recording, "label/nontarget", 0, 0.8)
        return (targets.mean(axis=0) - others.mean(axis=0))[:, recording.info.ch_names.index("Pz")]

    usual, late, small = answer("jitter_ms=10"), answer("jitter_ms=10&p300_ms=480"), answer("p300_uv=2")
    assert 0.28 < np.argmax(usual) / 250 < 0.42
    assert np.argmax(late) - np.argmax(usual) == pytest.approx(35, abs=15)
    assert usual.max() > 2 * small[60:130].max()


def test_p300_is_decodable(simulate):
    recording = simulate("sim:p300?schedule=1&trials=400&seed=4")
    X, names, _ = _epochs(_band(recording, 0.5, 15, 2), recording, "label/", 0, 0.8)
    assert 0.7 < _cross_validated(X, names == "target") < 0.995


def test_cvep_is_the_shift_of_the_code(simulate):
    recording = simulate("sim:cvep?schedule=1&trials=16&seed=5&inattention=0")
    X, names, _ = _epochs(_band(recording, 4, 40), recording, "target/", 0, 2.1)
    first = X[:, : round(1.05 * 250), 0] + X[:, round(1.05 * 250) : 2 * round(1.05 * 250), 0]
    correlation = np.corrcoef(first)
    same = names[:, None] == names
    np.fill_diagonal(correlation, np.nan)
    np.fill_diagonal(same, False)
    other = ~same & ~np.eye(len(X), dtype=bool)
    assert np.nanmean(correlation[same]) > 0.15 + abs(np.nanmean(correlation[other]))


def test_wrong_feedback_makes_an_error_potential(simulate):
    recording = simulate("sim:errp?schedule=1&trials=160&seed=6&blink_per_min=0")
    X, names, _ = _epochs(_band(recording, 1, 10, 2), recording, "feedback/", 0, 0.7)
    assert _cross_validated(X, names == "error") > 0.65


def test_readiness_comes_before_the_movement(simulate):
    recording = simulate("sim:readiness?schedule=1&trials=25&seed=7&blink_per_min=0&sweat_uv=0")
    slow = _band(recording, 0.1, 5, 1)
    X, _, _ = _epochs(slow, recording, "movement/onset", -2.0, 0.0)
    mean = X.mean(axis=0)[:, recording.info.ch_names.index("Cz")]
    assert mean[-25:].mean() < mean[:125].mean() - 3


def test_a_tired_driver_has_more_theta_and_alpha_and_longer_blinks():
    from bcikit.acquisition import open_source

    with open_source("sim:vigilance?seed=8&fatigue=20&duration=150&chunk=250") as source:
        data = np.concatenate([source.pull().data for _ in range(150)])
        blinks = source.truth.of("blink")
    from scipy.signal import welch

    def slow(piece):
        frequencies, power = welch(piece, 250, nperseg=500, axis=0)
        inside = (frequencies >= 4.5) & (frequencies <= 12)
        return power[inside].sum(axis=0)[source.info.ch_names.index("Fz")]

    assert slow(data[-40 * 250 :]) > 1.3 * slow(data[: 40 * 250])
    early = [fact.data["duration"] for fact in blinks if fact.sample < 75 * 250]
    late = [fact.data["duration"] for fact in blinks if fact.sample >= 75 * 250]
    assert np.mean(late) > 1.3 * np.mean(early)


def test_neural_masses_have_an_alpha_peak_of_their_own(simulate):
    from scipy.signal import welch

    options = "duration=30&seed=1&channels=Oz,O1,O2&alpha_uv=12&background_uv=3&model=jansen-rit"
    recording = simulate(f"sim:rest?{options}")
    frequencies, power = welch(recording.data[:, 0], 250, nperseg=500)
    inside = (frequencies >= 7) & (frequencies <= 14)
    assert 8.5 <= frequencies[inside][np.argmax(power[inside])] <= 11.5
