"""The patient's window from the session's side: who opens it, waits for it, misses it and ends it."""

import os
import subprocess
import threading
import time
from typing import Any

import pytest

pytest.importorskip("PySide6")
pytest.importorskip("websockets")

from bcikit.outputs import open_output
from bcikit.outputs.screen import ScreenOutput
from bcikit.presentation.line import Line
from bcikit.safety.levels import Severity
from bcikit.signal import Address, ArgumentError, BciError, Command, HostClock, MissingDependencyError, SourceError


class Window:
    """Stands for the window's process: joins by the real line that its environment names."""

    def __init__(self, command: list[str], *, env: dict[str, str], polite: int = 1) -> None:
        self.command, self.polite = command, polite
        self.ended: list[str] = []
        self.code: int | None = None
        self.line: Line | None = None
        self._joins = threading.Thread(target=self._join, args=(env["BCIKIT_SCREEN"],))
        self._joins.start()

    def _join(self, url: str) -> None:
        self.line = Line(url, name="qt")

    def poll(self) -> int | None:
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        self._joins.join(30)
        assert self.line is not None
        self.line.close()
        if len(self.ended) < self.polite - 1:
            raise subprocess.TimeoutExpired(self.command, timeout or 0.0)
        self.code = 0
        return 0

    def terminate(self) -> None:
        self.ended.append("terminate")

    def kill(self) -> None:
        self.ended.append("kill")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Window]:
    windows: list[Window] = []

    def start(command: list[str], *, env: dict[str, str]) -> Window:
        windows.append(Window(command, env=env))
        return windows[-1]

    monkeypatch.setattr("bcikit.outputs.screen.subprocess.Popen", start)
    return windows


def until(true: Any) -> Any:
    end = time.monotonic() + 60
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.002)
    return found


def test_the_window_hears_the_session_and_what_it_says_is_heard(opened: list[Window]) -> None:
    with open_output(
        "screen:?place=beside&language=zh&patch=1&blank=1&delay=0.2&height_cm=60&distance_cm=100"
    ) as output:
        (window,) = opened
        assert window.command[1:] == [
            *("-m", "bcikit.presentation", "--place", "beside", "--language", "zh"),
            *("--height-cm", "60.0", "--distance-cm", "100.0", "--delay", "0.2"),
            *("--patch", "--blank"),
        ]
        assert output.token not in " ".join(window.command)
        assert output.state()["open"]
        assert not {"url", "code", "wrong_codes"} & output.state().keys()
        line = until(lambda: window.line)
        event = {"name": "cue/left_hand", "time": 1.0, "sample": 4}
        output.inform({"type": "event", "name": "cue/left_hand", "time": 1.0})
        output.inform({"type": "show", "event": event, "scene": None})
        output.send(Command(sequence=1, time=HostClock().now(), ttl=0.5, name="close", value=0.8, data={"class": "x"}))
        heard: list[dict[str, Any]] = []
        until(lambda: heard.extend(line.take()) or len(heard) >= 3)
        # Who joins begins at rest; news that are no show are for other eyes.
        assert [one["type"] for one in heard[:3]] == ["safe", "show", "command"]
        assert heard[1]["event"] == event
        assert {key: heard[2][key] for key in ("name", "value", "ttl_ms", "data")} == {
            "name": "close",
            "value": 0.8,
            "ttl_ms": 500,
            "data": {"class": "x"},
        }
        line.say({"type": "hello", "refresh": 60.0, "delay": 0.2, "display": "a screen"})
        (said,) = until(output.heard)
        assert (said["client"], said["refresh"], said["correction"]) == ("qt", 60.0, 0.0)
        assert not line.gone
    assert line.gone
    line.say({"type": "stop"})
    line.close()


def test_a_window_that_is_gone_is_said_as_long_as_it_is(opened: list[Window]) -> None:
    with ScreenOutput(place="window") as output:
        assert output.trouble() is None
        opened[0].code = 1
        for _ in range(3):
            reading = output.trouble()
            assert reading is not None
            assert (reading.rule, reading.severity, reading.value) == (
                *("ST-TIMING", Severity.DEGRADE),
                "the patient's window is gone",
            )
        assert not output.state()["open"]


@pytest.mark.parametrize(("polite", "ended"), [(1, []), (2, ["terminate"]), (3, ["terminate", "kill"])])
def test_a_window_that_hangs_is_ended_at_last(opened: list[Window], polite: int, ended: list[str]) -> None:
    output = ScreenOutput(place="window")
    opened[0].polite = polite
    output.close()
    assert opened[0].ended == ended
    assert opened[0].code == 0


@pytest.mark.skipif(os.name != "posix", reason="a program that ends at once has another name there")
def test_a_window_that_cannot_open_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcikit.outputs.screen.sys.executable", "false")
    with pytest.raises(SourceError, match="could not be opened; is there a display"):
        ScreenOutput()


def test_what_is_no_place_and_a_computer_without_qt_are_said_before_a_window_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ArgumentError, match="place"):
        ScreenOutput(place="third")
    with pytest.raises(ArgumentError, match="delay"):
        ScreenOutput(delay=2.0)
    with pytest.raises(ArgumentError, match="height_cm"):
        ScreenOutput(height_cm=0.0)
    with pytest.raises(ArgumentError, match="distance_cm"):
        ScreenOutput(distance_cm=3000.0)
    assert ScreenOutput.can_show(Address.parse("screen:"))
    monkeypatch.setattr("bcikit.outputs.screen.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="The patient's window"):
        ScreenOutput()


def test_a_line_that_nobody_answers_says_so() -> None:
    with pytest.raises(BciError, match="does not let the window in"):
        Line("ws://127.0.0.1:9/ws", name="qt")
