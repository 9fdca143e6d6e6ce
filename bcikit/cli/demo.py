"""`bcikit demo`: the main job in one command, on a simulated user or on real recordings."""

import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcikit.signal import ArgumentError, check_choice

if TYPE_CHECKING:
    from bcikit.session.engine import Result

SIMULATED = "sim:motor-imagery"
FISTS_FEET = "fists-feet"
TASKS = (FISTS_FEET, "left-right")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def demo(
        *,
        headless: Annotated[bool, typer.Option("--headless", help="No window, even where there is a display.")] = False,
        data: Annotated[
            Path | None,
            typer.Option("--data", help="Folder of EEGMMIDB recordings (S001R06.edf ...) instead of a simulation."),
        ] = None,
        task: Annotated[
            str | None,
            typer.Option(
                "--task",
                help="With --data: fists-feet (R06, R10, R14; default) or left-right (R04, R08, R12). The simulated "
                "user does left-right alone.",
            ),
        ] = None,
        user: Annotated[
            str, typer.Option("--user", help="Address of the simulated user, such as sim:motor-imagery?ability=0.5.")
        ] = SIMULATED,
        seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the trials and of the simulated user.")] = 1,
        out: Annotated[
            Path | None, typer.Option("--out", help="Folder for result.json, report.html and the session.")
        ] = None,
    ) -> None:
        """Show the main job: EEG comes in, is filtered and decoded, passes the gate, and a virtual hand moves."""
        if task is not None:
            check_choice("--task", task, TASKS)
        if data is None and task == FISTS_FEET:
            raise ArgumentError(
                f"--task {task} is a choice among recordings: name their folder with --data. The simulated user "
                "imagines the left and the right hand (--task left-right)."
            )
        if data is not None and user != SIMULATED:
            raise ArgumentError(
                f"--user {user} is who is simulated; with --data people are decoded. Leave one of them out."
            )
        run_demo(headless=headless, data=data, task=task or FISTS_FEET, user=user, seed=seed, out=out)


def run_demo(*, headless: bool, data: Path | None, task: str, user: str, seed: int, out: Path | None) -> "Result":
    """Run the demo and return what came out."""
    from bcikit.cli.console import console
    from bcikit.session.from_config import check_folder

    folder = _new_folder(out)
    check_folder(str(folder))
    if data is not None:
        from bcikit.cli.demo_data import run_on_recordings

        return _publish(run_on_recordings(data, task, _session_folder(folder), seed=seed, headless=headless), folder)
    from bcikit.cli.launch import launch, wants_window
    from bcikit.session.shipped import shipped_config, with_options

    if not wants_window(headless=headless):
        console.print("A simulated user imagines movements of the left and the right hand.")
        config = shipped_config(
            "motor-imagery", source=with_options(user, seed=seed), seed=seed, settings=_settings(runs=(2, 2), pause=6.0)
        )
        return _publish(launch(_into(config, _session_folder(folder)), headless=True), folder)
    console.print("Calibrating on a simulated user, faster than live.")
    first = shipped_config(
        "motor-imagery", source=with_options(user, seed=seed), seed=seed, settings=_settings(runs=(2, 0), pause=6.0)
    )
    calibrated = launch(_into(first, _session_folder(folder, "calibration")), headless=True)
    console.print("Now live: watch the hand. Space stops.")
    second = shipped_config(
        "motor-imagery",
        source=with_options(user, seed=seed + 1, live=1),
        seed=seed + 1,
        settings=_settings(runs=(0, 1), pause=0.0),
    )
    decoder = second.decoder.model_copy(update={"model": f"{calibrated.folder}/model.skops"})
    config = _into(second.model_copy(update={"decoder": decoder}), _session_folder(folder))
    return _publish(launch(config, headless=False), folder)


def _settings(*, runs: tuple[int, int], pause: float) -> dict[str, Any]:
    return {
        "calibration_runs": runs[0],
        "feedback_runs": runs[1],
        "trials_per_run": 16,
        "eyes_open": 0.0,
        "eyes_closed": 0.0,
        "between_runs": pause,
    }


def _into(config: Any, folder: Path) -> Any:
    return config.model_copy(update={"recording": config.recording.model_copy(update={"folder": str(folder)})})


def _session_folder(folder: Path, name: str = "session") -> Path:
    """Return a folder that is not there yet: a demo that is run again keeps what the first one recorded."""
    numbers = (number for number in itertools.count(1) if not (folder / f"{name}-{number:03d}").exists())
    return folder / f"{name}-{next(numbers):03d}"


def _publish(result: "Result", folder: Path) -> "Result":
    """Put result.json and report.html of the newest session where --out says."""
    assert result.folder is not None
    for name in ("result.json", "report.html"):
        shutil.copyfile(result.folder / name, folder / name)
    return result


def _new_folder(out: Path | None) -> Path:
    """Return the folder of the demo; without --out a new one of the minute, so that nothing is overwritten."""
    import datetime

    if out is not None:
        return out
    return Path("sessions") / f"demo-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
