"""Every rule, setting, state and order has somebody who feeds it and a way in."""

import ast
import functools
from pathlib import Path
from typing import NamedTuple

import pytest

import bcikit
from bcikit.acquisition import StreamStatus
from bcikit.acquisition.source import Source
from bcikit.safety import GateSettings
from bcikit.safety.machine import State
from bcikit.safety.rules import RULES
from bcikit.session import Engine, Listener
from bcikit.session.orders import ORDERS
from bcikit.signal import Chunk, Event
from bcikit.signal.messages import Happened, Message, StateChanged
from bcikit.simulation.source import open_sim

ROOT = Path(bcikit.__file__).parent

# The whole package is parsed once, by the one process that gets these tests.
pytestmark = pytest.mark.xdist_group("package")


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the package."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in ROOT.rglob("*.py")
        if "testing" not in path.parts
    }


def teardown_module() -> None:
    # Half a million nodes that every later search for garbage would go through.
    trees.cache_clear()
    said.cache_clear()


class Said(NamedTuple):
    """What stands in a module: texts but docstrings, names read as attributes, methods called, names after `State.`."""

    texts: set[str]
    attributes: set[str]
    calls: set[str]
    states: set[str]


@functools.cache
def said() -> dict[str, Said]:
    """Return what stands in each module; each tree is walked once."""
    found = {}
    for name, tree in trees().items():
        one = found[name] = Said(set(), set(), set(), set())
        docs = set()
        # A parent comes before its children: a docstring is known before it is met.
        for node in ast.walk(tree):
            match node:
                case ast.Module() | ast.ClassDef() | ast.FunctionDef():
                    if node.body and isinstance(node.body[0], ast.Expr):
                        docs.add(id(node.body[0].value))
                case ast.Constant():
                    if isinstance(node.value, str) and id(node) not in docs:
                        one.texts.add(node.value)
                case ast.Attribute():
                    one.attributes.add(node.attr)
                    if isinstance(node.value, ast.Name) and node.value.id == "State":
                        one.states.add(node.attr)
                case ast.Call():
                    if isinstance(node.func, ast.Attribute):
                        one.calls.add(node.func.attr)
    return found


def strings(*, without: tuple[str, ...] = (), below: str = "") -> set[str]:
    """Return every text that stands in the code as a value, docstrings left out."""
    return set().union(*(one.texts for name, one in said().items() if name not in without and name.startswith(below)))


def public_methods(file: str, name: str) -> list[str]:
    tree = trees()[file]
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)
    return [node.name for node in found.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_raised_by_somebody(rule: str) -> None:
    # Its words, and what follows from it, raise nothing.
    raised = strings(without=("safety/rules.py", "safety/reactions.py"))
    assert any(rule in text for text in raised)


@pytest.mark.parametrize("field", GateSettings.model_fields)
def test_every_limit_of_the_gate_is_read(field: str) -> None:
    assert any(field in one.attributes for name, one in said().items() if name != "safety/settings.py")


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_way_in(state: State) -> None:
    # By the room of safety, outside of their table.
    files = [name for name in said() if name.startswith("safety/") and name != "safety/machine.py"]
    assert state is State.OFFLINE or any(state.name in said()[name].states for name in files)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_obeyed_and_can_be_given(order: str) -> None:
    # A note is obeyed by being written down, as every order is.
    assert order == "note" or order in strings(below="session/conductor.py") | strings(below="session/drive.py")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("safety/stream.py", "StreamMonitor"),
        ("safety/quality.py", "QualityMonitor"),
        ("safety/system.py", "SafetySystem"),
        ("safety/control.py", "Control"),
        ("safety/switches.py", "Switches"),
    ],
)
def test_every_door_of_the_monitors_is_used(file: str, name: str) -> None:
    own = ("estop", "dead_man", "report")
    doors = [door for door in public_methods(file, name) if door.startswith("on_") or door in own]
    used = set().union(*(one.calls for module, one in said().items() if not module.startswith(file)))
    assert [door for door in doors if door not in used] == []


def test_a_name_stands_for_one_thing() -> None:
    where: dict[str, list[str]] = {}
    for file, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(file)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in trees()}
    needs: dict[str, set[str]] = {}
    for name, file in names.items():
        imports = [node for node in trees()[file].body if isinstance(node, ast.ImportFrom) and node.module]
        found = {f"{node.module}.{item.name}".removeprefix("bcikit.") for node in imports for item in node.names}
        found |= {node.module.removeprefix("bcikit.") for node in imports if node.module}
        needs[name] = (found & names.keys()) - {name} if not file.endswith("__init__.py") else set()
    # What needs nothing that is left cannot be in a circle.
    while free := [name for name, wanted in needs.items() if not wanted & needs.keys()]:
        for name in free:
            del needs[name]
    assert sorted(needs) == []


class Telling(Source):
    """A live source whose driver tells of its battery, its buffer and its electrodes, and a person who looks away."""

    def __init__(self) -> None:
        from bcikit.signal import Address

        self._inner = open_sim(Address.parse("sim:ssvep?seed=1&live=1&channels=Oz,O1,O2"))
        self.info = self._inner.info
        self.live = True
        self.pulls = 0
        self.flickers = False
        self._told = False

    def start(self) -> None:
        self._inner.start()

    def stop(self) -> None:
        self._inner.stop()

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        self.pulls += 1
        return self._inner.pull(timeout)

    def pull_events(self) -> list[Event]:
        if not self.flickers or self._told:
            return []
        self._told = True
        return [Event(name="eyes/closed", time=0.0, source="eye tracker")]

    def status(self) -> StreamStatus:
        from bcikit.acquisition.watchdog import Pulse

        return StreamStatus(
            name=self.info.name,
            pulse=Pulse.ALIVE,
            battery=15.0,
            buffer_fill=0.6,
            impedances={"Oz": 900_000.0},
        )


@pytest.mark.slow
def test_what_a_driver_and_an_eye_tracker_tell_reaches_the_report() -> None:
    source = Telling()
    states: list[str] = []

    class Watch(Listener):
        def take(self, message: Message) -> None:
            match message:
                case Happened() if message.event.name == "stimulus/flicker":
                    source.flickers = True
                case StateChanged():
                    states.append(message.state)

    settings = {"baseline": 5.0, "rounds": 1, "idle_share": 0.0, "flicker": 4.0}
    config = {
        "source": {"address": "object:here"},
        "paradigm": {"name": "ssvep-menu", "settings": settings},
        "pipeline": {"steps": [{"step": "bandpass", "l_freq": 5.0, "h_freq": 45.0, "order": 4}]},
        "gate": {"idle_label": "none"},
        "recording": {"enabled": False},
    }
    values = Engine(config, source=source, limit=25.0, listeners=[Watch()]).run().values
    assert {alarm["rule"] for alarm in values["alarms"]} >= {"H-BAT", "H-OVR", "ST-EYES"}
    assert "Q-IMP" in values["safety"]["quality"]["Oz"]["rules"]
    assert "SAFE_STOP" in states
    assert [stop["rule"] for stop in values["safety"]["stops"]] == ["ST-EYES"]
