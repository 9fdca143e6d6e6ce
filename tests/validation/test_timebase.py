"""Time: Allan deviation, correlation and lines against what is known in closed form."""

import numpy as np
import pytest

from bcikit.signal import DataError
from bcikit.validation.timebase import allan_deviation, correlation_time, fit_line


def test_allan_deviation_of_white_time_noise_falls_as_one_over_tau():
    error = np.random.default_rng(1).standard_normal(20000) * 1e-3
    tau, deviation = allan_deviation(error, 1.0)
    # White phase noise: sigma(tau) = sqrt(3) s / tau.
    short = tau < 300
    np.testing.assert_allclose(deviation[short] * tau[short], np.sqrt(3) * 1e-3, rtol=0.1)


def test_allan_deviation_of_a_drift_grows_with_tau():
    tau, deviation = allan_deviation(0.5e-9 * np.arange(1000.0) ** 2, 1.0)
    # x = d t^2 / 2 gives sigma = d tau / sqrt(2).
    np.testing.assert_allclose(deviation, 1e-9 * tau / np.sqrt(2), rtol=1e-6)


def test_correlation_time_of_a_first_order_process():
    from scipy.signal import lfilter

    values = lfilter([1.0], [1.0, -0.9], np.random.default_rng(2).standard_normal(200000))
    assert correlation_time(values) == pytest.approx((1 + 0.9) / (1 - 0.9), rel=0.15)


def test_a_line_finds_the_rate_through_late_packets():
    rng = np.random.default_rng(3)
    samples = np.arange(15000)
    times = samples / 250 * (1 - 100e-6) + rng.normal(0, 2e-4, 15000)
    times[rng.integers(0, 15000, 50)] += 0.05
    period, _, _, u = fit_line(samples, times)
    assert 1e6 * (1 / (period * 250) - 1) == pytest.approx(100, abs=max(3e6 * u, 1))


def test_too_few_samples_are_refused():
    with pytest.raises(DataError, match="too few"):
        fit_line(np.arange(5), np.arange(5.0))
