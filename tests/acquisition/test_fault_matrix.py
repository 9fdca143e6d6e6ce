"""Rows 1 to 9 of the fault matrix, through BrainFlow's real playback board and real LSL outlets in other processes."""

import itertools
import time
import uuid

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import Pulse
from bcikit.signal import Bad, Flag, StreamChangedError, StreamEndedError, StreamLostError


def collect(source, seconds, *, until=None):
    """Pull for some seconds; return chunks, events, and (time, pulse) whenever the pulse changed."""
    chunks, events, pulses = [], [], []
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        chunk = source.pull(0.05)
        events += source.pull_events()
        if chunk is not None:
            chunks.append(chunk.check())
        pulse = source.status().pulse
        if not pulses or pulses[-1][1] is not pulse:
            pulses.append((time.monotonic() - start, pulse))
        if until is not None and until(chunks, events):
            break
    return chunks, events, pulses


def named(events, name):
    return [event for event in events if event.name == name]


def contiguous(chunks):
    """Every chunk starts where the one before ended, plus what it says was lost; times never go back."""
    for before, after in itertools.pairwise(chunks):
        assert after.first_sample == before.end_sample + after.health.lost
        assert after.times[0] > before.times[-1]
    return True


@pytest.mark.requirement("SAF-100")
def test_row_1_stall_of_one_second(playback, tmp_path, stalls):
    table = playback(500)
    # A little more than a second: one second is but six samples off a lap of the counter, and a read may be so late.
    table.rows[250:, 30] += 1.2
    with open_source(table.write(tmp_path / "stall.tsv")) as source:
        waited = stalls()
        at_250 = lambda c, e: [event for event in named(e, "stream/resumed") if event.sample == 250]  # noqa: E731
        chunks, events, _ = collect(source, 60, until=at_250)
        busy = waited.seconds
    # A machine that stands still makes such silences of its own: of the planted one, which the others come before.
    (resumed,) = at_250(chunks, events)
    stalled = named(events, "stream/stalled")[-1]
    late = [event for event in named(events, "stream/late") if stalled.time - 1.0 - busy < event.time][-1:]
    assert stalled.time < resumed.time
    # Nobody looks between the limits of late and of stalled where the machine stands still just then.
    assert late or busy > 0.2
    assert all(event.time < stalled.time and 0.25 <= event.value < 0.45 + busy for event in late)
    assert 0.5 <= stalled.value < 0.75 + busy
    assert resumed.value == pytest.approx(1.2, abs=0.15 + busy)
    assert sum(chunk.health.lost for chunk in chunks) == 0
    assert any(chunk.health.flags & Flag.STALLED for chunk in chunks)
    assert contiguous(chunks)


@pytest.mark.requirement("SAF-101")
def test_row_2_end_of_file(playback, tmp_path):
    with open_source(playback(100).write(tmp_path / "end.tsv")) as source:
        chunks, _, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 100)
        assert source.ended
        with pytest.raises(StreamEndedError, match="is over"):
            source.pull(10.0)
    assert contiguous(chunks)


@pytest.mark.requirement("SAF-101")
def test_row_2_streaming_board_without_a_sender():
    address = "brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port=6699&reconnect=0"
    with open_source(address) as source:
        chunks, _, pulses = collect(source, 60, until=lambda c, e: named(e, "stream/stalled"))
        assert not chunks
        assert [pulse for _, pulse in pulses] == [Pulse.WAITING, Pulse.STALLED]
        with pytest.raises(StreamLostError, match="is gone"):
            collect(source, 60)


@pytest.mark.requirement("SAF-102")
def test_row_3_25_packets_lost(playback, tmp_path):
    table = playback(500)
    table.rows = np.delete(table.rows, slice(200, 225), axis=0)
    with open_source(table.write(tmp_path / "lost.tsv")) as source:
        chunks, events, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 475)
        status = source.status()
    gaps = named(events, "stream/gap")
    assert [(gap.value, gap.sample) for gap in gaps] == [(25, 225)]
    assert [chunk.health.lost for chunk in chunks if chunk.health.lost] == [25]
    assert (status.lost, status.gaps, status.samples) == (25, 1, 475)
    assert contiguous(chunks)
    received = np.concatenate([chunk.data for chunk in chunks])
    np.testing.assert_allclose(received, table.rows[:, 1:17], atol=1e-6)


@pytest.mark.requirement("SAF-103")
def test_row_4_burst_loss_beyond_the_counter(playback, tmp_path):
    table = playback(900)
    table.rows = np.delete(table.rows, slice(200, 600), axis=0)
    with open_source(table.write(tmp_path / "burst.tsv")) as source:
        chunks, _, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 500)
    lost = [chunk for chunk in chunks if chunk.health.lost]
    assert [chunk.health.lost for chunk in lost] == [400]
    assert lost[0].health.flags & Flag.GAP
    assert lost[0].health.flags & Flag.LATE_COUNT
    assert chunks[-1].end_sample == 900


@pytest.mark.requirement("SAF-104")
def test_row_5_buffer_overflow(stalls):
    waited = stalls()
    with open_source("brainflow:synthetic?buffer=100") as source:
        before = source.pull(60.0)
        # A machine that stands still for 0.4 s at the start makes one of its own.
        overflows = source.status().overflows
        time.sleep(2.0)
        chunks, events, _ = collect(source, 60, until=lambda c, e: c and named(e, "stream/overflow"))
        status = source.status()
        busy = waited.seconds
    assert chunks[0].health.flags & Flag.OVERFLOW
    assert status.overflows == overflows + 1
    assert named(events, "stream/overflow")
    # 2 s and more at 250 Hz into a buffer of 100: what was dropped is counted from the packet numbers and the times.
    passed = float(chunks[0].times[0] - before.times[-1])
    assert passed > 1.4
    assert chunks[0].health.lost == pytest.approx(passed * 250 - 1, abs=15 + 250 * busy)
    assert contiguous(chunks)


@pytest.mark.requirement("SAF-105")
def test_row_6_railed_flat_and_nan(playback, tmp_path):
    table = playback(400)
    table.rows[100:350, 1] = 187_500.0
    table.rows[100:350, 2] = 5.0
    table.rows[120, 3] = np.nan
    table.rows[121, 3] = np.inf
    path = tmp_path / "bad.tsv"
    profile = tmp_path / "profile.toml"
    profile.write_text('name = "test"\nfull_scale = 187500.0\n[counter]\nmodulus = 256\n')
    with open_source(f"{table.write(path)}&profile={profile}") as source:
        chunks, _, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 400)
    masks = np.concatenate(
        [np.zeros(c.data.shape, np.uint8) if c.health.mask is None else c.health.mask for c in chunks]
    )
    assert np.flatnonzero(masks[:, 0] & Bad.RAILED).tolist() == list(range(100, 350))
    assert np.flatnonzero(masks[:, 2] & Bad.NAN).tolist() == [120, 121]
    assert not masks[:, 3:].any()
    # One flat channel is for the quality monitor to judge: the source only marks samples it can be sure of.
    assert not masks[:, 1].any()


@pytest.mark.requirement("SAF-107")
def test_row_8_clock_steps_back_and_duplicates(playback, tmp_path):
    table = playback(500)
    table.rows[250:, 30] -= 0.5
    path = table.write(tmp_path / "back.tsv") + "&config=old_timestamps"
    with open_source(path) as source:
        chunks, events, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 500)
        status = source.status()
    steps = named(events, "stream/clock")
    assert len(steps) == 1
    assert steps[0].value == pytest.approx(-0.5, abs=0.06)
    assert status.clock_steps == 1
    assert sum(chunk.health.lost for chunk in chunks) == 0
    assert any(chunk.health.flags & Flag.CLOCK for chunk in chunks)
    assert contiguous(chunks)


@pytest.mark.requirement("SAF-107")
def test_row_8_repeated_packets_are_dropped(playback, tmp_path):
    table = playback(300)
    table.rows = np.insert(table.rows, 151, table.rows[150], axis=0)
    with open_source(table.write(tmp_path / "twice.tsv")) as source:
        chunks, _, _ = collect(source, 60, until=lambda c, e: sum(x.n_times for x in c) == 300)
        status = source.status()
    assert status.repeated == 1
    assert chunks[-1].end_sample == 300
    assert contiguous(chunks)


@pytest.mark.slow
@pytest.mark.requirement("SAF-107")
def test_row_8_drift_of_200_ppm_is_measured(sender):
    name = f"drift-{uuid.uuid4()}"
    sender(name=name, rate=500.0, drift_ppm=200.0)
    with open_source(f"lsl:source_id={name}") as source:
        collect(source, 5)
        status = source.status()
    # Four standard uncertainties: one run in twenty may lie outside two.
    assert status.drift_ppm == pytest.approx(200, abs=max(10.0, 4 * status.drift_uncertainty_ppm))
    assert status.drift_uncertainty_ppm < 40
    assert status.lost == 0


@pytest.mark.requirement("SAF-108")
def test_row_9_outlet_silent(sender, stalls):
    name = f"silent-{uuid.uuid4()}"
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}") as source:
        before, _, _ = collect(source, 60, until=lambda c, e: len(c) > 20)
        other.tell("silence", on=True)
        waited = stalls()
        between, events, pulses = collect(source, 60, until=lambda c, e: named(e, "stream/stalled"))
        busy = waited.seconds
        time.sleep(0.4)
        other.tell("silence", on=False)
        after, more, _ = collect(source, 60, until=lambda c, e: len(c) > 10)
    (stalled,) = named(events, "stream/stalled")
    assert 0.5 <= stalled.value < 0.8 + busy
    assert Pulse.STALLED in [pulse for _, pulse in pulses]
    assert named(more, "stream/resumed")
    assert contiguous(before + between + after)
    # The sender went on counting: what it did not send is lost, to the sample.
    assert int(after[-1].data[-1, 0]) == (int(before[0].data[0, 0]) + after[-1].end_sample - 1) % 1000


@pytest.mark.slow
@pytest.mark.requirement("SAF-108")
def test_row_9_outlet_silent_for_long_is_no_new_segment(sender):
    name = f"long-{uuid.uuid4()}"
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}") as source:
        before, _, _ = collect(source, 60, until=lambda c, e: len(c) > 10)
        other.tell("silence", on=True)
        between, events, _ = collect(source, 4.0)
        other.tell("silence", on=False)
        after, more, _ = collect(source, 60, until=lambda c, e: len(c) > 5)
        status = source.status()
    assert [event.name for event in events] == ["stream/late", "stream/stalled", "stream/lost"]
    assert named(more, "stream/resumed")
    assert status.reconnects == 0
    assert contiguous(before + between + after)
    assert int(after[-1].data[-1, 0]) == (int(before[0].data[0, 0]) + after[-1].end_sample - 1) % 1000


@pytest.mark.requirement("SAF-108")
def test_row_9_outlet_destroyed_and_restarted(sender):
    name = f"again-{uuid.uuid4()}"
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}") as source:
        before, _, _ = collect(source, 60, until=lambda c, e: len(c) > 20)
        unsure = source.status().offset_uncertainty
        other.tell("close")
        between, events, _ = collect(source, 60, until=lambda c, e: named(e, "stream/lost"))
        assert named(events, "stream/lost")
        assert source.status().pulse is Pulse.LOST
        other.tell("reopen")
        after, more, _ = collect(source, 60, until=lambda c, e: c)
        unsure += source.status().offset_uncertainty
        rest, others, _ = collect(source, 60, until=lambda c, e: len(c) > 20)
        after, more = after + rest, more + others
    assert after, "did not come back"
    assert named(more, "stream/reconnected")
    assert after[0].health.flags & Flag.RECONNECTED
    assert after[0].health.lost > 0
    assert source.status().reconnects == 1
    assert contiguous(before + between + after)
    off = int(after[-1].data[-1, 0]) - (int(before[0].data[0, 0]) + after[-1].end_sample - 1)
    # As well as both outlets' clocks are known: on a busy machine the first answer may take long.
    assert abs((off + 500) % 1000 - 500) <= 1 + 250 * unsure


@pytest.mark.requirement("SAF-108")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["E1", "E2", "E3"]}, "number of channels"),
        ({"names": ["E1", "E2", "E3", "X"]}, "channel names"),
        ({"unit": "millivolts"}, "unit of the channels"),
        ({"rate": 500.0}, r"sampling rate \(250 Hz, now 500 Hz\)"),
    ],
)
def test_row_9_outlet_restarted_as_another_stream(sender, change, message):
    name = f"changed-{uuid.uuid4()}"
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}") as source:
        collect(source, 0.5)
        other.tell("close")
        other.tell("reopen", **change)
        with pytest.raises(StreamChangedError, match=message):
            collect(source, 60)


@pytest.mark.requirement("SAF-108")
def test_row_9_sender_process_killed(sender, stalls):
    name = f"killed-{uuid.uuid4()}"
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}&reconnect=1") as source:
        chunks, _, _ = collect(source, 60, until=lambda c, e: len(c) > 10)
        other.close()
        start, waited = time.monotonic(), stalls()
        with pytest.raises(StreamLostError, match="is gone"):
            collect(source, 60)
        assert time.monotonic() - start < 6.0 + waited.seconds
    assert chunks
