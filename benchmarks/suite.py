"""What the test suite is and costs: ``python benchmarks/suite.py [--runs N] [--busy] [--coverage]``.

Prints the lines of tests beside lines of code; with --runs, how long the suite takes and how many runs fail; --busy
keeps one processor busy meanwhile; --coverage prints the branch coverage of each room beside its gate, --covered DIR
that of a run before, with COVERAGE_PROCESS_START=pyproject.toml and COVERAGE_FILE=DIR/data in its environment.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GATES = {"safety": 95, "recording": 95, "acquisition": 95}
OTHERS = 90
JITTER = 0.5
"""Points by which runs of the same code differ: which lines drivers and links in real time reach is partly chance."""


def lines(folder: str) -> int:
    return sum(
        sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        for path in (ROOT / folder).rglob("*.py")
    )


@contextlib.contextmanager
def busy(*, on: bool) -> Iterator[None]:
    """Keep one processor busy."""
    if not on:
        yield
        return
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


def run(words: list[str], **more: str) -> tuple[float, bool, str]:
    """Return the seconds, whether it passed, and its last line with what was red."""
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": "", **more}
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    said = done.stdout.strip().splitlines() or [done.stderr[-200:]]
    red = [line for line in said[:-1] if line.startswith(("FAILED ", "ERROR "))]
    return time.monotonic() - begin, done.returncode == 0, "\n  ".join([said[-1], *red])


def measured(folder: Path) -> dict[str, str]:
    """Return what a process needs to be measured with all that it starts: their data go to the folder."""
    return {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_FILE": str(folder / "data")}


def covered(folder: Path) -> bool:
    """Print the branch coverage of each room from the data in a folder; False where one misses its gate."""
    env = {**os.environ, "COVERAGE_FILE": str(folder / "data")}
    cover = [sys.executable, "-m", "coverage"]
    table = folder / "coverage.json"
    # A process that was killed leaves half a file, which is said and left out.
    subprocess.run([*cover, "combine", "--keep", "--quiet", str(folder)], cwd=ROOT, env=env, check=True)
    subprocess.run([*cover, "json", "--quiet", "-o", str(table)], cwd=ROOT, env=env, check=True)
    rooms: dict[str, list[int]] = {}
    for name, entry in json.loads(table.read_text(encoding="utf-8"))["files"].items():
        found = re.match(r"bcikit/(\w+)/", name.replace(os.sep, "/"))
        summary = entry["summary"]
        counts = rooms.setdefault(found.group(1) if found else "face", [0, 0])
        counts[0] += summary["covered_lines"] + summary["covered_branches"]
        counts[1] += summary["num_statements"] + summary["num_branches"]
    good = True
    for room, (reached, total) in sorted(rooms.items()):
        gate = GATES.get(room, OTHERS)
        share = 100.0 * reached / max(total, 1)
        good &= share >= gate - JITTER
        said = "met" if share >= gate else "within chance" if share >= gate - JITTER else "MISSED"
        print(f"{room:14} {share:5.1f} %  gate {gate} %  {said}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=0, help="how often to run the whole suite")
    parser.add_argument("--busy", action="store_true", help="keep one processor busy meanwhile")
    parser.add_argument("--coverage", action="store_true", help="run the suite measured, and print what each room has")
    parser.add_argument("--covered", type=Path, help="print it from the folder that a measured run has left")
    options = parser.parse_args()
    code, tests = lines("bcikit"), lines("tests")
    print(f"{code} lines of code, {tests} lines of tests: {tests / code:.2f}")
    failed = 0
    with busy(on=options.busy):
        for number in range(options.runs):
            seconds, passed, said = run([])
            failed += not passed
            print(f"run {number + 1}: {seconds / 60:.1f} min, {said}", flush=True)
    if options.runs:
        print(f"{failed} of {options.runs} runs failed")
    good = covered(options.covered) if options.covered else True
    if options.coverage:
        with tempfile.TemporaryDirectory() as folder:
            seconds, passed, said = run([], **measured(Path(folder)))
            print(f"measured: {seconds / 60:.1f} min, {said}", flush=True)
            good = covered(Path(folder)) and passed
    return int(failed > 0 or not good)


if __name__ == "__main__":
    sys.exit(main())
