"""Hours of 64 channels at 1 kHz through LSL, with a session, its recording and the viewer on, and faults by a script.

A sender in a process of its own stalls for 0.8 s, loses 137 samples, loses 3 s, and goes away for 4 s, once each in
``--every`` minutes (ten, or a third of a shorter run). `bcikit run` decides and records meanwhile, `bcikit view` draws
(offscreen), and this process reads beside them what every sample was and when it was taken. The page says what grew in
each process (memory, open handles, threads), what was lost against what was planted, and how far times were off::

    python benchmarks/soak.py --minutes 240
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np

RATE, BLOCK, LAP = 1000, 20, 65536
SESSION = """
[source]
address = "{address}"
channels = ["C3", "Cz", "C4", "Pz", "O1", "O2"]
[paradigm]
name = "neurofeedback-alpha"
[paradigm.settings]
baseline = 30.0
blocks = {blocks}
block = {block:.0f}
between_blocks = 30.0
[[outputs]]
address = "hand:"
"""


def send(name):
    """Be the sender: print when sample 0 was taken, obey the lines that come."""
    import mne
    import pylsl

    names = [*mne.channels.make_standard_montage("biosemi64").ch_names, "CNT"]
    info = pylsl.StreamInfo(name, "EEG", len(names), RATE, "float32", name)
    channels = info.desc().append_child("channels")
    for label in names:
        one = channels.append_child("channel")
        one.append_child_value("label", label)
        one.append_child_value("type", "misc" if label == "CNT" else "EEG")
        one.append_child_value("unit", "microvolts")
    # Ten seconds of an EEG that has a rhythm, again and again.
    rng = np.random.default_rng(1)
    t = np.arange(10 * RATE) / RATE
    loop = rng.normal(0, 8.0, (t.size, 64)) + (10.0 * np.sin(2 * np.pi * 10.0 * t))[:, None]
    loop = np.hstack([loop, np.zeros((t.size, 1))]).astype(np.float32)
    outlet = pylsl.StreamOutlet(info, 0, 60)
    orders = []
    threading.Thread(target=lambda: orders.extend(line.split() for line in sys.stdin), daemon=True).start()
    start, k, back, held, away = pylsl.local_clock(), 0, 0.0, [], 0.0
    print(start, flush=True)
    while True:
        now = pylsl.local_clock()
        for what, value in [orders.pop(0) for _ in range(len(orders))]:
            if what == "stall":
                back = now + float(value)
            elif what == "skip":
                k += int(value)
            elif what == "away":
                away, outlet = now + float(value), None
        wait = start + (k + BLOCK) / RATE - now
        if wait > 0:
            time.sleep(wait)
        now = pylsl.local_clock()
        index = k + np.arange(BLOCK)
        k += BLOCK
        if outlet is None:
            if now < away:
                continue
            outlet = pylsl.StreamOutlet(info, 0, 60)
        data = loop[index % loop.shape[0]]
        data[:, -1] = index % LAP
        held.append((data, (start + index / RATE).tolist()))
        while held and now >= back:
            outlet.push_chunk(*held.pop(0))


def usage(pid):
    """Return resident memory in MB, open handles and threads of a process; None where it is over."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if "VmRSS" not in status:
            return None
        handles = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return int(status["VmRSS"].split()[0]) / 1024, handles, int(status["Threads"])
    except (OSError, ValueError):
        return None


class Truth:
    """What every sample was, against what is said of it."""

    def __init__(self, start):
        self.start, self.lost, self.last, self.strays, self.n = start, 0, None, 0, 0
        self.worst, self.offset, self.covered = 0.0, None, 0

    def take(self, chunk, uncertainty):
        """Take a chunk; its counter says which samples they are."""
        guess = (chunk.times - self.start) * RATE
        count = chunk.data[:, -1]
        number = count + LAP * np.rint((guess - count) / LAP)
        self.lost += int(number[0] - self.last - 1) if self.last is not None else 0
        self.last = number[-1]
        index = np.arange(chunk.first_sample, chunk.end_sample)
        self.offset = number[0] - index[0] if self.offset is None else self.offset
        self.strays += int(np.count_nonzero(number - index != self.offset))
        error = np.abs(chunk.times - self.start - number / RATE)
        self.n += chunk.n_times
        self.worst = max(self.worst, float(error.max()))
        self.covered += int(np.count_nonzero(error <= max(uncertainty, 1e-4)))


def gaps_of(folder):
    """Return what a session lost, by its own events."""
    lost = 0
    for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        lost += int(event.get("value") or 0) if event.get("name") == "stream/gap" else 0
    return lost


def grown(who, table, minutes):
    """Return the rows of what grew in a process: seconds, MB, handles and threads, one line a look."""
    # Less the start, in which the viewer's three minutes of history fill, and the end, in which a report is made.
    open_still = table[:, 2] >= 0.8 * np.median(table[:, 2])
    begin = 220.0 if minutes >= 6.0 else 24.0 * minutes
    part = table[(table[:, 0] > begin) & (table[:, 0] < table[open_still][-1, 0] - 5.0)]
    peak = float(table[:, 1].max())
    if part.shape[0] < 12:
        return [(f"{who}: memory", f"{peak:.0f} MB at most; too short a run to tell more", "", True)]
    slope = float(np.polyfit(part[:, 0] / 3600.0, part[:, 1], 1)[0])
    grew, bar = float(np.median(part[-5:, 1]) - np.median(part[:5, 1])), 10.0 * max(1.0, minutes / 60.0)
    found = f"{grew:+.1f} ({slope:+.0f}; {peak:.0f})"
    rows = [(f"{who}: memory grew by, MB (MB an hour; most, its end included)", found, f"{bar:g}", grew <= bar)]
    for what, column in (("handles", 2), ("threads", 3)):
        first, last = np.median(part[:5, column]), np.median(part[-5:, column])
        rows.append((f"{who}: {what}", f"{first:.0f} to {last:.0f}", "2 more at most", last <= first + 2))
    return rows


def main(minutes, every, folder):
    """Run it and return the rows of the page: what, value, bar, met."""
    from bcikit import open_source

    name, length = f"soak-{uuid.uuid4().hex[:8]}", 60.0 * minutes
    address = f"lsl:source_id={name}&counter=CNT&modulus={LAP}"
    # Half a minute each for its start, its baseline and each pause; it ends by itself.
    blocks = max(1, int((length - 60.0) // 300.0))
    block = min(270.0, length - 70.0)
    (folder / "session.toml").write_text(SESSION.format(address=address, blocks=blocks, block=block), encoding="utf-8")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "bcikit"]
    sender = subprocess.Popen(
        [sys.executable, __file__, "--sender", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    started = [sender]
    try:
        truth = Truth(float(sender.stdout.readline()))
        out = folder / "session"
        with (folder / "run.txt").open("w") as said:
            run = subprocess.Popen(
                [*command, "run", str(folder / "session.toml"), "--headless", "--screen", "none", "--out", str(out)],
                stdout=said, stderr=subprocess.STDOUT, env=environment,
            )  # fmt: skip
            view = subprocess.Popen([*command, "view", f"lsl:source_id={name}"], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, env=environment)  # fmt: skip
        started += [run, view]
        watched = {"session": run.pid, "viewer": view.pid, "reader": os.getpid()}
        faults = sorted(
            (60.0 * every * (turn + share), order)
            for turn in range(int(minutes / every) + 1)
            for share, order in ((0.3, "stall 0.8"), (0.5, "skip 137"), (0.65, "skip 3000"), (0.8, "away 4"))
        )
        series = {who: [] for who in watched}
        with open_source(address) as source:
            began = looked = time.monotonic()
            while (spent := time.monotonic() - began) < length and (spent < 30.0 or run.poll() is None):
                while faults and spent > faults[0][0]:
                    sender.stdin.write(faults.pop(0)[1] + "\n")
                    sender.stdin.flush()
                chunk = source.pull(0.2)
                source.pull_events()
                if chunk is not None:
                    truth.take(chunk, source.status().time_uncertainty)
                if time.monotonic() - looked > 2.0:
                    looked = time.monotonic()
                    if "viewer" in watched and view.poll() is None:
                        # `bcikit view` starts the window in a process of its own.
                        child = Path(f"/proc/{view.pid}/task/{view.pid}/children").read_text().split()
                        watched["viewer"] = int(child[0]) if child else view.pid
                    for who, pid in watched.items():
                        found = usage(pid)
                        if found is not None:
                            series[who].append((spent, *found))
            status = source.status()
        over = view.poll()
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
        code = run.wait(120)
    finally:
        for one in reversed(started):
            child = Path(f"/proc/{one.pid}/task/{one.pid}/children")
            for pid in child.read_text().split() if child.exists() else ():
                os.kill(int(pid), signal.SIGTERM)
            one.kill()
            one.wait(20)
    rows = [
        ("samples read beside", truth.n, "", truth.n > 0),
        ("lost / planted, by the reader", f"{status.lost} / {truth.lost}", "equal", status.lost == truth.lost > 0),
        ("samples unaccounted for", truth.strays, "0", truth.strays == 0),
        ("worst error of a time, ms", f"{1e3 * truth.worst:.2f}", "4", truth.worst <= 0.004),
        ("times within what is stated, %", f"{100 * truth.covered / max(1, truth.n):.1f}", "90",
         truth.covered >= 0.9 * truth.n),
        ("reconnects", status.reconnects, "", True),
        ("the session: exit code, lost by its events", f"{code}, {gaps_of(out)}", "0 or 1", code in (0, 1)),
        ("the viewer still draws", "yes" if over is None else f"ended with {over}", "yes", over is None),
    ]  # fmt: skip
    (folder / "series.json").write_text(json.dumps(series), encoding="utf-8")
    for who, found in series.items():
        rows += grown(who, np.array(found), minutes)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--every", type=float, default=None, help="Minutes in which each fault comes once.")
    parser.add_argument("--folder", type=Path, default=None, help="Keeps what was recorded.")
    parser.add_argument("--sender", default="")
    options = parser.parse_args()
    if options.sender:
        send(options.sender)
    place = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    place.mkdir(parents=True, exist_ok=True)
    try:
        page = main(options.minutes, options.every or min(10.0, options.minutes / 3.0), place)
    finally:
        if options.folder is None:
            shutil.rmtree(place, ignore_errors=True)
    for what, value, bar, met in page:
        print(f"{'met   ' if met else 'MISSED'} {what}: {value}" + (f" (bar: {bar})" if bar else ""))
    sys.exit(any(not met for *_, met in page))
