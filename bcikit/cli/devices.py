"""`bcikit devices`: what is reachable now."""

import json as jsonlib
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def devices(
        *,
        wait: Annotated[float, typer.Option("--wait", help="Seconds to listen for LSL streams.", min=0.1)] = 1.0,
        boards: Annotated[bool, typer.Option("--boards", help="List every board that BrainFlow can open.")] = False,
        json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    ) -> None:
        """List the streams, ports and boards that can be opened now, each with its address."""
        rows = _boards() if boards else _reachable(wait)
        if json:
            typer.echo(jsonlib.dumps([dict(zip(("address", "what", "detail"), row, strict=True)) for row in rows]))
            return
        if not sys.stdout.isatty():
            # Rich would put spaces for the tabs, by which a script parts the columns.
            typer.echo("\n".join("\t".join(row) for row in rows))
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table("address", "what", "detail")
        for row in rows:
            table.add_row(*map(escape, row))
        Console().print(table, soft_wrap=True)


def _reachable(wait: float) -> list[tuple[str, str, str]]:
    from bcikit.acquisition import reachable_devices

    return [(device.address, device.what, device.detail) for device in reachable_devices(wait=wait)]


def _boards() -> list[tuple[str, str, str]]:
    from bcikit.acquisition.brainflow_boards import board_summaries

    return [(f"brainflow:{name}", title, detail) for name, title, detail in board_summaries()]
