"""A maker's own device: read over a socket, with the clock, the losses and the way back of every live source."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bcikit.acquisition import Block, DriverSource, Link, Reconnect, Source
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.watchdog import Watchdog
from bcikit.signal import Bad, Capabilities, Chunk, Event, HostClock, SourceError, StreamChangedError, StreamInfo
from bcikit.testing import SourceConformance

SFREQ = 250.0
PACKET = struct.Struct("<B2f")


class Amplifier:
    """Sends numbered packets of two channels to whoever connects; some are never sent."""

    def __init__(self, *, lose: range = range(0), cut_at: int | None = None) -> None:
        self._lose, self._cut_at, self.skip = lose, cut_at, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._begin = time.monotonic()

    def _serve(self) -> None:
        number = 0
        while not self._over.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                try:
                    while not self._over.is_set():
                        due = int((time.monotonic() - self._begin) * SFREQ)
                        for n in range(number, due):
                            if self.skip > 0:
                                self.skip -= 1
                            elif n not in self._lose:
                                client.sendall(PACKET.pack(n % 256, n % 1000, 10 * np.sin(n / 5)))
                        number = max(number, due)
                        if self._cut_at is not None and number >= self._cut_at:
                            self._cut_at = None
                            break
                        time.sleep(0.02)
                except OSError:
                    continue

    def close(self) -> None:
        self._over.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


class TcpLink(Link):
    """The driver that a maker writes: bytes to microvolts."""

    def __init__(self, port: int, channels: tuple[str, ...] = ("C3", "C4")) -> None:
        self.info = StreamInfo(name="amp", sfreq=SFREQ, ch_names=channels)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._rest = b""

    def read(self, timeout: float) -> Block | None:
        self._socket.settimeout(max(timeout, 0.001))
        try:
            got = self._socket.recv(65536)
        except TimeoutError:
            return None
        if not got:
            raise ConnectionResetError("the device hung up")
        self._rest += got
        whole = len(self._rest) // PACKET.size * PACKET.size
        rows = np.array(list(PACKET.iter_unpack(self._rest[:whole])), dtype=np.float64).reshape(-1, 3)
        self._rest = self._rest[whole:]
        return Block(data=rows[:, 1:], counter=rows[:, 0])

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def amplifier() -> Iterator[Amplifier]:
    device = Amplifier()
    yield device
    device.close()


def _samples(source: DriverSource, count: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    end = time.monotonic() + 60
    while sum(chunk.n_times for chunk in chunks) < count and time.monotonic() < end:
        if (chunk := source.pull(0.5)) is not None:
            chunks.append(chunk)
    return chunks


class TestDriverSource(SourceConformance):
    """It keeps the contract of every source."""

    @pytest.fixture(autouse=True)
    def _device(self, amplifier: Amplifier) -> None:
        self._amplifier = amplifier

    def open(self) -> Source:
        return DriverSource(lambda: TcpLink(self._amplifier.port), modulus=256)

    def lose(self, source: Source, n: int) -> bool:
        self._amplifier.skip += n
        return True


def test_losses_are_counted_by_the_counter() -> None:
    device = Amplifier(lose=range(100, 137))
    try:
        with DriverSource(lambda: TcpLink(device.port), modulus=256) as source:
            chunks = _samples(source, 400)
            status = source.status()
    finally:
        device.close()
    assert status.lost == 37
    assert status.stamps == "counter"
    assert sum(chunk.health.lost for chunk in chunks) == 37
    values = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    at = np.concatenate([chunk.first_sample + np.arange(chunk.n_times) for chunk in chunks])
    assert np.ptp((values - at) % 1000) == 0, "every sample stands at its number"
    assert abs(chunks[-1].times[-1] - HostClock().now()) < 5.0


def test_a_link_that_breaks_is_had_back_and_nothing_is_lost_unseen() -> None:
    device = Amplifier(cut_at=150)
    try:
        with DriverSource(
            lambda: TcpLink(device.port), modulus=256, reconnect=Reconnect(first=0.05, give_up=20)
        ) as source:
            chunks = _samples(source, 400)
            events = [event.name for event in source.pull_events()]
            status = source.status()
    finally:
        device.close()
    assert status.reconnects == 1
    assert "stream/reconnected" in events
    values = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    at = np.concatenate([chunk.first_sample + np.arange(chunk.n_times) for chunk in chunks])
    assert np.ptp((values - at) % 1000) == 0


def test_a_device_that_comes_back_as_another_is_refused() -> None:
    device = Amplifier(cut_at=60)
    names = iter([("C3", "C4"), ("O1", "O2")])
    try:
        with (
            DriverSource(
                lambda: TcpLink(device.port, next(names)), modulus=256, reconnect=Reconnect(first=0.05)
            ) as source,
            pytest.raises(StreamChangedError, match="O1"),
        ):
            _samples(source, 1000)
    finally:
        device.close()


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (Block(data=np.zeros((5, 3))), r"\(n, 2\) is expected"),
        (Block(data=np.zeros((5, 2)), counter=np.arange(5.0)), "modulus="),
        (Block(data=np.zeros((5, 2)), stamps=np.arange(5.0)), "stamped="),
    ],
)
def test_a_block_that_is_something_else_is_refused(block: Block, says: str) -> None:
    class Wrong(Link):
        info = StreamInfo(name="amp", sfreq=SFREQ, ch_names=("C3", "C4"))

        def read(self, timeout: float) -> Block:
            return block

        def close(self) -> None:
            pass

    with DriverSource(Wrong) as source, pytest.raises(SourceError, match=says):
        source.pull(0.2)


def test_a_device_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match="cannot be opened"):
        DriverSource(lambda: TcpLink(port))


def test_a_silent_link_has_time_to_come_back_by_itself_before_it_is_thrown_away():
    opened = []

    class Chokes(Link):
        info = StreamInfo(name="d", sfreq=100.0, ch_names=("a",))

        def __init__(self):
            opened.append(self)
            self.count = 0

        def read(self, timeout):
            time.sleep(0.01)
            self.count += 1
            # A third of a second in which nothing comes: longer than it takes to count as lost.
            return None if 20 <= self.count < 54 else Block(data=np.full((1, 1), float(self.count)))

        def close(self):
            pass

    watchdog = Watchdog(warn=0.05, stalled=0.1, lost=0.15)
    with DriverSource(Chokes, watchdog=watchdog, reconnect=Reconnect(patience=20.0, give_up=80.0)) as source:
        names, end = [], time.monotonic() + 60.0
        while "stream/resumed" not in names[names.index("stream/lost") :] if "stream/lost" in names else True:
            assert time.monotonic() < end
            source.pull(0.05)
            names += [event.name for event in source.pull_events()]
        assert source.status().reconnects == 0
    assert len(opened) == 1


class OddLink(Link):
    """A driver of a stranger: gives what `make` makes of sample numbers, ten at once, as fast as it is asked."""

    def __init__(self, make: Callable[[np.ndarray], object]) -> None:
        self.info = StreamInfo(name="odd", sfreq=SFREQ, ch_names=("a", "b"))
        self._make, self._n, self._begin = make, 0, time.monotonic()

    def read(self, timeout: float) -> Block | None:
        wait = self._begin + (self._n + 10) / SFREQ - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, timeout))
            return None
        index = np.arange(self._n, self._n + 10)
        self._n += 10
        return self._make(index)  # type: ignore[return-value]

    def close(self) -> None:
        raise RuntimeError("was closed by the driver itself")


def columns(index: np.ndarray) -> np.ndarray:
    return np.stack([index, -index], axis=1).astype(np.float64)


def pull_many(source: DriverSource, times: int) -> None:
    for _ in range(times):
        source.pull(60.0)


BUFFER = np.zeros((10, 2))


def in_one_buffer(index: np.ndarray) -> Block:
    BUFFER[:] = columns(index)
    return Block(data=BUFFER)


@pytest.mark.parametrize(
    "make",
    [
        in_one_buffer,
        lambda index: Block(data=columns(index).astype(np.float32)),
        lambda index: Block(data=columns(index).astype(">i2")),
        lambda index: Block(data=columns(index).tolist()),
    ],
)
def test_samples_are_those_of_the_driver_whatever_it_does_with_its_buffer(make):
    with DriverSource(lambda: OddLink(make)) as source:
        data = np.concatenate([source.pull(60.0).data for _ in range(12)])
    np.testing.assert_array_equal(data[:, 0], np.arange(len(data)))


def test_what_is_masked_is_no_value():
    def make(index):
        return Block(data=np.ma.masked_array(columns(index), mask=columns(index) % 7 == 3))

    with DriverSource(lambda: OddLink(make)) as source:
        chunk = source.pull(60.0)
    assert np.isnan(chunk.data[3, 0])
    assert chunk.health.mask[3, 0]
    assert not np.isnan(chunk.data[5]).any()


def failing(error: Exception) -> Callable[[np.ndarray], object]:
    def make(index: np.ndarray) -> Block:
        if index[0] >= 50:
            raise error
        return Block(data=columns(index))

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda index: (columns(index), None), "read.. gave a tuple; it must be a Block or None"),
        (lambda index: Block(data=columns(index) + 1j), "what are no numbers .complex numbers"),
        (lambda index: Block(data=[[1.0, 2.0], [3.0]]), "what are no numbers"),  # type: ignore[arg-type]
        (lambda index: Block(data=columns(index), events=["press"]), "'press' is no event with a time"),
        (lambda index: Block(data=columns(index), events=[Event(name="b", time=np.nan)]), "is no event with a time"),
        (failing(ValueError("checksum")), "its driver failed .ValueError: checksum"),
    ],
)
def test_a_driver_that_gives_anything_else_is_named(make, words):
    with DriverSource(lambda: OddLink(make)) as source, pytest.raises(SourceError, match=rf"'odd'.*{words}"):
        pull_many(source, 30)


def test_stamps_that_stand_still_are_refused(monkeypatch):
    monkeypatch.setattr("bcikit.acquisition.driver._STILL_SECONDS", 0.2)
    source = DriverSource(lambda: OddLink(lambda index: Block(data=columns(index), stamps=np.zeros(10))), stamped=True)
    with source, pytest.raises(SourceError, match=r"stamps stand still .at 0. while samples come"):
        pull_many(source, 100)


@pytest.mark.parametrize(("uptime", "early"), [(1000.0, False), (1000.0, True), (None, False)])
def test_events_of_a_stamped_driver_are_on_the_clock_of_its_samples(uptime, early):
    begin = HostClock().now() if uptime is None else uptime

    def make(index: np.ndarray) -> Block:
        stamps = begin + index / SFREQ
        if early and index[0] == 0:
            # A button before the first sample: nobody knows yet whose clock that is.
            return Block(data=np.zeros((0, 2)), stamps=np.zeros(0), events=[Event(name="first", time=begin)])
        at = [Event(name="press", time=float(stamps[5]), value=index[5].item())] if index[0] % 50 == 10 else []
        return Block(data=columns(index), stamps=stamps, events=at)

    with DriverSource(lambda: OddLink(make), stamped=True) as source:
        chunks, events = [], []
        while len(events) < 4 or chunks[-1].times[-1] < events[-1].time:
            chunks.append(source.pull(60.0))
            events += [event for event in source.pull_events() if not event.name.startswith("stream/")]
    assert [event.name for event in events][:2] == (["first", "press"] if early else ["press", "press"])
    times = np.concatenate([chunk.times for chunk in chunks])
    values = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    for event in events:
        if event.name == "press":
            assert values[np.argmin(np.abs(times - event.time))] == event.value
        assert abs(event.time - HostClock().now()) < 60.0


def test_a_socket_that_times_out_is_no_lost_link():
    def make(index: np.ndarray) -> Block:
        if index[0] % 20:
            raise TimeoutError("timed out")
        return Block(data=columns(index))

    with DriverSource(lambda: OddLink(make)) as source:
        for _ in range(8):
            source.pull(60.0)
        assert source.status().reconnects == 0
        assert not [event for event in source.pull_events() if event.name == "stream/lost"]


def test_a_driver_that_cannot_open_says_why():
    def connect() -> Link:
        raise RuntimeError("no such adapter")

    with pytest.raises(SourceError, match=r"cannot be opened: its driver failed .RuntimeError: no such adapter"):
        DriverSource(connect)


@pytest.mark.parametrize("value", [1e300, -1e39])
@pytest.mark.parametrize("scale", [None, 187500.0, 1e306])
def test_what_no_electrode_can_give_is_marked_as_railed_whatever_the_full_scale(value, scale):
    info = StreamInfo(
        name="amp",
        sfreq=SFREQ,
        ch_names=("C3", "time_ns"),
        ch_types=("eeg", "misc"),
        capabilities=Capabilities(full_scale=scale),
    )
    data = np.array([[1.0, 1.7e18], [value, 1.7e18], [-1.0, 1.7e18]])
    mask = SampleCheck(info).mask(data)
    assert mask is not None
    assert mask.tolist() == [[0, 0], [int(Bad.RAILED), 0], [0, 0]]
