"""Sixty minutes of stalls, bursts, losses, two reconnects and a second device: every sample accounted for."""

import numpy as np
from time_links import MARKERS, Row, Tap, hang, judge, measured, numbers_of, pulled, strays

from bcikit import open_source
from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.signal import StreamInfo
from bcikit.testing import EmulatorProcess, LinkPlan


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
    row = Row(f"{minutes:g} min in virtual time: 40 stalls, 200 losses, bursts of 25, 2 lost links", errors, rate)
    row.moments, row.stated = times, np.full(times.size, worst * rate)
    row.lost, row.planted = assembler.tally.lost, int(lost[: keep[-1]].sum())
    row.uncertainty = worst
    row.covered = float(np.mean(np.abs(errors[500:]) <= worst * rate))
    misplaced = int(np.count_nonzero(index - index[0] != keep - keep[0]))
    row.strays = misplaced
    row.said = f"{misplaced} samples unaccounted for"
    return judge(row)


def real_hour(minutes):
    """Run the same over a real wire, with a second device beside it."""
    length = 60.0 * minutes
    stalls = tuple((float(at), 0.8) for at in np.arange(40.0, length, 97.0))
    lost = tuple((first, 1 + first // 4000 % 60) for first in range(5000, int(250 * length), 4000))
    plan = LinkPlan(block=25, jitter=0.002, rate=250.0 * (1 + 60e-6), stalls=stalls, lost=lost)
    marks = (0.3 * length, 0.7 * length)
    hangs = [hang(mark, mark + 5.0) for mark in marks]
    with (
        EmulatorProcess("cyton-daisy", LinkPlan(block=10, jitter=0.001)) as second,
        open_source(second.address) as other,
        EmulatorProcess("cyton", plan) as first,
        open_source(first.address) as source,
    ):
        taps, started = (Tap(source), Tap(other)), (first.wait_started(), second.wait_started())
        beside = []

        def during(spent):
            for one in hangs:
                one(first, spent)
            while (chunk := other.pull(0.0)) is not None:
                beside.append((chunk, other.status().time_uncertainty))
            other.pull_events()

        pairs = pulled(source, length, during)
        rows = []
        for kind, one, found, tap, start, rate in (
            ("cyton", source, pairs, taps[0], started[0], plan.rate),
            ("cyton-daisy", other, beside, taps[1], started[1], 125.0),
        ):
            chunks = [chunk for chunk, _ in found]
            numbers = numbers_of(kind, chunks)
            planted = int(numbers[-1] - numbers[0] + 1 - numbers.size)
            truth = lambda t, start=start, rate=rate: (t - start) * rate  # noqa: E731
            row = measured(kind, one, found, tap, numbers, truth, rate, planted, markers=10 * MARKERS)
            row.strays = strays(chunks, numbers)
            row.said = (
                f"{numbers.size} samples received, {row.strays} unaccounted for, {one.status().reconnects} reconnects"
            )
            rows.append(row)
    stood = [(started[0] + at, started[0] + at + took) for at, took in (*stalls, *((mark, 20.0) for mark in marks))]
    rows[
        0
    ].what = f"{minutes:g} min of a real wire: {len(stalls)} stalls, {len(lost)} losses, bursts of 25, 2 hangs of 5 s"
    rows[1].what = f"{minutes:g} min of a second device beside it (Daisy, bursts of 10)"
    return [judge(rows[0], stalls=stood), judge(rows[1])]
