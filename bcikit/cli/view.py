"""`bcikit view`: the live viewer."""

import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from bcikit.signal import MissingDependencyError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def view(
        source: Annotated[
            str,
            typer.Argument(help="What to look at: 'lsl' (the first EEG stream), an address, or a session folder."),
        ] = "lsl",
        *,
        language: Annotated[str, typer.Option("--language", help="en or zh.")] = "",
        theme: Annotated[str, typer.Option("--theme", help="dark or light.")] = "",
        arrange: Annotated[str, typer.Option("--for", help="Panels for: clinic, research or device.")] = "",
        size: Annotated[str, typer.Option("--size", help="Size of the window.")] = "1280x800",
        screenshot: Annotated[str, typer.Option("--screenshot", help="Save a picture there and close.")] = "",
        after: Annotated[float, typer.Option("--after", help="Seconds before the picture is taken.")] = 5.0,
    ) -> None:
        """Look at a signal: live from a headset, a file or another program, or in a recorded session."""
        for package in ("PySide6", "pyqtgraph"):
            if find_spec(package) is None:
                raise MissingDependencyError(package, "gui", "The viewer")
        address = "lsl:type=EEG" if source == "lsl" else source
        options = ["--source", address, "--size", size]
        for name, value in (("--language", language), ("--theme", theme), ("--arrange", arrange)):
            options += [name, value] if value else []
        if screenshot:
            options += ["--screenshot", screenshot, "--after", str(after)]
        command = [sys.executable, "-m", "bcikit.viewer", *options]
        raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own module
