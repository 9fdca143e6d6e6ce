"""`bcikit replay`: a recorded session run again and compared, bit for bit."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def replay(
        folder: Annotated[Path, typer.Argument(help="Session folder, or the --out folder of a demo.")],
        *,
        check: Annotated[
            bool, typer.Option("--check", help="Exit with 1 unless every decision and verdict is identical.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Run a recorded session again; compare every decision and verdict with what was recorded."""
        import json
        from contextlib import nullcontext
        from dataclasses import asdict

        from bcikit.cli.console import console, progress_bars
        from bcikit.recording import find_session
        from bcikit.session.repeat import replay as run
        from bcikit.session.training import no_progress

        with nullcontext(no_progress) if as_json else progress_bars() as report:
            found = run(find_session(folder), progress=report)
        if as_json:
            typer.echo(json.dumps({**asdict(found), "identical": found.identical}))
        elif found.identical:
            console.print(
                f"[green]Identical[/]: {found.n_decisions} decisions and {found.n_verdicts} verdicts, bit for bit."
            )
        else:
            console.print(f"[red]Different[/]: {found.difference}")
        if check and not found.identical:
            raise typer.Exit(1)
