"""`bcikit recover`: closes the files of a session that was cut off."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def recover(
        folder: Annotated[Path, typer.Argument(help="The session folder.", metavar="DIR")],
        *,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Close the files of a session that a crash, a full or a damaged disk left; the originals stay beside them.

        Ends with 1 if samples within the recording are lost, or lines of a closed session were changed.
        """
        from bcikit.recording import recover as run

        found = run(folder)
        if json:
            typer.echo(jsonlib.dumps(found.to_dict()))
        elif not found.needed:
            typer.echo(f"{folder} was closed properly ({found.status}); nothing to do.")
        else:
            typer.echo(f"{folder} is recovered: {found.n_samples} samples, {found.seconds:.1f} s.")
            for name, size in found.removed.items():
                typer.echo(f"  {name}: {size} bytes were not whole and are left out.")
            if found.lost_samples:
                typer.echo(f"  {found.lost_samples} samples within the recording are lost; the gaps are marked in it.")
            for name in found.changed:
                typer.echo(f"  {name} is not as it was when the session was closed.")
            for name, kept in found.originals.items():
                typer.echo(f"  {name} as it was is kept as {kept}.")
        if found.lost_samples or found.changed:
            raise typer.Exit(1)
