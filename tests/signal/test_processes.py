"""Processes: whether one is there and the same; under a fake of the systems that are not this one."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bcikit.signal import processes
from bcikit.signal.processes import end_process, on_its_own, process_is_alive, process_mark

SLEEPS = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


class Windows:
    """Processes as the functions of Windows tell of them: number to whether it runs, and when it was begun."""

    def __init__(self, there: dict[int, tuple[bool, int]], *, closed: tuple[int, ...] = ()) -> None:
        self.there, self.closed_to_us, self.opened, self.error = there, closed, set(), 0
        self.OpenProcess = Function(self._open)

    def _open(self, rights: int, inherit: int, pid: int) -> int:
        assert (rights, inherit) == (0x1000 | 0x100000, 0)
        if pid in self.there:
            self.opened.add(pid << 4)
            return pid << 4
        self.error = 5 if pid in self.closed_to_us else 87
        return 0

    def WaitForSingleObject(self, handle, milliseconds: int) -> int:
        assert milliseconds == 0
        return 0x102 if self.there[handle.value >> 4][0] else 0

    def GetProcessTimes(self, handle, begun, *others) -> int:
        assert len(others) == 3
        begun._obj.value = self.there[handle.value >> 4][1]
        return 1

    def CloseHandle(self, handle) -> None:
        self.opened.remove(handle.value)


class Function:
    """What ctypes gives: a callable that takes attributes."""

    def __init__(self, call) -> None:
        self.call = call

    def __call__(self, *args):
        return self.call(*args)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    system = Windows({41: (True, 133_000), 42: (False, 134_000)}, closed=(4,))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(processes, "windows_api", lambda: system)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: system.error, raising=False)
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"os.kill{given}: 0 is Ctrl-C on Windows"))
    return system


def test_on_windows_nobody_is_sent_a_ctrl_c_to_see_whether_it_runs(windows: Windows) -> None:
    assert process_is_alive(41)
    assert not process_is_alive(42)  # it ended, and somebody holds a handle of it
    assert not process_is_alive(43)
    assert process_is_alive(4)  # another user's
    assert not process_is_alive(0)
    assert windows.opened == set()


def test_on_windows_a_process_is_known_by_when_it_was_begun(windows: Windows) -> None:
    assert process_mark(41) == "133000"
    assert process_mark(42) != process_mark(41)
    assert process_mark(43) == process_mark(4) == ""


def test_on_windows_a_child_has_a_console_of_its_own(windows: Windows) -> None:
    assert on_its_own() == {"creationflags": 0x200 | 0x08000000}


def test_on_macos_the_list_of_processes_says_when_one_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command, **options):
        assert command == ["/bin/ps", "-o", "lstart=", "-p", "41"]
        assert options["timeout"]
        return subprocess.CompletedProcess(command, 0, b"Sun Nov 29 20:52:18 2026    \n", b"")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", run)
    assert process_mark(41) == "Sun Nov 29 20:52:18 2026"

    def missing(command, **options):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(subprocess, "run", missing)
    assert process_mark(41) == ""


def test_here_a_process_is_there_is_itself_and_ends() -> None:
    with subprocess.Popen(SLEEPS, stdout=subprocess.PIPE, **on_its_own()) as child:
        try:
            child.stdout.readline()
            assert process_is_alive(child.pid)
            mark = process_mark(child.pid)
            assert mark
            assert mark == process_mark(child.pid)
            if os.name == "posix":
                assert os.getsid(child.pid) == child.pid
            end_process(child.pid)
            child.wait(20.0)
            assert not process_is_alive(child.pid)
            end_process(child.pid)  # gone: nothing happens
        finally:
            child.kill()


def test_who_takes_no_request_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    end_process(41)
    end_process(41, hard=True)
    monkeypatch.delattr(signal, "SIGKILL", raising=False)  # Windows has none
    end_process(41, hard=True)
    assert sent == [signal.SIGTERM, sent[1], signal.SIGTERM]
    assert len({*sent}) == (2 if os.name == "posix" else 1)


def test_no_other_module_sends_signals_to_numbers() -> None:
    root = Path(processes.__file__).parents[1]
    found = [path.name for path in root.rglob("*.py") if "os.kill" in path.read_text("utf-8")]
    assert found == ["processes.py"]
