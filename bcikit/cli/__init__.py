"""The `bcikit` command: one module a group of commands, errors in one line, exit codes that stay stable."""

from bcikit.cli.app import main

__all__ = ["main"]


def __dir__() -> list[str]:
    return sorted(__all__)
