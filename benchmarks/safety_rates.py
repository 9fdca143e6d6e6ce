"""How often the gate, the advisory and the quality rules are wrong: on simulated users and on real recordings.

uv run python benchmarks/safety_rates.py [--quick] [--json]
"""

from table import options  # isort: skip - sets the number of threads first

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition import open_source, read_recording
from bcikit.safety import GateSettings, QualityMonitor, SafetySystem
from bcikit.safety.idle import IdleTest
from bcikit.safety.profiles import QUALITY_RULES
from bcikit.signal import Chunk, Recording, StreamInfo

WINDOW_S = 2.0
STEP_S = 0.125
GATES = {
    "vr": GateSettings(profile="vr"),
    "fes": GateSettings(profile="fes"),
    "robot": GateSettings(profile="robot"),
}


def interval(count: int, minutes: float) -> tuple[float, float]:
    """Return the exact 95 % Poisson interval of a rate a minute."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return low / minutes, chi2.ppf(0.975, 2 * count + 2) / 2 / minutes


def share(count: int, n: int) -> str:
    """Return a share with its exact 95 % interval (Clopper-Pearson)."""
    from scipy.stats import beta

    low = beta.ppf(0.025, count, n - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, n - count) if count < n else 1.0
    return f"{count}/{n} [{low:.2f}, {high:.2f}]"


def simulated(address: str, seconds: float) -> Recording:
    """Return what a simulated user gives in so many seconds."""
    chunks: list[Chunk] = []
    events = []
    with open_source(address) as source:
        got = 0
        while not source.ended and got < seconds * source.info.sfreq:
            chunk = source.pull()
            if chunk is not None:
                chunks.append(chunk)
                got += chunk.n_times
            events += source.pull_events()
    return Recording.from_chunks(source.info, chunks, events=tuple(events))


def trained(user: int) -> tuple[Any, Any]:
    """Return pipeline and model of a user who calibrated left hand, right hand and rest, 40 trials each."""
    from bcikit.decoding import Model, epochs, make_decoder
    from bcikit.processing import Bandpass, Pipeline

    pipeline = Pipeline([Bandpass(l_freq=8, h_freq=30)])
    run = simulated(f"sim:motor-imagery?seed={user}&schedule=1&trials=80&chunk=250", 2000)
    names = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand", "phase/fixation": "rest"}
    trials = epochs(pipeline.apply(run), events=names, tmin=0.75, tmax=0.75 + WINDOW_S)
    model = Model.fit(make_decoder("tangent-lr", sfreq=run.info.sfreq), trials, idle="rest")
    return pipeline, model.attach(run.info)


def decisions(pipeline: Any, model: Any, recording: Recording) -> Iterator[Any]:
    """Yield the decisions of a recording, eight a second."""
    from bcikit.processing import WindowBuffer

    sfreq = recording.info.sfreq
    pipeline.configure(recording.info)
    buffer = WindowBuffer(recording.info.n_channels, sfreq, WINDOW_S + 1)
    n, step = round(WINDOW_S * sfreq), round(STEP_S * sfreq)
    seen = 0
    for chunk in recording.chunks(step):
        buffer.append(pipeline.process(chunk))
        seen += chunk.n_times
        if seen >= n + sfreq:
            yield model.decide(buffer.get(chunk.end_sample, n))


def idle_rates(users: list[int], minutes: float) -> list[dict[str, Any]]:
    """Return the false activations at rest of each setting, and how many cued trials still act."""
    counts: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    total, n_trials = 0.0, 0
    waits: dict[str, list[float]] = {name: [] for name in GATES}
    for user in users:
        pipeline, model = trained(user)
        rest = simulated(f"sim:rest?seed={user}&session_seed=1&chunk=250", minutes * 60)
        tests = {name: IdleTest(settings, 0.0) for name, settings in GATES.items()}
        for decision in decisions(pipeline, model, rest):
            for test in tests.values():
                test.judge(decision, decision.time)
        counts.update({name: test.activations for name, test in tests.items()})
        total += minutes
        run = simulated(f"sim:motor-imagery?seed={user}&session_seed=1&schedule=1&trials=40&chunk=250", 1000)
        cues = [(event.time, event.name.removeprefix("cue/")) for event in run.events if event.name.startswith("cue/")]
        tests = {name: IdleTest(settings, 0.0) for name, settings in GATES.items()}
        acted: dict[str, dict[int, float]] = {name: {} for name in GATES}
        for decision in decisions(pipeline, model, run):
            trial = next((i for i, (t, _) in enumerate(cues) if t + 0.5 < decision.time <= t + 5.5), None)
            for name, test in tests.items():
                if test.judge(decision, decision.time) and trial is not None and decision.label == cues[trial][1]:
                    acted[name].setdefault(trial, decision.time - cues[trial][0])
        n_trials += len(cues)
        hits.update({name: len(found) for name, found in acted.items()})
        for name, found in acted.items():
            waits[name] += found.values()
    rows = []
    for name, settings in GATES.items():
        low, high = interval(counts[name], total)
        limit = settings.idle_max_per_min
        rows.append(
            {
                "setting": name,
                "minutes": total,
                "activations": counts[name],
                "per_min": round(counts[name] / total, 3),
                "interval": [round(low, 3), round(high, 3)],
                "limit": limit,
                "met": None if limit is None else high <= limit,
                "cued trials that act": share(hits[name], n_trials),
                "median s from cue to action": round(float(np.median(waits[name])), 2) if waits[name] else None,
            }
        )
    return rows


def advisories(recording: Recording) -> list[float]:
    """Return the times in seconds at which the advisory was raised anew."""
    system = SafetySystem(GateSettings(), recording.info)
    times, on = [], False
    origin = float(recording.times[0])
    for chunk in recording.chunks(round(recording.info.sfreq / 2)):
        now = float(chunk.times[-1])
        system.on_chunk(chunk, max(now, 0.0))
        found = any(reading.rule == "P-RHYTHM" for reading in system.readings())
        if found and not on:
            times.append(now - origin)
        on = found
    return times


def advisory_rates(n: int) -> list[dict[str, Any]]:
    """Return how often each pattern raises the advisory, on simulated users."""
    rows = []
    for kind, length in (("spike-wave", 8), ("ppr", 8), ("chew", 15), ("movement", 4), ("nothing", 0)):
        raised = 0
        for user in range(n):
            incident = f"&incidents={kind}@70~{length}" if length else ""
            times = advisories(simulated(f"sim:rest?seed={user}&chunk=250{incident}", 100))
            raised += any(60 < time < 95 for time in times)
        rows.append({"pattern": kind, "raised": share(raised, n)})
    return rows


def recordings(folder: Path) -> Iterator[tuple[str, str, int, Recording, str]]:
    """Yield set, name, half (0: tuned on, 1: held out), recording and profile of the real recordings."""
    for index, path in enumerate(sorted((folder / "eegmmidb").glob("*.edf"))):
        recording = read_recording(path)
        info = recording.info.replace(line_freq=60.0)
        yield "eegmmidb", path.stem, index % 2, Recording.from_arrays(info, recording.data), "eeg-wet"
    for index, path in enumerate(sorted((folder / "muse").rglob("*.csv"))):
        table = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=(1, 2, 3, 4))
        info = StreamInfo(name=path.stem, sfreq=256.0, ch_names=("TP9", "AF7", "AF8", "TP10"), line_freq=60.0)
        yield "muse", f"{path.parent.name}/{path.stem}", index % 2, Recording.from_arrays(info, table), "eeg-dry"
    for index, path in enumerate(sorted((folder / "ssvep_exo").rglob("*raw.fif"))):
        recording = read_recording(path)
        columns = recording.info.indices(ch_type="eeg")
        recording = recording.pick(columns)
        # Its scale is unknown: the median channel is set to 30 uV, so that only rules of shape mean something.
        data = recording.data - np.median(recording.data, axis=0)
        data = data * (30.0 / np.median(data.std(axis=0)))
        half = (
            int(path.parent.name.removeprefix("subject")) > 3 if path.parent.name.startswith("subject") else index % 2
        )
        info = recording.info.replace(line_freq=50.0, unit="uV")
        yield "ssvep_exo", f"{path.parent.name}/{path.stem}", int(half), Recording.from_arrays(info, data), "eeg-wet"
    for path in sorted((folder / "formats" / "openbci").glob("*.txt")):
        recording = read_recording(path)
        yield "openbci", path.stem, 1, recording.pick(recording.info.indices(ch_type="eeg")), "eeg-wet"


def quality_rates(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Return the share of channel windows that each rule calls WARN or BAD, by set and half, and found faults."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    rng = np.random.default_rng(0)
    for index, (kind, _, half, recording, profile) in enumerate(recordings(folder)):
        if quick and index % 3:
            continue
        key = (kind, ("tuned on", "held out")[half])
        row = sums.setdefault(
            key, {"windows": 0, "bad": 0.0, "warn": Counter(), "rule": Counter(), "found": 0, "put": 0, "advisory": 0,
                  "minutes": 0.0}
        )  # fmt: skip
        monitor = QualityMonitor(recording.info, profile=profile)
        for chunk in recording.chunks(round(recording.info.sfreq / 2)):
            if monitor.update(chunk):
                row["windows"] += monitor.levels.shape[1]
                row["bad"] += int((monitor.worst() == 2).sum())
                for rule, levels in zip(QUALITY_RULES, monitor.levels, strict=True):
                    row["rule"][rule] += int((levels == 2).sum())
                    row["warn"][rule] += int((levels == 1).sum())
        row["minutes"] += recording.n_times / recording.info.sfreq / 60
        row["advisory"] += len(advisories(recording))
        found, put = detections(recording, profile, rng)
        row["found"] += found
        row["put"] += put
    rows = []
    for (kind, half), row in sums.items():
        n = row["windows"]
        per_rule = {
            rule: f"{row['warn'][rule] / n:.2%} / {row['rule'][rule] / n:.2%}"
            for rule in QUALITY_RULES
            if row["warn"][rule] + row["rule"][rule] > 0.0005 * n
        }
        low, high = interval(row["advisory"], row["minutes"])
        rows.append(
            {
                "set": kind,
                "half": half,
                "minutes": round(row["minutes"], 1),
                "bad windows": f"{row['bad'] / n:.2%}",
                "warn / bad by rule": per_rule,
                "faults put in and found": share(row["found"], row["put"]),
                "advisories per hour": f"{60 * row['advisory'] / row['minutes']:.2g} [{60 * low:.2g}, {60 * high:.2g}]",
            }
        )
    return rows


def detections(recording: Recording, profile: str, rng: np.random.Generator) -> tuple[int, int]:
    """Put a flat, a noisy, a humming and a drifting channel into a recording and count the ones that turn BAD."""
    sfreq = recording.info.sfreq
    start, stop = round(20 * sfreq), min(recording.n_times, round(45 * sfreq))
    if stop - start < 15 * sfreq:
        return 0, 0
    found = put = 0
    t = np.arange(stop - start) / sfreq
    mains = recording.info.line_freq or 50.0
    for fault in ("flat", "hum", "drift", "nan"):
        data = recording.data[:stop].copy()
        channel = int(rng.integers(recording.info.n_channels))
        if fault == "flat":
            data[start:, channel] = data[start, channel]
        elif fault == "hum":
            data[start:, channel] += 120 * np.sin(2 * np.pi * mains * t)
        elif fault == "drift":
            data[start:, channel] += 400 * t
        else:
            data[start:, channel] = np.nan
        monitor = QualityMonitor(recording.info, profile=profile)
        for chunk in Recording.from_arrays(recording.info, data).chunks(round(sfreq / 2)):
            monitor.update(chunk)
        rule = {"flat": "Q-FLAT", "hum": "Q-LINE", "drift": "Q-DRIFT", "nan": "Q-NAN"}[fault]
        quality = monitor.quality()[recording.info.ch_names[channel]]
        put += 1
        found += rule in quality.rules and quality.level == 2
    return found, put


def main() -> None:
    arguments = options()
    warnings.simplefilter("ignore")
    result: dict[str, Any] = {
        "false activations at rest": idle_rates(
            [1] if arguments.quick else list(range(1, 13)), 5.0 if arguments.quick else 20.0
        ),
        "advisory on simulated users": advisory_rates(4 if arguments.quick else 20),
    }
    folder = Path(os.environ.get("BCIKIT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if folder.is_dir():
        result["quality rules on real recordings"] = quality_rates(folder, quick=arguments.quick)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
