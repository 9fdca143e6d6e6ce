"""The result of a run on a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from bcikit.validation.results import Judgement, decisive

if TYPE_CHECKING:
    from bcikit.validation.run import Report

_STYLES = {
    Judgement.PASS: "green",
    Judgement.FAIL: "bold red",
    Judgement.INCONCLUSIVE: "yellow",
    Judgement.ERROR: "bold magenta",
    Judgement.UNEXPLAINED: "bold yellow",
    Judgement.REPORT: "cyan",
    Judgement.NOT_APPLICABLE: "dim",
}


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
        judged = decisive([m for m in outcome.measurements if m.limit is not None])
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
    console.print(
        f"[{_STYLES[report.judgement]}]{report.judgement.value}[/]  {escape(str(out / 'report.html'))}", soft_wrap=True
    )
