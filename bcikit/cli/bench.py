"""`bcikit bench`: measures bcikit beside its peers, as ratios in one run."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bcikit.signal import ArgumentError, BciError, check_choice

TOPICS = (
    "acquisition",
    "decoding",
    "defaults",
    "evaluation",
    "files",
    "processing",
    "safety",
    "sessions",
    "simulation",
    "startup",
    "time",
    "validation",
    "viewer",
    "webxr",
)
_PEERS = {
    "defaults": (),
    "evaluation": ("moabb",),
    "files": ("mne", "pyxdf"),
    "sessions": (),
    "time": ("mne_lsl", "pyxdf"),
    "validation": (),
}
_ALL_PEERS = ("ezmsg", "mne_lsl", "meegkit")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def bench(
        topic: Annotated[str, typer.Argument(help=f"What to measure: {', '.join(TOPICS)}.")],
        *,
        json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
        quick: Annotated[bool, typer.Option("--quick", help="Fewer repetitions; for a look, not for a claim.")] = False,
        hour: Annotated[
            bool, typer.Option("--hour", help="time: an hour of a real wire, instead of the table.")
        ] = False,
    ) -> None:
        """Measure bcikit beside other programs: what, bcikit, peer, ratio, bar, met or not."""
        check_choice("topic", topic, TOPICS)
        if hour and topic != "time":
            raise ArgumentError(f"--hour belongs to 'time', not to {topic!r}: bcikit bench time --hour")
        folder = Path(__file__).resolve().parents[2]
        script = folder / "benchmarks" / f"{topic}.py"
        if not script.is_file():
            raise BciError(f"The benchmarks are part of the source tree, and {script} is not there. Clone it first.")
        command = [sys.executable]
        if any(find_spec(name) is None for name in _PEERS.get(topic, _ALL_PEERS)):
            uv = shutil.which("uv")
            if uv is None:
                raise BciError("The peers to measure against are not installed: uv sync --all-extras --group peers")
            command = [uv, "run", "--project", str(folder), "--all-extras", "--group", "peers", "python"]
        options = [option for option, on in (("--json", json), ("--quick", quick), ("--hour", hour)) if on]
        done = subprocess.run([*command, str(script), *options], cwd=folder, check=False)  # noqa: S603 - our own script
        raise typer.Exit(done.returncode)
