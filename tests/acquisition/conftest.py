"""Helpers of the acquisition tests: crafted BrainFlow recordings, LSL senders in other processes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

SENDER = Path(__file__).with_name("lsl_sender.py")


class Sender:
    """An LSL outlet in a process of its own, told what to do by lines of JSON."""

    def __init__(self, **settings: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SENDER), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.read() == "up"

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, what: str, **values: object) -> str:
        """Send an order and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def sender() -> Iterator[Callable[..., Sender]]:
    """Return a function that starts an LSL sender in another process; all are ended with the test."""
    started: list[Sender] = []

    def start(**settings: object) -> Sender:
        settings.setdefault("source_id", settings["name"])
        started.append(Sender(**settings))
        return started[-1]

    yield start
    for process in started:
        process.close()


class Playback:
    """A table for BrainFlow's playback board, with the synthetic board's 32 rows at 250 Hz."""

    rate = 250.0

    def __init__(self, n: int) -> None:
        self.rows = np.zeros((n, 32))
        samples = np.arange(n)
        self.rows[:, 0] = samples % 256
        rng = np.random.default_rng(1)
        self.rows[:, 1:17] = rng.normal(0, 20, (n, 16)) + 30 * np.sin(2 * np.pi * 10 * samples / 250)[:, None]
        self.rows[:, 29] = 90.0
        self.rows[:, 30] = 1_700_000_000 + samples / self.rate

    def write(self, path: Path) -> str:
        """Write the table and return the address that plays it."""
        lines = ["\t".join(f"{value:.6f}" for value in row) for row in self.rows]
        path.write_text("\n".join(lines) + "\n")
        return f"brainflow:playback?master_board=synthetic&file={path}"


@pytest.fixture
def playback() -> type[Playback]:
    """Return the class that makes tables for the playback board."""
    return Playback
