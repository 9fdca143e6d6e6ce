"""`bcikit clinic`: the clinic window."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bcikit.cli.launch import has_display
from bcikit.signal import BciError, MissingDependencyError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def clinic(
        *,
        data: Annotated[
            Path | None, typer.Option("--data", help="Folder of sessions and patients; yours if left out.")
        ] = None,
        language: Annotated[str, typer.Option("--language", help="en or zh.")] = "",
        theme: Annotated[str, typer.Option("--theme", help="dark or light.")] = "",
        size: Annotated[str, typer.Option("--size", help="Size of the window.")] = "1280x800",
        scale: Annotated[
            float,
            typer.Option("--scale", min=0.5, max=4.0, help="How large letters and buttons are: 1.5 for far eyes."),
        ] = 1.0,
        catalogue: Annotated[
            str,
            typer.Option(
                "--catalogue",
                envvar="BCIKIT_CATALOGUE",
                help="Database that several places share (postgresql+psycopg://...); one in the folder if left out.",
            ),
        ] = "",
        new_trial: Annotated[
            str, typer.Option("--new-trial", help="Make the sealed allocations of a controlled trial; no window.")
        ] = "",
        arms: Annotated[
            str, typer.Option("--arms", help="Arms of that trial: two or three of contingent, sham, yoked.")
        ] = "contingent,sham",
    ) -> None:
        """Treat a patient: from the code through consent, electrodes, calibration and training to the report."""
        for package in ("PySide6", "pyqtgraph"):
            if find_spec(package) is None:
                raise MissingDependencyError(package, "gui", "The clinic window")
        if not new_trial and not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
            # A window that nobody sees would wait for ever to be closed.
            raise BciError(
                "There is no display here: DISPLAY and WAYLAND_DISPLAY are empty. Log in with a screen, or with ssh -X."
            )
        options = ["--size", size]
        for name, value in (("--data", str(data) if data else ""), ("--language", language), ("--theme", theme)):
            options += [name, value] if value else []
        # Not as an argument: an address may hold a password, and everybody sees the arguments of programs.
        environment = {**os.environ, **({"BCIKIT_CATALOGUE": catalogue} if catalogue else {})}
        if scale != 1.0:
            environment["QT_SCALE_FACTOR"] = f"{scale:g}"
        if new_trial:
            options += ["--new-trial", new_trial, "--arms", arms]
        command = [sys.executable, "-m", "bcikit.clinic", *options]
        raise typer.Exit(subprocess.run(command, check=False, env=environment).returncode)  # noqa: S603 - our own module
