"""Assembler: chunks with true indices, times and health from whatever a driver delivers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.signal import Bad, Capabilities, Flag, StreamInfo

RATE = 250.0
INFO = StreamInfo(name="t", sfreq=RATE, ch_names=("a", "b", "c", "d"))


def blocks(assembler, index, *, stamps=None, size=10, packets=None, data=None, delay=0.002):
    """Feed samples that were taken at `index` / 250 s; return all chunks."""
    stamps = index / RATE if stamps is None else stamps
    rng = np.random.default_rng(0)
    data = rng.normal(0, 10, (len(index), 4)) if data is None else data
    chunks = []
    for at in range(0, len(index), size):
        part = slice(at, at + size)
        chunks += assembler.add(
            data[part],
            stamps[part],
            float(stamps[part][-1]) + delay,
            packets=None if packets is None else packets[part],
        )
    return chunks


@settings(max_examples=40, deadline=None)
@given(
    missing=st.lists(st.tuples(st.integers(300, 380), st.integers(1, 60)), min_size=1, max_size=3),
    size=st.integers(1, 40),
)
def test_exact_stamps_without_counter_give_exact_losses(missing, size):
    keep, at = [], 0
    for run, gone in missing:
        keep += range(at, at + run)
        at += run + gone
    keep += range(at, at + 50)
    index = np.array(keep)
    chunks = blocks(Assembler(INFO), index, size=size)
    assert [c.health.lost for c in chunks if c.health.lost] == [gone for _, gone in missing]
    np.testing.assert_array_equal(np.concatenate([np.arange(c.first_sample, c.end_sample) for c in chunks]), index)
    assert all(c.health.flags & Flag.LATE_COUNT for c in chunks if c.health.lost)


def test_jitter_of_the_sender_is_no_loss():
    rng = np.random.default_rng(4)
    index = np.arange(5000)
    late = np.repeat(rng.exponential(0.008, 500), 10)
    chunks = blocks(Assembler(INFO), index, stamps=index / RATE + late)
    assert sum(c.health.lost for c in chunks) == 0
    assert not any(c.health.flags & Flag.CLOCK for c in chunks)


def test_counter_and_gap_inside_a_block_split_it():
    index = np.r_[0:25, 32:60]
    assembler = Assembler(INFO, counter=PacketCounter(256, RATE))
    chunks = blocks(assembler, index, packets=(index % 256).astype(float))
    assert [(c.first_sample, c.n_times, c.health.lost) for c in chunks][2:5] == [(20, 5, 0), (32, 5, 7), (37, 10, 0)]
    events = [(e.name, e.sample, e.value) for e in assembler.events]
    assert events == [("stream/gap", 32, 7)]


def test_stamps_of_another_clock_are_mapped_to_the_host():
    index = np.arange(500)
    assembler = Assembler(INFO)
    chunks = []
    for at in range(0, 500, 10):
        part = index[at : at + 10]
        chunks += assembler.add(np.ones((10, 4)) * part[:, None], 1.7e9 + part / RATE, part[-1] / RATE + 5.0)
    assert assembler.foreign_clock
    times = np.concatenate([c.times for c in chunks])
    np.testing.assert_allclose(times, index / RATE + 5.0, atol=0.05)
    assert [event.name for event in assembler.events] == ["stream/foreign-clock"]


@pytest.mark.parametrize("step", [200_000.0, -300.0, -0.2])
def test_clock_that_jumps_is_a_clock_step_not_a_loss(step):
    index = np.arange(1000)
    stamps = index / RATE
    stamps[500:] += step
    assembler = Assembler(INFO)
    chunks = []
    for at in range(0, 1000, 10):
        chunks += assembler.add(np.zeros((10, 4)) + at, stamps[at : at + 10], (at + 9) / RATE + 0.002)
    assert sum(c.health.lost for c in chunks) == 0
    assert assembler.tally.clock_steps == 1
    flagged = [c for c in chunks if c.health.flags & Flag.CLOCK]
    assert [c.first_sample for c in flagged] == [500]
    steps = [event.value for event in assembler.events if event.name == "stream/clock"]
    assert steps == [pytest.approx(step, abs=0.05)]
    times = np.concatenate([c.times for c in chunks])
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times, index / RATE, atol=0.05)


@pytest.mark.parametrize("step", [3600.0, 0.5, -0.5, -3600.0])
@pytest.mark.parametrize("counted", [False, True])
def test_wall_clock_that_is_set_loses_nothing(step, counted):
    """The stamps of a driver follow the wall clock; the offset to the host's clock is measured anew a second later."""
    counter = PacketCounter(256, RATE) if counted else None
    assembler = Assembler(INFO, counter=counter, stamped_on_arrival=True)
    rng = np.random.default_rng(5)
    chunks = []
    for at in range(0, 2500, 10):
        arrival = 50.0 + (at + 10) / RATE + float(rng.uniform(0, 0.01))
        stamps = np.linspace(arrival - 0.0005, arrival - 0.0001, 10)
        stamps += step * (1000 <= at < 1250)
        packets = (np.arange(at, at + 10) % 256).astype(float)
        chunks += assembler.add(rng.normal(0, 10, (10, 4)), stamps, arrival, packets=packets if counted else None)
    assert sum(c.health.lost for c in chunks) == 0
    assert assembler.tally.clock_steps == 1
    steps = [event.value for event in assembler.events if event.name == "stream/clock"]
    assert steps == [pytest.approx(step, abs=0.06), pytest.approx(-step, abs=0.06)]
    times = np.concatenate([c.times for c in chunks])
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times, 50.0 + np.arange(2500) / RATE, atol=0.08)


def test_loss_of_a_sender_whose_clock_is_ahead_is_a_loss():
    index = np.r_[0:1000, 1250:2000]
    assembler = Assembler(INFO, stamped_on_arrival=True)
    chunks = []
    for at in range(0, len(index), 10):
        part = index[at : at + 10]
        chunks += assembler.add(np.zeros((10, 4)) + at, part / RATE + 3.0, part[-1] / RATE)
    assert sum(c.health.lost for c in chunks) == 250
    assert assembler.tally.clock_steps == 0


def test_bad_samples_are_marked_where_they_are():
    info = StreamInfo(name="t", sfreq=RATE, ch_names=("a", "b", "c", "d"), capabilities=Capabilities(full_scale=1000.0))
    data = np.random.default_rng(0).normal(0, 10, (40, 4))
    data[3, 1] = np.nan
    data[4, 1] = -np.inf
    data[11, 0] = 995.0
    data[12, 0] = -1000.0
    data[25] = data[24]
    chunks = blocks(Assembler(info), np.arange(40), data=data)
    mask = np.concatenate(
        [np.zeros(c.data.shape, np.uint8) if c.health.mask is None else c.health.mask for c in chunks]
    )
    assert sorted(zip(*np.nonzero(mask), strict=True)) == [
        (3, 1),
        (4, 1),
        (11, 0),
        (12, 0),
        *((25, i) for i in range(4)),
    ]
    assert mask[3, 1] == mask[4, 1] == Bad.NAN
    assert mask[11, 0] == mask[12, 0] == Bad.RAILED
    assert (mask[25] == Bad.REPEATED).all()
    assert chunks[3].health.mask is None


def test_repeat_over_the_edge_of_a_block_is_seen():
    data = np.random.default_rng(0).normal(0, 10, (20, 4))
    data[10] = data[9]
    chunks = blocks(Assembler(INFO), np.arange(20), data=data)
    assert (chunks[1].health.mask[0] == Bad.REPEATED).all()
    assert not chunks[1].health.mask[1:].any()


def test_new_segment_counts_the_time_between():
    assembler = Assembler(INFO, counter=PacketCounter(256, RATE))
    first = blocks(assembler, np.arange(100), packets=np.arange(100.0))
    assembler.new_segment()
    later = np.arange(600, 700)
    chunks = blocks(assembler, later, packets=np.arange(100.0) + 7)
    assert first[0].health.flags == Flag.START
    assert chunks[0].health.lost == 500
    assert chunks[0].health.flags & Flag.RECONNECTED
    assert chunks[0].first_sample == 600
    assert all(not c.health.discontinuous for c in chunks[1:])


@pytest.mark.parametrize(("counted", "pause"), [(False, 75), (True, 200)])
def test_a_link_that_goes_while_samples_are_held_back_leaves_a_seam(counted, pause):
    # A pause, one block, then the link is gone for a second.
    back = 5000 + pause
    index = np.r_[0:5000, back : back + 10, back + 260 : 6500]
    packets = (index % 256).astype(float) if counted else None
    counter = PacketCounter(256, RATE) if counted else None
    assembler = Assembler(INFO, counter=counter, stamped_on_arrival=True)
    chunks = blocks(assembler, index[:5010], packets=packets[:5010] if counted else None)
    assert not assembler.empty
    assembler.new_segment()
    chunks += blocks(assembler, index[5010:], packets=packets[5010:] if counted else None)
    assert assembler.empty
    assert assembler.tally.lost == pause + 250
    (seam,) = [chunk for chunk in chunks if chunk.health.flags & Flag.RECONNECTED]
    assert seam.first_sample == back + 260
    times = np.concatenate([chunk.times for chunk in chunks])
    assert np.abs(times[5010:] - index[5010:] / RATE).max() < 1.0 / RATE
    ends = [0, *(chunk.end_sample for chunk in chunks)]
    assert [chunk.first_sample - chunk.health.lost for chunk in chunks] == ends[:-1]


@pytest.mark.parametrize("late", [0.0, 0.03, 0.13, 0.4, 0.9])
@pytest.mark.parametrize("gone", [300, 1533, 9999])
def test_a_busy_machine_that_brings_all_late_does_not_change_what_was_lost(late, gone):
    # After the link is had back, everything is late for seconds: it is the counter that says what is missing.
    index = np.r_[0:5000, 5000 + gone : 8000 + gone]
    stamps = index / RATE + np.where((index >= 5000) & (index < 5750 + gone), late, 0.0)
    assembler = Assembler(INFO, counter=PacketCounter(256, RATE), stamped_on_arrival=True)
    packets = (index % 256).astype(float)
    chunks = blocks(assembler, index[:5000], stamps=stamps[:5000], packets=packets[:5000])
    assembler.new_segment()
    chunks += blocks(assembler, index[5000:], stamps=stamps[5000:], packets=packets[5000:])
    assert assembler.tally.lost == gone
    np.testing.assert_array_equal(np.concatenate([np.arange(c.first_sample, c.end_sample) for c in chunks]), index)


@pytest.mark.parametrize("first", [0, 1])
def test_a_counter_that_begins_anew_with_the_stream_leaves_the_loss_to_the_times(first):
    index = np.r_[0:5000, 6533:9000]
    packets = np.r_[np.arange(5000) % 256, (np.arange(2467) + first) % 256].astype(float)
    assembler = Assembler(INFO, counter=PacketCounter(256, RATE), stamped_on_arrival=True)
    blocks(assembler, index[:5000], packets=packets[:5000])
    assembler.new_segment()
    blocks(assembler, index[5000:], packets=packets[5000:])
    assert abs(assembler.tally.lost - 1533) <= 1


def test_clean_chunk_has_no_mask_and_no_flag():
    chunks = blocks(Assembler(INFO), np.arange(100))
    assert chunks[0].health.flags == Flag.START
    assert all(c.health.clean for c in chunks)
    assert all(c.health.age == pytest.approx(0.002, abs=0.01) for c in chunks)
