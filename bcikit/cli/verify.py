"""`bcikit verify`: whether a file is what it says: the card of an evaluation is computed again."""

from pathlib import Path
from typing import Annotated

import typer

from bcikit.cli.file_options import dump
from bcikit.signal import ArgumentError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def verify(
        path: Annotated[
            Path,
            typer.Argument(help="Card of an evaluation, session folder, folder of 'validate'.", metavar="FILE|DIR"),
        ],
        *,
        data: Annotated[Path | None, typer.Option(help="Folder of the recordings here, found by their hashes.")] = None,
        key: Annotated[str | None, typer.Option(help="Fingerprint of the key that must have signed it.")] = None,
        fast: Annotated[
            bool, typer.Option("--fast", help="Signature and hashes alone; compute nothing again.")
        ] = False,
        jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for all cores.")] = 1,
        json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Check signature, data and every number of a card by computing them again; of a folder, its checksums.

        Of the folder that 'validate' wrote, the signature, the hash of every file, and every value from the raw data.

        Ends with 1 if anything is not as it says.
        """
        if path.is_dir():
            from bcikit.validation.verify import is_report, verify_report

            if is_report(path):
                result = verify_report(path, recompute=not fast)
                wrong = list(result.problems)
                if key is not None and result.key.replace(" ", "") != key.replace(" ", "").lower():
                    wrong.append(f"signed by the key {result.key or 'of nobody'}, not {key}")
                if json:
                    dump({"path": str(path), "problems": wrong, "key": result.key, "files": result.n_files,
                          "values": result.n_values})  # fmt: skip
                else:
                    typer.echo(f"{path}: a device report of {result.n_files} files, signed by {result.key or 'nobody'}")
                    if result.n_values:
                        typer.echo(f"{result.n_values} values computed again from the raw data")
                    for problem in wrong:
                        typer.secho(f"  {problem}", fg=typer.colors.RED)
                    if not wrong:
                        typer.secho("All as it says.", fg=typer.colors.GREEN)
                if wrong:
                    raise typer.Exit(1)
                return
            from bcikit.recording import read_session

            recording = read_session(path).recording
            if json:
                dump({"path": str(path), "problems": [], "n_times": recording.n_times})
            else:
                typer.echo(f"{path}: {recording.n_times} samples, as they were written.")
            return
        if not path.exists():
            raise ArgumentError(f"There is no {path}.")
        from bcikit.decoding.evaluation.card import check_card, read_card

        found = check_card(read_card(path), data=data, jobs=jobs, recompute=not fast)
        problems = list(found.problems)
        if key is not None and found.key.replace(" ", "") != key.replace(" ", "").lower():
            problems.append(f"signed by the key {found.key or 'of nobody'}, not {key}")
        if json:
            dump({"path": str(path), "problems": problems, "key": found.key, "numbers": found.n_numbers,
                  "own_key": found.own, "largest_difference": found.largest,
                  "other_environment": list(found.other)})  # fmt: skip
        else:
            whose = "yours" if found.own else "not yours: compare it with what its author says, or give --key"
            typer.echo(f"{path}: signed by the key {found.key} ({whose})" if found.key else f"{path}: signed by nobody")
            for difference in found.other:
                typer.echo(f"  made with {difference}")
            if found.n_numbers:
                typer.echo(f"{found.n_numbers} numbers computed again; largest difference {found.largest:.2g}")
            for problem in problems:
                typer.secho(f"  {problem}", fg=typer.colors.RED)
            if not problems:
                typer.secho("All as it says.", fg=typer.colors.GREEN)
        if problems:
            raise typer.Exit(1)
