"""BrainFlow: every board by name, markers, battery, impedance, the streaming board, and a session that is lost."""

import itertools
import socket
import threading
import time

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import brainflow, live
from bcikit.acquisition import brainflow_boards as boards
from bcikit.signal import ArgumentError, Flag, SourceError
from tests.stalls import wait_for


def pulled(source, seconds, *, until=None):
    """Return what came within some seconds; with `until`, until that is so, within a minute."""
    chunks, events = [], []
    end = time.monotonic() + (60.0 if until else seconds)
    while time.monotonic() < end and not (until and until(chunks, events)):
        chunk = source.pull(0.1)
        events += source.pull_events()
        if chunk is not None:
            chunks.append(chunk)
    return chunks, events


def test_every_board_has_a_name_and_a_description():
    names = boards.board_names()
    assert len(names) >= 64
    assert names["synthetic"] == -1
    assert {"cyton", "cyton-daisy", "ganglion", "muse-2", "unicorn", "playback", "streaming"} <= set(names)
    for name, number in names.items():
        descr = boards.describe(number)
        if not descr.get("sampling_rate"):
            continue
        rows, info = boards.stream_info(descr, aux=False, name=name)
        assert len(rows) == info.n_channels > 0
        assert max(rows) < descr["num_rows"]
        assert info.sfreq == descr["sampling_rate"]


@pytest.mark.parametrize("text", ["cyton", "CYTON", "Cyton_Board", "CYTON_BOARD", "0"])
def test_names_are_forgiving(text):
    assert boards.board_id(text, what="board") == 0


def test_synthetic_board(stalls):
    waited = stalls()
    with open_source("brainflow:synthetic") as source:
        info = source.info
        assert info.sfreq == 250
        assert info.ch_names[:4] == ("Fz", "C3", "Cz", "C4")
        assert info.capabilities.impedance
        assert info.capabilities.battery
        assert info.capabilities.packet_modulus == 256
        chunks, _ = pulled(source, 2.0, until=lambda chunks, _: sum(chunk.n_times for chunk in chunks) >= 450)
        busy = waited.seconds
        status = source.status()
        assert 80 <= source.battery() <= 100
        assert status.battery == source.battery()
        assert len(source.impedances()) == 2
        assert all(800 < value < 1200 for value in source.impedances())
    data = np.concatenate([chunk.data for chunk in chunks])
    assert status.lost == 0
    # Channel 1 of this board is 5 Hz with 14 uV around 10 uV: microvolts.
    assert data[:, 0].mean() == pytest.approx(10, abs=1)
    assert data[:, 0].std() == pytest.approx(10, abs=1)
    assert all(chunk.health.age < 0.2 + busy for chunk in chunks[5:])


def test_channels_that_are_no_biosignals():
    with open_source("brainflow:synthetic?aux=true") as source:
        info = source.info
        chunk = source.pull(60.0)
    assert set(info.ch_types) >= {"eeg", "accel", "gyro", "ppg", "gsr", "temperature"}
    column = info.ch_types.index("temperature")
    assert chunk.data[0, column] == pytest.approx(36.6, abs=0.1)


def test_inserted_markers():
    with open_source("brainflow:synthetic") as source:
        pulled(source, 0.2)
        source.insert_marker(3)
        mine = lambda _, events: [event for event in events if event.source == "brainflow"]  # noqa: E731
        _, events = pulled(source, 0.3, until=mine)
        for value in (0, float("nan"), float("inf")):
            with pytest.raises(ArgumentError, match="marker"):
                source.insert_marker(value)
    markers = [event for event in events if event.source == "brainflow"]
    assert [(event.name, event.value) for event in markers] == [("3", 3)]
    assert markers[0].sample is not None


def test_markers_lie_on_their_packets_where_others_came_twice(playback, tmp_path):
    table = playback(600)
    # Every tenth packet comes twice; markers before, on and after them, in the same blocks.
    table.rows = np.repeat(table.rows, np.where(np.arange(600) % 10 == 8, 2, 1), axis=0)
    table.rows[:, 1] = np.arange(len(table.rows))
    came_twice = np.diff(table.rows[:, 0], prepend=-1.0) == 0
    marked = np.arange(5, len(table.rows), 3)
    with open_source(table.write(tmp_path / "twice.tsv")) as source:
        shim = source._shim
        count, take = shim.get_board_data_count, shim.get_board_data

        def enough(*preset):
            there = count(*preset)
            return there if there >= 60 or source._received + there == len(table.rows) else 0

        def with_markers():
            # The playback board gives no markers.
            rows = take()
            number = np.searchsorted(marked, rows[1])
            rows[31] = np.where(np.isin(rows[1], marked), 1 + number, 0)
            return rows

        shim.get_board_data_count, shim.get_board_data = enough, with_markers
        chunks, events = pulled(source, 60.0, until=lambda *_: source.ended)
        events += source.pull_events()
        assert source.status().repeated == 60
    column = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    samples = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    found = {event.value: event.sample for event in events if event.source == "brainflow"}
    assert set(found) == set(range(1, 1 + marked.size))
    for number, row in enumerate(marked.tolist(), start=1):
        # One on a packet that came again lies on the next that is given.
        wanted = row + 1 if came_twice[row] else row
        assert column[samples == found[number]].tolist() == [wanted]


def test_streaming_board_with_a_real_sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    with (
        open_source(f"brainflow:synthetic?streamer=streaming_board://225.1.1.1:{port}") as sender,
        open_source(f"brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port={port}") as source,
    ):
        received, sent = [], []
        began = time.monotonic()
        # Where multicast does not loop back, nothing comes at all.
        while sum(chunk.n_times for chunk in received) < 300 and time.monotonic() < began + (60 if received else 5):
            chunk = sender.pull(0.05)
            sent += [] if chunk is None else [chunk.data]
            while (chunk := source.pull(0.0)) is not None:
                received.append(chunk)
    if not received:
        pytest.skip("multicast does not loop back on this machine")
    assert source.info.n_channels == 16
    data = np.concatenate([chunk.data for chunk in received])
    assert data.shape[0] > 200
    whole = np.concatenate(sent)
    begin = int(np.flatnonzero((whole == data[0]).all(axis=1))[0])
    overlap = min(len(whole) - begin, len(data))
    assert overlap > 200
    np.testing.assert_array_equal(data[:overlap], whole[begin : begin + overlap])


def test_a_lost_session_is_opened_again_as_a_new_segment(playback, tmp_path, stalls):
    waited = stalls()
    address = playback(150).write(tmp_path / "short.tsv") + "&reconnect=20"
    with open_source(address) as source:
        back = lambda chunks, _: any(chunk.health.flags & Flag.RECONNECTED for chunk in chunks)  # noqa: E731
        chunks, events = pulled(source, 4.5, until=back)
        status = source.status()
    names = [event.name for event in events]
    at = names.index("stream/lost")
    assert names[at - 1 : at + 2] == ["stream/stalled", "stream/lost", "stream/reconnected"]
    # Nobody looks between the limits of late and of stalled where the machine stands still just then.
    assert names[at - 2] == "stream/late" or waited.seconds > 0.2
    assert status.reconnects == 1
    again = next(chunk for chunk in chunks if chunk.health.flags & Flag.RECONNECTED)
    assert again.health.flags & Flag.LATE_COUNT
    # Lost after 2 s of silence, and opening takes a moment: at 250 Hz at least 500 samples.
    assert 480 <= again.health.lost <= 900 + 250 * waited.seconds
    for before, after in itertools.pairwise(chunks):
        assert after.first_sample == before.end_sample + after.health.lost
        assert after.times[0] > before.times[-1]


def test_a_source_that_was_stopped_while_its_link_was_lost_can_be_started_again(playback, tmp_path):
    source = open_source(playback(150).write(tmp_path / "short.tsv") + "&reconnect=60")
    try:
        source.start()
        end = time.monotonic() + 60.0
        while source._attempt is None and time.monotonic() < end:
            source.pull(0.02)
        source.stop()
        source.start()
        chunks, _ = pulled(source, 60.0, until=lambda chunks, _: chunks)
    finally:
        source.close()
    assert chunks[0].health.flags & Flag.RECONNECTED


def test_a_board_that_opens_after_it_was_closed_is_released_with_its_configuration_too(playback, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "_LET_GO", 0.05)
    address = playback(150).write(tmp_path / "short.tsv") + "&reconnect=60&config=loopback_false"
    source = open_source(address)
    shim, prepare = source._shim, source._shim.prepare_session
    asked, opens = threading.Event(), threading.Event()

    def late() -> None:
        asked.set()
        assert opens.wait(60.0)
        prepare()

    monkeypatch.setattr(shim, "prepare_session", late)
    try:
        source.start()
        end = time.monotonic() + 60.0
        while not asked.is_set() and time.monotonic() < end:
            source.pull(0.02)
        attempt = source._attempt
    finally:
        source.close()
    opens.set()
    assert attempt.done.wait(60.0)
    assert not shim.is_prepared()


@pytest.mark.parametrize("closed", [False, True])
def test_a_file_is_played_again_after_each_start(playback, tmp_path, closed):
    source = open_source(playback(150).write(tmp_path / "short.tsv"))
    try:
        for _ in range(2):
            source.start()
            assert not source.ended
            chunks, _ = pulled(source, 60.0, until=lambda _, __: source.ended)
            assert sum(chunk.n_times for chunk in chunks) == 150
            source.stop()
            if closed:
                source.close()
    finally:
        source.close()


def test_opening_twice_is_one_clear_error():
    with open_source("brainflow:synthetic"), pytest.raises(SourceError, match="already open in this process"):
        open_source("brainflow:synthetic")


def test_a_stream_that_is_stopped_and_started_again_counts_the_time_between(stalls):
    waited = stalls()
    source = open_source("brainflow:synthetic")
    try:
        source.start()
        before = source.pull(60.0)
        while before.end_sample < 100:
            before = source.pull(60.0)
        source.stop()
        time.sleep(0.6)
        source.start()
        after = source.pull(60.0)
        busy = waited.seconds
    finally:
        source.close()
    assert after.health.flags & Flag.RECONNECTED
    passed = float(after.times[0] - before.times[-1])
    assert passed >= 0.6
    assert after.first_sample == before.end_sample + after.health.lost
    assert after.health.lost == pytest.approx(passed * 250 - 1, abs=15 + 250 * busy)
    assert source.status().reconnects == 0


def test_a_driver_that_never_comes_back_does_not_keep_a_session_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brainflow, "_LET_GO", 0.1)
    come_back = threading.Event()
    source = open_source("brainflow:synthetic")
    real = source._shim
    source.start()
    asked: list[str] = []

    class Hangs:
        def stop_stream(self) -> None:
            asked.append("stop")
            assert come_back.wait(60)

    source._shim = Hangs()
    try:
        source.stop()
        with pytest.raises(SourceError, match="the driver hangs"):
            source.start()
        # It is not asked once more, which would take as long again.
        source.close()
        wait_for(lambda: asked)
        assert asked == ["stop"]
    finally:
        come_back.set()
        real.release_session()


def test_what_a_driver_does_wrong_at_its_end_is_not_swallowed() -> None:
    def broken() -> None:
        raise OSError("no such handle")

    with pytest.raises(OSError, match="no such handle"):
        brainflow._in_time(broken)
