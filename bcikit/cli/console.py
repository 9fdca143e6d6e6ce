"""What the commands share: progress bars, and words for people."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bcikit.session.training import Progress as Report

console = Console()


@contextmanager
def progress_bars() -> Iterator[Report]:
    """Yield a function ``(what, done, total)`` that draws a bar a thing; total 0 counts seconds."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        console=console,
        transient=not console.is_terminal,
    ) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None, count="")
            count = f"{done}/{total}" if total else f"{done} s of signal"
            bars.update(tasks[what], completed=done, total=total or None, count=count)

        yield report


def show_result(values: Mapping[str, Any], folder: object) -> None:
    """Print what a session came to, in a few lines."""
    accuracy = values.get("online_accuracy")
    if accuracy is not None:
        low, high = values["accuracy_interval"]
        against = "), all of one class: it says nothing against chance"
        if values["above_chance"] is not None:
            verdict = "[green]above chance[/]" if values["above_chance"] else "[yellow]not above chance[/]"
            against = f"; a guesser stays below {values['chance_upper']:.0%}): {verdict}"
        console.print(
            f"{values['n_correct']} of {values['n_trials']} trials right: [bold]{accuracy:.0%}[/] "
            f"(95 % interval {low:.0%} to {high:.0%}{against}"
        )
    gate = values["gate"]
    reasons = ", ".join(f"{rule} {count}" for rule, count in gate["reasons"].items())
    console.print(
        f"Gate: {gate['allowed']} of {gate['n']} decisions let through" + (f"; refused by {reasons}" if reasons else "")
    )
    latency = values["latency_ms"]
    if latency["n"]:
        console.print(f"Newest sample to verdict: median {latency['p50']:.2f} ms, 99 % within {latency['p99']:.2f} ms")
    console.print(f"Samples lost: {values['lost_samples']}")
    if folder is not None:
        console.print(f"Report: [bold]{escape(str(folder))}/report.html[/]")
