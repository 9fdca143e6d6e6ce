"""The demo as a person starts it: with and without a window, on recordings, again into the same folder."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bcikit.cli import demo, demo_data
from bcikit.cli import launch as launching


class Started:
    """A program that was started, and does not end by itself."""

    all: list["Started"]

    def __init__(self, command: list[str], env: dict[str, str] | None = None, *, stubborn: int = 1) -> None:
        self.command = command
        self.env = env or {}
        self.stubborn = stubborn
        self.ended: list[str] = []
        self.all.append(self)

    def wait(self, timeout: float | None = None) -> int:
        if len(self.ended) < self.stubborn:
            raise subprocess.TimeoutExpired(self.command, timeout or 0.0)
        return 0

    def terminate(self) -> None:
        self.ended.append("terminate")

    def kill(self) -> None:
        self.ended.append("kill")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """Return the programs that are started, of which none is."""
    Started.all = []
    monkeypatch.setattr(subprocess, "Popen", Started)
    return Started.all


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, bool]]:
    """Return the sessions that are run, each of which only leaves its report."""
    found: list[tuple[Any, bool]] = []

    def launch(config: Any, *, headless: bool, **options: Any) -> Any:
        found.append((config, headless))
        folder = Path(config.recording.folder)
        folder.mkdir(parents=True)
        for name in ("result.json", "report.html"):
            (folder / name).write_text(f"{name} of session {len(found)}", encoding="utf-8")
        return SimpleNamespace(folder=folder)

    monkeypatch.setattr(launching, "launch", launch)
    return found


def test_without_a_window_one_session_calibrates_and_decodes(tmp_path, command_line, sessions) -> None:
    done = command_line("demo", "--headless", "--seed", "7", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    ((config, headless),) = sessions
    assert headless
    assert config.source.address == "sim:motor-imagery?seed=7"
    assert (config.paradigm.settings["calibration_runs"], config.paradigm.settings["feedback_runs"]) == (2, 2)
    assert (tmp_path / "out" / "result.json").read_text(encoding="utf-8") == "result.json of session 1"
    # Again: what the first one recorded stays.
    assert command_line("demo", "--headless", "--out", tmp_path / "out").code == 0
    assert [Path(one.recording.folder).name for one, _ in sessions] == ["session-001", "session-002"]
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == "report.html of session 2"


def test_with_a_window_it_calibrates_fast_and_then_shows_the_hand_at_the_pace_of_life(
    tmp_path, monkeypatch, command_line, sessions
) -> None:
    monkeypatch.setattr(launching, "wants_window", lambda *, headless: not headless)
    monkeypatch.chdir(tmp_path)
    done = command_line("demo", "--user", "sim:motor-imagery?ability=0.5")
    assert done.code == 0, done.err
    assert "Space stops" in done.out
    (first, fast), (second, quiet) = sessions
    assert (fast, quiet) == (True, False)
    assert "live" not in first.source.address
    assert "live=1" in second.source.address
    assert "ability=0.5" in second.source.address
    assert second.decoder.model == f"{first.recording.folder}/model.skops"
    (folder,) = (tmp_path / "sessions").glob("demo-*")
    assert (folder / "result.json").read_text(encoding="utf-8") == "result.json of session 2"


def test_on_recordings_the_third_is_streamed_while_the_first_two_calibrate(
    tmp_path, command_line, sessions, started
) -> None:
    for name in ("S001R04", "S002R04", "S002R08", "S002R12"):
        (tmp_path / f"{name}.edf").touch()
    done = command_line("demo", "--data", tmp_path, "--task", "left-right", "--out", tmp_path / "out", "--headless")
    assert done.code == 0, done.err
    assert "S002R04.edf, S002R08.edf; then S002R12.edf is streamed" in " ".join(done.out.split())
    ((config, _),) = sessions
    assert [Path(file).name for file in config.calibration.files] == ["S002R04.edf", "S002R08.edf"]
    assert config.session.subject == "S002"
    (player,) = started
    assert player.command[:4] == [sys.executable, "-m", "bcikit", "play"]
    assert player.command[4] == str(tmp_path / "S002R12.edf")
    assert f"lsl:name={player.command[6]}&" in config.source.address
    assert player.ended == ["terminate"]


def test_recordings_that_are_not_there_are_named(tmp_path, command_line) -> None:
    done = command_line("demo", "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert done.code == 2
    assert "there is no such folder" in done.err
    (tmp_path / "S001R06.edf").touch()
    done = command_line("demo", "--data", tmp_path, "--out", tmp_path / "out")
    assert done.code == 2
    assert "lacks the recordings S001R06.edf, S001R10.edf, S001R14.edf" in done.err
    assert "eegbci.load_data" in done.err


def test_a_player_that_does_not_end_when_asked_is_ended(tmp_path, monkeypatch) -> None:
    Started.all = []
    monkeypatch.setattr(subprocess, "Popen", lambda command: Started(command, stubborn=2 if "play" in command else 1))
    with demo_data.player(tmp_path / "a.edf", "name", speed=4.0):
        pass
    assert Started.all[0].ended == ["terminate", "kill"]
    assert Started.all[0].command[-1] == "4.0"


def test_the_live_window_is_a_process_that_is_closed_with_the_session(started) -> None:
    engine: Any = SimpleNamespace(control=SimpleNamespace(environment={"BCIKIT_CONTROL": "1234"}))
    with launching.window(engine, beside=True):
        assert started[0].command[-2:] == ["--exit-at-end", "--beside"]
        assert started[0].env["BCIKIT_CONTROL"] == "1234"
        assert "PATH" in started[0].env
    # It did not close by itself.
    assert started[0].ended == ["terminate"]


@pytest.mark.parametrize(
    ("system", "environment", "there"),
    [
        ("Linux", {}, False),
        ("Linux", {"DISPLAY": ":0"}, True),
        ("Linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("Linux", {"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, False),
        ("Windows", {}, True),
    ],
)
def test_a_window_is_opened_where_there_is_a_display(monkeypatch, system, environment, there) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launching.platform, "system", lambda: system)
    assert launching.has_display() is there
    assert launching.wants_window(headless=False) is there
    assert not launching.wants_window(headless=True)


def test_a_display_without_the_package_of_the_window_is_said(monkeypatch, capsys) -> None:
    monkeypatch.setattr(launching, "has_display", lambda: True)
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    assert not launching.wants_window(headless=False)
    said = capsys.readouterr()
    assert "No window: PySide6 and pyqtgraph are missing" in said.err
    # It would stand before the JSON of `run --json`.
    assert said.out == ""


def test_tasks_that_there_are_none_of_are_refused(command_line) -> None:
    done = command_line("demo", "--task", "fists")
    assert done.code == 2
    assert all(task in done.err for task in demo.TASKS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--task", "fists-feet"), "--data"),
        (("--data", ".", "--user", "sim:motor-imagery?ability=0.2"), "--user"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(command_line, options: tuple[str, ...], words: str) -> None:
    code, _, err = command_line("demo", "--headless", *options)
    assert code == 2
    assert words in err
