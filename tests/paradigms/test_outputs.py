"""Outputs, read by independent clients: what arrives, in what order, and that it expires."""

import json
import os
import queue
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import plugins
from bcikit.outputs import open_output
from bcikit.outputs.envelope import MAX_BYTES, Sealer, encode, schema
from bcikit.outputs.hand import HandOutput
from bcikit.safety.levels import Severity
from bcikit.signal import ArgumentError, Command, HostClock, SourceError
from tests.stalls import wait_for

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "tools" / "web" / "node_modules"
node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "ws").is_dir() or not (NODE_MODULES / "osc").is_dir(),
    reason="no Node, or its packages are not there: npm ci --prefix tools/web",
)


def command(sequence=1, *, at=None, name="close", value=0.8, ttl=0.5, **data):
    return Command(
        sequence=sequence, time=HostClock().now() if at is None else at, ttl=ttl, name=name, value=value, data=data
    )


DECISION = {
    "type": "decision",
    "time": 1.0,
    "classes": ["left", "right"],
    "probabilities": [0.7, 0.3],
    "label": "left",
}
VERDICT = {
    "type": "verdict",
    "time": 1.0,
    "allowed": False,
    "reasons": ["A-CONF", "A-KOFN"],
    "state": "ACTIVE",
    "data": {"A-KOFN": {"value": 1, "limit": "2 of 3"}},
}
QUALITY = {"type": "quality", "time": 1.0, "summary": "BAD", "channels": {"Oz": "BAD", "Cz": "GOOD"}}


# ---- addresses -----------------------------------------------------------------------------------------------------
def test_addresses_say_what_is_wrong():
    assert set(plugins.names("outputs")) == {"frames", "guard", "hand", "lsl", "osc", "screen", "serial", "udp", "ws"}
    for address, message in {
        "hadn:": "Did you mean 'hand'",
        "hand:here": "nothing may stand after the colon",
        "udp:127.0.0.1:soon": "port is 'soon'",
        "udp:127.0.0.1:70000": "port",
        "osc:127.0.0.1:9000?speed=1": "option of osc:",
        "ws:0.0.0.0:0": "open=network",
        "ws:0.0.0.0:0?open=network&token=short": "16 characters",
        "udp:?port": "key=value",
    }.items():
        with pytest.raises(ArgumentError, match=message):
            open_output(address)


def test_a_port_that_is_taken_or_missing_is_one_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SourceError, match="cannot listen"):
            open_output(f"ws:127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(SourceError, match="cannot be opened"):
        open_output("serial:/dev/no-such-port")


# ---- hand ----------------------------------------------------------------------------------------------------------
def test_the_hand_closes_at_its_rate_and_opens_when_nobody_renews():
    hand = HandOutput(rate=2.0)
    hand.send(command(1, at=10.0, value=1.0, **{"class": "left_hand"}))
    hand.tick(10.25)
    assert hand.state()["closure"] == pytest.approx(0.5)
    assert hand.state()["class"] == "left_hand"
    hand.send(Command(sequence=2, time=10.3, ttl=0.5, name="undo", value="left_hand"))
    hand.tick(10.35)
    assert hand.closure == pytest.approx(0.5), "what takes an action back opens"
    hand.send(command(3, at=10.4, value=1.0))
    hand.tick(10.8)
    assert hand.closure == pytest.approx(1.0)
    hand.tick(10.95)
    assert hand.state()["safe"]
    assert hand.state()["expired"] == 1
    hand.tick(11.2)
    assert hand.closure == pytest.approx(0.5)
    hand.send(command(2, at=11.2, value=1.0))
    assert hand.state()["dropped"] == 1
    hand.send(command(3, at=11.2, value=1.0))
    hand.safe("stop")
    assert hand.state()["closure"] == 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 20), st.floats(-1, 2), st.floats(0.01, 1)), max_size=30))
def test_a_hand_is_never_closed_by_what_expired(steps):
    hand = HandOutput(rate=0.0)
    now, newest, valid = 0.0, -1, -1.0
    for wait, sequence, value, ttl in steps:
        now += wait
        hand.tick(now)
        assert 0.0 <= hand.closure <= 1.0
        if now > valid:
            assert hand.closure == 0.0
        hand.send(command(sequence, at=now, value=value, ttl=ttl))
        if sequence > newest:
            newest, valid = sequence, now + ttl


# ---- envelope ------------------------------------------------------------------------------------------------------
def check_schema(envelope):
    """A small check of the parts of JSON Schema that v1 uses."""
    rules = schema()
    kinds = {"string": str, "number": (int, float), "integer": int, "object": dict, "array": list, "boolean": bool}
    assert set(rules["required"]) <= set(envelope) <= set(rules["properties"])
    for key, value in envelope.items():
        rule = rules["properties"][key]
        if "const" in rule:
            assert value == rule["const"]
        if "enum" in rule:
            assert value in rule["enum"]
        if "type" in rule:
            allowed = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            assert any(value is None if kind == "null" else isinstance(value, kinds[kind]) for kind in allowed), key


def test_every_message_follows_the_schema_and_only_commands_move():
    sealer = Sealer()
    sealed = [
        sealer.inform(DECISION),
        sealer.inform(VERDICT),
        sealer.inform(QUALITY),
        sealer.command(command(at=5.0, trial=3)),
        sealer.heartbeat(),
        sealer.clock(1.0, 2.0),
        sealer.safe("stop"),
    ]
    for envelope in sealed:
        check_schema(json.loads(encode(envelope)))
    assert [envelope["seq"] for envelope in sealed] == list(range(1, 8))
    assert {envelope["sender"] for envelope in sealed} == {sealer.sender}
    assert Sealer().sender != sealer.sender
    assert [envelope["informational"] for envelope in sealed] == [True, True, True, False, True, True, False]
    moving = sealed[3]
    assert moving["decision"] == "left"
    assert moving["p"] == {"left": 0.7, "right": 0.3}
    assert moving["inhibited_reason"] == "A-CONF, A-KOFN"
    assert moving["k_of_n"] == [1, "2 of 3"]
    assert moving["state"] == "ACTIVE"
    assert moving["quality"] == "BAD"
    assert sealer.inform({**VERDICT, "allowed": True, "reasons": [], "data": {}})["k_of_n"] is None
    long = sealer.command(command(at=5.0, text="x" * 5000))
    assert len(encode(long, limit=MAX_BYTES)) <= MAX_BYTES


# ---- conformance of the clients ------------------------------------------------------------------------------------
def test_the_python_client_plays_every_scene():
    done = subprocess.run(
        [sys.executable, ROOT / "clients" / "conformance" / "run_python.py"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
def test_the_javascript_client_plays_every_scene():
    done = subprocess.run(
        ["node", ROOT / "clients" / "conformance" / "run_javascript.mjs"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---- UDP -----------------------------------------------------------------------------------------------------------
def test_udp_lines_are_read_by_a_plain_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(60)
        with open_output(f"udp:127.0.0.1:{line.getsockname()[1]}") as output:
            output.inform(DECISION)
            output.send(command(4, at=2.5, value=0.25))
            news, moved = (line.recv(65536) for _ in range(2))
            assert output.state() == {"to": output.state()["to"], "sent": 2, "failed": 0, "safe": False}
        last = line.recv(65536)
    assert all(data.endswith(b"\n") and len(data) <= MAX_BYTES for data in (news, moved, last))
    assert json.loads(moved)["command_seq"] == 4
    assert json.loads(moved)["t_mono"] == 2.5
    assert json.loads(last)["type"] == "safe"


# ---- OSC -----------------------------------------------------------------------------------------------------------
def test_osc_bundles_are_read_by_python_osc():
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import BlockingOSCUDPServer

    heard = queue.Queue()
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.put((address, values)))
    server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with open_output(f"osc:127.0.0.1:{server.server_address[1]}") as output:
            output.inform(DECISION)
            output.inform(VERDICT)
            output.inform({"type": "event", "name": "cue/left", "time": 3.0})
            output.inform(QUALITY)
            output.send(command(9, at=4.0))
        found = [heard.get(timeout=60) for _ in range(11)]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
    by_address = dict(found)
    root = "/bcikit/v1"
    assert by_address[f"{root}/decision"][1:] == ("left", pytest.approx(0.7), 1.0)
    assert by_address[f"{root}/posterior/right"][1] == pytest.approx(0.3)
    assert by_address[f"{root}/safety/state"][1] == "ACTIVE"
    assert by_address[f"{root}/safety/inhibited"][1] == "A-CONF, A-KOFN"
    assert by_address[f"{root}/marker"][1:] == ("cue/left", 3.0)
    assert by_address[f"{root}/quality/Oz"][1] == "BAD"
    assert by_address[f"{root}/command"][1:] == ("close", pytest.approx(0.8), 500, 4.0)
    assert found[0] == (f"{root}/safe", (1, "opened"))
    assert found[-1][0] == f"{root}/safe"
    sequences = [values[0] for _, values in found]
    assert sequences == sorted(sequences)


@node
def test_osc_bundles_are_read_by_the_npm_package_osc():
    script = """
    const osc = require("osc");
    const port = new osc.UDPPort({ localAddress: "127.0.0.1", localPort: 0, metadata: true });
    const seen = [];
    port.on("bundle", (bundle) => {
      for (const packet of bundle.packets) seen.push([packet.address, packet.args.map((a) => [a.type, a.value])]);
      const late = Math.abs(bundle.timeTag.native - Date.now());
      if (seen.length < 2 || !seen.at(-1)[0].endsWith("/safe")) return;
      console.log(JSON.stringify({ seen, late }));
      process.exit(0);
    });
    port.on("ready", () => console.log(port.socket.address().port));
    port.open();
    setTimeout(() => process.exit(3), 90000);
    """
    with subprocess.Popen(["node", "-e", script], cwd=NODE_MODULES.parent, stdout=subprocess.PIPE, text=True) as other:
        try:
            port = other.stdout.readline().strip()
            with open_output(f"osc:127.0.0.1:{port}") as output:
                output.send(command(2, at=4.0))
            said = json.loads(other.stdout.readline())
        finally:
            other.kill()
    _, (address, arguments), _ = said["seen"]
    assert address == "/bcikit/v1/command"
    assert [kind for kind, _ in arguments] == ["i", "s", "f", "i", "d"]
    assert arguments[4][1] == 4.0
    assert said["late"] < 60_000


# ---- LSL -----------------------------------------------------------------------------------------------------------
def test_lsl_streams_are_read_with_their_metadata():
    pytest.importorskip("mne_lsl")
    from mne_lsl.lsl import StreamInlet, resolve_streams

    stem = f"bcikit-test-{uuid.uuid4().hex[:8]}"
    with open_output(f"lsl:{stem}") as output:
        for what, labels, message, values in (
            ("posterior", ["left", "right"], DECISION, [0.7, 0.3]),
            ("quality", ["Oz", "Cz"], QUALITY, [2.0, 0.0]),
        ):
            # Resolved as soon as it is there: MNE-LSL asks each machine once, and the newest outlet answers.
            output.inform(message)
            (found,) = resolve_streams(timeout=60, name=f"{stem}-{what}")
            inlet = StreamInlet(found)
            inlet.open_stream(timeout=60)
            info = inlet.get_sinfo()
            assert info.get_channel_names() == labels
            # An inlet is open a moment before its outlet keeps samples for it.
            wait_for(output._numbers[what][1].have_consumers)
            now = HostClock().now()
            output.inform({**message, "time": now})
            data, at = inlet.pull_sample(timeout=60)
            assert data.tolist() == pytest.approx(values)
            assert at == pytest.approx(now)
            inlet.close_stream()


def test_lsl_markers_and_commands_are_read_by_pylsl():
    import pylsl

    stem = f"bcikit-test-{uuid.uuid4().hex[:8]}"
    with open_output(f"lsl:{stem}") as output:
        inlets = {}
        for what in ("markers", "commands", "decisions", "state"):
            (info,) = pylsl.resolve_byprop("name", f"{stem}-{what}", 1, timeout=60)
            inlets[what] = pylsl.StreamInlet(info, recover=False)
            inlets[what].open_stream(timeout=60)
        wait_for(lambda: all(output._texts[what].have_consumers() for what in inlets))
        now = HostClock().now()
        output.inform({"type": "event", "name": "cue/left", "time": now})
        output.send(command(5, at=now))
        output.inform({**DECISION, "time": now})
        output.inform({**DECISION, "label": None, "time": now})
        output.inform({**VERDICT, "time": now})
        output.inform({**VERDICT, "time": now})
        output.inform({"type": "state", "state": "SAFE_STOP", "time": now})
        marker, at = inlets["markers"].pull_sample(timeout=60)
        assert marker == ["cue/left"]
        assert at == pytest.approx(now)
        texts = [json.loads(inlets["commands"].pull_sample(timeout=60)[0][0]) for _ in range(2)]
        assert [text["type"] for text in texts] == ["inform", "command"]
        assert texts[1]["command_seq"] == 5
        assert [inlets["decisions"].pull_sample(timeout=60)[0] for _ in range(2)] == [["left"], [""]]
        assert [inlets["state"].pull_sample(timeout=60)[0] for _ in range(2)] == [["ACTIVE"], ["SAFE_STOP"]]
        for inlet in inlets.values():
            inlet.close_stream()


@pytest.mark.parametrize("address", ["udp:[::1]:9", "osc:[::1]:9", "udp:127.255.255.255:9", "osc:127.255.255.255:9"])
def test_addresses_of_ipv6_and_of_a_whole_network_are_sent_to(address):
    if "::1" in address and not has_ipv6():
        pytest.skip("no IPv6 here")
    with open_output(address) as output:
        output.send(command(1))
        state = output.state()
    assert state["failed"] == 0
    assert state["sent"] > 0


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as line:
            line.bind(("::1", 0))
    except OSError:
        return False
    return True


# ---- serial, guard -------------------------------------------------------------------------------------------------
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals here")
def test_serial_lines_are_short_and_end_with_safe():
    master, slave = os.openpty()
    try:
        with open_output(f"serial:{os.ttyname(slave)}?baudrate=57600") as output:
            output.inform(DECISION)
            output.send(command(3))
        # A terminal gives what has arrived: one read may hold less than was written.
        text = ""
        while text.count("\n") < 3 and select.select([master], [], [], 60.0)[0]:
            text += os.read(master, 4096).decode().replace("\r", "")
    finally:
        os.close(master)
        os.close(slave)
    lines = [json.loads(line) for line in text.strip().split("\n")]
    assert [line["do"] for line in lines] == ["safe", "close", "safe"]
    assert lines[1]["ttl_ms"] == 500
    assert [line["seq"] for line in lines] == [1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals here")
def test_a_serial_line_that_nobody_reads_holds_nothing_up_and_spoils_no_later_line():
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        with open_output(f"serial:{os.ttyname(slave)}") as output:
            failed = 0
            while output.state()["failed"] < failed + 2:
                failed = output.state()["failed"]
                while output.state()["failed"] == failed:
                    output.send(command(1))
                # Not even the order to let go fits, and it is not waited for; the kernel may still have made room.
                output.safe("stop")
            text = b""
            failed = -1
            while output.state()["failed"] != failed:
                while select.select([master], [], [], 0.2)[0]:
                    text += os.read(master, 65536)
                failed = output.state()["failed"]
                output.safe("again")
            while not text.endswith(b'"safe"}\n') and select.select([master], [], [], 60.0)[0]:
                text += os.read(master, 65536)
    finally:
        os.close(master)
        os.close(slave)
    *_, last = text.strip().split(b"\n")
    assert json.loads(last)["do"] == "safe"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals here")
def test_a_serial_device_that_was_unplugged_is_said_as_long_as_it_is_gone():
    master, slave = os.openpty()
    name = os.ttyname(slave)
    with open_output(f"serial:{name}") as output:
        assert output.trouble() is None
        os.close(slave)
        os.close(master)
        output.send(command(1))
        for _ in range(3):
            found = output.trouble()
            assert found is not None
            assert (found.rule, found.severity) == ("H-BEAT", Severity.DEGRADE)
            assert str(found.value).startswith(f"serial:{name} cannot be written to: ")
        assert output.state()["problem"] == found.value


@pytest.mark.parametrize("scheme", ["udp", "osc"])
def test_a_network_that_takes_nothing_is_said_while_it_is_so(scheme):
    with open_output(f"{scheme}:127.0.0.1:9") as output:
        assert output.trouble() is None
        line = output._socket if scheme == "udp" else output._client._sock
        line.close()
        output.send(command(1))
        found = output.trouble()
        assert (found.rule, found.severity) == ("H-BEAT", Severity.WARN)
        assert str(found.value).startswith(f"{scheme}:127.0.0.1:9 cannot be written to: ")


def test_the_guard_takes_commands_and_goes_safe():
    with open_output("guard:sim-hand") as output:
        assert output.state()["safe"]
        deadline = time.monotonic() + 60
        # A heart that missed a beat on a busy machine is noticed with a tick, and the next command arms anew.
        while (said := output.state())["safe"] or not said["guard"]["driver"]["closure"]:
            assert time.monotonic() < deadline
            output.tick(0.0)
            output.send(command(1, value=1.0, ttl=0.25))
        output.safe("stop")
        assert output.state()["safe"]
    assert output.state()["safe"]
