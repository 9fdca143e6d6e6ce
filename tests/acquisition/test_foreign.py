"""Stamps of clocks that tell no time, or another one: what is made of them, block by block, without waiting for it."""

from dataclasses import replace

import numpy as np
import pytest

from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.clock_model import Stamps
from bcikit.acquisition.foreign import MarkerClock, StampMap
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.trust import TimeTrust
from bcikit.acquisition.unix_clock import UnixClock
from bcikit.acquisition.watchdog import Pulse
from bcikit.signal import Event, HostClock, SourceError, StreamInfo

RATE, START = 250.0, 5000.0
INFO = StreamInfo(name="eeg", sfreq=RATE, ch_names=("C3",))


def delivered(made, *, block=10, seconds=6.0, real=RATE, lost=()):
    """Return times and indices of what an assembler gives of blocks whose stamps `made` makes of the true times."""
    mapping, assembler, pending = StampMap(1.0 / RATE), Assembler(INFO), []
    chunks, behind = [], None
    for first in range(0, int(seconds * real), block):
        if first // block in lost:
            continue
        index = first + np.arange(block)
        taken = START + index / real
        arrival = START + (first + block) / real + 0.001
        pending.append(index[:, None].astype(float))
        for times, at in mapping.map(made(taken.copy(), arrival), 0.0, arrival):
            if mapping.clock.name == "arrival":
                assembler.clock.learn(Stamps.ARRIVAL)
            found = mapping.behind(times, at)
            behind = found if behind is None else behind
            chunks += assembler.add(pending.pop(0), times, at)
    chunks += assembler.overdue(START + seconds + 60.0)
    numbers = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    times = np.concatenate([chunk.times for chunk in chunks])
    samples = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    misplaced = int(np.abs(samples - samples[0] - (numbers - numbers[0])).max())
    return mapping, assembler, times - (START + numbers / real), misplaced, behind


def falling(taken, _):
    return 2 * START - taken


NO_CLOCK = {
    "constant": lambda taken, _: np.full(taken.shape, START),
    "falling": falling,
    "whole seconds": lambda taken, _: np.floor(taken),
    "half seconds": lambda taken, _: np.floor(2 * taken) / 2,
    "two seconds ahead": lambda taken, _: taken + 2.0,
    "a day ahead": lambda taken, _: taken + 86_400.0,
    "a day behind": lambda taken, _: taken - 86_400.0,
    "counted from 0 in ms": lambda taken, _: 1e3 * (taken - START),
    "negative": lambda taken, _: -taken,
    "no numbers": lambda taken, _: np.full(taken.shape, np.nan),
}


@pytest.mark.parametrize("kind", NO_CLOCK)
@pytest.mark.parametrize("block", [5, 10, 40])
def test_stamps_that_tell_no_time_are_those_of_arrival_and_a_doubt(kind, block):
    mapping, assembler, errors, misplaced, _ = delivered(NO_CLOCK[kind], block=block)
    assert mapping.clock.name == "arrival"
    assert misplaced == assembler.tally.lost == 0
    # The newest sample of a block is dated, which is a period and the link's millisecond old.
    assert np.abs(errors - 0.005).max() < 0.002


TOLD = {
    "its own": lambda taken, _: taken,
    "in whole hundredths": lambda taken, _: np.floor(taken * 100) / 100,
    "a stamp a block": lambda taken, arrival: np.full(taken.shape, arrival),
    "a number missing": lambda taken, _: np.where(np.arange(taken.size) == 3, np.nan, taken),
    "the last missing": lambda taken, _: np.where(np.arange(taken.size) == taken.size - 1, np.nan, taken),
}


@pytest.mark.parametrize("kind", TOLD)
def test_stamps_that_tell_the_time_are_kept(kind):
    mapping, assembler, errors, misplaced, behind = delivered(TOLD[kind])
    assert mapping.clock.name == "host"
    assert behind is None
    assert misplaced == assembler.tally.lost == assembler.tally.clock_steps == 0
    # A stamp of a hundredth is early by that; a stamp a block is that of its newest sample, a period late.
    assert np.abs(errors).max() < (0.0101 if kind == "in whole hundredths" else 0.0051)


def test_a_sender_that_is_seconds_behind_is_a_doubt():
    mapping, _, _, _, behind = delivered(lambda taken, _: taken - 3.0)
    assert mapping.clock.name == "host"
    assert behind == pytest.approx(3.0, abs=0.01)
    assert delivered(lambda taken, _: taken - 0.5)[4] is None


@pytest.mark.parametrize("kind", ["even", "jitter", "when sent"])
@pytest.mark.parametrize("step", [86_400.0, 90.0, 0.9, 0.3, 0.05, -0.08, -0.5, -90.0])
def test_a_clock_that_is_set_moves_no_time_and_is_a_doubt(step, kind):
    rng = np.random.default_rng(1)
    made = {
        "even": lambda taken, _: taken,
        "jitter": lambda taken, _: taken + rng.uniform(-0.002, 0.002, taken.size),
        "when sent": lambda taken, arrival: np.full(taken.size, arrival - 0.001),
    }[kind]
    _, assembler, errors, misplaced, _ = delivered(
        lambda taken, arrival: made(taken, arrival) + (step if taken[0] > START + 3 else 0.0)
    )
    late = 0.004 if kind == "when sent" else 0.0
    assert assembler.tally.clock_steps == 1
    assert assembler.tally.lost == 0
    assert misplaced == 0
    assert np.abs(errors - late).max() < 0.002
    assert np.abs(errors - late).max() < assembler.uncertainty
    status = StreamStatus(name="eeg", pulse=Pulse.ALIVE, clock_steps=1)
    assert "its clock was set 1 times" in TimeTrust().doubts(status, samples=100)[0]


def test_a_block_that_is_stamped_early_is_no_loss_after_it():
    # On an even grid, one block 12 ms early; two blocks are handed over together.
    _, assembler, errors, misplaced, _ = delivered(
        lambda taken, _: taken - 0.012 * ((taken > START + 3.0) & (taken < START + 3.02)), block=20
    )
    assert assembler.tally.lost == 0
    assert misplaced == 0
    assert np.abs(errors).max() < 0.002


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_on_a_busy_machine_is_no_clock_that_was_set(seed):
    rng = np.random.default_rng(seed)
    assembler, chunks, lost, at = Assembler(INFO), [], 0, 0.0
    for first in range(0, 15_000, 10):
        if first > 500 and rng.random() < 0.02:
            lost += 10
            continue
        at = max(at, START + (first + 10) / RATE + rng.exponential(0.01))
        index = first + np.arange(10)
        chunks += assembler.add(index[:, None].astype(float), START + index / RATE, at)
    assert assembler.tally.clock_steps == 0
    assert assembler.tally.lost == lost
    assert np.abs(np.concatenate([chunk.data[:, 0] / RATE + START - chunk.times for chunk in chunks])).max() < 0.002


def test_losses_within_the_first_second_do_not_hide_those_after_it():
    # No counter: the steps of exact stamps tell, and a rate that is lower by the losses is no other rate.
    lost = {8, 11, 60, 61, 90, 101, 102, 103, 120, 140, 141}
    _, assembler, errors, misplaced, _ = delivered(lambda taken, _: taken, lost=lost, seconds=20.0)
    assert np.abs(errors[-500:]).max() < 0.008
    assert assembler.tally.lost == 90
    assert misplaced == 20  # Before a second was seen, a step of less than 100 ms is taken for a late stamp.


@pytest.mark.parametrize("real", [125.0, 500.0, 83.3, 225.0, 275.0])
def test_another_rate_is_an_error_and_no_loss(real):
    with pytest.raises(SourceError, match=rf"states 250 Hz and gives {real:g} samples a second"):
        delivered(lambda taken, _: taken, real=real, seconds=30.0)


def test_an_estimated_loss_and_a_rate_that_seems_wrong_are_doubts():
    status = StreamStatus(name="amp", pulse=Pulse.ALIVE, rate=250.0, time_uncertainty=0.003)
    trust = TimeTrust()
    trust.see([Event(name="stream/gap", time=1.0, value=700, source="acquisition", data={"uncertainty": 0.02})])
    assert trust.doubts(status, samples=100) == []
    trust.see([Event(name="stream/gap", time=2.0, value=300, source="acquisition", data={"uncertainty": 0.4})])
    (doubt,) = trust.doubts(status, samples=100)
    assert "to 400 ms only: 1000 in 2 gaps" in doubt
    (doubt,) = TimeTrust().doubts(replace(status, seeming_rate=242.6, time_uncertainty=0.2), samples=100)
    assert "242.6 samples a second" in doubt
    assert "'sfreq=242.6'" in doubt


@pytest.mark.parametrize(
    ("stamp", "time", "uncertainty"),
    [
        (999.99, 999.99, 0.0),
        # It waited for whoever looks, not for the link.
        (996.0 + 0.25, 996.25, 0.0),
        # Always the same, or falling: in time it is older than any text on its way.
        (980.25, 980.25, 19.75),
        (1002.25, 1002.25, 2.25),
        (1000.4, 1000.4, 0.0),
        # Whole seconds of the sender's clock.
        (999.0, 1000.0, 0.1),
        (float("nan"), 1000.0, 0.1),
        (5e6 + 0.5, 1000.0, 0.1),
    ],
)
def test_a_marker_is_known_as_well_as_its_stamp_can_be_believed(stamp, time, uncertainty):
    waited = 4.0 if stamp == 996.25 else 0.1
    found = MarkerClock().date(stamp, 0.0, 1000.0, waited=waited)
    assert found[0] == pytest.approx(time)
    assert found[1] == pytest.approx(uncertainty, abs=0.11)


def test_whole_seconds_of_unix_time_are_no_date():
    unix = UnixClock()
    unix.refresh()
    now = HostClock().now()
    wall = now - unix.offset
    clock = MarkerClock()
    assert clock.date(float(int(wall)), 0.0, now, waited=0.02) == (now, 0.02)
    assert clock.clock.name == "arrival"
    time, known_to = clock.date(wall - 0.01, 0.0, now, waited=0.02)
    assert time == pytest.approx(now - 0.01, abs=0.005)
    assert known_to < 0.01


def test_a_device_that_is_gone_is_told_though_what_is_said_of_another_holds_its_name():
    eye = StreamStatus(name="eye", pulse=Pulse.LOST, rate=60.0, time_uncertainty=0.001)
    status = StreamStatus(name="amp", pulse=Pulse.ALIVE, rate=250.0, time_uncertainty=0.003, joined=(eye,))
    trust = TimeTrust()
    trust.see([Event(name="stream/failed", time=1.0, source="eye-2", data={"error": "eye-2: the cable is out."})])
    assert [doubt.partition(":")[0] for doubt in trust.doubts(status, samples=100)] == ["eye-2", "eye"]
    trust.see([Event(name="stream/failed", time=2.0, source="eye", data={"error": "eye: the cable is out."})])
    assert len(trust.doubts(status, samples=100)) == 2
