"""`bcikit evaluate --transfer`: how much calibration a new person needs."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

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
    from rich.markup import escape

    from bcikit.cli.console import console, progress_bars
    from bcikit.cli.evaluate import chosen_decoders, make_folder, show_empty, show_lost_channels, show_people
    from bcikit.decoding.evaluation.plots import transfer_plot
    from bcikit.decoding.evaluation.task import load_task
    from bcikit.decoding.evaluation.transfer import transfer_curve
    from bcikit.reporting import data_url, page, picture, section

    console.quiet = json
    found = []
    for task in tasks:
        show_people(task)
        with progress_bars() as report:
            read = load_task(task, progress=lambda done, total: report("Reading and filtering", done, total))
            show_empty(read)
            show_lost_channels(read)
            for name in chosen_decoders(task, wanted):
                curve = transfer_curve(
                    task, read, name, progress=lambda done, total: report("Training and deciding", done, total)
                )
                found.append((task.name, name, curve))
    for title, name, curve in found:
        _print(title, name, curve)
    values = [{"task": title, "decoder": name, **curve.to_dict()} for title, name, curve in found]
    if out is not None:
        make_folder(out)
        (out / "transfer.json").write_text(json_module.dumps(values, indent=1), encoding="utf-8")
        sections = []
        for number, (title, name, curve) in enumerate(found, 1):
            drawn = transfer_plot(curve)
            drawn.savefig(out / f"transfer-{number}.png", dpi=110)
            shown = picture(data_url(drawn), "accuracy against own trials", width=720)
            sections.append(section(f"{title}: {name}", shown))
        (out / "transfer.html").write_text(page("Transfer", *sections), encoding="utf-8")
        console.print(f"Report: [bold]{escape(str(out / 'transfer.html'))}[/]")
    console.quiet = False
    if json:
        typer.echo(json_module.dumps(values, indent=1))


def _print(title: str, name: str, curve: "TransferCurve") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from bcikit.cli.console import console
    from bcikit.decoding.evaluation.transfer import band_of

    # A row a number of trials: four ways with their limits fit into 80 columns.
    whose = curve.whose if curve.whose == "people" else f"{curve.whose} of one person"
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=f"{curve.metric}: mean over {curve.whose} (95 % of it)",
    )
    table.add_column("own", justify="right", no_wrap=True)
    for way in curve.values:
        table.add_column(way.replace(", ", ",\n"), no_wrap=True)
    for place, size in enumerate(curve.sizes):
        bands = [curve.band(way, place) for way in curve.values]
        table.add_row(str(size), *["-" if b is None else f"{b[0]:.2f} ({b[1]:.2f}-{b[2]:.2f})" for b in bands])
    console.print(f"[bold]{title}: {name}, {len(curve.people)} {whose}[/]", soft_wrap=True, highlight=False)
    console.print(table)
    console.print("own: labelled trials of each class; others: trained on the others.")
    console.print(f"Without one label, re-centred on first windows (mean over {curve.whose}, 95 % of it):")
    for looked, values in curve.unlabelled.items():
        band = band_of(values)
        assert band is not None
        words = f"{looked} windows" if looked.isdigit() else f"{looked} (as a session does, from its first window)"
        console.print(f"  {words}: [bold]{band[0]:.3f}[/] ({band[1]:.2f}-{band[2]:.2f})", soft_wrap=True)
