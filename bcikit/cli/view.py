"""`bcikit view`: the live viewer."""

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from bcikit.signal import BciError, MissingDependencyError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def view(
        source: Annotated[
            str,
            typer.Argument(
                help="What to look at: a file, a session's folder, an address, 'session:' (one that runs here), "
                "'lsl' (the first EEG stream); a start page to choose from if left out."
            ),
        ] = "",
        *,
        language: Annotated[str, typer.Option("--language", help="en or zh.")] = "",
        theme: Annotated[str, typer.Option("--theme", help="dark or light.")] = "",
        arrange: Annotated[str, typer.Option("--for", help="Panels for: clinic, research or device.")] = "",
        ward: Annotated[
            bool, typer.Option("--ward", help="Serve a read-only page for a browser instead of opening a window.")
        ] = False,
        ward_host: Annotated[
            str, typer.Option("--ward-host", help="Serve that page to other computers at this address, with TLS.")
        ] = "",
        size: Annotated[str, typer.Option("--size", help="Size of the window.")] = "1280x800",
        screenshot: Annotated[str, typer.Option("--screenshot", help="Save a picture there and close.")] = "",
        after: Annotated[float, typer.Option("--after", help="Seconds before the picture is taken.")] = 5.0,
    ) -> None:
        """Look at a signal: live from a headset, a file or another program, or in a recorded session."""
        from bcikit.cli.launch import has_display

        for package in ("PySide6", "pyqtgraph"):
            if find_spec(package) is None:
                raise MissingDependencyError(package, "gui", "The viewer")
        if ward or ward_host:
            from bcikit.viewer.ward import serve

            given = {"--language": language, "--theme": theme, "--for": arrange, "--screenshot": screenshot}
            if unused := [name for name, value in given.items() if value]:
                raise BciError(f"{', '.join(unused)} is of the window; a page for a browser (--ward) has none of it.")
            serve(source, host=ward_host or "127.0.0.1")
            return
        if not screenshot and not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
            # A window that nobody sees would wait for ever to be closed.
            raise BciError(
                "There is no display here: DISPLAY and WAYLAND_DISPLAY are empty. Log in with a screen (ssh -X), take "
                "a picture with --screenshot FILE, or look from a browser with --ward."
            )
        address = "lsl:type=EEG" if source == "lsl" else source
        options = ["--source", address, "--size", size]
        for name, value in (("--language", language), ("--theme", theme), ("--arrange", arrange)):
            options += [name, value] if value else []
        if screenshot:
            options += ["--screenshot", screenshot, "--after", str(after)]
        command = [sys.executable, "-m", "bcikit.viewer", *options]
        raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own module
