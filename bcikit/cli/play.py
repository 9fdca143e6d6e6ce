"""`bcikit play`: a recording as a live LSL stream."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def play(
        file: Annotated[Path, typer.Argument(help="A recording of any known format, or a session folder.")],
        *,
        lsl: Annotated[str, typer.Option("--lsl", help="Name of the LSL stream; the file's name if left out.")] = "",
        speed: Annotated[
            float, typer.Option("--speed", help="Times its own pace; the rate of the stream grows with it.", min=0.01)
        ] = 1.0,
        loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, until stopped by Ctrl-C.")] = False,
        wait: Annotated[
            float, typer.Option("--wait", help="Begin when somebody listens, after at most this many seconds.", min=0)
        ] = 0.0,
        unit: Annotated[str, typer.Option("--unit", help="Unit of a file that states none: uV, mV, V or nV.")] = "",
        source_id: Annotated[
            str, typer.Option("--source-id", help="LSL source id; made from the name if left out.")
        ] = "",
        quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing while playing.")] = False,
    ) -> None:
        """Play a recording as a live LSL stream, its events as a second stream NAME-markers."""
        from bcikit.acquisition import read_address
        from bcikit.acquisition.player import Player

        player = Player(
            read_address(file, unit=unit or None), name=lsl or file.stem, speed=speed, loop=loop, source_id=source_id
        )
        with player:
            if not quiet:
                info = player.outlet_info
                typer.echo(
                    f"Playing {file} as lsl:name={player.name} ({info.n_channels} channels, {info.sfreq:g} Hz), "
                    f"events as {player.name}-markers. Stop with Ctrl-C."
                )
            player.wait_for_listener(wait)
            seconds = player.run()
        if not quiet:
            typer.echo(f"Played {seconds:.1f} s.")
