"""What runs on streams beside steps: windows, epochs, artefacts, ASR, line removal, rates, memory."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bcikit.processing import (
    Bandpass,
    BandPower,
    Blinks,
    Covariance,
    Decimate,
    EpochCutter,
    Highpass,
    LineRemoval,
    Muscle,
    Notch,
    Pipeline,
    Rereference,
    Resample,
    WindowBuffer,
    calibrate_asr,
    detect_line_freq,
)
from bcikit.signal import ArgumentError, Bad, Chunk, DataError, Event, Flag, Health, Recording, StreamInfo

INFO = StreamInfo(name="s", sfreq=250.0, ch_names=tuple("abcd"), line_freq=50.0)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 199), max_size=12),
    gap=st.integers(0, 40),
    at=st.integers(1, 150),
    back=st.integers(0, 30),
    n_times=st.integers(1, 80),
)
def test_any_window_is_what_one_line_of_samples_gives(cuts, gap, at, back, n_times) -> None:
    data = np.random.default_rng(0).standard_normal((200, 2))
    filled = data.copy()
    if gap:
        weight = np.arange(1, gap + 1)[:, None] / (gap + 1)
        filled[at : at + gap] = data[at - 1] + weight * (data[at + gap] - data[at - 1])
    buffer = WindowBuffer(2, 100.0, 1.2)
    edges = sorted({0, *cuts, at, at + gap, 200})
    for start, stop in itertools.pairwise(edges):
        if gap and at <= start < at + gap:
            continue
        lost = gap if gap and start == at + gap else 0
        times = np.arange(start, stop) / 100
        buffer.append(Chunk(data[start:stop].copy(), times, start, Health(lost=lost)))
    stop = 200 - back
    window = buffer.get(stop, n_times)
    np.testing.assert_allclose(window.data, filled[stop - n_times : stop].T, atol=1e-12)
    lost = len(set(range(at, at + gap)) & set(range(stop - n_times, stop)))
    assert window.n_lost == lost
    np.testing.assert_allclose(window.bad, lost / n_times)
    assert window.time == pytest.approx((stop - 1) / 100)
    assert (window.first_sample, window.stop_sample, window.n_times) == (stop - n_times, stop, n_times)


def test_window_buffer_counts_bad_samples_and_stays_finite() -> None:
    buffer = WindowBuffer(2, 100.0, 1.0)
    data = np.ones((50, 2))
    data[10:15, 1] = np.nan
    mask = np.zeros((50, 2), np.uint8)
    mask[20:30, 0] = int(Bad.RAILED)
    mask[30:40, 0] = int(Bad.INTERPOLATED)
    buffer.append(Chunk(data, np.arange(50) / 100, 0, Health(mask=mask)))
    window = buffer.newest(50)
    assert np.isfinite(window.data).all()
    np.testing.assert_allclose(window.bad, [0.2, 0.1])


def test_window_buffer_refuses_what_it_has_not() -> None:
    buffer = WindowBuffer(1, 100.0, 0.5)
    buffer.append(Chunk(np.zeros((80, 1)), np.arange(80) / 100, 1000))
    assert (buffer.first_sample, buffer.stop_sample) == (1030, 1080)
    for stop, n_times in ((1081, 10), (1080, 51), (1035, 10)):
        with pytest.raises(ArgumentError, match="not there"):
            buffer.get(stop, n_times)
    with pytest.raises(DataError, match="1 channels"):
        buffer.append(Chunk(np.zeros((1, 2)), np.zeros(1), 1080))


@pytest.mark.parametrize("health", [Health(flags=Flag.START), Health()])
def test_window_buffer_starts_again_with_the_stream(health) -> None:
    buffer = WindowBuffer(1, 100.0, 1.0)
    buffer.append(Chunk(np.zeros((80, 1)), np.arange(80) / 100, 500))
    buffer.append(Chunk(np.ones((10, 1)), np.arange(10) / 100, 0, health))
    assert (buffer.first_sample, buffer.stop_sample) == (0, 10)


def test_a_window_outlives_the_next_append() -> None:
    buffer = WindowBuffer(1, 100.0, 0.1)
    buffer.append(Chunk(np.zeros((10, 1)), np.zeros(10), 0))
    window = buffer.newest(10)
    buffer.append(Chunk(np.ones((10, 1)), np.ones(10), 10))
    assert (window.data == 0).all()


@pytest.mark.parametrize("size", [1, 33, 500, 2000])
def test_epochs_are_cut_around_events_and_corrected_for_delay(streams, size) -> None:
    recording = streams.clean(8)
    info = recording.info.replace(delay=0.04)
    cutter = EpochCutter(info, tmin=-0.2, tmax=0.6, names=("cue",))
    events = [Event(name="cue/left", time=2.0, sample=500), Event(name="cue/right", time=5.0, sample=1250)]
    for event in [*events, Event(name="rest", time=3.0, sample=750)]:
        cutter.add_event(event)
    found = [epoch for chunk in recording.chunks(size) for epoch in cutter.append(chunk)]
    assert [epoch.event.name for epoch in found] == ["cue/left", "cue/right"]
    for epoch, event in zip(found, events, strict=True):
        start = event.sample - 50 + 10
        np.testing.assert_array_equal(epoch.data, recording.data[start : start + 200].T)
        assert not epoch.window.bad.any()


def test_epochs_that_cannot_be_had_are_counted(streams) -> None:
    cutter = EpochCutter(streams.info, tmin=0, tmax=1)
    for chunk in streams.clean(20).chunks(250):
        cutter.append(chunk)
    cutter.add_event(Event(name="old", time=1.0, sample=250))
    cutter.append(Chunk(np.zeros((1, 8)), np.zeros(1), 5000))
    assert cutter.n_dropped == 1
    with pytest.raises(ArgumentError, match="no sample"):
        cutter.add_event(Event(name="x", time=1.0))


@pytest.mark.parametrize("flags", [Flag.START, Flag.NONE])
def test_an_event_of_before_a_restart_gets_no_samples_of_the_new_stream(make_chunk, flags) -> None:
    cutter = EpochCutter(INFO, tmin=0, tmax=1)

    def names(chunk: Chunk) -> list[str]:
        return [epoch.event.name for epoch in cutter.append(chunk)]

    # Events may be known before the first sample.
    cutter.add_event(Event(name="whole", time=1.0, sample=250))
    cutter.add_event(Event(name="cut", time=9.99, sample=2498))
    assert names(make_chunk(np.zeros((2500, 4)), flags=Flag.START)) == ["whole"]
    assert names(make_chunk(np.ones((5000, 4)), flags=flags)) == []
    assert cutter.n_dropped == 1
    cutter.add_event(Event(name="new", time=109.99, sample=4998))
    assert names(make_chunk(np.ones((500, 4)), first=5000)) == ["new"]
    assert cutter.n_dropped == 1


def test_events_that_come_with_the_first_chunk_of_a_new_stream_get_their_epochs(make_chunk) -> None:
    cutter = EpochCutter(INFO, tmin=0, tmax=1)

    def chunk(values: np.ndarray, start: float, first: int = 0) -> Chunk:
        made = make_chunk(values, first, flags=Flag.NONE if first else Flag.START)
        return Chunk(made.data, made.times + start, first, made.health)

    cutter.append(chunk(np.zeros((2500, 4)), 100.0))
    # Told of late: its stream is over.
    cutter.add_event(Event(name="late", time=109.0, sample=2250))
    cutter.add_event(Event(name="new", time=201.0, sample=250))
    found = cutter.append(chunk(np.ones((5000, 4)), 200.0))
    assert [epoch.event.name for epoch in found] == ["new"]
    assert (found[0].data == 1).all()
    assert cutter.n_dropped == 1
    # Played once more on the same times: what waited before is not taken for an event of the new stream.
    cutter.add_event(Event(name="waits", time=220.0, sample=5000))
    assert cutter.append(chunk(np.ones((1, 4)), 200.0, 5000)) == []
    assert cutter.append(chunk(np.ones((6000, 4)), 200.0)) == []
    assert cutter.n_dropped == 2


def test_decimated_is_the_filtered_signal_at_every_nth_sample(streams) -> None:
    recording = streams.clean(8)
    got = Decimate(factor=5).apply(recording, chunk_size=37)
    sos = signal.butter(8, 0.8 / 5, output="sos")
    zi = signal.sosfilt_zi(sos)[:, :, None] * recording.data[0]
    want = signal.sosfilt(sos, recording.data, axis=0, zi=zi)[0][::5]
    np.testing.assert_allclose(got.data, want, atol=1e-8)
    assert got.info.sfreq == 50
    np.testing.assert_allclose(got.times, recording.times[::5])


@pytest.mark.parametrize("sfreq", [128.0, 200.0, 500.0])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_resampled_times_are_those_of_the_new_rate_whatever_the_chunks(sfreq, size) -> None:
    recording = Recording.from_arrays(INFO, np.zeros((40, 4)), start=7.0)
    made = Resample(sfreq=sfreq).apply(recording, chunk_size=size)
    np.testing.assert_allclose(made.times, 7.0 + np.arange(made.n_times) / sfreq, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 300.0, 500.0])
def test_resampled_wave_is_the_wave_later_by_the_delay(sfreq) -> None:
    time = np.arange(2500) / 250
    data = np.stack([np.sin(2 * np.pi * f * time) for f in (3, 10, 20, 30)], axis=1)
    step = Resample(sfreq=sfreq)
    got = step.apply(Recording.from_arrays(INFO, data), chunk_size=41)
    late = got.times > 1
    moved = got.times[late, None] - step.delay
    want = np.sin(2 * np.pi * np.array([3, 10, 20, 30]) * moved)
    np.testing.assert_allclose(got.data[late], want, atol=0.01)
    np.testing.assert_allclose(np.diff(got.times), 1 / sfreq, atol=1e-9)
    with pytest.raises(ArgumentError, match="above 1000"):
        Resample(sfreq=99.97).configure(INFO)


def test_onsets_reach_whoever_applies_a_pipeline_at_the_samples_of_what_went_in() -> None:
    info = StreamInfo(name="s", sfreq=500.0, ch_names=("Fp1", "Cz"))
    data = np.random.default_rng(0).standard_normal((5000, 2)) * 5
    for at in (1500, 3000):
        data[at : at + 150, 0] += 200 * np.hanning(150)
    cue = Event(name="cue", time=5.0, sample=2500)
    recording = Recording.from_arrays(info, data, events=(cue,))
    pipeline = Pipeline([Decimate(2), Blinks(), Decimate(2)])
    made = pipeline.apply(recording, chunk_size=33)
    assert [event.name for event in made.events] == ["artefact/blinks", "cue", "artefact/blinks"]
    for event, at in zip(made.events, (1500, 2500, 3000), strict=True):
        assert event.time == pytest.approx(event.sample / 125, abs=0.005)
        assert at <= 500 * event.time <= at + 150
    # In a loop of one's own they are at samples of what went in, and told once.
    pipeline.configure(info)
    told = [event for chunk in recording.chunks(500) if pipeline.process(chunk) for event in pipeline.pull_events()]
    assert [event.time * 500 for event in told] == pytest.approx([event.sample for event in told])
    assert len(told) == 2
    # Where nobody asks, they do not pile up.
    loud = np.zeros((1250, 2))
    loud[::250] = 1e4
    blinks = Blinks(hold=0.0)
    blinks.configure(INFO.replace(ch_names=("Fp1", "Cz")))
    for chunk in Recording.from_arrays(INFO.replace(ch_names=("Fp1", "Cz")), np.tile(loud, (400, 1))).chunks(1250):
        blinks.process(chunk)
    assert 1000 <= len(blinks.pull_events()) < 1100


def test_blinks_are_marked_and_told() -> None:
    info = StreamInfo(name="s", sfreq=250.0, ch_names=("Fp1", "Cz", "AUX"), ch_types=("eeg", "eeg", "misc"))
    data = np.random.default_rng(0).standard_normal((2500, 3)) * 5
    data[1500:1575, 0] += 200 * np.hanning(75)
    step = Blinks()
    step.configure(info)
    out = [step.process(chunk) for chunk in Recording.from_arrays(info, data).chunks(33)]
    events = step.pull_events()
    assert [event.name for event in events] == ["artefact/blinks"]
    assert 1500 <= events[0].sample <= 1575
    assert not step.pull_events()
    result = Recording.from_chunks(info, out)
    marked = np.flatnonzero(result.mask[:, 1])
    assert marked.size
    assert 1500 <= marked[0] < 1575
    assert marked[-1] < 1700
    assert (result.mask[marked][:, :2] == int(Bad.ARTEFACT)).all()
    assert not result.mask[:, 2].any()
    with pytest.raises(ArgumentError, match="frontal"):
        Blinks().configure(INFO)


def test_muscle_is_marked_in_its_channel() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((250 * 30, 4)) * 5
    burst = signal.sosfilt(signal.butter(4, [60, 90], "bandpass", fs=250, output="sos"), rng.standard_normal(250))
    data[6000:6250, 1] += 120 * burst
    step = Muscle()
    got = step.apply(Recording.from_arrays(INFO, data))
    share = (got.mask == int(Bad.ARTEFACT)).mean(axis=0) * 30
    assert 0.7 < share[1] < 1.6
    assert share[[0, 2, 3]].max() < 0.2
    assert any(abs(event.time - 24.0) < 0.3 for event in got.events)
    with pytest.raises(ArgumentError, match="too slow"):
        Muscle().configure(INFO.replace(sfreq=128.0))


def brain(n_times: int, n_channels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((n_channels, n_channels))
    sources = signal.sosfilt(
        signal.butter(2, [1, 30], "bandpass", fs=250, output="sos"), rng.standard_normal((n_times, n_channels)), axis=0
    )
    return sources @ mixing * 5


def test_asr_removes_bursts_and_leaves_clean_data_alone() -> None:
    info = StreamInfo(name="s", sfreq=250.0, ch_names=tuple(f"c{i}" for i in range(10)))
    asr = calibrate_asr(Recording.from_arrays(info, brain(250 * 60, 10, 0)), cutoff=10)
    clean = brain(250 * 20, 10, 1)
    quiet = asr.apply(Recording.from_arrays(info, clean))
    np.testing.assert_array_equal(quiet.samples, np.arange(quiet.n_times))
    untouched = (quiet.mask == 0).mean() if quiet.mask is not None else 1.0
    assert untouched > 0.95
    same = quiet.mask is None or (quiet.mask == 0).all(axis=1)
    np.testing.assert_array_equal(quiet.data[same], clean[: quiet.n_times][same])
    burst = np.zeros_like(clean)
    direction = np.random.default_rng(5).standard_normal(10)
    burst[2000:2500] = 400 * np.random.default_rng(6).standard_normal((500, 1)) * direction
    dirty = asr.apply(Recording.from_arrays(info, clean + burst))
    inside = slice(2050, 2450)
    before = np.sqrt((burst[inside] ** 2).mean())
    after = np.sqrt(((dirty.data - clean[: dirty.n_times])[inside] ** 2).mean())
    assert after < 0.1 * before
    assert (dirty.mask[inside] & int(Bad.INTERPOLATED)).all()
    np.testing.assert_allclose(dirty.data[3000:4500], quiet.data[3000:4500], atol=1e-9)


def test_asr_works_on_average_referenced_data() -> None:
    info = StreamInfo(name="s", sfreq=250.0, ch_names=tuple(f"c{i}" for i in range(8)))
    data = brain(250 * 40, 8, 0)
    data -= data.mean(axis=1, keepdims=True)
    recording = Recording.from_arrays(info, data)
    asr = calibrate_asr(recording, cutoff=20)
    dirty = data.copy()
    dirty[5000:5250, 3] += 2000 * np.random.default_rng(0).standard_normal(250)
    got = asr.apply(Recording.from_arrays(info, dirty))
    assert np.isfinite(got.data).all()
    assert np.abs(got.data[5050:5200]).max() < 0.2 * np.abs(dirty[5050:5200]).max()
    with pytest.raises(DataError, match="ten good windows"):
        calibrate_asr(Recording.from_arrays(info, data[:100]))


@pytest.mark.parametrize("line", [50.0, 50.1, 49.8])
def test_line_removal_follows_the_mains(line) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(250 * 40) / 250
    brain_waves = rng.standard_normal((time.size, 4)) * 5
    hum = 20 * np.sin(2 * np.pi * line * time) + 5 * np.sin(4 * np.pi * line * time + 1)
    step = LineRemoval()
    got = step.apply(Recording.from_arrays(INFO, brain_waves + hum[:, None]))
    error = (got.data - brain_waves)[2500:]
    assert error.std() < 0.06 * hum.std()
    assert step.frequency == pytest.approx(line, abs=0.01)


def test_the_mains_frequency_is_detected() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(2500) / 250
    noise = rng.standard_normal((2500, 4)) * 5
    for line in (50.0, 60.0):
        assert (
            detect_line_freq(Recording.from_arrays(INFO, noise + 5 * np.sin(2 * np.pi * line * time)[:, None])) == line
        )
    assert detect_line_freq(Recording.from_arrays(INFO, noise)) is None
    with pytest.raises(DataError, match="two seconds"):
        detect_line_freq(Recording.from_arrays(INFO, noise[:10]))


def test_memory_stays_flat_over_a_long_stream() -> None:
    """Minutes of a stream with faults after minutes that filled every buffer: nothing grows."""
    pipeline = Pipeline(
        [Bandpass(l_freq=1, h_freq=40), Notch(), Rereference(), Blinks(channels=["a"]), Covariance(window=1, hop=0.1)]
    )
    bands = Pipeline([Highpass(freq=1), LineRemoval(), Resample(sfreq=100), BandPower(window=1, hop=0.1)])
    pipeline.configure(INFO)
    bands.configure(INFO)
    buffer = WindowBuffer(4, 250.0, 5.0)
    data = np.random.default_rng(0).standard_normal((50, 4)) * 10
    broken = data.copy()
    broken[10, 2] = np.nan

    def run(first: int, count: int) -> None:
        for index in range(first, first + count):
            start = index * 50 + index // 100 * 20
            lost = 20 if index and index % 100 == 0 else 0
            chunk = Chunk(
                broken if index % 37 == 0 else data, start / 250 + np.arange(50) / 250, start, Health(lost=lost)
            )
            pipeline.process(chunk)
            bands.process(chunk)
            buffer.append(chunk)

    run(0, 200)
    tracemalloc.start()
    run(200, 100)
    first = tracemalloc.get_traced_memory()[0]
    run(300, 400)
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    # Python keeps some thousand small tuples for reuse; one chunk held back each time would be 640 kB.
    assert grown < 150_000
