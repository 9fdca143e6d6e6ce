"""The `bcikit` command: puts the groups of commands together and turns errors into one clear line."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Annotated

import typer
from typer.main import get_command

import bcikit
from bcikit.cli.commands import Commands
from bcikit.signal import BciError, gathered_doubts

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""A disk, a share of it or a terminal that takes nothing more: no fault of the program."""

_DRIVERS = ("bcikit-let-go", "bcikit-reconnect")
"""Threads in which a driver may hang for ever."""

COMMAND_MODULES = (
    "doctor",
    "devices",
    "record",
    "play",
    "demo",
    "run",
    "replay",
    "recover",
    "export",
    "export_model",
    "importing",
    "inspect",
    "view",
    "clinic",
    "check",
    "audit",
    "train",
    "evaluate",
    "validate",
    "verify",
    "bench",
    "plugins",
)
"""Modules of `bcikit.cli`, each with ``register(app)``; the order is the order in the help."""

app = typer.Typer(
    name="bcikit",
    cls=Commands,
    help="Brain-computer interfaces, from the headset to the action, safely.\n\n"
    "Start with 'bcikit doctor' (is everything there?) and 'bcikit demo' (does it work?).",
    no_args_is_help=True,
    add_completion=True,
    # Rich draws prettier help and takes twice as long to be imported as all the rest.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"bcikit {bcikit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error comes from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=lambda value: _version(value=value), is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Take the options that every command has; `main` acts on --debug."""


for _name in COMMAND_MODULES:
    import_module(f"bcikit.cli.{_name}").register(app)


@cache
def _command() -> Callable[..., object]:
    # All commands and their options are made into parsers: once, however often a program calls `main`.
    return get_command(app)


def main() -> None:
    """Run the command line and exit: 0 done, 1 the thing checked fails, 2 bad input or set-up."""
    try:
        _main()
    except SystemExit as ended:
        if any(thread.name in _DRIVERS for thread in threading.enumerate()):
            # A driver that hangs would hang or abort the program once more at its end, and its exit code would be lost.
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
        raise


def _main() -> None:
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if debug:
        # Wherever it stands, so that it can be put at the end of a command that just failed.
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    _patient_streams()
    doubts: list[str] = []
    try:
        with gathered_doubts() as doubts:
            _command()(args=arguments, prog_name="bcikit")
    except BciError as error:
        if debug:
            raise
        _say(doubts)
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if not debug and error.filename is None and error.errno in _FULL:
            # A file that the console's text goes to, or one that a library wrote; what was kept before stands.
            _say(doubts)
            _gone()
            typer.secho(f"error: {error.strerror}: what this command writes or prints is not whole.", err=True)
            sys.exit(2)
        if debug or error.filename is None:
            raise
        # What the system says of a file that was named: too long a name, a loop of links, no right to look.
        _say(doubts)
        named = str(error.filename)
        shown = named if len(named) <= 80 else f"{named[:77]}..."
        typer.secho(f"error: {shown}: {error.strerror}", fg=typer.colors.RED, err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("stopped.", err=True)
        sys.exit(130)
    except SystemExit as ended:
        _say(doubts)
        if doubts and not ended.code:
            # Done, but with data that may be wrong: nobody must find out by chance.
            sys.exit(1)
        raise


def _gone() -> None:
    """Keep the interpreter from failing once more at its end, when it writes out what the full disk did not take."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _patient_streams() -> None:
    """Have the console write what it can: a name that its encoding lacks must not end a command whose work is done."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _say(doubts: list[str]) -> None:
    for text in doubts:
        typer.secho(f"doubt: {text}", fg=typer.colors.YELLOW, err=True)
