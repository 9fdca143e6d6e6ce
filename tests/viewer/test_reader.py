"""Readers and orders: a slow or broken network is shown, never swallowed, and never holds the window."""

import threading
import time
from typing import Any

import numpy as np

from bcikit.acquisition import Source
from bcikit.signal import BciError, Chunk, SourceError, StreamInfo
from bcikit.ui.orders import Orders
from bcikit.ui.reader import StreamReader
from tests.stalls import wait_for


class Counting(Source):
    def __init__(self, *, fail: bool = False) -> None:
        self.info = StreamInfo(name="counting", sfreq=100.0, ch_names=("a",))
        self.sample, self.closed, self.fail = 0, False, fail

    def start(self) -> None:
        pass

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        if self.sample >= 50:
            if self.fail:
                raise SourceError("the cable is out")
            return None
        chunk = Chunk(np.zeros((10, 1)), np.arange(self.sample, self.sample + 10) / 100, self.sample)
        self.sample += 10
        return chunk

    @property
    def ended(self) -> bool:
        return self.sample >= 50 and not self.fail

    def close(self) -> None:
        self.closed = True


def test_every_chunk_arrives_and_the_source_is_closed() -> None:
    source = Counting()
    reader = StreamReader(lambda: source)
    reader.start()
    wait_for(lambda: reader.ended)
    assert [chunk.first_sample for chunk in reader.take()] == [0, 10, 20, 30, 40]
    assert reader.take() == []
    assert source.closed
    assert reader.fault == ""


def test_a_fault_is_published() -> None:
    reader = StreamReader(lambda: Counting(fail=True))
    reader.start()
    wait_for(lambda: reader.fault)
    assert reader.fault == "the cable is out"


def test_a_patient_reader_waits_until_the_stream_is_there() -> None:
    tries = [0]

    def opener() -> Source:
        tries[0] += 1
        if tries[0] < 3:
            raise SourceError("no such stream")
        return Counting()

    reader = StreamReader(opener, patient=True)
    reader.start()
    wait_for(lambda: reader.ended)
    assert tries[0] == 3
    assert reader.fault == ""
    hasty = StreamReader(lambda: (_ for _ in ()).throw(SourceError("no such stream")))
    hasty.start()
    wait_for(lambda: hasty.fault)
    assert hasty.fault == "no such stream"


def test_a_simulation_is_shown_at_its_own_pace() -> None:
    source = Counting()
    source.live = False
    reader = StreamReader(lambda: source)
    begin = time.monotonic()
    reader.start()
    wait_for(lambda: reader.ended)
    # Half a second of signal; the first chunk of a tenth comes at once.
    assert time.monotonic() - begin >= 0.35
    assert len(reader.take()) == 5


class Bursts(Counting):
    """A live stream that is cut into many chunks, as one that loses samples is."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0
        self.left = 0

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        if timeout > 0:
            self.waits += 1
            self.left = 40
        if self.left == 0 or self.sample >= 400:
            return None
        self.left -= 1
        self.sample += 2
        return Chunk(np.zeros((1, 1)), np.array([self.sample / 100]), self.sample)

    @property
    def ended(self) -> bool:
        return self.sample >= 400


def test_a_live_stream_is_emptied_once_a_frame() -> None:
    source = Bursts()
    reader = StreamReader(lambda: source)
    reader.start()
    wait_for(lambda: reader.ended)
    assert [chunk.first_sample for chunk in reader.take()] == list(range(2, 402, 2))
    # Forty chunks a wake-up: a stream in pieces must not fall behind by waiting for each.
    assert source.waits == 5


class Slow:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.go = threading.Event()

    def send(self, order: dict[str, Any]) -> None:
        if order["do"] != "stop":
            self.go.wait(20)
        if order["do"] == "pause":
            raise BciError("the engine is gone")
        self.sent.append(order["do"])

    def close(self) -> None:
        pass


def test_a_stop_overtakes_what_waits_and_errors_are_told() -> None:
    client = Slow()
    orders = Orders(client)
    for what in ("note", "note", "pause", "stop"):
        orders.send(what)
    wait_for(lambda: client.sent == ["stop"])
    client.go.set()
    orders.close()
    assert sorted(client.sent) == ["note", "note", "stop"]
    assert orders.errors == ["the engine is gone"]


def test_without_an_engine_orders_go_nowhere() -> None:
    orders = Orders(None)
    assert not orders.possible
    orders.send("stop")
    orders.close()
