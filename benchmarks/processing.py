"""The signal pipeline beside its peers, as ratios in one run: uv run bcikit bench processing.

Work unit: Butterworth band-pass 1 to 40 Hz of order 4 and a 50 Hz notch (5 second-order sections), float64, 1000 Hz.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from table import Row, measure, options, ratio, seconds, show  # isort: skip - sets the number of threads first

import json
import subprocess
import warnings

import numpy as np
from processing_cases import (
    BANDS,
    CHANNELS,
    SFREQ,
    bcikit_bands,
    bcikit_filter,
    chunks,
    covariances,
    ezmsg_bands,
    ezmsg_filter,
    fft_bands,
    rings,
    scipy_filter,
    sections,
    settle,
    stream,
)

import bcikit.processing as bp
from bcikit.processing.engines import make_engine
from bcikit.signal import Chunk


def row(
    what: str, ours: list[float], theirs: list[float], peer: str, at_least: float | None = None, at_most: float = 0.0
) -> Row:
    """Return a line: how many times faster, or which share of the peer's time.

    The bars are set for 64 channels. At 8, what a Python call costs weighs as much as the work; those lines, and the
    ones at 256, are there to be seen and have no verdict.
    """
    judged = not what.startswith(("8 ch", "256 ch")) and "ms, numpy" not in what
    if at_least is not None:
        value = ratio(theirs, ours)
        met = value >= at_least if judged else None
        return Row(what, seconds(ours), f"{peer} {seconds(theirs)}", value, f">= {at_least:g} x", met)
    value = ratio(ours, theirs)
    met = value <= at_most if judged else None
    return Row(what, seconds(ours), f"{peer} {seconds(theirs)}", value, f"<= {at_most:g} of", met)


def filter_rows(n_channels: int, *, quick: bool) -> list[Row]:
    rounds, calls = (7, 200) if quick else (21, 1000)
    hot = measure(
        {
            "numpy": bcikit_filter(n_channels, 8, "numpy"),
            "numba": bcikit_filter(n_channels, 8, "numba"),
            "ezmsg": ezmsg_filter(n_channels, 8),
        },
        rounds=rounds,
        calls=calls,
    )
    paced = measure(
        {
            "auto": bcikit_filter(n_channels, 8, "auto"),
            "numpy": bcikit_filter(n_channels, 8, "numpy"),
            "scipy": scipy_filter(n_channels, 8),
        },
        rounds=5 if quick else 15,
        calls=20 if quick else 60,
        pause=0.008,
    )
    bulk = measure(
        {
            "numpy": bcikit_filter(n_channels, 256, "numpy"),
            "numba": bcikit_filter(n_channels, 256, "numba"),
            "scipy": scipy_filter(n_channels, 256),
        },
        rounds=rounds,
        calls=calls // 10,
    )
    name = f"{n_channels} ch: filter, chunk"
    return [
        row(f"{name} 8, hot, numpy", hot["numpy"], hot["ezmsg"], "ezmsg", 5),
        row(f"{name} 8, hot, compiled", hot["numba"], hot["ezmsg"], "ezmsg", 12),
        row(f"{name} 8, one per 8 ms", paced["auto"], paced["scipy"], "scipy", at_most=0.45),
        row(f"{name} 8, one per 8 ms, numpy", paced["numpy"], paced["scipy"], "scipy", at_most=0.45),
        row(f"{name} 256, numpy", bulk["numpy"], bulk["scipy"], "scipy", 1.8),
        row(f"{name} 256, compiled", bulk["numba"], bulk["scipy"], "scipy", 3.5),
    ]


def feature_rows(n_channels: int, *, quick: bool) -> list[Row]:
    rounds, calls = (7, 30) if quick else (21, 150)
    bands = measure(
        {
            "bcikit": bcikit_bands(n_channels, 40),
            "by eight": bcikit_bands(n_channels, 8),
            "ezmsg": ezmsg_bands(n_channels, 40),
            "fft": fft_bands(n_channels, 40),
        },
        rounds=rounds,
        calls=calls,
    )
    cov = measure(covariances(n_channels), rounds=rounds, calls=calls)
    ring = measure(rings(n_channels), rounds=rounds, calls=calls)
    name = f"{n_channels} ch:"
    rows = [
        row(f"{name} 4 band powers, 1 s, each 40 samples", bands["bcikit"], bands["ezmsg"], "ezmsg", 8),
        row(f"{name} the same", bands["bcikit"], bands["fft"], "FFT of the window", 4),
        row(f"{name} the same, 5 chunks of 8", bands["by eight"], bands["ezmsg"], "ezmsg", 8),
        row(f"{name} covariance each 100 ms", cov["bcikit"], cov["peer"], "pyriemann", 8),
        row(f"{name} ring of 60 s: append, view", ring["long"], ring["roll"], "np.roll of 10 s", None, 0.2),
    ]
    absolute = min(ring["long"]) * 1e6
    share = ratio(ring["long"], ring["short"])
    met = absolute <= 5 if n_channels == 64 else None
    rows.append(Row(f"{name} ring, absolute", f"{absolute:.2g} us", "-", absolute, "<= 5 us", met))
    rows.append(Row(f"{name} ring of 60 s over 2 s", seconds(ring["long"]), "2 s", share, "<= 1.5", share <= 1.5))
    return rows


def offline_case(name: str, minutes: float) -> None:
    """Run one zero-phase case in this process and print seconds and extra megabytes of memory."""
    import time

    rng = np.random.default_rng(0)
    n_times, n_channels = int(minutes * 60 * 500), 64
    info = stream(n_channels, 500.0)
    steps = [bp.Bandpass(l_freq=1, h_freq=40), bp.Notch()]
    data = np.empty((n_channels, n_times) if name == "mne" else (n_times, n_channels))
    for part in np.array_split(data, 64):
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    if name == "mne":
        import mne

        mne.set_log_level("ERROR")
        raw = mne.io.RawArray(data, mne.create_info(n_channels, 500.0, "eeg"))
        warm = mne.io.RawArray(data[:2, :6000].copy(), mne.create_info(2, 500.0, "eeg"))

        def run(target: "mne.io.RawArray") -> None:
            target.filter(1, 40, method="iir", iir_params={"order": 4, "ftype": "butter", "output": "sos"})
            target.notch_filter(50, method="iir", iir_params={"order": 2, "ftype": "butter", "output": "sos"})

        run(warm)
        work: Callable[[], object] = lambda: run(raw)  # noqa: E731
    else:
        from bcikit.signal import Recording

        engine, threads = name.split(":")
        recording = Recording.from_arrays(info, data)
        small = Recording.from_arrays(info, data[:20000].copy())
        bp.apply_zero_phase(steps, small, copy=False, threads=int(threads), engine=engine)
        work = lambda: bp.apply_zero_phase(  # noqa: E731
            steps, recording, copy=False, threads=int(threads), engine=engine
        )
    before = memory("VmRSS")
    begin = time.perf_counter()
    work()
    spent = time.perf_counter() - begin
    print(json.dumps({"seconds": spent, "extra": max(0.0, memory("VmHWM") - before), "data": data.nbytes / 1e6}))


def memory(key: str) -> float:
    """Return a line of /proc/self/status in MB; 0 where there is none (not Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) / 1e3 for line in status.read_text().splitlines() if line.startswith(key))


def offline_rows(*, quick: bool) -> list[Row]:
    minutes, rounds = (6, 1) if quick else (60, 3)
    cases = ("mne", "numpy:1", "numba:1", "numba:2")
    found: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            command = [sys.executable, __file__, "--offline", case, "--minutes", str(minutes)]
            text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
            found[case].append(json.loads(text.splitlines()[-1]))
    spent = {case: [run["seconds"] for run in runs] for case, runs in found.items()}
    what = f"{minutes} min x 64 ch x 500 Hz zero phase"
    rows = [
        row(f"{what}, numpy, 1 thread", spent["numpy:1"], spent["mne"], "mne IIR", 2.5),
        row(f"{what}, compiled, 1 thread", spent["numba:1"], spent["mne"], "mne IIR", 2.5),
        row(f"{what}, compiled, 2 threads", spent["numba:2"], spent["mne"], "mne IIR", 5),
    ]
    extra = max(run["extra"] for run in found["numba:2"])
    share = extra / found["numba:2"][0]["data"]
    theirs = f"mne {max(run['extra'] for run in found['mne']):.0f} MB"
    rows.append(Row(f"{what}, extra memory", f"{extra:.1f} MB", theirs, share, "<= 0.05 of data", share <= 0.05))
    return rows


def chain_ages(n_channels: int, length: float) -> list[float]:
    """Return the age in seconds of each chunk at the sink of bcikit's chain, one chunk of 8 each 8 ms."""
    import time

    pipeline = bp.Pipeline([bp.Bandpass(l_freq=1, h_freq=40), bp.Notch(), bp.Rereference()])
    pipeline.configure(stream(n_channels))
    source = chunks(n_channels, 8)
    settle(pipeline, source, 8)
    buffer = bp.WindowBuffer(n_channels, SFREQ, 2.0)
    ages = []
    begin = time.perf_counter()
    for index in range(1, int(length * 125)):
        time.sleep(max(0.0, begin + index * 0.008 - time.perf_counter()))
        born = time.perf_counter()
        buffer.append(pipeline.process(source()))
        ages.append(time.perf_counter() - born)
    return ages


def chain_rows(n_channels: int, *, quick: bool) -> list[Row]:
    """Age of a chunk at the sink: bcikit's direct calls and ezmsg's graph in one process, in turn."""
    ours, theirs = [], []
    length = 2 if quick else 4
    for _ in range(1 if quick else 3):
        for name, ages in (("bcikit", ours), ("ezmsg", theirs)):
            command = [sys.executable, __file__, "--chain", name, "--channels", str(n_channels)]
            command += ["--length", str(length)]
            text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
            ages.append(float(np.median(json.loads(text.splitlines()[-1]))))
    name = f"{n_channels} ch: source, filter, notch, average, sink"
    return [row(name, ours, theirs, "ezmsg, one process", at_most=0.5)]


def memory_rows(*, quick: bool) -> list[Row]:
    """Return what an hour of stream (64 channels, 250 Hz, with faults) adds to the memory of its first minute."""
    from bcikit.signal import Health

    info = stream(64, 250.0)
    pipeline = bp.Pipeline(
        [bp.Bandpass(l_freq=1, h_freq=40), bp.Notch(), bp.Rereference(), bp.BandPower(window=1.0, hop=0.1, bands=BANDS)]
    )
    pipeline.configure(info)
    buffer = bp.WindowBuffer(64, 250.0, 10.0)
    data = np.random.default_rng(0).standard_normal((25, 64)) * 10
    broken = data.copy()
    broken[3, 5] = np.nan
    before = 0.0
    minutes = 6 if quick else 60
    for index in range(minutes * 600):
        if index == 600:
            before = memory("VmRSS")
        first = index * 25 + index // 500 * 40
        lost = 40 if index and index % 500 == 0 else 0
        piece = broken if index % 97 == 0 else data
        chunk = Chunk(piece, first / 250 + np.arange(25) / 250, first, Health(lost=lost))
        pipeline.process(chunk)
        buffer.append(chunk)
    grown = memory("VmRSS") - before
    return [Row(f"memory added by {minutes} min of stream", f"{grown:.2f} MB", "-", grown, "<= 2 MB", grown <= 2)]


def main() -> None:
    arguments = options()
    warnings.filterwarnings("ignore")
    make_engine(sections(), 8, engine="numba")
    rows: list[Row] = []
    for n_channels in CHANNELS:
        rows += filter_rows(n_channels, quick=arguments.quick)
        rows += feature_rows(n_channels, quick=arguments.quick)
        rows += chain_rows(n_channels, quick=arguments.quick)
    rows += memory_rows(quick=arguments.quick)
    rows += offline_rows(quick=arguments.quick)
    show("processing", rows, as_json=arguments.json)


if __name__ == "__main__":
    if "--offline" in sys.argv:
        offline_case(sys.argv[2], float(sys.argv[4]))
    elif "--chain" in sys.argv:
        if sys.argv[2] == "bcikit":
            print(json.dumps(chain_ages(int(sys.argv[4]), float(sys.argv[6]))))
        else:
            from ezmsg_chain import ages_of_ezmsg

            print(json.dumps(ages_of_ezmsg(int(sys.argv[4]), float(sys.argv[6]))))
    else:
        main()
