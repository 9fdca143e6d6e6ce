"""Analysis: spectra as scipy's, averages as by hand, head maps that pass through their electrodes."""

import numpy as np
import pytest
from scipy import signal

from bcikit.signal import StreamInfo
from bcikit.ui.headmap import Interpolation, colour_map, flat_positions
from bcikit.viewer.analysis import EventAverages, band_powers, spectrum


def test_spectrum_is_that_of_welch() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32)
    frequencies, density = spectrum(x, 250.0, seconds=2.0)
    # The windows count from the newest sample; 2000 samples hold seven halves of 500 exactly.
    f, p = signal.welch(x.astype(float), 250.0, window="hann", nperseg=500, noverlap=250, axis=0, detrend="constant")
    np.testing.assert_allclose(frequencies, f)
    np.testing.assert_allclose(density[1:-1], p[1:-1], rtol=1e-6)


def test_band_power_of_a_sine_is_half_its_square() -> None:
    t = np.arange(2500) / 250
    x = (30 * np.sin(2 * np.pi * 10 * t))[:, None].astype(np.float32)
    powers = band_powers(*spectrum(x, 250.0))
    assert powers["alpha"][0] == pytest.approx(450, rel=0.02)
    assert powers["beta"][0] < 1


def test_lost_samples_do_not_enter_a_spectrum() -> None:
    x = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    x[100:150] = np.nan
    _, density = spectrum(x, 250.0)
    assert np.isfinite(density).all()
    assert spectrum(np.full((100, 1), np.nan, np.float32), 250.0)[0].size == 0


def test_evoked_mean_equals_the_mean_by_hand() -> None:
    averages = EventAverages(100.0, tmin=-0.2, tmax=0.5, baseline=(-0.2, 0.0))
    rng = np.random.default_rng(1)
    epochs = [rng.standard_normal((70, 2)).astype(np.float32) for _ in range(7)]
    for epoch in epochs:
        assert averages.add(epoch, "a")
    by_hand = np.mean([e - e[:20].astype(float).mean(axis=0) for e in epochs], axis=0)
    np.testing.assert_allclose(averages.signal["a"].mean, by_hand, atol=1e-6)
    assert averages.signal["a"].count == 7


def test_epochs_wait_for_their_end_and_bad_ones_are_left_out() -> None:
    averages = EventAverages(100.0, tmin=-0.1, tmax=0.4, reject_uv=50.0)
    averages.event(100, "a")
    averages.event(5, "a")
    assert averages.collect(0, 120) == []
    assert averages.rejected == 1
    assert averages.collect(0, 141) == [(90, 140, "a")]
    bad = np.zeros((50, 1), np.float32)
    bad[10] = 200
    lost = np.zeros((50, 1), np.float32)
    lost[3] = np.nan
    assert not averages.add(bad, "a")
    assert not averages.add(lost, "a")
    assert averages.rejected == 3


def test_desynchronisation_shows_the_fall_of_a_rhythm() -> None:
    averages = EventAverages(250.0, tmin=-1.5, tmax=3.0, baseline=(-1.5, -0.25))
    t = averages.times
    amplitude = np.where(t < 0, 20.0, 10.0)
    averages.add((amplitude * np.sin(2 * np.pi * 11 * t))[:, None].astype(np.float32), "left")
    task = (t > 0.5) & (t < 2.5)
    assert averages.change("left")[task].mean() == pytest.approx(-75, abs=5)


def test_electrodes_lie_where_one_expects_them() -> None:
    info = StreamInfo(
        name="x",
        sfreq=250,
        ch_names=("Cz", "C3", "C4", "Fz", "Oz", "Fp1", "X99", "EOG"),
        ch_types=("eeg",) * 7 + ("eog",),
    )
    places = dict(zip(info.ch_names, flat_positions(info), strict=True))
    assert np.linalg.norm(places["Cz"]) < 0.1
    assert places["C3"][0] < -0.3
    assert places["C4"][0] > 0.3
    assert places["Fz"][1] > 0.3
    assert places["Oz"][1] < -0.5
    assert np.isnan(places["X99"]).all()
    assert np.isnan(places["EOG"]).all()


def test_positions_of_the_stream_are_used_for_unknown_names() -> None:
    radius = 0.095
    points = [(np.sin(a) * radius, np.cos(a) * radius, 0.04) for a in np.linspace(0, 2 * np.pi, 9)[:-1]]
    points.append((0.0, 0.0, 0.04 + radius))
    info = StreamInfo(name="x", sfreq=250, ch_names=tuple(f"E{i}" for i in range(9)), positions=tuple(points))
    places = flat_positions(info)
    assert np.linalg.norm(places[8]) < 0.05
    np.testing.assert_allclose(np.linalg.norm(places[:8], axis=1), 0.75, atol=0.05)


def test_the_map_passes_through_its_electrodes() -> None:
    info = StreamInfo(name="x", sfreq=250, ch_names=("Fz", "Cz", "Pz", "C3", "C4", "F3", "F4", "P3", "P4", "Oz"))
    places = flat_positions(info)
    values = np.linspace(-3, 3, len(places))
    spread = Interpolation(places, size=100)
    image = spread(values)
    for (x, y), value in zip(places, values, strict=True):
        assert image[int((1 - y) / 2 * 100), int((x + 1) / 2 * 100)] == pytest.approx(value, abs=0.35)
    assert np.isnan(image[0, 0])
    assert np.nanmax(image) <= 3.0


def test_colours_grow_in_lightness_and_nan_is_clear() -> None:
    ramp = colour_map(np.linspace(0, 1, 9, dtype=np.float32)[None], 0, 1, diverging=False)[0]
    light = [0.299 * ((p >> 16) & 255) + 0.587 * ((p >> 8) & 255) + 0.114 * (p & 255) for p in ramp.tolist()]
    assert light == sorted(light)
    assert colour_map(np.array([[np.nan]], np.float32), 0, 1, diverging=True)[0, 0] == 0


def test_the_moving_mean_is_that_of_a_convolution() -> None:
    averages = EventAverages(100.0, tmin=-0.5, tmax=1.0, baseline=(-0.5, 0.0))
    x = np.random.default_rng(2).standard_normal((150, 3))
    found = averages._band_envelope(x, (8.0, 30.0))
    lines = np.fft.fft(x - x.mean(axis=0), axis=0)
    frequencies = np.fft.fftfreq(150, 0.01)
    lines[~((frequencies >= 8) & (frequencies <= 30))] = 0
    power = np.abs(2 * np.fft.ifft(lines, axis=0)) ** 2 / 2
    kernel = np.ones(25) / 25
    expected = np.column_stack([np.convolve(column, kernel, mode="same") for column in power.T])
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_dead_channel_leaves_the_spectra_of_the_others() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 3))
    _, whole = spectrum(x, 250.0)
    x[:, 1] = np.nan
    _, part = spectrum(x, 250.0)
    np.testing.assert_allclose(part[:, [0, 2]], whole[:, [0, 2]])
    assert np.isnan(part[:, 1]).all()
