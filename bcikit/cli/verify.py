"""`bcikit verify`: whether a file is what it says: the card of an evaluation is computed again."""

from collections.abc import Mapping
from hashlib import sha256
from json import loads
from pathlib import Path
from typing import Annotated, Any

import typer

from bcikit.cli.file_options import dump
from bcikit.signal import ArgumentError, RecordingError


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
        """Check signature, data and every number of a card by computing them again.

        Of a session folder, the checksums of signals and lines, the audit log and the configuration that it names.
        Of the folder that 'validate' wrote, the signature, the hash of every file, and every value from the raw data.

        Ends with 1 if anything is not as it says.
        """
        if key is not None and not key.strip():
            # As of a variable of a script that is not set: it would hold for what nobody signed.
            raise ArgumentError("--key is empty; give the fingerprint, or leave it out.")
        if path.is_dir():
            if data is not None:
                raise ArgumentError(f"--data is for the card of an evaluation; {path} is a folder with its own data.")
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
            _session(path, key=key, json=json)
            return
        if not path.exists():
            raise ArgumentError(f"There is no {path}.")
        from bcikit.decoding.evaluation.card import check_card, read_card
        from bcikit.recording import is_sealed

        if is_sealed(path):
            raise ArgumentError(
                f"{path} is a sealed session: every byte of it is checked as 'bcikit import {path} --out DIR' opens it."
            )
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


def _session(folder: Path, *, key: str | None, json: bool) -> None:
    """Say whether a session folder is as it was written; what has no checksum is named."""
    from bcikit.recording import read_session
    from bcikit.recording.checksums import LINES
    from bcikit.recording.header import read_header

    header = read_header(folder)
    if key is not None:
        raise ArgumentError(
            f"{folder}: a session folder is signed by nobody; --key is for cards and device reports. "
            "Leave it out to have its checksums compared."
        )
    problems, n_times = [], 0
    try:
        session = read_session(folder, lazy=True, damaged=True)
    except RecordingError as error:
        problems.append(str(error))
    else:
        n_times = session.recording.n_times
        problems += [session.damage] if session.damage else []
    n_audit, audit = _audit(folder, header)
    problems += audit
    lines = header.get(LINES)
    known = {*_SUMMED, *(lines if isinstance(lines, Mapping) else ())}
    bare = sorted({one.name for one in folder.iterdir()} - known)
    if json:
        values = {"path": str(folder), "problems": problems, "n_times": n_times}
        dump({**values, "audit_records": n_audit, "unchecked": bare})
    else:
        for problem in problems:
            typer.secho(f"{folder}: {problem}", fg=typer.colors.RED)
        if not problems:
            typer.secho(f"{folder}: {n_times} samples, as they were written.", fg=typer.colors.GREEN)
        typer.echo(
            f"{n_audit} records of its audit log were checked. Without a checksum: {', '.join(bare) or 'nothing'}."
        )
    if problems:
        raise typer.Exit(1)


_SUMMED = ("signals.xdf", "signals.index", "audit.jsonl", "audit.head")
"""Files that are checked by what lies beside them."""


def _audit(folder: Path, header: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return how many records the audit log of a session has, and what is wrong with it or with the configuration."""
    from bcikit.safety.audit import FILE_NAME, verify_audit
    from bcikit.session.summary import to_json

    try:
        result = verify_audit(folder)
    except RecordingError as error:
        if (folder / FILE_NAME).exists():
            return 0, [str(error)]
        # What `record` and `import` write has no gate, and no log; a session has both.
        gone = f"{FILE_NAME} is gone: every session writes one, and without it its configuration has no check"
        return 0, [gone] if "gate" in header["config"] else []
    if not result.intact:
        return result.n_records, [f"audit log: {result.problem}"]
    first = (folder / FILE_NAME).read_text(encoding="utf-8").partition("\n")[0]
    said = loads(first).get("config_sha256") if first else ""
    if said and said != sha256(to_json(header["config"]).encode()).hexdigest():
        return result.n_records, ["session.json: its configuration is not the one that the audit log names"]
    return result.n_records, []
