"""`bcikit audit`: says whether an audit log is what was written."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bcikit.cli.commands import Commands


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(cls=Commands, help="Look at audit logs.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Look at audit logs."""

    @group.command()
    def verify(
        folder: Annotated[Path, typer.Argument(help="A session folder, or any folder with audit.jsonl.")],
        *,
        key_file: Annotated[
            Path | None, typer.Option("--key-file", help="File with the key, if the log was written with one.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Check every record; names the first that was changed, removed or added. Exit code 1 if there is one."""
        from bcikit.safety.audit import verify_audit
        from bcikit.signal import ArgumentError

        key = None
        if key_file is not None:
            try:
                key = key_file.read_bytes()
            except OSError as error:
                raise ArgumentError(f"{key_file} cannot be read: {error.strerror or error}.") from error
        result = verify_audit(folder, key=key)
        if as_json:
            typer.echo(json.dumps(result.to_dict(), indent=1))
        elif result.intact:
            typer.echo(f"{folder}: intact, {result.n_records} records, newest {result.head}")
            if not result.anchored:
                typer.echo("This computer has no anchor of it: compare the newest hash with that of the report.")
        else:
            typer.secho(f"{folder}: NOT intact. {result.problem}.", fg=typer.colors.RED)
        if not result.intact:
            raise typer.Exit(1)

    app.add_typer(group, name="audit")
