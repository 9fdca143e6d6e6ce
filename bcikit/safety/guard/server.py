"""The guard's loop: one thread, one socket on loopback, one driver."""

import contextlib
import json
import os
import select
import socket
import sys
import time
from typing import TextIO

from bcikit.safety.guard.core import Cause, GuardCore
from bcikit.safety.guard.drivers import Driver
from bcikit.safety.guard.endings import Endings

TICK_S = 0.004
_BURST = 32
"""Datagrams read between two looks at the clock: a flood must not hide that the time is up."""


class GuardServer:
    """Serves one `GuardCore` until it is told to quit or its engine is gone.

    Parameters
    ----------
    core : GuardCore
        The rules.
    log : file or None
        For JSON lines of every trip, flushed at once.
    lifeline : int or None
        A file descriptor that the engine holds open; when it closes, the engine is dead.
    endings : Endings or None
        Whoever ends the process by a signal asks for the safe state first.
    """

    def __init__(
        self,
        core: GuardCore,
        *,
        log: TextIO | None = None,
        lifeline: int | None = None,
        endings: Endings | None = None,
    ) -> None:
        self.core = core
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.0)
        self.port: int = self._socket.getsockname()[1]
        # Windows can wait for sockets only; there the heartbeat alone tells that the engine is gone.
        self._lifeline = lifeline if sys.platform != "win32" else None
        self._log = log
        self._endings = endings
        self._logged = 0

    def run(self) -> int:
        """Serve, and return the exit code; whatever ends it, the driver is safe afterwards."""
        core = self.core
        wanted: list[socket.socket | int] = [self._socket]
        if self._lifeline is not None:
            wanted.append(self._lifeline)
        try:
            while not core.quit:
                readable, _, _ = select.select(wanted, [], [], TICK_S)
                if self._socket in readable:
                    self._read()
                core.tick(time.monotonic())
                if self._lifeline in readable and not self._alive():
                    core.go_safe("the engine is gone", time.monotonic(), Cause.END)
                    core.quit = True
                number = 0 if self._endings is None else self._endings.asked()
                if number:
                    core.go_safe(f"the guard was told to end (signal {number})", time.monotonic(), Cause.END)
                    return 128 + number
                self._write_log()
        except BaseException as error:
            core.go_safe(f"the guard failed: {type(error).__name__}: {error}", time.monotonic(), Cause.END)
            raise
        else:
            return 0
        finally:
            core.go_safe("the guard ends", time.monotonic(), Cause.END)
            try:
                core.driver.close()
            finally:
                self._write_log()
                self._socket.close()
                if self._log is not None:
                    self._log.close()

    def _read(self) -> None:
        for _ in range(_BURST):
            try:
                datagram, address = self._socket.recvfrom(65536)
            except (BlockingIOError, ConnectionError):
                return
            answer = self.core.receive(datagram, time.monotonic())
            if answer is not None:
                try:
                    self._socket.sendto(answer, address)
                except OSError:
                    # Who asked is gone; that is the heartbeat's business.
                    return

    def _alive(self) -> bool:
        assert self._lifeline is not None
        return bool(os.read(self._lifeline, 4096))

    def _write_log(self) -> None:
        if self._log is None:
            self._logged = len(self.core.trips)
            return
        while self._logged < len(self.core.trips):
            when, reason = self.core.trips[self._logged]
            done = time.monotonic()
            record = {"time": when, "safe": done, "reason": reason, "driver": self.core.driver.state()}
            # A full disk must not end the guard; what could not be written is lost, what it says of itself is not.
            with contextlib.suppress(OSError):
                os.write(self._log.fileno(), (json.dumps(record) + "\n").encode())
            self._logged += 1


def serve(
    driver: Driver, key: bytes, *, dead_man: bool, log: TextIO | None, endings: Endings, priority: str = "ordinary"
) -> int:
    """Serve `driver` and return the exit code; the port goes to standard output, standard input is the lifeline."""
    core = GuardCore(driver, key, dead_man=dead_man, priority=priority)
    server = GuardServer(core, log=log, lifeline=sys.stdin.fileno(), endings=endings)
    # Whoever started it may be gone by now: then there is nothing to say, and the lifeline ends it at once.
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps({"port": server.port, "pid": os.getpid()}).encode() + b"\n")
    return server.run()
