"""Features against scipy, numpy and pyRiemann."""

import numpy as np
import pytest
from scipy import signal

from bcikit.processing import (
    BANDS,
    AlphaFrequency,
    BandPower,
    Connectivity,
    Covariance,
    Envelope,
    Erd,
    Lateralisation,
    LogPower,
    Pipeline,
    PowerRatio,
    Psd,
    Rereference,
    Standardise,
    learn_reference,
)
from bcikit.signal import ArgumentError, Bad, ConfigError, DataError, Recording, StreamInfo


def windows(recording, result, n_window, n_hop):
    """Yield each update with the window of EEG channels that it stands for."""
    for sample, row in zip(result.samples, result.data, strict=True):
        stop = (sample + 1) * n_hop
        yield row, recording.data[stop - n_window : stop, :7]


@pytest.mark.parametrize(("window", "hop", "chunk"), [(1.0, 0.1, 64), (1.0, 0.04, 10), (0.5, 0.052, 1), (0.8, 0.8, 77)])
def test_band_power_is_scipys_periodogram(streams, window, hop, chunk) -> None:
    recording = streams.clean(4)
    step = BandPower(window=window, hop=hop)
    got = step.apply(recording, chunk_size=chunk)
    assert got.n_times > 3
    for row, data in windows(recording, got, step.n_window, step.n_hop):
        freqs, density = signal.periodogram(data, 250, "hann", detrend=False, axis=0)
        width = freqs[1]
        want = [density[(freqs >= low) & (freqs < high)].sum(axis=0) * width for low, high in BANDS.values()]
        np.testing.assert_allclose(row.reshape(7, 4).T, want, rtol=1e-9)


def test_band_power_does_not_drift_over_many_laps() -> None:
    info = StreamInfo(name="s", sfreq=100.0, ch_names=("a",))
    rng = np.random.default_rng(0)
    data = rng.standard_normal((60_000, 1))
    data[:30_000] *= 1e6
    recording = Recording.from_arrays(info, data)
    last = BandPower(window=1, hop=0.1, bands={"alpha": (8, 13)}).apply(recording).data[-1]
    freqs, density = signal.periodogram(data[-100:], 100, "hann", detrend=False, axis=0)
    want = density[(freqs >= 8) & (freqs < 13)].sum() * freqs[1]
    assert last[0] == pytest.approx(want, rel=1e-9)


def test_scales_of_band_power(streams) -> None:
    recording = streams.clean(3)
    power = BandPower().apply(recording).data
    np.testing.assert_allclose(BandPower(scale="log").apply(recording).data, np.log10(power))
    relative = BandPower(scale="relative").apply(recording).data.reshape(-1, 7, 4)
    np.testing.assert_allclose(relative.sum(axis=2), 1.0)
    ratio = PowerRatio(numerator=["theta", "alpha"], denominator=["beta"]).apply(recording).data
    each = power.reshape(-1, 7, 4)
    np.testing.assert_allclose(ratio, (each[:, :, 1] + each[:, :, 2]) / each[:, :, 3], rtol=1e-9)


def test_what_is_made_of_band_powers_is_made_of_powers(streams) -> None:
    erd = {"step": "erd", "reference": {"C3": [1.0, 1.0]}}
    for step, scale in (
        ({"step": "ratio"}, "log"),
        ({"step": "lateralisation"}, "log"),
        (erd, "log"),
        (erd, "relative"),
    ):
        with pytest.raises(ConfigError, match=f"scale of {step['step']} is '{scale}'; allowed: power"):
            Pipeline.from_config([{**step, "scale": scale}])
    recording = streams.clean(3)
    ratio = PowerRatio(scale="power").apply(recording).data
    np.testing.assert_allclose(PowerRatio(log=True).apply(recording).data, np.log10(ratio))
    # What the powers of a channel are relative to cancels.
    np.testing.assert_allclose(PowerRatio(scale="relative").apply(recording).data, ratio, rtol=1e-6)


def test_bands_that_cannot_be_are_refused(info) -> None:
    with pytest.raises(ArgumentError, match="no bin"):
        BandPower(window=0.1, bands={"narrow": (11, 12)}).configure(info)
    with pytest.raises(ArgumentError, match="half of the sampling rate"):
        BandPower(bands={"gamma": (80, 150)}).configure(info)
    with pytest.raises(ArgumentError, match="must rise"):
        BandPower(bands={"alpha": (13, 8)})


@pytest.mark.parametrize("hop", [0.1, 0.04])
def test_covariance_is_numpys_and_pyriemanns(streams, hop) -> None:
    from pyriemann.estimation import Covariances

    recording = streams.clean(3)
    step = Covariance(window=1.0, hop=hop)
    got = step.apply(recording, chunk_size=17)
    upper = np.triu_indices(7)
    for row, data in windows(recording, got, step.n_window, step.n_hop):
        np.testing.assert_allclose(row, np.cov(data.T, bias=True)[upper], rtol=1e-8, atol=1e-8)
    want = Covariances("scm").fit_transform(data.T[None])[0]
    np.testing.assert_allclose(step.matrix(), want, rtol=1e-8, atol=1e-8)


def test_exponential_covariance_follows_a_change_with_its_time_constant(info) -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((250 * 40, 8))
    data[5000:] *= 3
    step = Covariance(estimator="exponential", window=2.0, hop=0.1)
    got = step.apply(Recording.from_arrays(info, data))
    variance = got.data[:, 0]
    times = got.times
    assert variance[(times > 10) & (times < 20)].mean() == pytest.approx(1.0, rel=0.2)
    assert variance[times > 35].mean() == pytest.approx(9.0, rel=0.2)
    at = variance[np.searchsorted(times, 22.0)]
    assert at == pytest.approx(1 + 8 * (1 - np.exp(-1)), rel=0.25)


def test_deficient_rank_never_raises(streams) -> None:
    """Average reference, a duplicate, a dead channel: every covariance can be whitened."""
    clean = streams.clean(4)
    data = clean.data.copy()
    data[:, 1] = data[:, 0]
    data[:, 6] = 0.0
    recording = Recording.from_arrays(clean.info, data)
    covariance = Covariance(estimator="shrinkage", shrinkage=0.02)
    pipeline = Pipeline([Rereference(), covariance])
    pipeline.apply(recording)
    np.linalg.cholesky(covariance.matrix())
    dead = Covariance(shrinkage=0.1)
    dead.apply(Recording.from_arrays(clean.info, np.zeros_like(data)))
    np.linalg.cholesky(dead.matrix())
    for step in (Covariance(), Connectivity(window=1), LogPower(), PowerRatio(), AlphaFrequency(window=2)):
        assert np.isfinite(step.apply(recording).data).all()


def test_log_power_and_psd(streams) -> None:
    recording = streams.clean(3)
    step = LogPower(window=0.5, hop=0.1)
    for row, data in windows(recording, step.apply(recording), 125, 25):
        np.testing.assert_allclose(row, np.log10(data.var(axis=0)))
    step = Psd(window=1.0, hop=0.5, fmin=0, fmax=None)
    for row, data in windows(recording, step.apply(recording), 250, 125):
        freqs, density = signal.periodogram(data, 250, "hann", detrend=False, axis=0)
        np.testing.assert_allclose(row.reshape(7, -1).T, density, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(step.freqs, freqs)


@pytest.mark.parametrize("method", ["gravity", "peak"])
def test_alpha_frequency_is_found(info, method) -> None:
    time = np.arange(250 * 20) / 250
    rng = np.random.default_rng(0)
    freqs = np.linspace(8.6, 11.6, 8)
    data = 20 * np.sin(2 * np.pi * freqs * time[:, None]) + rng.standard_normal((time.size, 8))
    got = AlphaFrequency(method=method).apply(Recording.from_arrays(info, data))
    np.testing.assert_allclose(got.data[-1], freqs[:7], atol=0.15)


def test_lateralisation_has_the_sign_of_the_stronger_side(info) -> None:
    time = np.arange(1000) / 250
    data = np.random.default_rng(0).standard_normal((1000, 8))
    data[:, 4] += 20 * np.sin(2 * np.pi * 10 * time)
    got = Lateralisation().apply(Recording.from_arrays(info, data)).data
    assert got[:, 0].min() > 0.9
    assert np.abs(got).max() <= 1


def test_erd_against_a_reference(info) -> None:
    time = np.arange(250 * 20) / 250
    wave = np.sin(2 * np.pi * 10 * time)[:, None]
    data = np.random.default_rng(0).standard_normal((time.size, 8)) + 10 * wave
    data[2500:] = data[2500:] - 5 * wave[2500:]
    recording = Recording.from_arrays(info, data)
    bands = {"mu": (8.0, 13.0)}
    reference = learn_reference(recording, bands=bands, spans=[(0.0, 10.0)])
    got = Erd(bands=bands, reference=reference).apply(recording)
    assert np.abs(got.data[got.times < 9]).max() < 12
    np.testing.assert_allclose(got.data[got.times > 12], -75.0, atol=6)
    with pytest.raises(DataError, match="no good window"):
        learn_reference(recording, bands=bands, spans=[(100.0, 110.0)])
    with pytest.raises(ArgumentError, match="lacks Fp2"):
        Erd(bands=bands, reference={"Fp1": [1.0]}).configure(info)


def test_coherence_is_scipys(streams) -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((750, 1))
    data = rng.standard_normal((750, 8)) + shared
    recording = Recording.from_arrays(streams.info, data)
    step = Connectivity(window=2.0, hop=0.5, segments=7, pairs=[["Fp1", "C3"]])
    got = step.apply(recording)
    for row, part in windows(recording, got, 500, 125):
        length = 2 * 500 // 8
        freqs, value = signal.coherence(part[:, 0], part[:, 2], 250, nperseg=length, noverlap=length // 2)
        inside = (freqs >= 8) & (freqs < 13)
        assert row[0] == pytest.approx(value[inside].mean(), rel=1e-6)


def test_phase_locking_tells_locked_from_free(info) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(250 * 6) / 250
    data = rng.standard_normal((time.size, 8))
    data[:, 0] += 20 * np.sin(2 * np.pi * 10 * time)
    data[:, 2] += 20 * np.sin(2 * np.pi * 10 * time + 1.0)
    recording = Recording.from_arrays(info, data)
    locked = Connectivity(method="plv", pairs=[["Fp1", "C3"], ["C4", "O1"]]).apply(recording).data
    assert locked[:, 0].min() > 0.98
    assert locked[:, 1].max() < 0.9
    imaginary = Connectivity(method="imaginary", pairs=[["Fp1", "C3"], ["Fp1", "Fp1"]]).apply(recording).data
    assert imaginary[:, 0].min() > 0.4
    assert imaginary[:, 1].max() < 1e-9


def test_envelope_and_phase_of_a_known_wave(info) -> None:
    time = np.arange(250 * 8) / 250
    amplitude = np.linspace(5, 40, 8)
    phase = np.linspace(0, 5, 8)
    data = amplitude * np.cos(2 * np.pi * 10.5 * time[:, None] + phase)
    step = Envelope(l_freq=8, h_freq=13, output="both")
    got = step.apply(Recording.from_arrays(info, data))
    good = got.mask is None or (got.mask == 0).all(axis=1)
    np.testing.assert_allclose(got.data[good][:, :7], np.tile(amplitude[:7], (good.sum(), 1)), rtol=0.03)
    want = 2 * np.pi * 10.5 * time[good, None] + phase[:7]
    error = np.angle(np.exp(1j * (got.data[good][:, 7:] - want)))
    assert np.abs(error).max() < 0.05


def test_envelope_follows_with_the_delay_it_reports(info) -> None:
    time = np.arange(250 * 20) / 250
    amplitude = 10 + 5 * np.sin(2 * np.pi * 0.3 * time)
    data = np.tile((amplitude * np.cos(2 * np.pi * 10.5 * time))[:, None], (1, 8))
    step = Envelope(l_freq=8, h_freq=13)
    got = step.apply(Recording.from_arrays(info, data)).data[1000:, 0]
    lags = [np.corrcoef(got[lag:], amplitude[1000 : 5000 - lag])[0, 1] for lag in range(120)]
    assert int(np.argmax(lags)) / 250 == pytest.approx(step.delay, abs=0.03)


def test_standardised_channels_have_mean_zero_and_deviation_one(info) -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((250 * 60, 8)) * np.linspace(1, 200, 8) + np.linspace(-5000, 5000, 8)
    got = Standardise(time_constant=5.0).apply(Recording.from_arrays(info, data))
    late = got.data[5000:]
    np.testing.assert_allclose(late.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(late.std(axis=0), 1, atol=0.05)


def test_bad_samples_do_not_enter_the_standard(streams) -> None:
    clean = streams.clean(10)
    data, mask = clean.data.copy(), np.zeros(clean.data.shape, np.uint8)
    data[1000:1100, 2] = 1e6
    mask[1000:1100, 2] = int(Bad.RAILED)
    got = Standardise(time_constant=2.0).apply(Recording.from_arrays(clean.info, data, mask=mask))
    assert (got.data[1000:1100, 2] == 0).all()
    assert np.abs(got.data).max() < 50


def test_features_name_their_channels_and_lean_on_them_only(streams) -> None:
    recording = streams.with_nan(streams.clean(4), 500, 2)
    got = BandPower(bands={"alpha": (8, 13)}).apply(recording)
    assert got.info.ch_names[2] == "C3 alpha"
    assert got.mask[:, 2].any()
    assert not got.mask[:, [0, 1, 3, 4, 5, 6]].any()
    pairs = Covariance().apply(recording)
    touched = {name for name, bad in zip(pairs.info.ch_names, pairs.mask.any(axis=0), strict=True) if bad}
    assert touched == {name for name in pairs.info.ch_names if "C3" in name}
