"""What a session does when the computer fails it: the trials of `bench safety`, each once."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import safety_resources as resources
import safety_stops as stops

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set on Linux"),
    pytest.mark.timeout(600),
    pytest.mark.requirement("SAF-149"),
]
AT_LOAD_S = 2.0
"""The times are measured by `bench safety` on a quiet machine; here others compute beside."""


@pytest.mark.slow
def test_a_disk_that_is_full_to_the_last_byte_ends_the_session_at_rest(tmp_path: Path) -> None:
    outcome = resources.no_space(tmp_path)
    assert outcome.seconds < AT_LOAD_S
    (folder,) = tmp_path.glob("full-*")
    assert (folder / "session.json").is_file()


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0 if hasattr(os, "geteuid") else True, reason="a disk is mounted by root only")
def test_a_folder_that_is_read_only_is_told_before_it_begins(tmp_path: Path) -> None:
    assert "does not begin" in resources.read_only(tmp_path).reaction


@pytest.mark.soak
@pytest.mark.parametrize("trial", [resources.no_handles, resources.no_memory, resources.one_core])
def test_without_handles_memory_or_cores_it_goes_on_or_is_at_rest_and_a_stop_works(trial, tmp_path: Path) -> None:
    outcome = trial(tmp_path)
    assert "STOP works" in outcome.reaction or "the guard puts the device to rest" in outcome.reaction
    assert outcome.seconds < AT_LOAD_S


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the clock of one process is set by a library that gcc makes")
def test_the_wall_clock_may_jump(tmp_path: Path) -> None:
    assert resources.clock_step(tmp_path).reaction.startswith("nothing changes")


@pytest.mark.soak
def test_a_starved_engine_leaves_its_device_at_rest(tmp_path: Path) -> None:
    import numpy as np

    found = dict(stops.starved_trials(tmp_path, 1, np.random.default_rng(0)))
    assert 0.0 < found["word"] < AT_LOAD_S
    assert 0.0 < found["command"] < AT_LOAD_S
