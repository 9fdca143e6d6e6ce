"""Runs a session from the command line: with a window where there is a display, without one where there is none."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bcikit.signal import SourceError, install_hint

if TYPE_CHECKING:
    from bcikit.session.config import SessionConfig
    from bcikit.session.engine import Engine, Result

_CLOSE_SECONDS = 10.0


def has_display() -> bool:
    """Return whether a window can be opened here."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    if platform.system() in ("Windows", "Darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def wants_window(*, headless: bool) -> bool:
    """Return whether to open the window; says what is missing where only the package is."""
    if headless or not has_display():
        return False
    if find_spec("PySide6") is None or find_spec("pyqtgraph") is None:
        import typer

        # Not among the results, which may be JSON.
        hint = f"No window: PySide6 and pyqtgraph are missing: {install_hint('gui')}."
        typer.secho(hint, fg=typer.colors.YELLOW, err=True)
        return False
    return True


def attending(config: "SessionConfig", operator: str = "") -> str:
    """Return who attends a session: who is named, else whom the file names where its profile needs somebody."""
    from bcikit.session.conductor import AUTOMATIC

    if operator:
        return operator
    return AUTOMATIC if config.gate.get("profile", "simulation") == "simulation" else config.session.operator


@contextmanager
def window(engine: "Engine", *, beside: bool = False) -> Iterator[None]:
    """Open the live window in a process of its own; it may freeze or die without touching the session.

    With `beside` it leaves room for the person's window where there is one display only.
    """
    command = [sys.executable, "-m", "bcikit.viewer", "--session", "--exit-at-end", *(["--beside"] if beside else [])]
    process = subprocess.Popen(command, env={**os.environ, **engine.control.environment})  # noqa: S603 - our own module
    try:
        yield
    finally:
        try:
            process.wait(timeout=_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(timeout=_CLOSE_SECONDS)


def launch(config: "SessionConfig", *, headless: bool, as_json: bool = False, **options: Any) -> "Result":
    """Run a session with progress bars, and with the live window where there is a display.

    Parameters
    ----------
    config : SessionConfig
        The session.
    headless : bool
        No window.
    as_json : bool
        Print the result as JSON instead of words.
    **options
        For `bcikit.session.engine.Engine`.

    Raises
    ------
    SourceError
        If the stream ended, or was lost, before the session was over; the report is written all the same.
    """
    from contextlib import nullcontext

    import typer

    from bcikit.cli.console import progress_bars, show_result
    from bcikit.cli.stopping import stoppable
    from bcikit.session.engine import Engine
    from bcikit.session.summary import to_json

    shown = wants_window(headless=headless)
    with nullcontext(None) if as_json else progress_bars() as report:
        if report is not None:
            options["progress"] = report
        engine = Engine(config, orders=shown, noted=partial(typer.secho, fg=typer.colors.YELLOW, err=True), **options)
        beside = any(section.address.startswith("screen:") for section in config.outputs)
        with window(engine, beside=beside) if shown else nullcontext(), stoppable(engine.end):
            result = engine.run()
    if as_json:
        sys.stdout.write(to_json(result.values) + "\n")
    else:
        show_result(result.values, result.folder)
    if not result.values["complete"]:
        where = "" if result.folder is None else f" What was recorded is in {result.folder}."
        raise SourceError(f"The session is not complete: {result.values['ended'].rstrip('.')}.{where}")
    doubts = result.values["timing"]["doubts"]
    if doubts:
        # Everything is kept and reported; whoever calls must not take it for a recording without doubts.
        for doubt in doubts:
            typer.secho(doubt, fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(1)
    return result
