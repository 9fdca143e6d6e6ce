"""ClockModel: rate with uncertainty, smooth times that are causal and never go back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquisition.clock_model import ClockModel, Stamps


def run(stamps, sfreq, block):
    model = ClockModel(sfreq)
    times = [model.update(i, stamps[i : i + block]) for i in range(0, len(stamps), block)]
    return model, np.concatenate(times)


@pytest.mark.parametrize("ppm", [-400.0, -50.0, 0.0, 200.0])
@pytest.mark.parametrize("sfreq", [160.0, 250.0, 1000.0])
def test_drift_is_found_within_its_uncertainty(ppm, sfreq):
    rng = np.random.default_rng(0)
    n = int(60 * sfreq)
    period = 1 / (sfreq * (1 + ppm * 1e-6))
    stamps = 1e6 + np.arange(n) * period + rng.exponential(0.002, n)
    state = run(stamps, sfreq, 10)[0].state()
    assert state.drift_ppm == pytest.approx(ppm, abs=max(1.0, 1.5 * state.drift_uncertainty_ppm))
    assert state.drift_uncertainty_ppm < 20
    assert state.jitter == pytest.approx(0.002, rel=0.1)


def test_uncertainty_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(60):
        stamps = np.arange(2500) / 250 + np.repeat(rng.normal(0, 0.003, 250), 10)
        state = run(stamps, 250.0, 10)[0].state()
        inside += abs(state.drift_ppm) <= state.drift_uncertainty_ppm
    # 95 % of 60 is 57; fewer than 50 or all too wide would be a wrong formula.
    assert inside >= 50


def test_times_are_smoother_than_stamps():
    rng = np.random.default_rng(2)
    true = np.arange(25_000) / 250
    stamps = true + rng.normal(0, 0.005, true.size)
    _, times = run(stamps, 250.0, 8)
    late = slice(5000, None)
    assert np.std(times[late] - true[late]) < 0.05 * np.std(stamps[late] - true[late])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    block=st.integers(1, 50),
    jitter=st.sampled_from([0.0, 0.001, 0.02, 0.2]),
    ppm=st.sampled_from([-500, 0, 500]),
)
def test_times_never_go_back(seed, block, jitter, ppm):
    rng = np.random.default_rng(seed)
    stamps = np.arange(1000) / (250 * (1 + 1e-6 * ppm)) + rng.uniform(-jitter, jitter, 1000)
    model, times = run(stamps, 250.0, block)
    model.restart(clock_reset=True)
    after = model.update(1000, stamps[:10] - 5.0)
    assert (np.diff(np.concatenate([times, after])) > 0).all()


def test_times_do_not_depend_on_the_future():
    rng = np.random.default_rng(3)
    stamps = np.arange(1000) / 250 + rng.normal(0, 0.004, 1000)
    other = stamps.copy()
    other[500:] += 0.05
    np.testing.assert_array_equal(run(stamps, 250.0, 20)[1][:500], run(other, 250.0, 20)[1][:500])


def test_a_day_of_samples_keeps_its_precision():
    model = ClockModel(1000.0)
    block = np.arange(1000) / 1000.0
    for second in range(0, 86_400, 60):
        times = model.update(second * 1000, 5e5 + second + block)
    np.testing.assert_allclose(times, 5e5 + 86_340 + block, atol=1e-6)


@pytest.mark.parametrize("share", [-0.36, -0.009, -0.002, 0.0, 0.005, 0.02])
@pytest.mark.parametrize("made", [Stamps.ARRIVAL, Stamps.SENDER])
def test_what_is_stated_holds_from_the_first_sample_whatever_the_rate_really_is(made, share):
    rng = np.random.default_rng(0)
    inside = total = 0
    stated = []
    for block, wait in ((1, 0.0005), (10, 0.001), (25, 0.002)):
        model, rate, n = ClockModel(250.0, made=made), 250.0 * (1 + share), 0
        while n < 1250:
            taken = 100.0 + (n + np.arange(block)) / rate
            if made is Stamps.ARRIVAL:
                stamps = np.full(block, taken[-1] + 0.0003 + rng.exponential(wait))
            else:
                stamps = taken + rng.normal(0, 0.5 * wait, block)
            times = model.update(n, stamps)
            n += block
            stated.append(model.uncertainty(n - 1))
            inside += np.abs(times - taken).max() <= stated[-1]
            total += 1
    assert inside >= 0.99 * total
    if share == 0.0:
        assert np.median(stated) < 0.01
