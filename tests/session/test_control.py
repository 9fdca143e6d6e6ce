import json
import time

import pytest

from bcikit.session.channel import ChannelServer
from bcikit.session.control import ControlClient
from bcikit.session.frames import ANSWER, ORDER
from bcikit.session.ticket import ENV_TICKET, Ticket
from bcikit.signal import ArgumentError, BciError


@pytest.fixture
def server():
    server = ChannelServer()
    yield server
    server.close()


@pytest.fixture
def client(server: ChannelServer, monkeypatch: pytest.MonkeyPatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    client = ControlClient.from_environment()
    assert client is not None
    yield client
    client.close()


def answer_to(client: ControlClient, message: bytes) -> dict[str, object]:
    line = client._lines["orders"]
    line.send(ORDER, message)
    got = line.receive(10)
    assert got is not None
    assert got[0] == ANSWER
    return dict(json.loads(got[1]))


def test_orders_arrive_in_order_and_a_stop_first(server: ChannelServer, client: ControlClient) -> None:
    client.send({"do": "pause"})
    client.send({"do": "note", "text": "coughed"})
    client.send({"do": "stop", "reason": "patient"})
    assert server.poll() == [
        {"do": "stop", "reason": "patient"},
        {"do": "pause"},
        {"do": "note", "text": "coughed"},
    ]
    assert server.poll() == []


@pytest.mark.requirement("SAF-098")
def test_a_flood_never_loses_the_stop(server: ChannelServer, client: ControlClient) -> None:
    client.send({"do": "stop", "reason": "first"})
    for number in range(400):
        client.send({"do": "note", "text": str(number)})
    orders = server.poll()
    assert orders[0]["do"] == "stop"
    assert len(orders) == 257


def test_unknown_and_malformed_orders_are_refused(server: ChannelServer, client: ControlClient) -> None:
    with pytest.raises(BciError, match="allowed: 'acknowledge'"):
        client.send({"do": "move"})
    assert "a list" in str(answer_to(client, b"[1, 2]")["error"])
    assert answer_to(client, b"\xff\xfe nonsense")["ok"] is False
    client.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]
    with pytest.raises(ArgumentError, match="do is None"):
        server.put({})


@pytest.mark.requirement("SAF-098")
def test_a_wrong_key_gets_nowhere(server: ChannelServer, client: ControlClient) -> None:
    with pytest.raises(BciError, match="refuses the key"):
        ControlClient(Ticket(server.ticket("therapist").port, "therapist", b"\0" * 32))
    client.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]


@pytest.mark.requirement("SAF-098")
def test_messages_of_any_shape_are_answered(server: ChannelServer, client: ControlClient) -> None:
    for message in (b"[" * 60_000, b"\x00" * 100, b"1e999", b'{"do": ["stop"]}', b'{"do": {"x": 1}}'):
        assert answer_to(client, message)["ok"] is False
    client._lines["orders"].send(ORDER, b"x" * 70_000)
    with pytest.raises((EOFError, OSError)):
        client._lines["orders"].receive(10)
    other = ControlClient(server.ticket("therapist"))
    other.send({"do": "stop", "reason": "still heard"})
    other.close()
    assert server.poll() == [{"do": "stop", "reason": "still heard"}]


def test_a_line_that_was_cut_is_opened_again(server: ChannelServer, client: ControlClient) -> None:
    for peer in server._door.peers[:]:
        peer.line.shutdown(2)
    client.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]


def test_without_an_engine_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV_TICKET, raising=False)
    assert ControlClient.from_environment() is None


def test_an_engine_that_is_gone_is_said() -> None:
    server = ChannelServer()
    client = ControlClient(server.ticket("therapist"))
    time.sleep(0.05)
    server.close()
    with pytest.raises(BciError, match=r"The engine|No session"):
        client.send({"do": "pause"})
    client.close()
