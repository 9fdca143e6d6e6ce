"""Ten days of simulated people through session files: calibrated on the first, never again.

Each day has another cap, other gains and shifted rhythms, and the pattern goes on turning while a session runs. Day 1
is calibrated; each later day is a file with ``start = "last"``, re-centring and the guarded update, run by the command
``bcikit run``, which finds what the day before left, and repeated by ``bcikit replay --check``. Beside it, the last day
once more by the model of the first day as it was. A bar is missed where the last day is more than 3 points
under the first, where a later day spends a trial on calibration, or where a replay differs. Faster than life: a
simulated source is pulled as fast as it is decided.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from table import Row, show  # first: it sets one BLAS thread

import numpy as np  # isort: skip
import tomli_w
from typer.testing import CliRunner

from bcikit.cli.app import app

POINTS = 0.03
MONTAGE = "channels=FC3,FC4,C3,Cz,C4,CP3,CPz,CP4&sfreq=125&chunk=25"
PERSON = f"sim:motor-imagery?{MONTAGE}&ability=0.9&session=1.0&drift=0.5"
TASK = {
    "calibration_runs": 1, "trials_per_run": 40, "eyes_open": 0.0, "eyes_closed": 0.0, "between_runs": 2.0,
    "instructions": 0.0, "beep": 0.2, "cue": 0.4, "cue_duration": 0.4, "feedback": 1.5, "stop": 3.0,
    "window": [0.5, 2.5], "rest": [0.4, 0.6], "feedback_rate": 2.0,
}  # fmt: skip
FOLLOWS = {"recentre": "windows", "adapt": "labelled"}


def file_of(root: Path, day: int, *, name: str, seed: int, runs: int, decoder: dict) -> Path:
    """Write the session file of a day; return its path."""
    values = {
        "session": {"name": name, "subject": "P01", "seed": day},
        "source": {"address": f"{PERSON}&seed={seed}&session_seed={day}"},
        "pipeline": {"steps": [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]},
        "paradigm": {"name": "motor-imagery", "settings": {**TASK, "feedback_runs": runs}},
        "decoder": decoder,
        "recording": {"folder": name},
    }
    path = root / f"{name}.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def bcikit(*words: str) -> int:
    """Return the exit code of a command, in this process: starting Python again would take as long as a session."""
    done = CliRunner().invoke(app, list(words))
    if done.exit_code:
        print(f"bcikit {' '.join(words)}: {done.exit_code} {done.exception}\n{done.output[-500:]}", file=sys.stderr)
    return done.exit_code


def lived(file: Path) -> dict:
    """Run a session file and repeat it; return what it came to."""
    folder = file.with_suffix("")
    if bcikit("run", str(file), "--headless"):
        raise SystemExit(f"{file} did not run")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result["identical"] = bcikit("replay", str(folder), "--check") == 0
    return result


def right(result: dict) -> float:
    return float(np.mean([row["correct"] for row in result["trials"]]))


def life(root: Path, seed: int, *, days: int, runs: int) -> dict:
    """Return what the days of a person came to."""
    found: dict = {"right": [], "calibrated": [], "identical": [], "followed": [], "rolled_back": 0}
    for day in range(1, days + 1):
        decoder = FOLLOWS | ({"start": "last", "models": "."} if day > 1 else {})
        result = lived(file_of(root, day, name=f"day-{day}", seed=seed, runs=runs, decoder=decoder))
        found["right"].append(right(result))
        found["calibrated"].append(result["details"]["n_calibration_trials"] if day > 1 else 0)
        found["identical"].append(result["identical"])
        found["followed"].append(result["adaptation"]["centred"])
        found["rolled_back"] += result["adaptation"]["rolled_back"]
        print(f"person {seed}, day {day}: {found['right'][-1]:.3f}", file=sys.stderr, flush=True)
    decoder = {"model": "day-1/model.skops"}
    found["as it was"] = right(lived(file_of(root, days, name="as-it-was", seed=seed, runs=runs, decoder=decoder)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="three days of 40 trials")
    parser.add_argument("--people", type=int, default=3, help="how many")
    options = parser.parse_args()
    people = range(3, 3 + options.people)
    days, runs = (3, 1) if options.quick else (10, 3)
    with tempfile.TemporaryDirectory() as folder:
        lives = []
        for seed in people:
            (root := Path(folder) / str(seed)).mkdir()
            lives.append(life(root, seed, days=days, runs=runs))
    by_day = np.mean([one["right"] for one in lives], axis=0)
    still = float(np.mean([one["as it was"] for one in lives]))
    n, trials = len(people) * runs * TASK["trials_per_run"], sum(sum(one["calibrated"]) for one in lives)
    rows = [
        Row(f"right on day 1, {n} trials", f"{by_day[0]:.3f}", "", 1.0, "", None),
        Row(
            f"right on day {days}", f"{by_day[-1]:.3f}", f"{still:.3f} (day 1's model as it was)",
            by_day[-1] / by_day[0], f"within {POINTS:.2f} of day 1",
            None if options.quick else bool(by_day[-1] >= by_day[0] - POINTS),
        ),
        Row("all days", " ".join(f"{value:.3f}" for value in by_day), "", 1.0, "", None),
        Row("a person, first and last", "  ".join(f"{one['right'][0]:.3f} {one['right'][-1]:.3f}" for one in lives),
            "", 1.0, "", None),
        Row(f"calibration after day 1, trials of {len(people)} people", str(trials), "", 1.0, "0", trials == 0),
        Row("rolled back", str(sum(one["rolled_back"] for one in lives)), "", 1.0, "", None),
        Row(
            "replays bit for bit", f"{sum(sum(one['identical']) for one in lives)} of {len(people) * days}", "", 1.0,
            "all", all(all(one["identical"]) for one in lives),
        ),
    ]  # fmt: skip
    show(f"{days} days of {len(people)} simulated people, calibrated once", rows, as_json=options.json)


if __name__ == "__main__":
    main()
