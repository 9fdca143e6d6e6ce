"""Boards as they are: profiles, rate and gains that are configured, ports that are in use, links that lie."""

import re
import time

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.counter_learner import CounterLearner
from bcikit.acquisition.gains import GainProfile, Gains
from bcikit.acquisition.port_lock import PortLock
from bcikit.acquisition.profile import profile_for_board
from bcikit.signal import ArgumentError, SourceError, StreamEndedError, StreamLostError
from bcikit.testing import CytonEmulator, EmulatorProcess, LinkPlan
from tests.acquisition.wire import numbered, pull, run


def test_every_board_has_a_profile_that_says_what_is_unknown():
    for name, number in boards.board_names().items():
        if name in ("playback", "streaming"):
            continue
        profile = profile_for_board(boards.board_name(number))
        assert profile is not None, name
        descr = boards.describe(number)
        _, info = boards.stream_info(descr, aux=False, name=name)
        described = profile.describe(info)
        said = " ".join(profile.unknown)
        assert (profile.counter is not None) != ("packet counter" in said), name
        if name != "synthetic":
            assert (described.capabilities.full_scale is not None) != ("full scale" in said), name
        assert described.capabilities.impedance == ("resistance_channels" in descr)
        assert described.capabilities.battery == ("battery_channel" in descr)


@pytest.mark.parametrize(
    ("board", "full_scale", "modulus", "samples_per_packet"),
    [
        # What BrainFlow's drivers compute: largest code times the step, bytes of the number of a packet.
        ("MUSE_2_BOARD", (0 - 0x800) * -125.0 / 256.0, 256 * 256, 12),
        ("MUSE_S_BLED_BOARD", 0x800 * 125.0 / 256.0, 256 * 256, 12),
        ("FREEEEG32_BOARD", 1e6 * 2.5 / 8.0, 256, 1),
        ("FREEEEG128_BOARD", 1e6 * 2.5 / 8.0, 256, 1),
        ("GALEA_BOARD", None, 256, 1),
        ("NEUROPAWN_KNIGHT_BOARD", None, 256, 1),
    ],
)
def test_profiles_say_what_the_drivers_compute(board, full_scale, modulus, samples_per_packet):
    profile = profile_for_board(board)
    assert profile.full_scale == full_scale
    assert profile.counter is not None
    assert profile.counter.modulus == modulus
    assert profile.counter.samples_per_packet == samples_per_packet
    assert (full_scale is None) == ("full scale" in " ".join(profile.unknown))


@pytest.mark.slow
def test_a_rate_that_is_not_the_stated_one_is_an_error_that_names_both():
    with pytest.raises(SourceError, match=r"states 250 Hz and gives 1[56]\S* samples a second.*sfreq=1[56]"):
        run("cyton", LinkPlan(rate=160.0), seconds=20.0)


@pytest.mark.slow
def test_the_rate_can_be_said():
    found = run("cyton", LinkPlan(rate=160.0), seconds=4.5, options="&sfreq=160")
    assert found.misplaced == 0
    assert found.worst < 1.0


def test_a_gain_that_is_configured_moves_the_full_scale_of_its_channel():
    with CytonEmulator() as device, open_source(f"{device.address}&config=x1020110X") as source:
        assert source.info.capabilities.full_scale == pytest.approx(4.5e6 / 4)
        assert source.info.full_scales == pytest.approx((4.5e6 / 4, *[187_500.0] * 7))
        chunks, _ = pull(source, 1.5, enough=lambda chunks: sum(chunk.n_times for chunk in chunks) >= 300)
        assert device.commands.count("x1020110X") == 1
        np.testing.assert_array_equal(np.diff(numbered(chunks, "cyton", gain=4)), 1)
        rails = source._gains.full_scale
    assert all(chunk.health.mask is None for chunk in chunks)
    np.testing.assert_allclose(rails, [4.5e6 / 4, *[187_500.0] * 7])


def test_data_beyond_the_rail_of_the_old_gain_are_not_marked_and_those_of_the_new_one_are():
    def signal(seconds):
        high = np.where((seconds % 1.0) < 0.5, 500_000.0, 1_124_900.0)
        return np.column_stack([high, *[np.sin(seconds * (20 + n)) for n in range(7)]])

    with (
        CytonEmulator(signal=signal) as device,
        open_source(f"{device.address}&config=x1020110X") as source,
    ):
        chunks, _ = pull(source, 2.0, enough=lambda chunks: sum(chunk.n_times for chunk in chunks) >= 400)
    data = np.concatenate([chunk.data for chunk in chunks])
    marked = np.concatenate(
        [np.zeros(c.data.shape, bool) if c.health.mask is None else c.health.mask > 0 for c in chunks]
    )
    np.testing.assert_array_equal(marked[:, 0], data[:, 0] > 1e6)
    assert not marked[:, 1:].any()


def test_gains_follow_openbcis_commands():
    gains = Gains(GainProfile(reference=4.5e6, default=24), 16)
    assert gains.apply("x1060110X") is False
    assert gains.apply("x3000110XxQ040110X") is True
    assert gains.values[2] == 1
    assert gains.values[8] == 8
    gains.apply("d")
    assert (gains.values == 24).all()


def test_a_board_that_refuses_its_configuration_is_an_error():
    with CytonEmulator() as device, pytest.raises(SourceError, match=r"config '~9'.*Failure"):
        open_source(f"{device.address}&config=~9")


def test_a_port_that_is_in_use_is_refused_and_the_first_reader_keeps_its_data():
    with CytonEmulator() as device, open_source(device.address) as source:
        pull(source, 0.5)
        with pytest.raises(SourceError, match="in use by bcikit"):
            open_source(device.address)
        chunks, _ = pull(source, 1.0, enough=lambda chunks: sum(chunk.n_times for chunk in chunks) >= 200)
        assert source.status().lost == 0
        np.testing.assert_array_equal(np.diff(numbered(chunks, "cyton")), 1)
    lock = PortLock(device.port)
    lock.release()
    lock.release()


def test_numbers_that_are_none_name_their_option():
    with pytest.raises(ArgumentError, match=r"ip_port of .* is 'abc'"):
        open_source("brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port=abc")


@pytest.mark.slow
def test_a_board_that_opens_and_never_delivers_is_given_up():
    with EmulatorProcess("cyton", LinkPlan(silent_after=0.0)) as device:
        source = open_source(f"{device.address}&reconnect=4")
        began = time.monotonic()
        with source, pytest.raises(StreamLostError, match=r"it opens and gives nothing|no way back"):
            source.pull(60.0)
        names = [event.name for event in source.pull_events()]
    assert 5.0 < time.monotonic() - began < 40
    assert "stream/reconnected" not in names
    assert source.status().reconnects == 0


def test_a_playback_file_of_another_board_is_refused(playback, tmp_path):
    address = playback(50).write(tmp_path / "synthetic.tsv").replace("master_board=synthetic", "master_board=cyton")
    with pytest.raises(SourceError, match="has 32 columns and a recording of CYTON_BOARD has 24"):
        open_source(address)


@pytest.mark.parametrize("text", ["nonsense", "LOOPBACK_TRUE", "set_index_percentage:100", "set_index_percentage:x"])
def test_what_is_no_setting_of_the_playback_board_is_refused(playback, tmp_path, text):
    with pytest.raises(ArgumentError, match=r"allowed are loopback_true, .*set_index_percentage:0 to 99"):
        open_source(playback(50).write(tmp_path / "table.tsv") + f"&config={text}")


def test_a_file_that_is_played_in_part_ends_where_it_ends(playback, tmp_path):
    with open_source(playback(101).write(tmp_path / "part.tsv") + "&config=set_index_percentage:33") as source:
        assert sum(chunk.n_times for chunk in source) == 101 - 33


def test_a_file_that_is_played_in_a_loop_does_not_end(playback, tmp_path):
    with open_source(playback(60).write(tmp_path / "loop.tsv") + "&config=loopback_true") as source:
        n = 0
        while n < 150:
            n += source.pull(60.0).n_times
            assert not source.ended


def test_a_file_that_is_played_to_its_end_has_ended(playback, tmp_path):
    with open_source(playback(300).write(tmp_path / "end.tsv")) as source:
        chunks = []
        limit = time.monotonic() + 60
        while not source.ended and time.monotonic() < limit:
            chunk = source.pull(0.5)
            chunks += [] if chunk is None else [chunk]
        assert source.ended
        with pytest.raises(StreamEndedError):
            source.pull(0.1)
    assert sum(chunk.n_times for chunk in chunks) == 300


def test_a_gap_at_the_end_of_a_file_loses_nothing_of_what_comes_after_it(playback, tmp_path):
    table = playback(60)
    table.rows[50:, 0] += 5
    table.rows[50:, 30] += 5 / table.rate
    with open_source(table.write(tmp_path / "gap.tsv")) as source:
        # All of it in one block.
        time.sleep(1.0)
        chunks = []
        limit = time.monotonic() + 60
        while not source.ended and time.monotonic() < limit:
            chunk = source.pull(0.5)
            chunks += [] if chunk is None else [chunk]
    assert sum(chunk.n_times for chunk in chunks) == 60
    assert [chunk.health.lost for chunk in chunks if chunk.health.lost] == [5]


@pytest.mark.parametrize(
    ("modulus", "step", "samples", "first"), [(256, 1, 1, 0), (100, 1, 2, 101), (65536, 1, 12, 9), (256, 2, 1, 1)]
)
def test_a_counter_is_learned_and_then_followed(modulus, step, samples, first):
    n = 30_000
    packets = (np.arange(n) // samples * step) % modulus + first
    learner = CounterLearner(1000.0)
    at, counter = 0, None
    while counter is None and at < n:
        counter = learner.feed(packets[at : at + 10].astype(float), (at + 9) / 1000.0)
        at += 10
    assert counter is not None
    assert (counter.step, counter.samples_per_packet) == (step, samples)
    assert counter.modulus == modulus or modulus == 65536
    kept = np.r_[at : at + 120, at + 120 + 3 * samples : at + 600]
    count = counter.count(packets[kept].astype(float), kept / 1000.0)
    assert count.lost.sum() == 3 * samples
    assert count.keep is None


def test_what_is_no_counter_is_not_followed():
    learner = CounterLearner(250.0)
    rng = np.random.default_rng(0)
    assert all(learner.feed(rng.integers(0, 1000, 50).astype(float), at) is None for at in range(400))
    assert learner.hopeless


@pytest.mark.slow
def test_losses_of_a_board_whose_counter_nobody_states(tmp_path):
    profile = tmp_path / "unknown.toml"
    profile.write_text('name = "unknown"\n')
    lost = ((1500, 5),)
    found = run("cyton", LinkPlan(lost=lost), seconds=8.0, options=f"&profile={profile}")
    learned = found.named("stream/counter")
    assert [event.data for event in learned] == [{"modulus": 256, "step": 1, "samples": 1}]
    assert found.status.lost == 5
    assert found.misplaced == 0
    assert re.fullmatch("counter", found.status.stamps)
