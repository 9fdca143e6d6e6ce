"""Reaction times of the safety chain beside their budgets, with both cores loaded, and what the monitors cost.

uv run bcikit bench safety [--quick] [--json]
uv run python benchmarks/safety.py --docs     writes the table into docs/safety.md, too
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromium
import numpy as np
from safety_resources import resource_rows
from safety_stops import box_stops, disk_trials, page_stops, stale_trials, starved_trials, window_stops
from table import Row, show

from bcikit.safety import GateSettings, GuardClient, SafetySystem, State
from bcikit.safety.guard.client import GuardError
from bcikit.signal import Chunk, Decision, StreamInfo

ROOT = Path(__file__).resolve().parents[1]
OUTLET = ROOT / "tests" / "safety" / "lsl_outlet.py"
LSL_CONFIG = OUTLET.parents[1] / "lsl_api.cfg"
ENGINE = """
import sys, time
from bcikit.safety.guard.client import GuardClient
client = GuardClient.launch("sim-hand", log=sys.argv[1])
client.arm()
print("up", flush=True)
while True:
    client.send("close", 1.0, ttl=0.25)
    time.sleep(0.02)
"""


@contextlib.contextmanager
def loaded(n: int = 2) -> Iterator[None]:
    """Keep the cores busy meanwhile, at no higher priority than the rest of the computer."""
    ordinary = "import os\nif hasattr(os, 'nice') and os.nice(0) < 0: os.nice(-os.nice(0))\nwhile True: pass"
    hogs = [subprocess.Popen([sys.executable, "-c", ordinary]) for _ in range(n)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait(10)


def wait_for(condition: Callable[[], object], timeout: float = 5.0) -> object:
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        found = condition()
        if found:
            return found
        time.sleep(0.002)
    raise TimeoutError("no reaction")


def engine_trial(kind: signal.Signals, folder: Path, rng: np.random.Generator) -> float:
    """Return seconds from a signal to the engine until the guard's driver was safe."""
    log = folder / f"{uuid.uuid4()}.jsonl"
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(log)], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    try:
        assert engine.stdout.readline().strip() == "up"
        # Anywhere in the heartbeat's period.
        time.sleep(0.1 + rng.uniform(0, 0.05))
        hit = time.monotonic()
        os.kill(engine.pid, kind)
        lines = wait_for(lambda: log.read_text().splitlines())
        record = json.loads(lines[0])  # type: ignore[index]
        assert record["driver"]["output"] == 0.0
        return float(record["safe"] - hit)
    finally:
        engine.kill()
        engine.wait(10)
        engine.stdout.close()


def _trip_after(log: Path, since: float) -> dict[str, Any] | None:
    """Return the first trip of a guard's log that was after a time."""
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    return next((record for record in records if record["time"] >= since), None)


def stop_trials(kind: str, n: int, folder: Path) -> list[float]:
    """Return seconds from letting go of the dead-man switch, or from the stop key, until the driver was safe."""
    log = folder / f"{kind}.jsonl"
    found: list[float] = []
    with GuardClient.launch("sim-hand", dead_man=True, log=log) as client:
        switch = GuardClient(client.port, client.role_key("dead-man"), role="dead-man")
        key = GuardClient(client.port, client.role_key("operator"), role="operator")
        while len(found) < n:
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
                assert record["driver"]["output"] == 0.0  # type: ignore[index]
                found.append(float(record["safe"] - asked))  # type: ignore[index]
        switch.close()
        key.close()
    return found


def stall_trials(n: int) -> tuple[list[float], float]:
    """Return seconds from the last sample of a silent LSL stream until SAFE_STOP, and the length of a chunk."""
    os.environ.setdefault("LSLAPICFG", str(LSL_CONFIG))
    from pylsl import local_clock

    from bcikit.acquisition import open_source

    name = f"bench-{uuid.uuid4()}"
    outlet = subprocess.Popen(
        [sys.executable, str(OUTLET), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert outlet.stdin is not None
    assert outlet.stdout is not None
    found: list[float] = []
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
                        system.start(now=now)
                    if heard >= 5 and not silent:
                        outlet.stdin.write("silent\n")
                        outlet.stdin.flush()
                        silent = True
                    if system.state is State.SAFE_STOP:
                        stopped = now
                assert stopped
                found.append(stopped - last)
                outlet.stdin.write("resume\n")
                outlet.stdin.flush()
                while source.pull(0.05) is None and local_clock() < limit + 10.0:
                    pass
    finally:
        outlet.kill()
        outlet.wait(10)
        outlet.stdin.close()
        outlet.stdout.close()
    return found, 0.04


def reaction(what: str, seconds: list[float], budget: float, bar: str) -> Row:
    ms = np.array(seconds) * 1e3
    text = f"p50 {np.percentile(ms, 50):.1f}, p99 {np.percentile(ms, 99):.1f}, max {ms.max():.1f} ms (n={ms.size})"
    worst = float(ms.max() / 1e3 / budget)
    # A run takes long: who waits sees each row when it is there.
    print(f"{what}: {text}", file=sys.stderr, flush=True)
    return Row(what, text, f"{budget * 1e3:.0f} ms", worst, bar, bool(worst <= 1.0))


def monitor_cost(sfreq: float, n_channels: int, seconds: float) -> Row:
    """Return how much faster than the stream the monitors and the gate are."""
    rng = np.random.default_rng(0)
    n = round(seconds * sfreq)
    data = np.cumsum(rng.normal(size=(n, n_channels)), axis=0)
    data = np.ascontiguousarray(data - data.mean(axis=0) + 20 * rng.normal(size=(n, n_channels)))
    info = StreamInfo(name="bench", sfreq=sfreq, ch_names=tuple(f"c{i}" for i in range(n_channels)))
    system = SafetySystem(GateSettings(), info)
    system.start()
    size = round(sfreq * 0.04)
    chunks = [
        Chunk(data[start : start + size], np.arange(start, start + size) / sfreq, start)
        for start in range(0, n - size, size)
    ]
    begin = time.process_time()
    for index, chunk in enumerate(chunks):
        now = float(chunk.times[-1])
        system.on_chunk(chunk, now)
        if index % 2:
            system.decide(Decision(time=now, sample=0, classes=("a", "b"), probabilities=(0.9, 0.1), label="a"), now)
    speed = seconds / (time.process_time() - begin)
    what = f"monitors and gate, {n_channels} channels at {sfreq:g} Hz, 12.5 decisions a second"
    return Row(what, f"{speed:.0f} x real time", "the stream", speed, ">= 50 x real time", speed >= 50)


WINDOWS = {"viewer": "the viewer", "clinic": "the clinic's window", "patient": "the patient's window"}
STOP_S = 0.100
LOST_S = 0.200 + STOP_S
"""A box is lost after 200 ms of silence."""


def whole_way(folder: Path, n: int, rng: np.random.Generator) -> Iterator[Row]:
    """Yield the rows of sessions, windows and boxes in processes of their own."""
    for kind, where in WINDOWS.items():
        found = window_stops(kind, folder, n, rng)
        for end, times in found.items():
            yield reaction(f"STOP, space bar in {where}, to the {end}", times, STOP_S, "max <= 100 ms")
    if chromium.PROGRAM is None:
        yield Row("STOP, space bar in the page of a browser", "no Chromium here", "-", float("nan"), "-", None)
    else:
        for end, times in page_stops(folder, n, rng).items():
            yield reaction(f"STOP, space bar in the page of a browser, to the {end}", times, STOP_S, "max <= 100 ms")
    boxes = box_stops(folder, n, rng)
    for end, times in boxes["pressed"].items():
        yield reaction(f"stop box pressed to the {end}", times, STOP_S, "max <= 100 ms")
    for end, times in boxes["lost"].items():
        yield reaction(f"stop box lost to the {end}", times, LOST_S, "max <= 200 ms of silence + 100 ms")
    for kind, times in stale_trials(folder, n, rng).items():
        yield reaction(f"engine frozen to NO NEW VALUES in {WINDOWS[kind]}", times, 1.0, "max <= 1 s")
    try:
        yield reaction("disk full (below 100 MB) to rest, gate and guard", disk_trials(folder, n), 1.5, "max <= 1.5 s")
    except PermissionError as error:
        yield Row("disk full to rest", str(error), "-", float("nan"), "-", None)
    for name, words, times, limit in resource_rows(folder, min(n, 5)):
        if not times or np.isinf(limit):
            yield Row(name, words, "-", float("nan"), "-", None if not times else True)
        else:
            yield reaction(f"{name}: {words}", times, limit, f"max <= {limit * 1000:.0f} ms")
    starved = starved_trials(folder, n, rng)
    yield reaction("engine starved of the processor: last word to safe, in the guard", starved, 0.150, "max <= 150 ms")


def write_docs(rows: list[Row], *, n: int) -> None:
    """Put the table between its marks in docs/safety.md, with the machine that it comes from."""
    page = ROOT / "docs" / "safety.md"
    text = page.read_text(encoding="utf-8")
    begin, end = "<!-- bench safety: begin -->\n", "<!-- bench safety: end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    busy = (
        f"{os.getloadavg()[0]:.0f} processes ready to run on {os.cpu_count()} cores"
        if hasattr(os, "getloadavg")
        else ""
    )
    raised = os.nice(0) if hasattr(os, "nice") else 0
    lines = [
        f"{n} trials each, two busy processes beside; at the end of the run there were {busy}."
        + (
            f" The programs measured had the priority {raised}, everything else on the computer none." if raised else ""
        ),
        "",
        "| what | measured | budget | met |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.bcikit} | {row.bar} | {MET[row.met]} |" for row in rows),
        "",
    ]
    page.write_text(head + begin + "\n".join(lines) + end + tail, encoding="utf-8")


MET = {True: "yes", False: "**no**", None: "-"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/safety.md")
    parser.add_argument("--trials", type=int, default=0, help="of each kind; 200, or 10 with --quick, if left out")
    arguments = parser.parse_args()
    n = arguments.trials or (10 if arguments.quick else 200)
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, loaded():
        folder = Path(temporary)
        if os.name == "posix":
            for kind, what in ((signal.SIGKILL, "engine killed"), (signal.SIGSTOP, "engine frozen")):
                times = [engine_trial(kind, folder, rng) for _ in range(n)]
                rows.append(reaction(f"{what} ({kind.name}) to safe, in the guard", times, 0.150, "max <= 150 ms"))
        for kind, what in (("dead-man", "dead-man switch released"), ("operator", "operator's stop key")):
            rows.append(reaction(f"{what} to safe, in the guard", stop_trials(kind, n, folder), 0.100, "max <= 100 ms"))
        stalls, chunk = stall_trials(n)
        rows.append(reaction("LSL stream silent to SAFE_STOP", stalls, 0.5 + chunk, "max <= 500 ms + a chunk of 40 ms"))
        if os.name == "posix":
            rows += whole_way(folder, n, rng)
    seconds = 20.0 if arguments.quick else 60.0
    for sfreq, channels in ((160.0, 64), (250.0, 8), (500.0, 64)):
        rows.append(monitor_cost(sfreq, channels, seconds))
    if arguments.docs:
        write_docs(rows, n=n)
    show(
        "Safety: reaction times with two busy processes beside (ratio: worst over budget), and cost", rows,
        as_json=arguments.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
