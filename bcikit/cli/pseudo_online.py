"""`bcikit evaluate --pseudo-online`: what would have happened live, idle time and all."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bcikit.decoding.acting import ActingRule
    from bcikit.decoding.evaluation.task import Task
    from bcikit.session.as_if_live import LiveResult


def show_pseudo_online(
    tasks: "Sequence[Task]", wanted: Sequence[str], out: Path | None, *, rule: "ActingRule", step: float, json: bool
) -> None:
    """Print, and where a folder is given write, what would have happened live. Ends with 1 if a decoder failed.

    Raises
    ------
    ArgumentError
        If the folder cannot be made.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from bcikit.cli.console import console, progress_bars
    from bcikit.cli.evaluate import chosen_decoders, make_folder, show_people
    from bcikit.session.as_if_live import DEFINITION, evaluate_live

    console.quiet = json
    found = []
    for task in tasks:
        show_people(task)
        table = Table(title=escape(f"{task.name}: as if live"), box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for name in ("decoder", "sensitivity", "wrong", "false/min", "idle min", "s to act"):
            table.add_column(name, no_wrap=True, justify="left" if name == "decoder" else "right")
        for name in chosen_decoders(task, wanted):
            with progress_bars() as report:
                one = evaluate_live(
                    task, name, rule=rule, step=step,
                    progress=lambda done, total: report("Running as if live", done, total),
                )  # fmt: skip
            found.append(one)
            if one.runs:
                table.add_row(name, *_cells(one.numbers()))
        console.print(table)
    console.print(f"  {DEFINITION}", highlight=False)
    console.print(
        f"  A window each {step:g} s; it acts when its evidence reaches {rule.confidence:g}"
        + (f" and every window for {rule.dwell:g} s says the same" if rule.dwell else "")
        + f"{_seconds(found)}; intervals of 95 %: Wilson, exact Poisson.",
        highlight=False,
    )
    for one in found:
        if why := one.why():
            console.print(f"  {escape(f'{one.task}, {one.decoder}')}: {why}", highlight=False, soft_wrap=True)
    values = [one.to_dict() for one in found]
    if out is not None:
        make_folder(out)
        (out / "pseudo-online.json").write_text(json_module.dumps(values, indent=1), encoding="utf-8")
        console.print(f"Numbers: [bold]{escape(str(out / 'pseudo-online.json'))}[/]")
    console.quiet = False
    if json:
        typer.echo(json_module.dumps(values, indent=1))
    failures = [f"{one.task}, {one.decoder}, {who}: {why}" for one in found for who, why in one.failures.items()]
    for failure in failures:
        typer.secho(f"doubt: {failure}", fg=typer.colors.YELLOW, err=True)
    if failures:
        raise typer.Exit(1)


def _seconds(found: "Sequence[LiveResult]") -> str:
    """Return for how long a class is asked for, from whom it is least to whom it is most; empty of nobody."""
    reach = [(min(one.seconds.values()), max(one.seconds.values())) for one in found if one.seconds]
    each = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in reach]
    return f"; a class is asked for for {' or '.join(dict.fromkeys(each))} s after its event" if each else ""


def _cells(numbers: dict[str, object]) -> list[str]:
    def with_interval(name: str, interval: str) -> str:
        value, limits = numbers[name], numbers[interval]
        if not isinstance(value, float) or not isinstance(limits, list):
            return "-"
        return f"{value:.2f} [{limits[0]:.2f}, {limits[1]:.2f}]"

    seconds, wrong = numbers["seconds_to_act"], numbers["wrong"]
    return [
        with_interval("sensitivity", "sensitivity_interval"),
        "-" if wrong is None else f"{wrong:.2f}",
        with_interval("false_activations_per_minute", "false_activations_interval"),
        f"{numbers['idle_minutes']:.1f}",
        "-" if seconds is None else f"{seconds:.1f}",
    ]
