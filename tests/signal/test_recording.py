import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.signal import Bad, DataError, Event, Flag, Recording, StreamInfo


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(name="cap", sfreq=100.0, ch_names=("C3", "C4", "STI"), ch_types=("eeg", "eeg", "stim"))


def make(info: StreamInfo, n_times: int = 60) -> Recording:
    rng = np.random.default_rng(3)
    recording = Recording.from_arrays(info, rng.standard_normal((n_times, 3)) * 20)
    keep = np.ones(n_times, bool)
    keep[20:27] = False
    mask = np.zeros((n_times, 3), np.uint8)
    mask[40, 1] = Bad.RAILED
    return Recording(
        info=info,
        data=np.ascontiguousarray(recording.data[keep]),
        times=recording.times[keep],
        samples=recording.samples[keep],
        events=(Event(name="T1", time=0.3, sample=30),),
        mask=mask[keep],
    )


@given(size=st.integers(1, 70))
def test_chunks_join_to_the_recording_and_never_span_a_gap(size: int) -> None:
    info = StreamInfo(name="cap", sfreq=100.0, ch_names=("C3", "C4", "STI"), ch_types=("eeg", "eeg", "stim"))
    recording = make(info)
    chunks = list(recording.chunks(size))
    again = Recording.from_chunks(info, chunks, events=recording.events)
    np.testing.assert_array_equal(again.data, recording.data)
    np.testing.assert_array_equal(again.samples, recording.samples)
    np.testing.assert_array_equal(again.mask, recording.mask)
    assert recording.lost == 7
    assert sum(chunk.health.lost for chunk in chunks) == 7
    assert [bool(chunk.health.flags & Flag.START) for chunk in chunks].count(True) == 1
    for chunk in chunks:
        chunk.check()


def test_mne_and_back_is_exact_in_microvolts(info: StreamInfo) -> None:
    recording = make(info)
    raw = recording.to_mne()
    assert raw.n_times == 60
    np.testing.assert_allclose(raw.get_data(picks="C3")[0, :20] * 1e6, recording.data[:20, 0], rtol=1e-12)
    assert "BAD_lost" in set(raw.annotations.description)
    again = Recording.from_mne(raw)
    assert again.info.ch_types == info.ch_types
    kept = np.r_[0:20, 27:60]
    np.testing.assert_allclose(again.data[kept], recording.data, rtol=1e-12)
    assert [event.sample for event in again.events if event.name == "T1"] == [30]


def test_a_mark_of_a_channel_stays_one_of_that_channel_through_mne(info: StreamInfo) -> None:
    marks = {"BAD_one": ["C4", "gone"], "BAD_gone": ["gone"], "BAD_all": [], "cue": ["gone"]}
    events = tuple(
        Event(name=name, time=0.1 * place, sample=10 * place, duration=0.1, data={"channels": channels})
        for place, (name, channels) in enumerate(marks.items())
    )
    samples = np.r_[0:50, 60:100]
    recording = Recording(info=info, data=np.zeros((90, 3)), times=samples / 100, samples=samples, events=events)
    raw = recording.to_mne()
    found = {mark["description"]: mark["ch_names"] for mark in raw.annotations}
    assert found == {"BAD_one": ("C4",), "BAD_all": (), "cue": (), "BAD_lost": ()}
    again = {event.name: event.data for event in Recording.from_mne(raw).events}
    assert again == {"BAD_one": {"channels": ["C4"]}, "BAD_all": {}, "cue": {}, "BAD_lost": {}}


def test_annotations_keep_their_sample_after_a_crop(info: StreamInfo) -> None:
    raw = mne.io.RawArray(np.zeros((1, 1000)), mne.create_info(["C3"], 100.0, "eeg"), verbose="ERROR")
    raw.set_meas_date(1_700_000_000)
    raw.set_annotations(mne.Annotations([5.0], [0.0], ["T1"], orig_time=raw.info["meas_date"]))
    raw.crop(2.0)
    assert [event.sample for event in Recording.from_mne(raw).events] == [300]


def test_recording_checks_its_shapes(info: StreamInfo) -> None:
    with pytest.raises(DataError, match=r"float64 \(n_times, 3\)"):
        Recording(info=info, data=np.zeros((4, 2)), times=np.zeros(4), samples=np.arange(4))
    with pytest.raises(DataError, match=r"times must have shape \(4,\)"):
        Recording(info=info, data=np.zeros((4, 3)), times=np.zeros(3), samples=np.arange(4))
    with pytest.raises(DataError, match="sampling rate of 0 Hz"):
        Recording.from_arrays(info.replace(sfreq=0.0), np.zeros((4, 3)))


def test_pick_keeps_what_belongs_to_the_channel(info: StreamInfo) -> None:
    picked = make(info).pick([1])
    assert picked.info.ch_names == ("C4",)
    assert picked.mask is not None
    assert np.count_nonzero(picked.mask) == 1


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e6), ("mV", 1e3), ("nV", 1e-3), ("µV", 1.0), ("uV", 1.0)])
def test_arrays_in_another_voltage_become_microvolts(unit, factor):
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "Resp"), ch_types=("eeg", "resp"), unit=unit)
    recording = Recording.from_arrays(info, [[1.0, 2.0], [3.0, 4.0]])
    assert recording.info.unit == "uV"
    np.testing.assert_allclose(recording.data, [[factor, 2.0], [3.0 * factor, 4.0]])
    np.testing.assert_allclose(recording.to_mne().get_data()[0], [1e-6 * factor, 3e-6 * factor])
    power = Recording.from_arrays(info.replace(unit="uV2"), np.ones((2, 2)))
    assert (power.info.unit, power.data.max()) == ("uV2", 1.0)
