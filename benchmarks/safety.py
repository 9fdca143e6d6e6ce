"""Reaction times of the safety chain beside their budgets, with both cores loaded, and what the monitors cost.

uv run bcikit bench safety [--quick] [--json]
uv run python benchmarks/safety.py --docs     writes the table into docs/safety.md, too
uv run python benchmarks/safety.py --only starved     the rows whose name has that in it

A row whose trials break off says so and is not met; the others are measured all the same.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safety_guard import engine_trials, stall_trials, stop_trials
from safety_resources import RESOURCES, Outcome, resource_trials
from safety_stops import Found, box_stops, disk_trials, page_stops, stale_trials, starved_trials, window_stops
from table import Row, show

from bcikit.safety import GateSettings, SafetySystem
from bcikit.signal import Chunk, Decision, StreamInfo

ROOT = Path(__file__).resolve().parents[1]


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


def reaction(what: str, seconds: list[float], budget: float, bar: str, problem: str = "") -> Row:
    if not seconds:
        return Row(what, problem or "nothing was measured", f"{budget * 1e3:.0f} ms", float("nan"), bar, met=False)
    ms = np.array(seconds) * 1e3
    text = f"p50 {np.percentile(ms, 50):.1f}, p99 {np.percentile(ms, 99):.1f}, max {ms.max():.1f} ms (n={ms.size})"
    worst = float(ms.max() / 1e3 / budget)
    text += f"; {problem}" if problem else ""
    return Row(what, text, f"{budget * 1e3:.0f} ms", worst, bar, bool(worst <= 1.0) and not problem)


def monitor_cost(sfreq: float, n_channels: int, seconds: float) -> Row:
    """Return how much faster than the stream the monitors and the gate are."""
    rng = np.random.default_rng(0)
    n = round(seconds * sfreq)
    data = np.cumsum(rng.normal(size=(n, n_channels)), axis=0)
    data = np.ascontiguousarray(data - data.mean(axis=0) + 20 * rng.normal(size=(n, n_channels)))
    info = StreamInfo(name="bench", sfreq=sfreq, ch_names=tuple(f"c{i}" for i in range(n_channels)))
    system = SafetySystem(GateSettings(), info)
    system.control.start()
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


@dataclass(frozen=True)
class Ways:
    """Trials of one kind, and the rows that they give.

    Attributes
    ----------
    rows : dict
        By what the trials call it: the name of the row, the longest time in seconds, the bar in words.
    trials : callable
        Begins them.
    """

    rows: dict[str, tuple[str, float, str]]
    trials: Callable[[], Found]

    def measure(self) -> Iterator[Row]:
        """Yield the rows; of trials that break off what there was, and why."""
        began = time.monotonic()
        found: dict[str, list[float]] = {key: [] for key in self.rows}
        problem = ""
        try:
            for key, seconds in self.trials():
                found[key].append(float(seconds))
        except PermissionError as error:
            yield from (Row(what, str(error), "-", float("nan"), "-", None) for what, _, _ in self.rows.values())
            return
        except Exception as error:
            problem = f"broke off: {type(error).__name__}: {error}"[:300]
        for key, (what, budget, bar) in self.rows.items():
            row = reaction(what, found[key], budget, bar, problem)
            # A run takes long: who waits sees each row when it is there.
            print(f"{what}: {row.bcikit} [{time.monotonic() - began:.0f} s]", file=sys.stderr, flush=True)
            yield row


WINDOWS = {"viewer": "the viewer", "clinic": "the clinic's window", "patient": "the patient's window"}
STOP = (0.100, "max <= 100 ms")
GONE = (0.150, "max <= 150 ms")
LOST = (0.300, "max <= 200 ms of silence + 100 ms")
"""A box is lost after 200 ms of silence."""
STALL = (0.540, "max <= 500 ms + a chunk of 40 ms")
SHOWN = (1.0, "max <= 1 s")
FULL = (1.5, "max <= 1.5 s")
LIVES = (0.300, "max <= 250 ms that a command lives + 50 ms")
PAGE = "STOP, space bar in the page of a browser"


def guards_ways(folder: Path, n: int, rng: np.random.Generator) -> Iterator[Ways]:
    """Yield what is measured at the guard alone and of a stream."""
    if os.name == "posix":
        for kind, what in ((signal.SIGKILL, "engine killed"), (signal.SIGSTOP, "engine frozen")):
            rows = {"safe": (f"{what} ({kind.name}) to safe, in the guard", *GONE)}
            yield Ways(rows, partial(engine_trials, kind, folder, n, rng))
    for name, what in (("dead-man", "dead-man switch released"), ("operator", "operator's stop key")):
        yield Ways({"safe": (f"{what} to safe, in the guard", *STOP)}, partial(stop_trials, name, n, folder))
    yield Ways({"stop": ("LSL stream silent to SAFE_STOP", *STALL)}, partial(stall_trials, n))


def whole_ways(folder: Path, n: int, rng: np.random.Generator) -> Iterator[Ways]:
    """Yield what is measured of sessions, windows and boxes in processes of their own."""
    ends = ("gate", "guard")
    for kind, where in WINDOWS.items():
        rows = {end: (f"STOP, space bar in {where}, to the {end}", *STOP) for end in ends}
        yield Ways(rows, partial(window_stops, kind, folder, n, rng))
    yield Ways({end: (f"{PAGE}, to the {end}", *STOP) for end in ends}, partial(page_stops, folder, n, rng))
    rows = {f"pressed {end}": (f"stop box pressed to the {end}", *STOP) for end in ends}
    rows |= {f"lost {end}": (f"stop box lost to the {end}", *LOST) for end in ends}
    yield Ways(rows, partial(box_stops, folder, n, rng))
    rows = {kind: (f"engine frozen to NO NEW VALUES in {WINDOWS[kind]}", *SHOWN) for kind in ("viewer", "clinic")}
    yield Ways(rows, partial(stale_trials, folder, n, rng))
    rows = {"rest": ("disk full (below 100 MB) to rest, gate and guard", *FULL)}
    yield Ways(rows, partial(disk_trials, folder, n))
    rows = {
        "word": ("engine starved of the processor: hand moves on after its last word", *GONE),
        "command": ("engine starved of the processor: hand moves on after its last command", *LIVES),
    }
    yield Ways(rows, partial(starved_trials, folder, n, rng))


def resource_row(folder: Path, name: str, n: int) -> Row:
    """Return the row of a resource that is taken away; where nothing has begun to move, of the reaction alone."""
    limit = RESOURCES[name][1]
    found: list[Outcome] = []
    problem = ""
    try:
        found.extend(resource_trials(folder, name, n))
    except PermissionError as error:
        return Row(name, str(error), "-", float("nan"), "-", None)
    except Exception as error:
        problem = f"broke off: {type(error).__name__}: {error}"[:300]
    words = " / ".join(dict.fromkeys(one.reaction for one in found))
    if np.isinf(limit):
        return Row(name, problem or words, "-", float("nan"), "-", not problem)
    bar = f"max <= {limit * 1000:.0f} ms"
    row = reaction(f"{name}: {words}" if words else name, [one.seconds for one in found], limit, bar, problem)
    print(f"{row.what}: {row.bcikit}", file=sys.stderr, flush=True)
    return row


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
    parser.add_argument("--only", default="", help="the rows whose name has this in it")
    arguments = parser.parse_args()
    if arguments.docs and arguments.only:
        parser.error("--docs writes the whole table: not with --only")
    n = arguments.trials or (10 if arguments.quick else 200)
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bcikit-safety-", ignore_cleanup_errors=True) as temporary, loaded():
        folder = Path(temporary)
        ways = list(guards_ways(folder, n, rng)) + (list(whole_ways(folder, n, rng)) if os.name == "posix" else [])
        for way in ways:
            if any(arguments.only in what for what, _, _ in way.rows.values()):
                rows += way.measure()
        if os.name == "posix":
            rows += [resource_row(folder, name, min(n, 5)) for name in RESOURCES if arguments.only in name]
    seconds = 20.0 if arguments.quick else 60.0
    for sfreq, channels in ((160.0, 64), (250.0, 8), (500.0, 64)):
        if arguments.only in "monitors and gate":
            rows.append(monitor_cost(sfreq, channels, seconds))
    if arguments.docs:
        write_docs(rows, n=n)
    show(
        "Safety: reaction times with two busy processes beside (ratio: worst over budget), and cost", rows,
        as_json=arguments.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
