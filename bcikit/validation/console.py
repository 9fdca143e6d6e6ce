"""The result of a run on a terminal."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bcikit.validation.results import Judgement, Measurement, worst

if TYPE_CHECKING:
    from bcikit.validation.run import Report

_STYLES = {
    Judgement.PASS: "green",
    Judgement.FAIL: "bold red",
    Judgement.INCONCLUSIVE: "yellow",
    Judgement.REPORT: "cyan",
    Judgement.NOT_APPLICABLE: "dim",
}


def _few(judged: list[Measurement]) -> list[Measurement]:
    """Return one line a quantity where there is one a channel: the worst, and how many there are."""
    shown = []
    for quantity in dict.fromkeys(m.quantity for m in judged):
        alike = [m for m in judged if m.quantity == quantity]
        decides = worst([m.judgement for m in alike])
        far = max((m for m in alike if m.judgement is decides), key=lambda m: abs(m.value))
        label = far.label if len(alike) == 1 else f"{far.label} (worst of {len(alike)} channels)"
        shown.append(replace(far, label=label))
    return shown


def print_report(report: "Report", out: Path) -> None:
    """Print a table: test, what was measured, limit, judgement."""
    import sys

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{report.source}: {report.profile.title}")
    for head in ("test", "what", "value", "limit", ""):
        table.add_column(head, overflow="fold")
    for outcome in report.outcomes:
        style = _STYLES[outcome.judgement]
        if not outcome.measurements:
            table.add_row(outcome.test, escape(outcome.reason), "", "", outcome.judgement.value, style=style)
        judged = _few([m for m in outcome.measurements if m.limit is not None])
        rest = [m for m in outcome.measurements if m.limit is None]
        for number, m in enumerate([*judged, *rest[: 1 if judged else 2]]):
            label = f"{m.label}{f' [{m.channel}]' if m.channel else ''}"
            table.add_row(
                outcome.test if number == 0 else "",
                escape(label),
                m.text(),
                m.limit.text() if m.limit else "",
                m.judgement.value,
                style=_STYLES[m.judgement] if m.limit else "none",
            )
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    console.print(f"[{_STYLES[report.judgement]}]{report.judgement.value}[/]  {out / 'report.html'}", soft_wrap=True)
