"""What the test suite is and costs: ``python benchmarks/suite.py [--runs N] [--busy] [--coverage]``.

Prints the lines of tests beside lines of code; with --runs, how long the suite takes and how many runs fail; --busy
keeps one processor busy meanwhile; --coverage prints the branch coverage of each room beside its gate.
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


def run(words: list[str]) -> tuple[float, str]:
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": ""}
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    return time.monotonic() - begin, last


def coverage() -> bool:
    """Print the branch coverage of each room; False where one is under its gate."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "coverage.json"
        env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "COVERAGE_FILE": str(Path(folder) / "data")}
        cover = [sys.executable, "-m", "coverage"]
        done = subprocess.run([*cover, "run", "-m", "pytest", "-q"], cwd=ROOT, env=env, check=False)
        if done.returncode:
            print("some tests failed under coverage: what they would have reached is missing")
        subprocess.run([*cover, "combine"], cwd=ROOT, env=env, check=True, capture_output=True)
        subprocess.run([*cover, "json", "-o", str(data)], cwd=ROOT, env=env, check=True, capture_output=True)
        files = json.loads(data.read_text())["files"]
    good = True
    rooms: dict[str, list[int]] = {}
    for name, entry in files.items():
        found = re.match(r"bcikit/(\w+)/", name.replace(os.sep, "/"))
        summary = entry["summary"]
        counts = rooms.setdefault(found.group(1) if found else "face", [0, 0])
        counts[0] += summary["covered_lines"] + summary["covered_branches"]
        counts[1] += summary["num_statements"] + summary["num_branches"]
    for room, (covered, total) in sorted(rooms.items()):
        gate = GATES.get(room, OTHERS)
        share = 100.0 * covered / max(total, 1)
        good &= share >= gate
        print(f"{room:14} {share:5.1f} %  gate {gate} %  {'met' if share >= gate else 'MISSED'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=0, help="how often to run the whole suite")
    parser.add_argument("--busy", action="store_true", help="keep one processor busy meanwhile")
    parser.add_argument("--coverage", action="store_true", help="print the coverage of each room, too")
    options = parser.parse_args()
    code, tests = lines("bcikit"), lines("tests")
    print(f"{code} lines of code, {tests} lines of tests: {tests / code:.2f}")
    failed = 0
    with busy(on=options.busy):
        for number in range(options.runs):
            seconds, said = run([])
            bad = "failed" in said or "error" in said
            failed += bad
            print(f"run {number + 1}: {seconds / 60:.1f} min, {said}", flush=True)
    if options.runs:
        print(f"{failed} of {options.runs} runs failed")
    good = coverage() if options.coverage else True
    return int(failed > 0 or not good)


if __name__ == "__main__":
    sys.exit(main())
