"""Runs an emulated device through BrainFlow's own driver and compares what came with what was planted."""

import time
from dataclasses import dataclass

import numpy as np

from bcikit import open_source
from bcikit.acquisition import StreamStatus
from bcikit.signal import Chunk, Event
from bcikit.testing import EmulatorProcess, LinkPlan
from bcikit.testing.__main__ import KINDS


@dataclass
class Run:
    """What came over a wire: `k` is the number the device gave each sample, `error` its time's error in samples."""

    k: np.ndarray
    index: np.ndarray
    times: np.ndarray
    error: np.ndarray
    chunks: list[Chunk]
    events: list[Event]
    status: StreamStatus
    rate: float
    late: float

    def named(self, name):
        return [event for event in self.events if event.name == name]

    @property
    def worst(self):
        """Largest error of a time beyond what is stated, in samples, less how late everything came on this machine.

        On a busy machine the device's own process and the driver's thread run late, all samples alike, and nobody can
        see that from the arrivals. How late is known here: the usual lateness of a block less that of the plan.
        """
        return float(np.abs(self.error).max()) - (self.status.time_uncertainty + self.late) * self.rate

    @property
    def misplaced(self):
        """Samples whose index is not the number the device gave them, counted from the first one received."""
        return int(np.count_nonzero(self.index - self.index[0] != self.k - self.k[0]))


def pull(source, seconds, *, during=lambda _seconds: None, enough=None):
    """Return what came within some seconds; with `enough`, until that is so, and within a minute more at most."""
    chunks, events = [], []
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds + (60.0 if enough else 0.0):
        if enough and enough(chunks):
            break
        during(spent)
        chunk = source.pull(0.1)
        events += source.pull_events()
        if chunk is not None:
            chunks.append(chunk.check())
    return chunks, events


def number_of_newest(chunks, kind):
    """Return the device's own number of the newest sample; -1 before the first."""
    return int(numbered(chunks[-1:], kind)[-1]) if chunks else -1


def numbered(chunks, kind, *, gain=None):
    """Return the number of each sample, from channel 1."""
    values = np.concatenate([chunk.data[:, 0] for chunk in chunks])
    return np.rint(values / microvolts_per_step(kind, gain=gain)).astype(np.int64)


def microvolts_per_step(kind, *, gain=None):
    device = KINDS[kind]
    return 1e6 * device.reference_volts / (gain or device.default_gain) / (2**23 - 1)


def run(kind, plan=None, seconds=4.0, *, options="", during=None):
    plan = plan or LinkPlan()
    with EmulatorProcess(kind, plan) as device, open_source(device.address + options) as source:
        blocks = []
        add = source._assembler.add

        def seen(data, stamps, arrival, **more):
            if len(stamps):
                blocks.append((float(stamps[-1]), float(data[-1, 0])))
            return add(data, stamps, arrival, **more)

        source._assembler.add = seen
        started = device.wait_started()
        rate = plan.rate or KINDS[kind].sfreq
        # By the device's own count: a busy machine does not make a run shorter.
        last = int(seconds * rate) - 1
        chunks, events = pull(
            source,
            seconds,
            during=lambda spent: during and during(device, source, spent),
            enough=lambda chunks: number_of_newest(chunks, kind) >= last,
        )
        status = source.status()
    k = numbered(chunks, kind)
    stamp, value = np.array(blocks).T
    lateness = stamp - started - np.rint(value / microvolts_per_step(kind)) / rate
    late = max(0.0, float(np.median(lateness)) - plan.latency - plan.jitter)
    times = np.concatenate([chunk.times for chunk in chunks])
    index = np.concatenate([np.arange(c.first_sample, c.end_sample) for c in chunks])
    return Run(k, index, times, (times - started) * rate - k, chunks, events, status, rate, late)
