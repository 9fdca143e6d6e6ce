"""A link that catches up with breaks: what comes late is not a device that paused."""

import numpy as np
import pytest

from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.signal import StreamInfo

RATE = 250.0


def delivered(index, arrivals, step=0.01):
    """Return the chunks of samples that arrive at given times, looked for every hundredth of a second."""
    info = StreamInfo(name="t", sfreq=RATE, ch_names=("a", "b", "c", "d"))
    assembler = Assembler(info, counter=PacketCounter(256, RATE), stamped_on_arrival=True)
    data = np.random.default_rng(0).normal(0, 10, (index.size, 4))
    chunks, at, now = [], 0, 0.0
    while at < index.size or not assembler.empty:
        now += step
        stop = int(np.searchsorted(arrivals, now, side="right"))
        if stop > at:
            part = slice(at, stop)
            chunks += assembler.add(data[part], arrivals[part], now, packets=(index[part] % 256).astype(float))
            at = stop
        else:
            chunks += assembler.overdue(now)
    return chunks


@pytest.mark.parametrize("plateau", [0.0, 0.15, 0.4, 1.0])
def test_a_link_that_pauses_in_catching_up_moves_no_time(plateau):
    index = np.arange(5000)
    taken = index / RATE
    arrivals = taken + 0.001
    # Nothing comes from 10.0 to 10.8 s. Half of it comes then, and what is taken comes as late as that for a while.
    arrivals[(taken >= 10.0) & (taken < 10.4)] = 10.8
    late = (taken >= 10.4) & (taken < 10.4 + plateau)
    arrivals[late] = taken[late] + 0.401
    end = 10.8 + plateau
    arrivals[(taken >= 10.4 + plateau) & (taken < end)] = end
    chunks = delivered(index, arrivals)
    times = np.concatenate([chunk.times for chunk in chunks])
    assert sum(chunk.health.lost for chunk in chunks) == 0
    assert np.abs(times - taken).max() * RATE < 1.0


def test_a_device_that_paused_is_dated_anew():
    index = np.arange(5000)
    taken = index / RATE + np.where(index >= 2500, 1.5, 0.0)
    chunks = delivered(index, taken + 0.001)
    times = np.concatenate([chunk.times for chunk in chunks])
    assert sum(chunk.health.lost for chunk in chunks) == 0
    assert np.abs(times - taken).max() * RATE < 1.5


@pytest.mark.parametrize("share", [0.9905, 0.998, 1.0, 1.002, 1.0095])
@pytest.mark.parametrize("stall", [(5.0, 0.0), (1.5, 0.6), (6.0, 1.5)])
def test_a_rate_that_is_off_but_tolerated_moves_no_time(share, stall):
    # An oscillator that is no quartz: within the tolerance, so nothing is refused.
    index = np.arange(4000)
    taken = index / (share * RATE)
    begin, length = stall
    arrivals = taken + 0.001 + np.random.default_rng(1).exponential(0.001, index.size)
    held = (taken >= begin) & (taken < begin + length)
    arrivals = np.maximum.accumulate(np.where(held, begin + length, arrivals))
    chunks = delivered(index, arrivals)
    errors = (np.concatenate([chunk.times for chunk in chunks]) - taken) * RATE
    assert sum(chunk.health.lost for chunk in chunks) == 0
    # Two seconds show the rate; before, it is off by what it may be.
    assert np.abs(errors[taken > (2.5 if begin > 2.5 else 4.5)]).max() < 1.0
    assert np.abs(errors).max() < 0.01 * 3.0 * RATE
