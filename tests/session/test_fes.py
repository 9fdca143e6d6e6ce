"""A whole session with stimulation: the user at its own pace, the real guard process, a simulated stimulator."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bcikit.outputs import Output
from bcikit.outputs.guard import LIFE_S
from bcikit.recording import read_session
from bcikit.safety import verify_audit
from bcikit.session import Engine, Listener, SessionConfig, shipped_config
from bcikit.session.config import OutputSection
from bcikit.signal import ConfigError
from bcikit.signal.messages import Message, ModelChosen, Raw, Sent
from tests.stalls import Stalls

AMPLITUDE_MA = 12.0
SECONDS = 1.0
QUICK: dict[str, Any] = {
    "calibration_runs": 0,
    "runs": 1,
    "trials_per_run": 4,
    "idle_share": 0.25,
    "rest": 0.4,
    "prepare": 0.2,
    "attempt": 3.0,
    "pause": [3.1, 3.1],
    "window": 1.0,
    "k": 2,
    "n": 3,
    "smoothing": 0.5,
    "threshold": 0.65,
    "assist": {"command": "stimulate", "seconds": SECONDS, "amplitude_ma": AMPLITUDE_MA, "area_cm2": 25.0},
}
OBEDIENT = "&ability=1&confusion=0&inattention=0&erd=0.95&onset_s=0.3"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model that a calibration of the same user, faster than live, came to."""
    file = tmp_path_factory.mktemp("fes") / "model.skops"

    class Keep(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, ModelChosen):
                self.on_model(message.model)

        def on_model(self, model: Any) -> None:
            model.save(file)

    settings = {**QUICK, "calibration_runs": 1, "runs": 0, "trials_per_run": 24, "pause": [2.0, 2.0]}
    config = shipped_config(
        "motor-imagery-fes", source=f"sim:motor-imagery?seed=1{OBEDIENT}", seed=1, settings=settings
    )
    nowhere = config.recording.model_copy(update={"enabled": False})
    Engine(config.model_copy(update={"recording": nowhere}), listeners=[Keep()]).run()
    return file


def live_config(model: Path, folder: Path, *outputs: str, **settings: Any) -> SessionConfig:
    source = f"sim:motor-imagery?seed=1&session_seed=1&live=1{OBEDIENT}"
    config = shipped_config("motor-imagery-fes", source=source, seed=2, settings={**QUICK, **settings})
    return config.model_copy(
        update={
            "decoder": config.decoder.model_copy(update={"model": str(model)}),
            "outputs": [OutputSection(address=address) for address in outputs],
            "recording": config.recording.model_copy(update={"folder": str(folder)}),
        }
    )


class Course(Listener):
    """Asks the guard for its current with every chunk, and notes when a command went out."""

    def __init__(self, outputs: list[Output]) -> None:
        self._outputs = outputs
        self.current: list[tuple[float, float, float, float]] = []
        self.commands: list[float] = []

    def take(self, message: Message) -> None:
        if isinstance(message, Raw):
            self.on_chunk(message.chunk, message.time)
        elif isinstance(message, Sent):
            self.on_command(message.command)

    def on_chunk(self, raw, now: float) -> None:
        # What the guard says is of a moment between the two: this thread may have no turn when the answer is there.
        asked = time.monotonic()
        driver = self._outputs[0].state()["guard"].get("driver", {})
        told = time.monotonic()
        self.current.append((asked, told, float(driver.get("on_s", 0.0)), float(driver.get("current_ma", 0.0))))

    def on_command(self, command) -> None:
        self.commands.append(time.monotonic())


@pytest.fixture
def opened(opened_by_sessions: Callable[[str], list[Output]]) -> list[Output]:
    """Return the outputs that sessions of this test open, as they open them."""
    return opened_by_sessions("open_output")


@pytest.mark.slow
def test_every_stimulation_follows_a_verdict_and_stays_within_its_limits(
    model: Path, tmp_path: Path, opened: list[Output], stalls: Callable[[], Stalls]
) -> None:
    config = live_config(model, tmp_path / "live", "guard:sim-fes")
    course, waited = Course(opened), stalls()
    values = Engine(config, listeners=[course]).run().values
    starved = waited.seconds
    # An engine that has no turn renews nothing: what goes on ends by itself a quarter of a second later at most.
    late = min(starved, LIFE_S)
    assert values["complete"]
    session = read_session(tmp_path / "live")
    allowed = [verdict for verdict in session.verdicts if verdict.allowed]
    sent = session.records["commands"]
    audit = [json.loads(line) for line in (tmp_path / "live" / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = [record for record in audit if record.get("event") == "command"]
    guard = values["outputs"][0]
    # Verdict, audit log, command and train of pulses are the same events.
    assert len(allowed) == len(sent) == len(logged) == len(course.commands) == guard["commands"]
    assert guard["guard"]["driver"]["trains"] == len(sent) >= 2
    assert all(verdict.state == "ACTIVE" and not verdict.reasons for verdict in allowed)
    # A machine that stands still for a moment stops the heart; the driver never had to refuse.
    assert all(trip.startswith("no heartbeat") for trip in guard["trips"])
    assert verify_audit(tmp_path / "live").intact
    # Nothing before a command and nothing after its time; the looks are 40 ms apart, the guard's steps 4 ms.
    for asked, told, _, current in course.current:
        assert 0.0 <= current <= AMPLITUDE_MA
        if current > 0.0:
            assert any(begin <= told and asked - begin <= SECONDS + 0.1 + late for begin in course.commands)
    # The current that was asked for was reached, on a ramp of at least half a second.
    assert max(current for *_, current in course.current) == pytest.approx(AMPLITUDE_MA)
    for (before, _, on_before, low), (_, after, on_after, high) in pairwise(course.current):
        # A guard that had no turn tells what was before: then the time that it was on by its own count.
        assert high - low <= (max(after - before, on_after - on_before) + 0.02) * AMPLITUDE_MA / 0.5
    assert guard["guard"]["driver"]["on_s"] <= len(sent) * (SECONDS + 0.1 + late)
    latency = values["details"]["contingency_latency"]
    assert len(latency) == len(sent)
    assert max(latency) < 0.4 + starved
    page = (tmp_path / "live" / "report.html").read_text(encoding="utf-8")
    assert "guard:sim-fes" in page
    assert "decision to command" in page


@pytest.mark.parametrize("driver", ["sim-fes", "serial-fes:/dev/bcikit-none"])
def test_a_channel_that_the_stimulator_lacks_is_refused_before_the_session(tmp_path: Path, driver: str) -> None:
    config = live_config(
        tmp_path, tmp_path / "two", f"guard:{driver}", calibration_runs=1, assist={**QUICK["assist"], "channel": 2}
    )
    with pytest.raises(ConfigError, match=r"assist\.channel is 2; the stimulator of outputs\.0\.address has 1"):
        Engine(config).run()


def test_faster_than_live_there_is_no_guard(tmp_path: Path) -> None:
    config = live_config(tmp_path, tmp_path / "fast", "guard:sim-fes", calibration_runs=1, trials_per_run=24)
    fast = config.source.model_copy(update={"address": config.source.address.replace("&live=1", "")})
    trained = config.decoder.model_copy(update={"model": ""})
    with pytest.raises(ConfigError, match="works in real time only") as caught:
        Engine(config.model_copy(update={"source": fast, "decoder": trained})).run()
    assert ": 1 problem\n" in str(caught.value), "nothing else is wrong with it"
    assert not (tmp_path / "fast").exists()


ENGINE = """
import json, sys
from bcikit.session import Engine, Listener
from bcikit.session.config import config_from
from bcikit.signal.messages import Sent

class Tell(Listener):
    def take(self, message):
        if isinstance(message, Sent):
            print("stimulates", flush=True)

Engine(config_from(json.loads(sys.argv[1])), listeners=[Tell()]).run()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed otherwise there")
def test_a_dead_engine_leaves_no_current(model: Path, tmp_path: Path, stalls: Callable[[], Stalls]) -> None:
    log = tmp_path / "guard.jsonl"
    assist = {**QUICK["assist"], "seconds": 2.0}
    settings = {"assist": assist, "rest": 1.0, "pause": [4.0, 4.0], "idle_share": 0.0}
    config = live_config(model, tmp_path / "dead", f"guard:sim-fes?log={log}", **settings)
    process = subprocess.Popen(
        [sys.executable, "-c", ENGINE, json.dumps(config.to_dict())], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "stimulates"
        time.sleep(0.8)
        # Before: the guard may have gone safe when this process gets its next turn.
        waited, killed = stalls(), time.monotonic()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
    lines: list[dict[str, Any]] = []
    while not any(line["time"] >= killed for line in lines) and time.monotonic() < killed + 60:
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        time.sleep(0.01)
    last = next(line for line in lines if line["time"] >= killed)
    assert last["reason"].startswith(("the engine is gone", "no heartbeat"))
    assert last["driver"]["current_ma"] == 0.0
    assert last["driver"]["trains"] == 1
    assert last["safe"] - killed < 0.2 + waited.seconds
