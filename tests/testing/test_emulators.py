"""Emulated devices, spoken to as a driver does: over the serial line, over HTTP and TCP, and as a program."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import time

import numpy as np
import pytest

from bcikit.signal import ArgumentError, BciError, SourceError
from bcikit.testing import CytonDaisyEmulator, CytonEmulator, EmulatorProcess, LinkPlan
from bcikit.testing.__main__ import main
from bcikit.testing.wifi_emulator import GanglionWifiEmulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo terminals are POSIX")

SIZE = 33


class Line:
    """A driver's end of the serial line."""

    def __init__(self, port: str) -> None:
        self._handle = os.open(port, os.O_RDWR | os.O_NOCTTY)
        os.set_blocking(self._handle, False)
        self.bytes = b""

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def say(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def until(self, enough) -> bytes:
        end = time.monotonic() + 60
        while not enough(self.bytes):
            assert time.monotonic() < end, self.bytes[:200]
            try:
                self.bytes += os.read(self._handle, 65536)
            except BlockingIOError:
                time.sleep(0.002)
        return self.bytes

    def ask(self, text: str) -> str:
        self.bytes = b""
        self.say(text)
        return self.until(lambda had: had.endswith(b"$$$")).decode("latin-1")


def numbers(packets: bytes) -> list[tuple[int, int, int]]:
    """Return the counter, channel 1 and the last byte of each packet."""
    cut = [packets[at : at + SIZE] for at in range(0, len(packets) - SIZE + 1, SIZE)]
    assert all(one[0] == 0xA0 for one in cut)
    return [(one[1], int.from_bytes(one[2:5], "big", signed=True), one[-1]) for one in cut]


def test_a_cyton_answers_its_commands_as_its_firmware_does():
    with CytonEmulator() as board, Line(board.port) as line:
        assert "Firmware: v3.1.2" in line.ask("v")
        assert line.ask("x2060110X") == "Success: Channel set for 2$$$"
        assert board.gains[:3].tolist() == [24, 24, 24]
        assert line.ask("x3020110X") == "Success: Channel set for 3$$$"
        assert board.gains[2] == 4.0
        assert line.ask("x9020110X") == "Failure: too many chars$$$"
        assert line.ask("d") == "updating channel settings to default$$$"
        assert board.gains[2] == 24.0
        assert line.ask("~9") == "Failure: sampling value out of bounds$$$"
        assert line.ask("~5") == "Success: Sample rate is 500Hz$$$"
        assert line.ask("/0") == "Success: default$$$"
        assert line.ask("?") == "$$$"
        assert board.commands == ["v", "x2060110X", "x3020110X", "x9020110X", "d", "~9", "~5", "/0", "?"]


def test_a_cyton_sends_what_its_plan_says_and_stops_when_it_is_told_to():
    plan = LinkPlan(
        rate=1000.0, block=5, jitter=0.0005, lost=((3, 2),), repeated=(6,), noise=(7,), broken=(8,), resets=(9,)
    )
    with CytonEmulator(plan) as board, Line(board.port) as line:
        with pytest.raises(SourceError, match="never started"):
            board.taken(0)
        with pytest.raises(SourceError, match="Nobody started the emulated cyton within 0 s"):
            board.wait_started(0.0)
        line.say("b")
        began = board.wait_started()
        got = line.until(lambda had: len(had) > 60 * SIZE)
        assert board.taken(10) == pytest.approx(began + 0.01)
        line.say("s")
        assert "Firmware" in line.ask("v")
    noise = got.index(b"\x00\x37\x13")
    found = numbers(got[:noise] + got[noise + 3 :])
    # Taken and never delivered, twice, behind bytes of no packet, with a wrong end, and counted from 0 again.
    assert [k for _, k, _ in found[:10]] == [0, 1, 2, 5, 6, 6, 7, 8, 9, 10]
    assert noise == 6 * SIZE
    assert [end for *_, end in found[:10]] == [0xC0] * 7 + [0x00] + [0xC0] * 2
    assert [count for count, *_ in found[:10]] == [0, 1, 2, 5, 6, 6, 7, 8, 0, 1]


def test_a_stall_delays_and_loses_nothing():
    with CytonEmulator(LinkPlan(rate=500.0, stalls=((0.05, 0.1),), drain=4000.0)) as board, Line(board.port) as line:
        line.say("b")
        began = board.wait_started()
        line.until(lambda had: len(had) >= 31 * SIZE)
        # Taken after 0.06 s, and not delivered before the stall was over.
        assert board._now() - began >= 0.15
        line.until(lambda had: len(had) >= 100 * SIZE)
    assert [k for _, k, _ in numbers(line.bytes)[:100]] == list(range(100))


def test_a_board_may_open_and_never_deliver():
    with CytonEmulator(LinkPlan(rate=500.0, silent_after=0.0)) as board, Line(board.port) as line:
        line.say("b")
        began = board.wait_started()
        while board._now() < began + 0.05:
            time.sleep(0.005)
        assert line.ask("v").startswith("OpenBCI V3")


def test_the_stream_may_begin_anew_with_its_counter_and_another_signal():
    with CytonEmulator(LinkPlan(rate=1000.0, restart_counter=True)) as board, Line(board.port) as line:
        line.say("b")
        line.until(lambda had: len(had) >= 20 * SIZE)
        assert line.ask("v").endswith("$$$")
        board.connect(lambda seconds: np.full((seconds.size, 8), 7.0 * board.microvolts_per_step[0]))
        line.bytes = b""
        line.say("b")
        found = numbers(line.until(lambda had: len(had) >= 5 * SIZE))
        assert [count for count, *_ in found[:3]] == [0, 1, 2]
        assert {k for _, k, _ in found} == {7}
        assert len(board.starts) == 2
        assert board.starts[1][1] > 0, "samples are counted from the first start"


def test_a_daisy_sends_two_packets_a_sample_the_odd_one_first():
    with CytonDaisyEmulator() as board, Line(board.port) as line:
        assert "Daisy ADS1299" in line.ask("v")
        line.bytes = b""
        line.say("b")
        got = line.until(lambda had: len(had) >= 6 * SIZE)
    assert [count for count, *_ in numbers(got)[:6]] == [1, 2, 3, 4, 5, 6]


def request(shield, method, path, body=None):
    host = shield.address.split("ip_address=")[1].split("&")[0]
    line = http.client.HTTPConnection(host, 80, timeout=60)
    line.request(method, path, body=None if body is None else json.dumps(body))
    answer = line.getresponse()
    said = answer.read().decode()
    line.close()
    assert answer.status == 200
    return said


def test_a_ganglion_behind_its_shield_is_asked_by_http_and_sends_over_a_line_of_its_own():
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        try:
            shield = opened.enter_context(GanglionWifiEmulator(LinkPlan(block=2)))
        except SourceError as error:
            pytest.skip(str(error))
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(60)
        assert json.loads(request(shield, "GET", "/board"))["num_channels"] == 4
        told = {"ip": "127.0.0.1", "port": server.getsockname()[1]}
        assert request(shield, "POST", "/tcp", told) == "ok"
        line, _ = server.accept()
        with line:
            line.settimeout(60)
            assert request(shield, "POST", "/command", {"command": "~8"}).startswith("Failure")
            assert request(shield, "POST", "/command", {"command": "~5"}) == "Success: Sample rate is 800Hz$$$"
            assert request(shield, "GET", "/stream/start") == "ok"
            got = b""
            while len(got) < 10 * SIZE:
                got += line.recv(4096)
            assert request(shield, "GET", "/stream/stop") == "ok"
            assert request(shield, "DELETE", "/tcp") == "ok"
            assert [k for _, k, _ in numbers(got)[:10]] == list(range(10))
            assert shield.commands == ["~8", "~5", "b", "s"]


def test_a_shield_without_the_right_to_its_port_says_so(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bcikit.testing.wifi_emulator.ThreadingHTTPServer.server_bind", refuse)
    with pytest.raises(SourceError, match="needs the right to listen on port 80"), GanglionWifiEmulator():
        raise AssertionError


def run(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    main(arguments)
    return capsys.readouterr().out.splitlines()


def test_the_program_names_its_address_and_ends_when_nobody_speaks_to_it(monkeypatch, capsys):
    (address,) = run(["cyton", LinkPlan(block=5).to_json()], "", monkeypatch, capsys)
    assert address.startswith("brainflow:cyton?serial_port=/dev/")
    said = run(["stop-box"], "press\nrelease\nsilent\njump\n", monkeypatch, capsys)
    assert said[0].startswith("serial:/dev/")
    assert [line.split(" at ")[0] for line in said[1:4]] == ["press", "release", "silent"]
    assert said[4] == "one of press, release, silent"


@pytest.mark.parametrize("arguments", [[], ["muse"], ["cyton", "{}", "more"]])
def test_the_program_names_the_emulators_there_are(arguments):
    with pytest.raises(BciError, match=r"One of cyton, cyton-daisy, ganglion-wifi, and its plan as JSON; or stop-box"):
        main(arguments)


@pytest.mark.parametrize("plan", ["{", '{"blok": 3}', '{"block": "3"}', '{"block": 0}'])
def test_a_plan_that_is_none_is_refused(plan):
    with pytest.raises(ArgumentError):
        main(["cyton", plan])


def test_what_of_a_plan_never_arrives():
    plan = LinkPlan(lost=((3, 2),), broken=(6,))
    assert np.flatnonzero(plan.gone(np.arange(10))).tolist() == [3, 4, 6]


def test_an_emulator_of_a_process_of_its_own_tells_when_it_is_started_and_ends_by_itself():
    device = EmulatorProcess("cyton", LinkPlan(block=5))
    device.__exit__()
    with device:
        with pytest.raises(SourceError, match="Nobody started the emulated cyton within 0 s"):
            device.wait_started(0.0)
        with Line(device.address.split("=")[1]) as line:
            line.say("b")
            assert device.wait_started() > 0
            assert len(line.until(lambda had: len(had) >= 3 * SIZE)) >= 3 * SIZE
    assert device.process is not None
    assert device.process.returncode == 0
    assert device.starts[0][1] == 0


def test_an_emulator_that_cannot_start_or_is_frozen_leaves_no_process(monkeypatch, capfd):
    with pytest.raises(SourceError, match="The emulated muse did not start"), EmulatorProcess("muse"):
        raise AssertionError
    assert "error: Which emulator? One of cyton" in capfd.readouterr().err
    monkeypatch.setattr("bcikit.testing.emulators._POLITE", 0.1)
    with EmulatorProcess("cyton") as device:
        assert device.process is not None
        os.kill(device.process.pid, signal.SIGSTOP)
    assert device.process.returncode == -signal.SIGKILL
