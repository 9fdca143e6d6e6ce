"""``bcikit plugins``: what can be named in session files and on the command line, and which package brings it."""

import inspect
import json
from typing import Annotated, Any

import typer

from bcikit.plugins import KINDS, Plugin, plugins
from bcikit.signal import check_choice


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("plugins")
    def show(
        *,
        kind: Annotated[str, typer.Option("--kind", help=f"Only one kind: {', '.join(KINDS)}.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print it for a program.")] = False,
    ) -> None:
        """List what can be chosen by its name, from sources to file formats, those of other packages included."""
        kinds = KINDS if not kind else (check_choice("--kind", kind, KINDS),)
        found = [_row(plugin) for one in kinds for plugin in plugins(one)]
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            _table(found)
        if any(row["problem"] for row in found):
            raise typer.Exit(1)


def _row(plugin: Plugin) -> dict[str, Any]:
    problem, what = "", plugin.what
    # Loaded, not only listed: what does not load is no use to anybody, and whoever asks wants to know it now.
    try:
        loaded = plugin.load()
        # A file format is a value, not a class: its title says what it is, the words of its class would not.
        what = what or str(getattr(loaded, "title", "") or inspect.cleandoc(loaded.__doc__ or "").partition("\n")[0])
    except ImportError as error:
        problem = str(error)
    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "where": plugin.where,
        "what": what,
        "problem": problem,
    }


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bcikit.cli.console import console

    table = Table("kind", "name", "package", "what", box=None, pad_edge=False)
    for row in rows:
        said = f"[red]{escape(row['problem'])}[/]" if row["problem"] else escape(row["what"] or row["where"])
        table.add_row(row["kind"], row["name"], f"{row['package']} {row['version']}", said)
    console.print(table)
