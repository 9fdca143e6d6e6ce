"""Every way out is known: what in the code can reach an output, a driver or a device, found by reading the code."""

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

import bcikit
from bcikit.outputs import Output
from bcikit.session import Engine
from bcikit.signal import Command

ROOT = Path(bcikit.__file__).parent

COMMANDS = {
    # Who may hand a command to an output: only what got it with the gate's verdict.
    "session/outputs.py:Outputs._move",
}
RENEWS = {
    # Who may ask an output to go on with a command: within its life, which ends with ACTIVE.
    "session/outputs.py:Outputs._tick",
}
TELLS_LISTENERS = {
    # Who may say that a command was sent: behind `if not verdict.allowed: return`.
    "session/conductor.py:Conductor._send",
}
TO_THE_GUARD = {
    # Who may send a command to the guard's process: the output, from a command it was handed or renews.
    "outputs/guard.py:GuardOutput._hand_on",
    "outputs/guard.py:GuardOutput._renew",
}
TO_THE_DRIVER = {
    "safety/guard/core.py:GuardCore._command",
}

# The whole package is parsed once, by the one process that gets these tests.
pytestmark = pytest.mark.xdist_group("package")


@cache
def trees() -> dict[str, ast.Module]:
    """Return the code of each file; read once for all tests."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))
    }


def teardown_module() -> None:
    # Half a million nodes that every later search for garbage would go through.
    trees.cache_clear()
    all_calls.cache_clear()


@cache
def all_calls() -> dict[str, list[tuple[str, ast.Call]]]:
    """Return every call by the name of what is called ("name", of a method ".name"), and in which function it is."""
    found: dict[str, list[tuple[str, ast.Call]]] = defaultdict(list)

    def visit(node: ast.AST, place: str, stack: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            stack = (*stack, node.name)
        if isinstance(node, ast.Call):
            called = node.func
            name = f".{called.attr}" if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            found[name].append((f"{place}:{'.'.join(stack)}", node))
        for child in ast.iter_child_nodes(node):
            visit(child, place, stack)

    for place, tree in trees().items():
        visit(tree, place, ())
    return dict(found)


def calls(of: str) -> list[tuple[str, ast.Call]]:
    """Return every call of a method of this name, and in which function it stands."""
    return all_calls().get(f".{of}", [])


def made(kind: str) -> list[tuple[str, ast.Call]]:
    """Return every place where an object of a class of this name is made."""
    return [found for found in all_calls().get(kind, []) if not found[0].startswith("testing/")]


def receivers(of: str) -> set[tuple[str, str]]:
    return {(where, ast.unparse(call.func.value)) for where, call in calls(of)}  # type: ignore[attr-defined]


@pytest.mark.requirement("SAF-082")
def test_a_command_reaches_an_output_in_one_place_only() -> None:
    handed = {
        where
        for where, target in receivers("send")
        if target in ("output", "self._output", "self.output") and not where.startswith("testing/")
    }
    assert handed == COMMANDS
    renewed = {where for where, target in receivers("renew") if target == "output" and not where.startswith("testing/")}
    assert renewed == RENEWS
    assert {where for where, _ in made("Sent")} == TELLS_LISTENERS


@pytest.mark.requirement("SAF-082")
def test_what_the_gate_refused_goes_no_further() -> None:
    source = (ROOT / "session" / "conductor.py").read_text("utf-8")
    tree = ast.parse(source)
    send = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_send")
    text = ast.unparse(send)
    assert "verdict.allowed" in text
    asked = [where for where, _ in calls("_send") if where.startswith("session/conductor.py")]
    assert asked
    for where, call in calls("_send"):
        if where.startswith("session/conductor.py"):
            assert ast.unparse(call.args[1]) == "verdict", f"{where} sends without the verdict"


@pytest.mark.requirement("SAF-082")
def test_the_guard_and_its_driver_are_reached_in_one_place_only() -> None:
    clients = ("client", "self._client")
    found = {where for where, target in receivers("send") if target in clients and where.startswith("outputs/guard.py")}
    assert found == TO_THE_GUARD
    assert {where for where, target in receivers("apply") if target == "self.driver"} == TO_THE_DRIVER
    # Nobody outside the guard opens a driver, and nobody outside the outputs launches a guard.
    launchers = {where.partition(":")[0] for where, target in receivers("launch") if "Guard" in target}
    # The clinic finds the current of one person with a guard of its own: no decoder is there, and a switch is held.
    assert launchers == {"outputs/guard.py", "clinic/current.py"}
    opened = {where.partition(":")[0] for where, _ in all_calls()["open_driver"]}
    assert opened == {"safety/guard/__main__.py"}


def test_serial_lines_are_opened_by_those_who_are_known() -> None:
    users = {
        place
        for place, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) and any(name.name == "serial" for name in node.names)
    }
    outside = {
        name for name in users if not name.startswith(("acquisition/", "simulation/", "validation/", "testing/"))
    }
    # The stop box is only listened to.
    assert outside == {"outputs/serial.py", "safety/guard/serial_fes.py", "safety/stop_box.py"}


WIRES = frozenset(
    {
        "socket", "serial", "usb", "hid", "bleak", "gpiod", "smbus", "pylsl", "pythonosc", "websockets", "http",
        "urllib", "rclpy", "cyclonedds", "pynetdicom", "ctypes", "multiprocessing", "ftplib", "smtplib",
        "requests", "httpx",
    }
)  # fmt: skip
"""What leads out of the process."""

SENDS = frozenset({"send", "sendto", "sendall", "renew", "apply"})
"""How a command, or bytes, are handed on."""


def _sends(node: ast.Attribute) -> bool:
    """Return whether it is not the `apply` of a pipeline: that of a driver moves."""
    return node.attr != "apply" or "driver" in ast.unparse(node.value)


def ways_out(code: Mapping[str, ast.Module]) -> set[str]:
    """Return who imports what leads out, who sends to what, and who fetches a method of sending by its name."""
    found = set()
    for place, tree in code.items():
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                # The library that this package lends is the library.
                names = ["pylsl" if node.module == "bcikit.acquisition.lsl_library" else node.module or ""]
            elif isinstance(node, ast.Call):
                called = node.func
                words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                by_name = getattr(called, "id", getattr(called, "attr", ""))
                if by_name in ("getattr", "methodcaller", "attrgetter") and SENDS & set(words):
                    found.add(f"{place} fetches {words[0]}")
                if by_name in ("import_module", "__import__"):
                    names = words
            elif isinstance(node, ast.Attribute) and node.attr in SENDS and _sends(node):
                # Also where it is only handed on, to a thread or a timer.
                found.add(f"{place} calls {ast.unparse(node)}")
            found |= {f"{place} imports {name.split('.')[0]}" for name in names if name.split(".")[0] in WIRES}
    return {one for one in found if not one.startswith("testing/")}


KNOWN = {
    "acquisition/devices.py imports pylsl",
    "acquisition/devices.py imports serial",
    "acquisition/lsl.py imports pylsl",
    "acquisition/lsl_library.py imports pylsl",
    "acquisition/lsl_meta.py imports pylsl",
    "acquisition/lsl_pull.py imports ctypes",
    "acquisition/lsl_pull.py imports pylsl",
    "acquisition/lsl_resolve.py imports ctypes",
    "acquisition/lsl_resolve.py imports pylsl",
    "acquisition/outlet.py imports pylsl",
    "acquisition/text_inlet.py imports pylsl",
    # Locks, processes and priority of Windows.
    "signal/disk.py imports ctypes",
    "signal/processes.py imports ctypes",
    "safety/guard/priority.py imports ctypes",
    "cli/checkup.py imports pylsl",
    "cli/system_libraries.py imports ctypes",
    "clinic/checks.py calls self._runner.send",
    "clinic/current.py calls guard.send",
    "clinic/pages_run.py calls self.desk.runner.send",
    "clinic/pages_session.py calls self.desk.runner.send",
    "clinic/runner.py calls self.link.orders.send",
    "outputs/base.py calls self.send",
    "outputs/door.py imports http",
    "outputs/door.py imports socket",
    "outputs/door.py imports urllib",
    "outputs/guard.py calls client.send",
    "outputs/lsl.py imports pylsl",
    "outputs/osc.py calls self._client.send",
    "outputs/osc.py imports pythonosc",
    "outputs/pages.py imports http",
    "outputs/pages.py imports urllib",
    "outputs/pages.py imports websockets",
    "outputs/serial.py imports serial",
    "outputs/strangers.py imports socket",
    "outputs/udp.py calls self._socket.sendto",
    "outputs/udp.py imports socket",
    "outputs/websocket.py calls connection.send",
    "outputs/websocket.py imports http",
    "outputs/websocket.py imports urllib",
    "outputs/websocket.py imports websockets",
    "presentation/line.py calls self._connection.send",
    "presentation/line.py imports websockets",
    "recording/catalogue.py imports urllib",
    "recording/dicom_eeg.py imports pynetdicom",
    "recording/dicom_eeg.py imports socket",
    "safety/guard/client.py calls self._socket.send",
    "safety/guard/client.py imports socket",
    "safety/guard/core.py calls self.driver.apply",
    "safety/guard/serial_fes.py imports serial",
    "safety/guard/server.py calls self._socket.sendto",
    "safety/guard/server.py imports socket",
    "safety/stop_box.py imports serial",
    "session/control.py calls line.send",
    "session/control.py calls self._line.sendall",
    "session/control.py imports socket",
    "session/door.py calls peer.line.send",
    "session/door.py calls peer.line.sendall",
    "session/door.py calls self._waker.send",
    "session/door.py imports socket",
    "session/outputs.py calls output.renew",
    "session/outputs.py calls output.send",
    "signal/address.py imports urllib",
    "signal/clock.py imports pylsl",
    "simulation/source.py imports pylsl",
    "ui/orders.py calls self._client.send",
    "ui/session_link.py calls self._ready().send",
    "viewer/marking.py calls window.orders.send",
    "viewer/menus.py calls orders.send",
    "viewer/safety_panels.py calls self._orders.send",
    "viewer/ward.py imports http",
    "viewer/ward.py imports socket",
    "viewer/window.py calls self.orders.send",
}
"""All of them, looked at: a new one must be looked at, too, and shown to carry a verdict or nothing that moves."""


@pytest.mark.requirement("SAF-082")
def test_every_way_out_of_the_program_is_known() -> None:
    assert ways_out(trees()) == KNOWN


@pytest.mark.requirement("SAF-082")
@pytest.mark.parametrize(
    "planted",
    [
        "def f(output, command): output.send(command)",
        "def f(o, c):\n    for one in o: one.send(c)",
        "def f(o, c): getattr(o, 'send')(c)",
        "def f(o, c): threading.Timer(1.0, o.send, (c,)).start()",
        "import operator\ndef f(o, c): operator.methodcaller('renew', c)(o)",
        "from serial import Serial\ndef f(c): Serial('/dev/ttyS0').write(c)",
        "def f(c):\n    import socket as s\n    s.socket().sendto(c, ('127.0.0.1', 9))",
        "import importlib\nlsl = importlib.import_module('pylsl')",
        "def f(core, c): core.driver.apply('close', 1.0, {}, 0.0)",
        "from urllib.request import urlopen",
        "from bcikit.acquisition.lsl_library import lsl\ndef f(c): lsl().StreamOutlet(info).push_sample(c)",
    ],
)
@pytest.mark.parametrize("place", ["session/planted.py", "paradigms/planted.py"])
def test_a_way_out_that_is_planted_is_found(planted: str, place: str) -> None:
    assert ways_out({place: ast.parse(planted)}) - KNOWN


@pytest.mark.requirement("SAF-082")
def test_an_output_of_a_stranger_gets_a_command_after_an_allowed_verdict_and_news_by_another_door() -> None:
    sys.path.append(str(ROOT.parent / "benchmarks"))
    from safety_engine import Closes

    class Stranger(Output):
        scheme: ClassVar[str] = "stranger"
        actuator: ClassVar[bool] = False

        def __init__(self) -> None:
            self.verdict: dict[str, Any] = {}
            self.refused = 0
            self.moved: list[bool] = []

        def inform(self, message: Mapping[str, Any]) -> None:
            assert not isinstance(message, Command)
            if message["type"] == "verdict":
                self.verdict = dict(message)
                self.refused += not message["allowed"]

        def send(self, command: Command) -> None:
            # The verdict of this very decision, which nothing else has come after.
            self.moved.append(bool(self.verdict["allowed"]) and self.verdict["state"] == "ACTIVE")

        def safe(self, reason: str = "") -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {"safe": True}

    stranger = Stranger()
    config = {"source": {"address": "sim:rest?seed=1&chunk=25"}, "recording": {"enabled": False}}
    Engine(config, paradigm=Closes(), outputs=[stranger], limit=15.0).run()
    assert stranger.refused > 5, "before the electrodes are known, and between two actions"
    assert len(stranger.moved) > 5
    assert all(stranger.moved)
