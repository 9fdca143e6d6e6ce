"""Zero-phase filtering: scipy's result, in place, with gaps and bad samples."""

import numpy as np
import pytest
from scipy import signal

from bcikit.processing import Bandpass, Notch, Rereference, apply_zero_phase
from bcikit.signal import ArgumentError, Bad, Recording

STEPS = [Bandpass(l_freq=1, h_freq=40), Notch()]


def scipys(data, info):
    return signal.sosfiltfilt(np.vstack([step.sections(info) for step in STEPS]), data, axis=0)


@pytest.mark.parametrize("engine", ["numpy", "scipy", "numba"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_it_is_sosfiltfilt(streams, engine, threads) -> None:
    recording = streams.clean(40)
    got = apply_zero_phase(STEPS, recording, threads=threads, engine=engine)
    want = scipys(recording.data, recording.info)
    np.testing.assert_allclose(got.data, want, atol=1e-10 * np.abs(recording.data).max())
    assert got.mask is None


@pytest.mark.parametrize("n_times", [1, 2, 5, 40])
def test_short_recordings_do_not_fail(streams, n_times) -> None:
    recording = Recording.from_arrays(streams.info, streams.clean(1).data[:n_times])
    assert np.isfinite(apply_zero_phase(STEPS, recording).data).all()


def test_in_place_and_copy(streams) -> None:
    recording = streams.clean(5)
    original = recording.data.copy()
    copied = apply_zero_phase(STEPS, recording)
    np.testing.assert_array_equal(recording.data, original)
    changed = apply_zero_phase(STEPS, recording, copy=False)
    assert changed.data is recording.data
    np.testing.assert_array_equal(changed.data, copied.data)


def test_stretches_between_gaps_are_filtered_on_their_own(streams) -> None:
    recording = streams.with_gap(streams.clean(30), 2500, 1000)
    got = apply_zero_phase(STEPS, recording)
    np.testing.assert_allclose(got.data[:2500], scipys(recording.data[:2500], recording.info), atol=1e-8)
    np.testing.assert_allclose(got.data[2500:], scipys(recording.data[2500:], recording.info), atol=1e-8)
    assert (got.mask[2450:2550] & int(Bad.AFFECTED)).all()
    assert not got.mask[1200].any()


def test_bad_samples_are_bridged_by_a_line_and_marked_on_both_sides(streams) -> None:
    clean = streams.clean(30)
    bad = streams.with_nan(clean, 3700, 2, 20)
    got = apply_zero_phase(STEPS, bad)
    line = clean.data.copy()
    line[3700:3720, 2] = np.interp(np.arange(3700, 3720), [3699, 3720], clean.data[[3699, 3720], 2])
    np.testing.assert_allclose(got.data, scipys(line, clean.info), atol=1e-8)
    assert got.mask[3690, 2] & int(Bad.AFFECTED)
    assert got.mask[3730, 2] & int(Bad.AFFECTED)
    assert not got.mask[:, 3].any()
    assert not got.mask[1000].any()
    assert np.isnan(bad.data[3700, 2])


def test_raw_of_mne_keeps_other_channels(streams) -> None:
    recording = streams.clean(10)
    info = recording.info.replace(ch_types=("eeg",) * 7 + ("stim",))
    recording = Recording.from_arrays(info, recording.data)
    raw = recording.to_mne()
    got = apply_zero_phase(STEPS, raw, threads=2)
    want = scipys(recording.data[:, :7], info)
    np.testing.assert_allclose(got.get_data()[:7].T * 1e6, want, atol=1e-7)
    np.testing.assert_array_equal(got.get_data()[7], raw.get_data()[7])


def test_only_filters_can_be_zero_phase(streams) -> None:
    with pytest.raises(ArgumentError, match="rereference"):
        apply_zero_phase([*STEPS, Rereference()], streams.clean(1))
    with pytest.raises(ArgumentError, match="nothing"):
        apply_zero_phase([], streams.clean(1))
    with pytest.raises(ArgumentError, match="ndarray"):
        apply_zero_phase(STEPS, np.zeros((3, 3)))


def test_extra_memory_is_a_small_share_of_the_data(streams) -> None:
    import tracemalloc

    info = streams.info
    recording = Recording.from_arrays(info, np.random.default_rng(0).standard_normal((1_000_000, 8)))
    apply_zero_phase(STEPS, streams.clean(1), engine="numpy")
    tracemalloc.start()
    apply_zero_phase(STEPS, recording, copy=False, engine="numpy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.05 * recording.data.nbytes
