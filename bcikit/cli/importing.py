"""`bcikit import`: a recording of another program, or a sealed session, as a session folder."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("import")
    def import_(
        file: Annotated[
            Path,
            typer.Argument(
                help="OpenBCI GUI text, BrainFlow or Muse CSV, XDF, EDF, BDF, BrainVision, GDF, FIF, a sealed session; "
                "options may stand behind it: x.edf?partial=true."
            ),
        ],
        *,
        out: Annotated[Path, typer.Option(help="Session folder to make.")],
        unit: Annotated[str | None, typer.Option(help="Unit of the voltages, for a file that states none: uV.")] = None,
        stream: Annotated[str | None, typer.Option(help="XDF: name of the stream.")] = None,
        board: Annotated[str | None, typer.Option(help="BrainFlow tables: name of the board.")] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Turn a recording of another program into a session folder, in microvolts."""
        from bcikit.cli.export import ask_passphrase
        from bcikit.recording import import_file, is_sealed, read_session, unseal

        if is_sealed(file):
            session = read_session(unseal(file, out, passphrase=ask_passphrase()))
        else:
            session = import_file(file, out, unit=unit, stream=stream, board=board)
        recording = session.recording
        found: dict[str, Any] = {
            "path": str(out),
            "n_channels": recording.info.n_channels,
            "n_times": recording.n_times,
            "sfreq": recording.info.sfreq,
            "lost_samples": recording.lost,
            "n_events": len(recording.events),
        }
        if json:
            typer.echo(jsonlib.dumps(found))
            return
        typer.echo(
            f"{out}: {found['n_channels']} channels, {found['n_times']} samples at {found['sfreq']:g} Hz, "
            f"{found['n_events']} events, {found['lost_samples']} samples lost."
        )
