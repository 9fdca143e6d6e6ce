"""EEG and muscle together: better where the brain alone says little, no worse where the muscle says nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.decoding import AdaptiveModel, Epochs, Model, epochs, make_decoder
from bcikit.processing import Pipeline
from bcikit.signal import ArgumentError, DataError, Recording, StreamInfo

CUES = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}
PIPELINE = Pipeline.from_config(
    [
        {"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "types": ["eeg"]},
        {"step": "bandpass", "l_freq": 20.0, "h_freq": 95.0, "types": ["emg"]},
    ]
)


def person(options: str) -> Recording:
    address = "sim:motor-imagery?schedule=1&channels=FC3,FC4,C3,Cz,C4&chunk=250&trials=40&emg=left_hand,right_hand&"
    with open_source(address + options) as source:
        chunks, events = [], []
        for chunk in source:
            chunks.append(chunk)
            events += source.pull_events()
    return PIPELINE.apply(Recording.from_chunks(source.info, chunks, events=tuple(events)))


def trials(recording: Recording, *types: str) -> Epochs:
    return epochs(recording, events=CUES, tmin=0.5, tmax=3.0, types=types)


@pytest.fixture(scope="module")
def weak() -> Recording:
    return person("ability=0.1&seed=1")


@pytest.fixture(scope="module")
def model(weak: Recording) -> Model:
    return Model.fit("hybrid", trials(weak, "eeg", "emg"), seed=0)


def test_muscle_helps_where_the_brain_alone_says_little(weak: Recording, model: Model) -> None:
    alone = Model.fit("csp-lda", trials(weak, "eeg"), seed=0)
    assert model.scores is not None
    assert alone.scores is not None
    assert model.sheet.ch_names[-2:] == ("EMG left_hand", "EMG right_hand")
    assert alone.scores.accuracy < 0.75
    assert model.scores.accuracy > max(0.85, alone.scores.accuracy + 0.1)
    assert model.estimator.trust_ > 0.0


def test_a_muscle_that_says_nothing_is_left_out() -> None:
    paralysed = person("ability=0.7&attempt_uv=0&seed=2")
    both = Model.fit("hybrid", trials(paralysed, "eeg", "emg"), seed=0)
    alone = Model.fit("csp-lda", trials(paralysed, "eeg"), seed=0)
    assert both.scores is not None
    assert alone.scores is not None
    assert both.scores.accuracy >= alone.scores.accuracy - 0.03
    assert both.estimator.trust_ == 0.0


def test_a_stream_without_muscle_is_refused_with_the_way_out(weak: Recording) -> None:
    with pytest.raises(DataError, match=r'there is no EMG channel among .*C3.*types = \["eeg", "emg"\].*csp-lda'):
        Model.fit("hybrid", trials(weak, "eeg"), seed=0)
    with pytest.raises(DataError, match="must know which channels are EEG and which EMG"):
        make_decoder("hybrid", sfreq=250.0).fit(np.random.default_rng(0).normal(size=(20, 3, 250)), ["a", "b"] * 10)
    with pytest.raises(ArgumentError, match="bandpass is for channels of type emg"):
        Pipeline.from_config([{"step": "bandpass", "l_freq": 20.0, "h_freq": 95.0, "types": ["emg"]}]).configure(
            weak.info.pick([0, 1])
        )


@pytest.mark.parametrize(("factor", "said"), [(0.0, "EMG right_hand is flat"), (1e4, "EMG right_hand is too loud")])
def test_a_broken_muscle_channel_decides_nothing(weak: Recording, model: Model, factor: float, said: str) -> None:
    model.attach(weak.info)
    cut = trials(weak, "eeg", "emg")
    X = cut.X[:4].copy()
    window = SimpleNamespace(time=0.0, stop_sample=1, n_lost=0, bad=np.zeros(7), data=X[0])
    assert model.decide(window).label == cut.y[0]
    X[:, 6] *= factor
    window.data = X[0]
    decision = model.decide(window)
    assert (decision.label, decision.reason) == (None, "bad-data")
    assert decision.data["why"].startswith(said)
    # Offline, where every trial must be decided: by the EEG alone, whatever the broken channel holds.
    other = X.copy()
    other[:, 5] *= 0.5
    np.testing.assert_array_equal(model.estimator.decision_scores(X), model.estimator.decision_scores(other))
    X[0, 6, 3] = np.nan
    window.data = X[0]
    assert model.decide(window).reason == "bad-data"


def test_flat_in_the_training_is_refused_by_name(weak: Recording) -> None:
    cut = trials(weak, "eeg", "emg")
    cut.X[3, 6] = 0.0
    with pytest.raises(DataError, match="EMG right_hand is flat in trials of the training"):
        Model.fit("hybrid", cut, seed=0)


def test_a_file_gives_the_same_model_and_it_is_never_recentred(model: Model, weak: Recording, tmp_path) -> None:
    cut = trials(weak, "eeg", "emg")
    loaded = Model.load(model.save(tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.probabilities(cut.X), model.probabilities(cut.X))
    with pytest.raises(ArgumentError, match="cannot be re-centred: that would mix EEG with EMG"):
        AdaptiveModel(model, recentre="windows", labelled=False)


def test_each_type_has_its_own_band_and_the_slowest_is_the_delay() -> None:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "arm"), ch_types=("eeg", "emg"))
    pipeline = Pipeline.from_config(PIPELINE.to_config())
    assert pipeline.to_config() == PIPELINE.to_config()
    rng = np.random.default_rng(0)
    raw = Recording(info=info, data=rng.normal(size=(1000, 2)), times=np.arange(1000) / 250, samples=np.arange(1000))
    made = pipeline.apply(raw)
    eeg, emg = (Pipeline.from_config([{"step": "bandpass", "l_freq": low, "h_freq": high}])
                for low, high in ((7.0, 30.0), (20.0, 95.0)))  # fmt: skip
    np.testing.assert_array_equal(made.data[:, 0], eeg.apply(raw).data[:, 0])
    np.testing.assert_array_equal(made.data[:, 1], emg.apply(raw).data[:, 1])
    assert pipeline.delay == max(eeg.delay, emg.delay)
    assert pipeline.settling == max(eeg.settling, emg.settling)
    pipeline.update(1, h_freq=90.0)
    assert len(pipeline._plan) == 2
