"""The line of a window to a session: late, again, silent, gone; a window says so within a second."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget

from bcikit.session.channel import ChannelServer
from bcikit.session.ticket import Ticket
from bcikit.signal import Chunk, StreamInfo
from bcikit.signal.messages import Raw, Snapshot, StateChanged, Streams
from bcikit.ui.session_link import STALE_SECONDS, SessionLink
from bcikit.ui.theme import DARK
from bcikit.ui.veil import Veil
from tests.stalls import Stalls

Listen = Callable[..., SessionLink]
INFO = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))


@pytest.fixture
def server() -> Iterator[ChannelServer]:
    server = ChannelServer()
    yield server
    server.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., SessionLink]]:
    """Return a function that starts a line to a session; whatever becomes of the test, it is ended."""
    started: list[SessionLink] = []

    def start(ticket: Ticket | Callable[[], Ticket | None]) -> SessionLink:
        started.append(SessionLink(ticket).start())
        return started[-1]

    yield start
    for link in started:
        link.halt()


def wait_for(true: Callable[[], object], *, touch: ChannelServer | None = None, seconds: float = 60.0) -> float:
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds
        if touch is not None:
            touch.touch()
        time.sleep(0.02)
    return time.monotonic() - begin


def test_a_session_that_takes_its_time_is_waited_for_and_why_is_shown(server: ChannelServer, listen: Listen) -> None:
    tickets: list[Ticket] = []
    link = listen(lambda: tickets[0] if tickets else None)
    # Its thread may be slow to begin: why is known once it has tried.
    wait_for(lambda: "it has not begun" in link.why)
    assert link.stale
    assert "The session is not there yet" in link.why
    # A ticket of a session that is gone, then the right one.
    gone = ChannelServer()
    tickets.append(gone.ticket("observer"))
    gone.close()
    wait_for(lambda: "No session listens" in link.why)
    server.say(StateChanged(state="STANDBY"))
    tickets[0] = server.ticket("observer")
    wait_for(lambda: not link.stale, touch=server)
    wait_for(lambda: link.why == "", touch=server)
    first = link.take()[0]
    assert isinstance(first, Snapshot)
    assert StateChanged(state="STANDBY") in first.messages


def test_signals_arrive_by_the_name_of_their_stream(server: ChannelServer, listen: Listen) -> None:
    server.say(Streams(raw=INFO.to_dict()))
    link = listen(server.ticket("window"))
    wait_for(lambda: link.raw.info is not None and server.n_readers)
    assert link.raw.info is not None
    assert link.raw.info.ch_names == INFO.ch_names
    assert link.filtered.info is None
    server.say(Raw(chunk=Chunk(np.ones((5, 2)), np.arange(5) / 250, 10), time=0.0))
    got: list[Chunk] = []
    wait_for(lambda: got.extend(link.raw.take()) or got)
    assert got[0].first_sample == 10


def test_an_engine_that_does_not_move_is_told_within_a_second_though_its_channel_lives(
    server: ChannelServer, listen: Listen, stalls: Callable[[], Stalls]
) -> None:
    link = listen(server.ticket("observer"))
    # From before the last touch on: what is lost between it and the first look shortens what is measured.
    waited = stalls()
    wait_for(lambda: link.joined and not link.stale, touch=server)
    took = wait_for(lambda: link.stale)
    assert STALE_SECONDS - 0.3 - waited.seconds < took < 3.0 + waited.seconds
    assert link.connected
    assert "has not moved" in link.why
    wait_for(lambda: not link.stale, touch=server)


def test_a_session_that_is_gone_is_told_and_orders_say_so(server: ChannelServer, listen: Listen) -> None:
    link = listen(server.ticket("therapist"))
    wait_for(lambda: link.joined and not link.stale, touch=server)
    link.orders.send("pause")
    wait_for(lambda: server._orders, touch=server)
    server.close()
    # Closing may take longer than it takes to be silent; then the line is not known to be cut yet.
    wait_for(lambda: "Nothing was heard" in link.why)
    assert link.stale
    link.orders.send("stop")
    wait_for(lambda: link.orders.errors)


def test_the_line_of_stop_is_open_before_it_is_needed(server: ChannelServer, listen: Listen) -> None:
    link = listen(server.ticket("therapist"))
    wait_for(lambda: any(peer.purpose == "stop" for peer in server._stop_door.peers))
    link.orders.send("stop", reason="patient")
    wait_for(lambda: "stop" in server._stops)


def test_the_veil_greys_everything_but_stop_and_says_why(qtbot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(800, 500)
    stop = QPushButton("STOP", window)
    stop.setGeometry(600, 20, 150, 50)
    veil = Veil(window, DARK, keep=(stop,))
    window.show()
    qtbot.waitExposed(window)
    assert not veil.isVisible()
    veil.say("Nothing was heard of the session for 3 s")
    assert veil.isVisible()
    assert veil.geometry() == window.rect()
    assert not veil.mask().contains(stop.geometry().center())
    assert veil.mask().contains(window.rect().center())
    window.resize(900, 600)
    assert veil.geometry() == window.rect()
    clicked: list[bool] = []
    stop.clicked.connect(lambda: clicked.append(True))
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert clicked
    veil.say("")
    assert not veil.isVisible()
