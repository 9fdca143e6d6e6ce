"""`bcikit validate`: test a device, an amplifier, a stream."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcikit.cli.file_options import refuse_idle

if TYPE_CHECKING:
    from bcikit.simulation.stimulus import Stimulus


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def validate(
        source: Annotated[
            str,
            typer.Argument(
                help="What to test: brainflow:synthetic, lsl:name=EEG, dut:gain=1.02; or 'timing', 'fleet'."
            ),
        ],
        *,
        profile: Annotated[
            str,
            typer.Option(
                "--profile", help="Limits: research, iec, ifcn, yyt1996, brainflow-synthetic, or a .toml file."
            ),
        ] = "",
        out: Annotated[
            Path, typer.Option("--out", help="New folder for report.html, result.json, junit.xml, raw/.")
        ] = Path("validation"),
        tests: Annotated[str, typer.Option("--tests", help="Only these, by id: V-NOISE,V-GAIN.")] = "",
        unattended: Annotated[bool, typer.Option("--unattended", help="Ask nobody to connect anything.")] = False,
        device: Annotated[
            str, typer.Option("--source", help="With 'timing': address of the device that reads the photodiode.")
        ] = "",
        photodiode: Annotated[str, typer.Option("--photodiode", help="With 'timing': channel of the photodiode.")] = "",
        screen: Annotated[
            str, typer.Option("--screen", help="With 'timing': window, or page (a browser that you open).")
        ] = "window",
        file: Annotated[
            str,
            typer.Option("--file", help="SOURCE is a recording, made with: short, 'sine:1000:10' (uV, Hz)."),
        ] = "",
        quick: Annotated[bool, typer.Option("--quick", help="Go or no-go in half a minute.")] = False,
        bench: Annotated[
            Path | None,
            typer.Option("--bench", help="File with operator, place, unit, instruments; what is missing is asked for."),
        ] = None,
        runs: Annotated[
            list[Path] | None, typer.Option("--runs", help="With 'fleet': folders with runs to compare; repeat it.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Test a device on the bench: noise, gain, distortion, timing, ... each with its uncertainty and limit.

        Guides through the set-ups where somebody sits at a terminal; simulated and synthetic sources run by themselves.
        Exit code: 0 every limit is kept, 1 one is broken or a test stays inconclusive, 2 it could not run.
        """
        usual = {"profile": profile, "tests": tests, "unattended": unattended, "file": file, "quick": quick,
                 "bench": bench}  # fmt: skip
        light = {"source": device, "photodiode": photodiode, "screen": screen != "window"}
        if source == "timing":
            refuse_idle("'timing'", runs=runs, **usual)
            refuse_idle("'timing' without --source", photodiode=photodiode and not device)
            from bcikit.validation.stimulus_timing import validate_timing

            raise typer.Exit(validate_timing(out, source=device, photodiode=photodiode, screen=screen, as_json=as_json))
        if source == "fleet":
            refuse_idle("'fleet'", **light, **usual)
            raise typer.Exit(_fleet(runs or [], out, as_json=as_json))
        refuse_idle("the test of a device", runs=runs, **light)
        from bcikit.validation.bench_file import BenchFile
        from bcikit.validation.profile import Profile
        from bcikit.validation.quick import QUICK_TESTS, quick_profile
        from bcikit.validation.run import default_profile
        from bcikit.validation.run import validate as run

        chosen = Profile.load(profile or default_profile(source))
        wanted = tuple(name.strip().upper() for name in tests.split(",") if name.strip())
        if quick:
            chosen = quick_profile(chosen)
            wanted = wanted or QUICK_TESTS
        setup = _setup(file) if file else None
        if setup is not None and ":" not in source:
            source = f"file:{source}"
        alone = quick or unattended or setup is not None
        asks = not alone and sys.stdin.isatty() and not source.startswith(("dut:", "sim:", "brainflow:synthetic"))
        stated = None
        if bench is not None:
            stated = BenchFile.load(bench)
            if asks:
                stated = stated.asked(lambda question: typer.prompt(question, default="", show_default=False))
                stated.save(bench)
        with _Progress(quiet=as_json) as progress:
            report = run(
                source,
                profile=chosen,
                out=out,
                tests=wanted,
                ask=progress.ask if asks else None,
                show=progress.show,
                setup=setup,
                bench_file=stated,
            )
        if report.unsigned:
            typer.echo(report.unsigned, err=True)
        if as_json:
            typer.echo(json.dumps(report.to_dict(), indent=1))
        else:
            from bcikit.validation.console import print_report

            print_report(report, out)
            if quick:
                typer.echo("GO" if report.exit_code == 0 else "NO-GO: see the table")
        raise typer.Exit(report.exit_code)


def _fleet(folders: list[Path], out: Path, *, as_json: bool) -> int:
    """Compare runs and print what stands out."""
    from bcikit.validation.fleet import read_runs, write_comparison

    runs = read_runs(folders)
    rows, code = write_comparison(runs, out)
    if as_json:
        typer.echo((out / "fleet.json").read_text(encoding="utf-8"), nl=False)
        return code
    typer.echo(f"{len(runs)} runs of {len({run.unit for run in runs})} units, {len(rows)} values: {out / 'fleet.html'}")
    for run in runs:
        for problem in run.problems:
            typer.secho(f"  {run.folder}: {problem}", fg=typer.colors.RED)
    for row in rows:
        for unit in row["out"]:
            typer.secho(f"  {row['value']}: {unit} is out (mean {row['mean']:.5g} {row['unit']})", fg=typer.colors.RED)
        if row["trend"] is not None:
            typer.secho(f"  {row['value']}: drifts by {row['trend']:+.3g} {row['unit']} a run", fg=typer.colors.RED)
        for change in row["versions"]:
            typer.secho(f"  {row['value']}: firmware {change} {row['unit']}", fg=typer.colors.RED)
    return code


def _setup(text: str) -> "Stimulus":
    """Return the set-up that a recording was made with: "short", "sine:UV:HZ", "square:UV:HZ"."""
    from bcikit.signal import ArgumentError, check_choice
    from bcikit.simulation.stimulus import Stimulus

    kind, *numbers = text.split(":")
    check_choice("--file", kind, ("short", "sine", "square"))
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if len(values) != (0 if kind == "short" else 2):
        raise ArgumentError(f"--file is {text!r}; allowed: short, sine:MICROVOLTS:HERTZ, square:MICROVOLTS:HERTZ.")
    if kind == "short":
        return Stimulus(kind="short", seconds=86_400.0)
    return Stimulus(kind=kind, seconds=86_400.0, amplitude_uv=values[0], frequency=values[1])


class _Progress:
    """A bar on the terminal, and questions to the operator."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("opening", total=1.0)

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, text: str, share: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=share, description=text)

    def ask(self, text: str) -> bool:
        """Show a set-up and wait for the operator; 's' skips the test."""
        from rich.markup import escape

        self._bar.stop()
        self._console.print(f"\n[bold]{escape(text)}[/bold]")
        answer = self._console.input("Press Enter when it is connected, or s and Enter to skip: ")
        self._bar.start()
        return not answer.strip().lower().startswith("s")
