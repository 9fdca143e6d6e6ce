"""Time and loss through BrainFlow's real drivers, from devices on a wire whose every sample is known."""

import os
import signal

import numpy as np
import pytest

from bcikit.signal import Flag
from bcikit.testing import LinkPlan
from tests.acquisition.wire import run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cyton", "cyton-daisy"])
def test_a_sound_link_gives_every_sample_at_its_time(kind):
    found = run(kind, seconds=3.0)
    assert found.misplaced == 0
    assert found.status.lost == 0
    assert found.status.stamps == "counter"
    assert found.worst < 1.0
    assert found.k.size > 2.0 * found.rate
    # The other channels are sines of 50 uV, to the step of the converter.
    assert np.abs(found.chunks[-1].data[:, 1:]).max() < 50.1


@pytest.mark.slow
@pytest.mark.parametrize("block", [10, 25])
def test_bursts_do_not_bias_the_time(block):
    found = run("cyton", LinkPlan(block=block, jitter=0.001), seconds=5.0)
    assert found.misplaced == 0
    assert abs(np.median(found.error)) < 0.5 + (found.status.time_uncertainty + found.late) * found.rate
    assert found.worst < 1.0


@pytest.mark.slow
def test_a_stall_that_loses_nothing_moves_no_time():
    found = run("cyton", LinkPlan(block=5, stalls=((2.5, 0.8),), drain=700.0), seconds=7.0)
    assert found.misplaced == 0
    assert found.status.lost == 0
    assert found.named("stream/stalled")
    assert found.worst < 1.0
    assert all(chunk.health.age > -0.01 for chunk in found.chunks), "no sample lies in the future"


@pytest.mark.slow
def test_losses_are_exact_whole_laps_of_the_counter_too():
    lost = ((700, 1), (800, 3), (1100, 256), (1500, 100))
    found = run("cyton", LinkPlan(block=25, lost=lost), seconds=8.0)
    assert found.misplaced == 0
    assert [event.value for event in found.named("stream/gap")] == [1, 3, 256, 100]
    assert found.status.lost == 360
    assert found.worst < 1.0


@pytest.mark.slow
def test_bad_bytes_broken_and_repeated_packets():
    found = run("cyton", LinkPlan(noise=(300, 301), broken=(400, 402), repeated=(500,)), seconds=4.0)
    assert found.misplaced == 0
    assert found.status.lost == 2
    assert found.status.repeated == 1
    assert found.worst < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("at", [660, 712])
def test_a_counter_that_begins_anew_loses_nothing(at):
    # Back from 148 looks like a loss of 107 samples, from 200 like one of 55: both came before they were taken.
    found = run("cyton", LinkPlan(resets=(at,), block=5), seconds=5.0)
    assert found.worst < 1.0
    assert found.status.lost <= 1
    assert np.abs((found.index - found.index[0]) - (found.k - found.k[0])).max() <= 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is frozen otherwise there")
def test_a_device_that_hangs_is_had_back_and_its_loss_is_exact():
    done = []

    def hang(device, _source, spent):
        for moment, what in ((3.0, signal.SIGSTOP), (8.0, signal.SIGCONT)):
            if spent > moment and what not in done:
                done.append(what)
                os.kill(device.process.pid, what)

    found = run("cyton", LinkPlan(block=10), seconds=22.0, during=hang)
    assert found.status.reconnects == 1
    assert found.misplaced == 0
    assert found.status.lost == int(np.diff(found.k).max()) - 1 > 0
    gap = next(chunk for chunk in found.chunks if chunk.health.lost)
    assert gap.health.flags & Flag.RECONNECTED
    assert found.worst < 1.0
