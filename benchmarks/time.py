"""Is time the truth? Markers at known samples, over links that burst, stall, lose and lie, beside what peers make.

Devices on a wire are read by BrainFlow's real driver, LSL senders run in processes of their own. A marker is a random
moment on LSL's clock; its error is the distance, in samples, from the sample it is placed on to the one that was being
taken then. Up to half a sample of that is the placing: "clock" is the error of the samples' own times (p99). Peers get
the stamps that the same driver gave: as they are (pylsl, BrainFlow) and after pyxdf's dejitter; MNE-LSL reads the same
LSL stream in a process of its own with all its processing on.

``--hour`` is one row instead: sixty minutes of a real wire with stalls, bursts, losses, two reconnects and a second
device. Without it, the same plan runs through the assembler in virtual time.
"""

import argparse
import json
import sys

import numpy as np
from time_hour import real_hour, virtual_hour
from time_lies import rows as lies
from time_links import Row, hang, judge, lsl, refused, wire

from bcikit.testing import LinkPlan


def rows(quick):
    """Yield the rows of the table."""
    seconds = 6.0 if quick else 12.0
    yield judge(wire("wire: steady", "cyton", LinkPlan(), seconds))
    for block in (10, 25):
        yield judge(wire(f"wire: bursts of {block}", "cyton", LinkPlan(block=block, jitter=0.001), seconds))
    yield judge(wire("wire: stall of 0.8 s", "cyton", LinkPlan(block=5, stalls=((3.0, 0.8),), drain=700.0), seconds))
    plan = LinkPlan(block=10, stalls=((3.0, 1.8),), drain=350.0)
    yield judge(wire("wire: stall of 1.8 s, caught up slowly", "cyton", plan, max(seconds, 16.0), planted=None))
    lost = ((700, 1), (900, 256), (1300, 90))
    yield judge(wire("wire: losses, a whole lap of the counter too", "cyton", LinkPlan(block=25, lost=lost),
                     max(seconds, 8.0), planted=347))  # fmt: skip
    yield judge(wire("wire: device hangs for 5 s, reconnect", "cyton", LinkPlan(block=10), 22.0,
                     during=hang(3.0, 8.0), planted=None))  # fmt: skip
    yield judge(wire("wire: counter begins anew", "cyton", LinkPlan(block=5, resets=(712,)), seconds), exact=False)
    yield judge(wire("wire: Daisy, bursts of 10", "cyton-daisy", LinkPlan(block=10), seconds))
    yield judge(wire("wire: Ganglion over WiFi, bursts of 16", "ganglion-wifi", LinkPlan(block=16), seconds))
    yield judge(wire("wire: 160 Hz said with sfreq=", "cyton", LinkPlan(rate=160.0), seconds, options="&sfreq=160"))
    yield refused("wire: 160 of nominal 250 Hz", lambda: wire("", "cyton", LinkPlan(rate=160.0), 20.0), "250",
                  "sfreq=1")  # fmt: skip
    silent = LinkPlan(silent_after=0.0)
    yield refused(
        "wire: opens, never delivers", lambda: wire("", "cyton", silent, 60.0, options="&reconnect=3"), "is gone"
    )
    yield judge(lsl("LSL: sender's clock", seconds))
    for block in (10, 25):
        yield judge(lsl(f"LSL: bursts of {block}, stamped when sent", seconds, stamps="now", block=block, late=1.0))
    stall = {"at": (2.5, 3.3), "do": lambda other, moment: other.tell("hold", on=moment < 3.0)}
    yield judge(lsl("LSL: stall of 0.8 s, stamped when sent", seconds, stamps="now", late=1.0, **stall))
    for kind, name in (("unix", "UNIX time"), ("ms", "UNIX milliseconds")):
        yield judge(lsl(f"LSL: {name}", seconds, stamps=kind))
    yield judge(lsl("LSL: device's own clock", seconds, stamps="device", late=1.0))
    yield judge(lsl("LSL: first block garbage", seconds, stamps="garbage-first"))
    yield judge(lsl("LSL: quartz off by 200 ppm", seconds, drift_ppm=200.0))
    for step in (0.3, -90.0):
        yield judge(lsl(f"LSL: sender's clock set by {step:+g} s", seconds, at=(3.0,),
                        do=lambda other, _, step=step: other.tell("step", seconds=step)))  # fmt: skip
    yield from lies(seconds)
    yield virtual_hour(10.0 if quick else 60.0)


def together(found):
    """Return the coverage over the markers of all rows with a live clock: that is what an uncertainty states."""
    live = [row for row in found if row.stated.size == row.errors.size > 0 and "virtual" not in row.what]
    inside = sum(int(np.count_nonzero(np.abs(row.errors) <= row.stated)) for row in live)
    total = sum(row.errors.size for row in live)
    row = Row(
        "all live markers together: coverage 90 to 99 %",
        said=f"{inside} of {total} markers within what is stated",
        outcome="done",
    )
    row.covered = inside / total if total else 0.0
    row.met = 0.9 <= row.covered <= 0.99
    row.said += f": {100 * row.covered:.1f} %"
    return row


def none(value):
    """Return a number, or None for what JSON has no word for."""
    return None if np.isnan(value) else float(value)


def show(found, *, as_json):
    if as_json:
        table = [
            {
                "what": row.what, "median": float(np.median(np.abs(row.errors))) if row.errors.size else None,
                "p99": float(np.percentile(np.abs(row.errors), 99)) if row.errors.size else None,
                "worst": float(np.abs(row.errors).max()) if row.errors.size else None, "bias": none(row.bias),
                "clock_p99": none(row.clock),
                "lost": row.lost, "planted": row.planted, "uncertainty_ms": 1e3 * row.uncertainty,
                "coverage": none(row.covered), "stamps_worst": none(row.raw), "pyxdf_worst": none(row.pyxdf),
                "mne_lsl_worst": none(row.mne),
                "unaccounted": row.strays, "said": row.said, "met": row.met,
            }
            for row in found
        ]  # fmt: skip
        print(json.dumps({"title": "time", "rows": table}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    title = "Markers at known samples: error in samples (bars: worst 1, bias 0.5, loss exact, coverage 90 % and more)"
    table = Table(title=title)
    heads = ("situation", "median", "p99", "worst", "worst ms", "clock", "bias", "lost/planted", "U ms", "covered",
             "stamps", "pyxdf", "MNE-LSL", "")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head == "situation" else "right")
    for row in found:
        size = np.abs(row.errors)
        told = (
            [f"{np.median(size):.2f}", f"{np.percentile(size, 99):.2f}", f"{size.max():.2f}",
             f"{1e3 * size.max() / row.rate:.1f}", "-" if np.isnan(row.clock) else f"{row.clock:.2f}",
             f"{row.bias:+.2f}", f"{row.lost}/{row.planted}", f"{1e3 * row.uncertainty:.1f}",
             f"{100 * row.covered:.0f} %"]
            if size.size else [row.outcome, *[""] * 8]
        )  # fmt: skip
        peers = ["-" if np.isnan(value) else f"{value:.1f}" for value in (row.raw, row.pyxdf, row.mne)]
        said = f"\n  {row.said[:90]}" if row.said else ""
        table.add_row(row.what + said, *told, *peers, "met" if row.met else "MISSED")
    Console(width=None if sys.stdout.isatty() else 165).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--hour", type=float, nargs="?", const=60.0, default=0.0)
    options = parser.parse_args()
    table = []
    for line in real_hour(options.hour) if options.hour else rows(options.quick):
        table.append(line)
        if not options.json:
            print(f"{'met   ' if line.met else 'MISSED'} {line.what}", file=sys.stderr, flush=True)
    if not options.hour:
        table.append(together(table))
    show(table, as_json=options.json)
    sys.exit(any(not row.met for row in table))
