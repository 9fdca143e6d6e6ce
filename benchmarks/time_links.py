"""What `time.py` measures with: devices on a wire, LSL senders in other processes, markers at known moments."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bcikit import open_source
from bcikit.acquisition.placer import SamplePlacer, placed_within
from bcikit.signal import BciError
from bcikit.testing import EmulatorProcess
from bcikit.testing.__main__ import KINDS

MARKERS = 400
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
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
    clock: float = float("nan")
    raw: float = float("nan")
    pyxdf: float = float("nan")
    mne: float = float("nan")
    moments: np.ndarray = field(default_factory=lambda: np.zeros(0))
    stated: np.ndarray = field(default_factory=lambda: np.zeros(0))
    strays: int | None = None
    said: str = ""
    outcome: str = "silent"
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


def judge(row, *, exact=True, stalls=()):
    """Hold a row against the bars; in `stalls`, stretches of LSL's clock, a marker may err as far as is stated.

    A marker errs by one sample at most, and by half of one on the whole; at rates above 250 Hz by 4 ms and 2 ms, which
    is what the threads of a driver and of a sender on a computer without real time take now and then.
    """
    within, bias = max(1.0, 0.004 * row.rate), max(0.5, 0.002 * row.rate)
    inside = np.zeros(row.errors.size, dtype=bool)
    for begin, end in stalls:
        inside |= (row.moments >= begin) & (row.moments <= end)
    off = np.abs(row.errors)
    row.met = row.errors.size > 0 and bool(np.all(off[~inside] <= within)) and abs(row.bias) <= bias
    row.met &= bool(np.all(off[inside] <= np.maximum(within, row.stated[inside])))
    row.met &= (row.lost == row.planted or not exact) and not row.strays and row.covered >= 0.9
    return row


def pulled(source, seconds, during):
    """Return the chunks that came within some seconds, each with the uncertainty stated of its times then."""
    chunks = []
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        during(spent)
        chunk = source.pull(0.1)
        source.pull_events()
        if chunk is not None:
            chunks.append((chunk, source.status().time_uncertainty))
    return chunks


def strays(chunks, numbers):
    """Return how many samples have another index than the device's own number of them says."""
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    return int(np.count_nonzero(index - index[0] != numbers - numbers[0]))


def measured(what, source, pairs, tap, numbers, truth, rate, planted, markers=MARKERS):
    """Return the row of a run: `numbers` are the device's own, of every sample that was received."""
    chunks = [chunk for chunk, _ in pairs]
    times = np.concatenate([chunk.times for chunk in chunks])
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    rng = np.random.default_rng(1)
    moments = np.sort(rng.uniform(times[0] + 0.5, times[-1] - 0.1, markers))
    placer = SamplePlacer(rate, memory=1e9)
    starts = np.array([chunk.times[0] for chunk in chunks])
    for chunk in chunks:
        placer.feed(chunk)
    placed = np.array([placer.place(float(moment)) for moment in moments])
    stated = np.array([uncertainty for _, uncertainty in pairs])
    stated = stated[np.maximum(0, np.searchsorted(starts, moments, side="right") - 1)]
    errors = placed - index[0] + numbers[0] - truth(moments)
    whole = np.array([placed_within(float(known), rate) for known in stated])
    row = Row(what, errors, rate, source.status().lost, planted, float(np.median(stated)))
    row.moments, row.stated = moments, whole * rate
    row.covered = float(np.mean(np.abs(errors) <= row.stated))
    # Of the samples themselves: a marker has the half sample to the nearest one on top.
    row.clock = float(np.percentile(np.abs(numbers[: times.size] - truth(times)), 99))
    stamps, count = np.concatenate(tap.stamps), numbers[: sum(map(len, tap.stamps))]
    stamps = stamps[: count.size]
    row.raw = float(np.abs(place(stamps, count, moments, truth)).max())
    row.pyxdf = float(np.abs(place(dejittered(stamps, rate), count, moments, truth)).max())
    return row


def numbers_of(kind, chunks):
    """Return the device's own numbers of the samples of chunks: channel 1 of an emulated device counts."""
    step = 1e6 * KINDS[kind].reference_volts / KINDS[kind].default_gain / (2**23 - 1)
    return np.rint(np.concatenate([chunk.data[:, 0] for chunk in chunks]) / step)


def wire(what, kind, plan, seconds, *, options="", during=None, planted=0, rate=None, markers=MARKERS):
    """Run a device on a wire."""
    with EmulatorProcess(kind, plan) as device, open_source(device.address + options) as source:
        tap = Tap(source)
        started = device.wait_started()
        pairs = pulled(source, seconds, lambda spent: during and during(device, spent))
        rate = rate or plan.rate or KINDS[kind].sfreq
        chunks = [chunk for chunk, _ in pairs]
        numbers = numbers_of(kind, chunks)
        if planted is None:
            planted = int(numbers[-1] - numbers[0] + 1 - numbers.size)
        row = measured(what, source, pairs, tap, numbers, lambda t: (t - started) * rate, rate, planted, markers)
        row.strays = strays(chunks, numbers)
        return row


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

            pairs = pulled(source, seconds, during)
            chunks = [chunk for chunk, _ in pairs]
            start, rate = json.loads(other.tell("taken"))
            counts = np.concatenate([chunk.data[:, 0] for chunk in chunks])
            times = np.concatenate([chunk.times for chunk in chunks])
            numbers = unwrapped(counts, (times[0] - start) * rate)
            row = measured(what, source, pairs, tap, numbers, lambda t: (t - start) * rate - late, rate, planted)
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
    except BciError as error:
        row.said, row.outcome = str(error), "refused"
        row.met = all(word in row.said for word in words)
    return row


def hang(start, stop):
    """Return what stops the device at `start` and lets it go on at `stop`.

    A thread lets it go on: BrainFlow opens one board at a time, and while it tries a board that hangs, no other of the
    process can be read.
    """
    done = []

    def during(device, spent):
        if spent > start and not done:
            done.append(threading.Timer(stop - start, os.kill, (device.process.pid, signal.SIGCONT)))
            os.kill(device.process.pid, signal.SIGSTOP)
            done[0].start()

    return during
