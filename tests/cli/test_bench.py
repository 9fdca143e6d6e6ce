"""`bcikit bench` hands its options to the script it names, and refuses what belongs to another."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bcikit.cli import bench
from bcikit.cli.app import app


@pytest.fixture
def started(monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(bench, "find_spec", lambda name: object())
    return commands


def test_options_reach_the_script_and_its_exit_code_is_that_of_the_command(started):
    result = CliRunner().invoke(app, ["bench", "time", "--hour", "--json"])
    assert result.exit_code == 1
    (command,) = started
    script = Path(command[1])
    assert script.name == "time.py"
    assert script.is_file()
    assert command[2:] == ["--json", "--hour"]


def test_an_hour_is_of_time_only(started):
    result = CliRunner().invoke(app, ["bench", "files", "--hour"])
    assert "bench time --hour" in str(result.exception)
    assert started == []


@pytest.mark.parametrize("topic", bench.TOPICS)
def test_every_topic_has_its_script(topic):
    assert (Path(bench.__file__).parents[2] / "benchmarks" / f"{topic}.py").is_file()


def test_peers_that_are_not_there_are_installed_by_uv_or_asked_for(started, monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    monkeypatch.setattr(bench.shutil, "which", lambda program: "/opt/uv")
    assert CliRunner().invoke(app, ["bench", "files"]).exit_code == 1
    assert started[0][:3] == ["/opt/uv", "run", "--project"]
    assert "peers" in started[0]
    monkeypatch.setattr(bench.shutil, "which", lambda program: None)
    result = CliRunner().invoke(app, ["bench", "files"])
    assert "uv sync --all-extras --group peers" in str(result.exception)
    # Without peers nothing is missing.
    assert CliRunner().invoke(app, ["bench", "defaults"]).exit_code == 1
    assert len(started) == 2


def test_an_installed_package_has_no_benchmarks(started, monkeypatch):
    monkeypatch.setattr(bench, "__file__", "/usr/lib/python3/bcikit/cli/bench.py")
    result = CliRunner().invoke(app, ["bench", "files"])
    assert "part of the source tree" in str(result.exception)
    assert started == []
