from dataclasses import fields, replace

import numpy as np
import pytest

from bcikit.decoding import Model, OnlineDecoder, make_decoder
from bcikit.decoding.adaptation import AdaptiveModel, Guard, update_estimator
from bcikit.decoding.centre import Recentring, centre_of
from bcikit.decoding.evidence import Accumulator, Stopping, SwitchEvidence, Switching
from bcikit.decoding.pseudo_online import IDLE, PseudoOnline, summarise
from bcikit.decoding.spd import covariances, function_of, mean_riemann, upper
from bcikit.decoding.transfer import ProcrustesTangent, align
from bcikit.decoding.trials import Epochs, epochs
from bcikit.processing import Asr, Bandpass, Decimate, Pipeline
from bcikit.session.offline import pseudo_online
from bcikit.signal import ArgumentError, DataError, Decision, Event, Health, Recording, StreamInfo


def test_evidence_is_bayes_rule():
    found = Accumulator(["a", "b"], prior=[0.3, 0.7]).add([0.8, 0.2], seconds=1.0)
    assert found.posterior[0] == pytest.approx(0.3 * 0.8 / (0.3 * 0.8 + 0.7 * 0.2))
    assert not found.done
    skewed = Accumulator(["a", "b"], training_share=[0.8, 0.2]).add([0.8, 0.2], seconds=1.0)
    assert skewed.posterior[0] == pytest.approx(0.5)


def test_the_same_samples_do_not_count_twice():
    once, sliding = Accumulator(["a", "b"]), Accumulator(["a", "b"])
    once.add([0.8, 0.2], seconds=1.0)
    for _ in range(10):
        found = sliding.add([0.8, 0.2], seconds=1.0, new_seconds=0.1)
    assert found.posterior == pytest.approx(tuple(once.posterior))
    assert found.seconds == pytest.approx(1.0)


def test_minimum_maximum_and_confidence():
    stop = Stopping(confidence=0.9, min_seconds=2.0, max_seconds=4.0)
    sure = Accumulator(["a", "b"], stopping=stop)
    assert sure.add([0.99, 0.01], seconds=1.0).reason == "too-early"
    done = sure.add([0.99, 0.01], seconds=1.0)
    assert (done.label, done.reason, done.done) == ("a", "confident", True)
    unsure = Accumulator(["a", "b"], stopping=stop)
    reasons = [unsure.add([0.55, 0.45], seconds=1.0).reason for _ in range(4)]
    assert reasons == ["too-early", "waiting", "waiting", "no-evidence"]
    silent = Accumulator(["a", "b"], stopping=stop)
    assert [silent.add([], seconds=2.0).label for _ in range(2)] == [None, None]
    sure.reset()
    assert sure.seconds == 0.0
    np.testing.assert_allclose(sure.posterior, 0.5)


def test_dearer_time_ends_sooner_and_errs_more():
    rng = np.random.default_rng(0)
    seconds, errors = {}, {}
    for cost in (0.001, 0.01, 0.2):
        spent, wrong = [], 0
        for _ in range(300):
            stop = Stopping(confidence=0.6, max_seconds=20, time_cost=cost)
            acc = Accumulator(["a", "b"], stopping=stop)
            while True:
                logit = 1.0 + 1.4 * rng.standard_normal()
                p = 1 / (1 + np.exp(-logit))
                found = acc.add([p, 1 - p], seconds=1.0)
                if found.done:
                    break
            spent.append(found.seconds)
            wrong += found.label != "a"
        seconds[cost], errors[cost] = np.mean(spent), wrong
    assert seconds[0.2] < seconds[0.01] < seconds[0.001]
    assert errors[0.2] > errors[0.001]


def test_calibrated_windows_keep_the_promised_error_rate():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(500):
        acc = Accumulator(["a", "b"], stopping=Stopping(confidence=0.95, max_seconds=100))
        found = None
        while found is None or not found.done:
            # The likelihood ratio of N(m, 1) against N(-m, 1) at x is exp(2 m x); here m is 0.25.
            p = 1 / (1 + np.exp(-0.5 * (rng.standard_normal() + 0.25)))
            found = acc.add([p, 1 - p], seconds=1.0)
        wrong += found.label != "a"
    assert wrong / 500 <= 0.05 + 0.02


def test_idle_ends_without_a_label():
    acc = Accumulator(["go", "rest"], idle="rest")
    found = acc.add([0.01, 0.99], seconds=1.0)
    assert found.done
    assert found.label is None
    with pytest.raises(ArgumentError, match="idle"):
        Accumulator(["a", "b"], idle="c")
    with pytest.raises(ArgumentError, match="max_seconds"):
        Stopping(min_seconds=5, max_seconds=2)


def drifted(imagery, strength):
    """Return calibration and a later session whose electrodes see another mixture."""
    X, y = imagery(80, 6, 150, seed=1)
    later, y_later = imagery(200, 6, 150, seed=2)
    mix = np.eye(6) + strength * np.random.default_rng(3).standard_normal((6, 6))
    return X, y, mix @ later, y_later


@pytest.mark.parametrize("name", ["tangent-lr", "mdm"])
def test_recentring_brings_back_what_drift_took(name, imagery):
    X, y, later, y_later = drifted(imagery, 0.8)
    decoder = make_decoder(name, sfreq=100.0).fit(X, y)
    frozen = np.mean(decoder.predict(later[100:]) == y_later[100:])
    centre = Recentring(centre_of(X))
    np.testing.assert_array_equal(centre.mapping @ later, later)
    centre.update(later[:100])
    followed = np.mean(decoder.predict(centre.mapping @ later[100:]) == y_later[100:])
    assert followed >= frozen + 0.15
    assert followed >= 0.9


def test_recentring_ends_at_the_geometric_mean(imagery):
    X, _ = imagery(60, 4, 150, seed=1)
    following = Recentring(np.eye(4), rate=0.001, trust=0.0)
    following.update(X)
    distance = np.linalg.norm(following.mean - centre_of(X))
    assert distance < 0.05 * np.linalg.norm(following.mean)
    np.testing.assert_allclose(following.mapping @ following.mean @ following.mapping.T, np.eye(4), atol=1e-9)
    # Few windows move little: after four of them it is half of the way.
    few = Recentring(np.eye(4), trust=4.0)
    few.update(X[:4])
    moved = few.mapping @ few.mean @ few.mapping.T
    np.testing.assert_allclose(np.linalg.eigvalsh(moved), np.sort(np.sqrt(np.linalg.eigvalsh(few.mean))), rtol=1e-6)


def test_recentring_is_the_moved_reference_of_a_tangent_space(imagery):
    X, y, later, _ = drifted(imagery, 0.8)
    decoder = make_decoder("tangent-lr", sfreq=100.0, estimator="cov").fit(X, y)
    centre = Recentring(decoder.reference_, trust=0.0)
    centre.update(later[:50])
    plain = decoder.decision_scores(centre.mapping @ later[50:60])
    decoder.set_reference(centre.mean)
    np.testing.assert_allclose(plain, decoder.decision_scores(later[50:60]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "params"),
    [("csp-lda", {}), ("mdm", {}), ("tangent-lr", {"classifier": "lda"}), ("tangent-lr", {})],
)
def test_labelled_updates_learn_a_drift(name, params, imagery):
    X, y, later, y_later = drifted(imagery, 0.5)
    decoder = make_decoder(name, sfreq=100.0, **params).fit(X, y)
    frozen = np.mean(decoder.predict(later[150:]) == y_later[150:])
    rate = 0.5 if (name, params) == ("tangent-lr", {}) else 0.05
    for x, label in zip(later[:150], y_later[:150], strict=True):
        update_estimator(decoder, x[None], label, rate=rate)
    assert np.mean(decoder.predict(later[150:]) == y_later[150:]) >= max(frozen, 0.75)


def test_updates_refuse_what_they_cannot_do(imagery):
    X, y = imagery(40, 4, 100, seed=1)
    with pytest.raises(ArgumentError, match="label"):
        update_estimator(make_decoder("mdm", sfreq=100.0).fit(X, y), X[:1], 7, rate=0.1)
    with pytest.raises(ArgumentError, match="Support vectors"):
        update_estimator(make_decoder("tangent-svm", sfreq=100.0).fit(X, y), X[:1], 1, rate=0.1)
    with pytest.raises(ArgumentError, match="FgMdm"):
        update_estimator(make_decoder("fgmdm", sfreq=100.0).fit(X, y), X[:1], 1, rate=0.1)


def test_the_guard_learns_nothing_from_bad_windows_and_rolls_back(trials, make_window):
    model = Model.fit(make_decoder("mdm", sfreq=100.0), trials)
    adaptive = AdaptiveModel(model, guard=Guard(allowed=3))
    bad = np.zeros(8)
    bad[0] = 0.01
    assert not adaptive.learn(make_window(trials.X[0], bad=bad), "left")
    assert not adaptive.learn(make_window(trials.X[0], n_lost=1), "left")
    assert not adaptive.learn(make_window(trials.X[0]))
    before = adaptive.model.estimator.means_.copy()
    for x, label in zip(trials.X[:5], trials.y[:5], strict=True):
        assert adaptive.learn(make_window(x), label)
    assert not np.allclose(adaptive.model.estimator.means_, before)
    np.testing.assert_array_equal(model.estimator.means_, before)
    # Of a signal that is breaking nothing is learned, even where a window of it looks well.
    for _ in range(4):
        assert not adaptive.learn(make_window(trials.X[0], bad=bad), "left")
    assert not adaptive.learn(make_window(trials.X[5]), trials.y[5])
    learned = [adaptive.learn(make_window(x), label) for x, label in zip(trials.X[6:20], trials.y[6:20], strict=True)]
    assert learned == sorted(learned)
    assert learned.count(True) > 5
    assert adaptive.counts["learned"] == 5 + learned.count(True)


def test_wrong_labels_freeze_the_adaptation_at_the_original(trials, make_window):
    model = Model.fit(make_decoder("mdm", sfreq=100.0), trials)
    adaptive = AdaptiveModel(model, rate=0.3, guard=Guard(patience=10))
    wrong = {"left": "right", "right": "left"}
    for x, label in zip(trials.X[:30], trials.y[:30], strict=True):
        adaptive.learn(make_window(x), wrong[label])
    for x, label in zip(trials.X[30:], trials.y[30:], strict=True):
        adaptive.learn(make_window(x), label)
    assert "worse than the original" in adaptive.frozen
    np.testing.assert_array_equal(adaptive.model.estimator.means_, model.estimator.means_)
    assert not adaptive.learn(make_window(trials.X[0]), "left")
    assert adaptive.counts["rolled_back"] == 1


def test_a_model_that_followed_is_stored_with_where_it_came_to(trials, make_window, tmp_path):
    model = Model.fit("csp-lda", trials, rest=trials.X[:10])
    with pytest.raises(ArgumentError, match="recentre"):
        AdaptiveModel(model, recentre="sleep")
    with pytest.raises(ArgumentError, match="covariance of rest"):
        AdaptiveModel(Model.fit("csp-lda", trials), recentre="rest", labelled=False)
    with pytest.raises(ArgumentError, match="window by window"):
        AdaptiveModel(Model.fit("fgmdm", trials))
    adaptive = AdaptiveModel(model, recentre="rest", labelled=False)
    mixed = np.random.default_rng(0).standard_normal((8, 8)) @ trials.X
    for x in mixed[:20]:
        assert adaptive.rest(make_window(x))
        assert not adaptive.learn(make_window(x), "left")
    assert adaptive.counts["centred"] == 20
    first = adaptive.decide(make_window(mixed[30]))
    assert first.probabilities != model.decide(make_window(mixed[30])).probabilities
    again = Model.load(adaptive.save(tmp_path / "after.skops")).attach(trials.info)
    assert again.decide(make_window(mixed[30])).probabilities == first.probabilities
    assert set(again.centres) == {"rest", "windows"}


def two_people(imagery, trials):
    X, y = imagery(80, 6, 150, seed=1)
    Z, z = imagery(80, 6, 150, seed=2)
    mix = np.eye(6) + 0.8 * np.random.default_rng(3).standard_normal((6, 6))
    return Epochs(
        X=np.concatenate([X, 3.0 * mix @ Z]),
        y=np.array(["left", "right"])[np.concatenate([y, z])],
        groups=np.repeat([0, 1], 80),
        runs=np.repeat([0, 1], 80),
        samples=np.tile(np.arange(80) * 300, 2),
        sfreq=100.0,
        tmin=0.0,
        tmax=1.5,
        ch_names=tuple("abcdef"),
    )


def test_alignment_helps_across_people(imagery, trials):
    both = two_people(imagery, trials)
    decoder = make_decoder("tangent-lr", sfreq=100.0)
    plain = decoder.fit(both.X[:80], both.y[:80]).predict(both.X[80:])
    moved = align(both, estimator="cov")
    aligned = decoder.fit(moved.X[:80], moved.y[:80]).predict(moved.X[80:])
    assert np.mean(aligned == both.y[80:]) >= np.mean(plain == both.y[80:]) + 0.1
    for group in (0, 1):
        mean = mean_riemann(covariances(moved.X[moved.groups == group], "cov"))
        np.testing.assert_allclose(mean, np.eye(6), atol=1e-6)


@pytest.mark.parametrize("steps", ["centre", "centre-scale", "full"])
def test_procrustes_needs_few_trials_of_the_target(steps, imagery, trials):
    both = two_people(imagery, trials)
    few = np.r_[:80, 80:92]
    decoder = ProcrustesTangent(steps=steps).fit_transfer(both.X[few], both.y[few], both.groups[few], target=1)
    assert np.mean(decoder.predict(both.X[92:]) == both.y[92:]) >= 0.85
    with pytest.raises(DataError, match="target"):
        ProcrustesTangent().fit_transfer(both.X[:80], both.y[:80], both.groups[:80], target=1)


@pytest.mark.parametrize("steps", ["centre", "centre-scale", "full"])
def test_windows_are_decided_on_the_scale_that_was_learned(steps, imagery, trials):
    from pyriemann.transfer import TLCenter, TLScale, encode_domains

    both = two_people(imagery, trials)
    few = np.r_[:80, 80:104]
    X, y, where = both.X[few], both.y[few], both.groups[few].astype(str)
    decoder = ProcrustesTangent(steps=steps).fit_transfer(X, y, where, target="1")
    matrices = decoder.matrices(X)
    # The rotation leaves the target where it is.
    encoded, labels = encode_domains(matrices, (y == "right").astype(int), where)
    moved = TLCenter(target_domain="1").fit_transform(encoded, labels)
    if steps != "centre":
        moved = TLScale(target_domain="1", centered_data=True).fit_transform(moved, labels)
    np.testing.assert_allclose(decoder.tangent(matrices[80:]), upper(function_of(moved[80:], "log")), atol=1e-6)
    assert decoder.fit(X, y).scale_ == 1.0
    if steps != "centre":
        with pytest.raises(DataError, match="two trials of the target"):
            ProcrustesTangent(steps=steps).fit_transfer(X[:81], y[:81], where[:81], target="1")


@pytest.fixture
def session():
    """Return a recording with 20 trials of 4 s and pauses, and one to train on."""

    def make(seed):
        rng = np.random.default_rng(seed)
        sfreq, n = 100.0, 20 * 800 + 400
        data = rng.standard_normal((n, 4))
        time = np.arange(n) / sfreq
        envelope = np.full((n, 2), 0.2)
        events = []
        for i in range(20):
            start, side = 400 + 800 * i, int(rng.integers(2))
            envelope[start : start + 400, side] = 2.0
            events.append(Event(name=("left", "right")[side], time=start / sfreq, sample=start))
            events.append(Event(name="rest", time=start / sfreq + 4.0, sample=start + 400))
        data[:, :2] += envelope * np.sin(2 * np.pi * 10 * time + 1.0)[:, None]
        info = StreamInfo(name="s", sfreq=sfreq, ch_names=("a", "b", "c", "d"))
        return Recording.from_arrays(info, data, events=tuple(events))

    return make


def test_pseudo_online_counts_what_moves_at_rest(session):
    names = {"left": "left", "right": "right", "rest": "rest"}
    pipeline = Pipeline([Bandpass(l_freq=8, h_freq=12, order=2)])
    train = epochs(pipeline.apply(session(0)), events=names, tmin=1.0, tmax=2.0)
    model = Model.fit(
        make_decoder("tangent-lr", sfreq=100.0), train, idle="rest", reject=0.6, filters=pipeline.to_config()
    )
    events = {"left": "left", "right": "right"}
    found = pseudo_online(model, session(1), events=events, seconds=4.0, step=0.2)
    values = found.to_dict()
    assert values["nmcc"] > 0.85
    assert values["trials_with_a_right_decision"] == 1.0
    assert 1.0 <= values["time_to_first_right_decision"] < 2.0
    assert values["false_activations_per_minute"] < 10
    assert values["itr"] > 0
    assert set(found.truth) == {IDLE, "left", "right"}
    other = pseudo_online(model, session(1), events=events, seconds=4.0, step=0.2, chunk_size=7)
    np.testing.assert_array_equal(other.decided, found.decided)
    # A decoder that cannot rest is caught by the same numbers.
    keen = Model.fit(
        make_decoder("tangent-lr", sfreq=100.0), train.take(train.y != "rest"), filters=pipeline.to_config()
    )
    restless = pseudo_online(keen, session(1), events=events, seconds=4.0, step=0.2)
    assert restless.false_activations_per_minute > found.false_activations_per_minute
    assert restless.nmcc < found.nmcc


def test_the_transfer_rate_is_that_of_the_first_answer():
    rng = np.random.default_rng(4)
    sfreq, length, n = 100.0, 400, 60
    placed = [Event(name=("left", "right")[int(rng.integers(2))], time=8.0 * i, sample=800 * i) for i in range(n)]
    events = {"left": "left", "right": "right"}

    def of(label):
        decisions = [
            Decision(sample=stop - 1, time=stop / sfreq, classes=("left", "right"), label=label(stop))
            for stop in range(10, 800 * n, 10)
        ]
        return summarise(decisions, placed, events=events, sfreq=sfreq, seconds=length / sfreq, n_times=10, step=0.1)

    def asked(stop):
        return placed[(stop - 1) // 800].name

    # Who guesses ten times a second is right once in every trial, and has said nothing.
    guessed = of(lambda _: ("left", "right")[int(rng.integers(2))]).to_dict()
    assert guessed["trials_with_a_right_decision"] == 1.0
    assert guessed["itr"] < 10.0
    # Who answers after one second each time says a bit in it.
    certain = of(lambda stop: asked(stop) if (stop - 1) % 800 >= 100 else None)
    assert certain.first[0] == (pytest.approx(1.1), True)
    assert certain.to_dict()["itr"] == pytest.approx(60 / 1.1)
    # Made by a program that does not note what came first: there is no rate of it, and the rest stands.
    given = {item.name: getattr(certain, item.name) for item in fields(certain) if item.name != "first"}
    untold = PseudoOnline(**given).to_dict()
    assert untold == {**certain.to_dict(), "itr": None}


def test_pseudo_online_refuses_recordings_without_trials(session):
    train = epochs(session(0), events={"left": "left", "right": "right"}, tmin=1.0, tmax=2.0)
    model = Model.fit(make_decoder("tangent-lr", sfreq=100.0), train)
    with pytest.raises(DataError, match="none of the events"):
        pseudo_online(model, session(1), events={"T1": "left"}, seconds=4.0)
    short = session(1)
    short = replace(short, data=short.data[:50], times=short.times[:50], samples=short.samples[:50])
    with pytest.raises(DataError, match="shorter"):
        pseudo_online(model, short, events={"left": "left"}, seconds=4.0)


def test_windows_unlike_the_training_are_noticed_and_those_like_it_are_not(trials, imagery, make_window, tmp_path):
    model = Model.fit("csp-lda", trials)
    model = Model.load(model.save(tmp_path / "m.skops"))
    new, _ = imagery(200, 8, 100, seed=9)
    same = model.familiarity()
    assert not any(same.update(x[None]) for x in new)
    assert np.mean([same.distance(x[None]) > same.limit for x in new]) < 0.15
    moved = model.familiarity()
    # A cap that sits two electrodes further.
    news = [moved.update(x[None]) for x in np.roll(new[:30], 2, axis=1)]
    assert news.index(True) == 9
    assert moved.drifted
    assert moved.strange > 0.9
    for x in new[:20]:
        moved.update(x[None])
    assert not moved.drifted


def test_a_switch_follows_lasting_states_and_acts_once_in_each():
    rule = Switching(confidence=0.8, refractory=1.0)
    switch = SwitchEvidence(["rest", "a", "b"], idle="rest", rule=rule)
    rest, a = (0.9, 0.05, 0.05), (0.1, 0.8, 0.1)

    def feed(p, n):
        return [label for _ in range(n) if (label := switch.add(p, seconds=0.1)) is not None]

    assert feed(rest, 100) == []
    # A single strange window is not believed; a lasting state is, once.
    assert feed((0.01, 0.98, 0.01), 1) == []
    assert feed(rest, 20) == []
    assert feed(a, 40) == ["a"]
    assert feed(rest, 30) == []
    assert feed((0.1, 0.1, 0.8), 40) == ["b"]
    # Windows that could not be decided let what was likely fade; they never act.
    assert feed((), 100) == []
    assert switch.posterior[0] > 0.5
    with pytest.raises(ArgumentError, match="idle"):
        SwitchEvidence(["a", "b"], idle="rest")
    with pytest.raises(ArgumentError, match="3 classes"):
        switch.add((0.5, 0.5), seconds=0.1)


def test_a_stream_that_starts_again_is_decided_again(trials):
    model = Model.fit("csp-lda", trials)
    recording = Recording.from_arrays(trials.info, trials.X[:10].transpose(0, 2, 1).reshape(-1, 8))
    decoder = OnlineDecoder(model, recording.info, every=0.5)
    once = [d.probabilities for d in decoder.run(recording)]
    assert len(once) == 19
    assert [d.probabilities for d in decoder.run(recording)] == once
    # Not every stream says that it starts; its index says so, too.
    unsaid = [replace(chunk, health=Health()) for chunk in recording.chunks(32)]
    assert [d.probabilities for d in decoder.run(unsaid)] == once


def test_a_cropped_recording_is_decided_behind_steps_that_keep_samples_back_and_change_the_rate(trials):
    model = Model.fit("csp-lda", trials)
    data = np.repeat(trials.X[:10].transpose(0, 2, 1).reshape(-1, 8), 4, axis=0)
    recording = Recording.from_arrays(trials.info.replace(sfreq=400.0), data)
    unit = np.eye(8)
    late = Asr(mixing=unit, thresholds=1e6 * unit, channels=recording.info.ch_names)
    decoder = OnlineDecoder(model, recording.info, every=0.5, pipeline=Pipeline([late, Decimate(4)]))
    found = [len(list(decoder.run(recording[start : start + 5.0]))) for start in (0.0, 5.0)]
    # Of 5 s, 0.27 are still kept back; the first window ends after one.
    assert found == [8, 8]
