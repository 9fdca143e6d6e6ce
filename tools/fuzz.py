"""Fuzz every parser for some minutes and print a table: inputs, refused, read, the slowest, faults.

    python tools/fuzz.py --minutes 30 [--jobs 2] [--seed 1] [--only session]

Each job is a process with a limit on its memory; an input that ends or hangs the process is found, too: it is written
to a file before it is tried. Exit code 1 where anything was found.
"""

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMORY = 3 << 30
"""Bytes of address space of a job: what asks for more fails at once."""

SILENT = 60.0
"""Seconds without an input finished after which a job counts as hung."""


def work(seed: int, until: float, folder: Path, only: str) -> int:
    """Attack the parsers one after the other, in rounds, until the time is over; write what was found as JSON."""
    sys.path.insert(0, str(ROOT))
    os.environ["BCIKIT_ANCHORS"] = str(folder / "anchors")
    from tests.adversary.fuzzing import Findings, attack, spoil
    from tests.adversary.targets_files import file_targets
    from tests.adversary.targets_words import word_targets

    both = itertools.chain(word_targets(folder / "words"), file_targets(folder / "files"))
    targets = [target for target in both if only in target.name]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found = {target.name: Findings() for target in targets}
    spent: Counter[str] = Counter()
    rng = random.Random(seed)
    last = folder / "last"
    first = 0
    while time.time() < until:
        # Whoever had least time is next.
        target = min(targets, key=lambda one: spent[one.name])
        began = time.perf_counter()
        for number in range(25):
            raw = spoil(rng, target)
            last.write_bytes(target.name.encode() + b"\n" + raw)
            attack(target, raw, found[target.name], watch=number == 0)
        spent[target.name] += time.perf_counter() - began  # type: ignore[assignment]
        if not first and all(spent[one.name] for one in targets):
            first = _memory()
    rows = {
        name: {
            "inputs": one.inputs, "refused": one.refused, "read": one.read, "slowest": one.slowest,
            "faults": {text: raw.hex() for text, raw in one.faults.items()},
        }
        for name, one in found.items()
    }  # fmt: skip
    (folder / "found.json").write_text(json.dumps({"targets": rows, "memory": [first, _memory()]}))
    return 0


def _memory() -> int:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def main() -> int:
    """Run the jobs, watch them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--work", nargs=2, metavar=("UNTIL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        return work(given.seed, float(given.work[0]), Path(given.work[1]), given.only)
    until = time.time() + 60.0 * given.minutes
    rows: dict[str, list[float]] = {}
    faults: dict[str, str] = {}
    growth: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        jobs = []
        for number in range(given.jobs):
            folder = Path(name) / str(number)
            folder.mkdir()
            command = [sys.executable, __file__, "--seed", str(given.seed + number), "--only", given.only]
            jobs.append((folder, subprocess.Popen([*command, "--work", str(until), str(folder)], cwd=ROOT)))
        for folder, job in jobs:
            _watch(folder, job, until)
            if job.returncode or not (folder / "found.json").is_file():
                last = folder / "last"
                where, _, raw = last.read_bytes().partition(b"\n") if last.is_file() else (b"start", b"", b"")
                faults[f"{where.decode()}: the process ended with {job.returncode}"] = raw.hex()
                continue
            told = json.loads((folder / "found.json").read_text())
            growth.append("{} -> {} MiB".format(*told["memory"]))
            for target, one in told["targets"].items():
                row = rows.setdefault(target, [0, 0, 0, 0.0])
                for place, key in enumerate(("inputs", "refused", "read")):
                    row[place] += one[key]
                row[3] = max(row[3], one["slowest"])
                faults |= {f"{target}: {text}": raw for text, raw in one["faults"].items()}
    for target, row in rows.items():
        print(f"{target:28} {row[0]:9.0f} inputs {row[1]:9.0f} refused {row[2]:9.0f} read   slowest {row[3]:6.2f} s")
    total = sum(row[0] for row in rows.values())
    print(f"{len(rows)} parsers, {total:.0f} inputs in {given.minutes:g} min, memory {', '.join(growth)}")
    for text, raw in faults.items():
        print(f"FAULT {text!a}\n      {raw[:2000]}")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


def _watch(folder: Path, job: "subprocess.Popen[bytes]", until: float) -> None:
    """Wait for a job; end one that has not finished an input for too long."""
    last = folder / "last"
    while job.poll() is None:
        time.sleep(0.5)
        begun = last.stat().st_mtime if last.is_file() else time.time()
        if time.time() - begun > SILENT or time.time() > until + 2 * SILENT:
            job.kill()
            job.wait()


if __name__ == "__main__":
    sys.exit(main())
