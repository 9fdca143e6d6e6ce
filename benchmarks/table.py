"""What the benchmarks share: candidates measured in turn, ratios, one table."""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

# One BLAS thread on both sides, before numpy is loaded by whoever imports this first.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `ratio` is peer over bcikit ("times faster") where `at_least` is True, bcikit over peer otherwise.
    """

    what: str
    bcikit: str
    peer: str
    ratio: float
    bar: str
    met: bool | None


def options() -> argparse.Namespace:
    """Return --json and --quick of a benchmark script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def measure(
    candidates: dict[str, Callable[[], object]], *, rounds: int = 15, calls: int = 1, pause: float = 0.0
) -> dict[str, list[float]]:
    """Return seconds a call for each candidate and round, taken in turn so that a slow spell hits all alike."""
    for function in candidates.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in candidates}
    gc.disable()
    try:
        for _ in range(rounds):
            for name, function in candidates.items():
                if pause:
                    spent = 0.0
                    for _ in range(calls):
                        time.sleep(pause)
                        begin = time.perf_counter()
                        function()
                        spent += time.perf_counter() - begin
                else:
                    begin = time.perf_counter()
                    for _ in range(calls):
                        function()
                    spent = time.perf_counter() - begin
                times[name].append(spent / calls)
    finally:
        gc.enable()
    return times


def ratio(over: list[float], under: list[float]) -> float:
    """Return the median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def seconds(values: list[float]) -> str:
    """Return the median in a unit a person reads."""
    value = statistics.median(values)
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def show(title: str, rows: list[Row], *, as_json: bool) -> None:
    """Print the table and exit with 1 if a bar was missed."""
    if as_json:
        print(json.dumps({"title": title, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title)
        for head in ("what", "bcikit", "peer", "ratio", "bar", ""):
            table.add_column(head, justify="right" if head == "ratio" else "left")
        for row in rows:
            mark = "-" if row.met is None else "met" if row.met else "MISSED"
            table.add_row(row.what, row.bcikit, row.peer, f"{row.ratio:.3g}", row.bar, mark)
        Console(width=None if sys.stdout.isatty() else 150).print(table)
    sys.exit(any(row.met is False for row in rows))
