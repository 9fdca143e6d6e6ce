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


@cache
def trees() -> dict[str, ast.Module]:
    """Return the code of each file; read once for all tests."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))
    }


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
