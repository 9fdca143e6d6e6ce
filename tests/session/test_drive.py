"""How a session ends before its time."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from bcikit.recording import read_session
from bcikit.session import Engine, Listener, drive
from bcikit.session.drive import Outside, SourceFeed
from bcikit.session.repeat import replay
from bcikit.signal import Chunk, Event, HostClock
from bcikit.signal.messages import Happened, Message, Raw


class Ends(Listener):
    """Asks the engine to end after so many chunks."""

    def __init__(self, after: int) -> None:
        self.engine: Engine | None = None
        self.after = after
        self.seen = 0

    def take(self, message: Message) -> None:
        if isinstance(message, Raw):
            self.on_chunk(message.chunk, message.time)

    def on_chunk(self, raw, now: float) -> None:
        assert self.engine is not None
        self.seen += 1
        if self.seen == self.after:
            self.engine.end()


def test_asked_to_end_it_ends_after_the_chunk_with_a_report(short_config, tmp_path: Path) -> None:
    listener = Ends(50)
    engine = listener.engine = Engine(short_config(), listeners=[listener])
    values = engine.run().values
    assert listener.seen == 50
    assert values["ended"] == drive.INTERRUPTED
    assert not values["complete"]
    session = read_session(tmp_path / "session")
    assert session.status == "stopped"
    assert len(session.chunks) == 50
    assert (tmp_path / "session" / "report.html").is_file()
    assert replay(tmp_path / "session").identical


def test_a_session_that_nobody_comes_back_to_ends(
    short_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(Listener):
        engine: Engine

        def take(self, message: Message) -> None:
            if isinstance(message, Happened):
                self.on_event(message.event)

        def on_event(self, event) -> None:
            if event.name.startswith("cue/"):
                self.engine.control.put({"do": "stop", "reason": "patient asks", "who": "T-01"})

    monkeypatch.setattr(drive, "ABANDONED_SECONDS", 0.5)
    listener = Stops()
    listener.engine = Engine(short_config(), operator="T-01", listeners=[listener])
    values: dict[str, Any] = listener.engine.run().values
    assert values["ended"].endswith("nobody came back")
    assert values["safety"]["state"] == "SAFE_STOP"
    assert read_session(tmp_path / "session").status == "stopped"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_session_with_its_report(short_config, tmp_path: Path, kind: signal.Signals) -> None:
    text = (
        "import json, signal, sys\n"
        # Whoever starts the tests in the background of a shell has it ignored, and children with it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from bcikit.cli.launch import launch\n"
        "from bcikit.session import Listener\n"
        "from bcikit.session.config import config_from\n"
        "from bcikit.signal import BciError\n"
        "class Tell(Listener):\n"
        "    def take(self, message):\n"
        "        if message.type == 'state':\n"
        "            print(message.state, file=sys.stderr, flush=True)\n"
        "try:\n"
        "    launch(config_from(json.loads(sys.argv[1])), headless=True, as_json=True, listeners=[Tell()])\n"
        "except BciError as error:\n"
        "    print(error, file=sys.stderr)\n"
        "    sys.exit(error.exit_code)\n"
    )
    config = short_config()
    live = config.model_copy(
        update={"source": config.source.model_copy(update={"address": config.source.address + "&live=1"})}
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text, json.dumps(live.to_dict())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        while "CALIBRATING" not in process.stderr.readline():
            assert process.poll() is None
        os.kill(process.pid, kind)
        said = process.stderr.read()
        assert process.wait(60) == 2
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()
    assert "interrupted" in said
    assert read_session(tmp_path / "session").status == "stopped"
    assert (tmp_path / "session" / "result.json").is_file()


def test_whether_a_chunk_is_late_is_said_before_the_cues_that_came_with_it() -> None:
    """Before, the conductor would take a cue of then for one of now, and drop the first of now."""
    events: list[Event] = []
    source = SimpleNamespace(live=False, pull_events=lambda: [events.pop()] if events else [])
    feed = SourceFeed(cast("Any", source), cast("Any", SimpleNamespace(now=0.0, trained=False)))
    feed._clock = clock = HostClock()

    def said(ago: float) -> list[Any]:
        times = clock.now() - ago + np.arange(-25, 0) / 250.0
        events.append(Event(name="T1", time=float(times[0])))
        found = feed._arrival(Chunk(np.zeros((25, 2), dtype=np.float32), times, 0))
        return [(item.kind, item.values.get("seconds")) if isinstance(item, Outside) else "chunk" for item in found]

    cue = ("event", None)
    assert said(0.0) == [cue, "chunk"]
    for _ in range(2):
        assert said(5.0) == [("backlog", pytest.approx(5.1, abs=0.5)), cue, "chunk"]
    assert said(0.0) == [("backlog", 0.0), cue, "chunk"]
    assert said(0.0) == [cue, "chunk"]
