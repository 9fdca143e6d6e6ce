"""Filters against scipy, and the rule for every kind of fault."""

import numpy as np
import pytest
from scipy import signal

from bcikit.processing import Bandpass, Comb, Highpass, Lowpass, Notch, Pipeline
from bcikit.processing.cascade import Cascade, impulse_response, mean_delay, settling_samples, steady_state
from bcikit.processing.engines import make_engine, scipy_kernel, sosfilt_rows
from bcikit.signal import ArgumentError, Bad, Chunk, Flag, Health, Recording, StreamInfo

ENGINES = ("numpy", "scipy", "numba")
SOS = np.vstack(
    [signal.butter(4, [1, 40], "bandpass", fs=250, output="sos"), signal.tf2sos(*signal.iirnotch(50, 30, fs=250))]
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [1, 7, 32, 100, 1000])
def test_engines_equal_scipy(engine, size) -> None:
    data = np.random.default_rng(0).standard_normal((1000, 5)) * 30
    want = signal.sosfilt(SOS, data, axis=0)
    runner = make_engine(SOS, 5, engine=engine)
    got = np.concatenate([runner.run(data[i : i + size].copy()) for i in range(0, 1000, size)])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * 30)
    if engine == "scipy":
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("engine", ["scipy", "numba"])
def test_engines_that_promise_it_are_bit_identical_over_splits(engine) -> None:
    data = np.random.default_rng(0).standard_normal((500, 3))
    whole = make_engine(SOS, 3, engine=engine).run(data)
    runner = make_engine(SOS, 3, engine=engine)
    pieces = np.concatenate([runner.run(data[i : i + 13].copy()) for i in range(0, 500, 13)])
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_state_is_kept_under_a_large_offset(engine) -> None:
    sos = signal.butter(4, 0.1, "highpass", fs=1000, output="sos")
    data = np.random.default_rng(0).standard_normal((20000, 2)) + 1e4
    runner = make_engine(sos, 2, engine=engine)
    runner.state = steady_state(sos)[:, :, None] * data[0]
    zi = signal.sosfilt_zi(sos)[:, :, None] * data[0]
    want, _ = signal.sosfilt(sos, data, axis=0, zi=zi)
    np.testing.assert_allclose(runner.run(data), want, atol=2e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_run_finite_refuses_and_keeps_the_state(engine, value) -> None:
    runner = make_engine(SOS, 2, engine=engine)
    good = np.random.default_rng(0).standard_normal((8, 2))
    runner.run(good)
    state = runner.state
    bad = good.copy()
    bad[3, 1] = value
    assert runner.run_finite(bad) is None
    np.testing.assert_array_equal(runner.state, state)
    assert runner.run_finite(good) is not None


def test_scipys_private_kernel_is_checked_and_replaced_if_it_is_gone(monkeypatch) -> None:
    assert scipy_kernel() is not None
    monkeypatch.setattr("scipy.signal._sosfilt._sosfilt", lambda sos, data, state: None)
    assert scipy_kernel() is None
    data = np.random.default_rng(0).standard_normal((50, 2))
    runner = make_engine(SOS, 2, engine="scipy")
    halves = np.concatenate([runner.run(data[:20].copy()), runner.run(data[20:].copy())])
    np.testing.assert_allclose(halves, signal.sosfilt(SOS, data, axis=0), atol=1e-12)


def test_plain_filter_is_scipys() -> None:
    data = np.random.default_rng(0).standard_normal((100, 2))
    state = np.zeros((5, 2, 2))
    np.testing.assert_allclose(sosfilt_rows(SOS, data, state), signal.sosfilt(SOS, data, axis=0), atol=1e-12)


def test_steady_state_is_scipys() -> None:
    np.testing.assert_allclose(steady_state(SOS), signal.sosfilt_zi(SOS), atol=1e-9)


@pytest.mark.parametrize("step", [Bandpass(l_freq=8, h_freq=30), Highpass(freq=1), Lowpass(freq=40), Notch(freq=50)])
def test_after_settling_a_disturbance_is_below_one_percent(step, info) -> None:
    sos = step.sections(info)
    settled = settling_samples(sos)
    response = impulse_response(sos)
    assert np.abs(response[settled + 1 :]).max(initial=0) <= 0.01 * np.abs(response[1:]).max()
    rest = np.abs(np.cumsum(response) - response.sum())
    assert rest[settled + 1 :].max(initial=0) <= 0.01 * rest.max()


def test_delay_is_the_group_delay_weighted_with_power(info) -> None:
    sos = Bandpass(l_freq=8, h_freq=30).sections(info)
    freqs, response = signal.sosfreqz(sos, worN=200000, fs=250)
    group = -np.gradient(np.unwrap(np.angle(response)), 2 * np.pi * freqs / 250)
    power = np.abs(response) ** 2
    assert mean_delay(sos) == pytest.approx((group * power).sum() / power.sum(), rel=1e-3)


def test_filters_in_a_row_are_one_cascade_with_the_same_output(streams) -> None:
    recording = streams.clean(4)
    steps = [Bandpass(l_freq=1, h_freq=40), Notch(), Comb(freq=60)]
    merged = Pipeline(steps)
    got = merged.apply(recording)
    one_by_one = recording
    for step in steps:
        one_by_one = step.apply(one_by_one)
    assert len(merged._plan) == 1
    late = slice(700, None)
    np.testing.assert_allclose(got.data[late], one_by_one.data[late], atol=1e-6)


def test_other_channels_pass_unchanged(streams) -> None:
    info = streams.info.replace(ch_types=("eeg",) * 6 + ("stim", "misc"))
    recording = Recording.from_arrays(info, streams.clean(2).data)
    got = Bandpass(l_freq=8, h_freq=30).apply(streams.with_nan(recording, 100, 0))
    np.testing.assert_array_equal(got.data[:, 6:], recording.data[:, 6:])
    assert not got.mask[:, 6:].any()
    assert got.mask[100, 0] == int(Bad.NAN | Bad.AFFECTED)


@pytest.mark.parametrize("bit", [Bad.RAILED, Bad.NAN])
def test_a_value_that_carries_nothing_never_enters(streams, bit) -> None:
    clean = streams.clean(6)
    data, mask = clean.data.copy(), np.zeros(clean.data.shape, np.uint8)
    data[700:710, 2] = 187_500.0
    mask[700:710, 2] = int(bit)
    got = Highpass(freq=1).apply(Recording.from_arrays(clean.info, data, mask=mask))
    want = Highpass(freq=1).apply(clean)
    assert np.abs(got.data).max() < 2000
    np.testing.assert_array_equal(got.data[:, 3], want.data[:, 3])
    assert (got.mask[700:710, 2] & int(bit)).all()


@pytest.mark.parametrize("bit", [Bad.REPEATED, Bad.FILLED])
def test_a_repeated_or_filled_sample_enters_and_marks(streams, bit) -> None:
    clean = streams.clean(6)
    mask = np.zeros(clean.data.shape, np.uint8)
    mask[1000, 1] = int(bit)
    step = Bandpass(l_freq=8, h_freq=30)
    got = step.apply(Recording.from_arrays(clean.info, clean.data, mask=mask))
    np.testing.assert_array_equal(got.data, step.apply(clean).data)
    after = round(step.settling * 250)
    assert (got.mask[1000 : 1001 + after, 1] & int(Bad.AFFECTED)).all()
    assert not got.mask[1001 + after :, 1].any()
    assert not got.mask[1000:, 0].any()


def test_a_nan_that_nobody_marked_is_found(streams) -> None:
    clean = streams.clean(4)
    data = clean.data.copy()
    data[600, 4] = np.inf
    got = Bandpass(l_freq=8, h_freq=30).apply(Recording.from_arrays(clean.info, data))
    assert np.isfinite(got.data).all()
    assert got.mask[600, 4] & int(Bad.NAN)


def test_a_channel_that_starts_dead_begins_with_its_first_good_sample(streams) -> None:
    clean = streams.clean(6)
    got = Highpass(freq=1).apply(streams.with_nan(clean, 0, 0, 300))
    assert (got.data[:300, 0] == 0).all()
    assert abs(got.data[300, 0]) < 1e-6, "the steady state of the first good sample"
    assert (got.mask[:300, 0] != 0).all()


def test_a_start_is_marked_until_settled_and_makes_no_step(streams) -> None:
    step = Highpass(freq=1)
    got = step.apply(streams.clean(6))
    assert np.abs(got.data[0]).max() < 1e-6
    settled = round(step.settling * 250)
    assert (got.mask[: settled + 1] & int(Bad.AFFECTED)).all()
    assert got.mask[settled + 1 :].max(initial=0) == 0


def test_reset_starts_again_after_a_gap(streams) -> None:
    clean = streams.clean(10)
    got = Highpass(freq=1).apply(streams.with_gap(clean, 1000, 30))
    assert np.abs(got.data[1000]).max() < 1e-6


def test_bridge_runs_over_a_short_gap_on_a_straight_line(streams) -> None:
    clean = streams.clean(10)
    lost = 20
    line = clean.data.copy()
    weight = np.arange(1, lost + 1)[:, None] / (lost + 1)
    line[1000:1020] = line[999] + weight * (line[1020] - line[999])
    step = Bandpass(l_freq=1, h_freq=40, gap="bridge", longest_bridge=0.1)
    got = step.apply(streams.with_gap(clean, 1000, lost))
    want = step.apply(Recording.from_arrays(clean.info, line))
    np.testing.assert_allclose(got.data[1000:], want.data[1020:], atol=1e-9)
    assert (got.mask[1000] & int(Bad.AFFECTED)).all()
    long = step.apply(streams.with_gap(clean, 1000, 60))
    assert np.abs(long.data[1000]).max() < 1e-6, "longer gaps start again"


@pytest.mark.parametrize("flags", [Flag.OVERFLOW, Flag.RECONNECTED, Flag.START])
def test_flags_that_break_the_stream_start_the_filter_again(streams, flags) -> None:
    runner = Cascade(SOS, 8)
    chunks = list(streams.clean(4).chunks(250))
    for chunk in chunks[:3]:
        runner.process(chunk)
    broken = chunks[3]
    out = runner.process(Chunk(broken.data, broken.times, broken.first_sample, Health(flags=flags)))
    assert np.abs(out.data[0]).max() < 1e-6
    assert (out.health.mask & int(Bad.AFFECTED)).all()


def test_a_chunk_that_a_consumer_missed_is_a_gap(streams) -> None:
    runner = Cascade(SOS, 8)
    chunks = list(streams.clean(4).chunks(250))
    runner.process(chunks[0])
    out = runner.process(chunks[2])
    assert (out.health.mask[0] & int(Bad.AFFECTED)).all()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda: Bandpass(l_freq=30, h_freq=8), "below h_freq"),
        (lambda: Bandpass(l_freq=0, h_freq=8), "l_freq is 0"),
        (lambda: Notch(quality=0), "quality"),
        (lambda: Lowpass(freq=30, gap="ignore"), "gap is 'ignore'"),
        (lambda: Highpass(freq=1, order=0), "order"),
    ],
)
def test_wrong_parameters_are_named(step, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        step()


def test_frequencies_above_nyquist_are_refused_at_connect(info) -> None:
    slow = info.replace(sfreq=60.0)
    with pytest.raises(ArgumentError, match="60 Hz"):
        Bandpass(l_freq=8, h_freq=30).configure(slow)
    with pytest.raises(ArgumentError, match="fixed sampling rate"):
        Notch().configure(info.replace(sfreq=0.0))
    with pytest.raises(ArgumentError, match="mains"):
        Notch().configure(info.replace(line_freq=None))


def test_comb_takes_out_every_harmonic() -> None:
    info = StreamInfo(name="s", sfreq=1000.0, ch_names=("a",), line_freq=50.0)
    sos = Comb().sections(info)
    freqs = np.arange(50.0, 500.0, 50.0)
    gain = np.abs(signal.sosfreqz(sos, worN=freqs, fs=1000)[1])
    assert gain.max() < 1e-6
    assert np.abs(signal.sosfreqz(sos, worN=[25.0, 75.0], fs=1000)[1]).min() > 0.99
