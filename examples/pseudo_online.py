"""Replay real recordings through the paradigms: what was chosen, how fast, how often wrong.

    uv run python examples/pseudo_online.py DIR

DIR holds `ssvep_exo/` (Kalunga et al. 2016: LEDs at 13, 17, 21 Hz, and rest) and `muse/p300/` (NeuroTechX: a visual
oddball). The SSVEP menu runs without training, and with a decoder trained on the person's other runs; the P300 logic
runs with a decoder trained on the other sessions. Every window is taken as it would have come, causally filtered, and
the choice is made by the same code that runs live.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bcikit.acquisition import read_recording
from bcikit.decoding import Model, epochs, make_decoder
from bcikit.paradigms import make_paradigm
from bcikit.processing import Pipeline
from bcikit.session.offline import run_recording
from bcikit.signal import Recording

SSVEP_CLASSES = {"1": "none", "2": "13Hz", "3": "21Hz", "4": "17Hz"}
SSVEP = {
    "kind": "ssvep-menu",
    "title": "SSVEP exoskeleton",
    "cues": "external",
    "external": SSVEP_CLASSES,
    "targets": [{"name": f"{frequency}Hz", "frequency": frequency} for frequency in (13, 17, 21)],
    "flicker": 5.0,
    "blank": 1.0,
}
P300_CLASSES = {"1": "nontarget", "2": "target"}
P300 = {"kind": "p300-oddball", "mode": "single", "cues": "external", "external": P300_CLASSES, "epoch": [0.0, 0.8]}


def ssvep_pipeline() -> Pipeline:
    """Return the causal filter of the SSVEP replay."""
    return Pipeline.from_config([{"step": "bandpass", "l_freq": 2.0, "h_freq": 90.0, "order": 2}])


def p300_pipeline() -> Pipeline:
    """Return the causal filter of the P300 replay."""
    return Pipeline.from_config([{"step": "bandpass", "l_freq": 1.0, "h_freq": 15.0, "order": 2}])


def replay_ssvep(runs: Sequence[Recording], *, trained: bool, window: float = 2.0) -> list[dict[str, Any]]:
    """Return the results of each run of one person, trained on the others or not at all."""
    results = []
    for index, run in enumerate(runs):
        if not trained:
            done = run_recording(run, paradigm=make_paradigm({**SSVEP, "growing": True}), pipeline=ssvep_pipeline())
        else:
            others = [ssvep_pipeline().apply(other) for number, other in enumerate(runs) if number != index]
            frequencies = {f"{frequency}Hz": float(frequency) for frequency in (13, 17, 21)}
            # Windows that begin when the response has built up, and later: what the menu will see while it waits.
            trials = epochs(others, events=SSVEP_CLASSES, tmin=1.0, tmax=1.0 + window)
            decoder = make_decoder("ssvep-stack", sfreq=trials.sfreq, frequencies=frequencies)
            model = Model.fit(decoder, trials, idle="none", split="blocked").attach(run.info)
            table = {**SSVEP, "growing": False, "decoder": "", "calibration_rounds": 1, "first": window}
            done = run_recording(run, paradigm=make_paradigm(table), decoder=model, pipeline=ssvep_pipeline())
        results.append(done.results)
    return results


def replay_p300(sessions: Sequence[Sequence[Recording]], *, seed: int = 0) -> list[dict[str, Any]]:
    """Return the results of each run of each session, trained on the other sessions."""
    results = []
    for index, session in enumerate(sessions):
        others = [p300_pipeline().apply(run) for number, part in enumerate(sessions) if number != index for run in part]
        trials = epochs(others, events=P300_CLASSES, tmin=0.0, tmax=0.8)
        model = Model.fit(make_decoder("erp-lda", sfreq=trials.sfreq), trials)
        share = float((trials.y == "target").mean())
        for run in session:
            paradigm = make_paradigm({**P300, "target_share": share})
            done = run_recording(
                run, paradigm=paradigm, decoder=model.attach(run.info), pipeline=p300_pipeline(), seed=seed
            )
            results.append(done.results)
    return results


def load(files: Sequence[Path]) -> list[Recording]:
    """Return recordings with their markers as events."""
    return [read_recording(file) for file in files]


def main() -> None:
    """Print a line a person or session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for person in sorted((options.folder / "ssvep_exo").glob("subject*")):
        runs = load(sorted(person.glob("run-*_raw.fif")))
        for trained in (False, True):
            found = replay_ssvep(runs, trained=trained)
            rows.append({"what": f"SSVEP {person.name} {'trained' if trained else 'untrained'}", **_line(found)})
    files = sorted((options.folder / "muse" / "p300").glob("session-*_run-*.csv"))
    names = sorted({file.name.partition("_")[0] for file in files})
    if names:
        found = replay_p300([load([file for file in files if file.name.startswith(name + "_")]) for name in names])
        rows.append({"what": "P300 Muse, other sessions", **_line(found)})
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':34}{'choices':>8}{'right':>7}{'wrong':>7}{'none':>6}{'idle: false':>13}{'seconds':>9}{'bit/min':>9}")
    for row in rows:
        idle = f"{row['false']} of {row['idle']}" if row["idle"] else "-"
        counts = f"{row['asked']:>8}{row['right']:>7}{row['wrong']:>7}{row['undecided']:>6}"
        print(f"{row['what']:34}{counts}{idle:>13}{row['seconds']:>9.2f}{row['itr']:>9.1f}")


def _line(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    trials = [row for result in results for row in result["trials"]]
    asked = [row for row in trials if row["class"] not in ("", "none")]
    idle = [row for row in trials if row["class"] == "none"]
    seconds = [row["seconds"] for row in asked if row["seconds"] is not None]
    right = sum(row["correct"] for row in asked)
    undecided = sum(row["predicted"] in (None, "none") for row in asked)
    return {
        "asked": len(asked),
        "right": right,
        "wrong": len(asked) - right - undecided,
        "undecided": undecided,
        "idle": len(idle),
        "false": sum(row["predicted"] not in (None, "none") for row in idle),
        "seconds": statistics.fmean(seconds) if seconds else 0.0,
        "itr": statistics.fmean(result["itr"] for result in results if result["itr"] is not None),
    }


if __name__ == "__main__":
    main()
