"""Reaction times of the whole way: a session, a guard and windows in processes of their own, as people use them."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.safety.guard.client import GuardClient
from bcikit.session.control import ControlClient
from bcikit.session.ticket import Ticket
from bcikit.signal import BciError

HERE = Path(__file__).resolve().parent
LATCHED = ("SAFE_STOP", "ESTOP", "FATAL")
PATIENCE_S = 60.0


class Lines:
    """The lines of a process, or of a file that grows, as they come."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, 0
        self.all: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return all lines so far."""
        if self._file.exists():
            with self._file.open(encoding="utf-8") as stream:
                stream.seek(self._at)
                while (line := stream.readline()).endswith("\n"):
                    self.all.append(json.loads(line))
                    self._at = stream.tell()
        return self.all

    def after(self, begin: float, wanted: Callable[[dict[str, Any]], bool], key: str) -> dict[str, Any]:
        """Return the first line whose time is not before `begin` and that is wanted; waits for it."""
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            found = [line for line in self.read() if line[key] >= begin and wanted(line)]
            if found:
                return found[0]
            time.sleep(0.002)
        raise TimeoutError(f"nothing came after {begin}: {self.all[-3:]}")


class Session:
    """A live session whose hand closes with every decision, in a process of its own, and its guard.

    Attributes
    ----------
    where : dict
        Tickets and the address of the page.
    """

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None, **given: Any) -> None:
        self.folder = folder / uuid.uuid4().hex
        self.folder.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "safety_engine.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(self.folder), "name": self.folder.name, **given}) + "\n")
        self._process.stdin.flush()
        self.where: dict[str, Any] = json.loads(self._process.stdout.readline())
        self.pid = self._process.pid
        self.states, self.guard = Lines(self.folder / "states"), Lines(self.folder / "guard.jsonl")
        self._control = ControlClient(Ticket.parse(self.where["therapist"]), connect=False)
        port, key = self.where["observer"]
        self._observer = GuardClient(port, bytes.fromhex(key), role="observer")

    @property
    def alive(self) -> bool:
        """Whether the session goes on."""
        return self._process.poll() is None

    def last_words(self) -> tuple[float, float]:
        """Return when the session last said something to its guard, and when it last sent a command."""
        word, command = struct.unpack("dd", (self.folder / "beat").read_bytes())
        return word, command

    def moving(self) -> bool:
        """Return whether the hand moves, asked of the guard itself."""
        return bool(self._observer.state()["driver"]["output"])

    def order(self, do: str, **more: Any) -> None:
        """Give an order; what is refused now is tried again by whoever waits."""
        with contextlib.suppress(BciError):
            self._control.send({"do": do, **more})

    def state(self) -> tuple[str, float]:
        """Return the newest state, and since when."""
        states = [line for line in self.states.read() if "state" in line]
        return (states[-1]["state"], states[-1]["t"]) if states else ("", 0.0)

    def ready(self) -> None:
        """Bring it to ACTIVE, its guard armed and its hand on the move."""
        limit, asked, asked_in = time.monotonic() + PATIENCE_S, 0.0, 0.0
        # As windows do: a stop must not wait for a greeting, and needs no new handle.
        self._control.connect()
        while time.monotonic() < limit:
            state, since = self.state()
            if state == "ACTIVE" and self.last_words()[1] > since and self.moving():
                return
            # At once in a new state, and again where it was refused.
            if since != asked_in or time.monotonic() > asked + 0.25:
                asked, asked_in = time.monotonic(), since
                if state in LATCHED:
                    self.order("acknowledge", who="bench", reason="next trial")
                elif state == "STANDBY":
                    self.order("start", who="bench")
                elif state == "DEGRADED":
                    # It would go on by itself, after 5 s.
                    self.order("stop", who="bench", reason="next trial")
            time.sleep(0.01)
        raise TimeoutError(f"the session is {self.state()}: {self.states.all[-3:]}")

    def stopped(self, began: float, *states: str) -> tuple[float, float]:
        """Return the seconds from `began` until the gate was shut, and until the guard had put its driver to rest."""
        wanted = states or LATCHED
        shut = self.states.after(began, lambda line: line.get("state") in wanted, "t")["t"]
        safe = self.guard.after(began, lambda line: line["driver"]["output"] == 0.0, "safe")["safe"]
        return shut - began, safe - began

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._observer.close()
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGCONT)
            assert self._process.stdin is not None
            self._process.stdin.write("end\n")
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def session(folder: Path, **given: Any) -> Iterator[Session]:
    """Run a session meanwhile."""
    made = Session(folder, **given)
    try:
        yield made
    finally:
        made.close()


class Window:
    """A window of the session in a process of its own (`safety_window.py`)."""

    def __init__(self, kind: str, of: Session) -> None:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "BENCH_PID": str(of.pid),
                       "BENCH_TICKET": of.where["therapist"], "BCIKIT_SESSION": of.where["window"],
                       "BCIKIT_SCREEN": of.where["page"].replace("http:", "ws:").replace("/?", "/ws?")}  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "safety_window.py"), kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.said: deque[dict[str, Any]] = deque()
        self.covered = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # A busy computer may take minutes to load Qt.
        self.hear("open", patience=5 * PATIENCE_S)
        # Until it has joined, and drawn its first pictures.
        time.sleep(3.0)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            self.covered = {"stale": True, "fresh": False}.get(said["what"], self.covered)
            self.said.append(said)

    def hear(self, what: str, begin: float = 0.0, *, patience: float = PATIENCE_S) -> float:
        """Return when something was said; waits for it."""
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            while self.said:
                said = self.said.popleft()
                if said["what"] == what and said["t"] >= begin:
                    return float(said["t"])
            time.sleep(0.002)
        raise TimeoutError(f"the window did not say {what!r}")

    def press(self) -> float:
        """Press the space bar; return when."""
        assert self._process.stdin is not None
        self._process.stdin.write("press\n")
        self._process.stdin.flush()
        return self.hear("pressed")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


Found = Iterator[tuple[str, float]]
"""What was timed, and its seconds, trial by trial: whoever breaks off has those before."""


def stop_trials(of: Session, press: Callable[[], float], n: int, rng: np.random.Generator) -> Found:
    """Yield the seconds from a press until the gate was shut ("gate") and the guard at rest ("guard"), n times."""
    for _ in range(n):
        of.ready()
        time.sleep(0.05 + rng.uniform(0, 0.1))
        if of.state()[0] != "ACTIVE":
            of.ready()
        gate, guard = of.stopped(press())
        yield "gate", gate
        yield "guard", guard


def window_stops(kind: str, folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield the same for the space bar of a window: "viewer", "clinic", "patient"."""
    with session(folder) as of, contextlib.closing(Window(kind, of)) as window:
        yield from stop_trials(of, window.press, n, rng)


def page_stops(folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield the same for the space bar of the page in a browser."""
    import chromium
    from chromium import open_page

    if chromium.PROGRAM is None:
        raise PermissionError("no Chromium here")
    with session(folder) as of, open_page(of.where["page"]) as page:
        page.until("window.bcikit?.page.linked")

        def press() -> float:
            began = time.monotonic()
            page.call("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", windowsVirtualKeyCode=32)
            page.call("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space", windowsVirtualKeyCode=32)
            return began

        yield from stop_trials(of, press, n, rng)


def box_stops(folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield the same for a stop box that is pressed ("pressed gate", "pressed guard"), and one that falls silent."""
    from bcikit.testing import SimulatedStopBox

    with SimulatedStopBox() as box, session(folder, stop_box=box.address) as of:
        for what, do in (("pressed", box.press), ("lost", box.fall_silent)):

            def press(do: Callable[[], float] = do) -> float:
                began = do()
                of.states.after(began, lambda line: line.get("state") == "ESTOP", "t")
                threading.Timer(0.3, box.release).start()
                return began

            yield from ((f"{what} {end}", seconds) for end, seconds in stop_trials(of, press, n, rng))


def stale_trials(folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield the seconds from the freezing of the engine until each window had painted that nothing is heard."""
    with session(folder) as of, contextlib.ExitStack() as stack:
        windows = {kind: stack.enter_context(contextlib.closing(Window(kind, of))) for kind in ("viewer", "clinic")}
        for _ in range(n):
            # Anywhere in the period of the session's news.
            time.sleep(0.2 + rng.uniform(0, 0.3))
            while any(window.covered for window in windows.values()):
                # A computer too busy for the engine: what is covered already cannot be covered by the freezing.
                time.sleep(0.2)
            for window in windows.values():
                window.said.clear()
            began = time.monotonic()
            os.kill(of.pid, signal.SIGSTOP)
            try:
                for kind, window in windows.items():
                    yield kind, window.hear("stale", began) - began
            finally:
                os.kill(of.pid, signal.SIGCONT)
            for window in windows.values():
                window.hear("fresh", began)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small disk in memory meanwhile.

    Raises
    ------
    PermissionError
        Where this may not be done.
    """
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def disk_trials(folder: Path, n: int) -> Found:
    """Yield the seconds from a disk that fills up until the hand is at rest; the run ends, the session is kept."""
    with small_disk(folder, 400) as disk, session(folder, recording=str(disk / "session")) as of:
        for _ in range(n):
            of.ready()
            free = os.statvfs(disk)
            filler = disk / "filler"
            with filler.open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, free.f_bavail * free.f_frsize - 60_000_000)
            began = time.monotonic()
            try:
                yield "rest", max(of.stopped(began, "STANDBY", *LATCHED))
            finally:
                filler.unlink()


class Starved:
    """Takes the processor from a process meanwhile: it runs for 2 ms, and then stands for 60 to 400 ms."""

    def __init__(self, pid: int, rng: np.random.Generator) -> None:
        self._pid, self._rng = pid, rng
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._over.is_set():
            os.kill(self._pid, signal.SIGSTOP)
            self._over.wait(self._rng.uniform(0.06, 0.4))
            os.kill(self._pid, signal.SIGCONT)
            time.sleep(0.002)

    def __enter__(self) -> "Starved":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        os.kill(self._pid, signal.SIGCONT)


LOOK_S = 0.008
"""Between two questions to the guard: 125 a second, and 400 are a flood."""

STARVED_S = 0.75
"""The engine is starved for so long at least, and longer while the hand has not come to rest."""


def starved_trials(folder: Path, n: int, rng: np.random.Generator) -> Found:
    """Yield how long the hand moved on, at most, after the last word ("word") and the last command ("command").

    The guard itself says whether the hand moves, while the engine gets hardly any time: whatever put it to rest counts
    (a trip of the guard, a command that ran out, the engine's own word), and so does a hand that begins to move again.
    """
    with session(folder) as of:
        for _ in range(n):
            of.ready()
            with Starved(of.pid, rng):
                word, command = _moved_on(of)
            yield "word", word
            yield "command", command


def _moved_on(of: Session) -> tuple[float, float]:
    """Return the longest times from word and command to a hand that still moves, or comes to rest just then."""
    began = time.monotonic()
    longest = [0.0, 0.0]
    before, moved, rested = of.last_words(), True, False
    while time.monotonic() < began + STARVED_S or not (rested or time.monotonic() > began + PATIENCE_S / 3):
        asked, words, moves = time.monotonic(), of.last_words(), of.moving()
        until = time.monotonic()
        if moved and not moves:
            # The guard's own log has it to the millisecond, where it was a trip.
            until = max((line["safe"] for line in of.guard.read() if asked - 2 * LOOK_S < line["safe"]), default=until)
        for i, (old, new) in enumerate(zip(before, words, strict=True)):
            if moved:
                # A newer word ends the silence after the one before.
                longest[i] = max(longest[i], min(until, new) - old if new > old else until - old)
            if moves:
                longest[i] = max(longest[i], until - new)
        before, moved, rested = words, moves, rested or not moves
        time.sleep(LOOK_S)
    return longest[0], longest[1]
