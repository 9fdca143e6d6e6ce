"""Whole processes: a viewer on real streams, an engine that outlives its windows, a frozen window."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage

from bcikit.clinic import protocols
from bcikit.clinic.runner import EngineRunner, SessionJob, process_is_alive
from bcikit.clinic.visit import Visit
from bcikit.session.channel import ChannelServer
from bcikit.session.engine import Engine
from bcikit.session.listener import Listener
from bcikit.session.shipped import shipped_config
from bcikit.signal import Chunk, StreamInfo
from bcikit.signal.messages import Filtered, Message, Raw, StateChanged, Streams
from bcikit.ui.theme import DARK, rgb


def python(*arguments: str, **options: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", *arguments], **options)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait(10)


def share_of(path: Path, colour: str) -> float:
    """Return how much of the middle left of a picture, where the traces are, has one colour."""
    image, wanted = QImage(str(path)), rgb(colour)
    columns = range(image.width() // 10, image.width() * 7 // 10, 2)
    rows = range(image.height() * 3 // 10, image.height() * 9 // 10, 2)
    return sum(image.pixel(x, y) == wanted for x in columns for y in rows) / (len(columns) * len(rows))


@pytest.mark.slow
def test_the_viewer_shows_a_session_and_closes_when_it_is_finished() -> None:
    server = ChannelServer()
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "Cz", "C4", "Pz"))
    server.say(Streams(raw=info.to_dict(), filtered=info.to_dict()))
    server.say(StateChanged(state="ACTIVE", time=1.0))
    viewer_process = python(
        "bcikit.viewer",
        "--session",
        "--exit-at-end",
        "--language",
        "en",
        "--arrange",
        "clinic",
        env={**os.environ, **server.environment},
    )
    with ended(viewer_process) as viewer:
        rng = np.random.default_rng(0)
        begin, sample = time.monotonic(), 0
        joined = 0.0
        while viewer.poll() is None and time.monotonic() - begin < 90:
            server.touch()
            times = time.monotonic() - np.arange(25)[::-1] / 250
            chunk = Chunk(rng.standard_normal((25, 4)) * 20, times, sample)
            server.say(Raw(chunk=chunk, time=float(times[-1])))
            server.say(Filtered(chunk=chunk, time=float(times[-1])))
            sample += 25
            joined = joined or (time.monotonic() if server.n_readers else 0.0)
            if joined and time.monotonic() - joined > 3:
                server.say(StateChanged(state="FINISHED", time=float(times[-1])))
            time.sleep(0.1)
        assert viewer.poll() == 0
    server.close()


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(importlib.util.find_spec("mne_lsl") is None, reason="MNE-LSL belongs to the group 'peers'")
def test_the_viewer_opens_a_stream_of_mne_lsls_player(tmp_path: Path, data_dir: Path) -> None:
    name, picture = f"player-{uuid.uuid4().hex[:8]}", tmp_path / "window.png"
    script = (
        "import sys, time; from mne_lsl.player import PlayerLSL; from mne.io import read_raw; "
        f"p = PlayerLSL(read_raw({str(data_dir / 'eegmmidb' / 'S001R14.edf')!r}, verbose='ERROR'), chunk_size=16, "
        f"name={name!r}, source_id={name!r}); p.start(); print('up', flush=True); time.sleep(90)"
    )
    player = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    command = (
        "bcikit.viewer",
        "--source",
        f"lsl:name={name}",
        "--language",
        "en",
        "--theme",
        "dark",
        "--arrange",
        "clinic",
    )
    with ended(player):
        assert player.stdout is not None
        # MNE-LSL takes seconds to import; the picture waits for the stream, not the other way round.
        while b"up" not in player.stdout.readline():
            assert player.poll() is None
        with ended(python(*command, "--screenshot", str(picture), "--after", "15")) as viewer:
            assert viewer.wait(60) == 0
        player.stdout.close()
    # 64 traces; a window that waits for its stream has none of their colour.
    assert 0.05 < share_of(picture, DARK.trace) < 0.95


class Rough(Listener):
    """Freezes the window in the middle of calibration, and kills it in the middle of feedback."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.viewer: subprocess.Popen[bytes] | None = None
        self.chunks = 0
        self.done: list[str] = []

    def take(self, message: Message) -> None:
        if not isinstance(message, Raw):
            return
        assert self.engine is not None
        self.chunks += 1
        if self.chunks == 1:
            environment = {**os.environ, **self.engine.control.environment}
            self.viewer = python("bcikit.viewer", "--session", env=environment)
            # The simulation stands still meanwhile: what is frozen must be a window that listens.
            end = time.monotonic() + 60
            while not self.engine.control.n_readers:
                assert time.monotonic() < end
                time.sleep(0.05)
            self.done.append("seen")
        elif self.chunks == 600:
            assert self.viewer is not None
            os.kill(self.viewer.pid, signal.SIGSTOP)
            self.done.append("frozen")
        elif self.chunks == 3000:
            assert self.viewer is not None
            os.kill(self.viewer.pid, signal.SIGKILL)
            self.done.append("killed")


def kept(folder: Path) -> dict[str, object]:
    """Return what a session folder holds, without the time of day and what is made of the folder's name."""
    found: dict[str, object] = {}
    for path in sorted(folder.iterdir()):
        if path.name == "audit.jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            own = ("t_utc", "hash", "prev_hash", "session_id", "config_sha256")
            found[path.name] = [{key: value for key, value in line.items() if key not in own} for line in lines]
        elif path.suffix in (".xdf", ".jsonl"):
            found[path.name] = path.read_bytes()
    return found


@pytest.mark.slow
def test_a_window_that_freezes_and_dies_changes_nothing(tmp_path: Path) -> None:
    def run(name: str, rough: Rough | None = None) -> tuple[dict[str, Any], dict[str, object]]:
        runs = {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10}
        rests = dict.fromkeys(("eyes_open", "eyes_closed", "between_runs"), 0.0)
        config = shipped_config("motor-imagery", source="sim:motor-imagery?seed=5", seed=5, settings={**runs, **rests})
        folder = tmp_path / name
        config = config.model_copy(update={"recording": config.recording.model_copy(update={"folder": str(folder)})})
        engine = Engine(config, listeners=[] if rough is None else [rough])
        if rough is not None:
            rough.engine = engine
        values = engine.run().values
        return values, kept(folder)

    alone, alone_kept = run("alone")
    rough = Rough()
    try:
        watched, watched_kept = run("watched", rough)
    finally:
        assert rough.viewer is not None
        rough.viewer.kill()
        code = rough.viewer.wait(10)
    assert code == -signal.SIGKILL
    assert rough.done == ["seen", "frozen", "killed"]
    assert rough.chunks > 3500
    assert alone["n_trials"] == watched["n_trials"] == 10
    assert alone["gate"]["n"] > 100
    for same in ("decisions_sha256", "gate", "n_samples", "lost_samples", "online_accuracy", "alarms"):
        assert watched[same] == alone[same], same
    assert {"signals.xdf", "decisions.jsonl", "verdicts.jsonl", "commands.jsonl", "audit.jsonl"} <= set(alone_kept)
    for file, content in alone_kept.items():
        assert watched_kept[file] == content, file
    assert watched_kept.keys() == alone_kept.keys()


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., SessionJob]:
    def make(source: str, **settings: object) -> SessionJob:
        chosen = {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10, "between_runs": 5.0, **settings}
        visit = Visit(subject="P-1", simulated=True, operator="T-1", device=source, protocol="motor-imagery")
        folder = str(tmp_path / uuid.uuid4().hex[:8])
        config = protocols.build(visit, folder=folder, settings=chosen, phase="calibration")
        return SessionJob(config=config, operator="T-1", subject="P-1")

    return make


def poll_until_over(runner: EngineRunner, seconds: float = 90.0) -> dict[str, object]:
    end = time.monotonic() + seconds
    last: dict[str, object] = {}
    while runner.running:
        assert time.monotonic() < end
        messages = runner.poll()
        last = messages[-1] if messages else last
        time.sleep(0.05)
    return last


@pytest.mark.slow
def test_the_real_engine_calibrates_in_its_own_process(tmp_path: Path, job: Callable[..., SessionJob]) -> None:
    runner = EngineRunner(tmp_path / "runs")
    runner.start(job("sim:motor-imagery?seed=2"))
    said = poll_until_over(runner)
    assert said["type"] == "result"
    assert (Path(str(said["folder"])) / "model.skops").is_file()
    # Neither keys nor consent records are left behind.
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.slow
def test_what_the_engine_refuses_is_said(tmp_path: Path, job: Callable[..., SessionJob]) -> None:
    runner = EngineRunner(tmp_path / "runs")
    runner.start(job("file:/no/such/file.edf"))
    said = poll_until_over(runner)
    assert said["type"] == "failed"
    assert "no/such/file.edf" in str(said["error"])


@pytest.mark.slow
def test_an_engine_outlives_its_window_and_is_found_again(tmp_path: Path, job: Callable[..., SessionJob]) -> None:
    first, second = EngineRunner(tmp_path / "runs"), EngineRunner(tmp_path / "runs")
    first.start(job("sim:motor-imagery?seed=2&live=1"))
    end = time.monotonic() + 60
    while not Path(first.handshake).is_file():
        assert time.monotonic() < end
        time.sleep(0.1)
    handshake = Path(first.handshake)
    if os.name == "posix":
        assert handshake.stat().st_mode & 0o077 == 0
    pid = json.loads(handshake.read_text(encoding="utf-8"))["pid"]
    first.detach()
    assert process_is_alive(pid)
    assert second.attach(str(handshake))
    seen: set[str] = set()
    end = time.monotonic() + 60
    while "quality" not in seen:
        assert time.monotonic() < end
        seen |= {str(message.get("type")) for message in second.poll()}
        time.sleep(0.05)
    second.send("finish")
    said = poll_until_over(second, 60)
    assert said["type"] in ("result", "failed")
    assert first._process is not None
    first._process.wait(20)
    assert not EngineRunner(tmp_path / "runs").attach(str(handshake))


@pytest.mark.slow
def test_a_window_opened_by_hand_finds_the_session_that_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "BCIKIT_RUNNING": str(tmp_path / "running")}
    picture = tmp_path / "window.png"
    session = ("bcikit", "run", "paradigm:motor-imagery", "--source", "sim:motor-imagery?live=1", "--headless")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    with ended(python(*session, "--out", str(tmp_path / "session"), **quiet)) as engine:
        end = time.monotonic() + 60
        while not list((tmp_path / "running").glob("*.json")) or not (tmp_path / "session" / "session.json").is_file():
            assert time.monotonic() < end
            assert engine.poll() is None
            time.sleep(0.1)
        (file,) = (tmp_path / "running").glob("*.json")
        if os.name == "posix":
            assert file.stat().st_mode & 0o077 == 0
        look = ("bcikit", "view", "session:", "--theme", "dark", "--screenshot", str(picture), "--after", "12")
        with ended(python(*look, env=environment)) as viewer:
            assert viewer.wait(80) == 0
        engine.send_signal(signal.SIGTERM)
        engine.wait(40)
    # Traces of the running session, without an address or a name.
    assert share_of(picture, DARK.trace) > 0.002
    # Nothing of it is left behind, and then there is none to join.
    assert list((tmp_path / "running").iterdir()) == []
    gone = subprocess.run(
        [sys.executable, "-m", "bcikit", "view", "session:", "--ward"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert gone.returncode == 2
    assert "these do: none" in gone.stderr + gone.stdout
