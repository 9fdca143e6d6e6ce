"""`bcikit export`: a session as files of other programs, de-identified."""

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcikit.signal import ArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from bcikit.recording import Session

ENVIRONMENT = "BCIKIT_PASSPHRASE"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def export(
        source: Annotated[
            Path,
            typer.Argument(
                help="A session folder, or a recording of any known format, with options behind it: x.csv?unit=uV.",
                metavar="DIR|FILE",
            ),
        ],
        *,
        bids: Annotated[Path | None, typer.Option(help="Add it to the BIDS-EEG dataset in this folder.")] = None,
        edf: Annotated[Path | None, typer.Option(help="EDF+ file, or BDF+ (24 bits) if it ends in .bdf.")] = None,
        fif: Annotated[Path | None, typer.Option(help="FIF file for MNE.")] = None,
        decisions: Annotated[Path | None, typer.Option(help="Table of decisions, .csv or .parquet.")] = None,
        features: Annotated[Path | None, typer.Option(help="Table of band powers, .csv or .parquet.")] = None,
        sealed: Annotated[
            Path | None,
            typer.Option(help=f"The whole folder, encrypted; the passphrase is asked, or in {ENVIRONMENT}."),
        ] = None,
        subject: Annotated[str, typer.Option(help="BIDS: code of the person.")] = "01",
        task: Annotated[str, typer.Option(help="BIDS: what was done; the paradigm where it is left out.")] = "",
        session: Annotated[str, typer.Option(help="BIDS: label of the visit.")] = "",
        run: Annotated[str, typer.Option(help="BIDS: number of the run.")] = "",
        format: Annotated[  # noqa: A002 - the word a user knows
            str, typer.Option(help="BIDS: brainvision, edf or bdf.")
        ] = "brainvision",
        keep: Annotated[
            list[str] | None,
            typer.Option(help="Do not take out: channels, device, texts, or all. May be given more than once."),
        ] = None,
        lossy: Annotated[
            bool, typer.Option("--lossy", help="Leave out without a doubt what a format cannot hold.")
        ] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Export a session. Names, dates, serial numbers and unknown texts are taken out unless you --keep them.

        A sealed folder holds everything as it was recorded.

        Ends with 1 if something is left out that a format cannot hold, unless you say --lossy.
        """
        from bcikit.recording import (
            BidsLabels,
            Deidentifier,
            export_bids,
            export_decisions,
            export_edf,
            export_features,
            export_fif,
            find_session,
            seal,
        )

        if not any((bids, edf, fif, decisions, features, sealed)):
            raise ArgumentError("Say what to make: --bids, --edf, --fif, --decisions, --features or --sealed.")
        if sealed is not None:
            _check_cipher()
        data = load(source)
        options: dict[str, Any] = {"keep": tuple(keep or ()), "overwrite": overwrite}
        made: dict[str, str] = {}
        if bids is not None:
            labels = BidsLabels(subject=subject, task=task, session=session, run=run)
            made["bids"] = str(export_bids(data, bids, labels=labels, format=format, lossy=lossy, **options))
        may_lose: dict[str, Any] = {"lossy": lossy}
        for name, path, exporter, allowed in (
            ("edf", edf, export_edf, may_lose),
            ("fif", fif, export_fif, may_lose),
            ("decisions", decisions, export_decisions, {}),
            ("features", features, export_features, {}),
        ):
            if path is not None:
                exporter(data, path, **options, **allowed)
                made[name] = str(path)
        if sealed is not None:
            seal(find_session(source), sealed, passphrase=ask_passphrase(confirm=True))
            made["sealed"] = str(sealed)
        replaced = values = 0
        if any((bids, edf, fif, decisions, features)):
            check = Deidentifier(data, keep=options["keep"])
            replaced, values = len(check.preview()), check.values_left_out()
        if json:
            typer.echo(jsonlib.dumps({"made": made, "replaced_texts": replaced, "values_left_out": values}))
            return
        for name, path_made in made.items():
            typer.echo(f"{name}: {path_made}")
        if replaced:
            typer.echo(
                f"{replaced} names of events or channels could identify and were replaced; "
                "--keep texts or --keep channels leaves them."
            )
        if values:
            typer.echo(f"Values of {values} events could identify and were left out; --keep texts leaves them.")
        if sealed is not None:
            typer.echo("The sealed folder holds everything as it was recorded, names and dates, too.")


def load(source: Path) -> "Session":
    """Return a session folder, or a recording of any format as a session."""
    from bcikit.recording import Session, find_session, read_session

    if source.is_dir() or not (source.exists() or "?" in source.name):
        return read_session(find_session(source))
    from bcikit.acquisition import read_address

    return Session.from_recording(read_address(source))


def ask_passphrase(*, confirm: bool = False) -> str:
    """Return the passphrase from the environment, or ask for it.

    Raises
    ------
    ArgumentError
        If there is nobody to ask.
    MissingDependencyError
        If the package that needs it is not installed: then nobody is asked.
    """
    import os
    import sys

    _check_cipher()
    given = os.environ.get(ENVIRONMENT, "")
    try:
        return given or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm))
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise ArgumentError(f"There is no terminal to ask for the passphrase; set {ENVIRONMENT}.") from None


def _check_cipher() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise MissingDependencyError("cryptography", "crypto", "Encryption at rest")
