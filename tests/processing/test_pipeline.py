"""Pipeline: configuration, description, change while running, MNE and scikit-learn."""

import mne
import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bcikit.processing import Bandpass, BandPower, Decimate, Notch, Pick, Pipeline, Rereference, apply_zero_phase
from bcikit.processing.transformers import LogVariance, StepTransformer
from bcikit.signal import ArgumentError, ConfigError, Event, Recording

TABLES = [
    {"step": "bandpass", "l_freq": 8, "h_freq": 30},
    {"step": "notch", "freq": 50},
    {"step": "rereference"},
]


def test_every_problem_of_a_configuration_is_listed() -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline.from_config(
            [
                {"step": "bandpas", "l_freq": 8},
                {"step": "bandpass", "l_freq": 8},
                {"step": "bandpass", "l_freq": 30, "h_freq": 8},
                {"step": "notch", "frequency": 50},
                {"l_freq": 8},
                {"step": "notch", "freq": "fifty"},
            ]
        )
    problems = caught.value.problems
    assert len(problems) == 6
    assert "Did you mean 'bandpass'" in problems[0]
    assert "lacks h_freq" in problems[1]
    assert "must be below" in problems[2]
    assert "frequency" in problems[3]
    assert 'step = "NAME"' in problems[4]
    assert "must be a number" in problems[5]


def test_toml_files_round_trip(tmp_path) -> None:
    path = tmp_path / "pipeline.toml"
    Pipeline.from_config(TABLES).to_toml(path)
    assert Pipeline.from_toml(path).to_config() == Pipeline.from_config(TABLES).to_config()
    path.write_text("[[pipeline]]\nstep = 'nonsense'\n")
    with pytest.raises(ConfigError, match=r"pipeline\.toml"):
        Pipeline.from_toml(path)
    path.write_text("x = 1")
    with pytest.raises(ConfigError, match="no \\[\\[pipeline\\]\\]"):
        Pipeline.from_toml(path)
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        Pipeline.from_toml(tmp_path / "missing.toml")


def test_the_same_from_python_and_from_toml(streams) -> None:
    recording = streams.clean(3)
    python = Pipeline([Bandpass(l_freq=8, h_freq=30), Notch(freq=50), Rereference()])
    np.testing.assert_array_equal(python.apply(recording).data, Pipeline.from_config(TABLES).apply(recording).data)


def test_an_unconfigured_pipeline_says_so(streams) -> None:
    pipeline = Pipeline.from_config(TABLES)
    chunk = next(iter(streams.clean(1).chunks(10)))
    for step in (pipeline, *pipeline, BandPower()):
        with pytest.raises(ArgumentError, match="configure"):
            step.process(chunk)


def test_description_names_steps_delay_settling_and_cost(info) -> None:
    pipeline = Pipeline.from_config(TABLES)
    pipeline.configure(info)
    text = pipeline.describe()
    table = str(text)
    for word in ("bandpass", "notch", "rereference", "delay ms", "settles s", "us/chunk", "total"):
        assert word in table
    assert text.delay == pytest.approx(pipeline.delay)
    assert text.cost is not None
    assert text.cost > 0
    near = np.abs(text.freqs - 50).argmin()
    assert np.abs(text.response[near]) < 0.02
    axes = text.plot()
    assert axes.get_xlabel() == "frequency (Hz)"
    only = Pipeline([Rereference()])
    only.configure(info)
    with pytest.raises(ArgumentError, match="no filter"):
        only.describe(measure=False).plot()


def test_describing_does_not_disturb_a_running_pipeline(streams) -> None:
    recording = streams.clean(4)
    pipeline = Pipeline.from_config(TABLES)
    want = pipeline.apply(recording).data
    pipeline.configure(recording.info)
    got = []
    for index, chunk in enumerate(recording.chunks(100)):
        if index == 5:
            pipeline.describe()
        got.append(pipeline.process(chunk).data)
    np.testing.assert_allclose(np.concatenate(got), want, atol=1e-9)


@pytest.mark.parametrize("size", [9, 250])
def test_parameters_change_without_a_transient(streams, size) -> None:
    recording = streams.clean(30)
    pipeline = Pipeline.from_config(TABLES)
    before = Pipeline.from_config(TABLES).apply(recording).data
    after = Pipeline.from_config([{**TABLES[0], "l_freq": 6.0, "h_freq": 20.0}, *TABLES[1:]]).apply(recording).data
    pipeline.configure(recording.info)
    out, changed = [], None
    for chunk in recording.chunks(size):
        if changed is None and chunk.first_sample >= 3000:
            pipeline.update("bandpass", l_freq=6.0, h_freq=20.0)
            changed = chunk.first_sample
        out.append(pipeline.process(chunk))
    got = np.concatenate([chunk.data for chunk in out])
    assert not any(chunk.health.mask is not None for chunk in out[3000 // size :])
    np.testing.assert_allclose(got[:changed], before[:changed], atol=1e-9)
    late = changed + round((pipeline.settling + 0.2) * 250)
    np.testing.assert_allclose(got[late:], after[late:], atol=0.1)
    lowest, highest = np.minimum(before, after), np.maximum(before, after)
    assert (got[changed:late] >= lowest[changed:late] - 0.05).all(), "always between the two"
    assert (got[changed:late] <= highest[changed:late] + 0.05).all()
    assert pipeline.to_config()[0]["l_freq"] == 6.0


def test_features_change_without_an_interruption(streams) -> None:
    recording = streams.clean(10)
    pipeline = Pipeline([BandPower(window=0.5, hop=0.1)])
    pipeline.configure(recording.info)
    out = []
    for index, chunk in enumerate(recording.chunks(50)):
        if index == 20:
            pipeline.update(0, window=1.0)
        out.append(pipeline.process(chunk))
    samples = np.concatenate([np.arange(c.first_sample, c.end_sample) for c in out if c.n_times])
    np.testing.assert_array_equal(np.diff(samples), 1)
    want = Pipeline([BandPower(window=1.0, hop=0.1)]).apply(recording).data[-1]
    np.testing.assert_allclose(out[-1].data[-1], want, rtol=1e-9)


def test_a_change_that_cannot_be_leaves_everything_as_it_was(streams) -> None:
    recording = streams.clean(2)
    pipeline = Pipeline([*Pipeline.from_config(TABLES), Decimate(factor=2)])
    with pytest.raises(ArgumentError, match="not configured"):
        pipeline.update(0, l_freq=5)
    pipeline.configure(recording.info)
    for wrong, match in (
        ({"step": "bandpass", "l_freq": 100}, "below h_freq"),
        ({"step": "bandpass", "cutoff": 3}, "cutoff"),
        ({"step": "decimate", "factor": 5}, "another rate"),
        ({"step": "lowpass", "freq": 3}, "lowpass"),
        ({"step": 9, "freq": 3}, "4 steps"),
    ):
        with pytest.raises(ArgumentError, match=match):
            pipeline.update(**wrong)
    assert pipeline.to_config() == Pipeline([*Pipeline.from_config(TABLES), Decimate(factor=2)]).to_config()
    for chunk in recording.chunks(50):
        pipeline.process(chunk)


def test_raw_goes_in_and_comes_out(streams) -> None:
    recording = streams.clean(6)
    events = (Event(name="left", time=1.0, sample=250, source="x"),)
    recording = Recording.from_arrays(recording.info, recording.data, events=events)
    raw = recording.to_mne()
    raw.info["bads"] = ["C3"]
    pipeline = Pipeline.from_config(TABLES)
    got = pipeline.apply(raw)
    assert isinstance(got, mne.io.BaseRaw)
    want = pipeline.apply(recording).data
    np.testing.assert_allclose(got.get_data().T * 1e6, want, atol=1e-9)
    assert got.info["bads"] == ["C3"]
    names = set(got.annotations.description)
    assert "left" in names
    assert "bad_bcikit" in names, "what the start affects"
    np.testing.assert_allclose(raw.get_data().T * 1e6, recording.data, atol=1e-9)


def test_epochs_go_in_and_come_out(streams) -> None:
    raw = streams.clean(12).to_mne()
    events = np.array([[500 + 500 * i, 0, 1 + i % 2] for i in range(4)])
    epochs = mne.Epochs(raw, events, {"a": 1, "b": 2}, -0.5, 1.0, baseline=None, preload=True, verbose="ERROR")
    got = Pipeline([Pick(types=["eeg"]), Rereference()]).apply(epochs)
    assert isinstance(got, mne.BaseEpochs)
    assert got.event_id == epochs.event_id
    assert got.tmin == epochs.tmin
    data = epochs.get_data(picks="eeg")
    np.testing.assert_allclose(got.get_data(), data - data.mean(axis=1, keepdims=True), atol=1e-15)
    with pytest.raises(ArgumentError, match="ndarray"):
        Rereference().apply(np.zeros((3, 3)))


@parametrize_with_checks([StepTransformer(), StepTransformer([{"step": "highpass", "freq": 1}]), LogVariance()])
def test_scikit_learn_accepts_the_transformers(estimator, check) -> None:
    check(estimator)


def test_transformers_on_epochs_are_the_steps(streams) -> None:
    recording = streams.clean(4)
    epochs = recording.data.T.reshape(8, 4, 250).transpose(1, 0, 2)
    steps = [{"step": "highpass", "freq": 1}]
    got = StepTransformer(steps, sfreq=250.0).fit_transform(epochs)
    one = Recording.from_arrays(recording.info, epochs[2].T)
    np.testing.assert_allclose(got[2].T, Pipeline.from_config(steps).apply(one).data, atol=1e-9)
    np.testing.assert_allclose(LogVariance().fit_transform(epochs), np.log(epochs.var(axis=2)))


def test_zero_phase_data_says_that_it_is_not_causal(streams) -> None:
    recording = streams.clean(4)
    pipeline = Pipeline([Bandpass(l_freq=8, h_freq=30)])
    assert pipeline.apply(recording).info.causal
    assert not pipeline.apply_zero_phase(recording).info.causal
    assert not apply_zero_phase(pipeline.steps, recording).info.causal


@pytest.mark.parametrize("steps", [Bandpass(l_freq=1, h_freq=40), ["bandpass"], "bandpass"])
def test_what_is_no_list_of_steps_is_said(steps) -> None:
    with pytest.raises(ArgumentError, match=r"must be a list of steps: Pipeline\(\["):
        Pipeline(steps)
