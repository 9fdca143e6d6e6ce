"""A group of commands that answers a shell at once."""

import os
from typing import Any

from typer.core import TyperGroup


class Commands(TyperGroup):
    """Commands; while a shell completes a word, no values are checked: that would take longer than all the rest."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take apart what was typed."""
        _check_nothing(self, ctx)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name, or None."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            _check_nothing(found, ctx)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was named; of a file in its place say which commands take one."""
        name = args[0]
        # A path may be too long or strange to be asked for, which `Path.exists` does not take for a no.
        unknown = ctx.parent is not None and super().get_command(ctx, name) is None
        # While a word is completed nothing is refused: the shell would show a traceback.
        if unknown and not ctx.resilient_parsing and os.path.exists(name):  # noqa: PTH110
            ways = " or ".join(f"'{ctx.command_path} {command} {name}'" for command in self.list_commands(ctx))
            ctx.fail(f"{name} is a path, no command. Say: {ways}")
        return super().resolve_command(ctx, args)


def _check_nothing(command: Any, ctx: Any) -> None:
    if ctx.resilient_parsing:
        for parameter in command.get_params(ctx):
            parameter.process_value = lambda ctx, value: value  # noqa: ARG005 - the names that it is called with
