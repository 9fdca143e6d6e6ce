"""The demo on real recordings: calibrates on two runs, streams the third through LSL, decodes it as it arrives."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcikit.signal import BciError

if TYPE_CHECKING:
    from bcikit.session.engine import Result

# Runs of PhysioNet EEGMMIDB (Schalk et al. 2004) and what T1 and T2 mean in them.
TASKS: dict[str, dict[str, Any]] = {
    "fists-feet": {"calibrate": ("R06", "R10"), "stream": "R14", "classes": {"T1": "fists", "T2": "feet"}},
    "left-right": {"calibrate": ("R04", "R08"), "stream": "R12", "classes": {"T1": "left_fist", "T2": "right_fist"}},
}
N_TRIALS = 15
_CLOSE_SECONDS = 10.0


def run_on_recordings(
    data: Path, task: str, folder: Path, *, seed: int, headless: bool, speed: float = 1.0
) -> "Result":
    """Run the demo on recordings.

    Parameters
    ----------
    data : Path
        Folder with the EDF files of one subject.
    task : str
        Key of `TASKS`.
    folder : Path
        Session folder to make.
    seed : int
        Seed of the session.
    headless : bool
        No window.
    speed : float
        How much faster than recorded the stream is sent.

    Raises
    ------
    BciError
        If recordings are missing.
    """
    from bcikit.cli.console import console
    from bcikit.cli.launch import launch
    from bcikit.session.config import config_from

    plan = TASKS[task]
    files = find_runs(data, (*plan["calibrate"], plan["stream"]))
    names = ", ".join(file.name for file in files[:-1])
    console.print(
        f"Calibrating on {names}; then {files[-1].name} is streamed through LSL and decoded as it arrives.",
        markup=False,
    )
    name = f"bcikit-demo-{uuid.uuid4().hex[:12]}"
    classes: dict[str, str] = plan["classes"]
    config = config_from(
        {
            "session": {
                "name": f"Imagined {task}",
                "subject": files[-1].stem[:4],
                "seed": seed,
            },
            "source": {"address": f"lsl:name={name}&markers={name}-markers&timeout=20"},
            "pipeline": {"steps": [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]},
            "paradigm": {
                "name": "motor-imagery",
                "settings": {
                    "classes": list(classes.values()),
                    "cues": "external",
                    "external": classes,
                    "external_trials": N_TRIALS,
                    "trials_per_run": 20,
                    # A trial of these recordings lasts 4.1 s from its cue.
                    "stop": 7.0,
                },
            },
            "decoder": {"name": "csp-lda"},
            "calibration": {"files": [str(file) for file in files[:-1]], "events": classes},
            "recording": {"folder": str(folder)},
        },
        where="demo",
    )
    with player(files[-1], name, speed=speed):
        return launch(config, headless=headless)


def find_runs(data: Path, runs: tuple[str, ...]) -> list[Path]:
    """Return the files of some runs of the first subject that has them all.

    Raises
    ------
    BciError
        If there is none; names what is missing.
    """
    if not data.is_dir():
        raise BciError(f"--data {data}: there is no such folder.")
    subjects = sorted({file.name[:4] for file in data.glob("S[0-9][0-9][0-9]R*.edf")})
    for subject in subjects:
        files = [data / f"{subject}{run}.edf" for run in runs]
        if all(file.is_file() for file in files):
            return files
    wanted = ", ".join(f"S001{run}.edf" for run in runs)
    raise BciError(
        f"--data {data} lacks the recordings {wanted} (or those of another subject). They are part of the EEG Motor "
        "Movement/Imagery Dataset of PhysioNet; mne.datasets.eegbci.load_data downloads them."
    )


@contextmanager
def player(file: Path, name: str, *, speed: float) -> Iterator[None]:
    """Stream a recording through an LSL outlet, in a process of its own, from its first sample on."""
    command = [sys.executable, "-m", "bcikit", "play", str(file), "--lsl", name, "--wait", "60", "--quiet"]
    process = subprocess.Popen([*command, "--speed", str(speed)])  # noqa: S603 - our own module
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
