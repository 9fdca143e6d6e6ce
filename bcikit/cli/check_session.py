"""`bcikit check session`: every problem of a session file, before anyone sits in the chair."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def session(
        file: Annotated[Path, typer.Argument(help="Session file (TOML).")],
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Open everything a session needs, check it, and close it again; nothing is started or recorded."""
        import json

        from bcikit.cli.console import console
        from bcikit.session import check_session, load_config
        from bcikit.session.assembly import describe
        from bcikit.signal import ConfigError

        try:
            found = describe(check_session(load_config(file)))
        except ConfigError as error:
            if as_json:
                typer.echo(json.dumps({"ready": False, "problems": list(error.problems)}))
                raise typer.Exit(error.exit_code) from None
            raise
        if as_json:
            typer.echo(json.dumps({"ready": True, **dict(found)}))
            return
        for name, value in found:
            console.print(f"{name:10} {value}", highlight=False)
        console.print("[green]Ready.[/]")
