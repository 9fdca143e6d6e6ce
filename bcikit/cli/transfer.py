"""`bcikit evaluate --transfer`: how much calibration a new person needs."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bcikit.signal import ArgumentError

if TYPE_CHECKING:
    from bcikit.decoding.evaluation.task import Task
    from bcikit.decoding.evaluation.transfer import TransferCurve


def show_transfer(tasks: "Sequence[Task]", wanted: Sequence[str], out: Path | None, *, json: bool) -> None:
    """Print, and where a folder is given write, the transfer curves of tasks.

    Raises
    ------
    ArgumentError
        If the folder cannot be made.
    """
    from bcikit.cli.console import console, progress_bars
    from bcikit.decoding import decoder_names
    from bcikit.decoding.evaluation.plots import transfer_plot
    from bcikit.decoding.evaluation.task import load_task
    from bcikit.decoding.evaluation.transfer import transfer_curve
    from bcikit.reporting import data_url

    console.quiet = json
    found = []
    for task in tasks:
        names = decoder_names(task.paradigm) if "all" in wanted else tuple(wanted) or (task.recommended,)
        with progress_bars() as report:
            read = load_task(task, progress=lambda done, total: report("Reading and filtering", done, total))
            for name in names:
                curve = transfer_curve(
                    task, read, name, progress=lambda done, total: report("Training and deciding", done, total)
                )
                found.append((task.name, name, curve))
    for title, name, curve in found:
        _print(title, name, curve)
    values = [{"task": title, "decoder": name, **curve.to_dict()} for title, name, curve in found]
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError(f"--out {out} cannot be made: {error.strerror}.") from None
        (out / "transfer.json").write_text(json_module.dumps(values, indent=1), encoding="utf-8")
        pictures = "".join(
            f"<h2>{title}: {name}</h2><img alt='accuracy against own trials' src='{data_url(transfer_plot(curve))}'>"
            for title, name, curve in found
        )
        head = "<!doctype html><html lang='en'><meta charset='utf-8'><title>Transfer</title>"
        page = f"{head}<body>{pictures}</body></html>"
        (out / "transfer.html").write_text(page, encoding="utf-8")
        console.print(f"Report: [bold]{out / 'transfer.html'}[/]")
    console.quiet = False
    if json:
        typer.echo(json_module.dumps(values, indent=1))


def _print(title: str, name: str, curve: "TransferCurve") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from bcikit.cli.console import console
    from bcikit.decoding.evaluation.transfer import band_of

    table = Table(
        title=f"{title}: {name}, {len(curve.people)} people",
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption=f"{curve.metric}: mean over people (95 % of it); columns: own labelled trials a class",
    )
    table.add_column("trained on", no_wrap=True)
    for size in curve.sizes:
        table.add_column(str(size), justify="right", no_wrap=True)
    for way in curve.values:
        bands = [curve.band(way, place) for place in range(len(curve.sizes))]
        table.add_row(way, *["-" if b is None else f"{b[0]:.2f} ({b[1]:.2f}-{b[2]:.2f})" for b in bands])
    console.print(table)
    console.print("Without one label, re-centred on windows of the person (mean over people, 95 % of it):")
    for looked, values in curve.unlabelled.items():
        band = band_of(values)
        assert band is not None
        words = f"{looked} windows" if looked.isdigit() else f"{looked} (as a session does, from its first window)"
        console.print(f"  {words}: [bold]{band[0]:.3f}[/] ({band[1]:.2f}-{band[2]:.2f})", soft_wrap=True)
