import socket
import time

import pytest

from bcikit.session.control import ENV_ADDRESS, ENV_KEY, ControlClient, ControlServer
from bcikit.signal import ArgumentError, BciError


@pytest.fixture
def server():
    server = ControlServer()
    yield server
    server.close()


@pytest.fixture
def client(server: ControlServer, monkeypatch: pytest.MonkeyPatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    client = ControlClient.from_environment()
    assert client is not None
    yield client
    client.close()


def test_orders_arrive_in_order_and_a_stop_first(server: ControlServer, client: ControlClient) -> None:
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
def test_a_flood_never_loses_the_stop(server: ControlServer, client: ControlClient) -> None:
    client.send({"do": "stop", "reason": "first"})
    for number in range(400):
        client.send({"do": "note", "text": str(number)})
    orders = server.poll()
    assert orders[0]["do"] == "stop"
    assert len(orders) == 257


def test_unknown_and_malformed_orders_are_refused(server: ControlServer, client: ControlClient) -> None:
    with pytest.raises(BciError, match="allowed: 'acknowledge'"):
        client.send({"do": "move"})
    client._connection.send_bytes(b"[1, 2]")
    assert b"a list" in client._connection.recv_bytes()
    client._connection.send_bytes(b"\xff\xfe nonsense")
    assert b"error" in client._connection.recv_bytes()
    client.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]
    with pytest.raises(ArgumentError, match="do is None"):
        server.put({})


@pytest.mark.requirement("SAF-098")
def test_a_wrong_key_gets_nowhere(server: ControlServer, client: ControlClient) -> None:
    with pytest.raises(BciError, match="No engine takes orders"):
        ControlClient(server.environment[ENV_ADDRESS], "00" * 32)
    client.send({"do": "pause"})
    assert server.poll() == [{"do": "pause"}]


@pytest.mark.requirement("SAF-098")
def test_strangers_who_say_nothing_or_half_keep_nobody_waiting(server: ControlServer) -> None:
    host, _, port = server.environment[ENV_ADDRESS].rpartition(":")
    strangers = []
    try:
        for number in range(80):
            stranger = socket.create_connection((host, int(port)), timeout=5)
            strangers.append(stranger)
            if number % 2:
                # The length of a message, and then nothing.
                stranger.sendall(b"\x00\x00\x00\x40")
        client = ControlClient(server.environment[ENV_ADDRESS], server.environment[ENV_KEY])
        client.send({"do": "stop", "reason": "patient"})
        client.close()
        assert server.poll() == [{"do": "stop", "reason": "patient"}]
        assert len([thread for thread in server._readers if thread.is_alive()]) <= 80
        for stranger in strangers:
            stranger.settimeout(5)
            while stranger.recv(4096):
                pass  # What comes is the question for the key; then the line is cut.
    finally:
        for stranger in strangers:
            stranger.close()


@pytest.mark.requirement("SAF-098")
def test_messages_of_any_shape_are_answered(server: ControlServer, client: ControlClient) -> None:
    for message in (b"[" * 60_000, b"\x00" * 100, b"1e999", b'{"do": ["stop"]}', b'{"do": {"x": 1}}'):
        client._connection.send_bytes(message)
        assert b"error" in client._connection.recv_bytes()
    client._connection.send_bytes(b"x" * 70_000)
    with pytest.raises((EOFError, OSError)):
        client._connection.recv_bytes()
    other = ControlClient(server.environment[ENV_ADDRESS], server.environment[ENV_KEY])
    other.send({"do": "stop", "reason": "still heard"})
    other.close()


def test_without_an_engine_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV_ADDRESS, raising=False)
    monkeypatch.delenv(ENV_KEY, raising=False)
    assert ControlClient.from_environment() is None


def test_an_engine_that_is_gone_is_said() -> None:
    server = ControlServer()
    client = ControlClient(server.environment[ENV_ADDRESS], server.environment[ENV_KEY])
    time.sleep(0.05)
    server.close()
    with pytest.raises(BciError, match="The engine"):
        client.send({"do": "pause"})
    client.close()
