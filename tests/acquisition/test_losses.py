"""What a counter says of a loss, weighed against what the times say."""

import numpy as np
import pytest

from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.losses import Loss, LossEvidence, weigh
from bcikit.signal import Flag, SourceError, StreamInfo

RATE = 125.0


def seen(late, missing, **more):
    return LossEvidence(**{"late": late, "trust": 2.5, "missing": missing, "lap": 128.0, "on_arrival": True, **more})


@pytest.mark.parametrize("begins", [True, False])
def test_counter_and_times_that_agree_are_believed_and_the_line_goes_on(begins):
    # A counter that stands where it begins, by chance, and fits the times: nothing was started anew.
    found = weigh(seen(1000.7, 104, lost_link=True, begins=begins))
    assert found == Loss(lost=1000, by_time=True, goes_on=not begins)


def test_a_busy_machine_is_late_and_the_counter_is_right():
    found = weigh(seen(1040.0, 104, lost_link=True, asked=990.0))
    assert (found.lost, found.by_time, found.anew) == (1000, True, False)
    assert found.doubt == pytest.approx(40.0)


def test_what_was_taken_before_the_device_was_asked_did_not_come():
    # The counter stood still while nobody streamed: what it says would have been taken before the stream was asked for.
    found = weigh(seen(1040.0, 104, lost_link=True, asked=1036.0))
    assert (found.lost, found.anew) == (1040, True)
    assert found.doubt == pytest.approx(4.0)


@pytest.mark.parametrize(("goes_on", "lost", "anew"), [(False, 1040, True), (True, 1000, False)])
def test_a_counter_at_its_beginning_is_a_device_started_anew_unless_it_was_seen_to_go_on(goes_on, lost, anew):
    found = weigh(seen(1040.0, 104, lost_link=True, begins=True, goes_on=goes_on, asked=900.0))
    assert (found.lost, found.anew) == (lost, anew)
    # Both may be, and that is what is said.
    assert found.doubt == pytest.approx(40.0)


def test_a_device_that_paused_lost_nothing():
    assert weigh(seen(60.0, 0)) == Loss(lost=0, anew=True)


def test_without_a_counter_the_times_say_it():
    assert weigh(seen(1040.4, None, lost_link=True)) == Loss(lost=1040, by_time=True, anew=True, doubt=2.5)
    assert weigh(seen(1.0, None)) == Loss(lost=0, by_time=True, doubt=2.5)


def streamed(late_for, *, gone, first_packet=None, asked=True, late=0.12):
    """Return an assembler, its chunks and the device's numbers: a link is had back, and all is late for a while."""
    n = int(60 * RATE)
    taken = 1000.0 + np.arange(n) / RATE
    begin = int(20 * RATE)
    keep = np.r_[0:begin, begin + gone : n]
    decay = np.clip(1.0 - (taken - taken[begin + gone]) / late_for, 0.0, 1.0) * late
    deliver = np.maximum.accumulate(taken + 0.001 + np.where(np.arange(n) < begin + gone, 0.0, decay))
    numbers = np.arange(n) + (0 if first_packet is None else first_packet - begin - gone) * (np.arange(n) >= begin)
    assembler = Assembler(
        StreamInfo(name="d", sfreq=RATE, ch_names=("a",)),
        counter=PacketCounter(256, RATE, step=2),
        stamped_on_arrival=True,
    )
    chunks, at, now = [], 0, 1000.0
    arrivals = deliver[keep]
    while at < keep.size or not assembler.empty:
        now += 0.01
        stop = int(np.searchsorted(arrivals, now))
        if at < begin < stop:
            stop = begin
        if at == begin and stop > at:
            assembler.new_segment()
            if asked:
                assembler.asked = float(taken[begin + gone]) - 0.01
        if stop > at:
            part = keep[at:stop]
            packets = (2 * numbers[part] % 256).astype(float)
            chunks += assembler.add(part[:, None].astype(float), deliver[part], now, packets=packets)
            at = stop
        else:
            chunks += assembler.overdue(now)
    return assembler, chunks, taken


def wrong(chunks):
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    device = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    return int(np.abs(index - index[0] - device + device[0]).max())


@pytest.mark.parametrize("late_for", [3.0, 12.0, 25.0])
def test_what_comes_less_and_less_late_after_a_lost_link_is_no_fast_device(late_for):
    assembler, chunks, taken = streamed(late_for, gone=733)
    assert wrong(chunks) == 0
    # The counter says which sample is which, so the times are those of before.
    times = np.concatenate([chunk.times for chunk in chunks])
    device = np.concatenate([chunk.data[:, 0] for chunk in chunks]).astype(int)
    assert np.abs(times - taken[device]).max() * RATE < 1.0
    assert assembler.seeming_rate is None


def test_a_device_started_anew_is_counted_to_the_time_it_was_asked():
    assembler, chunks, _ = streamed(25.0, gone=733, first_packet=0)
    gap = next(event for event in assembler.events if event.name == "stream/gap")
    back = next(chunk for chunk in chunks if chunk.health.flags & Flag.RECONNECTED)
    assert back.health.flags & Flag.LATE_COUNT
    assert 0 < wrong(chunks) <= gap.data["uncertainty"] * RATE + 1
    assert gap.data["uncertainty"] < 0.15


def paced(share, seconds, *, asked=999.99, every=0.0):
    """Return an assembler that took what a device of another rate sent; with `every`, its link stalls so often."""
    n = int(seconds * RATE)
    taken = 1000.0 + np.arange(n) / (share * RATE)
    deliver = taken + 0.001
    if every:
        since = (taken - 1000.0) % every
        deliver = np.where((since > 2.0) & (since < 2.8), taken - since + 2.8, deliver)
    assembler = Assembler(
        StreamInfo(name="d", sfreq=RATE, ch_names=("a",)), counter=PacketCounter(256, RATE), stamped_on_arrival=True
    )
    assembler.asked = asked
    at, now = 0, 1000.0
    while at < n:
        now += 0.02
        stop = int(np.searchsorted(deliver, now))
        packets = (np.arange(at, stop) % 256).astype(float)
        assembler.add(packets[:, None], deliver[at:stop], now, packets=packets)
        at = stop
    return assembler


def test_a_fast_device_is_still_found():
    with pytest.raises(SourceError, match="sfreq=128"):
        paced(1.03, 30.0, asked=999.8)


@pytest.mark.parametrize(("share", "seconds"), [(0.97, 4.0), (1.03, 5.5), (0.985, 6.0)])
def test_a_rate_that_is_not_sure_yet_is_a_doubt(share, seconds):
    assert paced(share, seconds).seeming_rate == pytest.approx(share * RATE, rel=0.005)


@pytest.mark.parametrize("share", [0.98, 1.02])
def test_stalls_do_not_hide_a_rate_that_is_wrong(share):
    # Each comes before the rate would be sure by itself.
    with pytest.raises(SourceError, match="sfreq=12"):
        paced(share, 40.0, every=7.0)
    # And where it ends before, the times are said to be known as badly as they are, or the rate is named.
    short = paced(share, 6.5, every=7.0)
    assert short.seeming_rate is not None or short.uncertainty > 0.05


def test_stalls_alone_are_no_wrong_rate():
    assembler = paced(1.0, 60.0, every=4.0)
    assert assembler.seeming_rate is None
    assert assembler.uncertainty < 0.01


@pytest.mark.parametrize("seconds", [3.0, 8.0, 15.0])
def test_a_link_that_chokes_for_a_while_is_no_other_rate(seconds):
    # As even as of a slow device, in the middle of a minute: a machine that has no time for its links.
    n = int(70 * RATE)
    taken = 1000.0 + np.arange(n) / RATE
    since = np.clip(taken - 1030.0, 0.0, seconds)
    deliver = np.maximum.accumulate(taken + 0.001 + np.where(taken < 1030.0 + seconds, 0.3 * since, 0.0))
    assembler = Assembler(
        StreamInfo(name="d", sfreq=RATE, ch_names=("a",)), counter=PacketCounter(256, RATE), stamped_on_arrival=True
    )
    assembler.asked = 999.99
    chunks, at, now = [], 0, 1000.0
    while at < n or not assembler.empty:
        now += 0.02
        stop = int(np.searchsorted(deliver, now))
        packets = (np.arange(at, stop) % 256).astype(float)
        chunks += assembler.add(np.arange(at, stop)[:, None] * 1.0, deliver[at:stop], now, packets=packets)
        at = stop
    assert wrong(chunks) == 0
    times = np.concatenate([chunk.times for chunk in chunks])
    assert np.abs(times - taken).max() * RATE < 1.0
