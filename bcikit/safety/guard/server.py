"""The guard's loop: one thread, one socket on loopback, one driver."""

import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

from bcikit.safety.guard.core import GuardCore
from bcikit.safety.guard.drivers import Driver

TICK_S = 0.004
_BURST = 32
"""Datagrams read between two looks at the clock: a flood must not hide that the time is up."""


class GuardServer:
    """Serves one `GuardCore` until it is told to quit or its engine is gone.

    Parameters
    ----------
    core : GuardCore
        The rules.
    log : path or None
        JSON lines of every trip, flushed at once.
    lifeline : int or None
        A file descriptor that the engine holds open; when it closes, the engine is dead.
    """

    def __init__(
        self, core: GuardCore, *, log: str | os.PathLike[str] | None = None, lifeline: int | None = None
    ) -> None:
        self.core = core
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.0)
        self.port: int = self._socket.getsockname()[1]
        # Windows can wait for sockets only; there the heartbeat alone tells that the engine is gone.
        self._lifeline = lifeline if os.name == "posix" else None
        self._log: TextIO | None = None if log is None else Path(log).open("a", encoding="utf-8")  # noqa: SIM115
        self._logged = 0

    def run(self) -> None:
        """Serve; whatever ends it, the driver is safe afterwards."""
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
                    core.go_safe("the engine is gone", time.monotonic())
                    core.quit = True
                self._write_log()
        except SystemExit:
            core.go_safe("the guard was told to end", time.monotonic())
            raise
        except BaseException as error:
            core.go_safe(f"the guard failed: {type(error).__name__}: {error}", time.monotonic())
            raise
        finally:
            core.go_safe("the guard ends", time.monotonic())
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
            self._log.write(json.dumps(record) + "\n")
            self._log.flush()
            self._logged += 1


def serve(driver: Driver, key: bytes, *, dead_man: bool, log: str | None) -> None:
    """Serve `driver`; the port goes to standard output, and standard input is the lifeline."""
    core = GuardCore(driver, key, dead_man=dead_man)
    server = GuardServer(core, log=log, lifeline=sys.stdin.fileno())
    sys.stdout.write(json.dumps({"port": server.port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    server.run()
