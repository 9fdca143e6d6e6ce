"""What live sources share: growing waits between the tries to have a lost link back."""

import threading
import time

import numpy as np
import pytest

from bcikit.acquisition import live
from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.live import LiveSource, Reconnect
from bcikit.signal import Flag, SourceError, StreamChangedError, StreamInfo, StreamLostError

INFO = StreamInfo(name="amp", sfreq=100.0, ch_names=("a", "b"), source_id="port-1")


class Flaky(LiveSource):
    """Gives a block, loses its link, and comes back at the try that it is told; waits are put down."""

    def __init__(self, *, comes_back, give_up=30.0, error=SourceError):
        super().__init__(INFO, Assembler(INFO), reconnect=Reconnect(first=0.02, longest=0.1, give_up=give_up))
        self.comes_back, self.error = comes_back, error
        self.blocks, self.tries, self.waits, self.discarded = 1, 0, [], []

    def start(self):
        self._begin()

    def _receive(self, timeout):
        if not self.blocks:
            self._link_lost = True
            return []
        self.blocks -= 1
        self._arrival = self._now()
        stamps = self._arrival + np.arange(-9, 1) / 100.0
        return self._assembler.add(np.ones((10, 2)) * np.arange(10)[:, None], stamps, self._arrival)

    def _reopen(self):
        self.tries += 1
        self.waits.append(self._wait)
        if self.tries < self.comes_back:
            raise self.error("not yet")
        return "link"

    def _adopt(self, link):
        self.blocks = 1

    def _discard(self, link):
        self.discarded.append(link)


def test_waits_between_tries_double_up_to_a_limit():
    with Flaky(comes_back=6) as source:
        first = source.pull(60.0)
        second = None
        end = time.monotonic() + 60
        while second is None and time.monotonic() < end:
            second = source.pull(0.2)
        events = [event.name for event in source.pull_events()]
    assert source.waits == [0.02, 0.04, 0.08, 0.1, 0.1, 0.1]
    assert second.health.flags & Flag.RECONNECTED
    assert second.first_sample == first.end_sample + second.health.lost
    assert source.status().reconnects == 1
    assert events.count("stream/lost") == events.count("stream/reconnected") == 1


def test_another_stream_ends_it_at_once():
    with Flaky(comes_back=9, error=StreamChangedError) as source:
        source.pull(60.0)
        with pytest.raises(StreamChangedError, match="not yet"):
            source.pull(60.0)
    assert source.tries == 1


def test_an_error_that_nobody_foresaw_is_not_swallowed():
    with Flaky(comes_back=9, error=ZeroDivisionError) as source:
        source.pull(60.0)
        with pytest.raises(ZeroDivisionError):
            source.pull(60.0)


def test_it_is_given_up_in_the_end():
    with Flaky(comes_back=10_000, give_up=0.3) as source:
        source.pull(60.0)
        with pytest.raises(StreamLostError, match=r"'amp' \(port-1\) is gone"):
            source.pull(60.0)
        with pytest.raises(SourceError, match="not running"):
            source.pull(0.1)


def test_a_link_that_comes_back_when_it_is_stopped_is_given_back():
    source = Flaky(comes_back=1)
    source.start()
    source.pull(60.0)
    source.pull(0.0)
    source.close()
    assert source.discarded == (["link"] if source.tries else [])


def test_a_link_that_opens_long_after_it_was_stopped_is_given_back(monkeypatch):
    monkeypatch.setattr(live, "_LET_GO", 0.05)
    opens = threading.Event()

    class Slow(Flaky):
        def _reopen(self):
            assert opens.wait(60.0)
            return super()._reopen()

    source = Slow(comes_back=1)
    source.start()
    while source._attempt is None:
        source.pull(0.01)
    attempt = source._attempt
    source.close()
    assert source.discarded == []
    opens.set()
    assert attempt.done.wait(60.0)
    assert source.discarded == ["link"]


def test_what_was_held_back_when_it_was_stopped_is_of_a_segment_of_its_own():
    source = Flaky(comes_back=1)
    source._assembler = Assembler(INFO, stamped_on_arrival=True)
    source.start()
    assert source.pull(0.0) is None
    source.stop()
    time.sleep(0.3)
    began = source._now()
    source.blocks = 1
    with source:
        stale = source.pull(0.0)
        fresh = source.pull(60.0)
    assert stale.end_sample == 10
    assert stale.times[-1] < began
    assert fresh.health.flags & Flag.RECONNECTED
    assert fresh.first_sample == 10 + fresh.health.lost
    assert fresh.times[-1] > began


class Paced(Flaky):
    """Goes on at its own pace once it is back."""

    def _receive(self, timeout):
        if self.tries:
            time.sleep(0.1)
            self.blocks = 1
        return super()._receive(timeout)


def test_what_was_held_back_of_a_lost_link_does_not_end_its_loss():
    with Paced(comes_back=2) as source:
        source._assembler = Assembler(INFO, stamped_on_arrival=True)
        chunks, end = [], time.monotonic() + 60
        while len(chunks) < 2 and time.monotonic() < end:
            chunk = source.pull(0.2)
            chunks += [] if chunk is None else [chunk]
        names = [event.name for event in source.pull_events()]
    assert chunks[0].end_sample == 10
    assert chunks[1].health.flags & Flag.RECONNECTED
    assert names.count("stream/lost") == names.count("stream/resumed") == 1
    assert names.index("stream/lost") < names.index("stream/reconnected") < names.index("stream/resumed")
