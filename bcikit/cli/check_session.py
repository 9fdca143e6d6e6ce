"""`bcikit check session`: every problem of a session file, before anyone sits in the chair."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def session(
        file: Annotated[
            str, typer.Argument(help="Session file (TOML), paradigm:NAME for a shipped paradigm, or a paradigm's file.")
        ],
        *,
        operator: Annotated[
            str, typer.Option("--operator", help="Who attends it, as for 'bcikit run'; the file's if left out.")
        ] = "",
        screen: Annotated[
            str, typer.Option("--screen", help="Where the person would look, as for 'bcikit run': none for no window.")
        ] = "auto",
        headless: Annotated[bool, typer.Option("--headless", help="As it would run without a window.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Open everything a session needs, check it, and close it again; nothing is started or recorded."""
        import json

        from bcikit.cli.console import console
        from bcikit.cli.launch import attending, wants_window
        from bcikit.cli.screens import with_screen
        from bcikit.session import plan
        from bcikit.session.engine import session_config
        from bcikit.signal import ConfigError

        try:
            config = session_config(file)
            assert config is not None
            config = with_screen(config, screen, headless=headless)
            who = attending(config, operator)
            with plan(config, operator=who, orders=wants_window(headless=headless)) as made:
                found = made.lines()
        except ConfigError as error:
            if as_json:
                typer.echo(json.dumps({"ready": False, "problems": list(error.problems)}))
                raise typer.Exit(error.exit_code) from None
            raise
        if as_json:
            values = {name: value for name, value in found if name != "note"}
            notes = [value for name, value in found if name == "note"]
            typer.echo(json.dumps({"ready": True, **values, "notes": notes}))
            return
        for name, value in found:
            console.print(f"{name:10} {value}", highlight=False, markup=False)
        console.print("[green]Ready.[/]")
