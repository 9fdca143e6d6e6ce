"""The session of `safety.py`: live, its hand moved by decisions through the gate, its states written with their times.

A line of JSON on standard input ends it; what it says on standard output is where to join it.
"""

from table import options  # isort: skip  # noqa: F401 - sets the number of threads first

import json
import mmap
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from bcikit.outputs import Output, open_output
from bcikit.paradigms import Paradigm, WindowRequest
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.session import Engine, Listener
from bcikit.signal import Command, Decision, Event, Verdict
from bcikit.signal.messages import Happened, Message, StateChanged

CLASSES = ("close", "rest")
HOP_S = 0.1


class Sure:
    """Decides to close, always."""

    def decide(self, window: Any, *, now: float | None = None) -> Decision:
        """Return that decision for a window."""
        age = max(0.0, (window.time if now is None else now) - window.time)
        return Decision(time=window.time, sample=window.stop_sample - 1, classes=CLASSES, probabilities=(0.97, 0.03),
                        label="close", age=age)  # fmt: skip


class Closes(Paradigm):
    """Asks ten times a second and closes the hand with each verdict that allows it, for ever."""

    kind: ClassVar[str] = "bench"
    Settings: ClassVar[type[ParadigmSettings]] = ParadigmSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """Close, and rest."""
        return CLASSES

    @property
    def open_ended(self) -> bool:
        """Return that it goes on for as long as the source does."""
        return True

    def decider(self) -> Sure:
        """Return what always closes."""
        return Sure()

    def results(self) -> dict[str, Any]:
        """Return that nothing was tried."""
        return {"paradigm": self.kind, "n_trials": 0, "trials": []}

    def start(self, sample: int, time: float) -> None:
        """Ask for the first window."""
        self._anchor = (sample, time)
        self._next(sample)

    def _next(self, sample: int) -> None:
        stop = sample + self.schedule.samples(HOP_S)
        self._ask(WindowRequest(stop_sample=stop, n_times=self.schedule.samples(HOP_S), kind="bench", trial=0))

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Close where it is allowed."""
        self._next(request.stop_sample)
        if not verdict.allowed:
            return [], []
        return [self._command(decision, "close", 1.0, ttl=0.5)], []


class Stamps(Listener):
    """Writes each change of state with the time at which the session's own thread had it."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")

    def take(self, message: Message) -> None:
        """Write a state, and what was refused."""
        if isinstance(message, StateChanged):
            self.write(state=message.state, rule=message.rule)
        elif isinstance(message, Happened) and message.event.name == "operator/refused":
            self.write(refused=message.event.data)

    def write(self, **what: Any) -> None:
        """Write a line."""
        self._file.write(json.dumps({"t": time.monotonic(), **what}) + "\n")
        self._file.flush()


def stamp_beats(guard: Any, file: Path) -> None:
    """Keep the times of the newest word and of the newest command to the guard where another process can read them."""
    file.write_bytes(bytes(16))
    with file.open("r+b") as stream:
        shared = mmap.mmap(stream.fileno(), 16)
    client = guard._client
    send = client._send

    def sending(message: dict[str, Any], *, role: str = "") -> int:
        if message["do"] in ("beat", "command", "arm"):
            shared[:8] = now = struct.pack("d", time.monotonic())
            if message["do"] == "command":
                shared[8:] = now
        number: int = send(message, role=role)
        return number

    client._send = sending


def main() -> None:
    """Run the session that standard input describes."""
    given = json.loads(sys.stdin.readline())
    folder = Path(given["folder"])
    guard = open_output(f"guard:sim-hand?log={folder / 'guard.jsonl'}")
    stamp_beats(guard, folder / "beat")
    page = open_output("ws:port=0")
    outputs: list[Output] = [guard, page]
    config: dict[str, Any] = {
        "session": {"name": given["name"]},
        "source": {"address": "sim:rest?seed=1&live=1"},
        "gate": {"stop_clear_s": 0.0, "refractory_s": 0.0, "advisory_stops": False},
        "recording": {"enabled": bool(given.get("recording")), "folder": given.get("recording", "")},
        "arming": {"stop_box": given.get("stop_box", "")},
    }
    engine = Engine(config, operator="bench", paradigm=Closes(), outputs=outputs, listeners=[Stamps(folder / "states")])
    client = guard._client  # type: ignore[attr-defined]
    where = {
        "therapist": engine.control.ticket("therapist").text,
        "window": engine.control.ticket("window").text,
        "page": page.url,  # type: ignore[attr-defined]
        "guard": client.pid,
        "observer": [client.port, client.role_key("observer").hex()],
    }
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()

    def follow() -> None:
        sys.stdin.readline()
        engine.end()

    threading.Thread(target=follow, daemon=True).start()
    engine.run()


if __name__ == "__main__":
    main()
