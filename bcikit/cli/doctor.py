"""`bcikit doctor`: what is missing, and how to mend it."""

import json as jsonlib
from typing import Annotated

import typer

_MARKS = {"ok": "[green]ok[/]", "advice": "[yellow]advice[/]", "failed": "[red]FAILED[/]"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def doctor(*, json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
        """Check this machine: is everything there, and if not, what to type."""
        from bcikit.cli.checkup import FAILED, run_checks

        findings = run_checks()
        failed = [finding for finding in findings if finding.state == FAILED]
        if json:
            typer.echo(jsonlib.dumps([finding.to_dict() for finding in findings], indent=1))
        else:
            from rich.console import Console
            from rich.markup import escape

            console = Console(highlight=False, soft_wrap=True)
            for finding in findings:
                console.print(f"{_MARKS[finding.state]:<16} [bold]{finding.check}[/]: {escape(finding.found)}")
                for line in finding.fix.splitlines():
                    console.print(f"       [cyan]fix:[/] {escape(line)}" if line else "")
            advice = sum(finding.state == "advice" for finding in findings)
            rest = f", {advice} with advice" if advice else ""
            console.print(
                f"{len(failed)} of {len(findings)} checks failed{rest}."
                if failed
                else f"All is there to run a session{rest}. Next: bcikit demo"
            )
        if failed:
            raise typer.Exit(1)
