"""Every rule, setting, state and order has somebody who feeds it and a way in."""

import ast
import functools
from pathlib import Path

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


@functools.cache
def strings(*, without: tuple[str, ...] = (), below: str = "") -> set[str]:
    """Return every text that stands in the code as a value, docstrings left out."""
    found = set()
    for name, tree in trees().items():
        if name in without or not name.startswith(below):
            continue
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found.add(node.value)
    return found


@functools.cache
def attributes(*, without: tuple[str, ...] = ()) -> set[str]:
    """Return every name that is read as an attribute, or by `getattr` with a constant."""
    found = set()
    for name, tree in trees().items():
        if name in without:
            continue
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found


@functools.cache
def calls(*, above: str) -> set[str]:
    """Return the names of methods that are called somewhere but in the files of `above`."""
    return {
        node.func.attr
        for name, tree in trees().items()
        if not name.startswith(above)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


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
    assert field in attributes(without=("safety/settings.py",))


@functools.cache
def entered() -> set[str]:
    """Return the states that the room of safety names outside of their table."""
    return {
        node.attr
        for name, tree in trees().items()
        if name.startswith("safety/") and name != "safety/machine.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "State"
    }


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_way_in(state: State) -> None:
    assert state is State.OFFLINE or state.name in entered()


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
    used = calls(above=file)
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
