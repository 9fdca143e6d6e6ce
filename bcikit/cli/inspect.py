"""`bcikit inspect`: what is in a file, before anything is taken from it."""

from pathlib import Path
from typing import Annotated

import typer

from bcikit.cli.file_options import (
    Accept,
    Board,
    Encoding,
    Map,
    Names,
    Partial,
    Sfreq,
    Stream,
    TimeUnit,
    TriggerMask,
    Unit,
    dump,
    options_of,
    print_summary,
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("inspect")
    def inspect_(
        file: Annotated[Path, typer.Argument(help="A recording of any format; options may stand behind it.")],
        *,
        unit: Unit = None,
        stream: Stream = None,
        board: Board = None,
        sfreq: Sfreq = None,
        encoding: Encoding = None,
        trigger_mask: TriggerMask = None,
        time_unit: TimeUnit = None,
        map: Map = None,  # noqa: A002 - the word a user knows
        names: Names = None,
        partial: Partial = False,
        accept: Accept = None,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Say what is in a file: streams, channels, units and where each comes from, rates, gaps, events, doubts.

        Ends with 1 if something is in doubt that no option decides.
        """
        from bcikit.acquisition.file import split_address
        from bcikit.acquisition.summary import summarise

        given = options_of(
            unit=unit, stream=stream, board=board, sfreq=sfreq, encoding=encoding, trigger_mask=trigger_mask,
            time_unit=time_unit, map=map, names=names, partial=partial, accept=accept,
        )  # fmt: skip
        path, options = split_address(file, **given)
        summary = summarise(path, **options)
        if json:
            dump(summary.to_dict())
        else:
            print_summary(summary)
        if summary.doubts:
            raise typer.Exit(1)
