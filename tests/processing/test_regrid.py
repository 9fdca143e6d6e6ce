"""Every step that changes the rate takes the events with it, however steps are put in a row."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcikit import plugins
from bcikit.decoding import epochs
from bcikit.processing import Decimate, Pipeline, Regrid, Resample
from bcikit.signal import Event, Recording, StreamInfo
from tests.processing.test_invariance import CASES, make


def spiky(n: int = 6000, sfreq: float = 250.0, at: tuple[int, ...] = (437, 911, 1533, 2050, 3003)) -> Recording:
    x = np.random.default_rng(0).normal(0, 1, (n, 2))
    x[list(at)] += 500
    events = tuple(Event(name="a", time=7.0 + k / sfreq, sample=k) for k in at)
    return Recording.from_arrays(StreamInfo(name="x", sfreq=sfreq, ch_names=("C3", "C4")), x, start=7.0, events=events)


@pytest.mark.parametrize(
    "steps",
    [
        [Resample(sfreq=125.0)],
        [Decimate(factor=2)],
        [Resample(sfreq=100.0)],
        [Resample(sfreq=300.0)],
        [Decimate(factor=2), Resample(sfreq=50.0)],
    ],
)
def test_epochs_after_resampling_have_their_spike(steps):
    made = Pipeline(steps).apply(spiky())
    trials = epochs(made, events={"a": "a"}, tmin=-0.5, tmax=0.5)
    assert len(trials) == 5
    peaks = np.argmax(np.abs(trials.X[:, 0]), axis=1) / made.info.sfreq - 0.5
    np.testing.assert_allclose(peaks, made.info.delay, atol=1.5 / made.info.sfreq + 0.012)


@pytest.mark.parametrize(("name", "index"), CASES)
def test_the_sample_of_an_event_is_the_row_nearest_to_its_time(streams, name, index):
    step, eeg = make(name, index), streams.clean()
    times = eeg.times[[300, 777, 1100]]
    events = tuple(Event(name="a", time=float(t), sample=int(eeg.samples[k])) for t, k in
                   zip(times, (300, 777, 1100), strict=True))  # fmt: skip
    recording = Recording(info=eeg.info, data=eeg.data, times=eeg.times, samples=eeg.samples, events=events)
    made = step.apply(recording)
    assert [event.time for event in made.events if event.name == "a"] == [event.time for event in events]
    for event in made.events:
        row = int(np.searchsorted(made.samples, event.sample))
        if row < made.n_times and made.samples[row] == event.sample:
            assert abs(made.times[row] - event.time) <= 0.5 / made.info.sfreq + 1.5 / eeg.info.sfreq


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rates=st.lists(st.sampled_from([50.0, 100.0, 125.0, 200.0, 250.0, 500.0]), max_size=3), factor=st.integers(1, 5))
def test_any_row_of_resampling_steps_keeps_events_at_their_times(rates, factor):
    pipeline = Pipeline([*(Resample(sfreq=rate) for rate in rates), Decimate(factor=factor)])
    made = pipeline.apply(spiky(2000, at=(437, 911, 1533)))
    for event in made.events:
        row = int(np.flatnonzero(made.samples == event.sample)[0])
        assert abs(made.times[row] - event.time) <= 0.5 / made.info.sfreq * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize(("name", "index"), CASES)
def test_what_is_said_to_be_there_has_come(streams, name, index):
    """A session decides at the newest sample that is there; a step may keep samples back only as long as it says."""
    step, eeg = make(name, index), streams.clean()
    grid = Regrid.of(step, eeg.info, step.configure(eeg.info))
    newest = None
    for chunk in streams.cut(eeg, np.random.default_rng(0).integers(1, 2000, 120).tolist()):
        made = step.process(chunk)
        newest = made.end_sample - 1 if made.n_times else newest
        assert newest is None or newest >= grid.newest(chunk.end_sample - 1)
    assert newest is not None


def test_a_row_of_steps_is_as_late_as_all_of_them(streams):
    late = [make("asr", 0), make("decimate", 0), make("asr", 1)]
    pipeline = Pipeline(late)
    pipeline.configure(streams.info)
    assert late[0].latency == pytest.approx(71 / 250)
    assert pipeline.latency == pytest.approx(sum(step.latency for step in late))


def test_there_and_back():
    grid = Regrid(ratio=2.5, offset=0.0)
    assert [grid.back(grid.onto(k)) for k in (0, 5, 1000)] == [0, 5, 1000]
    assert grid.newest(4) == 1
    assert Regrid().onto(7) == 7
    assert Regrid(late=3).newest(7) == 4
    assert Regrid(ratio=2.0, late=3).newest(8) == 2
    assert "resample" in plugins.names("steps")
