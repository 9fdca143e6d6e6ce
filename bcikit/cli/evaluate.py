"""`bcikit evaluate`: how good the decoders are on these recordings, honestly."""

import json as json_module
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcikit.cli.file_options import (
    Accept,
    Folders,
    Layout,
    Map,
    Sfreq,
    Stream,
    Unit,
    check_target,
    options_of,
    refuse_idle,
)
from bcikit.signal import Address, ArgumentError, check_choice, check_range

if TYPE_CHECKING:
    from bcikit.decoding.evaluation.run import TaskResult
    from bcikit.decoding.evaluation.task import SubjectTrials

PARADIGMS_HELP = "motor-imagery, ssvep, p300, errp or braking."


def check_paradigm(paradigm: str) -> None:
    """Refuse a paradigm whose decoders need more than a command line can say."""
    if paradigm == "cvep":
        raise ArgumentError(
            "c-VEP needs its codes, which no option says. Write a study file for bcikit evaluate: [[decoder]] with "
            "params (lags and period, or codes and classes), and a [[pipeline]] that lets the code through."
        )


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def evaluate(
        data: Annotated[
            Path,
            typer.Argument(help="Folder of recordings, one recording, or a study file (.toml: data sets, decoders)."),
        ],
        *,
        paradigm: Annotated[str | None, typer.Option("--paradigm", "-p", help=PARADIGMS_HELP)] = None,
        decoder: Annotated[
            list[str] | None,
            typer.Option(
                "--decoder", "-d", help="Name, several, encoder=ADDRESS, or 'all'; the best known if left out."
            ),
        ] = None,
        events: Annotated[
            str | None, typer.Option("--events", help="Which event stands for which class: 'T1=left,T2=right'.")
        ] = None,
        frequencies: Annotated[
            str | None, typer.Option("--frequencies", help="SSVEP: frequency of each class in Hz: 'a=13,b=17'.")
        ] = None,
        window: Annotated[
            tuple[float, float] | None,
            typer.Option("--window", metavar="FIRST LAST", help="Seconds after the event: --window 0.5 3.5."),
        ] = None,
        channels: Annotated[
            str | None, typer.Option("--channels", help="Channels to use, by name: 'C3,Cz,C4'; all EEG if left out.")
        ] = None,
        split: Annotated[
            list[str] | None,
            typer.Option(
                "--split",
                help="shuffled, within-session, leave-run-out, cross-session, cross-subject, few-shot-N, "
                "learning-curve; the usual four, as far as the data allow them, if left out.",
            ),
        ] = None,
        layout: Layout = None,
        folders: Folders = None,
        unit: Unit = None,
        sfreq: Sfreq = None,
        stream: Stream = None,
        map: Map = None,  # noqa: A002 - the word a user knows
        accept: Accept = None,
        out: Annotated[
            Path | None, typer.Option("--out", help="Folder for evaluation.html and evaluation.json.")
        ] = None,
        jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for all cores.")] = 1,
        dask: Annotated[
            str | None, typer.Option("--dask", help="Address of a Dask scheduler: tcp://host:8786.")
        ] = None,
        seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the shuffled folds.")] = 0,
        transfer: Annotated[
            bool, typer.Option("--transfer", help="Accuracy against own trials, with and without other people.")
        ] = False,
        pseudo_online: Annotated[
            bool, typer.Option("--pseudo-online", help="Run the live code over whole recordings, idle time and all.")
        ] = False,
        step: Annotated[float, typer.Option("--step", help="Seconds between windows, for --pseudo-online.")] = 0.25,
        confidence: Annotated[
            float, typer.Option("--confidence", help="Evidence from which a window acts, for --pseudo-online.")
        ] = 0.9,
        dwell: Annotated[
            float, typer.Option("--dwell", help="Seconds that windows must agree to act, for --pseudo-online.")
        ] = 0.0,
        asked: Annotated[
            float | None,
            typer.Option(
                "--asked",
                help="Seconds for which a class is asked for after its event, for --pseudo-online; the length of the "
                "event or, where it has none, the end of the window if left out.",
            ),
        ] = None,
        card: Annotated[
            Path | None, typer.Option("--card", help="Write a signed card that 'bcikit verify' computes again.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    ) -> None:
        """Evaluate decoders on recordings: shuffled, leave-run-out, across sessions and people, beside chance.

        Says first who is a person, a session, a run, and which files are left out. Ends with 1 if a number to reach on
        a known dataset is missed, a decoder that was asked for fails, or a class never occurs.
        """
        usual = {"split": split, "card": card, "seed": seed, "jobs": jobs != 1, "dask": dask}
        live = {"step": step != 0.25, "confidence": confidence != 0.9, "dwell": dwell, "asked": asked}
        if data.suffix == ".toml":
            from bcikit.cli.study import run

            about = {"paradigm": paradigm, "decoder": decoder, "events": events, "frequencies": frequencies}
            how = {"window": window, "channels": channels, "layout": layout, "folders": folders, "unit": unit}
            files = {"sfreq": sfreq, "stream": stream, "map": map, "accept": accept}
            kinds = {"transfer": transfer, "pseudo-online": pseudo_online, **live}
            rest = {"split": split, "card": card, "seed": seed}
            refuse_idle("a study, whose file says all of that", **about, **how, **files, **kinds, **rest)
            run(data, out, jobs=jobs, dask=dask, json=json)
            return
        if pseudo_online:
            refuse_idle("--pseudo-online", transfer=transfer, **usual)
        else:
            refuse_idle("--transfer" if transfer else "an evaluation without --pseudo-online", **live)
        if transfer:
            refuse_idle("--transfer", **usual)
        if paradigm is None:
            raise ArgumentError(f"Say which paradigm: -p {PARADIGMS_HELP}")
        check_paradigm(paradigm)
        from bcikit.cli.pairs import numbers, pairs
        from bcikit.decoding.evaluation.layouts import find_tasks

        tasks = find_tasks(
            data,
            paradigm=paradigm,
            events=pairs("--events", events),
            window=window,
            frequencies=numbers("--frequencies", frequencies),
            layout=layout,
            folders=folders,
            options=options_of(unit=unit, sfreq=sfreq, stream=stream, map=map, accept=accept),
        )
        if channels is not None:
            picked = tuple(name.strip() for name in channels.split(",") if name.strip())
            tasks = [replace(task, channels=picked) for task in tasks]
        check_target("--card", card, (run.path for task in tasks for run in task.runs))
        if card is not None:
            from bcikit.signal.signing import sign

            # What cannot be signed is refused before what may take hours.
            sign({})
        if pseudo_online:
            from bcikit.cli.pseudo_online import show_pseudo_online
            from bcikit.decoding.acting import ActingRule

            if asked is not None:
                check_range("--asked", asked, low=0.0, low_open=True, unit="s")
                tasks = [replace(task, asked=asked) for task in tasks]
            rule = ActingRule(confidence=confidence, dwell=dwell)
            show_pseudo_online(tasks, decoder or [], out, rule=rule, step=step, json=json)
            return
        if transfer:
            from bcikit.cli.transfer import show_transfer

            show_transfer(tasks, decoder or [], out, json=json)
            return
        results = _evaluate(tasks, decoder or [], split, out, jobs=jobs, dask=dask, seed=seed, quiet=json)
        if card is not None:
            from bcikit.decoding.evaluation.card import make_card

            text = json_module.dumps(make_card(results, splits=split, seed=seed), indent=1, ensure_ascii=False)
            card.parent.mkdir(parents=True, exist_ok=True)
            card.write_text(text + "\n", encoding="utf-8")
        if json:
            typer.echo(json_module.dumps([result.to_dict() for result in results], indent=1))
        bars = [result.check(ref)[1] for result in results for ref in result.task.references if ref.bar]
        wrong = [problem for result in results for problem in problems_of(result, decoder or [])]
        for problem in wrong:
            typer.secho(f"doubt: {problem}", fg=typer.colors.YELLOW, err=True)
        if wrong or any(met is False for met in bars):
            raise typer.Exit(1)


def failures_of(result: "TaskResult") -> list[str]:
    """Return a line for each decoder and reason for which it failed, with the splits and people."""
    from bcikit.decoding.evaluation.parallel import STOPPED

    where: dict[tuple[str, str], list[str]] = {}
    for place, why in result.failures.items():
        decoder, _, rest = place.partition(", ")
        if why is not STOPPED:
            where.setdefault((decoder, why), []).append(rest)
    return [
        f"{decoder} ({'; '.join(places[:4])}{f'; {len(places) - 4} more' if len(places) > 4 else ''}): {why}"
        for (decoder, why), places in where.items()
    ]


def problems_of(result: "TaskResult", wanted: list[str]) -> list[str]:
    """Return what was lost on the way: decoders that were asked for and failed, classes that never occur."""
    from bcikit.decoding.evaluation.parallel import STOPPED

    found = [] if "all" in wanted else failures_of(result)
    left = sum(why is STOPPED for why in result.failures.values())
    if left:
        found.append(f"{result.task.name}: {left} scores were not computed: it was stopped. What is shown was.")
    if not result.results:
        found.insert(0, f"{result.task.name}: no decoder could be evaluated.")
    if result.confounded:
        found.append(
            f"{result.task.name}: each run of {', '.join(result.confounded[:6])} holds one class alone: what differs "
            "between runs is taken for the class; record every class in each run"
        )
    for subject, classes in result.absent.items():
        names = ", ".join(
            f"{label} ({', '.join(e for e, c in result.task.events.items() if c == label)})" for label in classes
        )
        found.append(f"{result.task.name}, {subject}: no event of the class {names} occurs.")
    return found


def _evaluate(
    tasks: list[Any],
    wanted: list[str],
    splits: list[str] | None,
    out: Path | None,
    *,
    jobs: int,
    dask: str | None,
    seed: int,
    quiet: bool,
) -> "list[TaskResult]":
    from rich.markup import escape

    from bcikit.cli.console import console, progress_bars
    from bcikit.cli.sureness import sureness_of_all
    from bcikit.decoding.evaluation.page import make_section, write_page
    from bcikit.decoding.evaluation.run import evaluate_task
    from bcikit.decoding.evaluation.splits import USUAL, check_asked, why_not
    from bcikit.decoding.evaluation.task import load_task

    console.quiet = quiet
    if out is not None:
        make_folder(out)
    results, sections = [], []
    for task in tasks:
        check_asked(splits or (), task)
    for task in tasks:
        decoders = chosen_decoders(task, wanted)
        show_people(task)
        with progress_bars() as report:
            read = load_task(task, progress=lambda done, total: report("Reading and filtering", done, total))
            show_empty(read)
            show_lost_channels(read)
            if not splits:
                left = "; ".join(why for split in USUAL if (why := why_not(split, read, most=True)))
                console.print(
                    f"  [dim]not computed: {escape(left)}[/]" if left else "", soft_wrap=True, highlight=False
                )
            result = evaluate_task(
                task,
                read,
                decoders,
                splits=splits,
                seed=seed,
                jobs=jobs,
                dask=dask,
                progress=lambda done, total: report("Training and deciding", done, total),
            )
        results.append(result)
        show(result, told="all" in wanted)  # else it is a doubt
        if out is not None:
            # Before it is drawn: what may have taken hours hangs on no picture.
            text = json_module.dumps([one.to_dict() for one in results], indent=1)
            (out / "evaluation.json").write_text(text, encoding="utf-8")
            with progress_bars() as report:
                report("Drawing", 0, 1)
                sections.append(make_section(result, read))
                report("Drawing", 1, 1)
        if result.stopped:
            break
    for line in sureness_of_all(results):
        console.print(line, soft_wrap=True, highlight=False)
    if out is not None:
        page = write_page(out / "evaluation.html", sections, title=f"Evaluation: {tasks[0].paradigm}")
        console.print(f"Report: [bold]{escape(str(page))}[/]")
    console.quiet = False
    return results


def make_folder(out: Path) -> None:
    """Make the folder of ``--out``.

    Raises
    ------
    ArgumentError
        If it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"--out {out} cannot be made: {error.strerror}.") from None


def chosen_decoders(task: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the decoders that ``--decoder`` names; "all" are those that do not compare the others themselves."""
    from bcikit.decoding import decoder_names
    from bcikit.decoding.encoder import check_encoder

    for name in wanted:
        if name.startswith("encoder="):
            check_encoder(name.removeprefix("encoder="))
        else:
            check_choice("--decoder", name, (*decoder_names(), "all"))
    if not wanted:
        return (task.recommended,)
    names = decoder_names(task.paradigm) if "all" in wanted else tuple(wanted)
    return tuple(name for name in names if name != "ssvep-auto" or "ssvep-auto" in wanted)


def show_people(task: Any) -> None:
    """Print who is a person, a session, a run, and which files are left out."""
    from rich.markup import escape

    from bcikit.cli.console import console
    from bcikit.decoding.evaluation.people import Found

    rows = Found(runs=task.runs).table()
    people = len({subject for subject, _, _ in rows})
    console.print(
        f"{task.name}: {people} {'person' if people == 1 else 'people'}, {len(rows)} sessions, "
        f"{len(task.runs)} runs" + (f" ({task.how})" if task.how else ""),
        markup=False,
    )
    for subject, session, names in rows[:40]:
        console.print(f"  person {subject}, session {session}: {names}", soft_wrap=True, markup=False)
    if len(rows) > 40:
        console.print(f"  ... and {len(rows) - 40} more")
    for name, why in list(task.ignored.items())[:20]:
        console.print(f"  [dim]left out: {escape(f'{name} ({why})')}[/]", soft_wrap=True)
    if len(task.ignored) > 20:
        console.print(f"  [dim]left out: {len(task.ignored) - 20} more files[/]")


def show_empty(data: "Sequence[SubjectTrials]") -> None:
    """Print which runs have none of the events."""
    from rich.markup import escape

    from bcikit.cli.console import console

    names = [f"{name} (person {one.subject})" for one in data for name in one.empty]
    if names:
        some = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        console.print(f"  [yellow]no event of a class in {escape(some)}[/]", soft_wrap=True)


def show_lost_channels(data: "Sequence[SubjectTrials]") -> None:
    """Print which channels are flat, and which not everybody has: across people it goes without these."""
    from rich.markup import escape

    from bcikit.cli.console import console
    from bcikit.decoding.alike import misfits

    for one in data:
        if one.flat:
            who = escape(f"person {one.subject}: {', '.join(one.flat)}")
            console.print(f"  [yellow]{who} flat in every trial; leave them out (--channels)[/]", soft_wrap=True)
    odd = misfits([one.trials for one in data])
    fit = [one for place, one in enumerate(data) if place not in odd]
    shared = set.intersection(*({name.lower() for name in one.trials.ch_names} for one in fit))
    lost = [name for one in fit for name in one.trials.ch_names if name.lower() not in shared]
    if lost:
        some = ", ".join(dict.fromkeys(lost))
        console.print(
            f"  [yellow]not everybody has {escape(some)}: across people by the other {len(shared)} channels[/]",
            soft_wrap=True,
        )


def show(result: "TaskResult", *, told: bool = True) -> None:
    """Print the table of one task and what others reached; and, where asked, what failed."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from bcikit.cli.console import console
    from bcikit.cli.sureness import sureness
    from bcikit.decoding.architectures import note_on
    from bcikit.decoding.chance import CLEARLY
    from bcikit.decoding.evaluation.splits import definition

    splits = list(dict.fromkeys(split for found in result.results.values() for split in found))
    people = result.n_subjects
    title = f"{result.task.name}: {people} {'person' if people == 1 else 'people'}, {result.n_trials} trials"
    # Four splits must fit into 80 columns.
    table = Table(
        title=escape(title),
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0) if len(splits) > 3 else (0, 1),
        caption=f"{result.task.metric}, mean over people; causal filters; ECE: calibration error (if perfect)",
    )
    table.add_column("decoder", no_wrap=True)
    for split in splits:
        table.add_column(split, justify="right", no_wrap=True, min_width=len(split))
    table.add_column("ECE", justify="right", no_wrap=True)
    for decoder, found in result.results.items():
        held = [score for cell in found.values() for score in cell.scores]
        error = sum(score.ece for score in held) / len(held)
        perfect = sum(score.ece_expected[0] for score in held) / len(held)
        cells = [f"{found[split].mean:.3f}" if split in found else "-" for split in splits]
        table.add_row(decoder, *cells, f"{error:.3f} ({perfect:.2f})")
    if result.task.metric == "accuracy" and result.results:
        first = next(iter(result.results.values()))
        table.add_row("chance below", *[f"{first[s].chance_upper:.3f}" if s in first else "-" for s in splits], "")
    if result.results:
        console.print(table)
    if result.task.metric == "accuracy":
        for split, decoder, one in (
            (split, decoder, found[split]) for decoder, found in result.results.items() for split in found
        ):
            if one.guessing > CLEARLY / len(one.scores[0].classes):
                line = (
                    f"{split}: always saying the commonest class is right in {one.guessing:.0%}; balanced accuracy of "
                )
                console.print(f"  {line}{decoder}: {one.balanced_accuracy:.3f}", soft_wrap=True, highlight=False)
    for decoder, found in result.results.items():
        console.print(f"  {decoder}: {sureness(found)}", soft_wrap=True, highlight=False)
        note = note_on(Address.parse(decoder.removeprefix("encoder="))) if decoder.startswith("encoder=") else ""
        if note:
            console.print(f"  {decoder}: {note}", style="yellow", markup=False, soft_wrap=True, highlight=False)
    for split in splits:
        console.print(f"  [dim]{split}: {definition(split)}[/]", soft_wrap=True, highlight=False)
    held = [one for found in result.results.values() for cell in found.values() for one in cell.scores]
    for note in dict.fromkeys(note for one in held for note in one.notes if not note.startswith("shuffled")):
        console.print(f"  {note}", style="yellow", markup=False, soft_wrap=True, highlight=False)
    for ref in result.task.references:
        value, met = result.check(ref)
        if value is None:
            continue
        mark = "" if met is None else " [green]met[/]" if met else " [red]MISSED[/]"
        goal = "within chance" if ref.bar == "chance" else f"{ref.bar} {ref.value:.3f}".strip()
        console.print(f"  {ref.split}: {ref.who} {goal}; {result.task.recommended} {value:.3f}{mark}")
    if told:
        for line in failures_of(result):
            console.print(f"  [yellow]{escape(line)}[/]", soft_wrap=True, highlight=False)
