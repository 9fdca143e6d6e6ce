"""`bcikit import`: a recording of another program, or a sealed session, as a session folder."""

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from bcikit.cli.file_options import ProgressLine, dump, print_notes, with_reading_options
from bcikit.signal import ArgumentError, DoubtWarning


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("import")
    @with_reading_options
    def import_(
        file: Annotated[
            Path | None,
            typer.Argument(
                help="OpenBCI GUI text, BrainFlow or Muse CSV, XDF, EDF, BDF, BrainVision, GDF, FIF, a sealed session; "
                "options may stand behind it: x.edf?partial=true."
            ),
        ] = None,
        *,
        out: Annotated[Path | None, typer.Option(help="Session folder to make.")] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the preview of a --map is right.")] = False,
        reading: dict[str, Any],
        list_formats: Annotated[
            bool, typer.Option("--list-formats", help="Say which formats are read, and which dialects of tables.")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Turn a recording of another program into a session folder, in microvolts.

        Prints what was found, changed and left out; with --map first what the map makes of the columns, and asks where
        somebody can answer. Ends with 1 if something is in doubt that no option decided; the session is made all the
        same.
        """
        if list_formats:
            _list(json=json)
            return
        if file is None or out is None:
            raise ArgumentError("bcikit import FILE --out DIR, or --list-formats.")
        from bcikit.recording import convert_file, is_sealed, notes_of, read_session, unseal

        extra: tuple[str, ...] = ()
        if is_sealed(file):
            from bcikit.cli.export import ask_passphrase

            session = read_session(unseal(file, out, passphrase=ask_passphrase()))
            recording, notes, extra = session.recording, notes_of(session), tuple(sorted(session.extra))
        else:
            if "map" in reading and not json:
                _preview(file, reading, ask=not yes)
            progress = ProgressLine(f"importing {file.name}")
            with warnings.catch_warnings():
                # Printed below.
                warnings.simplefilter("ignore", DoubtWarning)
                recording, extra = convert_file(file, out, progress=progress, **reading)
            progress.close()
            notes = recording.notes
        placed = sum(event.sample is not None for event in recording.events)
        doubts = [note.text for note in notes if note.doubt]
        found: dict[str, Any] = {
            "path": str(out),
            "n_channels": recording.info.n_channels,
            "n_times": recording.n_times,
            "sfreq": recording.info.sfreq,
            "lost_samples": recording.lost,
            "n_events": len(recording.events),
            "n_events_placed": placed,
            "extra_streams": list(extra),
            "notes": [note.to_dict() for note in notes],
            "doubts": doubts,
        }
        if json:
            dump(found)
        else:
            typer.echo(
                f"{out}: {found['n_channels']} channels, {found['n_times']} samples at {found['sfreq']:g} Hz, "
                f"{found['n_events']} events, {found['lost_samples']} samples lost."
            )
            if extra:
                typer.echo(f"  beside    {', '.join(found['extra_streams'])}")
            print_notes(notes)
        if doubts:
            raise typer.Exit(1)


def _preview(file: Path, reading: dict[str, Any], *, ask: bool) -> None:
    """Show what a map makes of a table, and ask whether that is right where somebody sits."""
    from bcikit.acquisition.file import split_address
    from bcikit.acquisition.read_table import preview

    path, options = split_address(file, **reading)
    if not path.is_file():
        return
    for line in preview(path, options["map"], encoding=options.get("encoding")):
        typer.echo(f"  {line}")
    if ask and sys.stdin.isatty() and sys.stdout.isatty() and not typer.confirm("Is that right?", default=True):
        raise ArgumentError("Nothing was imported: say the columns anew with --map.")


def _list(*, json: bool) -> None:
    from bcikit.acquisition.dialect import known_dialects
    from bcikit.acquisition.formats import known_formats

    rows = [
        {
            "name": one.name,
            "title": one.title,
            "suffixes": list(one.suffixes),
            "options": list(one.options),
            "missing_package": one.missing(),
        }
        for one in known_formats()
    ]
    dialects = [dialect.name for dialect in known_dialects()]
    if json:
        dump({"formats": rows, "dialects": dialects})
        return
    for row in rows:
        lacks = f"; needs the package {row['missing_package']}" if row["missing_package"] else ""
        options = f" [{', '.join(row['options'])}]" if row["options"] else ""
        typer.echo(f"{row['name']:<14} {row['title']} ({', '.join(row['suffixes']) or 'a folder'}){options}{lacks}")
    typer.echo(f"dialects of tables: {'; '.join(dialects)}")
