"""The fault injector: each fault hits what it says, and nothing else."""

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.signal import ArgumentError, Event, Flag, StreamLostError

CLEAN = "sim:motor-imagery?seed=1&channels=C3,C4,Cz&duration=4&chunk=30"


def _run(address):
    with open_source(address) as source:
        chunks = []
        while not source.ended:
            chunk = source.pull()
            chunks.append(chunk)
    return chunks


def _data(chunks):
    return np.concatenate([chunk.data for chunk in chunks if chunk is not None])


@pytest.fixture(scope="module")
def clean():
    return _data(_run(CLEAN))


def _faulty(do):
    return _run(f"dut:faults?do={do}&source={CLEAN.replace('&', '%26')}")


@pytest.mark.parametrize(
    ("do", "spoiled"),
    [
        ("nan@1~0.5*2", lambda x: np.isnan(x)),
        ("rail@1~0.5*2", lambda x: x == 187500.0),
        ("flat@1~0.5*2", lambda x: x == x[0]),
    ],
)
def test_a_channel_is_spoiled_for_so_long_and_no_other(clean, do, spoiled):
    data = _data(_faulty(do))
    assert data.shape == clean.shape
    hit = slice(250, 375)
    assert spoiled(data[hit, 2]).all()
    rest = np.ones(clean.shape, dtype=bool)
    rest[hit, 2] = False
    np.testing.assert_array_equal(data[rest], clean[rest])


def test_dropped_samples_are_counted_and_leave_a_gap(clean):
    chunks = _faulty("drop@1~0.1")
    data = _data(chunks)
    np.testing.assert_array_equal(data, np.delete(clean, slice(250, 275), axis=0))
    gaps = [chunk for chunk in chunks if chunk.health.lost]
    assert [(chunk.first_sample, chunk.health.lost) for chunk in gaps] == [(275, 25)]
    assert gaps[0].health.flags & Flag.GAP


def test_repeat_and_reorder_change_order_not_number(clean):
    repeated = _data(_faulty("repeat@1~0.2"))
    assert (repeated[250:300] == clean[249]).all()
    reordered = _data(_faulty("reorder@1~1"))
    assert not np.array_equal(reordered[250:500], clean[250:500])
    np.testing.assert_array_equal(reordered[:250], clean[:250])
    np.testing.assert_array_equal(reordered[500:], clean[500:])


def test_a_stall_gives_nothing_and_then_everything(clean):
    chunks = _faulty("stall@1~1")
    assert sum(chunk is None for chunk in chunks) >= 7
    np.testing.assert_array_equal(_data(chunks), clean)


def test_a_clock_step_moves_all_later_stamps():
    chunks = _faulty("clock@2")
    times = np.concatenate([chunk.times for chunk in chunks])
    assert np.diff(times)[499] == pytest.approx(1.004)
    assert sum(bool(chunk.health.flags & Flag.CLOCK) for chunk in chunks) == 1


def test_bit_flips_hit_one_in_a_hundred_values_whatever_the_chunks(clean):
    flipped = _data(_faulty("flip@0~4"))
    share = np.mean(flipped != clean)
    assert 0.005 < share < 0.016
    assert np.abs(flipped[flipped != clean]).min() > 1000


def test_a_lost_link_is_an_error():
    with pytest.raises(StreamLostError, match="injected"):
        _faulty("disconnect@1")


def test_the_simulated_user_hears_through_the_injector():
    with open_source(f"dut:faults?do=&source={CLEAN.replace('&', '%26')}") as source:
        source.on_event(Event(name="cue/left_hand", time=0.0, sample=0))
        assert source.source.truth.of("imagery") or source.source.truth.of("lapse")


@pytest.mark.parametrize("text", ["nan", "nun@1", "nan@x", "nan@1~0", "nan@1~1*9"])
def test_bad_faults_are_refused(text):
    with pytest.raises(ArgumentError):
        _faulty(text)


def test_a_pull_goes_on_over_what_is_dropped():
    with open_source("dut:faults?do=drop@0.2~1&source=sim:rest?seed=1") as source:
        chunks = [source.pull(2.0) for _ in range(40)]
    assert None not in chunks
    assert max(chunk.health.lost for chunk in chunks) == round(source.info.sfreq)
