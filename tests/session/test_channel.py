"""The channel of a session: who may join, what one is told, and that nobody is kept waiting by anybody."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bcikit.session.channel import MOST_BYTES, ChannelServer
from bcikit.session.control import RIGHTS, ChannelReader, ControlClient
from bcikit.session.door import GREETING_SECONDS
from bcikit.session.frames import HELLO, Signal, Unframer, frame, pack_signal, unpack_signal
from bcikit.session.ticket import ROLES, Ticket
from bcikit.signal import ArgumentError, BciError, Chunk, DataError, Event, Flag, Health, StreamInfo
from bcikit.signal.messages import (
    Alarmed,
    Beat,
    Filtered,
    Happened,
    LinkHealth,
    Message,
    OutputState,
    Raw,
    Snapshot,
    StateChanged,
    Streams,
)
from tests.stalls import Stalls, wait_for

Join = Callable[[Ticket], ChannelReader]
Order = Callable[[Ticket], ControlClient]
INFO = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"), positions=((0.0, 0.1, 0.2), (np.nan,) * 3))


@pytest.fixture
def server() -> Iterator[ChannelServer]:
    server = ChannelServer()
    yield server
    server.close()


@pytest.fixture
def read() -> Iterator[Callable[[Ticket], ChannelReader]]:
    """Return a function that joins to listen; whatever becomes of the test, its lines are closed."""
    made: list[ChannelReader] = []

    def join(ticket: Ticket) -> ChannelReader:
        made.append(ChannelReader(ticket))
        return made[-1]

    yield join
    for reader in made:
        reader.close()


@pytest.fixture
def order() -> Iterator[Callable[[Ticket], ControlClient]]:
    """Return a function that joins to order; whatever becomes of the test, its lines are closed."""
    made: list[ControlClient] = []

    def join(ticket: Ticket) -> ControlClient:
        made.append(ControlClient(ticket))
        return made[-1]

    yield join
    for client in made:
        client.close()


def hear(reader: ChannelReader, n: int, *, beats: bool = False, seconds: float = 60.0) -> list[Message | Signal]:
    found: list[Message | Signal] = []
    end = time.monotonic() + seconds
    while len(found) < n:
        assert time.monotonic() < end, found
        got = reader.read(0.5)
        if got is not None and (beats or not isinstance(got, Beat)):
            found.append(got)
    return found


def chunk(first: int = 0, n: int = 5, channels: int = 2) -> Chunk:
    data = np.arange(n * channels, dtype=np.float64).reshape(n, channels)
    return Chunk(data, np.arange(n) / 250.0, first)


def test_who_joins_late_again_or_twice_gets_everything_first(server: ChannelServer, read: Join) -> None:
    server.say(Streams(raw=INFO.to_dict(), title="imagery"))
    server.say(StateChanged(state="STANDBY"))
    server.say(StateChanged(state="ACTIVE", time=3.0))
    server.say(Alarmed(rule="H-STALL", level="WARNING", since=2.0))
    server.say(OutputState(address="hand:", state={"closure": 0.5}))
    for number in range(3):
        server.say(Happened(event=Event(name=f"cue/{number}", time=float(number))))
    readers = [read(server.ticket("observer")) for _ in range(2)]
    for reader in readers:
        (first,) = hear(reader, 1)
        assert isinstance(first, Snapshot)
        kinds = [part.type for part in first.messages]
        assert kinds == ["streams", "state", "output", "alarm", "event", "event", "event"]
        assert [p.state for p in first.messages if isinstance(p, StateChanged)] == ["ACTIVE"]
        streams = first.messages[0]
        assert isinstance(streams, Streams)
        assert StreamInfo.from_dict(dict(streams.raw)).ch_names == INFO.ch_names
    server.say(StateChanged(state="SAFE_STOP", time=4.0, rule="A-STOP"))
    for reader in readers:
        (then,) = hear(reader, 1)
        assert then == StateChanged(state="SAFE_STOP", time=4.0, rule="A-STOP")
    readers[0].close()
    again = read(server.ticket("observer"))
    (first,) = hear(again, 1)
    assert isinstance(first, Snapshot)
    assert StateChanged(state="SAFE_STOP", time=4.0, rule="A-STOP") in first.messages


def test_every_message_has_a_sequence_and_an_age(server: ChannelServer, read: Join) -> None:
    reader = read(server.ticket("observer"))
    hear(reader, 1)
    for number in range(5):
        server.say(Happened(event=Event(name=f"cue/{number}", time=float(number))))
    said = []
    while len(said) < 5:
        got = reader._line.receive(5)
        assert got is not None
        values = json.loads(got[1])
        if values["type"] == "event":
            said.append((values["seq"], values["age"], values["v"]))
    assert [seq for seq, _, _ in said] == list(range(said[0][0], said[0][0] + 5))
    assert all(0 <= age < 60 and version == 1 for _, age, version in said)


def test_signals_go_as_numbers_and_come_back_the_same(server: ChannelServer, read: Join) -> None:
    reader = read(server.ticket("window"))
    hear(reader, 1)
    wait_for(lambda: server.n_readers)
    mask = np.zeros((5, 2), dtype=np.uint8)
    mask[1, 1] = 3
    sent = Chunk(np.full((5, 2), np.nan), np.arange(5) / 250, 77, Health(3, mask, 0.02, Flag.GAP | Flag.CLOCK))
    server.say(Raw(chunk=sent, time=1.0))
    server.say(Filtered(chunk=chunk(5), time=1.0))
    raw, filtered = hear(reader, 2)
    assert isinstance(raw, Signal)
    assert isinstance(filtered, Signal)
    assert (raw.kind, filtered.kind) == ("raw", "filtered")
    assert filtered.sequence == raw.sequence + 1
    np.testing.assert_array_equal(raw.chunk.data, sent.data)
    np.testing.assert_array_equal(raw.chunk.times, sent.times)
    np.testing.assert_array_equal(raw.chunk.health.mask, mask)
    assert (raw.chunk.first_sample, raw.chunk.health.lost, raw.chunk.health.age) == (77, 3, 0.02)
    assert raw.chunk.health.flags == Flag.GAP | Flag.CLOCK
    np.testing.assert_array_equal(filtered.chunk.data, chunk(5).data)


def test_a_signal_frame_of_another_length_is_refused() -> None:
    payload = pack_signal(Raw(chunk=chunk(), time=0.0), sequence=1, age=0.0)
    for wrong in (payload[:-1], payload + b"x", payload[:10], b""):
        with pytest.raises(DataError):
            unpack_signal(wrong)


def test_frames_come_out_whole_whatever_the_pieces() -> None:
    unframer = Unframer(100)
    data = frame(b"J", b"one") + frame(b"O", b"") + frame(b"J", b"three")
    found = [item for byte in data for item in unframer.feed(bytes([byte]))]
    assert found == [(b"J", b"one"), (b"O", b""), (b"J", b"three")]
    with pytest.raises(DataError, match="allowed: 100"):
        unframer.feed(frame(b"J", b"x" * 101))


def test_signals_that_nobody_reads_are_not_kept(server: ChannelServer) -> None:
    for number in range(1000):
        server.say(Raw(chunk=chunk(5 * number), time=0.0))
    assert len(server._said) == 0


@pytest.mark.requirement("SAF-098")
@pytest.mark.requirement("SAF-139")
@pytest.mark.parametrize("role", list(ROLES))
def test_each_role_orders_what_it_may_and_nothing_else(server: ChannelServer, role: str, order: Order) -> None:
    needs = {
        "acknowledge": {"reason": "seen"},
        "deadman": {"held": True},
        "difficulty": {"value": 0.5},
        "estop": {"pressed": True},
        "idletest": {"seconds": 60.0},
        "note": {"text": "coughed"},
    }
    client = order(server.ticket(role))
    for do in sorted(RIGHTS["therapist"]):
        asked = {"do": do, **needs.get(do, {})}
        if do in RIGHTS[role]:
            client.send(asked)
        else:
            with pytest.raises(BciError, match=f"joined as {role} may not order '{do}'"):
                client.send(asked)
    assert {got["do"] for got in server.poll()} == RIGHTS[role]


@pytest.mark.requirement("SAF-098")
def test_the_key_of_one_role_is_not_that_of_another(server: ChannelServer) -> None:
    observer = server.ticket("observer")
    with pytest.raises(BciError, match="refuses the key"):
        ControlClient(Ticket(observer.port, "therapist", observer.key))
    with pytest.raises(BciError, match="refuses the key"):
        ChannelReader(Ticket(observer.port, "observer", b"\0" * 32))


@pytest.mark.requirement("SAF-098")
def test_a_greeting_that_was_overheard_opens_nothing(server: ChannelServer) -> None:
    hello = frame(HELLO, server.ticket("therapist").hello("orders", b"n" * 32))
    answers = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", server.ticket("therapist").port), timeout=60) as line:
            line.sendall(hello)
            answers.append(line.recv(4096))
    assert answers[0]
    assert answers[1] == b""


def test_what_listens_without_the_key_is_no_session() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ticket = Ticket(other.getsockname()[1], "therapist", b"k" * 32)

        def answer() -> None:
            line, _ = other.accept()
            line.recv(4096)
            line.sendall(frame(b"W", b'{"words": "{}", "proof": "00"}'))
            line.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BciError, match="does not have the key"):
            ChannelReader(ticket)
        thread.join(10)


def test_a_ticket_is_one_word_and_tells_no_key_in_its_repr(server: ChannelServer) -> None:
    ticket = server.ticket("observer")
    assert Ticket.parse(ticket.text) == ticket
    assert ticket.key.hex() not in repr(ticket)
    assert Ticket.from_environment(ticket.environment) == ticket
    assert Ticket.from_environment({}) is None
    for wrong in (
        "",
        "observer:00@0.0.0.0:1",
        "observer:xyz@127.0.0.1:1",
        "king:00@127.0.0.1:1",
        "observer:@127.0.0.1:1",
    ):
        with pytest.raises(ArgumentError):
            Ticket.parse(wrong)


def test_a_beat_tells_how_long_the_engine_has_not_moved(server: ChannelServer, read: Join) -> None:
    reader = read(server.ticket("observer"))
    server.touch()
    time.sleep(0.6)
    ages = [got.engine_age for got in hear(reader, 6, beats=True) if isinstance(got, Beat)]
    assert max(ages) > 0.5
    end = time.monotonic() + 60
    while True:
        server.touch()
        got = reader.read(0.5)
        if isinstance(got, Beat) and got.engine_age < 0.3:
            break
        assert time.monotonic() < end


@pytest.mark.requirement("SAF-098")
def test_a_frozen_reader_holds_up_nobody_and_gets_a_new_snapshot(server: ChannelServer, read: Join) -> None:
    frozen, awake = read(server.ticket("observer")), read(server.ticket("observer"))
    for reader in (frozen, awake):
        hear(reader, 1)
    wait_for(lambda: server.n_readers == 2)
    heard: list[int] = []
    stop = threading.Event()

    def listen() -> None:
        while not stop.is_set():
            got = awake.read(0.2)
            if isinstance(got, Signal):
                heard.append(got.chunk.first_sample)

    thread = threading.Thread(target=listen)
    thread.start()
    big = np.zeros((1000, 64))
    text = "x" * 100_000
    try:
        for number in range(200):
            # The session goes on and so does who listens, though the other takes nothing at all.
            server.say(Raw(chunk=Chunk(big, np.arange(1000) / 1000, 1000 * number), time=float(number)))
            server.say(Happened(event=Event(name="marker", time=float(number), data={"text": text})))
            wait_for(lambda n=number: len(heard) > n)
        server.say(StateChanged(state="ACTIVE", time=500.0))
    finally:
        stop.set()
        thread.join(10)
    assert heard == list(range(0, 200_000, 1000))
    assert all(peer.waiting < MOST_BYTES + 2**20 for peer in server._door.peers)
    # What was frozen wakes: some of the old, then all that counts now.
    snapshots: list[Snapshot] = []
    end = time.monotonic() + 60
    while not snapshots:
        assert time.monotonic() < end
        got = frozen.read(0.5)
        if isinstance(got, Snapshot):
            snapshots.append(got)
    assert StateChanged(state="ACTIVE", time=500.0) in snapshots[0].messages


@pytest.mark.requirement("SAF-098")
def test_1600_half_open_callers_keep_no_stop_and_no_window_waiting(
    server: ChannelServer, order: Order, stalls: Callable[[], Stalls]
) -> None:
    resource = pytest.importorskip("resource", reason="limits of handles are POSIX")

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    client = order(server.ticket("therapist"))
    ports = (server._door.port, server._stop_door.port)
    callers: list[socket.socket] = []
    took: list[float] = []
    try:
        for number in range(1600):
            callers.append(socket.create_connection(("127.0.0.1", ports[number % 2]), timeout=60))
            if number % 3 == 0:
                callers[-1].sendall(b"\0")
            if number % 200 == 199:
                begin, waited = time.monotonic(), stalls()
                client.send({"do": "stop", "reason": "old line"})
                fresh = order(server.ticket("therapist"))
                fresh.send({"do": "stop", "reason": "new line"})
                fresh.close()
                took.append(time.monotonic() - begin - waited.seconds)
                assert server.poll() == [{"do": "stop", "reason": "new line"}]
        assert server._door.n_strangers <= 96
        assert max(took) < 1.0
    finally:
        for caller in callers:
            caller.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.requirement("SAF-098")
def test_who_speaks_a_byte_at_a_time_is_cut_off(server: ChannelServer, stalls: Callable[[], Stalls]) -> None:
    hello = frame(HELLO, server.ticket("therapist").hello("orders", b"n" * 32))
    begin, waited = time.monotonic(), stalls()
    with socket.create_connection(("127.0.0.1", server.ticket("therapist").port), timeout=60) as line:
        cut = False
        while not cut and time.monotonic() - begin < 60:
            try:
                line.sendall(hello[:1])
                hello = hello[1:] or b"\0"
            except OSError:
                cut = True
            time.sleep(0.1)
    assert cut
    assert time.monotonic() - begin < GREETING_SECONDS + 5 + waited.seconds


@pytest.mark.requirement("SAF-098")
def test_a_door_without_handles_left_opens_again(server: ChannelServer, order: Order) -> None:
    resource = pytest.importorskip("resource", reason="limits of handles are POSIX")

    client = order(server.ticket("therapist"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = Path("/proc/self/fd")
    used = len(list(own.iterdir())) if own.is_dir() else 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, before[1]))
    held: list[int] = []
    callers: list[socket.socket] = []
    try:
        for _ in range(6):
            callers.append(socket.create_connection(("127.0.0.1", server._stop_door.port), timeout=60))
        while True:
            try:
                held.append(os.dup(0))
            except OSError:
                break
        # One handle for the caller, none for the door.
        os.close(held.pop())
        callers.append(socket.create_connection(("127.0.0.1", server._door.port), timeout=60))
        client.send({"do": "stop", "reason": "while there are no handles"})
        time.sleep(0.3)
    finally:
        for handle in held:
            os.close(handle)
        for caller in callers:
            caller.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert server.poll() == [{"do": "stop", "reason": "while there are no handles"}]
    again = order(server.ticket("therapist"))
    again.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]
    assert server._door.fault == server._stop_door.fault == ""


@pytest.mark.requirement("SAF-098")
def test_a_stop_is_handed_on_while_the_session_is_busy(server: ChannelServer, order: Order) -> None:
    called: list[tuple[str, str]] = []
    server.at_once.append(lambda got: called.append((str(got["do"]), threading.current_thread().name)))
    client = order(server.ticket("therapist"))
    client.send({"do": "pause"})
    client.send({"do": "stop", "reason": "while it trains"})
    assert called == [("pause", "bcikit-channel"), ("stop", "bcikit-stop")]
    assert [got["do"] for got in server.poll()] == ["stop", "pause"]


def test_the_session_listens_on_loopback_only(server: ChannelServer) -> None:
    for door in (server._door, server._stop_door):
        assert door._listener.getsockname()[0] == "127.0.0.1"


def test_the_last_word_arrives(server: ChannelServer, read: Join) -> None:
    reader = read(server.ticket("observer"))
    hear(reader, 1)
    wait_for(lambda: server.n_readers)
    server.say(LinkHealth(lost=1, received=9))
    server.say(StateChanged(state="FINISHED"))
    server.close()
    assert hear(reader, 2) == [LinkHealth(lost=1, received=9), StateChanged(state="FINISHED")]
    with pytest.raises((EOFError, OSError)):
        hear(reader, 100)
