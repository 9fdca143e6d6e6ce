"""`bcikit check stimulus`: says whether a flicker, flash or scene may be shown to a person."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def register(group: typer.Typer) -> None:
    """Add the command to the group `check`."""

    @group.command()
    def stimulus(
        file: Annotated[
            Path, typer.Argument(help="A design (.toml), or captured frames: a folder of pictures, .npy or .gif.")
        ],
        *,
        fps: Annotated[float, typer.Option("--fps", help="Frames a second of captured frames.")] = 60.0,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Say PASS, RESTRICTED or REFUSED, with the numbers.

        RESTRICTED may run after screening and consent, with an operator at the stop key. Exit code 1 if REFUSED.
        """
        if file.suffix.lower() == ".toml":
            from bcikit.safety.stimulus import analyse_design, load_design

            report: dict[str, Any] = analyse_design(load_design(file)).to_dict()
        else:
            from bcikit.safety.stimulus.frames import analyse_frames, load_frames

            report = analyse_frames(load_frames(file, fps=fps), fps=fps).to_dict()
        if as_json:
            typer.echo(json.dumps(report, indent=1))
        else:
            _show(file, report)
        if report["result"] == "REFUSED":
            raise typer.Exit(1)


def _show(file: Path, report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    colour = {"PASS": "green", "RESTRICTED": "yellow", "REFUSED": "red"}[report["result"]]
    console.print(f"{escape(str(file))}: [bold {colour}]{report['result']}[/]")
    for row in report.get("findings", ()):
        about = f" {row['target']}:" if row["target"] else ""
        limit = row["limit"] if isinstance(row["limit"], str) else f"limit {row['limit']:g}"
        console.print(
            f"  {row['result']:<10} {row['rule']}{about} {row['what']}: {row['value']} ({limit}; {row['source']})",
            markup=False,
        )
    if "targets" in report:
        numbers = Table("target", "Hz", "swing", "darker", "red u'v'", "sr", "of screen")
        for row in report["targets"]:
            names = ("name", "frequency_hz", "swing", "darker", "red_distance", "solid_angle_sr", "screen_share")
            numbers.add_row(*(escape(str(row[name])) for name in names))
        console.print(numbers)
        console.print(f"flashing in any field of 10 degrees: {report['field_sr']:.4g} sr (WCAG 2.3.1: 0.006 sr)")
    else:
        for name, value in report.items():
            console.print(f"  {name}: {value}")
    if report["result"] == "RESTRICTED":
        console.print("May run after screening and consent, with an operator at a stop key that was tested today.")
