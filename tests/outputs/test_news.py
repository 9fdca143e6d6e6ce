"""What else outputs do: nobody listens, values of other kinds, pages and pictures, and ends that come twice."""

import errno
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcikit.outputs import open_output, pages
from bcikit.outputs.door import TokenDoor, is_loopback, own_names
from bcikit.outputs.envelope import Sealer, encode
from bcikit.outputs.reports import checked_report
from bcikit.outputs.websocket import WebSocketOutput
from bcikit.safety.levels import Severity
from bcikit.signal import Address, ArgumentError, Command, HostClock, MissingDependencyError

STATE = {"type": "state", "time": 2.0, "state": "PAUSED"}


def order(value: Any = 0.8) -> Command:
    return Command(sequence=1, time=1.0, ttl=0.5, name="close", value=value)


class Deaf:
    """A line that takes nothing."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, _: bytes) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def send(self, *_: Any) -> None:
        raise OSError(errno.ECONNREFUSED, "Connection refused")

    sendto = send

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("address", "inside"), [("serial:", "_line"), ("udp:127.0.0.1:9", "_socket"), ("osc:127.0.0.1:9", "_client")]
)
def test_what_nobody_takes_is_counted_and_no_error(address: str, inside: str) -> None:
    pytest.importorskip({"serial:": "serial", "osc:127.0.0.1:9": "pythonosc"}.get(address, "socket"))
    output = open_output(address)
    line, deaf = getattr(output, inside), Deaf()
    before = output.state()
    setattr(output, inside, deaf)
    output.send(order())
    found = output.state()
    failed = found["failed"] - before["failed"]
    assert (failed, found["sent"], found["safe"]) == (1, before["sent"], False)
    setattr(output, inside, line)
    output.close()
    closed = output.state()
    assert closed["safe"]
    # Once it is closed, nothing goes anywhere, and that is no error either.
    output.send(order())
    output.close()
    assert output.state()["sent"] == closed["sent"]


@pytest.mark.parametrize(
    ("address", "module", "needs"),
    [
        ("serial:", "serial", "A serial output"),
        ("osc:", "pythonosc.udp_client", "An OSC output"),
        ("ws:", "websockets", "A WebSocket output"),
    ],
)
def test_what_is_not_installed_is_said_with_the_way_to_have_it(
    monkeypatch: pytest.MonkeyPatch, address: str, module: str, needs: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"{needs} needs") as caught:
        open_output(address)
    assert "uv sync --extra outputs" in str(caught.value)


@pytest.mark.parametrize("scheme", ["udp", "osc"])
def test_a_host_that_is_unknown_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nobody)
    with pytest.raises(ArgumentError, match=f"{scheme}: the host 'nowhere' is unknown: Name or service not known"):
        open_output(f"{scheme}:nowhere:9000")


def test_osc_carries_words_and_states(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pythonosc")
    sent: list[list[tuple[str, Any]]] = []
    with open_output("osc:127.0.0.1:9") as output:
        monkeypatch.setattr(output, "_bundle", sent.append)
        output.send(order("left"))
        output.send(order(None))
        output.inform(STATE)
        output.inform({"type": "quality", "time": 1.0, "summary": "BAD", "channels": None})
        output.inform({"type": "news", "time": 1.0})
        monkeypatch.undo()
        assert output.state()["to"] == "127.0.0.1:9"
    assert [bundle[0][1][2] for bundle in sent[:2]] == [("s", "left"), ("s", "")]
    assert [bundle[0][0] for bundle in sent[2:]] == ["safety/state"]
    assert sent[2][0][1][1] == ("s", "PAUSED")


def test_lsl_says_who_hears_it_and_nothing_once_it_is_closed() -> None:
    output = open_output("lsl:quiet")
    assert output.reach == "every computer on this network can read it (LSL has no key)"
    output.inform({"type": "decision", "time": 1.0, "classes": ["a", "b"], "probabilities": [0.5], "label": None})
    found = output.state()
    assert found["streams"] == [f"quiet-{what}" for what in ("commands", "markers", "shown", "decisions", "state")]
    output.close()
    sent = output.state()["sent"]
    output.inform(STATE)
    output.send(order())
    output.close()
    assert output.state()["sent"] == sent


def test_the_sheet_of_the_film_that_is_shown_and_of_no_other() -> None:
    shown = {"scene": {"elements": [{"kind": "hands"}, {"kind": "film", "name": "/clinic/lift.gif"}]}}
    picture = pages.film_answer("hand-open.png", None)
    assert (picture.status_code, picture.body[:4]) == (200, b"\x89PNG")
    told = json.loads(pages.film_answer("hand-open.json", shown).body)
    assert told["frames"] > 1
    for name in ("/clinic/other.gif.png", "hand-open.gif", "hand-open", "../pages.py"):
        assert pages.film_answer(name, shown).status_code == 404, name


def test_a_clinics_own_film_can_be_had_while_it_is_shown(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "lift.gif"
    frames = [image.new("RGB", (32, 24), (40 * number, 0, 0)) for number in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    shown = {"scene": {"elements": [{"kind": "film", "name": str(path)}]}}
    assert pages.film_answer(f"{path}.png", shown).status_code == 200
    assert pages.film_answer(f"{path}.png", None).status_code == 404
    gone = {"scene": {"elements": [{"kind": "film", "name": str(tmp_path / "gone.gif")}]}}
    assert pages.film_answer(f"{tmp_path / 'gone.gif'}.png", gone).status_code == 404


def test_a_qr_picture_is_drawn_and_where_it_cannot_be_the_address_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segno")
    assert pages.qr_picture("https://here/enter?code=12345678").startswith("<svg")
    assert len(pages.qr_terminal("https://here/").splitlines()) > 10
    monkeypatch.setitem(sys.modules, "segno", None)
    assert pages.qr_terminal("https://here/") == ""
    with pytest.raises(MissingDependencyError, match="A QR picture"):
        pages.qr_picture("https://here/")


def test_a_door_for_the_network_knows_the_names_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "ward3.clinic.example")
    addresses = ["10.0.0.7", "fe80::1", "10.0.0.7"]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [(0, 0, 0, "", (one, 0)) for one in addresses])
    names = own_names("0.0.0.0")
    assert names[:5] == ["localhost", "127.0.0.1", "::1", "ward3.clinic.example", "ward3.local"]
    assert "10.0.0.7" in names
    assert "fe80::1" not in names
    assert own_names("10.1.2.3", ["eeg.example"])[3:5] == ["eeg.example", "10.1.2.3"]
    assert not is_loopback("ward3")


def test_a_code_ends_with_its_time_and_a_cookie_that_is_none_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    now, drawn = [0.0], iter(range(100))
    monkeypatch.setattr("bcikit.outputs.door.secrets.randbelow", lambda _: next(drawn))
    door = TokenDoor("a-token-for-this-test", names=["localhost"], clock=lambda: now[0])
    first = door.code
    now[0] += 1000.0
    assert door.enter(f"code={first}").text == "The code is wrong, or no longer good.\n"
    assert door.enter(f"code={door.code}").status == 303
    assert door.enter("").text == "Enter the code.\n"
    for cookie in (None, "bcikit", "a=b; \x00=c", "bcikit=wrong"):
        assert door.may_connect("", cookie, "localhost:9752", None).status == 403, cookie
    assert door.may_connect("token=a-token-for-this-test", None, "evil.example", None).status == 421
    assert door.is_ours("LOCALHOST")
    assert not door.is_ours(None)


def test_a_page_that_leaves_is_said_and_stop_is_one_stop() -> None:
    pytest.importorskip("websockets")
    from websockets.sync.client import connect

    with WebSocketOutput(port=0, screen=True) as output:
        assert WebSocketOutput.can_show(Address.parse("ws:?screen=1"))
        assert not WebSocketOutput.can_show(Address.parse("ws:"))
        assert output.reach == ""
        assert output.qr().startswith("<svg")
        assert output.trouble() is None, "nobody was there yet"
        # Nobody takes a stop here: it is none.
        output._pressed("page", 1.0)
        with connect(f"ws://127.0.0.1:{output.port}/ws?token={output.token}") as page:
            page.recv(timeout=60)
            page.send(json.dumps({"type": "hello", "client": "page", "refresh": 60.0}))
            page.send(json.dumps({"type": "clock", "t": 1.0}))
            while json.loads(page.recv(timeout=60))["type"] != "clock":
                pass
            assert output.trouble() is None
        output._thread.join(0.0)
        found = None
        for _ in range(12_000):
            found = output.trouble()
            if found is not None:
                break
            output._thread.join(0.005)
        assert found is not None
        assert found.value == "no page shows the session"
        assert output.trouble() == found
    output.inform(STATE)
    output.close()
    assert output.state()["safe"]


def test_an_envelope_holds_news_of_any_kind() -> None:
    sealer = Sealer()
    news = sealer.inform({"type": "decision", "time": 1e30, "classes": None, "probabilities": [1.0], "label": "a"})
    assert (news["p"], news["t_mono"]) == ({}, 0.0)
    assert json.loads(encode(sealer.inform({"type": "x", "value": float("nan")})))["data"]["value"] is None
    wide = sealer.inform({"type": "n" * 3000, "time": 1.0})
    assert len(encode(wide, limit=1399)) <= 1399


def test_no_event_moves_the_clock_by_which_receivers_tell_what_is_late() -> None:
    sealer = Sealer()
    for kind in ("decision", "verdict", "state", "quality"):
        assert sealer.inform({"type": kind, "time": 100.0})["t_mono"] == 100.0
    # A page that took the time of day for the host's clock, and a cue that is planned.
    for at in (1.8e9, 100.5):
        news = sealer.inform({"type": "event", "name": "trial", "time": at})
        assert (news["t_mono"], news["data"]) == (100.0, {"name": "trial", "time": at})
    assert sealer.heartbeat()["t_mono"] == 100.0
    assert sealer.command(order())["t_mono"] == order().time


def test_a_marker_of_another_clock_is_left_out_and_said_and_commands_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("websockets")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "clients" / "python"))
    from bcikit_client import Receiver
    from websockets.sync.client import connect

    with (
        WebSocketOutput(port=0) as output,
        connect(f"ws://127.0.0.1:{output.port}/ws?token={output.token}") as page,
    ):
        now = HostClock().now()
        # The time of day, the clock of a page that was just loaded, and what is right.
        for name, at in (("day", 1.8e9), ("page", now - 1e5), ("good", now), ("old", now - 0.5)):
            page.send(json.dumps({"type": "marker", "client": "experiment", "name": name, "t": at}))
        heard: list[dict[str, Any]] = []
        deadline = time.monotonic() + 60
        while len(heard) < 2 and time.monotonic() < deadline:
            heard += output.heard()
            time.sleep(0.005)
        assert [marker["name"] for marker in heard] == ["good", "old"]
        reading = output.trouble()
        assert reading is not None
        assert (reading.rule, reading.severity, reading.limit) == ("H-DRIFT", Severity.WARN, "the host's clock")
        assert str(reading.value) == "a marker of experiment is -100000 s from now, and was left out"
        assert output.trouble() is None
        assert output.state()["misdated_markers"] == 2
        # Nor does an event of a wrong clock that came another way (a marker stream) make commands late.
        output.inform({"type": "quality", "time": now, "summary": "GOOD"})
        output.inform({"type": "event", "name": "trial", "time": 1.8e9})
        output.inform({"type": "verdict", "time": now, "allowed": True})
        receiver = Receiver()
        for sequence in range(1, 4):
            output.send(Command(sequence=sequence, time=HostClock().now(), ttl=5.0, name="close", value=1.0, data={}))
        while receiver.counts["accepted"] + receiver.counts["stale"] < 3:
            receiver.feed(page.recv(timeout=60), time.monotonic())
        assert receiver.counts["stale"] == 0


@pytest.mark.parametrize(
    "eyes",
    [None, [], "left", [{"eye": "left", "frames": 3, "width": -1, "height": 2}], [{"frames": 3}], ["left"]],
)
def test_eyes_that_are_none_are_no_report(eyes: Any) -> None:
    assert checked_report({"type": "eyes", "seconds": 1.0, "refresh": 72.0, "frames": 72, "eyes": eyes}) is None


def test_numbers_that_are_none_are_no_report() -> None:
    flip = {"type": "flip", "name": "cue", "sample": 1, "time": 1.0, "shown": 1.1}
    assert checked_report(flip) is not None
    for key, value in (("sample", True), ("time", "now"), ("shown", float("inf")), ("name", ""), ("time", None)):
        assert checked_report({**flip, key: value}) is None, key
    times = {"type": "frames", "refresh": 60.0}
    assert checked_report({**times, "times": [0.0, "x"]}) is None
    assert checked_report({**times, "times": np.zeros(3).tolist()}) is not None
    assert checked_report({**times, "times": 1.0}) is None
