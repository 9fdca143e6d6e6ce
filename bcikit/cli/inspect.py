"""`bcikit inspect`: what is in a file, before anything is taken from it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bcikit.cli.file_options import dump, print_summary, with_reading_options


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("inspect")
    @with_reading_options
    def inspect_(
        file: Annotated[Path, typer.Argument(help="A recording of any format; options may stand behind it.")],
        *,
        reading: dict[str, Any],
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Say what is in a file: streams, channels, units and where each comes from, rates, gaps, events, doubts.

        Ends with 1 if something is in doubt that no option decides.
        """
        from bcikit.acquisition.file import split_address
        from bcikit.acquisition.summary import summarise

        path, options = split_address(file, **reading)
        summary = summarise(path, **options)
        if json:
            dump(summary.to_dict())
        else:
            print_summary(summary)
        if summary.doubts:
            raise typer.Exit(1)
