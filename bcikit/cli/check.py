"""`bcikit check`: says whether a file is fit for use, before anyone sits in the chair."""

from importlib import import_module

import typer

from bcikit.cli.commands import Commands

_COMMANDS = ("check_session", "check_stimulus")
"""Modules of `bcikit.cli`, each with ``register(app)`` that adds one command to `bcikit check`."""


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(cls=Commands, help="Check a file before it is used.", no_args_is_help=True)
    for name in _COMMANDS:
        import_module(f"bcikit.cli.{name}").register(group)
    app.add_typer(group, name="check")
