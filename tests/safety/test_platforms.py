"""The guard on systems that are not this one: their branches run under a fake of the system."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import types

import pytest

from bcikit.safety.guard import client, endings, priority
from bcikit.safety.guard.core import GuardCore
from bcikit.safety.guard.drivers import SimulatedHand
from bcikit.safety.guard.server import GuardServer
from bcikit.signal import SourceError
from bcikit.signal.terminal import open_terminal


class Signals(types.SimpleNamespace):
    """The signals that Windows has."""

    def __init__(self) -> None:
        self.taken = {}
        super().__init__(SIGINT=2, SIGTERM=15, SIGBREAK=21, signal=self.take)

    def take(self, number, handler) -> None:
        self.taken[number] = handler


def test_on_windows_ctrl_c_ctrl_break_and_a_closed_console_end_the_guard_safely(monkeypatch) -> None:
    signals = Signals()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(endings, "signal", signals)
    asked = endings.Endings()
    assert set(signals.taken) == {2, 15, 21}
    assert asked.asked() == 0
    signals.taken[21](21, None)
    assert asked.asked() == 21


def test_on_windows_the_guard_waits_for_sockets_only(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    read, write = os.pipe()
    core = GuardCore(SimulatedHand(), b"k" * 32)
    waited = []

    def select(readers, writers, errors, seconds):
        waited.extend(readers)
        core.quit = True
        return [], [], []

    monkeypatch.setattr("bcikit.safety.guard.server.select.select", select)
    try:
        assert GuardServer(core, lifeline=read).run() == 0
    finally:
        os.close(read)
        os.close(write)
    assert len(waited) == 1
    assert isinstance(waited[0], socket.socket)
    assert core.trips


def test_a_caller_that_is_gone_is_no_fault_of_the_guard_on_windows() -> None:
    """Windows reports at the next look that nobody took the last answer."""
    server = GuardServer(GuardCore(SimulatedHand(), b"k" * 32))
    real = server._socket

    class Refused:
        def recvfrom(self, size):
            raise ConnectionResetError(10054, "forcibly closed by the remote host")

    try:
        server._socket = Refused()
        server._read()
    finally:
        real.close()


@pytest.mark.parametrize(("takes", "given"), [(1, "raised"), (0, "ordinary")])
def test_on_windows_the_guard_asks_for_high_priority(monkeypatch, takes: int, given: str) -> None:
    asked = []

    class Process:
        restype = None

        def __call__(self) -> int:
            return 2**64 - 1

    api = types.SimpleNamespace(
        GetCurrentProcess=Process(), SetPriorityClass=lambda handle, kind: asked.append((handle.value, kind)) or takes
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(priority, "windows_api", lambda: api)
    assert priority.first_in_line() == given
    # The handle of oneself is -1, in all of its bits.
    assert asked == [(2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1, 0x80)]


@pytest.mark.skipif(os.name != "posix", reason="macOS has the priorities of POSIX")
def test_on_macos_there_is_no_real_time_for_the_asking(monkeypatch) -> None:
    given = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "sched_setscheduler", lambda *args: pytest.fail("macOS has no such call"), raising=False)
    monkeypatch.setattr(os, "getpriority", lambda which, who: 0)
    monkeypatch.setattr(os, "setpriority", lambda which, who, value: given.append(value))
    monkeypatch.setattr(priority, "AUTOGROUP", types.SimpleNamespace(write_text=lambda *a, **k: given.append("group")))
    assert priority.first_in_line() == "raised"
    assert given == [priority.NICE, "group"]


def test_the_guard_is_begun_away_from_the_console(monkeypatch) -> None:
    begun = {}

    def popen(command, **options):
        begun.update(options)
        raise OSError("enough")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "Popen", popen)
    with contextlib.suppress(OSError):
        client.GuardClient.launch("sim-hand")
    assert begun["creationflags"] == 0x200 | 0x08000000
    assert "start_new_session" not in begun


def test_a_simulated_serial_device_says_that_windows_has_none(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SourceError, match="the simulated stimulator needs pseudo terminals, which Windows lacks"):
        open_terminal("the simulated stimulator")


def test_signals_that_windows_lacks_are_not_asked_for() -> None:
    from bcikit.cli.stopping import _KINDS

    assert "SIGBREAK" in _KINDS
    assert hasattr(signal, "SIGINT")
