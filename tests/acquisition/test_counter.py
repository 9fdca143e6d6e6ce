"""PacketCounter: losses, repeats and order from counters of any modulus."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquisition.counter import PacketCounter
from bcikit.signal import ArgumentError

RATE = 250.0


def feed(counter, packets, times, sizes):
    lost, kept, at = [], 0, 0
    for size in sizes:
        block = slice(at, at + size)
        if block.start >= len(packets):
            break
        count = counter.count(packets[block], times[block])
        lost += count.lost.tolist()
        kept += len(count.lost)
        at += size
    return np.array(lost), kept


@settings(max_examples=60, deadline=None)
@given(
    modulus=st.sampled_from([128, 256, 1000, 65536]),
    gaps=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 2000)), max_size=6),
    block=st.integers(1, 64),
    start=st.integers(0, 255),
)
def test_any_loss_is_counted_for_any_modulus_and_any_blocks(modulus, gaps, block, start):
    keep = []
    at = start
    truth = {}
    for run, missing in gaps:
        keep += list(range(at, at + run))
        at += run + missing
        truth[len(keep)] = missing
    keep += list(range(at, at + 5))
    index = np.array(keep)
    times = index / RATE
    lost, _ = feed(PacketCounter(modulus, RATE), (index % modulus).astype(float), times, [block] * 1000)
    assert {row: int(value) for row, value in enumerate(lost) if value} == truth


@pytest.mark.parametrize("modulus", [32, 64, 128, 256])
@pytest.mark.parametrize("jitter", [0.005, 0.02, 0.1])
def test_bursts_stamped_on_arrival_are_no_losses_of_whole_laps(modulus, jitter):
    rng = np.random.default_rng(0)
    index = np.r_[0:20_000, 20_010:25_000]
    burst = index // 12
    arrivals = np.arange(1, burst[-1] + 2) * 12 / RATE + rng.exponential(jitter, burst[-1] + 1)
    times = np.maximum.accumulate(arrivals)[burst]
    lost, kept = feed(PacketCounter(modulus, RATE), (index % modulus).astype(float), times, [36] * 1000)
    assert kept == len(index)
    assert np.flatnonzero(lost).tolist() == [20_000]
    assert lost[20_000] == 10


def test_step_of_two_counts_samples_not_numbers():
    index = np.r_[0:100, 110:200]
    counter = PacketCounter(256, 125.0, step=2)
    assert counter.count((2.0 * index) % 256, index / 125.0).lost.sum() == 10


def test_samples_that_share_a_packet_number():
    packets = np.repeat(np.r_[0:20, 23:30], 4).astype(float)
    index = np.repeat(np.r_[0:20, 23:30], 4) * 4 + np.tile(np.arange(4), 27)
    count = PacketCounter(256, RATE, samples_per_packet=4).count(packets, index / RATE)
    assert count.lost.sum() == 12
    assert count.keep is None


def test_part_of_a_packet_lost():
    packets = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2], dtype=float)
    index = np.array([0, 1, 2, 3, 4, 5, 8, 9, 10, 11])
    count = PacketCounter(256, RATE, samples_per_packet=4).count(packets, index / RATE)
    assert count.lost.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 0]


def test_repeated_packets_are_dropped():
    packets = np.array([5, 6, 6, 7], dtype=float)
    count = PacketCounter(256, RATE).count(packets, np.array([0, 1, 1.1, 2]) / RATE)
    assert count.keep.tolist() == [0, 1, 3]
    assert count.repeated == 1
    assert not count.lost.any()


def test_packet_out_of_order_is_no_loss_of_hundreds():
    packets = np.array([5, 6, 8, 7, 9], dtype=float)
    count = PacketCounter(256, RATE).count(packets, np.array([0, 1, 2, 2.1, 3]) / RATE)
    assert count.keep.tolist() == [0, 1, 2, 4]
    assert count.lost.tolist() == [0, 0, 1, 0]
    assert count.reordered == 1


def test_pause_without_loss_is_no_loss():
    packets = np.arange(10.0)
    times = packets / RATE
    times[5:] += 1.0
    assert not PacketCounter(256, RATE).count(packets, times).lost.any()


def test_reset_begins_anew():
    counter = PacketCounter(256, RATE)
    counter.count(np.arange(3.0), np.arange(3) / RATE)
    counter.reset()
    assert not counter.count(np.array([200.0, 201.0]), np.array([9.0, 9.004])).lost.any()


@pytest.mark.parametrize("arguments", [{"modulus": 2}, {"modulus": 255, "step": 2}, {"sfreq": 0.0}])
def test_what_cannot_be_is_refused(arguments):
    values = {"modulus": 256, "sfreq": RATE, **arguments}
    with pytest.raises(ArgumentError):
        PacketCounter(values["modulus"], values["sfreq"], step=values.get("step", 1))
