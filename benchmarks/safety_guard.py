"""Reaction times of the guard alone, and of the monitors to a stream that falls silent."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safety_stops import Found

from bcikit.safety import GateSettings, GuardClient, SafetySystem, State
from bcikit.safety.guard.client import GuardError

OUTLET = Path(__file__).resolve().parents[1] / "tests" / "safety" / "lsl_outlet.py"
LSL_CONFIG = OUTLET.parents[1] / "lsl_api.cfg"
ENGINE = """
import sys, time
from bcikit.safety.guard.client import GuardClient
client = GuardClient.launch("sim-hand", log=sys.argv[1])
sys.stdin.readline()
client.arm()
print("up", flush=True)
while True:
    client.send("close", 1.0, ttl=0.25)
    time.sleep(0.02)
"""
AHEAD = 3
"""Engines that load while one is measured."""


def wait_for(condition: Callable[[], Any], timeout: float = 5.0) -> Any:
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        found = condition()
        if found:
            return found
        time.sleep(0.002)
    raise TimeoutError("no reaction")


class Hand:
    """An engine in a process of its own that moves its hand from `go` on, and the log of its guard."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / f"{uuid.uuid4()}.jsonl"
        self._process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, str(self.log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid

    def go(self) -> None:
        """Begin, and return when it moves."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "up"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate(timeout=10)


def engine_trials(kind: signal.Signals, folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield seconds from a signal to the engine until the guard's driver was safe ("safe")."""
    loading = deque(Hand(folder) for _ in range(AHEAD))
    try:
        for _ in range(n):
            loading.append(Hand(folder))
            with contextlib.closing(loading.popleft()) as hand:
                hand.go()
                # Anywhere in the heartbeat's period.
                time.sleep(0.1 + rng.uniform(0, 0.05))
                hit = time.monotonic()
                os.kill(hand.pid, kind)
                record = wait_for(lambda log=hand.log: _trip_after(log, 0.0))
                assert record["driver"]["output"] == 0.0
                if record["time"] < hit:
                    raise TimeoutError(f"it was at rest before: {record['reason']}")
                yield "safe", record["safe"] - hit
    finally:
        for hand in loading:
            hand.close()


def _trip_after(log: Path, since: float) -> dict[str, Any] | None:
    """Return the first trip of a guard's log that was after a time."""
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    return next((record for record in records if record["time"] >= since), None)


def stop_trials(kind: str, n: int, folder: Path) -> Found:
    """Yield seconds from letting go of the dead-man switch, or from the stop key, until the driver was safe."""
    log = folder / f"{kind}.jsonl"
    done = 0
    with GuardClient.launch("sim-hand", dead_man=True, log=log) as client:
        switch = GuardClient(client.port, client.role_key("dead-man"), role="dead-man")
        key = GuardClient(client.port, client.role_key("operator"), role="operator")
        while done < n:
            # Slowly enough not to be a flood.
            time.sleep(0.03)
            with contextlib.suppress(GuardError):
                client.release("bench", "next trial")
                switch.hold(held=True)
                client.arm()
                client.send("close", 1.0, ttl=0.5)
                switch.hold(held=True)
                if client.state()["driver"]["output"] != 1.0:
                    continue
                asked = time.monotonic()
                if kind == "dead-man":
                    switch.hold(held=False)
                else:
                    key.safe("stop key")
                record = wait_for(lambda since=asked: _trip_after(log, since))
                assert record["driver"]["output"] == 0.0
                done += 1
                yield "safe", record["safe"] - asked
        switch.close()
        key.close()


def stall_trials(n: int) -> Found:
    """Yield seconds from the last sample of a silent LSL stream until SAFE_STOP ("stop")."""
    os.environ.setdefault("LSLAPICFG", str(LSL_CONFIG))
    from pylsl import local_clock

    from bcikit.acquisition import open_source

    name = f"bench-{uuid.uuid4()}"
    outlet = subprocess.Popen(
        [sys.executable, str(OUTLET), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert outlet.stdin is not None
    assert outlet.stdout is not None
    try:
        assert outlet.stdout.readline().strip() == "up"
        with open_source(f"lsl:source_id={name}&timeout=20") as source:
            for _ in range(n):
                settings = GateSettings(stall_fault_s=0.5, gap_fault_s=0.1)
                system = SafetySystem(settings, source.info)
                last = stopped = 0.0
                heard = 0
                silent = False
                limit = local_clock() + 10.0
                while not stopped and local_clock() < limit:
                    chunk = source.pull(0.02)
                    now = local_clock()
                    if chunk is None:
                        system.on_silence(now)
                    else:
                        last, heard = now, heard + 1
                        system.on_chunk(chunk, now)
                    if heard == 2 and system.state is State.STANDBY:
                        system.control.start(now=now)
                    if heard >= 5 and not silent:
                        outlet.stdin.write("silent\n")
                        outlet.stdin.flush()
                        silent = True
                    if system.state is State.SAFE_STOP:
                        stopped = now
                assert stopped
                yield "stop", stopped - last
                outlet.stdin.write("resume\n")
                outlet.stdin.flush()
                while source.pull(0.05) is None and local_clock() < limit + 10.0:
                    pass
    finally:
        outlet.kill()
        outlet.wait(10)
        outlet.stdin.close()
        outlet.stdout.close()
