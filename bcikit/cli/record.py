"""`bcikit record`: a source into a session folder."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcikit.cli.stopping import stoppable

if TYPE_CHECKING:
    from bcikit.acquisition import StreamStatus


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def record(
        source: Annotated[
            str, typer.Argument(help="Address, such as brainflow:synthetic, lsl:name=EEG or file:x.edf.")
        ],
        *,
        out: Annotated[Path, typer.Option("--out", help="Session folder to make.", metavar="DIR")],
        duration: Annotated[
            float | None, typer.Option("--duration", help="Seconds; until Ctrl-C if left out.", min=0.1)
        ] = None,
        markers: Annotated[
            list[str] | None, typer.Option("--markers", help="Name of an LSL stream of markers; may be repeated.")
        ] = None,
        also: Annotated[
            list[str] | None,
            typer.Option("--also", help="Address of a further stream, recorded beside the first; may be repeated."),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing while recording.")] = False,
    ) -> None:
        """Record a source into a session folder (XDF and JSON lines), whole at every moment.

        Exits with 1 where the times are in doubt: the reasons are printed, and kept in the folder's header. So it does
        where a further stream is gone for good; the first one goes on to its end.
        """
        from rich.console import Console

        from bcikit import recording
        from bcikit.signal import Address

        address = Address.parse(source)
        if markers:
            address = address.with_option("markers", ",".join(markers))
        stop = threading.Event()
        with stoppable(stop.set), Console(stderr=True, quiet=quiet).status("Recording. Stop with Ctrl-C.") as line:
            found = recording.record(
                address,
                out,
                duration=duration,
                also=also or (),
                stop=stop,
                progress=lambda status: line.update(_line(status)),
            )
        if not quiet:
            typer.echo(f"{found.shown()[0]}.")
            for note in found.notes:
                typer.echo(note)
        for text in found.failed:
            typer.secho(text, fg=typer.colors.YELLOW, err=True)
        for doubt in found.doubts:
            typer.secho(f"doubt: {doubt}", fg=typer.colors.YELLOW, err=True)
        if found.doubts or found.failed:
            raise typer.Exit(1)


def _line(status: "StreamStatus") -> str:
    return (
        f"{status.pulse}: {status.samples} samples at {status.rate:.2f} Hz, {status.lost} lost, "
        f"{status.bad_samples} bad. Stop with Ctrl-C."
    )
