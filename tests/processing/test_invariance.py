"""Every step: no split of a stream changes its output; faults stay where they are; settings survive a round trip."""

import functools
import json
import os
import tomllib

import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcikit import plugins
from bcikit.processing import Pipeline, Step, step_class
from bcikit.signal import Bad, Flag, Recording, StreamInfo
from tests.processing.conftest import Streams

EYE = np.eye(7).tolist()
EEG = ["Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2"]
EXAMPLES: dict[str, list[dict]] = {
    "alphafrequency": [{"window": 2, "hop": 0.5}, {"window": 2, "hop": 0.3, "method": "peak"}],
    "asr": [
        {"mixing": EYE, "thresholds": (30 * np.eye(7)).tolist(), "channels": EEG},
        {"mixing": EYE, "thresholds": (1e4 * np.eye(7)).tolist(), "channels": EEG, "lookahead": 0.0},
    ],
    "bipolar": [{"pairs": [["C3", "Cz"], ["C4", "Cz"]]}],
    "blinks": [{}, {"channels": ["Fp1"], "threshold": 10, "hold": 0.05}],
    "connectivity": [
        {"window": 1, "hop": 0.2},
        {"window": 1, "hop": 0.2, "method": "plv", "pairs": [["C3", "C4"]]},
        {"window": 1, "hop": 0.3, "method": "imaginary"},
    ],
    "decimate": [{"factor": 4}],
    "envelope": [{"l_freq": 8, "h_freq": 13}, {"l_freq": 8, "h_freq": 13, "output": "both"}],
    "erd": [{"window": 0.8, "hop": 0.1, "reference": {name: [40.0, 10.0] for name in EEG}}],
    "interpolate": [{}, {"bads": ["C3"], "automatic": False}],
    "laplacian": [{}, {"channels": ["C3"], "n_neighbours": 3}],
    "lateralisation": [{"window": 0.8, "hop": 0.1}],
    "lineremoval": [{"window": 0.5}],
    "muscle": [{"time_constant": 0.5, "z": 2.0}],
    "ocular": [{"weights": [[0.2], [0.1]], "channels": ["Fp1", "C3"], "eog": ["EOG"]}],
    "psd": [{"window": 0.5, "hop": 0.2, "fmax": 45}],
    "ratio": [{"window": 0.8, "hop": 0.1}, {"window": 0.8, "hop": 0.1, "log": True, "numerator": ["theta", "alpha"]}],
    "resample": [{"sfreq": 100}, {"sfreq": 300, "half_width": 6}],
    "rest": [{"grid": 40.0}],
    "spatial": [{"weights": [[1, -1]], "channels": ["C3", "C4"]}],
    "standardise": [{"time_constant": 1.0}],
    "unmix": [{"weights": [[0.5, 0.5], [0.5, 0.5]], "channels": ["C3", "C4"]}],
    "bandpass": [{"l_freq": 8, "h_freq": 30}, {"l_freq": 1, "h_freq": 40, "order": 2, "gap": "bridge"}],
    "bandpower": [{"window": 1, "hop": 0.1}, {"window": 0.5, "hop": 0.052, "scale": "log", "bands": {"a": [8, 13]}}],
    "comb": [{}],
    "covariance": [
        {"window": 0.8, "hop": 0.1},
        {"window": 0.8, "hop": 0.2, "estimator": "exponential"},
        {"window": 0.8, "hop": 0.1, "estimator": "shrinkage", "shrinkage": 0.1},
    ],
    "highpass": [{"freq": 1}],
    "logpower": [{"window": 0.7, "hop": 0.1}],
    "lowpass": [{"freq": 40, "gap": "bridge", "longest_bridge": 0.1}],
    "notch": [{}, {"freq": 60, "quality": 20}],
    "pick": [{"channels": ["C4", "C3"]}],
    "rereference": [{}, {"reference": "Cz"}, {"reference": ["O1", "O2"]}, {"bads": ["Fp1"]}],
}
N_SPLITS = 30 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 5
"""Streams and splits that are tried on each example: some, and many nightly."""
CASES = [(name, index) for name, examples in EXAMPLES.items() for index in range(len(examples))]


def make(name: str, index: int) -> Step:
    return step_class(name)(**EXAMPLES[name][index])


# Their memory is slow by purpose and outlives a gap: right after it they stand on older samples, which is no fault.
SLOW = {"standardise", "lineremoval"}


def difference(got: np.ndarray, want: np.ndarray, info) -> np.ndarray:
    """Return the absolute difference; of angles, the way around the circle."""
    error = np.abs(got - want)
    angles = [name.endswith(" phase") for name in info.ch_names]
    error[:, angles] = np.minimum(error[:, angles], 2 * np.pi - error[:, angles])
    return error


@functools.cache
def of_a_clean_stream(info: StreamInfo, name: str, index: int) -> tuple[Recording, Recording]:
    """Return twelve seconds without a fault, and what a step makes of them: several tests change one sample of it."""
    clean = Streams(info).clean(12)
    return clean, make(name, index).apply(clean)


def scale_of(recording: Recording) -> float:
    return float(np.nanmax(np.abs(recording.data), initial=1.0))


def test_every_step_has_an_example() -> None:
    assert set(EXAMPLES) == set(plugins.names("steps"))


@pytest.mark.parametrize(("name", "index"), CASES)
@settings(max_examples=N_SPLITS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_split_gives_the_same_output(streams, name, index, data) -> None:
    length = 750
    recording = streams.clean(length / 250, seed=data.draw(st.integers(0, 5)))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, length - 1))
        recording = streams.with_nan(recording, at, data.draw(st.integers(0, 7)), data.draw(st.integers(1, 40)))
    if data.draw(st.booleans()):
        lost = data.draw(st.sampled_from([1, 10, 60]))
        recording = streams.with_gap(recording, data.draw(st.integers(1, length - lost - 1)), lost)
    cuts = data.draw(st.lists(st.integers(1, length - 1), max_size=30))
    step = make(name, index)
    whole = streams.run(step, recording, [])
    pieces = streams.run(make(name, index), recording, cuts)
    assert whole.info == pieces.info
    np.testing.assert_array_equal(whole.samples, pieces.samples)
    np.testing.assert_allclose(pieces.times, whole.times, rtol=0, atol=1e-9)
    np.testing.assert_allclose(pieces.data, whole.data, rtol=0, atol=1e-10 * max(scale_of(whole), 500.0))
    masks = [r.mask if r.mask is not None else np.zeros(r.data.shape, np.uint8) for r in (whole, pieces)]
    np.testing.assert_array_equal(*masks)
    # The same step again: configuring forgets everything.
    again = streams.run(step, recording, cuts)
    np.testing.assert_array_equal(again.data, pieces.data)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_a_stream_that_starts_again_is_one_of_its_own(streams, name, index) -> None:
    step, recording = make(name, index), streams.clean(6)
    step.configure(recording.info)
    first, again = ([made for c in recording.chunks(25) if (made := step.process(c)).n_times] for _ in range(2))
    assert [(c.first_sample, c.health.lost, c.health.flags) for c in first] == [
        (c.first_sample, c.health.lost, c.health.flags) for c in again
    ]
    assert again[0].health.flags & Flag.START
    np.testing.assert_array_equal(np.concatenate([c.data for c in again]), np.concatenate([c.data for c in first]))


@pytest.mark.parametrize(("name", "index"), CASES)
def test_the_input_is_never_changed(streams, name, index) -> None:
    recording = streams.with_nan(streams.clean(3), 400, 2)
    data, mask = recording.data.copy(), recording.mask.copy()
    make(name, index).apply(recording, chunk_size=100)
    np.testing.assert_array_equal(recording.data, data)
    np.testing.assert_array_equal(recording.mask, mask)


@pytest.mark.parametrize("fault", ["nan", "unmarked nan", "railed"])
@pytest.mark.parametrize(("name", "index"), CASES)
def test_a_bad_sample_is_forgotten_once_settled_and_marked_until_then(streams, name, index, fault) -> None:
    clean, want = of_a_clean_stream(streams.info, name, index)
    step = make(name, index)
    data, given = clean.data.copy(), np.zeros(clean.data.shape, np.uint8)
    data[1500, 3] = 187_500.0 if fault == "railed" else np.nan
    given[1500, 3] = int(Bad.RAILED if fault == "railed" else Bad.NAN)
    got = step.apply(Recording.from_arrays(clean.info, data, mask=None if fault == "unmarked nan" else given))
    np.testing.assert_array_equal(got.samples, want.samples)
    good = ~np.isnan(got.data)
    mask = np.zeros(got.data.shape, np.uint8) if got.mask is None else got.mask
    assert (good | (mask & int(Bad.NAN) > 0)).all(), "a NaN in the output must be marked"
    unmarked = mask == 0
    error = np.where(good, difference(got.data, want.data, got.info), 0.0)
    # What the NaN replaced differs by tens of microvolts; 1 % of that may remain, relative to the unit of the output.
    limit = 0.01 * np.maximum(np.ptp(want.data, axis=0), 1e-9)
    assert (error <= np.where(unmarked, limit, np.inf)).all()
    late = got.times > clean.times[1500] + step.settling + 1 / 250
    assert (error[late] <= limit).all()
    assert not (mask[late] & int(Bad.AFFECTED)).any()


@pytest.mark.parametrize(("name", "index"), CASES)
def test_a_repeated_sample_changes_no_value_and_is_marked_until_settled(streams, name, index) -> None:
    clean, want = of_a_clean_stream(streams.info, name, index)
    step = make(name, index)
    mask = np.zeros(clean.data.shape, np.uint8)
    mask[1500, 3] = int(Bad.REPEATED)
    got = step.apply(Recording.from_arrays(clean.info, clean.data, mask=mask))
    np.testing.assert_allclose(got.data, want.data, atol=1e-9 * scale_of(want))
    marks = np.zeros(got.data.shape, np.uint8) if got.mask is None else got.mask
    late = got.times > clean.times[1500] + step.settling + 1 / 250
    assert not (marks[late] & int(Bad.AFFECTED | Bad.REPEATED)).any()


@pytest.mark.parametrize(("name", "index"), CASES)
def test_a_gap_of_five_seconds_is_forgotten_once_settled(streams, name, index) -> None:
    clean = streams.clean(20)
    if name == "envelope":
        # The phase of 10 uV of alpha is not to be had from under 1 % of an offset of 500 uV.
        clean = Recording.from_arrays(clean.info, clean.data - clean.data.mean(axis=0))
    step = make(name, index)
    want = step.apply(clean)
    got = step.apply(streams.with_gap(clean, 1000, 1250))
    late = got.times > clean.times[2250] + step.settling + 1 / 250
    assert late.any()
    common, here, there = np.intersect1d(got.samples, want.samples, return_indices=True)
    assert common.size == got.n_times
    error = difference(got.data, want.data[there], got.info)[here]
    limit = 0.02 * np.maximum(np.ptp(want.data, axis=0), 1e-9)
    unmarked = ~(got.mask > 0) if got.mask is not None else np.ones(got.data.shape, bool)
    if name in SLOW:
        unmarked[:] = False
    assert (error <= np.where(unmarked | late[:, None], limit, np.inf)).all()
    assert got.lost > 0


@pytest.mark.parametrize(("name", "index"), CASES)
def test_int16_samples_give_what_the_same_floats_give(streams, name, index) -> None:
    counts = np.round(streams.clean(4).data).astype(np.int16)
    step = make(name, index)
    got = step.apply(Recording.from_arrays(streams.info, counts))
    want = step.apply(Recording.from_arrays(streams.info, counts.astype(np.float64)))
    assert got.data.dtype == np.float64
    np.testing.assert_array_equal(got.data, want.data)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_outputs_keep_the_contract_of_chunks(streams, name, index) -> None:
    step = make(name, index)
    out = step.configure(streams.info)
    for chunk in streams.cut(streams.with_nan(streams.clean(3), 300, 1, 5), list(range(0, 750, 33))):
        result = step.process(chunk)
        assert result.n_channels == out.n_channels
        if result.n_times:
            result.check()
            assert (np.diff(result.times) >= 0).all()
    assert step.delay >= 0
    assert step.settling >= 0
    assert out.delay == pytest.approx(step.delay)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_settings_survive_toml_and_json(name, index) -> None:
    pipeline = Pipeline([make(name, index)])
    config = pipeline.to_config()
    assert config[0]["step"] == name
    again = tomllib.loads(tomli_w.dumps({"pipeline": config}))["pipeline"]
    assert Pipeline.from_config(again).to_config() == config
    assert Pipeline.from_config(json.loads(json.dumps(config))).to_config() == config
