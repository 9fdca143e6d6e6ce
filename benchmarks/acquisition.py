"""LSL between two processes: 64 channels at 1000 Hz, bcikit beside MNE-LSL's StreamLSL and a bare pylsl loop.

Each reader runs in its own process and filters with what its program has for it (band-pass and notch); latency is from
the push of a chunk to its filtered samples in the reader's hands, on LSL's clock, which all processes of a machine
share. Readers take turns, so that a slow spell of the machine hits all alike.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

N_CHANNELS = 64
RATE = 1000.0
CHUNK = 8
WARM_UP = 6.0
READERS = ("bcikit", "pylsl", "mne_lsl")


def send(name: str, seconds: float) -> None:
    """Push chunks whose every sample carries the time of the push; channel 0 counts samples."""
    import numpy as np
    import pylsl

    info = pylsl.StreamInfo(name, "EEG", N_CHANNELS, RATE, "float32", name)
    channels = info.desc().append_child("channels")
    for number in range(N_CHANNELS):
        channel = channels.append_child("channel")
        for key, value in (("label", f"E{number + 1}"), ("type", "eeg"), ("unit", "microvolts")):
            channel.append_child_value(key, value)
    outlet = pylsl.StreamOutlet(info, CHUNK, 60)
    data = np.random.default_rng(0).normal(0, 20, (CHUNK, N_CHANNELS)).astype(np.float32)
    print("up", flush=True)
    outlet.wait_for_consumers(30)
    began = time.perf_counter()
    for number in range(int(seconds * RATE / CHUNK)):
        wait = began + number * CHUNK / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        # Whole numbers below 2^24 survive float32.
        data[:, 0] = number * CHUNK + np.arange(CHUNK)
        outlet.push_chunk(data, [pylsl.local_clock()] * CHUNK)
    time.sleep(1.0)


class Tally:
    """Latency of every sample, samples that are missing, memory and processor time of the reader."""

    def __init__(self, seconds: float) -> None:
        import numpy as np
        import psutil

        self.seconds = seconds
        # One row a chunk, and no reader sees more chunks than samples. Written once, so that the tally's own memory
        # is there before any is measured.
        self.rows = np.full((round((seconds + WARM_UP) * RATE), 3), np.nan)
        self.n_rows = 0
        self.memory: list[float] = []
        self.process = psutil.Process()

    def begin(self) -> None:
        """Start the clocks."""
        self.began = time.perf_counter()
        self.cpu = time.process_time()
        self.marked = 0.0

    def take(self, now: float, stamp: float, first: float, last: float) -> None:
        """Take note of a chunk: when it was in hand, when it was sent, and the counts of its first and last sample."""
        self.rows[self.n_rows] = now - stamp, first, last
        self.n_rows += 1
        if now - self.marked > 1.0:
            self.marked = now
            self.memory.append(self.process.memory_info().rss / 1e6)

    @property
    def over(self) -> bool:
        """True once the time is up."""
        return time.perf_counter() - self.began >= self.seconds

    def result(self, **more: object) -> dict[str, object]:
        """Return latencies in ms, processor time as a share, losses and memory."""
        import numpy as np

        wall = time.perf_counter() - self.began
        cpu = (time.process_time() - self.cpu) / wall
        latencies, firsts, lasts = self.rows[: self.n_rows].T
        values = 1e3 * latencies
        # Memory after the first tenth, when buffers have their size.
        memory = self.memory[len(self.memory) // 10 :] or [0.0]
        return {
            "median": float(np.median(values)),
            "p99": float(np.percentile(values, 99)),
            "cpu": cpu,
            "lost": int((firsts[1:] - lasts[:-1] - 1).sum()),
            "samples": int((lasts - firsts + 1).sum()),
            "memory_growth_mb": max(memory) - memory[0],
            "wall": wall,
            **more,
        }


def warm_up(step: Callable[[], object]) -> None:
    """Run a reader for some seconds before anything is measured: filters settle, caches fill."""
    end = time.perf_counter() + WARM_UP
    while time.perf_counter() < end:
        step()


def make_filter() -> Callable:
    """Return the same stateful filter for the bare loop: one scipy cascade, as a user would write it."""
    import numpy as np
    from scipy import signal

    sos = np.vstack(
        [
            signal.butter(4, (1.0, 40.0), "bandpass", fs=RATE, output="sos"),
            signal.tf2sos(*signal.iirnotch(50.0, 30.0, fs=RATE)),
        ]
    )
    state = np.zeros((sos.shape[0], 2, N_CHANNELS))

    def run(data: np.ndarray) -> np.ndarray:
        nonlocal state
        filtered, state = signal.sosfilt(sos, data, axis=0, zi=state)
        return filtered

    run(np.zeros((CHUNK, N_CHANNELS)))
    return run


def read_bcikit(name: str, seconds: float) -> dict[str, object]:
    """Read with open_source; health, clock model and all."""
    import pylsl

    from bcikit import open_source
    from bcikit.processing import Bandpass, Notch, Pipeline

    tally = Tally(seconds)
    # The sender stamps a chunk when it is pushed, so the raw stamps are the times of the push.
    with open_source(f"lsl:name={name}&dejitter=false") as source:
        pipeline = Pipeline([Bandpass(l_freq=1.0, h_freq=40.0, order=4), Notch(freq=50.0)])
        pipeline.configure(source.info)
        warm_up(lambda: pipeline.process(source.pull(1.0)))
        tally.begin()
        lost = 0
        while not tally.over:
            chunk = source.pull(1.0)
            if chunk is None:
                continue
            pipeline.process(chunk)
            lost += chunk.health.lost
            tally.take(pylsl.local_clock(), float(chunk.times[-1]), chunk.data[0, 0], chunk.data[-1, 0])
        status = source.status()
    return tally.result(
        counted_lost=lost, drift_ppm=status.drift_ppm, drift_uncertainty_ppm=status.drift_uncertainty_ppm
    )


def read_pylsl(name: str, seconds: float) -> dict[str, object]:
    """Read with a bare blocking loop of pylsl: the floor."""
    import numpy as np
    import pylsl

    run, tally = make_filter(), Tally(seconds)
    inlet = pylsl.StreamInlet(pylsl.resolve_byprop("name", name, 1, 10)[0], max_buflen=60)
    inlet.open_stream(10)
    buffer = np.empty((4096, N_CHANNELS), np.float32)
    warm_up(lambda: run(inlet.pull_chunk(1.0, 4096, dest_obj=buffer, as_numpy=True, min_samples=1)[0]))
    tally.begin()
    while not tally.over:
        data, stamps = inlet.pull_chunk(1.0, 4096, dest_obj=buffer, as_numpy=True, min_samples=1)
        if len(stamps):
            run(data.astype(np.float64))
            tally.take(pylsl.local_clock(), stamps[-1], data[0, 0], data[-1, 0])
    return tally.result()


def read_mne_lsl(name: str, seconds: float) -> dict[str, object]:
    """Read with StreamLSL and a callback, its own filters, its smallest acquisition delay."""
    import mne
    from mne_lsl import set_log_level
    from mne_lsl.lsl import local_clock
    from mne_lsl.stream import StreamLSL

    mne.set_log_level("ERROR")
    set_log_level("ERROR")
    tally = Tally(seconds)
    stream = StreamLSL(5.0, name=name).connect(acquisition_delay=0.001, timeout=10, processing_flags=None)
    stream.filter(1.0, 40.0, iir_params={"order": 4, "ftype": "butter", "output": "sos"})
    stream.notch_filter(50.0)
    counted = [0]

    def callback(data, times, info):  # noqa: ARG001
        now = local_clock()
        # Its callback sees the filtered data, in which channel 0 no longer counts: samples are counted instead.
        first = counted[0]
        counted[0] += len(times)
        tally.take(now, times[-1], first, counted[0] - 1)
        return data, times

    time.sleep(WARM_UP)
    tally.begin()
    stream.add_callback(callback)
    time.sleep(seconds)
    result = tally.result()
    stream.disconnect()
    return result


def one_run(reader: str, seconds: float, folder: str) -> dict[str, object]:
    """Start a sender and a reader, each in its own process, and return what the reader measured."""
    name = f"bench-{uuid.uuid4()}"
    environment = {**os.environ, "LSLAPICFG": str(Path(folder) / "lsl_api.cfg")}
    here = [sys.executable, "-W", "ignore", __file__]
    sender = subprocess.Popen(
        [*here, "--send", name, str(seconds + WARM_UP + 8)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert sender.stdout is not None
        sender.stdout.readline()
        done = subprocess.run(
            [*here, "--read", reader, name, str(seconds)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=seconds + 60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return json.loads(done.stdout.strip().splitlines()[-1])
    finally:
        sender.kill()
        sender.wait(10)
        if sender.stdout is not None:
            sender.stdout.close()


def quietest(runs: list[dict[str, object]], key: str) -> float:
    """Return the smallest value of the rounds: another program on the machine only ever adds."""
    return min(float(run[key]) for run in runs)  # type: ignore[arg-type]


def rows_of(results: dict[str, list[dict[str, object]]]) -> list[object]:
    """Return the lines of the table."""
    from table import Row

    own, floor, peer = (results.get(name, []) for name in READERS)
    lost = sum(int(run["lost"]) for run in own)  # type: ignore[call-overload]
    samples = sum(int(run["samples"]) for run in own)  # type: ignore[call-overload]
    growth = max(float(run["memory_growth_mb"]) for run in own)  # type: ignore[arg-type]
    drift = own[-1]
    rows = []
    for key, what, bar in (("median", "push to filtered sample, median", 0.65), ("p99", "the same, 99 %", 1.0)):
        mine, other = quietest(own, key), quietest(peer, key)
        rows.append(
            Row(what, f"{mine:.2f} ms", f"StreamLSL {other:.2f} ms", mine / other, f"<= {bar}", mine <= bar * other)
        )
    mine, other = quietest(own, "cpu"), quietest(peer, "cpu")
    rows.append(
        Row(
            "processor time of the reader",
            f"{mine:.1%}",
            f"StreamLSL {other:.1%}",
            mine / other,
            "<= 0.3",
            mine <= 0.3 * other,
        )
    )
    mine, other = quietest(own, "median"), quietest(floor, "median")
    near = mine <= max(1.15 * other, other + 0.1)
    rows.append(
        Row(
            "median over a bare pylsl loop",
            f"{mine:.2f} ms",
            f"pylsl {other:.2f} ms",
            mine / other,
            "<= 1.15 or +0.1 ms",
            near,
        )
    )
    rows.append(Row("samples lost", f"{lost} of {samples}", "-", float(lost), "0", lost == 0))
    rows.append(Row("memory growth of the reader", f"{growth:.1f} MB", "-", growth, "<= 5 MB", growth <= 5.0))
    text = f"{float(drift['drift_ppm']):+.1f} +- {float(drift['drift_uncertainty_ppm']):.1f} ppm"  # type: ignore[arg-type]
    rows.append(Row("drift against the nominal rate", text, "-", 0.0, "reported", None))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="20 s a reader")
    parser.add_argument("--minutes", type=float, default=10.0, help="time of the long run of bcikit")
    parser.add_argument("--rounds", type=int, default=3, help="side by side rounds")
    parser.add_argument("--send", nargs=2)
    parser.add_argument("--read", nargs=3)
    arguments = parser.parse_args()
    if arguments.send:
        send(arguments.send[0], float(arguments.send[1]))
        return
    if arguments.read:
        reader, name, seconds = arguments.read
        print(json.dumps(globals()[f"read_{reader}"](name, float(seconds))))
        return
    from table import show

    seconds = 10.0 if arguments.quick else 60.0
    rounds = 2 if arguments.quick else arguments.rounds
    results: dict[str, list[dict[str, object]]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "lsl_api.cfg").write_text("[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n")
        for _ in range(rounds):
            for reader in READERS:
                results[reader].append(one_run(reader, seconds, folder))
        if not arguments.quick:
            results["bcikit"].append(one_run("bcikit", 60 * arguments.minutes, folder))
    title = f"LSL, two processes, {N_CHANNELS} channels at {RATE:g} Hz, chunks of {CHUNK}"
    show(title, rows_of(results), as_json=arguments.json)


if __name__ == "__main__":
    main()
