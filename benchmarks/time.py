"""Is time the truth? Markers at known samples, over links that burst, stall, lose and lie, beside what peers make.

Devices on a wire are read by BrainFlow's real driver, LSL senders run in processes of their own. A marker is a random
moment on LSL's clock; its error is the distance, in samples, from the sample it is placed on to the one that was being
taken then. Peers get the stamps that the same driver gave: as they are (pylsl, BrainFlow) and after pyxdf's dejitter;
MNE-LSL reads the same LSL stream in a process of its own with all its processing on.

``--hour`` adds sixty minutes of a real wire with stalls, bursts, two reconnects and a second device; without it, the
same plan runs through the assembler in virtual time.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bcikit import open_source
from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.placer import SamplePlacer
from bcikit.signal import SourceError, StreamInfo
from bcikit.testing import EmulatorProcess, LinkPlan
from bcikit.testing.__main__ import KINDS

MARKERS = 400
ROOT = Path(__file__).resolve().parents[1]
SENDER = ROOT / "tests" / "acquisition" / "lsl_sender.py"

MNE_READER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import mne; mne.set_log_level("ERROR")
from mne_lsl.stream import StreamLSL
stream = StreamLSL(60.0, source_id=sys.argv[1]).connect(acquisition_delay=0.02, processing_flags="all", timeout=15)
print("up", flush=True)
time.sleep(float(sys.argv[2]))
data, times = stream.get_data()
keep = times > 0
print(json.dumps([data[0][keep].tolist(), times[keep].tolist()]), flush=True)
"""


@dataclass
class Row:
    """One situation."""

    what: str
    errors: np.ndarray = field(default_factory=lambda: np.zeros(0))
    rate: float = 250.0
    lost: int = 0
    planted: int = 0
    uncertainty: float = 0.0
    covered: float = float("nan")
    raw: float = float("nan")
    pyxdf: float = float("nan")
    mne: float = float("nan")
    said: str = ""
    met: bool = False

    @property
    def bias(self):
        """Median error, samples."""
        return float(np.median(self.errors)) if self.errors.size else float("nan")


class Tap:
    """Keeps the stamps that a driver gave, beside what the source makes of them."""

    def __init__(self, source):
        self.stamps, self.first = [], []
        add = source._assembler.add

        def both(data, stamps, arrival, **more):
            self.stamps.append(np.array(stamps))
            self.first.append(data[:, 0].copy())
            return add(data, stamps, arrival, **more)

        source._assembler.add = both


def place(times, numbers, moments, truth):
    """Return the errors of moments placed on the nearest of `times`, in samples."""
    order = np.argsort(times, kind="stable")
    times, numbers = times[order], numbers[order]
    at = np.clip(np.searchsorted(times, moments), 1, times.size - 1)
    at -= moments - times[at - 1] < times[at] - moments
    return numbers[at] - truth(moments)


def dejittered(stamps, rate):
    """Return what pyxdf makes of stamps."""
    from types import SimpleNamespace

    from pyxdf import pyxdf

    stream = SimpleNamespace(
        time_stamps=stamps.copy(), srate=rate, tdiff=1.0 / rate, segments=[], effective_srate=0.0, time_series=[]
    )
    pyxdf._jitter_removal({1: stream})
    return stream.time_stamps


def judge(row, *, within=1.0, bias=0.5, exact=True, inside=0.0):
    """Hold a row against the bars."""
    worst = float(np.abs(row.errors).max()) if row.errors.size else float("inf")
    # Placing on whole samples costs half of one, whatever the clock knows.
    row.met = worst <= within + 0.5 + inside and abs(row.bias) <= bias and (row.lost == row.planted or not exact)
    row.met &= row.covered >= 0.9
    return row


def pulled(source, seconds, during):
    chunks = []
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        during(spent)
        chunk = source.pull(0.1)
        source.pull_events()
        if chunk is not None:
            chunks.append(chunk)
    return chunks


def measured(what, source, chunks, tap, numbers, truth, rate, planted):
    """Return the row of a run: `numbers` are the device's own, of every sample that was received."""
    times = np.concatenate([chunk.times for chunk in chunks])
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    rng = np.random.default_rng(1)
    moments = np.sort(rng.uniform(times[0] + 0.5, times[-1] - 0.1, MARKERS))
    placer = SamplePlacer(rate, memory=1e9)
    for chunk in chunks:
        placer.feed(chunk)
    placed = np.array([placer.place(float(moment)) for moment in moments])
    status = source.status()
    errors = placed - index[0] + numbers[0] - truth(moments)
    # The uncertainty of a marker's place: of the times, and of half a sample.
    whole = np.hypot(status.time_uncertainty, 1.0 / rate / np.sqrt(3.0))
    row = Row(what, errors, rate, status.lost, planted, status.time_uncertainty)
    row.covered = float(np.mean(np.abs(errors) <= whole * rate))
    stamps, count = np.concatenate(tap.stamps), numbers[: sum(map(len, tap.stamps))]
    stamps = stamps[: count.size]
    row.raw = float(np.abs(place(stamps, count, moments, truth)).max())
    row.pyxdf = float(np.abs(place(dejittered(stamps, rate), count, moments, truth)).max())
    return row


def wire(what, kind, plan, seconds, *, options="", during=None, planted=0):
    """Run a device on a wire."""
    with EmulatorProcess(kind, plan) as device, open_source(device.address + options) as source:
        tap = Tap(source)
        started = device.wait_started()
        chunks = pulled(source, seconds, lambda spent: during and during(device, spent))
        rate = plan.rate or KINDS[kind].sfreq
        step = 1e6 * KINDS[kind].reference_volts / KINDS[kind].default_gain / (2**23 - 1)
        numbers = np.rint(np.concatenate([chunk.data[:, 0] for chunk in chunks]) / step)
        if planted is None:
            planted = int(numbers[-1] - numbers[0] + 1 - numbers.size)
        return measured(what, source, chunks, tap, numbers, lambda t: (t - started) * rate, rate, planted)


class Sender:
    """The tests' LSL sender, in a process of its own."""

    def __init__(self, **settings):
        self.name = f"bench-{uuid.uuid4().hex[:8]}"
        told = json.dumps({"name": self.name, "source_id": self.name, **settings})
        self.process = subprocess.Popen(
            [sys.executable, str(SENDER), told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdout.readline()

    def tell(self, what, **values):
        """Send an order and return the answer."""
        self.process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        """End the process."""
        self.process.kill()
        self.process.wait(10)


def lsl(what, seconds, *, at=(), do=None, planted=0, late=0.0, **settings):
    """Run an LSL sender; `late` is by how many samples its stamps are later than its samples by its own making."""
    other = Sender(**settings)
    reader = None
    try:
        with open_source(f"lsl:source_id={other.name}") as source:
            tap = Tap(source)
            command = [sys.executable, "-c", MNE_READER, other.name, str(seconds - 1.0)]
            reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            left = list(at)

            def during(spent):
                if left and spent > left[0]:
                    do(other, left.pop(0))

            chunks = pulled(source, seconds, during)
            start, rate = json.loads(other.tell("taken"))
            counts = np.concatenate([chunk.data[:, 0] for chunk in chunks])
            times = np.concatenate([chunk.times for chunk in chunks])
            numbers = unwrapped(counts, (times[0] - start) * rate)
            row = measured(what, source, chunks, tap, numbers, lambda t: (t - start) * rate - late, rate, planted)
            theirs, _ = reader.communicate(timeout=60)
            if "[[" in theirs:
                data, stamps = (np.array(part) for part in json.loads(theirs.strip().splitlines()[-1]))
                if data.size > 100:
                    moments = np.random.default_rng(1).uniform(stamps[0] + 0.5, stamps[-1] - 0.1, MARKERS)
                    mapped = unwrapped(data, (stamps[0] - start) * rate)
                    row.mne = float(np.abs(place(stamps, mapped, moments, lambda t: (t - start) * rate - late)).max())
            return row
    finally:
        if reader is not None and reader.poll() is None:
            reader.kill()
            reader.wait(10)
        other.close()


def unwrapped(counts, near):
    """Return the numbers of samples whose channel counts to 1000."""
    laps = np.cumsum(np.diff(counts, prepend=counts[0]) < 0)
    first = counts[0] + 1000 * round((near - counts[0]) / 1000)
    return counts - counts[0] + 1000 * laps + first


def refused(what, run, *words):
    """Run what must be refused with an error that says what to do."""
    row = Row(what)
    try:
        run()
    except SourceError as error:
        row.said = str(error)
        row.met = all(word in row.said for word in words)
    return row


def hang(start, stop):
    """Return what stops the device at `start` and lets it go on at `stop`."""
    done = []

    def during(device, spent):
        for moment, what in ((start, signal.SIGSTOP), (stop, signal.SIGCONT)):
            if spent > moment and what not in done:
                done.append(what)
                os.kill(device.process.pid, what)

    return during


def virtual_hour(minutes=60.0):
    """Sixty minutes of bursts, stalls, losses and two lost links through the assembler, in virtual time."""
    rng = np.random.default_rng(5)
    rate, block = 250.0 * (1 + 60e-6), 25
    n = int(minutes * 60 * rate)
    taken = 1000.0 + np.arange(n) / rate
    # A burst is delivered whole: when its newest sample was taken, and what the link needed.
    newest = taken[np.minimum(n - 1, np.arange(n) // block * block + block - 1)]
    deliver = newest + 0.001 + np.repeat(rng.exponential(0.002, n // block + 1), block)[:n]
    lost = np.zeros(n, bool)
    for at in rng.uniform(20, minutes * 60 - 20, 40):
        length = rng.choice([0.4, 0.8, 1.5])
        hit = (deliver >= 1000 + at) & (deliver < 1000 + at + length)
        deliver[hit] = 1000 + at + length
    for at in rng.integers(1000, n - 1000, 200):
        lost[at : at + int(rng.integers(1, 60))] = True
    reconnects = (0.3, 0.7)
    for share in reconnects:
        first = int(share * n)
        lost[first : first + 1900] = True
    deliver = np.maximum.accumulate(deliver + rng.uniform(0, 2e-4, n))
    info = StreamInfo(name="hour", sfreq=250.0, ch_names=("a", "b", "c", "d"))
    assembler = Assembler(info, counter=PacketCounter(256, 250.0), stamped_on_arrival=True)
    keep = np.flatnonzero(~lost)
    chunks, at, now, worst = [], 0, 1000.0, 0.0
    gone = [int(share * n) for share in reconnects]
    arrivals = deliver[keep]
    while at < keep.size or not assembler.empty:
        now += 0.004
        stop = int(np.searchsorted(arrivals, now))
        if stop > at:
            part = keep[at:stop]
            if gone and part[-1] > gone[0]:
                gone.pop(0)
                assembler.new_segment()
            data = np.repeat(part[:, None] + rng.normal(0, 0.1, (part.size, 1)), 4, axis=1)
            chunks += assembler.add(data, deliver[part], now, packets=(part % 256).astype(float))
            at = stop
        else:
            chunks += assembler.overdue(now)
        worst = max(worst, assembler.uncertainty if assembler.clock.settled else 0.0)
    times = np.concatenate([chunk.times for chunk in chunks])
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    errors = (times - taken[keep]) * rate
    row = Row("60 min in virtual time: 40 stalls, 200 losses, bursts of 25, 2 lost links", errors, rate)
    row.lost, row.planted = assembler.tally.lost, int(lost[: keep[-1]].sum())
    row.uncertainty = worst
    row.covered = float(np.mean(np.abs(errors[500:]) <= worst * rate))
    misplaced = int(np.count_nonzero(index - index[0] != keep - keep[0]))
    row.said = f"{misplaced} samples unaccounted for"
    judge(row)
    row.met &= misplaced == 0
    return row


def real_hour(minutes):
    """Run the same over a real wire, with a second device beside it."""
    plan = LinkPlan(
        block=25, jitter=0.002, rate=250.0 * (1 + 60e-6),
        stalls=tuple((float(at), 0.8) for at in range(40, int(60 * minutes), 97)),
        lost=tuple((first, 1 + first % 60) for first in range(5000, int(15000 * minutes), 4000)),
    )  # fmt: skip
    marks = (0.3 * 60 * minutes, 0.7 * 60 * minutes)
    hangs = [hang(mark, mark + 5.0) for mark in marks]
    with EmulatorProcess("cyton-daisy", LinkPlan(block=10)) as second, open_source(second.address) as other:
        beside = []

        def during(device, spent):
            for one in hangs:
                one(device, spent)
            while (chunk := other.pull(0.0)) is not None:
                beside.append(chunk.n_times + chunk.health.lost)

        row = wire(f"{minutes:g} min of a real wire, a second device beside it", "cyton", plan, 60 * minutes,
                   during=during, planted=None)  # fmt: skip
        row.said = f"second device: {sum(beside)} samples, {other.status().lost} lost"
        return judge(row)


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
    yield judge(wire("wire: Ganglion over WiFi, bursts of 16", "ganglion-wifi", LinkPlan(block=16), seconds), bias=2.0,
                within=2.0)  # fmt: skip
    yield judge(wire("wire: 160 Hz said with sfreq=", "cyton", LinkPlan(rate=160.0), seconds, options="&sfreq=160"))
    yield refused("wire: 160 of nominal 250 Hz", lambda: wire("", "cyton", LinkPlan(rate=160.0), 20.0), "250", "160",
                  "sfreq=160")  # fmt: skip
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
    yield virtual_hour(10.0 if quick else 60.0)


def show(found, *, as_json):
    if as_json:
        table = [
            {
                "what": row.what, "median": float(np.median(np.abs(row.errors))) if row.errors.size else None,
                "p99": float(np.percentile(np.abs(row.errors), 99)) if row.errors.size else None,
                "worst": float(np.abs(row.errors).max()) if row.errors.size else None, "bias": row.bias,
                "lost": row.lost, "planted": row.planted, "uncertainty_ms": 1e3 * row.uncertainty,
                "coverage": row.covered, "stamps_worst": row.raw, "pyxdf_worst": row.pyxdf, "mne_lsl_worst": row.mne,
                "said": row.said, "met": row.met,
            }
            for row in found
        ]  # fmt: skip
        print(json.dumps({"title": "time", "rows": table}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    title = "Markers at known samples: error in samples (bars: worst 1 + the half of placing, bias 0.5, loss exact)"
    table = Table(title=title)
    heads = ("situation", "median", "p99", "worst", "worst ms", "bias", "lost/planted", "U ms", "covered",
             "stamps", "pyxdf", "MNE-LSL", "")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head == "situation" else "right")
    for row in found:
        size = np.abs(row.errors)
        told = (
            [f"{np.median(size):.2f}", f"{np.percentile(size, 99):.2f}", f"{size.max():.2f}",
             f"{1e3 * size.max() / row.rate:.1f}", f"{row.bias:+.2f}", f"{row.lost}/{row.planted}",
             f"{1e3 * row.uncertainty:.1f}", f"{100 * row.covered:.0f} %"]
            if size.size else ["refused" if row.said else "silent", *[""] * 7]
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
    for line in rows(options.quick):
        table.append(line)
        if not options.json:
            print(f"{'met   ' if line.met else 'MISSED'} {line.what}", file=sys.stderr, flush=True)
    if options.hour:
        table.append(real_hour(options.hour))
    show(table, as_json=options.json)
    sys.exit(any(not row.met for row in table))
