"""The model of session and guard: tables from the code, properties that hold, real objects that follow it."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import model_check

from bcikit.safety.machine import State

needs_spin = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None, reason="needs spin and gcc (Debian packages)"
)


def test_the_tables_are_those_of_the_code() -> None:
    header = model_check.Tables().header()
    assert "#define DEADLINE_MS 115" in header
    assert "#define TTL_MS 250" in header
    stop = 1 << list(State).index(State.SAFE_STOP)
    for number, state in enumerate(State):
        line = next(line for line in header.splitlines() if f"routes[{number}] =" in line)
        reached = int(line.split("=")[1].split(";")[0])
        assert bool(reached & stop) is (state not in (State.SAFE_STOP, State.ESTOP, State.FATAL))
    for plant in model_check.MUTATIONS.values():
        assert plant(model_check.Tables()).header() != header


@needs_spin
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.requirement("SAF-133")
@pytest.mark.parametrize("name", [None, *model_check.MUTATIONS])
def test_every_property_holds_and_every_planted_fault_is_found(name: str | None) -> None:
    tables = model_check.Tables()
    found = model_check.check(tables if name is None else model_check.MUTATIONS[name](tables))
    assert (found.errors > 0) is (name is not None), found.trail
    assert bool(found.trail) is (name is not None)
    assert name is not None or (found.complete and found.states > 10_000)


@needs_spin
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.requirement("SAF-133")
def test_the_real_objects_follow_the_model() -> None:
    differ = {number: text for number, text in model_check.replayed(20, seed=1000) if text}
    assert differ == {}
