"""Sine fit: exact on a pure sine, honest about its uncertainty in noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.signal import DataError
from bcikit.validation.sinefit import harmonics, sine_fit


@settings(max_examples=40, deadline=None)
@given(
    frequency=st.floats(3.0, 60.0),
    amplitude=st.floats(0.1, 1e5),
    phase=st.floats(-3.0, 3.0),
    offset=st.floats(-1e3, 1e3),
    off=st.floats(-0.003, 0.003),
)
def test_four_parameters_find_a_pure_sine(frequency, amplitude, phase, offset, off):
    t = np.arange(1000) / 250
    wave = offset + amplitude * np.cos(2 * np.pi * frequency * t + phase)
    fit = sine_fit(wave[:, None], t, frequency * (1 + off))
    assert fit.frequency == pytest.approx(frequency, rel=1e-7)
    assert fit.amplitude[0] == pytest.approx(amplitude, rel=1e-5)
    assert np.angle(np.exp(1j * (fit.phase[0] - phase))) == pytest.approx(0, abs=1e-4)
    assert fit.offset[0] == pytest.approx(offset, abs=1e-4 * amplitude)


def test_lost_samples_do_not_matter():
    t = np.delete(np.arange(2000) / 500, slice(300, 420))
    fit = sine_fit(np.sin(2 * np.pi * 11 * t)[:, None], t, 11.01)
    assert fit.frequency == pytest.approx(11, rel=1e-8)


def test_uncertainty_covers_about_95_percent():
    rng = np.random.default_rng(0)
    t = np.arange(1000) / 250
    hits = np.zeros(3)
    for _ in range(300):
        data = 5 * np.cos(2 * np.pi * 10.003 * t + 0.4)[:, None] + rng.standard_normal((1000, 1))
        fit = sine_fit(data, t, 10.0)
        # The phase at the middle of the record is what is independent of the frequency.
        middle = fit.phase[0] + 2 * np.pi * fit.frequency * t.mean() - 0.4 - 2 * np.pi * 10.003 * t.mean()
        hits += [
            abs(fit.amplitude[0] - 5) < 2 * fit.u_amplitude[0],
            abs(np.angle(np.exp(1j * middle))) < 2 * fit.u_phase[0],
            abs(fit.frequency - 10.003) < 2 * fit.u_frequency,
        ]
    assert (hits / 300 > 0.91).all()
    assert (hits / 300 < 0.99).all()


def test_harmonics_are_told_apart():
    t = np.arange(2500) / 250
    wave = 100 * np.sin(2 * np.pi * 10 * t) + 1 * np.sin(2 * np.pi * 20 * t + 1) + 0.5 * np.sin(2 * np.pi * 30 * t)
    amplitude, _, residual = harmonics(wave[:, None], t, 10.0, count=10, limit=125.0)
    np.testing.assert_allclose(amplitude[:3, 0], [100, 1, 0.5], rtol=1e-9)
    assert len(amplitude) == 10
    assert residual[0] < 1e-9


def test_less_than_a_period_is_refused():
    with pytest.raises(DataError, match="at least one period"):
        sine_fit(np.zeros((50, 1)), np.arange(50) / 250, 2.0)
